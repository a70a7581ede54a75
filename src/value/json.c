/* The scanner is a state machine of what may come next plus one bit for each open list or
   map. Strings are searched eight bytes at a time; only one that holds a backslash is
   copied, to the scratch buffer. Numbers of up to 19 digits are read on the way, and
   where mantissa and power of ten are both exact as doubles their product or quotient is
   the correctly rounded value; the rest goes to the C library. */
#include "value/json.h"

#include "base/encode.h"

#include <math.h>

enum expectation {
  WANT_VALUE,
  WANT_VALUE_OR_END, /* right after "[" */
  WANT_KEY,
  WANT_KEY_OR_END, /* right after "{" */
  WANT_COMMA_OR_END,
  WANT_NOTHING, /* the top value is complete */
  WANT_NO_MORE, /* an error was reported */
};

static bool in_map(const struct luaws_json *j) {
  int level = j->depth - 1;
  return j->stack[level >> 3] >> (level & 7) & 1;
}

static enum luaws_json_token fail(struct luaws_json *j, size_t at, const char *message) {
  j->at = at;
  j->message = message;
  j->expect = WANT_NO_MORE;
  return LUAWS_JSON_ERROR;
}

void luaws_json_start(struct luaws_json *j, struct luaws_str input) {
  j->input = input;
  j->at = 0;
  if (luaws_str_starts(input, LUAWS_STR("\xEF\xBB\xBF"))) j->at = 3;
  j->text = LUAWS_STR_NONE;
  j->message = NULL;
  j->depth = 0;
  j->expect = WANT_VALUE;
}

void luaws_json_finish(struct luaws_json *j) {
  luaws_buf_wipe(&j->scratch);
}

/* ---- strings ---- */

#define EVERY_BYTE(c) (0x0101010101010101ull * (c))

/* The first byte of [p, end) that is a quote, a backslash or a control character. */
static const char *plain_run(const char *p, const char *end) {
  while (end - p >= 8) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    uint64_t quote = word ^ EVERY_BYTE('"'), slash = word ^ EVERY_BYTE('\\');
    uint64_t hit = ((word - EVERY_BYTE(0x20)) & ~word) |
                   ((quote - EVERY_BYTE(1)) & ~quote) |
                   ((slash - EVERY_BYTE(1)) & ~slash);
    hit &= EVERY_BYTE(0x80);
    if (hit) {
      /* Borrows only spoil bytes above the first hit: the lowest one is right. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
      return p + (__builtin_ctzll(hit) >> 3);
#else
      break;
#endif
    }
    p += 8;
  }
  while (p < end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\')
    p++;
  return p;
}

static int hex4(const char *p) {
  int n = 0;
  for (int i = 0; i < 4; i++) {
    char c = p[i];
    int d = c >= '0' && c <= '9'   ? c - '0'
            : c >= 'a' && c <= 'f' ? c - 'a' + 10
            : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                   : -1;
    if (d < 0) return -1;
    n = n << 4 | d;
  }
  return n;
}

static void append_utf8(struct luaws_buf *b, unsigned c) {
  char out[4];
  size_t n;
  if (c < 0x80) {
    out[0] = (char)c;
    n = 1;
  } else if (c < 0x800) {
    out[0] = (char)(0xC0 | c >> 6);
    out[1] = (char)(0x80 | (c & 0x3F));
    n = 2;
  } else if (c < 0x10000) {
    out[0] = (char)(0xE0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3F));
    out[2] = (char)(0x80 | (c & 0x3F));
    n = 3;
  } else {
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    n = 4;
  }
  luaws_buf_append(b, out, n);
}

/* p stands on the backslash. The end of the escape, or NULL when it is none. A surrogate
   without its other half becomes U+FFFD. */
static const char *unescape(struct luaws_buf *b, const char *p, const char *end) {
  if (end - p < 2) return NULL;
  char c = p[1];
  p += 2;
  switch (c) {
  case '"':
  case '\\':
  case '/':
    luaws_buf_append_char(b, c);
    return p;
  case 'b':
    luaws_buf_append_char(b, '\b');
    return p;
  case 'f':
    luaws_buf_append_char(b, '\f');
    return p;
  case 'n':
    luaws_buf_append_char(b, '\n');
    return p;
  case 'r':
    luaws_buf_append_char(b, '\r');
    return p;
  case 't':
    luaws_buf_append_char(b, '\t');
    return p;
  case 'u':
    break;
  default:
    return NULL;
  }
  int high = end - p >= 4 ? hex4(p) : -1;
  if (high < 0) return NULL;
  p += 4;
  unsigned code = (unsigned)high;
  if (high >= 0xD800 && high < 0xE000) {
    int low =
        high < 0xDC00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2) : 0;
    code = 0xFFFD;
    if (low >= 0xDC00 && low < 0xE000) {
      code = 0x10000 + (((unsigned)high - 0xD800) << 10) + ((unsigned)low - 0xDC00);
      p += 6;
    }
  }
  append_utf8(b, code);
  return p;
}

/* j->at stands on the opening quote; afterwards behind the closing one. */
static bool scan_string(struct luaws_json *j) {
  const char *begin = j->input.ptr, *end = begin + j->input.len;
  const char *start = begin + j->at + 1, *p = plain_run(start, end);
  if (p < end && *p == '"') {
    j->text = (struct luaws_str){start, (size_t)(p - start)};
    j->at = (size_t)(p + 1 - begin);
    return true;
  }
  luaws_buf_reset(&j->scratch);
  while (p < end) {
    luaws_buf_append(&j->scratch, start, (size_t)(p - start));
    if (*p == '"') {
      if (j->scratch.failed) return fail(j, j->at, "out of memory"), false;
      j->text = luaws_buf_str(&j->scratch);
      j->at = (size_t)(p + 1 - begin);
      return true;
    }
    if (*p != '\\') {
      return fail(j, (size_t)(p - begin), "a control character in a string"), false;
    }
    start = unescape(&j->scratch, p, end);
    if (!start) return fail(j, (size_t)(p - begin), "a wrong escape in a string"), false;
    p = plain_run(start, end);
  }
  return fail(j, j->at, "a string without an end"), false;
}

/* ---- numbers ---- */

static const double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static bool is_digit(const char *p, const char *end) {
  return p < end && (unsigned)(*p - '0') < 10;
}

static enum luaws_json_token number_token(struct luaws_json *j, const char *end,
                                          bool ok) {
  const char *start = j->input.ptr + j->at;
  if (!ok) return fail(j, (size_t)(end - j->input.ptr), "a digit is missing in a number");
  j->text = (struct luaws_str){start, (size_t)(end - start)};
  j->at = (size_t)(end - j->input.ptr);
  return LUAWS_JSON_NUMBER;
}

static enum luaws_json_token scan_number(struct luaws_json *j) {
  const char *p = j->input.ptr + j->at, *end = j->input.ptr + j->input.len;
  bool negative = *p == '-';
  if (negative) p++;
  if (negative && (size_t)(end - p) >= 8 && memcmp(p, "Infinity", 8) == 0) {
    j->number = -INFINITY;
    return number_token(j, p + 8, true);
  }
  if (!is_digit(p, end)) return number_token(j, p, false);

  uint64_t mantissa = 0;
  int digits = 0, exponent = 0;
  const char *first = p;
  if (*p == '0') {
    p++;
  } else {
    while (is_digit(p, end))
      mantissa = mantissa * 10 + (uint64_t)(*p++ - '0');
    digits = p - first > 100 ? 100 : (int)(p - first);
  }
  bool integer = true;
  if (p < end && *p == '.') {
    const char *fraction = ++p;
    integer = false;
    while (is_digit(p, end)) {
      mantissa = mantissa * 10 + (uint64_t)(*p++ - '0');
      /* Of 20 digits and more the mantissa may have wrapped to 0. */
      if ((digits || mantissa) && digits < 100) digits++;
    }
    if (p == fraction) return number_token(j, p, false);
    exponent = p - fraction > 1000 ? -1000 : (int)(fraction - p);
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    integer = false;
    p++;
    bool down = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (!is_digit(p, end)) return number_token(j, p, false);
    int power = 0;
    while (is_digit(p, end)) {
      if (power < 100000) power = power * 10 + (*p - '0');
      p++;
    }
    exponent += down ? -power : power;
  }

  if (integer && digits <= 19) {
    /* 19 digits cannot wrap 64 bits; the sign gives one more value. */
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    if (mantissa <= limit) {
      j->integer = (int64_t)(negative ? 0 - mantissa : mantissa);
      number_token(j, p, true);
      return LUAWS_JSON_INTEGER;
    }
  }
  if (digits <= 19 && mantissa <= 1ull << 53 && exponent >= -22 && exponent <= 22) {
    double n = (double)mantissa;
    n = exponent < 0 ? n / exact_powers[-exponent] : n * exact_powers[exponent];
    j->number = negative ? -n : n;
    return number_token(j, p, true);
  }
  enum luaws_json_token token = number_token(j, p, true);
  if (!luaws_str_to_double(j->text, &j->number)) {
    return fail(j, (size_t)(first - j->input.ptr), "out of memory");
  }
  return token;
}

/* ---- tokens ---- */

static bool literal(struct luaws_json *j, const char *word, size_t len) {
  if (j->input.len - j->at < len || memcmp(j->input.ptr + j->at, word, len) != 0) {
    return false;
  }
  j->text = (struct luaws_str){j->input.ptr + j->at, len};
  j->at += len;
  return true;
}

static void skip_space(struct luaws_json *j) {
  const char *p = j->input.ptr;
  size_t at = j->at, len = j->input.len;
  while (at < len && (p[at] == ' ' || p[at] == '\n' || p[at] == '\r' || p[at] == '\t'))
    at++;
  j->at = at;
}

static void value_is_complete(struct luaws_json *j) {
  j->expect = j->depth ? WANT_COMMA_OR_END : WANT_NOTHING;
}

static enum luaws_json_token open_level(struct luaws_json *j, bool map) {
  if (j->depth == LUAWS_JSON_MAX_DEPTH) return fail(j, j->at, "too many levels");
  uint8_t bit = (uint8_t)(1u << (j->depth & 7)), *bits = &j->stack[j->depth >> 3];
  *bits = (uint8_t)(map ? *bits | bit : *bits & ~bit);
  j->depth++;
  j->at++;
  j->expect = map ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
  return map ? LUAWS_JSON_BEGIN_MAP : LUAWS_JSON_BEGIN_LIST;
}

static enum luaws_json_token close_level(struct luaws_json *j, bool map) {
  j->depth--;
  j->at++;
  value_is_complete(j);
  return map ? LUAWS_JSON_END_MAP : LUAWS_JSON_END_LIST;
}

static enum luaws_json_token scan_value(struct luaws_json *j) {
  enum luaws_json_token token;
  switch (j->input.ptr[j->at]) {
  case '{':
    return open_level(j, true);
  case '[':
    return open_level(j, false);
  case '"':
    if (!scan_string(j)) return LUAWS_JSON_ERROR;
    token = LUAWS_JSON_STRING;
    break;
  case 't':
    if (!literal(j, "true", 4)) return fail(j, j->at, "a value is missing");
    token = LUAWS_JSON_TRUE;
    break;
  case 'f':
    if (!literal(j, "false", 5)) return fail(j, j->at, "a value is missing");
    token = LUAWS_JSON_FALSE;
    break;
  case 'n':
    if (!literal(j, "null", 4)) return fail(j, j->at, "a value is missing");
    token = LUAWS_JSON_NULL;
    break;
  case 'N':
    if (!literal(j, "NaN", 3)) return fail(j, j->at, "a value is missing");
    j->number = NAN;
    token = LUAWS_JSON_NUMBER;
    break;
  case 'I':
    if (!literal(j, "Infinity", 8)) return fail(j, j->at, "a value is missing");
    j->number = INFINITY;
    token = LUAWS_JSON_NUMBER;
    break;
  case '-':
  case '0':
  case '1':
  case '2':
  case '3':
  case '4':
  case '5':
  case '6':
  case '7':
  case '8':
  case '9':
    token = scan_number(j);
    if (token == LUAWS_JSON_ERROR) return token;
    break;
  default:
    return fail(j, j->at, "a value is missing");
  }
  value_is_complete(j);
  return token;
}

static enum luaws_json_token scan_key(struct luaws_json *j) {
  if (!scan_string(j)) return LUAWS_JSON_ERROR;
  skip_space(j);
  if (j->at == j->input.len || j->input.ptr[j->at] != ':') {
    return fail(j, j->at, "a ':' is missing");
  }
  j->at++;
  j->expect = WANT_VALUE;
  return LUAWS_JSON_KEY;
}

enum luaws_json_token luaws_json_next(struct luaws_json *j) {
  if (j->expect == WANT_NO_MORE) return LUAWS_JSON_ERROR;
  skip_space(j);
  if (j->at == j->input.len) {
    if (j->expect == WANT_NOTHING) return LUAWS_JSON_END;
    return fail(j, j->at, "the text ends too early");
  }
  char c = j->input.ptr[j->at];
  if (j->expect == WANT_COMMA_OR_END) {
    bool map = in_map(j);
    if (c == (map ? '}' : ']')) return close_level(j, map);
    if (c != ',') return fail(j, j->at, "a ',' is missing");
    j->at++;
    skip_space(j);
    if (j->at == j->input.len) return fail(j, j->at, "the text ends too early");
    c = j->input.ptr[j->at];
    j->expect = map ? WANT_KEY : WANT_VALUE;
  }
  switch (j->expect) {
  case WANT_VALUE_OR_END:
    if (c == ']') return close_level(j, false);
    return scan_value(j);
  case WANT_VALUE:
    return scan_value(j);
  case WANT_KEY_OR_END:
    if (c == '}') return close_level(j, true);
    break;
  case WANT_KEY:
    break;
  default:
    return fail(j, j->at, "something follows the value");
  }
  if (c != '"') return fail(j, j->at, "a name in quotes is missing");
  return scan_key(j);
}

bool luaws_json_skip(struct luaws_json *j, enum luaws_json_token just_read) {
  if (just_read == LUAWS_JSON_KEY) just_read = luaws_json_next(j);
  if (just_read == LUAWS_JSON_ERROR) return false;
  if (just_read != LUAWS_JSON_BEGIN_LIST && just_read != LUAWS_JSON_BEGIN_MAP) {
    return true;
  }
  int outside = j->depth - 1;
  while (j->depth > outside) {
    if (luaws_json_next(j) == LUAWS_JSON_ERROR) return false;
  }
  return true;
}

/* ---- writing ---- */

static void quote_ascii(struct luaws_buf *out, unsigned char c) {
  static const char letters[] = "btn\0fr"; /* from 0x08 on */
  luaws_buf_append_char(out, '\\');
  if (c == '"' || c == '\\') {
    luaws_buf_append_char(out, (char)c);
  } else if (c >= 8 && c <= 13 && letters[c - 8]) {
    luaws_buf_append_char(out, letters[c - 8]);
  } else {
    luaws_buf_printf(out, "u%04x", c);
  }
}

void luaws_json_quote(struct luaws_buf *out, struct luaws_str s) {
  luaws_buf_append_char(out, '"');
  size_t from = 0, i = 0;
  while (i < s.len) {
    unsigned char c = (unsigned char)s.ptr[i];
    size_t len = 1;
    bool plain = c >= 0x20 && c != '"' && c != '\\';
    if (c >= 0x80) {
      len = luaws_utf8_step(luaws_str_sub(s, i, s.len));
      plain = len > 0;
    }
    if (!plain) {
      luaws_buf_append(out, s.ptr + from, i - from);
      if (c >= 0x80) {
        luaws_buf_append_cstr(out, "\xEF\xBF\xBD");
      } else {
        quote_ascii(out, c);
      }
      len = 1;
      from = i + 1;
    }
    i += len;
  }
  if (s.len) luaws_buf_append(out, s.ptr + from, s.len - from);
  luaws_buf_append_char(out, '"');
}
