#include "http/duplex_inside.h"

#include <assert.h>
#include <stdlib.h>

/* ---- beginning ---- */

static void connected(void *arg, CURLcode code) {
  struct luaws_duplex *d = arg;
  if (d->finished) return;
  if (code != CURLE_OK) {
    luaws_duplex_fail(d, code, d->tunnel.message);
    return;
  }
  d->active_ms = d->loop->now_ms;
  if (!d->secure) luaws_duplex_begin(d);
  luaws_duplex_turn(d);
}

static void on_io(void *arg) {
  struct luaws_duplex *d = arg;
  if (!d->finished) luaws_duplex_turn(d);
}

static void on_loop_gone(void *arg) {
  luaws_duplex_cancel(arg, false);
}

static void on_silence(struct luaws_alarm *a) {
  struct luaws_duplex *d = LUAWS_CONTAINER(a, struct luaws_duplex, alarm);
  bool connecting = !d->session;
  int64_t now = d->loop->now_ms;
  int64_t timeout =
      connecting ? d->pool->options.connect_timeout_ms : d->pool->options.read_timeout_ms;
  if (now - d->active_ms < timeout) {
    luaws_alarm_set(d->loop, a, d->active_ms + timeout); /* it just left the heap */
  } else if (connecting || !d->head_done || d->pinged) {
    luaws_duplex_fail(d, CURLE_OPERATION_TIMEDOUT, NULL);
  } else {
    d->pinged = true;
    d->active_ms = now;
    luaws_alarm_set(d->loop, a, now + timeout);
    luaws_duplex_ping(d);
  }
}

static void run_due(struct luaws_ready *r);

static void join(struct luaws_pool *p, struct luaws_duplex *d) {
  d->pool = p;
  d->loop = p->loop;
  d->next = p->duplexes;
  if (d->next) d->next->prev = d;
  p->duplexes = d;
  d->loop->under_way++;
}

static void leave(struct luaws_duplex *d) {
  if (!d->pool) return;
  if (d->next) d->next->prev = d->prev;
  if (d->prev)
    d->prev->next = d->next;
  else
    d->pool->duplexes = d->next;
  d->prev = d->next = NULL;
  d->pool = NULL;
}

int luaws_duplex_start(struct luaws_pool *p, const struct luaws_request *request,
                       const struct luaws_duplex_options *o, struct luaws_duplex **out,
                       struct luaws_error *err) {
  assert(p->loop && request->body.kind == LUAWS_STREAM_NONE);
  int rc = luaws_request_check(request, err);
  if (rc == 0) rc = luaws_pool_open(p, err);
  if (rc) return rc;
  const struct luaws_nghttp2 *h2 = luaws_nghttp2(err);
  if (!h2) return LUAWS_E_CONFIG;
  struct luaws_duplex *d = calloc(1, sizeof *d);
  if (!d) return luaws_error_memory(err);
  d->h2 = h2;
  d->request = request;
  d->options = *o;
  d->ready.run = run_due;
  d->alarm.ring = on_silence;
  d->asked = true;
  d->secure = luaws_str_is(request->scheme, "https");
  d->tunnel.on_connected = connected;
  d->tunnel.on_io = on_io;
  d->tunnel.on_loop_gone = on_loop_gone;
  d->tunnel.arg = d;
  join(p, d);
  d->proxy = luaws_proxy_for(&p->proxies, request->scheme, request->host);
  d->active_ms = luaws_monotonic_ms();
  if (d->secure) rc = luaws_tls_open(&d->tls, p, request->host, err);
  if (rc == 0)
    rc = luaws_tunnel_open(&d->tunnel, p, d->proxy, d->secure, request->host, err);
  if (rc == 0 &&
      !luaws_alarm_set(d->loop, &d->alarm, d->active_ms + p->options.connect_timeout_ms))
    rc = luaws_error_memory(err);
  if (rc) {
    luaws_duplex_free(d);
    return rc;
  }
  *out = d;
  return 0;
}

/* ---- ending ---- */

void luaws_duplex_tell(struct luaws_duplex *d) {
  if (d->loop) luaws_ready_add(d->loop, &d->ready);
}

void luaws_duplex_finish(struct luaws_duplex *d) {
  if (d->finished) return;
  d->finished = true;
  luaws_alarm_stop(d->loop, &d->alarm);
  luaws_duplex_hang_up(d);
  d->loop->under_way--;
  if (!(d->head_done && d->response.status < 300))
    d->response.body = luaws_buf_str(&d->body);
  if (!d->done_told) d->done_due = true;
  d->progress_due = d->takes_due = true;
  luaws_duplex_tell(d);
}

void luaws_duplex_fail(struct luaws_duplex *d, CURLcode code, const char *message) {
  if (d->finished) return;
  struct luaws_failure f = {
      .request = d->request,
      .proxy = d->proxy,
      .requested = d->session != NULL,
      .curl = d->pool->curl,
      .easy = d->tunnel.easy,
      .message = message,
  };
  if (!d->err.code) luaws_failure_explain(&f, code, &d->err);
  luaws_duplex_finish(d);
}

void luaws_duplex_cancel(struct luaws_duplex *d, bool tell) {
  if (!d->finished) {
    luaws_error_set(&d->err, LUAWS_E_CANCELLED, "Cancelled", "the client was closed");
    luaws_duplex_finish(d);
  }
  if (!tell) {
    luaws_ready_remove(&d->ready);
    d->loop = NULL;
  }
  leave(d);
}

void luaws_duplex_free(struct luaws_duplex *d) {
  if (!d) return;
  if (!d->finished) {
    d->finished = true;
    luaws_alarm_stop(d->loop, &d->alarm);
    luaws_duplex_hang_up(d);
    d->loop->under_way--;
  }
  luaws_ready_remove(&d->ready);
  leave(d);
  luaws_arena_wipe(&d->arena);
  luaws_buf_wipe(&d->body);
  luaws_buf_wipe(&d->body_out);
  luaws_buf_wipe(&d->wire);
  luaws_error_clear(&d->err);
  free(d);
}

/* ---- what the owner hears ---- */

void luaws_duplex_head_done(struct luaws_duplex *d) {
  d->head_done = true;
  if (d->response.status >= 300) return; /* told once its body is whole */
  d->done_due = true;
  luaws_duplex_tell(d);
}

/* One thing at a time, because the owner may free d in any of them. */
static void run_due(struct luaws_ready *r) {
  struct luaws_duplex *d = LUAWS_CONTAINER(r, struct luaws_duplex, ready);
  bool *due = d->done_due       ? &d->done_due
              : d->progress_due ? &d->progress_due
              : d->takes_due    ? &d->takes_due
                                : NULL;
  if (!due) return;
  *due = false;
  void (*fn)(void *) = due == &d->done_due       ? d->options.done
                       : due == &d->progress_due ? d->options.progress
                                                 : d->options.takes;
  if (due == &d->done_due) d->done_told = true;
  if (d->done_due || d->progress_due || d->takes_due) luaws_duplex_tell(d);
  fn(fn == d->options.takes ? d->options.takes_arg : d->options.arg);
}

/* ---- what the owner asks ---- */

int luaws_duplex_result(struct luaws_duplex *d, const struct luaws_response **out,
                        struct luaws_error *err) {
  /* An answer that began well is one; reading it tells the rest. */
  if (d->err.code && !(d->head_done && d->response.status < 300))
    return luaws_error_set(err, d->err.code, d->err.kind, "%s",
                           luaws_error_message(&d->err));
  *out = &d->response;
  return 0;
}

ptrdiff_t luaws_duplex_read(struct luaws_duplex *d, char *dst, size_t max,
                            struct luaws_error *err) {
  size_t there = d->body.len - d->body_read;
  if (there == 0) {
    if (!d->finished) return LUAWS_READ_AGAIN;
    return d->err.code ? luaws_error_set(err, d->err.code, d->err.kind, "%s",
                                         luaws_error_message(&d->err))
                       : 0;
  }
  if (max > there) max = there;
  memcpy(dst, d->body.ptr + d->body_read, max);
  d->body_read += max;
  if (max == there) {
    d->body_read = 0;
    luaws_buf_truncate(&d->body, 0);
  }
  if (!d->finished) luaws_duplex_consume(d, max);
  return (ptrdiff_t)max;
}

static size_t unsent(const struct luaws_duplex *d) {
  return d->body_out.len - d->body_at;
}

bool luaws_duplex_is_over(const struct luaws_duplex *d) {
  return d->finished || d->body_ended || d->remote_ended ||
         (d->head_done && d->response.status >= 300);
}

bool luaws_duplex_takes(struct luaws_duplex *d) {
  bool takes = !luaws_duplex_is_over(d) && d->session &&
               unsent(d) < (d->asked ? LUAWS_DUPLEX_LOW_BYTES : LUAWS_DUPLEX_ROOM_BYTES);
  d->asked = !takes;
  return takes;
}

void luaws_duplex_ask(struct luaws_duplex *d) {
  d->asked = true;
  luaws_duplex_offer_room(d);
}

int luaws_duplex_write(struct luaws_duplex *d, struct luaws_str bytes,
                       struct luaws_error *err) {
  if (d->body_at) {
    size_t left = unsent(d);
    memmove(d->body_out.ptr, d->body_out.ptr + d->body_at, left);
    luaws_buf_truncate(&d->body_out, left);
    d->body_at = 0;
  }
  luaws_buf_append_str(&d->body_out, bytes);
  if (d->body_out.failed) return luaws_error_memory(err);
  luaws_duplex_resume(d);
  return 0;
}

void luaws_duplex_end(struct luaws_duplex *d) {
  if (d->body_ended) return;
  d->body_ended = true;
  if (!d->finished) luaws_duplex_resume(d);
}
