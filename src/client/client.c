#include "client/client.h"

#include <stdlib.h>
#include <strings.h>

#include "base/uri.h"
#include "client/call.h"
#include "client/endpoint_params.h"
#include "client/region.h"
#include "settings/region.h"

/* Which version of the model: asked for, configured, or the newest. */
static int find_service(struct luaws_client *c, const struct luaws_client_options *o,
                        struct luaws_error *err) {
  struct luaws_session *s = c->session;
  struct luaws_str name = luaws_service_alias(c->service_name), version = o->api_version;
  const void *section;
  int rc = 0;
  if (!version.len) rc = luaws_settings_api_version(s->settings, name, &version, err);
  if (rc == 0)
    rc =
        luaws_models_find(s->models, LUAWS_SECTION_SERVICE, name, version, &section, err);
  if (rc) return rc;
  c->service = section;
  c->protocol = luaws_protocol_for(c->service);
  if (!c->protocol) {
    return luaws_error_set(err, LUAWS_E_MODEL, "UnsupportedServiceProtocolsError",
                           "%.*s speaks no protocol that is known here",
                           LUAWS_STR_ARG(name));
  }
  struct luaws_error no_rules = {0};
  if (luaws_models_find(s->models, LUAWS_SECTION_RULES, name, LUAWS_STR_NONE, &section,
                        &no_rules) == 0) {
    c->rules = section;
  }
  if (luaws_models_find(s->models, LUAWS_SECTION_PARTITIONS, LUAWS_STR_NONE,
                        LUAWS_STR_NONE, &section, &no_rules) == 0) {
    c->partitions = section;
  }
  if (luaws_models_find(s->models, LUAWS_SECTION_ENDPOINTS, LUAWS_STR_NONE,
                        LUAWS_STR_NONE, &section, &no_rules) == 0) {
    c->legacy_endpoints = section;
  }
  luaws_error_clear(&no_rules);
  return 0;
}

static int resolve_config(struct luaws_client *c, const struct luaws_client_options *o,
                          struct luaws_error *err) {
  struct luaws_client_config_context context = {
      .settings = c->session->settings,
      .region = o->region_name,
      .instance_region = luaws_str_from(c->session->instance_region)};
  const void *defaults;
  struct luaws_error no_defaults = {0};
  if (luaws_models_find(c->session->models, LUAWS_SECTION_DEFAULTS, LUAWS_STR_NONE,
                        LUAWS_STR_NONE, &defaults, &no_defaults) == 0) {
    context.defaults = defaults;
  }
  luaws_error_clear(&no_defaults);
  c->config = calloc(1, sizeof *c->config);
  if (!c->config) return luaws_error_memory(err);
  int rc = o->config ? luaws_client_config_merge(c->config, o->config, err) : 0;
  if (rc == 0) rc = luaws_client_config_resolve(c->config, &context, err);
  if (rc) return rc;
  c->region = c->config->region_name;
  c->unsigned_requests = luaws_str_is(c->config->signature_version, "unsigned");
  return 0;
}

/* A custom endpoint: the argument, else what is configured, unless that is to be ignored.
 */
static int find_endpoint_url(struct luaws_client *c, const struct luaws_client_options *o,
                             struct luaws_error *err) {
  struct luaws_str url = o->endpoint_url;
  struct luaws_setting v = {0};
  if (!url.len && c->config->ignore_configured_endpoint_urls != LUAWS_YES) {
    int rc = luaws_settings_endpoint_url(c->session->settings, c->service_name, &v, err);
    if (rc) return rc;
    if (v.source != LUAWS_FROM_NOWHERE) url = v.text;
  }
  if (!url.len) return 0;
  struct luaws_request parsed = {.arena = &c->arena, .headers.arena = &c->arena};
  struct luaws_error why = {0};
  int rc = luaws_request_set_url(&parsed, url, &why);
  luaws_error_clear(&why);
  if (rc == LUAWS_E_MEMORY) return luaws_error_memory(err);
  if (rc) {
    struct luaws_shown_url shown = luaws_url_shown(url);
    luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError", "Invalid endpoint: %.*s%s%.*s",
                    LUAWS_URL_ARG(shown));
    luaws_setting_add_source(&v, err);
    return LUAWS_E_ARGUMENT;
  }
  c->custom_endpoint = luaws_arena_str(&c->arena, url);
  return c->custom_endpoint.ptr ? 0 : luaws_error_memory(err);
}

static int take_credentials(struct luaws_client *c, const struct luaws_client_options *o,
                            struct luaws_error *err) {
  if (!o->access_key.len && !o->secret_key.len) return 0;
  if (!o->access_key.len || !o->secret_key.len) {
    return luaws_partial_credentials(
        "explicit", o->access_key.len ? "aws_secret_access_key" : "aws_access_key_id",
        err);
  }
  struct luaws_credentials_init init = {.access_key = o->access_key,
                                        .secret_key = o->secret_key,
                                        .token = o->session_token,
                                        .account_id = o->account_id,
                                        .method = LUAWS_STR("explicit")};
  c->credentials = luaws_credentials_new(&init);
  return c->credentials ? 0 : luaws_error_memory(err);
}

static enum luaws_retry_mode retry_mode(struct luaws_str name) {
  if (luaws_str_is(name, "legacy")) return LUAWS_RETRY_LEGACY;
  return luaws_str_is(name, "adaptive") ? LUAWS_RETRY_ADAPTIVE : LUAWS_RETRY_STANDARD;
}

int luaws_client_new(struct luaws_session *session, struct luaws_str service,
                     const struct luaws_client_options *options,
                     struct luaws_client **out, struct luaws_error *err) {
  struct luaws_client *c = calloc(1, sizeof *c);
  *out = NULL;
  if (!c) return luaws_error_memory(err);
  c->references = 1;
  c->nested = options->nested;
  c->session = c->nested ? session : luaws_session_acquire(session);
  c->service_name = luaws_arena_str(&c->arena, luaws_service_alias(service));
  c->verify_path = luaws_arena_str(&c->arena, options->verify_path);
  c->no_verify = options->no_verify;
  c->no_ssl = options->no_ssl;
  c->keys = luaws_key_cache_new();
  int rc = c->keys ? 0 : luaws_error_memory(err);
  if (rc == 0) rc = find_service(c, options, err);
  if (rc == 0) rc = resolve_config(c, options, err);
  if (rc == 0) rc = luaws_client_choose_signature(c, err);
  if (rc == 0) rc = find_endpoint_url(c, options, err);
  if (rc == 0) rc = take_credentials(c, options, err);
  if (rc == 0 && !c->nested) {
    rc = luaws_session_note_region(session, c->config->asked_region, err);
  }
  if (rc == 0 && !c->nested && !c->credentials && !c->unsigned_requests) {
    luaws_session_settle_region(session);
  }
  if (rc == 0) rc = luaws_session_open_monitor(session, err);
  if (rc == 0) rc = luaws_user_agent_init(c, err);
  c->in_lambda =
      luaws_settings_getenv(session->settings, "AWS_LAMBDA_FUNCTION_NAME") != NULL;
  if (rc == 0) rc = luaws_client_find_region(c, err);
  if (rc == 0) {
    luaws_retry_policy_init(&c->retry, retry_mode(c->config->retries.mode),
                            c->config->retries.total_max_attempts);
    const char *rules = luaws_settings_getenv(session->settings, "AWS_NEW_RETRIES_2026");
    c->retry.rules_2026 = rules && strcasecmp(rules, "true") == 0;
    luaws_send_limit_init(&c->send_limit, luaws_session_now_exact(c->session));
    *out = c;
  } else {
    luaws_client_release(c);
  }
  return rc;
}

struct luaws_client *luaws_client_acquire(struct luaws_client *c) {
  c->references++;
  return c;
}

void luaws_client_close(struct luaws_client *c) {
  c->closed = true;
  luaws_pool_free(c->pool);
  c->pool = NULL;
}

void luaws_client_release(struct luaws_client *c) {
  if (!c || --c->references) return;
  if (c->spare_call) luaws_call_destroy_spare(c->spare_call);
  luaws_pool_free(c->pool);
  luaws_endpoint_cache_free(c->endpoints);
  luaws_parser_free(c->parser);
  luaws_key_cache_free(c->keys);
  luaws_user_agent_clear(&c->user_agent);
  luaws_credentials_release(c->credentials);
  if (c->config) luaws_client_config_clear(c->config);
  free(c->config);
  if (!c->nested) luaws_session_release(c->session);
  luaws_arena_wipe(&c->arena);
  free(c);
}

static const char *text_or_null(struct luaws_str s) {
  return s.len ? s.ptr
               : NULL; /* the config's and the arena's texts are closed by a zero byte */
}

static const char *proxy_for(const struct luaws_client_config *g, const char *target) {
  for (size_t i = 0; i < g->proxy_count; i++) {
    if (luaws_str_is(g->proxies[i].target, target)) return g->proxies[i].url.ptr;
  }
  return g->has_proxies ? "" : NULL;
}

int luaws_client_pool(struct luaws_client *c, struct luaws_pool **out,
                      struct luaws_error *err) {
  *out = c->pool;
  if (c->pool) return 0;
  if (c->closed)
    return luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError", "the client is closed");
  const struct luaws_client_config *g = c->config;
  struct luaws_pool_options o = {
      .connect_timeout_ms = g->connect_timeout_ms,
      .read_timeout_ms = g->read_timeout_ms,
      .max_connections = g->max_pool_connections,
      .verify = !c->no_verify,
      .ca_bundle = text_or_null(c->verify_path.len ? c->verify_path : g->ca_bundle),
      .client_cert = text_or_null(g->client_cert),
      .client_key = text_or_null(g->client_key),
      .proxy_http = proxy_for(g, "http"),
      .proxy_https = proxy_for(g, "https"),
      .proxy_ca_bundle = text_or_null(g->proxies_config.proxy_ca_bundle),
      .proxy_client_cert = text_or_null(g->proxies_config.proxy_client_cert),
      .proxy_client_key = text_or_null(g->proxies_config.proxy_client_key),
      .proxy_forwards_https =
          g->proxies_config.proxy_use_forwarding_for_https == LUAWS_YES,
      .tcp_keepalive = g->tcp_keepalive == LUAWS_YES,
  };
  int rc = luaws_pool_new(c->session->loop, &o, &c->pool, err);
  *out = c->pool;
  return rc;
}

int luaws_client_credentials(struct luaws_client *c, struct luaws_chain_waiter *waiter,
                             struct luaws_credentials **out, struct luaws_error *err) {
  if (c->credentials) {
    *out = luaws_credentials_acquire(c->credentials);
    return LUAWS_FOUND;
  }
  int answer = luaws_chain_get(c->session->chain, waiter, out, err);
  return answer == LUAWS_PASS ? luaws_no_credentials(err) : answer;
}
