/* What a service says of a request that it refuses quotes the request: S3 the token that
   it finds invalid, every service the headers whose signature is wrong, some the value of
   a parameter. The secrets among that are taken out of the answer before anybody reads
   it. */
#include "base/encode.h"
#include "client/call.h"

/* What is shorter may be any word: of keys and tokens, as a server for tests takes them
   ("test"), and of what is told to a service, where the code of an MFA device is one. */
enum { MIN_KEY_BYTES = 12, MIN_BYTES = 4 };

static const struct luaws_str MASK = LUAWS_STR("***");

static const struct luaws_str secret_headers[] = {
    LUAWS_STR("x-amz-security-token"),
    LUAWS_STR("x-amz-s3session-token"),
    LUAWS_STR("x-amz-sso_bearer_token"),
    LUAWS_STR("dpop"),
    LUAWS_STR("x-amz-server-side-encryption-customer-key"),
    LUAWS_STR("x-amz-copy-source-server-side-encryption-customer-key"),
};

/* text with a mask for each `what` in it; nothing of it without memory. */
static struct luaws_str mask(struct luaws_arena *arena, struct luaws_str text,
                             struct luaws_str what) {
  ptrdiff_t at = luaws_str_find_str(text, what);
  if (at < 0) return text;
  char *copy = luaws_arena_alloc(arena, text.len); /* a mask is no longer */
  size_t len = 0;
  if (!copy) return LUAWS_STR("");
  for (; at >= 0; at = luaws_str_find_str(text, what)) {
    memcpy(copy + len, text.ptr, (size_t)at);
    memcpy(copy + len + at, MASK.ptr, MASK.len);
    len += (size_t)at + MASK.len;
    text = luaws_str_sub(text, (size_t)at + what.len, text.len);
  }
  memcpy(copy + len, text.ptr, text.len);
  return (struct luaws_str){copy, len + text.len};
}

static void mask_everywhere(struct luaws_call *call, struct luaws_str what) {
  struct luaws_response *r = &call->response;
  r->body = mask(&call->arena, r->body, what);
  for (size_t i = 0; i < r->headers.count; i++)
    r->headers.items[i].value = mask(&call->arena, r->headers.items[i].value, what);
}

/* With a backslash before each slash, as some write JSON. */
static void append_escaped(struct luaws_buf *out, struct luaws_str s) {
  for (size_t i = 0; i < s.len; i++) {
    if (s.ptr[i] == '/') luaws_buf_append_char(out, '\\');
    luaws_buf_append_char(out, s.ptr[i]);
  }
}

/* "61 62 63", as S3 shows the bytes of what should have been signed. */
static void append_bytes(struct luaws_buf *out, struct luaws_str s) {
  for (size_t i = 0; i < s.len; i++) {
    if (i) luaws_buf_append_char(out, ' ');
    luaws_hex_encode(out, luaws_str_sub(s, i, 1));
  }
}

static void percent_encode(struct luaws_buf *out, struct luaws_str s) {
  luaws_percent_encode(out, s, NULL);
}

/* In each way of writing it. */
static void take_out(struct luaws_call *call, struct luaws_str secret, size_t min_bytes) {
  static void (*const forms[])(struct luaws_buf *, struct luaws_str) = {
      luaws_buf_append_str, percent_encode, append_escaped, append_bytes};
  secret = luaws_str_trim(secret);
  if (secret.len < min_bytes) return;
  struct luaws_buf written = {.wipes = true};
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    luaws_buf_reset(&written);
    forms[i](&written, secret);
    if (written.failed)
      call->response.body = LUAWS_STR("");
    else
      mask_everywhere(call, luaws_buf_str(&written));
  }
  luaws_buf_clear(&written);
}

void luaws_call_redact(struct luaws_call *call) {
  if (call->credentials) {
    take_out(call, call->credentials->secret_key, MIN_KEY_BYTES);
    take_out(call, call->credentials->token, MIN_KEY_BYTES);
  }
  for (size_t i = 0; i < call->secret_count; i++)
    take_out(call, call->secrets[i], MIN_BYTES);
  for (size_t i = 0; i < sizeof secret_headers / sizeof *secret_headers; i++) {
    const struct luaws_str *value =
        luaws_headers_get(&call->request.headers, secret_headers[i]);
    if (value) take_out(call, *value, MIN_KEY_BYTES);
  }
}
