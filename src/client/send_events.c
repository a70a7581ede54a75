#include "client/send_events.h"

#include <stdlib.h>

#include "client/clock_skew.h"
#include "http/duplex.h"
#include "protocol/event_write.h"

struct luaws_event_sender {
  struct luaws_call *call;
  void (*on_takes)(void *owner);
  void *owner;
  size_t count; /* of events sent */
  bool ended;   /* by the owner: the last message is sent as soon as it can be */
  bool end_sent;
  bool has_signer;
  struct luaws_event_signer signer;
  /* Of the message that is being made, here because readers may leave by longjmp. */
  struct luaws_buf headers, payload, message, envelope;
};

enum { SPARE_MAX_BYTES = 256 * 1024 };

struct luaws_event_sender *luaws_call_sends_events(struct luaws_call *call,
                                                   void (*on_takes)(void *owner),
                                                   void *owner) {
  struct luaws_event_sender *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->call = call;
  s->on_takes = on_takes;
  s->owner = owner;
  call->sender = s;
  return s;
}

void luaws_event_sender_free(struct luaws_event_sender *s) {
  if (!s) return;
  luaws_buf_wipe(&s->headers);
  luaws_buf_wipe(&s->payload);
  luaws_buf_wipe(&s->message);
  luaws_buf_wipe(&s->envelope);
  free(s);
}

/* ---- one message ---- */

static int put_signature(struct luaws_event_sender *s, int64_t time_s,
                         struct luaws_error *err) {
  unsigned char signature[LUAWS_EVENT_SIGNATURE_BYTES];
  struct luaws_event_header date = {.name = LUAWS_STR(":date"),
                                    .type = LUAWS_EVENT_HEADER_TIMESTAMP,
                                    .integer = time_s * 1000};
  luaws_buf_reset(&s->headers);
  luaws_event_put_header(&s->headers, &date);
  int rc = luaws_event_signer_sign(&s->signer, time_s, luaws_buf_str(&s->headers),
                                   luaws_buf_str(&s->message), signature, err);
  if (rc) return rc;
  struct luaws_event_header h = {.name = LUAWS_STR(":chunk-signature"),
                                 .type = LUAWS_EVENT_HEADER_BYTES,
                                 .bytes = {(char *)signature, sizeof signature}};
  luaws_event_put_header(&s->headers, &h);
  return s->headers.failed ? luaws_error_memory(err) : 0;
}

/* Sends s->message, in an envelope that is signed where the request is. */
static int send_message(struct luaws_event_sender *s, struct luaws_error *err) {
  struct luaws_call *call = s->call;
  if (!call->duplex) return 0; /* a listener's answer: nobody is there to read it */
  if (!s->has_signer)
    return luaws_duplex_write(call->duplex, luaws_buf_str(&s->message), err);
  int rc = put_signature(s, luaws_client_signing_time_s(call->client), err);
  luaws_buf_reset(&s->envelope);
  if (rc == 0)
    rc = luaws_event_write(&s->envelope, luaws_buf_str(&s->headers),
                           luaws_buf_str(&s->message), err);
  return rc ? rc : luaws_duplex_write(call->duplex, luaws_buf_str(&s->envelope), err);
}

/* Large ones are rare: their memory is not kept. */
static void tidy(struct luaws_buf *b) {
  if (b->cap > SPARE_MAX_BYTES)
    luaws_buf_wipe(b);
  else
    luaws_buf_reset(b);
}

int luaws_call_send_event(struct luaws_call *call, struct luaws_reader *event,
                          struct luaws_error *err) {
  struct luaws_event_sender *s = call->sender;
  int rc = call->client->config->parameter_validation == LUAWS_NO
               ? 0
               : luaws_validate_event(call->operation, event, s->count, err);
  if (rc) return rc;
  luaws_buf_reset(&s->headers);
  luaws_buf_reset(&s->payload);
  luaws_buf_reset(&s->message);
  struct luaws_serialize how = {
      .service = call->client->service,
      .operation = call->operation,
      .params = event,
      .body = &s->payload,
  };
  rc = luaws_event_serialize(&how, &s->headers, err);
  if (rc == 0)
    rc = luaws_event_write(&s->message, luaws_buf_str(&s->headers),
                           luaws_buf_str(&s->payload), err);
  if (rc == 0) rc = send_message(s, err);
  if (rc == 0) s->count++;
  tidy(&s->payload);
  tidy(&s->message);
  tidy(&s->envelope);
  return rc;
}

/* ---- the end ---- */

/* Where messages are signed, the last is empty: whoever cuts the stream cannot sign it.
 */
static int send_end(struct luaws_event_sender *s, struct luaws_error *err) {
  int rc = 0;
  s->end_sent = true;
  luaws_buf_reset(&s->message);
  if (s->has_signer) rc = send_message(s, err);
  luaws_duplex_end(s->call->duplex);
  return rc;
}

static bool can_write(const struct luaws_call *call) {
  return call->duplex && luaws_duplex_takes(call->duplex);
}

int luaws_call_end_input(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_event_sender *s = call->sender;
  if (s->ended) return 0;
  s->ended = true;
  return can_write(call) ? send_end(s, err) : 0;
}

/* ---- when ---- */

bool luaws_call_input_is_over(const struct luaws_call *call) {
  return call->sender->ended || (call->duplex && luaws_duplex_is_over(call->duplex));
}

bool luaws_call_takes_event(struct luaws_call *call) {
  if (call->sender->ended) return false;
  return call->answered || can_write(call);
}

void luaws_call_ask_again(struct luaws_call *call) {
  if (call->duplex) luaws_duplex_ask(call->duplex);
}

bool luaws_call_has_sent_events(const struct luaws_call *call) {
  return call->sender && call->sender->count > 0 && !call->answered;
}

static void takes(void *arg) {
  struct luaws_event_sender *s = arg;
  struct luaws_error err = {0};
  if (!s->ended) {
    s->on_takes(s->owner);
  } else if (!s->end_sent && can_write(s->call)) {
    send_end(s, &err); /* without memory for it: the server misses it and says so */
    luaws_error_clear(&err);
  }
}

static void ready(void *arg) {
  struct luaws_call *call = arg;
  call->on_ready(call->owner);
}

int luaws_call_start_duplex(struct luaws_call *call, struct luaws_pool *pool,
                            struct luaws_error *err) {
  struct luaws_duplex_options o = {.done = ready, .progress = ready, .takes = takes};
  o.arg = call;
  o.takes_arg = call->sender;
  call->sender->end_sent = false; /* of this attempt */
  return luaws_duplex_start(pool, &call->request, &o, &call->duplex, err);
}

int luaws_call_begin_event_signing(struct luaws_call *call,
                                   const struct luaws_sign_opts *o,
                                   struct luaws_error *err) {
  struct luaws_event_sender *s = call->sender;
  s->signer = (struct luaws_event_signer){.secret_key = call->credentials->secret_key,
                                          .region = o->region,
                                          .service = o->service,
                                          .cache = o->cache};
  s->has_signer = true;
  return luaws_event_signer_begin(&s->signer, &call->request, err);
}
