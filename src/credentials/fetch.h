/* One plain HTTP request to an address that hands out credentials: a container's or an
   instance's own. On a pool of its own, since how long to wait differs. */
#ifndef LUAWS_CREDENTIALS_FETCH_H
#define LUAWS_CREDENTIALS_FETCH_H

#include "credentials/provider.h"

struct luaws_fetch_options {
  int timeout_ms;
  bool use_proxies; /* those of the environment */
};

/* Start from {0}. */
struct luaws_fetch {
  struct luaws_provider_task *task;
  struct luaws_pool *pool;
  struct luaws_exchange *exchange;
  struct luaws_arena arena; /* of the request */
  struct luaws_request request;
  bool done;
};

/* Begins a request; headers are added to f->request with luaws_fetch_header, then it is
   sent. "ValueError" for what is no URL. */
int luaws_fetch_open(struct luaws_fetch *f, struct luaws_provider_task *task,
                     const struct luaws_fetch_options *o, struct luaws_str method,
                     struct luaws_str url, struct luaws_error *err);
int luaws_fetch_header(struct luaws_fetch *f, const char *name, struct luaws_str value,
                       struct luaws_error *err);
/* The task is woken when there is an answer. */
int luaws_fetch_send(struct luaws_fetch *f, struct luaws_error *err);
bool luaws_fetch_sent(const struct luaws_fetch *f);
/* PENDING; 0 and the response, good until the next open or clear; or why there is none,
   as luaws_exchange_result says. */
int luaws_fetch_result(struct luaws_fetch *f, const struct luaws_response **out,
                       struct luaws_error *err);
/* Ends what is under way and keeps the connection for the next request. */
void luaws_fetch_close(struct luaws_fetch *f);
void luaws_fetch_clear(struct luaws_fetch *f);

/* True when trying again may help: no connection, or one that broke, or silence. */
bool luaws_fetch_may_retry(const struct luaws_error *err);

/* What both kinds of address answer: a JSON object with AccessKeyId, SecretAccessKey,
   Token, Expiration and, perhaps, AccountId. */
struct luaws_fetched_keys {
  struct luaws_str access_key, secret_key, token, account_id;
  int64_t expiry_s;
  bool no_time; /* Expiration is there, and none */
};
/* Reads them; texts are the tree's. The name of what is missing, or NULL. A Token may be
   null. */
const char *luaws_fetched_keys_read(const struct luaws_tree *answer,
                                    struct luaws_fetched_keys *out);
/* FOUND, or an error: CredentialRetrievalError when they have no time to end at. */
int luaws_fetched_keys_make(const struct luaws_provider_task *task,
                            const struct luaws_fetched_keys *keys,
                            struct luaws_credentials **out, struct luaws_error *err);

#endif
