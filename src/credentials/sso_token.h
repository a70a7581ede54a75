/* The token that `aws sso login` leaves in ~/.aws/sso/cache, renewed with SSO-OIDC's
   CreateToken when it is near its end and there is what it takes. */
#ifndef LUAWS_CREDENTIALS_SSO_TOKEN_H
#define LUAWS_CREDENTIALS_SSO_TOKEN_H

#include "credentials/service_call.h"

/* Which one. */
struct luaws_sso_login {
  struct luaws_str session_name; /* of an sso-session; none = a profile of the old form */
  struct luaws_str start_url;
  struct luaws_str region;
};

/* Start from {0}. */
struct luaws_sso_token {
  struct luaws_provider_task *task;
  struct luaws_sso_login login; /* texts in the arena */
  struct luaws_arena arena;     /* wiped: the file and what is in it */
  struct luaws_buf path, text;
  struct luaws_buf why; /* it was not renewed */
  bool unreached;       /* because nobody answered */
  struct luaws_tree *file;
  struct luaws_service_call call;
  struct luaws_str access_token; /* the result, and when it ends */
  int64_t expiry_s;
};

/* Reads the file: "SSOTokenLoadError" when there is none or it is none. What ends in an
   error says how to log in again where that helps. */
int luaws_sso_token_open(struct luaws_sso_token *t, struct luaws_provider_task *task,
                         const struct luaws_sso_login *login, struct luaws_error *err);
/* PENDING; or 0 with access_token set; or "UnauthorizedSSOTokenError" (old form) or
   "TokenRetrievalError" when it has expired. */
int luaws_sso_token_step(struct luaws_sso_token *t, struct luaws_error *err);
void luaws_sso_token_clear(struct luaws_sso_token *t);

/* "UnauthorizedSSOTokenError" */
int luaws_sso_unauthorized(const struct luaws_provider_task *task,
                           struct luaws_error *err);

/* The sso_session that a profile names, in *out, whose session_name is none when it names
   none. "InvalidConfigError" when it does not exist or says too little. */
int luaws_sso_session_of(const struct luaws_provider_task *task,
                         const struct luaws_ini_section *profile,
                         struct luaws_sso_login *out, struct luaws_error *err);

/* A token as credentials whose `token` it is, for signing with httpBearerAuth: METHOD
   "sso". Beside the chain of credentials, not in it. */
extern const struct luaws_provider luaws_token_provider_sso;

#endif
