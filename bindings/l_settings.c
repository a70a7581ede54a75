#include "l_settings.h"

#include <lauxlib.h>

#include "l_error.h"
#include "l_session.h"
#include "l_text.h"
#include "l_value.h"
#include "settings/region.h"
#include "settings/variables.h"

/* ---- one variable ---- */

/* Where to look, from a sequence of botocore's words at index, or nil. */
static unsigned read_methods(lua_State *L, int index) {
  static const char *const words[] = {"instance", "env", "config"};
  static const unsigned places[] = {LUAWS_LOOK_AT_ARGUMENTS, LUAWS_LOOK_AT_ENVIRONMENT,
                                    LUAWS_LOOK_AT_FILES};
  unsigned where = 0;
  if (lua_isnoneornil(L, index)) return LUAWS_LOOK_EVERYWHERE;
  luaL_checktype(L, index, LUA_TTABLE);
  lua_Integer count = (lua_Integer)lua_rawlen(L, index);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, index, i);
    const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    size_t n = 0;
    while (n < 3 && strcmp(words[n], word) != 0)
      n++;
    if (n == 3) {
      l_raise(L, "ValueError",
              "get_config_variable: '%s' is no place to look: 'instance', 'env' and "
              "'config' are",
              luaL_tolstring(L, -1, NULL));
    }
    where |= places[n];
    lua_pop(L, 1);
  }
  return where;
}

int l_settings_get(lua_State *L) {
  struct luaws_session *s = l_session_check(L, 1);
  struct luaws_str name = l_check_text(L, 2);
  unsigned where = read_methods(L, 3);
  struct luaws_error err = {0};
  struct l_writer w;
  l_writer_begin(&w, L);
  if (luaws_settings_write(s->settings, name, where, &w.base, &err))
    return l_error_raise(L, &err);
  if (lua_islightuserdata(L, -1)) lua_pushnil(L);
  return 1;
}

int l_settings_set(lua_State *L) {
  struct luaws_session *s = l_session_check(L, 1);
  struct luaws_str name = l_check_text(L, 2), text = LUAWS_STR_NONE;
  int type = lua_type(L, 3);
  bool null = type == LUA_TNIL || type == LUA_TNONE ||
              (type == LUA_TLIGHTUSERDATA && !lua_touserdata(L, 3));
  if (type == LUA_TBOOLEAN) {
    text = lua_toboolean(L, 3) ? LUAWS_STR("true") : LUAWS_STR("false");
  } else if (type == LUA_TSTRING || type == LUA_TNUMBER) {
    text = l_check_text(L, 3);
  } else if (!null) {
    return l_raise(L, "TypeError", "set_config_variable: %s cannot be a %s", name.ptr,
                   luaL_typename(L, 3));
  }
  struct luaws_error err = {0};
  if (luaws_settings_set(s->settings, name, text, &err)) return l_error_raise(L, &err);
  return 0;
}

int l_settings_table(lua_State *L) {
  static const char *const types[] = {
      [LUAWS_SETTING_IS_TEXT] = "text",
      [LUAWS_SETTING_IS_INTEGER] = "integer",
      [LUAWS_SETTING_IS_BOOLEAN] = "boolean",
      [LUAWS_SETTING_IS_BLOCK] = "block",
  };
  lua_createtable(L, LUAWS_SETTING_COUNT, 0);
  for (int id = 0; id < LUAWS_SETTING_COUNT; id++) {
    const struct luaws_variable *v = &luaws_variables[id];
    lua_createtable(L, 0, 7);
    l_set_text(L, "name", luaws_str_from(v->name));
    l_set_text(L, "type", luaws_str_from(types[v->type]));
    l_set_text(L, "file_key", luaws_str_from(v->file_key));
    l_set_text(L, "block", luaws_str_from(v->block));
    l_set_text(L, "profile_key", luaws_str_from(v->profile_key));
    l_set_text(L, "default", luaws_str_from(v->fallback));
    lua_newtable(L);
    for (int i = 0; i < 2 && v->env[i]; i++) {
      lua_pushstring(L, v->env[i]);
      lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "env");
    lua_rawseti(L, -2, id + 1);
  }
  return 1;
}

int l_settings_profile_name(lua_State *L) {
  struct luaws_str name = luaws_settings_profile_name(l_session_check(L, 1)->settings);
  lua_pushlstring(L, name.ptr, name.len);
  return 1;
}

/* ---- the files ---- */

static void push_section_value(lua_State *L, const struct luaws_ini_value *v);

static void push_values(lua_State *L, const struct luaws_ini_value *v) {
  lua_newtable(L);
  for (; v; v = v->next) {
    lua_pushlstring(L, v->key.ptr, v->key.len);
    push_section_value(L, v);
    lua_rawset(L, -3);
  }
}

static void push_section_value(lua_State *L, const struct luaws_ini_value *v) {
  if (v->is_block) {
    push_values(L, v->first);
  } else {
    lua_pushlstring(L, v->text.ptr ? v->text.ptr : "", v->text.len);
  }
}

/* Adds sections to the table on the top. */
static void add_sections(lua_State *L, const struct luaws_ini_section *s) {
  for (; s; s = s->next) {
    lua_pushlstring(L, s->name.ptr, s->name.len);
    push_values(L, s->first);
    lua_rawset(L, -3);
  }
}

static void set_sections(lua_State *L, const char *name,
                         const struct luaws_ini_section *s) {
  lua_newtable(L);
  add_sections(L, s);
  lua_setfield(L, -2, name);
}

int l_settings_full_config(lua_State *L) {
  struct luaws_session *s = l_session_check(L, 1);
  const struct luaws_profiles *p;
  struct luaws_error err = {0};
  if (luaws_settings_profiles(s->settings, &p, &err)) return l_error_raise(L, &err);
  lua_createtable(L, 0, 3);
  add_sections(L, p->others);
  set_sections(L, "profiles", p->profiles);
  set_sections(L, "sso_sessions", p->sso_sessions);
  set_sections(L, "services", p->services);
  return 1;
}

/* ---- explaining ---- */

/* Adds where a value came from to the table on the top. */
static void set_source(lua_State *L, const struct luaws_setting *v) {
  static const char *const sources[] = {
      [LUAWS_FROM_NOWHERE] = "not set",   [LUAWS_FROM_ARGUMENT] = "argument",
      [LUAWS_FROM_VARIABLE] = "variable", [LUAWS_FROM_FILE] = "file",
      [LUAWS_FROM_DEFAULT] = "default",
  };
  lua_pushstring(L, sources[v->source]);
  lua_setfield(L, -2, "source");
  if (v->source == LUAWS_FROM_VARIABLE) {
    lua_pushstring(L, v->variable);
    lua_setfield(L, -2, "variable");
  }
  if (v->source == LUAWS_FROM_FILE) {
    l_set_text(L, "path", v->path);
    lua_pushinteger(L, v->line);
    lua_setfield(L, -2, "line");
  }
}

static void set_error(lua_State *L, struct luaws_error *err) {
  lua_pushstring(L, luaws_error_message(err));
  lua_setfield(L, -2, "error");
  luaws_error_clear(err);
}

/* Adds name, value and source, or what is wrong with it, to the table on the top. */
static void fill_setting(lua_State *L, struct luaws_settings *s,
                         enum luaws_setting_id id) {
  struct luaws_error err = {0};
  struct luaws_setting v = {0};
  struct l_writer w;
  const char *name = luaws_setting_name(id);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "name");
  int rc = id == LUAWS_SETTING_CA_BUNDLE ? luaws_settings_ca_bundle(s, &v, &err)
                                         : luaws_settings_get(s, id, &v, &err);
  if (rc) {
    set_error(L, &err);
    return;
  }
  set_source(L, &v);
  if (id == LUAWS_SETTING_CA_BUNDLE && v.text.ptr) {
    l_push_text(L, v.text);
    lua_setfield(L, -2, "value");
    return;
  }
  if (v.source == LUAWS_FROM_NOWHERE) return;
  l_writer_begin(&w, L);
  if (luaws_settings_write(s, luaws_str_from(name), LUAWS_LOOK_EVERYWHERE, &w.base,
                           &err)) {
    lua_pop(L, 1);
    set_error(L, &err);
  } else {
    lua_setfield(L, -2, "value");
  }
}

int l_settings_explain(lua_State *L) {
  struct luaws_session *s = l_session_check(L, 1);
  lua_createtable(L, LUAWS_SETTING_COUNT, 0);
  for (int id = 0; id < LUAWS_SETTING_COUNT; id++) {
    lua_createtable(L, 0, 5);
    fill_setting(L, s->settings, (enum luaws_setting_id)id);
    lua_rawseti(L, -2, id + 1);
  }
  return 1;
}

/* AWS_ENDPOINT_URL_S3 */
static void push_endpoint_variable(lua_State *L, struct luaws_str service) {
  struct luaws_buf name = {0};
  luaws_buf_append_cstr(&name, "AWS_ENDPOINT_URL_");
  size_t from = name.len;
  luaws_service_settings_name(service, &name);
  for (size_t i = from; i < name.len; i++) {
    if (name.ptr[i] >= 'a' && name.ptr[i] <= 'z') name.ptr[i] -= 'a' - 'A';
  }
  l_push_text(L, luaws_buf_str(&name));
  luaws_buf_clear(&name);
}

int l_settings_explain_endpoint(lua_State *L) {
  struct luaws_session *s = l_session_check(L, 1);
  struct luaws_str service = l_check_text(L, 2);
  struct luaws_error err = {0};
  struct luaws_setting v = {0};
  int rc = luaws_settings_endpoint_url(s->settings, service, &v, &err);
  lua_createtable(L, 0, 5);
  if (rc) {
    set_error(L, &err);
    return 1;
  }
  set_source(L, &v);
  if (v.source == LUAWS_FROM_VARIABLE && strcmp(v.variable, "AWS_ENDPOINT_URL") != 0) {
    push_endpoint_variable(L, service);
    lua_setfield(L, -2, "variable");
  }
  if (v.text.ptr) {
    l_push_text(L, v.text);
    lua_setfield(L, -2, "value");
  }
  return 1;
}

static void push_file(lua_State *L, const struct luaws_ini *file) {
  lua_createtable(L, 0, 2);
  l_set_text(L, "path", file->path);
  lua_pushboolean(L, file->found);
  lua_setfield(L, -2, "found");
  if (file->unreadable) {
    lua_pushstring(L, strerror(file->unreadable));
    lua_setfield(L, -2, "error");
  }
}

int l_settings_files(lua_State *L) {
  struct luaws_session *s = l_session_check(L, 1);
  const struct luaws_profiles *files;
  const struct luaws_ini_section *profile;
  struct luaws_error err = {0};
  int rc = luaws_settings_profiles(s->settings, &files, &err);
  if (rc == 0) {
    lua_createtable(L, 2, 0);
    push_file(L, &files->config);
    lua_rawseti(L, -2, 1);
    push_file(L, &files->credentials);
    lua_rawseti(L, -2, 2);
    rc = luaws_settings_profile(s->settings, &profile, &err);
  } else {
    lua_pushnil(L);
  }
  lua_pushstring(L, rc ? luaws_error_message(&err) : NULL);
  luaws_error_clear(&err);
  return 2;
}

/* Adds them to the sequence on the top, which has n of others. */
static lua_Integer add_entries(lua_State *L, const struct luaws_ini_value *v,
                               struct luaws_str block, lua_Integer n) {
  for (; v; v = v->next) {
    lua_createtable(L, 0, 5);
    l_set_text(L, "key", v->key);
    l_set_text(L, "block", block);
    l_set_text(L, "path", v->path);
    l_set_text(L, "text", v->is_block ? LUAWS_STR_NONE : v->text);
    lua_pushinteger(L, v->line);
    lua_setfield(L, -2, "line");
    lua_rawseti(L, -2, ++n);
    if (v->is_block) n = add_entries(L, v->first, v->key, n);
  }
  return n;
}

int l_settings_profile_entries(lua_State *L) {
  struct luaws_session *s = l_session_check(L, 1);
  const struct luaws_ini_section *profile;
  struct luaws_error err = {0};
  if (luaws_settings_profile(s->settings, &profile, &err)) return l_error_raise(L, &err);
  lua_newtable(L);
  add_entries(L, profile ? profile->first : NULL, LUAWS_STR_NONE, 0);
  return 1;
}
