#include "client/session.h"

#include <stdlib.h>
#include <time.h>

#include "client/monitor.h"
#include "client/bearer.h"
#include "client/nested.h"
#include "credentials/cache.h"
#include "credentials/instance.h"
#include "credentials/sso_token.h"

static int64_t system_now_s(void *arg) {
  return (int64_t)time(NULL);
}

/* Every folder of a ':'-separated list; they need not exist. */
static int add_folders(struct luaws_session *s, struct luaws_str list,
                       struct luaws_error *err) {
  int rc = 0;
  while (list.len && rc == 0) {
    ptrdiff_t colon = luaws_str_find(list, ':');
    struct luaws_str one = colon < 0 ? list : luaws_str_sub(list, 0, (size_t)colon);
    list = luaws_str_sub(list, one.len + 1, list.len);
    if (one.len == 0) continue;
    struct luaws_buf path = {0};
    luaws_settings_expand_path(s->settings, one, true, &path);
    rc = path.failed ? luaws_error_memory(err)
                     : luaws_models_add_folder(s->models, luaws_buf_str(&path), err);
    luaws_buf_clear(&path);
  }
  return rc;
}

static int find_models(struct luaws_session *s, const struct luaws_session_options *o,
                       struct luaws_error *err) {
  struct luaws_str configured;
  s->models = luaws_models_new(o->pack);
  if (!s->models) return luaws_error_memory(err);
  int rc = luaws_settings_text(s->settings, LUAWS_SETTING_DATA_PATH, &configured, err);
  if (rc == LUAWS_E_CONFIG && o->lenient) {
    luaws_error_clear(err);
    rc = 0;
  }
  if (rc == 0) rc = add_folders(s, o->data_path, err);
  if (rc == 0) rc = add_folders(s, configured, err);
  if (rc == 0) rc = add_folders(s, LUAWS_STR("~/.aws/models"), err);
  return rc;
}

static int set_keys(struct luaws_session *s, const struct luaws_session_options *o,
                    struct luaws_error *err) {
  if (o->access_key.len || o->secret_key.len) {
    return luaws_chain_set_explicit(s->chain, o->access_key, o->secret_key,
                                    o->session_token, o->account_id, err);
  }
  if (!o->account_id.len) return 0;
  int rc = luaws_error_set(err, LUAWS_E_CREDENTIALS, "NoCredentialsError",
                           "Unable to locate credentials");
  luaws_error_add(err, ": aws_account_id needs aws_access_key_id and "
                       "aws_secret_access_key beside it");
  return rc;
}

int luaws_session_new(const struct luaws_session_options *o, struct luaws_session **out,
                      struct luaws_error *err) {
  struct luaws_session *s = calloc(1, sizeof *s);
  if (!s) return luaws_error_memory(err);
  s->references = 1;
  s->loop = o->loop;
  s->on_free = o->on_free;
  s->on_free_arg = o->on_free_arg;
  struct luaws_settings_options so = {.profile_name = o->profile_name,
                                      .getenv = o->getenv,
                                      .getenv_arg = o->getenv_arg,
                                      .home = o->home};
  int rc = luaws_settings_new(&so, &s->settings, err);
  if (rc == 0 && o->region_name.ptr &&
      !luaws_settings_override(s->settings, LUAWS_SETTING_REGION, o->region_name)) {
    rc = luaws_error_memory(err);
  }
  if (rc == 0 && o->profile_name.ptr && !o->lenient) {
    const struct luaws_ini_section *profile;
    rc = luaws_settings_profile(s->settings, &profile, err);
  }
  if (rc == 0) rc = find_models(s, o, err);
  if (rc == 0) {
    struct luaws_buf cache_folder = {0};
    luaws_settings_expand_path(s->settings, o->credential_cache, true, &cache_folder);
    s->provider_context = (struct luaws_provider_context){
        .settings = s->settings,
        .now_s = o->now_s ? o->now_s : system_now_s,
        .now_arg = o->now_arg,
        .loop = o->loop,
        .calls = &s->nested_calls,
        .cache = luaws_credential_cache_new(luaws_buf_str(&cache_folder)),
        .prompt_mfa = o->prompt_mfa,
        .prompt_arg = o->prompt_arg,
    };
    luaws_buf_clear(&cache_folder);
    luaws_nested_init(&s->nested_calls, s);
    s->chain = luaws_chain_new(&s->provider_context);
    s->token_chain =
        luaws_chain_new_single(&s->provider_context, &luaws_token_provider_sso);
    rc = s->chain && s->token_chain ? set_keys(s, o, err) : luaws_error_memory(err);
    if (rc == 0) {
      rc = luaws_chain_insert_before(s->token_chain, LUAWS_STR("sso"),
                                     &luaws_token_provider_env, err);
    }
    if (rc == 0 && o->provider) {
      struct luaws_str first = luaws_str_from(luaws_chain_provider(s->chain, 0)->name);
      rc = luaws_chain_insert_before(s->chain, first, o->provider, err);
    }
  }
  if (rc) {
    luaws_session_release(s);
    s = NULL;
  }
  *out = s;
  return rc;
}

struct luaws_session *luaws_session_acquire(struct luaws_session *s) {
  s->references++;
  return s;
}

void luaws_session_release(struct luaws_session *s) {
  if (!s || --s->references) return;
  luaws_chain_free(s->chain);
  luaws_chain_free(s->token_chain);
  luaws_chain_free(s->region_chain);
  free(s->instance_region);
  luaws_credential_cache_free(s->provider_context.cache);
  free(s->role_region);
  luaws_monitor_free(s->monitor);
  luaws_models_free(s->models);
  luaws_settings_free(s->settings);
  if (s->on_free) s->on_free(s->on_free_arg);
  free(s);
}

int luaws_session_note_region(struct luaws_session *s, struct luaws_str region,
                              struct luaws_error *err) {
  if (s->role_region_settled) return 0;
  char *noted = strndup(region.ptr ? region.ptr : "", region.len);
  if (!noted) return luaws_error_memory(err);
  free(s->role_region);
  s->role_region = noted;
  s->provider_context.region = luaws_str_from(noted);
  return 0;
}

void luaws_session_settle_region(struct luaws_session *s) {
  s->role_region_settled = true;
}

bool luaws_session_find_instance_region(struct luaws_session *s,
                                        const struct luaws_client_config *config,
                                        struct luaws_chain_waiter *waiter) {
  struct luaws_credentials *found = NULL;
  struct luaws_error err = {0};
  if (s->instance_region_known ||
      !luaws_client_config_wants_instance_region(config, s->settings)) {
    return true;
  }
  if (!s->region_chain) {
    s->region_chain =
        luaws_chain_new_single(&s->provider_context, &luaws_region_provider_instance);
  }
  if (!s->region_chain) {
    s->instance_region_known = true;
    return true;
  }
  int answer = luaws_chain_get(s->region_chain, waiter, &found, &err);
  if (answer == LUAWS_PENDING) return false;
  if (answer == LUAWS_FOUND)
    s->instance_region = strndup(found->token.ptr, found->token.len);
  luaws_credentials_release(found);
  luaws_error_clear(&err); /* a region that cannot be found out is no failure */
  s->instance_region_known = true;
  return true;
}

int luaws_session_open_monitor(struct luaws_session *s, struct luaws_error *err) {
  if (s->monitor_known) return 0;
  int rc = luaws_monitor_new(s->settings, &s->monitor, err);
  s->monitor_known = rc == 0;
  return rc;
}

int64_t luaws_session_now_s(const struct luaws_session *s) {
  return s->provider_context.now_s(s->provider_context.now_arg);
}

double luaws_session_now_exact(const struct luaws_session *s) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
