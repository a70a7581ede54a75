#include "base/message.h"

#include <stdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void expect(struct luaws_str got, const char *expected) {
  if (!luaws_str_is(got, expected)) {
    fail_msg("got \"%.*s\", not \"%s\"", LUAWS_STR_ARG(got), expected);
  }
}

static void splits_urls(void **state) {
  static const struct {
    const char *url, *scheme, *host, *path, *query, *again;
  } cases[] = {
      {"https://a.example", "https", "a.example", "/", "", "https://a.example/"},
      {"HTTPS://A.example/", "https", "A.example", "/", "", "https://A.example/"},
      {"http://a:80/x", "http", "a", "/x", "", "http://a/x"},
      {"http://a:443/x", "http", "a:443", "/x", "", "http://a:443/x"},
      {"https://a:443", "https", "a", "/", "", "https://a/"},
      {"https://a:/x", "https", "a", "/x", "", "https://a/x"},
      {"http://127.0.0.1:5000/x/y?b=c&d#f", "http", "127.0.0.1:5000", "/x/y", "b=c&d",
       "http://127.0.0.1:5000/x/y?b=c&d"},
      {"http://[::1]:5000?q", "http", "[::1]:5000", "/", "q", "http://[::1]:5000/?q"},
      {"http://[::1]/", "http", "[::1]", "/", "", "http://[::1]/"},
      {"http://my_box/a b", "http", "my_box", "/a%20b", "", "http://my_box/a%20b"},
      {"http://a/%7E?x=\xc3\xa9", "http", "a", "/%7E", "x=%C3%A9",
       "http://a/%7E?x=%C3%A9"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct luaws_arena arena = {0};
    struct luaws_request r = {.arena = &arena};
    struct luaws_error err = {0};
    assert_int_equal(luaws_request_set_url(&r, luaws_str_from(cases[i].url), &err), 0);
    expect(r.scheme, cases[i].scheme);
    expect(r.host, cases[i].host);
    expect(r.path, cases[i].path);
    expect(r.query, cases[i].query);
    struct luaws_buf b = {0};
    luaws_request_url(&r, &b);
    expect(luaws_buf_str(&b), cases[i].again);
    luaws_buf_clear(&b);
    luaws_arena_clear(&arena);
  }
}

static void refuses_what_is_no_url(void **state) {
  static const char *const cases[] = {"",
                                      "a.example",
                                      "//a",
                                      "ftp://a/",
                                      "https://",
                                      "https:///",
                                      "http://a b/",
                                      "http://a:x/",
                                      "http://a:-1/",
                                      "http://a:65536/",
                                      "http://[a/",
                                      "http://[xyz]/",
                                      "http://[::1]x/",
                                      "http://u:p@a/",
                                      "http://a:1:2/"};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct luaws_arena arena = {0};
    struct luaws_request r = {.arena = &arena};
    struct luaws_error err = {0};
    int rc = luaws_request_set_url(&r, luaws_str_from(cases[i]), &err);
    if (rc != LUAWS_E_ARGUMENT) fail_msg("accepted %s", cases[i]);
    assert_string_equal(err.kind, "ValueError");
    assert_null(strstr(err.message, "u:p"));
    luaws_error_clear(&err);
    luaws_arena_clear(&arena);
  }
}

static void keeps_headers_in_order_and_compares_names_without_case(void **state) {
  struct luaws_arena arena = {0};
  struct luaws_headers h = {.arena = &arena};
  assert_true(luaws_headers_add(&h, LUAWS_STR("A"), LUAWS_STR("1")));
  assert_true(luaws_headers_add(&h, LUAWS_STR("b"), LUAWS_STR("2")));
  assert_true(luaws_headers_add(&h, LUAWS_STR("a"), LUAWS_STR("3")));
  expect(*luaws_headers_get(&h, LUAWS_STR("a")), "1");
  assert_null(luaws_headers_get(&h, LUAWS_STR("c")));
  assert_true(luaws_headers_set(&h, LUAWS_STR("a"), LUAWS_STR("4")));
  assert_int_equal(h.count, 2);
  expect(h.items[0].name, "a");
  expect(h.items[0].value, "4");
  expect(h.items[1].name, "b");
  assert_true(luaws_headers_set(&h, LUAWS_STR("c"), LUAWS_STR("5")));
  luaws_headers_remove(&h, LUAWS_STR("B"));
  assert_int_equal(h.count, 2);
  expect(h.items[1].name, "c");
  luaws_arena_clear(&arena);
}

static void grows_for_many_headers(void **state) {
  struct luaws_arena arena = {0};
  struct luaws_headers h = {.arena = &arena};
  for (int i = 0; i < 100; i++) {
    char name[16];
    int n = snprintf(name, sizeof name, "x-%d", i);
    assert_true(
        luaws_headers_add(&h, (struct luaws_str){name, (size_t)n}, LUAWS_STR("v")));
  }
  assert_int_equal(h.count, 100);
  expect(h.items[99].name, "x-99");
  luaws_arena_clear(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(splits_urls),
      cmocka_unit_test(refuses_what_is_no_url),
      cmocka_unit_test(keeps_headers_in_order_and_compares_names_without_case),
      cmocka_unit_test(grows_for_many_headers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
