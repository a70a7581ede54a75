/* A profile with login_session: `aws login`. */
#include "credentials/provider.h"

/* TODO: the cached session and its refresh. Until then a profile that asks for it is
   refused. */
static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  const struct luaws_ini_section *profile = NULL;
  int rc = luaws_provider_profile(task, &profile, err);
  if (rc || !profile || !luaws_ini_value(profile->first, "login_session")) {
    return rc ? rc : LUAWS_PASS;
  }
  return luaws_provider_failed(
      task, err,
      "the profile \"%.*s\" has a login_session, and this build cannot use one",
      LUAWS_STR_ARG(task->profile_name));
}

const struct luaws_provider luaws_provider_login = {"login", NULL, step, NULL, NULL};
