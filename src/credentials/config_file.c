/* Keys that stand in the config file: its own, not those of the credentials file. */
#include "credentials/provider.h"

static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  const struct luaws_profiles *files = NULL;
  int rc = luaws_settings_profiles(task->context->settings, &files, err);
  if (rc) return rc;
  const struct luaws_ini_section *section =
      luaws_ini_section(files->config_profiles, task->profile_name);
  if (section) return luaws_provider_static_keys(task, section, out, err);
  if (files->config.unreadable) {
    return luaws_provider_pass(task, "%.*s cannot be read: %s",
                               LUAWS_STR_ARG(files->config.path),
                               strerror(files->config.unreadable));
  }
  return luaws_provider_pass(
      task,
      files->config.found ? "no profile \"%.*s\" in %.*s"
                          : "no profile \"%.*s\": there is no %.*s",
      LUAWS_STR_ARG(task->profile_name), LUAWS_STR_ARG(files->config.path));
}

const struct luaws_provider luaws_provider_config_file = {"config-file", "SharedConfig",
                                                          step, NULL, NULL};
