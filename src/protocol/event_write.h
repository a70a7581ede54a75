/* Events as messages of the stream that is an operation's input. */
#ifndef LUAWS_PROTOCOL_EVENT_WRITE_H
#define LUAWS_PROTOCOL_EVENT_WRITE_H

#include "protocol/event_frame.h"
#include "protocol/protocol.h"

#define LUAWS_EVENT_STREAM_TYPE "application/vnd.amazon.eventstream"

/* The input's member that is an event stream, or NULL. */
const struct luaws_member *luaws_event_input_member(const struct luaws_operation *op);
/* Checks one event, which the reader stands on, as luaws_check_params does with
   parameters; index is its place in the stream, from 0. */
int luaws_validate_event(const struct luaws_operation *op, struct luaws_reader *event,
                         size_t index, struct luaws_error *err);
/* Writes the event that s->params stands on: its headers, as they stand on the wire, to
 *headers and its payload to *s->body. Of s, request is not used. */
int luaws_event_serialize(struct luaws_serialize *s, struct luaws_buf *headers,
                          struct luaws_error *err);

#endif
