/* The signatures of an event stream: each is made of the one before it, the message's
   headers, and its payload, with the key of the day that the message's date names. */
#include "sign/sign.h"

#include "base/encode.h"
#include "base/time.h"
#include "sign/keys.h"

int luaws_event_signer_begin(struct luaws_event_signer *s,
                             const struct luaws_request *request,
                             struct luaws_error *err) {
  const struct luaws_str *header =
      luaws_headers_get(&request->headers, LUAWS_STR("Authorization"));
  struct luaws_str mark = LUAWS_STR("Signature=");
  bool ours = header && luaws_str_starts(*header, LUAWS_STR("AWS4-HMAC-SHA256 "));
  ptrdiff_t at = ours ? luaws_str_find_str(*header, mark) : -1;
  struct luaws_str seed =
      at < 0 ? LUAWS_STR_NONE
             : luaws_str_sub(*header, (size_t)at + mark.len, sizeof s->prior);
  if (seed.len != sizeof s->prior)
    return luaws_error_set(err, LUAWS_E_CREDENTIALS, "UnsupportedSignatureVersionError",
                           "events can be signed only after a request that is signed "
                           "with Signature Version 4 in its headers");
  memcpy(s->prior, seed.ptr, seed.len);
  return 0;
}

static bool append_hash(struct luaws_key_cache *c, struct luaws_str bytes) {
  unsigned char digest[LUAWS_SHA256_BYTES];
  if (!luaws_sha256(c->md, bytes, digest)) return false;
  luaws_hex_encode(&c->to_sign, (struct luaws_str){(char *)digest, sizeof digest});
  return true;
}

static bool build_string_to_sign(struct luaws_event_signer *s, struct luaws_str datetime,
                                 struct luaws_str headers, struct luaws_str payload) {
  struct luaws_buf *out = &s->cache->to_sign;
  luaws_buf_reset(out);
  luaws_buf_append_cstr(out, "AWS4-HMAC-SHA256-PAYLOAD\n");
  luaws_buf_append_str(out, datetime);
  luaws_buf_append_char(out, '\n');
  luaws_buf_append_str(out, luaws_str_sub(datetime, 0, 8));
  luaws_buf_append_char(out, '/');
  luaws_buf_append_str(out, s->region);
  luaws_buf_append_char(out, '/');
  luaws_buf_append_str(out, s->service);
  luaws_buf_append_cstr(out, "/aws4_request\n");
  luaws_buf_append(out, s->prior, sizeof s->prior);
  luaws_buf_append_char(out, '\n');
  if (!append_hash(s->cache, headers)) return false;
  luaws_buf_append_char(out, '\n');
  return append_hash(s->cache, payload) && !out->failed;
}

int luaws_event_signer_sign(struct luaws_event_signer *s, int64_t time_s,
                            struct luaws_str headers, struct luaws_str payload,
                            unsigned char out[LUAWS_EVENT_SIGNATURE_BYTES],
                            struct luaws_error *err) {
  struct luaws_buf *datetime = &s->cache->canonical, *hex = &s->cache->text;
  luaws_buf_reset(datetime);
  luaws_buf_reset(hex);
  bool ok = luaws_time_format_basic(datetime, (double)time_s) &&
            build_string_to_sign(s, luaws_buf_str(datetime), headers, payload);
  EVP_MAC_CTX *key =
      ok ? luaws_key_cache_get(s->cache, s->secret_key,
                               luaws_str_sub(luaws_buf_str(datetime), 0, 8), s->region,
                               s->service)
         : NULL;
  ok = key && luaws_hmac(key, luaws_buf_str(&s->cache->to_sign), out);
  if (ok) luaws_hex_encode(hex, (struct luaws_str){(char *)out, LUAWS_SHA256_BYTES});
  if (!ok || hex->failed) return luaws_error_memory(err);
  memcpy(s->prior, hex->ptr, sizeof s->prior);
  return 0;
}
