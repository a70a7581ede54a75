/* What a place to find credentials in looks like, and what it is given to work with.

   A provider is a step function: it answers at once, or says PENDING and calls task->wake
   when it is worth being stepped again. It never waits. */
#ifndef LUAWS_CREDENTIALS_PROVIDER_H
#define LUAWS_CREDENTIALS_PROVIDER_H

#include "credentials/credentials.h"
#include "http/http.h"
#include "settings/settings.h"
#include "value/tree.h"

/* What a step answers; a failure is a negative LUAWS_E_..., and ends the whole search. */
enum luaws_answer {
  LUAWS_PASS,    /* nothing here: ask the next one */
  LUAWS_FOUND,   /* *out is set, a reference for the caller */
  LUAWS_PENDING, /* something is under way */
  LUAWS_LATER,   /* there are some; a service will be asked when they are needed. Only for
                    a task with `later` */
};

/* A call to an AWS service on a provider's behalf (STS, SSO, ...). */
struct luaws_nested_call {
  struct luaws_str service;   /* "sts" */
  struct luaws_str operation; /* "AssumeRole" */
  struct luaws_str region;
  struct luaws_credentials *credentials; /* NULL = unsigned */
  uint64_t features;               /* what the call's User-Agent tells beside its own */
  const struct luaws_tree *params; /* lives until the call is freed */
  const struct luaws_str *secrets; /* among them, likewise: never in what is said of it */
  size_t secret_count;
  /* Before each attempt is signed: may add headers, for what proves who asks. NULL. */
  int (*prepare)(void *arg, struct luaws_request *request, struct luaws_error *err);
  void *prepare_arg;
};
struct luaws_nested_call_handle;
struct luaws_credential_cache;
/* How to make one; whoever owns the client layer fills this in. */
struct luaws_nested_calls {
  /* Starts a call; done(done_arg) comes once, from the loop, never from within start. */
  int (*start)(void *arg, const struct luaws_nested_call *call, void (*done)(void *),
               void *done_arg, struct luaws_nested_call_handle **out,
               struct luaws_error *err);
  /* Once done: the result (living until free), or the error. With LUAWS_E_SERVICE *out is
     what the service answered, { Error = { Code, Message }, ... }; else NULL. */
  int (*result)(struct luaws_nested_call_handle *h, const struct luaws_tree **out,
                struct luaws_error *err);
  void (*free)(struct luaws_nested_call_handle *h); /* cancels */
  void *arg;
};

/* A question for an MFA code. As a provider's step: a prompt may answer PENDING, and is
   asked again once it has called wake. */
struct luaws_mfa_question {
  struct luaws_str serial;
  struct luaws_buf code; /* the answer; wiped by whoever asks */
  void (*wake)(void *arg);
  void *wake_arg;
  void *state; /* the prompt's own, from its first PENDING to cancel */
  void (*cancel)(struct luaws_mfa_question *q); /* frees it */
};
/* 0 when there is a code, PENDING, or an error. */
typedef int luaws_prompt_mfa_fn(void *arg, struct luaws_mfa_question *q,
                                struct luaws_error *err);

/* Belongs to whoever owns the chain, and outlives it. */
struct luaws_provider_context {
  struct luaws_settings *settings;
  int64_t (*now_s)(void *arg); /* seconds since the epoch; NULL = the system's clock */
  void *now_arg;
  struct luaws_str region; /* where roles are assumed; none = where the settings say */

  /* For providers that ask over the network; all may be NULL in a process that never
     does (then such a provider fails, saying so). */
  struct luaws_loop *loop;
  const struct luaws_nested_calls *calls;
  struct luaws_credential_cache *cache; /* of roles assumed; may be NULL */
  luaws_prompt_mfa_fn *prompt_mfa;      /* asks a human; NULL = there is no one */
  void *prompt_arg;
};

/* One search by one provider. */
struct luaws_provider_task {
  const struct luaws_provider_context *context;
  const struct luaws_provider *provider;
  struct luaws_str profile_name; /* which profile it is about */
  bool ignore_environment; /* the profile was named in code, or as a source_profile */
  bool refresh;            /* not the first time: credentials found here have expired */
  bool later;              /* it is enough to know that there are some */
  /* Set by the chain: to be called, from the loop, when a PENDING task can go on. */
  void (*wake)(void *arg);
  void *wake_arg;
  void *state; /* the provider's own, from its first PENDING to its `cancel` */
  struct luaws_buf *notes; /* for luaws_provider_note; may be NULL */
};

struct luaws_provider {
  const char *name;           /* METHOD: "env" */
  const char *canonical_name; /* what credential_source calls it, or NULL */
  int (*step)(struct luaws_provider_task *task, struct luaws_credentials **out,
              struct luaws_error *err);
  /* Frees task->state, whatever it is doing. Called once after the last step when state
     is not NULL; may be NULL itself. */
  void (*cancel)(struct luaws_provider_task *task);
  void *arg; /* for providers that come from outside */
};

/* The built-in ones, in botocore's order. ORDER PROVIDERS */
extern const struct luaws_provider luaws_provider_env;
extern const struct luaws_provider luaws_provider_assume_role;
extern const struct luaws_provider luaws_provider_web_identity;
extern const struct luaws_provider luaws_provider_sso;
extern const struct luaws_provider luaws_provider_shared_file;
extern const struct luaws_provider luaws_provider_login;
extern const struct luaws_provider luaws_provider_process;
extern const struct luaws_provider luaws_provider_config_file;
extern const struct luaws_provider luaws_provider_ec2_file;
extern const struct luaws_provider luaws_provider_boto_config;
extern const struct luaws_provider luaws_provider_container;
extern const struct luaws_provider luaws_provider_instance;

/* ---- for providers ---- */
int64_t luaws_provider_now(const struct luaws_provider_task *task);
/* The task's profile in both files merged; NULL in *out when there is none. */
int luaws_provider_profile(const struct luaws_provider_task *task,
                           const struct luaws_ini_section **out, struct luaws_error *err);
/* The two keys in a section, without a token: FOUND, PASS or an error. */
int luaws_provider_key_pair(const struct luaws_provider_task *task,
                            const struct luaws_ini_section *section,
                            struct luaws_credentials **out, struct luaws_error *err);

/* Makes credentials of aws_access_key_id and its friends in a section: FOUND, PASS
   without an access key, "PartialCredentialsError" without a secret. */
int luaws_provider_static_keys(const struct luaws_provider_task *task,
                               const struct luaws_ini_section *section,
                               struct luaws_credentials **out, struct luaws_error *err);
/* What to tell whoever wonders why: where something was found. Nothing secret. */
void luaws_provider_note(const struct luaws_provider_task *task, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* PASS, having noted why: "no role_arn in the profile". */
int luaws_provider_pass(const struct luaws_provider_task *task, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* "Error when retrieving credentials from NAME: ...": kind CredentialRetrievalError. */
int luaws_provider_failed(const struct luaws_provider_task *task, struct luaws_error *err,
                          const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
