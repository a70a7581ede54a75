/* What all protocols do to a request: host prefix, path, query, headers, body. Texts are
   put together at the end of the call's body buffer and then move to the request's arena,
   so that nothing is lost when a reader leaves by longjmp. */
#ifndef LUAWS_PROTOCOL_REQUEST_H
#define LUAWS_PROTOCOL_REQUEST_H

#include "protocol/protocol.h"

/* Steps onto the value of a top-level member. False when there is none to be sent: it is
   absent or null. An absent idempotency token gets the one of the call: then *token is
   set, and the reader has not moved. Else undo the step with luaws_input_leave. */
bool luaws_input_enter(struct luaws_serialize *s, const struct luaws_member *m,
                       struct luaws_str *token);

/* For protocols that name the operation elsewhere: method and host prefix; the path is
   that of the endpoint, whatever the model says. */
int luaws_request_start_rpc(struct luaws_serialize *s, struct luaws_error *err);
/* Method, path and host prefix of the operation; the model's query. */
int luaws_request_start(struct luaws_serialize *s, struct luaws_error *err);
/* Puts before the host what the operation's hostPrefix says. */
int luaws_request_host_prefix(struct luaws_serialize *s, struct luaws_error *err);
/* Joins path onto that of the endpoint. */
int luaws_request_join_path(struct luaws_request *r, struct luaws_str path,
                            struct luaws_error *err);
/* Adds key=value, already encoded, to the query. */
int luaws_request_join_query(struct luaws_request *r, struct luaws_str encoded,
                             struct luaws_error *err);
/* Makes what was written to s->body the body. */
int luaws_request_finish(struct luaws_serialize *s, struct luaws_error *err);

#endif
