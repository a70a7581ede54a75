/* What libcurl is to be given for a request: its URL, its header list, and how its body
   is to be framed. All of it lives in the exchange's arena. */
#include "http/pool.h"

/* libcurl takes no longer one, and calls it a lack of memory. */
enum { MAX_URL_BYTES = 7 * 1000 * 1000 };

static char *put(char *p, struct luaws_str s) {
  if (s.len) memcpy(p, s.ptr, s.len);
  return p + s.len;
}

/* Is an https:// URL sent to its proxy as it is, for the proxy to open TLS? Only to one
   that is itself spoken to over TLS. */
static bool is_forwarded(const struct luaws_exchange *x) {
  return x->proxy && x->pool->options.proxy_forwards_https &&
         luaws_str_is(x->request->scheme, "https") &&
         luaws_str_starts(x->proxy->url, LUAWS_STR("https://"));
}

static bool build_url(struct luaws_exchange *x) {
  const struct luaws_request *r = x->request;
  char *p = luaws_arena_alloc(&x->arena, r->scheme.len + r->host.len + r->path.len +
                                             r->query.len + sizeof "://?");
  if (!p) return false;
  x->url = p;
  char *path = p = put(put(put(p, r->scheme), LUAWS_STR("://")), r->host);
  p = put(p, r->path);
  if (r->query.len) p = put(put(p, LUAWS_STR("?")), r->query);
  if (is_forwarded(x)) {
    /* To libcurl it is an http:// URL, which needs no tunnel. */
    struct luaws_str rest = luaws_str_from(x->url + sizeof "https" - 1);
    char *plain = luaws_arena_alloc(&x->arena, rest.len + sizeof "http");
    if (!plain) return false;
    put(put(plain, LUAWS_STR("http")), rest);
    x->target = x->url;
    x->url = plain;
    return true;
  }
  /* libcurl percent-encodes what is not ASCII: that would not be what was signed. */
  for (const char *q = path; q < p && !x->target; q++) {
    if ((unsigned char)*q >= 0x7f) {
      x->target = x->proxy && luaws_str_is(r->scheme, "http") ? x->url : path;
    }
  }
  return true;
}

/* A node of the header list, with room for its line behind it. */
static char *add_line(struct luaws_exchange *x, struct curl_slist ***tail, size_t len) {
  struct curl_slist *node = luaws_arena_alloc(&x->arena, sizeof *node + len + 1);
  if (!node) return NULL;
  node->data = (char *)(node + 1);
  **tail = node;
  *tail = &node->next;
  return node->data;
}

static bool add_text(struct luaws_exchange *x, struct curl_slist ***tail,
                     struct luaws_str text) {
  char *line = add_line(x, tail, text.len);
  if (line) put(line, text);
  return line;
}

static bool add_header(struct luaws_exchange *x, struct curl_slist ***tail,
                       struct luaws_str name, struct luaws_str value) {
  char *line = add_line(x, tail, name.len + 2 + value.len);
  if (!line) return false;
  /* "Name;" is how libcurl is told of an empty value; "Name:" would take it away. */
  bool empty = luaws_str_trim(value).len == 0;
  line = put(put(line, name), empty ? LUAWS_STR(";") : LUAWS_STR(": "));
  if (!empty) put(line, value);
  return true;
}

/* Whether libcurl would make the same Host header of the URL. */
static bool is_plain_host(const struct luaws_request *r) {
  for (size_t i = 0; i < r->host.len; i++) {
    char c = r->host.ptr[i];
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
          c == ':' || c == '_'))
      return false;
  }
  bool https = luaws_str_is(r->scheme, "https");
  return !luaws_str_ends(r->host, https ? LUAWS_STR(":443") : LUAWS_STR(":80"));
}

static bool has_any(struct luaws_str s, const char *bad, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (s.len && memchr(s.ptr, bad[i], s.len)) return true;
  }
  return false;
}

int luaws_request_check(const struct luaws_request *r, struct luaws_error *err) {
  static const char line_ends[] = {'\r', '\n', 0}, not_in_url[] = {'\r', '\n', 0, ' '};
  for (size_t i = 0; i < r->headers.count; i++) {
    const struct luaws_header *h = &r->headers.items[i];
    if (h->name.len == 0 || has_any(h->name, line_ends, 3) ||
        has_any(h->name, ": ;", 3) || has_any(h->value, line_ends, 3))
      return luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError", "invalid header '%.*s'",
                             LUAWS_STR_ARG(h->name));
  }
  if (r->method.len == 0 || has_any(r->method, not_in_url, 4))
    return luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError", "invalid method");
  if (r->host.len == 0 || has_any(r->scheme, not_in_url, 4) ||
      has_any(r->host, not_in_url, 4) || has_any(r->host, "/?#@", 4) ||
      has_any(r->path, not_in_url, 4) || has_any(r->path, "?#", 2) ||
      has_any(r->query, not_in_url, 4) || has_any(r->query, "#", 1))
    return luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError",
                           "Invalid endpoint: %.*s://%.*s", LUAWS_STR_ARG(r->scheme),
                           LUAWS_STR_ARG(r->host));
  if (r->host.len + r->path.len + r->query.len > MAX_URL_BYTES)
    return luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError",
                           "the URL is longer than %d bytes: %.*s://%.*s", MAX_URL_BYTES,
                           LUAWS_STR_ARG(r->scheme), LUAWS_STR_ARG(r->host));
  return 0;
}

/* What the request's own headers say about its body. */
struct framing {
  bool chunked, has_length, has_type, has_accept;
  int64_t length;
};

/* Headers that libcurl is to make, or would add unasked, are told apart here. */
static bool build_headers(struct luaws_exchange *x, struct framing *f) {
  const struct luaws_request *r = x->request;
  struct curl_slist **tail = &x->headers;
  bool ok = true;
  for (size_t i = 0; ok && i < r->headers.count; i++) {
    const struct luaws_header *h = &r->headers.items[i];
    if (luaws_str_eq_nocase(h->name, LUAWS_STR("host"))) continue;
    if (luaws_str_eq_nocase(h->name, LUAWS_STR("content-length"))) {
      f->has_length = luaws_str_to_int64(luaws_str_trim(h->value), &f->length);
      continue;
    }
    if (luaws_str_eq_nocase(h->name, LUAWS_STR("expect")) && x->options.expect_continue)
      continue; /* see below */
    if (luaws_str_eq_nocase(h->name, LUAWS_STR("transfer-encoding"))) {
      f->chunked = luaws_str_eq_nocase(luaws_str_trim(h->value), LUAWS_STR("chunked"));
      if (f->chunked) continue;
    }
    f->has_type |= luaws_str_eq_nocase(h->name, LUAWS_STR("content-type"));
    f->has_accept |= luaws_str_eq_nocase(h->name, LUAWS_STR("accept"));
    ok = add_header(x, &tail, h->name, h->value);
  }
  if (ok && (is_forwarded(x) || !is_plain_host(r)))
    ok = add_header(x, &tail, LUAWS_STR("Host"), r->host);
  const struct luaws_stream *body = &r->body;
  bool get = luaws_str_is(r->method, "GET"), head = luaws_str_is(r->method, "HEAD");
  bool none = body->kind == LUAWS_STREAM_NONE || (body->length == 0 && !f->chunked);
  if (none && (get || head || luaws_str_is(r->method, "DELETE") ||
               luaws_str_is(r->method, "OPTIONS"))) {
    x->mode = head ? LUAWS_SEND_HEAD : LUAWS_SEND_NONE;
    if (ok && f->has_length) ok = add_text(x, &tail, LUAWS_STR("Content-Length: 0"));
  } else {
    x->body_length = none ? 0 : f->chunked ? -1 : body->length;
    if (!none && x->body_length < 0 && f->has_length && !f->chunked)
      x->body_length = f->length;
    bool small = none || (body->kind == LUAWS_STREAM_BYTES && x->body_length >= 0 &&
                          x->body_length <= LUAWS_SMALL_BODY_BYTES);
    x->expects = x->options.expect_continue && !none &&
                 !luaws_pool_host_is_silent(x->pool, r->host);
    x->mode = small && !x->expects ? LUAWS_SEND_MEMORY : LUAWS_SEND_READ;
    if (ok && x->expects)
      ok = add_header(x, &tail, LUAWS_STR("Expect"), LUAWS_STR("100-continue"));
    if (ok && x->body_length < 0)
      ok = add_text(x, &tail, LUAWS_STR("Transfer-Encoding: chunked"));
    if (ok && !x->expects && x->mode == LUAWS_SEND_READ)
      ok = add_text(x, &tail, LUAWS_STR("Expect:"));
    if (ok && !f->has_type && x->mode == LUAWS_SEND_MEMORY)
      ok = add_text(x, &tail, LUAWS_STR("Content-Type:"));
  }
  if (ok && !f->has_accept) ok = add_text(x, &tail, LUAWS_STR("Accept:"));
  if (ok && x->proxy) ok = add_text(x, &tail, LUAWS_STR("Proxy-Connection:"));
  /* The methods that libcurl uses of itself in these modes need no name. */
  bool natural = x->mode == LUAWS_SEND_NONE     ? get
                 : x->mode == LUAWS_SEND_HEAD   ? head
                 : x->mode == LUAWS_SEND_MEMORY ? luaws_str_is(r->method, "POST")
                                                : luaws_str_is(r->method, "PUT");
  if (ok && !natural) {
    x->method = luaws_arena_str(&x->arena, r->method).ptr;
    ok = x->method;
  }
  return ok;
}

bool luaws_exchange_build(struct luaws_exchange *x) {
  struct framing f = {0};
  return build_url(x) && build_headers(x, &f);
}
