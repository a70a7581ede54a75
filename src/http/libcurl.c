#include "http/libcurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

/* The only state in here that outlives a loop: written once, under `once`. */
static struct {
  pthread_once_t once;
  bool loaded;
  struct luaws_curl functions;
  char failure[256];
} library = {.once = PTHREAD_ONCE_INIT};

static void load(void) {
  void *handle = dlopen("libcurl.so.4", RTLD_LAZY | RTLD_LOCAL);
  const char *missing = handle ? NULL : dlerror();
#define LOAD(name)                                                                \
  if (!missing && !(library.functions.name =                                      \
                        (__typeof__(curl_##name) *)dlsym(handle, "curl_" #name))) \
    missing = "it has no curl_" #name;
  LUAWS_CURL_FUNCTIONS(LOAD)
#undef LOAD
  if (!missing && library.functions.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    missing = "curl_global_init failed";
  if (missing) {
    snprintf(library.failure, sizeof library.failure, "%s", missing);
  } else {
    library.loaded = true;
  }
}

const struct luaws_curl *luaws_curl(struct luaws_error *err) {
  pthread_once(&library.once, load);
  if (library.loaded) return &library.functions;
  luaws_error_set(err, LUAWS_E_CONFIG, "MissingDependencyException",
                  "HTTP needs libcurl.so.4: %s", library.failure);
  return NULL;
}
