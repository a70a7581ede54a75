#include "protocol/xml_write.h"

#include "protocol/request.h"
#include "protocol/scalar.h"

struct xml_out {
  struct luaws_serialize *s;
  struct luaws_buf *out;
  struct luaws_reader *r;
  int depth;
  struct luaws_error *err;
};

/* What an element's tag says beside its name. */
struct tag {
  struct luaws_str name;
  struct luaws_str xml_uri; /* xmlNamespace */
  struct luaws_str xml_prefix;
};

/* ---- text ---- */

/* CR and LF in text are written as references: a receiver would make one LF of both, or a
   space of them in an attribute. */
static void write_escaped(struct luaws_buf *out, struct luaws_str s, bool attribute) {
  if (s.len == 0) return;
  size_t from = 0;
  for (size_t i = 0; i < s.len; i++) {
    const char *code = NULL;
    switch (s.ptr[i]) {
    case '&':
      code = "&amp;";
      break;
    case '<':
      code = "&lt;";
      break;
    case '>':
      code = "&gt;";
      break;
    case '"':
      if (attribute) code = "&quot;";
      break;
    case '\r':
      code = "&#13;";
      break;
    case '\n':
      code = "&#10;";
      break;
    case '\t':
      if (attribute) code = "&#9;";
      break;
    }
    if (!code) continue;
    luaws_buf_append(out, s.ptr + from, i - from);
    luaws_buf_append_cstr(out, code);
    from = i + 1;
  }
  luaws_buf_append(out, s.ptr + from, s.len - from);
}

/* "<name xmlns=…", still without ">" */
static void open_tag(struct xml_out *x, const struct tag *tag) {
  luaws_buf_append_char(x->out, '<');
  luaws_buf_append_str(x->out, tag->name);
  if (!tag->xml_uri.len) return;
  luaws_buf_append_cstr(x->out, " xmlns");
  if (tag->xml_prefix.len) {
    luaws_buf_append_char(x->out, ':');
    luaws_buf_append_str(x->out, tag->xml_prefix);
  }
  luaws_buf_append_cstr(x->out, "=\"");
  write_escaped(x->out, tag->xml_uri, true);
  luaws_buf_append_char(x->out, '"');
}

static void close_tag(struct xml_out *x, const struct tag *tag) {
  luaws_buf_append_cstr(x->out, "</");
  luaws_buf_append_str(x->out, tag->name);
  luaws_buf_append_char(x->out, '>');
}

/* The element of a member: its own namespace, else that of its shape. */
static struct tag member_tag(const struct luaws_member *m, struct luaws_str name) {
  struct tag tag = {.name = name};
  const struct luaws_member_extra *own = luaws_ref_get(&m->extra);
  const struct luaws_shape_extra *shape = luaws_shape_extra(luaws_member_shape(m));
  if (own && own->xml_uri) {
    tag.xml_uri = luaws_ref_text(&own->xml_uri);
    tag.xml_prefix = luaws_ref_text(&own->xml_prefix);
  } else if (shape) {
    tag.xml_uri = luaws_ref_text(&shape->xml_uri);
    tag.xml_prefix = luaws_ref_text(&shape->xml_prefix);
  }
  return tag;
}

/* ---- values ---- */

static int write_value(struct xml_out *x, const struct luaws_member *m,
                       struct luaws_str name);

static int write_attributes(struct xml_out *x, const struct luaws_shape *shape) {
  for (unsigned i = 0; i < shape->member_count; i++) {
    const struct luaws_member *m = luaws_shape_member_at(shape, i);
    if (!(m->flags & LUAWS_MEMBER_XML_ATTRIBUTE)) continue;
    if (!x->r->ops->enter_member(x->r, luaws_ref_text(&m->name))) continue;
    int rc = 0;
    if (x->r->ops->kind(x->r) == LUAWS_KIND_STRING) {
      luaws_buf_append_char(x->out, ' ');
      luaws_buf_append_str(x->out, luaws_ref_text(&m->wire_name));
      luaws_buf_append_cstr(x->out, "=\"");
      write_escaped(x->out, x->r->ops->bytes(x->r), true);
      luaws_buf_append_char(x->out, '"');
    } else if (x->r->ops->kind(x->r) != LUAWS_KIND_NULL) {
      rc = luaws_wrong_kind(x->r, luaws_member_shape(m), "string", x->err);
    }
    x->r->ops->leave(x->r);
    if (rc) return rc;
  }
  return 0;
}

/* top: the operation's input, whose tokens are filled in and whose members may travel
   elsewhere. */
static int write_members(struct xml_out *x, const struct luaws_shape *shape, bool top) {
  int rc = 0;
  for (unsigned i = 0; i < shape->member_count && rc == 0; i++) {
    const struct luaws_member *m = luaws_shape_member_at(shape, i);
    struct luaws_str token = LUAWS_STR_NONE, name = luaws_ref_text(&m->wire_name);
    if (m->flags & LUAWS_MEMBER_XML_ATTRIBUTE) continue;
    if (top) {
      if (m->location != LUAWS_IN_BODY || !luaws_input_enter(x->s, m, &token)) continue;
    } else if (!x->r->ops->enter_member(x->r, luaws_ref_text(&m->name))) {
      continue;
    }
    if (token.ptr) {
      struct tag tag = member_tag(m, name);
      open_tag(x, &tag);
      luaws_buf_append_char(x->out, '>');
      write_escaped(x->out, token, false);
      close_tag(x, &tag);
      continue;
    }
    if (x->r->ops->kind(x->r) != LUAWS_KIND_NULL) rc = write_value(x, m, name);
    x->r->ops->leave(x->r);
  }
  return rc;
}

static int write_structure(struct xml_out *x, const struct luaws_shape *shape,
                           const struct tag *tag) {
  open_tag(x, tag);
  int rc = write_attributes(x, shape);
  luaws_buf_append_char(x->out, '>');
  if (rc == 0) rc = write_members(x, shape, false);
  close_tag(x, tag);
  return rc;
}

static int write_list(struct xml_out *x, const struct luaws_member *m,
                      const struct tag *tag) {
  const struct luaws_member *item = luaws_shape_member_at(luaws_member_shape(m), 0);
  bool flattened = m->flags & LUAWS_MEMBER_FLATTENED;
  struct luaws_str item_name = luaws_ref_text(&item->wire_name);
  if (flattened) {
    item_name = tag->name;
  } else {
    if (!item_name.ptr) item_name = LUAWS_STR("member");
    open_tag(x, tag);
    luaws_buf_append_char(x->out, '>');
  }
  size_t count = x->r->ops->length(x->r);
  int rc = 0;
  for (size_t i = 0; i < count && rc == 0; i++) {
    if (!x->r->ops->enter_item(x->r, i)) continue;
    rc = write_value(x, item, item_name);
    x->r->ops->leave(x->r);
  }
  if (!flattened) close_tag(x, tag);
  return rc;
}

static int write_entry(struct xml_out *x, const struct luaws_shape *map,
                       const struct tag *tag, struct luaws_str key) {
  const struct luaws_member *k = luaws_shape_member_at(map, 0), *v = k + 1;
  struct luaws_str key_name = luaws_ref_text(&k->wire_name);
  struct luaws_str value_name = luaws_ref_text(&v->wire_name);
  struct tag key_tag = member_tag(k, key_name.ptr ? key_name : LUAWS_STR("key"));
  open_tag(x, tag);
  luaws_buf_append_char(x->out, '>');
  open_tag(x, &key_tag);
  luaws_buf_append_char(x->out, '>');
  write_escaped(x->out, key, false);
  close_tag(x, &key_tag);
  int rc = write_value(x, v, value_name.ptr ? value_name : LUAWS_STR("value"));
  close_tag(x, tag);
  return rc;
}

static int write_map(struct xml_out *x, const struct luaws_member *m,
                     const struct tag *tag) {
  bool flattened = m->flags & LUAWS_MEMBER_FLATTENED;
  struct tag entry = {.name = flattened ? tag->name : LUAWS_STR("entry")};
  struct luaws_str key;
  enum luaws_kind kind;
  int rc = 0;
  if (!flattened) {
    open_tag(x, tag);
    luaws_buf_append_char(x->out, '>');
  }
  x->r->ops->begin_entries(x->r);
  while (x->r->ops->next_entry(x->r, &key, &kind)) {
    rc = write_entry(x, luaws_member_shape(m), &entry, key);
    x->r->ops->leave(x->r);
    if (rc) {
      x->r->ops->end_entries(x->r);
      return rc;
    }
  }
  if (!flattened) close_tag(x, tag);
  return 0;
}

static int write_scalar(struct xml_out *x, const struct luaws_member *m,
                        const struct tag *tag) {
  const struct luaws_shape *shape = luaws_member_shape(m);
  int rc = 0;
  open_tag(x, tag);
  luaws_buf_append_char(x->out, '>');
  if (shape->type == LUAWS_TYPE_STRING && x->r->ops->kind(x->r) == LUAWS_KIND_STRING) {
    write_escaped(x->out, x->r->ops->bytes(x->r), false);
  } else {
    struct luaws_time_style style =
        luaws_time_style(m, LUAWS_TIMESTAMP_ISO8601, x->s->millisecond_timestamps);
    rc = luaws_scalar_text(x->out, x->r, shape, style, x->err);
  }
  close_tag(x, tag);
  return rc;
}

static int write_value(struct xml_out *x, const struct luaws_member *m,
                       struct luaws_str name) {
  const struct luaws_shape *shape = luaws_member_shape(m);
  struct tag tag = member_tag(m, name);
  enum luaws_kind kind = x->r->ops->kind(x->r);
  if (kind == LUAWS_KIND_NULL) {
    /* An item of a list that is none: an empty element keeps its place. */
    open_tag(x, &tag);
    luaws_buf_append_cstr(x->out, "/>");
    return 0;
  }
  if (shape->type > LUAWS_TYPE_MAP) return write_scalar(x, m, &tag);
  bool list = shape->type == LUAWS_TYPE_LIST;
  if (kind != LUAWS_KIND_EMPTY && kind != (list ? LUAWS_KIND_LIST : LUAWS_KIND_MAP)) {
    return luaws_wrong_kind(x->r, shape, "table", x->err);
  }
  if (x->depth == LUAWS_MAX_NESTING) return luaws_too_deep(x->err);
  x->depth++;
  int rc = list                            ? write_list(x, m, &tag)
           : shape->type == LUAWS_TYPE_MAP ? write_map(x, m, &tag)
                                           : write_structure(x, shape, &tag);
  x->depth--;
  return rc;
}

/* ---- roots ---- */

int luaws_xml_write_payload(struct luaws_serialize *s, const struct luaws_member *m,
                            struct luaws_error *err) {
  struct xml_out x = {.s = s, .out = s->body, .r = s->params, .err = err};
  const struct luaws_shape_extra *extra = luaws_shape_extra(luaws_member_shape(m));
  struct luaws_str name = luaws_ref_text(&m->wire_name);
  if (!(m->flags & LUAWS_MEMBER_HAS_LOCATION_NAME) && extra && extra->location_name) {
    name = luaws_ref_text(&extra->location_name);
  }
  return write_value(&x, m, name);
}

int luaws_xml_write_input(struct luaws_serialize *s, struct luaws_error *err) {
  const struct luaws_shape *input = luaws_ref_get(&s->operation->input);
  const struct luaws_operation_extra *op = luaws_ref_get(&s->operation->extra);
  const struct luaws_shape_extra *shape = luaws_shape_extra(input);
  struct xml_out x = {.s = s, .out = s->body, .r = s->params, .err = err};
  struct tag tag = {.name = luaws_ref_text(&input->name)};
  if (shape && shape->location_name) tag.name = luaws_ref_text(&shape->location_name);
  if (shape && shape->xml_uri) {
    tag.xml_uri = luaws_ref_text(&shape->xml_uri);
    tag.xml_prefix = luaws_ref_text(&shape->xml_prefix);
  }
  if (op && op->input_location_name) tag.name = luaws_ref_text(&op->input_location_name);
  if (op && op->input_xml_uri) {
    tag.xml_uri = luaws_ref_text(&op->input_xml_uri);
    tag.xml_prefix = luaws_ref_text(&op->input_xml_prefix);
  }
  open_tag(&x, &tag);
  luaws_buf_append_char(s->body, '>');
  size_t empty = s->body->len;
  int rc = write_members(&x, input, true);
  if (rc == 0 && s->body->len == empty && !s->body->failed) {
    luaws_buf_reset(s->body);
    return 0;
  }
  close_tag(&x, &tag);
  return rc;
}
