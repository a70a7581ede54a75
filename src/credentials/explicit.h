/* Keys given in code, to a session or a client. */
#ifndef LUAWS_CREDENTIALS_EXPLICIT_H
#define LUAWS_CREDENTIALS_EXPLICIT_H

#include "credentials/provider.h"

/* FOUND (method "explicit") with both keys; PASS without either, whatever else is there;
   "PartialCredentialsError" with one of them. None means not given. */
int luaws_explicit_credentials(struct luaws_str access_key, struct luaws_str secret_key,
                               struct luaws_str token, struct luaws_str account_id,
                               struct luaws_credentials **out, struct luaws_error *err);

#endif
