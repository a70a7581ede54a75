/* The metadata service of an EC2 instance: a token (version 2 of the service; without one
   it is asked as version 1 was), the name of the instance's role, the role's credentials;
   or, after the token, the zone that the instance is in. What fails here is no error,
   since most machines have no such service: then there is nothing here. */
#include "credentials/instance.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/random.h"
#include "base/uri.h"
#include "base/encode.h"
#include "credentials/fetch.h"
#include "settings/region.h"

static const char TOKEN_PATH[] = "latest/api/token";
static const char TOKEN_TTL_S[] = "21600";
static const char ROLE_PATH[] = "latest/meta-data/iam/security-credentials/";
static const char ZONE_PATH[] = "latest/meta-data/placement/availability-zone/";
static const char V4_ADDRESS[] = "http://169.254.169.254";
static const char V6_ADDRESS[] = "http://[fd00:ec2::254]";

/* Credentials that end within this are taken to be good for longer: the service may be
   down and hand out old ones, which still work. It is more than LUAWS_ADVISORY_REFRESH_S,
   so that the service is left alone for the difference. */
enum { REFRESH_WINDOW_S = 15 * 60, MIN_JITTER_S = 120, MAX_JITTER_S = 600 };

enum stage { GET_TOKEN, GET_ROLE, GET_KEYS, GET_ZONE };

struct instance {
  enum stage stage;
  enum stage after_token; /* GET_ROLE or GET_ZONE: what it is all for */
  struct luaws_buf base;  /* closed by a slash */
  struct luaws_buf token;
  struct luaws_buf role;
  bool has_token;
  bool v1_disabled;
  int timeout_ms;
  int64_t attempts; /* that a request gets */
  int64_t tried;
  struct luaws_fetch fetch;
};

/* ---- settings ---- */

static int choose_address(struct luaws_provider_task *task, struct instance *i,
                          struct luaws_error *err) {
  struct luaws_settings *s = task->context->settings;
  struct luaws_str custom;
  const char *mode = NULL;
  int rc =
      luaws_settings_text(s, LUAWS_SETTING_EC2_METADATA_SERVICE_ENDPOINT, &custom, err);
  if (rc == 0) rc = luaws_settings_imds_mode(s, &mode, err);
  if (rc) return rc;
  bool v6 = mode && strcmp(mode, "ipv6") == 0;
  if (custom.len && v6) {
    luaws_log(LUAWS_LOG_WARNING, "luaws.credentials",
              "an endpoint of the metadata service is set, and IPv6 as well: the "
              "endpoint is used");
  }
  if (custom.len) {
    luaws_buf_append_str(&i->base, custom);
  } else {
    luaws_buf_append_cstr(&i->base, v6 ? V6_ADDRESS : V4_ADDRESS);
  }
  if (!luaws_endpoint_url_is_valid(luaws_buf_str(&i->base))) {
    struct luaws_shown_url shown = luaws_url_shown(luaws_buf_str(&i->base));
    return luaws_error_set(err, LUAWS_E_CONFIG, "InvalidIMDSEndpointError",
                           "Invalid endpoint EC2 Instance Metadata endpoint: %.*s%s%.*s",
                           LUAWS_URL_ARG(shown));
  }
  if (!luaws_str_ends(luaws_buf_str(&i->base), LUAWS_STR("/"))) {
    luaws_buf_append_char(&i->base, '/');
  }
  return i->base.failed ? luaws_error_memory(err) : 0;
}

static int read_settings(struct luaws_provider_task *task, struct instance *i,
                         struct luaws_error *err) {
  struct luaws_settings *s = task->context->settings;
  struct luaws_setting timeout = {0}, attempts = {0}, v1 = {0};
  int rc = luaws_settings_get(s, LUAWS_SETTING_METADATA_SERVICE_TIMEOUT, &timeout, err);
  if (rc == 0) {
    rc = luaws_settings_get(s, LUAWS_SETTING_METADATA_SERVICE_NUM_ATTEMPTS, &attempts,
                            err);
  }
  if (rc == 0) {
    rc = luaws_settings_get(s, LUAWS_SETTING_EC2_METADATA_V1_DISABLED, &v1, err);
  }
  if (rc) return rc;
  if (timeout.integer < 1) {
    return luaws_error_set(err, LUAWS_E_CONFIG, "ValueError",
                           "metadata_service_timeout is %lld: it must be more than 0",
                           (long long)timeout.integer);
  }
  i->timeout_ms =
      timeout.integer < INT32_MAX / 1000 ? (int)timeout.integer * 1000 : INT32_MAX;
  i->attempts = attempts.integer;
  i->v1_disabled = v1.boolean;
  return choose_address(task, i, err);
}

/* ---- asking ---- */

static int send_request(struct luaws_provider_task *task, struct instance *i,
                        struct luaws_error *err) {
  const struct luaws_fetch_options options = {.timeout_ms = i->timeout_ms,
                                              .use_proxies = true};
  bool put = i->stage == GET_TOKEN;
  struct luaws_buf url = {0};
  luaws_buf_append_str(&url, luaws_buf_str(&i->base));
  luaws_buf_append_cstr(&url, put                    ? TOKEN_PATH
                              : i->stage == GET_ZONE ? ZONE_PATH
                                                     : ROLE_PATH);
  if (i->stage == GET_KEYS) {
    luaws_percent_encode(&url, luaws_buf_str(&i->role), "+=,@/");
  }
  int rc = url.failed ? luaws_error_memory(err)
                      : luaws_fetch_open(&i->fetch, task, &options,
                                         put ? LUAWS_STR("PUT") : LUAWS_STR("GET"),
                                         luaws_buf_str(&url), err);
  luaws_buf_clear(&url);
  if (rc == 0 && put) {
    rc = luaws_fetch_header(&i->fetch, "x-aws-ec2-metadata-token-ttl-seconds",
                            luaws_str_from(TOKEN_TTL_S), err);
    if (rc == 0) {
      rc = luaws_fetch_header(&i->fetch, "Content-Length", LUAWS_STR("0"), err);
    }
  } else if (rc == 0 && i->has_token) {
    rc = luaws_fetch_header(&i->fetch, "x-aws-ec2-metadata-token",
                            luaws_buf_str(&i->token), err);
  }
  i->tried++;
  return rc ? rc : luaws_fetch_send(&i->fetch, err);
}

static void enter(struct instance *i, enum stage stage) {
  luaws_fetch_close(&i->fetch);
  i->stage = stage;
  i->tried = 0;
}

/* ---- what comes back: PENDING to go on (the next request, or the same once more) ----
 */

static int without_token(struct luaws_provider_task *task, struct instance *i,
                         struct luaws_error *err) {
  if (i->v1_disabled) {
    return luaws_error_set(err, LUAWS_E_CREDENTIALS, "MetadataRetrievalError",
                           "Error retrieving metadata: Unable to retrieve token for use "
                           "in IMDSv2 call and IMDSv1 has been disabled");
  }
  enter(i, i->after_token);
  return LUAWS_PENDING;
}

/* Once more, or not at all any more. */
static int missed(struct luaws_provider_task *task, struct instance *i, const char *why,
                  struct luaws_error *err) {
  luaws_log(LUAWS_LOG_DEBUG, "luaws.credentials",
            "the metadata service, attempt %lld of %lld: %s", (long long)i->tried,
            (long long)i->attempts, why);
  luaws_fetch_close(&i->fetch);
  if (i->tried < i->attempts) return LUAWS_PENDING;
  if (i->stage == GET_TOKEN) return without_token(task, i, err);
  return luaws_provider_pass(task, "the metadata service: %s", why);
}

static int missed_status(struct luaws_provider_task *task, struct instance *i, int status,
                         struct luaws_error *err) {
  char why[32];
  snprintf(why, sizeof why, "status %d", status);
  return missed(task, i, why, err);
}

static int take_token(struct luaws_provider_task *task, struct instance *i,
                      const struct luaws_response *r, struct luaws_error *err) {
  if (r->status == 400) {
    return luaws_provider_pass(task, "the metadata service refuses to give a token "
                                     "(status 400)");
  }
  if (r->status == 403 || r->status == 404 || r->status == 405) {
    return without_token(task, i, err);
  }
  if (r->status != 200) return missed_status(task, i, r->status, err);
  luaws_buf_wipe(&i->token); /* one that was none */
  luaws_buf_append_str(&i->token, r->body);
  struct luaws_str token = luaws_buf_str(&i->token);
  for (size_t n = 0; n < token.len; n++) {
    if ((unsigned char)token.ptr[n] < ' ' || token.ptr[n] == 0x7f) {
      return missed(task, i, "the token is no header value", err);
    }
  }
  if (token.len == 0) return without_token(task, i, err);
  i->has_token = true;
  enter(i, i->after_token);
  return i->token.failed ? luaws_error_memory(err) : LUAWS_PENDING;
}

static int take_role(struct luaws_provider_task *task, struct instance *i,
                     const struct luaws_response *r, struct luaws_error *err) {
  if (r->status != 200) return missed_status(task, i, r->status, err);
  if (r->body.len == 0) return missed(task, i, "it answers with nothing", err);
  luaws_buf_append_str(&i->role, luaws_str_trim(r->body));
  enter(i, GET_KEYS);
  return i->role.failed ? luaws_error_memory(err) : LUAWS_PENDING;
}

/* "eu-west-1b" is in "eu-west-1". */
static int take_zone(struct luaws_provider_task *task, struct instance *i,
                     const struct luaws_response *r, struct luaws_credentials **out,
                     struct luaws_error *err) {
  struct luaws_str zone = r->body;
  struct luaws_error why = {0};
  if (r->status != 200) return missed_status(task, i, r->status, err);
  if (zone.len < 2) return missed(task, i, "it answers with nothing", err);
  const struct luaws_credentials_init init = {
      .token = luaws_str_sub(zone, 0, zone.len - 1),
      .method = luaws_str_from(task->provider->name)};
  if (luaws_region_check(init.token, &why)) {
    luaws_error_clear(&why);
    return luaws_provider_pass(task, "the metadata service names no zone");
  }
  *out = luaws_credentials_new(&init);
  return *out ? LUAWS_FOUND : luaws_error_memory(err);
}

static void extend(struct luaws_provider_task *task, int64_t *expiry_s) {
  uint32_t random;
  luaws_random_bytes(&random, sizeof random);
  int64_t window =
      REFRESH_WINDOW_S + MIN_JITTER_S + random % (MAX_JITTER_S - MIN_JITTER_S + 1);
  int64_t now = luaws_provider_now(task);
  if (now < *expiry_s - window) return;
  *expiry_s = now + window;
  luaws_log(LUAWS_LOG_INFO, "luaws.credentials",
            "the metadata service hands out credentials that end too soon: they are "
            "used for %lld minutes, then it is asked again",
            (long long)window / 60);
}

static int take_keys(struct luaws_provider_task *task, struct instance *i,
                     const struct luaws_response *r, struct luaws_credentials **out,
                     struct luaws_error *err) {
  if (r->status != 200) return missed_status(task, i, r->status, err);
  if (r->body.len == 0) return missed(task, i, "it answers with nothing", err);
  struct luaws_arena arena = {0};
  struct luaws_error why = {0};
  struct luaws_tree *t = NULL;
  struct luaws_fetched_keys keys;
  int rc;
  if (luaws_tree_parse(&arena, r->body, &t, &why)) {
    rc = missed(task, i, "it answers with no JSON", err);
  } else {
    const char *missing = luaws_fetched_keys_read(t, &keys);
    struct luaws_str code = luaws_tree_text(t, "Code");
    if (missing) {
      /* What it says is shown; not if it says the token. */
      if (i->token.len && luaws_str_find_str(code, luaws_buf_str(&i->token)) >= 0)
        code.len = 0;
      rc = luaws_provider_pass(task, "the metadata service gives no %s%s%.*s", missing,
                               code.len ? ": " : "",
                               LUAWS_STR_ARG(luaws_str_sub(code, 0, 64)));
    } else {
      if (!keys.no_time) extend(task, &keys.expiry_s);
      keys.account_id = LUAWS_STR_NONE;
      rc = luaws_fetched_keys_make(task, &keys, out, err);
    }
  }
  luaws_error_clear(&why);
  luaws_arena_wipe(&arena);
  return rc;
}

static int receive(struct luaws_provider_task *task, struct instance *i,
                   struct luaws_credentials **out, struct luaws_error *err) {
  const struct luaws_response *r = NULL;
  struct luaws_error why = {0};
  int rc = luaws_fetch_result(&i->fetch, &r, &why);
  if (rc < 0) {
    /* Silence means a version 1 service behind something that drops what it does not
       know, so that asking again is useless. */
    bool silent = why.kind && strcmp(why.kind, "ReadTimeoutError") == 0;
    if (!luaws_fetch_may_retry(&why)) {
      luaws_error_move(err, &why);
      return rc;
    }
    if (silent && i->stage == GET_TOKEN) i->tried = i->attempts;
    rc = missed(task, i, luaws_error_message(&why), err);
    luaws_error_clear(&why);
    return rc;
  }
  switch (i->stage) {
  case GET_TOKEN:
    return take_token(task, i, r, err);
  case GET_ROLE:
    return take_role(task, i, r, err);
  case GET_ZONE:
    return take_zone(task, i, r, out, err);
  case GET_KEYS:
    break;
  }
  return take_keys(task, i, r, out, err);
}

/* ---- the provider ---- */

static void cancel(struct luaws_provider_task *task) {
  struct instance *i = task->state;
  luaws_fetch_clear(&i->fetch);
  luaws_buf_clear(&i->base);
  luaws_buf_wipe(&i->token);
  luaws_buf_clear(&i->role);
  free(i);
}

static int begin(struct luaws_provider_task *task, enum stage after_token,
                 struct luaws_error *err) {
  const char *disabled =
      luaws_settings_getenv(task->context->settings, "AWS_EC2_METADATA_DISABLED");
  if (disabled && luaws_str_eq_nocase(luaws_str_from(disabled), LUAWS_STR("true"))) {
    return luaws_provider_pass(task, "AWS_EC2_METADATA_DISABLED is set");
  }
  if (!task->context->loop) return luaws_provider_pass(task, "no network here");
  struct instance *i = calloc(1, sizeof *i);
  if (!i) return luaws_error_memory(err);
  task->state = i;
  i->after_token = after_token;
  int rc = read_settings(task, i, err);
  if (rc) return rc;
  if (i->attempts < 1) {
    return luaws_provider_pass(task, "metadata_service_num_attempts is %lld",
                               (long long)i->attempts);
  }
  return LUAWS_PENDING;
}

static int go_on(struct luaws_provider_task *task, struct luaws_credentials **out,
                 struct luaws_error *err) {
  struct instance *i = task->state;
  for (;;) {
    if (luaws_fetch_sent(&i->fetch)) {
      if (!i->fetch.done) return LUAWS_PENDING;
      int rc = receive(task, i, out, err);
      if (rc != LUAWS_PENDING) return rc;
    }
    int rc = send_request(task, i, err);
    if (rc < 0) return rc;
  }
}

static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  int rc = task->state ? LUAWS_PENDING : begin(task, GET_ROLE, err);
  return rc == LUAWS_PENDING ? go_on(task, out, err) : rc;
}

static int step_zone(struct luaws_provider_task *task, struct luaws_credentials **out,
                     struct luaws_error *err) {
  int rc = task->state ? LUAWS_PENDING : begin(task, GET_ZONE, err);
  return rc == LUAWS_PENDING ? go_on(task, out, err) : rc;
}

const struct luaws_provider luaws_provider_instance = {"iam-role", "Ec2InstanceMetadata",
                                                       step, cancel, NULL};
const struct luaws_provider luaws_region_provider_instance = {"instance-region", NULL,
                                                              step_zone, cancel, NULL};
