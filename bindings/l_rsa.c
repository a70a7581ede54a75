#include "l_rsa.h"

#include <lauxlib.h>

#include "l_error.h"
#include "l_text.h"
#include "sign/rsa.h"

#define KEY_TYPE "luaws.rsa_key"

struct l_rsa_key {
  EVP_PKEY *pair; /* NULL once closed */
};

static struct l_rsa_key *check_key(lua_State *L) {
  return luaL_checkudata(L, 1, KEY_TYPE);
}

/* core.rsa_key(PEM text) → key */
static int rsa_key(lua_State *L) {
  struct luaws_error err = {0};
  struct luaws_str pem = l_check_text(L, 1);
  struct l_rsa_key *key = lua_newuserdatauv(L, sizeof *key, 0);
  key->pair = NULL;
  luaL_setmetatable(L, KEY_TYPE);
  if (luaws_rsa_key_new(pem, &key->pair, &err)) return l_error_raise(L, &err);
  return 1;
}

/* key:sign_sha1(text) → bytes */
static int key_sign(lua_State *L) {
  struct l_rsa_key *key = check_key(L);
  struct luaws_str text = l_check_text(L, 2);
  struct luaws_error err = {0};
  struct luaws_buf out = {0};
  if (!key->pair) return l_raise(L, "ValueError", "the key is closed");
  int rc = luaws_rsa_sign_sha1(key->pair, text, &out, &err);
  if (rc == 0) lua_pushlstring(L, out.ptr, out.len);
  luaws_buf_clear(&out);
  return rc ? l_error_raise(L, &err) : 1;
}

static int key_close(lua_State *L) {
  struct l_rsa_key *key = check_key(L);
  EVP_PKEY_free(key->pair);
  key->pair = NULL;
  return 0;
}

static int key_tostring(lua_State *L) {
  check_key(L);
  lua_pushliteral(L, "rsa_key");
  return 1;
}

void l_rsa_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"sign_sha1", key_sign}, {"close", key_close}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", key_close},
                                  {"__close", key_close},
                                  {"__tostring", key_tostring},
                                  {NULL, NULL}};
  luaL_newmetatable(L, KEY_TYPE);
  luaL_setfuncs(L, meta, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_pushcfunction(L, rsa_key);
  lua_setfield(L, -2, "rsa_key");
}
