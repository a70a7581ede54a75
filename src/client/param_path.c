#include "client/param_path.h"

struct found {
  struct luaws_arena *arena;
  struct luaws_str *texts;
  size_t count, cap;
};

static void add(struct found *f, struct luaws_str text) {
  if (f->count == f->cap) {
    size_t cap = f->cap ? f->cap * 2 : 8;
    struct luaws_str *texts = luaws_arena_alloc(f->arena, cap * sizeof *texts);
    if (!texts) return;
    if (f->count) memcpy(texts, f->texts, f->count * sizeof *texts);
    f->texts = texts;
    f->cap = cap;
  }
  f->texts[f->count] = luaws_arena_str(f->arena, text);
  if (f->texts[f->count].ptr) f->count++;
}

static void walk(struct luaws_str path, struct luaws_reader *r, struct found *f);

static void walk_items(struct luaws_str rest, struct luaws_reader *r, struct found *f) {
  enum luaws_kind kind = r->ops->kind(r);
  size_t n = kind == LUAWS_KIND_LIST ? r->ops->length(r) : 0;
  for (size_t i = 0; i < n; i++) {
    if (!r->ops->enter_item(r, i)) continue;
    walk(rest, r, f);
    r->ops->leave(r);
  }
}

static void collect_keys(struct luaws_reader *r, struct found *f) {
  struct luaws_str key;
  enum luaws_kind kind;
  if (r->ops->kind(r) != LUAWS_KIND_MAP) return;
  r->ops->begin_entries(r);
  while (r->ops->next_entry(r, &key, &kind)) {
    if (kind == LUAWS_KIND_STRING) add(f, key);
    r->ops->leave(r);
  }
}

/* "[a, b][]": each of them on the same value. */
static void walk_each(struct luaws_str list, struct luaws_reader *r, struct found *f) {
  while (list.len) {
    ptrdiff_t comma = luaws_str_find(list, ',');
    struct luaws_str one = comma < 0 ? list : luaws_str_sub(list, 0, (size_t)comma);
    list = luaws_str_sub(list, one.len + 1, list.len);
    walk(luaws_str_trim(one), r, f);
  }
}

static size_t name_length(struct luaws_str path) {
  size_t n = 0;
  while (n < path.len && path.ptr[n] != '.' && path.ptr[n] != '[' && path.ptr[n] != '(')
    n++;
  return n;
}

/* What may stand after a value: nothing, ".name", "[*]", "[a, b]", "[]". */
static void walk(struct luaws_str path, struct luaws_reader *r, struct found *f) {
  if (luaws_str_starts(path, LUAWS_STR("[]"))) path = luaws_str_sub(path, 2, path.len);
  if (luaws_str_starts(path, LUAWS_STR("."))) path = luaws_str_sub(path, 1, path.len);
  if (path.len == 0) {
    if (r->ops->kind(r) == LUAWS_KIND_STRING) add(f, r->ops->bytes(r));
    return;
  }
  if (luaws_str_starts(path, LUAWS_STR("[*]"))) {
    walk_items(luaws_str_sub(path, 3, path.len), r, f);
    return;
  }
  if (path.ptr[0] == '[') {
    ptrdiff_t end = luaws_str_find(path, ']');
    if (end > 0) walk_each(luaws_str_sub(path, 1, (size_t)end - 1), r, f);
    return;
  }
  if (luaws_str_starts(path, LUAWS_STR("keys(")) &&
      luaws_str_ends(path, LUAWS_STR(")"))) {
    struct luaws_str name = luaws_str_sub(path, 5, path.len - 6);
    if (r->ops->kind(r) == LUAWS_KIND_MAP && r->ops->enter_member(r, name)) {
      collect_keys(r, f);
      r->ops->leave(r);
    }
    return;
  }
  struct luaws_str name = luaws_str_sub(path, 0, name_length(path));
  if (name.len && r->ops->kind(r) == LUAWS_KIND_MAP && r->ops->enter_member(r, name)) {
    walk(luaws_str_sub(path, name.len, path.len), r, f);
    r->ops->leave(r);
  }
}

size_t luaws_param_path_texts(struct luaws_str path, struct luaws_reader *r,
                              struct luaws_arena *arena, const struct luaws_str **out) {
  struct found f = {.arena = arena};
  walk(path, r, &f);
  *out = f.texts;
  return f.count;
}
