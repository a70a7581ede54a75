/* The events that a call sends: its input's event stream, written to the connection one
   by one while the answer is being read. Each is checked against the model, serialized,
   and signed where the request is. */
#ifndef LUAWS_CLIENT_SEND_EVENTS_H
#define LUAWS_CLIENT_SEND_EVENTS_H

#include "client/call.h"

/* Part of a call whose operation has such an input; made by its owner before the first
   step. on_takes(owner) is called from the loop, never from within a step: an event is
   taken now (luaws_call_takes_event), after it was not; or none ever will be. NULL
   without memory. */
struct luaws_event_sender *luaws_call_sends_events(struct luaws_call *call,
                                                   void (*on_takes)(void *owner),
                                                   void *owner);
/* Whether an event can be sent now. While it cannot, on_takes is to come. */
bool luaws_call_takes_event(struct luaws_call *call);
/* on_takes is called in the next turn of the loop in which one is taken, even if one is
   now. */
void luaws_call_ask_again(struct luaws_call *call);
/* Whether no event will be taken any more. */
bool luaws_call_input_is_over(const struct luaws_call *call);
/* Sends the event that the reader stands on. Only while luaws_call_takes_event. A wrong
   event is LUAWS_E_ARGUMENT, "ParamValidationError" naming its path in the input; nothing
   of it is sent, and others may follow. */
int luaws_call_send_event(struct luaws_call *call, struct luaws_reader *event,
                          struct luaws_error *err);
/* Ends the input, at any time: as soon as the connection stands, after what was sent. */
int luaws_call_end_input(struct luaws_call *call, struct luaws_error *err);

/* For the path of the call (call.c). */
int luaws_call_begin_event_signing(struct luaws_call *call,
                                   const struct luaws_sign_opts *o,
                                   struct luaws_error *err);
int luaws_call_start_duplex(struct luaws_call *call, struct luaws_pool *pool,
                            struct luaws_error *err);
/* True once an event was given to the connection: the call cannot be tried again. */
bool luaws_call_has_sent_events(const struct luaws_call *call);
void luaws_event_sender_free(struct luaws_event_sender *s);

#endif
