#include "l_docs.h"

#include <lauxlib.h>

#include "l_core.h"
#include "l_error.h"
#include "l_paths.h"
#include "l_text.h"
#include "model/docs.h"

#define DOCS_TYPE "luaws.core.docs"

struct l_docs {
  struct luaws_models *models;
  struct luaws_docs *docs;
};

static int push_doc(lua_State *L, struct luaws_str s) {
  if (!s.ptr) return 0;
  lua_pushlstring(L, s.ptr, s.len);
  return 1;
}

static const struct luaws_docs *check_docs(lua_State *L) {
  struct l_docs *d = luaL_checkudata(L, 1, DOCS_TYPE);
  luaL_argcheck(L, d->docs, 1, "closed");
  return d->docs;
}

static int docs_gc(lua_State *L) {
  struct l_docs *d = luaL_checkudata(L, 1, DOCS_TYPE);
  luaws_docs_free(d->docs);
  luaws_models_free(d->models);
  *d = (struct l_docs){0};
  return 0;
}

/* core.docs(service, version) → the documentation of a service; nil when there is none */
static int docs_new(lua_State *L) {
  struct luaws_str service = l_check_text(L, 1), version = l_check_text(L, 2);
  struct l_core *core = l_core(L);
  struct luaws_error err = {0};
  struct l_docs *d = lua_newuserdatauv(L, sizeof *d, 0);
  *d = (struct l_docs){0};
  luaL_setmetatable(L, DOCS_TYPE);
  if (!core->docs) {
    l_push_data_path(L, "docs.pack");
    if (luaws_pack_open(lua_tostring(L, -1), &core->docs, &err)) l_error_raise(L, &err);
    lua_pop(L, 1);
  }
  d->models = luaws_models_new(core->docs);
  if (!d->models) return luaL_error(L, "not enough memory");
  const void *section;
  if (luaws_models_find(d->models, LUAWS_SECTION_DOCS, service, version, &section,
                        &err)) {
    luaws_error_clear(&err); /* models of the user's own have none */
    return 0;
  }
  if (luaws_docs_open(section, &d->docs, &err)) return l_error_raise(L, &err);
  return 1;
}

/* docs:service(), docs:operation(name), docs:shape(name), docs:member(shape, name): HTML,
 * or nil */
static int docs_service(lua_State *L) {
  return push_doc(L, luaws_docs_service(check_docs(L)));
}
static int docs_operation(lua_State *L) {
  return push_doc(L, luaws_docs_operation(check_docs(L), l_check_text(L, 2)));
}
static int docs_shape(lua_State *L) {
  return push_doc(L, luaws_docs_shape(check_docs(L), l_check_text(L, 2)));
}
static int docs_member(lua_State *L) {
  return push_doc(
      L, luaws_docs_member(check_docs(L), l_check_text(L, 2), l_check_text(L, 3)));
}

void l_docs_open(lua_State *L) {
  static const luaL_Reg methods[] = {{"service", docs_service},
                                     {"operation", docs_operation},
                                     {"shape", docs_shape},
                                     {"member", docs_member},
                                     {NULL, NULL}};
  luaL_newmetatable(L, DOCS_TYPE);
  lua_pushcfunction(L, docs_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_pushcfunction(L, docs_new);
  lua_setfield(L, -2, "docs");
}
