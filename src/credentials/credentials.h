/* Credentials as an object: counted, never changed once made, overwritten when the last
   user lets go. */
#ifndef LUAWS_CREDENTIALS_CREDENTIALS_H
#define LUAWS_CREDENTIALS_CREDENTIALS_H

#include "base/error.h"
#include "base/feature.h"
#include "sign/sign.h"

struct luaws_credentials {
  unsigned references;
  struct luaws_str access_key;
  struct luaws_str secret_key;
  struct luaws_str token;      /* none when there is none */
  struct luaws_str account_id; /* none when not known */
  struct luaws_str method;     /* the provider's name: "env", "sso", ... */
  int64_t expiry_s;            /* seconds since the epoch; 0 = they do not expire */
  uint64_t features;  /* of how they were found, as far as `method` does not tell */
  const char *breaks; /* which of them has a line break in it, or NULL */
  size_t size_bytes;  /* of the block that holds all this */
};

/* What a provider says of credentials it found; copied by luaws_credentials_new. */
struct luaws_credentials_init {
  struct luaws_str access_key, secret_key, token, account_id, method;
  int64_t expiry_s;
};

/* With one reference, the caller's. NULL without memory. */
struct luaws_credentials *
luaws_credentials_new(const struct luaws_credentials_init *init);
struct luaws_credentials *luaws_credentials_acquire(struct luaws_credentials *c);
void luaws_credentials_release(struct luaws_credentials *c);

/* What the User-Agent tells of where they came from. */
uint64_t luaws_credentials_features(const struct luaws_credentials *c);

/* For signing: a view that is good as long as the reference. */
static inline struct luaws_creds
luaws_credentials_view(const struct luaws_credentials *c) {
  return (struct luaws_creds){c->access_key, c->secret_key, c->token};
}

/* botocore's words: LUAWS_E_CREDENTIALS. */
int luaws_no_credentials(struct luaws_error *err);
int luaws_partial_credentials(const char *provider, const char *missing,
                              struct luaws_error *err);
/* Not 0 when a key or token could not stand in a header: "ValueError". */
int luaws_credentials_check(const struct luaws_credentials *c, struct luaws_error *err);

#endif
