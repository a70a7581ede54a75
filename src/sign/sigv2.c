/* Signature Version 2, which SimpleDB still wants: who signs, when and how are parameters
   of the form in the body, and a signature of all of them is one more. */
#include "base/encode.h"
#include "base/time.h"
#include "sign/digest.h"
#include "sign/sign.h"

#include <stdlib.h>
#include <string.h>

/* Ours, and those of a signature before this one. */
static const char *const OWN[] = {"AWSAccessKeyId",   "Signature",     "SignatureMethod",
                                  "SignatureVersion", "SecurityToken", "Timestamp"};

struct form {
  struct luaws_str *pairs; /* "name=value", encoded */
  size_t count;
};

static struct luaws_str name_of(struct luaws_str pair) {
  ptrdiff_t equals = luaws_str_find(pair, '=');
  return equals < 0 ? pair : luaws_str_sub(pair, 0, (size_t)equals);
}

static bool is_own(struct luaws_str pair) {
  for (size_t i = 0; i < sizeof OWN / sizeof *OWN; i++) {
    if (luaws_str_is(name_of(pair), OWN[i])) return true;
  }
  return false;
}

/* Adds the parameters of text: ours, or all others. */
static void split(struct form *f, struct luaws_str text, bool own) {
  while (text.len) {
    ptrdiff_t amp = luaws_str_find(text, '&');
    struct luaws_str pair = luaws_str_sub(text, 0, amp < 0 ? text.len : (size_t)amp);
    text = luaws_str_sub(text, pair.len + 1, text.len);
    if (pair.len && is_own(pair) == own) f->pairs[f->count++] = pair;
  }
}

static size_t count_pairs(struct luaws_str text) {
  size_t n = 1;
  for (size_t i = 0; i < text.len; i++)
    n += text.ptr[i] == '&';
  return n;
}

static int by_name(const void *a, const void *b) {
  struct luaws_str x = name_of(*(const struct luaws_str *)a);
  struct luaws_str y = name_of(*(const struct luaws_str *)b);
  int order = memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len);
  return order ? order : (x.len > y.len) - (x.len < y.len);
}

static void add_param(struct luaws_buf *b, const char *name, struct luaws_str value) {
  luaws_buf_printf(b, "&%s=", name);
  luaws_percent_encode(b, value, "");
}

static void write_own(struct luaws_buf *b, const struct luaws_creds *creds,
                      int64_t time_s) {
  struct luaws_buf time = {0};
  luaws_time_format_iso8601(&time, (double)time_s);
  add_param(b, "AWSAccessKeyId", creds->access_key);
  luaws_buf_append_cstr(b, "&SignatureMethod=HmacSHA256&SignatureVersion=2");
  add_param(b, "Timestamp", luaws_buf_str(&time));
  if (creds->session_token.len) add_param(b, "SecurityToken", creds->session_token);
  if (time.failed) b->failed = true;
  luaws_buf_clear(&time);
}

/* In a form a space may be "+"; in what is signed it may not. */
static void append_encoded(struct luaws_buf *b, struct luaws_str pair) {
  for (size_t i = 0; i < pair.len; i++) {
    if (pair.ptr[i] == '+')
      luaws_buf_append_cstr(b, "%20");
    else
      luaws_buf_append_char(b, pair.ptr[i]);
  }
}

static void write_string_to_sign(struct luaws_buf *b, const struct luaws_request *req,
                                 const struct form *f) {
  luaws_buf_printf(b, "%.*s\n%.*s\n%.*s\n", LUAWS_STR_ARG(req->method),
                   LUAWS_STR_ARG(req->host),
                   LUAWS_STR_ARG(req->path.len ? req->path : LUAWS_STR("/")));
  for (size_t i = 0; i < f->count; i++) {
    if (i) luaws_buf_append_char(b, '&');
    append_encoded(b, f->pairs[i]);
  }
}

static bool add_signature(struct luaws_buf *form, struct luaws_str secret,
                          struct luaws_str text) {
  unsigned char code[LUAWS_SHA256_BYTES];
  EVP_MAC_CTX *mac = luaws_hmac_new();
  bool ok =
      mac && luaws_hmac_key(mac, secret.ptr, secret.len) && luaws_hmac(mac, text, code);
  EVP_MAC_CTX_free(mac);
  if (!ok) return false;
  struct luaws_buf base64 = {0};
  luaws_base64_encode(&base64, (struct luaws_str){(const char *)code, sizeof code});
  add_param(form, "Signature", luaws_buf_str(&base64));
  ok = !base64.failed && !form->failed;
  luaws_buf_clear(&base64);
  return ok;
}

int luaws_sigv2_sign(struct luaws_request *req, const struct luaws_creds *creds,
                     int64_t time_s, struct luaws_error *err) {
  struct luaws_str body =
      req->body.kind == LUAWS_STREAM_BYTES ? req->body.bytes : LUAWS_STR_NONE;
  struct luaws_buf own = {0}, form = {0}, text = {0};
  struct form f = {0};
  write_own(&own, creds, time_s);
  size_t most = count_pairs(body) + sizeof OWN / sizeof *OWN;
  f.pairs = own.failed ? NULL : calloc(most, sizeof *f.pairs);
  bool ok = f.pairs != NULL;
  if (ok) {
    split(&f, body, false);
    for (size_t i = 0; i < f.count; i++) {
      if (i) luaws_buf_append_char(&form, '&');
      luaws_buf_append_str(&form, f.pairs[i]);
    }
    luaws_buf_append_str(&form, luaws_buf_str(&own));
    split(&f, luaws_buf_str(&own), true);
    qsort(f.pairs, f.count, sizeof *f.pairs, by_name);
    write_string_to_sign(&text, req, &f);
    ok = !text.failed && add_signature(&form, creds->secret_key, luaws_buf_str(&text));
  }
  struct luaws_str made =
      ok ? luaws_arena_str(req->arena, luaws_buf_str(&form)) : LUAWS_STR_NONE;
  if (made.ptr) {
    luaws_stream_release(&req->body);
    req->body = (struct luaws_stream){
        .kind = LUAWS_STREAM_BYTES, .bytes = made, .length = (int64_t)made.len};
  }
  free(f.pairs);
  luaws_buf_wipe(&own);
  luaws_buf_wipe(&form);
  luaws_buf_wipe(&text);
  return made.ptr ? 0 : luaws_error_memory(err);
}
