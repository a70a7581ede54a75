/* Error answers in JSON. */
#ifndef LUAWS_PROTOCOL_JSON_ERROR_H
#define LUAWS_PROTOCOL_JSON_ERROR_H

#include "protocol/protocol.h"

/* As luaws_protocol.parse_error and .peek_error. */
int luaws_json_parse_error(struct luaws_parse *p, struct luaws_service_error *out,
                           struct luaws_error *err);
void luaws_json_peek_error(struct luaws_parse *p, struct luaws_service_error *out);
int luaws_rest_json_parse_error(struct luaws_parse *p, struct luaws_service_error *out,
                                struct luaws_error *err);
void luaws_rest_json_peek_error(struct luaws_parse *p, struct luaws_service_error *out);

#endif
