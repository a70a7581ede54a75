/* What the scanner makes of texts, good and bad; Python's json module agrees on each. */
#include "value/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

/* The tokens of a text in a row, or "error AT: message". */
static void show(struct luaws_buf *out, struct luaws_str text) {
  /* An exact copy on the heap, so that a sanitizer sees one byte too many. */
  char *copy = malloc(text.len ? text.len : 1);
  if (text.len) memcpy(copy, text.ptr, text.len);
  struct luaws_json j = {0};
  luaws_json_start(&j, (struct luaws_str){copy, text.len});
  luaws_buf_reset(out);
  luaws_buf_append_cstr(out, "");
  for (;;) {
    enum luaws_json_token t = luaws_json_next(&j);
    if (t == LUAWS_JSON_END) break;
    if (out->len) luaws_buf_append_char(out, ' ');
    if (t == LUAWS_JSON_ERROR) {
      luaws_buf_printf(out, "error %zu: %s", j.at, j.message);
      assert_int_equal(luaws_json_next(&j), LUAWS_JSON_ERROR);
      break;
    }
    switch (t) {
    case LUAWS_JSON_INTEGER:
      luaws_buf_append_char(out, 'i');
      luaws_buf_append_int(out, j.integer);
      break;
    case LUAWS_JSON_NUMBER:
      luaws_buf_append_char(out, 'n');
      luaws_buf_append_double(out, j.number);
      break;
    case LUAWS_JSON_STRING:
      luaws_buf_append_char(out, '\'');
      luaws_buf_append_str(out, j.text);
      luaws_buf_append_char(out, '\'');
      break;
    case LUAWS_JSON_KEY:
      luaws_buf_append_str(out, j.text);
      luaws_buf_append_char(out, ':');
      break;
    default:
      luaws_buf_append_cstr(out, t == LUAWS_JSON_NULL         ? "null"
                                 : t == LUAWS_JSON_TRUE       ? "true"
                                 : t == LUAWS_JSON_FALSE      ? "false"
                                 : t == LUAWS_JSON_BEGIN_LIST ? "["
                                 : t == LUAWS_JSON_END_LIST   ? "]"
                                 : t == LUAWS_JSON_BEGIN_MAP  ? "{"
                                                              : "}");
    }
  }
  luaws_json_finish(&j);
  free(copy);
}

static const struct {
  const char *text;
  const char *tokens;
} cases[] = {
    {"null", "null"},
    {" \t\r\n true \n", "true"},
    {"false", "false"},
    {"\xEF\xBB\xBF{}", "{ }"},
    {"[]", "[ ]"},
    {"[1,2 , 3]", "[ i1 i2 i3 ]"},
    {"{\"a\":1,\"b\" : [{}]}", "{ a: i1 b: [ { } ] }"},
    {"0", "i0"},
    {"-0", "i0"},
    {"-1", "i-1"},
    {"9223372036854775807", "i9223372036854775807"},
    {"-9223372036854775808", "i-9223372036854775808"},
    {"9223372036854775808", "n9.223372036854776e+18"},
    {"-9223372036854775809", "n-9.223372036854776e+18"},
    {"18446744073709551616", "n1.8446744073709552e+19"},
    {"99999999999999999999999", "n1e+23"},
    {"0.1", "n0.1"},
    {"0.18446744073709551616", "n0.1844674407370955"}, /* digits of 2^64 */
    {"-1.8446744073709551616", "n-1.8446744073709551"},
    {"0.00036893488147419103232e4", "n3.6893488147419102"},
    {"18446744073709551616.5", "n1.8446744073709552e+19"},
    {"-0.0", "n-0"},
    {"1.5e3", "n1500"},
    {"1E+2", "n100"},
    {"1e-2", "n0.01"},
    {"2.2250738585072014e-308", "n2.2250738585072014e-308"},
    {"1e400", "nInfinity"},
    {"-1e400", "n-Infinity"},
    {"1e-400", "n0"},
    {"12345678901234567e-20", "n0.00012345678901234567"},
    {"0.000000000000000000000000000001", "n1e-30"},
    {"1e99999999999999999999", "nInfinity"},
    {"NaN", "nNaN"},
    {"Infinity", "nInfinity"},
    {"-Infinity", "n-Infinity"},
    {"\"\"", "''"},
    {"\"plain text longer than a word\"", "'plain text longer than a word'"},
    {"\"a\\n\\t\\\"\\\\\\/\\b\\f\\r\"", "'a\n\t\"\\/\b\f\r'"},
    {"\"\\u0041\\u00e9\\u20ac\"", "'A\xC3\xA9\xE2\x82\xAC'"},
    {"\"\\ud83d\\ude00\"", "'\xF0\x9F\x98\x80'"},
    {"\"\\ud83d\"", "'\xEF\xBF\xBD'"},
    {"\"\\ude00x\"", "'\xEF\xBF\xBDx'"},
    {"\"\\ud83d\\u0041\"", "'\xEF\xBF\xBD"
                           "A'"},
    {"\"\xC3\xA9 raw\"", "'\xC3\xA9 raw'"},
    {"{\"k\\u0065y\":\"12345678\\n\"}", "{ key: '12345678\n' }"},
    {"", "error 0: the text ends too early"},
    {"   ", "error 3: the text ends too early"},
    {"[1", "[ i1 error 2: the text ends too early"},
    {"[1,", "[ i1 error 3: the text ends too early"},
    {"[1,]", "[ i1 error 3: a value is missing"},
    {"[,]", "[ error 1: a value is missing"},
    {"[1 2]", "[ i1 error 3: a ',' is missing"},
    {"[1}", "[ i1 error 2: a ',' is missing"},
    {"{\"a\"}", "{ error 4: a ':' is missing"},
    {"{\"a\":}", "{ a: error 5: a value is missing"},
    {"{\"a\":1,}", "{ a: i1 error 7: a name in quotes is missing"},
    {"{a:1}", "{ error 1: a name in quotes is missing"},
    {"{\"a\":1", "{ a: i1 error 6: the text ends too early"},
    {"{\"a", "{ error 1: a string without an end"},
    {"\"abc", "error 0: a string without an end"},
    {"\"abc\\", "error 4: a wrong escape in a string"},
    {"\"a\\x\"", "error 2: a wrong escape in a string"},
    {"\"\\u12\"", "error 1: a wrong escape in a string"},
    {"\"\\u12g4\"", "error 1: a wrong escape in a string"},
    {"\"a\nb\"", "error 2: a control character in a string"},
    {"\"12345678\x1f\"", "error 9: a control character in a string"},
    {"1 2", "i1 error 2: something follows the value"},
    {"01", "i0 error 1: something follows the value"},
    {"1.", "error 2: a digit is missing in a number"},
    {"1.e3", "error 2: a digit is missing in a number"},
    {"1e", "error 2: a digit is missing in a number"},
    {"-", "error 1: a digit is missing in a number"},
    {"-Inf", "error 1: a digit is missing in a number"},
    {".5", "error 0: a value is missing"},
    {"+1", "error 0: a value is missing"},
    {"nul", "error 0: a value is missing"},
    {"True", "error 0: a value is missing"},
    {"'a'", "error 0: a value is missing"},
    {"]", "error 0: a value is missing"},
    {"{}}", "{ } error 2: something follows the value"},
};

static void every_text_gives_its_tokens(void **state) {
  struct luaws_buf out = {0};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    show(&out, luaws_str_from(cases[i].text));
    if (strcmp(out.ptr, cases[i].tokens) != 0) {
      fail_msg("%s: got %s, not %s", cases[i].text, out.ptr, cases[i].tokens);
    }
  }
  luaws_buf_clear(&out);
}

static void a_zero_byte_is_no_end(void **state) {
  struct luaws_buf out = {0};
  show(&out, (struct luaws_str){"1\0", 2});
  assert_string_equal(out.ptr, "i1 error 1: something follows the value");
  luaws_buf_clear(&out);
}

static void a_special_byte_is_found_wherever_it_stands_in_a_word(void **state) {
  struct luaws_buf out = {0};
  for (size_t before = 0; before < 20; before++) {
    for (size_t after = 0; after < 20; after++) {
      char text[64] = "\"";
      memset(text + 1, 0x80 + (int)before, before);
      memcpy(text + 1 + before, "\\n", 2);
      memset(text + 3 + before, '~', after);
      text[3 + before + after] = '"';
      show(&out, luaws_str_from(text));
      assert_int_equal(out.len, before + after + 3);
      assert_int_equal(out.ptr[before + 1], '\n');
    }
  }
  luaws_buf_clear(&out);
}

static void nesting_ends_in_an_error_not_in_a_crash(void **state) {
  char text[LUAWS_JSON_MAX_DEPTH + 2];
  memset(text, '[', sizeof text);
  struct luaws_json j = {0};
  luaws_json_start(&j, (struct luaws_str){text, sizeof text});
  for (int i = 0; i < LUAWS_JSON_MAX_DEPTH; i++)
    assert_int_equal(luaws_json_next(&j), LUAWS_JSON_BEGIN_LIST);
  assert_int_equal(luaws_json_next(&j), LUAWS_JSON_ERROR);
  luaws_json_finish(&j);
}

static void a_value_can_be_skipped(void **state) {
  struct luaws_json j = {0};
  luaws_json_start(&j, LUAWS_STR("{\"a\":[1,{\"b\":[]},2],\"c\":3,\"d\":{},\"e\":4}"));
  assert_int_equal(luaws_json_next(&j), LUAWS_JSON_BEGIN_MAP);
  assert_int_equal(luaws_json_next(&j), LUAWS_JSON_KEY);
  assert_true(luaws_json_skip(&j, LUAWS_JSON_KEY));
  assert_int_equal(luaws_json_next(&j), LUAWS_JSON_KEY);
  assert_true(luaws_str_is(j.text, "c"));
  assert_true(luaws_json_skip(&j, LUAWS_JSON_KEY));
  assert_int_equal(luaws_json_next(&j), LUAWS_JSON_KEY);
  assert_int_equal(luaws_json_next(&j), LUAWS_JSON_BEGIN_MAP);
  assert_true(luaws_json_skip(&j, LUAWS_JSON_BEGIN_MAP));
  assert_int_equal(luaws_json_next(&j), LUAWS_JSON_KEY);
  assert_true(luaws_str_is(j.text, "e"));
  luaws_json_start(&j, LUAWS_STR("[1,"));
  assert_int_equal(luaws_json_next(&j), LUAWS_JSON_BEGIN_LIST);
  assert_false(luaws_json_skip(&j, LUAWS_JSON_BEGIN_LIST));
  luaws_json_finish(&j);
}

static void quoting_escapes_what_json_asks_for(void **state) {
  static const struct {
    struct luaws_str in;
    const char *out;
  } rows[] = {
      {{NULL, 0}, "\"\""},
      {{"a\"b\\c/", 6}, "\"a\\\"b\\\\c/\""},
      {{"\b\f\n\r\t\v\0\x1f\x7f", 9}, "\"\\b\\f\\n\\r\\t\\u000b\\u0000\\u001f\x7f\""},
      {{"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9},
       "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
      {{"a\xFFz", 3}, "\"a\xEF\xBF\xBDz\""},
      {{"\xC3", 1}, "\"\xEF\xBF\xBD\""},
      {{"\xED\xA0\x80", 3}, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
      {{"\xC0\xAF", 2}, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct luaws_buf out = {0};
    luaws_json_quote(&out, rows[i].in);
    assert_string_equal(out.ptr, rows[i].out);
    luaws_buf_clear(&out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_text_gives_its_tokens),
      cmocka_unit_test(a_zero_byte_is_no_end),
      cmocka_unit_test(a_special_byte_is_found_wherever_it_stands_in_a_word),
      cmocka_unit_test(nesting_ends_in_an_error_not_in_a_crash),
      cmocka_unit_test(a_value_can_be_skipped),
      cmocka_unit_test(quoting_escapes_what_json_asks_for),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
