/* The key pair of Signature Version 4A. AWS derives it from the secret, so that both
   sides know it without an exchange: a number from the counter mode of NIST SP 800-108
   over HMAC-SHA-256, taken again until it lies within the order of P-256 (which it nearly
   always does at once), is the private key. */
#include "sign/keys.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>

enum { MOST_TRIES = 254 };

/* The order of P-256, less two. */
static const unsigned char order_less_two[LUAWS_SHA256_BYTES] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
    0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x4f,
};

/* One try: HMAC(1 | label | 0 | access key | counter | 256). */
static bool try_number(EVP_MAC_CTX *mac, struct luaws_str access_key, int counter,
                       unsigned char out[LUAWS_SHA256_BYTES]) {
  struct luaws_buf input = {0};
  luaws_buf_append(&input, "\0\0\0\1", 4);
  luaws_buf_append_cstr(&input, "AWS4-ECDSA-P256-SHA256");
  luaws_buf_append_char(&input, 0);
  luaws_buf_append_str(&input, access_key);
  luaws_buf_append_char(&input, (char)counter);
  luaws_buf_append(&input, "\0\0\1\0", 4);
  bool ok = !input.failed && luaws_hmac(mac, luaws_buf_str(&input), out);
  luaws_buf_clear(&input);
  return ok;
}

static bool derive_number(struct luaws_str access_key, struct luaws_str secret,
                          unsigned char out[LUAWS_SHA256_BYTES]) {
  struct luaws_buf key = {0};
  luaws_buf_reserve(&key, secret.len + sizeof "AWS4A");
  luaws_buf_append_cstr(&key, "AWS4A");
  luaws_buf_append_str(&key, secret);
  EVP_MAC_CTX *mac = luaws_hmac_new();
  bool ok = mac && !key.failed && luaws_hmac_key(mac, key.ptr, key.len);
  bool fits = false;
  for (int counter = 1; ok && !fits && counter <= MOST_TRIES; counter++) {
    ok = try_number(mac, access_key, counter, out);
    fits = memcmp(out, order_less_two, LUAWS_SHA256_BYTES) <= 0;
  }
  /* The private key is that number and one more, so that it is never zero. */
  for (int i = LUAWS_SHA256_BYTES - 1; ok && fits && ++out[i] == 0; i--) {
  }
  luaws_buf_wipe(&key);
  EVP_MAC_CTX_free(mac);
  return ok && fits;
}

/* The point on the curve that belongs to a private key, uncompressed. */
static bool public_point(const BIGNUM *private, unsigned char *out, size_t size) {
  EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  EC_POINT *point = group ? EC_POINT_new(group) : NULL;
  bool ok = point && EC_POINT_mul(group, point, private, NULL, NULL, NULL) &&
            EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, out, size,
                               NULL) == size;
  EC_POINT_free(point);
  EC_GROUP_free(group);
  return ok;
}

static EVP_PKEY *make_pair(const BIGNUM *private, const unsigned char *point,
                           size_t size) {
  EVP_PKEY *pair = NULL;
  OSSL_PARAM *params = NULL;
  OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
  bool ok =
      build && ctx &&
      OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1",
                                      0) &&
      OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, size) &&
      OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, private);
  if (ok) params = OSSL_PARAM_BLD_to_param(build);
  if (params && EVP_PKEY_fromdata_init(ctx) == 1)
    EVP_PKEY_fromdata(ctx, &pair, EVP_PKEY_KEYPAIR, params);
  OSSL_PARAM_free(params);
  OSSL_PARAM_BLD_free(build);
  EVP_PKEY_CTX_free(ctx);
  return pair;
}

EVP_PKEY *luaws_sigv4a_derive(struct luaws_str access_key, struct luaws_str secret) {
  unsigned char number[LUAWS_SHA256_BYTES];
  unsigned char point[1 + 2 * LUAWS_SHA256_BYTES];
  EVP_PKEY *pair = NULL;
  BIGNUM *private = BN_secure_new();
  if (private && derive_number(access_key, secret, number) &&
      BN_bin2bn(number, sizeof number, private) &&
      public_point(private, point, sizeof point))
    pair = make_pair(private, point, sizeof point);
  luaws_wipe(number, sizeof number);
  BN_clear_free(private);
  return pair;
}

size_t luaws_ecdsa_sign(EVP_PKEY *pair, const unsigned char digest[LUAWS_SHA256_BYTES],
                        unsigned char out[LUAWS_ECDSA_MOST_BYTES]) {
  size_t len = LUAWS_ECDSA_MOST_BYTES;
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pair, NULL);
  bool ok = ctx && EVP_PKEY_sign_init(ctx) == 1 &&
            EVP_PKEY_sign(ctx, out, &len, digest, LUAWS_SHA256_BYTES) == 1;
  EVP_PKEY_CTX_free(ctx);
  return ok ? len : 0;
}
