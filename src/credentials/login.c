/* A profile with login_session: the credentials that `aws login` leaves in its cache,
   renewed with the sign-in service's CreateOAuth2Token by whoever has the private key
   that lies beside them.

   The cache is read anew for each refresh: another process may have been there first. */
#include <stdlib.h>

#include "base/log.h"
#include "base/random.h"
#include "base/time.h"
#include "credentials/cache.h"
#include "credentials/dpop.h"
#include "credentials/secret_file.h"
#include "credentials/service_call.h"
#include "settings/readers.h"

/* With more than this left there is nothing to renew. */
enum { ENOUGH_LEFT_S = 5 * 60, MAX_FILE_BYTES = 1 << 20 };

struct login {
  struct luaws_provider_task *task;
  struct luaws_arena arena; /* wiped */
  struct luaws_buf path, text;
  struct luaws_tree *file;
  struct luaws_service_call call;
};

/* ---- errors ---- */

static int load_error(struct luaws_error *err, const char *fmt, struct luaws_str what) {
  struct luaws_buf text = {0};
  ptrdiff_t mark = luaws_str_find(luaws_str_from(fmt), '$');
  luaws_buf_append(&text, fmt, mark < 0 ? strlen(fmt) : (size_t)mark);
  if (mark >= 0) {
    luaws_buf_append_str(&text, what);
    luaws_buf_append_cstr(&text, fmt + mark + 1);
  }
  int rc =
      luaws_error_set(err, LUAWS_E_CREDENTIALS, "LoginTokenLoadError",
                      "Error loading login session token: %s", text.ptr ? text.ptr : "");
  luaws_buf_clear(&text);
  return rc;
}

static int access_denied(const struct luaws_tree *answer, struct luaws_error *err) {
  struct luaws_str why = luaws_tree_text(answer, "error");
  if (luaws_str_is(why, "TOKEN_EXPIRED") ||
      luaws_str_is(why, "USER_CREDENTIALS_CHANGED")) {
    return luaws_error_set(err, LUAWS_E_CREDENTIALS, "LoginRefreshRequired",
                           "Your session has expired or credentials have changed. Please "
                           "reauthenticate using 'aws login'.");
  }
  if (luaws_str_is(why, "INSUFFICIENT_PERMISSIONS")) {
    return luaws_error_set(err, LUAWS_E_CREDENTIALS, "LoginInsufficientPermissions",
                           "Unable to create or refresh login credentials due to "
                           "insufficient permissions. You may be missing permission for "
                           "the 'signin:CreateOAuth2Token' action.");
  }
  return luaws_error_set(err, LUAWS_E_CREDENTIALS, "LoginError",
                         "An unspecified error happened when resolving AWS credentials "
                         "or refreshing a login session profile.");
}

/* ---- the file ---- */

static int find_path(struct luaws_provider_task *task, struct login *l,
                     struct luaws_str session, struct luaws_error *err) {
  struct luaws_settings *s = task->context->settings;
  const char *folder = luaws_settings_getenv(s, "AWS_LOGIN_CACHE_DIRECTORY");
  struct luaws_buf name = {0};
  luaws_buf_append_cstr(&name, folder && folder[0] ? folder : "~/.aws/login/cache");
  luaws_buf_append_char(&name, '/');
  luaws_append_sha256(&name, session);
  luaws_buf_append_cstr(&name, ".json");
  luaws_settings_expand_path(s, luaws_buf_str(&name), true, &l->path);
  bool ok = !name.failed && !l->path.failed;
  luaws_buf_clear(&name);
  return ok ? 0 : luaws_error_memory(err);
}

static int check_fields(const struct login *l, struct luaws_error *err) {
  static const char *const needed[] = {"accessToken", "refreshToken", "dpopKey",
                                       "clientId"};
  struct luaws_buf missing = {0};
  int rc = 0;
  for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
    if (luaws_tree_get(l->file, needed[i])) continue;
    luaws_buf_printf(&missing, "%s%s", missing.len ? ", " : "", needed[i]);
  }
  if (missing.len) {
    rc = load_error(err,
                    "Failed to load access token from token cache, missing required "
                    "fields: $.",
                    luaws_buf_str(&missing));
  }
  luaws_buf_clear(&missing);
  return rc;
}

static int load(struct luaws_provider_task *task, struct login *l,
                struct luaws_str session, struct luaws_error *err) {
  struct luaws_error why = {0};
  l->text.max_bytes = MAX_FILE_BYTES;
  int rc = find_path(task, l, session, err);
  if (rc) return rc;
  if (luaws_secret_file_read(luaws_buf_str(&l->path), &l->text) ||
      luaws_tree_parse(&l->arena, luaws_buf_str(&l->text), &l->file, &why)) {
    luaws_error_clear(&why);
    return load_error(err,
                      "Unable to load a existing login session for session $. Please "
                      "reauthenticate with 'aws login'.",
                      session);
  }
  luaws_warn_of_readers(luaws_buf_str(&l->path));
  return check_fields(l, err);
}

static bool read_token(const struct luaws_tree *token,
                       struct luaws_credentials_init *out) {
  double expiry = 0;
  *out = (struct luaws_credentials_init){
      .access_key = luaws_tree_text(token, "accessKeyId"),
      .secret_key = luaws_tree_text(token, "secretAccessKey"),
      .token = luaws_tree_text(token, "sessionToken"),
      .account_id = luaws_tree_text(token, "accountId"),
      .method = LUAWS_STR("login"),
  };
  struct luaws_str text = luaws_tree_text(token, "expiresAt");
  bool ok = out->access_key.len && out->secret_key.len && out->token.len && text.len &&
            luaws_time_parse(text, &expiry);
  out->expiry_s = (int64_t)expiry;
  return ok;
}

static int make(const struct luaws_credentials_init *init, struct luaws_credentials **out,
                struct luaws_error *err) {
  *out = luaws_credentials_new(init);
  return *out ? LUAWS_FOUND : luaws_error_memory(err);
}

static void put(struct luaws_buf *json, struct luaws_str key, struct luaws_str value) {
  const struct luaws_tree k = {.kind = LUAWS_KIND_STRING, .text = key};
  const struct luaws_tree v = {.kind = LUAWS_KIND_STRING, .text = value};
  if (json->ptr[json->len - 1] != '{') luaws_buf_append_cstr(json, ", ");
  luaws_tree_print(&k, json, 0);
  luaws_buf_append_cstr(json, ": ");
  luaws_tree_print(&v, json, 0);
}

/* The file with the new token in it; whatever else it holds stays. */
static void save(const struct login *l, const struct luaws_credentials_init *c,
                 struct luaws_str refresh_token) {
  struct luaws_buf json = {.wipes = true}, expiry = {0};
  luaws_time_format_iso8601(&expiry, (double)c->expiry_s);
  luaws_buf_append_cstr(&json, "{\"accessToken\": {");
  put(&json, LUAWS_STR("accessKeyId"), c->access_key);
  put(&json, LUAWS_STR("secretAccessKey"), c->secret_key);
  put(&json, LUAWS_STR("sessionToken"), c->token);
  put(&json, LUAWS_STR("accountId"), c->account_id);
  put(&json, LUAWS_STR("expiresAt"), luaws_buf_str(&expiry));
  luaws_buf_append_char(&json, '}');
  put(&json, LUAWS_STR("refreshToken"), refresh_token);
  for (const struct luaws_tree *t = l->file->first; t; t = t->next) {
    if (luaws_str_is(t->key, "accessToken") || luaws_str_is(t->key, "refreshToken"))
      continue;
    const struct luaws_tree key = {.kind = LUAWS_KIND_STRING, .text = t->key};
    luaws_buf_append_cstr(&json, ", ");
    luaws_tree_print(&key, &json, 0);
    luaws_buf_append_cstr(&json, ": ");
    luaws_tree_print(t, &json, 0);
  }
  luaws_buf_append_char(&json, '}');
  int e = json.failed
              ? 0
              : luaws_secret_file_write(luaws_buf_str(&l->path), luaws_buf_str(&json));
  if (e) {
    luaws_log(LUAWS_LOG_WARNING, "luaws.credentials",
              "the new login session cannot be kept: %s: %s", l->path.ptr, strerror(e));
  }
  luaws_buf_wipe(&json);
  luaws_buf_clear(&expiry);
}

/* ---- renewing ---- */

/* The proof goes with each attempt, and names it. */
static int add_proof(void *arg, struct luaws_request *request, struct luaws_error *err) {
  const struct login *l = arg;
  struct luaws_buf url = {0}, proof = {0};
  char id[37];
  luaws_random_uuid(id);
  luaws_request_url(request, &url);
  const struct luaws_dpop_claims claims = {.method = request->method,
                                           .url = luaws_buf_str(&url),
                                           .time_s = luaws_provider_now(l->task),
                                           .id = luaws_str_from(id)};
  struct luaws_error why = {0};
  int rc = luaws_dpop_proof(luaws_tree_text(l->file, "dpopKey"), &claims, &proof, &why);
  if (rc && why.code == LUAWS_E_MEMORY) {
    rc = luaws_error_memory(err);
  } else if (rc) {
    rc = load_error(err, "Unable to load private key from cached token.", LUAWS_STR_NONE);
  } else if (!luaws_headers_set(&request->headers, LUAWS_STR("DPoP"),
                                luaws_buf_str(&proof))) {
    rc = luaws_error_memory(err);
  }
  luaws_error_clear(&why);
  luaws_buf_clear(&url);
  luaws_buf_wipe(&proof);
  return rc;
}

static int start_refresh(struct luaws_provider_task *task, struct login *l,
                         struct luaws_error *err) {
  struct luaws_service_call *c = &l->call;
  struct luaws_tree *params = luaws_service_call_map(c, "tokenInput");
  if (!params ||
      !luaws_service_call_text(c, "clientId", luaws_tree_text(l->file, "clientId")) ||
      !luaws_service_call_secret(c, "refreshToken",
                                 luaws_tree_text(l->file, "refreshToken")) ||
      !luaws_service_call_text(c, "grantType", LUAWS_STR("refresh_token"))) {
    return luaws_error_memory(err);
  }
  const struct luaws_nested_call call = {.service = LUAWS_STR("signin"),
                                         .operation = LUAWS_STR("CreateOAuth2Token"),
                                         .region = task->context->region,
                                         .params = params,
                                         .prepare = add_proof,
                                         .prepare_arg = l};
  return luaws_service_call_start(c, task, &call, err);
}

static int take_refreshed(struct luaws_provider_task *task, struct login *l,
                          const struct luaws_tree *answer, struct luaws_credentials **out,
                          struct luaws_error *err) {
  const struct luaws_tree *t = luaws_tree_get(answer, "tokenOutput");
  const struct luaws_tree *keys = luaws_tree_get(t, "accessToken");
  const struct luaws_tree *seconds = luaws_tree_get(t, "expiresIn");
  const struct luaws_tree *old = luaws_tree_get(l->file, "accessToken");
  struct luaws_str refresh_token = luaws_tree_text(t, "refreshToken");
  struct luaws_credentials_init c = {
      .access_key = luaws_tree_text(keys, "accessKeyId"),
      .secret_key = luaws_tree_text(keys, "secretAccessKey"),
      .token = luaws_tree_text(keys, "sessionToken"),
      .account_id = luaws_tree_text(old, "accountId"),
      .method = LUAWS_STR("login"),
  };
  if (!c.access_key.len || !c.secret_key.len || !c.token.len || !refresh_token.len ||
      !seconds || seconds->kind != LUAWS_KIND_INTEGER) {
    return load_error(err,
                      "Unable to refresh access token due to an invalid service "
                      "response. Please try running 'aws login' again. If the issue "
                      "persists, there may be a temporary signin service problem.",
                      LUAWS_STR_NONE);
  }
  c.expiry_s = luaws_provider_now(task) + seconds->integer;
  save(l, &c, refresh_token);
  return make(&c, out, err);
}

/* ---- the provider ---- */

static void cancel(struct luaws_provider_task *task) {
  struct login *l = task->state;
  luaws_service_call_clear(&l->call);
  luaws_buf_wipe(&l->text);
  luaws_buf_clear(&l->path);
  luaws_arena_wipe(&l->arena);
  free(l);
}

/* FOUND when what lies there will do. */
static int begin(struct luaws_provider_task *task, struct luaws_credentials **out,
                 struct luaws_error *err) {
  const struct luaws_ini_section *profile = NULL;
  struct luaws_credentials_init init;
  int rc = luaws_provider_profile(task, &profile, err);
  if (rc) return rc;
  if (!profile || !luaws_ini_value(profile->first, "login_session")) {
    return luaws_provider_pass(task, "no login_session in profile \"%.*s\"",
                               LUAWS_STR_ARG(task->profile_name));
  }
  struct login *l = calloc(1, sizeof *l);
  if (!l) return luaws_error_memory(err);
  task->state = l;
  l->task = task;
  rc = load(task, l, luaws_ini_text(profile, "login_session"), err);
  if (rc) return rc;
  if (read_token(luaws_tree_get(l->file, "accessToken"), &init) &&
      init.expiry_s - luaws_provider_now(task) > ENOUGH_LEFT_S) {
    return make(&init, out, err);
  }
  rc = start_refresh(task, l, err);
  return rc ? rc : LUAWS_PENDING;
}

static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  int rc = task->state ? LUAWS_PENDING : begin(task, out, err);
  if (rc != LUAWS_PENDING) return rc;
  struct login *l = task->state;
  const struct luaws_tree *answer = NULL;
  rc = luaws_service_call_result(&l->call, &answer, err);
  if (rc == LUAWS_E_SERVICE &&
      luaws_str_is(luaws_tree_text(luaws_tree_get(answer, "Error"), "Code"),
                   "AccessDeniedException")) {
    return access_denied(answer, err);
  }
  return rc ? rc : take_refreshed(task, l, answer, out, err);
}

const struct luaws_provider luaws_provider_login = {"login", NULL, step, cancel, NULL};
