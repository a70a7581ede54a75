#include "client/bearer.h"

#include <string.h>

const char *luaws_token_variable(struct luaws_settings *s, struct luaws_str name) {
  struct luaws_buf variable = {0};
  luaws_buf_append_cstr(&variable, "AWS_BEARER_TOKEN_");
  for (size_t i = 0; i < name.len; i++) {
    char ch = name.ptr[i];
    luaws_buf_append_char(&variable, ch == '-' || ch == ' '   ? '_'
                                     : ch >= 'a' && ch <= 'z' ? (char)(ch - 'a' + 'A')
                                                              : ch);
  }
  const char *token = variable.failed ? NULL : luaws_settings_getenv(s, variable.ptr);
  luaws_buf_clear(&variable);
  return token;
}

const char *luaws_client_variable_token(const struct luaws_client *c) {
  return luaws_token_variable(c->session->settings,
                              luaws_ref_text(&c->service->signing_name));
}

static int pass(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  return LUAWS_PASS;
}

const struct luaws_provider luaws_token_provider_env = {"env", NULL, pass, NULL, NULL};

/* The place of a provider in the row; -1 when it is not there. */
static int place_of(const struct luaws_chain *c, const char *name) {
  const struct luaws_provider *p;
  for (size_t i = 0; name && (p = luaws_chain_provider(c, i)); i++) {
    if (strcmp(p->name, name) == 0) return (int)i;
  }
  return -1;
}

int luaws_client_token(struct luaws_client *c, struct luaws_chain_waiter *waiter,
                       struct luaws_credentials **out, struct luaws_error *err) {
  struct luaws_chain *row = c->session->token_chain;
  int place = place_of(row, luaws_token_provider_env.name), answer = LUAWS_PASS;
  const char *token = place >= 0 ? luaws_client_variable_token(c) : NULL;
  if (!token || place > 0) answer = luaws_chain_get(row, waiter, out, err);
  /* What comes after the environment's has no say. */
  if (token && answer != LUAWS_PENDING &&
      place_of(row, luaws_chain_last_asked(row)) > place) {
    if (answer == LUAWS_FOUND) luaws_credentials_release(*out);
    if (answer < 0 && err) luaws_error_clear(err);
    *out = NULL;
    answer = LUAWS_PASS;
  }
  if (answer == LUAWS_PASS && token) {
    /* Not "env", which is the method of keys in variables. */
    const struct luaws_credentials_init init = {.token = luaws_str_from(token),
                                                .method = LUAWS_STR("bearer-env")};
    *out = luaws_credentials_new(&init);
    if (*out) (*out)->features = luaws_feature_bit(LUAWS_FEATURE_BEARER_ENV);
    return *out ? LUAWS_FOUND : luaws_error_memory(err);
  }
  if (answer != LUAWS_PASS) return answer;
  return luaws_error_set(err, LUAWS_E_CREDENTIALS, "NoAuthTokenError",
                         "Unable to locate authorization token");
}
