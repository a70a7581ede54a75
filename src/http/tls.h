/* TLS between bytes that go over a connection and bytes that are meant, with HTTP/2
   agreed on by ALPN; whoever has the connection carries them. */
#ifndef LUAWS_HTTP_TLS_H
#define LUAWS_HTTP_TLS_H

#include "http/libssl.h"
#include "http/pool.h"

struct luaws_tls {
  const struct luaws_ssl *ssl;
  SSL_CTX *context;
  SSL *session;
  BIO *in, *out; /* the session's */
  bool ready;    /* the handshake is done */
  char failure[256];
};

/* For a connection to `host` (which may have a port), with the trust, certificate and key
   of p's options. 0, or a negative code with *err filled in. */
int luaws_tls_open(struct luaws_tls *t, const struct luaws_pool *p, struct luaws_str host,
                   struct luaws_error *err);
void luaws_tls_close(struct luaws_tls *t);
/* Bytes that came over the connection; false without memory. */
bool luaws_tls_feed(struct luaws_tls *t, const char *bytes, size_t count);
/* Goes on with the handshake: 1 when it is done, 0 when more must come or go first, -1
   when it failed (t->failure tells). */
int luaws_tls_step(struct luaws_tls *t);
bool luaws_tls_speaks_h2(const struct luaws_tls *t);
/* What was meant by the bytes fed: their number, LUAWS_READ_AGAIN when more must come
   first, 0 at the end that the peer told, -1 when the session is broken. */
ptrdiff_t luaws_tls_read(struct luaws_tls *t, char *dst, size_t max);
/* All or nothing: false when the session is broken. */
bool luaws_tls_write(struct luaws_tls *t, const void *bytes, size_t count);
void luaws_tls_say_goodbye(struct luaws_tls *t);
/* Appends what is to go over the connection. */
void luaws_tls_drain(struct luaws_tls *t, struct luaws_buf *out);

#endif
