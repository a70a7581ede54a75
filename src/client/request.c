#include "client/request.h"

#include "base/encode.h"
#include "base/random.h"
#include "base/time.h"
#include "client/checksum.h"
#include "client/endpoint_params.h"

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

int luaws_call_serialize(struct luaws_call *call, struct luaws_error *err) {
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
      .millisecond_timestamps = call->client->millisecond_timestamps,
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

int luaws_call_move(struct luaws_call *call, struct luaws_error *err) {
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

static int name_user_agent(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_str text =
      luaws_user_agent_text(&call->client->user_agent, call->features);
  call->told_features = call->features;
  bool ok = text.ptr &&
            luaws_headers_set(&call->request.headers, LUAWS_STR("User-Agent"), text);
  return ok ? 0 : luaws_error_memory(err);
}

int luaws_call_complete_user_agent(struct luaws_call *call, struct luaws_error *err) {
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

int luaws_call_renew_request(struct luaws_call *call, struct luaws_error *err) {
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

int luaws_call_mark_attempt(struct luaws_call *call, struct luaws_error *err) {
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
