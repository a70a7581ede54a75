/* The path of a call, top to bottom: luaws_call_step runs the stages below in their
   order. A stage is one function, here or in the file that is named after what it makes:
   auth.c, endpoint_params.c, request.c, checksum.c, attempt.c, result.c. It returns 0,
   LUAWS_CALL_WAITS, or a negative code that ends the call. */
#include "client/call.h"

#include <stdlib.h>
#include <string.h>

#include "client/attempt.h"
#include "client/auth.h"
#include "client/bearer.h"
#include "client/checksum.h"
#include "client/compress.h"
#include "client/endpoint_params.h"
#include "client/events.h"
#include "client/guard.h"
#include "client/monitor.h"
#include "client/request.h"
#include "client/send_events.h"
#include "http/duplex.h"

enum stage {
  VALIDATE,
  FIND_ACCOUNT,
  COLLECT_ENDPOINT,
  RESOLVE_ENDPOINT,
  SERIALIZE,
  ADD_CHECKSUM,
  CREATE_REQUEST,
  CHOOSE_SIGNER,
  BEFORE_SIGN,
  GET_CREDENTIALS,
  LIMIT_RATE,
  SIGN,
  SEND,
  RECEIVE,
  JUDGE,
  DECIDE,
  RETRY,
  BEGIN_EVENTS,
  FINISHED,
};
void luaws_call_ready(void *arg) {
  struct luaws_call *call = arg;
  call->on_ready(call->owner);
}

/* Events are written in one protocol: no service takes them in another. */
static int check_events_can_be_sent(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_str name = luaws_ref_text(&call->operation->name);
  if (call->client->service->protocol != LUAWS_PROTOCOL_REST_JSON)
    return luaws_error_set(err, LUAWS_E_ARGUMENT, "NotImplementedError",
                           "%.*s takes a stream of events, which can be sent in the "
                           "rest-json protocol only",
                           LUAWS_STR_ARG(name));
  if (call->presign)
    return luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError",
                           "%.*s takes a stream of events, which no presigned URL can "
                           "hold",
                           LUAWS_STR_ARG(name));
  return 0;
}

/* parameters → validate */
static int validate(struct luaws_call *call, struct luaws_error *err) {
  if (call->operation->flags & LUAWS_OP_EVENTS_IN) {
    int rc = check_events_can_be_sent(call, err);
    if (rc) return rc;
  }
  const struct luaws_client *c = call->client;
  unsigned checks = c->config->parameter_validation == LUAWS_NO ? 0 : LUAWS_CHECK_SHAPES;
  if (c->protocol->writes_xml) checks |= LUAWS_CHECK_XML;
  return luaws_check_params(call->operation, call->params, checks, err);
}

static int get_credentials(struct luaws_call *call, struct luaws_error *err) {
  if (call->signer.kind == LUAWS_SIGNER_NONE) return 0;
  luaws_credentials_release(call->credentials);
  call->credentials = NULL;
  call->credentials_waiter.wake = luaws_call_ready;
  call->credentials_waiter.arg = call;
  int answer = call->signer.kind == LUAWS_SIGNER_BEARER
                   ? luaws_client_token(call->client, &call->credentials_waiter,
                                        &call->credentials, err)
                   : luaws_client_credentials(call->client, &call->credentials_waiter,
                                              &call->credentials, err);
  if (answer == LUAWS_FOUND) return luaws_credentials_check(call->credentials, err);
  return answer == LUAWS_PENDING ? LUAWS_CALL_WAITS : answer;
}

/* Where the host may name the account, the credentials that know it come first. None at
   all is for the signature to complain about. */
static int find_account(struct luaws_call *call, struct luaws_error *err) {
  if (!luaws_client_wants_account(call->client)) return 0;
  int rc = luaws_call_choose_signer(call, err);
  if (rc == 0) rc = get_credentials(call, err);
  if (rc >= 0 || !err->kind || strcmp(err->kind, "NoCredentialsError") != 0) return rc;
  luaws_error_clear(err);
  return 0;
}

static void body_ready(void *arg) {
  struct luaws_call *call = arg;
  call->more_body = NULL;
  luaws_call_ready(call);
}

static int wait_for_body(struct luaws_call *call, struct luaws_error *err) {
  call->more_body = luaws_when_ready(call->client->session->loop, call->request.body.fd,
                                     false, body_ready, call, err);
  return call->more_body ? LUAWS_CALL_WAITS : err->code;
}

static int sign(struct luaws_call *call, struct luaws_error *err) {
  call->plain_query = call->request.query;
  int rc = luaws_call_sign(call, err);
  if (rc == LUAWS_READ_AGAIN) return wait_for_body(call, err);
  if (rc || call->presign) return rc;
  rc = luaws_call_complete_user_agent(call, err);
  return rc ? rc : luaws_call_mark_attempt(call, err);
}

static void timer_fired(void *arg) {
  struct luaws_call *call = arg;
  call->timer = NULL;
  luaws_call_ready(call);
}

int luaws_call_wait(struct luaws_call *call, int64_t ms, struct luaws_error *err) {
  call->timer = luaws_timer_start(call->client->session->loop, ms, timer_fired, call);
  return call->timer ? LUAWS_CALL_WAITS : luaws_error_memory(err);
}

/* Adaptive mode sends no faster than the service takes it. */
static int limit_rate(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_client *c = call->client;
  if (call->presign || c->retry.mode != LUAWS_RETRY_ADAPTIVE) return 0;
  int64_t wait_ms =
      luaws_send_limit_wait_ms(&c->send_limit, luaws_session_now_exact(c->session));
  if (wait_ms <= 0) return 0;
  return luaws_call_wait(call, wait_ms, err);
}

static void fail(struct luaws_call *call, struct luaws_error *err) {
  luaws_error_move(&call->error, err);
  call->stage = FINISHED;
}

/* Moves on to `next`, by way of a hook when somebody listens there. */
static bool by_way_of(struct luaws_call *call, enum luaws_hook hook, int next) {
  call->stage = next;
  if (!luaws_call_stops(call, hook)) return false;
  call->hook = hook;
  return true;
}

/* For client-side monitoring, when that is on: a call begins. */
static void begin_monitoring(struct luaws_call *call) {
  struct luaws_monitor *m = call->client->session->monitor;
  if (m && !call->presign) luaws_monitor_call_begins(m, call);
}

enum luaws_step luaws_call_step(struct luaws_call *call) {
  struct luaws_error err = {0};
  int rc = 0;
  while (call->stage != FINISHED) {
    switch ((enum stage)call->stage) {
    case VALIDATE:
      begin_monitoring(call);
      rc = validate(call, &err);
      call->stage = FIND_ACCOUNT;
      break;
    case FIND_ACCOUNT:
      rc = find_account(call, &err);
      if (rc == 0) call->stage = COLLECT_ENDPOINT;
      break;
    case COLLECT_ENDPOINT:
      rc = luaws_call_collect_endpoint_params(call, &err);
      if (rc == 0 && by_way_of(call, LUAWS_HOOK_BEFORE_ENDPOINT, RESOLVE_ENDPOINT))
        return LUAWS_STEP_HOOK;
      break;
    case RESOLVE_ENDPOINT:
      if (call->moved) {
        rc = luaws_call_move(call, &err);
        call->stage = CREATE_REQUEST;
      } else {
        rc = luaws_call_resolve_endpoint(call, &err);
        call->stage = SERIALIZE;
      }
      break;
    case SERIALIZE:
      rc = luaws_call_serialize(call, &err);
      if (rc == 0 && by_way_of(call, LUAWS_HOOK_BEFORE_CALL, ADD_CHECKSUM))
        return LUAWS_STEP_HOOK;
      break;
    case ADD_CHECKSUM:
      if (!call->answered) rc = luaws_call_compress(call, &err);
      if (rc == 0) rc = luaws_call_add_checksum(call, &err);
      if (rc == LUAWS_READ_AGAIN) {
        rc = wait_for_body(call, &err);
        break;
      }
      if (rc == 0 && call->monitored) luaws_monitor_request_made(call);
      /* Answered before there was anything to send: nothing to try again. */
      call->stage = call->answered ? FINISHED : CREATE_REQUEST;
      break;
    case CREATE_REQUEST:
      rc = luaws_call_renew_request(call, &err);
      if (rc == 0 && by_way_of(call, LUAWS_HOOK_REQUEST_CREATED, CHOOSE_SIGNER))
        return LUAWS_STEP_HOOK;
      break;
    case CHOOSE_SIGNER:
      if (by_way_of(call, LUAWS_HOOK_CHOOSE_SIGNER, BEFORE_SIGN)) return LUAWS_STEP_HOOK;
      break;
    case BEFORE_SIGN:
      rc = luaws_call_choose_signer(call, &err);
      if (rc == 0 && by_way_of(call, LUAWS_HOOK_BEFORE_SIGN, GET_CREDENTIALS))
        return LUAWS_STEP_HOOK;
      break;
    case GET_CREDENTIALS:
      if (call->signer.s3express) {
        if (by_way_of(call, LUAWS_HOOK_IDENTITY, LIMIT_RATE)) return LUAWS_STEP_HOOK;
        rc =
            luaws_error_set(&err, LUAWS_E_CREDENTIALS, "UnsupportedSignatureVersionError",
                            "Signature version(s) are not supported: sigv4-s3express");
        break;
      }
      rc = get_credentials(call, &err);
      if (rc == 0) call->stage = LIMIT_RATE;
      break;
    case LIMIT_RATE:
      rc = limit_rate(call, &err);
      if (rc == 0) call->stage = SIGN;
      break;
    case SIGN:
      rc = sign(call, &err);
      if (rc == LUAWS_CALL_WAITS) break;
      if (rc == 0 && call->monitored) luaws_monitor_attempt_begins(call);
      if (rc || call->presign) {
        call->stage = FINISHED;
        if (rc == 0) luaws_request_url(&call->request, &call->url);
      } else if (by_way_of(call, LUAWS_HOOK_BEFORE_SEND, SEND)) {
        return LUAWS_STEP_HOOK;
      }
      break;
    case SEND:
      call->stage = RECEIVE;
      if (call->answered)
        call->retry.attempt++;
      else
        rc = luaws_call_send(call, &err);
      break;
    case RECEIVE:
      if (!call->answered) rc = luaws_call_take_response(call);
      if (rc == LUAWS_CALL_WAITS) return LUAWS_STEP_WAIT;
      if (call->response.status && by_way_of(call, LUAWS_HOOK_BEFORE_PARSE, JUDGE))
        return LUAWS_STEP_HOOK;
      call->stage = JUDGE;
      break;
    case JUDGE:
      luaws_call_judge(call);
      if (by_way_of(call, LUAWS_HOOK_RESPONSE_RECEIVED, DECIDE)) return LUAWS_STEP_HOOK;
      break;
    case DECIDE:
      if (by_way_of(call, LUAWS_HOOK_NEEDS_RETRY, RETRY)) return LUAWS_STEP_HOOK;
      break;
    case RETRY:
      if (call->retry_delay_ms < 0 && call->retry.last_wait_ms > 0) {
        rc = luaws_call_wait_before_giving_up(call, &err);
      } else if (call->retry_delay_ms < 0 || luaws_call_has_sent_events(call)) {
        luaws_error_move(&err, &call->attempt_error);
        rc = err.code;
        call->stage = BEGIN_EVENTS;
      } else {
        rc = luaws_call_wait_for_retry(call, &err);
        /* Signed anew: the clock has moved, the keys may have. */
        call->stage = call->moved ? COLLECT_ENDPOINT : CREATE_REQUEST;
      }
      break;
    case BEGIN_EVENTS:
      rc = luaws_call_begin_events(call, &err);
      if (rc == LUAWS_READ_AGAIN) return LUAWS_STEP_WAIT;
      call->stage = FINISHED;
      break;
    case FINISHED:
      break;
    }
    if (rc == LUAWS_CALL_WAITS) return LUAWS_STEP_WAIT;
    if (rc < 0) fail(call, &err);
  }
  if (call->monitored) luaws_monitor_call_ends(call);
  return LUAWS_STEP_DONE;
}

/* ---- beginning and end ---- */

struct luaws_call *luaws_call_new(struct luaws_client *client,
                                  const struct luaws_operation *operation,
                                  struct luaws_reader *params) {
  struct luaws_call *call = client->spare_call;
  client->spare_call = NULL;
  if (!call) call = calloc(1, sizeof *call);
  if (!call) return NULL;
  call->client = luaws_client_acquire(client);
  call->operation = operation;
  call->params = params;
  call->request.arena = call->request.headers.arena = &call->arena;
  return call;
}

/* Everything but the memory that the next call can use again. */
static void finish(struct luaws_call *call) {
  if (call->parser) luaws_call_return_parser(call);
  if (call->credentials_waiter.chain)
    luaws_chain_waiter_cancel(&call->credentials_waiter);
  if (call->timer) luaws_timer_cancel(call->timer);
  luaws_when_ready_cancel(call->more_body);
  luaws_buf_clear(&call->kept_body);
  luaws_exchange_free(call->exchange);
  luaws_duplex_free(call->duplex);
  luaws_event_sender_free(call->sender);
  luaws_event_decoder_clear(&call->events);
  luaws_arena_wipe(&call->event_arena);
  luaws_stream_release(&call->request.body);
  luaws_checksum_free(call->verification);
  luaws_credentials_release(call->credentials);
  luaws_endpoint_release(call->endpoint);
  luaws_error_clear(&call->attempt_error);
  luaws_error_clear(&call->error);
}

enum { SPARE_MAX_BYTES = 32 * 1024 };

void luaws_call_free(struct luaws_call *call) {
  if (!call) return;
  struct luaws_client *client = call->client;
  finish(call);
  luaws_arena_reset(&call->arena);
  /* Tokens and keys travel in bodies too. */
  if (call->secret || call->body.cap <= LUAWS_MAX_WIPED_BYTES)
    luaws_wipe(call->body.ptr, call->body.cap);
  call->body.wipes = false;
  struct luaws_arena arena = call->arena;
  struct luaws_buf body = call->body, url = call->url;
  *call = (struct luaws_call){.arena = arena, .body = body, .url = url};
  if (client->spare_call || client->closed || body.cap > SPARE_MAX_BYTES) {
    luaws_call_destroy_spare(call);
  } else {
    luaws_buf_reset(&call->body);
    luaws_buf_reset(&call->url);
    client->spare_call = call;
  }
  luaws_client_release(client);
}

void luaws_call_destroy_spare(struct luaws_call *call) {
  luaws_arena_clear(&call->arena);
  luaws_buf_clear(&call->body);
  luaws_buf_clear(&call->url);
  free(call);
}

int luaws_call_answer(struct luaws_call *call, int status,
                      const struct luaws_header *headers, size_t header_count,
                      struct luaws_str body, struct luaws_error *err) {
  struct luaws_response *r = &call->response;
  *r = (struct luaws_response){.status = status, .headers.arena = &call->arena};
  r->body = luaws_arena_str(&call->arena, body);
  bool ok = r->body.ptr != NULL;
  for (size_t i = 0; ok && i < header_count; i++) {
    ok = luaws_headers_set(&r->headers, headers[i].name, headers[i].value);
  }
  call->answered = ok;
  return ok ? 0 : luaws_error_memory(err);
}

void luaws_call_end(struct luaws_call *call) {
  call->stage = FINISHED;
}
