/* The ec2 protocol: a form as query sends it, with names of its own; answers in XML with
   no wrapper, the request's id beside the members. */
#include "protocol/query.h"
#include "protocol/xml_error.h"
#include "protocol/xml_read.h"

static int serialize(struct luaws_serialize *s, struct luaws_error *err) {
  return luaws_query_serialize(s, true, err);
}

static int parse(struct luaws_parse *p, struct luaws_str *request_id,
                 struct luaws_error *err) {
  struct luaws_xml_target target = {
      .shape = luaws_ref_get(&p->operation->output),
      .bare = true,
      .root_request_id = true,
      .request_id = request_id,
      .arena = p->arena,
  };
  return luaws_xml_read(p->parser, p->response->body, &target, p->out, err);
}

const struct luaws_protocol luaws_protocol_ec2 = {
    .name = "ec2",
    .serialize = serialize,
    .parse = parse,
    .parse_error = luaws_xml_parse_error,
    .peek_error = luaws_xml_peek_error,
};
