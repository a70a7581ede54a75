/* Proof that a request comes from the owner of a key (RFC 9449): a JWT that names the
   request, signed with ES256. */
#ifndef LUAWS_CREDENTIALS_DPOP_H
#define LUAWS_CREDENTIALS_DPOP_H

#include "base/error.h"

struct luaws_dpop_claims {
  struct luaws_str method; /* htm */
  struct luaws_str url;    /* htu */
  int64_t time_s;          /* iat */
  struct luaws_str id;     /* jti: never the same twice */
};

/* pem: a private key on the curve P-256. "ValueError" when it is none; what it holds is
   never told. */
int luaws_dpop_proof(struct luaws_str pem, const struct luaws_dpop_claims *claims,
                     struct luaws_buf *out, struct luaws_error *err);

#endif
