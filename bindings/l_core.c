#include "l_core.h"

#include <luaws.h>

#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>

#include "base/log.h"
#include "l_error.h"
#include "l_paths.h"
#include "l_run.h"

#define CORE_TYPE "luaws.core"
static const char core_key;

static int core_gc(lua_State *L) {
  struct l_core *c = luaL_checkudata(L, 1, CORE_TYPE);
  luaws_loop_free(c->loop);
  luaws_pack_release(c->pack);
  luaws_pack_release(c->docs);
  free(c->ready);
  *c = (struct l_core){0};
  return 0;
}

struct l_core *l_core(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &core_key) == LUA_TUSERDATA) {
    struct l_core *c = lua_touserdata(L, -1);
    lua_pop(L, 1);
    /* A finalizer of the script's that is older than luaws. */
    if (!c->loop) luaL_error(L, "the Lua state is being closed");
    return c;
  }
  lua_pop(L, 1);
  struct l_core *c = lua_newuserdatauv(L, sizeof *c, 0);
  *c = (struct l_core){0};
  if (luaL_newmetatable(L, CORE_TYPE)) {
    lua_pushcfunction(L, core_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  struct luaws_error err = {0};
  if (luaws_loop_new(&c->loop, &err)) l_error_raise(L, &err);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &core_key);
  return c;
}

struct luaws_pack *l_core_pack(lua_State *L) {
  struct l_core *c = l_core(L);
  if (!c->pack) {
    struct luaws_error err = {0};
    l_push_data_path(L, "models.pack");
    if (luaws_pack_open(lua_tostring(L, -1), &c->pack, &err)) l_error_raise(L, &err);
    lua_pop(L, 1);
  }
  return c->pack;
}

void l_core_check_files(lua_State *L) {
  if (l_core(L)->no_files)
    l_raise(L, "PermissionError", "this host lets scripts use no files");
}

/* ---- waiting ---- */

void l_wait_init(struct l_wait *w, struct l_core *core) {
  *w = (struct l_wait){.core = core, .thread_ref = LUA_NOREF};
}

void l_wait_clear(struct l_wait *w, lua_State *L) {
  if (w->thread_ref != LUA_NOREF) w->core->parked--;
  luaL_unref(L, LUA_REGISTRYINDEX, w->thread_ref);
  w->thread_ref = LUA_NOREF;
}

void l_wait_wake(void *arg) {
  struct l_wait *w = arg;
  if (w->thread_ref == LUA_NOREF) {
    w->ready = true;
    return;
  }
  w->core->ready[w->core->ready_count++] = w->thread_ref;
  w->core->parked--;
  w->thread_ref = LUA_NOREF;
}

/* Notes the running coroutine as waiting. The room to wake it is made beforehand: a task
   that cannot be resumed would hang the program in silence. */
static void park(lua_State *L, struct l_wait *w) {
  struct l_core *c = w->core;
  if (c->ready_count + c->parked >= c->ready_cap) {
    size_t cap = c->ready_cap ? c->ready_cap * 2 : 64;
    int *ready = realloc(c->ready, cap * sizeof *ready);
    if (!ready) luaL_error(L, "not enough memory");
    c->ready = ready;
    c->ready_cap = cap;
  }
  lua_pushthread(L);
  w->thread_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  c->parked++;
}

/* Whether this coroutine is parked already: it was resumed by somebody who is not the
   scheduler. Raises when another one is that can still go on. */
static bool is_parked(lua_State *L, struct l_wait *w) {
  if (w->thread_ref == LUA_NOREF) return false;
  luaL_checkstack(L, 1, "no stack to wait");
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->thread_ref);
  lua_State *co = lua_tothread(L, -1);
  lua_pop(L, 1);
  if (co == L) return true;
  if (lua_status(co) == LUA_YIELD)
    l_raise(L, "RuntimeError", "another task waits for this already");
  l_wait_clear(w, L); /* it was cancelled */
  return false;
}

static bool stopped(const struct l_core *c) {
  return c->stopped && c->stopped(c->host);
}

static int turn(lua_State *L, struct l_core *c, int timeout_ms) {
  struct luaws_error err = {0};
  int n = LUAWS_E_CANCELLED;
  if (!stopped(c)) n = luaws_loop_turn(c->loop, timeout_ms, &err);
  if (n == LUAWS_E_CANCELLED) {
    luaws_error_clear(&err);
    if (c->stopped && !stopped(c)) return 0; /* meant for a run that is over */
    l_raise(L, "KeyboardInterrupt", "interrupted!");
  }
  if (n < 0) l_error_raise(L, &err);
  return n;
}

int l_wait(lua_State *L, struct l_wait *w, lua_KContext ctx, lua_KFunction k) {
  struct l_core *c = w->core;
  if (w->ready) {
    w->ready = false;
    return 0;
  }
  bool parked = is_parked(L, w);
  if (parked || (c->task == L && lua_isyieldable(L))) {
    if (!parked) park(L, w);
    return lua_yieldk(L, 0, ctx, k);
  }
  while (!w->ready) {
    if (c->runs) {
      l_run_turn(L);
    } else if (turn(L, c, -1) == 0 && !w->ready && !luaws_loop_busy(c->loop)) {
      return luaL_error(L, "luaws waits for something that cannot happen");
    }
  }
  w->ready = false;
  return 0;
}

/* ---- for lua/luaws/async.lua ---- */

/* core.turn(timeout_s or nil) → sequence of coroutines that can go on. nil waits for the
 * next one. */
static int core_turn(lua_State *L) {
  struct l_core *c = l_core(L);
  int timeout_ms = lua_isnoneornil(L, 1) ? -1 : (int)ceil(luaL_checknumber(L, 1) * 1000);
  if (c->ready_count == 0) turn(L, c, timeout_ms);
  lua_createtable(L, (int)c->ready_count, 0);
  for (size_t i = 0; i < c->ready_count; i++) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->ready[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
    luaL_unref(L, LUA_REGISTRYINDEX, c->ready[i]);
  }
  c->ready_count = 0;
  return 1;
}

/* core.busy() → whether core.turn has something to tell, or an exchange or timer is under
   way. */
static int core_busy(lua_State *L) {
  struct l_core *c = l_core(L);
  lua_pushboolean(L, c->ready_count > 0 || luaws_loop_busy(c->loop));
  return 1;
}

/* core.clean(1), core.clean(-1): somebody begins, ends undoing what must not stay. */
static int core_clean(lua_State *L) {
  atomic_fetch_add(&l_core(L)->cleaning, (int)luaL_checkinteger(L, 1));
  return 0;
}

/* core.interrupt(): whoever waits next is interrupted. */
static int core_interrupt(lua_State *L) {
  luaws_loop_interrupt(l_core(L)->loop);
  return 0;
}

/* core.hosted() → whether a luaws_host runs the script */
static int core_hosted(lua_State *L) {
  lua_pushboolean(L, l_core(L)->host != NULL);
  return 1;
}

/* core.resume(co, …) → as coroutine.resume, with co as the running task. */
static int core_resume(lua_State *L) {
  struct l_core *c = l_core(L);
  lua_State *co = lua_tothread(L, 1);
  luaL_argexpected(L, co, 1, "coroutine");
  int n = lua_gettop(L) - 1, results;
  if (!lua_checkstack(co, n + 8)) return luaL_error(L, "too many arguments to resume");
  lua_xmove(L, co, n);
  lua_State *outer = c->task;
  c->task = co;
  int status = lua_resume(co, L, n, &results);
  c->task = outer;
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_pushboolean(L, 0);
    lua_xmove(co, L, 1);
    return 2;
  }
  luaL_checkstack(L, results + 1, "too many results");
  lua_pushboolean(L, 1);
  lua_xmove(co, L, results);
  return results + 1;
}

/* core.task() → the coroutine of the running task, or nil. */
static int core_task(lua_State *L) {
  struct l_core *c = l_core(L);
  if (!c->task) return 0;
  lua_pushthread(c->task);
  if (c->task != L) lua_xmove(c->task, L, 1);
  return 1;
}

/* core.features(set or name or nil) → the set of features that calls told of so far, and
   tell of no more but for this set; or this one too; or still. */
static int core_features(lua_State *L) {
  static const char *const names[] = {"waiter", "paginator", "s3_transfer", NULL};
  static const enum luaws_feature features[] = {
      LUAWS_FEATURE_WAITER, LUAWS_FEATURE_PAGINATOR, LUAWS_FEATURE_S3_TRANSFER};
  struct l_core *c = l_core(L);
  uint64_t before = c->features;
  if (lua_isinteger(L, 1))
    c->features = (uint64_t)lua_tointeger(L, 1);
  else if (!lua_isnoneornil(L, 1))
    c->features |= luaws_feature_bit(features[luaL_checkoption(L, 1, NULL, names)]);
  lua_pushinteger(L, (lua_Integer)before);
  return 1;
}

#define SLEEP_TYPE "luaws.sleep"
struct l_sleep {
  struct l_wait wait;
  struct luaws_timer *timer;
};

static void sleep_fired(void *arg) {
  struct l_sleep *s = arg;
  s->timer = NULL;
  l_wait_wake(&s->wait);
}

static int sleep_gc(lua_State *L) {
  struct l_sleep *s = luaL_checkudata(L, 1, SLEEP_TYPE);
  if (s->timer) luaws_timer_cancel(s->timer);
  s->timer = NULL;
  l_wait_clear(&s->wait, L);
  return 0;
}

static int sleep_done(lua_State *L, int status, lua_KContext ctx) {
  lua_pushcfunction(L, sleep_gc);
  lua_pushvalue(L, (int)ctx);
  lua_call(L, 1, 0);
  return 0;
}

/* core.sleep(seconds) */
static int core_sleep(lua_State *L) {
  lua_Number seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds >= 0 && seconds < 1e9, 1, "not a number of seconds");
  struct l_sleep *s = lua_newuserdatauv(L, sizeof *s, 0);
  int at = lua_gettop(L);
  *s = (struct l_sleep){0};
  l_wait_init(&s->wait, l_core(L));
  luaL_setmetatable(L, SLEEP_TYPE);
  s->timer = luaws_timer_start(s->wait.core->loop, (int64_t)ceil(seconds * 1000),
                               sleep_fired, s);
  if (!s->timer) return luaL_error(L, "not enough memory");
  if (s->wait.core->task == L) lua_toclose(L, at); /* a cancelled task sleeps no more */
  l_wait(L, &s->wait, at, sleep_done);
  return sleep_done(L, LUA_OK, at);
}

/* core.set_log(prefix, level name, nil): the log goes to stderr. */
static int core_set_log(lua_State *L) {
  static const char *const levels[] = {"debug", "info", "warning", "error", "off", NULL};
  const char *prefix = luaL_checkstring(L, 1);
  int level = luaL_checkoption(L, 2, "debug", levels);
  luaws_log_set(level == LUAWS_LOG_OFF ? NULL : luaws_log_to_stderr, NULL, prefix, level);
  return 0;
}

/* core.monotonic() → seconds of a clock that never jumps. */
static int core_monotonic(lua_State *L) {
  lua_pushnumber(L, (lua_Number)luaws_monotonic_ms() / 1000);
  return 1;
}

struct luaws_interrupt *luaws_interrupt_of(struct lua_State *L) {
  return (struct luaws_interrupt *)l_core(L);
}

int luaws_interrupt(struct luaws_interrupt *i) {
  struct l_core *c = (struct l_core *)i;
  luaws_loop_interrupt(c->loop);
  return atomic_load(&c->cleaning) > 0;
}

struct lua_State *luaws_interrupt_task(struct luaws_interrupt *i) {
  return ((struct l_core *)i)->task;
}

void luaws_interrupt_clear(struct luaws_interrupt *i) {
  luaws_loop_turn(((struct l_core *)i)->loop, 0, NULL);
}

void l_core_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"set_log", core_set_log},     {"turn", core_turn},           {"busy", core_busy},
      {"features", core_features},   {"resume", core_resume},       {"task", core_task},
      {"sleep", core_sleep},         {"monotonic", core_monotonic}, {"clean", core_clean},
      {"interrupt", core_interrupt}, {"hosted", core_hosted},       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  luaL_newmetatable(L, SLEEP_TYPE);
  lua_pushcfunction(L, sleep_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, sleep_gc);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
}
