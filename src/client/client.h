/* A client: one service in one region, its settings resolved once and for all. Making one
   opens nothing and costs a few kilobytes; it may be shared by any number of calls under
   way. */
#ifndef LUAWS_CLIENT_CLIENT_H
#define LUAWS_CLIENT_CLIENT_H

#include "client/session.h"
#include "client/user_agent.h"
#include "endpoint/endpoint.h"
#include "http/http.h"
#include "protocol/protocol.h"
#include "retry/adaptive.h"
#include "retry/retry.h"
#include "settings/client_config.h"
#include "sign/sign.h"

/* What session:client() may be given beside the service's name. Texts need only live
 * during the call. */
struct luaws_client_options {
  struct luaws_str region_name;  /* none = config's, else the session's */
  struct luaws_str api_version;  /* none = the newest */
  struct luaws_str endpoint_url; /* none = the settings decide */
  struct luaws_str access_key; /* with secret_key: instead of the session's credentials */
  struct luaws_str secret_key;
  struct luaws_str session_token;
  struct luaws_str account_id;
  struct luaws_str verify_path;             /* CA bundle; none = the settings decide */
  bool no_verify;                           /* verify = false */
  bool no_ssl;                              /* use_ssl = false */
  const struct luaws_client_config *config; /* explicit settings, or NULL; copied */
  bool nested; /* the session's own, for its credentials: does not keep it alive */
};

struct luaws_client {
  struct luaws_session *session; /* counted, unless nested */
  const struct luaws_service *service;
  const struct luaws_rules *rules;           /* NULL where there is no rule set */
  const struct luaws_node *partitions;       /* partitions.json */
  const struct luaws_node *legacy_endpoints; /* endpoints.json */
  const struct luaws_protocol *protocol;
  struct luaws_str service_name; /* of the model's folder */
  struct luaws_str region; /* what the endpoint rules get; none for a service without */
  struct luaws_str meta_region; /* what scripts see: "aws-global" for a global service */
  struct luaws_str signing_region;
  struct luaws_str partition;
  struct luaws_str custom_endpoint; /* none = the rules' own */
  struct luaws_str legacy_endpoint; /* where an endpoints.json of the user's own sends
                                       it; mostly none */
  struct luaws_str endpoint_url;    /* what scripts see */
  struct luaws_user_agent user_agent;
  struct luaws_client_config *config;
  struct luaws_credentials *credentials; /* explicit ones; NULL = the session's */
  struct luaws_pool *pool;               /* made at the first call */
  struct luaws_key_cache *keys;
  struct luaws_parser *parser; /* made when first needed; NULL while a call has it */
  struct luaws_retry_policy retry;
  struct luaws_send_limit send_limit; /* adaptive mode */
  int64_t clock_offset_s;             /* by how much this machine's clock is behind */
  struct luaws_endpoint_cache *endpoints;
  struct luaws_str verify_path; /* CA bundle given as an argument */
  bool no_verify;
  bool no_ssl;
  struct luaws_arena arena; /* the texts above */
  unsigned references;
  bool account_known;     /* account_wanted was found out */
  bool account_wanted;    /* the endpoint rules look at the credentials' account */
  bool unsigned_requests; /* signature_version = "unsigned" */
  bool in_lambda;         /* the process serves a function of AWS Lambda */
  bool closed;
  bool nested;
  bool global_s3_endpoint; /* us-east-1's requests go to the global host */
  bool global_sts_endpoint;
  bool millisecond_timestamps; /* sent, for a service that orders by them */
  /* The arena and buffers of the last call, kept for the next one. */
  struct luaws_call *spare_call;
};

int luaws_client_new(struct luaws_session *session, struct luaws_str service,
                     const struct luaws_client_options *options,
                     struct luaws_client **out, struct luaws_error *err);
struct luaws_client *luaws_client_acquire(struct luaws_client *c);
void luaws_client_release(struct luaws_client *c);
/* Closes its connections; calls made afterwards fail. */
void luaws_client_close(struct luaws_client *c);
/* The pool of connections, made when first asked for. */
int luaws_client_pool(struct luaws_client *c, struct luaws_pool **out,
                      struct luaws_error *err);

/* The credentials for one request: LUAWS_FOUND (a reference for the caller),
   LUAWS_PENDING (waiter will be woken), or an error: NoCredentialsError when there are
   none. */
int luaws_client_credentials(struct luaws_client *c, struct luaws_chain_waiter *waiter,
                             struct luaws_credentials **out, struct luaws_error *err);

#endif
