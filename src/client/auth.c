#include "client/auth.h"

#include "base/encode.h"
#include "client/clock_skew.h"
#include "client/post.h"
#include "client/send_events.h"

static bool has_checksum_header(const struct luaws_headers *h) {
  for (size_t i = 0; i < h->count; i++) {
    struct luaws_str prefix = luaws_str_sub(h->items[i].name, 0, 15);
    if (luaws_str_eq_nocase(prefix, LUAWS_STR("x-amz-checksum-")) ||
        luaws_str_eq_nocase(h->items[i].name, LUAWS_STR("content-md5"))) {
      return true;
    }
  }
  return false;
}

static enum luaws_payload_hash payload_hash(const struct luaws_call *call) {
  const struct luaws_request *r = &call->request;
  const struct luaws_signer *s = &call->signer;
  if (call->operation->flags & LUAWS_OP_EVENTS_IN) return LUAWS_PAYLOAD_SIGNED;
  if (s->in_query && s->as_s3) return LUAWS_PAYLOAD_UNSIGNED;
  if (luaws_headers_get(&r->headers, LUAWS_STR("x-amz-trailer")))
    return LUAWS_PAYLOAD_TRAILER;
  if (!luaws_str_is(r->scheme, "https")) return LUAWS_PAYLOAD_SIGNED;
  if (s->unsigned_body) return LUAWS_PAYLOAD_UNSIGNED;
  if (!s->as_s3) return LUAWS_PAYLOAD_SIGNED;
  if (call->client->config->s3.payload_signing_enabled == LUAWS_YES)
    return LUAWS_PAYLOAD_SIGNED;
  if (!(call->operation->flags & LUAWS_OP_STREAM_IN)) return LUAWS_PAYLOAD_SIGNED;
  /* What cannot be read twice cannot be hashed beforehand; TLS protects it on the way. */
  bool once = r->body.kind == LUAWS_STREAM_FUNCTION && !r->body.rewind;
  return once || has_checksum_header(&r->headers) ? LUAWS_PAYLOAD_UNSIGNED
                                                  : LUAWS_PAYLOAD_SIGNED;
}

/* Without a signature a body with a trailer still has to say that it has one. */
static int mark_unsigned_trailer(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_headers *h = &call->request.headers;
  if (!luaws_headers_get(h, LUAWS_STR("x-amz-trailer"))) return 0;
  bool ok = luaws_headers_set(h, LUAWS_STR("X-Amz-Content-SHA256"),
                              LUAWS_STR("STREAMING-UNSIGNED-PAYLOAD-TRAILER"));
  return ok ? 0 : luaws_error_memory(err);
}

/* A URL that nobody asked for by name: the request itself is signed in its query. */
static int64_t expires_s(const struct luaws_call *call) {
  enum { DEFAULT_S = 3600, EXPRESS_DEFAULT_S = 300 };
  if (call->presign) return call->presign_expires_s;
  return call->signer.s3express ? EXPRESS_DEFAULT_S : DEFAULT_S;
}

static int sign_v4(struct luaws_call *call, const struct luaws_creds *keys,
                   struct luaws_error *err) {
  const struct luaws_signer *s = &call->signer;
  struct luaws_sign_opts o = {
      .algorithm = s->kind == LUAWS_SIGNER_V4A ? LUAWS_SIGN_SIGV4A : LUAWS_SIGN_SIGV4,
      .service = s->name,
      .region = s->region,
      .time_s = luaws_client_signing_time_s(call->client),
      .payload = payload_hash(call),
      .payload_hash = call->body_sha256,
      .add_content_sha256 = s->as_s3 && !s->in_query,
      .double_encode = !s->as_s3 && !s->single_encode,
      .normalize_path = !s->as_s3,
      .s3express = s->s3express,
      .presign = s->in_query,
      .expires_s = expires_s(call),
      .cache = call->client->keys,
  };
  bool events = call->operation->flags & LUAWS_OP_EVENTS_IN;
  if (events && s->kind == LUAWS_SIGNER_V4A)
    return luaws_error_set(err, LUAWS_E_CREDENTIALS, "UnsupportedSignatureVersionError",
                           "Signature version(s) are not supported: sigv4a, for a stream "
                           "of events");
  if (events &&
      !luaws_headers_set(&call->request.headers, LUAWS_STR("X-Amz-Content-SHA256"),
                         LUAWS_STR(LUAWS_EVENTS_PAYLOAD)))
    return luaws_error_memory(err);
  if (s->kind == LUAWS_SIGNER_V4A)
    call->features |= luaws_feature_bit(LUAWS_FEATURE_SIGV4A);
  /* What has to be hashed is read before it is sent. */
  bool hash = o.payload == LUAWS_PAYLOAD_SIGNED && !call->body_sha256.ptr;
  int rc = hash ? luaws_stream_keep(&call->request.body, &call->kept_body, err) : 0;
  if (rc == 0) rc = luaws_sigv4_sign(&call->request, keys, &o, err);
  return rc || !events ? rc : luaws_call_begin_event_signing(call, &o, err);
}

static struct luaws_str without_last_slash(struct luaws_str path) {
  if (path.len && path.ptr[path.len - 1] == '/') path.len--;
  return path;
}

/* The path of a request to S3 as if nothing of it were in the host, nor the path of a
   custom endpoint before it: "/bucket/key". An access point's ARN does not count. */
static bool find_resource(struct luaws_call *call, struct luaws_buf *out,
                          struct luaws_error *err) {
  struct luaws_request endpoint = {.arena = &call->arena};
  struct luaws_str path = call->request.path, bucket = LUAWS_STR_NONE;
  for (size_t i = 0; i < call->endpoint_param_count; i++) {
    if (luaws_str_is(call->endpoint_params[i].name, "Bucket"))
      bucket = call->endpoint_params[i].text;
  }
  if (luaws_request_set_url(&endpoint, call->endpoint->url, err)) return false;
  struct luaws_str before = without_last_slash(endpoint.path);
  if (bucket.len && luaws_str_starts(path, before)) {
    path = luaws_str_sub(path, before.len, path.len);
    if (!luaws_str_starts(bucket, LUAWS_STR("arn:"))) {
      luaws_buf_append_char(out, '/');
      luaws_percent_encode(out, bucket, NULL);
    }
  }
  luaws_buf_append_str(out, path.len ? path : LUAWS_STR("/"));
  return !out->failed || luaws_error_memory(err) == 0;
}

static int sign_s3_v2(struct luaws_call *call, const struct luaws_creds *keys,
                      struct luaws_error *err) {
  struct luaws_buf resource = {0};
  int rc = LUAWS_E_MEMORY;
  if (find_resource(call, &resource, err)) {
    struct luaws_s3_v2_opts o = {
        .resource = luaws_buf_str(&resource),
        .time_s = luaws_client_signing_time_s(call->client),
        .in_query = call->signer.in_query,
        .expires_s = expires_s(call),
    };
    rc = luaws_s3_v2_sign(&call->request, keys, &o, err);
  }
  luaws_buf_clear(&resource);
  return rc;
}

bool luaws_call_hashes_body(struct luaws_call *call) {
  struct luaws_error err = {0};
  if (luaws_call_choose_signer(call, &err)) {
    luaws_error_clear(&err); /* told where it is chosen for good */
    return false;
  }
  return call->signer.kind >= LUAWS_SIGNER_V4 &&
         payload_hash(call) == LUAWS_PAYLOAD_SIGNED;
}

int luaws_call_sign(struct luaws_call *call, struct luaws_error *err) {
  const struct luaws_signer *s = &call->signer;
  int64_t time_s = luaws_client_signing_time_s(call->client);
  struct luaws_creds keys = {0};
  if (call->credentials) keys = luaws_credentials_view(call->credentials);
  if (s->as_form) return luaws_call_sign_post(call, &keys, err);
  switch (s->kind) {
  case LUAWS_SIGNER_NONE:
    return mark_unsigned_trailer(call, err);
  case LUAWS_SIGNER_BEARER:
    return luaws_bearer_sign(&call->request, call->credentials->token, err);
  case LUAWS_SIGNER_V2:
    return luaws_sigv2_sign(&call->request, &keys, time_s, err);
  case LUAWS_SIGNER_V3:
    return luaws_sigv3_sign(&call->request, &keys, time_s, err);
  case LUAWS_SIGNER_S3_V2:
    return sign_s3_v2(call, &keys, err);
  case LUAWS_SIGNER_V4:
  case LUAWS_SIGNER_V4A:
    break;
  }
  return sign_v4(call, &keys, err);
}
