#include "l_piece.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "l_error.h"

#define PIECE_TYPE "luaws.piece"

struct l_piece *l_piece_test(lua_State *L, int index) {
  return luaL_testudata(L, index, PIECE_TYPE);
}

static struct l_piece *check_piece(lua_State *L, int index) {
  return luaL_checkudata(L, index, PIECE_TYPE);
}

/* core.piece(bytes [, most bytes a second]) → an empty one that has room for so many */
static int piece_new(lua_State *L) {
  lua_Integer cap = luaL_checkinteger(L, 1), speed = luaL_optinteger(L, 2, 0);
  luaL_argcheck(L, cap > 0, 1, "must be a positive number of bytes");
  struct l_piece *p = lua_newuserdatauv(L, sizeof *p, 0);
  *p = (struct l_piece){.cap = (size_t)cap, .max_bytes_per_s = speed};
  luaL_setmetatable(L, PIECE_TYPE);
  p->ptr = malloc(p->cap);
  if (!p->ptr) return luaL_error(L, "not enough memory");
  return 1;
}

static int piece_close(lua_State *L) {
  struct l_piece *p = check_piece(L, 1);
  if (p->uses) return 0;
  free(p->ptr);
  p->ptr = NULL;
  p->len = p->cap = 0;
  return 0;
}

/* piece:fill(io file): reads until it is full or the file ends. Returns whether it is
   full. */
static int piece_fill(lua_State *L) {
  struct l_piece *p = check_piece(L, 1);
  luaL_Stream *io = luaL_checkudata(L, 2, LUA_FILEHANDLE);
  if (!io->closef) return l_raise(L, "ValueError", "the file is closed");
  p->len += fread(p->ptr + p->len, 1, p->cap - p->len, io->f);
  if (p->len < p->cap && ferror(io->f))
    return l_raise(L, "IOError", "reading: %s", strerror(errno));
  lua_pushboolean(L, p->len == p->cap);
  return 1;
}

static int add(lua_State *L, struct l_piece *p, const char *ptr, size_t len) {
  lua_Integer first = luaL_optinteger(L, 3, 0);
  luaL_argcheck(L, first >= 0 && (size_t)first <= len, 3, "outside");
  size_t n = len - (size_t)first;
  if (n > p->cap - p->len) n = p->cap - p->len;
  if (n) memcpy(p->ptr + p->len, ptr + first, n);
  p->len += n;
  lua_pushinteger(L, (lua_Integer)n);
  return 1;
}

/* piece:add(text or piece [, first]) → how many of its bytes, from this offset on, had
   room */
static int piece_add(lua_State *L) {
  struct l_piece *p = check_piece(L, 1), *from = l_piece_test(L, 2);
  if (from) return add(L, p, from->ptr, from->len);
  size_t len;
  const char *text = luaL_checklstring(L, 2, &len);
  return add(L, p, text, len);
}

/* piece:sent() → how many of its bytes the request that sends it has read */
static int piece_sent(lua_State *L) {
  lua_pushinteger(L, check_piece(L, 1)->sent);
  return 1;
}

static int piece_len(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_piece(L, 1)->len);
  return 1;
}

void l_piece_open(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", piece_close},
                                         {"__close", piece_close},
                                         {"__len", piece_len},
                                         {NULL, NULL}};
  static const luaL_Reg methods[] = {{"fill", piece_fill},
                                     {"add", piece_add},
                                     {"sent", piece_sent},
                                     {"close", piece_close},
                                     {NULL, NULL}};
  luaL_newmetatable(L, PIECE_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_pushcfunction(L, piece_new);
  lua_setfield(L, -2, "piece");
}
