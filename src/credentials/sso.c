/* A profile with sso_account_id or sso_role_name. */
#include "credentials/provider.h"

/* TODO: the SSO portal's GetRoleCredentials. Until then a profile that asks for it is
   refused. */
static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  const struct luaws_ini_section *profile = NULL;
  int rc = luaws_provider_profile(task, &profile, err);
  if (rc || !profile ||
      (!luaws_ini_value(profile->first, "sso_account_id") &&
       !luaws_ini_value(profile->first, "sso_role_name"))) {
    return rc ? rc : LUAWS_PASS;
  }
  return luaws_provider_failed(
      task, err, "the profile \"%.*s\" is configured for SSO, and this build has none",
      LUAWS_STR_ARG(task->profile_name));
}

const struct luaws_provider luaws_provider_sso = {"sso", NULL, step, NULL, NULL};
