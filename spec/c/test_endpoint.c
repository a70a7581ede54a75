/* Endpoint rules: real ones from the model pack with botocore's answers
   (spec/fixtures/endpoint/cases.jsonl, made by scripts/walk-endpoints --print), and small
   ones of our own for what AWS's rules never do. */
#include "endpoint/endpoint.h"
#include "endpoint/functions.h"
#include "endpoint/region_match.h"
#include "model/section.h"

#include <stdio.h>

#include "endpoint_param.h"
#include "models_fixture.h"

static int open_models(void **state) {
  return open_models_with(state, LUAWS_SECTION_PARTITIONS);
}

/* ---- real rules ---- */

static int resolve(const struct fixture *f, const struct luaws_rules *rules,
                   const struct luaws_tree *params, struct luaws_arena *arena,
                   struct luaws_endpoint *out, struct luaws_error *err) {
  size_t count = 0;
  struct luaws_endpoint_param *list =
      luaws_arena_alloc(arena, ((params ? params->count : 0) + 1) * sizeof *list);
  for (const struct luaws_tree *v = params ? params->first : NULL; v; v = v->next)
    list[count++] = make_param(arena, v);
  return luaws_endpoint_resolve(rules, f->part, list, count, arena, out, err);
}

static bool same_headers(const struct luaws_endpoint *e, const struct luaws_tree *want) {
  if (!want || want->count != e->header_count) return false;
  for (size_t i = 0; i < e->header_count; i++) {
    char name[64];
    snprintf(name, sizeof name, "%.*s", LUAWS_STR_ARG(e->headers[i].name));
    if (!luaws_str_eq(luaws_tree_text(want, name), e->headers[i].value)) return false;
  }
  return true;
}

static bool same_print(const struct luaws_tree *a, const struct luaws_tree *b) {
  struct luaws_buf x = {0}, y = {0};
  luaws_tree_print(a, &x, 0);
  luaws_tree_print(b, &y, 0);
  bool same = luaws_str_eq(luaws_buf_str(&x), luaws_buf_str(&y));
  luaws_buf_clear(&x);
  luaws_buf_clear(&y);
  return same;
}

static bool as_wanted(int rc, const struct luaws_endpoint *e,
                      const struct luaws_error *err, const struct luaws_tree *want) {
  struct luaws_str text = luaws_tree_text(want, "error");
  if (text.ptr) {
    return rc == LUAWS_E_ENDPOINT && luaws_str_is(text, luaws_error_message(err)) &&
           strcmp(err->kind, "EndpointResolutionError") == 0;
  }
  return rc == 0 && luaws_str_eq(luaws_tree_text(want, "url"), e->url) &&
         same_print(e->properties, luaws_tree_get(want, "properties")) &&
         same_headers(e, luaws_tree_get(want, "headers"));
}

static void check_line(const struct fixture *f, struct luaws_str line) {
  struct luaws_arena arena = {0};
  struct luaws_error err = {0};
  struct luaws_endpoint e;
  struct luaws_tree *c;
  const void *rules;
  assert_int_equal(luaws_tree_parse(&arena, line, &c, &err), 0);
  assert_int_equal(luaws_models_find(f->models, LUAWS_SECTION_RULES,
                                     luaws_tree_text(c, "service"), LUAWS_STR_NONE,
                                     &rules, &err),
                   0);
  int rc = resolve(f, rules, luaws_tree_get(c, "params"), &arena, &e, &err);
  if (!as_wanted(rc, &e, &err, luaws_tree_get(c, "want")))
    fail_msg("%.*s\ngot %.*s %s", LUAWS_STR_ARG(line), LUAWS_STR_ARG(e.url),
             luaws_error_message(&err));
  luaws_error_clear(&err);
  luaws_arena_clear(&arena);
}

static void resolves_as_botocore_does(void **state) {
  FILE *file = fopen(LUAWS_SPEC_DIR "/fixtures/endpoint/cases.jsonl", "rb");
  assert_non_null(file);
  char *line = NULL;
  size_t cap = 0;
  ssize_t len;
  size_t count = 0;
  while ((len = getline(&line, &cap, file)) > 0) {
    check_line(*state, (struct luaws_str){line, (size_t)len - 1});
    count++;
  }
  assert_true(count > 300);
  free(line);
  fclose(file);
}

static void says_how_to_sign(void **state) {
  const struct fixture *f = *state;
  struct luaws_arena arena = {0};
  struct luaws_error err = {0};
  struct luaws_endpoint e;
  const void *rules;
  assert_int_equal(luaws_models_find(f->models, LUAWS_SECTION_RULES, LUAWS_STR("s3"),
                                     LUAWS_STR_NONE, &rules, &err),
                   0);
  const struct luaws_endpoint_param mrap[] = {
      {.name = LUAWS_STR("Bucket"),
       .text = LUAWS_STR("arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap")},
      {.name = LUAWS_STR("Region"), .text = LUAWS_STR("us-west-2")},
      {.name = LUAWS_STR("Unknown"), .text = LUAWS_STR("is ignored")},
  };
  assert_int_equal(luaws_endpoint_resolve(rules, f->part, mrap, 3, &arena, &e, &err), 0);
  assert_true(luaws_str_is(
      e.url, "https://mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com"));
  assert_int_equal(e.auth_scheme_count, 1);
  assert_true(luaws_str_is(e.auth_schemes[0].name, "sigv4a"));
  assert_true(luaws_str_is(e.auth_schemes[0].signing_name, "s3"));
  assert_true(luaws_str_is(e.auth_schemes[0].signing_region_set, "*"));
  assert_null(e.auth_schemes[0].signing_region.ptr);
  assert_true(e.auth_schemes[0].disable_double_encoding);
  luaws_arena_clear(&arena);
}

/* ---- rules of our own ---- */

/* Compiles rules that stand between these two. */
#define RULES_START                                                   \
  "{\"version\":\"1.0\",\"parameters\":{\"A\":{\"type\":\"String\"}," \
  "\"B\":{\"type\":\"boolean\",\"default\":true,\"required\":true},"  \
  "\"C\":{\"type\":\"stringArray\",\"default\":[\"x\",\"y\"]},"       \
  "\"D\":{\"type\":\"string\",\"required\":true,\"default\":\"d\"}},\"rules\":"
#define ERROR_RULE(conditions, text) \
  "{\"type\":\"error\",\"conditions\":" conditions ",\"error\":\"" text "\"}"

/* The text that the rules' error rule gives, or why they do not compile. */
static struct luaws_str outcome(const struct fixture *f, const char *rules,
                                const char *params, struct luaws_arena *arena,
                                const char **kind) {
  struct luaws_buf text = {0};
  struct luaws_error err = {0};
  struct luaws_tree *rule_set, *given;
  struct luaws_endpoint e = {0};
  luaws_buf_printf(&text, RULES_START "%s}", rules);
  if (luaws_tree_parse(arena, luaws_buf_str(&text), &rule_set, &err))
    fail_msg("%s: %s", rules, luaws_error_message(&err));
  assert_int_equal(luaws_tree_parse(arena, luaws_str_from(params), &given, &err), 0);
  struct luaws_section *s = luaws_section_new();
  int rc = luaws_compile_rules(s, rule_set, &err);
  bool failed = false;
  struct luaws_str bytes = luaws_section_bytes(s, &failed);
  assert_false(failed);
  if (rc == 0) rc = resolve(f, (const void *)bytes.ptr, given, arena, &e, &err);
  struct luaws_str out =
      luaws_arena_str(arena, rc ? luaws_str_from(luaws_error_message(&err)) : e.url);
  *kind = err.kind ? err.kind : "";
  luaws_section_free(s);
  luaws_error_clear(&err);
  luaws_buf_clear(&text);
  return out;
}

struct rules_case {
  const char *rules;
  const char *params;
  const char *outcome;
};

static void check_rules(void **state, const struct rules_case *cases, size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct luaws_arena arena = {0};
    const char *kind;
    struct luaws_str got =
        outcome(*state, cases[i].rules, cases[i].params, &arena, &kind);
    if (!luaws_str_is(got, cases[i].outcome))
      fail_msg("%s with %s\n got: %.*s\nwant: %s", cases[i].rules, cases[i].params,
               LUAWS_STR_ARG(got), cases[i].outcome);
    assert_true(!*kind || strcmp(kind, "EndpointResolutionError") == 0);
    luaws_arena_clear(&arena);
  }
}

static void evaluates_what_no_rule_of_aws_does(void **state) {
  static const struct rules_case cases[] = {
      {"[" ERROR_RULE("[]", "{{{A}}}{D}") "]", "{\"A\":\"a\"}", "{a}d"},
      {"[" ERROR_RULE("[]", "{A}") "]", "{}", "A template wants a string, not nil."},
      {"[" ERROR_RULE("[]", "{B}") "]", "{}", "true"},
      {"[" ERROR_RULE("[]", "{C#[1]}") "]", "{}", "y"},
      {"[" ERROR_RULE("[]", "{C#[1]}") "]", "{\"C\":[\"p\",\"q\"]}", "q"},
      {"[" ERROR_RULE("[{\"fn\":\"coalesce\",\"argv\":[{\"ref\":\"A\"},{\"ref\":"
                      "\"nowhere\"},\"last\"],\"assign\":\"x\"}]",
                      "{x}") "]",
       "{}", "last"},
      {"[" ERROR_RULE("[{\"fn\":\"split\",\"argv\":[\"a--b--c\",\"--\",0],\"assign\":"
                      "\"x\"}]",
                      "{x#[0]}{x#[2]}") "]",
       "{}", "ac"},
      {"[" ERROR_RULE("[{\"fn\":\"split\",\"argv\":[\"a--b--c\",\"--\",2],\"assign\":"
                      "\"x\"}]",
                      "{x#[1]}") "]",
       "{}", "b--c"},
      {"[" ERROR_RULE("[{\"fn\":\"ite\",\"argv\":[{\"ref\":\"B\"},\"yes\",\"no\"],"
                      "\"assign\":\"x\"}]",
                      "{x}") "]",
       "{\"B\":false}", "no"},
      {"[" ERROR_RULE("[{\"fn\":\"future\",\"argv\":[1]}]", "x") "]", "{}",
       "Unknown function: future"},
      {"[" ERROR_RULE("[{\"fn\":\"isSet\",\"argv\":[{\"ref\":\"A\"}]}]", "x") "]", "{}",
       "No endpoint found for parameters:"},
      {"[" ERROR_RULE("[{\"fn\":\"isSet\",\"argv\":[{\"ref\":\"A\"}]}]", "x") "]",
       "{\"B\":true,\"C\":[\"c\"]}", "No endpoint found for parameters:\nB: true\nC: c"},
      /* A name goes away with the rule that assigned it, and may not be taken twice. */
      {"[{\"type\":\"tree\",\"conditions\":[{\"fn\":\"parseURL\",\"argv\":["
       "\"https://one\"],\"assign\":\"u\"}],\"rules\":[" ERROR_RULE(
           "[{\"fn\":\"isSet\",\"argv\":[{\"ref\":\"A\"}]}]",
           "never") "]}," ERROR_RULE("[{\"fn\":\"parseURL\",\"argv\":[\"https://"
                                     "two\"],\"assign\":\"u\"}]",
                                     "{u#authority}") "]",
       "{}", "two"},
      {"[" ERROR_RULE("[{\"fn\":\"uriEncode\",\"argv\":[\"a\"],\"assign\":\"D\"}]",
                      "x") "]",
       "{}", "Assignment D already exists in scoped variables and cannot be overwritten"},
      {"[" ERROR_RULE("[{\"fn\":\"booleanEquals\",\"argv\":[{\"ref\":\"A\"},true]}]",
                      "x") "]",
       "{}", "Both arguments must be bools, not nil and boolean."},
      {"[]", "{\"A\":true}", "Value (A) is the wrong type. Must be string."},
      {"[]", "{\"B\":\"yes\"}", "Value (B) is the wrong type. Must be boolean."},
      {"[]", "{\"C\":\"c\"}", "Value (C) is the wrong type. Must be list of strings."},
  };
  check_rules(state, cases, sizeof cases / sizeof *cases);
}

static void says_what_is_wrong_with_rules_and_where(void **state) {
#define AT " in endpoint-rule-set.rules[0]"
  static const struct rules_case cases[] = {
      {"7", "{}", "endpoint rules: no parameters or no rules in endpoint-rule-set"},
      {"[7]", "{}", "endpoint rules: a rule that is no map" AT},
      {"[{\"type\":\"maybe\",\"conditions\":[]}]", "{}",
       "endpoint rules: an unknown type of rule, 'maybe'," AT},
      {"[{\"type\":\"tree\",\"conditions\":[]}]", "{}",
       "endpoint rules: a rule without its 'rules'" AT},
      {"[{\"type\":\"endpoint\",\"conditions\":[],\"endpoint\":{}}]", "{}",
       "endpoint rules: an endpoint without url" AT ".endpoint"},
      {"[{\"type\":\"endpoint\",\"conditions\":[],\"endpoint\":{\"url\":\"x\","
       "\"properties\":[]}}]",
       "{}", "endpoint rules: properties or headers that are no map" AT ".endpoint"},
      {"[{\"type\":\"endpoint\",\"conditions\":[],\"endpoint\":{\"url\":\"x\","
       "\"headers\":{\"h\":\"v\"}}}]",
       "{}", "endpoint rules: a header 'h' that has no list" AT ".endpoint"},
      {"[" ERROR_RULE("[{}]", "x") "]", "{}",
       "endpoint rules: a condition without fn and argv" AT ".conditions[0]"},
      {"[" ERROR_RULE("[true]", "x") "]", "{}",
       "endpoint rules: a condition that is no map" AT ".conditions[0]"},
      {"[" ERROR_RULE("[{\"fn\":\"isSet\",\"argv\":[]}]", "x") "]", "{}",
       "endpoint rules: a wrong number of arguments to isSet" AT ".conditions[0]"},
      {"[" ERROR_RULE("[{\"fn\":\"isSet\",\"argv\":[1],\"assign\":7}]", "x") "]", "{}",
       "endpoint rules: an assign of isSet that is no name" AT ".conditions[0]"},
      {"[" ERROR_RULE("[{\"fn\":\"getAttr\",\"argv\":[1,\"a[x]\"]}]", "x") "]", "{}",
       "endpoint rules: a broken path 'a[x]'" AT ".conditions[0][1]"},
      {"[" ERROR_RULE("[{\"fn\":\"getAttr\",\"argv\":[1,2]}]", "x") "]", "{}",
       "endpoint rules: getAttr without a path" AT ".conditions[0][1]"},
      {"[" ERROR_RULE("[{\"fn\":\"isSet\",\"argv\":[1e99]}]", "x") "]", "{}",
       "endpoint rules: a value of the wrong kind" AT ".conditions[0][0]"},
      {"[" ERROR_RULE("[]", "{") "]", "{}",
       "endpoint rules: a brace that nothing closes in '{'" AT ".error"},
      {"[" ERROR_RULE("[]", "{}") "]", "{}",
       "endpoint rules: an empty placeholder '{}'" AT ".error"},
      {"[" ERROR_RULE("[]", "{nowhere}") "]", "{}",
       "endpoint rules: 'nowhere', which nothing defines, in endpoint-rule-set"},
  };
#undef AT
  check_rules(state, cases, sizeof cases / sizeof *cases);
}

static void refuses_rules_that_are_too_deep(void **state) {
  struct luaws_buf rules = {0};
  struct luaws_arena arena = {0};
  const char *kind;
  for (int i = 0; i < 100; i++)
    luaws_buf_append_cstr(&rules, "[{\"type\":\"tree\",\"conditions\":[],\"rules\":");
  luaws_buf_append_cstr(&rules, "[]");
  for (int i = 0; i < 100; i++)
    luaws_buf_append_cstr(&rules, "}]");
  struct luaws_str got = outcome(*state, rules.ptr, "{}", &arena, &kind);
  assert_true(luaws_str_starts(got, LUAWS_STR("endpoint rules: too deep a rule in ")));
  luaws_arena_clear(&arena);
  luaws_buf_clear(&rules);
}

static void gives_errors_the_kinds_that_scripts_have_always_caught(void **state) {
  static const struct {
    const char *service, *text, *kind, *message;
  } cases[] = {
      {"s3", "Accelerate cannot be used with FIPS", "UnsupportedS3ConfigurationError",
       "Unsupported configuration when using S3: Accelerate cannot be used with FIPS"},
      {"s3", "Access Points do not support S3 Accelerate",
       "UnsupportedS3AccesspointConfigurationError",
       "Unsupported configuration when using S3 access-points: Access Points do not "
       "support S3 Accelerate"},
      {"s3", "Invalid ARN: bucket ARN is missing a region", "ParamValidationError",
       "Parameter validation failed:\nInvalid ARN: bucket ARN is missing a region"},
      {"s3", "INVALID arn: x", "ParamValidationError",
       "Parameter validation failed:\nINVALID arn: x"},
      {"s3control", "Invalid ARN: missing", "UnsupportedS3ControlArnError",
       "S3 ARN \"arn:x\" provided is invalid for this operation. Invalid ARN: missing"},
      {"s3control", "AccountId is required but not set", "ParamValidationError",
       "Parameter validation failed:\nAccountId is required but not set"},
      {"events", "EndpointId must be a valid host label.",
       "InvalidEndpointConfigurationError",
       "Invalid endpoint configuration: EndpointId must be a valid host label."},
      {"sqs", "Invalid region in ARN: `us-we$t-2` (invalid DNS name)",
       "InvalidHostLabelError",
       "Invalid host label to be bound to the hostname of the endpoint: \"us-we$t-2\"."},
      {"sqs", "Invalid ARN: x", "EndpointResolutionError", "Invalid ARN: x"},
      {"s3", "S3 Express does not support Dual-stack.", "EndpointResolutionError",
       "S3 Express does not support Dual-stack."},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct luaws_error err = {0};
    luaws_error_set(&err, LUAWS_E_ENDPOINT, "EndpointResolutionError", "%s",
                    cases[i].text);
    luaws_endpoint_older_error(&err, luaws_str_from(cases[i].service),
                               LUAWS_STR("arn:x"));
    assert_string_equal(err.kind, cases[i].kind);
    assert_string_equal(err.message, cases[i].message);
    luaws_error_clear(&err);
  }
}

/* ---- functions ---- */

static void tells_urls_apart(void **state) {
  static const struct {
    const char *url;
    const char *authority, *path, *normalized; /* NULL: is none */
    bool is_ip;
  } cases[] = {
      {"https://example.com", "example.com", "", "/", false},
      {"http://example.com:80/", "example.com:80", "/", "/", false},
      {"HTTPS://example.com/a", "example.com", "/a", "/a/", false},
      {"https://example.com/a//b/./../c/", "example.com", "/a//b/./../c/", "/a/c/",
       false},
      {"https://example.com/a%20b", "example.com", "/a%20b", "/a%2520b/", false},
      {"https://example.com/..", "example.com", "/..", "/", false},
      {"https://127.0.0.1:5000", "127.0.0.1:5000", "", "/", true},
      {"https://[::1]:5000/x", "[::1]:5000", "/x", "/x/", true},
      {"https://[fe80::1%25eth0]", "[fe80::1%25eth0]", "", "/", true},
      {"https://me:secret@example.com", "me:secret@example.com", "", "/", false},
      {"https://example.com/#top", "example.com", "/", "/", false},
      {"https://example.com?", "example.com", "", "/", false},
      {"https://example.com?a", NULL, NULL, NULL, false},
      {"https://example.com:65536", NULL, NULL, NULL, false},
      {"https://example.com:x", NULL, NULL, NULL, false},
      {"https://[::1", NULL, NULL, NULL, false},
      {"https://[::g]", NULL, NULL, NULL, false},
      {"https://", NULL, NULL, NULL, false},
      {"https:///a", NULL, NULL, NULL, false},
      {"https://a b", NULL, NULL, NULL, false},
      {"ftp://example.com", NULL, NULL, NULL, false},
      {"example.com", NULL, NULL, NULL, false},
      {"", NULL, NULL, NULL, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct luaws_arena arena = {0};
    struct luaws_url url;
    bool failed = false;
    bool parsed = luaws_url_parse(&arena, luaws_str_from(cases[i].url), &url, &failed);
    if (parsed != (cases[i].authority != NULL)) fail_msg("%s", cases[i].url);
    if (parsed && (!luaws_str_is(url.authority, cases[i].authority) ||
                   !luaws_str_is(url.path, cases[i].path) ||
                   !luaws_str_is(url.normalized_path, cases[i].normalized) ||
                   url.is_ip != cases[i].is_ip))
      fail_msg("%s: %.*s %.*s %.*s", cases[i].url, LUAWS_STR_ARG(url.authority),
               LUAWS_STR_ARG(url.path), LUAWS_STR_ARG(url.normalized_path));
    luaws_arena_clear(&arena);
  }
}

static void matches_region_patterns(void **state) {
  static const struct {
    const char *pattern, *text;
    bool matches;
  } cases[] = {
      {"^(us|eu)\\-\\w+\\-\\d+$", "us-west-22", true},
      {"^(us|eu)\\-\\w+\\-\\d+$", "eu-x_y-1", true},
      {"^(us|eu)\\-\\w+\\-\\d+$", "us-gov-west-1", false},
      {"^(us|eu)\\-\\w+\\-\\d+$", "us-west-1a", false},
      {"^(us|eu)\\-\\w+\\-\\d+$", "us-west-", false},
      {"^(us|eu)\\-\\w+\\-\\d+$", "", false},
      {"a|b", "b", true},
      {"a|b", "c", false},
      {"(a(b|c)?d)", "abd", false}, /* a group cannot be repeated */
      {"(a(b|c)d|e)f", "acdf", true},
      {"[a-c]+x", "abcx", true},
      {"[^a-c]x", "ax", false},
      {"a.c", "abc", true},
      {"ab*c", "ac", true},
      {"ab?c", "abbc", false},
      {"\\d+\\d", "12", true},
      {"a", "abc", true},
      {"a$", "abc", false},
      {"(", "a", false},
      {"*", "a", false},
      {"\\w*\\w*\\w*\\w*\\w*\\w*\\w*\\w*$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-",
       false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (luaws_region_pattern_match(luaws_str_from(cases[i].pattern),
                                   luaws_str_from(cases[i].text)) != cases[i].matches)
      fail_msg("%s %s", cases[i].pattern, cases[i].text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(resolves_as_botocore_does),
      cmocka_unit_test(says_how_to_sign),
      cmocka_unit_test(evaluates_what_no_rule_of_aws_does),
      cmocka_unit_test(says_what_is_wrong_with_rules_and_where),
      cmocka_unit_test(refuses_rules_that_are_too_deep),
      cmocka_unit_test(gives_errors_the_kinds_that_scripts_have_always_caught),
      cmocka_unit_test(tells_urls_apart),
      cmocka_unit_test(matches_region_patterns),
  };
  return cmocka_run_group_tests(tests, open_models, close_models);
}
