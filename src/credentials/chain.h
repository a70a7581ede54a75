/* The row of providers that a session asks, and the credentials it has got from it.

   First provider to find something wins, an error ends the search. Credentials that
   expire are refreshed by the provider they came from: 15 minutes ahead if that works, 10
   minutes ahead whatever it takes. One search serves everyone who waits for it. */
#ifndef LUAWS_CREDENTIALS_CHAIN_H
#define LUAWS_CREDENTIALS_CHAIN_H

#include "credentials/provider.h"

enum {
  LUAWS_ADVISORY_REFRESH_S = 15 * 60,
  LUAWS_MANDATORY_REFRESH_S = 10 * 60,
  /* So long after an attempt there is no other as long as those there are do: for
     credentials that never last 15 minutes, or a provider that is down for a while. */
  LUAWS_REFRESH_PAUSE_S = 60
};

struct luaws_chain;
/* botocore's default chain for the settings' profile: without "env" when the profile was
   named in code. context must outlive it. NULL without memory. */
struct luaws_chain *luaws_chain_new(const struct luaws_provider_context *context);
/* The providers that a source_profile is resolved with: from web identity to config-file.
   profile_name is copied. */
struct luaws_chain *luaws_chain_new_profile(const struct luaws_provider_context *context,
                                            struct luaws_str profile_name);
/* One provider alone. */
struct luaws_chain *luaws_chain_new_single(const struct luaws_provider_context *context,
                                           const struct luaws_provider *provider);
void luaws_chain_free(struct luaws_chain *c); /* cancels what is under way */

/* Fixed credentials, used from now on and never looked for (method "explicit"). */
int luaws_chain_set_explicit(struct luaws_chain *c, struct luaws_str access_key,
                             struct luaws_str secret_key, struct luaws_str token,
                             struct luaws_str account_id, struct luaws_error *err);

/* By name (METHOD). "UnknownCredentialError" when there is no such provider; removing one
   that is not there does nothing. Providers are copied. */
int luaws_chain_insert_before(struct luaws_chain *c, struct luaws_str name,
                              const struct luaws_provider *provider,
                              struct luaws_error *err);
int luaws_chain_insert_after(struct luaws_chain *c, struct luaws_str name,
                             const struct luaws_provider *provider,
                             struct luaws_error *err);
void luaws_chain_remove(struct luaws_chain *c, struct luaws_str name);
/* The i-th, or NULL past the last. */
const struct luaws_provider *luaws_chain_provider(const struct luaws_chain *c, size_t i);

/* Someone waiting for a PENDING chain. Lives in the waiter's own memory; start from {0}
   with wake and arg set. */
struct luaws_chain_waiter {
  struct luaws_chain_waiter *next;
  struct luaws_chain *chain; /* while it waits */
  unsigned search;           /* that it waits, or waited, for */
  void (*wake)(void *arg);   /* once: ask again */
  void *arg;
};
/* The credentials now: FOUND (a reference for the caller), PASS (there are none), PENDING
   (waiter, when given, will be woken), or an error. Neither "none" nor an error is
   remembered, but whoever waited for that search gets its answer. */
int luaws_chain_get(struct luaws_chain *c, struct luaws_chain_waiter *waiter,
                    struct luaws_credentials **out, struct luaws_error *err);
/* When it was the last one, the search that it waited for is given up. */
void luaws_chain_waiter_cancel(struct luaws_chain_waiter *waiter);
/* Whether there are credentials, and whose: FOUND with the name of their provider in
   *method (good as long as the chain), and otherwise as luaws_chain_get. Where a service
   would have to be asked for them, that is left to the first luaws_chain_get. */
int luaws_chain_find(struct luaws_chain *c, struct luaws_chain_waiter *waiter,
                     struct luaws_str *method, struct luaws_error *err);
/* What a provider answered in the last search that was no refresh. */
struct luaws_chain_note {
  const char *provider;
  int answer; /* FOUND, LATER, PASS, or an error */
  struct luaws_str text;
};
/* The i-th that was asked, or NULL. Good until the next search. */
const struct luaws_chain_note *luaws_chain_note(const struct luaws_chain *c, size_t i);
/* Who answered last, with what there is or that there is nothing; or NULL. */
const char *luaws_chain_last_asked(const struct luaws_chain *c);

#endif
