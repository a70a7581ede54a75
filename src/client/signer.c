#include "client/signer.h"

#include <stdio.h>

#include "client/bearer.h"
#include "client/call.h"
#include "endpoint/regions.h"
#include "model/rules.h"

/* ---- versions ---- */

static const struct luaws_signer versions[] = {
    {LUAWS_SIGNER_NONE, .version = LUAWS_STR("none")},
    {LUAWS_SIGNER_NONE, .version = LUAWS_STR("unsigned")},
    {LUAWS_SIGNER_BEARER, .version = LUAWS_STR("bearer")},
    {LUAWS_SIGNER_V2, .version = LUAWS_STR("v2")},
    {LUAWS_SIGNER_V3, .version = LUAWS_STR("v3")},
    {LUAWS_SIGNER_V3, .version = LUAWS_STR("v3https")},
    {LUAWS_SIGNER_S3_V2, .version = LUAWS_STR("s3")},
    {LUAWS_SIGNER_S3_V2, .in_query = true, .version = LUAWS_STR("s3-query")},
    {LUAWS_SIGNER_S3_V2, .as_form = true, .version = LUAWS_STR("s3-presign-post")},
    {LUAWS_SIGNER_V4, .version = LUAWS_STR("v4")},
    {LUAWS_SIGNER_V4, .in_query = true, .version = LUAWS_STR("v4-query")},
    {LUAWS_SIGNER_V4, .as_s3 = true, .version = LUAWS_STR("s3v4")},
    {LUAWS_SIGNER_V4, .as_s3 = true, .in_query = true,
     .version = LUAWS_STR("s3v4-query")},
    {LUAWS_SIGNER_V4, .as_s3 = true, .as_form = true,
     .version = LUAWS_STR("s3v4-presign-post")},
    {LUAWS_SIGNER_V4A, .version = LUAWS_STR("v4a")},
    {LUAWS_SIGNER_V4A, .in_query = true, .version = LUAWS_STR("v4a-query")},
    {LUAWS_SIGNER_V4A, .as_s3 = true, .version = LUAWS_STR("s3v4a")},
    {LUAWS_SIGNER_V4A, .as_s3 = true, .in_query = true,
     .version = LUAWS_STR("s3v4a-query")},
    {LUAWS_SIGNER_V4, .as_s3 = true, .s3express = true,
     .version = LUAWS_STR("v4-s3express")},
    {LUAWS_SIGNER_V4, .as_s3 = true, .s3express = true, .in_query = true,
     .version = LUAWS_STR("v4-s3express-query")},
    {LUAWS_SIGNER_V4, .as_s3 = true, .s3express = true, .as_form = true,
     .version = LUAWS_STR("v4-s3express-presign-post")},
};

static const struct luaws_signer *find_version(struct luaws_str name) {
  for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
    if (luaws_str_eq(versions[i].version, name)) return &versions[i];
  }
  return NULL;
}

/* The version of a scheme's name, as models ("aws.auth#sigv4"), preferences and endpoint
   rules write it; none for one that is not known here. */
static struct luaws_str version_of(struct luaws_str scheme) {
  static const struct {
    const char *scheme;
    struct luaws_str version;
  } schemes[] = {
      {"sigv4", LUAWS_STR("v4")},
      {"sigv4a", LUAWS_STR("v4a")},
      {"sigv4-s3express", LUAWS_STR("v4-s3express")},
      {"httpBearerAuth", LUAWS_STR("bearer")},
      {"bearer", LUAWS_STR("bearer")},
      {"noAuth", LUAWS_STR("none")},
  };
  ptrdiff_t hash = luaws_str_find(scheme, '#');
  if (hash >= 0) scheme = luaws_str_sub(scheme, (size_t)hash + 1, scheme.len);
  for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
    if (luaws_str_is(scheme, schemes[i].scheme)) return schemes[i].version;
  }
  return LUAWS_STR_NONE;
}

/* ---- lists of schemes ---- */

struct auth_list {
  const luaws_ref *names;
  uint32_t count;
};

static struct auth_list read_list(const luaws_ref *ref) {
  const uint32_t *n = luaws_ref_get(ref);
  return n ? (struct auth_list){(const luaws_ref *)(n + 1), *n} : (struct auth_list){0};
}

static struct auth_list operation_list(const struct luaws_call *call) {
  const struct luaws_operation_extra *x = luaws_ref_get(&call->operation->extra);
  return x ? read_list(&x->auth) : (struct auth_list){0};
}

static bool lists(struct auth_list list, struct luaws_str version) {
  for (uint32_t i = 0; i < list.count; i++) {
    if (luaws_str_eq(version_of(luaws_ref_text(&list.names[i])), version)) return true;
  }
  return false;
}

/* The next version of a preference "sigv4a,sigv4" that is known here; none at its end. */
static struct luaws_str next_preferred(struct luaws_str *rest) {
  struct luaws_str version = LUAWS_STR_NONE;
  while (rest->len && !version.len) {
    ptrdiff_t comma = luaws_str_find(*rest, ',');
    struct luaws_str one = luaws_str_sub(*rest, 0, comma < 0 ? rest->len : (size_t)comma);
    *rest = luaws_str_sub(*rest, one.len + 1, rest->len);
    version = version_of(one);
  }
  return version;
}

/* The first of the preferred ones that is listed, else the first that is listed. */
static struct luaws_str choose_from(struct auth_list list, struct luaws_str preferred) {
  struct luaws_str version;
  while ((version = next_preferred(&preferred)).len) {
    if (lists(list, version)) return version;
  }
  for (uint32_t i = 0; i < list.count && !version.len; i++)
    version = version_of(luaws_ref_text(&list.names[i]));
  return version;
}

/* ---- of a client ---- */

/* [profile dev]
   s3 =
     signature_version = s3v4 */
static int profile_version(const struct luaws_client *c, struct luaws_str *out,
                           struct luaws_error *err) {
  const struct luaws_ini_section *profile;
  struct luaws_str prefix = luaws_ref_text(&c->service->endpoint_prefix);
  int rc = luaws_settings_profile(c->session->settings, &profile, err);
  if (rc || !profile) return rc;
  for (const struct luaws_ini_value *v = profile->first; v; v = v->next) {
    if (!v->is_block || !luaws_str_eq(v->key, prefix)) continue;
    const struct luaws_ini_value *version =
        luaws_ini_value(v->first, "signature_version");
    if (version && !version->is_block) *out = version->text;
  }
  return 0;
}

int luaws_client_choose_signature(struct luaws_client *c, struct luaws_error *err) {
  struct luaws_client_config *g = c->config;
  struct luaws_str version = LUAWS_STR_NONE;
  if (g->signature_version.len) return 0;
  int rc = profile_version(c, &version, err);
  if (rc) return rc;
  g->signature_version_configured = version.len > 0;
  struct auth_list list = read_list(&c->service->auth);
  struct luaws_str prefix = luaws_ref_text(&c->service->endpoint_prefix);
  if (!version.len && (luaws_str_is(prefix, "s3") || luaws_str_is(prefix, "s3-control")))
    version = LUAWS_STR("s3v4");
  if (!version.len) version = choose_from(list, LUAWS_STR_NONE);
  if (!version.len) version = luaws_ref_text(&c->service->signature_version);
  if (!version.len) version = LUAWS_STR("v4");
  g->signature_version = luaws_arena_str(&g->arena, version);
  return g->signature_version.ptr ? 0 : luaws_error_memory(err);
}

/* ---- of a call ---- */

struct choice {
  struct luaws_str version;
  const struct luaws_auth_scheme *scheme; /* of the endpoint, when it was chosen */
};

/* What the model says of this operation alone. */
static struct luaws_str operation_version(const struct luaws_call *call) {
  struct auth_list list = operation_list(call);
  if (call->operation->flags & LUAWS_OP_AUTH_NONE) return LUAWS_STR("none");
  if (list.count) return choose_from(list, call->client->config->auth_scheme_preference);
  return call->operation->flags & LUAWS_OP_UNSIGNED_PAYLOAD ? LUAWS_STR("v4")
                                                            : LUAWS_STR_NONE;
}

/* "s3v4-query" asks for what the rules call "sigv4". */
static bool asks_for(struct luaws_str requested, struct luaws_str scheme) {
  ptrdiff_t dash = luaws_str_find(requested, '-');
  if (dash >= 0) requested.len = (size_t)dash;
  if (requested.len > 2 && luaws_str_starts(requested, LUAWS_STR("s3")))
    requested = luaws_str_sub(requested, 2, requested.len);
  if (luaws_str_starts(scheme, LUAWS_STR("sig")))
    scheme = luaws_str_sub(scheme, 3, scheme.len);
  return luaws_str_eq(requested, scheme);
}

static const struct luaws_auth_scheme *scheme_of(const struct luaws_endpoint *e,
                                                 struct luaws_str version) {
  for (size_t i = 0; i < e->auth_scheme_count; i++) {
    if (luaws_str_eq(version_of(e->auth_schemes[i].name), version))
      return &e->auth_schemes[i];
  }
  return NULL;
}

static int no_scheme(const struct luaws_endpoint *e, struct luaws_error *err) {
  struct luaws_buf names = {0};
  for (size_t i = 0; i < e->auth_scheme_count; i++) {
    if (i) luaws_buf_append_cstr(&names, ", ");
    luaws_buf_append_str(&names, e->auth_schemes[i].name);
  }
  int rc = luaws_error_set(err, LUAWS_E_CREDENTIALS, "UnknownSignatureVersionError",
                           "Unknown Signature Version: %.*s.",
                           LUAWS_STR_ARG(luaws_buf_str(&names)));
  luaws_buf_clear(&names);
  return rc;
}

/* A version from before 4 in the profile is meant, too: no rules name one, so that it
   would never count. (botocore does not listen to it.) */
static bool is_requested(const struct luaws_client_config *g) {
  if (g->signature_version_in_code) return true;
  const struct luaws_signer *s = find_version(g->signature_version);
  return g->signature_version_configured && s && s->kind > LUAWS_SIGNER_BEARER &&
         s->kind < LUAWS_SIGNER_V4;
}

/* What the rules say of the endpoint goes over the operation's own: what the script asked
   for if they name it; nothing if they do not, so that the client's own is left; else
   what is preferred, else their first. */
static int ask_endpoint(const struct luaws_call *call, struct choice *out,
                        struct luaws_error *err) {
  const struct luaws_client_config *g = call->client->config;
  const struct luaws_endpoint *e = call->endpoint;
  if (!e || !e->auth_scheme_count) return 0;
  *out = (struct choice){0};
  if (is_requested(g)) {
    for (size_t i = 0; i < e->auth_scheme_count && !out->scheme; i++) {
      if (asks_for(g->signature_version, e->auth_schemes[i].name))
        out->scheme = &e->auth_schemes[i];
    }
    if (out->scheme) out->version = g->signature_version;
    return 0;
  }
  struct luaws_str preferred = g->auth_scheme_preference, version;
  while (!out->scheme && (version = next_preferred(&preferred)).len)
    out->scheme = scheme_of(e, version);
  for (size_t i = 0; i < e->auth_scheme_count && !out->scheme; i++) {
    if (version_of(e->auth_schemes[i].name).len) out->scheme = &e->auth_schemes[i];
  }
  if (!out->scheme) return no_scheme(e, err);
  out->version = version_of(out->scheme->name);
  return 0;
}

/* A token in the environment is taken for a wish to use it. */
static bool has_token_to_prefer(const struct luaws_client *c) {
  return !c->config->signature_version_in_code &&
         !c->config->auth_scheme_preference_in_code &&
         luaws_str_is(luaws_ref_text(&c->service->signing_name), "bedrock") &&
         lists(read_list(&c->service->auth), LUAWS_STR("bearer")) &&
         luaws_client_variable_token(c);
}

/* Where neither operation nor endpoint say anything. No URL carries a token. */
static struct luaws_str client_version(const struct luaws_call *call) {
  const struct luaws_client *c = call->client;
  const struct luaws_client_config *g = c->config;
  struct auth_list list = read_list(&c->service->auth);
  struct luaws_str version = g->signature_version;
  if (call->presign) return version;
  if (!g->signature_version_in_code && g->auth_scheme_preference.len && list.count)
    version = choose_from(list, g->auth_scheme_preference);
  return has_token_to_prefer(c) ? LUAWS_STR("bearer") : version;
}

/* S3 and its kin have their own form of Version 4, whatever it is called elsewhere. */
static struct luaws_str for_s3(struct luaws_str version, struct luaws_str name) {
  if (!luaws_str_is(name, "s3") && !luaws_str_is(name, "s3-outposts") &&
      !luaws_str_is(name, "s3-object-lambda") && !luaws_str_is(name, "s3express"))
    return version;
  if (luaws_str_is(version, "v4")) return LUAWS_STR("s3v4");
  if (luaws_str_is(version, "v4-query")) return LUAWS_STR("s3v4-query");
  if (luaws_str_is(version, "v4a")) return LUAWS_STR("s3v4a");
  return version;
}

/* The version in the form that is wanted: of a URL, of a form that uploads. */
static int find_form(const struct luaws_call *call, struct luaws_str version,
                     const struct luaws_signer **out, struct luaws_error *err) {
  static const char *const suffixes[] = {
      [LUAWS_PRESIGN_NOTHING] = "",
      [LUAWS_PRESIGN_URL] = "-query",
      [LUAWS_PRESIGN_POST] = "-presign-post",
  };
  const char *suffix = suffixes[call->presign];
  char name[64];
  *out = find_version(version);
  if (*out && (*out)->kind == LUAWS_SIGNER_NONE) return 0;
  if (luaws_str_ends(version, luaws_str_from(suffix))) suffix = "";
  snprintf(name, sizeof name, "%.*s%s", LUAWS_STR_ARG(version), suffix);
  *out = find_version(luaws_str_from(name));
  if (call->presign ? !*out : *out && (*out)->as_form) {
    return luaws_error_set(err, LUAWS_E_CREDENTIALS, "UnsupportedSignatureVersionError",
                           "Signature version(s) are not supported: %.*s%s",
                           LUAWS_STR_ARG(version), suffix);
  }
  if (*out) return 0;
  return luaws_error_set(err, LUAWS_E_CREDENTIALS, "UnknownSignatureVersionError",
                         "Unknown Signature Version: %.*s.", LUAWS_STR_ARG(version));
}

static struct luaws_str region_of(const struct luaws_call *call,
                                  const struct luaws_auth_scheme *scheme,
                                  enum luaws_signer_kind kind) {
  const struct luaws_client *c = call->client;
  struct luaws_str region =
      scheme && scheme->signing_region.len ? scheme->signing_region : LUAWS_STR_NONE;
  if (kind != LUAWS_SIGNER_V4A) return region.len ? region : c->signing_region;
  if (c->config->sigv4a_signing_region_set.len)
    return c->config->sigv4a_signing_region_set;
  if (region.len) return region;
  return scheme && scheme->signing_region_set.len ? scheme->signing_region_set
                                                  : LUAWS_STR("*");
}

int luaws_call_choose_signer(struct luaws_call *call, struct luaws_error *err) {
  const struct luaws_client *c = call->client;
  struct choice choice = {operation_version(call), NULL};
  const struct luaws_signer *found = NULL;
  int rc = 0;
  if (c->unsigned_requests)
    choice.version = LUAWS_STR("none");
  else if (!luaws_str_is(choice.version, "none"))
    rc = ask_endpoint(call, &choice, err);
  struct luaws_str name = choice.scheme && choice.scheme->signing_name.len
                              ? choice.scheme->signing_name
                              : luaws_ref_text(&c->service->signing_name);
  /* Of the client's own version it is known that it fits. */
  struct luaws_str version =
      choice.version.len ? for_s3(choice.version, name) : client_version(call);
  if (call->signature_version.ptr) version = call->signature_version;
  struct luaws_signer *s = &call->signer;
  *s = (struct luaws_signer){
      .version = version, .name = name, .region = c->signing_region};
  if (rc == 0) rc = find_form(call, version, &found, err);
  if (rc) return rc;
  *s = *found;
  s->name = name;
  s->region = region_of(call, choice.scheme, s->kind);
  s->single_encode = choice.scheme && choice.scheme->disable_double_encoding;
  s->unsigned_body = !call->presign && call->operation->flags & LUAWS_OP_UNSIGNED_PAYLOAD;
  if (s->region.len || s->kind < LUAWS_SIGNER_V4) return 0;
  return luaws_no_region(LUAWS_E_CONFIG, err);
}
