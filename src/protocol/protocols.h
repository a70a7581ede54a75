/* The protocols there are, one a file. */
#ifndef LUAWS_PROTOCOL_PROTOCOLS_H
#define LUAWS_PROTOCOL_PROTOCOLS_H

#include "protocol/protocol.h"

extern const struct luaws_protocol luaws_protocol_query;
extern const struct luaws_protocol luaws_protocol_ec2;
extern const struct luaws_protocol luaws_protocol_json;
extern const struct luaws_protocol luaws_protocol_rest_json;
extern const struct luaws_protocol luaws_protocol_rest_xml;
extern const struct luaws_protocol luaws_protocol_cbor;

#endif
