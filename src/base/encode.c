#include "base/encode.h"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void luaws_base64_encode(struct luaws_buf *out, struct luaws_str s) {
  size_t size = (s.len + 2) / 3 * 4;
  if (!luaws_buf_reserve(out, size)) return;
  const unsigned char *p = (const unsigned char *)s.ptr;
  char *q = out->ptr + out->len;
  size_t left = s.len;
  for (; left >= 3; left -= 3, p += 3, q += 4) {
    unsigned n = (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];
    q[0] = base64_digits[n >> 18];
    q[1] = base64_digits[n >> 12 & 63];
    q[2] = base64_digits[n >> 6 & 63];
    q[3] = base64_digits[n & 63];
  }
  if (left) {
    unsigned n = (unsigned)p[0] << 16 | (left == 2 ? (unsigned)p[1] << 8 : 0);
    q[0] = base64_digits[n >> 18];
    q[1] = base64_digits[n >> 12 & 63];
    q[2] = left == 2 ? base64_digits[n >> 6 & 63] : '=';
    q[3] = '=';
    q += 4;
  }
  out->len += size;
  out->ptr[out->len] = 0;
}

enum { NOT_A_DIGIT = 64, PADDING = 65, SPACE = 66 };

static unsigned base64_value(unsigned char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26u;
  if (c >= '0' && c <= '9') return c - '0' + 52u;
  if (c == '+') return 62;
  if (c == '/') return 63;
  if (c == '=') return PADDING;
  if (c == ' ' || (c >= '\t' && c <= '\r')) return SPACE;
  return NOT_A_DIGIT;
}

bool luaws_base64_decode(struct luaws_buf *out, struct luaws_str s) {
  if (!luaws_buf_reserve(out, s.len / 4 * 3 + 3)) return false;
  unsigned bits = 0, digits = 0, padding = 0;
  char *q = out->ptr + out->len;
  for (size_t i = 0; i < s.len; i++) {
    unsigned v = base64_value((unsigned char)s.ptr[i]);
    if (v < 64 && padding == 0) {
      bits = bits << 6 | v;
      if (++digits == 4) {
        *q++ = (char)(bits >> 16);
        *q++ = (char)(bits >> 8);
        *q++ = (char)bits;
        digits = bits = 0;
      }
    } else if (v == PADDING) {
      padding++;
    } else if (v != SPACE) {
      return false;
    }
  }
  if (digits == 2) *q++ = (char)(bits >> 4);
  if (digits == 3) {
    *q++ = (char)(bits >> 10);
    *q++ = (char)(bits >> 2);
  }
  out->len = (size_t)(q - out->ptr);
  *q = 0;
  if (digits == 1) return false;
  unsigned wanted = digits ? 4 - digits : 0;
  return padding == wanted;
}

void luaws_hex_encode(struct luaws_buf *out, struct luaws_str s) {
  if (!luaws_buf_reserve(out, s.len * 2)) return;
  char *q = out->ptr + out->len;
  for (size_t i = 0; i < s.len; i++) {
    unsigned char c = (unsigned char)s.ptr[i];
    *q++ = "0123456789abcdef"[c >> 4];
    *q++ = "0123456789abcdef"[c & 15];
  }
  *q = 0;
  out->len += s.len * 2;
}

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static bool is_unreserved(unsigned char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         c == '-' || c == '.' || c == '_' || c == '~';
}

static void encode_percent(struct luaws_buf *out, struct luaws_str s, const char *safe,
                           bool form) {
  if (s.len == 0) return;
  size_t from = 0; /* bytes that pass are copied in runs */
  for (size_t i = 0; i < s.len; i++) {
    unsigned char c = (unsigned char)s.ptr[i];
    if (is_unreserved(c) || (safe && c && strchr(safe, c))) continue;
    luaws_buf_append(out, s.ptr + from, i - from);
    from = i + 1;
    if (form && c == ' ') {
      luaws_buf_append_char(out, '+');
    } else {
      char code[3] = {'%', "0123456789ABCDEF"[c >> 4], "0123456789ABCDEF"[c & 15]};
      luaws_buf_append(out, code, sizeof code);
    }
  }
  luaws_buf_append(out, s.ptr + from, s.len - from);
}

void luaws_percent_encode(struct luaws_buf *out, struct luaws_str s, const char *safe) {
  encode_percent(out, s, safe, false);
}

void luaws_form_encode(struct luaws_buf *out, struct luaws_str s) {
  encode_percent(out, s, NULL, true);
}

static void decode_percent(struct luaws_buf *out, struct luaws_str s, bool form) {
  for (size_t i = 0; i < s.len; i++) {
    char c = s.ptr[i];
    if (c == '%' && s.len - i > 2) {
      int high = hex_value(s.ptr[i + 1]), low = hex_value(s.ptr[i + 2]);
      if (high >= 0 && low >= 0) {
        c = (char)(high << 4 | low);
        i += 2;
      }
    } else if (form && c == '+') {
      c = ' ';
    }
    luaws_buf_append_char(out, c);
  }
}

void luaws_percent_decode(struct luaws_buf *out, struct luaws_str s) {
  decode_percent(out, s, false);
}

void luaws_form_decode(struct luaws_buf *out, struct luaws_str s) {
  decode_percent(out, s, true);
}

size_t luaws_utf8_step(struct luaws_str s) {
  if (s.len == 0) return 0;
  const unsigned char *p = (const unsigned char *)s.ptr;
  unsigned c = p[0];
  if (c < 0x80) return 1;
  size_t n = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
  if (c < 0xC2 || c > 0xF4 || s.len < n) return 0;
  /* The second byte's range is narrower after some first bytes (Unicode, table 3-7). */
  unsigned low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
  unsigned high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
  if (p[1] < low || p[1] > high) return 0;
  for (size_t i = 2; i < n; i++) {
    if (p[i] < 0x80 || p[i] > 0xBF) return 0;
  }
  return n;
}

/* How many bytes in front are ASCII, give or take: whole words of them. */
static size_t ascii_words(const char *p, size_t len) {
  size_t i = 0;
  for (uint64_t word; i + sizeof word <= len; i += sizeof word) {
    memcpy(&word, p + i, sizeof word);
    if (word & 0x8080808080808080u) break;
  }
  return i;
}

ptrdiff_t luaws_utf8_find_bad(struct luaws_str s) {
  size_t at = 0;
  while (at < s.len) {
    at += ascii_words(s.ptr + at, s.len - at);
    if (at == s.len) break;
    size_t n = luaws_utf8_step(luaws_str_sub(s, at, s.len));
    if (n == 0) return (ptrdiff_t)at;
    at += n;
  }
  return -1;
}

size_t luaws_utf8_count(struct luaws_str s) {
  size_t count = 0;
  while (s.len) {
    size_t n = luaws_utf8_step(s);
    if (n == 0) n = 1;
    s.ptr += n;
    s.len -= n;
    count++;
  }
  return count;
}
