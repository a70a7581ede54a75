/* Calling operations from Lua: waiting, listeners, results. */
#ifndef LUAWS_L_CALL_H
#define LUAWS_L_CALL_H

#include <lua.h>

#include "client/call.h"
#include "l_core.h"
#include "l_value.h"

/* User values of a call that somebody listens to. */
enum { L_CALL_CONTEXT = 1, L_CALL_GIVEN, L_CALL_PLAN, L_CALL_VALUES = L_CALL_PLAN };

struct l_call {
  struct luaws_call *call; /* NULL when it is over */
  const struct luaws_operation *operation;
  struct l_reader reader;
  struct l_wait wait;
  struct l_send *send; /* of an operation whose input is an event stream, or NULL */
  unsigned hooks;
  bool closes; /* marked to be closed when its coroutine is */
  bool given;  /* a listener of before-call gave the result */
  bool given_ok;
};

/* Raises where there is none. */
struct l_call *l_call_check(lua_State *L, int index);
/* Pushes the method of an operation: method(client, params) → result. */
void l_call_push_method(lua_State *L, const struct luaws_operation *op);
/* Turns the response table on the top into the error table of that kind. */
void l_call_wrap_error(lua_State *L, const char *kind, const struct luaws_operation *op,
                       const struct luaws_service_error *e);
/* Pushes one of the functions given to core.set_hooks. */
void l_call_push_hook(lua_State *L, const char *name);
/* Pushes { name = value }. */
void l_call_push_headers(lua_State *L, const struct luaws_headers *h);
/* Pushes the table of a call's methods, which listeners use. */
void l_call_push_methods(lua_State *L);
void l_call_open(lua_State *L);

#endif
