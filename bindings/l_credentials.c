#include "l_credentials.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "ask.h"
#include "base/time.h"
#include "l_core.h"
#include "l_error.h"
#include "l_run.h"
#include "l_session.h"
#include "l_text.h"
#include "l_value.h"

/* ---- functions of a session's owner ---- */

/* A provider whose `load` is a function. */
struct own_provider {
  struct own_provider *next;
  struct luaws_provider provider; /* its arg is this */
  lua_State *L;
  const struct luaws_chain *chain; /* that it was inserted into */
  bool of_tokens;
  int load;
  char name[];
};

/* They may be called from any coroutine, so they run in tasks of their own (l_run.h). */
struct callbacks {
  lua_State *L; /* the main one */
  struct luaws_session *session;
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

/* ---- MFA ---- */

/* A prompt that is being asked. */
struct mfa_run {
  struct l_run run;
  struct luaws_mfa_question *question;
  const char *wrong; /* the type of what it returned, if that is no code */
};

static int push_serial(lua_State *L, struct l_run *r) {
  l_push_text(L, ((struct mfa_run *)r->arg)->question->serial);
  return 1;
}

static int take_code(lua_State *L, struct l_run *r) {
  struct mfa_run *m = r->arg;
  if (lua_isstring(L, 1))
    luaws_buf_append_str(&m->question->code, l_check_text(L, 1));
  else
    m->wrong = luaL_typename(L, 1);
  return 0;
}

static void cancel_question(struct luaws_mfa_question *q) {
  struct mfa_run *m = q->state;
  l_run_clear(&m->run);
  free(m);
}

static int begin_question(struct callbacks *c, struct luaws_mfa_question *q,
                          struct luaws_error *err) {
  struct mfa_run *m = calloc(1, sizeof *m);
  if (!m) return luaws_error_memory(err);
  m->run = (struct l_run){.L = c->L, .arg = m, .wake = q->wake, .wake_arg = q->wake_arg};
  m->question = q;
  q->state = m;
  q->cancel = cancel_question;
  const struct l_run_start s = {.fn = c->mfa_prompt,
                                .owner = c->session->chain,
                                .push = push_serial,
                                .take = take_code};
  int rc = l_run_start(&m->run, l_core(c->L), &s, err);
  return rc ? rc : LUAWS_PENDING;
}

static int prompt_mfa(void *arg, struct luaws_mfa_question *q, struct luaws_error *err) {
  struct mfa_run *m = q->state;
  if (!m) return begin_question(arg, q, err);
  if (!m->run.done) return LUAWS_PENDING;
  if (m->run.failed) {
    return luaws_error_set(err, LUAWS_E_CREDENTIALS, "CredentialRetrievalError",
                           "mfa_prompt: %s", m->run.problem.ptr);
  }
  if (!m->wrong) return 0;
  return luaws_error_set(err, LUAWS_E_CREDENTIALS, "CredentialRetrievalError",
                         "mfa_prompt returned a %s instead of a code", m->wrong);
}

int l_credentials_ask_at_terminal(lua_State *L) {
  l_core(L)->prompt_mfa = ask_mfa_code;
  return 0;
}

void l_callbacks_read(lua_State *L, int index, struct luaws_session_options *o) {
  o->prompt_mfa = l_core(L)->prompt_mfa;
  o->prompt_arg = l_core(L)->prompt_arg;
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

void l_callbacks_bind(struct luaws_session *s) {
  struct callbacks *c = s->on_free_arg;
  if (c) c->session = s;
}

/* ---- providers in Lua ---- */

/* A load under way. */
struct own_load {
  struct l_run run;
  struct luaws_provider_task *task;
  struct luaws_credentials *found;
  struct luaws_error error;
  int answer;
};

/* A text of the table on the top; what it points at stays in the table. */
static struct luaws_str text_field(lua_State *L, const char *name) {
  struct luaws_str s = LUAWS_STR_NONE;
  if (lua_getfield(L, -1, name) == LUA_TSTRING) s.ptr = lua_tolstring(L, -1, &s.len);
  lua_pop(L, 1);
  return s;
}

/* Seconds since the epoch, or a time as text. */
static bool read_time(lua_State *L, const char *field, int64_t *out) {
  double seconds = 0;
  int type = lua_getfield(L, -1, field);
  if (type == LUA_TNUMBER) {
    seconds = lua_tonumber(L, -1);
  } else if (type == LUA_TSTRING) {
    struct luaws_str s;
    s.ptr = lua_tolstring(L, -1, &s.len);
    if (!luaws_time_parse(s, &seconds)) type = LUA_TNONE;
  }
  lua_pop(L, 1);
  if (!luaws_time_whole(seconds, out)) type = LUA_TNONE;
  return type == LUA_TNIL || type == LUA_TNUMBER || type == LUA_TSTRING;
}

/* A token as credentials that have nothing else: its text, or a table. */
static int make_token(lua_State *L, struct luaws_provider_task *task,
                      struct luaws_credentials **out, struct luaws_error *err) {
  struct luaws_credentials_init c = {.method = luaws_str_from(task->provider->name)};
  if (lua_isnil(L, -1)) return luaws_provider_pass(task, "it has none");
  if (lua_type(L, -1) == LUA_TSTRING) {
    c.token.ptr = lua_tolstring(L, -1, &c.token.len);
  } else if (lua_istable(L, -1)) {
    c.token = text_field(L, "token");
    if (!read_time(L, "expiration", &c.expiry_s)) {
      return luaws_provider_failed(task, err, "expiration is no time");
    }
  }
  if (!c.token.len)
    return luaws_provider_failed(task, err, "load_token returned no token");
  *out = luaws_credentials_new(&c);
  return *out ? LUAWS_FOUND : luaws_error_memory(err);
}

/* May raise, from the table's metamethods, before it has made anything. */
static int make(lua_State *L, struct luaws_provider_task *task,
                struct luaws_credentials **out, struct luaws_error *err) {
  struct luaws_credentials_init c = {.method = luaws_str_from(task->provider->name)};
  if (lua_isnil(L, -1)) return luaws_provider_pass(task, "it has none");
  if (!lua_istable(L, -1)) {
    return luaws_provider_failed(task, err, "load returned a %s, not a table",
                                 luaL_typename(L, -1));
  }
  c.access_key = text_field(L, "access_key");
  c.secret_key = text_field(L, "secret_key");
  c.token = text_field(L, "token");
  c.account_id = text_field(L, "account_id");
  if (!c.access_key.len || !c.secret_key.len) {
    return luaws_partial_credentials(task->provider->name,
                                     c.access_key.len ? "secret_key" : "access_key", err);
  }
  if (!read_time(L, "expiry", &c.expiry_s)) {
    return luaws_provider_failed(task, err, "expiry is no time");
  }
  *out = luaws_credentials_new(&c);
  return *out ? LUAWS_FOUND : luaws_error_memory(err);
}

static int take_credentials(lua_State *L, struct l_run *r) {
  struct own_load *o = r->arg;
  const struct own_provider *p = o->task->provider->arg;
  o->answer = (p->of_tokens ? make_token : make)(L, o->task, &o->found, &o->error);
  return 0;
}

static int push_context(lua_State *L, struct l_run *r) {
  const struct luaws_provider_task *task = ((struct own_load *)r->arg)->task;
  lua_createtable(L, 0, 2);
  l_push_text(L, task->profile_name);
  lua_setfield(L, -2, "profile_name");
  lua_pushboolean(L, task->refresh);
  lua_setfield(L, -2, "refresh");
  return 1;
}

static void cancel(struct luaws_provider_task *task) {
  struct own_load *o = task->state;
  l_run_clear(&o->run);
  luaws_credentials_release(o->found);
  luaws_error_clear(&o->error);
  free(o);
}

static int begin(struct luaws_provider_task *task, struct luaws_error *err) {
  struct own_provider *p = task->provider->arg;
  struct own_load *o = calloc(1, sizeof *o);
  if (!o) return luaws_error_memory(err);
  o->run =
      (struct l_run){.L = p->L, .arg = o, .wake = task->wake, .wake_arg = task->wake_arg};
  o->task = task;
  task->state = o;
  const struct l_run_start s = {
      .fn = p->load, .owner = p->chain, .push = push_context, .take = take_credentials};
  int rc = l_run_start(&o->run, l_core(p->L), &s, err);
  return rc ? rc : LUAWS_PENDING;
}

static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  struct own_load *o = task->state;
  if (!o) return begin(task, err);
  if (!o->run.done) return LUAWS_PENDING;
  if (o->run.failed) return luaws_provider_failed(task, err, "%s", o->run.problem.ptr);
  *out = o->found;
  o->found = NULL;
  if (o->answer < 0 && err) luaws_error_move(err, &o->error);
  return o->answer;
}

/* The row that is meant: "credentials" or "tokens" at index 2. */
static struct luaws_chain *check_chain(lua_State *L, struct luaws_session *s) {
  static const char *const names[] = {"credentials", "tokens", NULL};
  return luaL_checkoption(L, 2, NULL, names) == 0 ? s->chain : s->token_chain;
}

int l_credentials_providers(lua_State *L) {
  const struct luaws_chain *chain = check_chain(L, l_session_check(L, 1));
  const struct luaws_provider *p;
  lua_newtable(L);
  for (size_t i = 0; (p = luaws_chain_provider(chain, i)); i++) {
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
  struct luaws_chain *chain = check_chain(L, s);
  struct luaws_str where = l_check_text(L, 3), beside = l_check_text(L, 4);
  struct luaws_str name = l_check_text(L, 5);
  luaL_checktype(L, 6, LUA_TFUNCTION);
  struct callbacks *c = callbacks_of(L, s);
  struct own_provider *p = calloc(1, sizeof *p + name.len + 1);
  if (!p) return luaL_error(L, "out of memory");
  memcpy(p->name, name.ptr, name.len);
  p->provider =
      (struct luaws_provider){.name = p->name, .step = step, .cancel = cancel, .arg = p};
  p->L = c->L;
  p->chain = chain;
  p->of_tokens = chain == s->token_chain;
  p->load = LUA_NOREF;
  p->next = c->providers;
  c->providers = p;
  lua_settop(L, 6);
  p->load = luaL_ref(L, LUA_REGISTRYINDEX);
  struct luaws_error err = {0};
  int rc = luaws_str_is(where, "after")
               ? luaws_chain_insert_after(chain, beside, &p->provider, &err)
               : luaws_chain_insert_before(chain, beside, &p->provider, &err);
  return rc ? l_error_raise(L, &err) : 0;
}

int l_credentials_remove(lua_State *L) {
  luaws_chain_remove(check_chain(L, l_session_check(L, 1)), l_check_text(L, 3));
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
    lua_pushstring(L, n->answer < 0             ? "failed"
                      : n->answer == LUAWS_PASS ? "passed"
                                                : "found");
    lua_setfield(L, -2, "answer");
    l_set_text(L, "why", n->text);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}
