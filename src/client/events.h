/* The events of a call whose output has an event stream: read from the connection one by
   one, once the call is done. */
#ifndef LUAWS_CLIENT_EVENTS_H
#define LUAWS_CLIENT_EVENTS_H

#include "client/call.h"
#include "protocol/event_stream.h"

/* A stage of the call: in the rpc protocols waits for the stream's first message, which
   holds the other members of the output. Nothing to do for all other calls. 0,
   LUAWS_READ_AGAIN, or a negative code. */
int luaws_call_begin_events(struct luaws_call *call, struct luaws_error *err);

/* The next message that means something to us: 1 and *out, which lives until the next
   one is asked for, with its kind (LUAWS_EVENT_MODELED or LUAWS_EVENT_ERROR); 0 at the
   end; LUAWS_READ_AGAIN when on_ready tells that more has come; or a negative code, after
   which there is nothing more to be had. */
int luaws_call_next_event(struct luaws_call *call, struct luaws_event_message *out,
                          enum luaws_event_kind *kind, struct luaws_error *err);

/* Writes the event, or what an error says: one map. As luaws_event_parse and
   luaws_event_parse_error; error is for LUAWS_EVENT_ERROR alone, its texts live until the
   next event. */
int luaws_call_write_event(struct luaws_call *call, const struct luaws_event_message *m,
                           enum luaws_event_kind kind, struct luaws_writer *out,
                           struct luaws_service_error *error, struct luaws_error *err);

#endif
