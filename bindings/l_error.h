/* Errors of the core as the tables that scripts get (lua/luaws/errors.lua). */
#ifndef LUAWS_L_ERROR_H
#define LUAWS_L_ERROR_H

#include <lua.h>

#include "base/error.h"

/* Pushes err as an error table and clears it. */
void l_error_push(lua_State *L, struct luaws_error *err);
/* Raises it. Never returns. */
int l_error_raise(lua_State *L, struct luaws_error *err);
/* Raises a new one. */
int l_raise(lua_State *L, const char *kind, const char *fmt, ...);
/* What a method is called on: raises unless the first argument is a userdata of this
   type, which noun calls by its name ("a body"). */
void *l_check_self(lua_State *L, const char *type, const char *noun);
/* Gives the table on the top the metatable of errors. */
void l_error_set_metatable(lua_State *L);

#endif
