/* What a script sends as a stream of events: a sequence of them, a function that gives
   them, or a writer (aws.event_writer) that they are put into. */
#ifndef LUAWS_L_SEND_H
#define LUAWS_L_SEND_H

#include <lua.h>

#include "client/call.h"
#include "l_core.h"

/* Feeds the events of a call to it; belongs to whoever owns the call. */
struct l_send;

/* What the parameters at the index have for the event stream of the call's operation.
   *out is set before anything of it happens. Raises where it is none of the three. wait
   is woken when the sending fails. */
void l_send_begin(lua_State *L, int params, struct luaws_call *call, struct l_wait *wait,
                  struct l_send **out);
void l_send_set_wait(struct l_send *s, struct l_wait *wait);
/* Whether the sending failed: pushes what was raised. */
bool l_send_failed(lua_State *L, struct l_send *s);
/* Its call was answered by a listener with a result: a writer takes events as before, and
   nobody reads them. Instead of l_send_free. */
void l_send_drop(lua_State *L, struct l_send *s);
/* After its call was freed; whoever still wants to send is told so. NULL is fine. */
void l_send_free(lua_State *L, struct l_send *s);

/* Whether the value is a writer of events. */
bool l_is_event_writer(lua_State *L, int index);
/* Adds event_writer to the table on the top. */
void l_send_open(lua_State *L);

#endif
