/* JSON bodies, which json and rest-json share: parameters into them, values out of them.
 */
#ifndef LUAWS_PROTOCOL_JSON_BODY_H
#define LUAWS_PROTOCOL_JSON_BODY_H

#include "protocol/protocol.h"
#include "value/json.h"

/* Appends to s->body the operation's parameters that belong in the body, as one object.
 */
int luaws_json_write_input(struct luaws_serialize *s, struct luaws_error *err);
/* Appends the value that s->params stands on, which is that of member m. */
int luaws_json_write_member(struct luaws_serialize *s, const struct luaws_member *m,
                            struct luaws_error *err);
/* Appends a value of which no model says what it is. */
int luaws_json_write_any(struct luaws_buf *out, struct luaws_reader *r,
                         struct luaws_error *err);

/* Reads the document body as a value of the shape; bare: a structure's members only, the
   caller makes the map. An empty body is an empty object. LUAWS_E_RESPONSE, kind
   "ResponseParserError"; what was begun in the writer is ended even then. */
int luaws_json_read(struct luaws_parser *p, struct luaws_str body,
                    const struct luaws_shape *shape, bool bare, struct luaws_writer *out,
                    struct luaws_error *err);
/* The same where no model says what it is. */
int luaws_json_read_any(struct luaws_parser *p, struct luaws_str body,
                        struct luaws_writer *out, struct luaws_error *err);

#endif
