/* Forms by which whoever has them uploads to a bucket (POST): a policy says what may be
   uploaded, and the policy is signed. */
#ifndef LUAWS_CLIENT_POST_H
#define LUAWS_CLIENT_POST_H

#include "client/call.h"

/* Fills call->post_fields: policy and signature, and what says how it was signed. */
int luaws_call_sign_post(struct luaws_call *call, const struct luaws_creds *keys,
                         struct luaws_error *err);

#endif
