/* Nodes are linked in the order of the text. Nothing here recurses deeper than the
   scanner allows (LUAWS_JSON_MAX_DEPTH). */
#include "value/tree.h"

#include "base/encode.h"
#include "value/json.h"

#include <math.h>
#include <stdlib.h>

enum { PATH_MAX_DEPTH = 256 };

/* Puts it behind the `last` of the parent's children; with this key, into a map. */
static void add_child(struct luaws_tree *parent, struct luaws_tree **last,
                      struct luaws_str key, struct luaws_tree *t) {
  if (parent->kind == LUAWS_KIND_MAP) t->key = key;
  if (*last)
    (*last)->next = t;
  else
    parent->first = t;
  *last = t;
  parent->count++;
}

/* ---- parsing ---- */

struct builder {
  struct luaws_arena *arena;
  struct luaws_json scan;
  struct luaws_str input;
  struct luaws_tree *open[LUAWS_JSON_MAX_DEPTH];
  struct luaws_tree *last[LUAWS_JSON_MAX_DEPTH];
  int depth;
  struct luaws_tree *root;
  struct luaws_str key;
};

/* The scanner's text, copied only when it does not lie in the input. */
static bool keep_text(struct builder *b, struct luaws_str *out) {
  struct luaws_str s = b->scan.text;
  bool inside =
      s.ptr >= b->input.ptr && s.ptr <= b->input.ptr + b->input.len && b->input.ptr;
  *out = inside ? s : luaws_arena_str(b->arena, s);
  return out->ptr != NULL;
}

static struct luaws_tree *add_node(struct builder *b, enum luaws_kind kind) {
  struct luaws_tree *t = luaws_arena_alloc(b->arena, sizeof *t);
  if (!t) return NULL;
  t->kind = kind;
  if (b->depth == 0) {
    b->root = t;
    return t;
  }
  add_child(b->open[b->depth - 1], &b->last[b->depth - 1], b->key, t);
  return t;
}

static bool open_node(struct builder *b, enum luaws_kind kind) {
  struct luaws_tree *t = add_node(b, kind);
  if (!t) return false;
  b->open[b->depth] = t;
  b->last[b->depth] = NULL;
  b->depth++;
  return true;
}

/* A name that comes twice: the last value counts, in the place of the first. */
static void replace_value(struct luaws_tree *map, struct luaws_tree *old,
                          struct luaws_tree *before_new) {
  struct luaws_tree *new = before_new->next, *rest = new->next, *after_old = old->next;
  struct luaws_str key = old->key;
  *old = *new;
  old->key = key;
  old->next = after_old == new ? rest : after_old;
  if (after_old != new) before_new->next = rest;
  map->count--;
}

static uint32_t hash(struct luaws_str s) {
  uint32_t h = 2166136261u;
  for (size_t i = 0; i < s.len; i++)
    h = (h ^ (unsigned char)s.ptr[i]) * 16777619u;
  return h ^ h >> 15;
}

static bool drop_repeated_keys(struct luaws_tree *map) {
  enum { FEW = 8 };
  if (map->count <= FEW) {
    struct luaws_tree *before = map->first;
    while (before && before->next) {
      struct luaws_tree *t = before->next, *same = map->first;
      while (same != t && !luaws_str_eq(same->key, t->key))
        same = same->next;
      if (same != t) {
        replace_value(map, same, before);
      } else {
        before = t;
      }
    }
    return true;
  }
  size_t size = 32;
  while (size < map->count * 2)
    size *= 2;
  struct luaws_tree **seen = calloc(size, sizeof *seen);
  if (!seen) return false;
  struct luaws_tree *before = NULL, *t = map->first;
  while (t) {
    size_t i = hash(t->key) & (size - 1);
    while (seen[i] && !luaws_str_eq(seen[i]->key, t->key))
      i = (i + 1) & (size - 1);
    if (seen[i]) {
      replace_value(map, seen[i], before);
      t = before->next;
    } else {
      seen[i] = t;
      before = t;
      t = t->next;
    }
  }
  free(seen);
  return true;
}

/* Adds what the scanner just read; false without memory. */
static bool take(struct builder *b, enum luaws_json_token token) {
  struct luaws_tree *t;
  switch (token) {
  case LUAWS_JSON_NULL:
    return add_node(b, LUAWS_KIND_NULL) != NULL;
  case LUAWS_JSON_TRUE:
  case LUAWS_JSON_FALSE:
    t = add_node(b, LUAWS_KIND_BOOLEAN);
    if (t) t->boolean = token == LUAWS_JSON_TRUE;
    return t != NULL;
  case LUAWS_JSON_INTEGER:
    t = add_node(b, LUAWS_KIND_INTEGER);
    if (t) t->integer = b->scan.integer;
    return t != NULL;
  case LUAWS_JSON_NUMBER:
    t = add_node(b, LUAWS_KIND_FLOAT);
    if (t) t->floating = b->scan.number;
    return t != NULL;
  case LUAWS_JSON_STRING:
    t = add_node(b, LUAWS_KIND_STRING);
    return t && keep_text(b, &t->text);
  case LUAWS_JSON_KEY:
    return keep_text(b, &b->key);
  case LUAWS_JSON_BEGIN_LIST:
    return open_node(b, LUAWS_KIND_LIST);
  case LUAWS_JSON_BEGIN_MAP:
    return open_node(b, LUAWS_KIND_MAP);
  case LUAWS_JSON_END_MAP:
    b->depth--;
    return drop_repeated_keys(b->open[b->depth]);
  default: /* LUAWS_JSON_END_LIST */
    b->depth--;
    return true;
  }
}

static int decode_error(const struct builder *b, struct luaws_error *err) {
  size_t line = 1, column = 1;
  for (size_t i = 0; i < b->scan.at; i++) {
    column++;
    if (b->input.ptr[i] == '\n') {
      line++;
      column = 1;
    }
  }
  return luaws_error_set(err, LUAWS_E_ARGUMENT, "JSONDecodeError",
                         "%s: line %zu column %zu (char %zu)", b->scan.message, line,
                         column, b->scan.at);
}

int luaws_tree_parse(struct luaws_arena *arena, struct luaws_str text,
                     struct luaws_tree **out, struct luaws_error *err) {
  *out = NULL;
  struct builder *b = calloc(1, sizeof *b);
  if (!b) return luaws_error_memory(err);
  b->arena = arena;
  b->input = text;
  luaws_json_start(&b->scan, text);
  b->scan.scratch.wipes = true; /* tokens come in JSON */
  int rc = 0;
  while (rc == 0) {
    enum luaws_json_token token = luaws_json_next(&b->scan);
    if (token == LUAWS_JSON_END) break;
    if (token == LUAWS_JSON_ERROR) {
      rc = decode_error(b, err);
    } else if (!take(b, token)) {
      rc = luaws_error_memory(err);
    }
  }
  luaws_json_finish(&b->scan);
  if (rc == 0) *out = b->root;
  free(b);
  return rc;
}

/* ---- looking ---- */

static const struct luaws_tree *find(const struct luaws_tree *t, struct luaws_str key) {
  if (!t || t->kind != LUAWS_KIND_MAP) return NULL;
  for (const struct luaws_tree *c = t->first; c; c = c->next) {
    if (luaws_str_eq(c->key, key)) return c;
  }
  return NULL;
}

const struct luaws_tree *luaws_tree_get(const struct luaws_tree *t, const char *key) {
  return find(t, luaws_str_from(key));
}

struct luaws_str luaws_tree_text(const struct luaws_tree *t, const char *key) {
  const struct luaws_tree *value = luaws_tree_get(t, key);
  return value && value->kind == LUAWS_KIND_STRING ? value->text : LUAWS_STR_NONE;
}

bool luaws_tree_flag(const struct luaws_tree *t, const char *key) {
  const struct luaws_tree *value = luaws_tree_get(t, key);
  if (!value) return false;
  if (value->kind == LUAWS_KIND_STRING) return luaws_str_is(value->text, "true");
  return value->kind == LUAWS_KIND_BOOLEAN && value->boolean;
}

/* ---- printing ---- */

static void new_line(struct luaws_buf *out, int indent, int level) {
  if (indent <= 0) return;
  luaws_buf_append_char(out, '\n');
  for (int i = 0; i < indent * level; i++)
    luaws_buf_append_char(out, ' ');
}

/* A whole one keeps a ".0": read again it is a float again. */
static void print_floating(double n, struct luaws_buf *out) {
  size_t from = out->len;
  if (!isfinite(n)) luaws_buf_append_char(out, '"');
  luaws_buf_append_double(out, n);
  if (!isfinite(n)) luaws_buf_append_char(out, '"');
  if (out->failed) return;
  if (!strpbrk(out->ptr + from, ".eNI")) luaws_buf_append_cstr(out, ".0");
}

static void print_node(const struct luaws_tree *t, struct luaws_buf *out, int indent,
                       int level) {
  switch (t->kind) {
  case LUAWS_KIND_BOOLEAN:
    luaws_buf_append_cstr(out, t->boolean ? "true" : "false");
    return;
  case LUAWS_KIND_INTEGER:
    luaws_buf_append_int(out, t->integer);
    return;
  case LUAWS_KIND_FLOAT:
    print_floating(t->floating, out);
    return;
  case LUAWS_KIND_STRING:
    luaws_json_quote(out, t->text);
    return;
  case LUAWS_KIND_LIST:
  case LUAWS_KIND_MAP:
    break;
  default:
    luaws_buf_append_cstr(out, "null");
    return;
  }
  bool map = t->kind == LUAWS_KIND_MAP;
  luaws_buf_append_char(out, map ? '{' : '[');
  for (const struct luaws_tree *c = t->first; c; c = c->next) {
    if (c != t->first) luaws_buf_append_cstr(out, indent > 0 ? "," : ", ");
    new_line(out, indent, level + 1);
    if (map) {
      luaws_json_quote(out, c->key);
      luaws_buf_append_cstr(out, ": ");
    }
    print_node(c, out, indent, level + 1);
  }
  if (t->first) new_line(out, indent, level);
  luaws_buf_append_char(out, map ? '}' : ']');
}

void luaws_tree_print(const struct luaws_tree *t, struct luaws_buf *out, int indent) {
  if (!t) return luaws_buf_append_cstr(out, "null");
  print_node(t, out, indent, 0);
}

/* ---- merging ---- */

bool luaws_tree_merge(struct luaws_arena *arena, struct luaws_tree *into,
                      const struct luaws_tree *from) {
  if (into->kind != LUAWS_KIND_MAP || from->kind != LUAWS_KIND_MAP) {
    struct luaws_tree *next = into->next;
    struct luaws_str key = into->key;
    *into = *from;
    into->next = next;
    into->key = key;
    return true;
  }
  for (const struct luaws_tree *c = from->first; c; c = c->next) {
    struct luaws_tree **link = &into->first;
    while (*link && !luaws_str_eq((*link)->key, c->key))
      link = &(*link)->next;
    if (*link) {
      if (!luaws_tree_merge(arena, *link, c)) return false;
      continue;
    }
    struct luaws_tree *copy = luaws_arena_alloc(arena, sizeof *copy);
    if (!copy) return false;
    *copy = *c;
    copy->next = NULL;
    *link = copy;
    into->count++;
  }
  return true;
}

/* ---- the reader ---- */

static struct luaws_tree_reader *reader_of(struct luaws_reader *r) {
  return (struct luaws_tree_reader *)r;
}

static const struct luaws_tree *here(struct luaws_reader *r) {
  return reader_of(r)->at[reader_of(r)->depth];
}

/* at[depth + 1] keeps the part that was last stepped into, so that a walk over a list or
   map goes on from there. */
static bool enter(struct luaws_tree_reader *r, const struct luaws_tree *t) {
  if (!t || r->depth + 2 >= PATH_MAX_DEPTH) return false;
  r->at[++r->depth] = t;
  r->at[r->depth + 1] = NULL;
  return true;
}

static enum luaws_kind read_kind(struct luaws_reader *r) {
  return here(r) ? here(r)->kind : LUAWS_KIND_NONE;
}

static bool read_boolean(struct luaws_reader *r) {
  return here(r)->boolean;
}

static int64_t read_integer(struct luaws_reader *r) {
  return here(r)->integer;
}

static double read_floating(struct luaws_reader *r) {
  const struct luaws_tree *t = here(r);
  return t->kind == LUAWS_KIND_INTEGER ? (double)t->integer : t->floating;
}

static struct luaws_str read_bytes(struct luaws_reader *r) {
  return here(r)->text;
}

static bool is_blob(struct luaws_reader *r) {
  if (!reader_of(r)->blobs) return true;
  struct luaws_buf bytes = {0};
  bool ok = luaws_base64_decode(&bytes, here(r)->text);
  luaws_buf_clear(&bytes);
  return ok;
}

/* Base64 that is none, which validation tells, reads as it stands. */
static struct luaws_str read_blob(struct luaws_reader *r) {
  struct luaws_arena *arena = reader_of(r)->blobs;
  struct luaws_str text = here(r)->text;
  if (!arena) return text;
  struct luaws_buf bytes = {0};
  if (luaws_base64_decode(&bytes, text) && !bytes.failed)
    text = luaws_arena_str(arena, luaws_buf_str(&bytes));
  luaws_buf_clear(&bytes);
  return text;
}

static int read_stream(struct luaws_reader *r, struct luaws_stream *out,
                       struct luaws_error *err) {
  struct luaws_str s = read_blob(r);
  *out = (struct luaws_stream){
      .kind = LUAWS_STREAM_BYTES, .length = (int64_t)s.len, .bytes = s, .fd = -1};
  return 0;
}

static size_t read_length(struct luaws_reader *r) {
  return here(r)->count;
}

static bool enter_member(struct luaws_reader *r, struct luaws_str name) {
  return enter(reader_of(r), find(here(r), name));
}

static bool enter_item(struct luaws_reader *r, size_t index) {
  struct luaws_tree_reader *t = reader_of(r);
  const struct luaws_tree *list = here(r), *item = t->at[t->depth + 1];
  if (!list || list->kind != LUAWS_KIND_LIST || index >= list->count) return false;
  size_t i = t->index[t->depth];
  if (!item || i > index) {
    item = list->first;
    i = 0;
  }
  for (; i < index; i++)
    item = item->next;
  t->index[t->depth] = index;
  return enter(t, item);
}

static void leave(struct luaws_reader *r) {
  reader_of(r)->depth--;
}

static void begin_entries(struct luaws_reader *r) {
  reader_of(r)->at[reader_of(r)->depth + 1] = NULL;
}

static bool next_entry(struct luaws_reader *r, struct luaws_str *key,
                       enum luaws_kind *key_kind) {
  struct luaws_tree_reader *t = reader_of(r);
  const struct luaws_tree *before = t->at[t->depth + 1];
  if (!enter(t, before ? before->next : here(r)->first)) return false;
  *key = here(r)->key;
  *key_kind = LUAWS_KIND_STRING;
  return true;
}

static void end_entries(struct luaws_reader *r) {
}

static void describe(struct luaws_reader *r, struct luaws_buf *out) {
  luaws_tree_print(here(r), out, 0);
}

static const char *type_name(struct luaws_reader *r) {
  switch (read_kind(r)) {
  case LUAWS_KIND_BOOLEAN:
    return "boolean";
  case LUAWS_KIND_INTEGER:
  case LUAWS_KIND_FLOAT:
    return "number";
  case LUAWS_KIND_STRING:
    return "string";
  case LUAWS_KIND_LIST:
    return "array";
  case LUAWS_KIND_MAP:
    return "object";
  default:
    return "null";
  }
}

static const struct luaws_reader_ops reader_ops = {
    .kind = read_kind,
    .boolean = read_boolean,
    .integer = read_integer,
    .floating = read_floating,
    .bytes = read_bytes,
    .blob = read_blob,
    .is_blob = is_blob,
    .stream = read_stream,
    .length = read_length,
    .enter_member = enter_member,
    .enter_item = enter_item,
    .leave = leave,
    .begin_entries = begin_entries,
    .next_entry = next_entry,
    .end_entries = end_entries,
    .describe = describe,
    .type_name = type_name,
};

void luaws_tree_reader_init(struct luaws_tree_reader *r, const struct luaws_tree *root) {
  r->blobs = NULL;
  r->base.ops = &reader_ops;
  r->depth = 0;
  r->at[0] = root;
  r->at[1] = NULL;
}

/* ---- the writer ---- */

static struct luaws_tree_writer *writer_of(struct luaws_writer *w) {
  return (struct luaws_tree_writer *)w;
}

static struct luaws_tree *put(struct luaws_writer *base, enum luaws_kind kind) {
  struct luaws_tree_writer *w = writer_of(base);
  if (w->failed) return NULL;
  struct luaws_tree *t = luaws_arena_alloc(w->arena, sizeof *t);
  if (!t) {
    w->failed = true;
    return NULL;
  }
  t->kind = kind;
  if (w->depth == 0) {
    w->root = t;
    return t;
  }
  add_child(w->open[w->depth - 1], &w->last[w->depth - 1], w->pending_key, t);
  return t;
}

static void step_in(struct luaws_tree_writer *w, struct luaws_tree *t) {
  if (!t) return;
  if (w->depth == PATH_MAX_DEPTH) {
    w->failed = true;
    return;
  }
  struct luaws_tree *last = t->first;
  while (last && last->next)
    last = last->next;
  w->open[w->depth] = t;
  w->last[w->depth] = last;
  w->depth++;
}

static void write_begin_map(struct luaws_writer *w, size_t hint, bool untyped) {
  step_in(writer_of(w), put(w, LUAWS_KIND_MAP));
}

static void write_begin_list(struct luaws_writer *w, size_t hint, bool untyped) {
  step_in(writer_of(w), put(w, LUAWS_KIND_LIST));
}

static void write_key(struct luaws_writer *base, struct luaws_str key) {
  struct luaws_tree_writer *w = writer_of(base);
  if (w->failed) return;
  w->pending_key = luaws_arena_str(w->arena, key);
  if (!w->pending_key.ptr) w->failed = true;
}

static void write_end(struct luaws_writer *w) {
  if (!writer_of(w)->failed) writer_of(w)->depth--;
}

static void resume(struct luaws_writer *base, enum luaws_kind kind) {
  struct luaws_tree_writer *w = writer_of(base);
  if (w->failed) return;
  struct luaws_tree *t = w->depth ? w->open[w->depth - 1]->first : NULL;
  while (t && !(t->kind == kind && luaws_str_eq(t->key, w->pending_key)))
    t = t->next;
  step_in(w, t ? t : put(base, kind));
}

static void write_resume_list(struct luaws_writer *w) {
  resume(w, LUAWS_KIND_LIST);
}

static void write_resume_map(struct luaws_writer *w) {
  resume(w, LUAWS_KIND_MAP);
}

static void write_null(struct luaws_writer *w) {
  put(w, LUAWS_KIND_NULL);
}

static void write_boolean(struct luaws_writer *w, bool b) {
  struct luaws_tree *t = put(w, LUAWS_KIND_BOOLEAN);
  if (t) t->boolean = b;
}

static void write_integer(struct luaws_writer *w, int64_t n) {
  struct luaws_tree *t = put(w, LUAWS_KIND_INTEGER);
  if (t) t->integer = n;
}

static void write_floating(struct luaws_writer *w, double n) {
  struct luaws_tree *t = put(w, LUAWS_KIND_FLOAT);
  if (t) t->floating = n;
}

static void write_bytes(struct luaws_writer *w, struct luaws_str s) {
  struct luaws_tree *t = put(w, LUAWS_KIND_STRING);
  if (!t) return;
  t->text = luaws_arena_str(writer_of(w)->arena, s);
  if (!t->text.ptr) writer_of(w)->failed = true;
}

static void write_blob(struct luaws_writer *w, struct luaws_str s) {
  if (!writer_of(w)->base64_blobs) {
    write_bytes(w, s);
    return;
  }
  struct luaws_buf text = {0};
  luaws_base64_encode(&text, s);
  if (text.failed)
    writer_of(w)->failed = true;
  else
    write_bytes(w, luaws_buf_str(&text));
  luaws_buf_clear(&text);
}

static void write_timestamp(struct luaws_writer *w, double seconds) {
  if (seconds == floor(seconds) && fabs(seconds) < 9007199254740992.0) {
    write_integer(w, (int64_t)seconds);
  } else {
    write_floating(w, seconds);
  }
}

/* A tree has no place for a body that is still to be read: whoever wants it in the tree
   has read it. */
static void write_stream(struct luaws_writer *w) {
  if (writer_of(w)->body.ptr)
    write_blob(w, writer_of(w)->body);
  else
    put(w, LUAWS_KIND_NULL);
}

static const struct luaws_writer_ops writer_ops = {
    .begin_map = write_begin_map,
    .key = write_key,
    .end_map = write_end,
    .begin_list = write_begin_list,
    .end_list = write_end,
    .resume_list = write_resume_list,
    .resume_map = write_resume_map,
    .null = write_null,
    .boolean = write_boolean,
    .integer = write_integer,
    .floating = write_floating,
    .bytes = write_bytes,
    .blob = write_blob,
    .timestamp = write_timestamp,
    .stream = write_stream,
};

void luaws_tree_writer_init(struct luaws_tree_writer *w, struct luaws_arena *arena) {
  *w = (struct luaws_tree_writer){.base.ops = &writer_ops, .arena = arena};
}
