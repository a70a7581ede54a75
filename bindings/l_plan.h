/* Where a call of an operation stops for its listeners, worked out once by
   lua/luaws/hooks.lua: always, or where a condition holds. */
#ifndef LUAWS_L_PLAN_H
#define LUAWS_L_PLAN_H

#include <lua.h>

#include "client/guard.h"

/* Beside the core's hooks: what happens before the call is made and after its result is
   there. ORDER HOOKS */
enum { L_HOOK_PARAMS = LUAWS_HOOK_COUNT, L_HOOK_AFTER };

/* A condition for L_HOOK_PARAMS. */
struct l_param_guard {
  const char *name;
  bool odd; /* it is there and no plain name; else: it is there */
};

struct l_plan {
  unsigned hooks; /* 1 << hook for each at which somebody listens always */
  size_t guard_count, param_count;
  struct luaws_guard *guards;
  struct l_param_guard *params;
};

/* The plan at index, NULL where there is nil. */
const struct l_plan *l_plan_test(lua_State *L, int index);
/* Whether the call with the parameters at index stops before it is made; an unguarded
   client's does even where no condition holds. */
bool l_plan_asks_params(lua_State *L, const struct l_plan *p, int index, bool unguarded);
void l_plan_open(lua_State *L);

#endif
