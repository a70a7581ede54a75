/* Values out of a host's scripts: results, and the arguments and results of C functions
   that scripts call. A host's own functions are never left by a Lua error: what fails
   while one is at work is raised when it has returned. */
#include "host.h"

#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "value/json.h"

enum { JSON_MAX_DEPTH = 100 };

/* ---- JSON ---- */

/* The tables around the one that is written: one that comes again holds itself. */
struct around {
  const struct around *outer;
  const void *table;
  int depth;
};

static bool append_json(lua_State *L, struct luaws_buf *out, const struct around *outer);

static bool append_list(lua_State *L, struct luaws_buf *out, const struct around *me,
                        lua_Integer n) {
  luaws_buf_append_char(out, '[');
  for (lua_Integer i = 1; i <= n; i++) {
    if (i > 1) luaws_buf_append_char(out, ',');
    lua_rawgeti(L, -1, i);
    bool ok = append_json(L, out, me);
    lua_pop(L, 1);
    if (!ok) return false;
  }
  luaws_buf_append_char(out, ']');
  return true;
}

static bool append_key(lua_State *L, struct luaws_buf *out) {
  if (lua_type(L, -2) != LUA_TSTRING && lua_type(L, -2) != LUA_TNUMBER) return false;
  struct luaws_str key;
  lua_pushvalue(L, -2); /* in place the conversion would confuse lua_next */
  key.ptr = lua_tolstring(L, -1, &key.len);
  luaws_json_quote(out, key);
  luaws_buf_append_char(out, ':');
  lua_pop(L, 1);
  return true;
}

static bool append_map(lua_State *L, struct luaws_buf *out, const struct around *me) {
  char before = '{';
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    luaws_buf_append_char(out, before);
    before = ',';
    if (!append_key(L, out) || !append_json(L, out, me)) return false;
    lua_pop(L, 1);
  }
  luaws_buf_append_cstr(out, before == '{' ? "{}" : "}");
  return true;
}

static size_t count_entries(lua_State *L) {
  size_t n = 0;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pop(L, 1);
    n++;
  }
  return n;
}

/* A table is a list when it has nothing but items; an empty one when it is marked so. */
static bool append_table(lua_State *L, struct luaws_buf *out,
                         const struct around *outer) {
  struct around me = {outer, lua_topointer(L, -1), outer ? outer->depth + 1 : 1};
  if (me.depth > JSON_MAX_DEPTH) return false;
  for (const struct around *a = outer; a; a = a->outer) {
    if (a->table == me.table) return false;
  }
  size_t n = lua_rawlen(L, -1);
  bool list = n > 0 && count_entries(L) == n;
  if (n == 0 && luaL_getmetafield(L, -1, "__jsontype") != LUA_TNIL) {
    list = lua_type(L, -1) == LUA_TSTRING && *lua_tostring(L, -1) == 'a';
    lua_pop(L, 1);
    list = list && count_entries(L) == 0;
  }
  return list ? append_list(L, out, &me, (lua_Integer)n) : append_map(L, out, &me);
}

static void append_number(lua_State *L, struct luaws_buf *out) {
  if (lua_isinteger(L, -1)) {
    luaws_buf_append_int(out, lua_tointeger(L, -1));
    return;
  }
  double n = lua_tonumber(L, -1);
  if (!isfinite(n)) luaws_buf_append_char(out, '"');
  luaws_buf_append_double(out, n);
  if (!isfinite(n)) luaws_buf_append_char(out, '"');
}

/* Appends the value on the top; false for one that JSON has no form for, with the stack
   left as it may be. */
static bool append_json(lua_State *L, struct luaws_buf *out, const struct around *outer) {
  struct luaws_str s;
  luaL_checkstack(L, 8, "nested too deep");
  switch (lua_type(L, -1)) {
  case LUA_TLIGHTUSERDATA: /* aws.null */
    if (lua_touserdata(L, -1)) return false;
    /* fall through */
  case LUA_TNIL:
    luaws_buf_append_cstr(out, "null");
    break;
  case LUA_TBOOLEAN:
    luaws_buf_append_cstr(out, lua_toboolean(L, -1) ? "true" : "false");
    break;
  case LUA_TNUMBER:
    append_number(L, out);
    break;
  case LUA_TSTRING:
    s.ptr = lua_tolstring(L, -1, &s.len);
    luaws_json_quote(out, s);
    break;
  case LUA_TTABLE:
    return append_table(L, out, outer) && !out->failed;
  default:
    return false;
  }
  return !out->failed;
}

/* ---- results ---- */

int luaws_host_result_count(const struct luaws_host *h) {
  return h->result_count;
}

/* Pushes the i-th result; false when there is none, with nothing pushed. */
static bool push_result(const struct luaws_host *h, int i) {
  if (i < 0 || i >= h->result_count || !lua_checkstack(h->L, 2)) return false;
  lua_rawgeti(h->L, LUA_REGISTRYINDEX, h->results_ref);
  lua_rawgeti(h->L, -1, i + 1);
  lua_remove(h->L, -2);
  return true;
}

const char *luaws_host_result_type(const struct luaws_host *h, int i) {
  if (!push_result(h, i)) return "none";
  const char *type = luaL_typename(h->L, -1);
  lua_pop(h->L, 1);
  return type;
}

int luaws_host_result_boolean(const struct luaws_host *h, int i) {
  if (!push_result(h, i)) return 0;
  int b = lua_toboolean(h->L, -1);
  lua_pop(h->L, 1);
  return b;
}

int64_t luaws_host_result_integer(const struct luaws_host *h, int i) {
  if (!push_result(h, i)) return 0;
  int64_t n = lua_tointeger(h->L, -1);
  lua_pop(h->L, 1);
  return n;
}

double luaws_host_result_number(const struct luaws_host *h, int i) {
  if (!push_result(h, i)) return 0;
  double n = lua_tonumber(h->L, -1);
  lua_pop(h->L, 1);
  return n;
}

struct text_job {
  int i;
  const char *text;
  size_t length;
  struct luaws_buf buf;
};

/* ORDER RESULTS: behind the n results stand the n texts of numbers, then n JSON texts. */
static int keep_number_text(lua_State *L) {
  struct text_job *job = lua_touserdata(L, 1);
  struct luaws_host *h = l_host_of(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, h->results_ref);
  lua_rawgeti(L, -1, job->i + 1);
  job->text = luaL_tolstring(L, -1, &job->length);
  lua_rawseti(L, -3, h->result_count + job->i + 1);
  return 0;
}

static int keep_json(lua_State *L) {
  struct text_job *job = lua_touserdata(L, 1);
  struct luaws_host *h = l_host_of(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, h->results_ref);
  lua_rawgeti(L, -1, job->i + 1);
  if (!append_json(L, &job->buf, NULL)) return 0;
  lua_settop(L, 2);
  const char *text = lua_pushlstring(L, job->buf.ptr, job->buf.len);
  lua_rawseti(L, 2, 2 * h->result_count + job->i + 1);
  job->text = text;
  return 0;
}

static bool do_job(struct luaws_host *h, lua_CFunction fn, struct text_job *job) {
  if (l_host_protected(h, fn, job, 0) == LUA_OK) return job->text != NULL;
  lua_pop(h->L, 1);
  job->text = NULL;
  return false;
}

const char *luaws_host_result_string(struct luaws_host *h, int i, size_t *length) {
  struct text_job job = {.i = i};
  if (length) *length = 0;
  if (!push_result(h, i)) return NULL;
  int type = lua_type(h->L, -1);
  if (type == LUA_TSTRING) job.text = lua_tolstring(h->L, -1, &job.length);
  lua_pop(h->L, 1); /* the sequence of results keeps it */
  if (type == LUA_TNUMBER) do_job(h, keep_number_text, &job);
  if (length) *length = job.length;
  return job.text;
}

const char *luaws_host_result_json(struct luaws_host *h, int i) {
  if (i < 0 || i >= h->result_count) return NULL;
  /* Tables within tables may need far more room as text than they took. */
  struct text_job job = {.i = i, .buf.max_bytes = h->options.memory_limit_bytes};
  do_job(h, keep_json, &job);
  luaws_buf_clear(&job.buf);
  return job.text;
}

/* ---- C functions for scripts ---- */

/* On the stack: a sequence of texts that were made of numbers, or nil; the arguments; the
   results. */
enum { TEXTS = 1, FIRST_ARG };

struct luaws_host_args {
  lua_State *L;
  int count;
  bool failed; /* something found no memory */
};

static int call_host(lua_State *L) {
  luaws_host_fn fn = *(luaws_host_fn *)lua_touserdata(L, lua_upvalueindex(1));
  lua_pushnil(L);
  lua_insert(L, TEXTS);
  struct luaws_host_args args = {.L = L, .count = lua_gettop(L) - TEXTS};
  const char *error = fn(&args, lua_touserdata(L, lua_upvalueindex(2)));
  if (error) return luaL_error(L, "%s", error);
  if (args.failed) return luaL_error(L, "not enough memory");
  return lua_gettop(L) - TEXTS - args.count;
}

struct registration {
  const char *name;
  luaws_host_fn fn;
  void *arg;
};

static int make_function(lua_State *L) {
  const struct registration *r = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, l_host_of(L)->env_ref);
  luaws_host_fn *fn = lua_newuserdatauv(L, sizeof *fn, 0);
  *fn = r->fn;
  lua_pushlightuserdata(L, r->arg);
  lua_pushcclosure(L, call_host, 2);
  lua_setfield(L, -2, r->name);
  return 0;
}

int luaws_host_register(struct luaws_host *h, const char *name, luaws_host_fn fn,
                        void *arg) {
  struct registration r = {name, fn, arg};
  if (l_host_protected(h, make_function, &r, 0) == LUA_OK) return 0;
  lua_pop(h->L, 1);
  return -1;
}

static bool has(const struct luaws_host_args *a, int i) {
  return i >= 0 && i < a->count;
}

int luaws_host_arg_count(const struct luaws_host_args *a) {
  return a->count;
}
const char *luaws_host_arg_type(const struct luaws_host_args *a, int i) {
  return has(a, i) ? luaL_typename(a->L, FIRST_ARG + i) : "none";
}
int luaws_host_arg_boolean(const struct luaws_host_args *a, int i) {
  return has(a, i) && lua_toboolean(a->L, FIRST_ARG + i);
}
int64_t luaws_host_arg_integer(const struct luaws_host_args *a, int i) {
  return has(a, i) ? lua_tointeger(a->L, FIRST_ARG + i) : 0;
}
double luaws_host_arg_number(const struct luaws_host_args *a, int i) {
  return has(a, i) ? lua_tonumber(a->L, FIRST_ARG + i) : 0;
}

/* (texts or nil, number) → texts with the number's text, the text */
static int to_text(lua_State *L) {
  if (lua_isnil(L, 1)) {
    lua_newtable(L);
    lua_replace(L, 1);
  }
  luaL_tolstring(L, 2, NULL);
  lua_replace(L, 2);
  lua_pushvalue(L, 2);
  lua_rawseti(L, 1, (lua_Integer)lua_rawlen(L, 1) + 1);
  return 2;
}

static const char *number_text(lua_State *L, int index, size_t *length) {
  if (!lua_checkstack(L, 4)) return NULL;
  lua_pushcfunction(L, to_text);
  lua_pushvalue(L, TEXTS);
  lua_pushvalue(L, index);
  if (lua_pcall(L, 2, 2, 0) != LUA_OK) {
    lua_pop(L, 1);
    return NULL;
  }
  const char *text = lua_tolstring(L, -1, length);
  lua_pop(L, 1);
  lua_replace(L, TEXTS);
  return text;
}

const char *luaws_host_arg_string(const struct luaws_host_args *a, int i,
                                  size_t *length) {
  if (length) *length = 0;
  if (!has(a, i)) return NULL;
  int type = lua_type(a->L, FIRST_ARG + i);
  if (type == LUA_TNUMBER) return number_text(a->L, FIRST_ARG + i, length);
  return type == LUA_TSTRING ? lua_tolstring(a->L, FIRST_ARG + i, length) : NULL;
}

/* Whether there is room for another result. */
static bool room(struct luaws_host_args *a) {
  if (!lua_checkstack(a->L, 4)) a->failed = true;
  return !a->failed;
}

void luaws_host_push_nil(struct luaws_host_args *a) {
  if (room(a)) lua_pushnil(a->L);
}
void luaws_host_push_boolean(struct luaws_host_args *a, int value) {
  if (room(a)) lua_pushboolean(a->L, value);
}
void luaws_host_push_integer(struct luaws_host_args *a, int64_t value) {
  if (room(a)) lua_pushinteger(a->L, value);
}
void luaws_host_push_number(struct luaws_host_args *a, double value) {
  if (room(a)) lua_pushnumber(a->L, value);
}

static int push_text(lua_State *L) {
  const struct luaws_str *s = lua_touserdata(L, 1);
  lua_pushlstring(L, s->len ? s->ptr : "", s->len);
  return 1;
}

void luaws_host_push_string(struct luaws_host_args *a, const char *text, size_t length) {
  struct luaws_str s = {.ptr = text, .len = length};
  if (!room(a)) return;
  lua_pushcfunction(a->L, push_text);
  lua_pushlightuserdata(a->L, &s);
  if (lua_pcall(a->L, 1, 1, 0) != LUA_OK) {
    lua_pop(a->L, 1);
    a->failed = true;
  }
}
