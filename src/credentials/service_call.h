/* One call to an AWS service, from a provider's side: parameters in, then steps until the
   answer is there. Built on what the context hands out (struct luaws_nested_calls). */
#ifndef LUAWS_CREDENTIALS_SERVICE_CALL_H
#define LUAWS_CREDENTIALS_SERVICE_CALL_H

#include "credentials/provider.h"

enum { LUAWS_MAX_CALL_SECRETS = 4 };

/* Start from {0}. */
struct luaws_service_call {
  struct luaws_provider_task *task;
  struct luaws_arena arena;
  struct luaws_tree *params;
  struct luaws_str secrets[LUAWS_MAX_CALL_SECRETS]; /* among them */
  size_t secret_count;
  struct luaws_nested_call_handle *handle;
  struct luaws_str operation;
  struct luaws_str profile; /* whose words the parameters are; none = the task's */
  bool done;
};

/* A parameter; a text is copied. False without memory. */
bool luaws_service_call_text(struct luaws_service_call *c, const char *name,
                             struct luaws_str value);
/* One that the service's answer is not to show, should it quote it. */
bool luaws_service_call_secret(struct luaws_service_call *c, const char *name,
                               struct luaws_str value);
bool luaws_service_call_integer(struct luaws_service_call *c, const char *name,
                                int64_t value);
/* A structure inside the parameters, which is then where parameters go to. */
struct luaws_tree *luaws_service_call_map(struct luaws_service_call *c, const char *name);

/* Sends it; call->params are filled in here. The task is woken when it is done. */
int luaws_service_call_start(struct luaws_service_call *c,
                             struct luaws_provider_task *task,
                             const struct luaws_nested_call *call,
                             struct luaws_error *err);
bool luaws_service_call_started(const struct luaws_service_call *c);
/* PENDING, or 0 and the answer (good until clear), or an error; with LUAWS_E_SERVICE *out
   is what the service said. */
int luaws_service_call_result(struct luaws_service_call *c, const struct luaws_tree **out,
                              struct luaws_error *err);
/* Cancels what is under way; wipes. c can be used again. */
void luaws_service_call_clear(struct luaws_service_call *c);

/* ---- STS ---- */

/* Credentials of what AssumeRole and its kin answer. FOUND, or an error. */
int luaws_assumed_role(const struct luaws_provider_task *task,
                       const struct luaws_tree *answer, struct luaws_credentials **out,
                       struct luaws_error *err);
/* "luaws-session-1700000000" */
void luaws_role_session_name(const struct luaws_provider_task *task,
                             struct luaws_buf *out);

#endif
