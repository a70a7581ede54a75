/* What rest-json and rest-xml share: members that travel in the path, the query, the
   headers and the status; payload members. */
#ifndef LUAWS_PROTOCOL_REST_H
#define LUAWS_PROTOCOL_REST_H

#include "protocol/protocol.h"

/* Method, host prefix, path, query and headers from the parameters. */
int luaws_rest_bind(struct luaws_serialize *s, struct luaws_error *err);
/* A payload member that is a blob or a string: the value itself is the body. */
bool luaws_rest_is_raw(const struct luaws_member *payload);
int luaws_rest_raw_body(struct luaws_serialize *s, const struct luaws_member *payload,
                        struct luaws_error *err);

/* Writes the members of a shape that come from headers and the status. With err NULL,
   those that are malformed are left out. */
int luaws_rest_read_headers(struct luaws_parse *p, const struct luaws_shape *shape,
                            struct luaws_error *err);
/* Reads body as a value of the shape; bare: only the members of a structure. */
typedef int luaws_rest_body_reader(struct luaws_parse *p, const struct luaws_shape *shape,
                                   bool bare, struct luaws_error *err);
/* The whole of a successful answer. */
int luaws_rest_parse(struct luaws_parse *p, luaws_rest_body_reader *read_body,
                     struct luaws_error *err);

#endif
