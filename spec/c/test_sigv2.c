/* Signature Version 2; the signatures are what botocore makes of the same form. */
#include "sign/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define FORM                                                                           \
  "Action=Select&SelectExpression=select+%2A+from+%60d+x%60+where+a%2Bb+%3D+%27%C3%A9" \
  "%27&Item.10=b&Item.1=a&Version=2009-04-15"
#define SIGNER                                                                \
  "&AWSAccessKeyId=AKIDEXAMPLE&SignatureMethod=HmacSHA256&SignatureVersion=2" \
  "&Timestamp=2015-01-25T08%3A00%3A00Z"

enum { TIME_S = 1422172800 };

static void sign(struct luaws_request *req, const char *token, int64_t time_s) {
  struct luaws_error err = {0};
  const struct luaws_creds creds = {.access_key = LUAWS_STR("AKIDEXAMPLE"),
                                    .secret_key = LUAWS_STR("the-secret"),
                                    .session_token = luaws_str_from(token)};
  assert_int_equal(luaws_sigv2_sign(req, &creds, time_s, &err), 0);
  luaws_error_clear(&err);
}

static void assert_body(const struct luaws_request *req, const char *expected) {
  assert_int_equal(req->body.length, strlen(expected));
  assert_int_equal(req->body.bytes.len, strlen(expected));
  assert_memory_equal(req->body.bytes.ptr, expected, strlen(expected));
}

static struct luaws_request make_request(struct luaws_arena *arena) {
  return (struct luaws_request){.arena = arena,
                                .method = LUAWS_STR("POST"),
                                .host = LUAWS_STR("sdb.amazonaws.com"),
                                .path = LUAWS_STR("/"),
                                .body = {.kind = LUAWS_STREAM_BYTES,
                                         .bytes = LUAWS_STR(FORM),
                                         .length = sizeof FORM - 1}};
}

static void signs_a_form_with_a_signature_behind_it(void **state) {
  (void)state;
  struct luaws_arena arena = {0};
  struct luaws_request req = make_request(&arena);
  sign(&req, "", TIME_S);
  assert_body(&req,
              FORM SIGNER "&Signature=xnFdouUTfydbbFENIsGZMy%2BHGBUU61zDYWQFQVnZ9Xo%3D");
  luaws_arena_clear(&arena);
}

static void replaces_an_earlier_signature_and_adds_the_token(void **state) {
  (void)state;
  struct luaws_arena arena = {0};
  struct luaws_request req = make_request(&arena);
  sign(&req, "another", TIME_S - 60);
  sign(&req, "tok/en+=", TIME_S);
  assert_body(&req,
              FORM SIGNER "&SecurityToken=tok%2Fen%2B%3D"
                          "&Signature=tkH3oagRC9MFC%2FTyp7XlKgISq9yDVYVPsLhyhV3GoUU%3D");
  luaws_arena_clear(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(signs_a_form_with_a_signature_behind_it),
      cmocka_unit_test(replaces_an_earlier_signature_and_adds_the_token),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
