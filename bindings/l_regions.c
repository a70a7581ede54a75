#include "l_regions.h"

#include <lauxlib.h>

#include "endpoint/regions.h"
#include "l_error.h"
#include "l_session.h"

static struct luaws_str opt_text(lua_State *L, int index) {
  struct luaws_str s = LUAWS_STR_NONE;
  s.ptr = luaL_optlstring(L, index, NULL, &s.len);
  return s;
}

static const struct luaws_node *check_endpoints(lua_State *L, int index) {
  const void *endpoints;
  struct luaws_error err = {0};
  if (luaws_models_find(l_models_check(L, index), LUAWS_SECTION_ENDPOINTS, LUAWS_STR_NONE,
                        LUAWS_STR_NONE, &endpoints, &err))
    l_error_raise(L, &err);
  return endpoints;
}

/* core.partitions(session) → their names, "aws" first */
static int partitions(lua_State *L) {
  const struct luaws_node *endpoints = check_endpoints(L, 1);
  struct luaws_str name;
  lua_newtable(L);
  for (uint32_t i = 0; (name = luaws_partition_at(endpoints, i)).ptr; i++) {
    lua_pushlstring(L, name.ptr, name.len);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* core.partition_for_region(session, region) → its name, or raises UnknownRegionError */
static int partition_for_region(lua_State *L) {
  struct luaws_str region, name;
  struct luaws_error err = {0};
  region.ptr = luaL_checklstring(L, 2, &region.len);
  if (luaws_partition_for_region(check_endpoints(L, 1), region, &name, &err))
    return l_error_raise(L, &err);
  lua_pushlstring(L, name.ptr, name.len);
  return 1;
}

/* core.regions(session, endpoint prefix, partition or nil, allow_non_regional) → names */
static int regions(lua_State *L) {
  const struct luaws_node *endpoints = check_endpoints(L, 1);
  struct luaws_regions_query query = {
      .service = opt_text(L, 2),
      .partition = opt_text(L, 3),
      .allow_non_regional = lua_toboolean(L, 4),
  };
  struct luaws_str name;
  uint32_t at = 0;
  lua_newtable(L);
  for (lua_Integer i = 1; (name = luaws_regions_next(endpoints, &query, &at)).ptr; i++) {
    lua_pushlstring(L, name.ptr, name.len);
    lua_rawseti(L, -2, i);
  }
  return 1;
}

void l_regions_open(lua_State *L) {
  static const luaL_Reg functions[] = {{"partitions", partitions},
                                       {"partition_for_region", partition_for_region},
                                       {"regions", regions},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
