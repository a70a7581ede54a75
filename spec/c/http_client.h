/* The little that every HTTP test does: make a loop and a pool, send, wait. */
#ifndef LUAWS_SPEC_HTTP_CLIENT_H
#define LUAWS_SPEC_HTTP_CLIENT_H

#include "http/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

struct client {
  struct luaws_loop *loop;
  struct luaws_pool *pool;
  struct luaws_arena arena;
  struct luaws_request request;
  struct luaws_exchange_options options;
  struct luaws_exchange *exchange;
  const struct luaws_response *response;
  struct luaws_error err;
  int done, progress;
};

static inline void client_done(void *arg) {
  ((struct client *)arg)->done++;
}
static inline void client_progress(void *arg) {
  ((struct client *)arg)->progress++;
}

static inline void client_start(struct client *c, struct luaws_pool_options o) {
  *c = (struct client){0};
  assert_int_equal(luaws_loop_new(&c->loop, &c->err), 0);
  if (!o.proxy_http) o.proxy_http = "";
  if (!o.proxy_https) o.proxy_https = "";
  assert_int_equal(luaws_pool_new(c->loop, &o, &c->pool, &c->err), 0);
  c->options = (struct luaws_exchange_options){
      .done = client_done, .progress = client_progress, .arg = c};
}

static inline void client_stop(struct client *c) {
  luaws_exchange_free(c->exchange);
  luaws_pool_free(c->pool);
  luaws_loop_free(c->loop);
  luaws_error_clear(&c->err);
  luaws_arena_clear(&c->arena);
}

/* Begins a request; target is a path with or without a query. */
static inline void client_request(struct client *c, const char *method,
                                  const char *scheme, int port, const char *target) {
  luaws_exchange_free(c->exchange);
  c->exchange = NULL;
  c->response = NULL;
  c->done = c->progress = 0;
  luaws_error_clear(&c->err);
  luaws_arena_clear(&c->arena);
  struct luaws_request *r = &c->request;
  *r = (struct luaws_request){.arena = &c->arena, .headers.arena = &c->arena};
  char host[64];
  snprintf(host, sizeof host, "127.0.0.1:%d", port);
  const char *query = strchr(target, '?');
  r->method = luaws_str_from(method);
  r->scheme = luaws_str_from(scheme);
  r->host = luaws_arena_str(&c->arena, luaws_str_from(host));
  r->path = (struct luaws_str){target, query ? (size_t)(query - target) : strlen(target)};
  if (query) r->query = luaws_str_from(query + 1);
}

static inline void client_header(struct client *c, const char *name, const char *value) {
  assert_true(luaws_headers_add(&c->request.headers, luaws_str_from(name),
                                luaws_str_from(value)));
}

static inline void client_body(struct client *c, const void *ptr, size_t len) {
  c->request.body = (struct luaws_stream){
      .kind = LUAWS_STREAM_BYTES, .length = (int64_t)len, .bytes = {ptr, len}};
}

/* Sends it and waits for `done`; the code of luaws_exchange_result. */
static inline int client_send(struct client *c) {
  int rc = luaws_exchange_start(c->pool, &c->request, &c->options, &c->exchange, &c->err);
  if (rc) return rc;
  while (!c->done) {
    rc = luaws_loop_turn(c->loop, 10000, &c->err);
    assert_true(rc > 0);
  }
  assert_int_equal(c->done, 1);
  return luaws_exchange_result(c->exchange, &c->response, &c->err);
}

/* Reads a streamed body to its end or failure into out; the last result. */
static inline ptrdiff_t client_read_all(struct client *c, struct luaws_buf *out) {
  char block[10000];
  for (;;) {
    ptrdiff_t n = luaws_exchange_read(c->exchange, block, sizeof block, &c->err);
    if (n > 0) {
      luaws_buf_append(out, block, (size_t)n);
    } else if (n == LUAWS_READ_AGAIN) {
      assert_true(luaws_loop_turn(c->loop, 10000, &c->err) >= 0);
    } else {
      return n;
    }
  }
}

static inline struct luaws_str client_response_header(struct client *c,
                                                      const char *name) {
  const struct luaws_str *v =
      luaws_headers_get(&c->response->headers, luaws_str_from(name));
  return v ? *v : LUAWS_STR_NONE;
}

#define assert_str(actual, expected)                               \
  do {                                                             \
    struct luaws_str a_ = (actual), e_ = luaws_str_from(expected); \
    if (!luaws_str_eq(a_, e_))                                     \
      fail_msg("'%.*s' is not '%s'", LUAWS_STR_ARG(a_), e_.ptr);   \
  } while (0)

#endif
