/* The event stream of a response: read from the connection event by event. */
#ifndef LUAWS_L_EVENTS_H
#define LUAWS_L_EVENTS_H

#include <lua.h>

#include "client/call.h"
#include "l_send.h"

/* Pushes an event stream that takes over the call, whose response it belongs to, and what
   feeds the call with events (NULL where nothing does). */
void l_events_push(lua_State *L, struct luaws_call *call, struct l_send *send);
void l_events_open(lua_State *L);

#endif
