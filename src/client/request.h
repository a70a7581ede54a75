/* The request of a call: made once from the parameters, renewed for each attempt. All
   return 0 or a negative code. */
#ifndef LUAWS_CLIENT_REQUEST_H
#define LUAWS_CLIENT_REQUEST_H

#include "client/call.h"

/* → serialize: what the model, the endpoint's rules and this process make of the
   parameters; a presigned URL with its query. */
int luaws_call_serialize(struct luaws_call *call, struct luaws_error *err);
/* The same request, serialized before, to where the rules point now: a listener of
   needs-retry has learnt that it was sent to the wrong place. */
int luaws_call_move(struct luaws_call *call, struct luaws_error *err);
/* The request of a new attempt: without what the last one was signed and marked with. */
int luaws_call_renew_request(struct luaws_call *call, struct luaws_error *err);
/* Credentials and signatures are features too. What a listener made of the header stays
   as it is. The header is not signed. */
int luaws_call_complete_user_agent(struct luaws_call *call, struct luaws_error *err);
/* Which attempt it is: differs each time, and is not signed. */
int luaws_call_mark_attempt(struct luaws_call *call, struct luaws_error *err);

#endif
