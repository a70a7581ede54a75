#include "client/auth.h"

#include "client/bearer.h"
#include "client/clock_skew.h"
#include "model/rules.h"

bool luaws_call_wants_credentials(const struct luaws_call *call) {
  if (call->signature_version.ptr) {
    return !luaws_str_is(call->signature_version, "none") &&
           !luaws_str_is(call->signature_version, "unsigned");
  }
  return !call->client->unsigned_requests &&
         !(call->operation->flags & LUAWS_OP_AUTH_NONE);
}

/* A name that nobody knows must not pass for the usual signature. */
static int check_signature_version(const struct luaws_call *call,
                                   struct luaws_error *err) {
  static const char *const known[] = {
      "v2",
      "v3",
      "v3https",
      "v4",
      "v4-query",
      "v4a",
      "s3",
      "s3-query",
      "s3v4",
      "s3v4-query",
      "s3v4a",
      "bearer",
      "unsigned",
      "none",
      "s3-presign-post",
      "s3v4a-query",
      "v4-s3express",
      "v4-s3express-query",
      "s3v4-presign-post",
  };
  const struct luaws_client_config *g = call->client->config;
  if (!g->signature_version_in_code) return 0;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (luaws_str_is(g->signature_version, known[i])) return 0;
  }
  return luaws_error_set(err, LUAWS_E_CREDENTIALS, "UnknownSignatureVersionError",
                         "Unknown Signature Version: %.*s.",
                         LUAWS_STR_ARG(g->signature_version));
}

/* The first scheme of the endpoint that we can sign for; NULL where the rules name none.
 */
static int choose_scheme(const struct luaws_call *call,
                         const struct luaws_auth_scheme **out, struct luaws_error *err) {
  const struct luaws_endpoint *e = call->endpoint;
  *out = NULL;
  for (size_t i = 0; i < e->auth_scheme_count; i++) {
    const struct luaws_auth_scheme *a = &e->auth_schemes[i];
    if (luaws_str_is(a->name, "sigv4") || luaws_str_is(a->name, "sigv4a") ||
        luaws_str_is(a->name, "sigv4-s3express")) {
      *out = a;
      return 0;
    }
  }
  if (e->auth_scheme_count == 0) return 0;
  return luaws_error_set(err, LUAWS_E_CREDENTIALS, "UnsupportedSignatureVersionError",
                         "Signature version(s) are not supported: %.*s",
                         LUAWS_STR_ARG(e->auth_schemes[0].name));
}

bool luaws_call_wants_identity(const struct luaws_call *call) {
  const struct luaws_auth_scheme *scheme;
  return call->endpoint->auth_scheme_count && luaws_call_wants_credentials(call) &&
         choose_scheme(call, &scheme, NULL) == 0 &&
         luaws_str_is(scheme->name, "sigv4-s3express");
}

/* They sign the path as it is sent and always send the hash of the body. */
bool luaws_call_is_s3(const struct luaws_call *call) {
  return luaws_str_starts(luaws_ref_text(&call->client->service->signature_version),
                          LUAWS_STR("s3"));
}

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
  bool https = luaws_str_is(r->scheme, "https");
  if (luaws_headers_get(&r->headers, LUAWS_STR("x-amz-trailer")))
    return LUAWS_PAYLOAD_TRAILER;
  if (!https) return LUAWS_PAYLOAD_SIGNED;
  if (call->operation->flags & LUAWS_OP_UNSIGNED_PAYLOAD) return LUAWS_PAYLOAD_UNSIGNED;
  if (!luaws_call_is_s3(call)) return LUAWS_PAYLOAD_SIGNED;
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

/* Asked for, or what the model of a service names whose endpoint rules name nothing. */
static bool signs_as_v2(const struct luaws_call *call) {
  const struct luaws_client *c = call->client;
  struct luaws_str version = luaws_ref_text(&c->service->signature_version);
  if (c->config->signature_version_in_code) version = c->config->signature_version;
  if (call->signature_version.ptr) version = call->signature_version;
  return luaws_str_is(version, "v2") && !call->presign;
}

bool luaws_call_hashes_body(const struct luaws_call *call) {
  return luaws_call_wants_credentials(call) && !luaws_call_uses_bearer(call) &&
         !signs_as_v2(call) && payload_hash(call) == LUAWS_PAYLOAD_SIGNED;
}

int luaws_call_sign(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_client *c = call->client;
  int known = check_signature_version(call, err);
  if (known) return known;
  if (!luaws_call_wants_credentials(call)) return mark_unsigned_trailer(call, err);
  if (luaws_call_uses_bearer(call)) {
    return luaws_bearer_sign(&call->request, call->credentials->token, err);
  }
  const struct luaws_auth_scheme *scheme;
  int rc = choose_scheme(call, &scheme, err);
  if (rc) return rc;
  if (!scheme && signs_as_v2(call)) {
    struct luaws_creds keys = luaws_credentials_view(call->credentials);
    return luaws_sigv2_sign(&call->request, &keys, luaws_client_signing_time_s(c), err);
  }
  bool s3 = luaws_call_is_s3(call);
  bool asymmetric = scheme && luaws_str_is(scheme->name, "sigv4a");
  if (asymmetric) call->features |= luaws_feature_bit(LUAWS_FEATURE_SIGV4A);
  struct luaws_sign_opts o = {
      .service = scheme && scheme->signing_name.len
                     ? scheme->signing_name
                     : luaws_ref_text(&c->service->signing_name),
      .region = scheme && scheme->signing_region.len ? scheme->signing_region
                                                     : c->signing_region,
      .time_s = luaws_client_signing_time_s(c),
      .payload = call->presign && s3 ? LUAWS_PAYLOAD_UNSIGNED : payload_hash(call),
      .payload_hash = call->body_sha256,
      .add_content_sha256 = s3 && !call->presign,
      .double_encode = !s3,
      .normalize_path = !s3,
      .s3express = scheme && luaws_str_is(scheme->name, "sigv4-s3express"),
      .presign = call->presign,
      .expires_s = call->presign_expires_s,
      .cache = c->keys,
  };
  if (asymmetric) {
    o.algorithm = LUAWS_SIGN_SIGV4A;
    o.region = c->config->sigv4a_signing_region_set.len
                   ? c->config->sigv4a_signing_region_set
               : scheme->signing_region_set.len ? scheme->signing_region_set
                                                : LUAWS_STR("*");
  }
  if (o.region.len == 0) {
    return luaws_error_set(err, LUAWS_E_CONFIG, "NoRegionError",
                           "You must specify a region.");
  }
  /* What has to be hashed is read before it is sent. */
  if (o.payload == LUAWS_PAYLOAD_SIGNED && !call->body_sha256.ptr)
    rc = luaws_stream_keep(&call->request.body, err);
  if (rc) return rc;
  struct luaws_creds creds = luaws_credentials_view(call->credentials);
  return luaws_sigv4_sign(&call->request, &creds, &o, err);
}
