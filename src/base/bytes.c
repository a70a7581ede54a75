#include "base/bytes.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static inline char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool luaws_str_eq_nocase(struct luaws_str a, struct luaws_str b) {
  if (a.len != b.len) return false;
  for (size_t i = 0; i < a.len; i++) {
    if (lower(a.ptr[i]) != lower(b.ptr[i])) return false;
  }
  return true;
}

bool luaws_str_starts(struct luaws_str s, struct luaws_str prefix) {
  return s.len >= prefix.len &&
         (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

bool luaws_str_ends(struct luaws_str s, struct luaws_str suffix) {
  return s.len >= suffix.len && (suffix.len == 0 || memcmp(s.ptr + s.len - suffix.len,
                                                           suffix.ptr, suffix.len) == 0);
}

int luaws_str_cmp(struct luaws_str a, struct luaws_str b) {
  size_t n = a.len < b.len ? a.len : b.len;
  int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
  return c ? c : (a.len > b.len) - (a.len < b.len);
}

ptrdiff_t luaws_str_find(struct luaws_str s, char c) {
  const char *p = s.len ? memchr(s.ptr, c, s.len) : NULL;
  return p ? p - s.ptr : -1;
}

ptrdiff_t luaws_str_find_str(struct luaws_str s, struct luaws_str needle) {
  if (needle.len == 0) return 0;
  const char *p = s.len ? memmem(s.ptr, s.len, needle.ptr, needle.len) : NULL;
  return p ? p - s.ptr : -1;
}

struct luaws_str luaws_str_sub(struct luaws_str s, size_t from, size_t len) {
  if (from > s.len) from = s.len;
  if (len > s.len - from) len = s.len - from;
  return (struct luaws_str){s.ptr ? s.ptr + from : NULL, len};
}

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

struct luaws_str luaws_str_trim(struct luaws_str s) {
  while (s.len && is_space(s.ptr[0]))
    s.ptr++, s.len--;
  while (s.len && is_space(s.ptr[s.len - 1]))
    s.len--;
  return s;
}

bool luaws_str_to_int64(struct luaws_str s, int64_t *out) {
  bool negative = s.len && s.ptr[0] == '-';
  size_t i = s.len && (s.ptr[0] == '-' || s.ptr[0] == '+');
  if (i == s.len) return false;
  uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX, n = 0;
  for (; i < s.len; i++) {
    unsigned d = (unsigned char)s.ptr[i] - '0';
    if (d > 9 || n > (limit - d) / 10) return false;
    n = n * 10 + d;
  }
  *out = negative ? (int64_t)(0 - n) : (int64_t)n;
  return true;
}

/* What travels has a decimal point, whatever locale a host has set. (locale_t)0 without
   memory: then it is the host's. */
static locale_t plain_locale(void) {
  static _Atomic(locale_t) kept;
  locale_t plain = atomic_load(&kept);
  if (plain) return plain;
  locale_t made = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (!made || atomic_compare_exchange_strong(&kept, &plain, made)) return made;
  freelocale(made);
  return plain;
}

static double read_double(const char *text, char **end) {
  locale_t plain = plain_locale();
  return plain ? strtod_l(text, end, plain) : strtod(text, end);
}

bool luaws_str_to_double(struct luaws_str s, double *out) {
  if (luaws_str_is(s, "NaN")) return *out = NAN, true;
  if (luaws_str_is(s, "Infinity")) return *out = INFINITY, true;
  if (luaws_str_is(s, "-Infinity")) return *out = -INFINITY, true;
  if (s.len == 0) return false;
  for (size_t i = 0; i < s.len; i++) {
    if (!memchr("0123456789+-.eE", s.ptr[i], 15)) return false;
  }
  char local[64], *text = s.len < sizeof local ? local : malloc(s.len + 1), *end;
  if (!text) return false;
  memcpy(text, s.ptr, s.len);
  text[s.len] = 0;
  *out = read_double(text, &end);
  bool whole = end == text + s.len;
  if (text != local) free(text);
  return whole;
}

void luaws_wipe(void *ptr, size_t len) {
  if (ptr) explicit_bzero(ptr, len);
}

void luaws_buf_clear(struct luaws_buf *b) {
  if (b->wipes) luaws_wipe(b->ptr, b->cap);
  free(b->ptr);
  *b = (struct luaws_buf){.max_bytes = b->max_bytes, .wipes = b->wipes};
}

void luaws_buf_wipe(struct luaws_buf *b) {
  luaws_wipe(b->ptr, b->cap);
  luaws_buf_clear(b);
}

void luaws_buf_reset(struct luaws_buf *b) {
  b->len = 0;
  b->failed = false;
  if (b->ptr) b->ptr[0] = 0;
}

/* A block of cap bytes with what b has; NULL without memory. What a small buffer grows
   out of is wiped, as it may have held a secret; a large one is data, which realloc often
   need not copy. */
static char *grow(const struct luaws_buf *b, size_t cap) {
  if (b->cap > LUAWS_MAX_WIPED_BYTES && !b->wipes) return realloc(b->ptr, cap);
  char *p = realloc(NULL, cap);
  if (!p || !b->ptr) return p;
  memcpy(p, b->ptr, b->len + 1 < b->cap ? b->len + 1 : b->cap);
  luaws_wipe(b->ptr, b->cap);
  free(b->ptr);
  return p;
}

bool luaws_buf_reserve(struct luaws_buf *b, size_t more) {
  if (b->failed) return false;
  size_t need = b->len + more + 1;
  if (need <= b->len || (b->max_bytes && b->len + more > b->max_bytes)) {
    b->failed = true;
    return false;
  }
  if (need <= b->cap) return true;
  size_t cap = b->cap ? b->cap : 64;
  while (cap < need)
    cap = cap > SIZE_MAX / 2 ? need : cap * 2;
  char *p = grow(b, cap);
  if (!p) {
    b->failed = true;
    return false;
  }
  b->ptr = p;
  b->cap = cap;
  return true;
}

void luaws_buf_append(struct luaws_buf *b, const void *ptr, size_t len) {
  if (b->cap - b->len <= len && !luaws_buf_reserve(b, len)) return;
  if (b->failed) return;
  if (len) memcpy(b->ptr + b->len, ptr, len);
  b->len += len;
  b->ptr[b->len] = 0;
}

void luaws_buf_append_str(struct luaws_buf *b, struct luaws_str s) {
  luaws_buf_append(b, s.ptr, s.len);
}

void luaws_buf_append_cstr(struct luaws_buf *b, const char *cstr) {
  luaws_buf_append(b, cstr, strlen(cstr));
}

void luaws_buf_append_char(struct luaws_buf *b, char c) {
  luaws_buf_append(b, &c, 1);
}

void luaws_buf_append_int(struct luaws_buf *b, int64_t n) {
  char text[24], *p = text + sizeof text;
  uint64_t u = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
  do {
    *--p = (char)('0' + u % 10);
    u /= 10;
  } while (u);
  if (n < 0) *--p = '-';
  luaws_buf_append(b, p, (size_t)(text + sizeof text - p));
}

void luaws_buf_append_double(struct luaws_buf *b, double n) {
  if (isnan(n)) return luaws_buf_append_cstr(b, "NaN");
  if (isinf(n)) return luaws_buf_append_cstr(b, n > 0 ? "Infinity" : "-Infinity");
  char text[32];
  locale_t plain = plain_locale(), callers = plain ? uselocale(plain) : (locale_t)0;
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, n);
    if (read_double(text, NULL) == n) break;
  }
  if (callers) uselocale(callers);
  luaws_buf_append_cstr(b, text);
}

void luaws_buf_printf(struct luaws_buf *b, const char *fmt, ...) {
  char small[256];
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(small, sizeof small, fmt, args);
  va_end(args);
  if (n < 0) {
    b->failed = true;
  } else if ((size_t)n < sizeof small) {
    luaws_buf_append(b, small, (size_t)n);
  } else if (luaws_buf_reserve(b, (size_t)n)) {
    va_start(args, fmt);
    vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, args);
    va_end(args);
    b->len += (size_t)n;
  }
}

void luaws_buf_truncate(struct luaws_buf *b, size_t len) {
  b->len = len;
  if (b->ptr) b->ptr[len] = 0;
}
