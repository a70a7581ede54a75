#include "protocol/event_stream.h"

#include "protocol/cbor.h"
#include "protocol/json_body.h"
#include "protocol/parser.h"
#include "protocol/xml_read.h"
#include "value/tree.h"

const struct luaws_member *luaws_event_stream_member(const struct luaws_operation *op) {
  const struct luaws_shape *output = luaws_ref_get(&op->output);
  for (unsigned i = 0; output && i < output->member_count; i++) {
    const struct luaws_member *m = luaws_shape_member_at(output, i);
    if (luaws_member_shape(m)->flags & LUAWS_SHAPE_EVENTSTREAM) return m;
  }
  return NULL;
}

bool luaws_event_stream_has_initial(const struct luaws_service *service,
                                    const struct luaws_operation *op) {
  return (op->flags & LUAWS_OP_EVENTS_OUT) && (service->protocol == LUAWS_PROTOCOL_JSON ||
                                               service->protocol == LUAWS_PROTOCOL_CBOR);
}

/* The stream's member that a header of the message names, or NULL. */
static const struct luaws_member *named_member(const struct luaws_operation *op,
                                               const struct luaws_event_message *m,
                                               struct luaws_str header) {
  const struct luaws_member *stream = luaws_event_stream_member(op);
  struct luaws_str name = luaws_event_header_text(m, header);
  return stream && name.len ? luaws_shape_member(luaws_member_shape(stream), name) : NULL;
}

enum luaws_event_kind luaws_event_kind(const struct luaws_operation *op,
                                       const struct luaws_event_message *m) {
  struct luaws_str type = luaws_event_header_text(m, LUAWS_STR(":message-type"));
  if (luaws_str_is(type, "error") || luaws_str_is(type, "exception"))
    return LUAWS_EVENT_ERROR;
  if (named_member(op, m, LUAWS_STR(":event-type"))) return LUAWS_EVENT_MODELED;
  struct luaws_str name = luaws_event_header_text(m, LUAWS_STR(":event-type"));
  return luaws_str_is(name, "initial-response") ? LUAWS_EVENT_INITIAL
                                                : LUAWS_EVENT_UNKNOWN;
}

/* ---- events ---- */

static int read_body(struct luaws_parse *p, struct luaws_str body,
                     const struct luaws_shape *shape, bool bare,
                     struct luaws_error *err) {
  switch ((enum luaws_protocol_id)p->service->protocol) {
  case LUAWS_PROTOCOL_CBOR:
    return luaws_cbor_read(p->parser, body, shape, bare, p->out, err);
  case LUAWS_PROTOCOL_REST_XML:
    if (body.len) {
      struct luaws_xml_target target = {.shape = shape, .bare = bare, .arena = p->arena};
      return luaws_xml_read(p->parser, body, &target, p->out, err);
    }
    if (!bare) {
      p->out->ops->begin_map(p->out, 0, false);
      p->out->ops->end_map(p->out);
    }
    return 0;
  default:
    return luaws_json_read(p->parser, body, shape, bare, p->out, err);
  }
}

static void write_header(struct luaws_writer *w, const struct luaws_member *m,
                         const struct luaws_event_header *h) {
  w->ops->key(w, luaws_ref_text(&m->name));
  switch (h->type) {
  case LUAWS_EVENT_HEADER_TRUE:
  case LUAWS_EVENT_HEADER_FALSE:
    w->ops->boolean(w, h->integer != 0);
    break;
  case LUAWS_EVENT_HEADER_BYTES:
  case LUAWS_EVENT_HEADER_UUID:
    w->ops->blob(w, h->bytes);
    break;
  case LUAWS_EVENT_HEADER_STRING:
    w->ops->bytes(w, h->bytes);
    break;
  default:
    if (luaws_member_shape(m)->type == LUAWS_TYPE_TIMESTAMP)
      w->ops->timestamp(w, (double)h->integer / 1000);
    else
      w->ops->integer(w, h->integer);
  }
}

static int write_event(struct luaws_parse *p, const struct luaws_shape *event,
                       const struct luaws_event_message *m, struct luaws_error *err) {
  struct luaws_writer *w = p->out;
  const struct luaws_member *payload = NULL;
  for (unsigned i = 0; i < event->member_count; i++) {
    const struct luaws_member *member = luaws_shape_member_at(event, i);
    if (member->flags & LUAWS_MEMBER_EVENT_PAYLOAD) payload = member;
    if (!(member->flags & LUAWS_MEMBER_EVENT_HEADER)) continue;
    const struct luaws_event_header *h =
        luaws_event_header_get(m, luaws_ref_text(&member->wire_name));
    if (h) write_header(w, member, h);
  }
  if (!payload) return read_body(p, m->payload, event, true, err);
  const struct luaws_shape *shape = luaws_member_shape(payload);
  w->ops->key(w, luaws_ref_text(&payload->name));
  if (shape->type == LUAWS_TYPE_BLOB) {
    w->ops->blob(w, m->payload);
    return 0;
  }
  if (shape->type == LUAWS_TYPE_STRING) {
    w->ops->bytes(w, m->payload);
    return 0;
  }
  return read_body(p, m->payload, shape, false, err);
}

int luaws_event_parse(struct luaws_parse *p, const struct luaws_event_message *m,
                      struct luaws_error *err) {
  const struct luaws_member *event =
      named_member(p->operation, m, LUAWS_STR(":event-type"));
  struct luaws_writer *w = p->out;
  w->ops->begin_map(w, 1, false);
  w->ops->key(w, luaws_ref_text(&event->name));
  w->ops->begin_map(w, 0, false);
  int rc = write_event(p, luaws_member_shape(event), m, err);
  w->ops->end_map(w);
  w->ops->end_map(w);
  return rc;
}

/* ---- errors ---- */

static struct luaws_str copy(struct luaws_parse *p, struct luaws_str s) {
  return luaws_arena_str(p->arena, s.ptr ? s : LUAWS_STR(""));
}

/* An exception's message, which is one of its members. */
static struct luaws_str exception_message(struct luaws_parse *p, struct luaws_str body,
                                          const struct luaws_shape *shape) {
  struct luaws_tree_writer w;
  struct luaws_parse q = *p;
  luaws_tree_writer_init(&w, p->arena);
  q.out = &w.base;
  w.base.ops->begin_map(&w.base, 0, false);
  int rc = read_body(&q, body, shape, true, NULL);
  w.base.ops->end_map(&w.base);
  if (rc || w.failed) return LUAWS_STR_NONE;
  struct luaws_str text = luaws_tree_text(w.root, "Message");
  return text.ptr ? text : luaws_tree_text(w.root, "message");
}

int luaws_event_parse_error(struct luaws_parse *p, const struct luaws_event_message *m,
                            struct luaws_service_error *out, struct luaws_error *err) {
  const struct luaws_member *exception =
      named_member(p->operation, m, LUAWS_STR(":exception-type"));
  struct luaws_writer *w = p->out;
  *out = (struct luaws_service_error){0};
  if (exception) {
    out->shape = luaws_member_shape(exception);
    out->code = copy(p, luaws_ref_text(&exception->name));
    out->message = copy(p, exception_message(p, m->payload, out->shape));
  } else {
    struct luaws_str code = luaws_event_header_text(m, LUAWS_STR(":error-code"));
    if (!code.ptr) code = luaws_event_header_text(m, LUAWS_STR(":exception-type"));
    out->code = copy(p, code);
    out->message = copy(p, luaws_event_header_text(m, LUAWS_STR(":error-message")));
    out->shape = luaws_service_error(p->service, out->code);
  }
  if (!out->code.ptr || !out->message.ptr) return luaws_error_memory(err);
  w->ops->key(w, LUAWS_STR("Error"));
  w->ops->begin_map(w, 2, false);
  w->ops->key(w, LUAWS_STR("Code"));
  w->ops->bytes(w, out->code);
  w->ops->key(w, LUAWS_STR("Message"));
  w->ops->bytes(w, out->message);
  w->ops->end_map(w);
  if (exception) read_body(p, m->payload, out->shape, true, NULL);
  return 0;
}

/* ---- the output ---- */

int luaws_event_stream_cut(struct luaws_error *err) {
  return luaws_error_set(err, LUAWS_E_CLOSED, "IncompleteReadError",
                         "The event stream ended within a message");
}

static int gathered_error(struct luaws_parse *p, const struct luaws_event_message *m,
                          struct luaws_error *err) {
  struct luaws_service_error e;
  struct luaws_tree_writer nowhere;
  struct luaws_parse q = *p;
  luaws_tree_writer_init(&nowhere, p->arena);
  q.out = &nowhere.base;
  nowhere.base.ops->begin_map(&nowhere.base, 0, false);
  int rc = luaws_event_parse_error(&q, m, &e, err);
  if (rc) return rc;
  return luaws_error_set(err, LUAWS_E_RESPONSE, "EventStreamError",
                         "An error occurred (%.*s) when calling the %.*s operation: %.*s",
                         LUAWS_STR_ARG(e.code),
                         LUAWS_STR_ARG(luaws_ref_text(&p->operation->name)),
                         LUAWS_STR_ARG(e.message));
}

static int write_gathered(struct luaws_parse *p, struct luaws_event_decoder *d,
                          struct luaws_error *err) {
  const struct luaws_shape *output = luaws_ref_get(&p->operation->output);
  bool initial = luaws_event_stream_has_initial(p->service, p->operation);
  struct luaws_writer *w = p->out;
  struct luaws_event_message m;
  int rc = luaws_event_decoder_next(d, &m, err);
  if (initial && rc == 1 && luaws_event_kind(p->operation, &m) == LUAWS_EVENT_INITIAL) {
    rc = read_body(p, m.payload, output, true, err);
    if (rc == 0) rc = luaws_event_decoder_next(d, &m, err);
  }
  w->ops->key(w, luaws_ref_text(&luaws_event_stream_member(p->operation)->name));
  w->ops->begin_list(w, 0, false);
  while (rc == 1) {
    enum luaws_event_kind kind = luaws_event_kind(p->operation, &m);
    rc = kind == LUAWS_EVENT_MODELED ? luaws_event_parse(p, &m, err)
         : kind == LUAWS_EVENT_ERROR ? gathered_error(p, &m, err)
                                     : 0;
    if (rc == 0) rc = luaws_event_decoder_next(d, &m, err);
  }
  w->ops->end_list(w);
  return rc;
}

int luaws_event_stream_write(struct luaws_parse *p, struct luaws_error *err) {
  const struct luaws_member *stream = luaws_event_stream_member(p->operation);
  struct luaws_writer *w = p->out;
  if (p->gathered) {
    struct luaws_str body = p->response->body;
    struct luaws_event_decoder *d = &p->parser->events;
    luaws_event_decoder_clear(d);
    char *room = luaws_event_decoder_room(d, body.len);
    if (!room) return luaws_error_memory(err);
    if (body.len) memcpy(room, body.ptr, body.len);
    luaws_event_decoder_filled(d, body.len);
    int rc = write_gathered(p, d, err);
    if (rc == 0 && luaws_event_decoder_is_cut(d)) rc = luaws_event_stream_cut(err);
    luaws_event_decoder_clear(d);
    return rc;
  }
  if (p->initial.ptr) {
    int rc = read_body(p, p->initial, luaws_ref_get(&p->operation->output), true, err);
    if (rc) return rc;
  }
  w->ops->key(w, luaws_ref_text(&stream->name));
  w->ops->stream(w);
  return 0;
}
