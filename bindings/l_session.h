/* core.session: the userdata behind a Lua session. */
#ifndef LUAWS_L_SESSION_H
#define LUAWS_L_SESSION_H

#include <lua.h>

#include "client/session.h"

struct luaws_session *l_session_check(lua_State *L, int index);
/* The models of a session or client at index. */
struct luaws_models *l_models_check(lua_State *L, int index);
/* A string option of the table at index: its text (none when nil). Pushes the value,
   which keeps the text alive, so the caller cleans the stack. Raises TypeError naming the
   option when it is no string. */
struct luaws_str l_option(lua_State *L, int index, const char *name);
void l_session_open(lua_State *L);

#endif
