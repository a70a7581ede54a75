/* Which signature a call gets, and making it. */
#ifndef LUAWS_CLIENT_AUTH_H
#define LUAWS_CLIENT_AUTH_H

#include "client/call.h"

/* False when the operation, the client or a listener wants no signature. */
bool luaws_call_wants_credentials(const struct luaws_call *call);
/* The service is S3 or of its kind, as its model's signature says. */
bool luaws_call_is_s3(const struct luaws_call *call);
/* The endpoint wants keys of a session with the bucket (sigv4-s3express). */
bool luaws_call_wants_identity(const struct luaws_call *call);
/* The signature is to cover a hash of the body as it is now. */
bool luaws_call_hashes_body(const struct luaws_call *call);
/* Signs the request as the endpoint's auth schemes and the service's model say. */
int luaws_call_sign(struct luaws_call *call, struct luaws_error *err);

#endif
