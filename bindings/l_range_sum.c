#include "l_range_sum.h"

#include <lauxlib.h>

#include "l_text.h"

#define RANGE_SUM_TYPE "luaws.range_sum"

struct luaws_range_sum *l_range_sum_test(lua_State *L, int index) {
  return luaL_testudata(L, index, RANGE_SUM_TYPE);
}

static enum luaws_checksum_algorithm check_algorithm(lua_State *L, int index) {
  enum luaws_checksum_algorithm a = luaws_checksum_find(l_check_text(L, index));
  luaL_argcheck(L, a < LUAWS_CHECKSUM_ALGORITHMS, index, "no such checksum");
  return a;
}

/* core.range_sum(CRC, first, part size | nil) → what sums up a range of an object from
   this offset on, as body:save and range_sum:add give it the bytes */
static int range_sum_new(lua_State *L) {
  struct luaws_range_sum s = {.algorithm = check_algorithm(L, 1),
                              .at = luaL_checkinteger(L, 2),
                              .part_size = luaL_optinteger(L, 3, 0)};
  luaL_argcheck(L, luaws_checksum_crc_bytes(s.algorithm), 1, "not a CRC");
  luaL_argcheck(L, s.at >= 0, 2, "a negative offset");
  luaL_argcheck(L, s.part_size >= 0, 3, "a negative size");
  *(struct luaws_range_sum *)lua_newuserdatauv(L, sizeof s, 0) = s;
  luaL_setmetatable(L, RANGE_SUM_TYPE);
  return 1;
}

static struct luaws_range_sum *check_range_sum(lua_State *L, int index) {
  return luaL_checkudata(L, index, RANGE_SUM_TYPE);
}

static int range_sum_gc(lua_State *L) {
  luaws_buf_clear(&check_range_sum(L, 1)->pieces);
  return 0;
}

/* range_sum:add(text) */
static int range_sum_add(lua_State *L) {
  struct luaws_str text = l_check_text(L, 2);
  luaws_range_sum_add(check_range_sum(L, 1), text.ptr, text.len);
  return 0;
}

/* range_sum:at() → the offset in the object of what comes next */
static int range_sum_at(lua_State *L) {
  lua_pushinteger(L, check_range_sum(L, 1)->at);
  return 1;
}

/* range_sum:join(another, of the range that begins there) */
static int range_sum_join(lua_State *L) {
  luaws_range_sum_join(check_range_sum(L, 1), check_range_sum(L, 2));
  return 0;
}

/* range_sum:crcs() → of its parts, or of all of it, big-endian, in a row */
static int range_sum_crcs(lua_State *L) {
  struct luaws_buf made = {0};
  luaws_range_sum_crcs(check_range_sum(L, 1), &made);
  return l_push_buf(L, &made);
}

/* core.checksum(algorithm, text) → as S3 writes it */
static int checksum(lua_State *L) {
  struct luaws_str text = l_check_text(L, 2);
  struct luaws_checksum *c = luaws_checksum_new(check_algorithm(L, 1));
  struct luaws_buf made = {0};
  if (!c) return luaL_error(L, "not enough memory");
  luaws_checksum_update(c, text.ptr, text.len);
  luaws_checksum_finish(c, &made);
  luaws_checksum_free(c);
  return l_push_buf(L, &made);
}

void l_range_sum_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"range_sum", range_sum_new}, {"checksum", checksum}, {NULL, NULL}};
  static const luaL_Reg metamethods[] = {{"__gc", range_sum_gc}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"add", range_sum_add},
                                     {"at", range_sum_at},
                                     {"join", range_sum_join},
                                     {"crcs", range_sum_crcs},
                                     {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  luaL_newmetatable(L, RANGE_SUM_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
