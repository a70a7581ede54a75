/* The tokens of services that want one in place of a signature (httpBearerAuth). */
#ifndef LUAWS_CLIENT_BEARER_H
#define LUAWS_CLIENT_BEARER_H

#include "client/client.h"

/* That of AWS_BEARER_TOKEN_<SIGNING NAME>, or NULL. */
const char *luaws_client_variable_token(const struct luaws_client *c);

/* The token for one request, as credentials whose `token` it is: that of the variable, or
   the profile's sso_session's. FOUND, PENDING, or an error: "NoAuthTokenError" when there
   is none. */
int luaws_client_token(struct luaws_client *c, struct luaws_chain_waiter *waiter,
                       struct luaws_credentials **out, struct luaws_error *err);

#endif
