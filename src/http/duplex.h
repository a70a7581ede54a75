/* One request whose body is written while its answer is being read: over HTTP/2, on a
   connection of its own. TLS agrees on HTTP/2 by ALPN; an http:// endpoint is taken to
   speak it ("prior knowledge"). libcurl makes the connection (tunnel.h), nghttp2 the
   frames.

   As with an exchange (http.h), nothing of the caller runs in here: the functions below
   are called from luaws_loop_turn, and may free the duplex.

   What is written waits in memory until the server takes it, as much of it as fits into
   LUAWS_DUPLEX_ROOM_BYTES; what is not read stops the server after
   LUAWS_DUPLEX_WINDOW_BYTES.

   Until the headers of the answer are there, the pool's read timeout ends the request
   when so long no byte moved either way. Afterwards both sides may be silent for as long
   as they like: after so long without a byte the server is asked whether it is still
   there (PING), and only if it does not answer for as long again the request has failed.
 */
#ifndef LUAWS_HTTP_DUPLEX_H
#define LUAWS_HTTP_DUPLEX_H

#include "http/http.h"

enum {
  LUAWS_DUPLEX_ROOM_BYTES = 64 * 1024,
  LUAWS_DUPLEX_WINDOW_BYTES = 512 * 1024,
};

struct luaws_duplex;
struct luaws_duplex_options {
  void (*done)(void *arg);        /* once: the headers are there (below 300), or the whole
                                     answer is, or it failed */
  void (*progress)(void *arg);    /* more can be read, or its end came */
  void (*takes)(void *takes_arg); /* luaws_duplex_takes, after it did not; or it never
                                     will again */
  void *arg;
  void *takes_arg;
};

/* Sends request but for its body, which must be none. Its memory must live until the
   duplex is freed. */
int luaws_duplex_start(struct luaws_pool *p, const struct luaws_request *request,
                       const struct luaws_duplex_options *o, struct luaws_duplex **out,
                       struct luaws_error *err);
/* As luaws_exchange_result and luaws_exchange_read. An answer of 300 and above is
   gathered. HTTPClientError, LUAWS_E_ENDPOINT: the server does not speak HTTP/2. */
int luaws_duplex_result(struct luaws_duplex *d, const struct luaws_response **out,
                        struct luaws_error *err);
ptrdiff_t luaws_duplex_read(struct luaws_duplex *d, char *dst, size_t max,
                            struct luaws_error *err);
/* Whether something may be written now: the connection stands, and not too much waits. */
bool luaws_duplex_takes(struct luaws_duplex *d);
/* Has `takes` called in the next turn of the loop in which it does. */
void luaws_duplex_ask(struct luaws_duplex *d);
/* Whether nothing will ever be taken again: the server has ended its answer or said no,
   the connection broke, or the body was ended. */
bool luaws_duplex_is_over(const struct luaws_duplex *d);
/* Copies, and sends what can be sent at once. Only while luaws_duplex_takes. */
int luaws_duplex_write(struct luaws_duplex *d, struct luaws_str bytes,
                       struct luaws_error *err);
/* Ends the body after what was written; at any time, also twice. */
void luaws_duplex_end(struct luaws_duplex *d);
/* Tells the server that the stream is dropped, unless it has ended. */
void luaws_duplex_free(struct luaws_duplex *d);

/* For the pool that goes: ends it as cancelled. tell = false: its loop is gone too. */
void luaws_duplex_cancel(struct luaws_duplex *d, bool tell);

#endif
