/* A profile with role_arn. */
#include "credentials/provider.h"

/* TODO: STS AssumeRole. Until then a profile that asks for it is refused. */
static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  const struct luaws_ini_section *profile = NULL;
  int rc = luaws_provider_profile(task, &profile, err);
  if (rc || !profile || !luaws_ini_value(profile->first, "role_arn") ||
      luaws_ini_value(profile->first, "web_identity_token_file")) {
    return rc ? rc : LUAWS_PASS;
  }
  return luaws_provider_failed(
      task, err,
      "the profile \"%.*s\" has a role_arn, and this build cannot "
      "assume roles",
      LUAWS_STR_ARG(task->profile_name));
}

const struct luaws_provider luaws_provider_assume_role = {"assume-role", NULL, step, NULL,
                                                          NULL};
