/* The path of a call, top to bottom: each stage below is one function, in the order in
   which luaws_call_step runs them. A stage returns 0, WAITING, or a negative code that
   ends the call. */
#include "client/call.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/random.h"
#include "base/time.h"
#include "client/auth.h"
#include "client/bearer.h"
#include "client/checksum.h"
#include "client/clock_skew.h"
#include "client/compress.h"
#include "client/endpoint_params.h"
#include "client/events.h"
#include "client/guard.h"
#include "client/monitor.h"
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
enum { WAITING = 1 };

static const struct luaws_exchange_options EXCHANGE_DEFAULTS;

static void ready(void *arg) {
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

/* A presigned URL carries no body: what a form would say goes into the query. */
static int move_form_to_query(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_request *req = &call->request;
  const struct luaws_str *type =
      luaws_headers_get(&req->headers, LUAWS_STR("content-type"));
  if (!type || !luaws_str_starts(*type, LUAWS_STR("application/x-www-form-urlencoded")))
    return 0;
  struct luaws_buf query = {0};
  luaws_buf_append_str(&query, req->query);
  if (query.len && req->body.bytes.len) luaws_buf_append_char(&query, '&');
  luaws_buf_append_str(&query, req->body.bytes);
  req->query = query.failed ? LUAWS_STR_NONE
                            : luaws_arena_str(&call->arena, luaws_buf_str(&query));
  luaws_buf_clear(&query);
  luaws_stream_release(&req->body);
  luaws_headers_remove(&req->headers, LUAWS_STR("content-type"));
  return req->query.ptr ? 0 : luaws_error_memory(err);
}

/* Whether the endpoint rules put the account before the host themselves, so that the
   model's own prefix must not be added. */
static bool rules_add_account(const struct luaws_operation *op) {
  const struct luaws_operation_extra *x = luaws_ref_get(&op->extra);
  const struct luaws_static_param *p = x ? luaws_ref_get(&x->static_params) : NULL;
  for (unsigned i = 0; p && i < x->static_param_count; i++) {
    const struct luaws_node *value = luaws_ref_get(&p[i].value);
    if (luaws_str_is(luaws_ref_text(&p[i].name), "RequiresAccountId") &&
        value->type == LUAWS_NODE_TRUE)
      return true;
  }
  return false;
}

/* Amazon Bedrock AgentCore orders events by their times: there every time is told to the
 * millisecond. */
static bool wants_milliseconds(const struct luaws_call *call) {
  return luaws_str_is(call->client->service_name, "bedrock-agentcore");
}

/* A function that calls what calls it again: Lambda notices by a trace that goes along.
 */
static int trace_recursion(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_headers *h = &call->request.headers;
  const char *trace =
      call->client->in_lambda && !call->presign
          ? luaws_settings_getenv(call->client->session->settings, "_X_AMZN_TRACE_ID")
          : NULL;
  if (!trace || !*trace || luaws_headers_get(h, LUAWS_STR("x-amzn-trace-id"))) return 0;
  struct luaws_buf quoted = {0};
  luaws_percent_encode(&quoted, luaws_str_from(trace), "-=;:+&[]{}\"',");
  bool ok = !quoted.failed &&
            luaws_headers_set(h, LUAWS_STR("X-Amzn-Trace-Id"), luaws_buf_str(&quoted));
  luaws_buf_clear(&quoted);
  return ok ? 0 : luaws_error_memory(err);
}

/* By the signature that the service's model names. */
static bool is_s3(const struct luaws_call *call) {
  return luaws_str_starts(luaws_ref_text(&call->client->service->signature_version),
                          LUAWS_STR("s3"));
}

/* S3 and its kin are asked whether they want a streamed body at all, before it is sent: a
   redirect or a refusal then costs no upload. */
static int announce_body(struct luaws_call *call, struct luaws_error *err) {
  const struct luaws_stream *body = &call->request.body;
  if (!(call->operation->flags & LUAWS_OP_STREAM_IN) || call->presign ||
      body->kind == LUAWS_STREAM_NONE || body->length == 0 || !is_s3(call))
    return 0;
  /* botocore: text goes unannounced where no checksum comes with it (to Object Lambda).
   */
  const struct luaws_operation_extra *x = luaws_ref_get(&call->operation->extra);
  if (body->kind == LUAWS_STREAM_BYTES &&
      !(x && luaws_ref_text(&x->checksum_algorithm_member).len))
    return 0;
  bool ok = luaws_headers_set(&call->request.headers, LUAWS_STR("Expect"),
                              LUAWS_STR("100-continue"));
  return ok ? 0 : luaws_error_memory(err);
}

/* → serialize */
static int serialize(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_request *req = &call->request;
  int rc = luaws_request_set_url(req, call->endpoint->url, err);
  if (rc) return rc;
  if (call->operation->flags & LUAWS_OP_HAS_IDEMPOTENCY_TOKEN)
    luaws_random_uuid(call->idempotency_token);
  struct luaws_serialize s = {
      .service = call->client->service,
      .operation = call->operation,
      .params = call->params,
      .request = req,
      .body = &call->body,
      .inject_host_prefix = call->client->config->inject_host_prefix != LUAWS_NO &&
                            !rules_add_account(call->operation),
      .idempotency_token = call->idempotency_token,
      .millisecond_timestamps = wants_milliseconds(call),
  };
  rc = call->client->protocol->serialize(&s, err);
  for (size_t i = 0; rc == 0 && i < call->endpoint->header_count; i++) {
    const struct luaws_header *h = &call->endpoint->headers[i];
    if (!luaws_headers_set(&req->headers, h->name, h->value))
      rc = luaws_error_memory(err);
  }
  if (rc == 0) rc = luaws_call_ask_for_checksum(call, err);
  if (rc == 0 && (call->operation->flags & LUAWS_OP_DISCOVERY_SOURCE) && !call->presign &&
      !luaws_headers_set(&req->headers, LUAWS_STR("x-amz-api-version"),
                         luaws_ref_text(&call->client->service->api_version)))
    rc = luaws_error_memory(err);
  if (rc == 0) rc = trace_recursion(call, err);
  if (rc == 0) rc = announce_body(call, err);
  if (rc || !call->presign) return rc;
  if (call->presign_method.ptr) req->method = call->presign_method;
  return move_form_to_query(call, err);
}

static struct luaws_str without_last_slash(struct luaws_str path) {
  if (path.len && path.ptr[path.len - 1] == '/') path.len--;
  return path;
}

/* The same request, serialized before, to where the rules point now: a listener of
   needs-retry has learnt that it was sent to the wrong place. */
static int move_request(struct luaws_call *call, struct luaws_error *err) {
  const struct luaws_endpoint *before = call->endpoint;
  struct luaws_request *req = &call->request;
  struct luaws_request from = {.arena = &call->arena}, to = {.arena = &call->arena};
  struct luaws_buf path = {0};
  call->endpoint = NULL;
  call->moved = false;
  int rc = luaws_call_resolve_endpoint(call, err);
  if (rc == 0) rc = luaws_request_set_url(&from, before->url, err);
  if (rc == 0) rc = luaws_request_set_url(&to, call->endpoint->url, err);
  luaws_endpoint_release(before);
  if (rc) return rc;
  struct luaws_str start = without_last_slash(from.path);
  luaws_buf_append_str(&path, without_last_slash(to.path));
  if (luaws_str_starts(req->path, start))
    luaws_buf_append_str(&path, luaws_str_sub(req->path, start.len, req->path.len));
  req->scheme = to.scheme;
  req->host = to.host;
  req->path =
      path.failed ? LUAWS_STR_NONE : luaws_arena_str(&call->arena, luaws_buf_str(&path));
  luaws_buf_clear(&path);
  luaws_headers_remove(&req->headers, LUAWS_STR("Host"));
  return req->path.ptr ? 0 : luaws_error_memory(err);
}

static int get_credentials(struct luaws_call *call, struct luaws_error *err) {
  if (call->signer.kind == LUAWS_SIGNER_NONE) return 0;
  luaws_credentials_release(call->credentials);
  call->credentials = NULL;
  call->credentials_waiter.wake = ready;
  call->credentials_waiter.arg = call;
  int answer = call->signer.kind == LUAWS_SIGNER_BEARER
                   ? luaws_client_token(call->client, &call->credentials_waiter,
                                        &call->credentials, err)
                   : luaws_client_credentials(call->client, &call->credentials_waiter,
                                              &call->credentials, err);
  return answer == LUAWS_FOUND ? 0 : answer == LUAWS_PENDING ? WAITING : answer;
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

static int name_user_agent(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_str text =
      luaws_user_agent_text(&call->client->user_agent, call->features);
  call->told_features = call->features;
  bool ok = text.ptr &&
            luaws_headers_set(&call->request.headers, LUAWS_STR("User-Agent"), text);
  return ok ? 0 : luaws_error_memory(err);
}

/* Credentials and signatures are features too. What a listener made of the header stays
   as it is. The header is not signed. */
static int complete_user_agent(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_user_agent *u = &call->client->user_agent;
  if (call->credentials && !call->client->credentials)
    call->features |= luaws_credentials_features(call->credentials);
  if (call->features == call->told_features) return 0;
  const struct luaws_str *now =
      luaws_headers_get(&call->request.headers, LUAWS_STR("user-agent"));
  if (!now || !luaws_str_eq(*now, luaws_user_agent_text(u, call->told_features)))
    return 0;
  return name_user_agent(call, err);
}

/* The request of a new attempt: without what the last one was signed and marked with. */
static int create_request(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_headers *h = &call->request.headers;
  if (call->presign) return 0;
  if (call->retry.attempt > 0) {
    luaws_headers_remove(h, LUAWS_STR("amz-sdk-invocation-id"));
    luaws_headers_remove(h, LUAWS_STR("amz-sdk-request"));
    if (call->signer.kind != LUAWS_SIGNER_NONE)
      luaws_headers_remove(h, LUAWS_STR("Authorization"));
    if (call->signer.in_query) call->request.query = call->plain_query;
  }
  return name_user_agent(call, err);
}

/* Until when the answer is waited for, by the service's clock: it may drop a repeated
   request that nobody waits for any more. Not told of a body that may take its time. */
static void append_time_to_live(struct luaws_call *call, struct luaws_buf *out) {
  const struct luaws_client *c = call->client;
  if (!call->server_told_time || call->operation->flags & LUAWS_OP_STREAM_IN) return;
  luaws_buf_append_cstr(out, "ttl=");
  luaws_time_format_basic(out, (double)(luaws_session_now_s(c->session) +
                                        call->server_ahead_s +
                                        c->config->read_timeout_ms / 1000));
  luaws_buf_append_cstr(out, "; ");
}

/* Which attempt it is: differs each time, and is not signed. */
static int mark_attempt(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_headers *h = &call->request.headers;
  char room[96];
  struct luaws_buf text = {.ptr = room, .cap = sizeof room, .max_bytes = sizeof room - 1};
  if (call->retry.attempt == 0) luaws_random_uuid(call->invocation_id);
  append_time_to_live(call, &text);
  luaws_buf_printf(&text, "attempt=%d; max=%d", call->retry.attempt + 1,
                   call->client->retry.max_attempts);
  bool ok = luaws_headers_set(h, LUAWS_STR("amz-sdk-invocation-id"),
                              luaws_str_from(call->invocation_id)) &&
            luaws_headers_set(h, LUAWS_STR("amz-sdk-request"), luaws_buf_str(&text));
  return ok ? 0 : luaws_error_memory(err);
}

static int sign(struct luaws_call *call, struct luaws_error *err) {
  call->plain_query = call->request.query;
  int rc = luaws_call_sign(call, err);
  if (rc || call->presign) return rc;
  rc = complete_user_agent(call, err);
  return rc ? rc : mark_attempt(call, err);
}

static void timer_fired(void *arg) {
  struct luaws_call *call = arg;
  call->timer = NULL;
  ready(call);
}

/* Adaptive mode sends no faster than the service takes it. */
static int limit_rate(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_client *c = call->client;
  if (call->presign || c->retry.mode != LUAWS_RETRY_ADAPTIVE) return 0;
  int64_t wait_ms =
      luaws_send_limit_wait_ms(&c->send_limit, luaws_session_now_exact(c->session));
  if (wait_ms <= 0) return 0;
  call->timer = luaws_timer_start(c->session->loop, wait_ms, timer_fired, call);
  return call->timer ? WAITING : luaws_error_memory(err);
}

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

static int send_request(struct luaws_call *call, struct luaws_error *err) {
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
    return rc ? rc : WAITING;
  }
  struct luaws_exchange_options o = EXCHANGE_DEFAULTS;
  const struct luaws_str *expect =
      luaws_headers_get(&call->request.headers, LUAWS_STR("expect"));
  o.expect_continue = expect && luaws_str_is(*expect, "100-continue");
  o.stream = o.stream_only_2xx = luaws_call_streams(call);
  o.done = ready;
  o.progress =
      o.stream ? ready : NULL; /* whoever reads the body afterwards waits the same way */
  o.arg = call;
  rc = luaws_exchange_start(pool, &call->request, &o, &call->exchange, err);
  return rc ? rc : WAITING;
}

/* Who wants the answer whole has to wait for its end. */
static int gather(struct luaws_call *call, struct luaws_error *err) {
  char bytes[16 * 1024];
  ptrdiff_t n;
  while ((n = luaws_duplex_read(call->duplex, bytes, sizeof bytes, err)) > 0)
    luaws_buf_append(&call->body, bytes, (size_t)n);
  if (n == LUAWS_READ_AGAIN) return WAITING;
  if (n < 0) return (int)n;
  call->response.body = luaws_buf_str(&call->body);
  return call->body.failed ? luaws_error_memory(err) : 0;
}

/* The same of a call that sends events: 0 or WAITING. */
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
  return rc == WAITING ? WAITING : 0;
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

struct luaws_parser *luaws_call_take_parser(struct luaws_call *call) {
  struct luaws_client *c = call->client;
  if (!call->parser) {
    call->parser = c->parser ? c->parser : luaws_parser_new();
    c->parser = NULL;
  }
  return call->parser;
}

void luaws_call_return_parser(struct luaws_call *call) {
  struct luaws_client *c = call->client;
  if (c->parser)
    luaws_parser_free(call->parser);
  else
    c->parser = call->parser;
  call->parser = NULL;
}

static void parse_context(struct luaws_call *call, struct luaws_writer *out,
                          struct luaws_parse *p) {
  *p = (struct luaws_parse){
      .service = call->client->service,
      .operation = call->operation,
      .response = &call->response,
      .out = out,
      .arena = &call->arena,
      .parser = call->parser,
      .gathered = call->gather,
      .initial = call->initial,
  };
}

static bool failed(const struct luaws_call *call) {
  return call->response.status >= 300;
}

/* send → (retry): asks the policy. */
static void judge(struct luaws_call *call) {
  struct luaws_attempt_outcome o = {
      .error_code = call->attempt_error.code,
      .connect_failed = call->attempt_error.code == LUAWS_E_CONNECT,
      .status = call->response.status,
      .service_hyphen_id = luaws_ref_text(&call->client->service->hyphen_id),
      .long_poll =
          luaws_retry_is_long_poll(luaws_ref_text(&call->client->service->hyphen_id),
                                   luaws_ref_text(&call->operation->name)),
  };
  if (call->response.status && failed(call) && luaws_call_take_parser(call)) {
    struct luaws_parse p;
    parse_context(call, NULL, &p);
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

static void fail(struct luaws_call *call, struct luaws_error *err) {
  luaws_error_move(&call->error, err);
  call->stage = FINISHED;
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

/* Waits for as long as the policy (or a listener) said. */
static int wait_for_retry(struct luaws_call *call, struct luaws_error *err) {
  note_server_time(call);
  if (call->exchange) call->body_read |= luaws_exchange_has_read_body(call->exchange);
  luaws_exchange_free(call->exchange);
  call->exchange = NULL;
  luaws_duplex_free(call->duplex);
  call->duplex = NULL;
  call->response = (struct luaws_response){0};
  call->answered = false;
  call->timer = luaws_timer_start(call->client->session->loop, call->retry_delay_ms,
                                  timer_fired, call);
  return call->timer ? WAITING : luaws_error_memory(err);
}

/* Whoever polls comes back at once: where there is to be no retry, the wait for it comes
   all the same. */
static int wait_before_giving_up(struct luaws_call *call, struct luaws_error *err) {
  call->timer = luaws_timer_start(call->client->session->loop, call->retry.last_wait_ms,
                                  timer_fired, call);
  call->retry.last_wait_ms = 0;
  return call->timer ? WAITING : luaws_error_memory(err);
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
        rc = move_request(call, &err);
        call->stage = CREATE_REQUEST;
      } else {
        rc = luaws_call_resolve_endpoint(call, &err);
        call->stage = SERIALIZE;
      }
      break;
    case SERIALIZE:
      rc = serialize(call, &err);
      if (rc == 0 && by_way_of(call, LUAWS_HOOK_BEFORE_CALL, ADD_CHECKSUM))
        return LUAWS_STEP_HOOK;
      break;
    case ADD_CHECKSUM:
      if (!call->answered) rc = luaws_call_compress(call, &err);
      if (rc == 0) rc = luaws_call_add_checksum(call, &err);
      if (rc == 0 && call->monitored) luaws_monitor_request_made(call);
      /* Answered before there was anything to send: nothing to try again. */
      call->stage = call->answered ? FINISHED : CREATE_REQUEST;
      break;
    case CREATE_REQUEST:
      rc = create_request(call, &err);
      if (rc == 0 && by_way_of(call, LUAWS_HOOK_REQUEST_CREATED, CHOOSE_SIGNER))
        return LUAWS_STEP_HOOK;
      break;
    case CHOOSE_SIGNER:
      if (by_way_of(call, LUAWS_HOOK_CHOOSE_SIGNER, BEFORE_SIGN)) {
        /* What is wrong with it may be what somebody listens for. */
        if (luaws_call_choose_signer(call, &err)) luaws_error_clear(&err);
        return LUAWS_STEP_HOOK;
      }
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
        rc = send_request(call, &err);
      break;
    case RECEIVE:
      if (call->duplex && !call->answered) rc = receive_duplex(call);
      if (rc == WAITING) return LUAWS_STEP_WAIT;
      if (!call->duplex && !call->answered) receive(call);
      if (call->response.status && by_way_of(call, LUAWS_HOOK_BEFORE_PARSE, JUDGE))
        return LUAWS_STEP_HOOK;
      call->stage = JUDGE;
      break;
    case JUDGE:
      judge(call);
      if (by_way_of(call, LUAWS_HOOK_RESPONSE_RECEIVED, DECIDE)) return LUAWS_STEP_HOOK;
      break;
    case DECIDE:
      if (by_way_of(call, LUAWS_HOOK_NEEDS_RETRY, RETRY)) return LUAWS_STEP_HOOK;
      break;
    case RETRY:
      if (call->retry_delay_ms < 0 && call->retry.last_wait_ms > 0) {
        rc = wait_before_giving_up(call, &err);
      } else if (call->retry_delay_ms < 0 || luaws_call_has_sent_events(call)) {
        luaws_error_move(&err, &call->attempt_error);
        rc = err.code;
        call->stage = BEGIN_EVENTS;
      } else {
        rc = wait_for_retry(call, &err);
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
    if (rc == WAITING) return LUAWS_STEP_WAIT;
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
  if (call->body.cap <= LUAWS_MAX_WIPED_BYTES) luaws_wipe(call->body.ptr, call->body.cap);
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

ptrdiff_t luaws_call_peek(struct luaws_call *call, const char **out,
                          struct luaws_error *err) {
  ptrdiff_t n = luaws_exchange_peek(call->exchange, out, err);
  return n == 0 ? luaws_call_end_verification(call, err) : n;
}

void luaws_call_skip(struct luaws_call *call, const char *ptr, size_t used) {
  if (call->verification) luaws_checksum_update(call->verification, ptr, used);
  luaws_exchange_skip(call->exchange, used);
}

ptrdiff_t luaws_call_receive(struct luaws_call *call, char *dst, size_t max,
                             struct luaws_error *err) {
  return call->duplex ? luaws_duplex_read(call->duplex, dst, max, err)
                      : luaws_exchange_read(call->exchange, dst, max, err);
}

ptrdiff_t luaws_call_read(struct luaws_call *call, char *dst, size_t max,
                          struct luaws_error *err) {
  const char *from;
  ptrdiff_t there = luaws_call_peek(call, &from, err);
  if (there <= 0) return there;
  if (max > (size_t)there) max = (size_t)there;
  memcpy(dst, from, max);
  luaws_call_skip(call, from, max);
  return (ptrdiff_t)max;
}

bool luaws_call_streams(const struct luaws_call *call) {
  return (call->operation->flags & (LUAWS_OP_STREAM_OUT | LUAWS_OP_EVENTS_OUT)) &&
         !call->gather;
}

/* ---- parse → result ---- */

static void write_text(struct luaws_writer *w, struct luaws_str key,
                       struct luaws_str value) {
  w->ops->key(w, key);
  w->ops->bytes(w, value);
}

struct ids {
  struct luaws_str request, host; /* as the body told them, or none */
  struct luaws_headers others;    /* what else it says of the answer (query) */
};

static void write_ids(struct luaws_call *call, struct luaws_writer *w,
                      const struct ids *ids) {
  static const char *const taken[] = {"RequestId", "HTTPStatusCode", "HTTPHeaders",
                                      "RetryAttempts"};
  const struct luaws_headers *h = &call->response.headers;
  struct luaws_str request = ids->request, host = ids->host;
  if (!request.ptr) {
    const struct luaws_str *id = luaws_headers_get(h, LUAWS_STR("x-amzn-requestid"));
    if (!id) id = luaws_headers_get(h, LUAWS_STR("x-amz-request-id"));
    if (id) request = *id;
  }
  const struct luaws_str *in_header = luaws_headers_get(h, LUAWS_STR("x-amz-id-2"));
  if (in_header) host = *in_header;
  if (request.ptr) write_text(w, LUAWS_STR("RequestId"), request);
  if (host.ptr) write_text(w, LUAWS_STR("HostId"), host);
  for (size_t i = 0; i < ids->others.count; i++) {
    const struct luaws_header *o = &ids->others.items[i];
    bool again = host.ptr && luaws_str_is(o->name, "HostId");
    for (size_t k = 0; k < sizeof taken / sizeof *taken; k++)
      again |= luaws_str_is(o->name, taken[k]);
    if (!again) write_text(w, o->name, o->value);
  }
}

static void write_metadata(struct luaws_call *call, struct luaws_writer *w,
                           const struct ids *ids) {
  const struct luaws_headers *h = &call->response.headers;
  w->ops->key(w, LUAWS_STR("ResponseMetadata"));
  w->ops->begin_map(w, 5, false);
  write_ids(call, w, ids);
  w->ops->key(w, LUAWS_STR("HTTPStatusCode"));
  w->ops->integer(w, call->response.status);
  w->ops->key(w, LUAWS_STR("HTTPHeaders"));
  w->ops->begin_map(w, h->count, false);
  for (size_t i = 0; i < h->count; i++)
    write_text(w, h->items[i].name, h->items[i].value);
  w->ops->end_map(w);
  w->ops->key(w, LUAWS_STR("RetryAttempts"));
  w->ops->integer(w, call->retry.attempt > 0 ? call->retry.attempt - 1 : 0);
  if (call->verified_by.len)
    write_text(w, LUAWS_STR("ChecksumAlgorithm"), call->verified_by);
  if (call->retry.max_attempts_reached) {
    w->ops->key(w, LUAWS_STR("MaxAttemptsReached"));
    w->ops->boolean(w, true);
  }
  if (call->retry.quota_reached) {
    w->ops->key(w, LUAWS_STR("RetryQuotaReached"));
    w->ops->boolean(w, true);
  }
  w->ops->end_map(w);
}

static int parse(struct luaws_call *call, struct luaws_writer *out,
                 struct luaws_error *err) {
  struct luaws_parse p;
  struct ids ids = {.others.arena = &call->arena};
  parse_context(call, out, &p);
  p.metadata = &ids.others;
  out->ops->begin_map(out, 8, false);
  int rc;
  if (failed(call)) {
    rc = call->client->protocol->parse_error(&p, &call->service_error, err);
    ids.request = call->service_error.request_id;
    ids.host = call->service_error.host_id;
  } else {
    rc = call->client->protocol->parse(&p, &ids.request, err);
  }
  if (rc) return rc;
  write_metadata(call, out, &ids);
  out->ops->end_map(out);
  return failed(call) ? LUAWS_E_SERVICE : 0;
}

int luaws_call_write(struct luaws_call *call, struct luaws_writer *out,
                     struct luaws_error *err) {
  if (call->error.code) {
    int code = call->error.code;
    luaws_error_move(err, &call->error);
    return code;
  }
  if (!luaws_call_take_parser(call)) return luaws_error_memory(err);
  int rc = parse(call, out, err);
  luaws_call_return_parser(call);
  return rc;
}
