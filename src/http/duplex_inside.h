/* The inside of a duplex: duplex.c has its life and what its owner asks, duplex_frames.c
   what goes over the connection. */
#ifndef LUAWS_HTTP_DUPLEX_INSIDE_H
#define LUAWS_HTTP_DUPLEX_INSIDE_H

#include "http/duplex.h"
#include "http/failure.h"
#include "http/libnghttp2.h"
#include "http/tls.h"
#include "http/tunnel.h"

enum { LUAWS_DUPLEX_LOW_BYTES = LUAWS_DUPLEX_ROOM_BYTES / 4 };

struct luaws_duplex {
  struct luaws_pool *pool; /* NULL once it is gone */
  struct luaws_loop *loop;
  struct luaws_duplex *prev, *next;
  const struct luaws_request *request;
  struct luaws_duplex_options options;
  const struct luaws_proxy *proxy;
  struct luaws_tunnel tunnel;
  struct luaws_tls tls;
  bool secure; /* https: tls is in use */
  const struct luaws_nghttp2 *h2;
  nghttp2_session *session; /* NULL until there is a connection, and once it is closed */
  int32_t stream;
  struct luaws_buf wire; /* to go over the connection; from wire_at */
  size_t wire_at;
  struct luaws_buf body_out; /* written by the owner, to become frames; from body_at */
  size_t body_at;
  bool body_ended;     /* the owner will write no more */
  bool waits_for_body; /* the stream has nothing to send */
  bool heard;          /* something came over the connection */

  struct luaws_arena arena; /* response headers */
  struct luaws_response response;
  bool head_done;
  bool remote_ended;
  struct luaws_buf body;
  size_t body_read; /* of body: handed out */

  struct luaws_ready ready;
  struct luaws_alarm alarm;
  int64_t active_ms;
  bool pinged;
  struct luaws_error err;
  bool finished;
  bool asked; /* luaws_duplex_takes said no */
  bool done_due, done_told, progress_due, takes_due;
};

/* ---- duplex_frames.c ---- */

/* Speaks HTTP/2 from now on and sends the request. */
void luaws_duplex_begin(struct luaws_duplex *d);
/* Takes what has come, sends what can go. Ends d where the connection does. */
void luaws_duplex_turn(struct luaws_duplex *d);
void luaws_duplex_flush(struct luaws_duplex *d);
void luaws_duplex_ping(struct luaws_duplex *d);
/* Tells an owner that was refused that there is room again. */
void luaws_duplex_offer_room(struct luaws_duplex *d);
/* The stream has more to send, or its end. */
void luaws_duplex_resume(struct luaws_duplex *d);
/* The owner has read so many bytes: the server may send as many more. */
void luaws_duplex_consume(struct luaws_duplex *d, size_t count);
/* Drops the stream unless it has ended, and closes the connection. */
void luaws_duplex_hang_up(struct luaws_duplex *d);

/* ---- duplex.c ---- */

/* Ends d: in failure when d->err is set. */
void luaws_duplex_finish(struct luaws_duplex *d);
/* Ends it in a failure of libcurl's kinds; message may be NULL. */
void luaws_duplex_fail(struct luaws_duplex *d, CURLcode code, const char *message);
/* The answer's headers are there. */
void luaws_duplex_head_done(struct luaws_duplex *d);
void luaws_duplex_tell(struct luaws_duplex *d); /* what is due, outside this pass */

#endif
