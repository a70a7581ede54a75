/* One request and its response.

   An exchange prepares everything that libcurl needs in its arena (prepare.c), waits for
   a slot, and is then told by libcurl's callbacks what happens. What its owner must hear
   is put on the loop's ready list. Stream functions, which may be a script's, are not
   called inside libcurl either: the read callback pauses the sending, the ready list asks
   the function for the next chunk, and the sending goes on. */
#include "http/pool.h"

#include "http/failure.h"

#include <assert.h>
#include <stdlib.h>

enum {
  MAX_HEADER_BYTES = 1 << 20,   /* of all headers of a response */
  MAX_SPARE = 64,               /* exchanges that wait in a pool to be used again, */
  MAX_SPARE_BYTES = 16 << 10,   /* each with a buffer of at most so much */
  RESERVE_MAX_BYTES = 16 << 20, /* believed of a Content-Length beforehand */
};
#define DEFAULT_MAX_BODY_BYTES (UINT64_C(2) << 30)

static void tell(struct luaws_ready *r);
static void on_silence(struct luaws_alarm *a);

int luaws_exchange_start(struct luaws_pool *p, const struct luaws_request *request,
                         const struct luaws_exchange_options *o,
                         struct luaws_exchange **out, struct luaws_error *err) {
  assert(p->loop);
  int rc = luaws_request_check(request, err);
  if (rc == 0) rc = luaws_pool_open(p, err);
  if (rc) return rc;
  struct luaws_exchange *x = p->spare;
  if (x) {
    p->spare = x->next;
    p->spare_count--;
    x->next = NULL;
  } else if (!(x = calloc(1, sizeof *x))) {
    return luaws_error_memory(err);
  }
  x->pool = p;
  x->loop = p->loop;
  x->request = request;
  x->options = *o;
  if (!x->options.max_body_bytes) x->options.max_body_bytes = DEFAULT_MAX_BODY_BYTES;
  x->ready.run = tell;
  x->alarm.ring = on_silence;
  x->body_expected = -1;
  x->body.wipes = o->secret;
  x->proxy = luaws_proxy_for(&p->proxies, request->scheme, request->host);
  x->next = p->exchanges;
  if (x->next) x->next->prev = x;
  p->exchanges = x;
  x->loop->under_way++;

  if (!luaws_exchange_build(x)) {
    luaws_exchange_free(x);
    return luaws_error_memory(err);
  }
  luaws_pool_enqueue(p, x);
  *out = x;
  return 0;
}

/* ---- ending ---- */

static void end(struct luaws_exchange *x) {
  x->finished = true;
  luaws_alarm_stop(x->loop, &x->alarm);
  luaws_when_ready_cancel(x->more);
  x->more = NULL;
  luaws_pool_withdraw(x->pool, x);
  x->loop->under_way--;
}

void luaws_exchange_finish(struct luaws_exchange *x) {
  if (x->finished) return;
  end(x);
  if (!x->streamed) x->response.body = luaws_buf_str(&x->body);
  if (!x->done_told) x->done_due = true;
  if (x->streamed) x->progress_due = true;
  /* While its stream function runs, what follows from this waits for its return. */
  if (!x->filling) luaws_ready_add(x->loop, &x->ready);
}

void luaws_exchange_failed(struct luaws_exchange *x, CURLcode code) {
  if (x->err.code) return; /* a callback of ours knows better */
  if (code == CURLE_PARTIAL_FILE && x->streamed && x->body_expected >= 0) {
    luaws_error_set(&x->err, LUAWS_E_CLOSED, "IncompleteReadError",
                    "%llu read, but total bytes expected is %lld.",
                    (unsigned long long)x->body_received, (long long)x->body_expected);
    return;
  }
  struct luaws_failure f = {.request = x->request,
                            .proxy = x->proxy,
                            .requested = x->requested,
                            .awaits_head = x->requested && !x->head_done,
                            .curl = x->pool->curl,
                            .easy = x->slot ? x->slot->easy : NULL,
                            .message = x->slot ? x->slot->message : NULL};
  luaws_failure_explain(&f, code, &x->err);
}

static void end_in_failure(struct luaws_exchange *x, CURLcode code) {
  if (x->finished) return;
  luaws_exchange_failed(x, code);
  luaws_exchange_finish(x);
}

/* Nothing moved since active_ms. A body that is not being read, or a request whose own
   source is slow, is not the server's silence. */
static void on_silence(struct luaws_alarm *a) {
  struct luaws_exchange *x = LUAWS_CONTAINER(a, struct luaws_exchange, alarm);
  int64_t now = x->loop->now_ms, timeout = x->pool->options.read_timeout_ms;
  if (x->recv_paused || x->send_paused) x->active_ms = now;
  if (now - x->active_ms < timeout) {
    luaws_alarm_set(x->loop, a, x->active_ms + timeout); /* it just left the heap */
    return;
  }
  end_in_failure(x, CURLE_OPERATION_TIMEDOUT);
}

/* Leaves of x only memory that the next exchange can use. Signatures and tokens are among
   the headers, and credentials come in small bodies. */
static void clean(struct luaws_exchange *x) {
  for (struct curl_slist *line = x->headers; line; line = line->next)
    luaws_wipe(line->data, strlen(line->data));
  if (x->body.cap <= LUAWS_MAX_WIPED_BYTES) luaws_wipe(x->body.ptr, x->body.cap);
  if (x->body.cap > MAX_SPARE_BYTES) luaws_buf_clear(&x->body);
  luaws_buf_reset(&x->body);
  luaws_arena_reset(&x->arena);
  luaws_error_clear(&x->err);
  luaws_stream_release(&x->orphan);
  free(x->fill);
  *x = (struct luaws_exchange){.arena = x->arena, .body = x->body};
}

void luaws_exchange_free(struct luaws_exchange *x) {
  if (!x) return;
  if (x->filling) { /* by its body's function, which is therefore kept until it returns */
    struct luaws_stream *body = (struct luaws_stream *)&x->request->body;
    x->free_later = true;
    x->orphan = *body;
    *body = (struct luaws_stream){0};
    return;
  }
  if (!x->finished) end(x);
  luaws_ready_remove(&x->ready);
  if (x->pool) {
    if (x->next) x->next->prev = x->prev;
    if (x->prev) {
      x->prev->next = x->next;
    } else {
      x->pool->exchanges = x->next;
    }
  }
  struct luaws_pool *p = x->pool;
  clean(x);
  if (p && !p->closing && p->spare_count < MAX_SPARE) {
    x->next = p->spare;
    p->spare = x;
    p->spare_count++;
  } else {
    luaws_exchange_destroy(x);
  }
}

void luaws_exchange_destroy(struct luaws_exchange *x) {
  luaws_arena_clear(&x->arena);
  luaws_buf_clear(&x->body);
  free(x);
}

/* ---- what libcurl tells ---- */

/* libcurl begins again when a kept connection turns out to be dead, and has then lost
   what it had read of the body and not sent (7.88.1): the peer would wait for it for
   ever. The retry that follows our refusal sends a whole request. */
int luaws_exchange_on_request(void *arg, char *ip, char *local_ip, int port,
                              int local_port) {
  struct luaws_exchange *x = ((struct luaws_slot *)arg)->exchange;
  if (x->requested && x->sent > 0) {
    luaws_exchange_failed(x, CURLE_SEND_ERROR);
    return CURL_PREREQFUNC_ABORT;
  }
  x->requested = true;
  x->active_ms = x->loop->now_ms;
  if (luaws_alarm_set(x->loop, &x->alarm,
                      x->active_ms + x->pool->options.read_timeout_ms))
    return CURL_PREREQFUNC_OK;
  luaws_error_memory(&x->err);
  return CURL_PREREQFUNC_ABORT;
}

static struct luaws_header *find_header(struct luaws_exchange *x, struct luaws_str name) {
  struct luaws_headers *h = &x->response.headers;
  for (size_t i = 0; i < h->count; i++) {
    if (luaws_str_eq(h->items[i].name, name)) return &h->items[i];
  }
  return NULL;
}

/* Repeated headers become one, joined as urllib3 shows them. There may be thousands of
   one name: the room for its value doubles. */
static bool append_value(struct luaws_exchange *x, struct luaws_header *h,
                         struct luaws_str between, struct luaws_str more) {
  size_t len = h->value.len + between.len + more.len;
  size_t *room = &x->value_rooms[h - x->response.headers.items];
  if (len >= *room) {
    char *p = luaws_arena_alloc(&x->arena, 2 * len + 1);
    if (!p) return false;
    memcpy(p, h->value.ptr, h->value.len);
    h->value.ptr = p;
    *room = 2 * len + 1;
  }
  char *end = (char *)h->value.ptr + h->value.len;
  memcpy(end, between.ptr, between.len);
  memcpy(end + between.len, more.ptr, more.len);
  end[between.len + more.len] = 0;
  h->value.len = len;
  return true;
}

static bool reserve_header(struct luaws_exchange *x) {
  struct luaws_headers *h = &x->response.headers;
  if (h->count < x->header_cap) return true;
  size_t cap = x->header_cap ? x->header_cap * 2 : 16;
  struct luaws_header *items = luaws_arena_alloc(&x->arena, cap * sizeof *items);
  size_t *rooms = luaws_arena_alloc(&x->arena, cap * sizeof *rooms);
  if (!items || !rooms) return false;
  if (h->count) {
    memcpy(items, h->items, h->count * sizeof *items);
    memcpy(rooms, x->value_rooms, h->count * sizeof *rooms);
  }
  h->items = items;
  x->value_rooms = rooms;
  x->header_cap = cap;
  return true;
}

static bool add_response_header(struct luaws_exchange *x, struct luaws_str line) {
  struct luaws_headers *h = &x->response.headers;
  ptrdiff_t colon = luaws_str_find(line, ':');
  if (colon <= 0) return true; /* not a header; as urllib3, go on */
  line = luaws_arena_str(&x->arena, line);
  if (!line.ptr) return false;
  struct luaws_str name = luaws_str_trim(luaws_str_sub(line, 0, (size_t)colon));
  struct luaws_str value =
      luaws_str_trim(luaws_str_sub(line, (size_t)colon + 1, line.len));
  for (char *p = (char *)name.ptr; p < name.ptr + name.len; p++) {
    if (*p >= 'A' && *p <= 'Z') *p |= 0x20;
  }
  struct luaws_header *old = find_header(x, name);
  if (old) return append_value(x, old, LUAWS_STR(", "), value);
  if (!reserve_header(x)) return false;
  x->value_rooms[h->count] = 0; /* it stands in its line */
  h->items[h->count++] = (struct luaws_header){name, value};
  return true;
}

static void begin_head(struct luaws_exchange *x, struct luaws_str line) {
  ptrdiff_t space = luaws_str_find(line, ' ');
  struct luaws_str digits = luaws_str_sub(line, (size_t)space + 1, 3);
  int64_t status = 0;
  if (space > 0) luaws_str_to_int64(digits, &status);
  x->response.status = (int)status;
  x->response.headers.count = 0;
  x->response.headers.arena = &x->arena;
}

static void end_head(struct luaws_exchange *x) {
  int status = x->response.status;
  if (status < 200) return; /* informational: another head follows */
  x->head_done = true;
  if (x->expects && x->sent == 0) luaws_slot_forbid_reuse(x->pool, x->slot, true);
  x->streamed = x->options.stream && !(x->options.stream_only_2xx && status >= 300);
  const struct luaws_header *length = find_header(x, LUAWS_STR("content-length"));
  if (length && !luaws_str_to_int64(length->value, &x->body_expected))
    x->body_expected = -1;
  if (x->streamed) {
    x->done_due = true;
    luaws_ready_add(x->loop, &x->ready);
  } else if (x->body_expected > 0 && x->mode != LUAWS_SEND_HEAD) {
    int64_t size =
        x->body_expected < RESERVE_MAX_BYTES ? x->body_expected : RESERVE_MAX_BYTES;
    if ((uint64_t)size <= x->options.max_body_bytes)
      luaws_buf_reserve(&x->body, (size_t)size);
    x->body.failed = false; /* it was a wish */
  }
}

size_t luaws_exchange_on_header(char *ptr, size_t size, size_t count, void *arg) {
  struct luaws_exchange *x = ((struct luaws_slot *)arg)->exchange;
  struct luaws_str line = {ptr, size * count};
  x->active_ms = x->loop->now_ms;
  if (x->head_done) return line.len; /* trailers */
  x->header_bytes += line.len;
  if (x->header_bytes > MAX_HEADER_BYTES) {
    luaws_error_set(&x->err, LUAWS_E_HTTP, "HTTPClientError",
                    "An HTTP Client raised an unhandled exception: the headers are "
                    "larger than %d bytes",
                    MAX_HEADER_BYTES);
    return 0;
  }
  bool folded = line.len && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
  struct luaws_str text = luaws_str_trim(line);
  bool ok = true;
  if (text.len == 0) {
    end_head(x);
  } else if (folded) {
    struct luaws_headers *h = &x->response.headers;
    if (h->count) ok = append_value(x, &h->items[h->count - 1], LUAWS_STR(" "), text);
  } else if (luaws_str_starts(text, LUAWS_STR("HTTP/"))) {
    begin_head(x, text);
  } else {
    ok = add_response_header(x, line);
  }
  if (ok) return line.len;
  luaws_error_memory(&x->err);
  return 0;
}

size_t luaws_exchange_on_body(char *data, size_t size, size_t count, void *arg) {
  struct luaws_exchange *x = ((struct luaws_slot *)arg)->exchange;
  size_t len = size * count;
  x->active_ms = x->loop->now_ms;
  if (x->streamed) {
    size_t there = x->body.len - x->body_read;
    if (there && there + len > LUAWS_STREAM_HIGH_BYTES) {
      x->recv_paused = true;
      return CURL_WRITEFUNC_PAUSE;
    }
    if (x->body_read && x->body.cap - x->body.len <= len) {
      memmove(x->body.ptr, x->body.ptr + x->body_read, there);
      luaws_buf_truncate(&x->body, there);
      x->body_read = 0;
    }
    x->progress_due = true;
    luaws_ready_add(x->loop, &x->ready);
  } else if (x->body_received + len > x->options.max_body_bytes) {
    luaws_error_set(&x->err, LUAWS_E_LIMIT, "HTTPClientError",
                    "An HTTP Client raised an unhandled exception: the response is "
                    "larger than %llu bytes",
                    (unsigned long long)x->options.max_body_bytes);
    return 0;
  }
  luaws_buf_append(&x->body, data, len);
  if (x->body.failed) {
    luaws_error_memory(&x->err);
    return 0;
  }
  x->body_received += len;
  return len;
}

/* ---- the request's body ---- */

static size_t give_filled(struct luaws_exchange *x, char *dst, size_t max) {
  size_t there = x->fill_len - x->fill_at;
  if (there == 0) {
    if (x->fill_ended) return 0;
    x->fill_due = x->send_paused = true;
    luaws_ready_add(x->loop, &x->ready);
    return CURL_READFUNC_PAUSE;
  }
  if (there < max) max = there;
  memcpy(dst, x->fill + x->fill_at, max);
  x->fill_at += max;
  x->sent += (int64_t)max;
  return max;
}

size_t luaws_exchange_on_read(char *dst, size_t size, size_t count, void *arg) {
  struct luaws_exchange *x = ((struct luaws_slot *)arg)->exchange;
  x->active_ms = x->loop->now_ms;
  if (x->expects && x->response.status == 0 && x->sent == 0)
    luaws_pool_note_silence(x->pool, x->request->host);
  const struct luaws_stream *body = &x->request->body;
  if (body->kind == LUAWS_STREAM_FUNCTION && !body->direct)
    return give_filled(x, dst, size * count);
  ptrdiff_t n = luaws_stream_read(body, &x->sent, dst, size * count, &x->err);
  return n < 0 ? CURL_READFUNC_ABORT : (size_t)n;
}

/* As in on_request: libcurl does not begin again with a body that was read from. */
int luaws_exchange_on_seek(void *arg, curl_off_t offset, int origin) {
  struct luaws_exchange *x = ((struct luaws_slot *)arg)->exchange;
  return origin == SEEK_SET && offset == 0 && x->sent == 0 ? CURL_SEEKFUNC_OK
                                                           : CURL_SEEKFUNC_FAIL;
}

static void go_on(struct luaws_exchange *x) {
  int bits =
      (x->recv_paused ? CURLPAUSE_RECV : 0) | (x->send_paused ? CURLPAUSE_SEND : 0);
  x->active_ms = x->loop->now_ms = luaws_monotonic_ms(); /* outside a pass */
  CURLcode code = x->pool->curl->easy_pause(x->slot->easy, bits);
  if (code != CURLE_OK) end_in_failure(x, code);
}

static void on_more(void *arg) {
  struct luaws_exchange *x = arg;
  x->more = NULL;
  x->fill_due = true;
  luaws_ready_add(x->loop, &x->ready);
}

/* Asks the stream function for more, now or when it may have some: 0, LUAWS_READ_AGAIN,
   or why there is none. Anything may happen to x meanwhile but its memory stays. */
static int fill(struct luaws_exchange *x, struct luaws_error *err) {
  if (!x->fill && !(x->fill = malloc(LUAWS_FILL_BYTES))) return luaws_error_memory(err);
  /* With a Content-Length of the request's own, no more than that many bytes fit. */
  size_t max = LUAWS_FILL_BYTES;
  if (x->body_length >= 0 && x->body_length - x->fill_end < (int64_t)max)
    max = (size_t)(x->body_length - x->fill_end);
  ptrdiff_t n =
      max ? luaws_stream_take(&x->request->body, &x->fill_end, x->fill, max, err) : 0;
  if (n < 0) return (int)n;
  x->fill_at = 0;
  x->fill_len = (size_t)n;
  if (n == 0) {
    x->fill_ended = true;
    if (x->body_length > x->fill_end)
      return luaws_error_set(err, LUAWS_E_IO, "IOError",
                             "the body ended after %lld of %lld bytes",
                             (long long)x->fill_end, (long long)x->body_length);
  }
  return 0;
}

static void run_fill(struct luaws_exchange *x) {
  struct luaws_error err = {0};
  x->filling = true;
  int rc = fill(x, &err);
  x->filling = false;
  if (rc == LUAWS_READ_AGAIN && !x->free_later && !x->finished) {
    x->more = luaws_when_ready(x->loop, x->request->body.fd, false, on_more, x, &err);
    if (x->more) return;
    rc = err.code;
  }
  if (x->free_later) {
    luaws_exchange_free(x);
  } else if (x->finished) { /* it failed meanwhile, and could not tell */
    if (x->loop) luaws_ready_add(x->loop, &x->ready);
  } else if (rc) {
    luaws_error_move(&x->err, &err);
    luaws_exchange_finish(x);
  } else {
    x->send_paused = false;
    go_on(x);
  }
  luaws_error_clear(&err);
}

/* ---- what the owner hears and asks ---- */

/* One thing at a time, because the owner may free x in any of them. */
static void tell(struct luaws_ready *r) {
  struct luaws_exchange *x = LUAWS_CONTAINER(r, struct luaws_exchange, ready);
  if (x->done_due) {
    x->done_due = false;
    x->done_told = true;
    if (x->fill_due || (x->progress_due && x->options.progress))
      luaws_ready_add(x->loop, &x->ready);
    x->options.done(x->options.arg);
  } else if (x->fill_due) {
    x->fill_due = false;
    if (x->progress_due && x->options.progress) luaws_ready_add(x->loop, &x->ready);
    /* libcurl asks again when it begins anew on another connection. */
    if (!x->finished && !x->more) run_fill(x);
  } else if (x->progress_due) {
    x->progress_due = false;
    if (x->options.progress) x->options.progress(x->options.arg);
  }
}

bool luaws_exchange_has_read_body(const struct luaws_exchange *x) {
  return x->sent > 0 || x->fill_end > 0;
}

int luaws_exchange_result(struct luaws_exchange *x, const struct luaws_response **out,
                          struct luaws_error *err) {
  assert(x->finished || x->streamed);
  /* A streamed response that began well is a response; reading it tells the rest. */
  if (x->err.code && !(x->streamed && x->head_done)) {
    return luaws_error_set(err, x->err.code, x->err.kind, "%s",
                           luaws_error_message(&x->err));
  }
  *out = &x->response;
  return 0;
}

ptrdiff_t luaws_exchange_peek(struct luaws_exchange *x, const char **out,
                              struct luaws_error *err) {
  size_t there = x->body.len - x->body_read;
  *out = there ? x->body.ptr + x->body_read : NULL;
  if (there) return (ptrdiff_t)there;
  if (!x->finished) return LUAWS_READ_AGAIN;
  if (x->err.code)
    return luaws_error_set(err, x->err.code, x->err.kind, "%s",
                           luaws_error_message(&x->err));
  return 0;
}

void luaws_exchange_skip(struct luaws_exchange *x, size_t used) {
  x->body_read += used;
  size_t there = x->body.len - x->body_read;
  if (there == 0 && x->streamed) {
    x->body_read = 0;
    luaws_buf_truncate(&x->body, 0);
  }
  if (x->recv_paused && there <= LUAWS_STREAM_LOW_BYTES) {
    x->recv_paused = false;
    if (!x->finished) go_on(x);
  }
}

ptrdiff_t luaws_exchange_read(struct luaws_exchange *x, char *dst, size_t max,
                              struct luaws_error *err) {
  const char *from;
  ptrdiff_t there = luaws_exchange_peek(x, &from, err);
  if (there <= 0) return there;
  if (max > (size_t)there) max = (size_t)there;
  memcpy(dst, from, max);
  luaws_exchange_skip(x, max);
  return (ptrdiff_t)max;
}
