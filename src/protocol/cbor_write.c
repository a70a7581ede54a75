#include "protocol/cbor.h"

#include "protocol/request.h"
#include "protocol/scalar.h"

#include <cbor/encoding.h>
#include <float.h>
#include <math.h>

struct cbor_out {
  struct luaws_buf *out;
  struct luaws_reader *r;
  bool milliseconds;
  int depth;
  struct luaws_error *err;
};

/* ---- items ---- */

enum { MAX_HEAD_BYTES = 9 };

typedef size_t encode_count(size_t count, unsigned char *out, size_t size);

/* The head of a string, list or map. */
static void put_head(struct luaws_buf *out, encode_count *encode, size_t count) {
  unsigned char head[MAX_HEAD_BYTES];
  luaws_buf_append(out, head, encode(count, head, sizeof head));
}

static void put_text(struct luaws_buf *out, struct luaws_str s) {
  put_head(out, cbor_encode_string_start, s.len);
  luaws_buf_append_str(out, s);
}

static void put_integer(struct luaws_buf *out, int64_t n) {
  unsigned char item[MAX_HEAD_BYTES];
  size_t size = n < 0 ? cbor_encode_negint((uint64_t)(-1 - n), item, sizeof item)
                      : cbor_encode_uint((uint64_t)n, item, sizeof item);
  luaws_buf_append(out, item, size);
}

static void put_float(struct luaws_buf *out, double n, bool single) {
  unsigned char item[MAX_HEAD_BYTES];
  size_t size;
  if (!isfinite(n)) {
    size = cbor_encode_half((float)n, item, sizeof item);
  } else if (single && fabs(n) <= FLT_MAX) {
    size = cbor_encode_single((float)n, item, sizeof item);
  } else {
    size = cbor_encode_double(n, item, sizeof item);
  }
  luaws_buf_append(out, item, size);
}

static void put_simple(struct luaws_buf *out, enum luaws_kind kind, bool b) {
  unsigned char item[MAX_HEAD_BYTES];
  luaws_buf_append(out, item,
                   kind == LUAWS_KIND_NULL ? cbor_encode_null(item, sizeof item)
                                           : cbor_encode_bool(b, item, sizeof item));
}

static void put_time(struct luaws_buf *out, double seconds, bool milliseconds) {
  unsigned char tag[MAX_HEAD_BYTES];
  luaws_buf_append(out, tag, cbor_encode_tag(1, tag, sizeof tag));
  double ms = floor(seconds * 1000 + 1e-4) / 1000;
  if (milliseconds && ms != floor(ms)) {
    put_float(out, ms, false);
  } else {
    put_integer(out, (int64_t)floor(seconds));
  }
}

/* ---- values ---- */

static int write_value(struct cbor_out *c, const struct luaws_member *m);
static int write_any(struct cbor_out *c);

/* m: the shape of the items or values; NULL where there is none. */
static int write_list(struct cbor_out *c, const struct luaws_member *m) {
  struct luaws_reader *r = c->r;
  size_t count = r->ops->length(r);
  int rc = 0;
  put_head(c->out, cbor_encode_array_start, count);
  for (size_t i = 0; i < count && rc == 0; i++) {
    if (!r->ops->enter_item(r, i)) {
      put_simple(c->out, LUAWS_KIND_NULL, false);
      continue;
    }
    rc = m ? write_value(c, m) : write_any(c);
    r->ops->leave(r);
  }
  return rc;
}

static int write_entries(struct cbor_out *c, const struct luaws_member *m) {
  struct luaws_reader *r = c->r;
  struct luaws_str key;
  enum luaws_kind kind;
  put_head(c->out, cbor_encode_map_start, r->ops->length(r));
  r->ops->begin_entries(r);
  while (r->ops->next_entry(r, &key, &kind)) {
    put_text(c->out, key);
    int rc = m ? write_value(c, m) : write_any(c);
    r->ops->leave(r);
    if (rc) {
      r->ops->end_entries(r);
      return rc;
    }
  }
  return 0;
}

static int write_any(struct cbor_out *c) {
  struct luaws_reader *r = c->r;
  enum luaws_kind kind = r->ops->kind(r);
  int rc = 0;
  if (c->depth == LUAWS_MAX_NESTING) return luaws_too_deep(c->err);
  c->depth++;
  switch (kind) {
  case LUAWS_KIND_NULL:
    put_simple(c->out, kind, false);
    break;
  case LUAWS_KIND_BOOLEAN:
    put_simple(c->out, kind, r->ops->boolean(r));
    break;
  case LUAWS_KIND_INTEGER:
    put_integer(c->out, r->ops->integer(r));
    break;
  case LUAWS_KIND_FLOAT:
    put_float(c->out, r->ops->floating(r), false);
    break;
  case LUAWS_KIND_STRING:
    put_text(c->out, r->ops->bytes(r));
    break;
  case LUAWS_KIND_LIST:
    rc = write_list(c, NULL);
    break;
  case LUAWS_KIND_MAP:
  case LUAWS_KIND_EMPTY:
    rc = write_entries(c, NULL);
    break;
  default:
    rc = luaws_error_set(c->err, LUAWS_E_ARGUMENT, "ParamValidationError",
                         "Parameter validation failed:\nInvalid type for document "
                         "parameter, type: %s",
                         r->ops->type_name(r));
    break;
  }
  c->depth--;
  return rc;
}

/* Steps onto a member that is there and not null. */
static bool enter_member(struct luaws_reader *r, const struct luaws_member *m) {
  if (!r->ops->enter_member(r, luaws_ref_text(&m->name))) return false;
  if (r->ops->kind(r) != LUAWS_KIND_NULL) return true;
  r->ops->leave(r);
  return false;
}

/* A map begins with the number of its entries, so they are counted first. */
static int write_structure(struct cbor_out *c, const struct luaws_shape *shape) {
  struct luaws_reader *r = c->r;
  size_t count = 0;
  for (unsigned i = 0; i < shape->member_count; i++) {
    if (!enter_member(r, luaws_shape_member_at(shape, i))) continue;
    r->ops->leave(r);
    count++;
  }
  put_head(c->out, cbor_encode_map_start, count);
  int rc = 0;
  for (unsigned i = 0; i < shape->member_count && rc == 0; i++) {
    const struct luaws_member *m = luaws_shape_member_at(shape, i);
    if (!enter_member(r, m)) continue;
    put_text(c->out, luaws_ref_text(&m->wire_name));
    rc = write_value(c, m);
    r->ops->leave(r);
  }
  return rc;
}

static int write_scalar(struct cbor_out *c, const struct luaws_shape *shape,
                        enum luaws_kind kind) {
  struct luaws_reader *r = c->r;
  struct luaws_str blob;
  int64_t n;
  double seconds;
  switch ((enum luaws_type)shape->type) {
  case LUAWS_TYPE_BLOB:
    if (kind != LUAWS_KIND_STRING) return luaws_wrong_kind(r, shape, "string", c->err);
    blob = r->ops->blob(r);
    put_head(c->out, cbor_encode_bytestring_start, blob.len);
    luaws_buf_append_str(c->out, blob);
    return 0;
  case LUAWS_TYPE_BOOLEAN:
    if (kind != LUAWS_KIND_BOOLEAN) return luaws_wrong_kind(r, shape, "boolean", c->err);
    put_simple(c->out, kind, r->ops->boolean(r));
    return 0;
  case LUAWS_TYPE_INTEGER:
  case LUAWS_TYPE_LONG:
    if (!luaws_read_integer(r, &n)) return luaws_wrong_kind(r, shape, "integer", c->err);
    put_integer(c->out, n);
    return 0;
  case LUAWS_TYPE_FLOAT:
  case LUAWS_TYPE_DOUBLE:
    if (kind != LUAWS_KIND_INTEGER && kind != LUAWS_KIND_FLOAT) {
      return luaws_wrong_kind(r, shape, "number", c->err);
    }
    put_float(c->out, r->ops->floating(r), shape->type == LUAWS_TYPE_FLOAT);
    return 0;
  case LUAWS_TYPE_TIMESTAMP:
    if (!luaws_read_time(r, &seconds)) {
      return luaws_wrong_kind(r, shape, "timestamp", c->err);
    }
    put_time(c->out, seconds, c->milliseconds);
    return 0;
  default:
    if (kind != LUAWS_KIND_STRING) return luaws_wrong_kind(r, shape, "string", c->err);
    put_text(c->out, r->ops->bytes(r));
    return 0;
  }
}

static int write_value(struct cbor_out *c, const struct luaws_member *m) {
  const struct luaws_shape *shape = luaws_member_shape(m);
  enum luaws_kind kind = c->r->ops->kind(c->r);
  if (shape->flags & LUAWS_SHAPE_DOCUMENT) return write_any(c);
  if (kind == LUAWS_KIND_NULL) {
    put_simple(c->out, kind, false);
    return 0;
  }
  if (shape->type > LUAWS_TYPE_MAP) return write_scalar(c, shape, kind);
  bool list = shape->type == LUAWS_TYPE_LIST;
  if (kind != LUAWS_KIND_EMPTY && kind != (list ? LUAWS_KIND_LIST : LUAWS_KIND_MAP)) {
    return luaws_wrong_kind(c->r, shape, "table", c->err);
  }
  if (c->depth == LUAWS_MAX_NESTING) return luaws_too_deep(c->err);
  c->depth++;
  int rc = list ? write_list(c, luaws_shape_member_at(shape, 0))
           : shape->type == LUAWS_TYPE_MAP
               ? write_entries(c, luaws_shape_member_at(shape, 1))
               : write_structure(c, shape);
  c->depth--;
  return rc;
}

int luaws_cbor_write_input(struct luaws_serialize *s, struct luaws_error *err) {
  const struct luaws_shape *input = luaws_ref_get(&s->operation->input);
  struct cbor_out c = {.out = s->body,
                       .r = s->params,
                       .milliseconds = s->millisecond_timestamps,
                       .err = err};
  struct luaws_str token;
  size_t count = 0;
  for (unsigned i = 0; i < input->member_count; i++) {
    if (!luaws_input_enter(s, luaws_shape_member_at(input, i), &token)) continue;
    if (!token.ptr) s->params->ops->leave(s->params);
    count++;
  }
  put_head(s->body, cbor_encode_map_start, count);
  for (unsigned i = 0; i < input->member_count; i++) {
    const struct luaws_member *m = luaws_shape_member_at(input, i);
    if (!luaws_input_enter(s, m, &token)) continue;
    put_text(s->body, luaws_ref_text(&m->wire_name));
    if (token.ptr) {
      put_text(s->body, token);
      continue;
    }
    int rc = write_value(&c, m);
    s->params->ops->leave(s->params);
    if (rc) return rc;
  }
  return 0;
}
