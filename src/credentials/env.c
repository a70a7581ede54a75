/* Keys in the environment. With an expiry time they are read again when it comes near. */
#include "base/time.h"
#include "credentials/provider.h"

/* The first of these variables that is there and not empty. */
static struct luaws_str first_set(const struct luaws_provider_task *task,
                                  const char *name, const char *otherwise) {
  const char *value = luaws_settings_getenv(task->context->settings, name);
  if ((!value || !value[0]) && otherwise) {
    value = luaws_settings_getenv(task->context->settings, otherwise);
  }
  return value && value[0] ? luaws_str_from(value) : LUAWS_STR_NONE;
}

static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  struct luaws_credentials_init c = {
      .access_key = first_set(task, "AWS_ACCESS_KEY_ID", NULL),
      .secret_key = first_set(task, "AWS_SECRET_ACCESS_KEY", NULL),
      .token = first_set(task, "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"),
      .account_id = first_set(task, "AWS_ACCOUNT_ID", NULL),
      .method = luaws_str_from(task->provider->name),
  };
  struct luaws_str expiry = first_set(task, "AWS_CREDENTIAL_EXPIRATION", NULL);
  if (!c.access_key.ptr && !task->refresh) {
    return luaws_provider_pass(task, "AWS_ACCESS_KEY_ID is not set");
  }
  luaws_provider_note(task, "AWS_ACCESS_KEY_ID");
  const char *missing = !c.access_key.ptr              ? "AWS_ACCESS_KEY_ID"
                        : !c.secret_key.ptr            ? "AWS_SECRET_ACCESS_KEY"
                        : !expiry.ptr && task->refresh ? "AWS_CREDENTIAL_EXPIRATION"
                                                       : NULL;
  if (missing) return luaws_partial_credentials(task->provider->name, missing, err);
  if (expiry.ptr) {
    double seconds = 0;
    if (!luaws_time_parse(expiry, &seconds)) {
      return luaws_provider_failed(
          task, err, "AWS_CREDENTIAL_EXPIRATION is no time: %.*s", LUAWS_STR_ARG(expiry));
    }
    c.expiry_s = (int64_t)seconds;
  }
  *out = luaws_credentials_new(&c);
  return *out ? LUAWS_FOUND : luaws_error_memory(err);
}

const struct luaws_provider luaws_provider_env = {"env", "Environment", step, NULL, NULL};
