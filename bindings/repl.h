/* The terminal of the REPL: line editing through libedit, which is loaded when the REPL
   starts, the screen, and calls that Ctrl-C can end. What to do with a line is
   lua/luaws/repl.lua's business. */
#ifndef LUAWS_REPL_H
#define LUAWS_REPL_H

#include <lua.h>

/* A lua_CFunction: runs luaws.repl until the input ends. */
int repl_run(lua_State *L);

#endif
