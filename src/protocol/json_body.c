#include "protocol/json_body.h"

#include "base/encode.h"
#include "protocol/parser.h"
#include "protocol/answer.h"
#include "protocol/request.h"
#include "protocol/scalar.h"

#include <math.h>
#include <stdio.h>

/* ---- writing ---- */

struct json_out {
  struct luaws_buf *out;
  struct luaws_reader *r;
  bool milliseconds;
  int depth;
  struct luaws_error *err;
};

static int write_value(struct json_out *j, const struct luaws_member *m);

static void write_number(struct luaws_buf *out, double n) {
  bool quoted = !isfinite(n);
  if (quoted) luaws_buf_append_char(out, '"');
  luaws_buf_append_double(out, n);
  if (quoted) luaws_buf_append_char(out, '"');
}

static void write_key(struct json_out *j, bool *first, struct luaws_str key) {
  if (!*first) luaws_buf_append_char(j->out, ',');
  *first = false;
  luaws_json_quote(j->out, key);
  luaws_buf_append_char(j->out, ':');
}

static int write_any(struct json_out *j);

static int write_any_list(struct json_out *j) {
  struct luaws_reader *r = j->r;
  size_t count = r->ops->length(r);
  int rc = 0;
  luaws_buf_append_char(j->out, '[');
  for (size_t i = 0; i < count && rc == 0; i++) {
    if (i) luaws_buf_append_char(j->out, ',');
    if (r->ops->enter_item(r, i)) {
      rc = write_any(j);
      r->ops->leave(r);
    } else {
      luaws_buf_append_cstr(j->out, "null");
    }
  }
  luaws_buf_append_char(j->out, ']');
  return rc;
}

/* m: the shape of the values; NULL where there is none. */
static int write_entries(struct json_out *j, const struct luaws_member *m) {
  struct luaws_reader *r = j->r;
  struct luaws_str key;
  enum luaws_kind kind;
  bool first = true;
  luaws_buf_append_char(j->out, '{');
  r->ops->begin_entries(r);
  while (r->ops->next_entry(r, &key, &kind)) {
    write_key(j, &first, key);
    int rc = m ? write_value(j, m) : write_any(j);
    r->ops->leave(r);
    if (rc) {
      r->ops->end_entries(r);
      return rc;
    }
  }
  luaws_buf_append_char(j->out, '}');
  return 0;
}

static int write_any(struct json_out *j) {
  struct luaws_reader *r = j->r;
  if (j->depth == LUAWS_MAX_NESTING) return luaws_too_deep(j->err);
  int rc = 0;
  j->depth++;
  switch (r->ops->kind(r)) {
  case LUAWS_KIND_NULL:
    luaws_buf_append_cstr(j->out, "null");
    break;
  case LUAWS_KIND_BOOLEAN:
    luaws_buf_append_cstr(j->out, r->ops->boolean(r) ? "true" : "false");
    break;
  case LUAWS_KIND_INTEGER:
    luaws_buf_append_int(j->out, r->ops->integer(r));
    break;
  case LUAWS_KIND_FLOAT:
    write_number(j->out, r->ops->floating(r));
    break;
  case LUAWS_KIND_STRING:
    luaws_json_quote(j->out, r->ops->bytes(r));
    break;
  case LUAWS_KIND_LIST:
    rc = write_any_list(j);
    break;
  case LUAWS_KIND_MAP:
  case LUAWS_KIND_EMPTY:
    rc = write_entries(j, NULL);
    break;
  default:
    rc = luaws_error_set(j->err, LUAWS_E_ARGUMENT, "ParamValidationError",
                         "Parameter validation failed:\nInvalid type for document "
                         "parameter, type: %s",
                         r->ops->type_name(r));
    break;
  }
  j->depth--;
  return rc;
}

int luaws_json_write_any(struct luaws_buf *out, struct luaws_reader *r,
                         struct luaws_error *err) {
  struct json_out j = {.out = out, .r = r, .err = err};
  return write_any(&j);
}

static int write_structure(struct json_out *j, const struct luaws_shape *shape) {
  struct luaws_reader *r = j->r;
  bool first = true;
  luaws_buf_append_char(j->out, '{');
  for (unsigned i = 0; i < shape->member_count; i++) {
    const struct luaws_member *m = luaws_shape_member_at(shape, i);
    if (m->flags & LUAWS_MEMBER_EVENT_HEADER) continue; /* it is there already */
    if (!r->ops->enter_member(r, luaws_ref_text(&m->name))) continue;
    int rc = 0;
    bool document = luaws_member_shape(m)->flags & LUAWS_SHAPE_DOCUMENT;
    if (document || r->ops->kind(r) != LUAWS_KIND_NULL) {
      write_key(j, &first, luaws_ref_text(&m->wire_name));
      rc = write_value(j, m);
    }
    r->ops->leave(r);
    if (rc) return rc;
  }
  luaws_buf_append_char(j->out, '}');
  return 0;
}

static int write_list(struct json_out *j, const struct luaws_shape *shape) {
  struct luaws_reader *r = j->r;
  const struct luaws_member *item = luaws_shape_member_at(shape, 0);
  size_t count = r->ops->length(r);
  luaws_buf_append_char(j->out, '[');
  for (size_t i = 0; i < count; i++) {
    if (i) luaws_buf_append_char(j->out, ',');
    if (!r->ops->enter_item(r, i)) {
      luaws_buf_append_cstr(j->out, "null");
      continue;
    }
    int rc = write_value(j, item);
    r->ops->leave(r);
    if (rc) return rc;
  }
  luaws_buf_append_char(j->out, ']');
  return 0;
}

static int write_scalar(struct json_out *j, const struct luaws_member *m,
                        const struct luaws_shape *shape, enum luaws_kind kind) {
  struct luaws_reader *r = j->r;
  bool is_float = shape->type == LUAWS_TYPE_FLOAT || shape->type == LUAWS_TYPE_DOUBLE;
  if (kind == LUAWS_KIND_FLOAT && is_float) {
    write_number(j->out, r->ops->floating(r));
    return 0;
  }
  bool is_text = shape->type == LUAWS_TYPE_STRING || shape->type == LUAWS_TYPE_CHARACTER;
  if (is_text && kind == LUAWS_KIND_STRING) {
    luaws_json_quote(j->out, r->ops->bytes(r));
    return 0;
  }
  struct luaws_time_style style =
      luaws_time_style(m, LUAWS_TIMESTAMP_UNIX, j->milliseconds);
  bool bare =
      is_float || shape->type == LUAWS_TYPE_INTEGER || shape->type == LUAWS_TYPE_LONG ||
      shape->type == LUAWS_TYPE_BOOLEAN ||
      (shape->type == LUAWS_TYPE_TIMESTAMP && style.format == LUAWS_TIMESTAMP_UNIX);
  if (!bare) luaws_buf_append_char(j->out, '"');
  int rc = luaws_scalar_text(j->out, r, shape, style, j->err);
  if (!bare) luaws_buf_append_char(j->out, '"');
  return rc;
}

static int write_value(struct json_out *j, const struct luaws_member *m) {
  const struct luaws_shape *shape = luaws_member_shape(m);
  enum luaws_kind kind = j->r->ops->kind(j->r);
  if (shape->flags & LUAWS_SHAPE_DOCUMENT) return write_any(j);
  if (kind == LUAWS_KIND_NULL) {
    luaws_buf_append_cstr(j->out, "null");
    return 0;
  }
  if (shape->type > LUAWS_TYPE_MAP) return write_scalar(j, m, shape, kind);
  bool list = shape->type == LUAWS_TYPE_LIST;
  if (kind != LUAWS_KIND_EMPTY && kind != (list ? LUAWS_KIND_LIST : LUAWS_KIND_MAP)) {
    return luaws_wrong_kind(j->r, shape, "table", j->err);
  }
  if (j->depth == LUAWS_MAX_NESTING) return luaws_too_deep(j->err);
  j->depth++;
  int rc = list ? write_list(j, shape)
           : shape->type == LUAWS_TYPE_MAP
               ? write_entries(j, luaws_shape_member_at(shape, 1))
               : write_structure(j, shape);
  j->depth--;
  return rc;
}

int luaws_json_write_member(struct luaws_serialize *s, const struct luaws_member *m,
                            struct luaws_error *err) {
  struct json_out j = {.out = s->body,
                       .r = s->params,
                       .milliseconds = s->millisecond_timestamps,
                       .err = err};
  return write_value(&j, m);
}

/* Null is a value of a document; rest-json drops it at the top all the same. */
static bool is_null_document(struct luaws_serialize *s, const struct luaws_member *m) {
  if (s->service->protocol != LUAWS_PROTOCOL_JSON) return false;
  if (!(luaws_member_shape(m)->flags & LUAWS_SHAPE_DOCUMENT)) return false;
  if (!s->params->ops->enter_member(s->params, luaws_ref_text(&m->name))) return false;
  s->params->ops->leave(s->params);
  return true;
}

int luaws_json_write_input(struct luaws_serialize *s, struct luaws_error *err) {
  const struct luaws_shape *input = luaws_ref_get(&s->operation->input);
  struct json_out j = {.out = s->body,
                       .r = s->params,
                       .milliseconds = s->millisecond_timestamps,
                       .err = err};
  bool first = true;
  luaws_buf_append_char(s->body, '{');
  for (unsigned i = 0; input && i < input->member_count; i++) {
    const struct luaws_member *m = luaws_shape_member_at(input, i);
    struct luaws_str token;
    if (m->location != LUAWS_IN_BODY) continue;
    if (!luaws_input_enter(s, m, &token)) {
      if (!is_null_document(s, m)) continue;
      write_key(&j, &first, luaws_ref_text(&m->wire_name));
      luaws_buf_append_cstr(s->body, "null");
      continue;
    }
    write_key(&j, &first, luaws_ref_text(&m->wire_name));
    if (token.ptr) {
      luaws_json_quote(s->body, token);
      continue;
    }
    int rc = write_value(&j, m);
    s->params->ops->leave(s->params);
    if (rc) return rc;
  }
  luaws_buf_append_char(s->body, '}');
  return 0;
}

/* ---- reading ---- */

struct json_in {
  struct luaws_json *scan;
  struct luaws_parser *parser;
  struct luaws_writer *w;
  const struct luaws_writer_ops *ops;
  int depth;
  struct luaws_error *err;
};

static int bad_value(struct json_in *j, const struct luaws_path *at, const char *what) {
  return luaws_path_error(j->parser, at, what, j->err);
}

static int bad_json(struct json_in *j) {
  return luaws_error_set(
      j->err, LUAWS_E_RESPONSE, "ResponseParserError",
      "Unable to parse response (%s at byte %zu), invalid JSON received. "
      "Further retries may succeed",
      j->scan->message ? j->scan->message : "unexpected value", j->scan->at);
}

static int read_any(struct json_in *j, enum luaws_json_token token,
                    const struct luaws_path *at) {
  struct luaws_json *s = j->scan;
  int rc = 0;
  switch (token) {
  case LUAWS_JSON_NULL:
    j->ops->null(j->w);
    return 0;
  case LUAWS_JSON_TRUE:
  case LUAWS_JSON_FALSE:
    j->ops->boolean(j->w, token == LUAWS_JSON_TRUE);
    return 0;
  case LUAWS_JSON_INTEGER:
    j->ops->integer(j->w, s->integer);
    return 0;
  case LUAWS_JSON_NUMBER:
    j->ops->floating(j->w, s->number);
    return 0;
  case LUAWS_JSON_STRING:
    j->ops->bytes(j->w, s->text);
    return 0;
  case LUAWS_JSON_BEGIN_LIST:
  case LUAWS_JSON_BEGIN_MAP:
    break;
  default:
    j->ops->null(j->w);
    return bad_json(j);
  }
  if (j->depth == LUAWS_MAX_NESTING) {
    j->ops->null(j->w);
    return bad_value(j, at, "nested too deep");
  }
  j->depth++;
  if (token == LUAWS_JSON_BEGIN_LIST) {
    j->ops->begin_list(j->w, 0, true);
    while (rc == 0 && (token = luaws_json_next(s)) != LUAWS_JSON_END_LIST) {
      rc = token == LUAWS_JSON_ERROR ? bad_json(j) : read_any(j, token, at);
    }
    j->ops->end_list(j->w);
  } else {
    j->ops->begin_map(j->w, 0, true);
    while (rc == 0 && (token = luaws_json_next(s)) != LUAWS_JSON_END_MAP) {
      if (token != LUAWS_JSON_KEY) {
        rc = bad_json(j);
        break;
      }
      j->ops->key(j->w, s->text);
      rc = read_any(j, luaws_json_next(s), at);
    }
    j->ops->end_map(j->w);
  }
  j->depth--;
  return rc;
}

static int read_value(struct json_in *j, const struct luaws_shape *shape,
                      enum luaws_json_token token, const struct luaws_path *at);

/* Skips the value that follows a key. */
static int skip_value(struct json_in *j) {
  return luaws_json_skip(j->scan, LUAWS_JSON_KEY) ? 0 : bad_json(j);
}

/* A key of a union that the model does not know: a null there counts for nothing. */
static int read_unknown(struct json_in *j, unsigned *count) {
  struct luaws_json *s = j->scan;
  if (luaws_str_is(s->text, "__type")) return skip_value(j);
  struct luaws_buf *name = &j->parser->key;
  luaws_buf_reset(name);
  luaws_buf_append_str(name, s->text);
  enum luaws_json_token token = luaws_json_next(s);
  if (token == LUAWS_JSON_ERROR) return bad_json(j);
  if (token == LUAWS_JSON_NULL) return 0;
  if ((token == LUAWS_JSON_BEGIN_LIST || token == LUAWS_JSON_BEGIN_MAP) &&
      !luaws_json_skip(s, token)) {
    return bad_json(j);
  }
  if (++*count == 1) luaws_write_unknown_member(j->w, luaws_buf_str(name));
  return 0;
}

static int read_members(struct json_in *j, const struct luaws_shape *shape,
                        const struct luaws_path *at) {
  struct luaws_json *s = j->scan;
  unsigned hint = 0, count = 0;
  enum luaws_json_token token;
  bool is_union = shape->flags & LUAWS_SHAPE_UNION;
  while ((token = luaws_json_next(s)) == LUAWS_JSON_KEY) {
    const struct luaws_member *m = luaws_shape_wire_member(shape, s->text, &hint);
    int rc;
    if (!m || m->location != LUAWS_IN_BODY) {
      rc = is_union ? read_unknown(j, &count) : skip_value(j);
      if (rc) return rc;
      continue;
    }
    token = luaws_json_next(s);
    if (token == LUAWS_JSON_NULL) continue;
    if (token == LUAWS_JSON_ERROR) return bad_json(j);
    count++;
    struct luaws_path here = {.up = at, .name = luaws_ref_text(&m->name)};
    j->ops->key(j->w, here.name);
    rc = read_value(j, luaws_member_shape(m), token, &here);
    if (rc) return rc;
  }
  if (token != LUAWS_JSON_END_MAP) return bad_json(j);
  luaws_parser_learn_size(j->parser, shape, count);
  if (is_union && count != 1) {
    return bad_value(j, at, "a union must have one and only one member set");
  }
  return 0;
}

static int read_list(struct json_in *j, const struct luaws_shape *shape,
                     const struct luaws_path *at) {
  const struct luaws_shape *item = luaws_member_shape(luaws_shape_member_at(shape, 0));
  enum luaws_json_token token;
  struct luaws_path here = {.up = at};
  for (; (token = luaws_json_next(j->scan)) != LUAWS_JSON_END_LIST; here.index++) {
    if (token == LUAWS_JSON_ERROR) return bad_json(j);
    int rc = 0;
    if (token == LUAWS_JSON_NULL) {
      j->ops->null(j->w);
    } else {
      rc = read_value(j, item, token, &here);
    }
    if (rc) return rc;
  }
  luaws_parser_learn_size(j->parser, shape, (uint32_t)here.index);
  return 0;
}

static int read_map(struct json_in *j, const struct luaws_shape *shape,
                    const struct luaws_path *at) {
  struct luaws_json *s = j->scan;
  const struct luaws_shape *value = luaws_member_shape(luaws_shape_member_at(shape, 1));
  bool keeps_null =
      (shape->flags & LUAWS_SHAPE_SPARSE) || (value->flags & LUAWS_SHAPE_DOCUMENT);
  enum luaws_json_token token;
  uint32_t count = 0;
  while ((token = luaws_json_next(s)) == LUAWS_JSON_KEY) {
    /* A key without escapes lies in the text itself and outlives the next token. */
    struct luaws_path here = {.up = at, .name = s->text};
    if (s->text.ptr < s->input.ptr || s->text.ptr >= s->input.ptr + s->input.len) {
      luaws_buf_reset(&j->parser->key);
      luaws_buf_append_str(&j->parser->key, s->text);
      here.name = luaws_buf_str(&j->parser->key);
    }
    token = luaws_json_next(s);
    if (token == LUAWS_JSON_ERROR) return bad_json(j);
    if (token == LUAWS_JSON_NULL && !keeps_null) continue;
    count++;
    j->ops->key(j->w, here.name);
    if (here.name.ptr == j->parser->key.ptr) here.name = LUAWS_STR("*");
    int rc = 0;
    if (token == LUAWS_JSON_NULL) {
      j->ops->null(j->w);
    } else {
      rc = read_value(j, value, token, &here);
    }
    if (rc) return rc;
  }
  luaws_parser_learn_size(j->parser, shape, count);
  return token == LUAWS_JSON_END_MAP ? 0 : bad_json(j);
}

/* NULL when it went well, else what there should have been. */
static const char *read_scalar(struct json_in *j, const struct luaws_shape *shape,
                               enum luaws_json_token token) {
  struct luaws_json *s = j->scan;
  bool is_text = shape->type == LUAWS_TYPE_STRING || shape->type == LUAWS_TYPE_CHARACTER;
  bool is_number = shape->type >= LUAWS_TYPE_INTEGER && shape->type <= LUAWS_TYPE_DOUBLE;
  bool is_float = shape->type == LUAWS_TYPE_FLOAT || shape->type == LUAWS_TYPE_DOUBLE;
  switch (token) {
  case LUAWS_JSON_STRING:
    return luaws_scalar_parse(j->w, shape, s->text, &j->parser->scratch);
  case LUAWS_JSON_TRUE:
  case LUAWS_JSON_FALSE:
    if (shape->type == LUAWS_TYPE_BOOLEAN) {
      j->ops->boolean(j->w, token == LUAWS_JSON_TRUE);
    } else if (is_text) {
      j->ops->bytes(j->w,
                    token == LUAWS_JSON_TRUE ? LUAWS_STR("true") : LUAWS_STR("false"));
    } else {
      return "a boolean was not expected";
    }
    return NULL;
  case LUAWS_JSON_INTEGER:
  case LUAWS_JSON_NUMBER: {
    double n = token == LUAWS_JSON_INTEGER ? (double)s->integer : s->number;
    if (shape->type == LUAWS_TYPE_TIMESTAMP) {
      j->ops->timestamp(j->w, n);
    } else if (is_number && token == LUAWS_JSON_INTEGER && !is_float) {
      j->ops->integer(j->w, s->integer);
    } else if (is_number && !is_float && n == floor(n) && n >= -0x1p63 && n < 0x1p63) {
      j->ops->integer(j->w, (int64_t)n);
    } else if (is_number) {
      j->ops->floating(j->w, n);
    } else if (is_text && token == LUAWS_JSON_INTEGER) {
      luaws_buf_reset(&j->parser->scratch);
      luaws_buf_append_int(&j->parser->scratch, s->integer);
      j->ops->bytes(j->w, luaws_buf_str(&j->parser->scratch));
    } else if (is_text) {
      j->ops->bytes(j->w, s->text);
    } else {
      return "a number was not expected";
    }
    return NULL;
  }
  default:
    return "a list or an object was not expected";
  }
}

static int read_value(struct json_in *j, const struct luaws_shape *shape,
                      enum luaws_json_token token, const struct luaws_path *at) {
  if (shape->flags & LUAWS_SHAPE_DOCUMENT) return read_any(j, token, at);
  int rc = 0;
  if (shape->type > LUAWS_TYPE_MAP) {
    const char *wanted = read_scalar(j, shape, token);
    if (!wanted) return 0;
    j->ops->null(j->w); /* its key was written */
    char what[80];
    bool text = token == LUAWS_JSON_STRING;
    snprintf(what, sizeof what, text ? "the text is not %s" : "%s", wanted);
    return bad_value(j, at, what);
  }
  bool list = shape->type == LUAWS_TYPE_LIST;
  if (token != (list ? LUAWS_JSON_BEGIN_LIST : LUAWS_JSON_BEGIN_MAP)) {
    j->ops->null(j->w);
    return bad_value(j, at, list ? "not a list" : "not an object");
  }
  if (j->depth == LUAWS_MAX_NESTING) {
    j->ops->null(j->w);
    return bad_value(j, at, "nested too deep");
  }
  j->depth++;
  size_t size = luaws_parser_size(j->parser, shape);
  if (list) {
    j->ops->begin_list(j->w, size, false);
    rc = read_list(j, shape, at);
    j->ops->end_list(j->w);
  } else {
    j->ops->begin_map(j->w, size, false);
    rc = shape->type == LUAWS_TYPE_MAP ? read_map(j, shape, at)
                                       : read_members(j, shape, at);
    j->ops->end_map(j->w);
  }
  j->depth--;
  return rc;
}

static struct json_in start_reading(struct luaws_parser *p, struct luaws_str body,
                                    struct luaws_writer *out, struct luaws_error *err) {
  luaws_json_start(&p->json, body);
  return (struct json_in){
      .scan = &p->json, .parser = p, .w = out, .ops = out->ops, .err = err};
}

static int at_end(struct json_in *j) {
  return luaws_json_next(j->scan) == LUAWS_JSON_END ? 0 : bad_json(j);
}

int luaws_json_read(struct luaws_parser *p, struct luaws_str body,
                    const struct luaws_shape *shape, bool bare, struct luaws_writer *out,
                    struct luaws_error *err) {
  if (luaws_str_trim(body).len == 0) body = LUAWS_STR("{}");
  struct json_in j = start_reading(p, body, out, err);
  enum luaws_json_token token = luaws_json_next(j.scan);
  if (token == LUAWS_JSON_ERROR) {
    if (!bare) out->ops->null(out);
    return bad_json(&j);
  }
  int rc = 0;
  bool members = bare && shape->type == LUAWS_TYPE_STRUCTURE;
  if (members && token == LUAWS_JSON_BEGIN_MAP) {
    rc = read_members(&j, shape, NULL);
  } else if (members && token != LUAWS_JSON_NULL) {
    rc = bad_value(&j, NULL, "not an object");
  } else if (!members) {
    rc = read_value(&j, shape, token, NULL);
  }
  return rc ? rc : at_end(&j);
}

int luaws_json_read_any(struct luaws_parser *p, struct luaws_str body,
                        struct luaws_writer *out, struct luaws_error *err) {
  struct json_in j = start_reading(p, body, out, err);
  int rc = read_any(&j, luaws_json_next(j.scan), NULL);
  return rc ? rc : at_end(&j);
}
