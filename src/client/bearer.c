#include "client/bearer.h"

const char *luaws_client_variable_token(const struct luaws_client *c) {
  struct luaws_str name = luaws_ref_text(&c->service->signing_name);
  struct luaws_buf variable = {0};
  luaws_buf_append_cstr(&variable, "AWS_BEARER_TOKEN_");
  for (size_t i = 0; i < name.len; i++) {
    char ch = name.ptr[i];
    luaws_buf_append_char(&variable, ch == '-' || ch == ' '   ? '_'
                                     : ch >= 'a' && ch <= 'z' ? (char)(ch - 'a' + 'A')
                                                              : ch);
  }
  const char *token =
      variable.failed ? NULL : luaws_settings_getenv(c->session->settings, variable.ptr);
  luaws_buf_clear(&variable);
  return token;
}

int luaws_client_token(struct luaws_client *c, struct luaws_chain_waiter *waiter,
                       struct luaws_credentials **out, struct luaws_error *err) {
  const char *token = luaws_client_variable_token(c);
  if (token) {
    const struct luaws_credentials_init init = {.token = luaws_str_from(token),
                                                .method = LUAWS_STR("bearer-env")};
    *out = luaws_credentials_new(&init);
    if (*out) (*out)->features = luaws_feature_bit(LUAWS_FEATURE_BEARER_ENV);
    return *out ? LUAWS_FOUND : luaws_error_memory(err);
  }
  int answer = luaws_chain_get(c->session->token_chain, waiter, out, err);
  if (answer != LUAWS_PASS) return answer;
  return luaws_error_set(err, LUAWS_E_CREDENTIALS, "NoAuthTokenError",
                         "Unable to locate authorization token");
}
