#include "http/duplex_inside.h"

enum {
  WIRE_BYTES = 64 * 1024, /* of frames that the connection did not take yet */
  READ_BYTES = 16 * 1024,
  MAX_ERROR_BYTES = 16 * 1024 * 1024, /* of an answer that is gathered */
};

/* ---- what nghttp2 tells ---- */

static int on_begin_headers(nghttp2_session *s, const nghttp2_frame *frame, void *arg) {
  struct luaws_duplex *d = arg;
  if (d->head_done) return 0; /* trailers */
  d->response = (struct luaws_response){.headers.arena = &d->arena};
  return 0;
}

/* Repeated headers become one, joined as urllib3 shows them. */
static bool add_header(struct luaws_duplex *d, struct luaws_str name,
                       struct luaws_str value) {
  struct luaws_headers *h = &d->response.headers;
  const struct luaws_str *old = luaws_headers_get(h, name);
  if (!old) return luaws_headers_add(h, name, value);
  struct luaws_buf joined = {0};
  luaws_buf_append_str(&joined, *old);
  luaws_buf_append_cstr(&joined, ", ");
  luaws_buf_append_str(&joined, value);
  bool ok = !joined.failed && luaws_headers_set(h, name, luaws_buf_str(&joined));
  luaws_buf_clear(&joined);
  return ok;
}

static int on_header(nghttp2_session *s, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len,
                     uint8_t flags, void *arg) {
  struct luaws_duplex *d = arg;
  struct luaws_str n = {(const char *)name, name_len};
  struct luaws_str v = {(const char *)value, value_len};
  if (d->head_done) return 0;
  if (luaws_str_is(n, ":status")) {
    int64_t status = 0;
    luaws_str_to_int64(v, &status);
    d->response.status = (int)status;
    return 0;
  }
  if (add_header(d, n, v)) return 0;
  luaws_error_memory(&d->err);
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_data(nghttp2_session *s, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t len, void *arg) {
  struct luaws_duplex *d = arg;
  bool streamed = d->head_done && d->response.status < 300;
  if (d->body_read && d->body.cap - d->body.len <= len) {
    size_t left = d->body.len - d->body_read;
    memmove(d->body.ptr, d->body.ptr + d->body_read, left);
    luaws_buf_truncate(&d->body, left);
    d->body_read = 0;
  }
  luaws_buf_append(&d->body, data, len);
  if (d->body.failed) {
    luaws_error_memory(&d->err);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }
  if (streamed) {
    d->progress_due = true;
    luaws_duplex_tell(d);
  } else if (d->body.len > MAX_ERROR_BYTES) {
    luaws_error_set(&d->err, LUAWS_E_LIMIT, "HTTPClientError",
                    "An HTTP Client raised an unhandled exception: the response is "
                    "larger than %d bytes",
                    MAX_ERROR_BYTES);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  } else {
    d->h2->session_consume(s, stream, len);
  }
  return 0;
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *frame, void *arg) {
  struct luaws_duplex *d = arg;
  if (frame->hd.stream_id != d->stream) return 0;
  if (frame->hd.type == NGHTTP2_HEADERS && !d->head_done && d->response.status >= 200)
    luaws_duplex_head_done(d);
  bool ends = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
  if (ends && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) d->remote_ended = true;
  return 0;
}

static int on_close(nghttp2_session *s, int32_t stream, uint32_t code, void *arg) {
  struct luaws_duplex *d = arg;
  if (stream != d->stream || d->remote_ended || d->err.code) return 0;
  luaws_error_set(&d->err, LUAWS_E_CLOSED, "ConnectionClosedError",
                  "Connection was closed before we received a valid response from "
                  "endpoint URL: \"%.*s://%.*s%.*s\": the server reset the stream (%s).",
                  LUAWS_STR_ARG(d->request->scheme), LUAWS_STR_ARG(d->request->host),
                  LUAWS_STR_ARG(d->request->path), d->h2->http2_strerror(code));
  return 0;
}

/* The body's next bytes, for a frame. */
static ssize_t give_body(nghttp2_session *s, int32_t stream, uint8_t *dst, size_t max,
                         uint32_t *flags, nghttp2_data_source *source, void *arg) {
  struct luaws_duplex *d = arg;
  size_t there = d->body_out.len - d->body_at;
  if (there > max) there = max;
  if (there) memcpy(dst, d->body_out.ptr + d->body_at, there);
  d->body_at += there;
  if (d->body_at == d->body_out.len) {
    d->body_at = 0;
    luaws_buf_reset(&d->body_out);
    if (d->body_ended) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (there == 0) {
      d->waits_for_body = true;
      return NGHTTP2_ERR_DEFERRED;
    }
  }
  return (ssize_t)there;
}

/* ---- the request ---- */

static nghttp2_nv pair(struct luaws_str name, struct luaws_str value) {
  return (nghttp2_nv){.name = (uint8_t *)(size_t)name.ptr,
                      .namelen = name.len,
                      .value = (uint8_t *)(size_t)(value.ptr ? value.ptr : ""),
                      .valuelen = value.len};
}

/* What HTTP/2 says in other ways (RFC 9113, 8.2.2). */
static bool is_dropped(struct luaws_str name) {
  static const char *const names[] = {"host",       "connection",        "content-length",
                                      "keep-alive", "transfer-encoding", "upgrade",
                                      "expect",     "proxy-connection"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (luaws_str_eq_nocase(name, luaws_str_from(names[i]))) return true;
  }
  return false;
}

static struct luaws_str lower_case(struct luaws_duplex *d, struct luaws_str name) {
  name = luaws_arena_str(&d->arena, name);
  for (size_t i = 0; i < name.len; i++) {
    char *c = (char *)(size_t)name.ptr + i;
    if (*c >= 'A' && *c <= 'Z') *c |= 0x20;
  }
  return name;
}

static struct luaws_str path_of(struct luaws_duplex *d) {
  const struct luaws_request *r = d->request;
  if (!r->query.len) return r->path;
  struct luaws_buf path = {0};
  luaws_buf_append_str(&path, r->path);
  luaws_buf_append_char(&path, '?');
  luaws_buf_append_str(&path, r->query);
  struct luaws_str kept =
      path.failed ? LUAWS_STR_NONE : luaws_arena_str(&d->arena, luaws_buf_str(&path));
  luaws_buf_clear(&path);
  return kept;
}

static bool submit(struct luaws_duplex *d) {
  const struct luaws_request *r = d->request;
  nghttp2_nv *fields =
      luaws_arena_alloc(&d->arena, (r->headers.count + 4) * sizeof *fields);
  struct luaws_str path = path_of(d);
  size_t count = 0;
  if (!fields || !path.ptr) return false;
  fields[count++] = pair(LUAWS_STR(":method"), r->method);
  fields[count++] = pair(LUAWS_STR(":scheme"), r->scheme);
  fields[count++] = pair(LUAWS_STR(":authority"), r->host);
  fields[count++] = pair(LUAWS_STR(":path"), path);
  for (size_t i = 0; i < r->headers.count; i++) {
    const struct luaws_header *h = &r->headers.items[i];
    if (is_dropped(h->name)) continue;
    struct luaws_str name = lower_case(d, h->name);
    if (!name.ptr) return false;
    fields[count++] = pair(name, h->value);
  }
  nghttp2_data_provider body = {.read_callback = give_body};
  d->stream = d->h2->submit_request(d->session, NULL, fields, count, &body, NULL);
  return d->stream > 0;
}

static bool make_session(struct luaws_duplex *d) {
  const struct luaws_nghttp2 *h2 = d->h2;
  nghttp2_session_callbacks *callbacks = NULL;
  nghttp2_option *option = NULL;
  if (h2->session_callbacks_new(&callbacks) == 0 && h2->option_new(&option) == 0) {
    h2->session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    h2->session_callbacks_set_on_header_callback(callbacks, on_header);
    h2->session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    h2->session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    h2->session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    /* The window opens again as the owner reads. */
    h2->option_set_no_auto_window_update(option, 1);
    if (h2->session_client_new2(&d->session, callbacks, d, option)) d->session = NULL;
  }
  if (callbacks) h2->session_callbacks_del(callbacks);
  if (option) h2->option_del(option);
  if (!d->session) return false;
  nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, LUAWS_DUPLEX_WINDOW_BYTES},
  };
  return h2->submit_settings(d->session, NGHTTP2_FLAG_NONE, settings,
                             sizeof settings / sizeof *settings) == 0 &&
         h2->session_set_local_window_size(d->session, NGHTTP2_FLAG_NONE, 0,
                                           LUAWS_DUPLEX_WINDOW_BYTES) == 0;
}

void luaws_duplex_begin(struct luaws_duplex *d) {
  if (!make_session(d) || !submit(d)) {
    luaws_error_memory(&d->err);
    luaws_duplex_finish(d);
    return;
  }
  luaws_alarm_set(d->loop, &d->alarm, d->active_ms + d->pool->options.read_timeout_ms);
}

/* ---- sending ---- */

/* More bytes for the wire, of the handshake or of frames; false when there are none. */
static bool fill_wire(struct luaws_duplex *d) {
  luaws_buf_reset(&d->wire);
  d->wire_at = 0;
  while (d->session && d->wire.len < WIRE_BYTES) {
    const uint8_t *frames;
    ssize_t n = d->h2->session_mem_send(d->session, &frames);
    if (n <= 0) break;
    if (!d->secure) {
      luaws_buf_append(&d->wire, frames, (size_t)n);
    } else if (luaws_tls_write(&d->tls, frames, (size_t)n)) {
      luaws_tls_drain(&d->tls, &d->wire);
    } else {
      break;
    }
  }
  if (d->secure) luaws_tls_drain(&d->tls, &d->wire);
  return d->wire.len > 0;
}

/* Sends until the connection takes no more: false when it is broken. */
static bool send_wire(struct luaws_duplex *d) {
  for (;;) {
    if (d->wire_at == d->wire.len && !fill_wire(d)) break;
    ptrdiff_t n =
        luaws_tunnel_send(&d->tunnel, d->wire.ptr + d->wire_at, d->wire.len - d->wire_at);
    if (n == LUAWS_READ_AGAIN) break;
    if (n < 0) return false;
    d->wire_at += (size_t)n;
    if (!d->head_done) d->active_ms = d->loop->now_ms;
  }
  return true;
}

void luaws_duplex_offer_room(struct luaws_duplex *d) {
  bool room = d->session && d->body_out.len - d->body_at < LUAWS_DUPLEX_LOW_BYTES;
  if (!d->asked || d->body_ended || !(room || luaws_duplex_is_over(d))) return;
  d->takes_due = true;
  luaws_duplex_tell(d);
}

static void receive(struct luaws_duplex *d);

void luaws_duplex_flush(struct luaws_duplex *d) {
  if (d->tunnel.fd < 0) return;
  if (!send_wire(d)) {
    receive(d); /* the server may have said why */
    luaws_duplex_fail(d, CURLE_SEND_ERROR, NULL);
    return;
  }
  bool left = d->wire_at < d->wire.len;
  luaws_tunnel_watch(&d->tunnel, LUAWS_WATCH_IN | (left ? LUAWS_WATCH_OUT : 0));
  luaws_duplex_offer_room(d);
}

void luaws_duplex_resume(struct luaws_duplex *d) {
  if (!d->session) return;
  if (d->waits_for_body) {
    d->waits_for_body = false;
    d->h2->session_resume_data(d->session, d->stream);
  }
  luaws_duplex_flush(d);
}

void luaws_duplex_consume(struct luaws_duplex *d, size_t count) {
  if (!d->session) return;
  d->h2->session_consume(d->session, d->stream, count);
  if (d->h2->session_want_write(d->session)) luaws_duplex_flush(d);
}

void luaws_duplex_ping(struct luaws_duplex *d) {
  d->h2->submit_ping(d->session, NGHTTP2_FLAG_NONE, NULL);
  luaws_duplex_flush(d);
}

/* ---- receiving ---- */

static void no_http2(struct luaws_duplex *d) {
  luaws_error_set(&d->err, LUAWS_E_ENDPOINT, "HTTPClientError",
                  "An HTTP Client raised an unhandled exception: sending a stream of "
                  "events needs HTTP/2, which %.*s://%.*s does not speak",
                  LUAWS_STR_ARG(d->request->scheme), LUAWS_STR_ARG(d->request->host));
  luaws_duplex_finish(d);
}

/* Bytes that are meant. False when d has ended. */
static bool take(struct luaws_duplex *d, const char *bytes, size_t count) {
  /* A server of HTTP/1.1 says so, in its way, when it reads our preface. */
  if (!d->heard && count >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
    no_http2(d);
    return false;
  }
  d->heard = true;
  ssize_t n = d->h2->session_mem_recv(d->session, (const uint8_t *)bytes, count);
  if (n < 0) {
    luaws_duplex_fail(d, CURLE_HTTP2, NULL);
    return false;
  }
  return true;
}

static bool take_tls(struct luaws_duplex *d, const char *bytes, size_t count) {
  char plain[READ_BYTES];
  if (!luaws_tls_feed(&d->tls, bytes, count)) {
    luaws_error_memory(&d->err);
    luaws_duplex_finish(d);
    return false;
  }
  if (!d->tls.ready) {
    int rc = luaws_tls_step(&d->tls);
    if (rc < 0) {
      luaws_duplex_flush(d); /* the alert that says why */
      luaws_duplex_fail(d, CURLE_PEER_FAILED_VERIFICATION, d->tls.failure);
    }
    if (rc == 1 && !luaws_tls_speaks_h2(&d->tls)) no_http2(d);
    if (rc == 1 && !d->finished) luaws_duplex_begin(d);
    if (rc != 1 || d->finished) return !d->finished;
  }
  ptrdiff_t n;
  while ((n = luaws_tls_read(&d->tls, plain, sizeof plain)) > 0) {
    if (!take(d, plain, (size_t)n)) return false;
  }
  if (n == LUAWS_READ_AGAIN) return true;
  luaws_duplex_fail(d, CURLE_RECV_ERROR, d->tls.failure);
  return false;
}

/* After what came was taken: whether the answer or the stream is over. */
static void look_for_end(struct luaws_duplex *d) {
  if (d->finished) return;
  if (d->err.code || d->remote_ended) {
    luaws_duplex_finish(d);
  } else if (!d->h2->session_want_read(d->session) &&
             !d->h2->session_want_write(d->session)) {
    luaws_duplex_fail(d, CURLE_HTTP2, NULL);
  }
}

static void receive(struct luaws_duplex *d) {
  char bytes[READ_BYTES];
  while (!d->finished) {
    ptrdiff_t n = luaws_tunnel_recv(&d->tunnel, bytes, sizeof bytes);
    if (n == LUAWS_READ_AGAIN) return;
    if (n <= 0) {
      luaws_duplex_fail(d, CURLE_RECV_ERROR, NULL);
      return;
    }
    d->active_ms = d->loop->now_ms;
    d->pinged = false;
    if (!(d->secure ? take_tls(d, bytes, (size_t)n) : take(d, bytes, (size_t)n))) return;
    if (d->session) look_for_end(d);
  }
}

void luaws_duplex_turn(struct luaws_duplex *d) {
  if (d->secure && !d->tls.ready) luaws_tls_step(&d->tls); /* begins it */
  receive(d);
  if (!d->finished) luaws_duplex_flush(d);
}

/* ---- hanging up ---- */

/* What has come and was not read would make the system reset the connection, and what was
   sent last be lost. */
static void drop_unread(struct luaws_duplex *d) {
  char bytes[READ_BYTES];
  for (int i = 0; i < LUAWS_DUPLEX_WINDOW_BYTES / READ_BYTES; i++) {
    if (luaws_tunnel_recv(&d->tunnel, bytes, sizeof bytes) <= 0) return;
  }
}

void luaws_duplex_hang_up(struct luaws_duplex *d) {
  if (d->session && d->tunnel.fd >= 0) {
    bool ended = d->remote_ended && d->body_ended;
    if (!ended && d->stream > 0)
      d->h2->submit_rst_stream(d->session, NGHTTP2_FLAG_NONE, d->stream,
                               d->remote_ended ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
    bool sent = send_wire(d); /* after the next nothing else would be */
    d->h2->session_terminate_session(d->session, NGHTTP2_NO_ERROR);
    if (sent && send_wire(d) && d->secure && d->wire_at == d->wire.len) {
      luaws_tls_say_goodbye(&d->tls);
      send_wire(d);
    }
    drop_unread(d);
  }
  if (d->session) d->h2->session_del(d->session);
  d->session = NULL;
  luaws_tls_close(&d->tls);
  luaws_tunnel_close(&d->tunnel);
}
