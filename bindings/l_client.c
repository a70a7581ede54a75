#include "l_client.h"

#include <lauxlib.h>

#include "client/endpoint_params.h"
#include "l_call.h"
#include "l_core.h"
#include "l_error.h"
#include "l_session.h"
#include "l_text.h"
#include "l_value.h"

enum { CLIENT_KB = 24 }; /* what a client and its session take, about */

#define CLIENT_TYPE "luaws.client"
static const char missing_key;

struct luaws_client *l_client_test(lua_State *L, int index) {
  struct l_client *c = luaL_testudata(L, index, CLIENT_TYPE);
  return c ? c->client : NULL;
}

struct l_client *l_client_check(lua_State *L, int index) {
  struct l_client *c = luaL_testudata(L, index, CLIENT_TYPE);
  if (!c) {
    l_raise(L, "TypeError", "a client was expected, not a %s; call its methods with ':'",
            lua_isnone(L, index) ? "nil" : luaL_typename(L, index));
  }
  if (!c->client || c->client->closed) l_raise(L, "ValueError", "the client is closed");
  return c;
}

/* A field of the options table that is true, false or nil. */
static int option_flag(lua_State *L, int index, const char *name) {
  int type = lua_getfield(L, index, name), flag = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return type == LUA_TNIL ? -1 : flag;
}

/* verify: true, false, or the path of a CA bundle. */
static void read_verify(lua_State *L, int index, struct luaws_client_options *o) {
  if (lua_getfield(L, index, "verify") == LUA_TBOOLEAN) {
    o->no_verify = !lua_toboolean(L, -1);
    lua_pop(L, 1);
    return;
  }
  lua_pop(L, 1);
  o->verify_path = l_option(L, index, "verify");
}

#define CONFIG_TYPE "luaws.core.config"
static int config_gc(lua_State *L) {
  luaws_client_config_clear(luaL_checkudata(L, 1, CONFIG_TYPE));
  return 0;
}

/* The config table of the options, over the session's defaults. */
static const struct luaws_client_config *read_config(lua_State *L, int index) {
  if (lua_getfield(L, index, "config") == LUA_TNIL) return NULL;
  struct luaws_client_config *config = lua_newuserdatauv(L, sizeof *config, 0);
  *config = (struct luaws_client_config){0};
  luaL_setmetatable(L, CONFIG_TYPE);
  struct luaws_error err = {0};
  struct l_reader r;
  l_reader_begin(&r, L, lua_gettop(L) - 1);
  if (luaws_client_config_read(config, &r.base, &err)) l_error_raise(L, &err);
  l_reader_end(&r);
  return config;
}

#define REGION_WAIT_TYPE "luaws.core.region_wait"
struct l_region_wait {
  struct l_wait wait;
  struct luaws_chain_waiter waiter;
};

static int region_wait_gc(lua_State *L) {
  struct l_region_wait *w = luaL_checkudata(L, 1, REGION_WAIT_TYPE);
  if (w->waiter.chain) luaws_chain_waiter_cancel(&w->waiter);
  l_wait_clear(&w->wait, L);
  return 0;
}

static int client_new(lua_State *L);

/* The stack is client_new's: session, service, options; then the wait. */
static int region_step(lua_State *L, int status, lua_KContext ctx) {
  struct l_region_wait *w = luaL_checkudata(L, (int)ctx, REGION_WAIT_TYPE);
  for (;;) {
    lua_settop(L, (int)ctx);
    const struct luaws_client_config *config = read_config(L, 3);
    if (luaws_session_find_instance_region(l_session_check(L, 1), config, &w->waiter)) {
      lua_settop(L, 3);
      return client_new(L);
    }
    lua_settop(L, (int)ctx);
    l_wait(L, &w->wait, ctx, region_step);
  }
}

/* For defaults_mode "auto": the metadata service is asked first where this machine is. */
static int wait_for_region(lua_State *L) {
  lua_settop(L, 3);
  struct l_region_wait *w = lua_newuserdatauv(L, sizeof *w, 0);
  *w = (struct l_region_wait){.waiter = {.wake = l_wait_wake, .arg = &w->wait}};
  l_wait_init(&w->wait, l_core(L));
  luaL_setmetatable(L, REGION_WAIT_TYPE);
  return region_step(L, LUA_OK, lua_gettop(L));
}

/* core.client(session, service, options) → a client without class or fields */
static int client_new(lua_State *L) {
  struct luaws_session *session = l_session_check(L, 1);
  struct luaws_str service;
  service.ptr = luaL_checklstring(L, 2, &service.len);
  luaL_checktype(L, 3, LUA_TTABLE);
  struct l_client *c = lua_newuserdatauv(L, sizeof *c, L_CLIENT_VALUES);
  int at = lua_gettop(L);
  *c = (struct l_client){0};
  luaL_setmetatable(L, CLIENT_TYPE);
  struct luaws_client_options o = {
      .region_name = l_option(L, 3, "region_name"),
      .api_version = l_option(L, 3, "api_version"),
      .endpoint_url = l_option(L, 3, "endpoint_url"),
      .access_key = l_option(L, 3, "aws_access_key_id"),
      .secret_key = l_option(L, 3, "aws_secret_access_key"),
      .session_token = l_option(L, 3, "aws_session_token"),
      .account_id = l_option(L, 3, "aws_account_id"),
      .no_ssl = option_flag(L, 3, "use_ssl") == 0,
  };
  read_verify(L, 3, &o);
  o.config = read_config(L, 3);
  if (!session->instance_region_known &&
      luaws_client_config_wants_instance_region(o.config, session->settings)) {
    return wait_for_region(L);
  }
  struct luaws_error err = {0};
  if (luaws_client_new(session, service, &o, &c->client, &err))
    return l_error_raise(L, &err);
  /* Lua sees a few bytes where there are many: let its collector do work to match. */
  if (lua_gc(L, LUA_GCISRUNNING)) lua_gc(L, LUA_GCSTEP, CLIENT_KB);
  lua_settop(L, at);
  return 1;
}

static int client_gc(lua_State *L) {
  struct l_client *c = luaL_checkudata(L, 1, CLIENT_TYPE);
  luaws_client_release(c->client);
  c->client = NULL;
  return 0;
}

/* client:close() */
static int client_close(lua_State *L) {
  struct l_client *c = luaL_checkudata(L, 1, CLIENT_TYPE);
  if (c->client) luaws_client_close(c->client);
  return 0;
}

static int client_tostring(lua_State *L) {
  struct l_client *c = luaL_checkudata(L, 1, CLIENT_TYPE);
  if (!c->client) {
    lua_pushliteral(L, "luaws.client(closed)");
    return 1;
  }
  lua_pushfstring(L, "luaws.client('%s'", c->client->service_name.ptr);
  if (c->client->meta_region.len)
    lua_pushfstring(L, ", region_name='%s')", c->client->meta_region.ptr);
  else
    lua_pushliteral(L, ")");
  lua_concat(L, 2);
  return 1;
}

/* A method that was made before, a field, an operation; else client.lua is asked. */
static int client_index(lua_State *L) {
  struct l_client *c = luaL_checkudata(L, 1, CLIENT_TYPE);
  lua_settop(L, 2);
  lua_getiuservalue(L, 1, L_CLIENT_CLASS);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, 3) != LUA_TNIL) return 1;
  lua_pop(L, 1);
  lua_getiuservalue(L, 1, L_CLIENT_FIELDS);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, 4) != LUA_TNIL) return 1;
  lua_settop(L, 3);
  if (lua_type(L, 2) == LUA_TSTRING && c->client) {
    struct luaws_str name;
    name.ptr = lua_tolstring(L, 2, &name.len);
    const struct luaws_operation *op = luaws_service_method(c->client->service, name);
    if (op) {
      l_call_push_method(L, op);
      lua_pushvalue(L, 2);
      lua_pushvalue(L, -2);
      lua_rawset(L, 3);
      return 1;
    }
  }
  lua_rawgetp(L, LUA_REGISTRYINDEX, &missing_key);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_call(L, 2, 1);
  return 1;
}

static int client_newindex(lua_State *L) {
  luaL_checkudata(L, 1, CLIENT_TYPE);
  lua_getiuservalue(L, 1, L_CLIENT_FIELDS);
  lua_insert(L, 2);
  lua_rawset(L, 2);
  return 0;
}

/* core.client_bind(client, class, fields, listens) */
static int client_bind(lua_State *L) {
  struct l_client *c = luaL_checkudata(L, 1, CLIENT_TYPE);
  c->listens = lua_toboolean(L, 4);
  lua_settop(L, 3);
  lua_setiuservalue(L, 1, L_CLIENT_FIELDS);
  lua_setiuservalue(L, 1, L_CLIENT_CLASS);
  return 0;
}

/* core.client_listen(client, flag): from now on somebody may listen (or nobody). */
static int client_listen(lua_State *L) {
  struct l_client *c = luaL_checkudata(L, 1, CLIENT_TYPE);
  c->listens = lua_toboolean(L, 2);
  return 0;
}

/* core.client_unguard(client): its listeners of parameters are asked for every call. */
static int client_unguard(lua_State *L) {
  struct l_client *c = luaL_checkudata(L, 1, CLIENT_TYPE);
  c->unguarded = true;
  return 0;
}

/* core.client_class(client), core.client_fields(client) */
static int client_class(lua_State *L) {
  luaL_checkudata(L, 1, CLIENT_TYPE);
  lua_getiuservalue(L, 1, L_CLIENT_CLASS);
  return 1;
}
static int client_fields(lua_State *L) {
  luaL_checkudata(L, 1, CLIENT_TYPE);
  lua_getiuservalue(L, 1, L_CLIENT_FIELDS);
  return 1;
}

/* core.client_service(client) → a value that is the same for all clients of the same
 * service and version */
static int client_service(lua_State *L) {
  lua_pushlightuserdata(L, (void *)(size_t)l_client_check(L, 1)->client->service);
  return 1;
}

/* core.on_missing(fn): fn(client, key) answers what is no method or field, or raises. */
static int on_missing(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &missing_key);
  return 0;
}

/* core.client_info(client) → what meta shows */
static int client_info(lua_State *L) {
  struct luaws_client *c = l_client_check(L, 1)->client;
  lua_createtable(L, 0, 12);
  l_set_text(L, "service_name", c->service_name);
  l_set_text(L, "region_name", c->meta_region);
  l_set_text(L, "partition", c->partition);
  l_set_text(L, "api_version", luaws_ref_text(&c->service->api_version));
  l_set_text(L, "service_id", luaws_ref_text(&c->service->service_id));
  l_set_text(L, "hyphen_id", luaws_ref_text(&c->service->hyphen_id));
  l_set_text(L, "class_name", luaws_ref_text(&c->service->class_name));
  l_set_text(L, "signing_name", luaws_ref_text(&c->service->signing_name));
  l_set_text(L, "endpoint_prefix", luaws_ref_text(&c->service->endpoint_prefix));
  l_set_text(L, "full_name", luaws_ref_text(&c->service->full_name));
  l_set_text(L, "protocol", luaws_str_from(c->protocol->name));
  return 1;
}

/* core.client_signer(client) → version, signing name, region, whether somebody asked for
   a version: what its calls are signed with unless operation or endpoint say otherwise */
static int client_signer(lua_State *L) {
  const struct luaws_client *c = l_client_check(L, 1)->client;
  l_push_text(L, c->config->signature_version);
  l_push_text(L, luaws_ref_text(&c->service->signing_name));
  l_push_text(L, c->signing_region);
  lua_pushboolean(L, c->config->signature_version_configured);
  return 4;
}

/* core.discovers(client) → "required" or "optional" where the service has an operation
   that tells where others are to be sent, and its method's name; else nothing */
static int discovers(lua_State *L) {
  const struct luaws_service *s = l_client_check(L, 1)->client->service;
  const struct luaws_operation *op = luaws_ref_get(&s->operations), *source = NULL;
  unsigned seen = 0;
  for (uint32_t i = 0; i < s->operation_count; i++) {
    seen |= op[i].flags;
    if (op[i].flags & LUAWS_OP_DISCOVERY_SOURCE) source = &op[i];
  }
  if (!source) return 0;
  lua_pushstring(L, seen & LUAWS_OP_DISCOVERY_REQUIRED ? "required" : "optional");
  struct luaws_str name = luaws_ref_text(&source->method_name);
  lua_pushlstring(L, name.ptr, name.len);
  return 2;
}

/* core.client_discovery(client) → endpoint_discovery_enabled as it was configured; nil
 * for a client with an endpoint of its own */
static int client_discovery(lua_State *L) {
  struct luaws_client *c = l_client_check(L, 1)->client;
  if (c->custom_endpoint.len) return 0;
  struct luaws_str mode = c->config->endpoint_discovery_enabled;
  if (!mode.ptr) mode = LUAWS_STR("auto");
  lua_pushlstring(L, mode.ptr, mode.len);
  return 1;
}

/* core.client_config(client) → the config as a table */
static int client_config(lua_State *L) {
  struct luaws_client *c = l_client_check(L, 1)->client;
  struct l_writer w;
  l_writer_begin(&w, L);
  luaws_client_config_write(c->config, &w.base);
  l_set_text(L, "user_agent", luaws_user_agent_text(&c->user_agent, 0));
  return 1;
}

#define ARENA_TYPE "luaws.core.arena"

/* core.client_tell_milliseconds(client): times that are sent keep their milliseconds */
static int client_tell_milliseconds(lua_State *L) {
  l_client_check(L, 1)->client->millisecond_timestamps = true;
  return 0;
}

/* core.client_endpoint_url(client) → the URL that the rules give without any operation's
 * parameters */
static int client_endpoint_url(lua_State *L) {
  struct luaws_client *c = l_client_check(L, 1)->client;
  if (c->custom_endpoint.len) {
    lua_pushlstring(L, c->custom_endpoint.ptr, c->custom_endpoint.len);
    return 1;
  }
  struct luaws_arena *arena = lua_newuserdatauv(L, sizeof *arena, 0);
  *arena = (struct luaws_arena){0};
  luaL_setmetatable(L, ARENA_TYPE);
  struct luaws_endpoint e;
  struct luaws_error err = {0};
  if (luaws_client_resolve_default_endpoint(c, arena, &e, &err))
    return l_error_raise(L, &err);
  lua_pushlstring(L, e.url.ptr, e.url.len);
  return 1;
}

void l_client_open(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", client_gc},
                                         {"__close", client_close},
                                         {"__tostring", client_tostring},
                                         {"__index", client_index},
                                         {"__newindex", client_newindex},
                                         {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"client", client_new},
      {"client_close", client_close},
      {"client_bind", client_bind},
      {"client_listen", client_listen},
      {"client_unguard", client_unguard},
      {"client_class", client_class},
      {"client_fields", client_fields},
      {"client_service", client_service},
      {"on_missing", on_missing},
      {"client_info", client_info},
      {"client_signer", client_signer},
      {"client_config", client_config},
      {"discovers", discovers},
      {"client_discovery", client_discovery},
      {"client_endpoint_url", client_endpoint_url},
      {"client_tell_milliseconds", client_tell_milliseconds},
      {NULL, NULL}};
  luaL_newmetatable(L, CLIENT_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  lua_pop(L, 1);
  luaL_newmetatable(L, REGION_WAIT_TYPE);
  lua_pushcfunction(L, region_wait_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newmetatable(L, CONFIG_TYPE);
  lua_pushcfunction(L, config_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
