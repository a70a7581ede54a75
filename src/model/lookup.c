/* Binary searches in compiled models. */
#include "model/model.h"

#define AT(ref, type) ((const type *)luaws_ref_get(&(ref)))

/* ---- within a service ---- */

const struct luaws_operation *luaws_service_operation(const struct luaws_service *s,
                                                      struct luaws_str name) {
  const struct luaws_operation *list = AT(s->operations, struct luaws_operation);
  uint32_t low = 0, high = s->operation_count;
  while (low < high) {
    uint32_t mid = low + (high - low) / 2;
    int order = luaws_str_cmp(luaws_ref_text(&list[mid].name), name);
    if (order == 0) return &list[mid];
    if (order < 0) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return NULL;
}

const struct luaws_operation *luaws_service_method_at(const struct luaws_service *s,
                                                      uint32_t i) {
  return AT(s->operations, struct luaws_operation) + AT(s->by_method, uint16_t)[i];
}

const struct luaws_operation *luaws_service_method(const struct luaws_service *s,
                                                   struct luaws_str method_name) {
  uint32_t low = 0, high = s->operation_count;
  while (low < high) {
    uint32_t mid = low + (high - low) / 2;
    const struct luaws_operation *op = luaws_service_method_at(s, mid);
    int order = luaws_str_cmp(luaws_ref_text(&op->method_name), method_name);
    if (order == 0) return op;
    if (order < 0) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return NULL;
}

const struct luaws_shape *luaws_service_shape(const struct luaws_service *s,
                                              struct luaws_str name) {
  const struct luaws_shape *list = AT(s->shapes, struct luaws_shape);
  uint32_t low = 0, high = s->shape_count;
  while (low < high) {
    uint32_t mid = low + (high - low) / 2;
    int order = luaws_str_cmp(luaws_ref_text(&list[mid].name), name);
    if (order == 0) return &list[mid];
    if (order < 0) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return NULL;
}

const struct luaws_shape *luaws_service_error(const struct luaws_service *s,
                                              struct luaws_str code) {
  const struct luaws_error_entry *list = AT(s->errors, struct luaws_error_entry);
  uint32_t low = 0, high = s->error_count;
  while (low < high) {
    uint32_t mid = low + (high - low) / 2;
    int order = luaws_str_cmp(luaws_ref_text(&list[mid].code), code);
    if (order == 0) return AT(list[mid].shape, struct luaws_shape);
    if (order < 0) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return NULL;
}

/* ---- within a shape ---- */

/* Shorter names first, then by their bytes: most comparisons end at the length. */
static int compare_names(struct luaws_str a, struct luaws_str b) {
  if (a.len != b.len) return a.len < b.len ? -1 : 1;
  return a.len ? memcmp(a.ptr, b.ptr, a.len) : 0;
}

const struct luaws_member *luaws_shape_member(const struct luaws_shape *s,
                                              struct luaws_str name) {
  const uint16_t *order = AT(s->by_name, uint16_t);
  unsigned low = 0, high = order ? s->member_count : 0;
  while (low < high) {
    unsigned mid = low + (high - low) / 2;
    const struct luaws_member *m = luaws_shape_member_at(s, order[mid]);
    int c = compare_names(luaws_ref_text(&m->name), name);
    if (c == 0) return m;
    if (c < 0) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return NULL;
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
  unsigned low = 0, high = s->member_count;
  while (low < high) {
    unsigned mid = low + (high - low) / 2;
    const struct luaws_member *m = luaws_shape_member_at(s, order[mid]);
    if (compare_names(luaws_ref_text(&m->wire_name), wire_name) < 0) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  if (low == s->member_count) return NULL;
  const struct luaws_member *found = luaws_shape_member_at(s, order[low]);
  if (!luaws_str_eq(luaws_ref_text(&found->wire_name), wire_name)) return NULL;
  if (hint) *hint = order[low] + 1u;
  return found;
}

/* ---- packed JSON ---- */

const struct luaws_node *luaws_node_entry_at(const struct luaws_node *map, uint32_t i,
                                             struct luaws_str *key) {
  if (!map || map->type != LUAWS_NODE_MAP || i >= map->count) return NULL;
  const struct luaws_node_entry *e = AT(map->items, struct luaws_node_entry) + i;
  if (key) *key = luaws_ref_text(&e->key);
  return luaws_ref_get(&e->value);
}

const struct luaws_node *luaws_node_get(const struct luaws_node *map,
                                        struct luaws_str key) {
  if (!map || map->type != LUAWS_NODE_MAP) return NULL;
  const struct luaws_node_entry *list = AT(map->items, struct luaws_node_entry);
  uint32_t low = 0, high = map->count;
  while (low < high) {
    uint32_t mid = low + (high - low) / 2;
    int order = luaws_str_cmp(luaws_ref_text(&list[mid].key), key);
    if (order == 0) return luaws_ref_get(&list[mid].value);
    if (order < 0) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return NULL;
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
