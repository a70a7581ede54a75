/* Signature Version 3 over TLS, from before Version 4: only the date is signed. */
#include "base/encode.h"
#include "base/time.h"
#include "sign/digest.h"
#include "sign/sign.h"

static bool set_authorization(struct luaws_headers *h, const struct luaws_creds *creds,
                              struct luaws_str date) {
  unsigned char code[LUAWS_SHA256_BYTES];
  struct luaws_buf text = {0};
  EVP_MAC_CTX *mac = luaws_hmac_new();
  bool ok = mac && luaws_hmac_key(mac, creds->secret_key.ptr, creds->secret_key.len) &&
            luaws_hmac(mac, date, code);
  EVP_MAC_CTX_free(mac);
  luaws_buf_append_cstr(&text, "AWS3-HTTPS AWSAccessKeyId=");
  luaws_buf_append_str(&text, creds->access_key);
  luaws_buf_append_cstr(&text, ",Algorithm=HmacSHA256,Signature=");
  luaws_base64_encode(&text, (struct luaws_str){(const char *)code, sizeof code});
  ok = ok && !text.failed &&
       luaws_headers_set(h, LUAWS_STR("X-Amzn-Authorization"), luaws_buf_str(&text));
  luaws_buf_clear(&text);
  return ok;
}

int luaws_sigv3_sign(struct luaws_request *req, const struct luaws_creds *creds,
                     int64_t time_s, struct luaws_error *err) {
  struct luaws_headers *h = &req->headers;
  struct luaws_buf date = {0};
  luaws_time_format_rfc822(&date, (double)time_s);
  bool ok = !date.failed && luaws_headers_set(h, LUAWS_STR("Date"), luaws_buf_str(&date));
  if (ok && creds->session_token.len)
    ok = luaws_headers_set(h, LUAWS_STR("X-Amz-Security-Token"), creds->session_token);
  ok = ok && set_authorization(h, creds, luaws_buf_str(&date));
  luaws_buf_clear(&date);
  return ok ? 0 : luaws_error_memory(err);
}
