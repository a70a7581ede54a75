#include "protocol/protocol.h"

#include "protocol/protocols.h"

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
    return &luaws_protocol_cbor;
  case LUAWS_PROTOCOL_UNKNOWN:
    break;
  }
  return NULL;
}
