/* Waiting until a descriptor of the script's can be read from or written to. */
#ifndef LUAWS_L_READY_H
#define LUAWS_L_READY_H

#include <lua.h>
#include <stdbool.h>

/* As l_wait. What it leaves on the stack is k's to remove with lua_settop, which it has
   to do in any case: the wait ends with it. */
int l_wait_fd(lua_State *L, int fd, bool to_write, lua_KContext ctx, lua_KFunction k);

void l_ready_open(lua_State *L);

#endif
