/* Making the signature that was chosen for a call. */
#ifndef LUAWS_CLIENT_AUTH_H
#define LUAWS_CLIENT_AUTH_H

#include "client/call.h"

/* The signature is going to cover a hash of the body as it is now. */
bool luaws_call_hashes_body(struct luaws_call *call);
/* Signs the request with call->credentials as call->signer says; a form that uploads has
   its policy signed instead. LUAWS_READ_AGAIN when the body has to be read beforehand and
   has nothing yet. */
int luaws_call_sign(struct luaws_call *call, struct luaws_error *err);

#endif
