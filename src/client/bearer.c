#include "client/bearer.h"

/* ---- when ---- */

/* The name of an auth trait without what stands before "#". */
static struct luaws_str bare(struct luaws_str trait) {
  ptrdiff_t hash = luaws_str_find(trait, '#');
  return hash < 0 ? trait : luaws_str_sub(trait, (size_t)hash + 1, trait.len);
}

struct auth_list {
  const luaws_ref *names;
  uint32_t count;
};

static struct auth_list read_list(const luaws_ref *ref) {
  const uint32_t *n = luaws_ref_get(ref);
  return n ? (struct auth_list){(const luaws_ref *)(n + 1), *n} : (struct auth_list){0};
}

static bool lists(struct auth_list list, struct luaws_str name) {
  for (uint32_t i = 0; i < list.count; i++) {
    if (luaws_str_eq(bare(luaws_ref_text(&list.names[i])), name)) return true;
  }
  return false;
}

/* Can such requests be made here at all? */
static bool is_known(struct luaws_str scheme) {
  return luaws_str_is(scheme, "httpBearerAuth") || luaws_str_is(scheme, "sigv4") ||
         luaws_str_is(scheme, "sigv4a") || luaws_str_is(scheme, "noAuth");
}

/* The first of the preferred ones that is listed, else the first that is listed. */
static struct luaws_str choose(struct auth_list list, struct luaws_str preferred) {
  while (preferred.len) {
    ptrdiff_t comma = luaws_str_find(preferred, ',');
    struct luaws_str one =
        luaws_str_sub(preferred, 0, comma < 0 ? preferred.len : (size_t)comma);
    preferred = luaws_str_sub(preferred, one.len + 1, preferred.len);
    if (is_known(one) && lists(list, one)) return one;
  }
  for (uint32_t i = 0; i < list.count; i++) {
    struct luaws_str one = bare(luaws_ref_text(&list.names[i]));
    if (is_known(one)) return one;
  }
  return LUAWS_STR_NONE;
}

static const char *variable_token(const struct luaws_client *c) {
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

bool luaws_call_uses_bearer(const struct luaws_call *call) {
  const struct luaws_client *c = call->client;
  const struct luaws_client_config *g = c->config;
  const struct luaws_operation_extra *x = luaws_ref_get(&call->operation->extra);
  if (call->signature_version.ptr) return luaws_str_is(call->signature_version, "bearer");
  struct auth_list own = x ? read_list(&x->auth) : (struct auth_list){0};
  if (own.count) {
    return luaws_str_is(choose(own, g->auth_scheme_preference), "httpBearerAuth");
  }
  struct auth_list list = read_list(&c->service->auth);
  bool bearer = luaws_str_is(g->signature_version, "bearer");
  if (!g->signature_version_in_code) {
    bearer = list.count
                 ? luaws_str_is(choose(list, g->auth_scheme_preference), "httpBearerAuth")
                 : luaws_str_is(luaws_ref_text(&c->service->signature_version), "bearer");
  }
  if (!bearer && !g->signature_version_in_code && !g->auth_scheme_preference_in_code &&
      luaws_str_is(luaws_ref_text(&c->service->signing_name), "bedrock") &&
      lists(list, LUAWS_STR("httpBearerAuth"))) {
    return variable_token(c) != NULL;
  }
  return bearer;
}

/* ---- where from ---- */

int luaws_client_token(struct luaws_client *c, struct luaws_chain_waiter *waiter,
                       struct luaws_credentials **out, struct luaws_error *err) {
  const char *token = variable_token(c);
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
