/* A profile with role_arn: STS AssumeRole with credentials from source_profile or
   credential_source. A source may be a role itself, so this is a row of roles, from the
   one that is wanted down to the one whose source has credentials of its own; they are
   assumed from that end. */
#include <stdlib.h>

#include "base/log.h"
#include "credentials/cache.h"
#include "credentials/chain.h"
#include "credentials/service_call.h"
#include "settings/suggest.h"
#include "value/json.h"

struct role {
  struct luaws_str profile, arn, source_profile, credential_source;
  struct luaws_str external_id, mfa_serial, session_name;
  int64_t duration_s;
  bool has_duration;
};

enum { MAX_ROLES = 32, MAX_CODE_BYTES = 1024 };

struct assume_role {
  struct luaws_arena arena;
  struct role roles[MAX_ROLES]; /* [0] is the one that is wanted */
  size_t count;
  size_t left; /* how many are still to be assumed */
  struct luaws_chain *source;
  struct luaws_chain_waiter waiter;
  struct luaws_credentials *credentials; /* for the next role */
  struct luaws_mfa_question question;
  uint64_t features; /* of the sources and roles that led to them */
  struct luaws_service_call call;
};

/* ---- what the profiles say ---- */

static bool has_role(const struct luaws_ini_section *profile) {
  return luaws_ini_value(profile->first, "role_arn") &&
         !luaws_ini_value(profile->first, "web_identity_token_file");
}

static bool has_static_keys(const struct luaws_ini_section *profile) {
  return luaws_ini_value(profile->first, "aws_access_key_id") ||
         luaws_ini_value(profile->first, "aws_secret_access_key");
}

/* The provider that a credential_source names. */
static const struct luaws_provider *named_source(struct luaws_str name) {
  static const struct luaws_provider *const sources[] = {
      &luaws_provider_env, &luaws_provider_container, &luaws_provider_instance};
  for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
    if (luaws_str_is(name, sources[i]->canonical_name)) return sources[i];
  }
  return NULL;
}

static int loop_found(const struct assume_role *a, struct luaws_str name,
                      struct luaws_error *err) {
  struct luaws_buf seen = {0};
  for (size_t i = 0; i < a->count; i++) {
    luaws_buf_printf(&seen, "%s'%.*s'", i ? ", " : "",
                     LUAWS_STR_ARG(a->roles[i].profile));
  }
  int rc = luaws_error_set(
      err, LUAWS_E_CONFIG, "InfiniteLoopConfigError",
      "Infinite loop in credential configuration detected. Attempting to load from "
      "profile %.*s which has already been visited. Visited profiles: [%s]",
      LUAWS_STR_ARG(name), seen.ptr ? seen.ptr : "");
  luaws_buf_clear(&seen);
  return rc;
}

/* Reads the role of one profile onto the end of the row. */
static int add_role(struct assume_role *a, struct luaws_str name,
                    const struct luaws_ini_section *profile, struct luaws_error *err) {
  if (a->count == MAX_ROLES) return loop_found(a, name, err);
  struct role *r = &a->roles[a->count++];
  const struct {
    struct luaws_str *to;
    const char *key;
  } texts[] = {{&r->arn, "role_arn"},
               {&r->source_profile, "source_profile"},
               {&r->credential_source, "credential_source"},
               {&r->external_id, "external_id"},
               {&r->mfa_serial, "mfa_serial"},
               {&r->session_name, "role_session_name"}};
  r->profile = luaws_arena_str(&a->arena, name);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct luaws_str value = luaws_ini_text(profile, texts[i].key);
    if (value.ptr) *texts[i].to = luaws_arena_str(&a->arena, value);
    if (value.ptr && !texts[i].to->ptr) return luaws_error_memory(err);
  }
  if (!r->session_name.len) r->session_name = LUAWS_STR_NONE;
  struct luaws_str duration = luaws_ini_text(profile, "duration_seconds");
  r->has_duration = luaws_setting_to_int64(duration, &r->duration_s);
  if (duration.ptr && !r->has_duration) {
    luaws_log(
        LUAWS_LOG_WARNING, "luaws.credentials",
        "duration_seconds of the profile \"%.*s\" does not count, as \"%.*s\" is no "
        "integer",
        LUAWS_STR_ARG(name), LUAWS_STR_ARG(duration));
  }
  return r->profile.ptr ? 0 : luaws_error_memory(err);
}

static int check_role(const struct luaws_provider_task *task, const struct assume_role *a,
                      const struct luaws_profiles *files, struct luaws_error *err) {
  const struct role *r = &a->roles[a->count - 1];
  if (r->credential_source.ptr && r->source_profile.ptr) {
    return luaws_error_set(err, LUAWS_E_CONFIG, "InvalidConfigError",
                           "The profile \"%.*s\" contains both source_profile and "
                           "credential_source.",
                           LUAWS_STR_ARG(r->profile));
  }
  if (r->credential_source.ptr) {
    if (named_source(r->credential_source)) return 0;
    int rc =
        luaws_error_set(err, LUAWS_E_CONFIG, "InvalidConfigError",
                        "The credential source \"%.*s\" referenced in profile "
                        "\"%.*s\" is not valid.",
                        LUAWS_STR_ARG(r->credential_source), LUAWS_STR_ARG(r->profile));
    luaws_error_add(err, " It may be Environment, EcsContainer or Ec2InstanceMetadata.");
    return rc;
  }
  if (!r->source_profile.ptr) {
    int rc = luaws_partial_credentials(task->provider->name,
                                       "source_profile or credential_source", err);
    luaws_error_add(err, ", beside role_arn in the profile \"%.*s\"",
                    LUAWS_STR_ARG(r->profile));
    return rc;
  }
  const struct luaws_ini_section *source =
      luaws_ini_section(files->profiles, r->source_profile);
  if (!source) {
    int rc = luaws_error_set(err, LUAWS_E_CONFIG, "InvalidConfigError",
                             "The source_profile \"%.*s\" referenced in the profile "
                             "\"%.*s\" does not exist.",
                             LUAWS_STR_ARG(r->source_profile), LUAWS_STR_ARG(r->profile));
    luaws_suggest_profile(files, r->source_profile, err);
    return rc;
  }
  for (size_t i = 0; i < a->count; i++) {
    if (!luaws_str_eq(a->roles[i].profile, r->source_profile)) continue;
    /* A profile may name itself, to hold both the keys and the role. */
    if (i == a->count - 1 && has_static_keys(source)) continue;
    return loop_found(a, r->source_profile, err);
  }
  return 0;
}

/* Fills the row. */
static int collect(const struct luaws_provider_task *task, struct assume_role *a,
                   const struct luaws_profiles *files,
                   const struct luaws_ini_section *profile, struct luaws_error *err) {
  struct luaws_str name = task->profile_name;
  for (;;) {
    int rc = add_role(a, name, profile, err);
    if (rc == 0) rc = check_role(task, a, files, err);
    if (rc) return rc;
    name = a->roles[a->count - 1].source_profile;
    if (!name.ptr) break;
    profile = luaws_ini_section(files->profiles, name);
    if (has_static_keys(profile) || !has_role(profile)) break;
  }
  a->left = a->count;
  return 0;
}

/* ---- the first credentials ---- */

static int find_source(struct luaws_provider_task *task, struct assume_role *a,
                       struct luaws_error *err) {
  const struct role *r = &a->roles[a->count - 1];
  if (!a->source) {
    a->source =
        r->credential_source.ptr
            ? luaws_chain_new_single(task->context, named_source(r->credential_source))
            : luaws_chain_new_profile(task->context, r->source_profile);
    if (!a->source) return luaws_error_memory(err);
    a->waiter.wake = task->wake;
    a->waiter.arg = task->wake_arg;
  }
  int rc = luaws_chain_get(a->source, &a->waiter, &a->credentials, err);
  if (rc == LUAWS_PASS && r->credential_source.ptr) {
    return luaws_error_set(err, LUAWS_E_CREDENTIALS, "CredentialRetrievalError",
                           "Error when retrieving credentials from %.*s: No credentials "
                           "found in credential_source referenced in profile %.*s",
                           LUAWS_STR_ARG(r->credential_source),
                           LUAWS_STR_ARG(r->profile));
  }
  if (rc == LUAWS_PASS) {
    return luaws_error_set(err, LUAWS_E_CONFIG, "InvalidConfigError",
                           "The source profile \"%.*s\" must have credentials.",
                           LUAWS_STR_ARG(r->source_profile));
  }
  return rc;
}

/* What the User-Agent tells of where a role's first credentials came from. */
static uint64_t source_features(const struct assume_role *a) {
  uint64_t named = luaws_feature_bit(LUAWS_FEATURE_KEYS_NAMED_SOURCE);
  uint64_t profile = luaws_feature_bit(LUAWS_FEATURE_KEYS_SOURCE_PROFILE) |
                     luaws_feature_bit(LUAWS_FEATURE_KEYS_PROFILE);
  uint64_t features = luaws_credentials_features(a->credentials);
  if (a->roles[a->count - 1].source_profile.ptr || a->count > 1) features |= profile;
  if (a->count > 1) features |= luaws_feature_bit(LUAWS_FEATURE_KEYS_ROLE);
  if (a->roles[a->count - 1].credential_source.ptr) features |= named;
  return features;
}

/* ---- assuming one role ---- */

static void add_json(struct luaws_buf *b, const char *name, struct luaws_str value) {
  if (!value.ptr) return;
  luaws_buf_printf(b, "%s\"%s\": ", b->len > 1 ? ", " : "", name);
  luaws_json_quote(b, value);
}

/* The SHA-1 of the parameters as JSON, names in order: what the AWS CLI calls its files
   too. A session name that was made up is no part of it. */
static void append_cache_key(struct luaws_buf *out, const struct role *r) {
  struct luaws_buf json = {0};
  luaws_buf_append_char(&json, '{');
  if (r->has_duration) {
    luaws_buf_printf(&json, "\"DurationSeconds\": %lld", (long long)r->duration_s);
  }
  add_json(&json, "ExternalId", r->external_id);
  add_json(&json, "RoleArn", r->arn);
  add_json(&json, "RoleSessionName", r->session_name);
  add_json(&json, "SerialNumber", r->mfa_serial);
  luaws_buf_append_char(&json, '}');
  luaws_append_cache_key(out, luaws_buf_str(&json));
  if (json.failed) out->failed = true;
  luaws_buf_clear(&json);
}

static void clear_question(struct luaws_mfa_question *q) {
  if (q->state && q->cancel) q->cancel(q);
  luaws_buf_wipe(&q->code);
  *q = (struct luaws_mfa_question){0};
}

/* Asks for a code where the role wants one: 0, PENDING, or an error. */
static int ask_mfa_code(struct luaws_provider_task *task, struct luaws_mfa_question *q,
                        const struct role *r, struct luaws_error *err) {
  const struct luaws_provider_context *c = task->context;
  if (!r->mfa_serial.ptr) return 0;
  if (task->refresh) {
    return luaws_error_set(err, LUAWS_E_CREDENTIALS, "RefreshWithMFAUnsupportedError",
                           "Cannot refresh credentials: MFA token required.");
  }
  if (!c->prompt_mfa) {
    return luaws_provider_failed(task, err,
                                 "an MFA code for %.*s is needed, and there is nobody to "
                                 "ask (a session takes mfa_prompt, a function)",
                                 LUAWS_STR_ARG(r->mfa_serial));
  }
  q->serial = r->mfa_serial;
  q->wake = task->wake;
  q->wake_arg = task->wake_arg;
  q->code.max_bytes = MAX_CODE_BYTES;
  int rc = c->prompt_mfa(c->prompt_arg, q, err);
  return rc == 0 && q->code.failed ? luaws_error_memory(err) : rc;
}

static int start_call(struct luaws_provider_task *task, struct assume_role *a,
                      const struct role *r, struct luaws_error *err) {
  struct luaws_service_call *call = &a->call;
  struct luaws_buf name = {0};
  int rc = ask_mfa_code(task, &a->question, r, err);
  if (rc) return rc;
  if (r->session_name.ptr) {
    luaws_buf_append_str(&name, r->session_name);
  } else {
    luaws_role_session_name(task, &name);
  }
  bool ok = luaws_service_call_text(call, "RoleArn", r->arn) &&
            luaws_service_call_text(call, "RoleSessionName", luaws_buf_str(&name));
  luaws_buf_clear(&name);
  if (ok && r->external_id.ptr) {
    ok = luaws_service_call_text(call, "ExternalId", r->external_id);
  }
  if (ok && r->has_duration) {
    ok = luaws_service_call_integer(call, "DurationSeconds", r->duration_s);
  }
  if (ok && r->mfa_serial.ptr) {
    struct luaws_str code = luaws_str_trim(luaws_buf_str(&a->question.code));
    ok = luaws_service_call_text(call, "SerialNumber", r->mfa_serial) &&
         luaws_service_call_secret(call, "TokenCode", code);
  }
  clear_question(&a->question);
  call->profile = r->profile;
  if (!ok) return luaws_error_memory(err);
  luaws_log(LUAWS_LOG_DEBUG, "luaws.credentials", "assuming %.*s for profile \"%.*s\"",
            LUAWS_STR_ARG(r->arn), LUAWS_STR_ARG(r->profile));
  const struct luaws_nested_call sts = {.service = LUAWS_STR("sts"),
                                        .operation = LUAWS_STR("AssumeRole"),
                                        .region = task->context->region,
                                        .credentials = a->credentials,
                                        .features = a->features};
  return luaws_service_call_start(call, task, &sts, err);
}

/* Gets the credentials of one role, with a->credentials: FOUND, and they are in their
   place; PENDING; or an error. */
static int assume(struct luaws_provider_task *task, struct assume_role *a,
                  const struct role *r, struct luaws_error *err) {
  struct luaws_credentials *found = NULL;
  struct luaws_buf key = {0};
  int rc = 0;
  append_cache_key(&key, r);
  if (key.failed) rc = luaws_error_memory(err);
  if (rc == 0 && !luaws_service_call_started(&a->call)) {
    found = luaws_credential_cache_get(task->context->cache, luaws_buf_str(&key),
                                       luaws_str_from(task->provider->name),
                                       luaws_provider_now(task));
    if (!found) rc = start_call(task, a, r, err);
  }
  if (rc == 0 && !found) {
    const struct luaws_tree *answer = NULL;
    rc = luaws_service_call_result(&a->call, &answer, err);
    if (rc == 0) rc = luaws_assumed_role(task, answer, &found, err);
    if (rc == LUAWS_FOUND) {
      luaws_credential_cache_put(task->context->cache, luaws_buf_str(&key), found);
    }
  }
  luaws_buf_clear(&key);
  if (rc != LUAWS_PENDING) {
    luaws_service_call_clear(&a->call);
    clear_question(&a->question);
  }
  if (!found) return rc;
  luaws_credentials_release(a->credentials);
  found->features = a->features;
  a->features |= luaws_feature_bit(LUAWS_FEATURE_KEYS_ROLE);
  a->credentials = found;
  return LUAWS_FOUND;
}

/* ---- the provider ---- */

static void cancel(struct luaws_provider_task *task) {
  struct assume_role *a = task->state;
  luaws_chain_free(a->source);
  luaws_credentials_release(a->credentials);
  luaws_service_call_clear(&a->call);
  clear_question(&a->question);
  luaws_arena_clear(&a->arena);
  free(a);
}

static int begin(struct luaws_provider_task *task, struct luaws_error *err) {
  const struct luaws_profiles *files = NULL;
  int rc = luaws_settings_profiles(task->context->settings, &files, err);
  if (rc) return rc;
  const struct luaws_ini_section *profile =
      luaws_ini_section(files->profiles, task->profile_name);
  if (!profile || !has_role(profile)) {
    return luaws_provider_pass(task, "no role_arn in profile \"%.*s\"",
                               LUAWS_STR_ARG(task->profile_name));
  }
  struct assume_role *a = calloc(1, sizeof *a);
  if (!a) return luaws_error_memory(err);
  task->state = a;
  rc = collect(task, a, files, profile, err);
  return rc ? rc : LUAWS_PENDING;
}

static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  int rc = task->state ? LUAWS_PENDING : begin(task, err);
  if (rc != LUAWS_PENDING) return rc;
  struct assume_role *a = task->state;
  if (task->later) return LUAWS_LATER;
  if (!a->credentials) {
    rc = find_source(task, a, err);
    if (rc != LUAWS_FOUND) return rc;
    a->features = source_features(a);
  }
  while (a->left) {
    rc = assume(task, a, &a->roles[a->left - 1], err);
    if (rc != LUAWS_FOUND) return rc;
    a->left--;
  }
  *out = luaws_credentials_acquire(a->credentials);
  return LUAWS_FOUND;
}

const struct luaws_provider luaws_provider_assume_role = {"assume-role", NULL, step,
                                                          cancel, NULL};
