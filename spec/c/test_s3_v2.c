/* S3's Signature Version 2: the examples that AWS published with it, by its example keys.
 */
#include "sign/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define KEY "AKIAIOSFODNN7EXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

static void signs_the_published_texts(void **state) {
  (void)state;
  static const struct {
    const char *text, *signature;
  } cases[] = {
      {"GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/johnsmith/photos/puppy.jpg",
       "bWq2s1WEIj+Ydj0vQ697zp+IXMU="},
      {"PUT\n\nimage/jpeg\nTue, 27 Mar 2007 21:15:45 +0000\n"
       "/johnsmith/photos/puppy.jpg",
       "MyyxeRY7whkBe+bq8fHCL/2kKUg="},
      {"GET\n\n\nTue, 27 Mar 2007 19:42:41 +0000\n/johnsmith/",
       "htDYFYduRNen8P9ZfE/s9SuKy0U="},
      {"GET\n\n\nTue, 27 Mar 2007 19:44:46 +0000\n/johnsmith/?acl",
       "c2WLPFtWHVgbEmeEG93a4cG37dM="},
      {"GET\n\n\nWed, 28 Mar 2007 01:29:59 +0000\n/", "qGdzdERIC03wnaRNKh6OqZehG9s="},
      {"GET\n\n\nWed, 28 Mar 2007 01:49:49 +0000\n"
       "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re",
       "DNEZGsoieTZ92F3bUfSPQcbGmlM="},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct luaws_buf out = {0};
    assert_int_equal(
        luaws_s3_v2_sign_text(LUAWS_STR(SECRET), luaws_str_from(cases[i].text), &out), 0);
    assert_true(luaws_str_is(luaws_buf_str(&out), cases[i].signature));
    luaws_buf_clear(&out);
  }
}

struct signing {
  struct luaws_arena arena;
  struct luaws_request req;
  struct luaws_s3_v2_opts opts;
  struct luaws_buf text;
};

static void begin(struct signing *s, const char *method, const char *url) {
  struct luaws_error err = {0};
  *s = (struct signing){0};
  s->req.arena = s->req.headers.arena = &s->arena;
  s->req.method = luaws_str_from(method);
  assert_int_equal(luaws_request_set_url(&s->req, luaws_str_from(url), &err), 0);
  s->opts.string_to_sign = &s->text;
}

static void end(struct signing *s) {
  luaws_buf_clear(&s->text);
  luaws_arena_clear(&s->arena);
}

static void sign(struct signing *s, const char *token) {
  struct luaws_error err = {0};
  const struct luaws_creds creds = {LUAWS_STR(KEY), LUAWS_STR(SECRET),
                                    luaws_str_from(token)};
  assert_int_equal(luaws_s3_v2_sign(&s->req, &creds, &s->opts, &err), 0);
}

static void add(struct signing *s, const char *name, const char *value) {
  assert_true(
      luaws_headers_add(&s->req.headers, luaws_str_from(name), luaws_str_from(value)));
}

static void assert_header(struct signing *s, const char *name, const char *value) {
  const struct luaws_str *found =
      luaws_headers_get(&s->req.headers, luaws_str_from(name));
  assert_non_null(found);
  assert_memory_equal(found->ptr, value, strlen(value));
  assert_int_equal(found->len, strlen(value));
}

static void presigns_the_published_url(void **state) {
  (void)state;
  struct signing s;
  begin(&s, "GET", "https://johnsmith.s3.amazonaws.com/photos/puppy.jpg");
  s.opts.resource = LUAWS_STR("/johnsmith/photos/puppy.jpg");
  s.opts.in_query = true;
  s.opts.time_s = 1175139000;
  s.opts.expires_s = 620;
  sign(&s, "");
  assert_true(luaws_str_is(s.req.query, "AWSAccessKeyId=" KEY
                                        "&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D"
                                        "&Expires=1175139620"));
  end(&s);
}

/* The upload of the published examples, with the date as HTTP wants it. */
static void joins_and_sorts_headers_and_parameters(void **state) {
  (void)state;
  struct signing s;
  begin(&s, "PUT",
        "http://static.johnsmith.net:8080/db-backup.dat.gz"
        "?versionId=a%2Bb&x=y&acl&response-expires=Thu%2C%2001%20Dec");
  s.opts.resource = LUAWS_STR("/static.johnsmith.net/db-backup.dat.gz");
  s.opts.time_s = 1175029568;
  add(&s, "x-amz-acl", "public-read");
  add(&s, "content-type", "  application/x-download ");
  add(&s, "Content-MD5", "4gJE4saaMU4BqNR0kLY+lw==");
  add(&s, "X-Amz-Meta-ReviewedBy", "joe@johnsmith.net");
  add(&s, "X-Amz-Meta-ReviewedBy", " jane@johnsmith.net");
  add(&s, "X-Amz-Meta-Checksum", "0x02661779");
  add(&s, "Date", "yesterday");
  add(&s, "Authorization", "of before");
  sign(&s, "token");
  assert_string_equal(s.text.ptr,
                      "PUT\n"
                      "4gJE4saaMU4BqNR0kLY+lw==\n"
                      "application/x-download\n"
                      "Tue, 27 Mar 2007 21:06:08 GMT\n"
                      "x-amz-acl:public-read\n"
                      "x-amz-meta-checksum:0x02661779\n"
                      "x-amz-meta-reviewedby:joe@johnsmith.net,jane@johnsmith.net\n"
                      "x-amz-security-token:token\n"
                      "/static.johnsmith.net/db-backup.dat.gz"
                      "?acl&response-expires=Thu, 01 Dec&versionId=a+b");
  assert_header(&s, "Date", "Tue, 27 Mar 2007 21:06:08 GMT");
  assert_header(&s, "Authorization", "AWS " KEY ":II3W3DMr8Cfe4d0zQmowSK3ENvM=");
  end(&s);
}

static void replaces_what_it_set_before(void **state) {
  (void)state;
  struct signing s;
  begin(&s, "GET", "https://b.s3.amazonaws.com/k");
  s.opts.resource = LUAWS_STR("/b/k");
  s.opts.time_s = 1175029568;
  sign(&s, "one");
  s.opts.time_s = 1175139000;
  sign(&s, "two");
  assert_int_equal(s.req.headers.count, 3);
  assert_header(&s, "x-amz-security-token", "two");
  assert_header(&s, "Date", "Thu, 29 Mar 2007 03:30:00 GMT");
  end(&s);
}

static void needs_credentials(void **state) {
  (void)state;
  struct signing s;
  struct luaws_error err = {0};
  const struct luaws_creds none = {0};
  begin(&s, "GET", "https://b.s3.amazonaws.com/k");
  assert_int_equal(luaws_s3_v2_sign(&s.req, &none, &s.opts, &err), LUAWS_E_CREDENTIALS);
  assert_string_equal(err.kind, "NoCredentialsError");
  luaws_error_clear(&err);
  end(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(signs_the_published_texts),
      cmocka_unit_test(presigns_the_published_url),
      cmocka_unit_test(joins_and_sorts_headers_and_parameters),
      cmocka_unit_test(replaces_what_it_set_before),
      cmocka_unit_test(needs_credentials),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
