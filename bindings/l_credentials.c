#include "l_credentials.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "l_core.h"
#include "l_error.h"

/* Functions of a session's owner. They may be called from any coroutine, so they run in
   one of their own. */
struct callbacks {
  lua_State *L; /* the main one */
  int mfa_prompt;
};

static void callbacks_free(void *arg) {
  struct callbacks *c = arg;
  luaL_unref(c->L, LUA_REGISTRYINDEX, c->mfa_prompt);
  free(c);
}

/* In a fresh coroutine, left on the stack of the main one: calls the function under it
   with one text. False with the error's text on its top. */
static bool call_with_text(lua_State *co, int ref, struct luaws_str text) {
  lua_rawgeti(co, LUA_REGISTRYINDEX, ref);
  lua_pushlstring(co, text.ptr, text.len);
  if (lua_pcall(co, 1, 1, 0) == LUA_OK) return true;
  luaL_tolstring(co, -1, NULL);
  return false;
}

static int prompt_mfa(void *arg, struct luaws_str serial, struct luaws_buf *out,
                      struct luaws_error *err) {
  struct callbacks *c = arg;
  int rc = 0;
  if (!lua_checkstack(c->L, 1)) return luaws_error_memory(err);
  lua_State *co = lua_newthread(c->L);
  if (!call_with_text(co, c->mfa_prompt, serial)) {
    rc = luaws_error_set(err, LUAWS_E_CREDENTIALS, "CredentialRetrievalError",
                         "mfa_prompt: %s", lua_tostring(co, -1));
  } else if (lua_isstring(co, -1)) {
    struct luaws_str code;
    code.ptr = lua_tolstring(co, -1, &code.len);
    luaws_buf_append_str(out, code);
  } else {
    rc = luaws_error_set(err, LUAWS_E_CREDENTIALS, "CredentialRetrievalError",
                         "mfa_prompt returned a %s instead of a code",
                         luaL_typename(co, -1));
  }
  lua_pop(c->L, 1);
  return rc;
}

void l_callbacks_read(lua_State *L, int index, struct luaws_session_options *o) {
  o->prompt_mfa = l_core(L)->prompt_mfa;
  if (lua_getfield(L, index, "mfa_prompt") == LUA_TNIL || lua_islightuserdata(L, -1)) {
    lua_pop(L, 1);
    return;
  }
  struct callbacks *c = calloc(1, sizeof *c);
  if (!c) luaL_error(L, "out of memory");
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  c->L = lua_tothread(L, -1);
  lua_pop(L, 1);
  c->mfa_prompt = luaL_ref(L, LUA_REGISTRYINDEX);
  o->prompt_mfa = prompt_mfa;
  o->prompt_arg = c;
  o->on_free = callbacks_free;
  o->on_free_arg = c;
}
