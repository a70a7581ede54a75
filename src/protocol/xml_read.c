#include "protocol/xml_read.h"

#include "protocol/parser.h"
#include "protocol/answer.h"
#include "protocol/scalar.h"

#include <expat.h>
#include <stdio.h>
#include <stdlib.h>

enum role {
  DOCUMENT,  /* the root is its only child */
  OUTER,     /* an element on the way to the target */
  METADATA,  /* ResponseMetadata */
  STRUCTURE, /* children are members */
  LIST,      /* children are items, whatever their names */
  MAP,       /* children are entries, whatever their names */
  ENTRY,     /* key and value */
  KEY,       /* text that becomes reading.key */
  SCALAR,    /* text that becomes a value */
  CAPTURE,   /* text that becomes the request id */
};

struct frame {
  const struct luaws_shape *shape;
  const struct luaws_member *member; /* in the frame below; NULL for what has no name */
  const struct luaws_member *open; /* STRUCTURE: a flattened list or map being written */
  const struct luaws_member *twin; /* a single value beside that list, of the same name */
  struct luaws_str twin_text;      /* in the arena */
  uint8_t role;
  bool is_item;   /* of a list: its place counts in messages */
  bool bare;      /* begin_map and end_map are the caller's */
  bool capture;   /* SCALAR: the request id too */
  bool has_key;   /* ENTRY */
  bool held;      /* ENTRY: a scalar value came before its key, in scratch */
  unsigned hint;  /* STRUCTURE: where to look for the next member */
  uint32_t count; /* members, items or entries so far */
  uint32_t items; /* STRUCTURE: of the open flattened list */
};

enum { MAX_FRAMES = LUAWS_MAX_NESTING + 4 };

enum { MAX_METADATA = 32 };

struct luaws_xml_reading {
  const struct luaws_xml_target *target;
  struct luaws_writer *out;
  const struct luaws_writer_ops *ops;
  struct luaws_parser *parser;
  struct luaws_error *err;
  int rc;
  bool found;                     /* the target */
  bool collecting;                /* character data is wanted */
  struct luaws_str metadata_name; /* of what a CAPTURE takes; none = the request's id */
  unsigned skip;                  /* how deep in elements that nobody wants */
  int depth;                      /* of the top frame */
  struct frame frames[MAX_FRAMES];
};

/* ---- failing ---- */

/* What is read, as a path for a message: "Reservations[0].Instances[2].LaunchTime". */
static void write_path(const struct luaws_xml_reading *x, struct luaws_buf *out) {
  for (int i = 0; i <= x->depth; i++) {
    const struct frame *f = &x->frames[i];
    if (f->member && f->member->name) {
      if (out->len) luaws_buf_append_char(out, '.');
      luaws_buf_append_str(out, luaws_ref_text(&f->member->name));
    }
    if (i == x->depth) break;
    bool flattened_item = f->role == STRUCTURE && f->open && x->frames[i + 1].is_item;
    if (f->role == LIST) luaws_buf_printf(out, "[%u]", f->count - 1);
    if (flattened_item) {
      if (out->len) luaws_buf_append_char(out, '.');
      luaws_buf_append_str(out, luaws_ref_text(&f->open->name));
      luaws_buf_printf(out, "[%u]", f->items - 1);
    }
    if (f->role == ENTRY && f->has_key) {
      luaws_buf_append_char(out, '.');
      luaws_buf_append_str(out, luaws_buf_str(&x->parser->key));
    }
  }
  if (out->len == 0) luaws_buf_append_cstr(out, "the response");
}

/* From here on every element is skipped. */
static void stop(struct luaws_xml_reading *x, int rc) {
  x->rc = rc;
  x->skip = 1u << 30;
  x->collecting = false;
  XML_StopParser(x->parser->xml, XML_FALSE);
}

static void fail(struct luaws_xml_reading *x, const char *what) {
  struct luaws_buf *path = &x->parser->scratch;
  luaws_buf_reset(path);
  write_path(x, path);
  stop(x, luaws_error_set(x->err, LUAWS_E_RESPONSE, "ResponseParserError",
                          "Unable to parse response: %.*s: %s",
                          LUAWS_STR_ARG(luaws_buf_str(path)), what));
}

/* ---- frames ---- */

static struct frame *push(struct luaws_xml_reading *x, enum role role,
                          const struct luaws_shape *shape,
                          const struct luaws_member *member) {
  if (x->depth + 1 == MAX_FRAMES) {
    stop(x, luaws_error_set(x->err, LUAWS_E_RESPONSE, "ResponseParserError",
                            "Unable to parse response: nested deeper than %d elements",
                            LUAWS_MAX_NESTING));
    return NULL;
  }
  struct frame *f = &x->frames[++x->depth];
  *f = (struct frame){.role = role, .shape = shape, .member = member};
  return f;
}

static void collect(struct luaws_xml_reading *x) {
  luaws_buf_reset(&x->parser->text);
  x->collecting = true;
}

static struct luaws_str local_name(const char *name) {
  const char *colon = strchr(name, ':');
  return luaws_str_from(colon ? colon + 1 : name);
}

/* An element begins whose value is wanted; its key, if any, was written. */
static struct frame *begin_value(struct luaws_xml_reading *x,
                                 const struct luaws_shape *shape,
                                 const struct luaws_member *member, bool bare) {
  enum role role = shape->type == LUAWS_TYPE_STRUCTURE ? STRUCTURE
                   : shape->type == LUAWS_TYPE_LIST    ? LIST
                   : shape->type == LUAWS_TYPE_MAP     ? MAP
                                                       : SCALAR;
  struct frame *f = push(x, role, shape, member);
  if (!f) {
    if (!bare) x->ops->null(x->out); /* its key may have been written */
    return NULL;
  }
  f->bare = bare;
  if (role == SCALAR) {
    collect(x);
  } else if (role == LIST) {
    x->ops->begin_list(x->out, luaws_parser_size(x->parser, shape), false);
  } else if (!bare) {
    x->ops->begin_map(x->out, luaws_parser_size(x->parser, shape), false);
  }
  return f;
}

/* ---- structures ---- */

static void close_open(struct luaws_xml_reading *x, struct frame *f) {
  if (!f->open) return;
  bool list = luaws_member_shape(f->open)->type == LUAWS_TYPE_LIST;
  f->open = NULL;
  if (!list) return x->ops->end_map(x->out);
  x->ops->end_list(x->out);
  if (!f->twin) return;
  x->ops->key(x->out, luaws_ref_text(&f->twin->name));
  x->ops->bytes(x->out, f->twin_text);
  f->twin = NULL;
}

static bool is_flattened(const struct luaws_member *m, const struct luaws_shape *shape) {
  return (m->flags & LUAWS_MEMBER_FLATTENED) &&
         (shape->type == LUAWS_TYPE_LIST || shape->type == LUAWS_TYPE_MAP);
}

/* A flattened list is named by its item's own name where it has one. */
static const struct luaws_member *flattened_member(const struct luaws_shape *shape,
                                                   struct luaws_str name) {
  for (unsigned i = 0; i < shape->member_count; i++) {
    const struct luaws_member *m = luaws_shape_member_at(shape, i);
    if (!(m->flags & LUAWS_MEMBER_FLATTENED)) continue;
    const struct luaws_shape *list = luaws_member_shape(m);
    if (list->type != LUAWS_TYPE_LIST) continue;
    const struct luaws_member *item = luaws_shape_member_at(list, 0);
    if (luaws_str_eq(luaws_ref_text(&item->wire_name), name)) return m;
  }
  return NULL;
}

/* S3 once had a single event where there is a list of them now, under the same name on
   the wire; both are told. */
static const struct luaws_member *
find_twin(const struct luaws_shape *shape, const struct luaws_member *m, bool flattened) {
  struct luaws_str name = luaws_ref_text(&m->wire_name);
  for (unsigned i = 0; i < shape->member_count; i++) {
    const struct luaws_member *other = luaws_shape_member_at(shape, i);
    if (other == m || !luaws_str_eq(luaws_ref_text(&other->wire_name), name)) continue;
    uint8_t type = luaws_member_shape(other)->type;
    bool other_flattened =
        type == LUAWS_TYPE_LIST && (other->flags & LUAWS_MEMBER_FLATTENED);
    if (flattened ? type == LUAWS_TYPE_STRING : other_flattened) return other;
  }
  return NULL;
}

static const struct luaws_member *find_member(struct frame *f, struct luaws_str name) {
  if (!f->shape) return NULL;
  const struct luaws_member *m = luaws_shape_wire_member(f->shape, name, &f->hint);
  if (!m) m = flattened_member(f->shape, name);
  if (!m || m->location != LUAWS_IN_BODY || (m->flags & LUAWS_MEMBER_XML_ATTRIBUTE)) {
    return NULL;
  }
  return m;
}

static void count_union_member(struct luaws_xml_reading *x, struct frame *f) {
  if (++f->count > 1 && (f->shape->flags & LUAWS_SHAPE_UNION)) {
    fail(x, "a union has more than one member set");
  }
}

static void unknown_member(struct luaws_xml_reading *x, struct frame *f,
                           struct luaws_str name) {
  if (f->bare && x->target->result_metadata && luaws_str_is(name, "ResponseMetadata")) {
    push(x, METADATA, NULL, NULL);
    return;
  }
  x->skip = 1;
  if (!f->shape || !(f->shape->flags & LUAWS_SHAPE_UNION)) return;
  if (luaws_str_is(name, "__type")) return;
  count_union_member(x, f);
  if (x->rc) return;
  luaws_write_unknown_member(x->out, name);
}

static void read_attributes(struct luaws_xml_reading *x, const struct luaws_shape *shape,
                            const XML_Char **atts);

static void begin_member(struct luaws_xml_reading *x, struct frame *f, const char *tag,
                         const XML_Char **atts) {
  struct luaws_str name = local_name(tag);
  const struct luaws_member *m = find_member(f, name);
  bool capture = f->bare && x->target->root_request_id && x->depth == 1 &&
                 luaws_str_is(name, "requestId");
  if (!m) {
    close_open(x, f);
    if (!capture) return unknown_member(x, f, name);
    if (push(x, CAPTURE, NULL, NULL)) collect(x);
    return;
  }
  const struct luaws_shape *shape = luaws_member_shape(m), *item_shape;
  if ((m->flags & LUAWS_MEMBER_DEPRECATED) && shape->type == LUAWS_TYPE_STRING) {
    const struct luaws_member *list = find_twin(f->shape, m, false);
    if (list) m = list, shape = luaws_member_shape(m);
  }
  if (m != f->open) close_open(x, f);
  if (f->open != m) count_union_member(x, f);
  if (x->rc) return;
  struct frame *top;
  if (!is_flattened(m, shape)) {
    x->ops->key(x->out, luaws_ref_text(&m->name));
    top = begin_value(x, shape, m, false);
    if (top) top->capture = capture;
  } else if (shape->type == LUAWS_TYPE_LIST) {
    if (!f->open) {
      x->ops->key(x->out, luaws_ref_text(&m->name));
      x->ops->resume_list(x->out);
      f->open = m;
      f->items = 0;
    }
    f->items++;
    item_shape = luaws_member_shape(luaws_shape_member_at(shape, 0));
    if (f->items == 1 && item_shape->type == LUAWS_TYPE_STRING) {
      f->twin = find_twin(f->shape, m, true);
      f->twin_text = LUAWS_STR("");
    }
    top = begin_value(x, item_shape, NULL, false);
    if (top) top->is_item = true;
  } else {
    if (!f->open) {
      x->ops->key(x->out, luaws_ref_text(&m->name));
      x->ops->resume_map(x->out);
      f->open = m;
    }
    top = push(x, ENTRY, shape, m);
  }
  if (top && top->role == STRUCTURE && atts[0]) read_attributes(x, top->shape, atts);
}

/* Members that stand as attributes of the structure's own element ("xsi:type"). The
   prefix is the sender's choice. */
static void read_attributes(struct luaws_xml_reading *x, const struct luaws_shape *shape,
                            const XML_Char **atts) {
  for (unsigned i = 0; i < shape->member_count; i++) {
    const struct luaws_member *m = luaws_shape_member_at(shape, i);
    if (!(m->flags & LUAWS_MEMBER_XML_ATTRIBUTE)) continue;
    struct luaws_str wanted = luaws_ref_text(&m->wire_name);
    ptrdiff_t colon = luaws_str_find(wanted, ':');
    for (const XML_Char **a = atts; a[0]; a += 2) {
      bool prefixed = strchr(a[0], ':') && strncmp(a[0], "xmlns", 5) != 0;
      bool same = luaws_str_is(wanted, a[0]) ||
                  (prefixed && colon >= 0 &&
                   luaws_str_eq(local_name(a[0]),
                                luaws_str_sub(wanted, (size_t)colon + 1, wanted.len)));
      if (!same) continue;
      x->ops->key(x->out, luaws_ref_text(&m->name));
      x->ops->bytes(x->out, luaws_str_from(a[1]));
      x->frames[x->depth].count++;
      break;
    }
  }
}

/* ---- lists and maps ---- */

static void begin_item(struct luaws_xml_reading *x, struct frame *f,
                       const XML_Char **atts) {
  const struct luaws_member *item = luaws_shape_member_at(f->shape, 0);
  const struct luaws_shape *shape = luaws_member_shape(item);
  f->count++;
  struct frame *top = begin_value(x, shape, NULL, false);
  if (!top) return;
  top->is_item = true;
  if (top->role == STRUCTURE && atts[0]) read_attributes(x, top->shape, atts);
}

static void begin_key_or_value(struct luaws_xml_reading *x, struct frame *f,
                               const char *tag, const XML_Char **atts) {
  const struct luaws_member *key = luaws_shape_member_at(f->shape, 0), *value = key + 1;
  struct luaws_str name = local_name(tag);
  struct luaws_str key_name = luaws_ref_text(&key->wire_name);
  struct luaws_str value_name = luaws_ref_text(&value->wire_name);
  if (luaws_str_eq(name, key_name.ptr ? key_name : LUAWS_STR("key"))) {
    if (push(x, KEY, luaws_member_shape(key), NULL)) collect(x);
    return;
  }
  if (!luaws_str_eq(name, value_name.ptr ? value_name : LUAWS_STR("value"))) {
    return fail(x, "an entry of a map holds neither key nor value");
  }
  const struct luaws_shape *shape = luaws_member_shape(value);
  bool scalar = shape->type > LUAWS_TYPE_MAP;
  if (f->count++) return fail(x, "an entry of a map has two values");
  if (!f->has_key && !scalar)
    return fail(x, "an entry of a map has its value before its key");
  if (f->has_key) x->ops->key(x->out, luaws_buf_str(&x->parser->key));
  struct frame *top = begin_value(x, shape, NULL, false);
  if (top && top->role == STRUCTURE && atts[0]) read_attributes(x, top->shape, atts);
}

/* ---- what leads to the target ---- */

static void begin_target(struct luaws_xml_reading *x, const XML_Char **atts) {
  const struct luaws_xml_target *t = x->target;
  x->found = true;
  struct frame *f;
  if (!t->shape || (t->bare && t->shape->type == LUAWS_TYPE_STRUCTURE)) {
    f = push(x, STRUCTURE, t->shape, NULL);
    if (f) f->bare = true;
  } else {
    f = begin_value(x, t->shape, NULL, false);
  }
  if (f && f->shape && f->role == STRUCTURE && atts[0])
    read_attributes(x, f->shape, atts);
}

static void begin_outer(struct luaws_xml_reading *x, const char *tag,
                        const XML_Char **atts) {
  const struct luaws_xml_target *t = x->target;
  struct luaws_str name = local_name(tag);
  int level = x->depth; /* 0: the root begins */
  if (level == 0) {
    if (t->path_length == 0 && !(t->result_metadata && !t->shape))
      return begin_target(x, atts);
    push(x, OUTER, NULL, NULL);
  } else if (!x->found && level <= t->path_length &&
             luaws_str_eq(name, t->path[level - 1])) {
    if (level == t->path_length) return begin_target(x, atts);
    push(x, OUTER, NULL, NULL);
  } else if (level == 1 && t->result_metadata && luaws_str_is(name, "ResponseMetadata")) {
    push(x, METADATA, NULL, NULL);
  } else {
    x->skip = 1;
  }
}

static void begin_metadata(struct luaws_xml_reading *x, const char *tag) {
  struct luaws_str name = local_name(tag);
  const struct luaws_headers *others = x->target->metadata;
  bool other = !luaws_str_is(name, "RequestId");
  if (other && (!others || others->count == MAX_METADATA)) {
    x->skip = 1;
    return;
  }
  if (other) x->metadata_name = luaws_arena_str(x->target->arena, name);
  if (push(x, CAPTURE, NULL, NULL)) collect(x);
}

/* ---- expat's callbacks ---- */

static void start_element(struct luaws_xml_reading *x, const XML_Char *tag,
                          const XML_Char **atts) {
  if (x->skip) {
    x->skip++;
    return;
  }
  struct frame *f = &x->frames[x->depth];
  switch ((enum role)f->role) {
  case STRUCTURE:
    return begin_member(x, f, tag, atts);
  case LIST:
    return begin_item(x, f, atts);
  case MAP:
    f->count++;
    push(x, ENTRY, f->shape, NULL);
    return;
  case ENTRY:
    return begin_key_or_value(x, f, tag, atts);
  case DOCUMENT:
  case OUTER:
    return begin_outer(x, tag, atts);
  case METADATA:
    return begin_metadata(x, tag);
  case KEY:
  case SCALAR:
    return fail(x, "an element holds others where text was expected");
  case CAPTURE:
    x->skip = 1;
    return;
  }
}

static void XMLCALL on_start(void *data, const XML_Char *tag, const XML_Char **atts) {
  struct luaws_xml_reading *x = data;
  start_element(x, tag, atts);
  luaws_parser_resume(x->parser);
}

static void XMLCALL on_text(void *data, const XML_Char *s, int len) {
  struct luaws_xml_reading *x = data;
  if (x->collecting && !x->skip) luaws_buf_append(&x->parser->text, s, (size_t)len);
}

static void take_request_id(struct luaws_xml_reading *x) {
  if (!x->target->request_id) return;
  *x->target->request_id =
      luaws_arena_str(x->target->arena, luaws_buf_str(&x->parser->text));
}

static void take_metadata(struct luaws_xml_reading *x) {
  struct luaws_str name = x->metadata_name;
  if (!name.ptr) return take_request_id(x);
  x->metadata_name = LUAWS_STR_NONE;
  struct luaws_str text = luaws_buf_str(&x->parser->text);
  if (!luaws_headers_set(x->target->metadata, name, text))
    stop(x, luaws_error_memory(x->err));
}

static void end_scalar(struct luaws_xml_reading *x, struct frame *f) {
  struct luaws_parser *p = x->parser;
  x->collecting = false;
  if (p->text.failed) {
    luaws_buf_clear(&p->text);
    return stop(x, luaws_error_memory(x->err));
  }
  if (f->capture) take_request_id(x);
  struct frame *below = &x->frames[x->depth - 1];
  if (below->twin) {
    below->twin_text = luaws_arena_str(x->target->arena, luaws_buf_str(&p->text));
  }
  if (below->role == ENTRY && !below->has_key) {
    /* The value of a map's entry before its key. */
    luaws_buf_reset(&p->scratch);
    luaws_buf_append_str(&p->scratch, luaws_buf_str(&p->text));
    below->held = true;
    return;
  }
  const char *wanted =
      luaws_scalar_parse(x->out, f->shape, luaws_buf_str(&p->text), &p->scratch);
  if (!wanted) return;
  x->ops->null(x->out); /* its key was written */
  f->count = 1;
  char what[64];
  snprintf(what, sizeof what, "the text is not %s", wanted);
  fail(x, what);
}

static void end_key(struct luaws_xml_reading *x) {
  struct luaws_parser *p = x->parser;
  struct frame *entry = &x->frames[x->depth - 1];
  x->collecting = false;
  luaws_buf_reset(&p->key);
  luaws_buf_append_str(&p->key, luaws_buf_str(&p->text));
  if (p->key.failed || p->text.failed) {
    luaws_buf_clear(&p->key);
    luaws_buf_clear(&p->text);
    return stop(x, luaws_error_memory(x->err));
  }
  entry->has_key = true;
  if (!entry->held) return;
  entry->held = false;
  const struct luaws_member *value = luaws_shape_member_at(entry->shape, 1);
  luaws_buf_reset(&p->text);
  luaws_buf_append_str(&p->text, luaws_buf_str(&p->scratch));
  x->ops->key(x->out, luaws_buf_str(&p->key));
  const char *wanted = luaws_scalar_parse(x->out, luaws_member_shape(value),
                                          luaws_buf_str(&p->text), &p->scratch);
  if (!wanted) return;
  x->ops->null(x->out);
  fail(x, "the value of a map's entry is not what the model says");
}

static void end_structure(struct luaws_xml_reading *x, struct frame *f) {
  close_open(x, f);
  if (f->shape && (f->shape->flags & LUAWS_SHAPE_UNION) && f->count == 0 && !x->rc) {
    return fail(x, "a union has no member set");
  }
  if (!f->bare) x->ops->end_map(x->out);
}

static void end_frame(struct luaws_xml_reading *x, struct frame *f) {
  switch ((enum role)f->role) {
  case STRUCTURE:
    end_structure(x, f);
    break;
  case LIST:
    x->ops->end_list(x->out);
    break;
  case MAP:
    x->ops->end_map(x->out);
    break;
  case ENTRY:
    if (!f->has_key && !x->rc) fail(x, "an entry of a map has no key");
    break;
  case KEY:
    end_key(x);
    break;
  case SCALAR:
    end_scalar(x, f);
    break;
  case CAPTURE:
    x->collecting = false;
    take_metadata(x);
    break;
  case DOCUMENT:
  case OUTER:
  case METADATA:
    break;
  }
}

static void end_element(struct luaws_xml_reading *x) {
  if (x->skip) {
    x->skip--;
    return;
  }
  struct frame *f = &x->frames[x->depth];
  end_frame(x, f);
  if (x->rc) return; /* unwind() takes what is left */
  if (f->shape && (f->role == STRUCTURE || f->role == LIST || f->role == MAP))
    luaws_parser_learn_size(x->parser, f->shape, f->count);
  x->depth--;
}

static void XMLCALL on_end(void *data, const XML_Char *tag) {
  struct luaws_xml_reading *x = data;
  end_element(x);
  luaws_parser_resume(x->parser);
}

static void XMLCALL on_doctype(void *data, const XML_Char *name, const XML_Char *sysid,
                               const XML_Char *pubid, int has_internal_subset) {
  struct luaws_xml_reading *x = data;
  /* No AWS service sends one, and entities are how small documents grow large. */
  if (!x->rc) fail(x, "a document type declaration");
}

/* ---- the whole ---- */

/* Ends in the writer what was begun, after a failure. */
static void unwind(struct luaws_xml_reading *x) {
  for (; x->depth > 0; x->depth--) {
    struct frame *f = &x->frames[x->depth];
    if (f->role == SCALAR && !f->bare) {
      /* A scalar that never ended, whose key was written. */
      struct frame *below = &x->frames[x->depth - 1];
      bool owed = !(below->role == ENTRY && !below->has_key);
      if (owed && f->count == 0) x->ops->null(x->out);
    } else if (f->role == STRUCTURE) {
      close_open(x, f);
      if (!f->bare) x->ops->end_map(x->out);
    } else if (f->role == LIST) {
      x->ops->end_list(x->out);
    } else if (f->role == MAP) {
      x->ops->end_map(x->out);
    }
  }
}

static int xml_failure(struct luaws_xml_reading *x, struct luaws_parser *p,
                       struct luaws_error *err) {
  enum XML_Error code = XML_GetErrorCode(p->xml);
  if (code == XML_ERROR_NO_MEMORY) return luaws_error_memory(err);
  return luaws_error_set(
      err, LUAWS_E_RESPONSE, "ResponseParserError",
      "Unable to parse response (%s: line %lu, column %lu), invalid XML "
      "received. Further retries may succeed",
      XML_ErrorString(code), XML_GetCurrentLineNumber(p->xml),
      XML_GetCurrentColumnNumber(p->xml));
}

static int run(struct luaws_xml_reading *x, struct luaws_parser *p, struct luaws_str body,
               struct luaws_error *err) {
  enum { PIECE_BYTES = 1 << 28 }; /* expat counts in int */
  size_t at = 0;
  bool last;
  do {
    size_t n = body.len - at < PIECE_BYTES ? body.len - at : PIECE_BYTES;
    last = at + n == body.len;
    enum XML_Status ok = XML_Parse(p->xml, n ? body.ptr + at : "", (int)n, last);
    if (x->rc) return x->rc;
    if (ok != XML_STATUS_OK) return xml_failure(x, p, err);
    at += n;
  } while (!last);
  return 0;
}

int luaws_xml_read(struct luaws_parser *p, struct luaws_str body,
                   const struct luaws_xml_target *target, struct luaws_writer *out,
                   struct luaws_error *err) {
  if (!p->reading) p->reading = malloc(sizeof *p->reading);
  if (!p->reading || !luaws_parser_xml(p)) return luaws_error_memory(err);
  struct luaws_xml_reading *x = p->reading;
  x->target = target;
  x->out = out;
  x->ops = out->ops;
  x->parser = p;
  x->err = err;
  x->rc = 0;
  x->found = x->collecting = false;
  x->metadata_name = LUAWS_STR_NONE;
  x->skip = 0;
  x->depth = 0;
  x->frames[0] = (struct frame){.role = DOCUMENT};
  XML_SetUserData(p->xml, x);
  XML_SetElementHandler(p->xml, on_start, on_end);
  XML_SetCharacterDataHandler(p->xml, on_text);
  XML_SetStartDoctypeDeclHandler(p->xml, on_doctype);
  p->xml_in_use = true;
  int rc = run(x, p, body, err);
  if (rc) unwind(x);
  p->xml_in_use = false;
  if (rc == 0 && !x->found && target->shape && !target->may_miss) {
    rc = luaws_error_set(err, LUAWS_E_RESPONSE, "ResponseParserError",
                         "Unable to parse response: no <%.*s> in it",
                         LUAWS_STR_ARG(target->path[0]));
  }
  return rc;
}
