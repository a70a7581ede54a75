#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static const unsigned char H2_ALPN[] = {2,   'h', '2', 8,   'h', 't',
                                        't', 'p', '/', '1', '.', '1'};

static int set_up_failed(struct luaws_error *err, const char *what) {
  unsigned long code = ERR_peek_last_error();
  char reason[160] = "";
  if (code) ERR_error_string_n(code, reason, sizeof reason);
  ERR_clear_error();
  return luaws_error_set(err, LUAWS_E_TLS, "SSLError", "SSL validation failed for %s %s",
                         what, reason);
}

static int set_trust(struct luaws_tls *t, const struct luaws_pool *p,
                     struct luaws_error *err) {
  const struct luaws_pool_options *o = &p->options;
  if (!o->verify) {
    t->ssl->SSL_CTX_set_verify(t->context, SSL_VERIFY_NONE, NULL);
    return 0;
  }
  t->ssl->SSL_CTX_set_verify(t->context, SSL_VERIFY_PEER, NULL);
  int ok = !o->ca_bundle  ? t->ssl->SSL_CTX_set_default_verify_paths(t->context)
           : p->ca_folder ? t->ssl->SSL_CTX_load_verify_dir(t->context, o->ca_bundle)
                          : t->ssl->SSL_CTX_load_verify_file(t->context, o->ca_bundle);
  return ok == 1 ? 0
                 : set_up_failed(err, o->ca_bundle ? o->ca_bundle : "the system's CAs");
}

static int set_certificate(struct luaws_tls *t, const struct luaws_pool *p,
                           struct luaws_error *err) {
  const char *cert = p->options.client_cert;
  const char *key = p->options.client_key ? p->options.client_key : cert;
  if (!cert) return 0;
  if (t->ssl->SSL_CTX_use_certificate_chain_file(t->context, cert) != 1)
    return set_up_failed(err, cert);
  if (t->ssl->SSL_CTX_use_PrivateKey_file(t->context, key, SSL_FILETYPE_PEM) != 1)
    return set_up_failed(err, key);
  return 0;
}

/* The name that the certificate must be for, and that the server is told; an address is
   not told (RFC 6066, 3). */
static bool set_name(struct luaws_tls *t, struct luaws_str host, bool verify) {
  char name[256];
  bool in_brackets = host.len && host.ptr[0] == '[';
  ptrdiff_t end = luaws_str_find(host, in_brackets ? ']' : ':');
  if (end >= 0) host = luaws_str_sub(host, 0, (size_t)end);
  if (in_brackets) host = luaws_str_sub(host, 1, host.len);
  if (host.len == 0 || host.len >= sizeof name) return false;
  memcpy(name, host.ptr, host.len);
  name[host.len] = 0;
  X509_VERIFY_PARAM *param = t->ssl->SSL_get0_param(t->session);
  ASN1_OCTET_STRING *address = a2i_IPADDRESS(name);
  if (address) {
    ASN1_OCTET_STRING_free(address);
    return !verify || X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
  }
  if (t->ssl->SSL_ctrl(t->session, SSL_CTRL_SET_TLSEXT_HOSTNAME,
                       TLSEXT_NAMETYPE_host_name, name) != 1)
    return false;
  return !verify || t->ssl->SSL_set1_host(t->session, name) == 1;
}

int luaws_tls_open(struct luaws_tls *t, const struct luaws_pool *p, struct luaws_str host,
                   struct luaws_error *err) {
  t->ssl = luaws_ssl(err);
  if (!t->ssl) return LUAWS_E_CONFIG;
  ERR_clear_error();
  t->context = t->ssl->SSL_CTX_new(t->ssl->TLS_client_method());
  if (!t->context) return luaws_error_memory(err);
  t->ssl->SSL_CTX_ctrl(t->context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
  /* Zero is success, of this function alone. */
  if (t->ssl->SSL_CTX_set_alpn_protos(t->context, H2_ALPN, sizeof H2_ALPN) != 0)
    return luaws_error_memory(err);
  int rc = set_trust(t, p, err);
  if (rc == 0) rc = set_certificate(t, p, err);
  if (rc) return rc;
  t->session = t->ssl->SSL_new(t->context);
  t->in = BIO_new(BIO_s_mem());
  t->out = BIO_new(BIO_s_mem());
  if (!t->session || !t->in || !t->out) {
    BIO_free(t->in);
    BIO_free(t->out);
    return luaws_error_memory(err);
  }
  t->ssl->SSL_set_bio(t->session, t->in, t->out); /* which owns them from now on */
  t->ssl->SSL_set_connect_state(t->session);
  return set_name(t, host, p->options.verify) ? 0 : luaws_error_memory(err);
}

void luaws_tls_close(struct luaws_tls *t) {
  if (t->session) t->ssl->SSL_free(t->session);
  if (t->context) t->ssl->SSL_CTX_free(t->context);
  *t = (struct luaws_tls){0};
}

bool luaws_tls_feed(struct luaws_tls *t, const char *bytes, size_t count) {
  return BIO_write(t->in, bytes, (int)count) == (int)count;
}

static void note_failure(struct luaws_tls *t) {
  long verify = t->ssl->SSL_get_verify_result(t->session);
  unsigned long code = ERR_peek_last_error();
  if (verify != X509_V_OK) {
    snprintf(t->failure, sizeof t->failure, "SSL certificate problem: %s",
             X509_verify_cert_error_string(verify));
  } else if (code) {
    ERR_error_string_n(code, t->failure, sizeof t->failure);
  }
  ERR_clear_error();
}

int luaws_tls_step(struct luaws_tls *t) {
  ERR_clear_error();
  int n = t->ssl->SSL_do_handshake(t->session);
  if (n == 1) {
    t->ready = true;
    return 1;
  }
  int what = t->ssl->SSL_get_error(t->session, n);
  if (what == SSL_ERROR_WANT_READ || what == SSL_ERROR_WANT_WRITE) return 0;
  note_failure(t);
  return -1;
}

bool luaws_tls_speaks_h2(const struct luaws_tls *t) {
  const unsigned char *chosen = NULL;
  unsigned len = 0;
  t->ssl->SSL_get0_alpn_selected(t->session, &chosen, &len);
  return len == 2 && memcmp(chosen, "h2", 2) == 0;
}

ptrdiff_t luaws_tls_read(struct luaws_tls *t, char *dst, size_t max) {
  ERR_clear_error();
  int n = t->ssl->SSL_read(t->session, dst, (int)max);
  if (n > 0) return n;
  int what = t->ssl->SSL_get_error(t->session, n);
  if (what == SSL_ERROR_WANT_READ || what == SSL_ERROR_WANT_WRITE)
    return LUAWS_READ_AGAIN;
  if (what == SSL_ERROR_ZERO_RETURN) return 0;
  note_failure(t);
  return -1;
}

bool luaws_tls_write(struct luaws_tls *t, const void *bytes, size_t count) {
  ERR_clear_error();
  return t->ssl->SSL_write(t->session, bytes, (int)count) == (int)count;
}

void luaws_tls_say_goodbye(struct luaws_tls *t) {
  ERR_clear_error();
  t->ssl->SSL_shutdown(t->session);
  ERR_clear_error();
}

void luaws_tls_drain(struct luaws_tls *t, struct luaws_buf *out) {
  size_t waiting = (size_t)BIO_pending(t->out);
  if (!waiting || !luaws_buf_reserve(out, waiting)) return;
  int n = BIO_read(t->out, out->ptr + out->len, (int)waiting);
  if (n > 0) out->len += (size_t)n;
}
