/* ECS, EKS and whoever else sets AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI. */
#include "credentials/provider.h"

/* TODO: asking that address. Until then an environment that names one is refused. */
static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  static const char *const variables[] = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                          "AWS_CONTAINER_CREDENTIALS_FULL_URI"};
  for (size_t i = 0; i < 2; i++) {
    if (!luaws_settings_getenv(task->context->settings, variables[i])) continue;
    return luaws_provider_failed(task, err, "%s is set, and this build cannot ask there",
                                 variables[i]);
  }
  return LUAWS_PASS;
}

const struct luaws_provider luaws_provider_container = {"container-role", "EcsContainer",
                                                        step, NULL, NULL};
