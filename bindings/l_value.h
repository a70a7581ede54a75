/* The reader and the writer of value/value.h on the Lua stack. */
#ifndef LUAWS_L_VALUE_H
#define LUAWS_L_VALUE_H

#include <lua.h>

#include "base/error.h"
#include "value/value.h"

/* Reads the value at a stack index. Every step down pushes, every leave pops: the stack
   above index is the reader's own while it is in use. May raise Lua errors (stack
   overflow, memory). */
struct l_reader {
  struct luaws_reader base;
  lua_State *L;
};

/* Pushes a copy of the value at index, which is where the reader stands; l_reader_end
 * pops it. */
void l_reader_begin(struct l_reader *r, lua_State *L, int index);
void l_reader_end(struct l_reader *r);

enum { L_WRITER_MAX_DEPTH = 512 };

/* Builds a value on the top of the stack. May raise Lua errors. */
struct l_writer {
  struct luaws_writer base;
  lua_State *L;
  int depth;
  lua_Integer count[L_WRITER_MAX_DEPTH]; /* items so far; L_WRITER_MAP for maps */
  bool untyped[L_WRITER_MAX_DEPTH];
  void (*push_body)(struct l_writer *w); /* pushes what a streamed body becomes */
  void *body_owner;
};
void l_writer_begin(struct l_writer *w, lua_State *L);

/* Metatables that say what an empty table is: aws.list{} and aws.map{}. */
void l_push_list_type(lua_State *L);
void l_push_map_type(lua_State *L);

/* Registers the metatables of this file and adds list, map and null to the table on the
 * top. */
void l_value_open(lua_State *L);

#endif
