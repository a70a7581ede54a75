/* Texts of the core as Lua strings, and the other way round. */
#ifndef LUAWS_L_TEXT_H
#define LUAWS_L_TEXT_H

#include <lua.h>

#include "base/bytes.h"

/* An argument that must be a string (or a number); good for as long as it is on the
   stack. */
struct luaws_str l_check_text(lua_State *L, int index);

/* No text is pushed as "". */
void l_push_text(lua_State *L, struct luaws_str s);
/* Likewise, as nil. */
void l_push_text_or_nil(lua_State *L, struct luaws_str s);
/* Pushes what is in the buffer and clears it, whatever happens; raises without memory.
   Returns 1. */
int l_push_buf(lua_State *L, struct luaws_buf *buf);
/* A field of the table on the top; an empty text is left out. */
void l_set_text(lua_State *L, const char *name, struct luaws_str s);

/* The text of the error on the top, good for as long as that is there: it becomes a
   string if it is none. Never raises, whatever the error's __tostring does. */
const char *l_error_text(lua_State *L);

#endif
