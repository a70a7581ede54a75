/* Parameters as an XML document, for rest-xml. */
#ifndef LUAWS_PROTOCOL_XML_WRITE_H
#define LUAWS_PROTOCOL_XML_WRITE_H

#include "protocol/protocol.h"

/* Appends the operation's body-bound parameters as one element; nothing when none of them
   is given. */
int luaws_xml_write_input(struct luaws_serialize *s, struct luaws_error *err);
/* Appends the payload that s->params stands on as one element. */
int luaws_xml_write_payload(struct luaws_serialize *s, const struct luaws_member *m,
                            struct luaws_error *err);

#endif
