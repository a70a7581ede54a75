#include "http/libnghttp2.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

/* Written once, under `once`. */
static struct {
  pthread_once_t once;
  bool loaded;
  struct luaws_nghttp2 functions;
  char failure[256];
} library = {.once = PTHREAD_ONCE_INIT};

static void load(void) {
  void *handle = dlopen("libnghttp2.so.14", RTLD_LAZY | RTLD_LOCAL);
  const char *missing = handle ? NULL : dlerror();
#define LOAD(name)                                                                      \
  if (!missing && !(library.functions.name =                                            \
                        (__typeof__(nghttp2_##name) *)dlsym(handle, "nghttp2_" #name))) \
    missing = "it has no nghttp2_" #name;
  LUAWS_NGHTTP2_FUNCTIONS(LOAD)
#undef LOAD
  if (missing) {
    snprintf(library.failure, sizeof library.failure, "%s", missing);
  } else {
    library.loaded = true;
  }
}

const struct luaws_nghttp2 *luaws_nghttp2(struct luaws_error *err) {
  pthread_once(&library.once, load);
  if (library.loaded) return &library.functions;
  luaws_error_set(err, LUAWS_E_CONFIG, "MissingDependencyException",
                  "sending a stream of events needs libnghttp2.so.14: %s",
                  library.failure);
  return NULL;
}
