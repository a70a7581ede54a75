/* Every configuration variable of a session, from one table: what it is called, where it
   is looked for and in which order, what kind of value it has.

   Order: override (an argument, in code) -> environment -> profile in the files ->
   default. An empty environment variable counts as set. A settings object belongs to a
   session; files are read once, when first needed. */
#ifndef LUAWS_SETTINGS_SETTINGS_H
#define LUAWS_SETTINGS_SETTINGS_H

#include "base/error.h"
#include "settings/profiles.h"
#include "value/value.h"

/* ORDER SETTINGS: as the table in variables.c */
enum luaws_setting_id {
  LUAWS_SETTING_PROFILE,
  LUAWS_SETTING_REGION,
  LUAWS_SETTING_DATA_PATH,
  LUAWS_SETTING_CONFIG_FILE,
  LUAWS_SETTING_CREDENTIALS_FILE,
  LUAWS_SETTING_CA_BUNDLE,
  LUAWS_SETTING_API_VERSIONS,
  LUAWS_SETTING_METADATA_SERVICE_TIMEOUT,
  LUAWS_SETTING_METADATA_SERVICE_NUM_ATTEMPTS,
  LUAWS_SETTING_EC2_METADATA_SERVICE_ENDPOINT,
  LUAWS_SETTING_EC2_METADATA_SERVICE_ENDPOINT_MODE,
  LUAWS_SETTING_EC2_METADATA_V1_DISABLED,
  LUAWS_SETTING_IMDS_USE_IPV6,
  LUAWS_SETTING_USE_DUALSTACK_ENDPOINT,
  LUAWS_SETTING_USE_FIPS_ENDPOINT,
  LUAWS_SETTING_IGNORE_CONFIGURED_ENDPOINT_URLS,
  LUAWS_SETTING_PARAMETER_VALIDATION,
  LUAWS_SETTING_CSM_ENABLED,
  LUAWS_SETTING_CSM_HOST,
  LUAWS_SETTING_CSM_PORT,
  LUAWS_SETTING_CSM_CLIENT_ID,
  LUAWS_SETTING_ENDPOINT_DISCOVERY_ENABLED,
  LUAWS_SETTING_STS_REGIONAL_ENDPOINTS,
  LUAWS_SETTING_RETRY_MODE,
  LUAWS_SETTING_MAX_ATTEMPTS,
  LUAWS_SETTING_DEFAULTS_MODE,
  LUAWS_SETTING_USER_AGENT_APPID,
  LUAWS_SETTING_REQUEST_MIN_COMPRESSION_SIZE_BYTES,
  LUAWS_SETTING_DISABLE_REQUEST_COMPRESSION,
  LUAWS_SETTING_SIGV4A_SIGNING_REGION_SET,
  LUAWS_SETTING_REQUEST_CHECKSUM_CALCULATION,
  LUAWS_SETTING_RESPONSE_CHECKSUM_VALIDATION,
  LUAWS_SETTING_ACCOUNT_ID_ENDPOINT_MODE,
  LUAWS_SETTING_DISABLE_HOST_PREFIX_INJECTION,
  LUAWS_SETTING_AUTH_SCHEME_PREFERENCE,
  LUAWS_SETTING_TCP_KEEPALIVE,
  LUAWS_SETTING_S3_DISABLE_EXPRESS_SESSION_AUTH,
  LUAWS_SETTING_S3, /* a block, then what is looked up in it */
  LUAWS_SETTING_S3_ADDRESSING_STYLE,
  LUAWS_SETTING_S3_USE_ACCELERATE_ENDPOINT,
  LUAWS_SETTING_S3_USE_DUALSTACK_ENDPOINT,
  LUAWS_SETTING_S3_PAYLOAD_SIGNING_ENABLED,
  LUAWS_SETTING_S3_USE_ARN_REGION,
  LUAWS_SETTING_S3_US_EAST_1_REGIONAL_ENDPOINT,
  LUAWS_SETTING_S3_DISABLE_MULTIREGION_ACCESS_POINTS,
  LUAWS_SETTING_PROXIES_CONFIG, /* likewise */
  LUAWS_SETTING_PROXY_CA_BUNDLE,
  LUAWS_SETTING_PROXY_CLIENT_CERT,
  LUAWS_SETTING_PROXY_USE_FORWARDING_FOR_HTTPS,
  LUAWS_SETTING_COUNT
};

enum luaws_setting_type {
  LUAWS_SETTING_IS_TEXT,
  LUAWS_SETTING_IS_INTEGER,
  LUAWS_SETTING_IS_BOOLEAN, /* "true" in any case is true, anything else is false */
  LUAWS_SETTING_IS_BLOCK,
};

enum luaws_setting_source {
  LUAWS_FROM_NOWHERE, /* not set, no default */
  LUAWS_FROM_ARGUMENT,
  LUAWS_FROM_VARIABLE, /* of the environment */
  LUAWS_FROM_FILE,
  LUAWS_FROM_DEFAULT,
};

/* A value and where it came from. Texts belong to the settings object, the environment,
   or the table. */
struct luaws_setting {
  enum luaws_setting_type type;
  enum luaws_setting_source source;
  struct luaws_str
      text; /* TEXT: the value (none when not set). Else how it was written */
  int64_t integer;
  bool boolean;
  const struct luaws_ini_value *block; /* BLOCK: its first value, or NULL */
  const char *variable;                /* FROM_VARIABLE: its name */
  struct luaws_str path;               /* FROM_FILE */
  unsigned line;
};

struct luaws_settings_options {
  struct luaws_str profile_name; /* chosen in code; none = environment or "default" */
  /* The environment: NULL = the process's own. Returns NULL for an unset variable. What
     it returns must live until the settings are freed. */
  const char *(*getenv)(void *arg, const char *name);
  void *getenv_arg;
  struct luaws_str home; /* what "~" means; none = HOME, then the user's entry */
};

struct luaws_settings;
int luaws_settings_new(const struct luaws_settings_options *o,
                       struct luaws_settings **out, struct luaws_error *err);
void luaws_settings_free(struct luaws_settings *s); /* wipes */

/* What a variable is now. Not set is no error: source says so. LUAWS_E_CONFIG:
   "ConfigParseError", "ProfileNotFound" (only when the files had to be asked),
   "ValueError" or "InvalidConfigError" when the text is no value of its type, naming
   where it stands. */
int luaws_settings_get(struct luaws_settings *s, enum luaws_setting_id id,
                       struct luaws_setting *out, struct luaws_error *err);
/* The same, but looked for only in some places; the default counts with all of them. */
enum {
  LUAWS_LOOK_AT_ARGUMENTS = 1,
  LUAWS_LOOK_AT_ENVIRONMENT = 2,
  LUAWS_LOOK_AT_FILES = 4,
  LUAWS_LOOK_EVERYWHERE = 7
};
int luaws_settings_get_from(struct luaws_settings *s, enum luaws_setting_id id,
                            unsigned where, struct luaws_setting *out,
                            struct luaws_error *err);
/* Short forms: none, and LUAWS_UNSET, when it is not set. */
int luaws_settings_text(struct luaws_settings *s, enum luaws_setting_id id,
                        struct luaws_str *out, struct luaws_error *err);
enum luaws_choice { LUAWS_UNSET, LUAWS_NO, LUAWS_YES };
int luaws_settings_choice(struct luaws_settings *s, enum luaws_setting_id id,
                          enum luaws_choice *out, struct luaws_error *err);
/* The variable of that name (botocore's: "region", "user_agent_appid", "s3", also
   "s3.addressing_style"), or LUAWS_SETTING_COUNT. */
enum luaws_setting_id luaws_setting_find(struct luaws_str name);
const char *luaws_setting_name(enum luaws_setting_id id);
/* Reads a number as botocore does where settings have some: blanks around it are nothing,
   nor is "_" between two digits. False when it is none. */
bool luaws_setting_to_int64(struct luaws_str text, int64_t *out);
/* get_config_variable: plays the value, looked for in those places, into a writer; null
   when not set or unknown, a map for a block. */
int luaws_settings_write(struct luaws_settings *s, struct luaws_str name, unsigned where,
                         struct luaws_writer *w, struct luaws_error *err);
/* Sets a variable in code, over all else; none takes that back. Copies. For whoever makes
   a session: naming another file forgets what was read. False without memory. */
bool luaws_settings_override(struct luaws_settings *s, enum luaws_setting_id id,
                             struct luaws_str text);
/* set_config_variable: the same for scripts. "ValueError" for what there is no such
   variable of, for a block, which only a file can hold, and for what is settled when a
   session is made (profile, config_file, credentials_file, data_path). */
int luaws_settings_set(struct luaws_settings *s, struct luaws_str name,
                       struct luaws_str text, struct luaws_error *err);
/* "argument", "AWS_REGION", "/home/me/.aws/config:3", "default" or "not set". */
void luaws_setting_describe_source(const struct luaws_setting *v, struct luaws_buf *out);
/* Adds " (From AWS_REGION)", or a file and line, to what err says of a value that stands
   there; nothing for one from elsewhere. */
void luaws_setting_add_source(const struct luaws_setting *v, struct luaws_error *err);

/* The profile's name, "default" when none is chosen. */
struct luaws_str luaws_settings_profile_name(struct luaws_settings *s);
/* It was chosen by an argument, so that credentials in the environment do not count. */
bool luaws_settings_profile_in_code(struct luaws_settings *s);
/* The chosen profile; *out is NULL when none is chosen and there is no "default".
   "ProfileNotFound" when it was named (in code or by a variable) and is not there. */
int luaws_settings_profile(struct luaws_settings *s, const struct luaws_ini_section **out,
                           struct luaws_error *err);
/* Everything in the files, read at the first call. */
int luaws_settings_profiles(struct luaws_settings *s, const struct luaws_profiles **out,
                            struct luaws_error *err);

/* The environment of these settings; NULL when not set. */
const char *luaws_settings_getenv(struct luaws_settings *s, const char *name);
/* A path with "~" and "~user" filled in, and "$NAME", "${NAME}" where expand_vars. */
void luaws_settings_expand_path(struct luaws_settings *s, struct luaws_str path,
                                bool expand_vars, struct luaws_buf *out);

/* The endpoint URL configured for a service outside of the code:
   AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the profile's `services` section, the
   profile's endpoint_url. Empty counts as not set. "InvalidConfigError" when the section
   does not exist. Does not look at ignore_configured_endpoint_urls. */
int luaws_settings_endpoint_url(struct luaws_settings *s, struct luaws_str client_name,
                                struct luaws_setting *out, struct luaws_error *err);
/* The certificates to trust beside code: ca_bundle, else REQUESTS_CA_BUNDLE, else the
   system's (not set). Empty counts as not set: nothing that is written somewhere can
   switch off verification. */
int luaws_settings_ca_bundle(struct luaws_settings *s, struct luaws_setting *out,
                             struct luaws_error *err);
/* The model version that api_versions asks for, or none. */
int luaws_settings_api_version(struct luaws_settings *s, struct luaws_str client_name,
                               struct luaws_str *out, struct luaws_error *err);
/* "ipv4" or "ipv6" from ec2_metadata_service_endpoint_mode and imds_use_ipv6;
   "InvalidIMDSEndpointModeError". */
int luaws_settings_imds_mode(struct luaws_settings *s, const char **out,
                             struct luaws_error *err);

#endif
