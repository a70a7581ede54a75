/* service-2.json, with the traits of a reference laid over those of the shape it refers
   to, as botocore lays them: what a member says counts first, then what its shape says.

   The shapes are placed first, all in one array sorted by name, so that a reference is
   known before its target is filled in. Then come their members, then the operations. */
#include "model/compile.h"

#include "model/xform.h"

#include <stdlib.h>

struct compiler {
  struct luaws_section *s;
  const struct luaws_tree *metadata;
  const struct luaws_tree **shapes; /* sorted by name */
  size_t shape_count;
  luaws_place shapes_place;
  const struct luaws_tree **operations; /* sorted by name */
  size_t operation_count;
  luaws_place operations_place;
  struct luaws_str name;
  struct luaws_buf scratch;
  struct luaws_error *err;
  int rc;
};

static void broken(struct compiler *c, const char *kind, const char *what,
                   struct luaws_str where, struct luaws_str name) {
  if (c->rc) return;
  c->rc = luaws_error_set(c->err, LUAWS_E_MODEL, kind, "'%.*s' %s '%.*s'",
                          LUAWS_STR_ARG(where), what, LUAWS_STR_ARG(name));
}

static void no_memory(struct compiler *c) {
  if (!c->rc) c->rc = luaws_error_memory(c->err);
}

static luaws_ref text(struct compiler *c, struct luaws_str s) {
  return (luaws_ref)luaws_section_text(c->s, s);
}

static luaws_ref text_of(struct compiler *c, const struct luaws_tree *t,
                         const char *key) {
  return text(c, luaws_tree_text(t, key));
}

static bool truthy(const struct luaws_tree *t) {
  if (!t) return false;
  switch (t->kind) {
  case LUAWS_KIND_NULL:
    return false;
  case LUAWS_KIND_BOOLEAN:
    return t->boolean;
  case LUAWS_KIND_INTEGER:
    return t->integer != 0;
  case LUAWS_KIND_LIST:
  case LUAWS_KIND_MAP:
    return t->count > 0;
  case LUAWS_KIND_STRING:
    return t->text.len > 0 && !luaws_str_is(t->text, "false");
  default:
    return true;
  }
}

/* ---- sorted children of a map ---- */

static int by_key(const void *a, const void *b) {
  const struct luaws_tree *const *x = a, *const *y = b;
  return luaws_str_cmp((*x)->key, (*y)->key);
}

static const struct luaws_tree **sorted(struct compiler *c, const struct luaws_tree *map,
                                        size_t *count) {
  *count = map && map->kind == LUAWS_KIND_MAP ? map->count : 0;
  const struct luaws_tree **items = malloc((*count + 1) * sizeof *items);
  if (!items) {
    *count = 0;
    no_memory(c);
    return NULL;
  }
  size_t n = 0;
  if (*count) {
    for (const struct luaws_tree *t = map->first; t; t = t->next)
      items[n++] = t;
    qsort(items, n, sizeof *items, by_key);
  }
  return items;
}

static const struct luaws_tree *const *find_sorted(const struct luaws_tree *const *items,
                                                   size_t count, struct luaws_str key) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t mid = low + (high - low) / 2;
    int order = luaws_str_cmp(items[mid]->key, key);
    if (order == 0) return &items[mid];
    if (order < 0) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return NULL;
}

/* ---- references ---- */

/* What a {"shape": …} refers to, with its place. */
struct target {
  const struct luaws_tree *ref;
  const struct luaws_tree *shape;
  luaws_place place;
};

static bool resolve(struct compiler *c, const struct luaws_tree *ref,
                    struct luaws_str where, struct target *out) {
  *out = (struct target){.ref = ref};
  if (c->rc) return false;
  struct luaws_str name = luaws_tree_text(ref, "shape");
  if (!name.ptr) {
    broken(c, "InvalidShapeReferenceError", "has no shape for", where,
           ref ? ref->key : LUAWS_STR_NONE);
    return false;
  }
  const struct luaws_tree *const *found = find_sorted(c->shapes, c->shape_count, name);
  if (!found) {
    broken(c, "NoShapeFoundError", "refers to the missing shape", where, name);
    return false;
  }
  out->shape = *found;
  out->place =
      c->shapes_place +
      (luaws_place)((size_t)(found - (const struct luaws_tree *const *)c->shapes) *
                    sizeof(struct luaws_shape));
  return true;
}

/* A trait of the reference, else of the shape. */
static const struct luaws_tree *trait(const struct target *t, const char *key) {
  const struct luaws_tree *own = luaws_tree_get(t->ref, key);
  return own ? own : luaws_tree_get(t->shape, key);
}

static bool flag(const struct target *t, const char *key) {
  return truthy(trait(t, key));
}

static struct luaws_str trait_text(const struct target *t, const char *key) {
  const struct luaws_tree *value = trait(t, key);
  return value && value->kind == LUAWS_KIND_STRING ? value->text : LUAWS_STR_NONE;
}

/* xmlNamespace is a URI, or a map of uri and prefix. */
static struct luaws_str namespace_uri(const struct luaws_tree *ns) {
  return ns && ns->kind == LUAWS_KIND_STRING ? ns->text : luaws_tree_text(ns, "uri");
}

/* ---- words to numbers ---- */

struct word {
  const char *name;
  int value;
};

static int value_of(const struct word *words, struct luaws_str name, int missing) {
  for (; words->name; words++) {
    if (luaws_str_is(name, words->name)) return words->value;
  }
  return missing;
}

static const struct word type_words[] = {
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

static const struct word timestamp_words[] = {
    {"iso8601", LUAWS_TIMESTAMP_ISO8601},
    {"unixTimestamp", LUAWS_TIMESTAMP_UNIX},
    {"rfc822", LUAWS_TIMESTAMP_RFC822},
    {NULL, 0},
};

static const struct word location_words[] = {
    {"header", LUAWS_IN_HEADER},           {"headers", LUAWS_IN_HEADERS},
    {"querystring", LUAWS_IN_QUERYSTRING}, {"uri", LUAWS_IN_URI},
    {"statusCode", LUAWS_IN_STATUS_CODE},  {NULL, 0},
};

static const struct word protocol_words[] = {
    {"json", LUAWS_PROTOCOL_JSON},
    {"rest-json", LUAWS_PROTOCOL_REST_JSON},
    {"rest-xml", LUAWS_PROTOCOL_REST_XML},
    {"smithy-rpc-v2-cbor", LUAWS_PROTOCOL_CBOR},
    {"query", LUAWS_PROTOCOL_QUERY},
    {"ec2", LUAWS_PROTOCOL_EC2},
    {NULL, 0},
};

struct flag_word {
  const char *name;
  uint32_t bit;
};

static const struct flag_word shape_flags[] = {
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

static const struct flag_word member_flags[] = {
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

static const struct flag_word operation_flags[] = {
    {"unsignedPayload", LUAWS_OP_UNSIGNED_PAYLOAD},
    {"httpChecksumRequired", LUAWS_OP_CHECKSUM_REQUIRED},
    {"deprecated", LUAWS_OP_DEPRECATED},
    {"idempotent", LUAWS_OP_IDEMPOTENT},
    {"readonly", LUAWS_OP_READONLY},
    {"endpointoperation", LUAWS_OP_DISCOVERY_SOURCE},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- members ---- */

static const uint16_t member_refs[] = {
    offsetof(struct luaws_member, name), offsetof(struct luaws_member, wire_name),
    offsetof(struct luaws_member, shape), offsetof(struct luaws_member, extra)};

static luaws_ref member_extra(struct compiler *c, const struct target *t) {
  static const uint16_t refs[] = {offsetof(struct luaws_member_extra, query_name),
                                  offsetof(struct luaws_member_extra, xml_uri),
                                  offsetof(struct luaws_member_extra, xml_prefix),
                                  offsetof(struct luaws_member_extra, context_param)};
  const struct luaws_tree *ns = trait(t, "xmlNamespace");
  struct luaws_member_extra x = {
      .query_name = text(c, trait_text(t, "queryName")),
      .xml_uri = text(c, namespace_uri(ns)),
      .xml_prefix = text(c, luaws_tree_text(ns, "prefix")),
      .context_param = text(c, luaws_tree_text(trait(t, "contextParam"), "name")),
  };
  if (!x.query_name && !x.xml_uri && !x.xml_prefix && !x.context_param) return 0;
  return (luaws_ref)luaws_section_share(c->s, &x, sizeof x, refs, COUNT(refs));
}

/* name is none for a list's item and a map's key and value. */
static struct luaws_member compile_member(struct compiler *c,
                                          const struct luaws_tree *ref,
                                          struct luaws_str name, struct luaws_str where) {
  struct luaws_member m = {0};
  struct target t;
  if (!resolve(c, ref, where, &t)) return m;
  struct luaws_str location_name = trait_text(&t, "locationName");
  m.name = text(c, name);
  m.wire_name = text(c, location_name.ptr ? location_name : name);
  m.shape = (luaws_ref)t.place;
  m.extra = member_extra(c, &t);
  m.location =
      (uint8_t)value_of(location_words, trait_text(&t, "location"), LUAWS_IN_BODY);
  m.timestamp_format = (uint8_t)value_of(
      timestamp_words, trait_text(&t, "timestampFormat"), LUAWS_TIMESTAMP_DEFAULT);
  if (location_name.ptr) m.flags |= LUAWS_MEMBER_HAS_LOCATION_NAME;
  if (luaws_tree_text(trait(&t, "contextParam"), "name").ptr) {
    m.flags |= LUAWS_MEMBER_ENDPOINT_PARAM;
  }
  for (size_t i = 0; i < COUNT(member_flags); i++) {
    if (flag(&t, member_flags[i].name)) m.flags |= (uint16_t)member_flags[i].bit;
  }
  return m;
}

static luaws_ref put_members(struct compiler *c, const struct luaws_member *members,
                             size_t count) {
  enum { SHARED_MEMBERS = 64 };
  if (count == 0) return 0;
  if (count > SHARED_MEMBERS) {
    luaws_place place = luaws_section_alloc(c->s, count * sizeof *members);
    for (size_t i = 0; i < count; i++) {
      luaws_section_write(c->s, place + (luaws_place)(i * sizeof *members), &members[i],
                          sizeof *members, member_refs, COUNT(member_refs));
    }
    return (luaws_ref)place;
  }
  uint16_t refs[SHARED_MEMBERS * COUNT(member_refs)];
  for (size_t i = 0; i < count * COUNT(member_refs); i++) {
    refs[i] = (uint16_t)(i / COUNT(member_refs) * sizeof *members +
                         member_refs[i % COUNT(member_refs)]);
  }
  return (luaws_ref)luaws_section_share(c->s, members, count * sizeof *members, refs,
                                        count * COUNT(member_refs));
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

static luaws_ref put_order(struct compiler *c, struct sort_name *names, size_t count) {
  if (count == 0 || c->rc) return 0;
  uint16_t *order = malloc(count * sizeof *order);
  if (!order) {
    no_memory(c);
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

static bool lists_text(const struct luaws_tree *list, struct luaws_str wanted) {
  if (!list || list->kind != LUAWS_KIND_LIST) return false;
  for (const struct luaws_tree *t = list->first; t; t = t->next) {
    if (t->kind == LUAWS_KIND_STRING && luaws_str_eq(t->text, wanted)) return true;
  }
  return false;
}

static void compile_structure(struct compiler *c, const struct luaws_tree *shape,
                              struct luaws_shape *out) {
  const struct luaws_tree *map = luaws_tree_get(shape, "members");
  const struct luaws_tree *required = luaws_tree_get(shape, "required");
  struct luaws_str payload = luaws_tree_text(shape, "payload");
  size_t count = map && map->kind == LUAWS_KIND_MAP ? map->count : 0, i = 0;
  if (count == 0) return;
  if (count > UINT16_MAX) {
    broken(c, "InvalidShapeError", "has too many members beside", shape->key,
           map->first->key);
    return;
  }
  struct luaws_member *members = calloc(count, sizeof *members);
  struct sort_name *names = calloc(count * 2, sizeof *names), *wires = names + count;
  if (!members || !names) {
    no_memory(c);
  } else {
    for (const struct luaws_tree *t = map->first; t; t = t->next, i++) {
      struct luaws_member *m = &members[i];
      *m = compile_member(c, t, t->key, shape->key);
      if (c->rc) break;
      if (lists_text(required, t->key)) {
        m->flags |= LUAWS_MEMBER_REQUIRED;
        out->flags |= LUAWS_SHAPE_HAS_REQUIRED;
      }
      if (payload.ptr && luaws_str_eq(payload, t->key)) m->flags |= LUAWS_MEMBER_PAYLOAD;
      if (m->location != LUAWS_IN_BODY) out->flags |= LUAWS_SHAPE_HAS_LOCATIONS;
      struct target target = {.ref = t};
      resolve(c, t, shape->key, &target);
      struct luaws_str wire = trait_text(&target, "locationName");
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

static int payload_index(struct compiler *c, const struct luaws_tree *shape) {
  struct luaws_str payload = luaws_tree_text(shape, "payload");
  if (!payload.ptr) return -1;
  const struct luaws_tree *members = luaws_tree_get(shape, "members");
  int i = 0;
  if (members && members->kind == LUAWS_KIND_MAP) {
    for (const struct luaws_tree *t = members->first; t; t = t->next, i++) {
      if (luaws_str_eq(t->key, payload)) return i;
    }
  }
  broken(c, "InvalidShapeError", "has no member for its payload", shape->key, payload);
  return -1;
}

static luaws_ref shape_extra(struct compiler *c, const struct luaws_tree *shape) {
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
  if (code.len && truthy(luaws_tree_get(shape, "exception"))) {
    x.error_code = text(c, code);
  }
  x.location_name = text_of(c, shape, "locationName");
  x.xml_uri = text(c, namespace_uri(ns));
  x.xml_prefix = text_of(c, ns, "prefix");
  x.enum_values = (luaws_ref)luaws_section_texts(c->s, luaws_tree_get(shape, "enum"));
  if (!x.has_min && !x.http_status && x.payload < 0 && !x.error_code &&
      !x.location_name && !x.xml_uri && !x.xml_prefix && !x.enum_values) {
    return 0;
  }
  return (luaws_ref)luaws_section_share(c->s, &x, sizeof x, refs, COUNT(refs));
}

static void compile_shape(struct compiler *c, size_t index) {
  static const uint16_t refs[] = {
      offsetof(struct luaws_shape, name), offsetof(struct luaws_shape, members),
      offsetof(struct luaws_shape, by_name), offsetof(struct luaws_shape, by_wire_name),
      offsetof(struct luaws_shape, extra)};
  const struct luaws_tree *shape = c->shapes[index];
  struct luaws_str type_name = luaws_tree_text(shape, "type");
  int type = value_of(type_words, type_name, -1);
  if (type < 0) {
    broken(c, "InvalidShapeError", "is a shape of the unknown type", shape->key,
           type_name);
    return;
  }
  struct luaws_shape out = {0};
  out.name = text(c, shape->key);
  out.type = (uint8_t)type;
  out.timestamp_format =
      (uint8_t)value_of(timestamp_words, luaws_tree_text(shape, "timestampFormat"),
                        LUAWS_TIMESTAMP_DEFAULT);
  for (size_t i = 0; i < COUNT(shape_flags); i++) {
    if (truthy(luaws_tree_get(shape, shape_flags[i].name)))
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
                      sizeof out, refs, COUNT(refs));
}

/* ---- the parts of a URI ---- */

/* The index of the input's member that a label means: by its name on the wire in a URI,
   by its own name in a host prefix. -1 when there is none. */
static int label_member(struct compiler *c, const struct target *input,
                        struct luaws_str label, bool in_uri) {
  const struct luaws_tree *members = luaws_tree_get(input->shape, "members");
  if (!members || members->kind != LUAWS_KIND_MAP) return -1;
  int i = 0;
  for (const struct luaws_tree *m = members->first; m; m = m->next, i++) {
    struct target t;
    if (!resolve(c, m, input->shape->key, &t)) return -1;
    struct luaws_str name = m->key;
    if (in_uri) {
      if (!luaws_str_is(trait_text(&t, "location"), "uri")) continue;
      struct luaws_str wire = trait_text(&t, "locationName");
      if (wire.ptr) name = wire;
    }
    if (luaws_str_eq(name, label)) return i;
  }
  return -1;
}

static luaws_ref uri_parts(struct compiler *c, const struct luaws_tree *operation,
                           const struct target *input, struct luaws_str uri, bool in_uri,
                           uint8_t *count) {
  enum { MAX_PARTS = 64 };
  static const uint16_t literal_ref = offsetof(struct luaws_uri_part, literal);
  struct luaws_uri_part parts[MAX_PARTS];
  uint16_t refs[MAX_PARTS];
  size_t n = 0;
  memset(parts, 0, sizeof parts);
  while (uri.len && n < MAX_PARTS && !c->rc) {
    struct luaws_uri_part *part = &parts[n];
    refs[n] = (uint16_t)(n * sizeof *part + literal_ref);
    n++;
    ptrdiff_t open = luaws_str_find(uri, '{'), close = -1;
    if (open == 0) close = luaws_str_find(uri, '}');
    if (close > 0) {
      struct luaws_str label = luaws_str_sub(uri, 1, (size_t)close - 1);
      uri = luaws_str_sub(uri, (size_t)close + 1, uri.len);
      part->greedy = luaws_str_ends(label, LUAWS_STR("+"));
      if (part->greedy) label.len--;
      int member = label_member(c, input, label, in_uri);
      if (member < 0) {
        broken(c, "InvalidShapeError", "has no input member for the label",
               operation->key, label);
      }
      part->member = (int16_t)member;
      continue;
    }
    /* An opening brace that nothing closes is text like any other. */
    size_t len = open > 0 ? (size_t)open : uri.len;
    part->literal = text(c, luaws_str_sub(uri, 0, len));
    part->member = -1;
    uri = luaws_str_sub(uri, len, uri.len);
  }
  if (uri.len) {
    broken(c, "InvalidShapeError", "has too many labels in", operation->key, uri);
  }
  if (c->rc || n == 0) return 0;
  *count = (uint8_t)n;
  return (luaws_ref)luaws_section_share(c->s, parts, n * sizeof *parts, refs, n);
}

/* ---- operations ---- */

/* name -> node. For the operation's own parameters the JMESPath is the value. */
static luaws_ref params(struct compiler *c, const struct luaws_tree *map,
                        const char *value_key, uint32_t *count) {
  static const uint16_t refs[] = {offsetof(struct luaws_static_param, name),
                                  offsetof(struct luaws_static_param, value)};
  if (!map || map->kind != LUAWS_KIND_MAP || map->count == 0) return 0;
  if (map->count > UINT16_MAX) {
    broken(c, "InvalidShapeError", "has too many parameters beside", map->key,
           map->first->key);
    return 0;
  }
  size_t i = 0, size = sizeof(struct luaws_static_param);
  struct luaws_static_param *list = calloc(map->count, size);
  if (!list) {
    no_memory(c);
    return 0;
  }
  for (const struct luaws_tree *t = map->first; t; t = t->next, i++) {
    const struct luaws_tree *value = luaws_tree_get(t, value_key);
    list[i].name = text(c, t->key);
    if (value) list[i].value = (luaws_ref)luaws_section_node(c->s, value);
  }
  luaws_place place = luaws_section_alloc(c->s, map->count * size);
  for (i = 0; i < map->count; i++) {
    luaws_section_write(c->s, place + (luaws_place)(i * size), &list[i], size, refs,
                        COUNT(refs));
  }
  free(list);
  *count = (uint32_t)map->count;
  return (luaws_ref)place;
}

static bool all_bytes_zero(const void *p, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (((const char *)p)[i]) return false;
  }
  return true;
}

static luaws_ref operation_extra(struct compiler *c, const struct luaws_tree *op,
                                 const struct target *in, const struct target *out,
                                 uint8_t *host_prefix_count) {
  static const uint16_t refs[] = {
      offsetof(struct luaws_operation_extra, result_wrapper),
      offsetof(struct luaws_operation_extra, input_location_name),
      offsetof(struct luaws_operation_extra, input_xml_uri),
      offsetof(struct luaws_operation_extra, input_xml_prefix),
      offsetof(struct luaws_operation_extra, output_location_name),
      offsetof(struct luaws_operation_extra, host_prefix),
      offsetof(struct luaws_operation_extra, static_params),
      offsetof(struct luaws_operation_extra, operation_params),
      offsetof(struct luaws_operation_extra, auth),
      offsetof(struct luaws_operation_extra, checksum_algorithm_member),
      offsetof(struct luaws_operation_extra, checksum_validation_member),
      offsetof(struct luaws_operation_extra, checksum_response_algorithms)};
  const struct luaws_tree *ns = trait(in, "xmlNamespace");
  const struct luaws_tree *checksum = luaws_tree_get(op, "httpChecksum");
  uint32_t statics = 0, paths = 0;
  struct luaws_operation_extra x;
  memset(&x, 0, sizeof x);
  x.result_wrapper = text(c, trait_text(out, "resultWrapper"));
  x.input_location_name = text(c, trait_text(in, "locationName"));
  x.input_xml_uri = text(c, namespace_uri(ns));
  x.input_xml_prefix = text_of(c, ns, "prefix");
  x.output_location_name = text(c, trait_text(out, "locationName"));
  x.host_prefix =
      uri_parts(c, op, in, luaws_tree_text(luaws_tree_get(op, "endpoint"), "hostPrefix"),
                false, host_prefix_count);
  x.static_params =
      params(c, luaws_tree_get(op, "staticContextParams"), "value", &statics);
  x.operation_params =
      params(c, luaws_tree_get(op, "operationContextParams"), "path", &paths);
  x.static_param_count = (uint16_t)statics;
  x.operation_param_count = (uint16_t)paths;
  x.auth = (luaws_ref)luaws_section_texts(c->s, luaws_tree_get(op, "auth"));
  x.checksum_algorithm_member = text_of(c, checksum, "requestAlgorithmMember");
  x.checksum_validation_member = text_of(c, checksum, "requestValidationModeMember");
  x.checksum_response_algorithms = (luaws_ref)luaws_section_texts(
      c->s, luaws_tree_get(checksum, "responseAlgorithms"));
  x.checksum_request_required =
      truthy(luaws_tree_get(checksum, "requestChecksumRequired"));
  if (all_bytes_zero(&x, sizeof x)) return 0;
  return (luaws_ref)luaws_section_share(c->s, &x, sizeof x, refs, COUNT(refs));
}

static bool has_event_stream(struct compiler *c, const struct target *t) {
  const struct luaws_tree *members = luaws_tree_get(t->shape, "members");
  if (!members || members->kind != LUAWS_KIND_MAP) return false;
  for (const struct luaws_tree *m = members->first; m; m = m->next) {
    struct target member;
    if (resolve(c, m, t->shape->key, &member) && flag(&member, "eventstream"))
      return true;
  }
  return false;
}

static bool has_idempotency_token(struct compiler *c, const struct target *t) {
  const struct luaws_tree *members = luaws_tree_get(t->shape, "members");
  if (!members || members->kind != LUAWS_KIND_MAP) return false;
  for (const struct luaws_tree *m = members->first; m; m = m->next) {
    struct target member;
    if (resolve(c, m, t->shape->key, &member) && flag(&member, "idempotencyToken")) {
      return true;
    }
  }
  return false;
}

static bool has_stream(struct compiler *c, const struct target *t) {
  struct luaws_str payload = trait_text(t, "payload");
  const struct luaws_tree *members = luaws_tree_get(t->shape, "members");
  if (!payload.ptr || !members || members->kind != LUAWS_KIND_MAP) return false;
  for (const struct luaws_tree *m = members->first; m; m = m->next) {
    struct target member;
    if (luaws_str_eq(m->key, payload) && resolve(c, m, t->shape->key, &member)) {
      return luaws_str_is(luaws_tree_text(member.shape, "type"), "blob");
    }
  }
  return false;
}

static uint16_t flags_of(struct compiler *c, const struct luaws_tree *op,
                         const struct target *in, const struct target *out) {
  uint32_t flags = 0;
  for (size_t i = 0; i < COUNT(operation_flags); i++) {
    if (truthy(luaws_tree_get(op, operation_flags[i].name)))
      flags |= operation_flags[i].bit;
  }
  const struct luaws_tree *auth = luaws_tree_get(op, "auth");
  struct luaws_str auth_type = luaws_tree_text(op, "authtype");
  bool only_no_auth = auth && auth->kind == LUAWS_KIND_LIST && auth->count == 1 &&
                      auth->first->kind == LUAWS_KIND_STRING &&
                      luaws_str_is(auth->first->text, "smithy.api#noAuth");
  if (only_no_auth || (!truthy(auth) && luaws_str_is(auth_type, "none"))) {
    flags |= LUAWS_OP_AUTH_NONE;
  }
  if (luaws_str_is(auth_type, "v4-unsigned-body")) flags |= LUAWS_OP_UNSIGNED_PAYLOAD;
  const struct luaws_tree *discovery = luaws_tree_get(op, "endpointdiscovery");
  if (discovery && discovery->kind != LUAWS_KIND_NULL) flags |= LUAWS_OP_DISCOVERY;
  if (truthy(luaws_tree_get(discovery, "required"))) flags |= LUAWS_OP_DISCOVERY_REQUIRED;
  const struct luaws_tree *compression = luaws_tree_get(op, "requestcompression");
  if (lists_text(luaws_tree_get(compression, "encodings"), LUAWS_STR("gzip"))) {
    flags |= LUAWS_OP_COMPRESS_GZIP;
  }
  if (has_event_stream(c, in)) flags |= LUAWS_OP_EVENTS_IN;
  if (has_event_stream(c, out)) flags |= LUAWS_OP_EVENTS_OUT;
  if (has_stream(c, in)) flags |= LUAWS_OP_STREAM_IN;
  if (has_stream(c, out)) flags |= LUAWS_OP_STREAM_OUT;
  if (has_idempotency_token(c, in)) flags |= LUAWS_OP_HAS_IDEMPOTENCY_TOKEN;
  return (uint16_t)flags;
}

static luaws_ref operation_errors(struct compiler *c, const struct luaws_tree *op,
                                  uint16_t *count) {
  const struct luaws_tree *list = luaws_tree_get(op, "errors");
  if (!list || list->kind != LUAWS_KIND_LIST || list->count == 0) return 0;
  if (list->count > UINT16_MAX) {
    broken(c, "InvalidShapeError", "has too many", op->key, list->key);
    return 0;
  }
  luaws_place *places = calloc(list->count, sizeof *places);
  if (!places) {
    no_memory(c);
    return 0;
  }
  size_t n = 0;
  for (const struct luaws_tree *t = list->first; t; t = t->next) {
    struct target target;
    if (resolve(c, t, op->key, &target)) places[n++] = target.place;
  }
  luaws_ref made = (luaws_ref)luaws_section_refs(c->s, places, n, false);
  free(places);
  *count = (uint16_t)n;
  return made;
}

/* Takes a leading "/{Bucket}" off where that member feeds an endpoint parameter. */
static bool strip_bucket(struct compiler *c, const struct target *in,
                         struct luaws_str *path) {
  const struct luaws_str label = LUAWS_STR("/{Bucket}");
  if (!luaws_str_starts(*path, label)) return false;
  const struct luaws_tree *members = luaws_tree_get(in->shape, "members");
  const struct luaws_tree *bucket = luaws_tree_get(members, "Bucket");
  struct target t;
  if (!bucket || !resolve(c, bucket, in->shape->key, &t)) return false;
  if (!luaws_str_is(luaws_tree_text(trait(&t, "contextParam"), "name"), "Bucket")) {
    return false;
  }
  *path = luaws_str_sub(*path, label.len, path->len);
  if (path->len == 0) *path = LUAWS_STR("/");
  return true;
}

static void compile_operation(struct compiler *c, size_t index) {
  static const uint16_t refs[] = {offsetof(struct luaws_operation, name),
                                  offsetof(struct luaws_operation, wire_name),
                                  offsetof(struct luaws_operation, method_name),
                                  offsetof(struct luaws_operation, http_method),
                                  offsetof(struct luaws_operation, path),
                                  offsetof(struct luaws_operation, query),
                                  offsetof(struct luaws_operation, input),
                                  offsetof(struct luaws_operation, output),
                                  offsetof(struct luaws_operation, errors),
                                  offsetof(struct luaws_operation, request_uri),
                                  offsetof(struct luaws_operation, extra)};
  const struct luaws_tree *op = c->operations[index];
  const struct luaws_tree *http = luaws_tree_get(op, "http");
  const struct luaws_tree *input = luaws_tree_get(op, "input");
  const struct luaws_tree *output = luaws_tree_get(op, "output");
  const struct luaws_tree *status = luaws_tree_get(http, "responseCode");
  struct target in = {0}, out = {0};
  if (input) resolve(c, input, op->key, &in);
  if (output) resolve(c, output, op->key, &out);
  if (c->rc) return;

  struct luaws_operation o = {0};
  struct luaws_str wire_name = luaws_tree_text(op, "name");
  struct luaws_str method = luaws_tree_text(http, "method");
  luaws_buf_reset(&c->scratch);
  luaws_xform_name(op->key, '_', &c->scratch);
  if (c->scratch.failed) return no_memory(c);
  o.name = text(c, op->key);
  o.wire_name = text(c, wire_name.ptr ? wire_name : op->key);
  o.method_name = text(c, luaws_buf_str(&c->scratch));
  o.http_method = text(c, method.ptr ? method : LUAWS_STR("POST"));
  o.input = (luaws_ref)in.place;
  o.output = (luaws_ref)out.place;
  o.errors = operation_errors(c, op, &o.error_count);
  o.flags = flags_of(c, op, &in, &out);
  if (status && status->kind == LUAWS_KIND_INTEGER && status->integer > 0 &&
      status->integer < 1000) {
    o.http_status = (uint16_t)status->integer;
  }

  struct luaws_str uri = luaws_tree_text(http, "requestUri");
  if (!uri.ptr) uri = LUAWS_STR("/");
  o.request_uri = text(c, uri);
  ptrdiff_t question = luaws_str_find(uri, '?');
  struct luaws_str path = question < 0 ? uri : luaws_str_sub(uri, 0, (size_t)question);
  if (question >= 0 && (size_t)question + 1 < uri.len) {
    o.query = text(c, luaws_str_sub(uri, (size_t)question + 1, uri.len));
  }
  if (strip_bucket(c, &in, &path)) o.flags |= LUAWS_OP_LABEL_IN_ENDPOINT;
  o.path = uri_parts(c, op, &in, path, true, &o.path_count);
  o.extra = operation_extra(c, op, &in, &out, &o.host_prefix_count);
  luaws_section_write(c->s, c->operations_place + (luaws_place)(index * sizeof o), &o,
                      sizeof o, refs, COUNT(refs));
}

static int by_bytes(const void *a, const void *b) {
  const struct sort_name *x = a, *y = b;
  int order = luaws_str_cmp(x->name, y->name);
  return order ? order : (x->index > y->index) - (x->index < y->index);
}

static luaws_ref operations_by_method(struct compiler *c) {
  struct sort_name *names = calloc(c->operation_count + 1, sizeof *names);
  uint16_t *order = calloc(c->operation_count + 1, sizeof *order);
  struct luaws_buf all = {0};
  luaws_ref made = 0;
  luaws_buf_append_cstr(&all, "");
  if (names && order) {
    size_t n = c->operation_count;
    for (size_t i = 0; i < n; i++) {
      size_t from = all.len;
      luaws_xform_name(c->operations[i]->key, '_', &all);
      names[i] = (struct sort_name){{NULL, all.len - from}, (uint16_t)i, true};
    }
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
      names[i].name.ptr = all.ptr + at;
      at += names[i].name.len;
    }
    if (all.failed) {
      no_memory(c);
    } else if (n) {
      qsort(names, n, sizeof *names, by_bytes);
      for (size_t i = 0; i < n; i++)
        order[i] = names[i].index;
      made = (luaws_ref)luaws_section_share(c->s, order, n * sizeof *order, NULL, 0);
    }
  } else {
    no_memory(c);
  }
  free(names);
  free(order);
  luaws_buf_clear(&all);
  return made;
}

/* ---- the service ---- */

struct error_code {
  struct luaws_str code;
  luaws_place place;
  size_t order; /* in the model: of two with one code the later counts */
};

static int by_code(const void *a, const void *b) {
  const struct error_code *x = a, *y = b;
  int order = luaws_str_cmp(x->code, y->code);
  return order ? order : (x->order < y->order) - (x->order > y->order);
}

static luaws_ref compile_errors(struct compiler *c, const struct luaws_tree *shapes,
                                uint32_t *count) {
  static const uint16_t refs[] = {offsetof(struct luaws_error_entry, code),
                                  offsetof(struct luaws_error_entry, shape)};
  size_t size = sizeof(struct luaws_error_entry), n = 0, kept = 0, order = 0;
  if (c->shape_count == 0) return 0;
  struct error_code *codes = calloc(c->shape_count, sizeof *codes);
  if (!codes) {
    no_memory(c);
    return 0;
  }
  for (const struct luaws_tree *t = shapes->first; t; t = t->next, order++) {
    if (!truthy(luaws_tree_get(t, "exception"))) continue;
    struct luaws_str code = luaws_tree_text(luaws_tree_get(t, "error"), "code");
    size_t index = (size_t)(find_sorted(c->shapes, c->shape_count, t->key) -
                            (const struct luaws_tree *const *)c->shapes);
    codes[n++] = (struct error_code){
        code.len ? code : t->key,
        c->shapes_place + (luaws_place)(index * sizeof(struct luaws_shape)), order};
  }
  qsort(codes, n, sizeof *codes, by_code);
  for (size_t i = 0; i < n; i++) {
    if (kept && luaws_str_eq(codes[kept - 1].code, codes[i].code)) continue;
    codes[kept++] = codes[i];
  }
  luaws_place place = kept ? luaws_section_alloc(c->s, kept * size) : 0;
  for (size_t i = 0; i < kept; i++) {
    struct luaws_error_entry entry = {text(c, codes[i].code), (luaws_ref)codes[i].place};
    luaws_section_write(c->s, place + (luaws_place)(i * size), &entry, size, refs,
                        COUNT(refs));
  }
  free(codes);
  *count = (uint32_t)kept;
  return (luaws_ref)place;
}

static uint8_t chosen_protocol(const struct luaws_tree *metadata) {
  const struct luaws_tree *listed = luaws_tree_get(metadata, "protocols");
  if (!truthy(listed)) {
    return (uint8_t)value_of(protocol_words, luaws_tree_text(metadata, "protocol"),
                             LUAWS_PROTOCOL_UNKNOWN);
  }
  for (const struct word *w = protocol_words; w->name; w++) {
    if (lists_text(listed, luaws_str_from(w->name))) return (uint8_t)w->value;
  }
  return LUAWS_PROTOCOL_UNKNOWN;
}

static bool is_word_char(char ch) {
  return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
         (ch >= '0' && ch <= '9') || ch == '_' || (unsigned char)ch >= 0x80;
}

/* Appends s without any occurrence of word. */
static void append_without(struct luaws_buf *b, struct luaws_str s, const char *word) {
  struct luaws_str w = luaws_str_from(word);
  ptrdiff_t at;
  while ((at = luaws_str_find_str(s, w)) >= 0) {
    luaws_buf_append(b, s.ptr, (size_t)at);
    s = luaws_str_sub(s, (size_t)at + w.len, s.len);
  }
  luaws_buf_append_str(b, s);
}

static luaws_ref class_name(struct compiler *c) {
  struct luaws_str name = luaws_tree_text(c->metadata, "serviceAbbreviation");
  if (!name.ptr) name = luaws_tree_text(c->metadata, "serviceFullName");
  if (!name.ptr) name = c->name;
  struct luaws_buf once = {0}, twice = {0};
  append_without(&once, name, "Amazon");
  append_without(&twice, luaws_buf_str(&once), "AWS");
  luaws_buf_reset(&c->scratch);
  luaws_buf_append_cstr(&c->scratch, "");
  for (size_t i = 0; i < twice.len; i++) {
    if (is_word_char(twice.ptr[i])) luaws_buf_append_char(&c->scratch, twice.ptr[i]);
  }
  if (once.failed || twice.failed || c->scratch.failed) no_memory(c);
  luaws_buf_clear(&once);
  luaws_buf_clear(&twice);
  return text(c, luaws_buf_str(&c->scratch));
}

static luaws_ref hyphen_id(struct compiler *c, struct luaws_str id) {
  luaws_buf_reset(&c->scratch);
  luaws_buf_append_cstr(&c->scratch, "");
  for (size_t i = 0; i < id.len; i++) {
    char ch = id.ptr[i];
    if (ch >= 'A' && ch <= 'Z') ch = (char)(ch + 32);
    luaws_buf_append_char(&c->scratch, ch == ' ' ? '-' : ch);
  }
  if (c->scratch.failed) no_memory(c);
  return text(c, luaws_buf_str(&c->scratch));
}

static void compile_metadata(struct compiler *c, struct luaws_service *out) {
  const struct luaws_tree *m = c->metadata;
  struct luaws_str id = luaws_tree_text(m, "serviceId");
  struct luaws_str signing_name = luaws_tree_text(m, "signingName");
  if (!id.ptr) id = c->name;
  out->name = text(c, c->name);
  out->api_version = text_of(c, m, "apiVersion");
  out->service_id = text(c, id);
  out->endpoint_prefix = text_of(c, m, "endpointPrefix");
  out->signing_name = signing_name.ptr ? text(c, signing_name) : out->endpoint_prefix;
  out->signature_version = text_of(c, m, "signatureVersion");
  out->json_version = text_of(c, m, "jsonVersion");
  out->target_prefix = text_of(c, m, "targetPrefix");
  out->xml_uri = text(c, namespace_uri(luaws_tree_get(m, "xmlNamespace")));
  out->full_name = text_of(c, m, "serviceFullName");
  out->abbreviation = text_of(c, m, "serviceAbbreviation");
  out->uid = text_of(c, m, "uid");
  out->global_endpoint = text_of(c, m, "globalEndpoint");
  out->class_name = class_name(c);
  out->hyphen_id = hyphen_id(c, id);
  out->auth = (luaws_ref)luaws_section_texts(c->s, luaws_tree_get(m, "auth"));
  out->protocols = (luaws_ref)luaws_section_texts(c->s, luaws_tree_get(m, "protocols"));
  out->protocol = chosen_protocol(m);
  if (luaws_tree_get(m, "awsQueryCompatible")) {
    out->flags |= LUAWS_SERVICE_QUERY_COMPATIBLE;
  }
}

static void compile_all(struct compiler *c, const struct luaws_tree *model) {
  static const uint16_t refs[] = {offsetof(struct luaws_service, name),
                                  offsetof(struct luaws_service, api_version),
                                  offsetof(struct luaws_service, service_id),
                                  offsetof(struct luaws_service, endpoint_prefix),
                                  offsetof(struct luaws_service, signing_name),
                                  offsetof(struct luaws_service, signature_version),
                                  offsetof(struct luaws_service, json_version),
                                  offsetof(struct luaws_service, target_prefix),
                                  offsetof(struct luaws_service, xml_uri),
                                  offsetof(struct luaws_service, full_name),
                                  offsetof(struct luaws_service, abbreviation),
                                  offsetof(struct luaws_service, uid),
                                  offsetof(struct luaws_service, global_endpoint),
                                  offsetof(struct luaws_service, class_name),
                                  offsetof(struct luaws_service, hyphen_id),
                                  offsetof(struct luaws_service, auth),
                                  offsetof(struct luaws_service, protocols),
                                  offsetof(struct luaws_service, operations),
                                  offsetof(struct luaws_service, by_method),
                                  offsetof(struct luaws_service, shapes),
                                  offsetof(struct luaws_service, errors),
                                  offsetof(struct luaws_service, client_context)};
  const struct luaws_tree *shapes = luaws_tree_get(model, "shapes");
  struct luaws_service out;
  memset(&out, 0, sizeof out);
  c->metadata = luaws_tree_get(model, "metadata");
  c->shapes = sorted(c, shapes, &c->shape_count);
  c->operations = sorted(c, luaws_tree_get(model, "operations"), &c->operation_count);
  if (c->rc) return;
  if (c->operation_count > UINT16_MAX) {
    broken(c, "InvalidShapeError", "has too many operations beside", c->name,
           c->operations[0]->key);
    return;
  }
  luaws_section_alloc(c->s, sizeof out);
  if (c->operation_count) {
    c->operations_place =
        luaws_section_alloc(c->s, c->operation_count * sizeof(struct luaws_operation));
  }
  if (c->shape_count) {
    c->shapes_place =
        luaws_section_alloc(c->s, c->shape_count * sizeof(struct luaws_shape));
  }
  compile_metadata(c, &out);
  for (size_t i = 0; i < c->operation_count && !c->rc; i++)
    compile_operation(c, i);
  for (size_t i = 0; i < c->shape_count && !c->rc; i++)
    compile_shape(c, i);
  if (c->rc) return;
  out.operation_count = (uint32_t)c->operation_count;
  out.operations = (luaws_ref)c->operations_place;
  out.by_method = operations_by_method(c);
  out.shape_count = (uint32_t)c->shape_count;
  out.shapes = (luaws_ref)c->shapes_place;
  out.errors = compile_errors(c, shapes, &out.error_count);
  out.client_context = params(c, luaws_tree_get(model, "clientContextParams"), "type",
                              &out.client_context_count);
  luaws_section_write(c->s, 0, &out, sizeof out, refs, COUNT(refs));
}

int luaws_compile_service(struct luaws_section *s, const struct luaws_tree *model,
                          struct luaws_str name, struct luaws_error *err) {
  if (!model || model->kind != LUAWS_KIND_MAP) {
    return luaws_error_set(err, LUAWS_E_MODEL, "InvalidShapeError",
                           "the model of '%.*s' is no JSON object", LUAWS_STR_ARG(name));
  }
  struct compiler c = {.s = s, .name = name, .err = err};
  compile_all(&c, model);
  free(c.shapes);
  free(c.operations);
  luaws_buf_clear(&c.scratch);
  return c.rc;
}
