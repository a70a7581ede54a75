#include "sign/rsa.h"

#include <openssl/err.h>
#include <openssl/pem.h>

struct passphrase {
  bool wanted;
};

/* OpenSSL would ask at the terminal. */
static int no_passphrase(char *out, int size, int writing, void *arg) {
  (void)out;
  (void)size;
  (void)writing;
  struct passphrase *p = arg;
  p->wanted = true;
  return -1;
}

static const char *what_is_wrong(struct luaws_str pem, bool wanted) {
  if (wanted) return "it is encrypted: decrypt it first";
  if (luaws_str_find_str(pem, LUAWS_STR("-----BEGIN ")) < 0) return "it is no PEM text";
  if (luaws_str_find_str(pem, LUAWS_STR("PRIVATE KEY-----")) < 0)
    return "there is no private key in it";
  return "it is damaged";
}

static int refuse(const char *why, struct luaws_error *err) {
  ERR_clear_error();
  return luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError",
                         "cannot read the private key: %s", why);
}

int luaws_rsa_key_new(struct luaws_str pem, EVP_PKEY **out, struct luaws_error *err) {
  struct passphrase passphrase = {false};
  *out = NULL;
  if (pem.len > INT32_MAX) return refuse("it is too long", err);
  BIO *text = BIO_new_mem_buf(pem.len ? pem.ptr : "", (int)pem.len);
  if (!text) return luaws_error_memory(err);
  EVP_PKEY *pair = PEM_read_bio_PrivateKey(text, NULL, no_passphrase, &passphrase);
  BIO_free(text);
  if (!pair) return refuse(what_is_wrong(pem, passphrase.wanted), err);
  if (!EVP_PKEY_is_a(pair, "RSA")) {
    EVP_PKEY_free(pair);
    return refuse("it is no RSA key", err);
  }
  *out = pair;
  return 0;
}

int luaws_rsa_sign_sha1(EVP_PKEY *key, struct luaws_str text, struct luaws_buf *out,
                        struct luaws_error *err) {
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  size_t len = (size_t)EVP_PKEY_get_size(key);
  bool ok = ctx && luaws_buf_reserve(out, len) &&
            EVP_DigestSignInit(ctx, NULL, EVP_sha1(), NULL, key) == 1 &&
            EVP_DigestSign(ctx, (unsigned char *)out->ptr + out->len, &len,
                           (const unsigned char *)text.ptr, text.len) == 1;
  EVP_MD_CTX_free(ctx);
  if (ok) {
    out->len += len;
    return 0;
  }
  ERR_clear_error();
  return out->failed ? luaws_error_memory(err)
                     : luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError",
                                       "the private key cannot sign");
}
