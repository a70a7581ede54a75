/* Calling operations from Lua: waiting, listeners, results. */
#ifndef LUAWS_L_CALL_H
#define LUAWS_L_CALL_H

#include <lua.h>

#include "client/call.h"

/* Pushes the method of an operation: method(client, params) → result. */
void l_call_push_method(lua_State *L, const struct luaws_operation *op);
void l_call_open(lua_State *L);

#endif
