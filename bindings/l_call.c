/* A call is a userdata at index 3 of the method's stack, under it the client and the
   parameters. call_continue steps the core's state machine and is its own continuation:
   after a wait, and after each listener. */
#include "l_call.h"

#include <lauxlib.h>

#include "l_body.h"
#include "l_client.h"
#include "l_error.h"
#include "l_events.h"
#include "l_plan.h"
#include "l_run.h"
#include "l_send.h"
#include "l_text.h"

#define CALL_TYPE "luaws.call"
static const char hooks_key;

enum { CLIENT = 1, PARAMS, CALL };
struct l_call *l_call_check(lua_State *L, int index) {
  return luaL_checkudata(L, index, CALL_TYPE);
}

static int call_gc(lua_State *L) {
  struct l_call *c = l_call_check(L, 1);
  luaws_call_free(c->call);
  c->call = NULL;
  l_send_free(L, c->send);
  c->send = NULL;
  l_wait_clear(&c->wait, L);
  return 0;
}

/* Under the plan, at the index of one or 0, and whatever else it is to stop at. */
static struct l_call *new_call(lua_State *L, const struct luaws_operation *op,
                               int plan_index, unsigned more_hooks) {
  struct l_client *client = l_client_check(L, CLIENT);
  const struct l_plan *plan = plan_index ? l_plan_test(L, plan_index) : NULL;
  unsigned hooks = (plan ? plan->hooks : 0) | more_hooks;
  struct l_call *c = lua_newuserdatauv(L, sizeof *c, plan || hooks ? L_CALL_VALUES : 0);
  *c = (struct l_call){.hooks = hooks, .operation = op};
  l_wait_init(&c->wait, l_core(L));
  luaL_setmetatable(L, CALL_TYPE);
  c->call = luaws_call_new(client->client, op, &c->reader.base);
  if (!c->call) luaL_error(L, "not enough memory");
  c->call->on_ready = l_wait_wake;
  c->call->owner = &c->wait;
  c->call->features = c->wait.core->features;
  c->call->hooks = (hooks & ((1u << LUAWS_HOOK_COUNT) - 1)) | 1u << LUAWS_HOOK_IDENTITY;
  if (plan) {
    c->call->guards = plan->guards;
    c->call->guard_count = plan->guard_count;
    lua_pushvalue(L, plan_index); /* the listeners may change while the call is made */
    lua_setiuservalue(L, -2, L_CALL_PLAN);
  }
  return c;
}

/* ---- results ---- */

void l_call_wrap_error(lua_State *L, const char *kind, const struct luaws_operation *op,
                       const struct luaws_service_error *e) {
  luaL_checkstack(L, 4, "no stack for an error");
  lua_createtable(L, 0, 6);
  lua_pushstring(L, kind);
  lua_setfield(L, -2, "kind");
  lua_pushlstring(L, e->code.ptr, e->code.len);
  lua_setfield(L, -2, "code");
  if (e->message.ptr)
    lua_pushlstring(L, e->message.ptr, e->message.len);
  else
    lua_pushliteral(L, "Unknown");
  lua_setfield(L, -2, "message");
  struct luaws_str name = luaws_ref_text(&op->name);
  lua_pushlstring(L, name.ptr, name.len);
  lua_setfield(L, -2, "operation_name");
  if (e->shape) {
    struct luaws_str shape = luaws_ref_text(&e->shape->name);
    lua_pushlstring(L, shape.ptr, shape.len);
    lua_setfield(L, -2, "shape");
  }
  lua_insert(L, -2);
  lua_setfield(L, -2, "response");
  l_error_set_metatable(L);
}

static void push_body(struct l_writer *w) {
  struct l_call *c = w->body_owner;
  if (c->operation->flags & LUAWS_OP_EVENTS_OUT)
    l_events_push(w->L, c->call, c->send);
  else
    l_body_push(w->L, c->call);
  c->send = NULL;
  c->call =
      NULL; /* the body's now; what is still needed of it lives as long as the body */
}

/* The URL, or { url, fields }. */
static void push_presigned(lua_State *L, const struct luaws_call *call) {
  lua_pushlstring(L, call->url.ptr, call->url.len);
  if (call->presign != LUAWS_PRESIGN_POST) return;
  lua_createtable(L, 0, 2);
  lua_insert(L, -2);
  lua_setfield(L, -2, "url");
  l_call_push_headers(L, &call->post_fields);
  lua_setfield(L, -2, "fields");
}

/* Pushes the result and returns true, or an error table and false. */
static bool push_result(lua_State *L, struct l_call *c) {
  struct luaws_error err = {0};
  struct luaws_call *call = c->call;
  if (c->given) {
    lua_getiuservalue(L, CALL, L_CALL_GIVEN);
    return c->given_ok;
  }
  if (call->presign && !call->error.code) {
    push_presigned(L, call);
    return true;
  }
  struct l_writer w;
  l_writer_begin(&w, L);
  w.push_body = push_body;
  w.body_owner = c;
  int top = lua_gettop(L);
  int rc = luaws_call_write(call, &w.base, &err);
  if (rc == LUAWS_E_SERVICE) {
    l_call_wrap_error(L, "ClientError", call->operation, &call->service_error);
  }
  if (rc && rc != LUAWS_E_SERVICE) {
    lua_settop(L, top);
    l_error_push(L, &err);
  }
  return rc == 0;
}

/* ---- the call ---- */

static int call_continue(lua_State *L, int status, lua_KContext ctx);

void l_call_push_hook(lua_State *L, const char *name) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &hooks_key);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
}

/* Calls one of the functions given to core.set_hooks, found by name, with the nargs
 * values on the top. */
static void call_hook(lua_State *L, const char *name, int nargs, int nresults,
                      lua_KContext ctx, lua_KFunction k) {
  l_call_push_hook(L, name);
  lua_insert(L, -nargs - 1);
  lua_callk(L, nargs, nresults, ctx, k);
}

static int call_finished(lua_State *L, int status, lua_KContext ctx) {
  return 1;
}

/* The result or error is on the top: hands it over, by way of the listeners. */
static int finish(lua_State *L, struct l_call *c, bool ok) {
  luaws_call_free(c->call);
  c->call = NULL;
  if (c->given && ok)
    l_send_drop(L, c->send);
  else
    l_send_free(L, c->send);
  c->send = NULL;
  if (!(c->hooks & (1u << L_HOOK_AFTER))) return ok ? 1 : lua_error(L);
  int result = lua_gettop(L);
  lua_pushvalue(L, CLIENT);
  struct luaws_str name = luaws_ref_text(&c->operation->name);
  lua_pushlstring(L, name.ptr, name.len);
  lua_pushboolean(L, ok);
  lua_pushvalue(L, result);
  lua_pushvalue(L, PARAMS);
  lua_getiuservalue(L, CALL, L_CALL_CONTEXT);
  call_hook(L, "after", 6, 1, 0, call_finished);
  return call_finished(L, LUA_OK, 0);
}

static int call_continue(lua_State *L, int status, lua_KContext ctx) {
  struct l_call *c = lua_touserdata(L, CALL);
  for (;;) {
    lua_settop(L, CALL);
    /* A script resumed its task's coroutine itself: what it waits for has not come. */
    if (c->wait.thread_ref != LUA_NOREF) l_wait(L, &c->wait, ctx, call_continue);
    c->wait.ready = false; /* a streamed body's progress is no reason to go on */
    if (l_send_failed(L, c->send)) return finish(L, c, false);
    l_reader_begin(&c->reader, L, PARAMS);
    enum luaws_step step = luaws_call_step(c->call);
    lua_settop(L, CALL);
    switch (step) {
    case LUAWS_STEP_DONE:
      return finish(L, c, push_result(L, c));
    case LUAWS_STEP_WAIT:
      if (!c->closes && (c->wait.core->task == L || c->call->credentials_waiter.chain)) {
        /* A cancelled task drops its call at once, and Ctrl-C the search for credentials:
           it may have a program running. */
        lua_toclose(L, CALL);
        c->closes = true;
      }
      if (c->call->credentials_waiter.chain)
        l_run_check_wait(L, c->call->credentials_waiter.chain);
      l_wait(L, &c->wait, ctx, call_continue);
      break;
    case LUAWS_STEP_HOOK:
      lua_pushvalue(L, CLIENT);
      lua_pushvalue(L, CALL);
      if (c->call->hook == LUAWS_HOOK_IDENTITY) {
        lua_pushvalue(L, PARAMS);
        call_hook(L, "identify", 3, 0, ctx, call_continue);
        break;
      }
      lua_pushinteger(L, c->call->hook);
      lua_pushvalue(L, PARAMS);
      call_hook(L, "run", 4, 0, ctx, call_continue);
      break;
    }
  }
}

/* The client, the parameters and the call are on the stack. */
static int begin(lua_State *L) {
  struct l_call *c = lua_touserdata(L, CALL);
  if (c->operation->flags & LUAWS_OP_EVENTS_IN)
    l_send_begin(L, PARAMS, c->call, &c->wait, &c->send);
  return call_continue(L, LUA_OK, 0);
}

static void check_params(lua_State *L, const struct luaws_operation *op) {
  lua_settop(L, PARAMS);
  if (lua_isnil(L, PARAMS)) {
    lua_newtable(L);
    lua_replace(L, PARAMS);
  } else if (!lua_istable(L, PARAMS)) {
    l_raise(L, "TypeError", "%s() takes its parameters in one table, not a %s",
            luaws_ref_text(&op->method_name).ptr, luaL_typename(L, PARAMS));
  }
}

/* Pushes the plan of the client's listeners for this operation, or nil. */
static const struct l_plan *push_plan(lua_State *L, const struct l_client *c,
                                      const struct luaws_operation *op) {
  if (!c->listens) {
    lua_pushnil(L);
    return NULL;
  }
  lua_rawgetp(L, LUA_REGISTRYINDEX, &hooks_key);
  lua_getfield(L, -1, "plan");
  lua_replace(L, -2);
  lua_pushvalue(L, CLIENT);
  l_push_text(L, luaws_ref_text(&op->name));
  lua_call(L, 2, 1);
  return l_plan_test(L, -1);
}

/* The listeners may have replaced the parameters. Over the plan lies what they returned:
   the parameters, the call's own table that its listeners share, and more stages to stop
   at. */
static int params_ready(lua_State *L, int status, lua_KContext ctx) {
  const struct luaws_operation *op = lua_touserdata(L, lua_upvalueindex(1));
  enum { ITS_PLAN = PARAMS + 1, NEW_PARAMS, ITS_CONTEXT, MORE_HOOKS };
  unsigned hooks = (unsigned)lua_tointeger(L, MORE_HOOKS);
  lua_pushvalue(L, NEW_PARAMS);
  lua_replace(L, PARAMS);
  new_call(L, op, ITS_PLAN, hooks);
  lua_pushvalue(L, ITS_CONTEXT);
  lua_setiuservalue(L, -2, L_CALL_CONTEXT);
  lua_replace(L, CALL);
  lua_settop(L, CALL);
  return begin(L);
}

static int method(lua_State *L) {
  const struct luaws_operation *op = lua_touserdata(L, lua_upvalueindex(1));
  struct l_client *c = l_client_check(L, CLIENT);
  check_params(L, op);
  const struct l_plan *plan = push_plan(L, c, op);
  if (!plan || !l_plan_asks_params(L, plan, PARAMS, c->unguarded)) {
    new_call(L, op, PARAMS + 1, 0);
    lua_replace(L, CALL); /* where the plan was */
    return begin(L);
  }
  lua_pushvalue(L, CLIENT);
  struct luaws_str name = luaws_ref_text(&op->name);
  lua_pushlstring(L, name.ptr, name.len);
  lua_pushvalue(L, PARAMS);
  call_hook(L, "params", 3, 3, 0, params_ready);
  return params_ready(L, LUA_OK, 0);
}

void l_call_push_method(lua_State *L, const struct luaws_operation *op) {
  lua_pushlightuserdata(L, (void *)(size_t)op);
  lua_pushcclosure(L, method, 1);
}

/* core.presign(client, operation name, params, seconds, http method or nil, context or
   nil, more stages or nil, conditions or nil) → URL, or with conditions of a policy (JSON
   texts, joined) { url, fields }. The listeners of params have been asked by the caller:
   context and stages are theirs. */
static int presign(lua_State *L) {
  struct l_client *client = l_client_check(L, CLIENT);
  luaL_checktype(L, 3, LUA_TTABLE);
  struct luaws_str name, http_method = LUAWS_STR_NONE;
  name.ptr = luaL_checklstring(L, 2, &name.len);
  lua_Integer expires = luaL_checkinteger(L, 4);
  http_method.ptr = luaL_optlstring(L, 5, NULL, &http_method.len);
  const struct luaws_operation *op =
      luaws_service_operation(client->client->service, name);
  if (!op) return luaL_error(L, "no operation %s", name.ptr);
  struct luaws_str conditions = LUAWS_STR_NONE;
  conditions.ptr = luaL_optlstring(L, 8, NULL, &conditions.len);
  unsigned hooks = (unsigned)luaL_optinteger(L, 7, 0);
  lua_settop(L, 8);
  const struct l_plan *plan = push_plan(L, client, op);
  if (plan) hooks |= plan->hooks;
  hooks &= (1u << LUAWS_HOOK_BEFORE_ENDPOINT) | (1u << LUAWS_HOOK_CHOOSE_SIGNER) |
           (1u << LUAWS_HOOK_BEFORE_SIGN);
  lua_settop(L, 8);
  lua_pushvalue(L, 3);
  lua_replace(L, PARAMS);
  struct l_call *c = new_call(L, op, 0, hooks);
  lua_pushvalue(L, 6);
  lua_setiuservalue(L, -2, L_CALL_CONTEXT);
  lua_replace(L, CALL);
  c->call->presign = conditions.ptr ? LUAWS_PRESIGN_POST : LUAWS_PRESIGN_URL;
  c->call->presign_expires_s = expires;
  if (conditions.ptr)
    c->call->post_conditions = luaws_arena_str(&c->call->arena, conditions);
  if (http_method.ptr)
    c->call->presign_method = luaws_arena_str(&c->call->arena, http_method);
  return call_continue(L, LUA_OK, 0);
}

/* core.set_hooks{ mask =, params =, run =, after =, identify =, feed = }:
   lua/luaws/hooks.lua */
static int set_hooks(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &hooks_key);
  return 0;
}

void l_call_open(lua_State *L) {
  luaL_newmetatable(L, CALL_TYPE);
  lua_pushcfunction(L, call_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, call_gc);
  lua_setfield(L, -2, "__close");
  l_call_push_methods(L);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  l_plan_open(L);
  lua_pushcfunction(L, presign);
  lua_setfield(L, -2, "presign");
  lua_pushcfunction(L, set_hooks);
  lua_setfield(L, -2, "set_hooks");
}
