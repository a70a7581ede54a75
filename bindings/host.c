/* luaws_host_…: a Lua state with luaws in it, its limits, and the way in and out, for a C
   program that wants scripts.

   A run is a task of luaws.async, so that it can be stepped; running to the end is
   stepping until it is done. Limits and interruptions are seen by a count hook while the
   script computes, and by the loop while it waits. */
#include <luaws.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "client/host_provider.h"
#include "l_core.h"
#include "value/json.h"

enum { HOOK_EVERY = 1000, JSON_MAX_DEPTH = 100 };

/* What ended a run from outside. */
enum stop { RUNNING, INTERRUPTED, OUT_OF_TIME };

struct luaws_host {
  lua_State *L;
  struct luaws_host_options options;
  struct luaws_host_provider provider;
  struct luaws_interrupt *interrupt;
  struct luaws_timer *timer; /* of the time limit */
  int64_t deadline_ms;
  size_t memory_bytes;
  bool in_run;         /* only then does the memory limit count */
  bool memory_limited; /* the limit was in the way during this run */
  _Atomic int stop;    /* enum stop */
  int env_ref;         /* the globals of scripts */
  int task_ref;        /* of the run that goes on, or LUA_NOREF */
  int results_ref;     /* a sequence with its length as n */
  char *error, *kind, *code;
};

static struct luaws_host *host_of(lua_State *L) {
  return *(struct luaws_host **)lua_getextraspace(L);
}

/* ---- limits ---- */

static void *allocate(void *ud, void *ptr, size_t old_size, size_t new_size) {
  struct luaws_host *h = ud;
  if (!ptr) old_size = 0; /* then it is the kind of object, not a size */
  if (new_size == 0) {
    h->memory_bytes -= old_size;
    free(ptr);
    return NULL;
  }
  size_t limit = h->in_run ? h->options.memory_limit_bytes : 0;
  if (limit && new_size > old_size && h->memory_bytes - old_size + new_size > limit) {
    h->memory_limited = true;
    return NULL;
  }
  void *p = realloc(ptr, new_size);
  if (p) h->memory_bytes += new_size - old_size;
  return p;
}

static void stop_run(struct luaws_host *h, enum stop why) {
  int running = RUNNING;
  atomic_compare_exchange_strong(&h->stop, &running, why);
}

static void on_count(lua_State *L, lua_Debug *ar) {
  struct luaws_host *h = host_of(L);
  if (h->deadline_ms && luaws_monotonic_ms() >= h->deadline_ms) stop_run(h, OUT_OF_TIME);
  if (h->stop != RUNNING)
    luaL_error(L, "the run was stopped"); /* again and again, if the script catches it */
}

static void on_deadline(void *arg) {
  struct luaws_host *h = arg;
  h->timer = NULL;
  stop_run(h, OUT_OF_TIME);
  luaws_interrupt(h->interrupt);
}

void luaws_host_interrupt(struct luaws_host *h) {
  stop_run(h, INTERRUPTED);
  luaws_interrupt(h->interrupt);
}

/* ---- what scripts see ---- */

/* require in an environment without package: luaws and nothing else. */
static int require_luaws(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  if (strcmp(name, "luaws") != 0 && strncmp(name, "luaws.", 6) != 0) {
    return luaL_error(L, "this host lets scripts require luaws only, not '%s'", name);
  }
  lua_getglobal(L, "require");
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

/* Pushes the globals of scripts: all of Lua's, or a table with what they may use. luaws'
 * own modules use all of Lua. */
static void push_environment(lua_State *L, unsigned libraries) {
  static const struct {
    unsigned bit;
    const char *name;
  } tables[] = {{LUAWS_HOST_STRING, "string"},
                {LUAWS_HOST_TABLE, "table"},
                {LUAWS_HOST_MATH, "math"},
                {LUAWS_HOST_UTF8, "utf8"},
                {LUAWS_HOST_OS, "os"},
                {LUAWS_HOST_IO, "io"},
                {LUAWS_HOST_COROUTINE, "coroutine"},
                {LUAWS_HOST_DEBUG, "debug"},
                {LUAWS_HOST_PACKAGE, "package"}};
  static const char *const base[] = {
      "assert",   "collectgarbage", "error",  "getmetatable", "ipairs",
      "next",     "pairs",          "pcall",  "print",        "rawequal",
      "rawget",   "rawlen",         "rawset", "select",       "setmetatable",
      "tonumber", "tostring",       "type",   "_VERSION",     "xpcall",
      NULL};
  lua_pushglobaltable(L);
  if (libraries == 0 || libraries == LUAWS_HOST_ALL) return;
  int globals = lua_gettop(L);
  lua_newtable(L);
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    if (!(libraries & tables[i].bit)) continue;
    lua_getfield(L, globals, tables[i].name);
    lua_setfield(L, -2, tables[i].name);
  }
  for (int i = 0; (libraries & LUAWS_HOST_BASE) && base[i]; i++) {
    lua_getfield(L, globals, base[i]);
    lua_setfield(L, -2, base[i]);
  }
  if (libraries & LUAWS_HOST_PACKAGE)
    lua_getfield(L, globals, "require");
  else
    lua_pushcfunction(L, require_luaws);
  lua_setfield(L, -2, "require");
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "_G");
  lua_remove(L, globals);
  lua_pushliteral(L, ""); /* strings' methods cannot be replaced behind our back */
  lua_getmetatable(L, -1);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 2);
}

static void set_option(lua_State *L, const char *name, const char *value) {
  if (!value) return;
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

static int setup(lua_State *L) {
  struct luaws_host *h = host_of(L);
  luaL_openlibs(L);
  luaL_requiref(L, "luaws", luaopen_luaws, 0);
  h->interrupt = luaws_interrupt_of(L);
  if (h->options.credentials) {
    luaws_host_provider_init(&h->provider, h->options.credentials,
                             h->options.credentials_arg);
    l_core(L)->provider = &h->provider.provider;
  }
  lua_getfield(L, -1, "setup_default_session");
  lua_newtable(L);
  set_option(L, "region_name", h->options.region);
  set_option(L, "profile_name", h->options.profile);
  lua_call(L, 1, 0);
  if (h->options.endpoint_url) {
    lua_getfield(L, -1, "default_session");
    lua_call(L, 0, 1);
    lua_newtable(L);
    set_option(L, "endpoint_url", h->options.endpoint_url);
    lua_setfield(L, -2, "_client_defaults");
    lua_pop(L, 1);
  }
  push_environment(L, h->options.libraries);
  h->env_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

/* ---- errors ---- */

static char *copy(const char *text) {
  return text ? strdup(text) : NULL;
}

static void forget_error(struct luaws_host *h) {
  free(h->error);
  free(h->kind);
  free(h->code);
  h->error = h->kind = h->code = NULL;
}

/* A field of the error table on the top, which may hold anything. */
static char *copy_field(lua_State *L, const char *name) {
  lua_pushstring(L, name);
  char *text = lua_rawget(L, -2) == LUA_TSTRING ? copy(lua_tostring(L, -1)) : NULL;
  lua_pop(L, 1);
  return text;
}

static int to_text(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

/* Keeps the error on the top, and pops it. */
static void keep_error(struct luaws_host *h) {
  lua_State *L = h->L;
  forget_error(h);
  if (lua_istable(L, -1)) {
    h->kind = copy_field(L, "kind");
    h->code = copy_field(L, "code");
  }
  lua_pushcfunction(L, to_text);
  lua_insert(L, -2);
  lua_pcall(L, 1, 1, 0); /* a __tostring may fail: then its error is the text */
  const char *text = lua_tostring(L, -1);
  if (h->stop == OUT_OF_TIME || h->stop == INTERRUPTED || h->memory_limited) {
    free(h->kind);
    h->kind = copy(h->stop == OUT_OF_TIME   ? "TimeLimitError"
                   : h->stop == INTERRUPTED ? "KeyboardInterrupt"
                                            : "MemoryError");
    text = h->stop == OUT_OF_TIME   ? "the script ran longer than its time limit"
           : h->stop == INTERRUPTED ? "the script was interrupted"
                                    : "the script needed more than its memory limit";
  }
  h->error = copy(text ? text : "an error that is no text");
  if (!h->kind) h->kind = copy("LuaError");
  lua_pop(L, 1);
}

const char *luaws_host_error(const struct luaws_host *h) {
  return h->error;
}
const char *luaws_host_error_kind(const struct luaws_host *h) {
  return h->kind;
}
const char *luaws_host_error_code(const struct luaws_host *h) {
  return h->code;
}

/* ---- making and freeing ---- */

static void log_sink(void *arg, int level, const char *part, const char *message) {
  struct luaws_host *h = arg;
  h->options.log(h->options.log_arg, level, part, message);
}

struct luaws_host *luaws_host_new(const struct luaws_host_options *options,
                                  char **error) {
  if (error) *error = NULL;
  struct luaws_host *h = calloc(1, sizeof *h);
  if (!h) return NULL;
  if (options) h->options = *options;
  h->env_ref = h->task_ref = h->results_ref = LUA_NOREF;
  h->L = lua_newstate(allocate, h);
  if (!h->L) {
    free(h);
    if (error) *error = copy("MemoryError: out of memory");
    return NULL;
  }
  *(struct luaws_host **)lua_getextraspace(h->L) = h;
  if (h->options.log) luaws_log_set(log_sink, h, "", LUAWS_LOG_DEBUG);
  lua_pushcfunction(h->L, setup);
  if (lua_pcall(h->L, 0, 0, 0) == LUA_OK) {
    lua_sethook(h->L, on_count, LUA_MASKCOUNT, HOOK_EVERY);
    return h;
  }
  keep_error(h);
  if (error) {
    struct luaws_buf text = {0};
    luaws_buf_printf(&text, "%s: %s", h->kind, h->error);
    *error = text.ptr;
  }
  luaws_host_free(h);
  return NULL;
}

void luaws_host_free(struct luaws_host *h) {
  if (!h) return;
  lua_sethook(h->L, NULL, 0, 0);
  if (h->timer) luaws_timer_cancel(h->timer);
  lua_close(h->L);
  if (luaws_log_arg() == h) luaws_log_set(NULL, NULL, NULL, 0);
  forget_error(h);
  free(h);
}

/* ---- runs ---- */

struct start {
  const char *path; /* or */
  const char *code, *name;
  int argc;
  const char *const *argv;
};

static int push_arguments(lua_State *L, const struct start *s) {
  luaL_checkstack(L, s->argc + 4, "too many arguments");
  for (int i = 0; i < s->argc; i++)
    lua_pushstring(L, s->argv[i]);
  return s->argc;
}

/* Sets `arg` as lua(1) does: the script at 0. */
static void set_arg(lua_State *L, int env, const struct start *s) {
  lua_createtable(L, s->argc, 1);
  lua_pushstring(L, s->path ? s->path : s->name ? s->name : "=(host)");
  lua_rawseti(L, -2, 0);
  for (int i = 0; i < s->argc; i++) {
    lua_pushstring(L, s->argv[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, env, "arg");
}

/* Compiles the script and makes it a task, which is returned. */
static int spawn(lua_State *L) {
  const struct start *s = lua_touserdata(L, 1);
  struct luaws_host *h = host_of(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, h->env_ref);
  set_arg(L, 2, s);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "luaws.async");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "spawn");
  int rc = s->path ? luaL_loadfile(L, s->path)
                   : luaL_loadbuffer(L, s->code, strlen(s->code),
                                     s->name ? s->name : "=(host)");
  if (rc != LUA_OK) return lua_error(L);
  lua_pushvalue(L, 2);
  lua_setupvalue(L, -2, 1); /* a main chunk's only one is _ENV */
  lua_call(L, 1 + push_arguments(L, s), 1);
  return 1;
}

/* poll(task, blocking) → done, ok, results… or error */
static int poll(lua_State *L) {
  struct luaws_host *h = host_of(L);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "luaws.async");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "poll");
  lua_rawgeti(L, LUA_REGISTRYINDEX, h->task_ref);
  lua_pushvalue(L, 1);
  lua_call(L, 2, LUA_MULTRET);
  return lua_gettop(L) - 2;
}

/* A protected call of the script's doing: its limits count. */
static int call_limited(struct luaws_host *h, int nargs, int nresults) {
  h->in_run = true;
  int rc = lua_pcall(h->L, nargs, nresults, 0);
  h->in_run = false;
  return rc;
}

static void unref(struct luaws_host *h, int *ref) {
  luaL_unref(h->L, LUA_REGISTRYINDEX, *ref);
  *ref = LUA_NOREF;
}

static int end_run(struct luaws_host *h, bool ok) {
  if (h->timer) luaws_timer_cancel(h->timer);
  h->timer = NULL;
  h->deadline_ms = 0;
  unref(h, &h->task_ref);
  if (!ok) keep_error(h);
  h->stop = RUNNING; /* what comes now belongs to the next run */
  lua_settop(h->L, 0);
  return ok ? 0 : -1;
}

static int keep_results(lua_State *L) {
  int n = lua_gettop(L);
  lua_createtable(L, n, 1);
  lua_insert(L, 1);
  for (int i = n; i >= 1; i--)
    lua_rawseti(L, 1, i);
  lua_pushinteger(L, n);
  lua_setfield(L, 1, "n");
  host_of(L)->results_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

static int start(struct luaws_host *h, const struct start *s) {
  lua_State *L = h->L;
  if (h->task_ref != LUA_NOREF) {
    forget_error(h);
    h->kind = copy("ValueError");
    h->error = copy("a run is still going on");
    return -1;
  }
  forget_error(h);
  unref(h, &h->results_ref);
  h->memory_limited = false;
  if (h->stop == RUNNING) luaws_interrupt_clear(h->interrupt);
  if (h->options.time_limit_ms > 0) {
    h->deadline_ms = luaws_monotonic_ms() + h->options.time_limit_ms;
    h->timer =
        luaws_timer_start(l_core(L)->loop, h->options.time_limit_ms, on_deadline, h);
  }
  lua_pushcfunction(L, spawn);
  lua_pushlightuserdata(L, (void *)(size_t)s);
  if (call_limited(h, 1, 1) != LUA_OK) return end_run(h, false);
  h->task_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

/* 1 while it goes on, 0 when it ended well, -1 when not. */
static int step(struct luaws_host *h, bool blocking) {
  lua_State *L = h->L;
  if (h->task_ref == LUA_NOREF) return h->error ? -1 : 0;
  lua_pushcfunction(L, poll);
  lua_pushboolean(L, blocking);
  if (call_limited(h, 1, LUA_MULTRET) != LUA_OK) return end_run(h, false);
  if (!lua_toboolean(L, 1)) {
    lua_settop(L, 0);
    return 1;
  }
  if (!lua_toboolean(L, 2)) {
    lua_settop(L, 3);
    return end_run(h, false);
  }
  lua_remove(L, 1);
  lua_pushcfunction(L, keep_results);
  lua_replace(L, 1); /* over `ok`: the function stands before its arguments */
  if (lua_pcall(L, lua_gettop(L) - 1, 0, 0) != LUA_OK) return end_run(h, false);
  return end_run(h, true);
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
int luaws_host_run_string(struct luaws_host *h, const char *code, const char *chunk_name,
                          int argc, const char *const *argv) {
  return run(
      h, &(struct start){.code = code, .name = chunk_name, .argc = argc, .argv = argv});
}
int luaws_host_start_file(struct luaws_host *h, const char *path, int argc,
                          const char *const *argv) {
  return start(h, &(struct start){.path = path, .argc = argc, .argv = argv});
}
int luaws_host_start_string(struct luaws_host *h, const char *code,
                            const char *chunk_name, int argc, const char *const *argv) {
  return start(
      h, &(struct start){.code = code, .name = chunk_name, .argc = argc, .argv = argv});
}
int luaws_host_step(struct luaws_host *h) {
  return step(h, false);
}
int luaws_host_fd(const struct luaws_host *h) {
  return luaws_loop_fd(l_core(h->L)->loop);
}
int luaws_host_timeout_ms(const struct luaws_host *h) {
  return luaws_loop_timeout_ms(l_core(h->L)->loop);
}

/* ---- values out ---- */

/* Pushes the i-th result; false when there is none, with nothing pushed. */
static bool push_result(const struct luaws_host *h, int i) {
  if (i < 0 || i >= luaws_host_result_count(h)) return false;
  lua_rawgeti(h->L, LUA_REGISTRYINDEX, h->results_ref);
  lua_rawgeti(h->L, -1, i + 1);
  lua_remove(h->L, -2);
  return true;
}

int luaws_host_result_count(const struct luaws_host *h) {
  if (h->results_ref == LUA_NOREF) return 0;
  lua_rawgeti(h->L, LUA_REGISTRYINDEX, h->results_ref);
  lua_getfield(h->L, -1, "n");
  int n = (int)lua_tointeger(h->L, -1);
  lua_pop(h->L, 2);
  return n;
}

const char *luaws_host_result_type(const struct luaws_host *h, int i) {
  if (!push_result(h, i)) return "none";
  const char *type = luaL_typename(h->L, -1);
  lua_pop(h->L, 1);
  return type;
}

int luaws_host_result_boolean(const struct luaws_host *h, int i) {
  int b = push_result(h, i) && lua_toboolean(h->L, -1);
  lua_settop(h->L, 0);
  return b;
}

int64_t luaws_host_result_integer(const struct luaws_host *h, int i) {
  int64_t n = push_result(h, i) ? lua_tointeger(h->L, -1) : 0;
  lua_settop(h->L, 0);
  return n;
}

double luaws_host_result_number(const struct luaws_host *h, int i) {
  double n = push_result(h, i) ? lua_tonumber(h->L, -1) : 0;
  lua_settop(h->L, 0);
  return n;
}

static int number_to_text(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

/* Keeps the text on the top among the results, so that it lives as long as they do; pops
 * it. */
static const char *keep_text(struct luaws_host *h, size_t *length) {
  const char *text = lua_tolstring(h->L, -1, length);
  lua_rawgeti(h->L, LUA_REGISTRYINDEX, h->results_ref);
  lua_pushvalue(h->L, -2);
  luaL_ref(h->L, -2);
  lua_settop(h->L, 0);
  return text;
}

const char *luaws_host_result_string(struct luaws_host *h, int i, size_t *length) {
  if (length) *length = 0;
  if (!push_result(h, i)) return NULL;
  if (lua_type(h->L, -1) == LUA_TNUMBER) {
    lua_pushcfunction(h->L, number_to_text);
    lua_insert(h->L, -2);
    if (lua_pcall(h->L, 1, 1, 0) == LUA_OK) return keep_text(h, length);
  } else if (lua_type(h->L, -1) == LUA_TSTRING) {
    return keep_text(h, length);
  }
  lua_settop(h->L, 0);
  return NULL;
}

static bool append_json(lua_State *L, struct luaws_buf *out, int depth);

static bool append_json_table(lua_State *L, struct luaws_buf *out, int depth) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  bool list = n > 0 || (luaL_getmetafield(L, -1, "__jsontype") == LUA_TSTRING &&
                        *lua_tostring(L, -1) == 'a');
  if (n == 0 && lua_type(L, -1) == LUA_TSTRING) lua_pop(L, 1);
  bool ok = true;
  if (list) {
    luaws_buf_append_char(out, '[');
    for (lua_Integer i = 1; ok && i <= n; i++) {
      if (i > 1) luaws_buf_append_char(out, ',');
      lua_rawgeti(L, -1, i);
      ok = append_json(L, out, depth + 1);
      lua_pop(L, 1);
    }
    luaws_buf_append_char(out, ']');
    return ok;
  }
  luaws_buf_append_char(out, '{');
  bool first = true;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    struct luaws_str key;
    lua_pushvalue(L, -2);
    key.ptr = lua_tolstring(L, -1, &key.len);
    ok = key.ptr != NULL;
    if (ok) {
      if (!first) luaws_buf_append_char(out, ',');
      first = false;
      luaws_json_quote(out, key);
      luaws_buf_append_char(out, ':');
    }
    lua_pop(L, 1);
    ok = ok && append_json(L, out, depth + 1);
    lua_pop(L, 1);
    if (!ok) {
      lua_pop(L, 1);
      break;
    }
  }
  luaws_buf_append_char(out, '}');
  return ok;
}

static bool append_json(lua_State *L, struct luaws_buf *out, int depth) {
  struct luaws_str s;
  if (depth > JSON_MAX_DEPTH || !lua_checkstack(L, 8)) return false;
  switch (lua_type(L, -1)) {
  case LUA_TNIL:
    luaws_buf_append_cstr(out, "null");
    return true;
  case LUA_TLIGHTUSERDATA:
    luaws_buf_append_cstr(out, "null");
    return lua_touserdata(L, -1) == NULL;
  case LUA_TBOOLEAN:
    luaws_buf_append_cstr(out, lua_toboolean(L, -1) ? "true" : "false");
    return true;
  case LUA_TNUMBER:
    if (lua_isinteger(L, -1)) {
      luaws_buf_append_int(out, lua_tointeger(L, -1));
    } else if (isfinite(lua_tonumber(L, -1))) {
      luaws_buf_append_double(out, lua_tonumber(L, -1));
    } else {
      luaws_buf_append_char(out, '"');
      luaws_buf_append_double(out, lua_tonumber(L, -1));
      luaws_buf_append_char(out, '"');
    }
    return true;
  case LUA_TSTRING:
    s.ptr = lua_tolstring(L, -1, &s.len);
    luaws_json_quote(out, s);
    return true;
  case LUA_TTABLE:
    return append_json_table(L, out, depth);
  default:
    return false;
  }
}

const char *luaws_host_result_json(struct luaws_host *h, int i) {
  if (!push_result(h, i)) return NULL;
  struct luaws_buf out = {0};
  const char *text = NULL;
  if (append_json(h->L, &out, 0) && !out.failed) {
    lua_pushlstring(h->L, out.ptr, out.len);
    text = keep_text(h, NULL);
  }
  lua_settop(h->L, 0);
  luaws_buf_clear(&out);
  return text;
}

/* ---- C functions for scripts ---- */

struct luaws_host_args {
  lua_State *L;
  int count;
};

static int call_host(lua_State *L) {
  luaws_host_fn fn = *(luaws_host_fn *)lua_touserdata(L, lua_upvalueindex(1));
  struct luaws_host_args args = {L, lua_gettop(L)};
  const char *error = fn(&args, lua_touserdata(L, lua_upvalueindex(2)));
  if (error) return luaL_error(L, "%s", error);
  return lua_gettop(L) - args.count;
}

static int make_function(lua_State *L) {
  const void **in = lua_touserdata(L, 1); /* name, fn, arg */
  luaws_host_fn *fn = lua_newuserdatauv(L, sizeof *fn, 0);
  memcpy(fn, &in[1], sizeof *fn);
  lua_pushlightuserdata(L, (void *)(size_t)in[2]);
  lua_pushcclosure(L, call_host, 2);
  lua_rawgeti(L, LUA_REGISTRYINDEX, host_of(L)->env_ref);
  lua_insert(L, -2);
  lua_setfield(L, -2, in[0]);
  return 0;
}

int luaws_host_register(struct luaws_host *h, const char *name, luaws_host_fn fn,
                        void *arg) {
  const void *in[3] = {name, NULL, arg};
  memcpy(&in[1], &fn, sizeof fn);
  lua_pushcfunction(h->L, make_function);
  lua_pushlightuserdata(h->L, in);
  int rc = lua_pcall(h->L, 1, 0, 0);
  lua_settop(h->L, 0);
  return rc == LUA_OK ? 0 : -1;
}

int luaws_host_arg_count(const struct luaws_host_args *a) {
  return a->count;
}
const char *luaws_host_arg_type(const struct luaws_host_args *a, int i) {
  return i >= 0 && i < a->count ? luaL_typename(a->L, i + 1) : "none";
}
int luaws_host_arg_boolean(const struct luaws_host_args *a, int i) {
  return i >= 0 && i < a->count && lua_toboolean(a->L, i + 1);
}
int64_t luaws_host_arg_integer(const struct luaws_host_args *a, int i) {
  return i >= 0 && i < a->count ? lua_tointeger(a->L, i + 1) : 0;
}
double luaws_host_arg_number(const struct luaws_host_args *a, int i) {
  return i >= 0 && i < a->count ? lua_tonumber(a->L, i + 1) : 0;
}
const char *luaws_host_arg_string(const struct luaws_host_args *a, int i,
                                  size_t *length) {
  if (length) *length = 0;
  return i >= 0 && i < a->count ? lua_tolstring(a->L, i + 1, length) : NULL;
}
void luaws_host_push_nil(struct luaws_host_args *a) {
  luaL_checkstack(a->L, 1, "too many results");
  lua_pushnil(a->L);
}
void luaws_host_push_boolean(struct luaws_host_args *a, int value) {
  luaL_checkstack(a->L, 1, "too many results");
  lua_pushboolean(a->L, value);
}
void luaws_host_push_integer(struct luaws_host_args *a, int64_t value) {
  luaL_checkstack(a->L, 1, "too many results");
  lua_pushinteger(a->L, value);
}
void luaws_host_push_number(struct luaws_host_args *a, double value) {
  luaL_checkstack(a->L, 1, "too many results");
  lua_pushnumber(a->L, value);
}
void luaws_host_push_string(struct luaws_host_args *a, const char *text, size_t length) {
  luaL_checkstack(a->L, 1, "too many results");
  lua_pushlstring(a->L, text, length);
}
