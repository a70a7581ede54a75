/* rest-json: what HTTP can carry travels in the path, the query and the headers, the rest
   as JSON. */
#include "protocol/event_write.h"
#include "protocol/json_body.h"
#include "protocol/json_error.h"
#include "protocol/protocols.h"
#include "protocol/request.h"
#include "protocol/rest.h"

/* Some member belongs in the body, whether it is given or not. */
static bool has_body_members(const struct luaws_shape *input) {
  for (unsigned i = 0; i < input->member_count; i++) {
    if (luaws_shape_member_at(input, i)->location == LUAWS_IN_BODY) return true;
  }
  return false;
}

static int write_payload(struct luaws_serialize *s, const struct luaws_member *payload,
                         struct luaws_error *err) {
  struct luaws_str token;
  if (!luaws_input_enter(s, payload, &token)) {
    luaws_buf_append_cstr(s->body, "{}");
    return 0;
  }
  int rc = luaws_json_write_member(s, payload, err);
  s->params->ops->leave(s->params);
  return rc;
}

/* The body is sent event by event, once the request is on its way (client/send_events.c).
 */
static int announce_events(struct luaws_serialize *s, struct luaws_error *err) {
  bool ok = luaws_headers_set(&s->request->headers, LUAWS_STR("Content-Type"),
                              LUAWS_STR(LUAWS_EVENT_STREAM_TYPE));
  return ok ? 0 : luaws_error_memory(err);
}

static int serialize(struct luaws_serialize *s, struct luaws_error *err) {
  const struct luaws_shape *input = luaws_ref_get(&s->operation->input);
  int rc = luaws_rest_bind(s, err);
  if (rc || !input) return rc;
  if (s->operation->flags & LUAWS_OP_EVENTS_IN) return announce_events(s, err);
  const struct luaws_member *payload = luaws_shape_payload(input);
  if (luaws_rest_is_raw(payload)) return luaws_rest_raw_body(s, payload, err);
  if (payload) {
    rc = write_payload(s, payload, err);
  } else if (has_body_members(input)) {
    rc = luaws_json_write_input(s, err);
  }
  struct luaws_headers *headers = &s->request->headers;
  if (rc == 0 && s->body->len && !luaws_headers_get(headers, LUAWS_STR("Content-Type"))) {
    bool ok = luaws_headers_add(headers, LUAWS_STR("Content-Type"),
                                LUAWS_STR("application/json"));
    if (!ok) rc = luaws_error_memory(err);
  }
  return rc ? rc : luaws_request_finish(s, err);
}

static int read_body(struct luaws_parse *p, const struct luaws_shape *shape, bool bare,
                     struct luaws_error *err) {
  return luaws_json_read(p->parser, p->response->body, shape, bare, p->out, err);
}

static int parse(struct luaws_parse *p, struct luaws_str *request_id,
                 struct luaws_error *err) {
  return luaws_rest_parse(p, read_body, err);
}

const struct luaws_protocol luaws_protocol_rest_json = {
    .name = "rest-json",
    .serialize = serialize,
    .parse = parse,
    .parse_error = luaws_rest_json_parse_error,
    .peek_error = luaws_rest_json_peek_error,
};
