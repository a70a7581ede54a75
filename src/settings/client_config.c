/* What a caller writes into a config table, read by tables of options. */
#include "settings/client_config.h"

#include "base/typo.h"
#include "settings/client_config_checks.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>

enum option_type {
  TEXT,
  CHOICE,         /* a boolean */
  TEXT_OR_CHOICE, /* a boolean is kept as "true" or "false" */
  SECONDS,        /* kept in milliseconds */
  COUNT,          /* a positive int */
  BYTES,          /* an int64_t; botocore takes a string, too */
  CERTIFICATE,    /* a path, or two: certificate and key; two texts side by side */
  PROXIES,
  PROXIES_CONFIG,
  S3,
  RETRIES,
  PARAMS, /* any map, kept as a tree */
};

struct option {
  const char *name;
  enum option_type type;
  size_t offset; /* in struct luaws_client_config */
};

#define AT(member) offsetof(struct luaws_client_config, member)

/* In the order of botocore's Config. */
static const struct option options[] = {
    {"region_name", TEXT, AT(region_name)},
    {"signature_version", TEXT, AT(signature_version)},
    {"user_agent", TEXT, AT(user_agent)},
    {"user_agent_extra", TEXT, AT(user_agent_extra)},
    {"user_agent_appid", TEXT, AT(user_agent_appid)},
    {"connect_timeout", SECONDS, AT(connect_timeout_ms)},
    {"read_timeout", SECONDS, AT(read_timeout_ms)},
    {"parameter_validation", CHOICE, AT(parameter_validation)},
    {"max_pool_connections", COUNT, AT(max_pool_connections)},
    {"proxies", PROXIES, AT(proxies)},
    {"proxies_config", PROXIES_CONFIG, AT(proxies_config)},
    {"s3", S3, AT(s3)},
    {"s3_disable_express_session_auth", CHOICE, AT(s3_disable_express_session_auth)},
    {"retries", RETRIES, AT(retries)},
    {"client_cert", CERTIFICATE, AT(client_cert)},
    {"inject_host_prefix", CHOICE, AT(inject_host_prefix)},
    {"endpoint_discovery_enabled", TEXT_OR_CHOICE, AT(endpoint_discovery_enabled)},
    {"use_dualstack_endpoint", CHOICE, AT(use_dualstack_endpoint)},
    {"use_fips_endpoint", CHOICE, AT(use_fips_endpoint)},
    {"ignore_configured_endpoint_urls", CHOICE, AT(ignore_configured_endpoint_urls)},
    {"defaults_mode", TEXT, AT(defaults_mode)},
    {"tcp_keepalive", CHOICE, AT(tcp_keepalive)},
    {"request_min_compression_size_bytes", BYTES, AT(request_min_compression_size_bytes)},
    {"disable_request_compression", CHOICE, AT(disable_request_compression)},
    {"client_context_params", PARAMS, AT(client_context_params)},
    {"sigv4a_signing_region_set", TEXT, AT(sigv4a_signing_region_set)},
    {"request_checksum_calculation", TEXT, AT(request_checksum_calculation)},
    {"response_checksum_validation", TEXT, AT(response_checksum_validation)},
    {"account_id_endpoint_mode", TEXT, AT(account_id_endpoint_mode)},
    {"auth_scheme_preference", TEXT, AT(auth_scheme_preference)},
};

static const struct option s3_options[] = {
    {"addressing_style", TEXT, AT(s3.addressing_style)},
    {"use_accelerate_endpoint", CHOICE, AT(s3.use_accelerate_endpoint)},
    {"use_dualstack_endpoint", CHOICE, AT(s3.use_dualstack_endpoint)},
    {"payload_signing_enabled", CHOICE, AT(s3.payload_signing_enabled)},
    {"use_arn_region", CHOICE, AT(s3.use_arn_region)},
    {"us_east_1_regional_endpoint", TEXT, AT(s3.us_east_1_regional_endpoint)},
    {"s3_disable_multiregion_access_points", CHOICE,
     AT(s3.s3_disable_multiregion_access_points)},
    {"disable_s3_express_session_auth", CHOICE, AT(s3.disable_s3_express_session_auth)},
    {"s3_disable_express_session_auth", CHOICE, AT(s3.disable_s3_express_session_auth)},
};

static const struct option proxies_config_options[] = {
    {"proxy_ca_bundle", TEXT, AT(proxies_config.proxy_ca_bundle)},
    {"proxy_client_cert", CERTIFICATE, AT(proxies_config.proxy_client_cert)},
    {"proxy_use_forwarding_for_https", CHOICE,
     AT(proxies_config.proxy_use_forwarding_for_https)},
};

struct table {
  const char *name; /* for messages: "s3"; NULL for the config itself */
  const struct option *options;
  size_t count;
};
#define TABLE(name, options) \
  { name, options, sizeof options / sizeof options[0] }
static const struct table config_table = TABLE(NULL, options);
static const struct table s3_table = TABLE("s3", s3_options);
static const struct table proxies_config_table =
    TABLE("proxies_config", proxies_config_options);

enum { MAX_PARAMS_DEPTH = 8 };

struct reading {
  struct luaws_client_config *config;
  struct luaws_reader *r;
  struct luaws_error *err;
};

/* ---- messages ---- */

static int unknown_option(struct reading *g, const struct table *t,
                          struct luaws_str key) {
  const char *nearest = t->options[0].name;
  size_t best = SIZE_MAX;
  for (size_t i = 0; i < t->count; i++) {
    struct luaws_str name = luaws_str_from(t->options[i].name);
    size_t d =
        key.len && luaws_str_starts(name, key) ? 1 : luaws_typo_distance(key, name);
    if (d >= best) continue;
    best = d;
    nearest = t->options[i].name;
  }
  return luaws_error_set(g->err, LUAWS_E_ARGUMENT, "TypeError",
                         "Got unexpected keyword argument '%s%s%.*s'; did you mean '%s'?",
                         t->name ? t->name : "", t->name ? "." : "", LUAWS_STR_ARG(key),
                         nearest);
}

static int wrong_type(struct reading *g, const char *name, const char *wanted) {
  return luaws_error_set(g->err, LUAWS_E_ARGUMENT, "TypeError",
                         "config option '%s' must be %s, not %s", name, wanted,
                         g->r->ops->type_name(g->r));
}

static int wrong_value(struct reading *g, const char *name, const char *wanted) {
  return luaws_error_set(g->err, LUAWS_E_ARGUMENT, "ValueError",
                         "config option '%s' must be %s", name, wanted);
}

/* ---- one value ---- */

static int keep_text(struct reading *g, struct luaws_str text, struct luaws_str *out) {
  *out = luaws_arena_str(&g->config->arena, text);
  return out->ptr ? 0 : luaws_error_memory(g->err);
}

static int read_text(struct reading *g, const char *name, struct luaws_str *out) {
  if (g->r->ops->kind(g->r) != LUAWS_KIND_STRING) return wrong_type(g, name, "a string");
  return keep_text(g, g->r->ops->bytes(g->r), out);
}

/* A boolean; also "true" and "false", which is what a setting would be written as. */
static int read_choice(struct reading *g, const char *name, enum luaws_choice *out) {
  enum luaws_kind kind = g->r->ops->kind(g->r);
  struct luaws_str s = LUAWS_STR_NONE;
  if (kind == LUAWS_KIND_BOOLEAN) {
    *out = g->r->ops->boolean(g->r) ? LUAWS_YES : LUAWS_NO;
    return 0;
  }
  if (kind == LUAWS_KIND_STRING) s = g->r->ops->bytes(g->r);
  bool yes = luaws_str_eq_nocase(s, LUAWS_STR("true"));
  if (!yes && !luaws_str_eq_nocase(s, LUAWS_STR("false"))) {
    return wrong_type(g, name, "a boolean");
  }
  *out = yes ? LUAWS_YES : LUAWS_NO;
  return 0;
}

static int read_text_or_choice(struct reading *g, const char *name,
                               struct luaws_str *out) {
  if (g->r->ops->kind(g->r) != LUAWS_KIND_BOOLEAN) return read_text(g, name, out);
  *out = g->r->ops->boolean(g->r) ? LUAWS_STR("true") : LUAWS_STR("false");
  return 0;
}

static int read_seconds(struct reading *g, const char *name, int *out) {
  enum luaws_kind kind = g->r->ops->kind(g->r);
  if (kind != LUAWS_KIND_INTEGER && kind != LUAWS_KIND_FLOAT) {
    return wrong_type(g, name, "a number of seconds");
  }
  double ms = g->r->ops->floating(g->r) * 1000;
  if (!(ms > 0)) return wrong_value(g, name, "greater than 0");
  *out = ms >= INT_MAX ? INT_MAX : ms < 1 ? 1 : (int)lround(ms);
  return 0;
}

static int read_integer(struct reading *g, const char *name, int64_t *out) {
  enum luaws_kind kind = g->r->ops->kind(g->r);
  if (kind == LUAWS_KIND_FLOAT) {
    double d = g->r->ops->floating(g->r);
    if (d == floor(d) && fabs(d) < 9e15) {
      *out = (int64_t)d;
      return 0;
    }
  }
  if (kind != LUAWS_KIND_INTEGER) return wrong_type(g, name, "an integer");
  *out = g->r->ops->integer(g->r);
  return 0;
}

static int read_count(struct reading *g, const char *name, int *out) {
  int64_t n = 0;
  int rc = read_integer(g, name, &n);
  if (rc == 0 && n < 1) rc = wrong_value(g, name, "at least 1");
  if (rc == 0) *out = n > INT_MAX ? INT_MAX : (int)n;
  return rc;
}

int luaws_compression_size_check(int64_t n, struct luaws_error *err) {
  if (n >= 1 && n <= 1048576) return 0;
  return luaws_error_set(err, LUAWS_E_ARGUMENT, "InvalidConfigError",
                         "Invalid value \"%lld\" for request_min_compression_size_bytes. "
                         "Value must be between 1 and 1048576.",
                         (long long)n);
}

static int read_bytes(struct reading *g, const char *name, int64_t *out) {
  int64_t n = 0;
  int rc = 0;
  if (g->r->ops->kind(g->r) == LUAWS_KIND_STRING) {
    struct luaws_str s = g->r->ops->bytes(g->r);
    if (!luaws_setting_to_int64(s, &n)) {
      return luaws_error_set(g->err, LUAWS_E_ARGUMENT, "InvalidConfigError",
                             "Invalid value \"%.*s\" for %s. Value must be an integer.",
                             LUAWS_STR_ARG(s), name);
    }
  } else {
    rc = read_integer(g, name, &n);
  }
  if (rc == 0) rc = luaws_compression_size_check(n, g->err);
  if (rc == 0) *out = n;
  return rc;
}

/* out: the certificate; right behind it the key. */
static int read_certificate(struct reading *g, const char *name, struct luaws_str *out) {
  enum luaws_kind kind = g->r->ops->kind(g->r);
  if (kind == LUAWS_KIND_STRING) {
    out[1] = LUAWS_STR_NONE;
    return read_text(g, name, out);
  }
  if (kind != LUAWS_KIND_LIST || g->r->ops->length(g->r) != 2) {
    return wrong_type(g, name, "a path, or a list of two: certificate and key");
  }
  int rc = 0;
  for (size_t i = 0; i < 2 && rc == 0; i++) {
    if (!g->r->ops->enter_item(g->r, i))
      return wrong_type(g, name, "a list of two paths");
    rc = read_text(g, name, &out[i]);
    g->r->ops->leave(g->r);
  }
  return rc;
}

/* ---- tables ---- */

static bool is_map(struct luaws_reader *r) {
  enum luaws_kind kind = r->ops->kind(r);
  return kind == LUAWS_KIND_MAP || kind == LUAWS_KIND_EMPTY;
}

static int read_proxies(struct reading *g, const char *name) {
  struct luaws_reader *r = g->r;
  if (!is_map(r)) return wrong_type(g, name, "a table");
  size_t count = r->ops->length(r), n = 0;
  struct luaws_proxy *list =
      luaws_arena_alloc(&g->config->arena, (count ? count : 1) * sizeof *list);
  struct luaws_str key;
  enum luaws_kind key_kind;
  int rc = list ? 0 : luaws_error_memory(g->err);
  if (rc) return rc;
  r->ops->begin_entries(r);
  while (r->ops->next_entry(r, &key, &key_kind)) {
    if (n == count || key_kind != LUAWS_KIND_STRING) {
      rc = wrong_value(g, name, "a table of URLs by scheme");
    } else {
      rc = keep_text(g, key, &list[n].target);
      list[n].url = LUAWS_STR("");
      if (rc == 0 && r->ops->kind(r) != LUAWS_KIND_NULL) {
        rc = read_text(g, name, &list[n].url);
      }
      n++;
    }
    r->ops->leave(r);
    if (rc == 0) continue;
    r->ops->end_entries(r);
    return rc;
  }
  g->config->proxies = list;
  g->config->proxy_count = n;
  g->config->has_proxies = true;
  return 0;
}

static int invalid_attempts(struct reading *g, int64_t n, int least_valid) {
  return luaws_error_set(g->err, LUAWS_E_ARGUMENT, "InvalidMaxRetryAttemptsError",
                         "Value provided to \"max_attempts\": %lld must be an integer "
                         "greater than or equal to %d.",
                         (long long)n, least_valid);
}

static bool is_retry_mode(struct luaws_str mode) {
  return luaws_str_is(mode, "legacy") || luaws_str_is(mode, "standard") ||
         luaws_str_is(mode, "adaptive");
}

int luaws_retry_mode_check(struct luaws_str mode, struct luaws_error *err) {
  if (is_retry_mode(mode)) return 0;
  return luaws_error_set(err, LUAWS_E_ARGUMENT, "InvalidRetryModeError",
                         "Invalid value provided to \"mode\": \"%.*s\" must be one of: "
                         "('legacy', 'standard', 'adaptive')",
                         LUAWS_STR_ARG(mode));
}

/* One entry of `retries`. *total and *retries_only: what was given, or -1. */
static int read_retry_option(struct reading *g, struct luaws_str key, int64_t *total,
                             int64_t *retries_only) {
  int rc;
  if (luaws_str_is(key, "max_attempts")) {
    rc = read_integer(g, "retries.max_attempts", retries_only);
    return rc == 0 && *retries_only < 0 ? invalid_attempts(g, *retries_only, 0) : rc;
  }
  if (luaws_str_is(key, "total_max_attempts")) {
    rc = read_integer(g, "retries.total_max_attempts", total);
    return rc == 0 && *total < 1 ? invalid_attempts(g, *total, 1) : rc;
  }
  if (luaws_str_is(key, "mode")) {
    struct luaws_str mode;
    rc = read_text(g, "retries.mode", &mode);
    if (rc == 0) rc = luaws_retry_mode_check(mode, g->err);
    if (rc == 0) g->config->retries.mode = mode;
    return rc;
  }
  return luaws_error_set(g->err, LUAWS_E_ARGUMENT, "InvalidRetryConfigurationError",
                         "Cannot provide retry configuration for \"%.*s\". Valid retry "
                         "configuration options are: ('max_attempts', 'mode', "
                         "'total_max_attempts')",
                         LUAWS_STR_ARG(key));
}

static int read_retries(struct reading *g, const char *name) {
  struct luaws_reader *r = g->r;
  int64_t total = -1, retries_only = -1;
  struct luaws_str key;
  enum luaws_kind key_kind;
  if (!is_map(r)) return wrong_type(g, name, "a table");
  r->ops->begin_entries(r);
  while (r->ops->next_entry(r, &key, &key_kind)) {
    int rc = 0;
    if (r->ops->kind(r) != LUAWS_KIND_NULL) {
      rc = read_retry_option(g, key, &total, &retries_only);
    }
    r->ops->leave(r);
    if (rc == 0) continue;
    r->ops->end_entries(r);
    return rc;
  }
  if (total < 0 && retries_only >= 0) {
    total = retries_only < INT_MAX ? retries_only + 1 : INT_MAX;
  }
  if (total > 0)
    g->config->retries.total_max_attempts = (int)(total < INT_MAX ? total : INT_MAX);
  return 0;
}

/* A copy of the value that the reader stands on. */
static int read_tree(struct reading *g, const char *name, int depth,
                     struct luaws_tree *out) {
  struct luaws_reader *r = g->r;
  enum luaws_kind kind = r->ops->kind(r);
  struct luaws_tree **end = &out->first;
  int rc = 0;
  if (depth > MAX_PARAMS_DEPTH) return wrong_value(g, name, "less deep");
  out->kind = kind == LUAWS_KIND_EMPTY ? LUAWS_KIND_MAP : kind;
  switch (kind) {
  case LUAWS_KIND_NULL:
  case LUAWS_KIND_EMPTY:
    return 0;
  case LUAWS_KIND_BOOLEAN:
    out->boolean = r->ops->boolean(r);
    return 0;
  case LUAWS_KIND_INTEGER:
    out->integer = r->ops->integer(r);
    return 0;
  case LUAWS_KIND_FLOAT:
    out->floating = r->ops->floating(r);
    return 0;
  case LUAWS_KIND_STRING:
    return keep_text(g, r->ops->bytes(r), &out->text);
  case LUAWS_KIND_LIST:
    for (size_t i = 0; rc == 0 && r->ops->enter_item(r, i); i++) {
      *end = luaws_arena_alloc(&g->config->arena, sizeof **end);
      rc = *end ? read_tree(g, name, depth + 1, *end) : luaws_error_memory(g->err);
      r->ops->leave(r);
      if (rc == 0) end = &(*end)->next;
      out->count++;
    }
    return rc;
  case LUAWS_KIND_MAP:
    break;
  default:
    return wrong_type(g, name, "made of strings, numbers, booleans and tables");
  }
  struct luaws_str key;
  enum luaws_kind key_kind;
  r->ops->begin_entries(r);
  while (r->ops->next_entry(r, &key, &key_kind)) {
    *end = luaws_arena_alloc(&g->config->arena, sizeof **end);
    rc = *end ? keep_text(g, key, &(*end)->key) : luaws_error_memory(g->err);
    if (rc == 0) rc = read_tree(g, name, depth + 1, *end);
    r->ops->leave(r);
    if (rc) {
      r->ops->end_entries(r);
      return rc;
    }
    end = &(*end)->next;
    out->count++;
  }
  return 0;
}

static int read_params(struct reading *g, const char *name) {
  if (!is_map(g->r)) return wrong_type(g, name, "a table");
  struct luaws_tree *t = luaws_arena_alloc(&g->config->arena, sizeof *t);
  int rc = t ? read_tree(g, name, 0, t) : luaws_error_memory(g->err);
  if (rc == 0) g->config->client_context_params = t;
  return rc;
}

static int read_table(struct reading *g, const struct table *t);

int luaws_s3_addressing_style_check(struct luaws_str style, struct luaws_error *err) {
  if (!style.ptr || luaws_str_is(style, "auto") || luaws_str_is(style, "virtual") ||
      luaws_str_is(style, "path")) {
    return 0;
  }
  return luaws_error_set(
      err, LUAWS_E_ARGUMENT, "InvalidS3AddressingStyleError",
      "S3 addressing style %.*s is invalid. Valid options are: 'auto', "
      "'virtual', and 'path'",
      LUAWS_STR_ARG(style));
}

static int read_option(struct reading *g, const struct option *o) {
  void *at = (char *)g->config + o->offset;
  int rc;
  switch (o->type) {
  case TEXT:
    return read_text(g, o->name, at);
  case CHOICE:
    return read_choice(g, o->name, at);
  case TEXT_OR_CHOICE:
    return read_text_or_choice(g, o->name, at);
  case SECONDS:
    return read_seconds(g, o->name, at);
  case COUNT:
    return read_count(g, o->name, at);
  case BYTES:
    return read_bytes(g, o->name, at);
  case CERTIFICATE:
    return read_certificate(g, o->name, at);
  case PROXIES:
    return read_proxies(g, o->name);
  case PROXIES_CONFIG:
    return is_map(g->r) ? read_table(g, &proxies_config_table)
                        : wrong_type(g, o->name, "a table");
  case S3:
    rc = is_map(g->r) ? read_table(g, &s3_table) : wrong_type(g, o->name, "a table");
    return rc ? rc
              : luaws_s3_addressing_style_check(g->config->s3.addressing_style, g->err);
  case RETRIES:
    return read_retries(g, o->name);
  case PARAMS:
    return read_params(g, o->name);
  }
  return 0;
}

static int read_entry(struct reading *g, const struct table *t, struct luaws_str key) {
  for (size_t i = 0; i < t->count; i++) {
    if (!luaws_str_is(key, t->options[i].name)) continue;
    return g->r->ops->kind(g->r) == LUAWS_KIND_NULL ? 0 : read_option(g, &t->options[i]);
  }
  return unknown_option(g, t, key);
}

static int read_table(struct reading *g, const struct table *t) {
  struct luaws_str key;
  enum luaws_kind key_kind;
  g->r->ops->begin_entries(g->r);
  while (g->r->ops->next_entry(g->r, &key, &key_kind)) {
    int rc = read_entry(g, t, key);
    g->r->ops->leave(g->r);
    if (rc == 0) continue;
    g->r->ops->end_entries(g->r);
    return rc;
  }
  return 0;
}

int luaws_client_config_read(struct luaws_client_config *c, struct luaws_reader *r,
                             struct luaws_error *err) {
  struct reading g = {c, r, err};
  enum luaws_kind kind = r->ops->kind(r);
  if (kind == LUAWS_KIND_NONE || kind == LUAWS_KIND_NULL) return 0;
  if (!is_map(r)) {
    return luaws_error_set(err, LUAWS_E_ARGUMENT, "TypeError",
                           "config must be a table, not %s", r->ops->type_name(r));
  }
  return read_table(&g, &config_table);
}

void luaws_client_config_clear(struct luaws_client_config *c) {
  luaws_arena_wipe(&c->arena); /* proxies may hold passwords */
  *c = (struct luaws_client_config){0};
}

/* ---- merging ---- */

static struct luaws_tree *copy_tree(struct luaws_arena *arena, const struct luaws_tree *t,
                                    bool *ok) {
  struct luaws_tree *copy = luaws_arena_alloc(arena, sizeof *copy);
  *ok = *ok && copy;
  if (!copy) return NULL;
  *copy = *t;
  copy->next = NULL;
  if (t->key.ptr) copy->key = luaws_arena_str(arena, t->key);
  if (t->kind == LUAWS_KIND_STRING) copy->text = luaws_arena_str(arena, t->text);
  if (t->kind != LUAWS_KIND_LIST && t->kind != LUAWS_KIND_MAP) return copy;
  struct luaws_tree **end = &copy->first;
  *end = NULL;
  for (const struct luaws_tree *i = t->first; i && *ok; i = i->next) {
    *end = copy_tree(arena, i, ok);
    if (*end) end = &(*end)->next;
  }
  return copy;
}

static bool merge_text(struct luaws_client_config *to, struct luaws_str *at,
                       struct luaws_str from) {
  if (!from.ptr) return true;
  *at = luaws_arena_str(&to->arena, from);
  return at->ptr != NULL;
}

static bool merge_proxies(struct luaws_client_config *to,
                          const struct luaws_client_config *from) {
  if (!from->has_proxies) return true;
  size_t n = from->proxy_count;
  struct luaws_proxy *list = luaws_arena_alloc(&to->arena, (n ? n : 1) * sizeof *list);
  bool ok = list != NULL;
  for (size_t i = 0; i < n && ok; i++) {
    list[i].target = luaws_arena_str(&to->arena, from->proxies[i].target);
    list[i].url = luaws_arena_str(&to->arena, from->proxies[i].url);
    ok = list[i].target.ptr && list[i].url.ptr;
  }
  to->proxies = list;
  to->proxy_count = ok ? n : 0;
  to->has_proxies = true;
  return ok;
}

static bool merge_table(struct luaws_client_config *to,
                        const struct luaws_client_config *from, const struct table *t);

static bool merge_option(struct luaws_client_config *to,
                         const struct luaws_client_config *from, const struct option *o) {
  void *at = (char *)to + o->offset;
  const void *with = (const char *)from + o->offset;
  bool ok = true;
  switch (o->type) {
  case TEXT:
  case TEXT_OR_CHOICE:
    return merge_text(to, at, *(const struct luaws_str *)with);
  case CERTIFICATE:
    if (!((const struct luaws_str *)with)->ptr) return true;
    ((struct luaws_str *)at)[1] = LUAWS_STR_NONE;
    return merge_text(to, at, ((const struct luaws_str *)with)[0]) &&
           merge_text(to, (struct luaws_str *)at + 1,
                      ((const struct luaws_str *)with)[1]);
  case CHOICE:
    if (*(const enum luaws_choice *)with)
      *(enum luaws_choice *)at = *(const enum luaws_choice *)with;
    return true;
  case SECONDS:
  case COUNT:
    if (*(const int *)with) *(int *)at = *(const int *)with;
    return true;
  case BYTES:
    if (*(const int64_t *)with) *(int64_t *)at = *(const int64_t *)with;
    return true;
  case PROXIES:
    return merge_proxies(to, from);
  case PROXIES_CONFIG:
    return merge_table(to, from, &proxies_config_table);
  case S3:
    return merge_table(to, from, &s3_table);
  case RETRIES:
    if (from->retries.total_max_attempts) {
      to->retries.total_max_attempts = from->retries.total_max_attempts;
    }
    return merge_text(to, &to->retries.mode, from->retries.mode);
  case PARAMS:
    if (!from->client_context_params) return true;
    to->client_context_params = copy_tree(&to->arena, from->client_context_params, &ok);
    return ok;
  }
  return true;
}

static bool merge_table(struct luaws_client_config *to,
                        const struct luaws_client_config *from, const struct table *t) {
  bool ok = true;
  for (size_t i = 0; i < t->count && ok; i++)
    ok = merge_option(to, from, &t->options[i]);
  return ok;
}

int luaws_client_config_merge(struct luaws_client_config *to,
                              const struct luaws_client_config *from,
                              struct luaws_error *err) {
  return merge_table(to, from, &config_table) ? 0 : luaws_error_memory(err);
}

/* ---- writing ---- */

static void write_key(struct luaws_writer *w, const char *name) {
  w->ops->key(w, luaws_str_from(name));
}

static void write_text(struct luaws_writer *w, const char *name, struct luaws_str text) {
  if (!text.ptr) return;
  write_key(w, name);
  w->ops->bytes(w, text);
}

static void write_tree(struct luaws_writer *w, const struct luaws_tree *t) {
  switch (t->kind) {
  case LUAWS_KIND_BOOLEAN:
    w->ops->boolean(w, t->boolean);
    break;
  case LUAWS_KIND_INTEGER:
    w->ops->integer(w, t->integer);
    break;
  case LUAWS_KIND_FLOAT:
    w->ops->floating(w, t->floating);
    break;
  case LUAWS_KIND_STRING:
    w->ops->bytes(w, t->text);
    break;
  case LUAWS_KIND_LIST:
    w->ops->begin_list(w, t->count, true);
    for (const struct luaws_tree *i = t->first; i; i = i->next)
      write_tree(w, i);
    w->ops->end_list(w);
    break;
  case LUAWS_KIND_MAP:
    w->ops->begin_map(w, t->count, true);
    for (const struct luaws_tree *i = t->first; i; i = i->next) {
      w->ops->key(w, i->key);
      write_tree(w, i);
    }
    w->ops->end_map(w);
    break;
  default:
    w->ops->null(w);
  }
}

static void write_certificate(struct luaws_writer *w, const char *name,
                              const struct luaws_str *pair) {
  if (!pair[0].ptr || !pair[1].ptr) {
    write_text(w, name, pair[0]);
    return;
  }
  write_key(w, name);
  w->ops->begin_list(w, 2, true);
  w->ops->bytes(w, pair[0]);
  w->ops->bytes(w, pair[1]);
  w->ops->end_list(w);
}

static void write_proxies(const struct luaws_client_config *c, struct luaws_writer *w) {
  if (!c->has_proxies) return;
  write_key(w, "proxies");
  w->ops->begin_map(w, c->proxy_count, true);
  for (size_t i = 0; i < c->proxy_count; i++) {
    w->ops->key(w, c->proxies[i].target);
    w->ops->bytes(w, c->proxies[i].url);
  }
  w->ops->end_map(w);
}

static void write_retries(const struct luaws_client_config *c, struct luaws_writer *w) {
  if (!c->retries.mode.ptr && !c->retries.total_max_attempts) return;
  write_key(w, "retries");
  w->ops->begin_map(w, 2, true);
  write_text(w, "mode", c->retries.mode);
  if (c->retries.total_max_attempts) {
    write_key(w, "total_max_attempts");
    w->ops->integer(w, c->retries.total_max_attempts);
  }
  w->ops->end_map(w);
}

static void write_table(const struct luaws_client_config *c, const struct table *t,
                        struct luaws_writer *w);

static void write_option(const struct luaws_client_config *c, const struct option *o,
                         struct luaws_writer *w) {
  const void *at = (const char *)c + o->offset;
  int64_t n = 0;
  switch (o->type) {
  case TEXT:
  case TEXT_OR_CHOICE:
    write_text(w, o->name, *(const struct luaws_str *)at);
    return;
  case CHOICE:
    if (*(const enum luaws_choice *)at == LUAWS_UNSET) return;
    write_key(w, o->name);
    w->ops->boolean(w, *(const enum luaws_choice *)at == LUAWS_YES);
    return;
  case SECONDS:
    n = *(const int *)at;
    if (n) write_key(w, o->name);
    if (n && n % 1000 == 0) {
      w->ops->integer(w, n / 1000);
    } else if (n) {
      w->ops->floating(w, (double)n / 1000);
    }
    return;
  case COUNT:
  case BYTES:
    n = o->type == COUNT ? *(const int *)at : *(const int64_t *)at;
    if (!n) return;
    write_key(w, o->name);
    w->ops->integer(w, n);
    return;
  case CERTIFICATE:
    write_certificate(w, o->name, at);
    return;
  case PROXIES:
    write_proxies(c, w);
    return;
  case PROXIES_CONFIG:
    write_key(w, o->name);
    write_table(c, &proxies_config_table, w);
    return;
  case S3:
    write_key(w, o->name);
    write_table(c, &s3_table, w);
    return;
  case RETRIES:
    write_retries(c, w);
    return;
  case PARAMS:
    if (!c->client_context_params) return;
    write_key(w, o->name);
    write_tree(w, c->client_context_params);
    return;
  }
}

static void write_table(const struct luaws_client_config *c, const struct table *t,
                        struct luaws_writer *w) {
  w->ops->begin_map(w, t->count, true);
  for (size_t i = 0; i < t->count; i++) {
    /* The second of two names for one option. */
    if (i && t->options[i].offset == t->options[i - 1].offset) continue;
    write_option(c, &t->options[i], w);
  }
  w->ops->end_map(w);
}

void luaws_client_config_write(const struct luaws_client_config *c,
                               struct luaws_writer *w) {
  write_table(c, &config_table, w);
}
