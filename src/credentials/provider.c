#include "credentials/provider.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int64_t luaws_provider_now(const struct luaws_provider_task *task) {
  const struct luaws_provider_context *c = task->context;
  return c->now_s ? c->now_s(c->now_arg) : (int64_t)time(NULL);
}

int luaws_provider_profile(const struct luaws_provider_task *task,
                           const struct luaws_ini_section **out,
                           struct luaws_error *err) {
  const struct luaws_profiles *files = NULL;
  int rc = luaws_settings_profiles(task->context->settings, &files, err);
  *out = rc == 0 ? luaws_ini_section(files->profiles, task->profile_name) : NULL;
  return rc;
}

/* The text of a key, into *out; none when there is no such key. */
static int key_text(const struct luaws_ini_section *section, const char *key,
                    struct luaws_str *out, struct luaws_error *err) {
  const struct luaws_ini_value *v = luaws_ini_value(section->first, key);
  *out = v ? v->text : LUAWS_STR_NONE;
  if (!v || !v->is_block) return 0;
  return luaws_error_set(err, LUAWS_E_CONFIG, "InvalidConfigError",
                         "%s is a block, not a single value (%.*s:%u)", key,
                         LUAWS_STR_ARG(v->path), v->line);
}

/* The pair of keys of a section: FOUND, PASS or an error. */
static int key_pair(const struct luaws_provider_task *task,
                    const struct luaws_ini_section *section,
                    struct luaws_credentials_init *c, struct luaws_error *err) {
  int rc = key_text(section, "aws_access_key_id", &c->access_key, err);
  if (rc) return rc;
  if (!c->access_key.ptr) {
    return luaws_provider_pass(task, "no aws_access_key_id in [%.*s] of %.*s",
                               LUAWS_STR_ARG(section->name),
                               LUAWS_STR_ARG(section->path));
  }
  const struct luaws_ini_value *at = luaws_ini_value(section->first, "aws_access_key_id");
  luaws_provider_note(task, "%.*s:%u", LUAWS_STR_ARG(at->path), at->line);
  rc = key_text(section, "aws_secret_access_key", &c->secret_key, err);
  if (rc == 0 && !c->secret_key.ptr) {
    rc = luaws_partial_credentials(task->provider->name, "aws_secret_access_key", err);
    luaws_error_add(err, ", beside aws_access_key_id in %.*s:%u", LUAWS_STR_ARG(at->path),
                    at->line);
  }
  return rc ? rc : LUAWS_FOUND;
}

int luaws_provider_key_pair(const struct luaws_provider_task *task,
                            const struct luaws_ini_section *section,
                            struct luaws_credentials **out, struct luaws_error *err) {
  struct luaws_credentials_init c = {.method = luaws_str_from(task->provider->name)};
  int rc = key_pair(task, section, &c, err);
  if (rc != LUAWS_FOUND) return rc;
  *out = luaws_credentials_new(&c);
  return *out ? LUAWS_FOUND : luaws_error_memory(err);
}

int luaws_provider_static_keys(const struct luaws_provider_task *task,
                               const struct luaws_ini_section *section,
                               struct luaws_credentials **out, struct luaws_error *err) {
  struct luaws_credentials_init c = {.method = luaws_str_from(task->provider->name)};
  struct luaws_str token = {0};
  int rc = key_pair(task, section, &c, err);
  if (rc != LUAWS_FOUND) return rc;
  rc = key_text(section, "aws_security_token", &token, err);
  if (rc == 0 && !token.ptr) rc = key_text(section, "aws_session_token", &token, err);
  if (rc == 0) rc = key_text(section, "aws_account_id", &c.account_id, err);
  if (rc) return rc;
  if (token.len) c.token = token;
  *out = luaws_credentials_new(&c);
  return *out ? LUAWS_FOUND : luaws_error_memory(err);
}

static void note(const struct luaws_provider_task *task, const char *fmt, va_list args) {
  char *text = NULL;
  if (!task->notes || vasprintf(&text, fmt, args) < 0) return;
  luaws_buf_reset(task->notes);
  luaws_buf_append_cstr(task->notes, text);
  free(text);
}

void luaws_provider_note(const struct luaws_provider_task *task, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  note(task, fmt, args);
  va_end(args);
}

int luaws_provider_pass(const struct luaws_provider_task *task, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  note(task, fmt, args);
  va_end(args);
  return LUAWS_PASS;
}

int luaws_provider_failed(const struct luaws_provider_task *task, struct luaws_error *err,
                          const char *fmt, ...) {
  char *text = NULL;
  va_list args;
  va_start(args, fmt);
  int n = vasprintf(&text, fmt, args);
  va_end(args);
  if (n < 0) return luaws_error_memory(err);
  luaws_error_set(err, LUAWS_E_CREDENTIALS, "CredentialRetrievalError",
                  "Error when retrieving credentials from %s: %s", task->provider->name,
                  text);
  free(text);
  return LUAWS_E_CREDENTIALS;
}
