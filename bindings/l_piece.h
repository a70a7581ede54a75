/* A part of an upload that can only be read in order, kept outside of Lua's strings until
   it is sent: in memory as long as all pieces together take no more than
   L_PIECES_MAX_BYTES of it, otherwise in a file without a name. */
#ifndef LUAWS_L_PIECE_H
#define LUAWS_L_PIECE_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

#include "l_core.h"

enum { L_PIECES_MAX_BYTES = 32 << 20 };

struct l_piece {
  char *ptr; /* NULL when it is in a file */
  int fd;    /* -1 when it is in memory */
  int64_t len, cap;
  int64_t sent;
  int64_t max_bytes_per_s; /* as of luaws_stream */
  int uses;                /* requests that read it: meanwhile it stays */
  struct l_core *core;
};

/* The piece at the stack index, or NULL when something else is there. */
struct l_piece *l_piece_test(lua_State *L, int index);

/* Adds piece to the table on the top. */
void l_piece_open(lua_State *L);

#endif
