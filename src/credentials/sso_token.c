#include "credentials/sso_token.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/time.h"
#include "credentials/cache.h"
#include "credentials/secret_file.h"
#include "settings/readers.h"
#include "value/json.h"

enum { REFRESH_WINDOW_S = 15 * 60, MAX_FILE_BYTES = 1 << 20 };

static const char FOLDER[] = "~/.aws/sso/cache/";

/* ---- which one ---- */

int luaws_sso_session_of(const struct luaws_provider_task *task,
                         const struct luaws_ini_section *profile,
                         struct luaws_sso_login *out, struct luaws_error *err) {
  const struct luaws_profiles *files = NULL;
  *out = (struct luaws_sso_login){.session_name = luaws_ini_text(profile, "sso_session")};
  if (!out->session_name.ptr) return 0;
  int rc = luaws_settings_profiles(task->context->settings, &files, err);
  if (rc) return rc;
  const struct luaws_ini_section *session =
      luaws_ini_section(files->sso_sessions, out->session_name);
  if (!session || !session->first) {
    return luaws_error_set(err, LUAWS_E_CONFIG, "InvalidConfigError",
                           "The profile \"%.*s\" is configured to use the SSO token "
                           "provider but the \"%.*s\" sso_session configuration does not "
                           "exist.",
                           LUAWS_STR_ARG(task->profile_name),
                           LUAWS_STR_ARG(out->session_name));
  }
  out->start_url = luaws_ini_text(session, "sso_start_url");
  out->region = luaws_ini_text(session, "sso_region");
  if (out->start_url.ptr && out->region.ptr) return 0;
  return luaws_error_set(
      err, LUAWS_E_CONFIG, "InvalidConfigError",
      "The profile \"%.*s\" is configured to use the SSO token provider but is missing "
      "the following configuration: [%s%s%s].",
      LUAWS_STR_ARG(task->profile_name), out->start_url.ptr ? "" : "'sso_start_url'",
      out->start_url.ptr || out->region.ptr ? "" : ", ",
      out->region.ptr ? "" : "'sso_region'");
}

/* ---- the file ---- */

/* What to do about it. */
static void add_advice(const struct luaws_provider_task *task, struct luaws_error *err) {
  const char *quote = luaws_str_find(task->profile_name, ' ') >= 0 ? "'" : "";
  luaws_error_add(err, "; run aws sso login --profile %s%.*s%s", quote,
                  LUAWS_STR_ARG(task->profile_name), quote);
}

static int load_error(const struct luaws_sso_token *t, struct luaws_str name,
                      const char *what, const char *why, struct luaws_error *err) {
  int rc = luaws_error_set(err, LUAWS_E_CREDENTIALS, "SSOTokenLoadError",
                           "Error loading SSO Token: Token for %.*s %s",
                           LUAWS_STR_ARG(name), what);
  luaws_error_add(err, ": %s: %s", t->path.ptr, why);
  add_advice(t->task, err);
  return rc;
}

/* Old files end their times with "UTC". */
static bool read_time(struct luaws_str text, int64_t *out) {
  struct luaws_buf b = {0};
  double seconds = 0;
  if (luaws_str_ends(text, LUAWS_STR("UTC"))) text.len -= 3;
  luaws_buf_append_str(&b, text);
  bool ok = text.len && !b.failed && luaws_time_parse(luaws_buf_str(&b), &seconds);
  luaws_buf_clear(&b);
  *out = (int64_t)seconds;
  return ok;
}

static bool find_path(struct luaws_sso_token *t) {
  struct luaws_buf name = {0};
  luaws_buf_append_cstr(&name, FOLDER);
  luaws_append_sha1(&name, t->login.session_name.ptr ? t->login.session_name
                                                     : t->login.start_url);
  luaws_buf_append_cstr(&name, ".json");
  luaws_settings_expand_path(t->task->context->settings, luaws_buf_str(&name), false,
                             &t->path);
  bool ok = !name.failed && !t->path.failed;
  luaws_buf_clear(&name);
  return ok;
}

static int load(struct luaws_sso_token *t, struct luaws_error *err) {
  struct luaws_str name =
      t->login.session_name.ptr ? t->login.session_name : t->login.start_url;
  struct luaws_error why = {0};
  t->text.max_bytes = MAX_FILE_BYTES;
  int e = luaws_secret_file_read(luaws_buf_str(&t->path), &t->text);
  if (e) return load_error(t, name, "does not exist", strerror(e), err);
  if (luaws_tree_parse(&t->arena, luaws_buf_str(&t->text), &t->file, &why)) {
    luaws_error_clear(&why);
    return load_error(t, name, "does not exist", "it is no JSON", err);
  }
  luaws_warn_of_readers(luaws_buf_str(&t->path));
  t->access_token = luaws_tree_text(t->file, "accessToken");
  if (!t->access_token.ptr) {
    return load_error(t, t->login.start_url, "is invalid", "no accessToken in it", err);
  }
  if (!read_time(luaws_tree_text(t->file, "expiresAt"), &t->expiry_s)) {
    return load_error(t, t->login.start_url, "is invalid", "no time in its expiresAt",
                      err);
  }
  return 0;
}

static void put(struct luaws_buf *json, const char *name, struct luaws_str value) {
  if (!value.ptr) return;
  luaws_buf_printf(json, "%s\"%s\": ", json->len > 1 ? ", " : "", name);
  luaws_json_quote(json, value);
}

static void save(struct luaws_sso_token *t, struct luaws_str refresh_token) {
  struct luaws_buf json = {.wipes = true}, expiry = {0};
  luaws_time_format_iso8601(&expiry, (double)t->expiry_s);
  luaws_buf_append_char(&json, '{');
  put(&json, "startUrl", t->login.start_url);
  put(&json, "region", t->login.region);
  put(&json, "accessToken", t->access_token);
  put(&json, "expiresAt", luaws_buf_str(&expiry));
  put(&json, "clientId", luaws_tree_text(t->file, "clientId"));
  put(&json, "clientSecret", luaws_tree_text(t->file, "clientSecret"));
  put(&json, "registrationExpiresAt", luaws_tree_text(t->file, "registrationExpiresAt"));
  put(&json, "refreshToken", refresh_token);
  luaws_buf_append_char(&json, '}');
  int e = json.failed
              ? 0
              : luaws_secret_file_write(luaws_buf_str(&t->path), luaws_buf_str(&json));
  if (e) {
    luaws_log(LUAWS_LOG_WARNING, "luaws.credentials",
              "the new SSO token cannot be kept: %s: %s", t->path.ptr, strerror(e));
  }
  luaws_buf_wipe(&json);
  luaws_buf_clear(&expiry);
}

/* ---- renewing it ---- */

static bool cannot_refresh(struct luaws_sso_token *t, int level, const char *fmt,
                           const char *what) {
  luaws_buf_printf(&t->why, fmt, what);
  luaws_log(level, "luaws.credentials", "the SSO token is not refreshed: %s",
            t->why.ptr ? t->why.ptr : "");
  return false;
}

static bool can_refresh(struct luaws_sso_token *t) {
  static const char *const needed[] = {"refreshToken", "clientId", "clientSecret",
                                       "registrationExpiresAt"};
  for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
    if (luaws_tree_text(t->file, needed[i]).ptr) continue;
    return cannot_refresh(t, LUAWS_LOG_INFO, "its file has no %s", needed[i]);
  }
  int64_t registered_until = 0;
  if (read_time(luaws_tree_text(t->file, "registrationExpiresAt"), &registered_until) &&
      registered_until > luaws_provider_now(t->task)) {
    return true;
  }
  return cannot_refresh(t, LUAWS_LOG_INFO, "%s", "its registration has expired");
}

static int start_refresh(struct luaws_sso_token *t, struct luaws_error *err) {
  struct luaws_service_call *c = &t->call;
  static const char *const from_file[] = {"clientSecret", "refreshToken"};
  bool ok = luaws_service_call_text(c, "grantType", LUAWS_STR("refresh_token")) &&
            luaws_service_call_text(c, "clientId", luaws_tree_text(t->file, "clientId"));
  for (size_t i = 0; ok && i < 2; i++) {
    ok = luaws_service_call_secret(c, from_file[i],
                                   luaws_tree_text(t->file, from_file[i]));
  }
  if (!ok) return luaws_error_memory(err);
  const struct luaws_nested_call call = {.service = LUAWS_STR("sso-oidc"),
                                         .operation = LUAWS_STR("CreateToken"),
                                         .region = t->login.region};
  return luaws_service_call_start(c, t->task, &call, err);
}

static void take_refreshed(struct luaws_sso_token *t, const struct luaws_tree *answer) {
  struct luaws_str token = luaws_tree_text(answer, "accessToken");
  struct luaws_str refresh = luaws_tree_text(answer, "refreshToken");
  const struct luaws_tree *seconds = luaws_tree_get(answer, "expiresIn");
  if (!token.len || !seconds || seconds->kind != LUAWS_KIND_INTEGER) {
    cannot_refresh(t, LUAWS_LOG_WARNING, "%s", "the answer has no token");
    return;
  }
  token = luaws_arena_str(&t->arena, token);
  if (!token.ptr) return; /* the old one will do for a while */
  t->access_token = token;
  t->expiry_s = luaws_provider_now(t->task) + seconds->integer;
  /* One that is not replaced goes on being good (RFC 6749, section 6). */
  save(t, refresh.ptr ? refresh : luaws_tree_text(t->file, "refreshToken"));
  luaws_log(LUAWS_LOG_INFO, "luaws.credentials", "the SSO token was refreshed");
}

/* ---- steps ---- */

int luaws_sso_token_open(struct luaws_sso_token *t, struct luaws_provider_task *task,
                         const struct luaws_sso_login *login, struct luaws_error *err) {
  t->task = task;
  t->login.start_url = luaws_arena_str(&t->arena, login->start_url);
  t->login.region = luaws_arena_str(&t->arena, login->region);
  if (login->session_name.ptr) {
    t->login.session_name = luaws_arena_str(&t->arena, login->session_name);
  }
  if (!t->login.start_url.ptr || !t->login.region.ptr || !find_path(t)) {
    return luaws_error_memory(err);
  }
  int rc = load(t, err);
  if (rc || !t->login.session_name.ptr ||
      t->expiry_s - luaws_provider_now(task) >= REFRESH_WINDOW_S || !can_refresh(t)) {
    return rc;
  }
  return start_refresh(t, err);
}

int luaws_sso_token_step(struct luaws_sso_token *t, struct luaws_error *err) {
  if (luaws_service_call_started(&t->call)) {
    const struct luaws_tree *answer = NULL;
    struct luaws_error why = {0};
    int rc = luaws_service_call_result(&t->call, &answer, &why);
    if (rc == LUAWS_PENDING) return rc;
    if (rc == 0) {
      take_refreshed(t, answer);
    } else {
      cannot_refresh(t, LUAWS_LOG_WARNING, "%s", luaws_error_message(&why));
    }
    t->unreached = rc < 0 && rc != LUAWS_E_SERVICE;
    luaws_error_clear(&why);
    luaws_service_call_clear(&t->call);
  }
  if (t->expiry_s > luaws_provider_now(t->task)) return 0;
  if (!t->login.session_name.ptr) return luaws_sso_unauthorized(t->task, err);
  int rc = luaws_error_set(err, LUAWS_E_CREDENTIALS, "TokenRetrievalError",
                           "Error when retrieving token from sso: Token has expired and "
                           "refresh failed");
  luaws_error_add(err, ": %s",
                  t->why.ptr ? t->why.ptr : "the new one has expired as well");
  if (!t->unreached) add_advice(t->task, err);
  return rc;
}

void luaws_sso_token_clear(struct luaws_sso_token *t) {
  luaws_service_call_clear(&t->call);
  luaws_buf_wipe(&t->text);
  luaws_buf_clear(&t->path);
  luaws_buf_clear(&t->why);
  luaws_arena_wipe(&t->arena);
  *t = (struct luaws_sso_token){0};
}

int luaws_sso_unauthorized(const struct luaws_provider_task *task,
                           struct luaws_error *err) {
  int rc = luaws_error_set(
      err, LUAWS_E_CREDENTIALS, "UnauthorizedSSOTokenError",
      "The SSO session associated with this profile has expired or is otherwise "
      "invalid. To refresh this SSO session run aws sso login with the corresponding "
      "profile.");
  luaws_error_add(err, " (It is \"%.*s\")", LUAWS_STR_ARG(task->profile_name));
  return rc;
}

/* ---- as a token to sign with ---- */

static void cancel(struct luaws_provider_task *task) {
  luaws_sso_token_clear(task->state);
  free(task->state);
}

static int begin(struct luaws_provider_task *task, struct luaws_error *err) {
  const struct luaws_ini_section *profile = NULL;
  struct luaws_sso_login login;
  int rc = luaws_provider_profile(task, &profile, err);
  if (rc || !profile) return rc ? rc : LUAWS_PASS;
  rc = luaws_sso_session_of(task, profile, &login, err);
  if (rc) return rc;
  if (!login.session_name.ptr) {
    return luaws_provider_pass(task, "no sso_session in the profile");
  }
  if (task->later) return LUAWS_LATER;
  struct luaws_sso_token *t = calloc(1, sizeof *t);
  if (!t) return luaws_error_memory(err);
  task->state = t;
  rc = luaws_sso_token_open(t, task, &login, err);
  return rc ? rc : LUAWS_PENDING;
}

static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  int rc = task->state ? LUAWS_PENDING : begin(task, err);
  if (rc != LUAWS_PENDING) return rc;
  struct luaws_sso_token *t = task->state;
  rc = luaws_sso_token_step(t, err);
  if (rc) return rc;
  const struct luaws_credentials_init init = {
      .token = t->access_token, .method = LUAWS_STR("sso"), .expiry_s = t->expiry_s};
  *out = luaws_credentials_new(&init);
  return *out ? LUAWS_FOUND : luaws_error_memory(err);
}

const struct luaws_provider luaws_token_provider_sso = {"sso", NULL, step, cancel, NULL};
