/* SHA-256 and HMAC-SHA-256 on contexts that are made once and used again: finding an
   algorithm costs OpenSSL 3 more than hashing a small request. And HMAC-SHA1, which only
   old signatures want. */
#ifndef LUAWS_SIGN_DIGEST_H
#define LUAWS_SIGN_DIGEST_H

#include "base/error.h"
#include "base/stream.h"

#include <openssl/evp.h>

enum { LUAWS_SHA256_BYTES = 32, LUAWS_SHA1_BYTES = 20 };

/* A context of the one SHA-256, or NULL without memory. Freed with EVP_MD_CTX_free. */
EVP_MD_CTX *luaws_sha256_new(void);
/* One digest; md is one of luaws_sha256_new. False when OpenSSL refuses. */
bool luaws_sha256(EVP_MD_CTX *md, struct luaws_str data,
                  unsigned char out[LUAWS_SHA256_BYTES]);
/* The digest of everything in a stream, which is at its first byte and is so again
   afterwards. UnseekableStreamError, with nothing read, when it cannot be rewound. */
int luaws_sha256_stream(EVP_MD_CTX *md, const struct luaws_stream *body,
                        unsigned char out[LUAWS_SHA256_BYTES], struct luaws_error *err);

/* A context of HMAC-SHA-256 without a key, or NULL. Freed with EVP_MAC_CTX_free, which
   wipes the key. */
EVP_MAC_CTX *luaws_hmac_new(void);
/* Gives it a key, which it keeps; false when OpenSSL refuses. */
bool luaws_hmac_key(EVP_MAC_CTX *mac, const void *key, size_t len);
/* One code with the key it has. */
bool luaws_hmac(EVP_MAC_CTX *mac, struct luaws_str data,
                unsigned char out[LUAWS_SHA256_BYTES]);

bool luaws_hmac_sha1(struct luaws_str key, struct luaws_str data,
                     unsigned char out[LUAWS_SHA1_BYTES]);

#endif
