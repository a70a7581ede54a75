/* luaws_host_…: a Lua state with luaws in it, its limits, and the way in and out, for a C
   program that wants scripts. host_env.c says what scripts see, host_values.c how values
   come in and out.

   A run is a task of luaws.async, so that it can be stepped; running to the end is
   stepping until it is done. Limits and interruptions are seen by a count hook while the
   script computes, and by the loop while it waits. Whatever of Lua's can raise is called
   protected: without memory a call fails, and the process goes on. */
#include "host.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

enum {
  HOOK_EVERY = 1000,
  CLEANUP_BYTES = 1024 * 1024, /* beyond the limit, for tasks that are cancelled */
  CLEANUP_MS = 6000,           /* a little more than luaws.async takes for it */
  MAX_HASTY = 1,
};

static const char no_memory[] = "not enough memory";

struct luaws_host *l_host_of(lua_State *L) {
  return *(struct luaws_host **)lua_getextraspace(L);
}

int l_host_protected(struct luaws_host *h, lua_CFunction fn, void *arg, int nresults) {
  if (!lua_checkstack(h->L, 4)) {
    lua_pushnil(h->L); /* Lua keeps a few slots more than it says */
    return LUA_ERRMEM;
  }
  lua_pushcfunction(h->L, fn);
  lua_pushlightuserdata(h->L, arg);
  return lua_pcall(h->L, 1, nresults, 0);
}

/* ---- limits ---- */

/* Once the limit was hit there is a little more: to make the error, and to run
   finalizers, which Lua drops when it has no memory to call them, and with them what they
   would free. A task that goes on all the same takes that too; what is between the tasks,
   which tells the others of the error, has as much again. */
enum { RESERVE_BYTES = 64 * 1024 };

static size_t reserve_bytes(const struct luaws_host *h) {
  return h->core && !h->core->task ? 2 * RESERVE_BYTES : RESERVE_BYTES;
}

static void *allocate(void *ud, void *ptr, size_t old_size, size_t new_size) {
  struct luaws_host *h = ud;
  if (!ptr) old_size = 0; /* then it is the kind of object, not a size */
  if (new_size == 0) {
    h->memory_bytes -= old_size;
    free(ptr);
    return NULL;
  }
  size_t limit = h->memory_limit_bytes;
  if (limit && h->memory_limited) limit += reserve_bytes(h);
  if (limit && new_size > old_size && h->memory_bytes - old_size + new_size > limit) {
    h->memory_limited = true;
    return NULL;
  }
  void *p = realloc(ptr, new_size);
  if (p) h->memory_bytes += new_size - old_size;
  return p;
}

bool l_host_stopped(void *host) {
  int state = atomic_load(&((struct luaws_host *)host)->state);
  return state > L_HOST_RUNNING && state != L_HOST_CLEANING;
}

static bool change(struct luaws_host *h, int from, enum l_host_state to) {
  return atomic_compare_exchange_strong(&h->state, &from, (int)to);
}

/* False when there was nothing to stop. */
static bool stop_run(struct luaws_host *h, enum l_host_state why) {
  return change(h, L_HOST_RUNNING, why);
}

/* Stops a script by yielding, which it cannot catch; the scheduler then cancels its
   tasks. Where C stands in between there must be an error, again and again, in case the
   script catches it. */
static void on_count(lua_State *L, lua_Debug *ar) {
  struct luaws_host *h = l_host_of(L);
  if (h->deadline_ms && luaws_monotonic_ms() >= h->deadline_ms &&
      !stop_run(h, L_HOST_OUT_OF_TIME))
    change(h, L_HOST_CLEANING, L_HOST_CLOSING);
  bool stop = l_host_stopped(h);
  int every = stop ? 1 : HOOK_EVERY;
  if (lua_gethookcount(L) != every) lua_sethook(L, on_count, LUA_MASKCOUNT, every);
  if (!stop) return;
  if (lua_isyieldable(L))
    lua_yield(L, 0);
  else
    luaL_error(L, "the run was stopped");
}

static void watch(struct luaws_host *h, bool on) {
  lua_sethook(h->L, on ? on_count : NULL, on ? LUA_MASKCOUNT : 0, HOOK_EVERY);
}

static void on_deadline(void *arg) {
  struct luaws_host *h = arg;
  h->timer = NULL;
  stop_run(h, L_HOST_OUT_OF_TIME);
}

void luaws_host_interrupt(struct luaws_host *h) {
  bool stops = stop_run(h, L_HOST_INTERRUPTED);
  if (!stops && atomic_load(&h->state) == L_HOST_CLEANING)
    stops = atomic_fetch_add(&h->hasty, 1) >= MAX_HASTY &&
            change(h, L_HOST_CLEANING, L_HOST_CLOSING);
  if (stops) luaws_interrupt(h->interrupt);
}

/* ---- making and freeing ---- */

static void set_option(lua_State *L, const char *name, const char *value) {
  if (!value) return;
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

/* With the module luaws on the top. */
static void make_default_session(lua_State *L, const struct luaws_host_options *o) {
  lua_getfield(L, -1, "setup_default_session");
  lua_newtable(L);
  set_option(L, "region_name", o->region);
  set_option(L, "profile_name", o->profile);
  lua_call(L, 1, 0);
  if (!o->endpoint_url) return;
  lua_getfield(L, -1, "default_session");
  lua_call(L, 0, 1);
  lua_newtable(L);
  set_option(L, "endpoint_url", o->endpoint_url);
  lua_setfield(L, -2, "_client_defaults");
  lua_pop(L, 1);
}

static int ref_field(lua_State *L, const char *name) {
  lua_getfield(L, -1, name);
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

static int setup(lua_State *L) {
  struct luaws_host *h = lua_touserdata(L, 1);
  luaL_openlibs(L);
  h->core = l_core(L);
  h->core->stopped = l_host_stopped;
  h->core->host = h;
  h->interrupt = luaws_interrupt_of(L);
  if (h->options.credentials) {
    luaws_host_provider_init(&h->provider, h->options.credentials,
                             h->options.credentials_arg);
    h->core->provider = &h->provider.provider;
  }
  if (h->options.mfa) {
    h->mfa = (struct luaws_host_mfa){h->options.mfa, h->options.mfa_arg};
    h->core->prompt_mfa = luaws_host_prompt_mfa;
    h->core->prompt_arg = &h->mfa;
  }
  l_host_guard(L);
  l_host_restrict(L, h->options.libraries);
  luaL_requiref(L, "luaws", luaopen_luaws, 0);
  make_default_session(L, &h->options);
  lua_getfield(L, -1, "async");
  h->spawn_ref = ref_field(L, "spawn");
  h->poll_ref = ref_field(L, "poll");
  h->close_all_ref = ref_field(L, "close_all");
  h->clean_up_ref = ref_field(L, "clean_up");
  l_host_push_environment(L, h->options.libraries);
  h->env_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

static void log_sink(void *arg, int level, const char *part, const char *message) {
  struct luaws_host *h = arg;
  h->options.log(h->options.log_arg, level, part, message);
}

static void keep_error(struct luaws_host *h);

static char *error_line(struct luaws_host *h) {
  struct luaws_buf text = {0};
  luaws_buf_printf(&text, "%s: %s", luaws_host_error_kind(h), luaws_host_error(h));
  return text.ptr;
}

struct luaws_host *luaws_host_new(const struct luaws_host_options *options,
                                  char **error) {
  if (error) *error = NULL;
  struct luaws_host *h = calloc(1, sizeof *h);
  if (h && options) h->options = *options;
  if (h) h->L = lua_newstate(allocate, h);
  if (!h || !h->L) {
    free(h);
    if (error) *error = strdup("MemoryError: not enough memory");
    return NULL;
  }
  h->env_ref = h->task_ref = h->results_ref = LUA_NOREF;
  *(struct luaws_host **)lua_getextraspace(h->L) = h;
  if (h->options.log)
    h->log =
        (struct luaws_log_target){.sink = log_sink, .arg = h, .level = LUAWS_LOG_DEBUG};
  luaws_log_swap(&h->log);
  bool ok = l_host_protected(h, setup, h, 0) == LUA_OK;
  if (!ok) keep_error(h);
  luaws_log_swap(&h->log);
  if (ok) {
    h->options.region = h->options.profile = h->options.endpoint_url = NULL; /* used up */
    watch(h, true);
    return h;
  }
  if (error) *error = error_line(h);
  luaws_host_free(h);
  return NULL;
}

static int step(struct luaws_host *h, bool blocking);

static void forget_error(struct luaws_host *h) {
  free(h->error.text);
  free(h->error.kind);
  free(h->error.code);
  h->error = (struct l_host_error){0};
}

void luaws_host_free(struct luaws_host *h) {
  if (!h) return;
  if (h->task_ref != LUA_NOREF) { /* for what its run has begun and must not stay */
    luaws_host_interrupt(h);
    step(h, false);
  }
  luaws_log_swap(&h->log);
  watch(h, false);
  if (h->timer) luaws_timer_cancel(h->timer);
  lua_close(h->L);
  luaws_log_swap(&h->log);
  forget_error(h);
  free(h);
}

/* ---- errors ---- */

static char *copy(const char *text) {
  return text ? strdup(text) : NULL;
}

/* A field of the error table at index 1, which may hold anything. */
static char *copy_field(lua_State *L, const char *name) {
  lua_pushstring(L, name);
  char *text = lua_rawget(L, 1) == LUA_TSTRING ? copy(lua_tostring(L, -1)) : NULL;
  lua_pop(L, 1);
  return text;
}

static int read_error(lua_State *L) {
  struct luaws_host *h = l_host_of(L);
  if (lua_istable(L, 1)) {
    h->error.kind = copy_field(L, "kind");
    h->error.code = copy_field(L, "code");
    /* A plain table says nothing but where it is. */
    if (luaL_getmetafield(L, 1, "__tostring") == LUA_TNIL)
      h->error.text = copy_field(L, "message");
    lua_settop(L, 1);
  }
  if (h->error.text) return 0;
  /* This may run the script's __tostring. */
  if (!luaL_callmeta(L, 1, "__shown")) luaL_tolstring(L, 1, NULL);
  h->error.text = copy(lua_tostring(L, -1));
  return 0;
}

static void set_error(struct luaws_host *h, const char *kind, const char *text) {
  forget_error(h);
  h->error.failed = true;
  h->error.kind = copy(kind);
  h->error.text = copy(text);
}

static bool ends_with(const char *text, const char *end) {
  size_t len = strlen(text), end_len = strlen(end);
  return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Sets the error of a run that was ended from outside; false for one that was not. */
static bool explain_stop(struct luaws_host *h) {
  int state = atomic_load(&h->state);
  if (state == L_HOST_OUT_OF_TIME)
    set_error(h, "TimeLimitError", "the script ran longer than its time limit");
  else if (state == L_HOST_INTERRUPTED)
    set_error(h, "KeyboardInterrupt", "the script was interrupted");
  return state == L_HOST_OUT_OF_TIME || state == L_HOST_INTERRUPTED;
}

/* Keeps the error on the top, and pops it. */
static void keep_error(struct luaws_host *h) {
  lua_State *L = h->L;
  forget_error(h);
  h->error.failed = true;
  lua_pushcfunction(L, read_error);
  lua_insert(L, -2);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    if (!h->error.text)
      h->error.text = copy(lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1)
                                                          : "an error that is no text");
    lua_pop(L, 1);
  }
  if (explain_stop(h)) return;
  if (!h->error.kind && h->error.text && ends_with(h->error.text, no_memory)) {
    set_error(h, "MemoryError",
              h->memory_limited ? "the script needed more than its memory limit"
                                : no_memory);
  } else if (!h->error.kind) {
    h->error.kind = copy("LuaError");
  }
}

const char *luaws_host_error(const struct luaws_host *h) {
  return !h->error.failed ? NULL : h->error.text ? h->error.text : no_memory;
}
const char *luaws_host_error_kind(const struct luaws_host *h) {
  return !h->error.failed ? NULL : h->error.kind ? h->error.kind : "MemoryError";
}
const char *luaws_host_error_code(const struct luaws_host *h) {
  return h->error.code;
}

/* ---- runs ---- */

struct start {
  const char *path; /* or */
  const char *code, *name;
  int argc;
  const char *const *argv;
};

static const char *chunk_name(const struct start *s) {
  return s->name ? s->name : "=(host)";
}

static int push_arguments(lua_State *L, const struct start *s) {
  luaL_checkstack(L, s->argc + 4, "too many arguments");
  for (int i = 0; i < s->argc; i++)
    lua_pushstring(L, s->argv[i]);
  return s->argc;
}

/* Sets `arg` as lua(1) does in the table on the top: the script at 0. */
static void set_arg(lua_State *L, const struct start *s) {
  const char *name = s->path ? s->path : chunk_name(s);
  lua_createtable(L, s->argc, 1);
  lua_pushstring(L, *name == '=' || *name == '@' ? name + 1 : name);
  lua_rawseti(L, -2, 0);
  for (int i = 0; i < s->argc; i++) {
    lua_pushstring(L, s->argv[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "arg");
}

/* Compiles the script and makes it a task. No byte code: it could break any limit. */
static int spawn(lua_State *L) {
  const struct start *s = lua_touserdata(L, 1);
  struct luaws_host *h = l_host_of(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, h->spawn_ref);
  int rc = s->path ? luaL_loadfilex(L, s->path, "t")
                   : luaL_loadbufferx(L, s->code, strlen(s->code), chunk_name(s), "t");
  if (rc != LUA_OK) return lua_error(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, h->env_ref);
  set_arg(L, s);
  lua_setupvalue(L, -2, 1); /* a main chunk's only one is _ENV */
  lua_call(L, 1 + push_arguments(L, s), 1);
  h->task_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

/* Makes a sequence of the values from index `first` on and keeps it. */
static void keep_results(lua_State *L, struct luaws_host *h, int first) {
  int n = lua_gettop(L) - first + 1;
  luaL_checkstack(L, 4, "too many results");
  lua_createtable(L, n, 0);
  lua_insert(L, first);
  for (int i = n; i >= 1; i--)
    lua_rawseti(L, first, i);
  h->results_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  h->result_count = n;
}

struct poll {
  bool blocking;
  bool done;
};

/* Lets the run go on; raises what it raised. */
static int poll(lua_State *L) {
  struct poll *p = lua_touserdata(L, 1);
  struct luaws_host *h = l_host_of(L);
  lua_settop(L, 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, h->poll_ref);
  lua_rawgeti(L, LUA_REGISTRYINDEX, h->task_ref);
  lua_pushboolean(L, p->blocking);
  lua_call(L, 2, LUA_MULTRET); /* done, ok, results… or error; or false, runnable */
  bool second = lua_toboolean(L, 2);
  p->done = lua_toboolean(L, 1);
  h->runnable = !p->done && second;
  if (!p->done) return 0;
  if (!second) {
    lua_settop(L, 3);
    return lua_error(L);
  }
  keep_results(L, h, 3);
  return 0;
}

static int close_all(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, l_host_of(L)->close_all_ref);
  lua_call(L, 0, 0);
  return 0;
}

static int clean_up(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, l_host_of(L)->clean_up_ref);
  lua_call(L, 0, 0);
  return 0;
}

/* From here to leave the script is at work: its limits count, its log is ours. */
static void enter(struct luaws_host *h) {
  h->inside = true;
  h->memory_limit_bytes = h->options.memory_limit_bytes;
  luaws_log_swap(&h->log);
}

static void leave(struct luaws_host *h) {
  h->inside = false;
  h->memory_limit_bytes = 0;
  luaws_log_swap(&h->log);
}

static void unref(struct luaws_host *h, int *ref) {
  luaL_unref(h->L, LUA_REGISTRYINDEX, *ref);
  *ref = LUA_NOREF;
}

static void forget_results(struct luaws_host *h) {
  unref(h, &h->results_ref);
  h->result_count = 0;
}

static bool calls(struct luaws_host *h, lua_CFunction fn) {
  bool ok = l_host_protected(h, fn, NULL, 0) == LUA_OK;
  if (!ok) lua_pop(h->L, 1);
  return ok;
}

/* Undoes what the run has begun and must not stay, whatever ended it: with time and
   memory of its own. */
static void undo_rest(struct luaws_host *h) {
  atomic_store(&h->hasty, 0);
  atomic_store(&h->state, L_HOST_CLEANING);
  h->deadline_ms = luaws_monotonic_ms() + CLEANUP_MS;
  size_t wanted = h->memory_bytes + CLEANUP_BYTES;
  if (h->memory_limit_bytes && h->memory_limit_bytes < wanted)
    h->memory_limit_bytes = wanted;
  watch(h, true);
  bool ok = calls(h, clean_up);
  watch(h, false);
  atomic_store(&h->state, L_HOST_CLOSING);
  if (!ok) calls(h, clean_up);
}

/* Cancels the tasks that the run left behind, which is part of it. What they do when they
   are closed may fail as well; then once more, without mercy. */
static bool cancel_rest(struct luaws_host *h) {
  watch(h, false);
  bool ok = calls(h, close_all);
  if (!ok || l_host_stopped(h)) {
    if (!explain_stop(h)) set_error(h, "MemoryError", no_memory);
    ok = false;
  }
  if (!ok) {
    atomic_store(&h->state, L_HOST_CLOSING);
    if (h->memory_limit_bytes) h->memory_limit_bytes = h->memory_bytes + CLEANUP_BYTES;
    calls(h, close_all);
  }
  undo_rest(h);
  watch(h, true);
  return ok;
}

/* The error is on the top unless ok. */
static int end_run(struct luaws_host *h, bool ok) {
  if (ok)
    forget_error(h); /* of a start that was refused meanwhile */
  else
    keep_error(h);
  struct l_host_error first = h->error;
  h->error = (struct l_host_error){0};
  if (cancel_rest(h) || !ok) { /* the first error tells more */
    forget_error(h);
    h->error = first;
  } else {
    ok = false;
  }
  if (!ok) forget_results(h);
  if (h->timer) luaws_timer_cancel(h->timer);
  h->timer = NULL;
  h->deadline_ms = 0;
  h->runnable = false;
  unref(h, &h->task_ref);
  atomic_store(&h->state, L_HOST_IDLE);
  return ok ? 0 : -1;
}

static int start(struct luaws_host *h, const struct start *s) {
  if (h->inside || h->task_ref != LUA_NOREF) {
    set_error(h, "ValueError", "a run is still going on");
    return -1;
  }
  forget_error(h);
  forget_results(h);
  h->memory_limited = false;
  int64_t limit_ms = h->options.time_limit_ms;
  if (limit_ms > 0) {
    h->deadline_ms = luaws_monotonic_ms() + limit_ms;
    h->timer = luaws_timer_start(h->core->loop, limit_ms, on_deadline, h);
    if (!h->timer) {
      set_error(h, "MemoryError", no_memory);
      return -1;
    }
  }
  lua_gc(h->L, LUA_GCRESTART); /* the last script may have stopped it */
  atomic_store(&h->state, L_HOST_RUNNING);
  enter(h);
  int rc =
      l_host_protected(h, spawn, (void *)(size_t)s, 0) == LUA_OK ? 0 : end_run(h, false);
  leave(h);
  h->runnable = rc == 0;
  return rc;
}

/* 1 while it goes on, 0 when it ended well, -1 when not. */
static int step(struct luaws_host *h, bool blocking) {
  if (h->inside) return 1; /* called from one of the script's functions */
  if (h->task_ref == LUA_NOREF) return h->error.failed ? -1 : 0;
  struct poll p = {.blocking = blocking};
  enter(h);
  int rc = l_host_protected(h, poll, &p, 0);
  if (rc != LUA_OK)
    rc = end_run(h, false);
  else
    rc = p.done ? end_run(h, true) : 1;
  leave(h);
  return rc;
}

static int run(struct luaws_host *h, const struct start *s) {
  int rc = start(h, s);
  if (rc) return rc;
  while ((rc = step(h, true)) == 1) {
  }
  return rc;
}

int luaws_host_run_file(struct luaws_host *h, const char *path, int argc,
                        const char *const *argv) {
  return run(h, &(struct start){.path = path, .argc = argc, .argv = argv});
}
int luaws_host_run_string(struct luaws_host *h, const char *code, const char *name,
                          int argc, const char *const *argv) {
  return run(h, &(struct start){.code = code, .name = name, .argc = argc, .argv = argv});
}
int luaws_host_start_file(struct luaws_host *h, const char *path, int argc,
                          const char *const *argv) {
  return start(h, &(struct start){.path = path, .argc = argc, .argv = argv});
}
int luaws_host_start_string(struct luaws_host *h, const char *code, const char *name,
                            int argc, const char *const *argv) {
  return start(h,
               &(struct start){.code = code, .name = name, .argc = argc, .argv = argv});
}
int luaws_host_step(struct luaws_host *h) {
  return step(h, false);
}
int luaws_host_fd(const struct luaws_host *h) {
  return luaws_loop_fd(h->core->loop);
}
int luaws_host_timeout_ms(const struct luaws_host *h) {
  if (h->task_ref == LUA_NOREF) return -1;
  if (h->runnable || h->core->ready_count || atomic_load(&h->state) != L_HOST_RUNNING)
    return 0;
  return luaws_loop_timeout_ms(h->core->loop);
}
