#include "base/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void expect_text(struct luaws_buf *b, const char *expected) {
  assert_false(b->failed);
  assert_string_equal(b->ptr ? b->ptr : "", expected);
  luaws_buf_clear(b);
}

struct text_case {
  const char *plain;
  const char *encoded;
};

static void encodes_and_decodes_base64(void **state) {
  /* RFC 4648 section 10, and a few with + and / */
  static const struct text_case cases[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\xfb\xff\xbf", "+/+/"},
      {"\xff", "/w=="},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct luaws_buf b = {0};
    luaws_base64_encode(&b, luaws_str_from(cases[i].plain));
    expect_text(&b, cases[i].encoded);
    assert_true(luaws_base64_decode(&b, luaws_str_from(cases[i].encoded)));
    expect_text(&b, cases[i].plain);
  }
}

static void skips_white_space_in_base64(void **state) {
  struct luaws_buf b = {0};
  assert_true(luaws_base64_decode(&b, LUAWS_STR(" Zm9v\r\nYm Fy\n")));
  expect_text(&b, "foobar");
}

static void refuses_what_is_not_base64(void **state) {
  static const char *const cases[] = {"Z",     "Zg",           "Zg=",   "Zm9vY",
                                      "Zg===", "====",         "Zm9v=", "Zm=9v=",
                                      "Zm9-",  "Zm9vYg==Zm9v", "Z!9v",  "="};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct luaws_buf b = {0};
    assert_false(luaws_base64_decode(&b, luaws_str_from(cases[i])));
    luaws_buf_clear(&b);
  }
}

static void encodes_hexadecimal(void **state) {
  struct luaws_buf b = {0};
  luaws_hex_encode(&b, LUAWS_STR("\x00\x7f\xffz"));
  expect_text(&b, "007fff7a");
  luaws_hex_encode(&b, LUAWS_STR(""));
  expect_text(&b, "");
}

static void percent_encodes_all_but_unreserved_and_safe(void **state) {
  struct luaws_buf b = {0};
  luaws_percent_encode(&b, LUAWS_STR("aZ09-._~ /+&=?%\xc3\xa9"), NULL);
  expect_text(&b, "aZ09-._~%20%2F%2B%26%3D%3F%25%C3%A9");
  luaws_percent_encode(&b, LUAWS_STR("/a b/"), "/");
  expect_text(&b, "/a%20b/");
  luaws_percent_encode(&b, LUAWS_STR("\0"), "/");
  expect_text(&b, "%00");
  luaws_percent_encode(&b, LUAWS_STR_NONE, NULL);
  expect_text(&b, "");
}

static void percent_decodes_what_is_encoded(void **state) {
  struct luaws_buf b = {0};
  luaws_percent_decode(&b, LUAWS_STR("a%20b%2fc%2"));
  expect_text(&b, "a b/c%2");
  luaws_percent_decode(&b, LUAWS_STR("%zz%%41+"));
  expect_text(&b, "%zz%A+");
}

static void form_encodes_spaces_as_plus(void **state) {
  struct luaws_buf b = {0};
  luaws_form_encode(&b, LUAWS_STR("a b+c*~/"));
  expect_text(&b, "a+b%2Bc%2A~%2F");
  luaws_form_decode(&b, LUAWS_STR("a+b%2Bc"));
  expect_text(&b, "a b+c");
}

static void tells_utf8_from_other_bytes(void **state) {
  static const struct {
    const char *text;
    bool valid;
  } cases[] = {
      {"", true},
      {"plain", true},
      {"\xc3\xa9", true},
      {"\xe2\x82\xac", true},
      {"\xf0\x9f\x98\x80", true},
      {"\xf4\x8f\xbf\xbf", true},
      {"\xc3", false},
      {"\x80", false},
      {"\xc0\x80", false},
      {"\xe0\x80\x80", false},
      {"\xed\xa0\x80", false},
      {"\xf0\x80\x80\x80", false},
      {"\xf4\x90\x80\x80", false},
      {"\xff", false},
      {"a\xe2\x82z", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(luaws_utf8_find_bad(luaws_str_from(cases[i].text)) < 0,
                     cases[i].valid);
  }
}

static void counts_characters(void **state) {
  assert_int_equal(luaws_utf8_count(LUAWS_STR("a\xc3\xa9\xf0\x9f\x98\x80")), 3);
  assert_int_equal(luaws_utf8_count(LUAWS_STR("\xff\xc3")), 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(encodes_and_decodes_base64),
      cmocka_unit_test(skips_white_space_in_base64),
      cmocka_unit_test(refuses_what_is_not_base64),
      cmocka_unit_test(encodes_hexadecimal),
      cmocka_unit_test(percent_encodes_all_but_unreserved_and_safe),
      cmocka_unit_test(percent_decodes_what_is_encoded),
      cmocka_unit_test(form_encodes_spaces_as_plus),
      cmocka_unit_test(tells_utf8_from_other_bytes),
      cmocka_unit_test(counts_characters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
