#include "http/libssl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

/* Written once, under `once`. */
static struct {
  pthread_once_t once;
  bool loaded;
  struct luaws_ssl functions;
  char failure[256];
} library = {.once = PTHREAD_ONCE_INIT};

static void load(void) {
  void *handle = dlopen("libssl.so.3", RTLD_LAZY | RTLD_LOCAL);
  const char *missing = handle ? NULL : dlerror();
#define LOAD(name)                                                                      \
  if (!missing && !(library.functions.name = (__typeof__(name) *)dlsym(handle, #name))) \
    missing = "it has no " #name;
  LUAWS_SSL_FUNCTIONS(LOAD)
#undef LOAD
  if (missing) {
    snprintf(library.failure, sizeof library.failure, "%s", missing);
  } else {
    library.loaded = true;
  }
}

const struct luaws_ssl *luaws_ssl(struct luaws_error *err) {
  pthread_once(&library.once, load);
  if (library.loaded) return &library.functions;
  luaws_error_set(err, LUAWS_E_CONFIG, "MissingDependencyException",
                  "sending a stream of events over TLS needs libssl.so.3: %s",
                  library.failure);
  return NULL;
}
