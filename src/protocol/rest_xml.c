/* rest-xml: as rest-json, with the rest as XML. */
#include "protocol/protocols.h"
#include "protocol/request.h"
#include "protocol/rest.h"
#include "protocol/xml_error.h"
#include "protocol/xml_read.h"
#include "protocol/xml_write.h"

static int write_payload(struct luaws_serialize *s, const struct luaws_member *payload,
                         struct luaws_error *err) {
  struct luaws_str token;
  if (!luaws_input_enter(s, payload, &token)) return 0;
  int rc = luaws_xml_write_payload(s, payload, err);
  s->params->ops->leave(s->params);
  return rc;
}

static int serialize(struct luaws_serialize *s, struct luaws_error *err) {
  const struct luaws_shape *input = luaws_ref_get(&s->operation->input);
  int rc = luaws_rest_bind(s, err);
  if (rc || !input) return rc;
  const struct luaws_member *payload = luaws_shape_payload(input);
  if (luaws_rest_is_raw(payload)) return luaws_rest_raw_body(s, payload, err);
  rc = payload ? write_payload(s, payload, err) : luaws_xml_write_input(s, err);
  return rc ? rc : luaws_request_finish(s, err);
}

static int read_body(struct luaws_parse *p, const struct luaws_shape *shape, bool bare,
                     struct luaws_error *err) {
  struct luaws_writer *w = p->out;
  if (p->response->body.len == 0) {
    if (bare) return 0;
    w->ops->begin_map(w, 0, false);
    w->ops->end_map(w);
    return 0;
  }
  struct luaws_xml_target target = {.shape = shape, .bare = bare, .arena = p->arena};
  return luaws_xml_read(p->parser, p->response->body, &target, w, err);
}

static int parse(struct luaws_parse *p, struct luaws_str *request_id,
                 struct luaws_error *err) {
  return luaws_rest_parse(p, read_body, err);
}

const struct luaws_protocol luaws_protocol_rest_xml = {
    .name = "rest-xml",
    .writes_xml = true,
    .serialize = serialize,
    .parse = parse,
    .parse_error = luaws_xml_parse_error,
    .peek_error = luaws_xml_peek_error,
};
