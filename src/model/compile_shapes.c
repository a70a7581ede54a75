/* Shapes and their members. */
#include "model/compile_service.h"

#include <stdlib.h>

static const struct luaws_word type_words[] = {
    {"structure", LUAWS_TYPE_STRUCTURE},
    {"list", LUAWS_TYPE_LIST},
    {"map", LUAWS_TYPE_MAP},
    {"string", LUAWS_TYPE_STRING},
    {"blob", LUAWS_TYPE_BLOB},
    {"boolean", LUAWS_TYPE_BOOLEAN},
    {"integer", LUAWS_TYPE_INTEGER},
    {"long", LUAWS_TYPE_LONG},
    {"float", LUAWS_TYPE_FLOAT},
    {"double", LUAWS_TYPE_DOUBLE},
    {"timestamp", LUAWS_TYPE_TIMESTAMP},
    {"character", LUAWS_TYPE_CHARACTER},
    {"byte", LUAWS_TYPE_INTEGER},
    {"short", LUAWS_TYPE_INTEGER},
    {"bigInteger", LUAWS_TYPE_LONG},
    {"bigDecimal", LUAWS_TYPE_DOUBLE},
    {NULL, 0},
};

static const struct luaws_word timestamp_words[] = {
    {"iso8601", LUAWS_TIMESTAMP_ISO8601},
    {"unixTimestamp", LUAWS_TIMESTAMP_UNIX},
    {"rfc822", LUAWS_TIMESTAMP_RFC822},
    {NULL, 0},
};

static const struct luaws_word location_words[] = {
    {"header", LUAWS_IN_HEADER},           {"headers", LUAWS_IN_HEADERS},
    {"querystring", LUAWS_IN_QUERYSTRING}, {"uri", LUAWS_IN_URI},
    {"statusCode", LUAWS_IN_STATUS_CODE},  {NULL, 0},
};

static const struct luaws_flag_word shape_flags[] = {
    {"union", LUAWS_SHAPE_UNION},
    {"document", LUAWS_SHAPE_DOCUMENT},
    {"eventstream", LUAWS_SHAPE_EVENTSTREAM},
    {"event", LUAWS_SHAPE_EVENT},
    {"exception", LUAWS_SHAPE_EXCEPTION},
    {"flattened", LUAWS_SHAPE_FLATTENED},
    {"streaming", LUAWS_SHAPE_STREAMING},
    {"requiresLength", LUAWS_SHAPE_REQUIRES_LENGTH},
    {"sparse", LUAWS_SHAPE_SPARSE},
    {"fault", LUAWS_SHAPE_FAULT},
    {"sensitive", LUAWS_SHAPE_SENSITIVE},
    {"wrapper", LUAWS_SHAPE_WRAPPER},
    {"synthetic", LUAWS_SHAPE_SYNTHETIC},
    {"deprecated", LUAWS_SHAPE_DEPRECATED},
};

static const struct luaws_flag_word member_flags[] = {
    {"idempotencyToken", LUAWS_MEMBER_IDEMPOTENCY_TOKEN},
    {"streaming", LUAWS_MEMBER_STREAMING},
    {"flattened", LUAWS_MEMBER_FLATTENED},
    {"xmlAttribute", LUAWS_MEMBER_XML_ATTRIBUTE},
    {"jsonvalue", LUAWS_MEMBER_JSONVALUE},
    {"hostLabel", LUAWS_MEMBER_HOST_LABEL},
    {"eventpayload", LUAWS_MEMBER_EVENT_PAYLOAD},
    {"eventheader", LUAWS_MEMBER_EVENT_HEADER},
    {"deprecated", LUAWS_MEMBER_DEPRECATED},
};

/* ---- members ---- */

static const uint16_t member_refs[] = {
    offsetof(struct luaws_member, name), offsetof(struct luaws_member, wire_name),
    offsetof(struct luaws_member, shape), offsetof(struct luaws_member, extra)};

static luaws_ref member_extra(struct luaws_compiler *c, const struct luaws_target *t) {
  static const uint16_t refs[] = {offsetof(struct luaws_member_extra, query_name),
                                  offsetof(struct luaws_member_extra, xml_uri),
                                  offsetof(struct luaws_member_extra, xml_prefix),
                                  offsetof(struct luaws_member_extra, context_param)};
  const struct luaws_tree *ns = luaws_target_trait(t, "xmlNamespace");
  struct luaws_member_extra x = {
      .query_name = luaws_compiler_text(c, luaws_target_text(t, "queryName")),
      .xml_uri = luaws_compiler_text(c, luaws_namespace_uri(ns)),
      .xml_prefix = luaws_compiler_text(c, luaws_tree_text(ns, "prefix")),
      .context_param = luaws_compiler_text(
          c, luaws_tree_text(luaws_target_trait(t, "contextParam"), "name")),
  };
  if (!x.query_name && !x.xml_uri && !x.xml_prefix && !x.context_param) return 0;
  return (luaws_ref)luaws_section_share(c->s, &x, sizeof x, refs, LUAWS_COUNT(refs));
}

/* name is none for a list's item and a map's key and value. */
static struct luaws_member compile_member(struct luaws_compiler *c,
                                          const struct luaws_tree *ref,
                                          struct luaws_str name, struct luaws_str where) {
  struct luaws_member m = {0};
  struct luaws_target t;
  if (!luaws_compiler_resolve(c, ref, where, &t)) return m;
  struct luaws_str location_name = luaws_target_text(&t, "locationName");
  m.name = luaws_compiler_text(c, name);
  m.wire_name = luaws_compiler_text(c, location_name.ptr ? location_name : name);
  m.shape = (luaws_ref)t.place;
  m.extra = member_extra(c, &t);
  m.location = (uint8_t)luaws_word_value(
      location_words, luaws_target_text(&t, "location"), LUAWS_IN_BODY);
  m.timestamp_format = (uint8_t)luaws_word_value(
      timestamp_words, luaws_target_text(&t, "timestampFormat"), LUAWS_TIMESTAMP_DEFAULT);
  if (location_name.ptr) m.flags |= LUAWS_MEMBER_HAS_LOCATION_NAME;
  if (luaws_tree_text(luaws_target_trait(&t, "contextParam"), "name").ptr) {
    m.flags |= LUAWS_MEMBER_ENDPOINT_PARAM;
  }
  for (size_t i = 0; i < LUAWS_COUNT(member_flags); i++) {
    if (luaws_target_flag(&t, member_flags[i].name))
      m.flags |= (uint16_t)member_flags[i].bit;
  }
  return m;
}

static luaws_ref put_members(struct luaws_compiler *c, const struct luaws_member *members,
                             size_t count) {
  enum { SHARED_MEMBERS = 64 };
  if (count == 0) return 0;
  if (count > SHARED_MEMBERS) {
    luaws_place place = luaws_section_alloc(c->s, count * sizeof *members);
    for (size_t i = 0; i < count; i++) {
      luaws_section_write(c->s, place + (luaws_place)(i * sizeof *members), &members[i],
                          sizeof *members, member_refs, LUAWS_COUNT(member_refs));
    }
    return (luaws_ref)place;
  }
  uint16_t refs[SHARED_MEMBERS * LUAWS_COUNT(member_refs)];
  for (size_t i = 0; i < count * LUAWS_COUNT(member_refs); i++) {
    refs[i] = (uint16_t)(i / LUAWS_COUNT(member_refs) * sizeof *members +
                         member_refs[i % LUAWS_COUNT(member_refs)]);
  }
  return (luaws_ref)luaws_section_share(c->s, members, count * sizeof *members, refs,
                                        count * LUAWS_COUNT(member_refs));
}

/* For sorting the members of a structure by one of their names. */
struct sort_name {
  struct luaws_str name;
  uint16_t index;
  bool in_body;
};

/* Of equal names on the wire the one in the body comes first: the others are found by
   their location. */
static int by_length_then_bytes(const void *a, const void *b) {
  const struct sort_name *x = a, *y = b;
  if (x->name.len != y->name.len) return x->name.len < y->name.len ? -1 : 1;
  int order = luaws_str_cmp(x->name, y->name);
  if (order) return order;
  if (x->in_body != y->in_body) return x->in_body ? -1 : 1;
  return (x->index > y->index) - (x->index < y->index);
}

static luaws_ref put_order(struct luaws_compiler *c, struct sort_name *names,
                           size_t count) {
  if (count == 0 || c->rc) return 0;
  uint16_t *order = malloc(count * sizeof *order);
  if (!order) {
    luaws_compiler_no_memory(c);
    return 0;
  }
  qsort(names, count, sizeof *names, by_length_then_bytes);
  for (size_t i = 0; i < count; i++)
    order[i] = names[i].index;
  luaws_ref place =
      (luaws_ref)luaws_section_share(c->s, order, count * sizeof *order, NULL, 0);
  free(order);
  return place;
}

static void compile_structure(struct luaws_compiler *c, const struct luaws_tree *shape,
                              struct luaws_shape *out) {
  const struct luaws_tree *map = luaws_tree_get(shape, "members");
  const struct luaws_tree *required = luaws_tree_get(shape, "required");
  struct luaws_str payload = luaws_tree_text(shape, "payload");
  size_t count = map && map->kind == LUAWS_KIND_MAP ? map->count : 0, i = 0;
  if (count == 0) return;
  if (count > UINT16_MAX) {
    luaws_compiler_broken(c, "InvalidShapeError", "has too many members beside",
                          shape->key, map->first->key);
    return;
  }
  struct luaws_member *members = calloc(count, sizeof *members);
  struct sort_name *names = calloc(count * 2, sizeof *names), *wires = names + count;
  if (!members || !names) {
    luaws_compiler_no_memory(c);
  } else {
    for (const struct luaws_tree *t = map->first; t; t = t->next, i++) {
      struct luaws_member *m = &members[i];
      *m = compile_member(c, t, t->key, shape->key);
      if (c->rc) break;
      if (luaws_tree_lists(required, t->key)) {
        m->flags |= LUAWS_MEMBER_REQUIRED;
        out->flags |= LUAWS_SHAPE_HAS_REQUIRED;
      }
      if (payload.ptr && luaws_str_eq(payload, t->key)) m->flags |= LUAWS_MEMBER_PAYLOAD;
      if (m->location != LUAWS_IN_BODY) out->flags |= LUAWS_SHAPE_HAS_LOCATIONS;
      struct luaws_target target = {.ref = t};
      luaws_compiler_resolve(c, t, shape->key, &target);
      struct luaws_str wire = luaws_target_text(&target, "locationName");
      names[i] = (struct sort_name){t->key, (uint16_t)i, true};
      wires[i] = (struct sort_name){wire.ptr ? wire : t->key, (uint16_t)i,
                                    m->location == LUAWS_IN_BODY};
    }
    out->member_count = (uint16_t)count;
    out->members = put_members(c, members, count);
    out->by_name = put_order(c, names, count);
    out->by_wire_name = put_order(c, wires, count);
  }
  free(members);
  free(names);
}

/* ---- shapes ---- */

static int payload_index(struct luaws_compiler *c, const struct luaws_tree *shape) {
  struct luaws_str payload = luaws_tree_text(shape, "payload");
  if (!payload.ptr) return -1;
  const struct luaws_tree *members = luaws_tree_get(shape, "members");
  int i = 0;
  if (members && members->kind == LUAWS_KIND_MAP) {
    for (const struct luaws_tree *t = members->first; t; t = t->next, i++) {
      if (luaws_str_eq(t->key, payload)) return i;
    }
  }
  luaws_compiler_broken(c, "InvalidShapeError", "has no member for its payload",
                        shape->key, payload);
  return -1;
}

static luaws_ref shape_extra(struct luaws_compiler *c, const struct luaws_tree *shape) {
  static const uint16_t refs[] = {offsetof(struct luaws_shape_extra, error_code),
                                  offsetof(struct luaws_shape_extra, location_name),
                                  offsetof(struct luaws_shape_extra, xml_uri),
                                  offsetof(struct luaws_shape_extra, xml_prefix),
                                  offsetof(struct luaws_shape_extra, enum_values)};
  const struct luaws_tree *ns = luaws_tree_get(shape, "xmlNamespace");
  const struct luaws_tree *error = luaws_tree_get(shape, "error");
  const struct luaws_tree *status = luaws_tree_get(error, "httpStatusCode");
  const struct luaws_tree *min = luaws_tree_get(shape, "min");
  struct luaws_str code = luaws_tree_text(error, "code");
  struct luaws_shape_extra x;
  memset(&x, 0, sizeof x);
  if (min && min->kind == LUAWS_KIND_INTEGER) x.min = (double)min->integer, x.has_min = 1;
  if (min && min->kind == LUAWS_KIND_FLOAT) x.min = min->floating, x.has_min = 1;
  if (status && status->kind == LUAWS_KIND_INTEGER && status->integer > 0 &&
      status->integer < 1000) {
    x.http_status = (uint16_t)status->integer;
  }
  x.payload = payload_index(c, shape);
  if (code.len && luaws_tree_truthy(luaws_tree_get(shape, "exception"))) {
    x.error_code = luaws_compiler_text(c, code);
  }
  x.location_name = luaws_compiler_text_of(c, shape, "locationName");
  x.xml_uri = luaws_compiler_text(c, luaws_namespace_uri(ns));
  x.xml_prefix = luaws_compiler_text_of(c, ns, "prefix");
  x.enum_values = (luaws_ref)luaws_section_texts(c->s, luaws_tree_get(shape, "enum"));
  if (!x.has_min && !x.http_status && x.payload < 0 && !x.error_code &&
      !x.location_name && !x.xml_uri && !x.xml_prefix && !x.enum_values) {
    return 0;
  }
  return (luaws_ref)luaws_section_share(c->s, &x, sizeof x, refs, LUAWS_COUNT(refs));
}

void luaws_compile_shape(struct luaws_compiler *c, size_t index) {
  static const uint16_t refs[] = {
      offsetof(struct luaws_shape, name), offsetof(struct luaws_shape, members),
      offsetof(struct luaws_shape, by_name), offsetof(struct luaws_shape, by_wire_name),
      offsetof(struct luaws_shape, extra)};
  const struct luaws_tree *shape = c->shapes[index];
  struct luaws_str type_name = luaws_tree_text(shape, "type");
  int type = luaws_word_value(type_words, type_name, -1);
  if (type < 0) {
    luaws_compiler_broken(c, "InvalidShapeError", "is a shape of the unknown type",
                          shape->key, type_name);
    return;
  }
  struct luaws_shape out = {0};
  out.name = luaws_compiler_text(c, shape->key);
  out.type = (uint8_t)type;
  out.timestamp_format = (uint8_t)luaws_word_value(
      timestamp_words, luaws_tree_text(shape, "timestampFormat"),
      LUAWS_TIMESTAMP_DEFAULT);
  for (size_t i = 0; i < LUAWS_COUNT(shape_flags); i++) {
    if (luaws_tree_truthy(luaws_tree_get(shape, shape_flags[i].name)))
      out.flags |= shape_flags[i].bit;
  }
  const struct luaws_tree *retryable = luaws_tree_get(shape, "retryable");
  if (retryable) {
    out.flags |= LUAWS_SHAPE_RETRYABLE;
    if (luaws_tree_flag(retryable, "throttling")) out.flags |= LUAWS_SHAPE_THROTTLING;
  }
  if (luaws_tree_flag(luaws_tree_get(shape, "error"), "fault")) {
    out.flags |= LUAWS_SHAPE_FAULT;
  }
  if (type == LUAWS_TYPE_STRUCTURE) {
    compile_structure(c, shape, &out);
  } else if (type == LUAWS_TYPE_LIST) {
    struct luaws_member item =
        compile_member(c, luaws_tree_get(shape, "member"), LUAWS_STR_NONE, shape->key);
    out.member_count = 1;
    out.members = put_members(c, &item, 1);
  } else if (type == LUAWS_TYPE_MAP) {
    struct luaws_member entry[2] = {
        compile_member(c, luaws_tree_get(shape, "key"), LUAWS_STR_NONE, shape->key),
        compile_member(c, luaws_tree_get(shape, "value"), LUAWS_STR_NONE, shape->key)};
    out.member_count = 2;
    out.members = put_members(c, entry, 2);
  }
  if (type == LUAWS_TYPE_STRUCTURE || !luaws_tree_get(shape, "payload")) {
    out.extra = shape_extra(c, shape);
  }
  luaws_section_write(c->s, c->shapes_place + (luaws_place)(index * sizeof out), &out,
                      sizeof out, refs, LUAWS_COUNT(refs));
}
