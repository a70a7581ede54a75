/* S3's own Signature Version 2: HMAC-SHA1 over the method, a few headers and the
   resource, in a header or in the query. AWS has long had better ones; what only looks
   like S3 has often this one alone.

   The resource is the path with the bucket in it, wherever the request carries the
   bucket, and those parameters of the query that name a part of it ("?acl") or change the
   answer
   ("?response-expires=..."), decoded. */
#include "base/encode.h"
#include "base/time.h"
#include "sign/digest.h"
#include "sign/pairs.h"
#include "sign/sign.h"

#include <string.h>

static const char *const resource_params[] = {
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
};

static bool names_resource(struct luaws_str param) {
  for (size_t i = 0; i < sizeof resource_params / sizeof *resource_params; i++) {
    if (luaws_str_is(param, resource_params[i])) return true;
  }
  return false;
}

static bool is_amz(struct luaws_str header) {
  return luaws_str_eq_nocase(luaws_str_sub(header, 0, 6), LUAWS_STR("x-amz-"));
}

static struct luaws_str trim(struct luaws_str s) {
  while (s.len && luaws_is_space(*s.ptr))
    s = luaws_str_sub(s, 1, s.len);
  while (s.len && luaws_is_space(s.ptr[s.len - 1]))
    s.len--;
  return s;
}

static void append_line(struct luaws_buf *out, struct luaws_str text) {
  luaws_buf_append_str(out, text);
  luaws_buf_append_char(out, '\n');
}

static void append_header(struct luaws_buf *out, const struct luaws_headers *h,
                          const char *name) {
  const struct luaws_str *value = luaws_headers_get(h, luaws_str_from(name));
  append_line(out, value ? trim(*value) : LUAWS_STR_NONE);
}

/* Those that begin with x-amz-, sorted; the values of one name in one line. */
static bool append_amz_headers(struct luaws_buf *out, const struct luaws_request *req) {
  const struct luaws_headers *h = &req->headers;
  struct luaws_pair *amz = luaws_arena_alloc(req->arena, (h->count + 1) * sizeof *amz);
  size_t count = 0;
  if (!amz) return false;
  for (size_t i = 0; i < h->count; i++) {
    if (!is_amz(h->items[i].name)) continue;
    struct luaws_str name = luaws_lower_copy(req->arena, h->items[i].name);
    if (!name.ptr) return false;
    amz[count++] = (struct luaws_pair){name, trim(h->items[i].value)};
  }
  luaws_pairs_sort(amz, count, false);
  for (size_t i = 0; i < count; i++) {
    bool again = i && luaws_str_eq(amz[i].name, amz[i - 1].name);
    if (again) {
      luaws_buf_append_char(out, ',');
    } else {
      if (i) luaws_buf_append_char(out, '\n');
      luaws_buf_append_str(out, amz[i].name);
      luaws_buf_append_char(out, ':');
    }
    luaws_buf_append_str(out, amz[i].value);
  }
  if (count) luaws_buf_append_char(out, '\n');
  return true;
}

static bool append_resource(struct luaws_buf *out, const struct luaws_request *req,
                            struct luaws_str path) {
  struct luaws_str rest = req->query;
  struct luaws_pair *params =
      luaws_arena_alloc(req->arena, luaws_query_count(rest) * sizeof *params);
  size_t count = 0;
  if (!params) return false;
  while (luaws_query_next(&rest, &params[count])) {
    if (names_resource(params[count].name)) count++;
  }
  luaws_pairs_sort(params, count, false);
  luaws_buf_append_str(out, path);
  for (size_t i = 0; i < count; i++) {
    luaws_buf_append_char(out, i ? '&' : '?');
    luaws_buf_append_str(out, params[i].name);
    if (!params[i].value.ptr) continue;
    luaws_buf_append_char(out, '=');
    luaws_percent_decode(out, params[i].value);
  }
  return true;
}

/* date is what stands in its place: the time of the request, or when a URL expires. */
static bool string_to_sign(struct luaws_buf *out, const struct luaws_request *req,
                           struct luaws_str date, struct luaws_str resource) {
  append_line(out, req->method);
  append_header(out, &req->headers, "Content-MD5");
  append_header(out, &req->headers, "Content-Type");
  append_line(out, date);
  return append_amz_headers(out, req) && append_resource(out, req, resource) &&
         !out->failed;
}

int luaws_s3_v2_sign_text(struct luaws_str secret, struct luaws_str text,
                          struct luaws_buf *out) {
  unsigned char code[LUAWS_SHA1_BYTES];
  if (!luaws_hmac_sha1(secret, text, code)) return LUAWS_E_MEMORY;
  luaws_base64_encode(out, (struct luaws_str){(const char *)code, sizeof code});
  return out->failed ? LUAWS_E_MEMORY : 0;
}

static bool set_authorization(struct luaws_request *req, const struct luaws_creds *creds,
                              struct luaws_str signature) {
  struct luaws_buf text = {0};
  luaws_buf_append_cstr(&text, "AWS ");
  luaws_buf_append_str(&text, creds->access_key);
  luaws_buf_append_char(&text, ':');
  luaws_buf_append_str(&text, signature);
  bool ok = !text.failed && luaws_headers_set(&req->headers, LUAWS_STR("Authorization"),
                                              luaws_buf_str(&text));
  luaws_buf_clear(&text);
  return ok;
}

static void add_param(struct luaws_buf *out, struct luaws_str name,
                      struct luaws_str value) {
  if (out->len) luaws_buf_append_char(out, '&');
  luaws_percent_encode(out, name, NULL);
  luaws_buf_append_char(out, '=');
  luaws_percent_encode(out, value, NULL);
}

/* What was signed goes into the query, the headers too: whoever opens the URL sends none.
 */
static bool set_query(struct luaws_request *req, const struct luaws_creds *creds,
                      struct luaws_str signature, struct luaws_str expires) {
  const struct luaws_headers *h = &req->headers;
  struct luaws_buf out = {0};
  luaws_buf_append_str(&out, req->query);
  add_param(&out, LUAWS_STR("AWSAccessKeyId"), creds->access_key);
  add_param(&out, LUAWS_STR("Signature"), signature);
  for (size_t i = 0; i < h->count; i++) {
    struct luaws_str name = luaws_lower_copy(req->arena, h->items[i].name);
    if (is_amz(name) || luaws_str_is(name, "content-md5") ||
        luaws_str_is(name, "content-type")) {
      add_param(&out, name, h->items[i].value);
    }
  }
  add_param(&out, LUAWS_STR("Expires"), expires);
  req->query =
      out.failed ? LUAWS_STR_NONE : luaws_arena_str(req->arena, luaws_buf_str(&out));
  luaws_buf_wipe(&out);
  return req->query.ptr != NULL;
}

int luaws_s3_v2_sign(struct luaws_request *req, const struct luaws_creds *creds,
                     const struct luaws_s3_v2_opts *opts, struct luaws_error *err) {
  struct luaws_headers *h = &req->headers;
  if (!creds->access_key.len || !creds->secret_key.ptr) {
    return luaws_error_set(err, LUAWS_E_CREDENTIALS, "NoCredentialsError",
                           "Unable to locate credentials");
  }
  struct luaws_buf date = {0}, text = {0}, signature = {0};
  luaws_headers_remove(h, LUAWS_STR("Date"));
  luaws_headers_remove(h, LUAWS_STR("Authorization"));
  if (opts->in_query)
    luaws_buf_append_int(&date, opts->time_s + opts->expires_s);
  else
    luaws_time_format_rfc822(&date, (double)opts->time_s);
  bool ok = !date.failed && date.len;
  if (ok && creds->session_token.len) {
    luaws_headers_remove(h, LUAWS_STR("x-amz-security-token"));
    ok = luaws_headers_add(h, LUAWS_STR("x-amz-security-token"), creds->session_token);
  }
  ok = ok && string_to_sign(&text, req, luaws_buf_str(&date), opts->resource) &&
       luaws_s3_v2_sign_text(creds->secret_key, luaws_buf_str(&text), &signature) == 0;
  if (ok && opts->in_query) {
    ok = set_query(req, creds, luaws_buf_str(&signature), luaws_buf_str(&date));
  } else if (ok) {
    ok = luaws_headers_add(h, LUAWS_STR("Date"), luaws_buf_str(&date)) &&
         set_authorization(req, creds, luaws_buf_str(&signature));
  }
  if (ok && opts->string_to_sign) {
    luaws_buf_reset(opts->string_to_sign);
    luaws_buf_append_str(opts->string_to_sign, luaws_buf_str(&text));
  }
  luaws_buf_clear(&date);
  luaws_buf_wipe(&text); /* holds the session token */
  luaws_buf_clear(&signature);
  return ok ? 0 : luaws_error_memory(err);
}
