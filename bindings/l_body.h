/* The body of a response: read from the connection when the script asks for it. */
#ifndef LUAWS_L_BODY_H
#define LUAWS_L_BODY_H

#include <lua.h>

#include "client/call.h"

/* Pushes a body that takes over the call, whose response it belongs to. */
void l_body_push(lua_State *L, struct luaws_call *call);
void l_body_open(lua_State *L);

#endif
