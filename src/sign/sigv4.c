/* AWS Signature Version 4 and 4A, in AWS's own steps: canonical request, string to sign,
   signing key, signature; then where it goes, a header or the query.

   A signature covers the text of a request that the server rebuilds from what it
   received, so all rules here are about making both texts the same: header names in lower
   case and sorted, white space squeezed, the query sorted, the path normalised and
   encoded once more (not for S3, where a key may contain "//" and "..").

   The buffers and contexts of the key cache are used for all of it, so that a signature
   with a key that is known allocates nothing but what the request keeps. */
#include "sign/sign.h"

#include "base/encode.h"
#include "base/time.h"
#include "base/uri.h"
#include "sign/keys.h"
#include "sign/pairs.h"

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct sign_state {
  struct luaws_request *req;
  const struct luaws_creds *creds;
  const struct luaws_sign_opts *opts;
  struct luaws_key_cache *cache; /* scratch: its buffers */
  struct luaws_str algorithm;    /* "AWS4-HMAC-SHA256" */
  struct luaws_str datetime;     /* "20260131T080000Z" */
  struct luaws_str scope;        /* "20260131/us-east-1/s3/aws4_request" */
  struct luaws_str payload;      /* what the last line of the canonical request says */
  struct luaws_pair *headers;    /* to be signed, sorted by name in lower case */
  size_t header_count;
  struct luaws_str signed_headers;            /* "host;x-amz-date" */
  char signature[2 * LUAWS_ECDSA_MOST_BYTES]; /* in hex */
  size_t signature_len;
};

/* What proxies and libraries add, drop or rewrite on the way. */
static const struct luaws_str unsigned_headers[] = {
    LUAWS_STR("connection"),
    LUAWS_STR("expect"),
    LUAWS_STR("keep-alive"),
    LUAWS_STR("proxy-authenticate"),
    LUAWS_STR("proxy-authorization"),
    LUAWS_STR("te"),
    LUAWS_STR("trailer"),
    LUAWS_STR("transfer-encoding"),
    LUAWS_STR("upgrade"),
    LUAWS_STR("user-agent"),
    LUAWS_STR("x-amzn-trace-id"),
};

/* The parameters of a presigned URL. Those of an earlier signature are dropped. */
static const struct luaws_str presign_params[] = {
    LUAWS_STR("X-Amz-Algorithm"),
    LUAWS_STR("X-Amz-Credential"),
    LUAWS_STR("X-Amz-Date"),
    LUAWS_STR("X-Amz-Expires"),
    LUAWS_STR("X-Amz-SignedHeaders"),
    LUAWS_STR("X-Amz-Security-Token"),
    LUAWS_STR("X-Amz-S3session-Token"),
    LUAWS_STR("X-Amz-Signature"),
};

static bool is_one_of(struct luaws_str s, const struct luaws_str *list, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (luaws_str_eq(s, list[i])) return true;
  }
  return false;
}

static bool is_asymmetric(const struct sign_state *st) {
  return st->opts->algorithm == LUAWS_SIGN_SIGV4A;
}

/* A text of the request's own arena. */
static struct luaws_str keep(struct sign_state *st, const struct luaws_buf *b) {
  return b->failed ? LUAWS_STR_NONE : luaws_arena_str(st->req->arena, luaws_buf_str(b));
}

/* ---- headers ---- */

/* The Host header as it will be sent: lower case, no port that the scheme implies. */
static struct luaws_str host_value(const struct luaws_request *req) {
  struct luaws_str host = luaws_lower_copy(req->arena, req->host);
  struct luaws_str port =
      luaws_str_is(req->scheme, "http") ? LUAWS_STR(":80") : LUAWS_STR(":443");
  if (luaws_str_ends(host, port)) host.len -= port.len;
  return host;
}

static bool collect_headers(struct sign_state *st) {
  const struct luaws_headers *h = &st->req->headers;
  struct luaws_arena *arena = st->req->arena;
  st->headers = luaws_arena_alloc(arena, (h->count + 1) * sizeof *st->headers);
  if (!st->headers) return false;
  bool has_host = false;
  for (size_t i = 0; i < h->count; i++) {
    struct luaws_str name = luaws_lower_copy(arena, h->items[i].name);
    if (!name.ptr) return false;
    if (is_one_of(name, unsigned_headers,
                  sizeof unsigned_headers / sizeof *unsigned_headers)) {
      continue;
    }
    has_host = has_host || luaws_str_is(name, "host");
    st->headers[st->header_count++] = (struct luaws_pair){name, h->items[i].value};
  }
  if (!has_host) {
    struct luaws_str host = host_value(st->req);
    if (!host.ptr) return false;
    st->headers[st->header_count++] = (struct luaws_pair){LUAWS_STR("host"), host};
  }
  luaws_pairs_sort(st->headers, st->header_count, false);

  struct luaws_buf *names = &st->cache->text;
  luaws_buf_reset(names);
  for (size_t i = 0; i < st->header_count; i++) {
    if (i && luaws_str_eq(st->headers[i].name, st->headers[i - 1].name)) continue;
    if (i) luaws_buf_append_char(names, ';');
    luaws_buf_append_str(names, st->headers[i].name);
  }
  st->signed_headers = keep(st, names);
  return st->signed_headers.ptr != NULL;
}

/* Trims, and makes one space of any white space within. */
static void append_squeezed(struct luaws_buf *out, struct luaws_str s) {
  size_t i = 0;
  bool first = true;
  for (;;) {
    while (i < s.len && luaws_is_space(s.ptr[i]))
      i++;
    if (i == s.len) return;
    size_t from = i;
    while (i < s.len && !luaws_is_space(s.ptr[i]))
      i++;
    if (!first) luaws_buf_append_char(out, ' ');
    luaws_buf_append(out, s.ptr + from, i - from);
    first = false;
  }
}

static void append_headers(const struct sign_state *st, struct luaws_buf *out) {
  for (size_t i = 0; i < st->header_count; i++) {
    const struct luaws_pair *h = &st->headers[i];
    if (i && luaws_str_eq(h->name, h[-1].name)) {
      luaws_buf_append_char(out, ',');
    } else {
      if (i) luaws_buf_append_char(out, '\n');
      luaws_buf_append_str(out, h->name);
      luaws_buf_append_char(out, ':');
    }
    append_squeezed(out, h->value);
  }
  luaws_buf_append_char(out, '\n');
}

/* ---- path and query ---- */

static void append_path(const struct sign_state *st, struct luaws_buf *out) {
  struct luaws_str path = st->req->path.len ? st->req->path : LUAWS_STR("/");
  if (st->opts->normalize_path) {
    struct luaws_buf *text = st->opts->double_encode ? &st->cache->text : out;
    if (text != out) luaws_buf_reset(text);
    luaws_path_normalize(text, path);
    path = luaws_buf_str(text);
  }
  if (st->opts->double_encode) {
    luaws_percent_encode(out, path, "/");
  } else if (!st->opts->normalize_path) {
    luaws_buf_append_str(out, path);
  }
}

static bool append_query(const struct sign_state *st, struct luaws_buf *out) {
  struct luaws_str rest = st->req->query;
  if (rest.len == 0) return true;
  struct luaws_pair *pairs =
      luaws_arena_alloc(st->req->arena, luaws_query_count(rest) * sizeof *pairs);
  if (!pairs) return false;
  size_t count = 0;
  while (luaws_query_next(&rest, &pairs[count]))
    count++;
  luaws_pairs_sort(pairs, count, true);
  for (size_t i = 0; i < count; i++) {
    if (i) luaws_buf_append_char(out, '&');
    luaws_buf_append_str(out, pairs[i].name);
    luaws_buf_append_char(out, '=');
    luaws_buf_append_str(out, pairs[i].value);
  }
  return true;
}

/* ---- the steps ---- */

static int prepare_scope(struct sign_state *st, struct luaws_error *err) {
  struct luaws_buf *text = &st->cache->text;
  luaws_buf_reset(text);
  if (!luaws_time_format_basic(text, (double)st->opts->time_s) && !text->failed) {
    return luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError",
                           "the time to sign for lies outside the years 1 to 9999");
  }
  st->datetime = keep(st, text);
  luaws_buf_truncate(text, 8);
  if (!is_asymmetric(st)) {
    luaws_buf_append_char(text, '/');
    luaws_buf_append_str(text, st->opts->region);
  }
  luaws_buf_append_char(text, '/');
  luaws_buf_append_str(text, st->opts->service);
  luaws_buf_append_cstr(text, "/aws4_request");
  st->scope = keep(st, text);
  return st->datetime.ptr && st->scope.ptr ? 0 : luaws_error_memory(err);
}

static int hash_body(struct sign_state *st, struct luaws_error *err) {
  const struct luaws_stream *body = &st->req->body;
  if (body->kind == LUAWS_STREAM_NONE || body->length == 0) {
    st->payload = LUAWS_STR(EMPTY_SHA256);
    return 0;
  }
  unsigned char digest[LUAWS_SHA256_BYTES];
  int rc = luaws_sha256_stream(st->cache->md, body, digest, err);
  if (rc) return rc;
  struct luaws_buf *text = &st->cache->text;
  luaws_buf_reset(text);
  luaws_hex_encode(text, (struct luaws_str){(char *)digest, sizeof digest});
  st->payload = keep(st, text);
  return st->payload.ptr ? 0 : luaws_error_memory(err);
}

/* What stands for the body: a header that says so already, a fixed word, or its hash. */
static int choose_payload(struct sign_state *st, struct luaws_error *err) {
  const struct luaws_str *given =
      luaws_headers_get(&st->req->headers, LUAWS_STR("X-Amz-Content-SHA256"));
  if (given && !st->opts->add_content_sha256 &&
      st->opts->payload == LUAWS_PAYLOAD_SIGNED) {
    st->payload = *given;
    return 0;
  }
  switch (st->opts->payload) {
  case LUAWS_PAYLOAD_UNSIGNED:
    st->payload = LUAWS_STR("UNSIGNED-PAYLOAD");
    return 0;
  case LUAWS_PAYLOAD_TRAILER:
    st->payload = LUAWS_STR("STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    return 0;
  case LUAWS_PAYLOAD_SIGNED:
    break;
  }
  if (!st->opts->payload_hash.ptr) return hash_body(st, err);
  st->payload = st->opts->payload_hash;
  return 0;
}

static bool build_canonical_request(struct sign_state *st) {
  struct luaws_buf *out = &st->cache->canonical;
  luaws_buf_reset(out);
  luaws_buf_append_str(out, st->req->method);
  luaws_buf_append_char(out, '\n');
  append_path(st, out);
  luaws_buf_append_char(out, '\n');
  if (!append_query(st, out)) return false;
  luaws_buf_append_char(out, '\n');
  append_headers(st, out);
  luaws_buf_append_char(out, '\n');
  luaws_buf_append_str(out, st->signed_headers);
  luaws_buf_append_char(out, '\n');
  luaws_buf_append_str(out, st->payload);
  if (st->opts->canonical_request) {
    luaws_buf_reset(st->opts->canonical_request);
    luaws_buf_append_str(st->opts->canonical_request, luaws_buf_str(out));
  }
  return !out->failed;
}

static bool build_string_to_sign(struct sign_state *st) {
  unsigned char digest[LUAWS_SHA256_BYTES];
  if (!luaws_sha256(st->cache->md, luaws_buf_str(&st->cache->canonical), digest))
    return false;
  struct luaws_buf *out = &st->cache->to_sign;
  luaws_buf_reset(out);
  luaws_buf_append_str(out, st->algorithm);
  luaws_buf_append_char(out, '\n');
  luaws_buf_append_str(out, st->datetime);
  luaws_buf_append_char(out, '\n');
  luaws_buf_append_str(out, st->scope);
  luaws_buf_append_char(out, '\n');
  luaws_hex_encode(out, (struct luaws_str){(char *)digest, sizeof digest});
  if (st->opts->string_to_sign) {
    luaws_buf_reset(st->opts->string_to_sign);
    luaws_buf_append_str(st->opts->string_to_sign, luaws_buf_str(out));
  }
  return !out->failed;
}

/* Puts the signature's bytes at out; returns their number, 0 on failure. */
static size_t sign_text(struct sign_state *st, struct luaws_str text,
                        unsigned char out[LUAWS_ECDSA_MOST_BYTES]) {
  if (is_asymmetric(st)) {
    unsigned char digest[LUAWS_SHA256_BYTES];
    EVP_PKEY *pair =
        luaws_key_cache_get_pair(st->cache, st->creds->secret_key, st->creds->access_key);
    return pair && luaws_sha256(st->cache->md, text, digest)
               ? luaws_ecdsa_sign(pair, digest, out)
               : 0;
  }
  EVP_MAC_CTX *key = luaws_key_cache_get(st->cache, st->creds->secret_key,
                                         luaws_str_sub(st->datetime, 0, 8),
                                         st->opts->region, st->opts->service);
  return key && luaws_hmac(key, text, out) ? LUAWS_SHA256_BYTES : 0;
}

static bool compute_signature(struct sign_state *st) {
  unsigned char bytes[LUAWS_ECDSA_MOST_BYTES];
  size_t len = sign_text(st, luaws_buf_str(&st->cache->to_sign), bytes);
  struct luaws_buf *text = &st->cache->text;
  luaws_buf_reset(text);
  luaws_hex_encode(text, (struct luaws_str){(char *)bytes, len});
  if (!len || text->failed) return false;
  memcpy(st->signature, text->ptr, text->len);
  st->signature_len = text->len;
  return true;
}

static bool sign_canonical(struct sign_state *st) {
  return build_canonical_request(st) && build_string_to_sign(st) && compute_signature(st);
}

/* ---- in headers ---- */

static bool set_date_headers(struct sign_state *st) {
  struct luaws_headers *h = &st->req->headers;
  if (!luaws_headers_get(h, LUAWS_STR("Date")))
    return luaws_headers_set(h, LUAWS_STR("X-Amz-Date"), st->datetime);
  struct luaws_buf *text = &st->cache->text;
  luaws_buf_reset(text);
  luaws_time_format_rfc822(text, (double)st->opts->time_s);
  if (luaws_str_ends(luaws_buf_str(text), LUAWS_STR("GMT"))) {
    /* boto3 writes the zone as mail does. */
    luaws_buf_truncate(text, text->len - 3);
    luaws_buf_append_cstr(text, "-0000");
  }
  luaws_headers_remove(h, LUAWS_STR("X-Amz-Date"));
  return !text->failed && luaws_headers_set(h, LUAWS_STR("Date"), luaws_buf_str(text));
}

static bool set_token_header(struct sign_state *st) {
  struct luaws_headers *h = &st->req->headers;
  if (!st->creds->session_token.len) return true;
  if (!st->opts->s3express)
    return luaws_headers_set(h, LUAWS_STR("X-Amz-Security-Token"),
                             st->creds->session_token);
  luaws_headers_remove(h, LUAWS_STR("X-Amz-Security-Token"));
  return luaws_headers_set(h, LUAWS_STR("x-amz-s3session-token"),
                           st->creds->session_token);
}

static bool set_authorization(struct sign_state *st) {
  struct luaws_buf *text = &st->cache->text;
  luaws_buf_reset(text);
  luaws_buf_append_str(text, st->algorithm);
  luaws_buf_append_cstr(text, " Credential=");
  luaws_buf_append_str(text, st->creds->access_key);
  luaws_buf_append_char(text, '/');
  luaws_buf_append_str(text, st->scope);
  luaws_buf_append_cstr(text, ", SignedHeaders=");
  luaws_buf_append_str(text, st->signed_headers);
  luaws_buf_append_cstr(text, ", Signature=");
  luaws_buf_append(text, st->signature, st->signature_len);
  return !text->failed && luaws_headers_add(&st->req->headers, LUAWS_STR("Authorization"),
                                            luaws_buf_str(text));
}

static int sign_headers(struct sign_state *st, struct luaws_error *err) {
  struct luaws_headers *h = &st->req->headers;
  bool token_first = !st->opts->omit_session_token;
  int rc = choose_payload(st, err);
  if (rc) return rc;
  luaws_headers_remove(h, LUAWS_STR("Authorization"));
  /* A body that is not signed must say so, whatever the service. */
  bool say_payload =
      st->opts->add_content_sha256 || st->opts->payload == LUAWS_PAYLOAD_UNSIGNED;
  bool ok = set_date_headers(st) && (!token_first || set_token_header(st)) &&
            (!say_payload ||
             luaws_headers_set(h, LUAWS_STR("X-Amz-Content-SHA256"), st->payload)) &&
            (!is_asymmetric(st) ||
             luaws_headers_set(h, LUAWS_STR("X-Amz-Region-Set"), st->opts->region)) &&
            collect_headers(st) && sign_canonical(st) && set_authorization(st) &&
            (token_first || set_token_header(st));
  return ok ? 0 : luaws_error_memory(err);
}

/* ---- in the query ---- */

static void append_param(struct luaws_buf *out, struct luaws_str name,
                         struct luaws_str value) {
  if (out->len) luaws_buf_append_char(out, '&');
  luaws_percent_encode(out, name, NULL);
  luaws_buf_append_char(out, '=');
  luaws_percent_encode(out, value, NULL);
}

static struct luaws_str token_param(const struct sign_state *st) {
  return st->opts->s3express ? LUAWS_STR("X-Amz-S3session-Token")
                             : LUAWS_STR("X-Amz-Security-Token");
}

/* What the query held before, every part decoded and encoded again: the server takes the
   signature over its own encoding of what it read. */
static bool keep_own_params(struct sign_state *st, struct luaws_buf *out) {
  struct luaws_str rest = st->req->query;
  struct luaws_pair p;
  struct luaws_buf name = {0};
  struct luaws_buf value = {0};
  while (rest.len && luaws_query_next(&rest, &p)) {
    if (!p.name.len && !p.value.ptr) continue; /* "&&" */
    luaws_buf_reset(&name);
    luaws_buf_reset(&value);
    luaws_form_decode(&name, p.name);
    luaws_form_decode(&value, p.value);
    if (!is_one_of(luaws_buf_str(&name), presign_params,
                   sizeof presign_params / sizeof *presign_params)) {
      append_param(out, luaws_buf_str(&name), luaws_buf_str(&value));
    }
  }
  bool ok = !name.failed && !value.failed;
  luaws_buf_clear(&name);
  luaws_buf_clear(&value);
  return ok;
}

static bool set_presign_query(struct sign_state *st) {
  struct luaws_buf *out = &st->cache->to_sign; /* free until the string to sign is made */
  struct luaws_buf *text = &st->cache->text;
  luaws_buf_reset(out);
  if (!keep_own_params(st, out)) return false;
  append_param(out, LUAWS_STR("X-Amz-Algorithm"), st->algorithm);
  luaws_buf_reset(text);
  luaws_buf_append_str(text, st->creds->access_key);
  luaws_buf_append_char(text, '/');
  luaws_buf_append_str(text, st->scope);
  append_param(out, LUAWS_STR("X-Amz-Credential"), luaws_buf_str(text));
  append_param(out, LUAWS_STR("X-Amz-Date"), st->datetime);
  luaws_buf_reset(text);
  luaws_buf_append_int(text, st->opts->expires_s);
  append_param(out, LUAWS_STR("X-Amz-Expires"), luaws_buf_str(text));
  if (is_asymmetric(st))
    append_param(out, LUAWS_STR("X-Amz-Region-Set"), st->opts->region);
  append_param(out, LUAWS_STR("X-Amz-SignedHeaders"), st->signed_headers);
  if (st->creds->session_token.len && !st->opts->omit_session_token)
    append_param(out, token_param(st), st->creds->session_token);
  st->req->query = keep(st, out);
  return !text->failed && st->req->query.ptr;
}

static bool append_presign_signature(struct sign_state *st) {
  struct luaws_buf *out = &st->cache->to_sign;
  luaws_buf_reset(out);
  luaws_buf_append_str(out, st->req->query);
  append_param(out, LUAWS_STR("X-Amz-Signature"),
               (struct luaws_str){st->signature, st->signature_len});
  if (st->creds->session_token.len && st->opts->omit_session_token)
    append_param(out, token_param(st), st->creds->session_token);
  st->req->query = keep(st, out);
  return st->req->query.ptr != NULL;
}

static int sign_query(struct sign_state *st, struct luaws_error *err) {
  struct luaws_headers *h = &st->req->headers;
  const struct luaws_str *type = luaws_headers_get(h, LUAWS_STR("Content-Type"));
  /* Whoever opens the URL sends no form. */
  if (type && luaws_str_is(*type, "application/x-www-form-urlencoded; charset=utf-8"))
    luaws_headers_remove(h, LUAWS_STR("Content-Type"));
  int rc = choose_payload(st, err);
  if (rc) return rc;
  bool ok = collect_headers(st) && set_presign_query(st) && sign_canonical(st) &&
            append_presign_signature(st);
  return ok ? 0 : luaws_error_memory(err);
}

int luaws_sigv4_sign(struct luaws_request *req, const struct luaws_creds *creds,
                     const struct luaws_sign_opts *opts, struct luaws_error *err) {
  if (!creds->access_key.len || !creds->secret_key.ptr) {
    return luaws_error_set(err, LUAWS_E_CREDENTIALS, "NoCredentialsError",
                           "Unable to locate credentials");
  }
  struct sign_state st = {.req = req, .creds = creds, .opts = opts, .cache = opts->cache};
  st.algorithm = is_asymmetric(&st) ? LUAWS_STR("AWS4-ECDSA-P256-SHA256")
                                    : LUAWS_STR("AWS4-HMAC-SHA256");
  if (!st.cache) st.cache = luaws_key_cache_new();
  int rc = st.cache ? prepare_scope(&st, err) : luaws_error_memory(err);
  if (rc == 0) rc = opts->presign ? sign_query(&st, err) : sign_headers(&st, err);
  if (st.cache != opts->cache) luaws_key_cache_free(st.cache);
  return rc;
}

int luaws_sigv4_sign_text(struct luaws_key_cache *c, struct luaws_str secret,
                          struct luaws_str day, struct luaws_str region,
                          struct luaws_str service, struct luaws_str text,
                          struct luaws_buf *out) {
  unsigned char code[LUAWS_SHA256_BYTES];
  EVP_MAC_CTX *key = luaws_key_cache_get(c, secret, day, region, service);
  if (!key || !luaws_hmac(key, text, code)) return LUAWS_E_MEMORY;
  luaws_hex_encode(out, (struct luaws_str){(const char *)code, sizeof code});
  return out->failed ? LUAWS_E_MEMORY : 0;
}
