/* A first walk over the parameters in their own order only looks whether anything is
   wrong, and allocates nothing. When something is, a second walk in the order of the
   model says what, all of it.

   Readers may leave by longjmp, so what is described goes to a buffer on the stack, and
   the report grows in the caller's error. */
#include "protocol/protocol.h"

#include "base/encode.h"
#include "base/typo.h"
#include "protocol/event_write.h"
#include "protocol/scalar.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_FAULTS = 100 };

/* Where the walk stands; from the parameters' root, in the frames of the recursion. */
struct step {
  const struct step *up;
  enum { MEMBER, ITEM, MAP_VALUE, MAP_KEY } kind;
  struct luaws_str name;
  size_t index;
};

struct validation {
  struct luaws_reader *r;
  struct luaws_error *err;
  unsigned checks; /* enum luaws_checks */
  bool in_xml;     /* what is looked at goes into XML */
  bool reporting;
  unsigned faults;
  int depth;
  int sensitive; /* how many shapes around the value are so */
  bool cut;      /* there may be more faults than can be looked for */
};

/* ---- the report ---- */

static void write_path(struct luaws_buf *out, const struct step *s) {
  if (!s) return;
  write_path(out, s->up);
  switch (s->kind) {
  case MEMBER:
  case MAP_VALUE:
    if (out->len) luaws_buf_append_char(out, '.');
    luaws_buf_append_str(out, s->name);
    break;
  case ITEM:
    luaws_buf_printf(out, "[%zu]", s->index);
    break;
  case MAP_KEY:
    luaws_buf_printf(out, " (key: %.*s)", LUAWS_STR_ARG(s->name));
    break;
  }
}

static struct luaws_buf path_text(const struct step *s) {
  struct luaws_buf path = {0};
  write_path(&path, s);
  if (path.len == 0) luaws_buf_append_cstr(&path, "input");
  return path;
}

/* Takes the line, and frees it. */
static void add_line(struct validation *v, struct luaws_buf *line) {
  if (v->err && v->faults <= MAX_FAULTS && !line->failed) {
    const char *before =
        v->err->message ? v->err->message : "Parameter validation failed:";
    luaws_error_set(v->err, LUAWS_E_ARGUMENT, "ParamValidationError", "%s\n%.*s", before,
                    LUAWS_STR_ARG(luaws_buf_str(line)));
  }
  luaws_buf_clear(line);
}

/* Counts a fault of a text; true when it is to be reported. */
static bool is_text_fault(struct validation *v) {
  return ++v->faults <= MAX_FAULTS && v->reporting;
}

/* The same of all that the model says. */
static bool is_fault(struct validation *v) {
  return (v->checks & LUAWS_CHECK_SHAPES) && is_text_fault(v);
}

/* The value as text in a buffer on the stack. */
struct description {
  char text[200];
  struct luaws_buf buf;
};

static struct luaws_str describe(struct validation *v, const struct luaws_shape *shape,
                                 struct description *d) {
  if (v->sensitive || (shape->flags & LUAWS_SHAPE_SENSITIVE))
    return LUAWS_STR("(hidden)");
  d->text[0] = 0;
  d->buf = (struct luaws_buf){
      .ptr = d->text, .cap = sizeof d->text, .max_bytes = sizeof d->text - 1};
  v->r->ops->describe(v->r, &d->buf);
  return (struct luaws_str){d->text, d->buf.len};
}

static const char *table_kind(enum luaws_kind kind) {
  return kind == LUAWS_KIND_LIST ? " (a list)" : kind == LUAWS_KIND_MAP ? " (a map)" : "";
}

static void wrong_type(struct validation *v, const struct luaws_shape *shape,
                       const struct step *at, const char *valid) {
  if (!is_fault(v)) return;
  struct description d;
  struct luaws_str value = describe(v, shape, &d);
  const char *type = v->r->ops->type_name(v->r);
  const char *kind = table_kind(v->r->ops->kind(v->r));
  struct luaws_buf line = path_text(at), path = line;
  line = (struct luaws_buf){0};
  luaws_buf_printf(
      &line, "Invalid type for parameter %.*s, value: %.*s, type: %s%s, valid types: %s",
      LUAWS_STR_ARG(luaws_buf_str(&path)), LUAWS_STR_ARG(value), type, kind, valid);
  luaws_buf_clear(&path);
  add_line(v, &line);
}

/* what: "length" or "value" */
static void too_small(struct validation *v, const struct luaws_shape *shape,
                      const struct step *at, const char *what, double min) {
  if (!is_fault(v)) return;
  struct description d;
  struct luaws_str value = describe(v, shape, &d);
  struct luaws_buf path = path_text(at), line = {0};
  luaws_buf_printf(&line,
                   "Invalid %s for parameter %.*s, value: %.*s, valid min %s: ", what,
                   LUAWS_STR_ARG(luaws_buf_str(&path)), LUAWS_STR_ARG(value), what);
  luaws_buf_append_double(&line, min);
  luaws_buf_clear(&path);
  add_line(v, &line);
}

static void list_members(struct luaws_buf *line, const struct luaws_shape *shape) {
  for (unsigned i = 0; i < shape->member_count; i++) {
    if (i) luaws_buf_append_cstr(line, ", ");
    luaws_buf_append_str(line, luaws_ref_text(&luaws_shape_member_at(shape, i)->name));
  }
}

static void missing_member(struct validation *v, const struct luaws_member *m,
                           const struct step *at) {
  if (!is_fault(v)) return;
  struct luaws_buf path = path_text(at), line = {0};
  luaws_buf_printf(&line, "Missing required parameter in %.*s: \"%.*s\"",
                   LUAWS_STR_ARG(luaws_buf_str(&path)),
                   LUAWS_STR_ARG(luaws_ref_text(&m->name)));
  luaws_buf_clear(&path);
  add_line(v, &line);
}

/* The member whose name is nearest, if it is near at all. */
static struct luaws_str nearest(const struct luaws_shape *shape, struct luaws_str name) {
  struct luaws_str best = LUAWS_STR_NONE;
  size_t limit = name.len / 3 + 1;
  for (unsigned i = 0; i < shape->member_count; i++) {
    struct luaws_str other = luaws_ref_text(&luaws_shape_member_at(shape, i)->name);
    size_t n = luaws_typo_distance(name, other);
    if (n >= limit) continue;
    limit = n;
    best = other;
  }
  return best;
}

/* shape NULL: there are no parameters at all. */
static void unknown_member(struct validation *v, const struct luaws_shape *shape,
                           const struct step *at, struct luaws_str name) {
  if (!is_fault(v)) return;
  struct luaws_buf path = path_text(at), line = {0};
  luaws_buf_printf(&line, "Unknown parameter in %.*s: \"%.*s\", ",
                   LUAWS_STR_ARG(luaws_buf_str(&path)), LUAWS_STR_ARG(name));
  luaws_buf_clear(&path);
  if (!shape || shape->member_count == 0) {
    luaws_buf_append_cstr(&line, "there are none");
  } else {
    struct luaws_str near = nearest(shape, name);
    luaws_buf_append_cstr(&line, "must be one of: ");
    list_members(&line, shape);
    if (near.ptr)
      luaws_buf_printf(&line, " (did you mean \"%.*s\"?)", LUAWS_STR_ARG(near));
  }
  add_line(v, &line);
}

static void wrong_union(struct validation *v, const struct luaws_shape *shape,
                        const struct step *at, bool empty) {
  if (!is_fault(v)) return;
  struct luaws_buf path = path_text(at), line = {0};
  luaws_buf_printf(&line,
                   empty
                       ? "Must set one of the following keys for tagged union structure "
                         "%.*s: "
                       : "Invalid number of parameters set for tagged union structure "
                         "%.*s. Can only set one of the following keys: ",
                   LUAWS_STR_ARG(luaws_buf_str(&path)));
  luaws_buf_clear(&path);
  list_members(&line, shape);
  luaws_buf_append_char(&line, '.');
  add_line(v, &line);
}

/* A table that holds itself twice has more paths than there is time for: this is the last
   fault. */
static void too_deep(struct validation *v, const struct step *at) {
  v->cut = true;
  if (!is_fault(v)) return;
  struct luaws_buf path = path_text(at), line = {0};
  luaws_buf_printf(
      &line, "Parameter %.*s is nested deeper than %d levels, or holds itself",
      LUAWS_STR_ARG(luaws_str_sub(luaws_buf_str(&path), 0, 100)), LUAWS_MAX_NESTING);
  luaws_buf_clear(&path);
  add_line(v, &line);
}

/* In the first walk one fault is enough. */
static bool is_over(const struct validation *v) {
  return v->cut || (v->faults && !v->reporting);
}

/* ---- values ---- */

static void check_value(struct validation *v, const struct luaws_member *m,
                        const struct luaws_shape *shape, const struct step *at);

/* Where the first character is that XML 1.0 has no way to write, or -1: control
   characters, U+FFFE and U+FFFF. The text is UTF-8. */
static ptrdiff_t find_no_xml(struct luaws_str s) {
  for (size_t i = 0; i < s.len; i++) {
    unsigned char c = (unsigned char)s.ptr[i];
    if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') return (ptrdiff_t)i;
    if (c == 0xEF && i + 2 < s.len && (unsigned char)s.ptr[i + 1] == 0xBF &&
        (unsigned char)s.ptr[i + 2] >= 0xBE)
      return (ptrdiff_t)i;
  }
  return -1;
}

static void check_text(struct validation *v, struct luaws_str text,
                       const struct step *at) {
  ptrdiff_t bad = luaws_utf8_find_bad(text);
  const char *why = "is no UTF-8";
  if (bad < 0 && v->in_xml) {
    bad = find_no_xml(text);
    why = "begins a character that XML cannot hold";
  }
  if (bad < 0 || !is_text_fault(v)) return;
  struct luaws_buf path = path_text(at), line = {0};
  luaws_buf_printf(&line, "Invalid text for parameter %.*s: byte %zd (0x%02X) %s",
                   LUAWS_STR_ARG(luaws_buf_str(&path)), bad + 1,
                   (unsigned char)text.ptr[bad], why);
  luaws_buf_clear(&path);
  add_line(v, &line);
}

/* What no model describes has names, or numbers that become names; not both, which may be
   a list that something else got into. */
static void bad_key(struct validation *v, const struct step *at, const char *wording,
                    struct luaws_str key, enum luaws_kind kind) {
  if (!is_fault(v)) return;
  struct luaws_buf path = path_text(at), line = {0};
  if (kind == LUAWS_KIND_OTHER) {
    luaws_buf_printf(&line, "Invalid key in %s parameter %.*s, type: %.*s", wording,
                     LUAWS_STR_ARG(luaws_buf_str(&path)), LUAWS_STR_ARG(key));
  } else {
    luaws_buf_printf(&line, "Items and names in one table: %s parameter %.*s (key: %.*s)",
                     wording, LUAWS_STR_ARG(luaws_buf_str(&path)), LUAWS_STR_ARG(key));
  }
  luaws_buf_clear(&path);
  add_line(v, &line);
}

/* The path to a key that is no text would be none either. */
static void check_key_text(struct validation *v, struct luaws_str key,
                           const struct step *at) {
  struct step here = {.up = at, .kind = MAP_KEY, .name = LUAWS_STR("?")};
  check_text(v, key, &here);
}

/* What no model describes: anything that JSON can say. */
static void check_any(struct validation *v, const struct luaws_shape *shape,
                      const struct step *at, const char *wording) {
  struct luaws_reader *r = v->r;
  enum luaws_kind kind = r->ops->kind(r);
  if (kind == LUAWS_KIND_LIST || kind == LUAWS_KIND_MAP) {
    if (v->depth == LUAWS_MAX_NESTING) return too_deep(v, at);
    v->depth++;
    struct step here = {.up = at, .kind = kind == LUAWS_KIND_LIST ? ITEM : MAP_VALUE};
    if (kind == LUAWS_KIND_LIST) {
      size_t count = r->ops->length(r);
      for (; here.index < count && !is_over(v); here.index++) {
        if (!r->ops->enter_item(r, here.index)) continue;
        check_any(v, shape, &here, wording);
        r->ops->leave(r);
      }
    } else {
      enum luaws_kind key_kind, first_kind = LUAWS_KIND_NONE;
      r->ops->begin_entries(r);
      while (r->ops->next_entry(r, &here.name, &key_kind)) {
        if (key_kind == LUAWS_KIND_STRING) check_key_text(v, here.name, at);
        if (first_kind == LUAWS_KIND_NONE) first_kind = key_kind;
        if (key_kind == LUAWS_KIND_OTHER || key_kind != first_kind)
          bad_key(v, at, wording, here.name, key_kind);
        check_any(v, shape, &here, wording);
        r->ops->leave(r);
        if (is_over(v)) {
          r->ops->end_entries(r);
          break;
        }
      }
    }
    v->depth--;
    return;
  }
  if (kind == LUAWS_KIND_STRING) return check_text(v, r->ops->bytes(r), at);
  if (kind != LUAWS_KIND_STREAM && kind != LUAWS_KIND_EVENTS &&
      kind != LUAWS_KIND_OTHER && kind != LUAWS_KIND_NONE)
    return;
  if (!is_fault(v)) return;
  const char *type = r->ops->type_name(r);
  struct luaws_buf path = path_text(at), line = {0};
  luaws_buf_printf(&line, "Invalid type for %s parameter %.*s, type: %s, valid types: %s",
                   wording, LUAWS_STR_ARG(luaws_buf_str(&path)), type,
                   "string, number, boolean, table, null");
  luaws_buf_clear(&path);
  add_line(v, &line);
}

static bool is_present(struct luaws_reader *r, const struct luaws_member *m) {
  if (!r->ops->enter_member(r, luaws_ref_text(&m->name))) return false;
  r->ops->leave(r);
  return true;
}

static void check_required(struct validation *v, const struct luaws_shape *shape,
                           const struct step *at) {
  for (unsigned i = 0; i < shape->member_count && !is_over(v); i++) {
    const struct luaws_member *m = luaws_shape_member_at(shape, i);
    if (!(m->flags & LUAWS_MEMBER_REQUIRED)) continue;
    /* The call fills in its own. */
    if (!at && (m->flags & LUAWS_MEMBER_IDEMPOTENCY_TOKEN)) continue;
    if (!is_present(v->r, m)) missing_member(v, m, at);
  }
}

static void check_members_as_given(struct validation *v, const struct luaws_shape *shape,
                                   const struct step *at) {
  struct luaws_reader *r = v->r;
  struct luaws_str name;
  enum luaws_kind key_kind;
  r->ops->begin_entries(r);
  while (r->ops->next_entry(r, &name, &key_kind)) {
    const struct luaws_member *m =
        key_kind == LUAWS_KIND_STRING ? luaws_shape_member(shape, name) : NULL;
    if (m) {
      struct step here = {.up = at, .kind = MEMBER, .name = name};
      check_value(v, m, luaws_member_shape(m), &here);
    } else {
      is_fault(v);
    }
    r->ops->leave(r);
    if (is_over(v)) return r->ops->end_entries(r);
  }
}

static void check_members_in_order(struct validation *v, const struct luaws_shape *shape,
                                   const struct step *at) {
  struct luaws_reader *r = v->r;
  struct luaws_str name;
  enum luaws_kind key_kind;
  r->ops->begin_entries(r);
  while (r->ops->next_entry(r, &name, &key_kind)) {
    if (key_kind != LUAWS_KIND_STRING || !luaws_shape_member(shape, name)) {
      unknown_member(v, shape, at, name);
    }
    r->ops->leave(r);
  }
  for (unsigned i = 0; i < shape->member_count && !is_over(v); i++) {
    const struct luaws_member *m = luaws_shape_member_at(shape, i);
    struct step here = {.up = at, .kind = MEMBER, .name = luaws_ref_text(&m->name)};
    if (!r->ops->enter_member(r, here.name)) continue;
    check_value(v, m, luaws_member_shape(m), &here);
    r->ops->leave(r);
  }
}

static void check_structure(struct validation *v, const struct luaws_shape *shape,
                            const struct step *at) {
  if (shape->flags & LUAWS_SHAPE_UNION) {
    size_t count = v->r->ops->length(v->r);
    if (count != 1) wrong_union(v, shape, at, count == 0);
  }
  if (shape->flags & LUAWS_SHAPE_HAS_REQUIRED) check_required(v, shape, at);
  if (is_over(v) || v->r->ops->kind(v->r) == LUAWS_KIND_EMPTY) return;
  if (v->reporting) {
    check_members_in_order(v, shape, at);
  } else {
    check_members_as_given(v, shape, at);
  }
}

/* The least length or value, or none. */
static bool has_min(const struct luaws_shape *shape, double *min) {
  const struct luaws_shape_extra *extra = luaws_shape_extra(shape);
  if (!extra || !extra->has_min) return false;
  *min = extra->min;
  return true;
}

/* An item that the caller meant to give, as with a variable that holds nothing. */
static void hole(struct validation *v, const struct step *at) {
  if (!is_fault(v)) return;
  struct luaws_buf path = path_text(at), line = {0};
  luaws_buf_printf(&line, "Missing item in the list: parameter %.*s",
                   LUAWS_STR_ARG(luaws_buf_str(&path)));
  luaws_buf_clear(&path);
  add_line(v, &line);
}

static void check_list(struct validation *v, const struct luaws_shape *shape,
                       const struct step *at) {
  const struct luaws_member *item = luaws_shape_member_at(shape, 0);
  const struct luaws_shape *item_shape = luaws_member_shape(item);
  size_t count = v->r->ops->length(v->r);
  double min;
  if (has_min(shape, &min) && (double)count < min) too_small(v, shape, at, "length", min);
  struct step here = {.up = at, .kind = ITEM};
  for (; here.index < count && !is_over(v); here.index++) {
    if (!v->r->ops->enter_item(v->r, here.index)) {
      hole(v, &here);
      continue;
    }
    bool sparse =
        (shape->flags & LUAWS_SHAPE_SPARSE) && v->r->ops->kind(v->r) == LUAWS_KIND_NULL;
    if (!sparse) check_value(v, item, item_shape, &here);
    v->r->ops->leave(v->r);
  }
}

static void check_key(struct validation *v, const struct luaws_shape *shape,
                      const struct step *at, struct luaws_str key, enum luaws_kind kind) {
  double min;
  bool is_short = has_min(shape, &min) && (double)luaws_utf8_count(key) < min;
  if (kind == LUAWS_KIND_STRING) check_key_text(v, key, at);
  if ((kind == LUAWS_KIND_STRING && !is_short) || !is_fault(v)) return;
  struct step here = {.up = at, .kind = MAP_KEY, .name = key};
  struct luaws_buf path = path_text(&here), line = {0};
  if (is_short) {
    luaws_buf_printf(&line,
                     "Invalid length for parameter %.*s, value: %.*s, valid min "
                     "length: %.0f",
                     LUAWS_STR_ARG(luaws_buf_str(&path)), LUAWS_STR_ARG(key), min);
  } else {
    luaws_buf_printf(
        &line,
        "Invalid type for parameter %.*s, value: %.*s, type: %s, valid "
        "types: string",
        LUAWS_STR_ARG(luaws_buf_str(&path)), LUAWS_STR_ARG(key),
        kind == LUAWS_KIND_INTEGER || kind == LUAWS_KIND_FLOAT ? "number" : "no string");
  }
  luaws_buf_clear(&path);
  add_line(v, &line);
}

static void check_map(struct validation *v, const struct luaws_shape *shape,
                      const struct step *at) {
  struct luaws_reader *r = v->r;
  const struct luaws_member *key = luaws_shape_member_at(shape, 0), *value = key + 1;
  const struct luaws_shape *key_shape = luaws_member_shape(key);
  const struct luaws_shape *value_shape = luaws_member_shape(value);
  struct step here = {.up = at, .kind = MAP_VALUE};
  enum luaws_kind key_kind;
  r->ops->begin_entries(r);
  while (r->ops->next_entry(r, &here.name, &key_kind)) {
    check_key(v, key_shape, at, here.name, key_kind);
    bool sparse =
        (shape->flags & LUAWS_SHAPE_SPARSE) && r->ops->kind(r) == LUAWS_KIND_NULL;
    if (!sparse) check_value(v, value, value_shape, &here);
    r->ops->leave(r);
    if (is_over(v)) return r->ops->end_entries(r);
  }
}

static void check_string(struct validation *v, const struct luaws_member *m,
                         const struct luaws_shape *shape, const struct step *at) {
  struct luaws_str text = v->r->ops->bytes(v->r);
  double min = 0;
  bool limited = has_min(shape, &min);
  /* An empty label would leave no host name. */
  if (m && (m->flags & LUAWS_MEMBER_HOST_LABEL) && min < 1) limited = true, min = 1;
  if (limited && (double)luaws_utf8_count(text) < min)
    too_small(v, shape, at, "length", min);
  check_text(v, text, at);
}

static void check_number(struct validation *v, const struct luaws_shape *shape,
                         const struct step *at) {
  double min;
  if (has_min(shape, &min) && v->r->ops->floating(v->r) < min) {
    too_small(v, shape, at, "value", min);
  }
}

static bool may_stream(const struct luaws_member *m, const struct luaws_shape *shape) {
  return (shape->flags & LUAWS_SHAPE_STREAMING) ||
         (m && (m->flags & (LUAWS_MEMBER_STREAMING | LUAWS_MEMBER_PAYLOAD)));
}

static void check_scalar(struct validation *v, const struct luaws_member *m,
                         const struct luaws_shape *shape, const struct step *at) {
  struct luaws_reader *r = v->r;
  enum luaws_kind kind = r->ops->kind(r);
  int64_t n;
  double seconds;
  switch ((enum luaws_type)shape->type) {
  case LUAWS_TYPE_STRING:
  case LUAWS_TYPE_CHARACTER:
    if (kind != LUAWS_KIND_STRING) return wrong_type(v, shape, at, "string");
    return check_string(v, m, shape, at);
  case LUAWS_TYPE_BLOB:
    if (kind == LUAWS_KIND_STRING) {
      if (r->ops->is_blob && !r->ops->is_blob(r))
        wrong_type(v, shape, at, "string (base64)");
      return;
    }
    if (!may_stream(m, shape)) return wrong_type(v, shape, at, "string");
    if (kind != LUAWS_KIND_STREAM) wrong_type(v, shape, at, "string, file, function");
    return;
  case LUAWS_TYPE_BOOLEAN:
    if (kind != LUAWS_KIND_BOOLEAN) wrong_type(v, shape, at, "boolean");
    return;
  case LUAWS_TYPE_INTEGER:
  case LUAWS_TYPE_LONG:
    if (!luaws_read_integer(r, &n)) return wrong_type(v, shape, at, "integer");
    return check_number(v, shape, at);
  case LUAWS_TYPE_FLOAT:
  case LUAWS_TYPE_DOUBLE:
    if (kind != LUAWS_KIND_INTEGER && kind != LUAWS_KIND_FLOAT) {
      return wrong_type(v, shape, at, "number");
    }
    return check_number(v, shape, at);
  case LUAWS_TYPE_TIMESTAMP:
    if (!luaws_read_time(r, &seconds)) {
      wrong_type(v, shape, at,
                 "number (of seconds), string (ISO 8601), table (of os.date)");
    }
    return;
  default:
    return;
  }
}

/* One event of a stream. */
static void check_event(struct validation *v, const struct luaws_shape *stream,
                        const struct step *at) {
  enum luaws_kind kind = v->r->ops->kind(v->r);
  if (kind != LUAWS_KIND_MAP && kind != LUAWS_KIND_EMPTY)
    return wrong_type(v, stream, at, "table (a map of one event by its name)");
  size_t count = v->r->ops->length(v->r);
  if (count != 1) return wrong_union(v, stream, at, count == 0);
  check_structure(v, stream, at);
}

/* What a list holds is looked at beforehand, what a function or a writer gives when it is
   sent. */
static void check_events(struct validation *v, const struct luaws_shape *stream,
                         const struct step *at) {
  enum luaws_kind kind = v->r->ops->kind(v->r);
  if (kind == LUAWS_KIND_EVENTS || kind == LUAWS_KIND_STREAM || kind == LUAWS_KIND_EMPTY)
    return;
  if (kind != LUAWS_KIND_LIST)
    return wrong_type(v, stream, at, "table (a list), function, event writer");
  size_t count = v->r->ops->length(v->r);
  struct step here = {.up = at, .kind = ITEM};
  for (; here.index < count && !is_over(v); here.index++) {
    if (!v->r->ops->enter_item(v->r, here.index)) {
      hole(v, &here);
      continue;
    }
    check_event(v, stream, &here);
    v->r->ops->leave(v->r);
  }
}

static void check_value(struct validation *v, const struct luaws_member *m,
                        const struct luaws_shape *shape, const struct step *at) {
  if (v->checks & LUAWS_CHECK_XML && at && !at->up) {
    bool raw = (m->flags & LUAWS_MEMBER_PAYLOAD) && shape->type > LUAWS_TYPE_MAP;
    v->in_xml = m->location == LUAWS_IN_BODY && !raw;
  }
  if (shape->flags & (LUAWS_SHAPE_DOCUMENT | LUAWS_SHAPE_EVENTSTREAM)) {
    if (shape->flags & LUAWS_SHAPE_EVENTSTREAM) return check_events(v, shape, at);
    return check_any(v, shape, at, "document");
  }
  if (m && (m->flags & LUAWS_MEMBER_JSONVALUE) && m->location == LUAWS_IN_HEADER) {
    return check_any(v, shape, at, "JSON");
  }
  if (shape->type > LUAWS_TYPE_MAP) return check_scalar(v, m, shape, at);
  bool list = shape->type == LUAWS_TYPE_LIST;
  enum luaws_kind kind = v->r->ops->kind(v->r);
  if (kind != LUAWS_KIND_EMPTY && kind != (list ? LUAWS_KIND_LIST : LUAWS_KIND_MAP)) {
    return wrong_type(v, shape, at, list ? "table (a list)" : "table (a map)");
  }
  if (v->depth == LUAWS_MAX_NESTING) return too_deep(v, at);
  bool hidden = shape->flags & LUAWS_SHAPE_SENSITIVE;
  v->depth++;
  v->sensitive += hidden;
  if (list) {
    check_list(v, shape, at);
  } else if (shape->type == LUAWS_TYPE_MAP) {
    if (kind == LUAWS_KIND_MAP) check_map(v, shape, at);
  } else {
    check_structure(v, shape, at);
  }
  v->sensitive -= hidden;
  v->depth--;
}

/* ---- the whole ---- */

static int finish(struct validation *v) {
  if (v->faults > MAX_FAULTS) {
    luaws_error_set(
        v->err, LUAWS_E_ARGUMENT, "ParamValidationError", "%s\nand %u further faults",
        v->err && v->err->message ? v->err->message : "", v->faults - MAX_FAULTS);
  }
  if (v->err && !v->err->code) return luaws_error_memory(v->err);
  return LUAWS_E_ARGUMENT;
}

static int validate(const struct luaws_shape *shape, struct luaws_reader *value,
                    unsigned checks, struct luaws_error *err) {
  struct validation v = {.r = value, .checks = checks};
  check_value(&v, NULL, shape, NULL);
  if (!v.faults) return 0;
  luaws_error_clear(err);
  v = (struct validation){.r = value, .checks = checks, .err = err, .reporting = true};
  check_value(&v, NULL, shape, NULL);
  return finish(&v);
}

int luaws_validate_event(const struct luaws_operation *op, struct luaws_reader *event,
                         size_t index, struct luaws_error *err) {
  const struct luaws_member *m = luaws_event_input_member(op);
  const struct luaws_shape *stream = luaws_member_shape(m);
  struct step whole = {.kind = MEMBER, .name = luaws_ref_text(&m->name)};
  struct step here = {.up = &whole, .kind = ITEM, .index = index};
  struct validation v = {.r = event, .checks = LUAWS_CHECK_SHAPES};
  check_event(&v, stream, &here);
  if (!v.faults) return 0;
  luaws_error_clear(err);
  v = (struct validation){
      .r = event, .checks = LUAWS_CHECK_SHAPES, .err = err, .reporting = true};
  check_event(&v, stream, &here);
  return finish(&v);
}

int luaws_check_params(const struct luaws_operation *op, struct luaws_reader *params,
                       unsigned checks, struct luaws_error *err) {
  const struct luaws_shape *input = luaws_ref_get(&op->input);
  if (input) return validate(input, params, checks, err);
  if (params->ops->kind(params) != LUAWS_KIND_MAP || !(checks & LUAWS_CHECK_SHAPES))
    return 0;
  luaws_error_clear(err);
  struct validation v = {.r = params, .checks = checks, .err = err, .reporting = true};
  struct luaws_str name;
  enum luaws_kind key_kind;
  params->ops->begin_entries(params);
  while (params->ops->next_entry(params, &name, &key_kind)) {
    unknown_member(&v, NULL, NULL, name);
    params->ops->leave(params);
  }
  return v.faults ? finish(&v) : 0;
}
