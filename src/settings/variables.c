#include "settings/variables.h"

/* Shorthands for the shapes that rows have. */
#define TEXT(key, env_name, otherwise) \
  { .name = key, .file_key = key, .env = {env_name}, .fallback = otherwise }
#define NUMBER(key, env_name, otherwise)                                               \
  {                                                                                    \
    .name = key, .file_key = key, .env = {env_name}, .type = LUAWS_SETTING_IS_INTEGER, \
    .fallback = otherwise                                                              \
  }
#define FLAG(key, env_name, otherwise)                                                 \
  {                                                                                    \
    .name = key, .file_key = key, .env = {env_name}, .type = LUAWS_SETTING_IS_BOOLEAN, \
    .fallback = otherwise                                                              \
  }
#define BLOCK(key) \
  { .name = key, .file_key = key, .type = LUAWS_SETTING_IS_BLOCK }
/* In a block; beside it under another key, or NULL; from the environment, or NULL. */
#define IN_BLOCK(in, key, beside, env_name, what)                            \
  {                                                                          \
    .name = in "." key, .file_key = key, .block = in, .profile_key = beside, \
    .env = {env_name}, .type = LUAWS_SETTING_IS_##what                       \
  }

/* ORDER SETTINGS: as enum luaws_setting_id */
const struct luaws_variable luaws_variables[LUAWS_SETTING_COUNT] = {
    {.name = "profile", .env = {"AWS_DEFAULT_PROFILE", "AWS_PROFILE"}},
    {.name = "region", .file_key = "region", .env = {"AWS_DEFAULT_REGION", "AWS_REGION"}},
    TEXT("data_path", "AWS_DATA_PATH", NULL),
    {.name = "config_file", .env = {"AWS_CONFIG_FILE"}, .fallback = "~/.aws/config"},
    {.name = "credentials_file",
     .env = {"AWS_SHARED_CREDENTIALS_FILE"},
     .fallback = "~/.aws/credentials"},
    TEXT("ca_bundle", "AWS_CA_BUNDLE", NULL),
    BLOCK("api_versions"),
    NUMBER("metadata_service_timeout", "AWS_METADATA_SERVICE_TIMEOUT", "1"),
    NUMBER("metadata_service_num_attempts", "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1"),
    TEXT("ec2_metadata_service_endpoint", "AWS_EC2_METADATA_SERVICE_ENDPOINT", NULL),
    TEXT("ec2_metadata_service_endpoint_mode", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
         NULL),
    FLAG("ec2_metadata_v1_disabled", "AWS_EC2_METADATA_V1_DISABLED", "false"),
    FLAG("imds_use_ipv6", "AWS_IMDS_USE_IPV6", "false"),
    FLAG("use_dualstack_endpoint", "AWS_USE_DUALSTACK_ENDPOINT", NULL),
    FLAG("use_fips_endpoint", "AWS_USE_FIPS_ENDPOINT", NULL),
    FLAG("ignore_configured_endpoint_urls", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", NULL),
    FLAG("parameter_validation", NULL, "true"),
    FLAG("csm_enabled", "AWS_CSM_ENABLED", "false"),
    TEXT("csm_host", "AWS_CSM_HOST", "127.0.0.1"),
    NUMBER("csm_port", "AWS_CSM_PORT", "31000"),
    TEXT("csm_client_id", "AWS_CSM_CLIENT_ID", ""),
    TEXT("endpoint_discovery_enabled", "AWS_ENDPOINT_DISCOVERY_ENABLED", "auto"),
    TEXT("sts_regional_endpoints", "AWS_STS_REGIONAL_ENDPOINTS", "regional"),
    TEXT("retry_mode", "AWS_RETRY_MODE", "standard"),
    NUMBER("max_attempts", "AWS_MAX_ATTEMPTS", NULL),
    TEXT("defaults_mode", "AWS_DEFAULTS_MODE", "legacy"),
    {.name = "user_agent_appid",
     .file_key = "sdk_ua_app_id",
     .env = {"AWS_SDK_UA_APP_ID"}},
    NUMBER("request_min_compression_size_bytes", "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
           "10240"),
    FLAG("disable_request_compression", "AWS_DISABLE_REQUEST_COMPRESSION", "false"),
    TEXT("sigv4a_signing_region_set", "AWS_SIGV4A_SIGNING_REGION_SET", NULL),
    TEXT("request_checksum_calculation", "AWS_REQUEST_CHECKSUM_CALCULATION",
         "when_supported"),
    TEXT("response_checksum_validation", "AWS_RESPONSE_CHECKSUM_VALIDATION",
         "when_supported"),
    TEXT("account_id_endpoint_mode", "AWS_ACCOUNT_ID_ENDPOINT_MODE", "preferred"),
    FLAG("disable_host_prefix_injection", "AWS_DISABLE_HOST_PREFIX_INJECTION", NULL),
    TEXT("auth_scheme_preference", "AWS_AUTH_SCHEME_PREFERENCE", NULL),
    FLAG("tcp_keepalive", "BOTOCORE_TCP_KEEPALIVE", NULL),
    TEXT("s3_disable_express_session_auth", "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH", NULL),
    BLOCK("s3"),
    IN_BLOCK("s3", "addressing_style", NULL, NULL, TEXT),
    IN_BLOCK("s3", "use_accelerate_endpoint", NULL, NULL, BOOLEAN),
    IN_BLOCK("s3", "use_dualstack_endpoint", NULL, NULL, BOOLEAN),
    IN_BLOCK("s3", "payload_signing_enabled", NULL, NULL, BOOLEAN),
    IN_BLOCK("s3", "use_arn_region", "s3_use_arn_region", "AWS_S3_USE_ARN_REGION",
             BOOLEAN),
    IN_BLOCK("s3", "us_east_1_regional_endpoint", "s3_us_east_1_regional_endpoint",
             "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", TEXT),
    IN_BLOCK("s3", "s3_disable_multiregion_access_points", NULL,
             "AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS", BOOLEAN),
    BLOCK("proxies_config"),
    IN_BLOCK("proxies_config", "proxy_ca_bundle", "proxy_ca_bundle", NULL, TEXT),
    IN_BLOCK("proxies_config", "proxy_client_cert", "proxy_client_cert", NULL, TEXT),
    IN_BLOCK("proxies_config", "proxy_use_forwarding_for_https",
             "proxy_use_forwarding_for_https", NULL, BOOLEAN),
};
