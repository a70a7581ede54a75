/* The tokens of services that want one in place of a signature (httpBearerAuth). */
#ifndef LUAWS_CLIENT_BEARER_H
#define LUAWS_CLIENT_BEARER_H

#include "client/client.h"

/* What AWS_BEARER_TOKEN_<SIGNING NAME> says; NULL when it is not set. */
const char *luaws_token_variable(struct luaws_settings *s, struct luaws_str signing_name);
/* The same for the service of a client. */
const char *luaws_client_variable_token(const struct luaws_client *c);

/* "env" in the row of token providers: it has nothing for those who name no service, and
   whoever does asks luaws_token_variable. */
extern const struct luaws_provider luaws_token_provider_env;

/* The token for one request, as credentials whose `token` it is: that of the environment,
   or the row's, whichever comes first in it. FOUND, PENDING, or an error:
   "NoAuthTokenError" when there is none. */
int luaws_client_token(struct luaws_client *c, struct luaws_chain_waiter *waiter,
                       struct luaws_credentials **out, struct luaws_error *err);

#endif
