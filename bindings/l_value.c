#include "l_value.h"

#include <lauxlib.h>
#include <lualib.h>

#include "l_error.h"
#include "l_send.h"
#include "l_stream.h"

enum { L_WRITER_MAP = -1 };

static const char list_type_key, map_type_key;

/* ---- reader ---- */

static lua_State *state(struct luaws_reader *r) {
  return ((struct l_reader *)r)->L;
}

/* Whether there is nothing but the items 1 to length: no names among them, and none that
   stands where a list of that length does not reach. */
static bool only_items(lua_State *L, lua_Integer length) {
  luaL_checkstack(L, 3, "parameters are nested too deep");
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pop(L, 1);
    lua_Integer at = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
    if (at >= 1 && at <= length) continue;
    lua_pop(L, 1);
    return false;
  }
  return true;
}

static enum luaws_kind table_kind(lua_State *L) {
  if (lua_getmetatable(L, -1)) {
    lua_pushliteral(L, "__jsontype");
    lua_rawget(L, -2);
    const char *type = lua_tostring(L, -1);
    int kind = !type ? -1 : type[0] == 'a' ? LUAWS_KIND_LIST : LUAWS_KIND_MAP;
    lua_pop(L, 2);
    if (kind == LUAWS_KIND_LIST && !only_items(L, (lua_Integer)lua_rawlen(L, -1)))
      kind = LUAWS_KIND_MAP;
    if (kind >= 0) return (enum luaws_kind)kind;
  }
  size_t length = lua_rawlen(L, -1);
  if (length > 0) {
    /* Items and something else in one table are neither: as a map it is refused by its
       first item. */
    return only_items(L, (lua_Integer)length) ? LUAWS_KIND_LIST : LUAWS_KIND_MAP;
  }
  lua_pushnil(L);
  if (!lua_next(L, -2)) return LUAWS_KIND_EMPTY;
  lua_pop(L, 2);
  return LUAWS_KIND_MAP;
}

static bool is_stream(lua_State *L, int index) {
  return luaL_testudata(L, index, LUA_FILEHANDLE) || l_is_stream(L, index);
}

static enum luaws_kind reader_kind(struct luaws_reader *r) {
  lua_State *L = state(r);
  switch (lua_type(L, -1)) {
  case LUA_TNIL:
    return LUAWS_KIND_NONE;
  case LUA_TBOOLEAN:
    return LUAWS_KIND_BOOLEAN;
  case LUA_TNUMBER:
    return lua_isinteger(L, -1) ? LUAWS_KIND_INTEGER : LUAWS_KIND_FLOAT;
  case LUA_TSTRING:
    return LUAWS_KIND_STRING;
  case LUA_TTABLE:
    return table_kind(L);
  case LUA_TFUNCTION:
    return LUAWS_KIND_STREAM;
  case LUA_TLIGHTUSERDATA:
    return lua_touserdata(L, -1) ? LUAWS_KIND_OTHER : LUAWS_KIND_NULL;
  case LUA_TUSERDATA:
    return is_stream(L, -1)           ? LUAWS_KIND_STREAM
           : l_is_event_writer(L, -1) ? LUAWS_KIND_EVENTS
                                      : LUAWS_KIND_OTHER;
  default:
    return LUAWS_KIND_OTHER;
  }
}

static bool reader_boolean(struct luaws_reader *r) {
  return lua_toboolean(state(r), -1);
}

static int64_t reader_integer(struct luaws_reader *r) {
  return lua_tointeger(state(r), -1);
}

static double reader_floating(struct luaws_reader *r) {
  return lua_tonumber(state(r), -1);
}

static struct luaws_str reader_bytes(struct luaws_reader *r) {
  struct luaws_str s;
  s.ptr = lua_tolstring(state(r), -1, &s.len);
  return s;
}

static int reader_stream(struct luaws_reader *r, struct luaws_stream *out,
                         struct luaws_error *err) {
  return l_stream_from(state(r), -1, out, err);
}

static size_t reader_length(struct luaws_reader *r) {
  lua_State *L = state(r);
  size_t n = lua_rawlen(L, -1);
  if (n > 0) return n;
  luaL_checkstack(L, 3, "parameters are nested too deep");
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pop(L, 1);
    n++;
  }
  return n;
}

static bool reader_enter_member(struct luaws_reader *r, struct luaws_str name) {
  lua_State *L = state(r);
  luaL_checkstack(L, 3, "parameters are nested too deep");
  lua_pushlstring(L, name.ptr, name.len);
  if (lua_rawget(L, -2) != LUA_TNIL) return true;
  lua_pop(L, 1);
  return false;
}

static bool reader_enter_item(struct luaws_reader *r, size_t index) {
  lua_State *L = state(r);
  luaL_checkstack(L, 3, "parameters are nested too deep");
  if (lua_rawgeti(L, -1, (lua_Integer)index + 1) != LUA_TNIL) return true;
  lua_pop(L, 1);
  return false;
}

static void reader_leave(struct luaws_reader *r) {
  lua_pop(state(r), 1);
}

static void reader_begin_entries(struct luaws_reader *r) {
  luaL_checkstack(state(r), 4, "parameters are nested too deep");
  lua_pushnil(state(r));
}

static bool reader_next_entry(struct luaws_reader *r, struct luaws_str *key,
                              enum luaws_kind *key_kind) {
  lua_State *L = state(r);
  if (!lua_next(L, -2)) return false;
  int type = lua_type(L, -2);
  *key_kind = type == LUA_TSTRING    ? LUAWS_KIND_STRING
              : type == LUA_TNUMBER  ? LUAWS_KIND_INTEGER
              : type == LUA_TBOOLEAN ? LUAWS_KIND_BOOLEAN
                                     : LUAWS_KIND_OTHER;
  if (type == LUA_TSTRING) {
    key->ptr = lua_tolstring(L, -2, &key->len);
  } else if (*key_kind == LUAWS_KIND_OTHER) { /* no __tostring, which might raise */
    *key = luaws_str_from(luaL_typename(L, -2));
  } else { /* in place the conversion would confuse lua_next */
    luaL_tolstring(L, -2, &key->len);
    key->ptr = lua_tostring(L, -1);
    lua_pop(L, 1); /* only good for a message that is made at once */
  }
  return true;
}

static void reader_end_entries(struct luaws_reader *r) {
  lua_pop(state(r), 1);
}

enum { DESCRIBE_MAX_BYTES = 64, DESCRIBE_MAX_ENTRIES = 4 };

/* An object is told by the name of its kind: what is in it is its own business. */
static bool describe_object(lua_State *L, struct luaws_buf *out) {
  if (!lua_getmetatable(L, -1)) return false;
  lua_pushliteral(L, "__name");
  bool named = lua_rawget(L, -2) == LUA_TSTRING;
  if (named) luaws_buf_printf(out, "<%s>", lua_tostring(L, -1));
  lua_pop(L, 2);
  return named;
}

static void describe(lua_State *L, struct luaws_buf *out, int depth) {
  size_t len;
  luaL_checkstack(L, 4, "parameters are nested too deep");
  if (lua_type(L, -1) != LUA_TSTRING && describe_object(L, out)) return;
  switch (lua_type(L, -1)) {
  case LUA_TSTRING: {
    const char *s = lua_tolstring(L, -1, &len);
    luaws_buf_append_char(out, '"');
    luaws_buf_append(out, s, len < DESCRIBE_MAX_BYTES ? len : DESCRIBE_MAX_BYTES);
    luaws_buf_append_cstr(out, len < DESCRIBE_MAX_BYTES ? "\"" : "\"...");
    return;
  }
  case LUA_TTABLE: {
    luaws_buf_append_char(out, '{');
    int n = 0;
    lua_pushnil(L);
    while (lua_next(L, -2)) {
      if (n++) luaws_buf_append_cstr(out, ", ");
      if (n > DESCRIBE_MAX_ENTRIES || depth > 2) {
        luaws_buf_append_cstr(out, "...");
        lua_pop(L, 2);
        break;
      }
      if (lua_type(L, -2) == LUA_TSTRING)
        luaws_buf_printf(out, "%s = ", lua_tostring(L, -2));
      describe(L, out, depth + 1);
      lua_pop(L, 1);
    }
    luaws_buf_append_char(out, '}');
    return;
  }
  case LUA_TLIGHTUSERDATA:
    luaws_buf_append_cstr(out, "null");
    return;
  case LUA_TUSERDATA: /* no __tostring, which might raise */
  case LUA_TFUNCTION:
  case LUA_TTHREAD:
    luaws_buf_append_cstr(out, luaL_typename(L, -1));
    return;
  default:
    luaws_buf_append_cstr(out, luaL_tolstring(L, -1, NULL)); /* pushed: popped below */
    lua_pop(L, 1);
  }
}

static void reader_describe(struct luaws_reader *r, struct luaws_buf *out) {
  describe(state(r), out, 0);
}

static const char *reader_type_name(struct luaws_reader *r) {
  lua_State *L = state(r);
  if (lua_islightuserdata(L, -1) && !lua_touserdata(L, -1)) return "null";
  if (lua_isinteger(L, -1)) return "integer";
  return luaL_typename(L, -1);
}

static const struct luaws_reader_ops reader_ops = {
    .kind = reader_kind,
    .boolean = reader_boolean,
    .integer = reader_integer,
    .floating = reader_floating,
    .bytes = reader_bytes,
    .blob = reader_bytes,
    .stream = reader_stream,
    .length = reader_length,
    .enter_member = reader_enter_member,
    .enter_item = reader_enter_item,
    .leave = reader_leave,
    .begin_entries = reader_begin_entries,
    .next_entry = reader_next_entry,
    .end_entries = reader_end_entries,
    .describe = reader_describe,
    .type_name = reader_type_name,
};

void l_reader_begin(struct l_reader *r, lua_State *L, int index) {
  r->base.ops = &reader_ops;
  r->L = L;
  lua_pushvalue(L, index);
}

void l_reader_end(struct l_reader *r) {
  lua_pop(r->L, 1);
}

/* ---- writer ---- */

static inline struct l_writer *writer(struct luaws_writer *w) {
  return (struct l_writer *)w;
}

/* Puts the value on the top where it belongs: into the open container, or it is the root
 * and stays. */
static inline void place(struct l_writer *w) {
  if (w->depth == 0) return;
  lua_Integer *count = &w->count[w->depth - 1];
  if (*count == L_WRITER_MAP) {
    lua_rawset(w->L, -3);
  } else {
    lua_rawseti(w->L, -2, ++*count);
  }
}

static void open_container(struct l_writer *w, lua_Integer count, bool untyped) {
  if (w->depth == L_WRITER_MAX_DEPTH) luaL_error(w->L, "the response is nested too deep");
  w->count[w->depth] = count;
  w->untyped[w->depth] = untyped;
  w->depth++;
}

static int hint_size(size_t hint) {
  return hint < 64 ? (int)hint : 64; /* a hint is never trusted with memory */
}

static void writer_begin_map(struct luaws_writer *base, size_t hint, bool untyped) {
  struct l_writer *w = writer(base);
  luaL_checkstack(w->L, 8, "the response is nested too deep");
  lua_createtable(w->L, 0, hint_size(hint));
  open_container(w, L_WRITER_MAP, untyped);
}

static void writer_key(struct luaws_writer *base, struct luaws_str key) {
  lua_pushlstring(writer(base)->L, key.ptr, key.len);
}

static void writer_end_map(struct luaws_writer *base) {
  struct l_writer *w = writer(base);
  w->depth--;
  if (w->untyped[w->depth]) {
    lua_pushnil(w->L);
    if (lua_next(w->L, -2)) {
      lua_pop(w->L, 2);
    } else {
      l_push_map_type(w->L);
      lua_setmetatable(w->L, -2);
    }
  }
  place(w);
}

static void writer_begin_list(struct luaws_writer *base, size_t hint, bool untyped) {
  struct l_writer *w = writer(base);
  luaL_checkstack(w->L, 8, "the response is nested too deep");
  lua_createtable(w->L, hint_size(hint), 0);
  open_container(w, 0, untyped);
}

static void writer_end_list(struct luaws_writer *base) {
  struct l_writer *w = writer(base);
  w->depth--;
  if (w->untyped[w->depth] && w->count[w->depth] == 0) {
    l_push_list_type(w->L);
    lua_setmetatable(w->L, -2);
  }
  place(w);
}

/* With a key on the top: what already stands under it in the open map, or a new table. */
static void push_existing(struct l_writer *w) {
  luaL_checkstack(w->L, 8, "the response is nested too deep");
  lua_pushvalue(w->L, -1);
  if (lua_rawget(w->L, -3) == LUA_TTABLE) return;
  lua_pop(w->L, 1);
  lua_newtable(w->L);
}

static void writer_resume_list(struct luaws_writer *base) {
  struct l_writer *w = writer(base);
  push_existing(w);
  open_container(w, (lua_Integer)lua_rawlen(w->L, -1), false);
}

static void writer_resume_map(struct luaws_writer *base) {
  struct l_writer *w = writer(base);
  push_existing(w);
  open_container(w, L_WRITER_MAP, false);
}

static void writer_null(struct luaws_writer *base) {
  lua_pushlightuserdata(writer(base)->L, NULL);
  place(writer(base));
}

static void writer_boolean(struct luaws_writer *base, bool b) {
  lua_pushboolean(writer(base)->L, b);
  place(writer(base));
}

static void writer_integer(struct luaws_writer *base, int64_t n) {
  lua_pushinteger(writer(base)->L, n);
  place(writer(base));
}

static void writer_floating(struct luaws_writer *base, double n) {
  lua_pushnumber(writer(base)->L, n);
  place(writer(base));
}

static void writer_bytes(struct luaws_writer *base, struct luaws_str s) {
  lua_pushlstring(writer(base)->L, s.len ? s.ptr : "", s.len);
  place(writer(base));
}

static void writer_timestamp(struct luaws_writer *base, double seconds) {
  lua_Integer whole;
  if (lua_numbertointeger(seconds, &whole) && (double)whole == seconds) {
    lua_pushinteger(writer(base)->L, whole);
  } else {
    lua_pushnumber(writer(base)->L, seconds);
  }
  place(writer(base));
}

static void writer_stream(struct luaws_writer *base) {
  struct l_writer *w = writer(base);
  w->push_body(w);
  place(w);
}

static const struct luaws_writer_ops writer_ops = {
    .begin_map = writer_begin_map,
    .key = writer_key,
    .end_map = writer_end_map,
    .begin_list = writer_begin_list,
    .end_list = writer_end_list,
    .resume_list = writer_resume_list,
    .resume_map = writer_resume_map,
    .null = writer_null,
    .boolean = writer_boolean,
    .integer = writer_integer,
    .floating = writer_floating,
    .bytes = writer_bytes,
    .blob = writer_bytes,
    .timestamp = writer_timestamp,
    .stream = writer_stream,
};

static void push_empty_body(struct l_writer *w) {
  lua_pushliteral(w->L, "");
}

void l_writer_begin(struct l_writer *w, lua_State *L) {
  w->base.ops = &writer_ops;
  w->L = L;
  w->depth = 0;
  w->push_body = push_empty_body;
  w->body_owner = NULL;
  luaL_checkstack(L, 8, "no stack for the response");
}

/* ---- aws.list, aws.map ---- */

static void push_json_type(lua_State *L, const void *key, const char *type) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 1);
  lua_pushstring(L, type);
  lua_setfield(L, -2, "__jsontype");
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void l_push_list_type(lua_State *L) {
  push_json_type(L, &list_type_key, "array");
}

void l_push_map_type(lua_State *L) {
  push_json_type(L, &map_type_key, "object");
}

static void check_table(lua_State *L, const char *name) {
  if (!lua_istable(L, 1)) {
    l_raise(L, "TypeError", "aws.%s takes a table, not a %s", name, luaL_typename(L, 1));
  }
}

/* aws.list(t): marks t (a new table without one) as a list wherever no model says what it
 * is. */
static int l_list(lua_State *L) {
  lua_settop(L, 1);
  if (lua_isnil(L, 1)) {
    lua_newtable(L);
    lua_replace(L, 1);
  }
  check_table(L, "list");
  l_push_list_type(L);
  lua_setmetatable(L, 1);
  return 1;
}

/* aws.map(t): likewise as a map. */
static int l_map(lua_State *L) {
  lua_settop(L, 1);
  if (lua_isnil(L, 1)) {
    lua_newtable(L);
    lua_replace(L, 1);
  }
  check_table(L, "map");
  l_push_map_type(L);
  lua_setmetatable(L, 1);
  return 1;
}

void l_value_open(lua_State *L) {
  static const luaL_Reg functions[] = {{"list", l_list}, {"map", l_map}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
}
