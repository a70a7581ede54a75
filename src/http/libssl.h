/* libssl, opened by the first request that speaks TLS without libcurl (duplex.h). */
#ifndef LUAWS_HTTP_LIBSSL_H
#define LUAWS_HTTP_LIBSSL_H

#include <openssl/ssl.h>

#include "base/error.h"

#define LUAWS_SSL_FUNCTIONS(X)          \
  X(SSL_CTX_ctrl)                       \
  X(SSL_CTX_free)                       \
  X(SSL_CTX_load_verify_dir)            \
  X(SSL_CTX_load_verify_file)           \
  X(SSL_CTX_new)                        \
  X(SSL_CTX_set_alpn_protos)            \
  X(SSL_CTX_set_default_verify_paths)   \
  X(SSL_CTX_set_verify)                 \
  X(SSL_CTX_use_PrivateKey_file)        \
  X(SSL_CTX_use_certificate_chain_file) \
  X(SSL_ctrl)                           \
  X(SSL_do_handshake)                   \
  X(SSL_free)                           \
  X(SSL_get0_alpn_selected)             \
  X(SSL_get0_param)                     \
  X(SSL_get_error)                      \
  X(SSL_get_verify_result)              \
  X(SSL_new)                            \
  X(SSL_read)                           \
  X(SSL_set1_host)                      \
  X(SSL_set_bio)                        \
  X(SSL_set_connect_state)              \
  X(SSL_shutdown)                       \
  X(SSL_write)                          \
  X(TLS_client_method)

struct luaws_ssl {
#define LUAWS_SSL_MEMBER(name) __typeof__(name) *name;
  LUAWS_SSL_FUNCTIONS(LUAWS_SSL_MEMBER)
#undef LUAWS_SSL_MEMBER
};

/* Opens it once in a process, from any thread. NULL with LUAWS_E_CONFIG and what is
   missing when it cannot be had. */
const struct luaws_ssl *luaws_ssl(struct luaws_error *err);

#endif
