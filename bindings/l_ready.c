#include "l_ready.h"

#include <lauxlib.h>

#include "l_core.h"
#include "l_error.h"

#define READY_TYPE "luaws.ready"

struct l_ready {
  struct l_wait wait;
  struct luaws_when_ready *when;
};

static void is_ready(void *arg) {
  struct l_ready *r = arg;
  r->when = NULL;
  l_wait_wake(&r->wait);
}

static int ready_gc(lua_State *L) {
  struct l_ready *r = luaL_checkudata(L, 1, READY_TYPE);
  luaws_when_ready_cancel(r->when);
  r->when = NULL;
  l_wait_clear(&r->wait, L);
  return 0;
}

int l_wait_fd(lua_State *L, int fd, bool to_write, lua_KContext ctx, lua_KFunction k) {
  struct luaws_error err = {0};
  luaL_checkstack(L, 4, "no stack to wait");
  struct l_ready *r = lua_newuserdatauv(L, sizeof *r, 0);
  *r = (struct l_ready){0};
  l_wait_init(&r->wait, l_core(L));
  luaL_setmetatable(L, READY_TYPE);
  r->when = luaws_when_ready(r->wait.core->loop, fd, to_write, is_ready, r, &err);
  if (!r->when) return l_error_raise(L, &err);
  lua_toclose(L, -1); /* a cancelled task waits no more, nor does an interrupted call */
  return l_wait(L, &r->wait, ctx, k);
}

void l_ready_open(lua_State *L) {
  static const luaL_Reg metamethods[] = {
      {"__gc", ready_gc}, {"__close", ready_gc}, {NULL, NULL}};
  luaL_newmetatable(L, READY_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  lua_pop(L, 1);
}
