/* service-2.json, with the traits of a reference laid over those of the shape it refers
   to, as botocore lays them: what a member says counts first, then what its shape says.

   The shapes are placed first, all in one array sorted by name, so that a reference is
   known before its target is filled in. */
#include "model/compile_service.h"

#include <stdlib.h>

static const struct luaws_word protocol_words[] = {
    {"json", LUAWS_PROTOCOL_JSON},
    {"rest-json", LUAWS_PROTOCOL_REST_JSON},
    {"rest-xml", LUAWS_PROTOCOL_REST_XML},
    {"smithy-rpc-v2-cbor", LUAWS_PROTOCOL_CBOR},
    {"query", LUAWS_PROTOCOL_QUERY},
    {"ec2", LUAWS_PROTOCOL_EC2},
    {NULL, 0},
};

/* ---- sorted children of a map ---- */

static int by_key(const void *a, const void *b) {
  const struct luaws_tree *const *x = a, *const *y = b;
  return luaws_str_cmp((*x)->key, (*y)->key);
}

static const struct luaws_tree **sorted(struct luaws_compiler *c,
                                        const struct luaws_tree *map, size_t *count) {
  *count = map && map->kind == LUAWS_KIND_MAP ? map->count : 0;
  const struct luaws_tree **items = malloc((*count + 1) * sizeof *items);
  if (!items) {
    *count = 0;
    luaws_compiler_no_memory(c);
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

static luaws_ref compile_errors(struct luaws_compiler *c, const struct luaws_tree *shapes,
                                uint32_t *count) {
  static const uint16_t refs[] = {offsetof(struct luaws_error_entry, code),
                                  offsetof(struct luaws_error_entry, shape)};
  size_t size = sizeof(struct luaws_error_entry), n = 0, kept = 0, order = 0;
  if (c->shape_count == 0) return 0;
  struct error_code *codes = calloc(c->shape_count, sizeof *codes);
  if (!codes) {
    luaws_compiler_no_memory(c);
    return 0;
  }
  for (const struct luaws_tree *t = shapes->first; t; t = t->next, order++) {
    if (!luaws_tree_truthy(luaws_tree_get(t, "exception"))) continue;
    struct luaws_str code = luaws_tree_text(luaws_tree_get(t, "error"), "code");
    size_t index = (size_t)luaws_compiler_shape_index(c, t->key);
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
    struct luaws_error_entry entry = {luaws_compiler_text(c, codes[i].code),
                                      (luaws_ref)codes[i].place};
    luaws_section_write(c->s, place + (luaws_place)(i * size), &entry, size, refs,
                        LUAWS_COUNT(refs));
  }
  free(codes);
  *count = (uint32_t)kept;
  return (luaws_ref)place;
}

static uint8_t chosen_protocol(const struct luaws_tree *metadata) {
  const struct luaws_tree *listed = luaws_tree_get(metadata, "protocols");
  if (!luaws_tree_truthy(listed)) {
    return (uint8_t)luaws_word_value(
        protocol_words, luaws_tree_text(metadata, "protocol"), LUAWS_PROTOCOL_UNKNOWN);
  }
  for (const struct luaws_word *w = protocol_words; w->name; w++) {
    if (luaws_tree_lists(listed, luaws_str_from(w->name))) return (uint8_t)w->value;
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

static luaws_ref class_name(struct luaws_compiler *c) {
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
  if (once.failed || twice.failed || c->scratch.failed) luaws_compiler_no_memory(c);
  luaws_buf_clear(&once);
  luaws_buf_clear(&twice);
  return luaws_compiler_text(c, luaws_buf_str(&c->scratch));
}

static luaws_ref hyphen_id(struct luaws_compiler *c, struct luaws_str id) {
  luaws_buf_reset(&c->scratch);
  luaws_buf_append_cstr(&c->scratch, "");
  for (size_t i = 0; i < id.len; i++) {
    char ch = id.ptr[i];
    if (ch >= 'A' && ch <= 'Z') ch = (char)(ch + 32);
    luaws_buf_append_char(&c->scratch, ch == ' ' ? '-' : ch);
  }
  if (c->scratch.failed) luaws_compiler_no_memory(c);
  return luaws_compiler_text(c, luaws_buf_str(&c->scratch));
}

static void compile_metadata(struct luaws_compiler *c, struct luaws_service *out) {
  const struct luaws_tree *m = c->metadata;
  struct luaws_str id = luaws_tree_text(m, "serviceId");
  struct luaws_str signing_name = luaws_tree_text(m, "signingName");
  if (!id.ptr) id = c->name;
  out->name = luaws_compiler_text(c, c->name);
  out->api_version = luaws_compiler_text_of(c, m, "apiVersion");
  out->service_id = luaws_compiler_text(c, id);
  out->endpoint_prefix = luaws_compiler_text_of(c, m, "endpointPrefix");
  out->signing_name =
      signing_name.ptr ? luaws_compiler_text(c, signing_name) : out->endpoint_prefix;
  out->signature_version = luaws_compiler_text_of(c, m, "signatureVersion");
  out->json_version = luaws_compiler_text_of(c, m, "jsonVersion");
  out->target_prefix = luaws_compiler_text_of(c, m, "targetPrefix");
  out->xml_uri =
      luaws_compiler_text(c, luaws_namespace_uri(luaws_tree_get(m, "xmlNamespace")));
  out->full_name = luaws_compiler_text_of(c, m, "serviceFullName");
  out->abbreviation = luaws_compiler_text_of(c, m, "serviceAbbreviation");
  out->uid = luaws_compiler_text_of(c, m, "uid");
  out->global_endpoint = luaws_compiler_text_of(c, m, "globalEndpoint");
  out->class_name = class_name(c);
  out->hyphen_id = hyphen_id(c, id);
  out->auth = (luaws_ref)luaws_section_texts(c->s, luaws_tree_get(m, "auth"));
  out->protocols = (luaws_ref)luaws_section_texts(c->s, luaws_tree_get(m, "protocols"));
  out->protocol = chosen_protocol(m);
  if (luaws_tree_get(m, "awsQueryCompatible")) {
    out->flags |= LUAWS_SERVICE_QUERY_COMPATIBLE;
  }
}

static void compile_all(struct luaws_compiler *c, const struct luaws_tree *model) {
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
    luaws_compiler_broken(c, "InvalidShapeError", "has too many operations beside",
                          c->name, c->operations[0]->key);
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
    luaws_compile_operation(c, i);
  for (size_t i = 0; i < c->shape_count && !c->rc; i++)
    luaws_compile_shape(c, i);
  if (c->rc) return;
  out.operation_count = (uint32_t)c->operation_count;
  out.operations = (luaws_ref)c->operations_place;
  out.by_method = luaws_compile_method_order(c);
  out.shape_count = (uint32_t)c->shape_count;
  out.shapes = (luaws_ref)c->shapes_place;
  out.errors = compile_errors(c, shapes, &out.error_count);
  out.client_context = luaws_compile_params(
      c, luaws_tree_get(model, "clientContextParams"), "type", &out.client_context_count);
  luaws_section_write(c->s, 0, &out, sizeof out, refs, LUAWS_COUNT(refs));
}

int luaws_compile_service(struct luaws_section *s, const struct luaws_tree *model,
                          struct luaws_str name, struct luaws_error *err) {
  if (!model || model->kind != LUAWS_KIND_MAP) {
    return luaws_error_set(err, LUAWS_E_MODEL, "InvalidShapeError",
                           "the model of '%.*s' is no JSON object", LUAWS_STR_ARG(name));
  }
  struct luaws_compiler c = {.s = s, .name = name, .err = err};
  compile_all(&c, model);
  free(c.shapes);
  free(c.operations);
  luaws_buf_clear(&c.scratch);
  return c.rc;
}
