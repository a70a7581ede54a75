#include "base/message.h"

#include "base/encode.h"
#include "base/uri.h"

#include <arpa/inet.h>

/* ---- headers ---- */

static bool grow(struct luaws_headers *h) {
  if (h->count < h->cap) return true;
  size_t cap = h->cap ? h->cap * 2 : 16;
  struct luaws_header *items = luaws_arena_alloc(h->arena, cap * sizeof *items);
  if (!items) return false;
  if (h->count) memcpy(items, h->items, h->count * sizeof *items);
  h->items = items;
  h->cap = cap;
  return true;
}

bool luaws_headers_add(struct luaws_headers *h, struct luaws_str name,
                       struct luaws_str value) {
  if (!grow(h)) return false;
  struct luaws_header item = {luaws_arena_str(h->arena, name),
                              luaws_arena_str(h->arena, value)};
  if (!item.name.ptr || !item.value.ptr) return false;
  h->items[h->count++] = item;
  return true;
}

bool luaws_headers_set(struct luaws_headers *h, struct luaws_str name,
                       struct luaws_str value) {
  for (size_t i = 0; i < h->count; i++) {
    if (!luaws_str_eq_nocase(h->items[i].name, name)) continue;
    struct luaws_header item = {luaws_arena_str(h->arena, name),
                                luaws_arena_str(h->arena, value)};
    if (!item.name.ptr || !item.value.ptr) return false;
    h->items[i] = item;
    size_t kept = i + 1;
    for (size_t j = i + 1; j < h->count; j++) {
      if (!luaws_str_eq_nocase(h->items[j].name, item.name))
        h->items[kept++] = h->items[j];
    }
    h->count = kept;
    return true;
  }
  return luaws_headers_add(h, name, value);
}

void luaws_headers_remove(struct luaws_headers *h, struct luaws_str name) {
  size_t kept = 0;
  for (size_t i = 0; i < h->count; i++) {
    if (!luaws_str_eq_nocase(h->items[i].name, name)) h->items[kept++] = h->items[i];
  }
  h->count = kept;
}

const struct luaws_str *luaws_headers_get(const struct luaws_headers *h,
                                          struct luaws_str name) {
  for (size_t i = 0; i < h->count; i++) {
    if (luaws_str_eq_nocase(h->items[i].name, name)) return &h->items[i].value;
  }
  return NULL;
}

/* ---- URLs ---- */

static int bad_url(struct luaws_error *err, struct luaws_str url, const char *why) {
  struct luaws_shown_url shown = luaws_url_shown(url);
  return luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError",
                         "Invalid endpoint: %.*s%s%.*s (%s)", LUAWS_URL_ARG(shown), why);
}

static bool is_host_char(unsigned char c) {
  return c > ' ' && c != 127 && !strchr("\"#%/<>?@\\^`{|}[]:", c);
}

/* What stands between the last ":" and the end must be a port, or nothing. Cuts it off.
 */
static bool check_port(struct luaws_str *host, struct luaws_str *port) {
  size_t from = 0;
  if (host->len && host->ptr[0] == '[') {
    ptrdiff_t close = luaws_str_find(*host, ']');
    if (close < 0) return false;
    from = (size_t)close + 1;
    if (from < host->len && host->ptr[from] != ':') return false;
  }
  struct luaws_str tail = luaws_str_sub(*host, from, host->len);
  ptrdiff_t colon = luaws_str_find(tail, ':');
  *port = LUAWS_STR("");
  if (colon < 0) return true;
  *port = luaws_str_sub(tail, (size_t)colon + 1, tail.len);
  host->len = from + (size_t)colon;
  int64_t number = 0;
  if (port->len == 0) return true;
  return port->ptr[0] >= '0' && port->ptr[0] <= '9' &&
         luaws_str_to_int64(*port, &number) && number <= 65535;
}

static bool check_host(struct luaws_str host) {
  if (host.len == 0) return false;
  if (host.ptr[0] == '[') {
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    size_t len = host.len - 1;
    if (len < 2 || host.ptr[len] != ']' || len > sizeof text) return false;
    memcpy(text, host.ptr + 1, len - 1);
    text[len - 1] = 0;
    return strlen(text) == len - 1 && inet_pton(AF_INET6, text, &address) == 1;
  }
  for (size_t i = 0; i < host.len; i++) {
    if (!is_host_char((unsigned char)host.ptr[i])) return false;
  }
  return true;
}

/* Paths and queries are taken as they are, but for bytes that no request line can hold.
 */
static bool set_encoded(struct luaws_arena *arena, struct luaws_str *out,
                        struct luaws_str s, bool slash) {
  struct luaws_buf b = {0};
  if (slash && (s.len == 0 || s.ptr[0] != '/')) luaws_buf_append_char(&b, '/');
  for (size_t i = 0; i < s.len; i++) {
    unsigned char c = (unsigned char)s.ptr[i];
    if (c <= ' ' || c >= 127) {
      luaws_percent_encode(&b, luaws_str_sub(s, i, 1), NULL);
    } else {
      luaws_buf_append_char(&b, (char)c);
    }
  }
  if (!b.failed) *out = luaws_arena_str(arena, luaws_buf_str(&b));
  bool ok = !b.failed && out->ptr;
  luaws_buf_clear(&b);
  return ok;
}

int luaws_request_set_url(struct luaws_request *r, struct luaws_str url,
                          struct luaws_error *err) {
  ptrdiff_t sep = luaws_str_find_str(url, LUAWS_STR("://"));
  if (sep < 0) return bad_url(err, url, "no http:// or https://");
  struct luaws_str scheme = luaws_str_sub(url, 0, (size_t)sep), port;
  struct luaws_str rest = luaws_str_sub(url, (size_t)sep + 3, url.len);
  bool secure = luaws_str_eq_nocase(scheme, LUAWS_STR("https"));
  if (!secure && !luaws_str_eq_nocase(scheme, LUAWS_STR("http"))) {
    return bad_url(err, url, "no http:// or https://");
  }
  ptrdiff_t hash = luaws_str_find(rest, '#');
  if (hash >= 0) rest.len = (size_t)hash;
  size_t end = 0;
  while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
    end++;
  struct luaws_str host = luaws_str_sub(rest, 0, end);
  struct luaws_str path = luaws_str_sub(rest, end, rest.len), query = LUAWS_STR("");
  if (luaws_str_find(host, '@') >= 0) {
    /* Not printed: it may be a password. */
    return luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError",
                           "Invalid endpoint: a URL with a user name or password");
  }
  if (!check_port(&host, &port)) return bad_url(err, url, "bad port");
  if (!check_host(host)) return bad_url(err, url, "bad host name");
  ptrdiff_t mark = luaws_str_find(path, '?');
  if (mark >= 0) {
    query = luaws_str_sub(path, (size_t)mark + 1, path.len);
    path.len = (size_t)mark;
  }
  if (port.len && !luaws_str_is(port, secure ? "443" : "80")) {
    host.len = (size_t)(port.ptr + port.len - host.ptr);
  }
  r->scheme = secure ? LUAWS_STR("https") : LUAWS_STR("http");
  r->host = luaws_arena_str(r->arena, host);
  if (!r->host.ptr || !set_encoded(r->arena, &r->path, path, true) ||
      !set_encoded(r->arena, &r->query, query, false)) {
    return luaws_error_memory(err);
  }
  return 0;
}

void luaws_request_url(const struct luaws_request *r, struct luaws_buf *out) {
  luaws_buf_append_str(out, r->scheme);
  luaws_buf_append_cstr(out, "://");
  luaws_buf_append_str(out, r->host);
  if (r->path.len == 0) luaws_buf_append_char(out, '/');
  luaws_buf_append_str(out, r->path);
  if (r->query.len) luaws_buf_append_char(out, '?');
  luaws_buf_append_str(out, r->query);
}
