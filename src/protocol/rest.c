#include "protocol/rest.h"

#include "base/encode.h"
#include "base/time.h"
#include "protocol/event_stream.h"
#include "protocol/json_body.h"
#include "protocol/parser.h"
#include "protocol/request.h"
#include "protocol/scalar.h"

#include <math.h>

/* ---- query strings ---- */

/* Appends the text of the scalar that the reader stands on, percent-encoded. */
static int write_encoded(struct luaws_serialize *s, const struct luaws_member *m,
                         struct luaws_error *err) {
  struct luaws_buf *out = s->body;
  size_t mark = out->len;
  struct luaws_time_style style =
      luaws_time_style(m, LUAWS_TIMESTAMP_ISO8601, s->millisecond_timestamps);
  int rc = luaws_scalar_text(out, s->params, luaws_member_shape(m), style, err);
  if (rc) return rc;
  if (out->failed) return luaws_error_memory(err);
  struct luaws_str text = luaws_arena_str(
      s->request->arena, luaws_str_sub(luaws_buf_str(out), mark, out->len));
  luaws_buf_truncate(out, mark);
  luaws_percent_encode(out, text, NULL);
  return text.ptr ? 0 : luaws_error_memory(err);
}

static void begin_pair(struct luaws_serialize *s, struct luaws_str key) {
  if (s->body->len) luaws_buf_append_char(s->body, '&');
  luaws_percent_encode(s->body, key, NULL);
  luaws_buf_append_char(s->body, '=');
}

static int query_list(struct luaws_serialize *s, const struct luaws_shape *list,
                      struct luaws_str key, struct luaws_error *err) {
  struct luaws_reader *r = s->params;
  const struct luaws_member *item = luaws_shape_member_at(list, 0);
  size_t count = r->ops->length(r);
  int rc = 0;
  for (size_t i = 0; i < count && rc == 0; i++) {
    if (!r->ops->enter_item(r, i)) continue;
    if (r->ops->kind(r) != LUAWS_KIND_NULL) {
      begin_pair(s, key);
      rc = write_encoded(s, item, err);
    }
    r->ops->leave(r);
  }
  return rc;
}

/* Whether "key=" stands in the first `len` bytes written so far. */
static bool has_pair(const struct luaws_serialize *s, size_t len, struct luaws_str key) {
  struct luaws_buf encoded = {0};
  luaws_buf_append_char(&encoded, '&');
  luaws_percent_encode(&encoded, key, NULL);
  luaws_buf_append_char(&encoded, '=');
  struct luaws_str pair = luaws_buf_str(&encoded),
                   rest = luaws_str_sub(pair, 1, pair.len);
  struct luaws_str before = luaws_str_sub(luaws_buf_str(s->body), 0, len);
  bool found = pair.len && (luaws_str_starts(before, rest) ||
                            (len && memmem(before.ptr, len, pair.ptr, pair.len)));
  luaws_buf_clear(&encoded);
  return found;
}

/* Each entry becomes a parameter of its own; one that was given by name wins, and is
   written before. */
static int query_map(struct luaws_serialize *s, const struct luaws_shape *map,
                     struct luaws_error *err) {
  struct luaws_reader *r = s->params;
  const struct luaws_member *value = luaws_shape_member_at(map, 1);
  const struct luaws_shape *value_shape = luaws_member_shape(value);
  struct luaws_str key;
  enum luaws_kind kind;
  size_t named = s->body->len;
  r->ops->begin_entries(r);
  while (r->ops->next_entry(r, &key, &kind)) {
    int rc = 0;
    if (named && has_pair(s, named, key)) {
      r->ops->leave(r);
      continue;
    }
    if (value_shape->type == LUAWS_TYPE_LIST) {
      rc = query_list(s, value_shape, key, err);
    } else if (r->ops->kind(r) != LUAWS_KIND_NULL) {
      begin_pair(s, key);
      rc = write_encoded(s, value, err);
    }
    r->ops->leave(r);
    if (rc) {
      r->ops->end_entries(r);
      return rc;
    }
  }
  return 0;
}

static bool is_kind_of(struct luaws_reader *r, enum luaws_kind wanted) {
  enum luaws_kind kind = r->ops->kind(r);
  return kind == wanted || kind == LUAWS_KIND_EMPTY;
}

static int query_member(struct luaws_serialize *s, const struct luaws_member *m,
                        struct luaws_error *err) {
  const struct luaws_shape *shape = luaws_member_shape(m);
  if (shape->type == LUAWS_TYPE_LIST) {
    if (!is_kind_of(s->params, LUAWS_KIND_LIST)) {
      return luaws_wrong_kind(s->params, shape, "list", err);
    }
    return query_list(s, shape, luaws_ref_text(&m->wire_name), err);
  }
  if (shape->type == LUAWS_TYPE_MAP) {
    if (!is_kind_of(s->params, LUAWS_KIND_MAP)) {
      return luaws_wrong_kind(s->params, shape, "map", err);
    }
    return query_map(s, shape, err);
  }
  begin_pair(s, luaws_ref_text(&m->wire_name));
  return write_encoded(s, m, err);
}

/* ---- headers ---- */

/* A string in a list of them is quoted when a comma or a quote is in it. */
static void write_list_string(struct luaws_buf *out, struct luaws_str s) {
  if (luaws_str_find(s, ',') < 0 && luaws_str_find(s, '"') < 0) {
    return luaws_buf_append_str(out, s);
  }
  luaws_buf_append_char(out, '"');
  for (size_t i = 0; i < s.len; i++) {
    if (s.ptr[i] == '"') luaws_buf_append_char(out, '\\');
    luaws_buf_append_char(out, s.ptr[i]);
  }
  luaws_buf_append_char(out, '"');
}

/* Headers have no fractions of a second. */
static int header_scalar(struct luaws_serialize *s, const struct luaws_member *m,
                         struct luaws_error *err) {
  const struct luaws_shape *shape = luaws_member_shape(m);
  struct luaws_time_style style =
      luaws_time_style(m, LUAWS_TIMESTAMP_RFC822, s->millisecond_timestamps);
  double seconds;
  if (shape->type != LUAWS_TYPE_TIMESTAMP || !luaws_read_time(s->params, &seconds)) {
    return luaws_scalar_text(s->body, s->params, shape, style, err);
  }
  luaws_write_time(s->body, floor(seconds), style);
  return 0;
}

static int header_list(struct luaws_serialize *s, const struct luaws_shape *list,
                       struct luaws_error *err) {
  struct luaws_reader *r = s->params;
  const struct luaws_member *item = luaws_shape_member_at(list, 0);
  const struct luaws_shape *shape = luaws_member_shape(item);
  size_t count = r->ops->length(r);
  bool first = true;
  int rc = 0;
  for (size_t i = 0; i < count && rc == 0; i++) {
    if (!r->ops->enter_item(r, i)) continue;
    enum luaws_kind kind = r->ops->kind(r);
    if (kind != LUAWS_KIND_NULL) {
      if (!first) luaws_buf_append_char(s->body, ',');
      first = false;
      if (shape->type == LUAWS_TYPE_STRING && kind == LUAWS_KIND_STRING) {
        write_list_string(s->body, r->ops->bytes(r));
      } else {
        rc = header_scalar(s, item, err);
      }
    }
    r->ops->leave(r);
  }
  return rc;
}

/* A value of any kind as JSON in base64. */
static int header_json(struct luaws_serialize *s, struct luaws_error *err) {
  size_t mark = s->body->len;
  int rc = luaws_json_write_any(s->body, s->params, err);
  if (rc) return rc;
  if (s->body->failed) return luaws_error_memory(err);
  struct luaws_str json = luaws_arena_str(
      s->request->arena, luaws_str_sub(luaws_buf_str(s->body), mark, s->body->len));
  luaws_buf_truncate(s->body, mark);
  luaws_base64_encode(s->body, json);
  return json.ptr ? 0 : luaws_error_memory(err);
}

/* Moves what was written to the body into a header. */
static int set_header(struct luaws_serialize *s, struct luaws_str name,
                      struct luaws_error *err) {
  if (s->body->failed) return luaws_error_memory(err);
  struct luaws_str value = luaws_buf_str(s->body);
  for (size_t i = 0; i < value.len; i++) {
    if (value.ptr[i] == '\r' || value.ptr[i] == '\n' || value.ptr[i] == 0) {
      return luaws_error_set(
          err, LUAWS_E_ARGUMENT, "ParamValidationError",
          "Parameter validation failed:\nInvalid value for header %.*s: "
          "a line break or a zero byte in it",
          LUAWS_STR_ARG(name));
    }
  }
  bool ok = luaws_headers_set(&s->request->headers, name, value);
  luaws_buf_reset(s->body);
  return ok ? 0 : luaws_error_memory(err);
}

static int header_map(struct luaws_serialize *s, const struct luaws_member *m,
                      struct luaws_error *err) {
  struct luaws_reader *r = s->params;
  const struct luaws_shape *map = luaws_member_shape(m);
  if (!is_kind_of(r, LUAWS_KIND_MAP)) return luaws_wrong_kind(r, map, "map", err);
  const struct luaws_member *value = luaws_shape_member_at(map, 1);
  struct luaws_str prefix = luaws_ref_text(&m->wire_name), key;
  enum luaws_kind kind;
  r->ops->begin_entries(r);
  while (r->ops->next_entry(r, &key, &kind)) {
    char *name = luaws_arena_alloc(s->request->arena, prefix.len + key.len + 1);
    int rc = name ? 0 : luaws_error_memory(err);
    if (name) {
      if (prefix.len) memcpy(name, prefix.ptr, prefix.len);
      if (key.len) memcpy(name + prefix.len, key.ptr, key.len);
    }
    if (rc == 0 && r->ops->kind(r) != LUAWS_KIND_NULL) {
      rc = header_scalar(s, value, err);
      if (rc == 0) {
        rc = set_header(s, (struct luaws_str){name, prefix.len + key.len}, err);
      }
    }
    r->ops->leave(r);
    if (rc) {
      r->ops->end_entries(r);
      return rc;
    }
  }
  return 0;
}

static int header_member(struct luaws_serialize *s, const struct luaws_member *m,
                         struct luaws_error *err) {
  const struct luaws_shape *shape = luaws_member_shape(m);
  int rc;
  if (m->location == LUAWS_IN_HEADERS) return header_map(s, m, err);
  if (shape->type == LUAWS_TYPE_LIST) {
    if (!is_kind_of(s->params, LUAWS_KIND_LIST)) {
      return luaws_wrong_kind(s->params, shape, "list", err);
    }
    if (s->params->ops->length(s->params) == 0) return 0;
    rc = header_list(s, shape, err);
  } else if ((m->flags & LUAWS_MEMBER_JSONVALUE) && shape->type == LUAWS_TYPE_STRING) {
    rc = header_json(s, err);
  } else {
    rc = header_scalar(s, m, err);
  }
  return rc ? rc : set_header(s, luaws_ref_text(&m->wire_name), err);
}

/* ---- the request ---- */

enum place { IN_QUERY, IN_QUERY_AS_MAP, IN_HEADERS };

static enum place place_of(const struct luaws_member *m) {
  if (m->location != LUAWS_IN_QUERYSTRING) return IN_HEADERS;
  return luaws_member_shape(m)->type == LUAWS_TYPE_MAP ? IN_QUERY_AS_MAP : IN_QUERY;
}

static bool is_bound(const struct luaws_member *m) {
  return m->location == LUAWS_IN_QUERYSTRING || m->location == LUAWS_IN_HEADER ||
         m->location == LUAWS_IN_HEADERS;
}

/* All members of one place; the idempotency token may be any of them. */
static int bind_place(struct luaws_serialize *s, enum place place,
                      struct luaws_error *err) {
  bool query = place != IN_HEADERS;
  const struct luaws_shape *input = luaws_ref_get(&s->operation->input);
  int rc = 0;
  for (unsigned i = 0; i < input->member_count && rc == 0; i++) {
    const struct luaws_member *m = luaws_shape_member_at(input, i);
    struct luaws_str token;
    if (!is_bound(m) || place_of(m) != place || !luaws_input_enter(s, m, &token))
      continue;
    if (token.ptr) {
      if (query) {
        begin_pair(s, luaws_ref_text(&m->wire_name));
        luaws_percent_encode(s->body, token, NULL);
      } else if (!luaws_headers_set(&s->request->headers, luaws_ref_text(&m->wire_name),
                                    token)) {
        rc = luaws_error_memory(err);
      }
      continue;
    }
    rc = query ? query_member(s, m, err) : header_member(s, m, err);
    s->params->ops->leave(s->params);
  }
  return rc;
}

int luaws_rest_bind(struct luaws_serialize *s, struct luaws_error *err) {
  const struct luaws_shape *input = luaws_ref_get(&s->operation->input);
  int rc = luaws_request_start(s, err);
  if (rc || !input || !(input->flags & LUAWS_SHAPE_HAS_LOCATIONS)) return rc;
  /* The body's memory serves for the other parts first. */
  rc = bind_place(s, IN_QUERY, err);
  if (rc == 0) rc = bind_place(s, IN_QUERY_AS_MAP, err);
  if (rc == 0 && s->body->failed) rc = luaws_error_memory(err);
  if (rc == 0) rc = luaws_request_join_query(s->request, luaws_buf_str(s->body), err);
  luaws_buf_reset(s->body);
  if (rc == 0) rc = bind_place(s, IN_HEADERS, err);
  return rc;
}

bool luaws_rest_is_raw(const struct luaws_member *payload) {
  uint8_t type = payload ? luaws_member_shape(payload)->type : LUAWS_TYPE_STRUCTURE;
  return type == LUAWS_TYPE_BLOB || type == LUAWS_TYPE_STRING;
}

int luaws_rest_raw_body(struct luaws_serialize *s, const struct luaws_member *payload,
                        struct luaws_error *err) {
  struct luaws_reader *r = s->params;
  struct luaws_str token;
  if (!luaws_input_enter(s, payload, &token)) return luaws_request_finish(s, err);
  if (token.ptr) {
    luaws_buf_append_str(s->body, token);
    return luaws_request_finish(s, err);
  }
  enum luaws_kind kind = r->ops->kind(r);
  int rc;
  if (kind == LUAWS_KIND_STRING || kind == LUAWS_KIND_STREAM) {
    rc = r->ops->stream(r, &s->request->body, err);
  } else {
    rc = luaws_wrong_kind(r, luaws_member_shape(payload), "string, file", err);
  }
  r->ops->leave(r);
  return rc;
}

/* ---- the answer ---- */

static int bad_header(const struct luaws_member *m, const char *wanted,
                      struct luaws_error *err) {
  return luaws_error_set(err, LUAWS_E_RESPONSE, "ResponseParserError",
                         "Unable to parse response: %.*s: header %.*s is not %s",
                         LUAWS_STR_ARG(luaws_ref_text(&m->name)),
                         LUAWS_STR_ARG(luaws_ref_text(&m->wire_name)), wanted);
}

/* The next item of a comma-separated list, unquoted into scratch where it was quoted.
   HTTP dates hold a comma of their own. False at the end. */
static bool next_item(struct luaws_str *rest, const struct luaws_shape *shape,
                      struct luaws_buf *scratch, struct luaws_str *item) {
  if (!rest->ptr) return false;
  struct luaws_str s = luaws_str_trim(*rest);
  size_t i = 0;
  if (s.len && s.ptr[0] == '"') {
    luaws_buf_reset(scratch);
    for (i = 1; i < s.len && s.ptr[i] != '"'; i++) {
      if (s.ptr[i] == '\\' && i + 1 < s.len) i++;
      luaws_buf_append_char(scratch, s.ptr[i]);
    }
    *item = luaws_buf_str(scratch);
    while (i < s.len && s.ptr[i] != ',')
      i++;
  } else {
    bool date = shape->type == LUAWS_TYPE_TIMESTAMP && s.len && s.ptr[0] >= 'A';
    for (; i < s.len && (s.ptr[i] != ',' || date); i++) {
      if (s.ptr[i] == ',') date = false;
    }
    *item = luaws_str_trim(luaws_str_sub(s, 0, i));
  }
  *rest = i < s.len ? luaws_str_sub(s, i + 1, s.len) : LUAWS_STR_NONE;
  return true;
}

static const char *read_list(struct luaws_parse *p, const struct luaws_shape *list,
                             struct luaws_str value) {
  const struct luaws_shape *shape = luaws_member_shape(luaws_shape_member_at(list, 0));
  struct luaws_str item;
  const char *wanted = NULL;
  p->out->ops->begin_list(p->out, 0, false);
  while (!wanted && next_item(&value, shape, &p->parser->text, &item)) {
    wanted = luaws_scalar_parse(p->out, shape, item, &p->parser->scratch);
  }
  p->out->ops->end_list(p->out);
  return wanted;
}

/* Whether text fits a scalar's shape, before its key is written: NULL, or what there
   should have been. */
static const char *check_scalar(struct luaws_parse *p, const struct luaws_shape *shape,
                                struct luaws_str value) {
  int64_t n;
  double d;
  switch ((enum luaws_type)shape->type) {
  case LUAWS_TYPE_BLOB:
    luaws_buf_reset(&p->parser->scratch);
    return luaws_base64_decode(&p->parser->scratch, value) ? NULL : "base64";
  case LUAWS_TYPE_INTEGER:
  case LUAWS_TYPE_LONG:
    return luaws_str_to_int64(luaws_str_trim(value), &n) ? NULL : "an integer";
  case LUAWS_TYPE_FLOAT:
  case LUAWS_TYPE_DOUBLE:
    return luaws_str_to_double(luaws_str_trim(value), &d) ? NULL : "a number";
  case LUAWS_TYPE_TIMESTAMP:
    return luaws_time_parse(value, &d) ? NULL : "a timestamp";
  default:
    return NULL;
  }
}

static int read_header(struct luaws_parse *p, const struct luaws_member *m,
                       struct luaws_str value, struct luaws_error *err) {
  const struct luaws_shape *shape = luaws_member_shape(m);
  struct luaws_writer *w = p->out;
  const char *wanted = check_scalar(p, shape, value);
  if (wanted) {
    /* HTTP has an Expires that is no date stand for one in the past (RFC 9111, 5.3): no
       reason to lose the answer. */
    struct luaws_str name = luaws_ref_text(&m->wire_name);
    if (!err || luaws_str_eq_nocase(name, LUAWS_STR("Expires"))) return 0;
    return bad_header(m, wanted, err);
  }
  w->ops->key(w, luaws_ref_text(&m->name));
  if (shape->type == LUAWS_TYPE_LIST) {
    wanted = read_list(p, shape, value);
    return wanted && err ? bad_header(m, wanted, err) : 0;
  }
  if (!(m->flags & LUAWS_MEMBER_JSONVALUE) || shape->type != LUAWS_TYPE_STRING) {
    luaws_scalar_parse(w, shape, value, &p->parser->scratch);
    return 0;
  }
  struct luaws_buf *json = &p->parser->text;
  luaws_buf_reset(json);
  if (!luaws_base64_decode(json, value)) {
    w->ops->null(w);
    return err ? bad_header(m, "JSON in base64", err) : 0;
  }
  int rc = luaws_json_read_any(p->parser, luaws_buf_str(json), w, NULL);
  return rc && err ? bad_header(m, "JSON in base64", err) : 0;
}

static int read_header_map(struct luaws_parse *p, const struct luaws_member *m) {
  const struct luaws_shape *value =
      luaws_member_shape(luaws_shape_member_at(luaws_member_shape(m), 1));
  struct luaws_str prefix = luaws_ref_text(&m->wire_name);
  struct luaws_writer *w = p->out;
  w->ops->key(w, luaws_ref_text(&m->name));
  w->ops->begin_map(w, 0, false);
  for (size_t i = 0; i < p->response->headers.count; i++) {
    const struct luaws_header *h = &p->response->headers.items[i];
    bool ours = luaws_str_eq_nocase(luaws_str_sub(h->name, 0, prefix.len), prefix);
    if (!ours || check_scalar(p, value, h->value)) continue;
    w->ops->key(w, luaws_str_sub(h->name, prefix.len, h->name.len));
    luaws_scalar_parse(w, value, h->value, &p->parser->scratch);
  }
  w->ops->end_map(w);
  return 0;
}

int luaws_rest_read_headers(struct luaws_parse *p, const struct luaws_shape *shape,
                            struct luaws_error *err) {
  if (!(shape->flags & LUAWS_SHAPE_HAS_LOCATIONS)) return 0;
  struct luaws_writer *w = p->out;
  int rc = 0;
  for (unsigned i = 0; i < shape->member_count && rc == 0; i++) {
    const struct luaws_member *m = luaws_shape_member_at(shape, i);
    if (m->location == LUAWS_IN_STATUS_CODE) {
      w->ops->key(w, luaws_ref_text(&m->name));
      w->ops->integer(w, p->response->status);
    } else if (m->location == LUAWS_IN_HEADERS) {
      rc = read_header_map(p, m);
    } else if (m->location == LUAWS_IN_HEADER) {
      const struct luaws_str *value =
          luaws_headers_get(&p->response->headers, luaws_ref_text(&m->wire_name));
      if (value) rc = read_header(p, m, *value, err);
    }
  }
  return rc;
}

int luaws_rest_parse(struct luaws_parse *p, luaws_rest_body_reader *read_body,
                     struct luaws_error *err) {
  const struct luaws_shape *output = luaws_ref_get(&p->operation->output);
  struct luaws_writer *w = p->out;
  if (!output) return 0;
  int rc = luaws_rest_read_headers(p, output, err);
  if (rc) return rc;
  const struct luaws_member *payload = luaws_shape_payload(output);
  if (!payload) return read_body(p, output, true, err);
  const struct luaws_shape *shape = luaws_member_shape(payload);
  bool stream = shape->type == LUAWS_TYPE_BLOB;
  if (shape->flags & LUAWS_SHAPE_EVENTSTREAM) return luaws_event_stream_write(p, err);
  /* Of an empty body a union would have no member. */
  if (!stream && p->response->body.len == 0 && (shape->flags & LUAWS_SHAPE_UNION))
    return 0;
  w->ops->key(w, luaws_ref_text(&payload->name));
  if (stream) {
    w->ops->stream(w);
  } else if (shape->type == LUAWS_TYPE_STRING) {
    w->ops->bytes(w, p->response->body);
  } else {
    rc = read_body(p, shape, false, err);
  }
  return rc;
}
