/* The profile's section of the credentials file. */
#include "credentials/provider.h"

static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  const struct luaws_profiles *files = NULL;
  int rc = luaws_settings_profiles(task->context->settings, &files, err);
  if (rc) return rc;
  const struct luaws_ini_section *section =
      luaws_ini_section(files->credentials.first, task->profile_name);
  if (section) return luaws_provider_static_keys(task, section, out, err);
  if (files->credentials.unreadable) {
    return luaws_provider_pass(task, "%.*s cannot be read: %s",
                               LUAWS_STR_ARG(files->credentials.path),
                               strerror(files->credentials.unreadable));
  }
  return luaws_provider_pass(
      task,
      files->credentials.found ? "no [%.*s] in %.*s" : "no [%.*s]: there is no %.*s",
      LUAWS_STR_ARG(task->profile_name), LUAWS_STR_ARG(files->credentials.path));
}

const struct luaws_provider luaws_provider_shared_file = {
    "shared-credentials-file", "SharedCredentials", step, NULL, NULL};
