/* The signing keys of a client, and the contexts and buffers that signing uses again and
   again. */
#ifndef LUAWS_SIGN_KEYS_H
#define LUAWS_SIGN_KEYS_H

#include "sign/digest.h"
#include "sign/sign.h"

enum { LUAWS_SIGNING_KEYS = 16 };

/* What one derived key is good for. */
struct luaws_signing_key {
  EVP_MAC_CTX *mac;      /* SIGV4: keyed and ready */
  EVP_PKEY *pair;        /* SIGV4A: day and service are empty, region is the access key */
  struct luaws_buf text; /* secret, day, region and service in a row */
  size_t secret_len;
  size_t region_len;
  uint64_t last_used;
};

struct luaws_key_cache {
  EVP_MD_CTX *md;
  struct luaws_signing_key keys[LUAWS_SIGNING_KEYS];
  uint64_t clock; /* counts uses, to find the key that was used longest ago */
  /* Scratch of luaws_sigv4_sign, empty between two signatures but for their memory. */
  struct luaws_buf canonical;
  struct luaws_buf to_sign;
  struct luaws_buf text;
};

/* The key of secret for day ("20260131"), region and service, derived when it is not
   there yet. Belongs to the cache; NULL without memory. */
EVP_MAC_CTX *luaws_key_cache_get(struct luaws_key_cache *c, struct luaws_str secret,
                                 struct luaws_str day, struct luaws_str region,
                                 struct luaws_str service);

/* The key pair of an access key and its secret for SIGV4A, likewise. */
EVP_PKEY *luaws_key_cache_get_pair(struct luaws_key_cache *c, struct luaws_str secret,
                                   struct luaws_str access_key);

/* sigv4a.c: derives that pair; NULL without memory. */
EVP_PKEY *luaws_sigv4a_derive(struct luaws_str access_key, struct luaws_str secret);

enum { LUAWS_ECDSA_MOST_BYTES = 80 };
/* The signature of a digest in DER at out. Returns its length, 0 when OpenSSL refuses. */
size_t luaws_ecdsa_sign(EVP_PKEY *pair, const unsigned char digest[LUAWS_SHA256_BYTES],
                        unsigned char out[LUAWS_ECDSA_MOST_BYTES]);

#endif
