/* Signing a request: AWS Signature Version 4 and 4A in headers and in the query
   (presigned URLs), bearer tokens, and the versions before 4. */
#ifndef LUAWS_SIGN_SIGN_H
#define LUAWS_SIGN_SIGN_H

#include "base/error.h"
#include "base/message.h"

/* What a signature is made with: frozen for the one request. The texts belong to the
 * caller. */
struct luaws_creds {
  struct luaws_str access_key;
  struct luaws_str secret_key;
  struct luaws_str session_token; /* none when there is none */
};

/* Signing keys by (secret, day, region, service), so that four HMACs are done once a day.
 * A client has one. */
struct luaws_key_cache;
struct luaws_key_cache *luaws_key_cache_new(void);
void luaws_key_cache_free(struct luaws_key_cache *c); /* wipes */

enum luaws_payload_hash {
  LUAWS_PAYLOAD_SIGNED, /* SHA-256 of the body; a stream is read through once and rewound
                         */
  LUAWS_PAYLOAD_UNSIGNED, /* UNSIGNED-PAYLOAD */
  LUAWS_PAYLOAD_TRAILER,  /* STREAMING-UNSIGNED-PAYLOAD-TRAILER */
};

enum luaws_sign_algorithm {
  LUAWS_SIGN_SIGV4,
  LUAWS_SIGN_SIGV4A, /* asymmetric: one signature is good in a set of regions */
};

struct luaws_sign_opts {
  enum luaws_sign_algorithm algorithm;
  struct luaws_str service; /* signing name */
  struct luaws_str region;  /* SIGV4A: the region set: "*", "us-east-1,us-west-2" */
  int64_t time_s;           /* seconds since the epoch */
  enum luaws_payload_hash payload;
  bool add_content_sha256; /* send x-amz-content-sha256 (S3 wants it) */
  bool double_encode;      /* encode the path once more (all but the S3 family) */
  bool
      normalize_path; /* remove dot segments and double slashes (all but the S3 family) */
  bool presign;       /* put the signature into the query */
  int64_t expires_s;  /* presign: X-Amz-Expires */
  bool omit_session_token; /* sign without the token, add it afterwards (some services'
                              presigned URLs) */
  bool s3express; /* the token goes by S3 Express's own name, x-amz-s3session-token */
  struct luaws_str payload_hash;       /* hex digest known beforehand; none = compute */
  struct luaws_key_cache *cache;       /* may be NULL */
  struct luaws_buf *canonical_request; /* filled when given, for tests and debugging */
  struct luaws_buf *string_to_sign;
};

/* Signs req in place: adds x-amz-date and authorization (and x-amz-security-token,
   x-amz-content-sha256), or the X-Amz-… parameters when presigning. Headers of an earlier
   signature are replaced, so that a retry signs anew; a Date header is renewed and takes
   the place of x-amz-date. An x-amz-content-sha256 header that is there already is what
   gets signed, unless opts say add_content_sha256. creds is only read; nothing secret is
   kept but in the cache. Returns 0, or a negative LUAWS_E_… with *err filled in:
   "NoCredentialsError" without keys; "UnseekableStreamError" when the body is to be
   hashed and cannot be rewound, before anything of it is read. */
int luaws_sigv4_sign(struct luaws_request *req, const struct luaws_creds *creds,
                     const struct luaws_sign_opts *opts, struct luaws_error *err);

/* The signature of a text, in hex, by SIGV4's key for a day ("20260131"), a region and a
   service; LUAWS_E_MEMORY without memory. */
int luaws_sigv4_sign_text(struct luaws_key_cache *c, struct luaws_str secret,
                          struct luaws_str day, struct luaws_str region,
                          struct luaws_str service, struct luaws_str text,
                          struct luaws_buf *out);

/* Signature Version 2: adds its parameters to the form in the body, in place of those of
   an earlier signature. */
int luaws_sigv2_sign(struct luaws_request *req, const struct luaws_creds *creds,
                     int64_t time_s, struct luaws_error *err);

/* Signature Version 3: X-Amzn-Authorization, over the date. */
int luaws_sigv3_sign(struct luaws_request *req, const struct luaws_creds *creds,
                     int64_t time_s, struct luaws_error *err);

struct luaws_s3_v2_opts {
  struct luaws_str resource; /* the path with the bucket, encoded: "/bucket/key" */
  int64_t time_s;
  bool in_query;     /* AWSAccessKeyId, Signature and Expires instead of Authorization */
  int64_t expires_s; /* in_query: after how long */
  struct luaws_buf *string_to_sign; /* filled when given */
};
/* S3's Signature Version 2: sets Date and Authorization (and x-amz-security-token), or
   adds to the query. Errors as luaws_sigv4_sign. */
int luaws_s3_v2_sign(struct luaws_request *req, const struct luaws_creds *creds,
                     const struct luaws_s3_v2_opts *opts, struct luaws_error *err);
/* The signature of a text, in base64; LUAWS_E_MEMORY without memory. */
int luaws_s3_v2_sign_text(struct luaws_str secret, struct luaws_str text,
                          struct luaws_buf *out);

/* Signs the messages of an event stream that goes out after a request, whose own body was
   signed as LUAWS_EVENTS_PAYLOAD: each signature covers the one before it. */
#define LUAWS_EVENTS_PAYLOAD "STREAMING-AWS4-HMAC-SHA256-EVENTS"
enum { LUAWS_EVENT_SIGNATURE_BYTES = 32 };
struct luaws_event_signer {
  struct luaws_str secret_key; /* these texts belong to the caller */
  struct luaws_str region;
  struct luaws_str service;
  struct luaws_key_cache *cache;
  char prior[2 * LUAWS_EVENT_SIGNATURE_BYTES]; /* the signature before, in hex */
};
/* Begins with the signature in the request's Authorization header, which must be there.
 */
int luaws_event_signer_begin(struct luaws_event_signer *s,
                             const struct luaws_request *request,
                             struct luaws_error *err);
/* The signature of the next message: of its headers as they stand on the wire (but for
   the signature's own) and of its payload. time_s is that of its :date header. */
int luaws_event_signer_sign(struct luaws_event_signer *s, int64_t time_s,
                            struct luaws_str headers, struct luaws_str payload,
                            unsigned char out[LUAWS_EVENT_SIGNATURE_BYTES],
                            struct luaws_error *err);

/* Sets "Authorization: Bearer <token>". "NoAuthTokenError" without a token. */
int luaws_bearer_sign(struct luaws_request *req, struct luaws_str token,
                      struct luaws_error *err);

#endif
