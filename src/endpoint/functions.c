#include "endpoint/functions.h"

#include "base/encode.h"
#include "base/uri.h"

#include <arpa/inet.h>
#include <stdio.h>

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_alnum(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* ---- names of hosts and buckets ---- */

static bool is_label(struct luaws_str s) {
  if (s.len < 1 || s.len > 63 || s.ptr[0] == '-' || s.ptr[s.len - 1] == '-') return false;
  for (size_t i = 0; i < s.len; i++) {
    if (!is_alnum(s.ptr[i]) && s.ptr[i] != '-') return false;
  }
  return true;
}

bool luaws_is_host_label(struct luaws_str s, bool subdomains) {
  if (!subdomains) return is_label(s);
  for (;;) {
    ptrdiff_t dot = luaws_str_find(s, '.');
    if (dot < 0) return is_label(s);
    if (!is_label(luaws_str_sub(s, 0, (size_t)dot))) return false;
    s = luaws_str_sub(s, (size_t)dot + 1, s.len);
  }
}

/* Four numbers of at most three digits; 999.999.999.999 is one, too. */
bool luaws_is_ipv4(struct luaws_str s) {
  size_t i = 0;
  for (int part = 0; part < 4; part++) {
    size_t from = i;
    while (i < s.len && is_digit(s.ptr[i]))
      i++;
    if (i == from || i - from > 3) return false;
    if (part < 3 && (i == s.len || s.ptr[i++] != '.')) return false;
  }
  return i == s.len;
}

bool luaws_is_virtual_hostable_bucket(struct luaws_str s, bool subdomains) {
  if (s.len < 3 || luaws_is_ipv4(s)) return false;
  for (size_t i = 0; i < s.len; i++) {
    if (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z') return false;
  }
  return luaws_is_host_label(s, subdomains);
}

/* ---- ARNs ---- */

bool luaws_arn_parse(struct luaws_str s, struct luaws_arn *out) {
  struct luaws_str parts[6];
  for (int i = 0; i < 5; i++) {
    ptrdiff_t colon = luaws_str_find(s, ':');
    if (colon < 0) return false;
    parts[i] = luaws_str_sub(s, 0, (size_t)colon);
    s = luaws_str_sub(s, (size_t)colon + 1, s.len);
  }
  parts[5] = s;
  if (!luaws_str_is(parts[0], "arn") || !parts[1].len || !parts[2].len || !parts[5].len)
    return false;
  *out = (struct luaws_arn){parts[1], parts[2], parts[3], parts[4], parts[5]};
  return true;
}

/* ---- URLs ---- */

/* Takes the scheme and "://" off. */
static bool take_scheme(struct luaws_str *s, struct luaws_str *scheme) {
  static const struct luaws_str schemes[] = {LUAWS_STR("https"), LUAWS_STR("http")};
  for (size_t i = 0; i < 2; i++) {
    struct luaws_str start = luaws_str_sub(*s, 0, schemes[i].len);
    struct luaws_str rest = luaws_str_sub(*s, schemes[i].len, s->len);
    if (luaws_str_eq_nocase(start, schemes[i]) &&
        luaws_str_starts(rest, LUAWS_STR("://"))) {
      *scheme = schemes[i];
      *s = luaws_str_sub(rest, 3, rest.len);
      return true;
    }
  }
  return false;
}

static bool is_ipv6(struct luaws_str s) {
  char text[INET6_ADDRSTRLEN];
  unsigned char address[16];
  ptrdiff_t zone = luaws_str_find(s, '%');
  if (zone >= 0) s.len = (size_t)zone;
  if (s.len >= sizeof text) return false;
  snprintf(text, sizeof text, "%.*s", LUAWS_STR_ARG(s));
  return inet_pton(AF_INET6, text, address) == 1;
}

static bool is_port(struct luaws_str s) {
  int port = 0;
  for (size_t i = 0; i < s.len; i++) {
    if (!is_digit(s.ptr[i])) return false;
    port = port * 10 + (s.ptr[i] - '0');
    if (port > 65535) return false;
  }
  return true;
}

/* Looks into [userinfo@]host[:port]; false when it is none. */
static bool check_authority(struct luaws_str s, bool *is_ip) {
  for (ptrdiff_t at; (at = luaws_str_find(s, '@')) >= 0;)
    s = luaws_str_sub(s, (size_t)at + 1, s.len);
  bool bracket = s.len && s.ptr[0] == '[';
  ptrdiff_t end = luaws_str_find(s, bracket ? ']' : ':');
  if (bracket && end < 0) return false;
  size_t from = bracket ? 1 : 0;
  struct luaws_str host = end < 0 ? s : luaws_str_sub(s, from, (size_t)end - from);
  struct luaws_str port =
      end < 0 ? LUAWS_STR("") : luaws_str_sub(s, (size_t)end + (bracket ? 1 : 0), s.len);
  if (port.len && port.ptr[0] != ':') return false;
  *is_ip = bracket ? is_ipv6(host) : luaws_is_ipv4(host);
  if (!host.len || (bracket && !*is_ip)) return false;
  return is_port(luaws_str_sub(port, 1, port.len));
}

static struct luaws_str normalize(struct luaws_arena *arena, struct luaws_str path) {
  struct luaws_buf plain = {0};
  struct luaws_buf encoded = {0};
  luaws_path_normalize(&plain, path);
  luaws_percent_encode(&encoded, luaws_buf_str(&plain), "/");
  if (encoded.len && encoded.ptr[encoded.len - 1] != '/')
    luaws_buf_append_char(&encoded, '/');
  struct luaws_str made = plain.failed || encoded.failed
                              ? LUAWS_STR_NONE
                              : luaws_arena_str(arena, luaws_buf_str(&encoded));
  luaws_buf_clear(&plain);
  luaws_buf_clear(&encoded);
  return made;
}

bool luaws_url_parse(struct luaws_arena *arena, struct luaws_str s, struct luaws_url *out,
                     bool *failed) {
  *out = (struct luaws_url){0};
  for (size_t i = 0; i < s.len; i++) {
    if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == 127) return false;
  }
  if (!take_scheme(&s, &out->scheme)) return false;
  ptrdiff_t fragment = luaws_str_find(s, '#');
  if (fragment >= 0) s.len = (size_t)fragment;
  ptrdiff_t query = luaws_str_find(s, '?');
  if (query >= 0 && (size_t)query + 1 < s.len) return false;
  if (query >= 0) s.len = (size_t)query;

  ptrdiff_t slash = luaws_str_find(s, '/');
  out->authority = slash < 0 ? s : luaws_str_sub(s, 0, (size_t)slash);
  out->path = slash < 0 ? LUAWS_STR("") : luaws_str_sub(s, (size_t)slash, s.len);
  if (!check_authority(out->authority, &out->is_ip)) return false;

  out->normalized_path =
      out->path.len <= 1 ? LUAWS_STR("/") : normalize(arena, out->path);
  if (!out->normalized_path.ptr) *failed = true;
  return !*failed;
}
