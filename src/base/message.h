/* An HTTP request and an HTTP response as data. Whoever builds one owns the arena that
   its text lives in; nobody in here opens a socket. */
#ifndef LUAWS_BASE_MESSAGE_H
#define LUAWS_BASE_MESSAGE_H

#include "base/arena.h"
#include "base/stream.h"

struct luaws_header {
  struct luaws_str name; /* as it is to be sent */
  struct luaws_str value;
};

/* Headers in the order they were added; names compare without case. Start from {.arena =
 * a}. */
struct luaws_headers {
  struct luaws_arena *arena;
  struct luaws_header *items;
  size_t count;
  size_t cap;
};

/* All of these copy name and value into the arena; false without memory. */
bool luaws_headers_add(struct luaws_headers *h, struct luaws_str name,
                       struct luaws_str value);
/* Replaces the first of that name and removes further ones; adds when there is none. */
bool luaws_headers_set(struct luaws_headers *h, struct luaws_str name,
                       struct luaws_str value);
void luaws_headers_remove(struct luaws_headers *h, struct luaws_str name);
/* The first value, or NULL. */
const struct luaws_str *luaws_headers_get(const struct luaws_headers *h,
                                          struct luaws_str name);

struct luaws_request {
  struct luaws_arena *arena;
  struct luaws_str method; /* upper case */
  struct luaws_str scheme; /* "https" or "http" */
  struct luaws_str
      host; /* as in the Host header: with a port when it is not the scheme's own */
  struct luaws_str path;  /* percent-encoded as it is sent, begins with "/" */
  struct luaws_str query; /* percent-encoded as it is sent, without "?"; may be empty */
  struct luaws_headers headers;
  struct luaws_stream body;
};

/* Splits an absolute http(s) URL into the parts above (a fragment is dropped, userinfo
   refused). LUAWS_E_ARGUMENT with kind "ValueError" naming the URL when it is none. */
int luaws_request_set_url(struct luaws_request *r, struct luaws_str url,
                          struct luaws_error *err);
/* scheme://host/path?query */
void luaws_request_url(const struct luaws_request *r, struct luaws_buf *out);

struct luaws_response {
  int status;
  struct luaws_headers headers; /* names in lower case */
  struct luaws_str body;        /* whole; empty while it is being streamed */
};

#endif
