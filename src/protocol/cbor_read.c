/* libcbor decodes one item after another; which of them belong together is told by the
   recursion here, which is bounded. */
#include "protocol/cbor.h"

#include "protocol/answer.h"
#include "protocol/scalar.h"

#include <cbor/streaming.h>
#include <math.h>
#include <stdio.h>

enum token {
  BROKEN, /* no item, or the end in the middle of one */
  BREAK,
  NOTHING, /* null or undefined */
  BOOLEAN,
  INTEGER,
  NUMBER, /* a float, or an integer beyond 64 bits */
  BYTES,
  TEXT,
  LIST,
  MAP,
  TAG,
};

struct cbor_in {
  struct luaws_str rest;
  struct luaws_parser *parser;
  struct luaws_writer *w;
  const struct luaws_writer_ops *ops;
  int depth;
  struct luaws_error *err;
  /* of the item last read */
  enum token token;
  bool boolean;
  bool indefinite; /* LIST, MAP: up to a BREAK; BYTES, TEXT: more chunks follow */
  int64_t integer;
  double number;
  struct luaws_str text;
  size_t count; /* LIST, MAP */
};

/* ---- items ---- */

static void set_unsigned(void *data, uint64_t n) {
  struct cbor_in *c = data;
  c->token = n > INT64_MAX ? NUMBER : INTEGER;
  c->integer = (int64_t)n;
  c->number = (double)n;
}

static void set_negative(void *data, uint64_t n) {
  struct cbor_in *c = data;
  c->token = n > INT64_MAX ? NUMBER : INTEGER;
  c->integer = -1 - (int64_t)(n & INT64_MAX);
  c->number = -1 - (double)n;
}

static void on_uint8(void *data, uint8_t n) {
  set_unsigned(data, n);
}
static void on_uint16(void *data, uint16_t n) {
  set_unsigned(data, n);
}
static void on_uint32(void *data, uint32_t n) {
  set_unsigned(data, n);
}
static void on_negint8(void *data, uint8_t n) {
  set_negative(data, n);
}
static void on_negint16(void *data, uint16_t n) {
  set_negative(data, n);
}
static void on_negint32(void *data, uint32_t n) {
  set_negative(data, n);
}

static void set_text(struct cbor_in *c, enum token token, cbor_data ptr, uint64_t len) {
  c->token = token;
  c->text = (struct luaws_str){ptr ? (const char *)ptr : "", len};
}

static void on_bytes(void *data, cbor_data ptr, uint64_t len) {
  set_text(data, BYTES, ptr, len);
}
static void on_text(void *data, cbor_data ptr, uint64_t len) {
  set_text(data, TEXT, ptr, len);
}

static void set_indefinite(struct cbor_in *c, enum token token) {
  c->token = token;
  c->indefinite = true;
}

static void on_bytes_start(void *data) {
  set_indefinite(data, BYTES);
}
static void on_text_start(void *data) {
  set_indefinite(data, TEXT);
}
static void on_list_start(void *data) {
  set_indefinite(data, LIST);
}
static void on_map_start(void *data) {
  set_indefinite(data, MAP);
}

static void on_list(void *data, uint64_t count) {
  struct cbor_in *c = data;
  c->token = LIST;
  c->count = count;
}

static void on_map(void *data, uint64_t count) {
  struct cbor_in *c = data;
  c->token = MAP;
  c->count = count;
}

static void on_tag(void *data, uint64_t tag) {
  struct cbor_in *c = data;
  c->token = TAG;
}

static void on_double(void *data, double n) {
  struct cbor_in *c = data;
  c->token = NUMBER;
  c->number = n;
}

static void on_float(void *data, float n) {
  on_double(data, n);
}

static void on_nothing(void *data) {
  struct cbor_in *c = data;
  c->token = NOTHING;
}

static void on_boolean(void *data, bool b) {
  struct cbor_in *c = data;
  c->token = BOOLEAN;
  c->boolean = b;
}

static void on_break(void *data) {
  struct cbor_in *c = data;
  c->token = BREAK;
}

static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = set_unsigned,
    .negint64 = set_negative,
    .negint32 = on_negint32,
    .negint16 = on_negint16,
    .negint8 = on_negint8,
    .byte_string_start = on_bytes_start,
    .byte_string = on_bytes,
    .string = on_text,
    .string_start = on_text_start,
    .indef_array_start = on_list_start,
    .array_start = on_list,
    .indef_map_start = on_map_start,
    .map_start = on_map,
    .tag = on_tag,
    .float2 = on_float,
    .float4 = on_float,
    .float8 = on_double,
    .undefined = on_nothing,
    .null = on_nothing,
    .boolean = on_boolean,
    .indef_break = on_break,
};

static enum token next_item(struct cbor_in *c) {
  c->token = BROKEN;
  c->indefinite = false;
  if (c->rest.len == 0) return BROKEN;
  struct cbor_decoder_result r =
      cbor_stream_decode((cbor_data)c->rest.ptr, c->rest.len, &callbacks, c);
  if (r.status != CBOR_DECODER_FINISHED || r.read > c->rest.len) return c->token = BROKEN;
  c->rest.ptr += r.read;
  c->rest.len -= r.read;
  return c->token;
}

/* Collects a string that comes in chunks. */
static bool join_chunks(struct cbor_in *c) {
  enum token kind = c->token;
  struct luaws_buf *text = &c->parser->text;
  luaws_buf_reset(text);
  enum token token;
  while ((token = next_item(c)) == kind && !c->indefinite)
    luaws_buf_append_str(text, c->text);
  c->token = kind;
  c->text = luaws_buf_str(text);
  return token == BREAK && !text->failed;
}

/* The next item with strings whole and tags, of which only that of times has a meaning
   that the model has not, passed over. */
static enum token next_value(struct cbor_in *c) {
  enum token token = next_item(c);
  while (token == TAG)
    token = next_item(c);
  bool chunks = (token == BYTES || token == TEXT) && c->indefinite;
  if (chunks && !join_chunks(c)) return c->token = BROKEN;
  return token;
}

/* Whether a list or map of which the head was read goes on. */
struct extent {
  bool indefinite;
  size_t left;
};

static struct extent extent_of(const struct cbor_in *c) {
  return (struct extent){c->indefinite, c->count};
}

/* Reads what follows in a list or map: false at its end. BROKEN is for the caller. */
static bool next_in(struct cbor_in *c, struct extent *e) {
  if (!e->indefinite && e->left-- == 0) return false;
  return next_value(c) != BREAK || !e->indefinite;
}

static int bad_cbor(struct cbor_in *c) {
  return luaws_error_set(c->err, LUAWS_E_RESPONSE, "ResponseParserError",
                         "Unable to parse response (%s), invalid CBOR received. Further "
                         "retries may succeed",
                         c->rest.len ? "no CBOR item" : "it ends too soon");
}

static int bad_value(struct cbor_in *c, const struct luaws_path *at, const char *what) {
  return luaws_path_error(c->parser, at, what, c->err);
}

/* Passes over what is left of the item last read. */
static int skip(struct cbor_in *c) {
  if (c->token == BROKEN || c->token == BREAK) return bad_cbor(c);
  if (c->token != LIST && c->token != MAP) return 0;
  if (c->depth == LUAWS_MAX_NESTING) return bad_value(c, NULL, "nested too deep");
  bool map = c->token == MAP;
  struct extent e = extent_of(c);
  int rc = 0;
  c->depth++;
  while (rc == 0 && next_in(c, &e)) {
    if (map) {
      if (c->token != TEXT && c->token != INTEGER && c->token != BYTES) {
        rc = bad_cbor(c);
        break;
      }
      next_value(c);
    }
    rc = skip(c);
  }
  c->depth--;
  return rc;
}

/* ---- values ---- */

static int read_value(struct cbor_in *c, const struct luaws_shape *shape,
                      const struct luaws_path *at);

static int read_any(struct cbor_in *c, const struct luaws_path *at) {
  switch (c->token) {
  case NOTHING:
    c->ops->null(c->w);
    return 0;
  case BOOLEAN:
    c->ops->boolean(c->w, c->boolean);
    return 0;
  case INTEGER:
    c->ops->integer(c->w, c->integer);
    return 0;
  case NUMBER:
    c->ops->floating(c->w, c->number);
    return 0;
  case TEXT:
    c->ops->bytes(c->w, c->text);
    return 0;
  case BYTES:
    c->ops->blob(c->w, c->text);
    return 0;
  case LIST:
  case MAP:
    break;
  default:
    c->ops->null(c->w);
    return bad_cbor(c);
  }
  if (c->depth == LUAWS_MAX_NESTING) {
    c->ops->null(c->w);
    return bad_value(c, at, "nested too deep");
  }
  int rc = 0;
  struct extent e = extent_of(c);
  c->depth++;
  if (c->token == LIST) {
    c->ops->begin_list(c->w, 0, true);
    while (rc == 0 && next_in(c, &e))
      rc = c->token == BROKEN ? bad_cbor(c) : read_any(c, at);
    c->ops->end_list(c->w);
  } else {
    c->ops->begin_map(c->w, 0, true);
    while (rc == 0 && next_in(c, &e)) {
      if (c->token != TEXT) {
        rc = bad_cbor(c);
        break;
      }
      c->ops->key(c->w, c->text);
      next_value(c);
      rc = read_any(c, at);
    }
    c->ops->end_map(c->w);
  }
  c->depth--;
  return rc;
}

/* A key of a union that the model does not know: a null there counts for nothing. */
static int read_unknown(struct cbor_in *c, unsigned *count) {
  struct luaws_buf *name = &c->parser->key;
  luaws_buf_reset(name);
  luaws_buf_append_str(name, c->text);
  bool counts = next_value(c) != NOTHING && !luaws_str_is(luaws_buf_str(name), "__type");
  int rc = skip(c);
  if (rc || !counts) return rc;
  if (++*count == 1) luaws_write_unknown_member(c->w, luaws_buf_str(name));
  return 0;
}

static int read_members(struct cbor_in *c, const struct luaws_shape *shape,
                        const struct luaws_path *at) {
  struct extent e = extent_of(c);
  unsigned hint = 0, count = 0;
  bool is_union = shape->flags & LUAWS_SHAPE_UNION;
  while (next_in(c, &e)) {
    if (c->token != TEXT) return bad_cbor(c);
    const struct luaws_member *m = luaws_shape_wire_member(shape, c->text, &hint);
    int rc;
    if (!m) {
      rc = read_unknown(c, is_union ? &count : &(unsigned){1});
      if (rc) return rc;
      continue;
    }
    enum token token = next_value(c);
    if (token == NOTHING) continue;
    if (token == BROKEN || token == BREAK) return bad_cbor(c);
    count++;
    struct luaws_path here = {.up = at, .name = luaws_ref_text(&m->name)};
    c->ops->key(c->w, here.name);
    rc = read_value(c, luaws_member_shape(m), &here);
    if (rc) return rc;
  }
  if (is_union && count != 1) {
    return bad_value(c, at, "a union must have one and only one member set");
  }
  return 0;
}

static int read_list(struct cbor_in *c, const struct luaws_shape *shape,
                     const struct luaws_path *at) {
  const struct luaws_shape *item = luaws_member_shape(luaws_shape_member_at(shape, 0));
  struct extent e = extent_of(c);
  struct luaws_path here = {.up = at};
  for (; next_in(c, &e); here.index++) {
    int rc = 0;
    if (c->token == BROKEN || c->token == BREAK) return bad_cbor(c);
    if (c->token == NOTHING) {
      c->ops->null(c->w);
    } else {
      rc = read_value(c, item, &here);
    }
    if (rc) return rc;
  }
  return 0;
}

static int read_map(struct cbor_in *c, const struct luaws_shape *shape,
                    const struct luaws_path *at) {
  const struct luaws_shape *value = luaws_member_shape(luaws_shape_member_at(shape, 1));
  bool keeps_null =
      (shape->flags & LUAWS_SHAPE_SPARSE) || (value->flags & LUAWS_SHAPE_DOCUMENT);
  struct extent e = extent_of(c);
  while (next_in(c, &e)) {
    if (c->token != TEXT) return bad_cbor(c);
    struct luaws_path here = {.up = at, .name = c->text};
    if (c->text.ptr == c->parser->text.ptr) {
      /* It came in chunks, and so may its value. */
      luaws_buf_reset(&c->parser->key);
      luaws_buf_append_str(&c->parser->key, c->text);
      here.name = luaws_buf_str(&c->parser->key);
    }
    enum token token = next_value(c);
    if (token == BROKEN || token == BREAK) return bad_cbor(c);
    if (token == NOTHING && !keeps_null) continue;
    c->ops->key(c->w, here.name);
    if (here.name.ptr == c->parser->key.ptr) here.name = LUAWS_STR("*");
    int rc = 0;
    if (token == NOTHING) {
      c->ops->null(c->w);
    } else {
      rc = read_value(c, value, &here);
    }
    if (rc) return rc;
  }
  return 0;
}

/* NULL when it went well, else what is wrong. */
static const char *read_scalar(struct cbor_in *c, const struct luaws_shape *shape) {
  bool whole = shape->type == LUAWS_TYPE_INTEGER || shape->type == LUAWS_TYPE_LONG;
  bool fractional = shape->type == LUAWS_TYPE_FLOAT || shape->type == LUAWS_TYPE_DOUBLE;
  double n = c->token == INTEGER ? (double)c->integer : c->number;
  switch (c->token) {
  case BYTES:
    if (shape->type != LUAWS_TYPE_BLOB) return "bytes were not expected";
    c->ops->blob(c->w, c->text);
    return NULL;
  case TEXT:
    if (shape->type == LUAWS_TYPE_BLOB) {
      c->ops->blob(c->w, c->text);
      return NULL;
    }
    return luaws_scalar_parse(c->w, shape, c->text, &c->parser->scratch)
               ? "the text is not what was expected"
               : NULL;
  case BOOLEAN:
    if (shape->type != LUAWS_TYPE_BOOLEAN) return "a boolean was not expected";
    c->ops->boolean(c->w, c->boolean);
    return NULL;
  case INTEGER:
  case NUMBER:
    if (shape->type == LUAWS_TYPE_TIMESTAMP) {
      c->ops->timestamp(c->w, n);
    } else if (whole && c->token == INTEGER) {
      c->ops->integer(c->w, c->integer);
    } else if (whole || fractional) {
      c->ops->floating(c->w, n);
    } else {
      return "a number was not expected";
    }
    return NULL;
  default:
    return "a list or a map was not expected";
  }
}

static int read_value(struct cbor_in *c, const struct luaws_shape *shape,
                      const struct luaws_path *at) {
  if (shape->flags & LUAWS_SHAPE_DOCUMENT) return read_any(c, at);
  if (shape->type > LUAWS_TYPE_MAP) {
    const char *wrong = read_scalar(c, shape);
    if (!wrong) return 0;
    c->ops->null(c->w); /* its key was written */
    return bad_value(c, at, wrong);
  }
  bool list = shape->type == LUAWS_TYPE_LIST;
  if (c->token != (list ? LIST : MAP) || c->depth == LUAWS_MAX_NESTING) {
    c->ops->null(c->w);
    return bad_value(c, at,
                     c->depth == LUAWS_MAX_NESTING ? "nested too deep"
                     : list                        ? "not a list"
                                                   : "not a map");
  }
  int rc;
  size_t size = c->indefinite ? 0 : c->count;
  c->depth++;
  if (list) {
    c->ops->begin_list(c->w, size, false);
    rc = read_list(c, shape, at);
    c->ops->end_list(c->w);
  } else {
    bool map = shape->type == LUAWS_TYPE_MAP;
    c->ops->begin_map(c->w, size, false);
    rc = map ? read_map(c, shape, at) : read_members(c, shape, at);
    c->ops->end_map(c->w);
  }
  c->depth--;
  return rc;
}

/* ---- the whole ---- */

int luaws_cbor_read(struct luaws_parser *p, struct luaws_str body,
                    const struct luaws_shape *shape, bool bare, struct luaws_writer *out,
                    struct luaws_error *err) {
  if (body.len == 0) body = LUAWS_STR("\xa0");
  struct cbor_in c = {.rest = body, .parser = p, .w = out, .ops = out->ops, .err = err};
  enum token token = next_value(&c);
  int rc;
  if (!bare) {
    rc = token == BROKEN || token == BREAK ? bad_cbor(&c) : read_value(&c, shape, NULL);
  } else if (token == MAP) {
    rc = read_members(&c, shape, NULL);
  } else {
    rc = token == NOTHING  ? 0
         : token == BROKEN ? bad_cbor(&c)
                           : bad_value(&c, NULL, "not a map");
  }
  if (rc == 0 && c.rest.len) {
    rc = luaws_error_set(err, LUAWS_E_RESPONSE, "ResponseParserError",
                         "Unable to parse response: %zu bytes after its end", c.rest.len);
  }
  return rc;
}

bool luaws_cbor_read_error(struct luaws_parse *p, struct luaws_str *type,
                           struct luaws_str *code, struct luaws_str *message) {
  struct cbor_in c = {.rest = p->response->body, .parser = p->parser};
  struct luaws_str upper_code = {0}, upper_message = {0};
  *type = *code = *message = LUAWS_STR_NONE;
  if (next_value(&c) != MAP) return false;
  struct extent e = extent_of(&c);
  while (next_in(&c, &e)) {
    if (c.token != TEXT) return false;
    struct luaws_str *field = luaws_str_is(c.text, "__type")    ? type
                              : luaws_str_is(c.text, "code")    ? code
                              : luaws_str_is(c.text, "Code")    ? &upper_code
                              : luaws_str_is(c.text, "message") ? message
                              : luaws_str_is(c.text, "Message") ? &upper_message
                                                                : NULL;
    if (next_value(&c) == TEXT && field) {
      *field = luaws_arena_str(p->arena, c.text);
    } else if (skip(&c)) {
      return false;
    }
  }
  if (!code->ptr) *code = upper_code;
  if (!message->ptr) *message = upper_message;
  return true;
}
