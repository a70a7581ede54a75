/* A part of an upload in memory, outside of Lua's strings: filled from a file or from
   chunks, sent as the body of a request, and given back at once when that is done. */
#ifndef LUAWS_L_PIECE_H
#define LUAWS_L_PIECE_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

struct l_piece {
  char *ptr;
  size_t len, cap;
  int64_t sent;
  int64_t max_bytes_per_s; /* as of luaws_stream */
  int uses;                /* requests that read it: meanwhile it stays */
};

/* The piece at the stack index, or NULL when something else is there. */
struct l_piece *l_piece_test(lua_State *L, int index);

/* Adds piece to the table on the top. */
void l_piece_open(lua_State *L);

#endif
