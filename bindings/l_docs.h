/* AWS's documentation, for help(). */
#ifndef LUAWS_L_DOCS_H
#define LUAWS_L_DOCS_H

#include <lua.h>

/* Adds docs to the table on the top. */
void l_docs_open(lua_State *L);

#endif
