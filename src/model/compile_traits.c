/* Reading traits out of a service model. */
#include "model/compile_service.h"

void luaws_compiler_broken(struct luaws_compiler *c, const char *kind, const char *what,
                           struct luaws_str where, struct luaws_str name) {
  if (c->rc) return;
  c->rc = luaws_error_set(c->err, LUAWS_E_MODEL, kind, "'%.*s' %s '%.*s'",
                          LUAWS_STR_ARG(where), what, LUAWS_STR_ARG(name));
}

void luaws_compiler_no_memory(struct luaws_compiler *c) {
  if (!c->rc) c->rc = luaws_error_memory(c->err);
}

luaws_ref luaws_compiler_text(struct luaws_compiler *c, struct luaws_str s) {
  return (luaws_ref)luaws_section_text(c->s, s);
}

luaws_ref luaws_compiler_text_of(struct luaws_compiler *c, const struct luaws_tree *t,
                                 const char *key) {
  return luaws_compiler_text(c, luaws_tree_text(t, key));
}

bool luaws_tree_truthy(const struct luaws_tree *t) {
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

/* ---- references ---- */

ptrdiff_t luaws_compiler_shape_index(const struct luaws_compiler *c,
                                     struct luaws_str name) {
  size_t low = 0, high = c->shape_count;
  while (low < high) {
    size_t mid = low + (high - low) / 2;
    int order = luaws_str_cmp(c->shapes[mid]->key, name);
    if (order == 0) return (ptrdiff_t)mid;
    if (order < 0) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return -1;
}

bool luaws_compiler_resolve(struct luaws_compiler *c, const struct luaws_tree *ref,
                            struct luaws_str where, struct luaws_target *out) {
  *out = (struct luaws_target){.ref = ref};
  if (c->rc) return false;
  struct luaws_str name = luaws_tree_text(ref, "shape");
  if (!name.ptr) {
    luaws_compiler_broken(c, "InvalidShapeReferenceError", "has no shape for", where,
                          ref ? ref->key : LUAWS_STR_NONE);
    return false;
  }
  ptrdiff_t index = luaws_compiler_shape_index(c, name);
  if (index < 0) {
    luaws_compiler_broken(c, "NoShapeFoundError", "refers to the missing shape", where,
                          name);
    return false;
  }
  out->shape = c->shapes[index];
  out->place =
      c->shapes_place + (luaws_place)((size_t)index * sizeof(struct luaws_shape));
  return true;
}

const struct luaws_tree *luaws_target_trait(const struct luaws_target *t,
                                            const char *key) {
  const struct luaws_tree *own = luaws_tree_get(t->ref, key);
  return own ? own : luaws_tree_get(t->shape, key);
}

bool luaws_target_flag(const struct luaws_target *t, const char *key) {
  return luaws_tree_truthy(luaws_target_trait(t, key));
}

struct luaws_str luaws_target_text(const struct luaws_target *t, const char *key) {
  const struct luaws_tree *value = luaws_target_trait(t, key);
  return value && value->kind == LUAWS_KIND_STRING ? value->text : LUAWS_STR_NONE;
}

struct luaws_str luaws_namespace_uri(const struct luaws_tree *ns) {
  return ns && ns->kind == LUAWS_KIND_STRING ? ns->text : luaws_tree_text(ns, "uri");
}

/* ---- words ---- */

int luaws_word_value(const struct luaws_word *words, struct luaws_str name, int missing) {
  for (; words->name; words++) {
    if (luaws_str_is(name, words->name)) return words->value;
  }
  return missing;
}

bool luaws_tree_lists(const struct luaws_tree *list, struct luaws_str wanted) {
  if (!list || list->kind != LUAWS_KIND_LIST) return false;
  for (const struct luaws_tree *t = list->first; t; t = t->next) {
    if (t->kind == LUAWS_KIND_STRING && luaws_str_eq(t->text, wanted)) return true;
  }
  return false;
}
