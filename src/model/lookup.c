/* Binary searches in compiled models. */
#include "model/model.h"

#define AT(ref, type) ((const type *)luaws_ref_get(&(ref)))

/* ---- the search that all share ---- */

typedef struct luaws_str name_at(const void *owner, uint32_t i);
typedef int compare(struct luaws_str a, struct luaws_str b);

/* The first of `count` names, in the order of `cmp`, that is not before `name`; `count`
   when all are. */
static inline uint32_t first_not_before(const void *owner, uint32_t count, name_at *at,
                                        compare *cmp, struct luaws_str name) {
  uint32_t low = 0, high = count;
  while (low < high) {
    uint32_t mid = low + (high - low) / 2;
    if (cmp(at(owner, mid), name) < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

/* Where `name` stands, or -1. */
static inline int64_t find(const void *owner, uint32_t count, name_at *at, compare *cmp,
                           struct luaws_str name) {
  uint32_t i = first_not_before(owner, count, at, cmp, name);
  return i < count && luaws_str_eq(at(owner, i), name) ? (int64_t)i : -1;
}

/* ---- within a service ---- */

static struct luaws_str operation_name(const void *list, uint32_t i) {
  return luaws_ref_text(&((const struct luaws_operation *)list)[i].name);
}

const struct luaws_operation *luaws_service_operation(const struct luaws_service *s,
                                                      struct luaws_str name) {
  const struct luaws_operation *list = AT(s->operations, struct luaws_operation);
  int64_t i = find(list, s->operation_count, operation_name, luaws_str_cmp, name);
  return i < 0 ? NULL : &list[i];
}

const struct luaws_operation *luaws_service_method_at(const struct luaws_service *s,
                                                      uint32_t i) {
  return AT(s->operations, struct luaws_operation) + AT(s->by_method, uint16_t)[i];
}

static struct luaws_str method_name(const void *service, uint32_t i) {
  return luaws_ref_text(&luaws_service_method_at(service, i)->method_name);
}

const struct luaws_operation *luaws_service_method(const struct luaws_service *s,
                                                   struct luaws_str name) {
  int64_t i = find(s, s->operation_count, method_name, luaws_str_cmp, name);
  return i < 0 ? NULL : luaws_service_method_at(s, (uint32_t)i);
}

static struct luaws_str shape_name(const void *list, uint32_t i) {
  return luaws_ref_text(&((const struct luaws_shape *)list)[i].name);
}

const struct luaws_shape *luaws_service_shape(const struct luaws_service *s,
                                              struct luaws_str name) {
  const struct luaws_shape *list = AT(s->shapes, struct luaws_shape);
  int64_t i = find(list, s->shape_count, shape_name, luaws_str_cmp, name);
  return i < 0 ? NULL : &list[i];
}

static struct luaws_str error_code(const void *list, uint32_t i) {
  return luaws_ref_text(&((const struct luaws_error_entry *)list)[i].code);
}

const struct luaws_shape *luaws_service_error(const struct luaws_service *s,
                                              struct luaws_str code) {
  const struct luaws_error_entry *list = AT(s->errors, struct luaws_error_entry);
  int64_t i = find(list, s->error_count, error_code, luaws_str_cmp, code);
  return i < 0 ? NULL : AT(list[i].shape, struct luaws_shape);
}

/* ---- within a shape ---- */

/* Shorter names first, then by their bytes: most comparisons end at the length. */
static int compare_names(struct luaws_str a, struct luaws_str b) {
  if (a.len != b.len) return a.len < b.len ? -1 : 1;
  return a.len ? memcmp(a.ptr, b.ptr, a.len) : 0;
}

static const struct luaws_member *member_by(const struct luaws_shape *s,
                                            const uint16_t *order, uint32_t i) {
  return luaws_shape_member_at(s, order[i]);
}

static struct luaws_str member_name(const void *shape, uint32_t i) {
  const struct luaws_shape *s = shape;
  return luaws_ref_text(&member_by(s, AT(s->by_name, uint16_t), i)->name);
}

static struct luaws_str member_wire_name(const void *shape, uint32_t i) {
  const struct luaws_shape *s = shape;
  return luaws_ref_text(&member_by(s, AT(s->by_wire_name, uint16_t), i)->wire_name);
}

const struct luaws_member *luaws_shape_member(const struct luaws_shape *s,
                                              struct luaws_str name) {
  const uint16_t *order = AT(s->by_name, uint16_t);
  int64_t i = find(s, order ? s->member_count : 0, member_name, compare_names, name);
  return i < 0 ? NULL : member_by(s, order, (uint32_t)i);
}

const struct luaws_member *luaws_shape_wire_member(const struct luaws_shape *s,
                                                   struct luaws_str wire_name,
                                                   unsigned *hint) {
  const uint16_t *order = AT(s->by_wire_name, uint16_t);
  if (!order) return NULL;
  if (hint && *hint < s->member_count) {
    const struct luaws_member *m = luaws_shape_member_at(s, *hint);
    if (m->location == LUAWS_IN_BODY &&
        luaws_str_eq(luaws_ref_text(&m->wire_name), wire_name)) {
      ++*hint;
      return m;
    }
  }
  /* The first of equal names: the one in the body. */
  int64_t i = find(s, s->member_count, member_wire_name, compare_names, wire_name);
  if (i < 0) return NULL;
  if (hint) *hint = order[i] + 1u;
  return member_by(s, order, (uint32_t)i);
}

/* ---- packed JSON ---- */

const struct luaws_node *luaws_node_entry_at(const struct luaws_node *map, uint32_t i,
                                             struct luaws_str *key) {
  if (!map || map->type != LUAWS_NODE_MAP || i >= map->count) return NULL;
  const struct luaws_node_entry *e = AT(map->items, struct luaws_node_entry) + i;
  if (key) *key = luaws_ref_text(&e->key);
  return luaws_ref_get(&e->value);
}

static struct luaws_str entry_key(const void *list, uint32_t i) {
  return luaws_ref_text(&((const struct luaws_node_entry *)list)[i].key);
}

const struct luaws_node *luaws_node_get(const struct luaws_node *map,
                                        struct luaws_str key) {
  if (!map || map->type != LUAWS_NODE_MAP) return NULL;
  const struct luaws_node_entry *list = AT(map->items, struct luaws_node_entry);
  int64_t i = find(list, map->count, entry_key, luaws_str_cmp, key);
  return i < 0 ? NULL : luaws_ref_get(&list[i].value);
}

const struct luaws_node *luaws_node_at(const struct luaws_node *list, uint32_t i) {
  if (!list || list->type != LUAWS_NODE_LIST || i >= list->count) return NULL;
  return luaws_ref_get(AT(list->items, luaws_ref) + i);
}

struct luaws_str luaws_node_text(const struct luaws_node *string_or_null) {
  if (!string_or_null || string_or_null->type != LUAWS_NODE_STRING) {
    return LUAWS_STR_NONE;
  }
  return luaws_ref_text(&string_or_null->text);
}

void luaws_node_write(const struct luaws_node *n, struct luaws_writer *w) {
  struct luaws_str key;
  switch (n->type) {
  case LUAWS_NODE_TRUE:
  case LUAWS_NODE_FALSE:
    w->ops->boolean(w, n->type == LUAWS_NODE_TRUE);
    return;
  case LUAWS_NODE_INTEGER:
    w->ops->integer(w, n->integer);
    return;
  case LUAWS_NODE_FLOAT:
    w->ops->floating(w, n->floating);
    return;
  case LUAWS_NODE_STRING:
    w->ops->bytes(w, luaws_node_text(n));
    return;
  case LUAWS_NODE_LIST:
    w->ops->begin_list(w, n->count, true);
    for (uint32_t i = 0; i < n->count; i++)
      luaws_node_write(luaws_node_at(n, i), w);
    w->ops->end_list(w);
    return;
  case LUAWS_NODE_MAP:
    w->ops->begin_map(w, n->count, true);
    for (uint32_t i = 0; i < n->count; i++) {
      const struct luaws_node *value = luaws_node_entry_at(n, i, &key);
      w->ops->key(w, key);
      luaws_node_write(value, w);
    }
    w->ops->end_map(w);
    return;
  default:
    w->ops->null(w);
  }
}
