/* What the messages of an event stream mean: events as values of the shape that the
   output's model gives them, and the errors and exceptions that may end a stream. */
#ifndef LUAWS_PROTOCOL_EVENT_STREAM_H
#define LUAWS_PROTOCOL_EVENT_STREAM_H

#include "protocol/event_frame.h"
#include "protocol/protocol.h"

enum luaws_event_kind {
  LUAWS_EVENT_MODELED,
  LUAWS_EVENT_INITIAL, /* initial-response: the other members of the output */
  LUAWS_EVENT_UNKNOWN, /* of a newer model: to be skipped */
  LUAWS_EVENT_ERROR,   /* error or exception: the end of the stream */
};

/* The output's member that is an event stream, or NULL. */
const struct luaws_member *luaws_event_stream_member(const struct luaws_operation *op);
/* In the rpc protocols the output's other members come in the stream's first message. */
bool luaws_event_stream_has_initial(const struct luaws_service *service,
                                    const struct luaws_operation *op);
enum luaws_event_kind luaws_event_kind(const struct luaws_operation *op,
                                       const struct luaws_event_message *m);

/* Writes a modeled event as a map with one entry, by the event's name. Of p, response is
   not used. LUAWS_E_RESPONSE, kind "ResponseParserError". */
int luaws_event_parse(struct luaws_parse *p, const struct luaws_event_message *m,
                      struct luaws_error *err);
/* Writes what an error or exception holds, between the caller's begin_map and end_map:
   key "Error" with Code and Message, then the modeled members. Texts of out in the arena.
   Only without memory does it fail. */
int luaws_event_parse_error(struct luaws_parse *p, const struct luaws_event_message *m,
                            struct luaws_service_error *out, struct luaws_error *err);

/* LUAWS_E_CLOSED, kind "IncompleteReadError": the stream ended within a message. */
int luaws_event_stream_cut(struct luaws_error *err);

/* Writes the output's event stream as the value of its member, key included: a body to
   be read later, or the list of its events when p->gathered. In the rpc protocols also
   the output's other members, from p->initial or the gathered stream. An error in a
   gathered stream is LUAWS_E_RESPONSE, kind "EventStreamError". */
int luaws_event_stream_write(struct luaws_parse *p, struct luaws_error *err);

#endif
