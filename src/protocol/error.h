/* What the error answers of all protocols have in common. */
#ifndef LUAWS_PROTOCOL_ERROR_H
#define LUAWS_PROTOCOL_ERROR_H

#include "protocol/protocol.h"

/* A 5xx whose body is empty or a page of HTML: some machine in between answered. */
bool luaws_error_is_generic(const struct luaws_response *r);
/* Code from the status, message from the standard phrase. */
void luaws_error_from_status(struct luaws_parse *p, struct luaws_service_error *out);
/* "Not Found" for 404; empty for what HTTP does not define. */
struct luaws_str luaws_http_phrase(int status);
/* "aws.json#Foo:http://…" -> "Foo" */
struct luaws_str luaws_error_trim_code(struct luaws_str code);
/* out->shape by the codes in out. */
void luaws_error_find_shape(struct luaws_parse *p, struct luaws_service_error *out);
/* Header x-amzn-query-error "Code;Type" replaces the code. */
void luaws_error_query_compatible(struct luaws_parse *p, struct luaws_service_error *out);
/* Writes key "Error" with what out holds. */
void luaws_error_write(struct luaws_writer *w, const struct luaws_service_error *out);

#endif
