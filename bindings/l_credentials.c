#include "l_credentials.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "ask.h"
#include "base/time.h"
#include "l_core.h"
#include "l_error.h"
#include "l_session.h"
#include "l_text.h"
#include "l_value.h"

/* ---- functions of a session's owner ---- */

/* A provider whose `load` is a function. */
struct own_provider {
  struct own_provider *next;
  struct luaws_provider provider; /* its arg is this */
  lua_State *L;
  int load;
  char name[];
};

/* They may be called from any coroutine, so they run in one of their own. */
struct callbacks {
  lua_State *L; /* the main one */
  int mfa_prompt;
  struct own_provider *providers;
};

static void callbacks_free(void *arg) {
  struct callbacks *c = arg;
  luaL_unref(c->L, LUA_REGISTRYINDEX, c->mfa_prompt);
  while (c->providers) {
    struct own_provider *p = c->providers;
    c->providers = p->next;
    luaL_unref(c->L, LUA_REGISTRYINDEX, p->load);
    free(p);
  }
  free(c);
}

static struct callbacks *callbacks_new(lua_State *L) {
  struct callbacks *c = calloc(1, sizeof *c);
  if (!c) luaL_error(L, "out of memory");
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  c->L = lua_tothread(L, -1);
  lua_pop(L, 1);
  c->mfa_prompt = LUA_NOREF;
  return c;
}

/* Runs fn, which is given a pointer to the job and may raise, in a coroutine of its own.
   NULL, or the text of its error, good until the coroutine is popped off L. */
static const char *run(lua_State *L, lua_CFunction fn, void *job) {
  lua_State *co = lua_newthread(L);
  lua_pushcfunction(co, fn);
  lua_pushlightuserdata(co, job);
  return lua_pcall(co, 1, 0, 0) == LUA_OK ? NULL : l_error_text(co);
}

/* ---- MFA ---- */

struct mfa_job {
  const struct callbacks *callbacks;
  struct luaws_str serial;
  struct luaws_buf *out;
  const char *wrong; /* the type of what it returned, if that is no code */
};

static int ask_function(lua_State *L) {
  struct mfa_job *job = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, job->callbacks->mfa_prompt);
  l_push_text(L, job->serial);
  lua_call(L, 1, 1);
  if (lua_isstring(L, -1))
    luaws_buf_append_str(job->out, l_check_text(L, -1));
  else
    job->wrong = luaL_typename(L, -1);
  return 0;
}

static int prompt_mfa(void *arg, struct luaws_str serial, struct luaws_buf *out,
                      struct luaws_error *err) {
  struct callbacks *c = arg;
  struct mfa_job job = {.callbacks = c, .serial = serial, .out = out};
  if (!lua_checkstack(c->L, 1)) return luaws_error_memory(err);
  const char *problem = run(c->L, ask_function, &job);
  int rc = 0;
  if (problem)
    rc = luaws_error_set(err, LUAWS_E_CREDENTIALS, "CredentialRetrievalError",
                         "mfa_prompt: %s", problem);
  else if (job.wrong)
    rc = luaws_error_set(err, LUAWS_E_CREDENTIALS, "CredentialRetrievalError",
                         "mfa_prompt returned a %s instead of a code", job.wrong);
  lua_pop(c->L, 1);
  return rc;
}

int l_credentials_ask_at_terminal(lua_State *L) {
  l_core(L)->prompt_mfa = ask_mfa_code;
  return 0;
}

void l_callbacks_read(lua_State *L, int index, struct luaws_session_options *o) {
  o->prompt_mfa = l_core(L)->prompt_mfa;
  if (lua_getfield(L, index, "mfa_prompt") == LUA_TNIL || lua_islightuserdata(L, -1)) {
    lua_pop(L, 1);
    return;
  }
  struct callbacks *c = callbacks_new(L);
  c->mfa_prompt = luaL_ref(L, LUA_REGISTRYINDEX);
  o->prompt_mfa = prompt_mfa;
  o->prompt_arg = c;
  o->on_free = callbacks_free;
  o->on_free_arg = c;
}

/* ---- providers in Lua ---- */

/* A text of the table on the top; what it points at stays in the table. */
static struct luaws_str text_field(lua_State *L, const char *name) {
  struct luaws_str s = LUAWS_STR_NONE;
  if (lua_getfield(L, -1, name) == LUA_TSTRING) s.ptr = lua_tolstring(L, -1, &s.len);
  lua_pop(L, 1);
  return s;
}

/* Seconds since the epoch, or a time as text. */
static bool read_expiry(lua_State *L, int64_t *out) {
  double seconds = 0;
  int type = lua_getfield(L, -1, "expiry");
  if (type == LUA_TNUMBER) {
    seconds = lua_tonumber(L, -1);
  } else if (type == LUA_TSTRING) {
    struct luaws_str s;
    s.ptr = lua_tolstring(L, -1, &s.len);
    if (!luaws_time_parse(s, &seconds)) type = LUA_TNONE;
  }
  lua_pop(L, 1);
  *out = (int64_t)seconds;
  return type == LUA_TNIL || type == LUA_TNUMBER || type == LUA_TSTRING;
}

/* May raise, from the table's metamethods, before it has made anything. */
static int make(struct luaws_provider_task *task, lua_State *co,
                struct luaws_credentials **out, struct luaws_error *err) {
  struct luaws_credentials_init c = {.method = luaws_str_from(task->provider->name)};
  if (lua_isnil(co, -1)) return luaws_provider_pass(task, "it has none");
  if (!lua_istable(co, -1)) {
    return luaws_provider_failed(task, err, "load returned a %s, not a table",
                                 luaL_typename(co, -1));
  }
  c.access_key = text_field(co, "access_key");
  c.secret_key = text_field(co, "secret_key");
  c.token = text_field(co, "token");
  c.account_id = text_field(co, "account_id");
  if (!c.access_key.len || !c.secret_key.len) {
    return luaws_partial_credentials(task->provider->name,
                                     c.access_key.len ? "secret_key" : "access_key", err);
  }
  if (!read_expiry(co, &c.expiry_s)) {
    return luaws_provider_failed(task, err, "expiry is no time");
  }
  *out = luaws_credentials_new(&c);
  return *out ? LUAWS_FOUND : luaws_error_memory(err);
}

struct load_job {
  struct luaws_provider_task *task;
  struct luaws_credentials **out;
  struct luaws_error *err;
  int rc;
};

static int load(lua_State *L) {
  struct load_job *job = lua_touserdata(L, 1);
  const struct own_provider *p = job->task->provider->arg;
  lua_rawgeti(L, LUA_REGISTRYINDEX, p->load);
  lua_createtable(L, 0, 2);
  l_push_text(L, job->task->profile_name);
  lua_setfield(L, -2, "profile_name");
  lua_pushboolean(L, job->task->refresh);
  lua_setfield(L, -2, "refresh");
  lua_call(L, 1, 1);
  job->rc = make(job->task, L, job->out, job->err);
  return 0;
}

static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  struct own_provider *p = task->provider->arg;
  lua_State *L = p->L;
  struct load_job job = {.task = task, .out = out, .err = err};
  if (!lua_checkstack(L, 1)) return luaws_error_memory(err);
  const char *problem = run(L, load, &job);
  if (problem) job.rc = luaws_provider_failed(task, err, "%s", problem);
  lua_pop(L, 1);
  return job.rc;
}

int l_credentials_providers(lua_State *L) {
  struct luaws_session *s = l_session_check(L, 1);
  const struct luaws_provider *p;
  lua_newtable(L);
  for (size_t i = 0; (p = luaws_chain_provider(s->chain, i)); i++) {
    lua_pushstring(L, p->name);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* The callbacks of a session, made when it has none yet. */
static struct callbacks *callbacks_of(lua_State *L, struct luaws_session *s) {
  if (!s->on_free) {
    s->on_free_arg = callbacks_new(L);
    s->on_free = callbacks_free;
  }
  return s->on_free_arg;
}

int l_credentials_insert(lua_State *L) {
  struct luaws_session *s = l_session_check(L, 1);
  struct luaws_str where = l_check_text(L, 2), beside = l_check_text(L, 3);
  struct luaws_str name = l_check_text(L, 4);
  luaL_checktype(L, 5, LUA_TFUNCTION);
  struct callbacks *c = callbacks_of(L, s);
  struct own_provider *p = calloc(1, sizeof *p + name.len + 1);
  if (!p) return luaL_error(L, "out of memory");
  memcpy(p->name, name.ptr, name.len);
  p->provider = (struct luaws_provider){.name = p->name, .step = step, .arg = p};
  p->L = c->L;
  p->load = LUA_NOREF;
  p->next = c->providers;
  c->providers = p;
  lua_settop(L, 5);
  p->load = luaL_ref(L, LUA_REGISTRYINDEX);
  struct luaws_error err = {0};
  int rc = luaws_str_is(where, "after")
               ? luaws_chain_insert_after(s->chain, beside, &p->provider, &err)
               : luaws_chain_insert_before(s->chain, beside, &p->provider, &err);
  return rc ? l_error_raise(L, &err) : 0;
}

int l_credentials_remove(lua_State *L) {
  luaws_chain_remove(l_session_check(L, 1)->chain, l_check_text(L, 2));
  return 0;
}

/* ---- explaining ---- */

int l_explain_providers(lua_State *L) {
  struct luaws_session *s = l_session_check(L, 1);
  const struct luaws_chain_note *n;
  lua_newtable(L);
  for (size_t i = 0; (n = luaws_chain_note(s->chain, i)); i++) {
    lua_createtable(L, 0, 3);
    lua_pushstring(L, n->provider);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, n->answer < 0              ? "failed"
                      : n->answer == LUAWS_FOUND ? "found"
                                                 : "passed");
    lua_setfield(L, -2, "answer");
    l_set_text(L, "why", n->text);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}
