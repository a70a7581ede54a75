#include "protocol/protocol.h"

#include "protocol/parser.h"
#include "protocol/protocols.h"

#include <expat.h>
#include <stdlib.h>

const struct luaws_protocol *luaws_protocol_for(const struct luaws_service *service) {
  switch ((enum luaws_protocol_id)service->protocol) {
  case LUAWS_PROTOCOL_JSON:
    return &luaws_protocol_json;
  case LUAWS_PROTOCOL_REST_JSON:
    return &luaws_protocol_rest_json;
  case LUAWS_PROTOCOL_REST_XML:
    return &luaws_protocol_rest_xml;
  case LUAWS_PROTOCOL_QUERY:
    return &luaws_protocol_query;
  case LUAWS_PROTOCOL_EC2:
    return &luaws_protocol_ec2;
  case LUAWS_PROTOCOL_CBOR:
  case LUAWS_PROTOCOL_UNKNOWN:
    break;
  }
  return NULL;
}

struct luaws_parser *luaws_parser_new(void) {
  return calloc(1, sizeof(struct luaws_parser));
}

void luaws_parser_free(struct luaws_parser *p) {
  if (!p) return;
  if (p->xml) XML_ParserFree(p->xml);
  free(p->reading);
  luaws_json_finish(&p->json);
  luaws_buf_wipe(&p->text);
  luaws_buf_wipe(&p->key);
  luaws_buf_wipe(&p->scratch);
  free(p);
}

struct XML_ParserStruct *luaws_parser_xml(struct luaws_parser *p) {
  /* A parser that was left in the middle of a callback holds state that a reset does not
     know of. */
  if (p->xml && (p->xml_in_use || !XML_ParserReset(p->xml, "UTF-8"))) {
    XML_ParserFree(p->xml);
    p->xml = NULL;
  }
  if (!p->xml) p->xml = XML_ParserCreate("UTF-8");
  p->xml_in_use = false;
  return p->xml;
}
