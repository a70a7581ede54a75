/* Which signature a call gets: what botocore chooses from what the script asked for, the
   files, the models of service and operation, and the endpoint rules. */
#ifndef LUAWS_CLIENT_SIGNER_H
#define LUAWS_CLIENT_SIGNER_H

#include "client/client.h"

struct luaws_call;

enum luaws_signer_kind {
  LUAWS_SIGNER_NONE,
  LUAWS_SIGNER_BEARER,
  LUAWS_SIGNER_V2,
  LUAWS_SIGNER_V3,
  LUAWS_SIGNER_S3_V2,
  LUAWS_SIGNER_V4,
  LUAWS_SIGNER_V4A,
};

struct luaws_signer {
  enum luaws_signer_kind kind;
  bool as_s3;         /* the path as it is sent, the hash of the body always told */
  bool s3express;     /* with keys of a session with the bucket */
  bool in_query;      /* presigned, or a version that ends in "-query" */
  bool as_form;       /* of a form that uploads: a policy is signed, not the request */
  bool unsigned_body; /* the operation's body is not hashed */
  bool single_encode; /* the rules say so */
  struct luaws_str version; /* botocore's name of all that: "s3v4-query" */
  struct luaws_str name;    /* signing name */
  struct luaws_str region;  /* V4A: the region set */
};

/* How a client of this service signs unless an operation or its endpoint says otherwise:
   config->signature_version, filled in where the script set none. */
int luaws_client_choose_signature(struct luaws_client *c, struct luaws_error *err);

/* Chooses for a call, into call->signer. Before the endpoint is known, its rules do not
   count yet. "UnknownSignatureVersionError", or where a URL is asked for
   "UnsupportedSignatureVersionError", for a version that nobody knows. */
int luaws_call_choose_signer(struct luaws_call *call, struct luaws_error *err);

#endif
