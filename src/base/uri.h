/* Paths of URLs. */
#ifndef LUAWS_BASE_URI_H
#define LUAWS_BASE_URI_H

#include "base/bytes.h"

/* Appends path without dot segments (RFC 3986 section 5.2.4) and, which AWS wants as
   well, without empty ones: "/a//./b/../c/" becomes "/a/c/". Begins with "/" in any case.
 */
void luaws_path_normalize(struct luaws_buf *out, struct luaws_str path);

#endif
