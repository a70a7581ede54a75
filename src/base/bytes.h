/* Text and bytes: a borrowed view (luaws_str) and a growing buffer (luaws_buf).
   Text travels as pointer and length; a closing zero byte is never relied on. */
#ifndef LUAWS_BASE_BYTES_H
#define LUAWS_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A view of bytes somebody else owns. ptr may be NULL when len is 0; a NULL ptr means
 * "none". */
struct luaws_str {
  const char *ptr;
  size_t len;
};

#define LUAWS_STR(literal) ((struct luaws_str){"" literal, sizeof(literal) - 1})
#define LUAWS_STR_NONE ((struct luaws_str){NULL, 0})
/* For printf's "%.*s". */
#define LUAWS_STR_ARG(s) (int)(s).len, (s).ptr ? (s).ptr : ""

static inline struct luaws_str luaws_str_from(const char *cstr) {
  return (struct luaws_str){cstr, cstr ? strlen(cstr) : 0};
}
static inline bool luaws_str_eq(struct luaws_str a, struct luaws_str b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
static inline bool luaws_str_is(struct luaws_str a, const char *cstr) {
  return luaws_str_eq(a, luaws_str_from(cstr));
}
/* ASCII case is ignored. */
bool luaws_str_eq_nocase(struct luaws_str a, struct luaws_str b);
bool luaws_str_starts(struct luaws_str s, struct luaws_str prefix);
bool luaws_str_ends(struct luaws_str s, struct luaws_str suffix);
/* By bytes, shorter first when one is a prefix of the other: <0, 0, >0. */
int luaws_str_cmp(struct luaws_str a, struct luaws_str b);
/* The place of the first c, or -1. */
ptrdiff_t luaws_str_find(struct luaws_str s, char c);
/* The place of the first needle, or -1. */
ptrdiff_t luaws_str_find_str(struct luaws_str s, struct luaws_str needle);
/* Bytes [from, from+len), cut to what is there. */
struct luaws_str luaws_str_sub(struct luaws_str s, size_t from, size_t len);
/* Without ASCII white space at both ends. */
struct luaws_str luaws_str_trim(struct luaws_str s);
/* Decimal digits with an optional sign and nothing else; false when not, or out of range.
 */
bool luaws_str_to_int64(struct luaws_str s, int64_t *out);
/* A JSON/C number, or NaN, Infinity, -Infinity; false when anything else is there. */
bool luaws_str_to_double(struct luaws_str s, double *out);

/* A growing buffer that remembers its own failure, so that ten appends need one check.
   Start from {0}. max_bytes 0 means no limit; past the limit, or without memory,
   it becomes `failed` and stays so, keeping what it had. ptr is always closed by a zero
   byte once anything was appended. */
struct luaws_buf {
  char *ptr;
  size_t len;
  size_t cap;
  size_t max_bytes;
  bool failed;
  bool wipes; /* holds secrets: whatever it leaves is overwritten, however large */
};

void luaws_buf_clear(struct luaws_buf *b); /* frees; b can be used again */
void luaws_buf_wipe(
    struct luaws_buf *b); /* as clear, overwriting the bytes first: secrets */
void luaws_buf_reset(struct luaws_buf *b); /* empties, keeps the memory */
bool luaws_buf_reserve(struct luaws_buf *b, size_t more);
void luaws_buf_append(struct luaws_buf *b, const void *ptr, size_t len);
void luaws_buf_append_str(struct luaws_buf *b, struct luaws_str s);
void luaws_buf_append_cstr(struct luaws_buf *b, const char *cstr);
void luaws_buf_append_char(struct luaws_buf *b, char c);
void luaws_buf_append_int(struct luaws_buf *b, int64_t n);
/* Shortest text that reads back as the same double ("1e+16" and "0.1" as C and JSON have
   them, "1.0" keeps no ".0"); NaN, Infinity, -Infinity by these names. */
void luaws_buf_append_double(struct luaws_buf *b, double n);
void luaws_buf_printf(struct luaws_buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Cuts to len bytes (len <= b->len). */
void luaws_buf_truncate(struct luaws_buf *b, size_t len);
static inline struct luaws_str luaws_buf_str(const struct luaws_buf *b) {
  return (struct luaws_str){b->ptr ? b->ptr : "", b->len};
}

/* What holds no more is wiped whether or not anybody knows of a secret in it: what a
   buffer grows out of, a body. Larger ones only where somebody knows. */
enum { LUAWS_MAX_WIPED_BYTES = 1 << 16 };
/* Overwrites memory in a way the compiler keeps. */
void luaws_wipe(void *ptr, size_t len);

#endif
