/* One block of memory holds the struct and its texts, so that one wipe gets it all. */
#include "credentials/credentials.h"

#include <stdlib.h>

static struct luaws_str put_text(char **at, struct luaws_str s) {
  if (!s.ptr) return LUAWS_STR_NONE;
  char *to = *at;
  if (s.len) memcpy(to, s.ptr, s.len);
  *at += s.len + 1; /* the block is zeroed */
  return (struct luaws_str){to, s.len};
}

static bool has_line_end(struct luaws_str s) {
  return luaws_str_find(s, '\n') >= 0 || luaws_str_find(s, '\r') >= 0 ||
         luaws_str_find(s, 0) >= 0;
}

struct luaws_credentials *
luaws_credentials_new(const struct luaws_credentials_init *init) {
  size_t size = sizeof(struct luaws_credentials) + init->access_key.len +
                init->secret_key.len + init->token.len + init->account_id.len +
                init->method.len + 5;
  struct luaws_credentials *c = calloc(1, size);
  if (!c) return NULL;
  char *at = (char *)(c + 1);
  c->references = 1;
  c->access_key = put_text(&at, init->access_key);
  c->secret_key = put_text(&at, init->secret_key);
  c->token = put_text(&at, init->token);
  c->account_id = put_text(&at, init->account_id);
  c->method = put_text(&at, init->method);
  c->expiry_s = init->expiry_s;
  c->size_bytes = size;
  c->breaks = has_line_end(c->access_key) ? "access key"
              : has_line_end(c->token)    ? "session token"
                                          : NULL;
  return c;
}

struct luaws_credentials *luaws_credentials_acquire(struct luaws_credentials *c) {
  c->references++;
  return c;
}

void luaws_credentials_release(struct luaws_credentials *c) {
  if (!c || --c->references > 0) return;
  luaws_wipe(c, c->size_bytes);
  free(c);
}

uint64_t luaws_credentials_features(const struct luaws_credentials *c) {
  static const struct {
    const char *method;
    enum luaws_feature first, second; /* LUAWS_FEATURES = none */
  } known[] = {
      {"explicit", LUAWS_FEATURE_KEYS_CODE, LUAWS_FEATURES},
      {"env", LUAWS_FEATURE_KEYS_ENV, LUAWS_FEATURES},
      {"assume-role", LUAWS_FEATURE_KEYS_ROLE, LUAWS_FEATURES},
      {"assume-role-with-web-identity", LUAWS_FEATURE_KEYS_WEB_IDENTITY, LUAWS_FEATURES},
      {"shared-credentials-file", LUAWS_FEATURE_KEYS_PROFILE, LUAWS_FEATURES},
      {"config-file", LUAWS_FEATURE_KEYS_PROFILE, LUAWS_FEATURES},
      {"custom-process", LUAWS_FEATURE_KEYS_PROFILE_PROCESS, LUAWS_FEATURE_KEYS_PROCESS},
      {"login", LUAWS_FEATURE_KEYS_PROFILE_LOGIN, LUAWS_FEATURE_KEYS_LOGIN},
      {"boto-config", LUAWS_FEATURE_KEYS_BOTO_CONFIG, LUAWS_FEATURES},
      {"container-role", LUAWS_FEATURE_KEYS_HTTP, LUAWS_FEATURES},
      {"iam-role", LUAWS_FEATURE_KEYS_INSTANCE, LUAWS_FEATURES},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (!luaws_str_is(c->method, known[i].method)) continue;
    uint64_t features = c->features | luaws_feature_bit(known[i].first);
    if (known[i].second != LUAWS_FEATURES) features |= luaws_feature_bit(known[i].second);
    return features;
  }
  return c->features;
}

/* ADVICE: lua/luaws/errors.lua has the same words. */
int luaws_no_credentials(struct luaws_error *err) {
  int rc = luaws_error_set(err, LUAWS_E_CREDENTIALS, "NoCredentialsError",
                           "Unable to locate credentials");
  luaws_error_add(err, "; luaws --explain, or session:explain(), tells where they were "
                       "looked for");
  return rc;
}

int luaws_partial_credentials(const char *provider, const char *missing,
                              struct luaws_error *err) {
  return luaws_error_set(err, LUAWS_E_CREDENTIALS, "PartialCredentialsError",
                         "Partial credentials found in %s, missing: %s", provider,
                         missing);
}

int luaws_credentials_check(const struct luaws_credentials *c, struct luaws_error *err) {
  if (!c->breaks) return 0;
  return luaws_error_set(err, LUAWS_E_CREDENTIALS, "ValueError",
                         "the %s from %.*s has a line break in it", c->breaks,
                         LUAWS_STR_ARG(c->method));
}
