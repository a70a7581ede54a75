/* AWS_WEB_IDENTITY_TOKEN_FILE, or web_identity_token_file in the profile. */
#include "credentials/provider.h"

/* TODO: STS AssumeRoleWithWebIdentity. Until then whoever asks for it is refused. */
static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  const struct luaws_ini_section *profile = NULL;
  const char *variable = NULL;
  if (!task->ignore_environment) {
    variable =
        luaws_settings_getenv(task->context->settings, "AWS_WEB_IDENTITY_TOKEN_FILE");
  }
  int rc = luaws_provider_profile(task, &profile, err);
  if (rc) return rc;
  struct luaws_str path = variable ? luaws_str_from(variable)
                                   : luaws_ini_text(profile, "web_identity_token_file");
  if (path.len == 0) return LUAWS_PASS;
  return luaws_provider_failed(task, err,
                               "a web identity token file is configured (%s), and this "
                               "build cannot use one",
                               variable ? "AWS_WEB_IDENTITY_TOKEN_FILE"
                                        : "web_identity_token_file");
}

const struct luaws_provider luaws_provider_web_identity = {
    "assume-role-with-web-identity", NULL, step, NULL, NULL};
