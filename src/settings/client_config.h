/* A client's configuration: the keys of botocore.config.Config, with types.

   Read from a table by luaws_client_config_read, in which what the caller left out stays
   unset (none, 0, LUAWS_UNSET); luaws_client_config_resolve then fills that from the
   settings. Zeroed memory is a config with nothing set. */
#ifndef LUAWS_SETTINGS_CLIENT_CONFIG_H
#define LUAWS_SETTINGS_CLIENT_CONFIG_H

#include "model/model.h"
#include "settings/settings.h"
#include "value/tree.h"

struct luaws_proxy {
  struct luaws_str target; /* "http", "https", or "http://host" */
  struct luaws_str url;
};

struct luaws_client_config {
  struct luaws_arena arena; /* owns every text below */

  struct luaws_str region_name;
  struct luaws_str signature_version; /* "unsigned" sends no credentials. What nobody has
                                         set a client fills in by its service */
  struct luaws_str user_agent;
  struct luaws_str user_agent_extra;
  struct luaws_str user_agent_appid;
  int connect_timeout_ms; /* 0 = unset */
  int read_timeout_ms;
  enum luaws_choice parameter_validation;
  int max_pool_connections;
  bool has_proxies; /* given, maybe as {}: then the environment's do not count */
  const struct luaws_proxy *proxies;
  size_t proxy_count;
  struct {
    struct luaws_str proxy_ca_bundle;
    struct luaws_str proxy_client_cert;
    struct luaws_str proxy_client_key; /* when given apart */
    enum luaws_choice proxy_use_forwarding_for_https;
  } proxies_config;
  struct {
    struct luaws_str addressing_style; /* "auto", "virtual", "path" */
    enum luaws_choice use_accelerate_endpoint;
    enum luaws_choice use_dualstack_endpoint;
    enum luaws_choice payload_signing_enabled;
    enum luaws_choice use_arn_region;
    struct luaws_str us_east_1_regional_endpoint; /* "regional", "legacy" */
    enum luaws_choice s3_disable_multiregion_access_points;
    enum luaws_choice disable_s3_express_session_auth;
  } s3;
  enum luaws_choice s3_disable_express_session_auth;
  struct {
    struct luaws_str mode;  /* "standard", "legacy", "adaptive" */
    int total_max_attempts; /* attempts; 0 = unset: the mode's own. Also what max_attempts
                               (retries) was turned into */
  } retries;
  struct luaws_str client_cert;
  struct luaws_str client_key; /* when given apart */
  enum luaws_choice inject_host_prefix;
  struct luaws_str endpoint_discovery_enabled; /* "true", "false", "auto", unchecked */
  enum luaws_choice use_dualstack_endpoint;
  enum luaws_choice use_fips_endpoint;
  enum luaws_choice ignore_configured_endpoint_urls;
  struct luaws_str defaults_mode;
  enum luaws_choice tcp_keepalive;
  int64_t request_min_compression_size_bytes;
  enum luaws_choice disable_request_compression;
  const struct luaws_tree *client_context_params; /* a MAP, or NULL */
  struct luaws_str sigv4a_signing_region_set;
  struct luaws_str request_checksum_calculation; /* "when_supported", "when_required" */
  struct luaws_str response_checksum_validation;
  struct luaws_str account_id_endpoint_mode; /* "preferred", "disabled", "required" */
  struct luaws_str auth_scheme_preference;   /* "sigv4a,sigv4" without blanks */

  /* Not keys of Config; set by luaws_client_config_resolve. */
  bool auth_scheme_preference_in_code;
  bool signature_version_in_code;
  bool signature_version_configured; /* in code or in the profile */
  bool s3_dualstack_in_code;
  struct luaws_str asked_region; /* region_name, a pseudo region left as it is: for calls
                                    on this client's behalf */
  struct luaws_str sts_regional_endpoints; /* "regional", "legacy" */
  struct luaws_str ca_bundle;
};

/* Reads a table of options over what c already has. Unknown keys are refused with the
   nearest valid one, wrong types and values with what is allowed: LUAWS_E_ARGUMENT, kinds
   "TypeError", "InvalidRetryConfigurationError", "InvalidMaxRetryAttemptsError",
   "InvalidRetryModeError", "InvalidS3AddressingStyleError", .... A null leaves an option
   as it is. */
int luaws_client_config_read(struct luaws_client_config *c, struct luaws_reader *r,
                             struct luaws_error *err);
/* Copies what is set in from over to: botocore's Config.merge. */
int luaws_client_config_merge(struct luaws_client_config *to,
                              const struct luaws_client_config *from,
                              struct luaws_error *err);
void luaws_client_config_clear(struct luaws_client_config *c);

struct luaws_client_config_context {
  struct luaws_settings *settings;
  struct luaws_str region; /* the client's own argument; none = c->region_name, then the
                              settings' */
  const struct luaws_node *defaults; /* LUAWS_SECTION_DEFAULTS, for a defaults_mode other
                                        than "legacy"; may be NULL when there is none */
  struct luaws_str instance_region;  /* where this machine runs, when known: "auto" */
};
/* Is `instance_region` worth finding out for this config (which may be NULL)? Only for
   defaults_mode "auto", where the environment does not tell the region. */
bool luaws_client_config_wants_instance_region(const struct luaws_client_config *c,
                                               struct luaws_settings *settings);
/* Fills what is unset, region_name included, from settings and defaults, checks values
   that came from there, and turns a FIPS pseudo region into its region and
   use_fips_endpoint. Afterwards only what may really be absent is unset. LUAWS_E_CONFIG
   or LUAWS_E_ARGUMENT with botocore's kinds ("InvalidRegionError", "InvalidConfigError",
   "InvalidDefaultsMode", "InvalidChecksumConfigError", ...). */
int luaws_client_config_resolve(struct luaws_client_config *c,
                                const struct luaws_client_config_context *context,
                                struct luaws_error *err);
/* Plays the config into a writer as a map with Config's keys: client.meta.config. */
void luaws_client_config_write(const struct luaws_client_config *c,
                               struct luaws_writer *w);

#endif
