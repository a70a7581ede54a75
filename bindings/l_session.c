#include "l_session.h"

#include <lauxlib.h>

#include "client/bearer.h"
#include "client/clock_skew.h"
#include "endpoint/endpoint.h"
#include "l_client.h"
#include "l_credentials.h"
#include "l_core.h"
#include "l_error.h"
#include "l_run.h"
#include "l_settings.h"
#include "l_text.h"
#include "l_value.h"

#define SESSION_TYPE "luaws.core.session"

struct l_session {
  struct luaws_session *session;
};

struct luaws_session *l_session_check(lua_State *L, int index) {
  struct l_session *s = luaL_checkudata(L, index, SESSION_TYPE);
  if (!s->session) l_raise(L, "ValueError", "the session is closed");
  return s->session;
}

struct luaws_models *l_models_check(lua_State *L, int index) {
  struct luaws_client *c = l_client_test(L, index);
  return c ? c->session->models : l_session_check(L, index)->models;
}

struct luaws_str l_option(lua_State *L, int index, const char *name) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 2, "too many options");
  int type = lua_getfield(L, index, name);
  if (type == LUA_TNIL || (type == LUA_TLIGHTUSERDATA && !lua_touserdata(L, -1)))
    return LUAWS_STR_NONE;
  if (type != LUA_TSTRING) {
    l_raise(L, "TypeError", "%s must be a string, not a %s", name, luaL_typename(L, -1));
  }
  struct luaws_str s;
  s.ptr = lua_tolstring(L, -1, &s.len);
  return s;
}

/* ---- what may stand in for the machine in specs and hosts ---- */

struct l_env {
  lua_State *L;
  int ref;
};

/* env: a table that replaces the process's environment. It lives in the session's user
 * value. */
static const char *table_getenv(void *arg, const char *name) {
  struct l_env *env = arg;
  lua_rawgeti(env->L, LUA_REGISTRYINDEX, env->ref);
  lua_getfield(env->L, -1, name);
  const char *value = lua_tostring(env->L, -1);
  lua_pop(env->L, 2);
  return value; /* the table, anchored, holds it */
}

static int64_t function_now(void *arg) {
  struct l_env *clock = arg;
  lua_rawgeti(clock->L, LUA_REGISTRYINDEX, clock->ref);
  lua_call(clock->L, 0, 1);
  int64_t now = (int64_t)lua_tonumber(clock->L, -1);
  lua_pop(clock->L, 1);
  return now;
}

static struct l_env *anchor(lua_State *L, int owner, const char *option, int type,
                            int user_value) {
  if (lua_getfield(L, 1, option) == LUA_TNIL) {
    lua_pop(L, 1);
    return NULL;
  }
  if (lua_type(L, -1) != type)
    l_raise(L, "TypeError", "%s must be a %s", option, lua_typename(L, type));
  struct l_env *e = lua_newuserdatauv(L, sizeof *e, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  e->L = lua_tothread(L, -1);
  lua_pop(L, 1);
  lua_setiuservalue(L, owner, user_value);
  e->ref = luaL_ref(
      L, LUA_REGISTRYINDEX); /* specs' and hosts' own: lives as long as the state */
  return e;
}

/* Options that name files, or stand in for the machine and so can name some. */
static void check_files_allowed(lua_State *L) {
  static const char *const names[] = {"data_path", "credential_cache", "_home", "_env",
                                      NULL};
  for (int i = 0; l_core(L)->no_files && names[i]; i++) {
    if (lua_getfield(L, 1, names[i]) != LUA_TNIL)
      l_raise(L, "PermissionError", "%s: this host lets scripts use no files", names[i]);
    lua_pop(L, 1);
  }
}

/* core.session(options) */
static int session_new(lua_State *L) {
  lua_settop(L, 1);
  luaL_checktype(L, 1, LUA_TTABLE);
  check_files_allowed(L);
  struct l_session *s = lua_newuserdatauv(L, sizeof *s, 2);
  s->session = NULL;
  luaL_setmetatable(L, SESSION_TYPE);
  struct l_env *env = anchor(L, 2, "_env", LUA_TTABLE, 1);
  struct l_env *clock = anchor(L, 2, "_clock", LUA_TFUNCTION, 2);
  struct luaws_session_options o = {
      .access_key = l_option(L, 1, "aws_access_key_id"),
      .secret_key = l_option(L, 1, "aws_secret_access_key"),
      .session_token = l_option(L, 1, "aws_session_token"),
      .account_id = l_option(L, 1, "aws_account_id"),
      .region_name = l_option(L, 1, "region_name"),
      .profile_name = l_option(L, 1, "profile_name"),
      .data_path = l_option(L, 1, "data_path"),
      .home = l_option(L, 1, "_home"),
      .credential_cache = l_option(L, 1, "credential_cache"),
      .lenient = lua_getfield(L, 1, "_lenient") == LUA_TBOOLEAN && lua_toboolean(L, -1),
      .pack = l_core_pack(L),
      .loop = l_core(L)->loop,
      .getenv = env ? table_getenv : NULL,
      .getenv_arg = env,
      .now_s = clock ? function_now : NULL,
      .now_arg = clock,
      .provider = l_core(L)->provider,
  };
  l_callbacks_read(L, 1, &o);
  struct luaws_error err = {0};
  if (luaws_session_new(&o, &s->session, &err)) return l_error_raise(L, &err);
  l_callbacks_bind(s->session);
  lua_settop(L, 2);
  return 1;
}

static int session_gc(lua_State *L) {
  struct l_session *s = luaL_checkudata(L, 1, SESSION_TYPE);
  luaws_session_release(s->session);
  s->session = NULL;
  return 0;
}

/* ---- credentials ---- */

#define CREDENTIALS_WAIT_TYPE "luaws.core.credentials_wait"
enum wanted { CREDENTIALS, METHOD, TOKEN, TOKEN_METHOD };
struct l_credentials_wait {
  struct l_wait wait;
  struct luaws_chain_waiter waiter;
  struct luaws_session *session;
  struct luaws_client *client; /* whose credentials are wanted, or NULL */
  enum wanted wanted;
  struct luaws_str method; /* the answer to METHOD */
  bool closes;             /* marked to be closed when its function is left */
};

static int credentials_wait_gc(lua_State *L) {
  struct l_credentials_wait *w = luaL_checkudata(L, 1, CREDENTIALS_WAIT_TYPE);
  if (w->waiter.chain) luaws_chain_waiter_cancel(&w->waiter);
  l_wait_clear(&w->wait, L);
  luaws_session_release(w->session);
  w->session = NULL;
  luaws_client_release(w->client);
  w->client = NULL;
  return 0;
}

static void push_credentials(lua_State *L, struct luaws_credentials *c) {
  lua_createtable(L, 0, 6);
  l_set_text(L, "access_key", c->access_key);
  l_set_text(L, "secret_key", c->secret_key);
  l_set_text(L, "token", c->token);
  l_set_text(L, "account_id", c->account_id);
  l_set_text(L, "method", c->method);
  if (c->expiry_s) {
    lua_pushinteger(L, c->expiry_s);
    lua_setfield(L, -2, "expiry");
  }
  luaws_credentials_release(c);
}

static int ask(struct l_credentials_wait *w, struct luaws_credentials **out,
               struct luaws_error *err) {
  struct luaws_chain *chain = w->wanted == TOKEN || w->wanted == TOKEN_METHOD
                                  ? w->session->token_chain
                                  : w->session->chain;
  if (w->client) return luaws_client_credentials(w->client, &w->waiter, out, err);
  return w->wanted == METHOD || w->wanted == TOKEN_METHOD
             ? luaws_chain_find(chain, &w->waiter, &w->method, err)
             : luaws_chain_get(chain, &w->waiter, out, err);
}

static int credentials_step(lua_State *L, int status, lua_KContext ctx) {
  struct l_credentials_wait *w = luaL_checkudata(L, (int)ctx, CREDENTIALS_WAIT_TYPE);
  for (;;) {
    struct luaws_credentials *c = NULL;
    struct luaws_error err = {0};
    int answer = ask(w, &c, &err);
    if (answer < 0) return l_error_raise(L, &err);
    if (answer == LUAWS_PASS) return 0;
    if (answer == LUAWS_FOUND) {
      if (c) {
        push_credentials(L, c);
      } else {
        l_push_text(L, w->method);
      }
      return 1;
    }
    l_run_check_wait(L, w->waiter.chain);
    if (!w->closes) lua_toclose(L, (int)ctx); /* whoever waits no more lets go at once */
    w->closes = true;
    l_wait(L, &w->wait, ctx, credentials_step);
  }
}

static int wait_for_credentials(lua_State *L, struct luaws_session *s,
                                struct luaws_client *client, enum wanted wanted) {
  struct l_credentials_wait *w = lua_newuserdatauv(L, sizeof *w, 0);
  *w = (struct l_credentials_wait){.waiter = {.wake = l_wait_wake, .arg = &w->wait},
                                   .wanted = wanted};
  l_wait_init(&w->wait, l_core(L));
  luaL_setmetatable(L, CREDENTIALS_WAIT_TYPE);
  w->session = luaws_session_acquire(s);
  if (wanted == CREDENTIALS || wanted == METHOD) luaws_session_settle_region(s);
  if (client) w->client = luaws_client_acquire(client);
  return credentials_step(L, LUA_OK, lua_gettop(L));
}

/* session:credentials() → a table of those that are good now, nil when there are none */
static int session_credentials(lua_State *L) {
  return wait_for_credentials(L, l_session_check(L, 1), NULL, CREDENTIALS);
}

/* session:credentials_method() → the name of the provider that has some, or nil. A
   service that it has to ask is not asked yet. */
static int session_credentials_method(lua_State *L) {
  return wait_for_credentials(L, l_session_check(L, 1), NULL, METHOD);
}

/* session:auth_token(), session:auth_token_method() → the same for bearer tokens: a table
   with `token` and `expiry` */
static int session_auth_token(lua_State *L) {
  return wait_for_credentials(L, l_session_check(L, 1), NULL, TOKEN);
}
static int session_auth_token_method(lua_State *L) {
  return wait_for_credentials(L, l_session_check(L, 1), NULL, TOKEN_METHOD);
}

/* session:token_variable(signing name) → the token of the environment, or nil */
static int session_token_variable(lua_State *L) {
  lua_pushstring(
      L, luaws_token_variable(l_session_check(L, 1)->settings, l_check_text(L, 2)));
  return 1;
}

/* core.client_credentials(client) → those that its requests are signed with */
static int client_credentials(lua_State *L) {
  struct luaws_client *c = l_client_check(L, 1)->client;
  return wait_for_credentials(L, c->session, c, CREDENTIALS);
}

/* core.client_time(client) → seconds since the epoch, as its service has them */
static int client_time(lua_State *L) {
  lua_pushinteger(L, luaws_client_signing_time_s(l_client_check(L, 1)->client));
  return 1;
}

/* ---- endpoints ---- */

static const struct luaws_str *read_texts(lua_State *L, struct luaws_arena *arena,
                                          size_t *count) {
  *count = lua_rawlen(L, -1);
  struct luaws_str *texts = luaws_arena_alloc(arena, (*count + 1) * sizeof *texts);
  for (size_t i = 0; texts && i < *count; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i + 1);
    struct luaws_str s;
    s.ptr = lua_tolstring(L, -1, &s.len);
    if (s.ptr) texts[i] = luaws_arena_str(arena, s);
    lua_pop(L, 1);
  }
  return texts;
}

/* Reads { Region = "us-east-1", UseFIPS = false, … }. A value of no known type goes in as
 * no parameter can be. */
static size_t read_endpoint_params(lua_State *L, int index, struct luaws_arena *arena,
                                   struct luaws_endpoint_param **out) {
  size_t n = 0;
  lua_pushnil(L);
  while (lua_next(L, index)) {
    n++;
    lua_pop(L, 1);
  }
  struct luaws_endpoint_param *p = luaws_arena_alloc(arena, (n + 1) * sizeof *p);
  *out = p;
  n = 0;
  lua_pushnil(L);
  while (p && lua_next(L, index)) {
    struct luaws_str s;
    if (lua_type(L, -2) == LUA_TSTRING) {
      s.ptr = lua_tolstring(L, -2, &s.len);
      p[n].name = luaws_arena_str(arena, s);
      if (lua_isboolean(L, -1)) {
        p[n].type = LUAWS_EP_BOOLEAN;
        p[n].boolean = lua_toboolean(L, -1);
      } else if (lua_istable(L, -1)) {
        p[n].type = LUAWS_EP_STRINGS;
        p[n].texts = read_texts(L, arena, &p[n].text_count);
      } else {
        p[n].type = LUAWS_EP_STRING;
        s.ptr = luaL_tolstring(L, -1, &s.len);
        p[n].text = luaws_arena_str(arena, s);
        lua_pop(L, 1);
      }
      n++;
    }
    lua_pop(L, 1);
  }
  return n;
}

static void push_tree(lua_State *L, const struct luaws_tree *t) {
  luaL_checkstack(L, 4, "an endpoint's properties are nested too deep");
  switch (t->kind) {
  case LUAWS_KIND_BOOLEAN:
    lua_pushboolean(L, t->boolean);
    return;
  case LUAWS_KIND_INTEGER:
    lua_pushinteger(L, t->integer);
    return;
  case LUAWS_KIND_FLOAT:
    lua_pushnumber(L, t->floating);
    return;
  case LUAWS_KIND_STRING:
    lua_pushlstring(L, t->text.ptr ? t->text.ptr : "", t->text.len);
    return;
  case LUAWS_KIND_LIST:
  case LUAWS_KIND_MAP:
    lua_newtable(L);
    lua_Integer i = 0;
    for (const struct luaws_tree *c = t->first; c; c = c->next) {
      push_tree(L, c);
      if (t->kind == LUAWS_KIND_LIST) {
        lua_rawseti(L, -2, ++i);
      } else {
        lua_pushlstring(L, c->key.ptr, c->key.len);
        lua_insert(L, -2);
        lua_rawset(L, -3);
      }
    }
    return;
  default:
    lua_pushlightuserdata(L, NULL);
  }
}

#define ARENA_TYPE "luaws.core.arena"
static int arena_gc(lua_State *L) {
  luaws_arena_clear(luaL_checkudata(L, 1, ARENA_TYPE));
  return 0;
}

/* session:resolve_endpoint(service, params) → { url, properties, headers } */
static int session_resolve_endpoint(lua_State *L) {
  struct luaws_session *s = l_session_check(L, 1);
  struct luaws_str service;
  service.ptr = luaL_checklstring(L, 2, &service.len);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  struct luaws_arena *arena = lua_newuserdatauv(L, sizeof *arena, 0);
  *arena = (struct luaws_arena){0};
  luaL_setmetatable(L, ARENA_TYPE);
  const void *rules, *partitions;
  struct luaws_error err = {0};
  struct luaws_endpoint_param *params;
  struct luaws_endpoint e;
  size_t n = read_endpoint_params(L, 3, arena, &params);
  int rc = luaws_models_find(s->models, LUAWS_SECTION_RULES, service, LUAWS_STR_NONE,
                             &rules, &err);
  if (rc == 0) {
    rc = luaws_models_find(s->models, LUAWS_SECTION_PARTITIONS, LUAWS_STR_NONE,
                           LUAWS_STR_NONE, &partitions, &err);
  }
  if (rc == 0) rc = luaws_endpoint_resolve(rules, partitions, params, n, arena, &e, &err);
  if (rc) return l_error_raise(L, &err);
  lua_createtable(L, 0, 3);
  l_set_text(L, "url", e.url);
  push_tree(L, e.properties);
  lua_setfield(L, -2, "properties");
  lua_createtable(L, 0, (int)e.header_count);
  for (size_t i = 0; i < e.header_count; i++) {
    lua_pushlstring(L, e.headers[i].name.ptr, e.headers[i].name.len);
    lua_pushlstring(L, e.headers[i].value.ptr, e.headers[i].value.len);
    lua_rawset(L, -3);
  }
  lua_setfield(L, -2, "headers");
  return 1;
}

void l_session_open(lua_State *L) {
  static const luaL_Reg methods[] = {{"config_variable", l_settings_get},
                                     {"set_config_variable", l_settings_set},
                                     {"profile_name", l_settings_profile_name},
                                     {"full_config", l_settings_full_config},
                                     {"credentials", session_credentials},
                                     {"credentials_method", session_credentials_method},
                                     {"auth_token", session_auth_token},
                                     {"auth_token_method", session_auth_token_method},
                                     {"token_variable", session_token_variable},
                                     {"providers", l_credentials_providers},
                                     {"insert_provider", l_credentials_insert},
                                     {"remove_provider", l_credentials_remove},
                                     {"settings", l_settings_explain},
                                     {"endpoint_setting", l_settings_explain_endpoint},
                                     {"files", l_settings_files},
                                     {"profile_entries", l_settings_profile_entries},
                                     {"provider_notes", l_explain_providers},
                                     {"resolve_endpoint", session_resolve_endpoint},
                                     {NULL, NULL}};
  luaL_newmetatable(L, SESSION_TYPE);
  lua_pushcfunction(L, session_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_newmetatable(L, CREDENTIALS_WAIT_TYPE);
  lua_pushcfunction(L, credentials_wait_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, credentials_wait_gc);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
  luaL_newmetatable(L, ARENA_TYPE);
  lua_pushcfunction(L, arena_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  lua_pushcfunction(L, session_new);
  lua_setfield(L, -2, "session");
  lua_pushcfunction(L, l_settings_table);
  lua_setfield(L, -2, "settings_table");
  lua_pushcfunction(L, l_credentials_ask_at_terminal);
  lua_setfield(L, -2, "ask_at_terminal");
  lua_pushcfunction(L, client_credentials);
  lua_setfield(L, -2, "client_credentials");
  lua_pushcfunction(L, client_time);
  lua_setfield(L, -2, "client_time");
}
