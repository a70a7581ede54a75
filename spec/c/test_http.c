/* What goes over the wire and what comes back, against servers that are part of the test.
 */
#include "http_client.h"
#include "tiny_server.h"

#include "http/proxy.h"

#include <fcntl.h>

/* Answers every request with "ok". */
static void serve_ok(struct tiny_server *s, int fd, int nth) {
  while (tiny_read(s, fd))
    tiny_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

/* Answers with s->arg, word for word, and hangs up. */
static void serve_text(struct tiny_server *s, int fd, int nth) {
  if (tiny_read(s, fd)) tiny_say(fd, s->arg);
}

/* ---- requests ---- */

struct wire_case {
  const char *method, *target;
  const char *headers[8]; /* name, value, … */
  const char *body;       /* NULL = none */
  const char *expected;   /* $ stands for host and port */
};

static const struct wire_case wire_cases[] = {
    {"GET", "/", {0}, NULL, "GET / HTTP/1.1\r\nHost: $\r\n\r\n"},
    {"GET",
     "/a/../b/./c//d?x=1&y=%20&z",
     {0},
     NULL,
     "GET /a/../b/./c//d?x=1&y=%20&z HTTP/1.1\r\nHost: $\r\n\r\n"},
    {"GET",
     "/%2e%2E/%7Eme/+*'()!:@,;=",
     {0},
     NULL,
     "GET /%2e%2E/%7Eme/+*'()!:@,;= HTTP/1.1\r\nHost: $\r\n\r\n"},
    {"GET", "/\xc3\xa9", {0}, NULL, "GET /\xc3\xa9 HTTP/1.1\r\nHost: $\r\n\r\n"},
    {"GET", "/?", {0}, NULL, "GET / HTTP/1.1\r\nHost: $\r\n\r\n"},
    {"GET", "/?a?b=/c", {0}, NULL, "GET /?a?b=/c HTTP/1.1\r\nHost: $\r\n\r\n"},
    {"GET",
     "/x",
     {"X-B", "2", "x-a", "1", "X-b", "3"},
     NULL,
     "GET /x HTTP/1.1\r\nHost: $\r\nX-B: 2\r\nx-a: 1\r\nX-b: 3\r\n\r\n"},
    {"GET",
     "/x",
     {"X-Empty", "", "X-Blank", "  "},
     NULL,
     "GET /x HTTP/1.1\r\nHost: $\r\nX-Empty:\r\nX-Blank:\r\n\r\n"},
    {"GET",
     "/x",
     {"Accept", "a/b", "User-Agent", "me/1"},
     NULL,
     "GET /x HTTP/1.1\r\nHost: $\r\nAccept: a/b\r\nUser-Agent: me/1\r\n\r\n"},
    {"GET", "/x", {"Host", "ignored"}, NULL, "GET /x HTTP/1.1\r\nHost: $\r\n\r\n"},
    {"HEAD", "/x", {0}, NULL, "HEAD /x HTTP/1.1\r\nHost: $\r\n\r\n"},
    {"DELETE", "/x", {0}, NULL, "DELETE /x HTTP/1.1\r\nHost: $\r\n\r\n"},
    {"DELETE",
     "/x",
     {"Content-Length", "0"},
     NULL,
     "DELETE /x HTTP/1.1\r\nHost: $\r\nContent-Length: 0\r\n\r\n"},
    {"OPTIONS", "/x", {0}, NULL, "OPTIONS /x HTTP/1.1\r\nHost: $\r\n\r\n"},
    {"POST", "/x", {0}, NULL, "POST /x HTTP/1.1\r\nHost: $\r\nContent-Length: 0\r\n\r\n"},
    {"PUT", "/x", {0}, NULL, "PUT /x HTTP/1.1\r\nHost: $\r\nContent-Length: 0\r\n\r\n"},
    {"PUT", "/x", {0}, "", "PUT /x HTTP/1.1\r\nHost: $\r\nContent-Length: 0\r\n\r\n"},
    {"POST",
     "/x",
     {0},
     "abc",
     "POST /x HTTP/1.1\r\nHost: $\r\nContent-Length: 3\r\n\r\nabc"},
    {"POST",
     "/x",
     {"Content-Type", "a/b", "Content-Length", "3"},
     "abc",
     "POST /x HTTP/1.1\r\nHost: $\r\nContent-Type: a/b\r\nContent-Length: 3\r\n\r\nabc"},
    {"PUT",
     "/x",
     {0},
     "abc",
     "PUT /x HTTP/1.1\r\nHost: $\r\nContent-Length: 3\r\n\r\nabc"},
    {"PATCH",
     "/x",
     {0},
     "abc",
     "PATCH /x HTTP/1.1\r\nHost: $\r\nContent-Length: 3\r\n\r\nabc"},
    {"GET",
     "/x",
     {0},
     "abc",
     "GET /x HTTP/1.1\r\nHost: $\r\nContent-Length: 3\r\n\r\nabc"},
    {"DELETE",
     "/x",
     {0},
     "abc",
     "DELETE /x HTTP/1.1\r\nHost: $\r\nContent-Length: 3\r\n\r\nabc"},
    {"PUT",
     "/x",
     {"Transfer-Encoding", "chunked"},
     "abc",
     "PUT /x HTTP/1.1\r\nHost: $\r\nTransfer-Encoding: chunked\r\n\r\nabc"},
    {"POST",
     "/x",
     {"Expect", "100-continue"},
     NULL,
     "POST /x HTTP/1.1\r\nHost: $\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n"},
};

/* The lines of a head in an order of their own: what libcurl writes when is its business.
 */
static int compare_lines(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}
static char *sorted_head(const char *text) {
  char *copy = strdup(text), *lines[64], *out = calloc(1, strlen(text) + 8);
  size_t n = 0;
  for (char *save, *l = strtok_r(copy, "\r\n", &save); l;
       l = strtok_r(NULL, "\r\n", &save))
    lines[n++] = l;
  qsort(lines + 1, n - 1, sizeof *lines, compare_lines);
  for (size_t i = 0; i < n; i++)
    strcat(strcat(out, lines[i]), "\n");
  free(copy);
  return out;
}

static void sends_exactly_what_the_request_says(void **state) {
  struct tiny_server s;
  struct client c;
  tiny_server_start(&s, serve_ok, NULL);
  client_start(&c, (struct luaws_pool_options){.verify = true});
  for (size_t i = 0; i < sizeof wire_cases / sizeof *wire_cases; i++) {
    const struct wire_case *w = &wire_cases[i];
    client_request(&c, w->method, "http", s.port, w->target);
    for (const char *const *h = w->headers; *h; h += 2)
      client_header(&c, h[0], h[1]);
    if (w->body) client_body(&c, w->body, strlen(w->body));
    assert_int_equal(client_send(&c), 0);
    char expected[1024], host[32], *at = expected;
    snprintf(host, sizeof host, "127.0.0.1:%d", s.port);
    for (const char *p = w->expected; *p; p++)
      at += *p == '$' ? sprintf(at, "%s", host) : sprintf(at, "%c", *p);
    const char *body = strstr(expected, "\r\n\r\n") + 4;
    assert_string_equal(s.body_len ? s.body : "", body);
    *(char *)body = 0;
    char *a = sorted_head(s.seen), *b = sorted_head(expected);
    assert_string_equal(a, b);
    free(a);
    free(b);
    if (strcmp(w->method, "HEAD") != 0) assert_str(c.response->body, "ok");
  }
  client_stop(&c);
  tiny_server_stop(&s);
}

static void refuses_requests_that_would_break_the_framing(void **state) {
  static const struct {
    const char *method, *path, *name, *value;
  } cases[] = {
      {"GET", "/", "X-A", "1\r\nX-B: 2"},
      {"GET", "/", "X-A", "1\n"},
      {"GET", "/", "X A", "1"},
      {"GET", "/", "X:A", "1"},
      {"GET", "/", "", "1"},
      {"GET", "/a b", "X", "1"},
      {"GET", "/a\r\nb", "X", "1"},
      {"G\nT", "/", "X", "1"},
      {"GET", "/a#b", "X", "1"},
  };
  struct client c;
  client_start(&c, (struct luaws_pool_options){.verify = true});
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    client_request(&c, cases[i].method, "http", 1, cases[i].path);
    client_header(&c, cases[i].name, cases[i].value);
    assert_int_equal(client_send(&c), LUAWS_E_ARGUMENT);
    assert_string_equal(c.err.kind, "ValueError");
  }
  assert_false(luaws_loop_busy(c.loop));
  client_stop(&c);
}

/* ---- request bodies ---- */

struct source {
  const char *text;
  size_t len, at, chunk;
  size_t fail_at;
  int rewinds;
};

static ptrdiff_t source_read(void *owner, char *dst, size_t max,
                             struct luaws_error *err) {
  struct source *s = owner;
  if (s->fail_at && s->at >= s->fail_at)
    return luaws_error_set(err, LUAWS_E_IO, "SourceError", "the well is dry");
  size_t n = s->len - s->at;
  if (n > max) n = max;
  if (s->chunk && n > s->chunk) n = s->chunk;
  memcpy(dst, s->text + s->at, n);
  s->at += n;
  return (ptrdiff_t)n;
}

static char *pattern(size_t len) {
  char *p = malloc(len + 1);
  for (size_t i = 0; i < len; i++)
    p[i] = (char)('a' + i % 23);
  p[len] = 0;
  return p;
}

static void sends_bodies_of_every_kind_and_size(void **state) {
  static const size_t sizes[] = {1, 100, 16384, 65536, 65537, 70000, 1000000, 3000001};
  static const char *const methods[] = {"PUT", "POST", "GET"};
  enum { BYTES, SLICE, FUNCTION, FUNCTION_LENGTH, KINDS };
  struct tiny_server s;
  struct client c;
  tiny_server_start(&s, serve_ok, NULL);
  client_start(&c, (struct luaws_pool_options){.verify = true});
  char *text = pattern(3000001);
  char path[] = "/tmp/luaws-spec-XXXXXX";
  int fd = mkstemp(path);
  assert_int_equal(write(fd, "skipped", 7), 7);
  assert_int_equal(write(fd, text, 3000001), 3000001);
  for (size_t m = 0; m < 3; m++) {
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
      for (int kind = 0; kind < KINDS; kind++) {
        struct source src = {
            .text = text, .len = sizes[i], .chunk = kind == FUNCTION ? 9999 : 0};
        client_request(&c, methods[m], "http", s.port, "/x");
        client_body(&c, text, sizes[i]);
        struct luaws_stream *b = &c.request.body;
        if (kind == SLICE)
          *b = (struct luaws_stream){.kind = LUAWS_STREAM_FILE,
                                     .fd = fd,
                                     .offset = 7,
                                     .length = (int64_t)sizes[i]};
        if (kind >= FUNCTION)
          *b = (struct luaws_stream){.kind = LUAWS_STREAM_FUNCTION,
                                     .read = source_read,
                                     .owner = &src,
                                     .length = kind == FUNCTION ? -1 : (int64_t)sizes[i]};
        assert_int_equal(client_send(&c), 0);
        assert_int_equal(s.body_len, sizes[i]);
        size_t kept = sizes[i] < sizeof s.body - 1 ? sizes[i] : sizeof s.body - 1;
        assert_memory_equal(s.body, text, kept);
        assert_int_equal(!tiny_header(&s, "Transfer-Encoding"), kind != FUNCTION);
        assert_null(tiny_header(&s, "Expect"));
        assert_null(tiny_header(&s, "Content-Type"));
      }
    }
  }
  assert_int_equal(s.connections, 1);
  close(fd);
  unlink(path);
  free(text);
  client_stop(&c);
  tiny_server_stop(&s);
}

static void an_error_of_a_stream_function_ends_the_exchange_with_it(void **state) {
  struct tiny_server s;
  struct client c;
  tiny_server_start(&s, serve_ok, NULL);
  client_start(&c, (struct luaws_pool_options){.verify = true});
  char *text = pattern(300000);
  for (int known = 0; known < 2; known++) {
    struct source src = {.text = text, .len = 300000, .fail_at = 100000};
    client_request(&c, "PUT", "http", s.port, "/x");
    c.request.body = (struct luaws_stream){.kind = LUAWS_STREAM_FUNCTION,
                                           .read = source_read,
                                           .owner = &src,
                                           .length = known ? 300000 : -1};
    assert_int_equal(client_send(&c), LUAWS_E_IO);
    assert_string_equal(c.err.kind, "SourceError");
    assert_string_equal(c.err.message, "the well is dry");
  }
  struct source brief = {.text = text, .len = 1000};
  client_request(&c, "PUT", "http", s.port, "/x");
  c.request.body = (struct luaws_stream){.kind = LUAWS_STREAM_FUNCTION,
                                         .read = source_read,
                                         .owner = &brief,
                                         .length = 300000};
  assert_int_equal(client_send(&c), LUAWS_E_IO);
  assert_string_equal(c.err.message, "the body ended after 1000 of 300000 bytes");
  free(text);
  client_stop(&c);
  tiny_server_stop(&s);
}

/* ---- responses ---- */

static void reads_heads_as_urllib3_does(void **state) {
  struct tiny_server s;
  struct client c;
  tiny_server_start(&s, serve_text,
                    "HTTP/1.1 102 Processing\r\nX-Early: no\r\n\r\n"
                    "HTTP/1.1 207 Multi\r\nX-Amz-Request-ID:  abc \r\nSet-Cookie: a=1\r\n"
                    "set-cookie: b=2\r\nX-Folded: one\r\n  two\r\nX-Empty:\r\n"
                    "X-Colon: a:b\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nX-Trailer: no\r\n\r\n");
  client_start(&c, (struct luaws_pool_options){.verify = true});
  client_request(&c, "GET", "http", s.port, "/");
  assert_int_equal(client_send(&c), 0);
  assert_int_equal(c.response->status, 207);
  assert_str(c.response->body, "abcde");
  assert_str(client_response_header(&c, "x-amz-request-id"), "abc");
  assert_str(client_response_header(&c, "set-cookie"), "a=1, b=2");
  assert_str(client_response_header(&c, "x-folded"), "one two");
  assert_str(client_response_header(&c, "x-empty"), "");
  assert_str(client_response_header(&c, "x-colon"), "a:b");
  assert_null(client_response_header(&c, "x-trailer").ptr);
  assert_null(client_response_header(&c, "x-early").ptr);
  assert_str(c.response->headers.items[0].name, "x-amz-request-id");
  client_stop(&c);
  tiny_server_stop(&s);
}

struct answer_case {
  const char *method, *answer;
  int code; /* 0, or the failure's */
  const char *kind;
  int status;
  const char *body;
};

static const struct answer_case answer_cases[] = {
    {"GET", "HTTP/1.1 204 No Content\r\n\r\n", 0, NULL, 204, ""},
    {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", 0, NULL, 304, ""},
    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", 0, NULL, 200, ""},
    {"GET", "HTTP/1.0 200 OK\r\n\r\nuntil the end", 0, NULL, 200, "until the end"},
    {"GET", "HTTP/1.1 301 Moved\r\nLocation: /y\r\nContent-Length: 2\r\n\r\nno", 0, NULL,
     301, "no"},
    {"GET",
     "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
     0, NULL, 200, "\x1f\x8b\x08"},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more", 0, NULL, 200,
     "ok"},
    {"GET",
     "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n", 0,
     NULL, 401, ""},
    {"POST", "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n", 0, NULL, 417,
     ""},
    {"GET", "HTTP/1.1 599 \r\nContent-Length: 1\r\n\r\nx", 0, NULL, 599, "x"},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", LUAWS_E_CLOSED,
     "ConnectionClosedError", 0, NULL},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
     LUAWS_E_CLOSED, "ConnectionClosedError", 0, NULL},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab",
     LUAWS_E_CLOSED, "ConnectionClosedError", 0, NULL},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Le", LUAWS_E_CLOSED, "ConnectionClosedError", 0,
     NULL},
    {"GET", "", LUAWS_E_CLOSED, "ConnectionClosedError", 0, NULL},
    {"GET", "SSH-2.0-OpenSSH_9.2\r\n", LUAWS_E_CLOSED, "ConnectionClosedError", 0, NULL},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx", LUAWS_E_CLOSED,
     "ConnectionClosedError", 0, NULL},
};

static void tells_whole_answers_from_broken_ones(void **state) {
  struct tiny_server s;
  struct client c;
  tiny_server_start(&s, serve_text, NULL);
  client_start(&c, (struct luaws_pool_options){.verify = true});
  for (size_t i = 0; i < sizeof answer_cases / sizeof *answer_cases; i++) {
    const struct answer_case *a = &answer_cases[i];
    while (atomic_load(&s.open)) /* else a POST might go to one that is being closed */
      usleep(1000);
    s.arg = (void *)a->answer;
    client_request(&c, a->method, "http", s.port, "/p?secret=1");
    int rc = client_send(&c);
    if (rc != a->code || (rc == 0 && c.response->status != a->status))
      fail_msg("case %zu: %d %s %s", i, rc, c.err.kind, luaws_error_message(&c.err));
    if (rc) {
      char expected[200];
      snprintf(expected, sizeof expected,
               "Connection was closed before we received a valid response from endpoint "
               "URL: \"http://127.0.0.1:%d/p\".",
               s.port);
      assert_string_equal(c.err.kind, a->kind);
      assert_string_equal(c.err.message, expected);
    } else {
      assert_str(c.response->body, a->body);
    }
  }
  client_stop(&c);
  tiny_server_stop(&s);
}

static void refuses_bodies_larger_than_allowed(void **state) {
  struct tiny_server s;
  struct client c;
  tiny_server_start(&s, serve_text, "HTTP/1.1 200 OK\r\n\r\n0123456789");
  client_start(&c, (struct luaws_pool_options){.verify = true});
  c.options.max_body_bytes = 9;
  client_request(&c, "GET", "http", s.port, "/");
  assert_int_equal(client_send(&c), LUAWS_E_LIMIT);
  c.options.max_body_bytes = 10;
  client_request(&c, "GET", "http", s.port, "/");
  assert_int_equal(client_send(&c), 0);
  client_stop(&c);
  tiny_server_stop(&s);
}

/* ---- connections ---- */

static void serve_close_after_answer(struct tiny_server *s, int fd, int nth) {
  serve_text(s, fd, nth);
}

static void keeps_connections_and_replaces_dead_ones(void **state) {
  struct tiny_server s;
  struct client c;
  tiny_server_start(&s, serve_ok, NULL);
  client_start(&c, (struct luaws_pool_options){.verify = true});
  for (int i = 0; i < 20; i++) {
    client_request(&c, i % 2 ? "POST" : "GET", "http", s.port, "/");
    if (i % 2) client_body(&c, "abc", 3);
    assert_int_equal(client_send(&c), 0);
  }
  assert_int_equal(s.connections, 1);
  /* A server that hangs up after each answer, without having said so. */
  s.serve = serve_close_after_answer;
  s.arg = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  client_stop(&c);
  client_start(&c, (struct luaws_pool_options){.verify = true});
  for (int i = 0; i < 20; i++) {
    client_request(&c, i % 2 ? "POST" : "GET", "http", s.port, "/");
    if (i % 2) client_body(&c, "abc", 3);
    assert_int_equal(client_send(&c), 0);
    assert_str(c.response->body, "ok");
    /* A body that meets the end of a connection is not sent again, here. */
    while ((i % 2 == 0 || i % 3) && atomic_load(&s.open))
      usleep(1000);
  }
  client_stop(&c);
  tiny_server_stop(&s);
}

static void serve_reset(struct tiny_server *s, int fd, int nth) {
  tiny_read(s, fd);
  tiny_reset(fd);
}

static void serve_nothing(struct tiny_server *s, int fd, int nth) {
  char c;
  while (recv(fd, &c, 1, 0) > 0) {
  }
}

static void names_what_failed(void **state) {
  struct tiny_server s;
  struct client c;
  char expected[200];
  tiny_server_start(&s, serve_reset, NULL);
  client_start(&c, (struct luaws_pool_options){.verify = true});
  client_request(&c, "GET", "http", s.port, "/a?X-Amz-Signature=secret");
  assert_int_equal(client_send(&c), LUAWS_E_CLOSED);
  assert_string_equal(c.err.kind, "ConnectionClosedError");
  client_stop(&c);

  s.serve = serve_nothing;
  client_start(&c, (struct luaws_pool_options){.verify = true, .read_timeout_ms = 100});
  int64_t before = luaws_monotonic_ms();
  client_request(&c, "GET", "http", s.port, "/a?X-Amz-Signature=secret");
  assert_int_equal(client_send(&c), LUAWS_E_TIMEOUT);
  assert_string_equal(c.err.kind, "ReadTimeoutError");
  snprintf(expected, sizeof expected,
           "Read timeout on endpoint URL: \"http://127.0.0.1:%d/a\"", s.port);
  assert_string_equal(c.err.message, expected);
  assert_true(luaws_monotonic_ms() - before >= 100);

  int port = s.port;
  tiny_server_stop(&s);
  client_request(&c, "GET", "http", port, "/a?X-Amz-Signature=secret");
  assert_int_equal(client_send(&c), LUAWS_E_CONNECT);
  assert_string_equal(c.err.kind, "EndpointConnectionError");
  snprintf(expected, sizeof expected,
           "Could not connect to the endpoint URL: \"http://127.0.0.1:%d/a\"", port);
  assert_string_equal(c.err.message, expected);

  /* Whoever answers for names takes the time he takes. */
  client_stop(&c);
  client_start(&c, (struct luaws_pool_options){.verify = true});
  client_request(&c, "GET", "http", port, "/");
  c.request.host = LUAWS_STR("no-such-host.invalid");
  assert_int_equal(client_send(&c), LUAWS_E_CONNECT);
  assert_string_equal(c.err.kind, "EndpointConnectionError");
  client_stop(&c);
}

/* A listener whose backlog is full answers no SYN. */
static void gives_up_connecting_after_the_connect_timeout(void **state) {
  int l = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  assert_int_equal(bind(l, (struct sockaddr *)&a, sizeof a), 0);
  assert_int_equal(listen(l, 0), 0);
  getsockname(l, (struct sockaddr *)&a, &len);
  int fillers[8];
  for (int i = 0; i < 8; i++) {
    fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(fillers[i], (struct sockaddr *)&a, sizeof a);
  }
  struct client c;
  client_start(&c,
               (struct luaws_pool_options){.verify = true, .connect_timeout_ms = 150});
  client_request(&c, "GET", "http", ntohs(a.sin_port), "/");
  int64_t before = luaws_monotonic_ms();
  assert_int_equal(client_send(&c), LUAWS_E_TIMEOUT);
  assert_string_equal(c.err.kind, "ConnectTimeoutError");
  assert_true(luaws_monotonic_ms() - before >= 150);
  client_stop(&c);
  for (int i = 0; i < 8; i++)
    close(fillers[i]);
  close(l);
}

static void serve_slow_bytes(struct tiny_server *s, int fd, int nth) {
  if (!tiny_read(s, fd)) return;
  tiny_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
  for (int i = 0; i < 8; i++) {
    usleep(300000);
    tiny_say(fd, "x");
  }
}

static void a_slow_answer_is_no_silent_one(void **state) {
  struct tiny_server s;
  struct client c;
  tiny_server_start(&s, serve_slow_bytes, NULL);
  client_start(&c, (struct luaws_pool_options){.verify = true, .read_timeout_ms = 2000});
  client_request(&c, "GET", "http", s.port, "/");
  assert_int_equal(client_send(&c), 0);
  assert_str(c.response->body, "xxxxxxxx");
  client_stop(&c);
  tiny_server_stop(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sends_exactly_what_the_request_says),
      cmocka_unit_test(refuses_requests_that_would_break_the_framing),
      cmocka_unit_test(sends_bodies_of_every_kind_and_size),
      cmocka_unit_test(an_error_of_a_stream_function_ends_the_exchange_with_it),
      cmocka_unit_test(reads_heads_as_urllib3_does),
      cmocka_unit_test(tells_whole_answers_from_broken_ones),
      cmocka_unit_test(refuses_bodies_larger_than_allowed),
      cmocka_unit_test(keeps_connections_and_replaces_dead_ones),
      cmocka_unit_test(names_what_failed),
      cmocka_unit_test(gives_up_connecting_after_the_connect_timeout),
      cmocka_unit_test(a_slow_answer_is_no_silent_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
