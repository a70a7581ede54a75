/* AWS_WEB_IDENTITY_TOKEN_FILE, or web_identity_token_file in the profile: STS
   AssumeRoleWithWebIdentity, which nothing but the token in that file vouches for. The
   file is read again each time: whoever put it there renews it. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "credentials/secret_file.h"
#include "credentials/service_call.h"

struct web_identity {
  struct luaws_service_call call;
  uint64_t features; /* of where its settings came from */
};

enum { MAX_TOKEN_BYTES = 1 << 20 };

/* A variable of the environment wins over the profile's key, each for itself. */
static struct luaws_str configured(const struct luaws_provider_task *task,
                                   const struct luaws_ini_section *profile,
                                   const char *variable, const char *key,
                                   uint64_t *features) {
  const char *value = task->ignore_environment
                          ? NULL
                          : luaws_settings_getenv(task->context->settings, variable);
  struct luaws_str text = value ? luaws_str_from(value) : luaws_ini_text(profile, key);
  if (text.ptr)
    *features |= luaws_feature_bit(value ? LUAWS_FEATURE_KEYS_ENV_WEB_IDENTITY
                                         : LUAWS_FEATURE_KEYS_PROFILE_WEB_IDENTITY);
  return text;
}

static int add_token(struct luaws_provider_task *task, struct luaws_service_call *call,
                     struct luaws_str path, struct luaws_error *err) {
  struct luaws_buf token = {.max_bytes = MAX_TOKEN_BYTES};
  int e = luaws_secret_file_read(path, &token);
  int rc = 0;
  if (e) {
    rc = luaws_provider_failed(task, err, "the web identity token file %.*s: %s",
                               LUAWS_STR_ARG(path), strerror(e));
  } else if (!luaws_service_call_secret(call, "WebIdentityToken",
                                        luaws_buf_str(&token))) {
    rc = luaws_error_memory(err);
  }
  luaws_buf_wipe(&token);
  return rc;
}

static int start_call(struct luaws_provider_task *task, struct web_identity *w,
                      const struct luaws_ini_section *profile, struct luaws_str path,
                      struct luaws_error *err) {
  struct luaws_service_call *call = &w->call;
  struct luaws_str role =
      configured(task, profile, "AWS_ROLE_ARN", "role_arn", &w->features);
  struct luaws_str name = configured(task, profile, "AWS_ROLE_SESSION_NAME",
                                     "role_session_name", &w->features);
  struct luaws_buf made_up = {0};
  if (!role.len) {
    return luaws_error_set(
        err, LUAWS_E_CONFIG, "InvalidConfigError",
        "The provided profile or the current environment is configured to assume role "
        "with web identity but has no role ARN configured. Ensure that the profile has "
        "the role_arn configuration set or the AWS_ROLE_ARN env var is set.");
  }
  if (task->later) return LUAWS_LATER;
  if (!name.len) {
    luaws_role_session_name(task, &made_up);
    name = luaws_buf_str(&made_up);
  }
  bool ok = luaws_service_call_text(call, "RoleArn", role) &&
            luaws_service_call_text(call, "RoleSessionName", name);
  luaws_buf_clear(&made_up);
  int rc = ok ? add_token(task, call, path, err) : luaws_error_memory(err);
  if (rc) return rc;
  luaws_log(LUAWS_LOG_DEBUG, "luaws.credentials",
            "assuming %.*s with the web identity in %.*s", LUAWS_STR_ARG(role),
            LUAWS_STR_ARG(path));
  const struct luaws_nested_call sts = {.service = LUAWS_STR("sts"),
                                        .operation =
                                            LUAWS_STR("AssumeRoleWithWebIdentity"),
                                        .region = task->context->region,
                                        .features = w->features};
  return luaws_service_call_start(call, task, &sts, err);
}

static void cancel(struct luaws_provider_task *task) {
  struct web_identity *w = task->state;
  luaws_service_call_clear(&w->call);
  free(w);
}

static int begin(struct luaws_provider_task *task, struct luaws_error *err) {
  const struct luaws_ini_section *profile = NULL;
  int rc = luaws_provider_profile(task, &profile, err);
  if (rc) return rc;
  uint64_t features = 0;
  struct luaws_str path = configured(task, profile, "AWS_WEB_IDENTITY_TOKEN_FILE",
                                     "web_identity_token_file", &features);
  if (!path.len) {
    return luaws_provider_pass(task, "no web_identity_token_file%s",
                               task->ignore_environment
                                   ? " in the profile"
                                   : ", and AWS_WEB_IDENTITY_TOKEN_FILE is not set");
  }
  struct web_identity *w = calloc(1, sizeof *w);
  if (!w) return luaws_error_memory(err);
  task->state = w;
  w->features = features;
  rc = start_call(task, w, profile, path, err);
  return rc ? rc : LUAWS_PENDING;
}

static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  int rc = task->state ? LUAWS_PENDING : begin(task, err);
  if (rc != LUAWS_PENDING) return rc;
  struct web_identity *w = task->state;
  const struct luaws_tree *answer = NULL;
  rc = luaws_service_call_result(&w->call, &answer, err);
  if (rc == 0) rc = luaws_assumed_role(task, answer, out, err);
  if (rc == LUAWS_FOUND) (*out)->features = w->features;
  return rc;
}

const struct luaws_provider luaws_provider_web_identity = {
    "assume-role-with-web-identity", NULL, step, cancel, NULL};
