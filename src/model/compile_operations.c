/* Operations: their URIs, parameters and flags. */
#include "model/compile_service.h"

#include "model/xform.h"

#include <stdlib.h>

static const struct luaws_flag_word operation_flags[] = {
    {"unsignedPayload", LUAWS_OP_UNSIGNED_PAYLOAD},
    {"httpChecksumRequired", LUAWS_OP_CHECKSUM_REQUIRED},
    {"deprecated", LUAWS_OP_DEPRECATED},
    {"idempotent", LUAWS_OP_IDEMPOTENT},
    {"readonly", LUAWS_OP_READONLY},
    {"endpointoperation", LUAWS_OP_DISCOVERY_SOURCE},
};

/* ---- the parts of a URI ---- */

/* The index of the input's member that a label means: by its name on the wire in a URI,
   by its own name in a host prefix. -1 when there is none. */
static int label_member(struct luaws_compiler *c, const struct luaws_target *input,
                        struct luaws_str label, bool in_uri) {
  const struct luaws_tree *members = luaws_tree_get(input->shape, "members");
  if (!members || members->kind != LUAWS_KIND_MAP) return -1;
  int i = 0;
  for (const struct luaws_tree *m = members->first; m; m = m->next, i++) {
    struct luaws_target t;
    if (!luaws_compiler_resolve(c, m, input->shape->key, &t)) return -1;
    struct luaws_str name = m->key;
    if (in_uri) {
      if (!luaws_str_is(luaws_target_text(&t, "location"), "uri")) continue;
      struct luaws_str wire = luaws_target_text(&t, "locationName");
      if (wire.ptr) name = wire;
    }
    if (luaws_str_eq(name, label)) return i;
  }
  return -1;
}

static luaws_ref uri_parts(struct luaws_compiler *c, const struct luaws_tree *operation,
                           const struct luaws_target *input, struct luaws_str uri,
                           bool in_uri, uint8_t *count) {
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
        luaws_compiler_broken(c, "InvalidShapeError", "has no input member for the label",
                              operation->key, label);
      }
      part->member = (int16_t)member;
      continue;
    }
    /* An opening brace that nothing closes is text like any other. */
    size_t len = open > 0 ? (size_t)open : uri.len;
    part->literal = luaws_compiler_text(c, luaws_str_sub(uri, 0, len));
    part->member = -1;
    uri = luaws_str_sub(uri, len, uri.len);
  }
  if (uri.len) {
    luaws_compiler_broken(c, "InvalidShapeError", "has too many labels in",
                          operation->key, uri);
  }
  if (c->rc || n == 0) return 0;
  *count = (uint8_t)n;
  return (luaws_ref)luaws_section_share(c->s, parts, n * sizeof *parts, refs, n);
}

/* ---- operations ---- */

/* name -> node. For the operation's own parameters the JMESPath is the value. */
luaws_ref luaws_compile_params(struct luaws_compiler *c, const struct luaws_tree *map,
                               const char *value_key, uint32_t *count) {
  static const uint16_t refs[] = {offsetof(struct luaws_static_param, name),
                                  offsetof(struct luaws_static_param, value)};
  if (!map || map->kind != LUAWS_KIND_MAP || map->count == 0) return 0;
  if (map->count > UINT16_MAX) {
    luaws_compiler_broken(c, "InvalidShapeError", "has too many parameters beside",
                          map->key, map->first->key);
    return 0;
  }
  size_t i = 0, size = sizeof(struct luaws_static_param);
  struct luaws_static_param *list = calloc(map->count, size);
  if (!list) {
    luaws_compiler_no_memory(c);
    return 0;
  }
  for (const struct luaws_tree *t = map->first; t; t = t->next, i++) {
    const struct luaws_tree *value = luaws_tree_get(t, value_key);
    list[i].name = luaws_compiler_text(c, t->key);
    if (value) list[i].value = (luaws_ref)luaws_section_node(c->s, value);
  }
  luaws_place place = luaws_section_alloc(c->s, map->count * size);
  for (i = 0; i < map->count; i++) {
    luaws_section_write(c->s, place + (luaws_place)(i * size), &list[i], size, refs,
                        LUAWS_COUNT(refs));
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

static luaws_ref operation_extra(struct luaws_compiler *c, const struct luaws_tree *op,
                                 const struct luaws_target *in,
                                 const struct luaws_target *out,
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
  const struct luaws_tree *ns = luaws_target_trait(in, "xmlNamespace");
  const struct luaws_tree *checksum = luaws_tree_get(op, "httpChecksum");
  uint32_t statics = 0, paths = 0;
  struct luaws_operation_extra x;
  memset(&x, 0, sizeof x);
  x.result_wrapper = luaws_compiler_text(c, luaws_target_text(out, "resultWrapper"));
  x.input_location_name = luaws_compiler_text(c, luaws_target_text(in, "locationName"));
  x.input_xml_uri = luaws_compiler_text(c, luaws_namespace_uri(ns));
  x.input_xml_prefix = luaws_compiler_text_of(c, ns, "prefix");
  x.output_location_name = luaws_compiler_text(c, luaws_target_text(out, "locationName"));
  x.host_prefix =
      uri_parts(c, op, in, luaws_tree_text(luaws_tree_get(op, "endpoint"), "hostPrefix"),
                false, host_prefix_count);
  x.static_params = luaws_compile_params(c, luaws_tree_get(op, "staticContextParams"),
                                         "value", &statics);
  x.operation_params = luaws_compile_params(
      c, luaws_tree_get(op, "operationContextParams"), "path", &paths);
  x.static_param_count = (uint16_t)statics;
  x.operation_param_count = (uint16_t)paths;
  x.auth = (luaws_ref)luaws_section_texts(c->s, luaws_tree_get(op, "auth"));
  x.checksum_algorithm_member =
      luaws_compiler_text_of(c, checksum, "requestAlgorithmMember");
  x.checksum_validation_member =
      luaws_compiler_text_of(c, checksum, "requestValidationModeMember");
  x.checksum_response_algorithms = (luaws_ref)luaws_section_texts(
      c->s, luaws_tree_get(checksum, "responseAlgorithms"));
  x.checksum_request_required =
      luaws_tree_truthy(luaws_tree_get(checksum, "requestChecksumRequired"));
  if (all_bytes_zero(&x, sizeof x)) return 0;
  return (luaws_ref)luaws_section_share(c->s, &x, sizeof x, refs, LUAWS_COUNT(refs));
}

static bool has_event_stream(struct luaws_compiler *c, const struct luaws_target *t) {
  const struct luaws_tree *members = luaws_tree_get(t->shape, "members");
  if (!members || members->kind != LUAWS_KIND_MAP) return false;
  for (const struct luaws_tree *m = members->first; m; m = m->next) {
    struct luaws_target member;
    if (luaws_compiler_resolve(c, m, t->shape->key, &member) &&
        luaws_target_flag(&member, "eventstream"))
      return true;
  }
  return false;
}

static bool has_idempotency_token(struct luaws_compiler *c,
                                  const struct luaws_target *t) {
  const struct luaws_tree *members = luaws_tree_get(t->shape, "members");
  if (!members || members->kind != LUAWS_KIND_MAP) return false;
  for (const struct luaws_tree *m = members->first; m; m = m->next) {
    struct luaws_target member;
    if (luaws_compiler_resolve(c, m, t->shape->key, &member) &&
        luaws_target_flag(&member, "idempotencyToken")) {
      return true;
    }
  }
  return false;
}

static bool has_stream(struct luaws_compiler *c, const struct luaws_target *t) {
  struct luaws_str payload = luaws_target_text(t, "payload");
  const struct luaws_tree *members = luaws_tree_get(t->shape, "members");
  if (!payload.ptr || !members || members->kind != LUAWS_KIND_MAP) return false;
  for (const struct luaws_tree *m = members->first; m; m = m->next) {
    struct luaws_target member;
    if (luaws_str_eq(m->key, payload) &&
        luaws_compiler_resolve(c, m, t->shape->key, &member)) {
      return luaws_str_is(luaws_tree_text(member.shape, "type"), "blob");
    }
  }
  return false;
}

static uint16_t flags_of(struct luaws_compiler *c, const struct luaws_tree *op,
                         const struct luaws_target *in, const struct luaws_target *out) {
  uint32_t flags = 0;
  for (size_t i = 0; i < LUAWS_COUNT(operation_flags); i++) {
    if (luaws_tree_truthy(luaws_tree_get(op, operation_flags[i].name)))
      flags |= operation_flags[i].bit;
  }
  const struct luaws_tree *auth = luaws_tree_get(op, "auth");
  struct luaws_str auth_type = luaws_tree_text(op, "authtype");
  bool only_no_auth = auth && auth->kind == LUAWS_KIND_LIST && auth->count == 1 &&
                      auth->first->kind == LUAWS_KIND_STRING &&
                      luaws_str_is(auth->first->text, "smithy.api#noAuth");
  if (only_no_auth || (!luaws_tree_truthy(auth) && luaws_str_is(auth_type, "none"))) {
    flags |= LUAWS_OP_AUTH_NONE;
  }
  if (luaws_str_is(auth_type, "v4-unsigned-body")) flags |= LUAWS_OP_UNSIGNED_PAYLOAD;
  const struct luaws_tree *discovery = luaws_tree_get(op, "endpointdiscovery");
  if (discovery && discovery->kind != LUAWS_KIND_NULL) flags |= LUAWS_OP_DISCOVERY;
  if (luaws_tree_truthy(luaws_tree_get(discovery, "required")))
    flags |= LUAWS_OP_DISCOVERY_REQUIRED;
  const struct luaws_tree *compression = luaws_tree_get(op, "requestcompression");
  if (luaws_tree_lists(luaws_tree_get(compression, "encodings"), LUAWS_STR("gzip"))) {
    flags |= LUAWS_OP_COMPRESS_GZIP;
  }
  if (has_event_stream(c, in)) flags |= LUAWS_OP_EVENTS_IN;
  if (has_event_stream(c, out)) flags |= LUAWS_OP_EVENTS_OUT;
  if (has_stream(c, in)) flags |= LUAWS_OP_STREAM_IN;
  if (has_stream(c, out)) flags |= LUAWS_OP_STREAM_OUT;
  if (has_idempotency_token(c, in)) flags |= LUAWS_OP_HAS_IDEMPOTENCY_TOKEN;
  return (uint16_t)flags;
}

static luaws_ref operation_errors(struct luaws_compiler *c, const struct luaws_tree *op,
                                  uint16_t *count) {
  const struct luaws_tree *list = luaws_tree_get(op, "errors");
  if (!list || list->kind != LUAWS_KIND_LIST || list->count == 0) return 0;
  if (list->count > UINT16_MAX) {
    luaws_compiler_broken(c, "InvalidShapeError", "has too many", op->key, list->key);
    return 0;
  }
  luaws_place *places = calloc(list->count, sizeof *places);
  if (!places) {
    luaws_compiler_no_memory(c);
    return 0;
  }
  size_t n = 0;
  for (const struct luaws_tree *t = list->first; t; t = t->next) {
    struct luaws_target target;
    if (luaws_compiler_resolve(c, t, op->key, &target)) places[n++] = target.place;
  }
  luaws_ref made = (luaws_ref)luaws_section_refs(c->s, places, n, false);
  free(places);
  *count = (uint16_t)n;
  return made;
}

/* Takes a leading "/{Bucket}" off where that member feeds an endpoint parameter. */
static bool strip_bucket(struct luaws_compiler *c, const struct luaws_target *in,
                         struct luaws_str *path) {
  const struct luaws_str label = LUAWS_STR("/{Bucket}");
  if (!luaws_str_starts(*path, label)) return false;
  const struct luaws_tree *members = luaws_tree_get(in->shape, "members");
  const struct luaws_tree *bucket = luaws_tree_get(members, "Bucket");
  struct luaws_target t;
  if (!bucket || !luaws_compiler_resolve(c, bucket, in->shape->key, &t)) return false;
  if (!luaws_str_is(luaws_tree_text(luaws_target_trait(&t, "contextParam"), "name"),
                    "Bucket")) {
    return false;
  }
  *path = luaws_str_sub(*path, label.len, path->len);
  if (path->len == 0) *path = LUAWS_STR("/");
  return true;
}

void luaws_compile_operation(struct luaws_compiler *c, size_t index) {
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
  struct luaws_target in = {0}, out = {0};
  if (input) luaws_compiler_resolve(c, input, op->key, &in);
  if (output) luaws_compiler_resolve(c, output, op->key, &out);
  if (c->rc) return;

  struct luaws_operation o = {0};
  struct luaws_str wire_name = luaws_tree_text(op, "name");
  struct luaws_str method = luaws_tree_text(http, "method");
  luaws_buf_reset(&c->scratch);
  luaws_xform_name(op->key, '_', &c->scratch);
  if (c->scratch.failed) return luaws_compiler_no_memory(c);
  o.name = luaws_compiler_text(c, op->key);
  o.wire_name = luaws_compiler_text(c, wire_name.ptr ? wire_name : op->key);
  o.method_name = luaws_compiler_text(c, luaws_buf_str(&c->scratch));
  o.http_method = luaws_compiler_text(c, method.ptr ? method : LUAWS_STR("POST"));
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
  o.request_uri = luaws_compiler_text(c, uri);
  ptrdiff_t question = luaws_str_find(uri, '?');
  struct luaws_str path = question < 0 ? uri : luaws_str_sub(uri, 0, (size_t)question);
  if (question >= 0 && (size_t)question + 1 < uri.len) {
    o.query = luaws_compiler_text(c, luaws_str_sub(uri, (size_t)question + 1, uri.len));
  }
  if (strip_bucket(c, &in, &path)) o.flags |= LUAWS_OP_LABEL_IN_ENDPOINT;
  o.path = uri_parts(c, op, &in, path, true, &o.path_count);
  o.extra = operation_extra(c, op, &in, &out, &o.host_prefix_count);
  luaws_section_write(c->s, c->operations_place + (luaws_place)(index * sizeof o), &o,
                      sizeof o, refs, LUAWS_COUNT(refs));
}

/* ---- their order ---- */

struct method_name {
  struct luaws_str name;
  uint16_t index;
};

static int by_bytes(const void *a, const void *b) {
  const struct method_name *x = a, *y = b;
  int order = luaws_str_cmp(x->name, y->name);
  return order ? order : (x->index > y->index) - (x->index < y->index);
}

luaws_ref luaws_compile_method_order(struct luaws_compiler *c) {
  struct method_name *names = calloc(c->operation_count + 1, sizeof *names);
  uint16_t *order = calloc(c->operation_count + 1, sizeof *order);
  struct luaws_buf all = {0};
  luaws_ref made = 0;
  luaws_buf_append_cstr(&all, "");
  if (names && order) {
    size_t n = c->operation_count;
    for (size_t i = 0; i < n; i++) {
      size_t from = all.len;
      luaws_xform_name(c->operations[i]->key, '_', &all);
      names[i] = (struct method_name){{NULL, all.len - from}, (uint16_t)i};
    }
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
      names[i].name.ptr = all.ptr + at;
      at += names[i].name.len;
    }
    if (all.failed) {
      luaws_compiler_no_memory(c);
    } else if (n) {
      qsort(names, n, sizeof *names, by_bytes);
      for (size_t i = 0; i < n; i++)
        order[i] = names[i].index;
      made = (luaws_ref)luaws_section_share(c->s, order, n * sizeof *order, NULL, 0);
    }
  } else {
    luaws_compiler_no_memory(c);
  }
  free(names);
  free(order);
  luaws_buf_clear(&all);
  return made;
}
