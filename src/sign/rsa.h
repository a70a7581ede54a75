/* RSA keys from PEM texts, and signatures with them: what CloudFront wants of its URLs.
 */
#ifndef LUAWS_SIGN_RSA_H
#define LUAWS_SIGN_RSA_H

#include "base/error.h"

#include <openssl/evp.h>

/* Reads a private key, PKCS #1 or PKCS #8. LUAWS_E_ARGUMENT, kind "ValueError", says what
   is wrong with the text and shows nothing of it; nobody is asked for a passphrase. Freed
   with EVP_PKEY_free, which wipes it. */
int luaws_rsa_key_new(struct luaws_str pem, EVP_PKEY **out, struct luaws_error *err);

/* Appends the signature of a text: PKCS #1 v1.5 over its SHA-1. */
int luaws_rsa_sign_sha1(EVP_PKEY *key, struct luaws_str text, struct luaws_buf *out,
                        struct luaws_error *err);

#endif
