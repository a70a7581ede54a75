#include "http/proxy.h"

static bool has_suffix_nocase(struct luaws_str s, struct luaws_str suffix) {
  return s.len >= suffix.len &&
         luaws_str_eq_nocase(luaws_str_sub(s, s.len - suffix.len, suffix.len), suffix);
}

/* Takes every NAME_proxy in either case; then those whose "_proxy" is in lower case once
   more, because they win, and an empty one of them unsets. HTTP_PROXY is not believed
   where REQUEST_METHOD says that this is a CGI program: there a client can set it. */
static struct luaws_str read_variable(char *const *environment, struct luaws_str name) {
  const struct luaws_str cgi = LUAWS_STR("REQUEST_METHOD="),
                         suffix = LUAWS_STR("_proxy=");
  struct luaws_str any = LUAWS_STR_NONE, lower = LUAWS_STR_NONE;
  bool is_cgi = false, has_lower = false;
  for (; environment && *environment; environment++) {
    struct luaws_str entry = luaws_str_from(*environment);
    if (luaws_str_starts(entry, cgi)) is_cgi = true;
    struct luaws_str key = luaws_str_sub(entry, 0, name.len + suffix.len);
    if (!luaws_str_eq_nocase(luaws_str_sub(key, 0, name.len), name) ||
        !luaws_str_eq_nocase(luaws_str_sub(key, name.len, suffix.len), suffix))
      continue;
    struct luaws_str value = luaws_str_sub(entry, key.len, entry.len);
    if (value.len) any = value;
    if (luaws_str_ends(key, suffix)) {
      has_lower = true;
      lower = value;
    }
  }
  if (has_lower) return lower.len ? lower : LUAWS_STR_NONE;
  return is_cgi && luaws_str_is(name, "http") ? LUAWS_STR_NONE : any;
}

static int hex(char c) {
  return c >= '0' && c <= '9'                 ? c - '0'
         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                              : -1;
}

static struct luaws_str unquote(struct luaws_arena *a, struct luaws_str s) {
  char *p = luaws_arena_alloc(a, s.len + 1);
  if (!p) return LUAWS_STR_NONE;
  size_t n = 0;
  for (size_t i = 0; i < s.len; i++) {
    bool escape = s.ptr[i] == '%' && i + 2 < s.len && hex(s.ptr[i + 1]) >= 0 &&
                  hex(s.ptr[i + 2]) >= 0;
    p[n++] = escape ? (char)(hex(s.ptr[i + 1]) * 16 + hex(s.ptr[i + 2])) : s.ptr[i];
    if (escape) i += 2;
  }
  return (struct luaws_str){p, n};
}

static struct luaws_str join(struct luaws_arena *a, struct luaws_str x,
                             struct luaws_str y, struct luaws_str z) {
  char *p = luaws_arena_alloc(a, x.len + y.len + z.len + 1);
  if (!p) return LUAWS_STR_NONE;
  memcpy(p, x.ptr, x.len);
  if (y.len) memcpy(p + x.len, y.ptr, y.len);
  if (z.len) memcpy(p + x.len + y.len, z.ptr, z.len);
  return (struct luaws_str){p, x.len + y.len + z.len};
}

/* host without ":digits". */
static struct luaws_str without_port(struct luaws_str host) {
  size_t n = host.len;
  while (n > 0 && host.ptr[n - 1] >= '0' && host.ptr[n - 1] <= '9')
    n--;
  bool has_port = n > 0 && n < host.len && host.ptr[n - 1] == ':';
  return has_port ? luaws_str_sub(host, 0, n - 1) : host;
}

static bool parse(struct luaws_arena *a, struct luaws_str given,
                  struct luaws_proxy *out) {
  if (given.len == 0) return true;
  struct luaws_str scheme = LUAWS_STR("http://"), rest = given;
  if (luaws_str_starts(given, LUAWS_STR("http:"))) {
    rest = luaws_str_sub(given, 5, given.len);
  } else if (luaws_str_starts(given, LUAWS_STR("https:"))) {
    scheme = LUAWS_STR("https://");
    rest = luaws_str_sub(given, 6, given.len);
  }
  if (luaws_str_starts(rest, LUAWS_STR("//"))) rest = luaws_str_sub(rest, 2, rest.len);

  /* The authority ends at the first of "/?#"; its userinfo at the last "@". */
  size_t end = 0;
  while (end < rest.len && !memchr("/?#", rest.ptr[end], 3))
    end++;
  size_t at = end;
  while (at > 0 && rest.ptr[at - 1] != '@')
    at--;
  struct luaws_str user = luaws_str_sub(rest, 0, at ? at - 1 : 0), mask = LUAWS_STR_NONE;
  struct luaws_str host = luaws_str_sub(rest, at, rest.len);
  if (at) {
    ptrdiff_t colon = luaws_str_find(user, ':');
    struct luaws_str name = luaws_str_sub(user, 0, colon < 0 ? user.len : (size_t)colon);
    struct luaws_str password =
        colon < 0 ? LUAWS_STR_NONE : luaws_str_sub(user, (size_t)colon + 1, user.len);
    if (name.len && password.len) {
      out->username = unquote(a, name);
      out->password = unquote(a, password);
      if (!out->username.ptr || !out->password.ptr) return false;
    }
    mask = colon < 0 ? LUAWS_STR("***@") : LUAWS_STR("***:***@");
  }
  /* libcurl's own default would be 1080. */
  struct luaws_str address = luaws_str_sub(host, 0, end - at), port = LUAWS_STR_NONE;
  if (without_port(address).len == address.len) {
    if (luaws_str_ends(address, LUAWS_STR(":"))) address.len--;
    port = luaws_str_is(scheme, "https://") ? LUAWS_STR(":443") : LUAWS_STR(":80");
  }
  out->url = join(a, scheme, address, port);
  out->masked = join(a, scheme, mask, host);
  return out->url.ptr && out->masked.ptr;
}

bool luaws_proxy_settings_init(struct luaws_proxy_settings *s, const char *http,
                               const char *https, char *const *environment) {
  *s = (struct luaws_proxy_settings){0};
  s->http.from_environment = !http;
  s->https.from_environment = !https;
  struct luaws_str http_url =
      http ? luaws_str_from(http) : read_variable(environment, LUAWS_STR("http"));
  struct luaws_str https_url =
      https ? luaws_str_from(https) : read_variable(environment, LUAWS_STR("https"));
  struct luaws_str no_proxy = read_variable(environment, LUAWS_STR("no"));
  if (no_proxy.ptr) {
    s->no_proxy = luaws_arena_str(&s->arena, no_proxy);
    if (!s->no_proxy.ptr) return false;
  }
  return parse(&s->arena, http_url, &s->http) && parse(&s->arena, https_url, &s->https);
}

void luaws_proxy_settings_clear(struct luaws_proxy_settings *s) {
  luaws_arena_wipe(&s->arena);
  *s = (struct luaws_proxy_settings){0};
}

/* name stands for itself and for everything below it. */
static bool is_or_below(struct luaws_str host, struct luaws_str name) {
  if (luaws_str_eq_nocase(host, name)) return true;
  return host.len > name.len && host.ptr[host.len - name.len - 1] == '.' &&
         has_suffix_nocase(host, name);
}

static bool is_bypassed(struct luaws_str no_proxy, struct luaws_str host) {
  if (luaws_str_is(no_proxy, "*")) return true;
  struct luaws_str bare = without_port(host);
  while (no_proxy.len) {
    ptrdiff_t comma = luaws_str_find(no_proxy, ',');
    size_t len = comma < 0 ? no_proxy.len : (size_t)comma;
    struct luaws_str name = luaws_str_trim(luaws_str_sub(no_proxy, 0, len));
    no_proxy = luaws_str_sub(no_proxy, len + 1, no_proxy.len);
    if (name.len == 0) continue;
    while (name.len && name.ptr[0] == '.')
      name = luaws_str_sub(name, 1, name.len);
    if (is_or_below(bare, name) || is_or_below(host, name)) return true;
  }
  return false;
}

const struct luaws_proxy *luaws_proxy_for(const struct luaws_proxy_settings *s,
                                          struct luaws_str scheme,
                                          struct luaws_str host) {
  const struct luaws_proxy *p = luaws_str_is(scheme, "https") ? &s->https : &s->http;
  if (p->url.len == 0) return NULL;
  if (p->from_environment && s->no_proxy.len && is_bypassed(s->no_proxy, host))
    return NULL;
  return p;
}
