#include "protocol/event_write.h"

#include <math.h>

#include "protocol/json_body.h"
#include "protocol/scalar.h"

const struct luaws_member *luaws_event_input_member(const struct luaws_operation *op) {
  const struct luaws_shape *input = luaws_ref_get(&op->input);
  for (unsigned i = 0; input && i < input->member_count; i++) {
    const struct luaws_member *m = luaws_shape_member_at(input, i);
    if (luaws_member_shape(m)->flags & LUAWS_SHAPE_EVENTSTREAM) return m;
  }
  return NULL;
}

/* ---- headers ---- */

static void put_text(struct luaws_buf *out, struct luaws_str name,
                     struct luaws_str text) {
  struct luaws_event_header h = {
      .name = name, .type = LUAWS_EVENT_HEADER_STRING, .bytes = text};
  luaws_event_put_header(out, &h);
}

static int too_long(const struct luaws_member *m, struct luaws_error *err) {
  return luaws_error_set(err, LUAWS_E_ARGUMENT, "ParamValidationError",
                         "Parameter validation failed:\nInvalid length for parameter "
                         "%.*s: an event's header holds at most 32767 bytes",
                         LUAWS_STR_ARG(luaws_ref_text(&m->name)));
}

/* The reader stands on the value of member m. */
static int put_member(struct luaws_buf *out, const struct luaws_member *m,
                      struct luaws_reader *r, struct luaws_error *err) {
  const struct luaws_shape *shape = luaws_member_shape(m);
  struct luaws_event_header h = {.name = luaws_ref_text(&m->wire_name)};
  enum luaws_kind kind = r->ops->kind(r);
  double seconds;
  switch ((enum luaws_type)shape->type) {
  case LUAWS_TYPE_BOOLEAN:
    if (kind != LUAWS_KIND_BOOLEAN) return luaws_wrong_kind(r, shape, "boolean", err);
    h.type = r->ops->boolean(r) ? LUAWS_EVENT_HEADER_TRUE : LUAWS_EVENT_HEADER_FALSE;
    break;
  case LUAWS_TYPE_INTEGER:
  case LUAWS_TYPE_LONG:
    h.type = shape->type == LUAWS_TYPE_LONG ? LUAWS_EVENT_HEADER_LONG
                                            : LUAWS_EVENT_HEADER_INTEGER;
    if (!luaws_read_integer(r, &h.integer))
      return luaws_wrong_kind(r, shape, "integer", err);
    break;
  case LUAWS_TYPE_TIMESTAMP:
    h.type = LUAWS_EVENT_HEADER_TIMESTAMP;
    if (!luaws_read_time(r, &seconds)) return luaws_wrong_kind(r, shape, "time", err);
    h.integer = (int64_t)floor(seconds * 1000 + 0.5);
    break;
  default:
    if (kind != LUAWS_KIND_STRING) return luaws_wrong_kind(r, shape, "string", err);
    h.type = shape->type == LUAWS_TYPE_BLOB ? LUAWS_EVENT_HEADER_BYTES
                                            : LUAWS_EVENT_HEADER_STRING;
    h.bytes = shape->type == LUAWS_TYPE_BLOB ? r->ops->blob(r) : r->ops->bytes(r);
    break;
  }
  return luaws_event_put_header(out, &h) ? 0 : too_long(m, err);
}

/* ---- payloads ---- */

/* Bytes and text go as they are. */
static int write_raw(struct luaws_serialize *s, const struct luaws_shape *shape,
                     struct luaws_error *err) {
  struct luaws_reader *r = s->params;
  if (r->ops->kind(r) != LUAWS_KIND_STRING)
    return luaws_wrong_kind(r, shape, "string", err);
  luaws_buf_append_str(s->body, shape->type == LUAWS_TYPE_BLOB ? r->ops->blob(r)
                                                               : r->ops->bytes(r));
  return 0;
}

/* The payload of an event without a member for it: its other members. */
static int write_payload(struct luaws_serialize *s, const struct luaws_member *event,
                         const struct luaws_member *payload, const char **content_type,
                         struct luaws_error *err) {
  struct luaws_reader *r = s->params;
  *content_type = "application/json";
  if (!payload) return luaws_json_write_member(s, event, err);
  const struct luaws_shape *shape = luaws_member_shape(payload);
  bool raw = shape->type == LUAWS_TYPE_BLOB || shape->type == LUAWS_TYPE_STRING;
  if (raw)
    *content_type =
        shape->type == LUAWS_TYPE_BLOB ? "application/octet-stream" : "text/plain";
  if (!r->ops->enter_member(r, luaws_ref_text(&payload->name))) {
    if (!raw) luaws_buf_append_cstr(s->body, "{}");
    return 0;
  }
  int rc = raw ? write_raw(s, shape, err) : luaws_json_write_member(s, payload, err);
  r->ops->leave(r);
  return rc;
}

/* ---- the event ---- */

/* The reader stands on the value of the stream's member `event`. */
static int write_event(struct luaws_serialize *s, const struct luaws_member *event,
                       struct luaws_buf *headers, struct luaws_error *err) {
  const struct luaws_shape *shape = luaws_member_shape(event);
  const struct luaws_member *payload = NULL;
  const char *content_type;
  struct luaws_reader *r = s->params;
  enum luaws_kind kind = r->ops->kind(r);
  if (kind != LUAWS_KIND_MAP && kind != LUAWS_KIND_EMPTY)
    return luaws_wrong_kind(r, shape, "table", err);
  for (unsigned i = 0; i < shape->member_count; i++) {
    const struct luaws_member *m = luaws_shape_member_at(shape, i);
    if (m->flags & LUAWS_MEMBER_EVENT_PAYLOAD) payload = m;
    if (!(m->flags & LUAWS_MEMBER_EVENT_HEADER)) continue;
    if (!r->ops->enter_member(r, luaws_ref_text(&m->name))) continue;
    int rc = put_member(headers, m, r, err);
    r->ops->leave(r);
    if (rc) return rc;
  }
  int rc = write_payload(s, event, payload, &content_type, err);
  put_text(headers, LUAWS_STR(":event-type"), luaws_ref_text(&event->name));
  put_text(headers, LUAWS_STR(":message-type"), LUAWS_STR("event"));
  put_text(headers, LUAWS_STR(":content-type"), luaws_str_from(content_type));
  return rc ? rc : headers->failed || s->body->failed ? luaws_error_memory(err) : 0;
}

int luaws_event_serialize(struct luaws_serialize *s, struct luaws_buf *headers,
                          struct luaws_error *err) {
  struct luaws_reader *r = s->params;
  const struct luaws_shape *stream =
      luaws_member_shape(luaws_event_input_member(s->operation));
  enum luaws_kind kind = r->ops->kind(r);
  for (unsigned i = 0; kind == LUAWS_KIND_MAP && i < stream->member_count; i++) {
    const struct luaws_member *event = luaws_shape_member_at(stream, i);
    if (!r->ops->enter_member(r, luaws_ref_text(&event->name))) continue;
    int rc = write_event(s, event, headers, err);
    r->ops->leave(r);
    return rc;
  }
  return luaws_wrong_kind(r, stream, "table with one event by its name", err);
}
