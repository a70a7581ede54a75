#include "l_sign.h"

#include <lauxlib.h>
#include <time.h>

#include "l_error.h"
#include "l_session.h"
#include "l_stream.h"
#include "sign/sign.h"

#define SIGNING_TYPE "luaws.core.signing"

/* What must go whatever happens. */
struct l_signing {
  struct luaws_arena arena;
  struct luaws_request request;
  struct luaws_buf canonical_request;
  struct luaws_buf string_to_sign;
  struct luaws_buf url;
};

static int signing_gc(lua_State *L) {
  struct l_signing *s = luaL_checkudata(L, 1, SIGNING_TYPE);
  luaws_stream_release(&s->request.body);
  luaws_buf_clear(&s->canonical_request);
  luaws_buf_clear(&s->string_to_sign);
  luaws_buf_clear(&s->url);
  luaws_arena_wipe(&s->arena);
  return 0;
}

static struct luaws_str to_text(lua_State *L, int index) {
  struct luaws_str s;
  s.ptr = luaL_tolstring(L, index, &s.len); /* stays on the stack: keeps the text */
  return s;
}

/* A header's value is a string, or a sequence where it is repeated. */
static void add_headers(lua_State *L, int request, struct luaws_headers *h) {
  if (lua_getfield(L, request, "headers") == LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  int headers = lua_gettop(L);
  luaL_checktype(L, headers, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, headers)) {
    int value = lua_gettop(L);
    lua_pushvalue(L, value - 1);
    struct luaws_str name = to_text(L, -1);
    if (lua_istable(L, value)) {
      lua_Integer n = (lua_Integer)lua_rawlen(L, value);
      for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, value, i);
        luaws_headers_add(h, name, to_text(L, -1));
        lua_pop(L, 2);
      }
    } else {
      luaws_headers_add(h, name, to_text(L, value));
    }
    lua_settop(L, value - 1);
  }
  lua_pop(L, 1);
}

static bool flag(lua_State *L, const char *name, bool otherwise) {
  int type = lua_getfield(L, 3, name);
  bool on = type == LUA_TNIL ? otherwise : lua_toboolean(L, -1);
  lua_pop(L, 1);
  return on;
}

static lua_Integer integer(lua_State *L, const char *name, lua_Integer otherwise) {
  int is_integer = 1;
  lua_Integer n = lua_getfield(L, 3, name) == LUA_TNIL
                      ? otherwise
                      : lua_tointegerx(L, -1, &is_integer);
  lua_pop(L, 1);
  if (!is_integer) l_raise(L, "TypeError", "%s must be an integer", name);
  return n;
}

static void push_signed(lua_State *L, struct l_signing *s, bool debug) {
  const struct luaws_request *r = &s->request;
  lua_createtable(L, 0, 6);
  lua_pushlstring(L, r->method.ptr, r->method.len);
  lua_setfield(L, -2, "method");
  luaws_request_url(r, &s->url);
  lua_pushlstring(L, luaws_buf_str(&s->url).ptr, s->url.len);
  lua_setfield(L, -2, "url");
  lua_createtable(L, 0, (int)r->headers.count);
  for (size_t i = 0; i < r->headers.count; i++) {
    const struct luaws_header *h = &r->headers.items[i];
    lua_pushlstring(L, h->name.ptr, h->name.len);
    lua_pushvalue(L, -1);
    int type = lua_rawget(L, -3);
    if (type == LUA_TSTRING) { /* repeated: the value becomes a sequence */
      lua_createtable(L, 2, 0);
      lua_insert(L, -2);
      lua_rawseti(L, -2, 1);
    }
    if (type == LUA_TNIL) {
      lua_pop(L, 1);
      lua_pushlstring(L, h->value.ptr, h->value.len);
    } else {
      lua_pushlstring(L, h->value.ptr, h->value.len);
      lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    }
    lua_rawset(L, -3);
  }
  lua_setfield(L, -2, "headers");
  lua_getfield(L, 2, "body");
  lua_setfield(L, -2, "body");
  if (!debug) return;
  lua_pushlstring(L, luaws_buf_str(&s->canonical_request).ptr, s->canonical_request.len);
  lua_setfield(L, -2, "canonical_request");
  lua_pushlstring(L, luaws_buf_str(&s->string_to_sign).ptr, s->string_to_sign.len);
  lua_setfield(L, -2, "string_to_sign");
}

/* core.sign(credentials table, request table, options table) → a new request table */
static int sign(lua_State *L) {
  lua_settop(L, 3);
  for (int i = 1; i <= 3; i++)
    luaL_checktype(L, i, LUA_TTABLE);
  struct l_signing *s = lua_newuserdatauv(L, sizeof *s, 0);
  *s = (struct l_signing){0};
  luaL_setmetatable(L, SIGNING_TYPE);
  struct luaws_request *r = &s->request;
  r->arena = r->headers.arena = &s->arena;
  struct luaws_error err = {0};
  struct luaws_str method = l_option(L, 2, "method"), url = l_option(L, 2, "url");
  r->method = method.len ? method : LUAWS_STR("GET");
  if (luaws_request_set_url(r, url, &err)) return l_error_raise(L, &err);
  add_headers(L, 2, &r->headers);
  if (lua_getfield(L, 2, "body") != LUA_TNIL &&
      l_stream_from(L, lua_gettop(L), &r->body, &err)) {
    return l_error_raise(L, &err);
  }
  bool debug = flag(L, "debug", false), presign = flag(L, "presign", false);
  struct luaws_str algorithm = l_option(L, 3, "algorithm");
  struct luaws_sign_opts o = {
      .algorithm =
          luaws_str_is(algorithm, "sigv4a") ? LUAWS_SIGN_SIGV4A : LUAWS_SIGN_SIGV4,
      .service = l_option(L, 3, "service"),
      .region = l_option(L, 3, "region"),
      .time_s = integer(L, "time", (lua_Integer)time(NULL)),
      .payload = flag(L, "unsigned_payload", false) ? LUAWS_PAYLOAD_UNSIGNED
                                                    : LUAWS_PAYLOAD_SIGNED,
      .add_content_sha256 = flag(L, "sign_body", false),
      .double_encode = flag(L, "double_encode", true),
      .normalize_path = flag(L, "normalize_path", true),
      .presign = presign,
      .expires_s = integer(L, "expires", 3600),
      .omit_session_token = flag(L, "omit_session_token", false),
      .canonical_request = debug ? &s->canonical_request : NULL,
      .string_to_sign = debug ? &s->string_to_sign : NULL,
  };
  struct luaws_creds creds = {l_option(L, 1, "access_key"), l_option(L, 1, "secret_key"),
                              l_option(L, 1, "token")};
  if (luaws_sigv4_sign(r, &creds, &o, &err)) return l_error_raise(L, &err);
  push_signed(L, s, debug);
  return 1;
}

void l_sign_open(lua_State *L) {
  luaL_newmetatable(L, SIGNING_TYPE);
  lua_pushcfunction(L, signing_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  lua_pushcfunction(L, sign);
  lua_setfield(L, -2, "sign");
}
