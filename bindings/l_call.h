/* Calling operations from Lua: waiting, listeners, results. */
#ifndef LUAWS_L_CALL_H
#define LUAWS_L_CALL_H

#include <lua.h>

#include "client/call.h"

/* Pushes the method of an operation: method(client, params) → result. */
void l_call_push_method(lua_State *L, const struct luaws_operation *op);
/* Turns the response table on the top into the error table of that kind. */
void l_call_wrap_error(lua_State *L, const char *kind, const struct luaws_operation *op,
                       const struct luaws_service_error *e);
/* Pushes one of the functions given to core.set_hooks. */
void l_call_push_hook(lua_State *L, const char *name);
void l_call_open(lua_State *L);

#endif
