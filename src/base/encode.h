/* Bytes as text and back: base64, hexadecimal, percent- and form-encoding, UTF-8. */
#ifndef LUAWS_BASE_ENCODE_H
#define LUAWS_BASE_ENCODE_H

#include "base/bytes.h"

/* RFC 4648 section 4, with padding. */
void luaws_base64_encode(struct luaws_buf *out, struct luaws_str s);
/* White space between the characters is skipped; anything else that is not base64, or
   padding that is missing or not at the end, is false (out then holds a part). */
bool luaws_base64_decode(struct luaws_buf *out, struct luaws_str s);

/* Lower case. */
void luaws_hex_encode(struct luaws_buf *out, struct luaws_str s);

/* RFC 3986: letters, digits, "-._~" and the characters of `safe` pass (NULL: none
   further), all else becomes %XX in upper case. */
void luaws_percent_encode(struct luaws_buf *out, struct luaws_str s, const char *safe);
/* A "%" that two hex digits do not follow stays as it is. */
void luaws_percent_decode(struct luaws_buf *out, struct luaws_str s);
/* application/x-www-form-urlencoded: as percent_encode, but a space is "+". */
void luaws_form_encode(struct luaws_buf *out, struct luaws_str s);
void luaws_form_decode(struct luaws_buf *out, struct luaws_str s);

/* Where the first byte is that is no well-formed UTF-8 (shortest forms, no surrogates, at
   most U+10FFFF), or -1. */
ptrdiff_t luaws_utf8_find_bad(struct luaws_str s);
/* How many of the first bytes of s are one well-formed character; 0 when they are none.
 */
size_t luaws_utf8_step(struct luaws_str s);
/* The number of characters; each byte that is no UTF-8 counts as one. */
size_t luaws_utf8_count(struct luaws_str s);

#endif
