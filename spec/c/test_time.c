#include "base/time.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void parses_every_form_that_services_send(void **state) {
  static const struct {
    const char *text;
    double seconds;
  } cases[] = {
      {"0", 0},
      {"1422172800", 1422172800},
      {"1422172800.5", 1422172800.5},
      {"1.4221728e9", 1422172800},
      {"-1", -1},
      {" 1422172800 ", 1422172800},
      {"20150125", 20150125},
      {"2015-01-25T08:00:00Z", 1422172800},
      {"2015-01-25t08:00:00z", 1422172800},
      {"2015-01-25T08:00:00", 1422172800},
      {"2015-01-25 08:00:00", 1422172800},
      {"2015-01-25T08:00Z", 1422172800},
      {"2015-01-25", 1422144000},
      {"2015-01-25T08:00:00.000Z", 1422172800},
      {"2015-01-25T08:00:00.123456Z", 1422172800.123456},
      {"2015-01-25T08:00:00.123456789Z", 1422172800.123456},
      {"2015-01-25T08:00:00,5Z", 1422172800.5},
      {"2015-01-25T09:00:00+01:00", 1422172800},
      {"2015-01-25T09:00:00+0100", 1422172800},
      {"2015-01-25T09:00:00+01", 1422172800},
      {"2015-01-25T00:30:00-07:30", 1422172800},
      {"2015-01-25 08:00:00 UTC", 1422172800},
      {"2015-01-25 08:00:00 +0000", 1422172800},
      {"20150125T080000Z", 1422172800},
      {"20150125T080000.25Z", 1422172800.25},
      {"2016-12-31T23:59:60Z", 1483228800},
      {"2016-02-29T24:00:00Z", 1456790400},
      {"0001-01-01T00:00:00Z", -62135596800},
      {"9999-12-31T23:59:59Z", 253402300799},
      {"1969-12-31T23:59:59.5Z", -0.5},
      {"Sun, 25 Jan 2015 08:00:00 GMT", 1422172800},
      {"Sun, 25 Jan 2015 08:00:00.250 GMT", 1422172800.25},
      {"sun, 25 jan 2015 08:00:00 gmt", 1422172800},
      {"Sunday, 25-Jan-15 08:00:00 GMT", 1422172800},
      {"25 Jan 2015 08:00:00 GMT", 1422172800},
      {"25 Jan 2015 08:00 GMT", 1422172800},
      {"Sun, 25 Jan 2015 09:00:00 +0100", 1422172800},
      {"Sun, 25 Jan 2015 03:00:00 EST", 1422172800},
      {"Sun Jan 25 08:00:00 2015", 1422172800},
      {"Sun Nov  6 08:49:37 1994", 784111777},
      {"Mon, 01 Feb 1999 00:00:00 GMT", 917827200},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double got = NAN;
    if (!luaws_time_parse(luaws_str_from(cases[i].text), &got)) {
      fail_msg("not parsed: %s", cases[i].text);
    }
    if (fabs(got - cases[i].seconds) > 4e-7) {
      fail_msg("%s is %.6f", cases[i].text, got);
    }
  }
}

static void refuses_what_is_no_time(void **state) {
  static const char *const cases[] = {
      "",
      " ",
      "now",
      "NaN",
      "Infinity",
      "1e300",
      "253402300800",
      "2015-",
      "2015-1-2T08:00:00Z",
      "2015-13-01T00:00:00Z",
      "2015-02-29T00:00:00Z",
      "2015-00-01T00:00:00Z",
      "2015-01-00T00:00:00Z",
      "2015-01-25T25:00:00Z",
      "2015-01-25T24:00:01Z",
      "2015-01-25T08:60:00Z",
      "2015-01-25T08:00:61Z",
      "2015-01-25T08:00:00X",
      "2015-01-25T08:00:00+25:00",
      "2015-01-25T08:00:00.Z",
      "2015-01-25T08:00:00Zjunk",
      "0000-01-01T00:00:00Z",
      "Sun, 25 Foo 2015 08:00:00 GMT",
      "Fooday, 25 Jan 2015 08:00:00 GMT",
      "Sun, 25 Jan 2015",
      "Sun, 25 Jan 2015 08 GMT",
      "2015-01-25T08:00:00Z2015-01-25T08:00:00Z2015-01-25T08:00:00Z2015-01-25T08:00:00Z",
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double got;
    if (luaws_time_parse(luaws_str_from(cases[i]), &got))
      fail_msg("parsed: %s", cases[i]);
  }
}

static void formats_times_as_the_wire_wants_them(void **state) {
  static const struct {
    double seconds;
    const char *iso, *iso_ms, *rfc822, *epoch, *basic;
  } cases[] = {
      {0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z",
       "Thu, 01 Jan 1970 00:00:00 GMT", "0", "19700101T000000Z"},
      {1422172800, "2015-01-25T08:00:00Z", "2015-01-25T08:00:00.000Z",
       "Sun, 25 Jan 2015 08:00:00 GMT", "1422172800", "20150125T080000Z"},
      {1422172800.123456, "2015-01-25T08:00:00.123456Z", "2015-01-25T08:00:00.123Z",
       "Sun, 25 Jan 2015 08:00:00 GMT", "1422172800", "20150125T080000Z"},
      {1422172799.9999999, "2015-01-25T08:00:00Z", "2015-01-25T08:00:00.000Z",
       "Sun, 25 Jan 2015 08:00:00 GMT", "1422172800", "20150125T080000Z"},
      {-0.5, "1969-12-31T23:59:59.500000Z", "1969-12-31T23:59:59.500Z",
       "Wed, 31 Dec 1969 23:59:59 GMT", "-1", "19691231T235959Z"},
      {951782400, "2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z",
       "Tue, 29 Feb 2000 00:00:00 GMT", "951782400", "20000229T000000Z"},
      {-62135596800, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z",
       "Mon, 01 Jan 0001 00:00:00 GMT", "-62135596800", "00010101T000000Z"},
      {253402300799, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z",
       "Fri, 31 Dec 9999 23:59:59 GMT", "253402300799", "99991231T235959Z"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct luaws_buf b = {0};
    assert_true(luaws_time_format_iso8601(&b, cases[i].seconds));
    assert_string_equal(b.ptr, cases[i].iso);
    luaws_buf_reset(&b);
    assert_true(luaws_time_format_iso8601_ms(&b, cases[i].seconds));
    assert_string_equal(b.ptr, cases[i].iso_ms);
    luaws_buf_reset(&b);
    assert_true(luaws_time_format_rfc822(&b, cases[i].seconds));
    assert_string_equal(b.ptr, cases[i].rfc822);
    luaws_buf_reset(&b);
    assert_true(luaws_time_format_epoch(&b, cases[i].seconds));
    assert_string_equal(b.ptr, cases[i].epoch);
    luaws_buf_reset(&b);
    assert_true(luaws_time_format_basic(&b, cases[i].seconds));
    assert_string_equal(b.ptr, cases[i].basic);
    luaws_buf_clear(&b);
  }
}

static void formats_nothing_for_what_has_no_date(void **state) {
  static const double cases[] = {NAN,          INFINITY,     -INFINITY,
                                 253402300800, -62135596801, 1e300};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct luaws_buf b = {0};
    assert_false(luaws_time_format_iso8601(&b, cases[i]));
    assert_false(luaws_time_format_iso8601_ms(&b, cases[i]));
    assert_false(luaws_time_format_rfc822(&b, cases[i]));
    assert_false(luaws_time_format_epoch(&b, cases[i]));
    assert_false(luaws_time_format_basic(&b, cases[i]));
    assert_int_equal(b.len, 0);
  }
}

static void splits_and_joins_every_day(void **state) {
  for (double s = -62135596800; s < 253402300800; s += 86400.0 * 97 + 4711) {
    struct luaws_time t;
    assert_true(luaws_time_split(s, &t));
    assert_true(luaws_time_join(&t) == s);
  }
}

static void carries_fields_out_of_range(void **state) {
  struct luaws_time t = {.year = 2015, .month = 14, .day = 0, .hour = 25, .minute = -1};
  struct luaws_time same = {.year = 2016, .month = 2, .day = 1, .hour = 0, .minute = 59};
  assert_true(luaws_time_join(&t) == luaws_time_join(&same));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parses_every_form_that_services_send),
      cmocka_unit_test(refuses_what_is_no_time),
      cmocka_unit_test(formats_times_as_the_wire_wants_them),
      cmocka_unit_test(formats_nothing_for_what_has_no_date),
      cmocka_unit_test(splits_and_joins_every_day),
      cmocka_unit_test(carries_fields_out_of_range),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
