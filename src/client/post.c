#include "client/post.h"

#include "base/encode.h"
#include "base/time.h"
#include "client/clock_skew.h"
#include "value/json.h"

/* A field that must have this value, which the policy says too. */
static bool add_field(struct luaws_call *call, struct luaws_buf *policy, const char *name,
                      struct luaws_str value) {
  struct luaws_str key = luaws_str_from(name);
  luaws_buf_append_cstr(policy, ", {");
  luaws_json_quote(policy, key);
  luaws_buf_append_cstr(policy, ": ");
  luaws_json_quote(policy, value);
  luaws_buf_append_char(policy, '}');
  return luaws_headers_add(&call->post_fields, key, value);
}

/* Who signs, when and how. */
static bool add_scope(struct luaws_call *call, const struct luaws_creds *keys,
                      int64_t time_s, struct luaws_buf *policy, struct luaws_str *day) {
  const struct luaws_signer *s = &call->signer;
  struct luaws_buf date = {0}, credential = {0};
  luaws_time_format_basic(&date, (double)time_s);
  *day = luaws_arena_str(&call->arena, luaws_str_sub(luaws_buf_str(&date), 0, 8));
  luaws_buf_printf(&credential, "%.*s/%.*s/%.*s/%.*s/aws4_request",
                   LUAWS_STR_ARG(keys->access_key), LUAWS_STR_ARG(*day),
                   LUAWS_STR_ARG(s->region), LUAWS_STR_ARG(s->name));
  bool ok = !date.failed && !credential.failed && day->ptr &&
            add_field(call, policy, "x-amz-algorithm", LUAWS_STR("AWS4-HMAC-SHA256")) &&
            add_field(call, policy, "x-amz-credential", luaws_buf_str(&credential)) &&
            add_field(call, policy, "x-amz-date", luaws_buf_str(&date));
  luaws_buf_clear(&date);
  luaws_buf_clear(&credential);
  return ok;
}

static bool write_policy(struct luaws_call *call, const struct luaws_creds *keys,
                         struct luaws_buf *policy, struct luaws_str *day) {
  const struct luaws_signer *s = &call->signer;
  int64_t time_s = luaws_client_signing_time_s(call->client);
  luaws_buf_append_cstr(policy, "{\"expiration\": \"");
  luaws_time_format_iso8601(policy, (double)(time_s + call->presign_expires_s));
  luaws_buf_append_cstr(policy, "\", \"conditions\": [");
  luaws_buf_append_str(policy, call->post_conditions);
  bool ok = true;
  if (s->kind == LUAWS_SIGNER_S3_V2)
    ok = luaws_headers_add(&call->post_fields, LUAWS_STR("AWSAccessKeyId"),
                           keys->access_key);
  else
    ok = add_scope(call, keys, time_s, policy, day);
  if (ok && keys->session_token.len) {
    const char *name = s->s3express ? "X-Amz-S3session-Token" : "x-amz-security-token";
    ok = add_field(call, policy, name, keys->session_token);
  }
  luaws_buf_append_cstr(policy, "]}");
  return ok && !policy->failed;
}

int luaws_call_sign_post(struct luaws_call *call, const struct luaws_creds *keys,
                         struct luaws_error *err) {
  const struct luaws_signer *s = &call->signer;
  bool old = s->kind == LUAWS_SIGNER_S3_V2;
  struct luaws_headers *fields = &call->post_fields;
  struct luaws_buf policy = {0}, text = {0}, signature = {0};
  struct luaws_str day = LUAWS_STR_NONE;
  fields->arena = &call->arena;
  bool ok = write_policy(call, keys, &policy, &day);
  luaws_base64_encode(&text, luaws_buf_str(&policy));
  if (old) {
    ok = ok &&
         luaws_s3_v2_sign_text(keys->secret_key, luaws_buf_str(&text), &signature) == 0;
  } else {
    ok = ok && luaws_sigv4_sign_text(call->client->keys, keys->secret_key, day, s->region,
                                     s->name, luaws_buf_str(&text), &signature) == 0;
  }
  ok = ok && luaws_headers_add(fields, LUAWS_STR("policy"), luaws_buf_str(&text)) &&
       luaws_headers_add(fields,
                         old ? LUAWS_STR("signature") : LUAWS_STR("x-amz-signature"),
                         luaws_buf_str(&signature));
  luaws_buf_wipe(&policy); /* holds the session token */
  luaws_buf_wipe(&text);
  luaws_buf_clear(&signature);
  return ok ? 0 : luaws_error_memory(err);
}
