/* From what a caller has set to what a client works with: a row of steps, each for a few
   options. What was set in code stays; the rest comes from the settings, then from the
   defaults mode, then from fixed defaults. */
#include <limits.h>
#include <stddef.h>

#include "base/log.h"
#include "settings/client_config.h"
#include "settings/client_config_checks.h"
#include "settings/region.h"

enum {
  DEFAULT_TIMEOUT_MS = 60000,
  DEFAULT_POOL_CONNECTIONS = 10,
  MAX_MODE_BYTES = 16,
};

struct resolving {
  struct luaws_client_config *c;
  const struct luaws_client_config_context *context;
  struct luaws_settings *settings;
  struct luaws_error *err;
  const char *mode; /* of defaults: "standard", ...; NULL for legacy */
};

/* ---- filling in ---- */

static int keep(struct resolving *g, struct luaws_str text, struct luaws_str *out) {
  *out = text.ptr ? luaws_arena_str(&g->c->arena, text) : LUAWS_STR_NONE;
  return !text.ptr || out->ptr ? 0 : luaws_error_memory(g->err);
}

static int fill_text(struct resolving *g, struct luaws_str *at,
                     enum luaws_setting_id id) {
  struct luaws_str text;
  if (at->ptr) return 0;
  int rc = luaws_settings_text(g->settings, id, &text, g->err);
  return rc ? rc : keep(g, text, at);
}

static int fill_choice(struct resolving *g, enum luaws_choice *at,
                       enum luaws_setting_id id) {
  if (*at) return 0;
  return luaws_settings_choice(g->settings, id, at, g->err);
}

/* Returns rc, an error about text, having added where that stands, if code has not said
   it. */
static int blame(struct resolving *g, int rc, enum luaws_setting_id id,
                 struct luaws_str text) {
  struct luaws_setting v = {0};
  if (rc && luaws_settings_get(g->settings, id, &v, NULL) == 0 &&
      luaws_str_eq(v.text, text)) {
    luaws_setting_add_source(&v, g->err);
  }
  return rc;
}

/* The setting that a table of options is filled from. */
struct fill {
  size_t offset;
  enum luaws_setting_id id;
};
#define AT(member) offsetof(struct luaws_client_config, member)

static const struct fill texts[] = {
    {AT(user_agent_appid), LUAWS_SETTING_USER_AGENT_APPID},
    {AT(sigv4a_signing_region_set), LUAWS_SETTING_SIGV4A_SIGNING_REGION_SET},
    {AT(request_checksum_calculation), LUAWS_SETTING_REQUEST_CHECKSUM_CALCULATION},
    {AT(response_checksum_validation), LUAWS_SETTING_RESPONSE_CHECKSUM_VALIDATION},
    {AT(account_id_endpoint_mode), LUAWS_SETTING_ACCOUNT_ID_ENDPOINT_MODE},
    {AT(endpoint_discovery_enabled), LUAWS_SETTING_ENDPOINT_DISCOVERY_ENABLED},
    {AT(sts_regional_endpoints), LUAWS_SETTING_STS_REGIONAL_ENDPOINTS},
    {AT(s3.addressing_style), LUAWS_SETTING_S3_ADDRESSING_STYLE},
    {AT(s3.us_east_1_regional_endpoint), LUAWS_SETTING_S3_US_EAST_1_REGIONAL_ENDPOINT},
    {AT(proxies_config.proxy_ca_bundle), LUAWS_SETTING_PROXY_CA_BUNDLE},
    {AT(proxies_config.proxy_client_cert), LUAWS_SETTING_PROXY_CLIENT_CERT},
};

static const struct fill choices[] = {
    {AT(parameter_validation), LUAWS_SETTING_PARAMETER_VALIDATION},
    {AT(use_dualstack_endpoint), LUAWS_SETTING_USE_DUALSTACK_ENDPOINT},
    {AT(use_fips_endpoint), LUAWS_SETTING_USE_FIPS_ENDPOINT},
    {AT(ignore_configured_endpoint_urls), LUAWS_SETTING_IGNORE_CONFIGURED_ENDPOINT_URLS},
    {AT(tcp_keepalive), LUAWS_SETTING_TCP_KEEPALIVE},
    {AT(disable_request_compression), LUAWS_SETTING_DISABLE_REQUEST_COMPRESSION},
    {AT(s3.use_accelerate_endpoint), LUAWS_SETTING_S3_USE_ACCELERATE_ENDPOINT},
    {AT(s3.use_dualstack_endpoint), LUAWS_SETTING_S3_USE_DUALSTACK_ENDPOINT},
    {AT(s3.payload_signing_enabled), LUAWS_SETTING_S3_PAYLOAD_SIGNING_ENABLED},
    {AT(s3.use_arn_region), LUAWS_SETTING_S3_USE_ARN_REGION},
    {AT(s3.s3_disable_multiregion_access_points),
     LUAWS_SETTING_S3_DISABLE_MULTIREGION_ACCESS_POINTS},
    {AT(proxies_config.proxy_use_forwarding_for_https),
     LUAWS_SETTING_PROXY_USE_FORWARDING_FOR_HTTPS},
};

static int fill_plain(struct resolving *g) {
  char *base = (char *)g->c;
  int rc = 0;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0] && rc == 0; i++)
    rc = fill_text(g, (struct luaws_str *)(base + texts[i].offset), texts[i].id);
  for (size_t i = 0; i < sizeof choices / sizeof choices[0] && rc == 0; i++)
    rc = fill_choice(g, (enum luaws_choice *)(base + choices[i].offset), choices[i].id);
  return rc;
}

/* ---- steps ---- */

static int resolve_region(struct resolving *g) {
  struct luaws_client_config *c = g->c;
  struct luaws_buf plain = {0};
  int rc = 0;
  if (g->context->region.ptr) {
    rc = keep(g, g->context->region, &c->region_name);
  } else {
    rc = fill_text(g, &c->region_name, LUAWS_SETTING_REGION);
  }
  if (rc == 0) {
    rc = luaws_region_check(c->region_name, g->err);
    blame(g, rc, LUAWS_SETTING_REGION, c->region_name);
  }
  c->asked_region = c->region_name;
  if (rc == 0 && luaws_region_without_fips(c->region_name, &plain)) {
    luaws_log(LUAWS_LOG_WARNING, "luaws.client",
              "%.*s is no region: taken for %.*s with use_fips_endpoint",
              LUAWS_STR_ARG(c->region_name), LUAWS_STR_ARG(luaws_buf_str(&plain)));
    rc = keep(g, luaws_buf_str(&plain), &c->region_name);
    c->use_fips_endpoint = LUAWS_YES;
  }
  luaws_buf_clear(&plain);
  return rc;
}

/* Which region this program runs in, for the mode "auto", as far as the environment
   tells. */
static struct luaws_str region_in_environment(struct luaws_settings *s) {
  const char *in = luaws_settings_getenv(s, "AWS_EXECUTION_ENV");
  if (!in || !in[0]) return LUAWS_STR_NONE;
  const char *region = luaws_settings_getenv(s, "AWS_REGION");
  if (!region) region = luaws_settings_getenv(s, "AWS_DEFAULT_REGION");
  return luaws_str_from(region);
}

bool luaws_client_config_wants_instance_region(const struct luaws_client_config *c,
                                               struct luaws_settings *settings) {
  struct luaws_str mode = c ? c->defaults_mode : LUAWS_STR_NONE;
  struct luaws_error err = {0};
  if (!mode.len) {
    luaws_settings_text(settings, LUAWS_SETTING_DEFAULTS_MODE, &mode, &err);
    luaws_error_clear(&err); /* told when the config is resolved */
  }
  return luaws_str_eq_nocase(mode, LUAWS_STR("auto")) &&
         !region_in_environment(settings).len;
}

static int resolve_defaults_mode(struct resolving *g) {
  static const char *const modes[] = {"legacy",       "auto",   "standard", "in-region",
                                      "cross-region", "mobile", NULL};
  struct luaws_str *mode = &g->c->defaults_mode;
  if (mode->len == 0) *mode = LUAWS_STR_NONE;
  int rc = fill_text(g, mode, LUAWS_SETTING_DEFAULTS_MODE);
  if (rc) return rc;
  size_t i = 0;
  while (modes[i] && !luaws_str_eq_nocase(*mode, luaws_str_from(modes[i])))
    i++;
  if (!modes[i]) {
    rc = luaws_error_set(g->err, LUAWS_E_CONFIG, "InvalidDefaultsMode",
                         "Client configured with invalid defaults mode: %.*s. Valid "
                         "defaults modes include: legacy, auto, standard, in-region, "
                         "cross-region, mobile.",
                         LUAWS_STR_ARG(*mode));
    return blame(g, rc, LUAWS_SETTING_DEFAULTS_MODE, *mode);
  }
  *mode = luaws_str_from(modes[i]);
  g->mode = i == 0 ? NULL : modes[i];
  if (i == 1) {
    struct luaws_str here = region_in_environment(g->settings);
    if (!here.len) here = g->context->instance_region;
    g->mode = here.len == 0                           ? "standard"
              : luaws_str_eq(here, g->c->region_name) ? "in-region"
                                                      : "cross-region";
  }
  return 0;
}

/* A value of the mode's data: the base one, as the mode changes it. */
static const struct luaws_node *mode_value(const struct resolving *g, const char *name) {
  const struct luaws_node *data = g->context->defaults;
  if (!g->mode || !data) return NULL;
  const struct luaws_node *base = luaws_node_get(data, LUAWS_STR("base"));
  const struct luaws_node *modes = luaws_node_get(data, LUAWS_STR("modes"));
  const struct luaws_node *mode =
      modes ? luaws_node_get(modes, luaws_str_from(g->mode)) : NULL;
  const struct luaws_node *change =
      mode ? luaws_node_get(mode, luaws_str_from(name)) : NULL;
  /* "multiply" and "add" are allowed there, too; the data has never used them. */
  const struct luaws_node *override =
      change ? luaws_node_get(change, LUAWS_STR("override")) : NULL;
  if (override) return override;
  return base ? luaws_node_get(base, luaws_str_from(name)) : NULL;
}

/* A text setting, in which the mode's value comes before the fixed default. */
static int fill_with_mode(struct resolving *g, struct luaws_str *at,
                          enum luaws_setting_id id, const char *name) {
  struct luaws_setting v;
  if (at->ptr) return 0;
  int rc = luaws_settings_get(g->settings, id, &v, g->err);
  if (rc) return rc;
  bool open = v.source == LUAWS_FROM_DEFAULT || v.source == LUAWS_FROM_NOWHERE;
  const struct luaws_node *from_mode = open ? mode_value(g, name) : NULL;
  struct luaws_str text = from_mode ? luaws_node_text(from_mode) : LUAWS_STR_NONE;
  return keep(g, text.ptr ? text : v.text, at);
}

static int resolve_mode_defaults(struct resolving *g) {
  struct luaws_client_config *c = g->c;
  int rc = fill_with_mode(g, &c->retries.mode, LUAWS_SETTING_RETRY_MODE, "retryMode");
  if (rc == 0) {
    rc = fill_with_mode(g, &c->sts_regional_endpoints,
                        LUAWS_SETTING_STS_REGIONAL_ENDPOINTS, "stsRegionalEndpoints");
  }
  if (rc == 0) {
    rc = fill_with_mode(g, &c->s3.us_east_1_regional_endpoint,
                        LUAWS_SETTING_S3_US_EAST_1_REGIONAL_ENDPOINT,
                        "s3UsEast1RegionalEndpoints");
  }
  const struct luaws_node *timeout = mode_value(g, "connectTimeoutInMillis");
  if (!c->connect_timeout_ms && timeout && timeout->type == LUAWS_NODE_INTEGER &&
      timeout->integer > 0 && timeout->integer < INT_MAX) {
    c->connect_timeout_ms = (int)timeout->integer;
  }
  return rc;
}

static int resolve_retries(struct resolving *g) {
  struct luaws_client_config *c = g->c;
  struct luaws_setting attempts = {0};
  int rc = luaws_retry_mode_check(c->retries.mode, g->err);
  blame(g, rc, LUAWS_SETTING_RETRY_MODE, c->retries.mode);
  if (rc == 0 && !c->retries.total_max_attempts) {
    rc = luaws_settings_get(g->settings, LUAWS_SETTING_MAX_ATTEMPTS, &attempts, g->err);
    if (rc || attempts.source == LUAWS_FROM_NOWHERE) return rc;
    if (attempts.integer < 1) {
      rc = luaws_error_set(g->err, LUAWS_E_CONFIG, "InvalidMaxRetryAttemptsError",
                           "Value provided to \"max_attempts\": %lld must be an integer "
                           "greater than or equal to 1.",
                           (long long)attempts.integer);
      return blame(g, rc, LUAWS_SETTING_MAX_ATTEMPTS, attempts.text);
    }
    c->retries.total_max_attempts =
        attempts.integer < INT_MAX ? (int)attempts.integer : INT_MAX;
  }
  return rc;
}

static int resolve_compression(struct resolving *g) {
  struct luaws_setting size;
  if (g->c->request_min_compression_size_bytes) return 0;
  int rc = luaws_settings_get(
      g->settings, LUAWS_SETTING_REQUEST_MIN_COMPRESSION_SIZE_BYTES, &size, g->err);
  if (rc) return rc;
  rc = luaws_compression_size_check(size.integer, g->err);
  blame(g, rc, LUAWS_SETTING_REQUEST_MIN_COMPRESSION_SIZE_BYTES, size.text);
  if (rc == 0) g->c->request_min_compression_size_bytes = size.integer;
  return rc;
}

/* Makes *at the one of two or three valid texts that it is in any case. */
static bool settle(struct luaws_str *at, const char *const *valid) {
  for (; *valid; valid++) {
    if (!luaws_str_eq_nocase(*at, luaws_str_from(*valid))) continue;
    *at = luaws_str_from(*valid);
    return true;
  }
  return false;
}

static int resolve_checksum(struct resolving *g, struct luaws_str *at,
                            enum luaws_setting_id id) {
  static const char *const valid[] = {"when_supported", "when_required", NULL};
  if (settle(at, valid)) return 0;
  int rc = luaws_error_set(g->err, LUAWS_E_CONFIG, "InvalidChecksumConfigError",
                           "Unsupported configuration value for %s. Expected one of "
                           "('when_supported', 'when_required') but got %.*s.",
                           luaws_setting_name(id), LUAWS_STR_ARG(*at));
  return blame(g, rc, id, *at);
}

static int resolve_account_id_mode(struct resolving *g) {
  static const char *const valid[] = {"preferred", "disabled", "required", NULL};
  struct luaws_str *mode = &g->c->account_id_endpoint_mode;
  if (luaws_str_is(g->c->signature_version, "unsigned")) *mode = LUAWS_STR("disabled");
  if (settle(mode, valid)) return 0;
  int rc =
      luaws_error_set(g->err, LUAWS_E_CONFIG, "InvalidConfigError",
                      "The configured value '%.*s' for 'account_id_endpoint_mode' is "
                      "invalid. Valid values are: ('preferred', 'disabled', 'required').",
                      LUAWS_STR_ARG(*mode));
  return blame(g, rc, LUAWS_SETTING_ACCOUNT_ID_ENDPOINT_MODE, *mode);
}

/* "sigv4a , sigv4,," -> "sigv4a,sigv4" */
static int resolve_auth_schemes(struct resolving *g) {
  struct luaws_client_config *c = g->c;
  struct luaws_buf list = {0};
  if (c->auth_scheme_preference.len == 0) c->auth_scheme_preference = LUAWS_STR_NONE;
  c->auth_scheme_preference_in_code = c->auth_scheme_preference.ptr != NULL;
  c->signature_version_in_code = c->signature_version_configured =
      c->signature_version.len > 0;
  int rc = fill_text(g, &c->auth_scheme_preference, LUAWS_SETTING_AUTH_SCHEME_PREFERENCE);
  struct luaws_str rest = c->auth_scheme_preference;
  if (rc || !rest.ptr) return rc;
  for (bool more = true; more;) {
    ptrdiff_t comma = luaws_str_find(rest, ',');
    more = comma >= 0;
    struct luaws_str item = luaws_str_sub(rest, 0, more ? (size_t)comma : rest.len);
    rest = luaws_str_sub(rest, more ? (size_t)comma + 1 : rest.len, SIZE_MAX);
    if (luaws_str_trim(item).len == 0) continue;
    if (list.len) luaws_buf_append_char(&list, ',');
    for (size_t i = 0; i < item.len; i++) {
      if (item.ptr[i] != ' ' && item.ptr[i] != '\t') {
        luaws_buf_append_char(&list, item.ptr[i]);
      }
    }
  }
  rc = list.failed ? luaws_error_memory(g->err)
                   : keep(g, luaws_buf_str(&list), &c->auth_scheme_preference);
  luaws_buf_clear(&list);
  return rc;
}

static int resolve_express(struct resolving *g) {
  struct luaws_client_config *c = g->c;
  static const char *const valid[] = {"true", "false", NULL};
  struct luaws_str text = LUAWS_STR_NONE;
  int rc = 0;
  enum luaws_choice choice = c->s3.disable_s3_express_session_auth;
  if (!choice) choice = c->s3_disable_express_session_auth;
  if (!choice) {
    rc = luaws_settings_text(g->settings, LUAWS_SETTING_S3_DISABLE_EXPRESS_SESSION_AUTH,
                             &text, g->err);
  }
  if (rc) return rc;
  if (text.ptr && !settle(&text, valid)) {
    rc = luaws_error_set(g->err, LUAWS_E_CONFIG, "InvalidConfigError",
                         "Invalid value \"%.*s\" for s3_disable_express_session_auth. "
                         "Value must be a boolean",
                         LUAWS_STR_ARG(text));
    return blame(g, rc, LUAWS_SETTING_S3_DISABLE_EXPRESS_SESSION_AUTH, text);
  }
  if (!choice) choice = luaws_str_is(text, "true") ? LUAWS_YES : LUAWS_NO;
  c->s3_disable_express_session_auth = choice;
  c->s3.disable_s3_express_session_auth = choice;
  return 0;
}

static int resolve_ca_bundle(struct resolving *g) {
  struct luaws_setting bundle;
  int rc = luaws_settings_ca_bundle(g->settings, &bundle, g->err);
  return rc ? rc : keep(g, bundle.text, &g->c->ca_bundle);
}

static int resolve_host_prefix(struct resolving *g) {
  enum luaws_choice disable = LUAWS_UNSET;
  int rc = 0;
  if (g->c->inject_host_prefix) return 0;
  rc = luaws_settings_choice(g->settings, LUAWS_SETTING_DISABLE_HOST_PREFIX_INJECTION,
                             &disable, g->err);
  g->c->inject_host_prefix = disable == LUAWS_YES ? LUAWS_NO : LUAWS_YES;
  return rc;
}

/* None passes. */
static int check_regional(struct resolving *g, struct luaws_str text,
                          enum luaws_setting_id id, const char *kind, const char *what) {
  if (!text.ptr || luaws_str_is(text, "regional") || luaws_str_is(text, "legacy")) {
    return 0;
  }
  int rc = luaws_error_set(g->err, LUAWS_E_CONFIG, kind,
                           "%s option %.*s is invalid. Valid options are: \"legacy\", "
                           "\"regional\"",
                           what, LUAWS_STR_ARG(text));
  return blame(g, rc, id, text);
}

static int check_regionals(struct resolving *g) {
  struct luaws_client_config *c = g->c;
  if (c->sts_regional_endpoints.len == 0)
    c->sts_regional_endpoints = LUAWS_STR("regional");
  int rc = check_regional(
      g, c->s3.us_east_1_regional_endpoint, LUAWS_SETTING_S3_US_EAST_1_REGIONAL_ENDPOINT,
      "InvalidS3UsEast1RegionalEndpointConfigError", "S3 us-east-1 regional endpoint");
  if (rc) return rc;
  return check_regional(
      g, c->sts_regional_endpoints, LUAWS_SETTING_STS_REGIONAL_ENDPOINTS,
      "InvalidSTSRegionalEndpointsConfigError", "STS regional endpoints");
}

static void fill_fixed(struct luaws_client_config *c) {
  if (!c->connect_timeout_ms) c->connect_timeout_ms = DEFAULT_TIMEOUT_MS;
  if (!c->read_timeout_ms) c->read_timeout_ms = DEFAULT_TIMEOUT_MS;
  if (!c->max_pool_connections) c->max_pool_connections = DEFAULT_POOL_CONNECTIONS;
}

int luaws_client_config_resolve(struct luaws_client_config *c,
                                const struct luaws_client_config_context *context,
                                struct luaws_error *err) {
  struct resolving g = {c, context, context->settings, err, NULL};
  c->s3_dualstack_in_code = c->s3.use_dualstack_endpoint != LUAWS_UNSET;
  int rc = resolve_region(&g);
  if (rc == 0) rc = resolve_defaults_mode(&g);
  if (rc == 0) rc = resolve_mode_defaults(&g);
  if (rc == 0) rc = fill_plain(&g);
  if (rc == 0) rc = resolve_ca_bundle(&g);
  if (rc == 0) rc = resolve_retries(&g);
  if (rc == 0) rc = resolve_compression(&g);
  if (rc == 0) {
    rc = resolve_checksum(&g, &c->request_checksum_calculation,
                          LUAWS_SETTING_REQUEST_CHECKSUM_CALCULATION);
  }
  if (rc == 0) {
    rc = resolve_checksum(&g, &c->response_checksum_validation,
                          LUAWS_SETTING_RESPONSE_CHECKSUM_VALIDATION);
  }
  if (rc == 0) rc = resolve_account_id_mode(&g);
  if (rc == 0) rc = resolve_host_prefix(&g);
  if (rc == 0) rc = resolve_auth_schemes(&g);
  if (rc == 0) rc = resolve_express(&g);
  if (rc == 0) {
    rc = luaws_s3_addressing_style_check(c->s3.addressing_style, err);
    blame(&g, rc, LUAWS_SETTING_S3_ADDRESSING_STYLE, c->s3.addressing_style);
  }
  if (rc == 0) rc = check_regionals(&g);
  if (rc == 0) fill_fixed(c);
  return rc;
}
