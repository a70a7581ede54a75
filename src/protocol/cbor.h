/* CBOR bodies (RFC 8949), as smithy-rpc-v2-cbor has them. */
#ifndef LUAWS_PROTOCOL_CBOR_H
#define LUAWS_PROTOCOL_CBOR_H

#include "protocol/protocol.h"

/* Appends the operation's parameters to s->body, as one map. */
int luaws_cbor_write_input(struct luaws_serialize *s, struct luaws_error *err);

/* Reads the document body as a value of the shape; bare: a structure's members only, the
   caller makes the map. An empty body is an empty map. LUAWS_E_RESPONSE, kind
   "ResponseParserError"; what was begun in the writer is ended even then. */
int luaws_cbor_read(struct luaws_parser *p, struct luaws_str body,
                    const struct luaws_shape *shape, bool bare, struct luaws_writer *out,
                    struct luaws_error *err);

/* What a body says of an error: texts in the arena, none where there is none. False when
   it is no CBOR map. */
bool luaws_cbor_read_error(struct luaws_parse *p, struct luaws_str *type,
                           struct luaws_str *code, struct luaws_str *message);

#endif
