#include "sign/digest.h"

#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdlib.h>

enum { READ_BYTES = 64 * 1024 };

/* Found once in a process, never freed: OpenSSL lets go of them at exit. */
static pthread_once_t fetched = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;
static EVP_MAC *hmac;

static void fetch(void) {
  sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
  hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
}

EVP_MD_CTX *luaws_sha256_new(void) {
  pthread_once(&fetched, fetch);
  EVP_MD_CTX *md = sha256 ? EVP_MD_CTX_new() : NULL;
  if (md && !EVP_DigestInit_ex2(md, sha256, NULL)) {
    EVP_MD_CTX_free(md);
    md = NULL;
  }
  return md;
}

bool luaws_sha256(EVP_MD_CTX *md, struct luaws_str data,
                  unsigned char out[LUAWS_SHA256_BYTES]) {
  return EVP_DigestInit_ex2(md, NULL, NULL) && EVP_DigestUpdate(md, data.ptr, data.len) &&
         EVP_DigestFinal_ex(md, out, NULL);
}

/* Feeds the rest of the stream to md. */
static int digest_all(EVP_MD_CTX *md, const struct luaws_stream *body, int64_t *position,
                      char *block, struct luaws_error *err) {
  for (;;) {
    ptrdiff_t n = luaws_stream_read(body, position, block, READ_BYTES, err);
    if (n < 0) return (int)n;
    if (n == 0) return 0;
    if (!EVP_DigestUpdate(md, block, (size_t)n)) return luaws_error_memory(err);
  }
}

int luaws_sha256_stream(EVP_MD_CTX *md, const struct luaws_stream *body,
                        unsigned char out[LUAWS_SHA256_BYTES], struct luaws_error *err) {
  if (body->kind == LUAWS_STREAM_NONE || body->kind == LUAWS_STREAM_BYTES) {
    struct luaws_str bytes =
        body->kind == LUAWS_STREAM_BYTES ? body->bytes : LUAWS_STR_NONE;
    return luaws_sha256(md, bytes, out) ? 0 : luaws_error_memory(err);
  }
  if (body->kind == LUAWS_STREAM_FUNCTION && !body->rewind) {
    return luaws_error_set(err, LUAWS_E_IO, "UnseekableStreamError",
                           "Need to rewind the stream, but stream is not seekable.");
  }
  char *block = malloc(READ_BYTES);
  if (!block || !EVP_DigestInit_ex2(md, NULL, NULL)) {
    free(block);
    return luaws_error_memory(err);
  }
  int64_t position = 0;
  int rc = digest_all(md, body, &position, block, err);
  free(block);
  if (rc == 0) rc = luaws_stream_rewind(body, &position, err);
  if (rc == 0 && !EVP_DigestFinal_ex(md, out, NULL)) rc = luaws_error_memory(err);
  return rc;
}

EVP_MAC_CTX *luaws_hmac_new(void) {
  pthread_once(&fetched, fetch);
  return hmac ? EVP_MAC_CTX_new(hmac) : NULL;
}

bool luaws_hmac_key(EVP_MAC_CTX *mac, const void *key, size_t len) {
  char digest[] = "SHA256";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end(),
  };
  /* A NULL key would mean "the one it has". */
  return EVP_MAC_init(mac, len ? key : (const void *)"", len, params) == 1;
}

bool luaws_hmac(EVP_MAC_CTX *mac, struct luaws_str data,
                unsigned char out[LUAWS_SHA256_BYTES]) {
  size_t len = 0;
  return EVP_MAC_init(mac, NULL, 0, NULL) &&
         EVP_MAC_update(mac, (const unsigned char *)data.ptr, data.len) &&
         EVP_MAC_final(mac, out, &len, LUAWS_SHA256_BYTES);
}

bool luaws_hmac_sha1(struct luaws_str key, struct luaws_str data,
                     unsigned char out[LUAWS_SHA1_BYTES]) {
  return HMAC(EVP_sha1(), key.len ? key.ptr : "", (int)key.len,
              (const unsigned char *)data.ptr, data.len, out, NULL) != NULL;
}
