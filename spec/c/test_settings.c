/* Each case of spec/fixtures/settings.json (see scripts/settings-fixtures.py) is a home
   folder, an environment and some arguments, with what botocore makes of them. */
#include "credentials/chain.h"
#include "settings/client_config.h"
#include "settings/region.h"
#include "settings/shell_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- a home folder and an environment ---- */

struct world {
  char home[64];
  struct luaws_arena arena;
  const struct luaws_tree *env; /* a map, or NULL */
  struct luaws_str files[8];    /* made, to be removed */
  int file_count;
};

/* "@HOME@" in a fixture is the home folder; "@FF@" in a file, bytes that are no UTF-8. */
static const char *fill_home(struct world *w, struct luaws_str text) {
  struct luaws_buf b = {0};
  ptrdiff_t at;
  luaws_buf_append_cstr(&b, "");
  while ((at = luaws_str_find_str(text, LUAWS_STR("@HOME@"))) >= 0) {
    luaws_buf_append(&b, text.ptr, (size_t)at);
    luaws_buf_append_cstr(&b, w->home);
    text = luaws_str_sub(text, (size_t)at + 6, SIZE_MAX);
  }
  luaws_buf_append_str(&b, text);
  const char *copy = luaws_arena_str(&w->arena, luaws_buf_str(&b)).ptr;
  luaws_buf_clear(&b);
  return copy;
}

static const char *get_variable(void *arg, const char *name) {
  struct world *w = arg;
  if (strcmp(name, "HOME") == 0) return w->home;
  if (strcmp(name, "AWS_EC2_METADATA_DISABLED") == 0) return "true";
  const struct luaws_tree *v = luaws_tree_get(w->env, name);
  return v ? fill_home(w, v->text) : NULL;
}

static void write_file(struct world *w, struct luaws_str name, struct luaws_str text) {
  struct luaws_buf path = {0};
  luaws_buf_printf(&path, "%s/%.*s", w->home, LUAWS_STR_ARG(name));
  w->files[w->file_count++] = luaws_arena_str(&w->arena, luaws_buf_str(&path));
  FILE *f = fopen(path.ptr, "w");
  luaws_buf_clear(&path);
  assert_non_null(f);
  char *content = (char *)fill_home(w, text), *bad = strstr(content, "@FF@");
  if (bad) memset(bad, 0xff, 4);
  assert_int_equal(fwrite(content, 1, strlen(content), f), strlen(content));
  fclose(f);
}

static void open_world(struct world *w, const struct luaws_tree *files,
                       const struct luaws_tree *env) {
  char folder[80];
  *w = (struct world){.env = env};
  strcpy(w->home, "/tmp/luaws-settings-XXXXXX");
  assert_non_null(mkdtemp(w->home));
  snprintf(folder, sizeof folder, "%s/.aws", w->home);
  assert_int_equal(mkdir(folder, 0700), 0);
  for (const struct luaws_tree *f = files ? files->first : NULL; f; f = f->next)
    write_file(w, f->key, f->text);
}

static void close_world(struct world *w) {
  char folder[80];
  for (int i = 0; i < w->file_count; i++)
    unlink(w->files[i].ptr);
  snprintf(folder, sizeof folder, "%s/.aws", w->home);
  rmdir(folder);
  rmdir(w->home);
  luaws_arena_clear(&w->arena);
}

static struct luaws_settings *new_settings(struct world *w, struct luaws_str profile) {
  struct luaws_settings *s = NULL;
  struct luaws_settings_options o = {
      .profile_name = profile, .getenv = get_variable, .getenv_arg = w};
  assert_int_equal(luaws_settings_new(&o, &s, NULL), 0);
  return s;
}

/* ---- comparing ---- */

/* exact false: a map may hold more than is expected of it. */
static bool equal(struct world *w, const struct luaws_tree *a, const struct luaws_tree *b,
                  bool exact) {
  if (!a || !b)
    return (!a || a->kind == LUAWS_KIND_NULL) && (!b || b->kind == LUAWS_KIND_NULL);
  if (a->kind == LUAWS_KIND_FLOAT && b->kind == LUAWS_KIND_INTEGER) {
    return a->floating == (double)b->integer;
  }
  if (a->kind != b->kind) return false;
  switch (a->kind) {
  case LUAWS_KIND_BOOLEAN:
    return a->boolean == b->boolean;
  case LUAWS_KIND_INTEGER:
    return a->integer == b->integer;
  case LUAWS_KIND_FLOAT:
    return a->floating == b->floating;
  case LUAWS_KIND_STRING:
    return luaws_str_is(b->text, fill_home(w, a->text));
  case LUAWS_KIND_LIST:
  case LUAWS_KIND_MAP:
    break;
  default:
    return true;
  }
  if (exact && a->count != b->count) return false;
  const struct luaws_tree *y = b->first;
  for (const struct luaws_tree *x = a->first; x; x = x->next) {
    if (a->kind == LUAWS_KIND_MAP) {
      for (y = b->first; y && !luaws_str_eq(y->key, x->key); y = y->next) {
      }
    }
    if (!equal(w, x, y, exact)) return false;
    if (a->kind == LUAWS_KIND_LIST) y = y->next;
  }
  return true;
}

static struct luaws_tree *new_node(struct luaws_arena *a, enum luaws_kind kind) {
  struct luaws_tree *t = luaws_arena_alloc(a, sizeof *t);
  t->kind = kind;
  return t;
}

static void put(struct luaws_tree *map, struct luaws_str key, struct luaws_tree *value) {
  struct luaws_tree **end = &map->first;
  while (*end)
    end = &(*end)->next;
  value->key = key;
  *end = value;
  map->count++;
}

static struct luaws_tree *new_text(struct luaws_arena *a, struct luaws_str text) {
  struct luaws_tree *t = new_node(a, text.ptr ? LUAWS_KIND_STRING : LUAWS_KIND_NULL);
  t->text = luaws_arena_str(a, text);
  return t;
}

/* {"error": kind, "message": text}, as the fixture has it. */
static struct luaws_tree *new_error(struct luaws_arena *a, struct luaws_error *err,
                                    const struct luaws_tree *expected) {
  struct luaws_tree *t = new_node(a, LUAWS_KIND_MAP);
  put(t, LUAWS_STR("error"), new_text(a, luaws_str_from(err->kind)));
  if (luaws_tree_get(expected, "message")) {
    struct luaws_str said = luaws_str_from(luaws_error_message(err));
    if (err->advice_at) said = luaws_str_sub(said, 0, err->advice_at);
    put(t, LUAWS_STR("message"), new_text(a, said));
  }
  luaws_error_clear(err);
  return t;
}

static int failures;

static void compare(struct world *w, struct luaws_str name, const char *what,
                    const struct luaws_tree *expected, const struct luaws_tree *got,
                    bool exact) {
  if (equal(w, expected, got, exact)) return;
  struct luaws_buf b = {0};
  luaws_buf_printf(&b, "%.*s: %s\n  expected ", LUAWS_STR_ARG(name), what);
  if (expected) luaws_tree_print(expected, &b, 0);
  luaws_buf_append_cstr(&b, "\n  got      ");
  if (got) luaws_tree_print(got, &b, 0);
  fprintf(stderr, "%s\n", b.ptr);
  luaws_buf_clear(&b);
  failures++;
}

/* ---- what is looked at ---- */

static struct luaws_tree *values_tree(struct luaws_arena *a,
                                      const struct luaws_ini_value *v) {
  struct luaws_tree *map = new_node(a, LUAWS_KIND_MAP);
  for (; v; v = v->next)
    put(map, v->key, v->is_block ? values_tree(a, v->first) : new_text(a, v->text));
  return map;
}

static void put_sections(struct luaws_arena *a, struct luaws_tree *map,
                         const struct luaws_ini_section *s) {
  for (; s; s = s->next)
    put(map, s->name, values_tree(a, s->first));
}

static void check_full_config(struct world *w, struct luaws_settings *s,
                              struct luaws_str name, const struct luaws_tree *expected) {
  static const char *const groups[] = {"profiles", "sso_sessions", "services"};
  const struct luaws_profiles *files = NULL;
  struct luaws_error err = {0};
  struct luaws_tree *got = new_node(&w->arena, LUAWS_KIND_MAP);
  if (!expected) return;
  if (luaws_settings_profiles(s, &files, &err)) {
    got = new_error(&w->arena, &err, expected);
  } else {
    const struct luaws_ini_section *lists[] = {files->profiles, files->sso_sessions,
                                               files->services};
    put_sections(&w->arena, got, files->others);
    for (int i = 0; i < 3; i++) {
      if (!luaws_tree_get(expected, groups[i])) continue; /* no config file at all */
      struct luaws_tree *group = new_node(&w->arena, LUAWS_KIND_MAP);
      put_sections(&w->arena, group, lists[i]);
      put(got, luaws_str_from(groups[i]), group);
    }
  }
  compare(w, name, "full_config", expected, got, true);
}

static void check_variables(struct world *w, struct luaws_settings *s,
                            struct luaws_str name, const struct luaws_tree *expected,
                            const struct luaws_tree *defaults) {
  for (const struct luaws_tree *d = defaults->first; d; d = d->next) {
    struct luaws_error err = {0};
    struct luaws_tree_writer writer;
    const struct luaws_tree *want = d, *got;
    for (const struct luaws_tree *e = expected->first; e; e = e->next) {
      if (luaws_str_eq(e->key, d->key)) want = e;
    }
    luaws_tree_writer_init(&writer, &w->arena);
    int rc = luaws_settings_write(s, d->key, LUAWS_LOOK_EVERYWHERE, &writer.base, &err);
    got = rc ? new_error(&w->arena, &err, want) : writer.root;
    struct luaws_buf label = {0};
    luaws_buf_printf(&label, "variable %.*s", LUAWS_STR_ARG(d->key));
    compare(w, name, label.ptr, want, got, true);
    luaws_buf_clear(&label);
  }
}

static void check_credentials(struct world *w, struct luaws_settings *s,
                              struct luaws_str name, const struct luaws_tree *expected) {
  struct luaws_provider_context context = {.settings = s};
  assert_int_equal(luaws_loop_new(&context.loop, NULL), 0);
  struct luaws_chain *chain = luaws_chain_new(&context);
  struct luaws_credentials *c = NULL;
  struct luaws_error err = {0};
  struct luaws_tree *got = NULL;
  int rc;
  while ((rc = luaws_chain_get(chain, NULL, &c, &err)) == LUAWS_PENDING)
    luaws_loop_turn(context.loop, -1, NULL); /* a program runs */
  if (rc < 0) got = new_error(&w->arena, &err, expected);
  if (rc == LUAWS_FOUND) {
    struct luaws_arena *a = &w->arena;
    got = new_node(a, LUAWS_KIND_MAP);
    put(got, LUAWS_STR("access_key"), new_text(a, c->access_key));
    put(got, LUAWS_STR("secret_key"), new_text(a, c->secret_key));
    put(got, LUAWS_STR("token"), new_text(a, c->token));
    put(got, LUAWS_STR("account_id"), new_text(a, c->account_id));
    put(got, LUAWS_STR("method"), new_text(a, c->method));
    if (c->expiry_s) {
      struct luaws_tree *expiry = new_node(a, LUAWS_KIND_INTEGER);
      expiry->integer = c->expiry_s;
      put(got, LUAWS_STR("expiry"), expiry);
    }
    luaws_credentials_release(c);
  }
  compare(w, name, "credentials", expected, got, true);
  luaws_chain_free(chain);
  luaws_loop_free(context.loop);
}

static void check_endpoint_url(struct world *w, struct luaws_settings *s,
                               struct luaws_str name, struct luaws_str service,
                               const struct luaws_tree *expected) {
  struct luaws_setting v;
  struct luaws_error err = {0};
  const struct luaws_tree *got;
  if (luaws_settings_endpoint_url(s, service, &v, &err)) {
    got = new_error(&w->arena, &err, expected);
  } else {
    got = new_text(&w->arena, v.text);
  }
  compare(w, name, "endpoint_url", expected, got, true);
}

static void check_client_config(struct world *w, struct luaws_settings *s,
                                const struct luaws_tree *c,
                                const struct luaws_node *defaults,
                                const struct luaws_tree *expected) {
  struct luaws_client_config config = {0};
  struct luaws_error err = {0};
  struct luaws_tree_reader reader;
  struct luaws_tree_writer writer;
  const struct luaws_tree *table = luaws_tree_get(c, "client");
  struct luaws_client_config_context context = {
      .settings = s,
      .region = luaws_tree_text(c, "region_name"),
      .defaults = defaults,
  };
  int rc = 0;
  if (!expected) return;
  if (table) {
    luaws_tree_reader_init(&reader, table);
    rc = luaws_client_config_read(&config, &reader.base, &err);
  }
  if (rc == 0) rc = luaws_client_config_resolve(&config, &context, &err);
  luaws_tree_writer_init(&writer, &w->arena);
  if (rc == 0) luaws_client_config_write(&config, &writer.base);
  const struct luaws_tree *got = rc ? new_error(&w->arena, &err, expected) : writer.root;
  compare(w, luaws_tree_text(c, "name"), "client_config", expected, got, false);
  luaws_client_config_clear(&config);
}

/* ---- the cases ---- */

static struct luaws_buf read_fixture(const char *path) {
  struct luaws_buf text = {0};
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  while (luaws_buf_reserve(&text, 65536)) {
    size_t n = fread(text.ptr + text.len, 1, 65536, f);
    text.len += n;
    if (n == 0) break;
  }
  fclose(f);
  return text;
}

static void run_case(const struct luaws_tree *c, const struct luaws_tree *default_values,
                     const struct luaws_node *mode_defaults) {
  struct world w;
  const struct luaws_tree *expect = luaws_tree_get(c, "expect");
  struct luaws_str name = luaws_tree_text(c, "name");
  struct luaws_str service = luaws_tree_text(c, "service");
  if (!service.ptr) service = LUAWS_STR("ec2");
  open_world(&w, luaws_tree_get(c, "files"), luaws_tree_get(c, "env"));
  struct luaws_settings *s = new_settings(&w, luaws_tree_text(c, "profile"));
  check_full_config(&w, s, name, luaws_tree_get(expect, "full_config"));
  check_variables(&w, s, name, luaws_tree_get(expect, "variables"), default_values);
  check_credentials(&w, s, name, luaws_tree_get(expect, "credentials"));
  check_endpoint_url(&w, s, name, service, luaws_tree_get(expect, "endpoint_url"));
  check_client_config(&w, s, c, mode_defaults, luaws_tree_get(expect, "client_config"));
  luaws_settings_free(s);
  close_world(&w);
}

static void
files_environment_and_arguments_mean_what_they_mean_to_botocore(void **state) {
  (void)state;
  struct luaws_buf text = read_fixture(LUAWS_SPEC_DIR "/fixtures/settings.json");
  struct luaws_arena arena = {0};
  struct luaws_tree *root = NULL;
  struct luaws_error err = {0};
  struct luaws_pack *pack = NULL;
  const void *mode_defaults = NULL;
  assert_int_equal(luaws_pack_open(LUAWS_DATA_DIR "/models.pack", &pack, &err), 0);
  struct luaws_models *models = luaws_models_new(pack);
  assert_int_equal(luaws_models_find(models, LUAWS_SECTION_DEFAULTS, LUAWS_STR_NONE,
                                     LUAWS_STR_NONE, &mode_defaults, &err),
                   0);
  assert_int_equal(luaws_tree_parse(&arena, luaws_buf_str(&text), &root, &err), 0);
  const struct luaws_tree *cases = luaws_tree_get(root, "cases");
  assert_true(cases->count > 150);
  failures = 0;
  for (const struct luaws_tree *c = cases->first; c; c = c->next)
    run_case(c, luaws_tree_get(root, "defaults"), mode_defaults);
  luaws_models_free(models);
  luaws_pack_release(pack);
  luaws_arena_clear(&arena);
  luaws_buf_clear(&text);
  assert_int_equal(failures, 0);
}

/* ---- what botocore does not say ---- */

static struct luaws_tree *parse(struct luaws_arena *a, const char *json) {
  struct luaws_tree *t = NULL;
  assert_int_equal(luaws_tree_parse(a, luaws_str_from(json), &t, NULL), 0);
  return t;
}

static void a_value_knows_where_it_came_from(void **state) {
  struct world w;
  struct luaws_arena a = {0};
  struct luaws_buf source = {0}, expected = {0};
  struct luaws_setting v;
  (void)state;
  open_world(&w,
             parse(&a, "{\".aws/config\": \"[default]\\n\\nregion = r\\ns3 =\\n"
                       "  use_arn_region = true\\n\"}"),
             parse(&a, "{\"AWS_MAX_ATTEMPTS\": \"4\"}"));
  struct luaws_settings *s = new_settings(&w, LUAWS_STR_NONE);
  assert_true(luaws_settings_override(s, LUAWS_SETTING_RETRY_MODE, LUAWS_STR("legacy")));
  luaws_buf_printf(&expected,
                   "%s/.aws/config:3 %s/.aws/config:5 AWS_MAX_ATTEMPTS argument "
                   "default not set ",
                   w.home, w.home);
  static const enum luaws_setting_id ids[] = {
      LUAWS_SETTING_REGION,        LUAWS_SETTING_S3_USE_ARN_REGION,
      LUAWS_SETTING_MAX_ATTEMPTS,  LUAWS_SETTING_RETRY_MODE,
      LUAWS_SETTING_DEFAULTS_MODE, LUAWS_SETTING_CA_BUNDLE,
  };
  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
    assert_int_equal(luaws_settings_get(s, ids[i], &v, NULL), 0);
    luaws_setting_describe_source(&v, &source);
    luaws_buf_append_char(&source, ' ');
  }
  assert_string_equal(source.ptr, expected.ptr);
  luaws_buf_clear(&source);
  luaws_buf_clear(&expected);
  luaws_settings_free(s);
  close_world(&w);
  luaws_arena_clear(&a);
}

static void a_wrong_value_is_told_with_its_name_and_place(void **state) {
  struct world w;
  struct luaws_arena a = {0};
  struct luaws_error err = {0};
  struct luaws_setting v;
  (void)state;
  open_world(&w, NULL, parse(&a, "{\"AWS_MAX_ATTEMPTS\": \"many\"}"));
  struct luaws_settings *s = new_settings(&w, LUAWS_STR_NONE);
  assert_int_equal(luaws_settings_get(s, LUAWS_SETTING_MAX_ATTEMPTS, &v, &err),
                   LUAWS_E_CONFIG);
  assert_string_equal(err.kind, "ValueError");
  assert_string_equal(err.message,
                      "Invalid value \"many\" for max_attempts. Value must be "
                      "an integer. (From AWS_MAX_ATTEMPTS)");
  luaws_error_clear(&err);
  luaws_settings_free(s);
  close_world(&w);
  luaws_arena_clear(&a);
}

static void an_override_can_be_taken_back(void **state) {
  struct world w;
  struct luaws_str text;
  (void)state;
  open_world(&w, NULL, NULL);
  struct luaws_settings *s = new_settings(&w, LUAWS_STR_NONE);
  assert_true(luaws_settings_override(s, LUAWS_SETTING_REGION, LUAWS_STR("mine")));
  assert_int_equal(luaws_settings_text(s, LUAWS_SETTING_REGION, &text, NULL), 0);
  assert_true(luaws_str_is(text, "mine"));
  assert_true(luaws_settings_override(s, LUAWS_SETTING_REGION, LUAWS_STR_NONE));
  assert_int_equal(luaws_settings_text(s, LUAWS_SETTING_REGION, &text, NULL), 0);
  assert_null(text.ptr);
  assert_false(luaws_settings_profile_in_code(s));
  assert_int_equal(luaws_setting_find(LUAWS_STR("nonsense")), LUAWS_SETTING_COUNT);
  assert_int_equal(luaws_setting_find(LUAWS_STR("s3.addressing_style")),
                   LUAWS_SETTING_S3_ADDRESSING_STYLE);
  luaws_settings_free(s);
  close_world(&w);
}

static const struct {
  const char *json, *kind, *message;
} bad_configs[] = {
    {"[1]", "TypeError", "config must be a table, not array"},
    {"{\"retrys\": {}}", "TypeError",
     "Got unexpected keyword argument 'retrys'; did you mean 'retries'?"},
    {"{\"regoin_name\": \"x\"}", "TypeError",
     "Got unexpected keyword argument 'regoin_name'; did you mean 'region_name'?"},
    {"{\"s3\": {\"adressing_style\": \"path\"}}", "TypeError",
     "Got unexpected keyword argument 's3.adressing_style'; did you mean "
     "'addressing_style'?"},
    {"{\"proxies_config\": {\"ca\": \"x\"}}", "TypeError",
     "Got unexpected keyword argument 'proxies_config.ca'; did you mean "
     "'proxy_ca_bundle'?"},
    {"{\"region_name\": 7}", "TypeError",
     "config option 'region_name' must be a string, not number"},
    {"{\"tcp_keepalive\": 1}", "TypeError",
     "config option 'tcp_keepalive' must be a boolean, not number"},
    {"{\"connect_timeout\": \"1\"}", "TypeError",
     "config option 'connect_timeout' must be a number of seconds, not string"},
    {"{\"connect_timeout\": 0}", "ValueError",
     "config option 'connect_timeout' must be greater than 0"},
    {"{\"max_pool_connections\": 0}", "ValueError",
     "config option 'max_pool_connections' must be at least 1"},
    {"{\"max_pool_connections\": 1.5}", "TypeError",
     "config option 'max_pool_connections' must be an integer, not number"},
    {"{\"client_cert\": [\"a\"]}", "TypeError",
     "config option 'client_cert' must be a path, or a list of two: certificate and key, "
     "not array"},
    {"{\"client_cert\": [\"a\", 1]}", "TypeError",
     "config option 'client_cert' must be a string, not number"},
    {"{\"proxies\": {\"http\": true}}", "TypeError",
     "config option 'proxies' must be a string, not boolean"},
    {"{\"retries\": 3}", "TypeError",
     "config option 'retries' must be a table, not number"},
    {"{\"retries\": {\"mode\": \"fast\"}}", "InvalidRetryModeError",
     "Invalid value provided to \"mode\": \"fast\" must be one of: ('legacy', "
     "'standard', "
     "'adaptive')"},
    {"{\"request_min_compression_size_bytes\": \"1k\"}", "InvalidConfigError",
     "Invalid value \"1k\" for request_min_compression_size_bytes. Value must be an "
     "integer."},
    {"{\"client_context_params\": 1}", "TypeError",
     "config option 'client_context_params' must be a table, not number"},
};

static void a_wrong_option_is_refused_by_name(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof bad_configs / sizeof bad_configs[0]; i++) {
    struct luaws_arena a = {0};
    struct luaws_client_config c = {0};
    struct luaws_tree_reader r;
    struct luaws_error err = {0};
    luaws_tree_reader_init(&r, parse(&a, bad_configs[i].json));
    assert_int_equal(luaws_client_config_read(&c, &r.base, &err), LUAWS_E_ARGUMENT);
    assert_string_equal(err.kind, bad_configs[i].kind);
    assert_string_equal(err.message, bad_configs[i].message);
    luaws_error_clear(&err);
    luaws_client_config_clear(&c);
    luaws_arena_clear(&a);
  }
}

static const char every_option[] =
    "{\"region_name\": \"r\", \"signature_version\": \"v4\", \"user_agent\": \"u\", "
    "\"user_agent_extra\": \"e\", \"user_agent_appid\": \"a\", \"connect_timeout\": 1.5, "
    "\"read_timeout\": 7, \"parameter_validation\": false, \"max_pool_connections\": 3, "
    "\"proxies\": {\"http\": \"h\", \"https\": \"\"}, \"proxies_config\": "
    "{\"proxy_ca_bundle\": \"b\", \"proxy_client_cert\": [\"c\", \"k\"], "
    "\"proxy_use_forwarding_for_https\": true}, \"s3\": {\"addressing_style\": \"path\", "
    "\"use_accelerate_endpoint\": true, \"use_dualstack_endpoint\": false, "
    "\"payload_signing_enabled\": true, \"use_arn_region\": false, "
    "\"us_east_1_regional_endpoint\": \"legacy\", "
    "\"s3_disable_multiregion_access_points\": true, "
    "\"disable_s3_express_session_auth\": true}, \"s3_disable_express_session_auth\": "
    "true, "
    "\"retries\": {\"mode\": \"adaptive\", \"total_max_attempts\": 4}, \"client_cert\": "
    "\"c\", \"inject_host_prefix\": false, \"endpoint_discovery_enabled\": \"true\", "
    "\"use_dualstack_endpoint\": true, \"use_fips_endpoint\": false, "
    "\"ignore_configured_endpoint_urls\": true, \"defaults_mode\": \"standard\", "
    "\"tcp_keepalive\": true, \"request_min_compression_size_bytes\": 9, "
    "\"disable_request_compression\": true, \"client_context_params\": {\"x\": [true, "
    "{\"y\": 1}]}, \"sigv4a_signing_region_set\": \"*\", "
    "\"request_checksum_calculation\": "
    "\"when_required\", \"response_checksum_validation\": \"when_required\", "
    "\"account_id_endpoint_mode\": \"required\", \"auth_scheme_preference\": \"s\"}";

static void options_survive_being_read_merged_and_written(void **state) {
  struct luaws_arena a = {0};
  struct luaws_client_config c = {0}, copy = {0}, empty = {0};
  struct luaws_tree_reader r;
  struct luaws_tree_writer writer;
  struct luaws_buf out = {0};
  (void)state;
  luaws_tree_reader_init(&r, parse(&a, every_option));
  assert_int_equal(luaws_client_config_read(&c, &r.base, NULL), 0);
  assert_int_equal(luaws_client_config_merge(&copy, &c, NULL), 0);
  luaws_client_config_clear(&c); /* the copy stands alone */
  assert_int_equal(luaws_client_config_merge(&copy, &empty, NULL), 0);
  luaws_tree_writer_init(&writer, &a);
  luaws_client_config_write(&copy, &writer.base);
  luaws_tree_print(writer.root, &out, 0);
  assert_string_equal(out.ptr, every_option);
  luaws_client_config_clear(&copy);
  luaws_buf_clear(&out);
  luaws_arena_clear(&a);
}

static void later_options_win_over_earlier_ones(void **state) {
  struct luaws_arena a = {0};
  struct luaws_client_config c = {0}, more = {0};
  struct luaws_tree_reader r;
  (void)state;
  luaws_tree_reader_init(&r, parse(&a, "{\"read_timeout\": 1, \"region_name\": \"a\", "
                                       "\"s3\": {\"addressing_style\": \"path\"}}"));
  assert_int_equal(luaws_client_config_read(&c, &r.base, NULL), 0);
  luaws_tree_reader_init(&r, parse(&a, "{\"read_timeout\": 2, \"region_name\": null, "
                                       "\"s3\": {\"use_arn_region\": true}}"));
  assert_int_equal(luaws_client_config_read(&more, &r.base, NULL), 0);
  assert_int_equal(luaws_client_config_merge(&c, &more, NULL), 0);
  assert_int_equal(c.read_timeout_ms, 2000);
  assert_true(luaws_str_is(c.region_name, "a"));
  assert_true(luaws_str_is(c.s3.addressing_style, "path"));
  assert_int_equal(c.s3.use_arn_region, LUAWS_YES);
  luaws_client_config_clear(&c);
  luaws_client_config_clear(&more);
  luaws_arena_clear(&a);
}

static void a_pseudo_region_means_fips(void **state) {
  struct world w;
  struct luaws_client_config c = {0};
  (void)state;
  open_world(&w, NULL, NULL);
  struct luaws_settings *s = new_settings(&w, LUAWS_STR_NONE);
  const struct luaws_client_config_context context = {
      .settings = s, .region = LUAWS_STR("fips-us-gov-west-1")};
  assert_int_equal(luaws_client_config_resolve(&c, &context, NULL), 0);
  assert_true(luaws_str_is(c.region_name, "us-gov-west-1"));
  assert_int_equal(c.use_fips_endpoint, LUAWS_YES);
  luaws_client_config_clear(&c);
  luaws_settings_free(s);
  close_world(&w);
}

static const struct {
  const char *here; /* NULL: not known */
  int timeout_ms;
} autos[] = {{"us-east-1", 1100}, {"eu-west-1", 3100}, {NULL, 3100}};

static void the_mode_auto_goes_by_where_the_program_runs(void **state) {
  struct luaws_pack *pack = NULL;
  const void *defaults = NULL;
  (void)state;
  assert_int_equal(luaws_pack_open(LUAWS_DATA_DIR "/models.pack", &pack, NULL), 0);
  struct luaws_models *models = luaws_models_new(pack);
  assert_int_equal(luaws_models_find(models, LUAWS_SECTION_DEFAULTS, LUAWS_STR_NONE,
                                     LUAWS_STR_NONE, &defaults, NULL),
                   0);
  for (size_t i = 0; i < sizeof autos / sizeof autos[0]; i++) {
    struct world w;
    struct luaws_arena a = {0};
    struct luaws_client_config c = {0};
    struct luaws_buf env = {0};
    luaws_buf_append_cstr(&env,
                          "{\"AWS_DEFAULTS_MODE\": \"auto\", \"AWS_DEFAULT_REGION\": "
                          "\"us-east-1\"");
    if (autos[i].here) {
      luaws_buf_printf(&env, ", \"AWS_EXECUTION_ENV\": \"x\", \"AWS_REGION\": \"%s\"",
                       autos[i].here);
    }
    luaws_buf_append_cstr(&env, "}");
    open_world(&w, NULL, parse(&a, env.ptr));
    struct luaws_settings *s = new_settings(&w, LUAWS_STR_NONE);
    const struct luaws_client_config_context context = {.settings = s,
                                                        .defaults = defaults};
    assert_int_equal(luaws_client_config_resolve(&c, &context, NULL), 0);
    assert_int_equal(c.connect_timeout_ms, autos[i].timeout_ms);
    luaws_client_config_clear(&c);
    luaws_settings_free(s);
    close_world(&w);
    luaws_buf_clear(&env);
    luaws_arena_clear(&a);
  }
  luaws_models_free(models);
  luaws_pack_release(pack);
}

static const struct {
  const char *url;
  bool valid;
} urls[] = {
    {"http://localhost", true},
    {"https://a.b-c.d:443/x?y#z", true},
    {"http://a.", true},
    {"http://[::1]:80/", true},
    {"http://1.2.3.4", true},
    {"http://u:p@h", true},
    {"http://", false},
    {"localhost", false},
    {"://x", false},
    {"http://-a", false},
    {"http://a-", false},
    {"http://a..b", false},
    {"http://a_b", false},
    {"http://[nope]", false},
    {"http://a b", false},
    {"http://a\nb", false},
    {"", false},
};

static void an_endpoint_url_needs_a_host_that_could_be_one(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
    if (luaws_endpoint_url_is_valid(luaws_str_from(urls[i].url)) != urls[i].valid) {
      fail_msg("%s", urls[i].url);
    }
  }
}

static const struct {
  const char *client, *expected;
} names[] = {
    {"s3", "s3"},
    {"elbv2", "elastic_load_balancing_v2"},
    {"runtime.sagemaker", "sagemaker_runtime"},
    {"sms-voice", "pinpoint_sms_voice"},
    {"bedrock-agent-runtime", "bedrock_agent_runtime"},
};

static void settings_call_a_service_by_its_id(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    struct luaws_buf out = {0};
    luaws_service_settings_name(luaws_str_from(names[i].client), &out);
    assert_string_equal(out.ptr, names[i].expected);
    luaws_buf_clear(&out);
  }
}

static const struct {
  const char *path;
  bool variables;
  const char *expected; /* after the home folder where it begins with "~" */
} paths[] = {
    {"~", true, "~"},
    {"~/x", true, "~/x"},
    {"$HOME/x", true, "~/x"},
    {"${HOME}", true, "~"},
    {"$HOME/x", false, "$HOME/x"},
    {"/a~b", true, "/a~b"},
    {"$NO/x", true, "$NO/x"},
    {"${NO}", true, "${NO}"},
    {"${", true, "${"},
    {"$", true, "$"},
    {"$$", true, "$$"},
    {"~nobodyhere/x", true, "~nobodyhere/x"},
    {"$DOLLAR", true, "$HOME"},
    {"", true, ""},
};

static void a_path_is_filled_in(void **state) {
  struct world w;
  struct luaws_arena a = {0};
  (void)state;
  open_world(&w, NULL, parse(&a, "{\"DOLLAR\": \"$HOME\"}"));
  struct luaws_settings *s = new_settings(&w, LUAWS_STR_NONE);
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    struct luaws_buf out = {0}, expected = {0};
    const char *e = paths[i].expected;
    bool home = e[0] == '~' && (e[1] == 0 || e[1] == '/');
    luaws_buf_printf(&expected, "%s%s", home ? w.home : "", home ? e + 1 : e);
    luaws_settings_expand_path(s, luaws_str_from(paths[i].path), paths[i].variables,
                               &out);
    luaws_buf_append_cstr(&out, "");
    assert_string_equal(out.ptr, expected.ptr);
    luaws_buf_clear(&out);
    luaws_buf_clear(&expected);
  }
  luaws_settings_free(s);
  close_world(&w);
  luaws_arena_clear(&a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(files_environment_and_arguments_mean_what_they_mean_to_botocore),
      cmocka_unit_test(a_value_knows_where_it_came_from),
      cmocka_unit_test(a_wrong_value_is_told_with_its_name_and_place),
      cmocka_unit_test(an_override_can_be_taken_back),
      cmocka_unit_test(a_wrong_option_is_refused_by_name),
      cmocka_unit_test(options_survive_being_read_merged_and_written),
      cmocka_unit_test(later_options_win_over_earlier_ones),
      cmocka_unit_test(a_pseudo_region_means_fips),
      cmocka_unit_test(the_mode_auto_goes_by_where_the_program_runs),
      cmocka_unit_test(an_endpoint_url_needs_a_host_that_could_be_one),
      cmocka_unit_test(settings_call_a_service_by_its_id),
      cmocka_unit_test(a_path_is_filled_in),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
