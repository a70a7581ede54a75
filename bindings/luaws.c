/* require "luaws": the C side of it, and how the Lua side is found. */
#include <luaws.h>

#include <lauxlib.h>
#include <lua.h>

#include "l_body.h"
#include "l_call.h"
#include "l_client.h"
#include "l_core.h"
#include "l_docs.h"
#include "l_encode.h"
#include "l_events.h"
#include "l_files.h"
#include "l_model.h"
#include "l_paths.h"
#include "l_piece.h"
#include "l_range_sum.h"
#include "l_reader.h"
#include "l_ready.h"
#include "l_regions.h"
#include "l_rsa.h"
#include "l_run.h"
#include "l_send.h"
#include "l_session.h"
#include "l_sign.h"
#include "l_stream.h"
#include "l_value.h"

/* require "luaws.core": what Lua modules need of the core. */
static int open_core(lua_State *L) {
  lua_newtable(L);
  lua_pushliteral(L, LUAWS_VERSION);
  lua_setfield(L, -2, "version");
  l_core_open(L);
  l_run_open(L);
  l_value_open(L);
  l_stream_open(L);
  l_session_open(L);
  l_client_open(L);
  l_call_open(L);
  l_body_open(L);
  l_events_open(L);
  l_send_open(L);
  l_model_open(L);
  l_docs_open(L);
  l_rsa_open(L);
  l_sign_open(L);
  l_encode_open(L);
  l_files_open(L);
  l_piece_open(L);
  l_range_sum_open(L);
  l_reader_open(L);
  l_ready_open(L);
  l_regions_open(L);
  return 1;
}

int luaopen_luaws(struct lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  if (lua_getfield(L, -1, "luaws.core") == LUA_TNIL) {
    lua_pushcfunction(L, open_core);
    lua_setfield(L, -3, "luaws.core");
    l_paths_open(L);
  }
  lua_pop(L, 2);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "luaws.init");
  lua_call(L, 1, 1);
  return 1;
}
