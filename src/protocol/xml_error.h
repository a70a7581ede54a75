/* Error answers in XML: S3's <Error>, query's <ErrorResponse>, ec2's <Response><Errors>.
 */
#ifndef LUAWS_PROTOCOL_XML_ERROR_H
#define LUAWS_PROTOCOL_XML_ERROR_H

#include "protocol/protocol.h"

/* As luaws_protocol.parse_error and .peek_error, for query, ec2 and rest-xml. */
int luaws_xml_parse_error(struct luaws_parse *p, struct luaws_service_error *out,
                          struct luaws_error *err);
void luaws_xml_peek_error(struct luaws_parse *p, struct luaws_service_error *out);

#endif
