/* The query protocol: parameters as a form whose names are paths ("Tags.member.1.Key"),
   answers in XML inside a <...Result> element. What ec2 does differently when sending is
   here too: names of its own making, no "member" level, nothing for an empty list. */
#include "protocol/query.h"

#include "base/encode.h"
#include "protocol/request.h"
#include "protocol/scalar.h"
#include "protocol/xml_error.h"
#include "protocol/xml_read.h"

struct form {
  struct luaws_serialize *s;
  struct luaws_reader *r;
  struct luaws_buf *out;
  bool ec2;
  int depth;
  struct luaws_error *err;
};

/* One piece of a parameter's name; the pieces before it hang on `up`. A piece is a name
   or, where that is none, a number. */
struct piece {
  const struct piece *up;
  struct luaws_str name;
  size_t number;
  bool capital; /* ec2: the first letter in upper case */
};

static void write_name(struct luaws_buf *out, const struct piece *p) {
  if (p->up) {
    write_name(out, p->up);
    luaws_buf_append_char(out, '.');
  }
  if (!p->name.ptr) {
    luaws_buf_append_int(out, (int64_t)p->number);
  } else if (p->capital && p->name.len && p->name.ptr[0] >= 'a' &&
             p->name.ptr[0] <= 'z') {
    luaws_buf_append_char(out, (char)(p->name.ptr[0] - 32));
    luaws_form_encode(out, luaws_str_sub(p->name, 1, p->name.len));
  } else {
    luaws_form_encode(out, p->name);
  }
}

static void begin_field(struct form *f, const struct piece *name) {
  if (f->out->len) luaws_buf_append_char(f->out, '&');
  write_name(f->out, name);
  luaws_buf_append_char(f->out, '=');
}

static int write_value(struct form *f, const struct luaws_member *m,
                       const struct piece *name);

/* The name of a structure's member. */
static struct piece member_piece(const struct form *f, const struct luaws_member *m,
                                 const struct piece *up) {
  struct piece p = {.up = up, .name = luaws_ref_text(&m->wire_name)};
  if (!f->ec2) return p;
  const struct luaws_member_extra *extra = luaws_ref_get(&m->extra);
  struct luaws_str query_name =
      extra ? luaws_ref_text(&extra->query_name) : LUAWS_STR_NONE;
  if (query_name.ptr) {
    p.name = query_name;
  } else {
    p.capital = m->flags & LUAWS_MEMBER_HAS_LOCATION_NAME;
  }
  return p;
}

static int write_structure(struct form *f, const struct luaws_shape *shape,
                           const struct piece *prefix) {
  int rc = 0;
  for (unsigned i = 0; i < shape->member_count && rc == 0; i++) {
    const struct luaws_member *m = luaws_shape_member_at(shape, i);
    struct piece name = member_piece(f, m, prefix);
    if (!prefix) {
      struct luaws_str token;
      if (!luaws_input_enter(f->s, m, &token)) continue;
      if (token.ptr) {
        begin_field(f, &name);
        luaws_form_encode(f->out, token);
        continue;
      }
    } else if (!f->r->ops->enter_member(f->r, luaws_ref_text(&m->name))) {
      continue;
    }
    rc = write_value(f, m, &name);
    f->r->ops->leave(f->r);
  }
  return rc;
}

static int write_list(struct form *f, const struct luaws_member *m,
                      const struct piece *prefix) {
  const struct luaws_shape *shape = luaws_member_shape(m);
  const struct luaws_member *item = luaws_shape_member_at(shape, 0);
  struct luaws_str item_name = luaws_ref_text(&item->wire_name);
  size_t count = f->r->ops->length(f->r);
  struct piece level = *prefix;
  if (f->ec2) {
    /* no further level */
  } else if (count == 0) {
    begin_field(f, prefix);
    return 0;
  } else if (m->flags & LUAWS_MEMBER_FLATTENED) {
    if (item_name.ptr) level.name = item_name;
  } else {
    level = (struct piece){.up = prefix,
                           .name = item_name.ptr ? item_name : LUAWS_STR("member")};
  }
  int rc = 0;
  for (size_t i = 0; i < count && rc == 0; i++) {
    if (!f->r->ops->enter_item(f->r, i)) continue;
    struct piece number = {.up = &level, .number = i + 1};
    rc = write_value(f, item, &number);
    f->r->ops->leave(f->r);
  }
  return rc;
}

static int write_map(struct form *f, const struct luaws_member *m,
                     const struct piece *prefix) {
  const struct luaws_shape *shape = luaws_member_shape(m);
  const struct luaws_member *key = luaws_shape_member_at(shape, 0), *value = key + 1;
  struct luaws_str key_name = luaws_ref_text(&key->wire_name);
  struct luaws_str value_name = luaws_ref_text(&value->wire_name);
  struct piece entry = {.up = prefix, .name = LUAWS_STR("entry")};
  bool flattened = m->flags & LUAWS_MEMBER_FLATTENED;
  struct luaws_str text;
  enum luaws_kind kind;
  int rc = 0;
  f->r->ops->begin_entries(f->r);
  for (size_t i = 1; f->r->ops->next_entry(f->r, &text, &kind); i++) {
    struct piece number = {.up = flattened ? prefix : &entry, .number = i};
    struct piece key_piece = {.up = &number,
                              .name = key_name.ptr ? key_name : LUAWS_STR("key")};
    struct piece value_piece = {.up = &number,
                                .name = value_name.ptr ? value_name : LUAWS_STR("value")};
    begin_field(f, &key_piece);
    luaws_form_encode(f->out, text);
    rc = write_value(f, value, &value_piece);
    f->r->ops->leave(f->r);
    if (rc) {
      f->r->ops->end_entries(f->r);
      return rc;
    }
  }
  return 0;
}

static int write_scalar(struct form *f, const struct luaws_member *m,
                        const struct piece *name) {
  const struct luaws_shape *shape = luaws_member_shape(m);
  begin_field(f, name);
  if (shape->type == LUAWS_TYPE_STRING && f->r->ops->kind(f->r) == LUAWS_KIND_STRING) {
    luaws_form_encode(f->out, f->r->ops->bytes(f->r));
    return 0;
  }
  /* The text is written behind where it is to go encoded, and then moves there. */
  size_t mark = f->out->len;
  struct luaws_time_style style =
      luaws_time_style(m, LUAWS_TIMESTAMP_ISO8601, f->s->millisecond_timestamps);
  int rc = luaws_scalar_text(f->out, f->r, shape, style, f->err);
  if (rc) return rc;
  if (f->out->failed) return luaws_error_memory(f->err);
  struct luaws_str text = luaws_arena_str(
      f->s->request->arena, luaws_str_sub(luaws_buf_str(f->out), mark, f->out->len));
  luaws_buf_truncate(f->out, mark);
  luaws_form_encode(f->out, text);
  return text.ptr ? 0 : luaws_error_memory(f->err);
}

static int write_value(struct form *f, const struct luaws_member *m,
                       const struct piece *name) {
  const struct luaws_shape *shape = luaws_member_shape(m);
  enum luaws_kind kind = f->r->ops->kind(f->r);
  if (kind == LUAWS_KIND_NULL) return 0;
  if (shape->type > LUAWS_TYPE_MAP) return write_scalar(f, m, name);
  if (f->depth == LUAWS_MAX_NESTING) return luaws_too_deep(f->err);
  bool list = shape->type == LUAWS_TYPE_LIST;
  if (kind != LUAWS_KIND_EMPTY && kind != (list ? LUAWS_KIND_LIST : LUAWS_KIND_MAP)) {
    return luaws_wrong_kind(f->r, shape, "table", f->err);
  }
  f->depth++;
  int rc = list                            ? write_list(f, m, name)
           : shape->type == LUAWS_TYPE_MAP ? write_map(f, m, name)
                                           : write_structure(f, shape, name);
  f->depth--;
  return rc;
}

int luaws_query_serialize(struct luaws_serialize *s, bool ec2, struct luaws_error *err) {
  int rc = luaws_request_start_rpc(s, err);
  if (rc) return rc;
  struct form f = {.s = s, .r = s->params, .out = s->body, .ec2 = ec2, .err = err};
  begin_field(&f, &(struct piece){.name = LUAWS_STR("Action")});
  luaws_form_encode(s->body, luaws_ref_text(&s->operation->name));
  begin_field(&f, &(struct piece){.name = LUAWS_STR("Version")});
  luaws_form_encode(s->body, luaws_ref_text(&s->service->api_version));
  const struct luaws_shape *input = luaws_ref_get(&s->operation->input);
  if (input) rc = write_structure(&f, input, NULL);
  if (rc) return rc;
  if (!luaws_headers_set(&s->request->headers, LUAWS_STR("Content-Type"),
                         LUAWS_STR("application/x-www-form-urlencoded; charset=utf-8"))) {
    return luaws_error_memory(err);
  }
  return luaws_request_finish(s, err);
}

static int serialize(struct luaws_serialize *s, struct luaws_error *err) {
  return luaws_query_serialize(s, false, err);
}

/* ---- answers ---- */

static int parse(struct luaws_parse *p, struct luaws_str *request_id,
                 struct luaws_error *err) {
  const struct luaws_shape *output = luaws_ref_get(&p->operation->output);
  const struct luaws_operation_extra *extra = luaws_ref_get(&p->operation->extra);
  struct luaws_xml_target target = {
      .shape = output,
      .bare = true,
      .result_metadata = true,
      .request_id = request_id,
      .metadata = p->metadata,
      .arena = p->arena,
  };
  struct luaws_str wrapper =
      extra ? luaws_ref_text(&extra->result_wrapper) : LUAWS_STR_NONE;
  if (output && wrapper.ptr) target.path[target.path_length++] = wrapper;
  target.may_miss = output && output->member_count == 0;
  return luaws_xml_read(p->parser, p->response->body, &target, p->out, err);
}

const struct luaws_protocol luaws_protocol_query = {
    .name = "query",
    .serialize = serialize,
    .parse = parse,
    .parse_error = luaws_xml_parse_error,
    .peek_error = luaws_xml_peek_error,
};
