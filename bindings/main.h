/* What the parts of the luaws program share. */
#ifndef LUAWS_MAIN_H
#define LUAWS_MAIN_H

#include <lua.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

/* As lua_pcall, with the error on the stack made the text to be printed, and Ctrl-C
 * ending the call. */
int program_call(lua_State *L, int nargs, int nresults);

#endif
