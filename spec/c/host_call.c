/* luaws_open, luaws_call, luaws_close: any operation with JSON in and JSON out. */
#include <luaws.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stddef.h>
#include <time.h>

#include "host_peer.h"

static struct luaws_handle *open_handle(const char *service) {
  char *error = NULL;
  struct luaws_options o = {.region = "us-east-1", .endpoint_url = peer_url};
  struct luaws_handle *h = luaws_open(service, &o, &error);
  if (!h) fail_msg("%s", error);
  return h;
}

static void answers_and_failures(void **state) {
  static const struct {
    const char *service, *operation, *params;
    int rc;
    const char *result, *error; /* what they hold; NULL for none */
  } cases[] = {
      {"sqs", "ListQueues", NULL, 0, "\"QueueUrls\": [\"http://a\", \"http://b\"]", NULL},
      {"sqs", "ListQueues", "{}", 0, "\"RequestId\": \"r-1\"", NULL},
      {"sqs", "ListQueues", " {\"MaxResults\": 5} ", 0, "\"HTTPStatusCode\": 200", NULL},
      {"sqs", "GetQueueUrl", "{\"QueueName\":\"q\"}", 1,
       "\"Code\": \"QueueDoesNotExist\"",
       "An error occurred (QueueDoesNotExist) when calling the GetQueueUrl operation: no "
       "such queue"},
      {"sqs", "ListQueues", "{", -1, NULL, "JSONDecodeError: "},
      {"sqs", "ListQueues", "", -1, NULL, "JSONDecodeError: "},
      {"sqs", "ListQueues", "{} x", -1, NULL, "JSONDecodeError: "},
      {"sqs", "ListQueues", "[1]", -1, NULL, "ParamValidationError: "},
      {"sqs", "ListQueues", "7", -1, NULL, "ParamValidationError: "},
      {"sqs", "ListQueues", "null", -1, NULL, "ParamValidationError: "},
      {"sqs", "ListQueues", "{\"Wrong\":1}", -1, NULL,
       "ParamValidationError: Parameter validation failed:\nUnknown parameter"},
      {"sqs", "ListQueues", "{\"MaxResults\":\"5\"}", -1, NULL, "MaxResults"},
      {"sqs", "GetQueueUrl", "{}", -1, NULL, "QueueName"},
      {"sqs", "ListQueue", "{}", -1, NULL,
       "OperationNotFoundError: sqs has no operation 'ListQueue'; did you mean "
       "'ListQueues'?"},
      {"sqs", "list_queues", "{}", -1, NULL, "did you mean 'ListQueues'?"},
      {"sqs", "DoesNothingAtAll", "{}", -1, NULL,
       "OperationNotFoundError: sqs has no operation 'DoesNothingAtAll'"},
      {"sqs", "", "{}", -1, NULL, "OperationNotFoundError: sqs has no operation ''"},
      {"sqs", NULL, "{}", -1, NULL, "OperationNotFoundError: sqs has no operation ''"},
      {"kms", "Decrypt", "{\"CiphertextBlob\":\"AQID\"}", 0,
       "\"Plaintext\": \"AAECAw==\"", NULL},
      {"kms", "DescribeKey", "{\"KeyId\":\"k\"}", 0, "\"CreationDate\": 1.5", NULL},
      {"s3", "GetObject", "{\"Bucket\":\"b\",\"Key\":\"k\"}", 0, "\"Body\": \"YQD/\"",
       NULL},
      {"s3", "PutObject", "{\"Bucket\":\"b\",\"Key\":\"k\",\"Body\":\"YQD/\"}", 0,
       "ResponseMetadata", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct luaws_handle *h = open_handle(cases[i].service);
    char *result = (char *)1, *error = (char *)1;
    int rc = luaws_call(h, cases[i].operation, cases[i].params, &result, &error);
    const char *got_result = result ? result : "", *got_error = error ? error : "";
    if (rc != cases[i].rc || !result != !cases[i].result || !error != !cases[i].error ||
        !strstr(got_result, cases[i].result ? cases[i].result : "") ||
        !strstr(got_error, cases[i].error ? cases[i].error : ""))
      fail_msg("%s %s: %d\n%s\n%s", cases[i].operation, cases[i].params, rc, got_result,
               got_error);
    luaws_free(result);
    luaws_free(error);
    assert_int_equal(luaws_call(h, cases[i].operation, cases[i].params, NULL, NULL),
                     cases[i].rc);
    luaws_close(h);
  }
}

static void blobs_go_out_as_bytes(void **state) {
  struct luaws_handle *h = open_handle("s3");
  assert_int_equal(luaws_call(h, "PutObject",
                              "{\"Bucket\":\"b\",\"Key\":\"k\",\"Body\":\"YQD/\"}", NULL,
                              NULL),
                   0);
  assert_non_null(memmem(peer.body, sizeof peer.body, "a\0\xff", 3));
  luaws_close(h);
  h = open_handle("kms");
  luaws_call(h, "Decrypt", "{\"CiphertextBlob\":\"AQID\"}", NULL, NULL);
  assert_non_null(strstr(peer.body, "\"AQID\""));
  luaws_close(h);
}

static void blobs_that_are_no_base64_are_refused(void **state) {
  static const struct {
    const char *service, *operation, *params, *error;
  } cases[] = {
      {"s3", "PutObject", "{\"Bucket\":\"b\",\"Key\":\"k\",\"Body\":\"hello\"}",
       "Invalid type for parameter Body, value: \"hello\", type: string, valid types: "
       "string (base64)"},
      {"kms", "Decrypt", "{\"CiphertextBlob\":\"AQ==AQ==\"}",
       "Invalid type for parameter CiphertextBlob, "},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct luaws_handle *h = open_handle(cases[i].service);
    char *error = NULL;
    assert_int_equal(luaws_call(h, cases[i].operation, cases[i].params, NULL, &error),
                     -1);
    assert_non_null(error);
    assert_non_null(strstr(error, cases[i].error));
    luaws_free(error);
    luaws_close(h);
  }
  struct luaws_handle *h = open_handle("s3");
  static const char wrapped[] =
      "{\"Bucket\":\"b\",\"Key\":\"k\",\"Body\":\"YQ\\nD/\\n\"}";
  assert_int_equal(luaws_call(h, "PutObject", wrapped, NULL, NULL), 0);
  assert_non_null(memmem(peer.body, sizeof peer.body, "a\0\xff", 3));
  assert_int_equal(luaws_call(h, "PutObject",
                              "{\"Bucket\":\"b\",\"Key\":\"k\",\"Body\":\"\"}", NULL,
                              NULL),
                   0);
  luaws_close(h);
}

static void directory_buckets_have_sessions(void **state) {
  struct luaws_handle *h = open_handle("s3");
  for (int i = 0; i < 2; i++) {
    char *result = NULL, *error = NULL;
    const char *params = "{\"Bucket\":\"data--use1-az4--x-s3\",\"Key\":\"k\"}";
    if (luaws_call(h, "GetObject", params, &result, &error)) fail_msg("%s", error);
    assert_non_null(strstr(result, "\"Body\": \"YQD/\""));
    assert_string_equal(tiny_header(&peer, "x-amz-s3session-token"), "tok");
    assert_non_null(strstr(tiny_header(&peer, "Authorization"), "Credential=SESSION/"));
    luaws_free(result);
  }
  luaws_close(h);
}

static void what_cannot_be_opened(void **state) {
  static const struct {
    const char *service, *error;
    struct luaws_options o;
  } cases[] = {
      {"nothing", "UnknownServiceError: ", {.region = "us-east-1"}},
      {"", "DataNotFoundError: ", {.region = "us-east-1"}},
      {"sqs", "NoRegionError: ", {.region = NULL}},
      {"sqs", "ProfileNotFound: ", {.profile = "not-there"}},
      {"sqs", "PartialCredentialsError: ", {.region = "us-east-1", .access_key = "AKID"}},
      {"sqs", "ValueError: ", {.region = "us-east-1", .endpoint_url = "nonsense"}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *error = NULL;
    struct luaws_handle *h = luaws_open(cases[i].service, &cases[i].o, &error);
    if (h || !error || strncmp(error, cases[i].error, strlen(cases[i].error)) != 0)
      fail_msg("%s: %s", cases[i].error, error ? error : "opened");
    luaws_free(error);
    assert_null(luaws_open(cases[i].service, &cases[i].o, NULL));
  }
  char *error = NULL;
  assert_null(luaws_open("sqs", NULL, &error));
  luaws_free(error);
  setenv("AWS_DEFAULT_REGION", "us-east-1", 1);
  struct luaws_handle *h = luaws_open("sqs", NULL, &error);
  assert_non_null(h);
  assert_null(error);
  luaws_close(h);
  unsetenv("AWS_DEFAULT_REGION");
  luaws_close(NULL);
  luaws_free(NULL);
}

static int give(void *arg, struct luaws_host_credentials *out) {
  char key[] = "AKID-CALLBACK", secret[] = "s";
  static _Thread_local char kept[2][32];
  memcpy(kept[0], key, sizeof key);
  memcpy(kept[1], secret, sizeof secret);
  out->access_key = kept[0];
  out->secret_key = kept[1];
  out->expiry_s = *(int *)arg < 0 ? time(NULL) + 1 : 0;
  ++*(int *)arg;
  return 0;
}

static void credentials_from_everywhere(void **state) {
  int asked = 0;
  struct luaws_options o = {.region = "us-east-1",
                            .endpoint_url = peer_url,
                            .credentials = give,
                            .credentials_arg = &asked};
  struct luaws_handle *h = luaws_open("sqs", &o, NULL);
  assert_int_equal(asked, 0);
  for (int i = 0; i < 3; i++)
    assert_int_equal(luaws_call(h, "ListQueues", NULL, NULL, NULL), 0);
  assert_int_equal(asked, 1);
  assert_non_null(strstr(peer.seen, "AKID-CALLBACK/"));
  luaws_close(h);
  asked = -10; /* they expire within a second */
  h = luaws_open("sqs", &o, NULL);
  luaws_call(h, "ListQueues", NULL, NULL, NULL);
  usleep(1050 * 1000);
  luaws_call(h, "ListQueues", NULL, NULL, NULL);
  assert_int_equal(asked, -8);
  luaws_close(h);
  char access_key[] = "AKID-GIVEN", secret_key[] = "given-secret";
  o = (struct luaws_options){.region = "us-east-1",
                             .endpoint_url = peer_url,
                             .access_key = access_key,
                             .secret_key = secret_key,
                             .session_token = "given-token"};
  h = luaws_open("sqs", &o, NULL);
  memset(access_key, 'x', sizeof access_key - 1); /* copied */
  assert_int_equal(luaws_call(h, "ListQueues", NULL, NULL, NULL), 0);
  assert_non_null(strstr(peer.seen, "AKID-GIVEN/"));
  assert_non_null(strcasestr(peer.seen, "x-amz-security-token: given-token"));
  luaws_close(h);
}

static void codes_of_mfa_devices(void **state) {
  int asked = 0;
  char config[32], *error;
  peer_write_config(config, peer_mfa_profile);
  struct luaws_options o = {.region = "us-east-1",
                            .profile = "m",
                            .endpoint_url = peer_url,
                            .mfa = peer_tell_code,
                            .mfa_arg = &asked};
  struct luaws_handle *h = luaws_open("sqs", &o, NULL);
  assert_int_equal(luaws_call(h, "ListQueues", NULL, NULL, NULL), 0);
  assert_int_equal(luaws_call(h, "ListQueues", NULL, NULL, NULL), 0);
  assert_int_equal(asked, 1);
  assert_non_null(strstr(peer.seen, "AKID-ROLE/"));
  luaws_close(h);
  static const char *const refusals[] = {
      "CredentialRetrievalError: the host's callback gave no MFA code for the-device",
      "CredentialRetrievalError: Error when retrieving credentials from assume-role: an "
      "MFA code for the-device is needed"};
  for (int i = 0; i < 2; i++) {
    asked = 100;
    if (i == 1) o.mfa = NULL;
    h = luaws_open("sqs", &o, NULL);
    assert_int_equal(luaws_call(h, "ListQueues", NULL, NULL, &error), -1);
    if (strncmp(error, refusals[i], strlen(refusals[i])) != 0) fail_msg("%s", error);
    luaws_free(error);
    luaws_close(h);
  }
  peer_remove_config(config);
}

static void nobody_answers(void **state) {
  struct luaws_options o = {.region = "us-east-1", .endpoint_url = "http://127.0.0.1:1"};
  struct luaws_handle *h = luaws_open("sqs", &o, NULL);
  char *result, *error;
  assert_int_equal(luaws_call(h, "ListQueues", NULL, &result, &error), -1);
  assert_null(result);
  assert_non_null(strstr(error, "EndpointConnectionError: "));
  luaws_free(error);
  luaws_close(h);
}

static void *call_in_thread(void *arg) {
  for (int i = 0; i < 5; i++) {
    struct luaws_handle *h = open_handle("sqs");
    for (int k = 0; k < 20; k++)
      *(int *)arg += luaws_call(h, "ListQueues", NULL, NULL, NULL) == 0;
    luaws_close(h);
  }
  return NULL;
}

static void handles_in_threads(void **state) {
  pthread_t threads[4];
  int counts[4] = {0};
  for (int i = 0; i < 4; i++)
    pthread_create(&threads[i], NULL, call_in_thread, &counts[i]);
  for (int i = 0; i < 4; i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(counts[i], 100);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(answers_and_failures),
      cmocka_unit_test(blobs_go_out_as_bytes),
      cmocka_unit_test(blobs_that_are_no_base64_are_refused),
      cmocka_unit_test(directory_buckets_have_sessions),
      cmocka_unit_test(what_cannot_be_opened),
      cmocka_unit_test(credentials_from_everywhere),
      cmocka_unit_test(codes_of_mfa_devices),
      cmocka_unit_test(nobody_answers),
      cmocka_unit_test(handles_in_threads),
  };
  return cmocka_run_group_tests(tests, peer_start, peer_stop);
}
