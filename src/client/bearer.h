/* Services that want a token in place of a signature (httpBearerAuth): when, and where
   the token comes from. */
#ifndef LUAWS_CLIENT_BEARER_H
#define LUAWS_CLIENT_BEARER_H

#include "client/call.h"

/* By the model's auth, the order that is preferred, and what was said in code. A token in
   the environment makes bedrock's services take it, unless the code says otherwise. */
bool luaws_call_uses_bearer(const struct luaws_call *call);

/* The token for one request, as credentials whose `token` it is: that of
   AWS_BEARER_TOKEN_<SIGNING NAME>, or the profile's sso_session's. FOUND, PENDING, or an
   error: "NoAuthTokenError" when there is none. */
int luaws_client_token(struct luaws_client *c, struct luaws_chain_waiter *waiter,
                       struct luaws_credentials **out, struct luaws_error *err);

#endif
