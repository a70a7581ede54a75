/* libcurl, opened when the first exchange needs it: a process that sends nothing does not
   pay the milliseconds that loading it and what it depends on costs. */
#ifndef LUAWS_HTTP_LIBCURL_H
#define LUAWS_HTTP_LIBCURL_H

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "base/error.h"

/* The functions in use, named without their "curl_". */
#define LUAWS_CURL_FUNCTIONS(X) \
  X(global_init)                \
  X(easy_init)                  \
  X(easy_setopt)                \
  X(easy_getinfo)               \
  X(easy_pause)                 \
  X(easy_recv)                  \
  X(easy_send)                  \
  X(easy_cleanup)               \
  X(easy_strerror)              \
  X(multi_init)                 \
  X(multi_setopt)               \
  X(multi_add_handle)           \
  X(multi_remove_handle)        \
  X(multi_socket_action)        \
  X(multi_info_read)            \
  X(multi_cleanup)              \
  X(multi_strerror)

struct luaws_curl {
#define LUAWS_CURL_MEMBER(name) __typeof__(curl_##name) *name;
  LUAWS_CURL_FUNCTIONS(LUAWS_CURL_MEMBER)
#undef LUAWS_CURL_MEMBER
};

/* Opens libcurl once in a process, from any thread. NULL with LUAWS_E_CONFIG and what is
   missing when it cannot be had. */
const struct luaws_curl *luaws_curl(struct luaws_error *err);

#endif
