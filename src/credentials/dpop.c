#include "credentials/dpop.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/encode.h"
#include "value/json.h"

enum { COORDINATE_BYTES = 32 };

/* RFC 4648 section 5, without padding. */
static void append_base64url(struct luaws_buf *out, struct luaws_str s) {
  struct luaws_buf plain = {0};
  luaws_base64_encode(&plain, s);
  for (size_t i = 0; i < plain.len && plain.ptr[i] != '='; i++) {
    char c = plain.ptr[i];
    luaws_buf_append_char(out, c == '+' ? '-' : c == '/' ? '_' : c);
  }
  if (plain.failed) out->failed = true;
  luaws_buf_clear(&plain);
}

static int no_passphrase(char *buffer, int size, int writing, void *arg) {
  return 0;
}

/* NULL unless it is a key on P-256. */
static EVP_PKEY *read_key(struct luaws_str pem) {
  char group[64];
  size_t len = 0;
  BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
  EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
  BIO_free(bio);
  if (key && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
      EVP_PKEY_get_group_name(key, group, sizeof group, &len) == 1 &&
      strcmp(group, "prime256v1") == 0) {
    return key;
  }
  EVP_PKEY_free(key);
  return NULL;
}

static bool append_number(struct luaws_buf *out, const BIGNUM *n) {
  unsigned char bytes[COORDINATE_BYTES];
  if (!n || BN_bn2binpad(n, bytes, sizeof bytes) != COORDINATE_BYTES) return false;
  append_base64url(out, (struct luaws_str){(char *)bytes, sizeof bytes});
  return true;
}

static bool append_coordinate(struct luaws_buf *out, EVP_PKEY *key, const char *param) {
  BIGNUM *n = NULL;
  bool ok = EVP_PKEY_get_bn_param(key, param, &n) == 1 && append_number(out, n);
  BN_free(n);
  return ok;
}

static bool append_header(struct luaws_buf *out, EVP_PKEY *key) {
  struct luaws_buf json = {0};
  luaws_buf_append_cstr(
      &json, "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\",\"x\":\"");
  bool ok = append_coordinate(&json, key, OSSL_PKEY_PARAM_EC_PUB_X);
  luaws_buf_append_cstr(&json, "\",\"y\":\"");
  ok = ok && append_coordinate(&json, key, OSSL_PKEY_PARAM_EC_PUB_Y);
  luaws_buf_append_cstr(&json, "\",\"crv\":\"P-256\"}}");
  append_base64url(out, luaws_buf_str(&json));
  ok = ok && !json.failed;
  luaws_buf_clear(&json);
  return ok;
}

static bool append_claims(struct luaws_buf *out, const struct luaws_dpop_claims *c) {
  struct luaws_buf json = {0};
  luaws_buf_append_cstr(&json, "{\"htm\":");
  luaws_json_quote(&json, c->method);
  luaws_buf_append_cstr(&json, ",\"htu\":");
  luaws_json_quote(&json, c->url);
  luaws_buf_printf(&json, ",\"iat\":%lld,\"jti\":", (long long)c->time_s);
  luaws_json_quote(&json, c->id);
  luaws_buf_append_char(&json, '}');
  append_base64url(out, luaws_buf_str(&json));
  bool ok = !json.failed;
  luaws_buf_clear(&json);
  return ok;
}

/* A JWT has the two numbers of a signature side by side, not in DER as OpenSSL. */
static bool append_signature(struct luaws_buf *out, EVP_PKEY *key,
                             struct luaws_str text) {
  unsigned char der[128], pair[2 * COORDINATE_BYTES];
  size_t len = sizeof der;
  const unsigned char *at = der;
  ECDSA_SIG *sig = NULL;
  EVP_MD_CTX *md = EVP_MD_CTX_new();
  bool ok = md && EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key) == 1 &&
            EVP_DigestSign(md, der, &len, (const unsigned char *)text.ptr, text.len) == 1;
  if (ok) sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
  ok = sig &&
       BN_bn2binpad(ECDSA_SIG_get0_r(sig), pair, COORDINATE_BYTES) == COORDINATE_BYTES &&
       BN_bn2binpad(ECDSA_SIG_get0_s(sig), pair + COORDINATE_BYTES, COORDINATE_BYTES) ==
           COORDINATE_BYTES;
  if (ok) append_base64url(out, (struct luaws_str){(char *)pair, sizeof pair});
  ECDSA_SIG_free(sig);
  EVP_MD_CTX_free(md);
  return ok;
}

int luaws_dpop_proof(struct luaws_str pem, const struct luaws_dpop_claims *claims,
                     struct luaws_buf *out, struct luaws_error *err) {
  EVP_PKEY *key = read_key(pem);
  if (!key) {
    return luaws_error_set(err, LUAWS_E_CREDENTIALS, "ValueError",
                           "no private key on P-256");
  }
  struct luaws_buf text = {0};
  bool ok = append_header(&text, key);
  luaws_buf_append_char(&text, '.');
  ok = ok && append_claims(&text, claims);
  struct luaws_buf signature = {0};
  ok = ok && append_signature(&signature, key, luaws_buf_str(&text));
  luaws_buf_append_str(out, luaws_buf_str(&text));
  luaws_buf_append_char(out, '.');
  luaws_buf_append_str(out, luaws_buf_str(&signature));
  ok = ok && !text.failed && !signature.failed && !out->failed;
  luaws_buf_clear(&text);
  luaws_buf_clear(&signature);
  EVP_PKEY_free(key);
  return ok ? 0 : luaws_error_memory(err);
}
