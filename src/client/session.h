/* A session: the settings, models and credentials that its clients are made from. Making
   one reads nothing: files are opened when first asked. */
#ifndef LUAWS_CLIENT_SESSION_H
#define LUAWS_CLIENT_SESSION_H

#include "credentials/chain.h"
#include "http/http.h"
#include "model/model.h"
#include "settings/client_config.h"

struct luaws_session_options {
  struct luaws_str access_key;
  struct luaws_str secret_key;
  struct luaws_str session_token;
  struct luaws_str account_id;
  struct luaws_str region_name;
  struct luaws_str profile_name;
  struct luaws_str data_path; /* extra model folders, ':' between them */
  struct luaws_pack *pack;
  struct luaws_loop *loop; /* borrowed: outlives the session */
  const char *(*getenv)(void *arg,
                        const char *name); /* NULL = the process's environment */
  void *getenv_arg;
  struct luaws_str home;
  int64_t (*now_s)(void *arg); /* NULL = the system's clock */
  void *now_arg;
  luaws_prompt_mfa_fn *prompt_mfa; /* NULL = nobody is there */
  void *prompt_arg;
  /* A folder where credentials of roles are kept for other processes; none = nowhere. */
  struct luaws_str credential_cache;
  /* Files and a profile that cannot be read are no failure, for whoever only wants to be
     told what is wrong with them. */
  bool lenient;
  void (*on_free)(void *arg); /* once, when the session is gone; may be NULL */
  void *on_free_arg;
  const struct luaws_provider
      *provider; /* asked before all others; copied. May be NULL */
};

struct luaws_monitor;

struct luaws_session {
  struct luaws_settings *settings;
  struct luaws_models *models;
  struct luaws_chain *chain;
  struct luaws_chain *token_chain; /* bearer tokens: "credentials" that have only one */
  struct luaws_provider_context provider_context;
  struct luaws_nested_calls nested_calls;
  struct luaws_loop *loop;
  void (*on_free)(void *arg);
  void *on_free_arg;
  char *role_region; /* where roles are assumed */
  bool role_region_settled;
  struct luaws_chain *region_chain; /* where this machine runs; made when first asked */
  char *instance_region;            /* what it answered; NULL: nothing, or not asked */
  bool instance_region_known;
  bool monitor_known; /* whether there is one was found out, for the first client */
  struct luaws_monitor *monitor; /* client-side monitoring; NULL when it is off */
  unsigned references;
};

/* LUAWS_E_CREDENTIALS: an account id without keys. LUAWS_E_CONFIG: a profile that does
   not exist, a file that cannot be read. */
int luaws_session_new(const struct luaws_session_options *o, struct luaws_session **out,
                      struct luaws_error *err);
struct luaws_session *luaws_session_acquire(struct luaws_session *s);
void luaws_session_release(struct luaws_session *s);

/* Roles are assumed in the region of the client that was made last before the session's
   credentials were wanted for the first time: noted for each client, and settled by who
   wants them. */
int luaws_session_note_region(struct luaws_session *s, struct luaws_str region,
                              struct luaws_error *err);
void luaws_session_settle_region(struct luaws_session *s);

/* For defaults_mode "auto", before a client with this config (or NULL) is made: finds out
   where this machine runs, once in a session's life. True when that is known, or not
   wanted, or not to be found out; false when it is being asked for: then waiter will be
   woken. */
bool luaws_session_find_instance_region(struct luaws_session *s,
                                        const struct luaws_client_config *config,
                                        struct luaws_chain_waiter *waiter);

/* Begins client-side monitoring when the settings ask for it: called for each client. */
int luaws_session_open_monitor(struct luaws_session *s, struct luaws_error *err);

int64_t luaws_session_now_s(const struct luaws_session *s);
/* With fractions, and always the system's. */
double luaws_session_now_exact(const struct luaws_session *s);

#endif
