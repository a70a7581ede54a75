#include "client/attempt.h"

#include <math.h>
#include <stdio.h>

#include "base/log.h"
#include "base/time.h"
#include "client/checksum.h"
#include "client/clock_skew.h"
#include "client/monitor.h"
#include "client/result.h"
#include "client/send_events.h"
#include "http/duplex.h"

static const struct luaws_exchange_options EXCHANGE_DEFAULTS;

static void log_request(const struct luaws_call *call) {
  if (!luaws_log_wants(LUAWS_LOG_DEBUG)) return;
  const struct luaws_request *r =
      &call->request; /* without its query and headers, which may hold a signature */
  luaws_log(LUAWS_LOG_DEBUG, "luaws.call",
            "%.*s.%.*s: attempt %d: %.*s %.*s://%.*s%.*s, body %lld bytes",
            LUAWS_STR_ARG(call->client->service_name),
            LUAWS_STR_ARG(luaws_ref_text(&call->operation->name)), call->retry.attempt,
            LUAWS_STR_ARG(r->method), LUAWS_STR_ARG(r->scheme), LUAWS_STR_ARG(r->host),
            LUAWS_STR_ARG(r->path), (long long)r->body.length);
}

static void log_outcome(const struct luaws_call *call) {
  if (!luaws_log_wants(LUAWS_LOG_DEBUG)) return;
  char retry[48] = "";
  if (call->retry_delay_ms >= 0) {
    snprintf(retry, sizeof retry, ", again in %lld ms", (long long)call->retry_delay_ms);
  }
  if (call->response.status) {
    luaws_log(LUAWS_LOG_DEBUG, "luaws.call", "%.*s.%.*s: status %d, %zu bytes%s",
              LUAWS_STR_ARG(call->client->service_name),
              LUAWS_STR_ARG(luaws_ref_text(&call->operation->name)),
              call->response.status, call->response.body.len, retry);
  } else {
    luaws_log(LUAWS_LOG_DEBUG, "luaws.call", "%.*s.%.*s: %s%s",
              LUAWS_STR_ARG(call->client->service_name),
              LUAWS_STR_ARG(luaws_ref_text(&call->operation->name)),
              luaws_error_message(&call->attempt_error), retry);
  }
}

int luaws_call_send(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_pool *pool;
  int rc = luaws_client_pool(call->client, &pool, err);
  if (rc) return rc;
  if (call->body_read && call->request.body.kind == LUAWS_STREAM_FUNCTION) {
    int64_t sent = 1; /* whatever it was: back to the first byte */
    rc = luaws_stream_rewind(&call->request.body, &sent, err);
    if (rc) return rc;
  }
  call->retry.attempt++;
  log_request(call);
  if (call->sender) {
    rc = luaws_call_start_duplex(call, pool, err);
    return rc ? rc : LUAWS_CALL_WAITS;
  }
  struct luaws_exchange_options o = EXCHANGE_DEFAULTS;
  const struct luaws_str *expect =
      luaws_headers_get(&call->request.headers, LUAWS_STR("expect"));
  o.expect_continue = expect && luaws_str_is(*expect, "100-continue");
  o.secret = call->secret;
  o.stream = o.stream_only_2xx = luaws_call_streams(call);
  o.done = luaws_call_ready;
  o.progress = o.stream ? luaws_call_ready
                        : NULL; /* whoever reads the body afterwards waits the same way */
  o.arg = call;
  rc = luaws_exchange_start(pool, &call->request, &o, &call->exchange, err);
  return rc ? rc : LUAWS_CALL_WAITS;
}

/* Who wants the answer whole has to wait for its end. */
static int gather(struct luaws_call *call, struct luaws_error *err) {
  char bytes[16 * 1024];
  ptrdiff_t n;
  while ((n = luaws_duplex_read(call->duplex, bytes, sizeof bytes, err)) > 0)
    luaws_buf_append(&call->body, bytes, (size_t)n);
  if (n == LUAWS_READ_AGAIN) return LUAWS_CALL_WAITS;
  if (n < 0) return (int)n;
  call->response.body = luaws_buf_str(&call->body);
  return call->body.failed ? luaws_error_memory(err) : 0;
}

static int receive_duplex(struct luaws_call *call) {
  const struct luaws_response *r = NULL;
  struct luaws_error *err = &call->attempt_error;
  luaws_error_clear(err);
  call->response = (struct luaws_response){0};
  if (luaws_duplex_result(call->duplex, &r, err)) return 0;
  call->response = *r;
  if (!call->gather || r->status >= 300) return 0;
  int rc = gather(call, err);
  if (rc < 0) call->response.status = 0;
  return rc == LUAWS_CALL_WAITS ? LUAWS_CALL_WAITS : 0;
}

static void receive(struct luaws_call *call) {
  const struct luaws_response *r = NULL;
  struct luaws_error *err = &call->attempt_error;
  luaws_error_clear(err);
  luaws_checksum_free(call->verification);
  call->verification = NULL;
  call->verified_by = LUAWS_STR_NONE;
  call->response = (struct luaws_response){0};
  if (luaws_exchange_result(call->exchange, &r, err)) return;
  call->response = *r;
  if (luaws_call_begin_verification(call, err) || luaws_call_streams(call) ||
      !call->verification)
    return;
  luaws_checksum_update(call->verification, r->body.ptr, r->body.len);
  if (luaws_call_end_verification(call, err))
    call->response.status = 0; /* what came is not what was sent */
}

int luaws_call_take_response(struct luaws_call *call) {
  if (call->duplex) return receive_duplex(call);
  receive(call);
  return 0;
}

void luaws_call_judge(struct luaws_call *call) {
  struct luaws_attempt_outcome o = {
      .error_code = call->attempt_error.code,
      .connect_failed = call->attempt_error.code == LUAWS_E_CONNECT,
      .status = call->response.status,
      .service_hyphen_id = luaws_ref_text(&call->client->service->hyphen_id),
      .long_poll =
          luaws_retry_is_long_poll(luaws_ref_text(&call->client->service->hyphen_id),
                                   luaws_ref_text(&call->operation->name)),
  };
  if (luaws_call_failed(call)) luaws_call_redact(call);
  if (call->response.status && luaws_call_failed(call) && luaws_call_take_parser(call)) {
    struct luaws_parse p;
    luaws_call_parse_context(call, NULL, &p);
    struct luaws_service_error e = {0};
    call->client->protocol->peek_error(&p, &e);
    o.code = e.code;
    o.modeled_retryable = e.shape && (e.shape->flags & LUAWS_SHAPE_RETRYABLE);
    o.modeled_throttling = e.shape && (e.shape->flags & LUAWS_SHAPE_THROTTLING);
    o.retry_after_ms =
        luaws_headers_get(&call->response.headers, LUAWS_STR("x-amz-retry-after"));
    luaws_call_return_parser(call);
    if (call->monitored) luaws_monitor_attempt_ends(call, e.code, e.message);
  } else if (call->monitored) {
    luaws_monitor_attempt_ends(call, LUAWS_STR_NONE, LUAWS_STR_NONE);
  }
  struct luaws_client *c = call->client;
  if (c->retry.mode == LUAWS_RETRY_ADAPTIVE) {
    luaws_send_limit_note(&c->send_limit, luaws_retry_is_throttled(&o),
                          luaws_session_now_exact(c->session));
  }
  call->retry_delay_ms = luaws_retry_decide(&c->retry, &call->retry, &o);
  if (o.code.len && luaws_call_learns_time(call, o.code) && call->retry_delay_ms < 0) {
    call->retry_delay_ms = 0;
    call->retry.max_attempts_reached = false;
  }
  log_outcome(call);
}

static void note_server_time(struct luaws_call *call) {
  const struct luaws_str *date =
      luaws_headers_get(&call->response.headers, LUAWS_STR("date"));
  double server_s;
  call->server_told_time =
      call->response.status && date && luaws_time_parse(*date, &server_s);
  if (call->server_told_time)
    call->server_ahead_s =
        (int64_t)floor(server_s) - luaws_session_now_s(call->client->session);
}

int luaws_call_wait_for_retry(struct luaws_call *call, struct luaws_error *err) {
  note_server_time(call);
  if (call->exchange) call->body_read |= luaws_exchange_has_read_body(call->exchange);
  luaws_exchange_free(call->exchange);
  call->exchange = NULL;
  luaws_duplex_free(call->duplex);
  call->duplex = NULL;
  call->response = (struct luaws_response){0};
  call->answered = false;
  return luaws_call_wait(call, call->retry_delay_ms, err);
}

int luaws_call_wait_before_giving_up(struct luaws_call *call, struct luaws_error *err) {
  int64_t wait_ms = call->retry.last_wait_ms;
  call->retry.last_wait_ms = 0;
  return luaws_call_wait(call, wait_ms, err);
}
