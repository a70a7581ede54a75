/* Parts of URLs. */
#ifndef LUAWS_BASE_URI_H
#define LUAWS_BASE_URI_H

#include "base/bytes.h"

/* A URL, or what was given for one, as messages may show it: its user name and password
   are a mask. For "%.*s%s%.*s". */
struct luaws_shown_url {
  struct luaws_str scheme;
  const char *mask; /* "***@", or nothing */
  struct luaws_str rest;
};
struct luaws_shown_url luaws_url_shown(struct luaws_str url);
#define LUAWS_URL_ARG(u) LUAWS_STR_ARG((u).scheme), (u).mask, LUAWS_STR_ARG((u).rest)

/* Appends path without dot segments (RFC 3986 section 5.2.4) and, which AWS wants as
   well, without empty ones: "/a//./b/../c/" becomes "/a/c/". Begins with "/" in any case.
 */
void luaws_path_normalize(struct luaws_buf *out, struct luaws_str path);

#endif
