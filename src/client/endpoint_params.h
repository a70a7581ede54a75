/* The parameters of a call's endpoint rules: where each comes from, and which answers can
 * be used again. */
#ifndef LUAWS_CLIENT_ENDPOINT_PARAMS_H
#define LUAWS_CLIENT_ENDPOINT_PARAMS_H

#include "client/call.h"

/* Whether the endpoint rules look at the account that the credentials belong to. */
bool luaws_client_wants_account(struct luaws_client *c);
/* Fills call->endpoint_params from, in this order: the operation's static parameters,
   input members that feed one, the operation's paths, the client's own settings, the
   built-in values. The reader stands on the parameters. */
int luaws_call_collect_endpoint_params(struct luaws_call *call, struct luaws_error *err);
/* Sets call->endpoint from the parameters, by the rules or from what they said before. */
int luaws_call_resolve_endpoint(struct luaws_call *call, struct luaws_error *err);

void luaws_endpoint_release(const struct luaws_endpoint *e); /* a call's */

/* The built-in values alone: what a client without a call is told (meta.endpoint_url). */
int luaws_client_resolve_default_endpoint(struct luaws_client *c,
                                          struct luaws_arena *arena,
                                          struct luaws_endpoint *out,
                                          struct luaws_error *err);

struct luaws_endpoint_cache;
void luaws_endpoint_cache_free(struct luaws_endpoint_cache *cache);

#endif
