/* The proof of possession of `aws login`: a JWT that anybody can check. */
#include "credentials/dpop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/encode.h"

static void write_pem(EVP_PKEY *key, bool traditional, struct luaws_buf *out) {
  char *text = NULL;
  BIO *bio = BIO_new(BIO_s_mem());
  if (traditional) {
    assert_int_equal(
        PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL), 1);
  } else {
    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
  }
  long len = BIO_get_mem_data(bio, &text);
  luaws_buf_append(out, text, (size_t)len);
  BIO_free(bio);
}

/* The next part of a JWT, decoded. */
static void next_part(struct luaws_str *jwt, struct luaws_buf *out) {
  ptrdiff_t dot = luaws_str_find(*jwt, '.');
  struct luaws_str part = luaws_str_sub(*jwt, 0, dot < 0 ? jwt->len : (size_t)dot);
  *jwt = luaws_str_sub(*jwt, part.len + 1, jwt->len);
  struct luaws_buf plain = {0};
  for (size_t i = 0; i < part.len; i++) {
    char c = part.ptr[i];
    assert_int_not_equal(strchr("+/=", c) != NULL, 1);
    luaws_buf_append_char(&plain, c == '-' ? '+' : c == '_' ? '/' : c);
  }
  while (plain.len % 4)
    luaws_buf_append_char(&plain, '=');
  assert_true(luaws_base64_decode(out, luaws_buf_str(&plain)));
  luaws_buf_clear(&plain);
}

static void check_signature(EVP_PKEY *key, struct luaws_str text,
                            struct luaws_str signature) {
  unsigned char *der = NULL;
  ECDSA_SIG *sig = ECDSA_SIG_new();
  assert_int_equal(signature.len, 64);
  const unsigned char *bytes = (const unsigned char *)signature.ptr;
  ECDSA_SIG_set0(sig, BN_bin2bn(bytes, 32, NULL), BN_bin2bn(bytes + 32, 32, NULL));
  int len = i2d_ECDSA_SIG(sig, &der);
  EVP_MD_CTX *md = EVP_MD_CTX_new();
  assert_int_equal(EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, key), 1);
  assert_int_equal(
      EVP_DigestVerify(md, der, (size_t)len, (const unsigned char *)text.ptr, text.len),
      1);
  EVP_MD_CTX_free(md);
  ECDSA_SIG_free(sig);
  OPENSSL_free(der);
}

static void the_signature_is_good_whichever_way_the_key_is_written(void **state) {
  (void)state;
  const struct luaws_dpop_claims claims = {.method = LUAWS_STR("POST"),
                                           .url = LUAWS_STR("https://s.example/v1/token"),
                                           .time_s = 1700000000,
                                           .id = LUAWS_STR("the-id")};
  for (int i = 0; i < 40; i++) { /* numbers that begin with zero bytes come up, too */
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct luaws_buf pem = {0}, jwt = {0}, header = {0}, body = {0}, signature = {0};
    write_pem(key, i % 2, &pem);
    assert_int_equal(luaws_dpop_proof(luaws_buf_str(&pem), &claims, &jwt, NULL), 0);
    struct luaws_str rest = luaws_buf_str(&jwt);
    next_part(&rest, &header);
    next_part(&rest, &body);
    assert_string_equal(body.ptr,
                        "{\"htm\":\"POST\",\"htu\":\"https://s.example/v1/token\","
                        "\"iat\":1700000000,\"jti\":\"the-id\"}");
    struct luaws_str text = luaws_str_sub(luaws_buf_str(&jwt), 0, jwt.len - rest.len - 1);
    next_part(&rest, &signature);
    check_signature(key, text, luaws_buf_str(&signature));
    assert_true(luaws_str_starts(
        luaws_buf_str(&header),
        LUAWS_STR("{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\","
                  "\"x\":\"")));
    luaws_buf_clear(&pem);
    luaws_buf_clear(&jwt);
    luaws_buf_clear(&header);
    luaws_buf_clear(&body);
    luaws_buf_clear(&signature);
    EVP_PKEY_free(key);
  }
}

static void what_is_no_such_key_is_refused_without_showing_it(void **state) {
  (void)state;
  struct luaws_buf other_curve = {0}, rsa = {0};
  EVP_PKEY *p384 = EVP_EC_gen("P-384"), *other = EVP_RSA_gen(1024);
  write_pem(p384, false, &other_curve);
  write_pem(other, false, &rsa);
  const struct luaws_str keys[] = {LUAWS_STR(""), LUAWS_STR("SECRET"),
                                   luaws_buf_str(&other_curve), luaws_buf_str(&rsa)};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    const struct luaws_dpop_claims claims = {.method = LUAWS_STR("POST")};
    struct luaws_error err = {0};
    struct luaws_buf jwt = {0};
    assert_int_equal(luaws_dpop_proof(keys[i], &claims, &jwt, &err), LUAWS_E_CREDENTIALS);
    assert_string_equal(luaws_error_message(&err), "no private key on P-256");
    luaws_error_clear(&err);
    luaws_buf_clear(&jwt);
  }
  luaws_buf_clear(&other_curve);
  luaws_buf_clear(&rsa);
  EVP_PKEY_free(p384);
  EVP_PKEY_free(other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_signature_is_good_whichever_way_the_key_is_written),
      cmocka_unit_test(what_is_no_such_key_is_refused_without_showing_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
