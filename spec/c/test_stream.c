/* Streamed bodies, the loop and its timers, and what happens when several things meet. */
#include "http_client.h"
#include "tiny_server.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>

static char *pattern(size_t len) {
  char *p = malloc(len + 1);
  for (size_t i = 0; i < len; i++)
    p[i] = (char)('a' + i % 23);
  p[len] = 0;
  return p;
}

enum { BIG = 3000001 };

/* Streams BIG bytes to everyone who asks; arg counts what the socket took. */
static void serve_big(struct tiny_server *s, int fd, int nth) {
  char *text = pattern(BIG);
  while (tiny_read(s, fd)) {
    bool chunked = strstr(s->seen, "/chunked");
    tiny_say(fd, chunked ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                         : "HTTP/1.1 200 OK\r\nContent-Length: 3000001\r\n\r\n");
    for (size_t at = 0; at < BIG;) {
      size_t n = BIG - at < 5000 ? BIG - at : 5000;
      char head[16];
      snprintf(head, sizeof head, "%zx\r\n", n);
      if (chunked) tiny_say(fd, head);
      ssize_t w = send(fd, text + at, n, MSG_NOSIGNAL);
      if (w != (ssize_t)n) break;
      if (chunked) tiny_say(fd, "\r\n");
      at += n;
      if (s->arg) atomic_fetch_add((atomic_size_t *)s->arg, n);
    }
    if (chunked) tiny_say(fd, "0\r\n\r\n");
  }
  free(text);
}

static void serve_text(struct tiny_server *s, int fd, int nth) {
  if (tiny_read(s, fd)) tiny_say(fd, s->arg);
}

static void serve_ok(struct tiny_server *s, int fd, int nth) {
  while (tiny_read(s, fd))
    tiny_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

/* ---- streamed responses ---- */

static void a_stream_read_to_its_end_gives_its_connection_back(void **state) {
  struct tiny_server s;
  struct client c;
  tiny_server_start(&s, serve_big, NULL);
  client_start(&c, (struct luaws_pool_options){.verify = true});
  c.options.stream = true;
  char *text = pattern(BIG);
  for (int i = 0; i < 4; i++) {
    struct luaws_buf got = {0};
    client_request(&c, "GET", "http", s.port, i % 2 ? "/chunked" : "/");
    assert_int_equal(client_send(&c), 0);
    assert_int_equal(c.response->status, 200);
    assert_int_equal(client_read_all(&c, &got), 0);
    assert_int_equal(got.len, BIG);
    assert_memory_equal(got.ptr, text, BIG);
    assert_int_equal(client_read_all(&c, &got), 0); /* the end stays the end */
    luaws_buf_clear(&got);
  }
  assert_int_equal(s.connections, 1);
  free(text);
  client_stop(&c);
  tiny_server_stop(&s);
}

static void a_stream_freed_early_closes_its_connection(void **state) {
  struct tiny_server s;
  struct client c;
  char some[100];
  tiny_server_start(&s, serve_big, NULL);
  client_start(&c, (struct luaws_pool_options){.verify = true});
  c.options.stream = true;
  for (int i = 0; i < 3; i++) {
    client_request(&c, "GET", "http", s.port, "/");
    assert_int_equal(client_send(&c), 0);
    while (luaws_exchange_read(c.exchange, some, sizeof some, NULL) == LUAWS_READ_AGAIN)
      luaws_loop_turn(c.loop, 100, NULL);
  }
  luaws_exchange_free(c.exchange);
  c.exchange = NULL;
  assert_int_equal(s.connections, 3);
  for (int i = 0; i < 1000 && s.open; i++)
    usleep(1000);
  assert_int_equal(s.open, 0);
  assert_false(luaws_loop_busy(c.loop));
  client_stop(&c);
  tiny_server_stop(&s);
}

/* The server must be held back by a reader that does not read, and not be timed out. */
static void a_stream_that_nobody_reads_waits_with_bounded_memory(void **state) {
  struct tiny_server s;
  struct client c;
  atomic_size_t taken = 0;
  tiny_server_start(&s, serve_big, &taken);
  client_start(&c, (struct luaws_pool_options){.verify = true, .read_timeout_ms = 1000});
  c.options.stream = true;
  client_request(&c, "GET", "http", s.port, "/");
  assert_int_equal(client_send(&c), 0);
  int64_t until = luaws_monotonic_ms() + 1300;
  while (luaws_monotonic_ms() < until)
    luaws_loop_turn(c.loop, 50, NULL);
  char *text = pattern(BIG);
  struct luaws_buf got = {0};
  char block[262144 + 65536];
  ptrdiff_t there = luaws_exchange_read(c.exchange, block, sizeof block, &c.err);
  assert_in_range(there, 100000, 262144);
  luaws_buf_append(&got, block, (size_t)there);
  assert_int_equal(client_read_all(&c, &got), 0);
  assert_int_equal(got.len, BIG);
  assert_memory_equal(got.ptr, text, BIG);
  luaws_buf_clear(&got);
  free(text);
  client_stop(&c);
  tiny_server_stop(&s);
}

/* Nobody turned the loop for longer than the timeout, while bytes lay in the socket. */
static void a_loop_that_rested_does_not_mistake_that_for_silence(void **state) {
  struct tiny_server s;
  struct client c;
  tiny_server_start(&s, serve_big, NULL);
  client_start(&c, (struct luaws_pool_options){.verify = true, .read_timeout_ms = 1000});
  c.options.stream = true;
  client_request(&c, "GET", "http", s.port, "/");
  assert_int_equal(client_send(&c), 0);
  struct luaws_buf got = {0};
  char block[50000];
  for (int i = 0; i < 3; i++) {
    ptrdiff_t n = luaws_exchange_read(c.exchange, block, sizeof block, &c.err);
    if (n > 0) luaws_buf_append(&got, block, (size_t)n);
    if (i == 1) usleep(1300000);
  }
  assert_int_equal(client_read_all(&c, &got), 0);
  assert_int_equal(got.len, BIG);
  luaws_buf_clear(&got);
  client_stop(&c);
  tiny_server_stop(&s);
}

struct broken_case {
  const char *answer;
  bool reset;
  const char *bytes, *kind, *message;
};

static const struct broken_case broken_cases[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", false, "short",
     "IncompleteReadError", "5 read, but total bytes expected is 10."},
    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", false, "", "IncompleteReadError",
     "0 read, but total bytes expected is 10."},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5\r\nx", false,
     "abcx", "ConnectionClosedError", NULL},
    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", true, "", "ConnectionClosedError",
     NULL},
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay", false, "ok", NULL, NULL},
    {"HTTP/1.1 200 OK\r\n\r\nall there is", false, "all there is", NULL, NULL},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, "", NULL, NULL},
};

static void serve_broken(struct tiny_server *s, int fd, int nth) {
  const struct broken_case *b = s->arg;
  if (!tiny_read(s, fd)) return;
  tiny_say(fd, b->answer);
  if (b->reset) {
    usleep(20000);
    tiny_reset(fd);
  }
}

static void reading_tells_how_a_stream_ended(void **state) {
  struct tiny_server s;
  struct client c;
  tiny_server_start(&s, serve_broken, NULL);
  client_start(&c, (struct luaws_pool_options){.verify = true});
  c.options.stream = true;
  for (size_t i = 0; i < sizeof broken_cases / sizeof *broken_cases; i++) {
    const struct broken_case *b = &broken_cases[i];
    struct luaws_buf got = {0};
    s.arg = (void *)b;
    client_request(&c, "GET", "http", s.port, "/");
    assert_int_equal(client_send(&c), 0);
    ptrdiff_t end = client_read_all(&c, &got);
    assert_str(luaws_buf_str(&got), b->bytes);
    assert_int_equal(end, b->kind ? LUAWS_E_CLOSED : 0);
    if (b->kind) assert_string_equal(c.err.kind, b->kind);
    if (b->message) assert_string_equal(c.err.message, b->message);
    /* Asked again, it says the same. */
    assert_int_equal(client_read_all(&c, &got), end);
    luaws_buf_clear(&got);
  }
  client_stop(&c);
  tiny_server_stop(&s);
}

static void serve_stall(struct tiny_server *s, int fd, int nth) {
  if (!tiny_read(s, fd)) return;
  tiny_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  char c;
  recv(fd, &c, 1, 0);
}

static void a_stream_that_falls_silent_times_out(void **state) {
  struct tiny_server s;
  struct client c;
  struct luaws_buf got = {0};
  tiny_server_start(&s, serve_stall, NULL);
  client_start(&c, (struct luaws_pool_options){.verify = true, .read_timeout_ms = 1000});
  c.options.stream = true;
  client_request(&c, "GET", "http", s.port, "/");
  assert_int_equal(client_send(&c), 0);
  assert_int_equal(client_read_all(&c, &got), LUAWS_E_TIMEOUT);
  assert_string_equal(c.err.kind, "ReadTimeoutError");
  assert_str(luaws_buf_str(&got), "abc");
  luaws_buf_clear(&got);
  client_stop(&c);
  tiny_server_stop(&s);
}

static void error_answers_are_gathered_when_only_successes_stream(void **state) {
  struct tiny_server s;
  struct client c;
  tiny_server_start(&s, serve_text, "HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\n<err>");
  client_start(&c, (struct luaws_pool_options){.verify = true});
  c.options.stream = c.options.stream_only_2xx = true;
  client_request(&c, "GET", "http", s.port, "/");
  assert_int_equal(client_send(&c), 0);
  assert_int_equal(c.response->status, 404);
  assert_str(c.response->body, "<err>");
  client_stop(&c);
  tiny_server_stop(&s);
}

/* ---- Expect: 100-continue ---- */

enum continue_answer {
  CONTINUE,
  REFUSE,
  REDIRECT,
  FAIL_417,
  SILENT,
  CONTINUE_WITH_HEADERS
};

static void serve_expect(struct tiny_server *s, int fd, int nth) {
  enum continue_answer answer = (enum continue_answer)(intptr_t)s->arg;
  while (tiny_read_head(s, fd)) {
    switch (answer) {
    case CONTINUE:
      tiny_say(fd, "HTTP/1.1 100 Continue\r\n\r\n");
      break;
    case CONTINUE_WITH_HEADERS:
      tiny_say(fd, "HTTP/1.1 100 Continue\r\nX-Early: 1\r\nDate: x\r\n\r\n");
      break;
    case REFUSE:
      tiny_say(fd, "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope");
      tiny_read_body(s, fd); /* what comes all the same is counted */
      return;
    case REDIRECT:
      tiny_say(fd, "HTTP/1.1 307 Away\r\nLocation: /y\r\nContent-Length: 4\r\n\r\nnope");
      tiny_read_body(s, fd);
      return;
    case FAIL_417:
      tiny_say(fd, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 4\r\n\r\nnope");
      tiny_read_body(s, fd);
      return;
    case SILENT:
      break;
    }
    if (!tiny_read_body(s, fd)) return;
    tiny_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  }
}

static ptrdiff_t read_forever(void *owner, char *dst, size_t max,
                              struct luaws_error *err) {
  memset(dst, 'z', max);
  *(size_t *)owner += max;
  return (ptrdiff_t)max;
}

/* Sends a body, from memory or from a function, to a server that answers so. False when
   it took as long as one that says nothing is waited for, where nobody waits: how fast
   the machine is then decides what is sent. */
static bool asks(enum continue_answer answer, int status, const char *method,
                 const char *text, size_t size, bool from_function) {
  struct tiny_server s;
  struct client c;
  size_t pulled = 0;
  tiny_server_start(&s, serve_expect, (void *)(intptr_t)answer);
  client_start(&c, (struct luaws_pool_options){.verify = true});
  c.options.expect_continue = true;
  client_request(&c, method, "http", s.port, "/");
  client_body(&c, text, size);
  if (from_function)
    c.request.body = (struct luaws_stream){.kind = LUAWS_STREAM_FUNCTION,
                                           .read = read_forever,
                                           .owner = &pulled,
                                           .length = (int64_t)size};
  int64_t before = luaws_monotonic_ms();
  assert_int_equal(client_send(&c), 0);
  bool waited = luaws_monotonic_ms() - before >= 950;
  if (answer == SILENT) assert_true(waited);
  bool good = waited == (answer == SILENT);
  if (good) {
    assert_int_equal(c.response->status, status);
    assert_string_equal(tiny_header(&s, "Expect"), "100-continue");
    assert_null(client_response_header(&c, "x-early").ptr);
  }
  client_stop(&c);
  tiny_server_stop(&s);
  if (good) {
    assert_int_equal(s.body_len, status == 200 ? size : 0);
    assert_int_equal(s.connections, 1);
    if (status != 200) assert_int_equal(pulled, 0);
  }
  return good;
}

static void asks_before_it_sends_a_body(void **state) {
  static const struct {
    enum continue_answer answer;
    int status;
  } cases[] = {{CONTINUE, 200}, {CONTINUE_WITH_HEADERS, 200},
               {SILENT, 200},   {REFUSE, 403},
               {REDIRECT, 307}, {FAIL_417, 417}};
  char *text = pattern(BIG);
  static const size_t sizes[] = {3, BIG};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (int k = 0; k < (cases[i].answer == SILENT ? 2 : 4); k++) {
      int tries = 1;
      while (!asks(cases[i].answer, cases[i].status, k % 2 ? "PUT" : "POST", text,
                   sizes[k % 2], k >= 2))
        assert_true(++tries < 10);
    }
  }
  free(text);
}

/* A server that refuses in the middle of a body and hangs up: its answer counts, not that
   the rest could not be sent. */
static atomic_bool refusal_heard;

static void serve_refuse_early(struct tiny_server *s, int fd, int nth) {
  if (!tiny_read_head(s, fd)) return;
  char some[1000];
  recv(fd, some, sizeof some, 0);
  tiny_say(
      fd, "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 4\r\n\r\nnope");
  for (int i = 0; s->arg && i < 5000 && !atomic_load(&refusal_heard); i++)
    usleep(1000);
}

static void hears_an_early_refusal_while_it_still_sends(void **state) {
  char *text = pattern(BIG);
  int heard = 0;
  for (int i = 0; i < 20; i++) {
    struct tiny_server s;
    struct client c;
    size_t pulled = 0;
    atomic_store(&refusal_heard, false);
    tiny_server_start(&s, serve_refuse_early, i % 2 ? "late" : NULL);
    client_start(&c, (struct luaws_pool_options){.verify = true});
    client_request(&c, "PUT", "http", s.port, "/");
    client_body(&c, text, BIG);
    if (i % 4 >= 2)
      c.request.body = (struct luaws_stream){.kind = LUAWS_STREAM_FUNCTION,
                                             .read = read_forever,
                                             .owner = &pulled,
                                             .length = -1};
    int rc = client_send(&c);
    atomic_store(&refusal_heard, true);
    heard += rc == 0 && c.response->status == 403;
    if (i % 2) assert_int_equal(rc, 0);
    if (rc) assert_string_equal(c.err.kind, "ConnectionClosedError");
    client_stop(&c);
    tiny_server_stop(&s);
  }
  assert_in_range(heard, 10, 20);
  free(text);
}

/* ---- the loop ---- */

struct rings {
  struct luaws_loop *loop;
  char order[32];
  struct luaws_timer *victim;
};

static void ring_a(void *arg) {
  strcat(((struct rings *)arg)->order, "a");
}
static void ring_b(void *arg) {
  strcat(((struct rings *)arg)->order, "b");
}
static void ring_c(void *arg) {
  struct rings *r = arg;
  strcat(r->order, "c");
  luaws_timer_cancel(r->victim);
  r->victim = NULL;
  luaws_timer_start(r->loop, 0, ring_a, r);
}

static void timers_ring_in_their_order_and_may_cancel_each_other(void **state) {
  struct rings r = {0};
  assert_int_equal(luaws_loop_new(&r.loop, NULL), 0);
  luaws_timer_start(r.loop, 700, ring_b, &r);
  luaws_timer_start(r.loop, 200, ring_c, &r);
  r.victim = luaws_timer_start(r.loop, 200, ring_b, &r);
  luaws_timer_cancel(luaws_timer_start(r.loop, 1, ring_b, &r));
  luaws_timer_cancel(NULL);
  assert_in_range(luaws_loop_timeout_ms(r.loop), 2, 200);
  while (luaws_loop_busy(r.loop))
    assert_true(luaws_loop_turn(r.loop, -1, NULL) > 0);
  assert_string_equal(r.order, "cab");
  assert_int_equal(luaws_loop_turn(r.loop, -1, NULL), 0);
  assert_int_equal(luaws_loop_timeout_ms(r.loop), -1);
  luaws_timer_start(r.loop, 1000, ring_b, &r); /* left behind */
  luaws_loop_free(r.loop);
}

/* When a timer is due: between what was so long after the clock before and after it was
   started. */
struct due {
  int64_t first_ms, last_ms;
};

static const struct due *rung_at[500];
static int rung;
static void ring_number(void *arg) {
  rung_at[rung++] = arg;
}

static void many_timers_ring_sorted(void **state) {
  struct luaws_loop *l;
  struct luaws_timer *t[1000];
  static struct due due[1000];
  assert_int_equal(luaws_loop_new(&l, NULL), 0);
  unsigned random = 12345;
  for (int i = 0; i < 1000; i++) {
    random = random * 1103515245 + 12345;
    int delay = (int)(random >> 16) % 6 * 10;
    due[i].first_ms = luaws_monotonic_ms() + delay;
    t[i] = luaws_timer_start(l, delay, ring_number, &due[i]);
    due[i].last_ms = luaws_monotonic_ms() + delay;
  }
  for (int i = 0; i < 1000; i += 2)
    luaws_timer_cancel(t[i]);
  usleep(60000);
  rung = 0;
  while (luaws_loop_busy(l))
    luaws_loop_turn(l, -1, NULL);
  assert_int_equal(rung, 500);
  int64_t latest_ms = 0;
  for (int i = 0; i < 500; i++) {
    if (latest_ms < rung_at[i]->first_ms) latest_ms = rung_at[i]->first_ms;
    assert_true(latest_ms <= rung_at[i]->last_ms);
  }
  luaws_loop_free(l);
}

static void *interrupt_later(void *arg) {
  usleep(30000);
  luaws_loop_interrupt(arg);
  return NULL;
}

static struct luaws_loop *signalled;
static void on_signal(int number) {
  luaws_loop_interrupt(signalled);
}

static void a_turn_can_be_interrupted(void **state) {
  struct luaws_loop *l;
  struct rings r = {0};
  struct luaws_error err = {0};
  assert_int_equal(luaws_loop_new(&l, NULL), 0);
  struct luaws_timer *t = luaws_timer_start(l, 5000, ring_a, &r);
  pthread_t thread;
  pthread_create(&thread, NULL, interrupt_later, l);
  assert_int_equal(luaws_loop_turn(l, -1, &err), LUAWS_E_CANCELLED);
  pthread_join(thread, NULL);
  luaws_loop_interrupt(l); /* before the turn */
  luaws_loop_interrupt(l);
  assert_int_equal(luaws_loop_turn(l, 1000, &err), LUAWS_E_CANCELLED);
  int64_t before = luaws_monotonic_ms();
  assert_int_equal(luaws_loop_turn(l, 20, &err), 0);
  assert_true(luaws_monotonic_ms() - before >= 20);
  signalled = l;
  signal(SIGUSR1, on_signal);
  raise(SIGUSR1);
  assert_int_equal(luaws_loop_turn(l, -1, &err),
                   LUAWS_E_CANCELLED); /* long before the timer */
  luaws_timer_cancel(t);
  luaws_error_clear(&err);
  luaws_loop_free(l);
}

static void a_host_can_poll_the_loops_descriptor(void **state) {
  struct tiny_server s;
  struct client c;
  tiny_server_start(&s, serve_ok, NULL);
  client_start(&c, (struct luaws_pool_options){.verify = true});
  client_request(&c, "GET", "http", s.port, "/");
  assert_int_equal(
      luaws_exchange_start(c.pool, &c.request, &c.options, &c.exchange, &c.err), 0);
  int rounds = 0;
  while (!c.done) {
    struct pollfd p = {.fd = luaws_loop_fd(c.loop), .events = POLLIN};
    poll(&p, 1, luaws_loop_timeout_ms(c.loop));
    assert_true(luaws_loop_turn(c.loop, 0, NULL) >= 0);
    assert_true(++rounds < 50);
  }
  assert_int_equal(luaws_exchange_result(c.exchange, &c.response, &c.err), 0);
  client_stop(&c);
  tiny_server_stop(&s);
}

/* An idle connection that its server closes is noticed once, and does not keep the loop
   awake. */
static void a_connection_closed_while_idle_does_not_keep_the_loop_awake(void **state) {
  struct tiny_server s;
  struct client c;
  tiny_server_start(&s, serve_text, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  client_start(&c, (struct luaws_pool_options){.verify = true});
  for (int i = 0; i < 3; i++) {
    client_request(&c, "GET", "http", s.port, "/");
    assert_int_equal(client_send(&c), 0);
    for (int k = 0; k < 1000 && s.open; k++)
      usleep(1000);
    assert_int_equal(luaws_loop_turn(c.loop, 0, NULL), 0);
    struct pollfd p = {.fd = luaws_loop_fd(c.loop), .events = POLLIN};
    assert_int_equal(poll(&p, 1, 0), 0);
  }
  client_stop(&c);
  tiny_server_stop(&s);
}

static void a_loop_may_go_before_its_pools_and_exchanges(void **state) {
  struct tiny_server s;
  struct client c;
  tiny_server_start(&s, serve_big, NULL);
  client_start(&c, (struct luaws_pool_options){.verify = true});
  c.options.stream = true;
  client_request(&c, "GET", "http", s.port, "/");
  assert_int_equal(client_send(&c), 0);
  luaws_loop_free(c.loop);
  c.loop = NULL;
  char some[300000];
  ptrdiff_t n;
  while ((n = luaws_exchange_read(c.exchange, some, sizeof some, &c.err)) > 0) {
  }
  assert_int_equal(n, LUAWS_E_CANCELLED);
  client_stop(&c);
  tiny_server_stop(&s);
}

/* ---- many at once ---- */

static void serve_slowly(struct tiny_server *s, int fd, int nth) {
  while (tiny_read(s, fd)) {
    usleep(20000);
    tiny_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  }
}

static void exchanges_past_the_limit_wait_their_turn(void **state) {
  enum { COUNT = 40 };
  struct tiny_server s;
  struct client c;
  struct luaws_exchange *x[COUNT];
  tiny_server_start(&s, serve_slowly, NULL);
  client_start(&c, (struct luaws_pool_options){.verify = true, .max_connections = 8});
  client_request(&c, "GET", "http", s.port, "/");
  for (int i = 0; i < COUNT; i++)
    assert_int_equal(luaws_exchange_start(c.pool, &c.request, &c.options, &x[i], &c.err),
                     0);
  luaws_exchange_free(x[COUNT - 1]); /* one that still waits */
  luaws_exchange_free(x[0]);         /* and one that runs */
  while (c.done < COUNT - 2)
    assert_true(luaws_loop_turn(c.loop, 1000, NULL) > 0);
  assert_in_range(s.connections, 8, 9);
  for (int i = 1; i < COUNT - 1; i++) {
    assert_int_equal(luaws_exchange_result(x[i], &c.response, &c.err), 0);
    assert_str(c.response->body, "ok");
    luaws_exchange_free(x[i]);
  }
  client_stop(&c);
  tiny_server_stop(&s);
}

static void closing_a_pool_cancels_what_is_under_way(void **state) {
  struct tiny_server s;
  struct client c;
  struct luaws_exchange *x[3];
  tiny_server_start(&s, serve_slowly, NULL);
  client_start(&c, (struct luaws_pool_options){.verify = true, .max_connections = 1});
  client_request(&c, "GET", "http", s.port, "/");
  for (int i = 0; i < 3; i++)
    assert_int_equal(luaws_exchange_start(c.pool, &c.request, &c.options, &x[i], &c.err),
                     0);
  luaws_loop_turn(c.loop, 5, NULL);
  luaws_pool_free(c.pool);
  c.pool = NULL;
  while (luaws_loop_busy(c.loop))
    luaws_loop_turn(c.loop, -1, NULL);
  assert_int_equal(c.done, 3);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(luaws_exchange_result(x[i], &c.response, &c.err), LUAWS_E_CANCELLED);
    luaws_exchange_free(x[i]);
  }
  client_stop(&c);
  tiny_server_stop(&s);
}

/* ---- a stream function may use the network itself ---- */

struct relay {
  struct client *from;
  bool fail;
};

static ptrdiff_t relay_read(void *owner, char *dst, size_t max, struct luaws_error *err) {
  struct relay *r = owner;
  for (;;) {
    ptrdiff_t n = luaws_exchange_read(r->from->exchange, dst, max, err);
    if (n != LUAWS_READ_AGAIN) return n;
    int rc = luaws_loop_turn(r->from->loop, 1000, err);
    if (rc < 0) return rc;
  }
}

static void a_body_can_be_another_exchanges_stream(void **state) {
  struct tiny_server from, to;
  struct client c, d;
  tiny_server_start(&from, serve_big, NULL);
  tiny_server_start(&to, serve_ok, NULL);
  client_start(&c, (struct luaws_pool_options){.verify = true});
  client_start(&d, (struct luaws_pool_options){.verify = true});
  /* Both on one loop and one pool. */
  struct luaws_loop *spare_loop = d.loop;
  struct luaws_pool *spare_pool = d.pool;
  d.loop = c.loop;
  d.pool = c.pool;
  c.options.stream = true;
  client_request(&c, "GET", "http", from.port, "/");
  assert_int_equal(client_send(&c), 0);
  struct relay r = {.from = &c};
  client_request(&d, "PUT", "http", to.port, "/");
  d.request.body = (struct luaws_stream){
      .kind = LUAWS_STREAM_FUNCTION, .read = relay_read, .owner = &r, .length = BIG};
  assert_int_equal(client_send(&d), 0);
  assert_str(d.response->body, "ok");
  assert_int_equal(to.body_len, BIG);
  char *text = pattern(BIG);
  assert_memory_equal(to.body, text, sizeof to.body - 1);
  free(text);
  luaws_exchange_free(d.exchange);
  d.exchange = NULL;
  d.loop = spare_loop;
  d.pool = spare_pool;
  client_stop(&d);
  client_stop(&c);
  tiny_server_stop(&from);
  tiny_server_stop(&to);
}

/* The exchange fails while its stream function turns the loop: the owner hears of it only
   after the function has returned. */
static ptrdiff_t read_while_failing(void *owner, char *dst, size_t max,
                                    struct luaws_error *err) {
  struct client *c = owner;
  luaws_pool_free(c->pool);
  c->pool = NULL;
  for (int i = 0; i < 3; i++)
    luaws_loop_turn(c->loop, 5, NULL);
  assert_int_equal(c->done, 0);
  memset(dst, 'x', max);
  return (ptrdiff_t)max;
}

static ptrdiff_t read_while_freed(void *owner, char *dst, size_t max,
                                  struct luaws_error *err) {
  struct client *c = owner;
  luaws_exchange_free(c->exchange);
  c->exchange = NULL;
  c->done = 100;
  memset(dst, 'x', max);
  return (ptrdiff_t)max;
}

static void an_exchange_may_end_while_its_stream_function_runs(void **state) {
  struct tiny_server s;
  struct client c;
  tiny_server_start(&s, serve_ok, NULL);
  client_start(&c, (struct luaws_pool_options){.verify = true});
  client_request(&c, "PUT", "http", s.port, "/");
  c.request.body = (struct luaws_stream){.kind = LUAWS_STREAM_FUNCTION,
                                         .owner = &c,
                                         .read = read_while_failing,
                                         .length = -1};
  assert_int_equal(client_send(&c), LUAWS_E_CANCELLED);
  client_stop(&c);

  client_start(&c, (struct luaws_pool_options){.verify = true});
  client_request(&c, "PUT", "http", s.port, "/");
  c.request.body = (struct luaws_stream){
      .kind = LUAWS_STREAM_FUNCTION, .owner = &c, .read = read_while_freed, .length = -1};
  assert_int_equal(
      luaws_exchange_start(c.pool, &c.request, &c.options, &c.exchange, &c.err), 0);
  while (luaws_loop_busy(c.loop))
    luaws_loop_turn(c.loop, -1, NULL);
  assert_int_equal(c.done, 100);
  client_stop(&c);
  tiny_server_stop(&s);
}

/* ---- nothing is left over ---- */

static int count_descriptors(void) {
  int count = 0;
  DIR *d = opendir("/proc/self/fd");
  while (readdir(d))
    count++;
  closedir(d);
  return count;
}

static void ten_thousand_requests_leave_no_descriptor(void **state) {
  struct tiny_server s;
  struct client c;
  tiny_server_start(&s, serve_ok, NULL);
  int before = count_descriptors();
  client_start(&c, (struct luaws_pool_options){.verify = true});
  for (int i = 0; i < 10000; i++) {
    if (i % 2500 == 2499) {
      client_stop(&c);
      client_start(&c, (struct luaws_pool_options){.verify = true});
    }
    client_request(&c, "POST", "http", s.port, "/");
    client_body(&c, "abc", 3);
    c.options.stream = i % 3 == 0;
    assert_int_equal(client_send(&c), 0);
  }
  client_stop(&c);
  for (int i = 0; i < 1000 && s.open; i++)
    usleep(1000);
  assert_int_equal(count_descriptors(), before);
  tiny_server_stop(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_stream_read_to_its_end_gives_its_connection_back),
      cmocka_unit_test(a_stream_freed_early_closes_its_connection),
      cmocka_unit_test(a_stream_that_nobody_reads_waits_with_bounded_memory),
      cmocka_unit_test(a_loop_that_rested_does_not_mistake_that_for_silence),
      cmocka_unit_test(reading_tells_how_a_stream_ended),
      cmocka_unit_test(a_stream_that_falls_silent_times_out),
      cmocka_unit_test(error_answers_are_gathered_when_only_successes_stream),
      cmocka_unit_test(asks_before_it_sends_a_body),
      cmocka_unit_test(hears_an_early_refusal_while_it_still_sends),
      cmocka_unit_test(timers_ring_in_their_order_and_may_cancel_each_other),
      cmocka_unit_test(many_timers_ring_sorted),
      cmocka_unit_test(a_turn_can_be_interrupted),
      cmocka_unit_test(a_host_can_poll_the_loops_descriptor),
      cmocka_unit_test(a_connection_closed_while_idle_does_not_keep_the_loop_awake),
      cmocka_unit_test(a_loop_may_go_before_its_pools_and_exchanges),
      cmocka_unit_test(exchanges_past_the_limit_wait_their_turn),
      cmocka_unit_test(closing_a_pool_cancels_what_is_under_way),
      cmocka_unit_test(a_body_can_be_another_exchanges_stream),
      cmocka_unit_test(an_exchange_may_end_while_its_stream_function_runs),
      cmocka_unit_test(ten_thousand_requests_leave_no_descriptor),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
