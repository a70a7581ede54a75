/* HTTP over libcurl: one event loop that any number of exchanges share, none of them with
   a thread.

   A loop owns the waiting (epoll: sockets, timers, wake-ups). A pool owns connections and
   the settings that belong to them (TLS, proxies, limits): a client has one. An exchange
   is one request and its response. Nothing of the caller runs inside libcurl: callbacks
   to the owner of an exchange or timer, and stream functions (stream.h), are called from
   luaws_loop_turn after libcurl has returned. So they may start and free exchanges, and
   turn the loop: a body may be read from another exchange's. */
#ifndef LUAWS_HTTP_HTTP_H
#define LUAWS_HTTP_HTTP_H

#include "base/error.h"
#include "base/message.h"

/* ---- loop ---- */
struct luaws_loop;
int luaws_loop_new(struct luaws_loop **out, struct luaws_error *err);
void luaws_loop_free(
    struct luaws_loop *l); /* everything on it must be gone or is cancelled */
/* Waits at most timeout_ms (-1 = until something happens, 0 = only looks), then makes the
   callbacks that are due. Returns the number of callbacks made; LUAWS_E_CANCELLED when
   interrupted. Returns at once, 0, when nothing is under way and timeout_ms is -1. */
int luaws_loop_turn(struct luaws_loop *l, int timeout_ms, struct luaws_error *err);
/* Makes a turn that is waiting, or the next one, return LUAWS_E_CANCELLED. From any
 * thread or signal handler. */
void luaws_loop_interrupt(struct luaws_loop *l);
bool luaws_loop_busy(const struct luaws_loop *l); /* an exchange or timer is under way */
/* For a host with a loop of its own: a descriptor that is readable when a turn with
   timeout 0 has work to do, and how long until one does anyway (-1 = no timer). */
int luaws_loop_fd(const struct luaws_loop *l);
int luaws_loop_timeout_ms(const struct luaws_loop *l);

struct luaws_timer;
/* Calls fn(arg) once after delay_ms; the timer is gone then. NULL without memory. */
struct luaws_timer *luaws_timer_start(struct luaws_loop *l, int64_t delay_ms,
                                      void (*fn)(void *), void *arg);
void luaws_timer_cancel(struct luaws_timer *t);
struct luaws_when_ready;
/* Calls fn(arg) once when fd can be read from, or written to, without waiting (or has
   ended, or failed); the wait is gone then. A regular file always can. NULL with err when
   it cannot be waited for. */
struct luaws_when_ready *luaws_when_ready(struct luaws_loop *l, int fd, bool to_write,
                                          void (*fn)(void *), void *arg,
                                          struct luaws_error *err);
void luaws_when_ready_cancel(struct luaws_when_ready *w);
/* Milliseconds of a clock that never jumps. */
int64_t luaws_monotonic_ms(void);

/* ---- pool ---- */
struct luaws_pool_options {
  int connect_timeout_ms;  /* 0 = 60 s */
  int read_timeout_ms;     /* without a byte either way; 0 = 60 s */
  int max_connections;     /* 0 = 64: exchanges past it wait their turn */
  bool verify;             /* TLS certificates */
  const char *ca_bundle;   /* file or folder; NULL = the system's */
  const char *client_cert; /* PEM, may hold the key too */
  const char *client_key;
  const char *proxy_http; /* for http:// and https:// URLs; NULL = the environment decides
                             (HTTP_PROXY, http_proxy, HTTPS_PROXY, https_proxy, NO_PROXY,
                             no_proxy; ALL_PROXY is ignored); "" = none */
  const char *proxy_https;
  const char *proxy_ca_bundle;
  const char *proxy_client_cert;
  const char *proxy_client_key;
  bool
      proxy_forwards_https; /* an https:// proxy is sent https:// URLs without a tunnel */
  bool tcp_keepalive;
};
struct luaws_pool;
/* Copies what it needs; libcurl is loaded at the first exchange, not here. */
int luaws_pool_new(struct luaws_loop *l, const struct luaws_pool_options *o,
                   struct luaws_pool **out, struct luaws_error *err);
void luaws_pool_free(
    struct luaws_pool *p); /* cancels its exchanges, closes its connections */

/* ---- exchange ---- */
struct luaws_exchange_options {
  bool stream;          /* the body is read by luaws_exchange_read, not gathered */
  bool stream_only_2xx; /* … unless the status is 300 or more: then it is gathered all the
                           same */
  bool expect_continue; /* send Expect: 100-continue and wait 1 s for the answer; a
                           server that let us wait in vain is not asked again. Without
                           a body nothing is announced, as RFC 9110, 10.1.1 has it */
  bool secret; /* the answer is wiped when it is not needed any more, however large */
  uint64_t max_body_bytes; /* of a gathered body; 0 = 2 GiB */
  void (*done)(void *arg); /* once: with a gathered body when it is whole, with a streamed
                              one when the headers are there; or when it failed */
  void (*progress)(
      void *arg); /* streamed: more can be read, or its end came; may be NULL */
  void *arg;
};
struct luaws_exchange;
/* Sends request, whose memory (and arena) must live until the exchange is freed. Its Host
   header is taken from request->host, Content-Length or chunking from its body (a
   request of GET, HEAD, DELETE or OPTIONS without one sends "Content-Length: 0" only when
   it has that header; "Transfer-Encoding: chunked" among the headers is obeyed); nothing
   is added that the request does not have (no Accept, User-Agent, or Expect of libcurl's
   own). Redirects are not followed, encodings not undone. */
int luaws_exchange_start(struct luaws_pool *p, const struct luaws_request *request,
                         const struct luaws_exchange_options *o,
                         struct luaws_exchange **out, struct luaws_error *err);
/* Once done: 0 and the response (memory of the exchange), or why there is none, with
   botocore's kinds: EndpointConnectionError, ConnectTimeoutError, ReadTimeoutError,
   ConnectionClosedError, SSLError, ProxyConnectionError, HTTPClientError; messages name
   the endpoint URL (scheme and host; credentials in proxies masked). */
int luaws_exchange_result(struct luaws_exchange *x, const struct luaws_response **out,
                          struct luaws_error *err);
/* Whether anything of the request's body was read. Not so where the answer came before.
 */
bool luaws_exchange_has_read_body(const struct luaws_exchange *x);
/* Streamed: at most max bytes; 0 at the end; LUAWS_READ_AGAIN when nothing is there yet
   (turn the loop); or a negative code: IncompleteReadError when the body ended early,
   ReadTimeoutError, ConnectionClosedError, … */
ptrdiff_t luaws_exchange_read(struct luaws_exchange *x, char *dst, size_t max,
                              struct luaws_error *err);
/* The same without a copy: what is there, as it lies in the exchange's memory until the
   next turn of the loop; how much of it was used is to be told by luaws_exchange_skip. */
ptrdiff_t luaws_exchange_peek(struct luaws_exchange *x, const char **out,
                              struct luaws_error *err);
void luaws_exchange_skip(struct luaws_exchange *x, size_t used);
/* Cancels what is under way. From its own stream function, it goes when that returns, and
   then releases the request's body, which it takes over. */
void luaws_exchange_free(struct luaws_exchange *x);

#endif
