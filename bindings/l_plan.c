#include "l_plan.h"

#include <lauxlib.h>

#include "l_client.h"
#include "l_text.h"

#define PLAN_TYPE "luaws.core.plan"
enum { MAX_NAME_BYTES = 255 };

const struct l_plan *l_plan_test(lua_State *L, int index) {
  return lua_isnil(L, index) ? NULL : luaL_checkudata(L, index, PLAN_TYPE);
}

/* A string of letters, digits, "-", "." and "_", not too long. */
static bool is_plain_name(lua_State *L, int index) {
  size_t len;
  if (lua_type(L, index) != LUA_TSTRING) return false;
  const char *s = lua_tolstring(L, index, &len);
  if (len == 0 || len > MAX_NAME_BYTES) return false;
  for (size_t i = 0; i < len; i++) {
    char c = s[i];
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
          c == '-' || c == '.' || c == '_'))
      return false;
  }
  return true;
}

bool l_plan_asks_params(lua_State *L, const struct l_plan *p, int index, bool unguarded) {
  if (p->hooks & (1u << L_HOOK_PARAMS)) return true;
  if (p->param_count && unguarded) return true;
  if (p->param_count &&
      lua_getmetatable(L, index)) { /* what it holds is its own affair */
    lua_pop(L, 1);
    return true;
  }
  for (size_t i = 0; i < p->param_count; i++) {
    lua_pushstring(L, p->params[i].name);
    bool there = lua_rawget(L, index) != LUA_TNIL;
    bool asks = there && !(p->params[i].odd && is_plain_name(L, -1));
    lua_pop(L, 1);
    if (asks) return true;
  }
  return false;
}

/* Index 2 is a list of conditions; the names in them live as long as it does. */
static void read_guard(lua_State *L, struct l_plan *p, lua_Integer place) {
  static const char *const kinds[] = {"param",  "odd_name",       "failed",
                                      "header", "error_document", NULL};
  enum { PARAM, ODD_NAME, FAILED, HEADER, ERROR_DOCUMENT };
  lua_geti(L, 2, place);
  lua_geti(L, -1, 1);
  enum luaws_hook hook = (enum luaws_hook)luaL_checkinteger(L, -1);
  lua_geti(L, -2, 2);
  int kind = luaL_checkoption(L, -1, NULL, kinds);
  lua_geti(L, -3, 3);
  struct luaws_str name = LUAWS_STR_NONE;
  if (kind == PARAM || kind == ODD_NAME || kind == HEADER) name = l_check_text(L, -1);
  if (kind == PARAM || kind == ODD_NAME) {
    p->params[p->param_count++] =
        (struct l_param_guard){.name = name.ptr, .odd = kind == ODD_NAME};
  } else {
    p->guards[p->guard_count++] =
        (struct luaws_guard){.hook = hook,
                             .kind = kind == FAILED   ? LUAWS_GUARD_FAILED
                                     : kind == HEADER ? LUAWS_GUARD_HEADER
                                                      : LUAWS_GUARD_ERROR_DOCUMENT,
                             .header = name};
  }
  lua_pop(L, 4);
}

/* core.plan(hooks, { { hook, condition, name or nil }, … }) → where a call stops */
static int plan(lua_State *L) {
  unsigned hooks = (unsigned)luaL_checkinteger(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  size_t count = (size_t)luaL_len(L, 2);
  lua_settop(L, 2);
  struct l_plan *p = lua_newuserdatauv(
      L, sizeof *p + count * (sizeof *p->guards + sizeof *p->params), 1);
  *p = (struct l_plan){.hooks = hooks};
  p->guards = (struct luaws_guard *)(p + 1);
  p->params = (struct l_param_guard *)(p->guards + count);
  luaL_setmetatable(L, PLAN_TYPE);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, 3, 1);
  for (size_t i = 1; i <= count; i++)
    read_guard(L, p, (lua_Integer)i);
  return 1;
}

/* core.plan_asks(client, plan or nil, params) → whether a call with them stops before it
   is made */
static int plan_asks(lua_State *L) {
  const struct l_client *c = l_client_check(L, 1);
  const struct l_plan *p = l_plan_test(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_pushboolean(L, p && l_plan_asks_params(L, p, 3, c->unguarded));
  return 1;
}

void l_plan_open(lua_State *L) {
  luaL_newmetatable(L, PLAN_TYPE);
  lua_pop(L, 1);
  lua_pushcfunction(L, plan);
  lua_setfield(L, -2, "plan");
  lua_pushcfunction(L, plan_asks);
  lua_setfield(L, -2, "plan_asks");
}
