/* A profile with sso_account_id or sso_role_name: the SSO portal's GetRoleCredentials, in
   exchange for the token that `aws sso login` got. */
#include <stdlib.h>

#include "credentials/cache.h"
#include "credentials/sso_token.h"
#include "settings/suggest.h"
#include "value/json.h"

struct sso {
  struct luaws_arena arena;
  struct luaws_sso_login login;
  struct luaws_str account, role;
  struct luaws_sso_token token;
  struct luaws_service_call call;
};

/* ---- what the profile says ---- */

/* What a session says and the profile says too must be the same. */
static int check_same(const struct luaws_ini_section *profile,
                      const struct luaws_ini_section *session, struct luaws_error *err) {
  for (const struct luaws_ini_value *v = session->first; v; v = v->next) {
    const struct luaws_ini_value *own = profile->first;
    while (own && !luaws_str_eq(own->key, v->key))
      own = own->next;
    if (!own || (!own->is_block && !v->is_block && luaws_str_eq(own->text, v->text)))
      continue;
    return luaws_error_set(err, LUAWS_E_CONFIG, "InvalidConfigError",
                           "The value for %.*s is inconsistent between profile (%.*s) "
                           "and sso-session (%.*s).",
                           LUAWS_STR_ARG(v->key), LUAWS_STR_ARG(own->text),
                           LUAWS_STR_ARG(v->text));
  }
  return 0;
}

static int configure(struct luaws_provider_task *task, struct sso *s,
                     const struct luaws_ini_section *profile, struct luaws_error *err) {
  const struct luaws_profiles *files = NULL;
  const struct luaws_ini_section *session = NULL;
  int rc = luaws_settings_profiles(task->context->settings, &files, err);
  if (rc) return rc;
  s->login.session_name = luaws_ini_text(profile, "sso_session");
  if (s->login.session_name.ptr) {
    session = luaws_ini_section(files->sso_sessions, s->login.session_name);
    if (!session) {
      rc = luaws_error_set(err, LUAWS_E_CONFIG, "InvalidConfigError",
                           "The specified sso-session does not exist: \"%.*s\"",
                           LUAWS_STR_ARG(s->login.session_name));
      luaws_suggest_section(files->sso_sessions, s->login.session_name, err);
      return rc;
    }
    rc = check_same(profile, session, err);
    if (rc) return rc;
  }
  const struct {
    const char *key;
    struct luaws_str *to;
  } needed[] = {{"sso_role_name", &s->role},
                {"sso_account_id", &s->account},
                {"sso_start_url", &s->login.start_url},
                {"sso_region", &s->login.region}};
  struct luaws_buf missing = {0};
  for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
    struct luaws_str value = luaws_ini_text(profile, needed[i].key);
    if (!value.ptr) value = luaws_ini_text(session, needed[i].key);
    if (value.ptr) {
      *needed[i].to = luaws_arena_str(&s->arena, value);
      if (!needed[i].to->ptr) rc = luaws_error_memory(err);
    } else {
      luaws_buf_printf(&missing, "%s%s", missing.len ? ", " : "", needed[i].key);
    }
  }
  if (rc == 0 && missing.len) {
    rc = luaws_error_set(err, LUAWS_E_CONFIG, "InvalidConfigError",
                         "The profile \"%.*s\" is configured to use SSO but is missing "
                         "required configuration: %s",
                         LUAWS_STR_ARG(task->profile_name), missing.ptr);
  }
  luaws_buf_clear(&missing);
  return rc;
}

/* ---- the role's credentials ---- */

static void append_cache_key(const struct sso *s, struct luaws_buf *out) {
  bool has_session = s->login.session_name.ptr != NULL;
  struct luaws_buf json = {0};
  luaws_buf_append_cstr(&json, "{\"accountId\":");
  luaws_json_quote(&json, s->account);
  luaws_buf_append_cstr(&json, ",\"roleName\":");
  luaws_json_quote(&json, s->role);
  luaws_buf_printf(&json, ",\"%s\":", has_session ? "sessionName" : "startUrl");
  luaws_json_quote(&json, has_session ? s->login.session_name : s->login.start_url);
  luaws_buf_append_char(&json, '}');
  luaws_append_cache_key(out, luaws_buf_str(&json));
  if (json.failed) out->failed = true;
  luaws_buf_clear(&json);
}

static int start_call(struct luaws_provider_task *task, struct sso *s,
                      struct luaws_error *err) {
  if (!luaws_service_call_text(&s->call, "roleName", s->role) ||
      !luaws_service_call_text(&s->call, "accountId", s->account) ||
      !luaws_service_call_secret(&s->call, "accessToken", s->token.access_token)) {
    return luaws_error_memory(err);
  }
  const struct luaws_nested_call call = {
      .service = LUAWS_STR("sso"),
      .operation = LUAWS_STR("GetRoleCredentials"),
      .region = s->login.region,
      .features = luaws_feature_bit(s->login.session_name.ptr
                                        ? LUAWS_FEATURE_KEYS_PROFILE_SSO
                                        : LUAWS_FEATURE_KEYS_PROFILE_SSO_LEGACY)};
  return luaws_service_call_start(&s->call, task, &call, err);
}

static int make(struct luaws_provider_task *task, struct sso *s,
                const struct luaws_tree *answer, struct luaws_credentials **out,
                struct luaws_error *err) {
  const struct luaws_tree *c = luaws_tree_get(answer, "roleCredentials");
  const struct luaws_tree *expiry_ms = luaws_tree_get(c, "expiration");
  struct luaws_credentials_init init = {
      .access_key = luaws_tree_text(c, "accessKeyId"),
      .secret_key = luaws_tree_text(c, "secretAccessKey"),
      .token = luaws_tree_text(c, "sessionToken"),
      .account_id = s->account,
      .method = luaws_str_from(task->provider->name),
  };
  if (expiry_ms && expiry_ms->kind == LUAWS_KIND_INTEGER) {
    init.expiry_s = expiry_ms->integer / 1000;
  }
  const char *missing = !init.access_key.len   ? "accessKeyId"
                        : !init.secret_key.len ? "secretAccessKey"
                        : !init.token.len      ? "sessionToken"
                        : !init.expiry_s       ? "expiration"
                                               : NULL;
  if (missing) {
    return luaws_provider_failed(task, err, "the answer of the SSO portal has no %s",
                                 missing);
  }
  *out = luaws_credentials_new(&init);
  return *out ? LUAWS_FOUND : luaws_error_memory(err);
}

static int receive(struct luaws_provider_task *task, struct sso *s,
                   struct luaws_credentials **out, struct luaws_error *err) {
  const struct luaws_tree *answer = NULL;
  int rc = luaws_service_call_result(&s->call, &answer, err);
  if (rc == LUAWS_E_SERVICE &&
      luaws_str_is(luaws_tree_text(luaws_tree_get(answer, "Error"), "Code"),
                   "UnauthorizedException")) {
    return luaws_sso_unauthorized(task, err);
  }
  if (rc) return rc;
  struct luaws_buf key = {0};
  rc = make(task, s, answer, out, err);
  if (rc == LUAWS_FOUND) {
    append_cache_key(s, &key);
    if (!key.failed) {
      luaws_credential_cache_put(task->context->cache, luaws_buf_str(&key), *out);
    }
    luaws_buf_clear(&key);
  }
  return rc;
}

/* ---- the provider ---- */

static void cancel(struct luaws_provider_task *task) {
  struct sso *s = task->state;
  luaws_sso_token_clear(&s->token);
  luaws_service_call_clear(&s->call);
  luaws_arena_clear(&s->arena);
  free(s);
}

/* What the User-Agent tells of how they were found. */
static int found(const struct sso *s, struct luaws_credentials *c) {
  bool session = s->login.session_name.ptr != NULL;
  c->features =
      luaws_feature_bit(session ? LUAWS_FEATURE_KEYS_PROFILE_SSO
                                : LUAWS_FEATURE_KEYS_PROFILE_SSO_LEGACY) |
      luaws_feature_bit(session ? LUAWS_FEATURE_KEYS_SSO : LUAWS_FEATURE_KEYS_SSO_LEGACY);
  return LUAWS_FOUND;
}

/* FOUND when the credentials were got earlier by this session. */
static int begin(struct luaws_provider_task *task, struct luaws_credentials **out,
                 struct luaws_error *err) {
  const struct luaws_ini_section *profile = NULL;
  int rc = luaws_provider_profile(task, &profile, err);
  if (rc) return rc;
  if (!profile || (!luaws_ini_value(profile->first, "sso_account_id") &&
                   !luaws_ini_value(profile->first, "sso_role_name"))) {
    return luaws_provider_pass(
        task, "neither sso_account_id nor sso_role_name in profile \"%.*s\"",
        LUAWS_STR_ARG(task->profile_name));
  }
  struct sso *s = calloc(1, sizeof *s);
  if (!s) return luaws_error_memory(err);
  task->state = s;
  rc = configure(task, s, profile, err);
  if (rc == 0 && task->later) rc = LUAWS_LATER;
  if (rc) return rc;
  struct luaws_buf key = {0};
  append_cache_key(s, &key);
  *out = luaws_credential_cache_get(task->context->cache, luaws_buf_str(&key),
                                    luaws_str_from(task->provider->name),
                                    luaws_provider_now(task));
  luaws_buf_clear(&key);
  if (*out) return found(s, *out);
  struct luaws_sso_login login = s->login;
  if (login.session_name.ptr) rc = luaws_sso_session_of(task, profile, &login, err);
  if (rc == 0) rc = luaws_sso_token_open(&s->token, task, &login, err);
  return rc ? rc : LUAWS_PENDING;
}

static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  int rc = task->state ? LUAWS_PENDING : begin(task, out, err);
  if (rc != LUAWS_PENDING) return rc;
  struct sso *s = task->state;
  if (!luaws_service_call_started(&s->call)) {
    rc = luaws_sso_token_step(&s->token, err);
    if (rc == 0) rc = start_call(task, s, err);
    if (rc) return rc;
  }
  rc = receive(task, s, out, err);
  return rc == LUAWS_FOUND ? found(s, *out) : rc;
}

const struct luaws_provider luaws_provider_sso = {"sso", NULL, step, cancel, NULL};
