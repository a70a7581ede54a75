/* A handle, a userdata, stands between Lua and the C struct: it is cut off when the
   struct goes first. Its user value is the task. */
#include "l_run.h"

#include <lauxlib.h>

#include "l_core.h"
#include "l_error.h"
#include "l_text.h"

static const char scheduler_key;

struct handle {
  struct l_run *run; /* NULL: nobody is interested any more */
  int (*take)(lua_State *L, struct l_run *r);
};

/* Pushes one of the functions of luaws.async's scheduler. */
static void push_scheduler(lua_State *L, const char *name) {
  luaL_checkstack(L, 6, "no stack for the scheduler");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &scheduler_key);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
}

static void end(struct l_run *r) {
  r->done = true;
  r->core->runs--;
}

/* take(result) */
static int take(lua_State *L) {
  struct handle *h = lua_touserdata(L, lua_upvalueindex(1));
  lua_settop(L, 1);
  return h->run ? h->take(L, h->run) : 0;
}

/* tell(ok, error): it has ended. */
static int tell(lua_State *L) {
  struct handle *h = lua_touserdata(L, lua_upvalueindex(1));
  struct l_run *r = h->run;
  if (!r) return 0;
  if (!lua_toboolean(L, 1)) {
    lua_settop(L, 2);
    luaws_buf_append_cstr(&r->problem, l_error_text(L));
    r->failed = true;
  }
  end(r);
  r->wake(r->wake_arg);
  return 0;
}

/* ---- for C ---- */

/* Calls fn(job) in a coroutine of its own, since this may be anywhere. 0, or what it
   raised. */
static int protect(lua_State *L, lua_CFunction fn, void *job, struct luaws_error *err) {
  if (!lua_checkstack(L, 1)) return luaws_error_memory(err);
  lua_State *co = lua_newthread(L);
  lua_pushcfunction(co, fn);
  lua_pushlightuserdata(co, job);
  int rc = 0;
  if (lua_pcall(co, 1, 0, 0) != LUA_OK) {
    rc =
        luaws_error_set(err, LUAWS_E_CREDENTIALS, "RuntimeError", "%s", l_error_text(co));
  }
  lua_pop(L, 1);
  return rc;
}

struct start_job {
  struct l_run *run;
  const struct l_run_start *start;
};

static int start(lua_State *L) {
  struct start_job *job = lua_touserdata(L, 1);
  struct handle *h = lua_newuserdatauv(L, sizeof *h, 1);
  int handle = lua_gettop(L);
  *h = (struct handle){.take = job->start->take};
  push_scheduler(L, "start");
  lua_pushvalue(L, handle);
  lua_pushcclosure(L, tell, 1);
  lua_pushlightuserdata(L, (void *)(size_t)job->start->owner);
  lua_rawgeti(L, LUA_REGISTRYINDEX, job->start->fn);
  lua_pushvalue(L, handle);
  lua_pushcclosure(L, take, 1);
  job->start->push(L, job->run);
  lua_pushvalue(L, handle);
  job->run->handle_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_call(L, 5, 1);
  lua_setiuservalue(L, handle, 1);
  h->run = job->run;
  return 0;
}

int l_run_start(struct l_run *r, struct l_core *core, const struct l_run_start *s,
                struct luaws_error *err) {
  struct start_job job = {r, s};
  r->core = core;
  r->handle_ref = LUA_NOREF;
  r->done = r->failed = false;
  core->runs++;
  int rc = protect(r->L, start, &job, err);
  if (rc == 0) return 0;
  core->runs--;
  luaL_unref(r->L, LUA_REGISTRYINDEX, r->handle_ref);
  r->handle_ref = LUA_NOREF;
  return rc;
}

bool l_run_started(const struct l_run *r) {
  return r->core && r->handle_ref != LUA_NOREF;
}

static int drop(lua_State *L) {
  const struct l_run *r = lua_touserdata(L, 1);
  push_scheduler(L, "drop");
  lua_rawgeti(L, LUA_REGISTRYINDEX, r->handle_ref);
  lua_getiuservalue(L, -1, 1);
  lua_remove(L, -2);
  lua_call(L, 1, 0);
  return 0;
}

void l_run_clear(struct l_run *r) {
  if (l_run_started(r)) {
    lua_rawgeti(r->L, LUA_REGISTRYINDEX, r->handle_ref);
    ((struct handle *)lua_touserdata(r->L, -1))->run = NULL;
    lua_pop(r->L, 1);
    if (!r->done) {
      end(r);
      protect(r->L, drop, r, NULL);
    }
    luaL_unref(r->L, LUA_REGISTRYINDEX, r->handle_ref);
    r->handle_ref = LUA_NOREF;
  }
  luaws_buf_clear(&r->problem);
}

void l_run_check_wait(lua_State *L, const void *owner) {
  if (!l_core(L)->runs) return;
  push_scheduler(L, "within");
  lua_pushlightuserdata(L, (void *)(size_t)owner);
  lua_call(L, 1, 1);
  bool within = lua_toboolean(L, -1);
  lua_pop(L, 1);
  if (within) {
    l_raise(L, "RuntimeError",
            "a provider waits for the credentials that it is to provide: it needs a "
            "session of its own");
  }
}

void l_run_turn(lua_State *L) {
  push_scheduler(L, "turn");
  lua_call(L, 0, 0);
}

/* core.set_scheduler{ start =, drop =, within =, turn = }: lua/luaws/async.lua */
static int set_scheduler(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &scheduler_key);
  return 0;
}

void l_run_open(lua_State *L) {
  lua_pushcfunction(L, set_scheduler);
  lua_setfield(L, -2, "set_scheduler");
}
