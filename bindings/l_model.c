#include "l_model.h"

#include <lauxlib.h>

#include "base/encode.h"
#include "l_client.h"
#include "l_core.h"
#include "l_error.h"
#include "l_session.h"
#include "l_text.h"
#include "l_value.h"
#include "model/xform.h"

static struct luaws_str opt_text(lua_State *L, int index) {
  struct luaws_str s = {NULL, 0};
  if (!lua_isnoneornil(L, index)) s = l_check_text(L, index);
  return s;
}

static enum luaws_section_type check_type(lua_State *L, int index) {
  static const char *const names[] = {"service",   "paginators", "waiters",  "resources",
                                      "endpoints", "partitions", "defaults", NULL};
  static const enum luaws_section_type types[] = {
      LUAWS_SECTION_SERVICE,   LUAWS_SECTION_PAGINATORS, LUAWS_SECTION_WAITERS,
      LUAWS_SECTION_RESOURCES, LUAWS_SECTION_ENDPOINTS,  LUAWS_SECTION_PARTITIONS,
      LUAWS_SECTION_DEFAULTS};
  return types[luaL_checkoption(L, index, NULL, names)];
}

/* core.model(client or session, type, service, version or nil, key…) → the value under
 * these keys, nil when there is none */
static int model(lua_State *L) {
  struct luaws_models *models = l_models_check(L, 1);
  enum luaws_section_type type = check_type(L, 2);
  if (type == LUAWS_SECTION_SERVICE)
    return luaL_argerror(L, 2, "services are asked through a client");
  const void *section;
  struct luaws_error err = {0};
  if (luaws_models_find(models, type, opt_text(L, 3), opt_text(L, 4), &section, &err)) {
    bool absent = err.code == LUAWS_E_MODEL && err.kind &&
                  (luaws_str_is(luaws_str_from(err.kind), "UnknownServiceError") ||
                   luaws_str_is(luaws_str_from(err.kind), "DataNotFoundError") ||
                   luaws_str_is(luaws_str_from(err.kind), "UnknownAPIVersionError"));
    if (!absent) return l_error_raise(L, &err);
    luaws_error_clear(&err);
    return 0;
  }
  const struct luaws_node *node = section;
  int top = lua_gettop(L);
  for (int i = 5; node && i <= top; i++) {
    if (lua_isinteger(L, i)) {
      lua_Integer n = lua_tointeger(L, i);
      node = node->type == LUAWS_NODE_LIST && n >= 1 && n <= (lua_Integer)node->count
                 ? luaws_node_at(node, (uint32_t)(n - 1))
                 : NULL;
    } else {
      node =
          node->type == LUAWS_NODE_MAP ? luaws_node_get(node, l_check_text(L, i)) : NULL;
    }
  }
  if (!node) return 0;
  struct l_writer w;
  l_writer_begin(&w, L);
  luaws_node_write(node, &w.base);
  return 1;
}

/* core.model_services(session, type) → names of the services that have it, sorted */
static int model_services(lua_State *L) {
  struct luaws_models *models = l_models_check(L, 1);
  enum luaws_section_type type = check_type(L, 2);
  lua_newtable(L);
  struct luaws_str name = {NULL, 0};
  for (lua_Integer i = 1; (name = luaws_models_next_service(models, type, name)).ptr;
       i++) {
    l_push_text_or_nil(L, name);
    lua_rawseti(L, -2, i);
  }
  return 1;
}

/* core.model_versions(session, type, service) → its versions, oldest first */
static int model_versions(lua_State *L) {
  struct luaws_models *models = l_models_check(L, 1);
  enum luaws_section_type type = check_type(L, 2);
  struct luaws_str service = l_check_text(L, 3), version = {NULL, 0};
  lua_newtable(L);
  for (lua_Integer i = 1;
       (version = luaws_models_next_version(models, type, service, version)).ptr; i++) {
    l_push_text_or_nil(L, version);
    lua_rawseti(L, -2, i);
  }
  return 1;
}

static void set_flag(lua_State *L, const char *field, bool on) {
  if (!on) return;
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, field);
}

static void set_shape(lua_State *L, const char *field, const struct luaws_shape *s) {
  if (s) l_set_text(L, field, luaws_ref_text(&s->name));
}

static int push_operation(lua_State *L, const struct luaws_operation *op) {
  if (!op) return 0;
  lua_createtable(L, 0, 8);
  l_set_text(L, "name", luaws_ref_text(&op->name));
  l_set_text(L, "method_name", luaws_ref_text(&op->method_name));
  l_set_text(L, "http_method", luaws_ref_text(&op->http_method));
  l_set_text(L, "request_uri", luaws_ref_text(&op->request_uri));
  set_shape(L, "input", luaws_ref_get(&op->input));
  set_shape(L, "output", luaws_ref_get(&op->output));
  set_flag(L, "deprecated", op->flags & LUAWS_OP_DEPRECATED);
  set_flag(L, "idempotent", op->flags & LUAWS_OP_IDEMPOTENT);
  set_flag(L, "streams", op->flags & (LUAWS_OP_STREAM_OUT | LUAWS_OP_EVENTS_OUT));
  set_flag(L, "discovery", op->flags & LUAWS_OP_DISCOVERY);
  set_flag(L, "discovery_required", op->flags & LUAWS_OP_DISCOVERY_REQUIRED);
  const luaws_ref *errors = luaws_ref_get(&op->errors);
  lua_createtable(L, op->error_count, 0);
  for (unsigned i = 0; i < op->error_count; i++) {
    const struct luaws_shape *shape = luaws_ref_get(&errors[i]);
    l_push_text_or_nil(L, luaws_ref_text(&shape->name));
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "errors");
  return 1;
}

/* core.operation(client, "DescribeInstances"), core.operation_for_method(client,
 * "describe_instances") */
static int operation(lua_State *L) {
  return push_operation(L, luaws_service_operation(l_client_check(L, 1)->client->service,
                                                   l_check_text(L, 2)));
}
static int operation_for_method(lua_State *L) {
  return push_operation(
      L, luaws_service_method(l_client_check(L, 1)->client->service, l_check_text(L, 2)));
}

/* core.operation_name(client, "describe_instances") → "DescribeInstances", or nil */
static int operation_name(lua_State *L) {
  const struct luaws_operation *op =
      luaws_service_method(l_client_check(L, 1)->client->service, l_check_text(L, 2));
  if (!op) return 0;
  l_push_text_or_nil(L, luaws_ref_text(&op->name));
  return 1;
}

/* core.methods(client) → { method name = operation name }; core.operation_names(client) →
 * sorted names */
static int methods(lua_State *L) {
  const struct luaws_service *s = l_client_check(L, 1)->client->service;
  lua_createtable(L, 0, (int)s->operation_count);
  for (uint32_t i = 0; i < s->operation_count; i++) {
    const struct luaws_operation *op = luaws_service_method_at(s, i);
    l_push_text_or_nil(L, luaws_ref_text(&op->method_name));
    l_push_text_or_nil(L, luaws_ref_text(&op->name));
    lua_rawset(L, -3);
  }
  return 1;
}
static int operation_names(lua_State *L) {
  const struct luaws_service *s = l_client_check(L, 1)->client->service;
  const struct luaws_operation *ops = luaws_ref_get(&s->operations);
  lua_createtable(L, (int)s->operation_count, 0);
  for (uint32_t i = 0; i < s->operation_count; i++) {
    l_push_text_or_nil(L, luaws_ref_text(&ops[i].name));
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static const char *const TYPE_NAMES[] = {
    "structure", "list", "map",   "string", "blob",      "boolean",
    "integer",   "long", "float", "double", "timestamp", "character"};

static void push_structure(lua_State *L, const struct luaws_shape *s) {
  lua_createtable(L, 0, s->member_count); /* members */
  lua_createtable(L, s->member_count, 0); /* member_names */
  lua_newtable(L);                        /* required */
  lua_Integer required = 0;
  for (unsigned i = 0; i < s->member_count; i++) {
    const struct luaws_member *m = luaws_shape_member_at(s, i);
    struct luaws_str name = luaws_ref_text(&m->name);
    l_push_text_or_nil(L, name);
    l_push_text_or_nil(L, luaws_ref_text(&luaws_member_shape(m)->name));
    lua_rawset(L, -5);
    l_push_text_or_nil(L, name);
    lua_rawseti(L, -3, i + 1);
    if (!(m->flags & LUAWS_MEMBER_REQUIRED)) continue;
    l_push_text_or_nil(L, name);
    lua_rawseti(L, -2, ++required);
  }
  lua_setfield(L, -4, "required");
  lua_setfield(L, -3, "member_names");
  lua_setfield(L, -2, "members");
  const struct luaws_member *payload = luaws_shape_payload(s);
  if (payload) l_set_text(L, "payload", luaws_ref_text(&payload->name));
}

/* core.shape(client, name) → { name, type, members, member_names, payload, required,
 * member, key, value, enum, … } */
static int shape(lua_State *L) {
  const struct luaws_shape *s =
      luaws_service_shape(l_client_check(L, 1)->client->service, l_check_text(L, 2));
  if (!s) return 0;
  lua_createtable(L, 0, 6);
  l_set_text(L, "name", luaws_ref_text(&s->name));
  lua_pushstring(L, TYPE_NAMES[s->type]);
  lua_setfield(L, -2, "type");
  set_flag(L, "sensitive", s->flags & LUAWS_SHAPE_SENSITIVE);
  set_flag(L, "union", s->flags & LUAWS_SHAPE_UNION);
  set_flag(L, "document", s->flags & LUAWS_SHAPE_DOCUMENT);
  set_flag(L, "eventstream", s->flags & LUAWS_SHAPE_EVENTSTREAM);
  set_flag(L, "exception", s->flags & LUAWS_SHAPE_EXCEPTION);
  if (s->type == LUAWS_TYPE_STRUCTURE) push_structure(L, s);
  if (s->type == LUAWS_TYPE_LIST)
    set_shape(L, "member", luaws_member_shape(luaws_shape_member_at(s, 0)));
  if (s->type == LUAWS_TYPE_MAP) {
    set_shape(L, "key", luaws_member_shape(luaws_shape_member_at(s, 0)));
    set_shape(L, "value", luaws_member_shape(luaws_shape_member_at(s, 1)));
  }
  const struct luaws_shape_extra *x = luaws_shape_extra(s);
  const char *values = x ? luaws_ref_get(&x->enum_values) : NULL;
  if (values) {
    uint32_t n;
    memcpy(&n, values, sizeof n);
    const luaws_ref *refs = (const luaws_ref *)(const void *)(values + sizeof n);
    lua_createtable(L, (int)n, 0);
    for (uint32_t i = 0; i < n; i++) {
      l_push_text_or_nil(L, luaws_ref_text(&refs[i]));
      lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "enum");
  }
  return 1;
}

/* core.error_codes(client) → { shape name = code on the wire } of every modeled exception
 */
static int error_codes(lua_State *L) {
  const struct luaws_service *s = l_client_check(L, 1)->client->service;
  const struct luaws_error_entry *e = luaws_ref_get(&s->errors);
  lua_createtable(L, 0, (int)s->error_count);
  for (uint32_t i = 0; i < s->error_count; i++) {
    const struct luaws_shape *named = luaws_ref_get(&e[i].shape);
    l_push_text_or_nil(L, luaws_ref_text(&named->name));
    l_push_text_or_nil(L, luaws_ref_text(&e[i].code));
    lua_rawset(L, -3);
  }
  return 1;
}

/* core.xform_name("DescribeInstances") → "describe_instances" */
static int xform_name(lua_State *L) {
  struct luaws_buf b = {0};
  luaws_xform_name(l_check_text(L, 1), '_', &b);
  l_push_text_or_nil(L, luaws_buf_str(&b));
  luaws_buf_clear(&b);
  return 1;
}

static int base64_encode(lua_State *L) {
  struct luaws_buf b = {0};
  luaws_base64_encode(&b, l_check_text(L, 1));
  return l_push_buf(L, &b);
}

/* nil for what is no base64 */
static int base64_decode(lua_State *L) {
  struct luaws_buf b = {0};
  bool ok = luaws_base64_decode(&b, l_check_text(L, 1));
  if (ok) l_push_text_or_nil(L, luaws_buf_str(&b));
  luaws_buf_clear(&b);
  return ok;
}

void l_model_open(lua_State *L) {
  static const luaL_Reg functions[] = {{"model", model},
                                       {"model_services", model_services},
                                       {"model_versions", model_versions},
                                       {"operation", operation},
                                       {"operation_for_method", operation_for_method},
                                       {"operation_name", operation_name},
                                       {"operation_names", operation_names},
                                       {"methods", methods},
                                       {"shape", shape},
                                       {"error_codes", error_codes},
                                       {"xform_name", xform_name},
                                       {"base64_encode", base64_encode},
                                       {"base64_decode", base64_decode},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
