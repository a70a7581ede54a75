/* What validation says, line by line. Parameters are JSON; see wire.h. */
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct wire wire;

struct check_case {
  const char *service;
  const char *operation;
  const char *params;
  const char *lines; /* NULL: nothing is wrong */
};

static const struct check_case cases[] = {
    {"s3", "GetObject", "{\"Bucket\":\"b\",\"Key\":\"k\"}", NULL},
    {"s3", "GetObject", "{}",
     "Missing required parameter in input: \"Bucket\"\n"
     "Missing required parameter in input: \"Key\""},
    {"s3", "GetObject", "[1]",
     "Invalid type for parameter input, value: [1], type: array (a list), valid types: "
     "table (a map)"},
    {"s3", "GetObject", "{\"Bucket\":\"b\",\"Key\":\"\"}",
     "Invalid length for parameter Key, value: \"\", valid min length: 1"},
    {"sts", "GetCallerIdentity", "{\"Accont\":1}",
     "Unknown parameter in input: \"Accont\", there are none"},
    {"dynamodb", "ListTables", "{\"Limt\":1}",
     "Unknown parameter in input: \"Limt\", must be one of: ExclusiveStartTableName, "
     "Limit "
     "(did you mean \"Limit\"?)"},
    {"dynamodb", "ListTables", "{\"limit\":1}",
     "Unknown parameter in input: \"limit\", must be one of: ExclusiveStartTableName, "
     "Limit "
     "(did you mean \"Limit\"?)"},
    {"dynamodb", "ListTables", "{\"Foo\":1}",
     "Unknown parameter in input: \"Foo\", must be one of: ExclusiveStartTableName, "
     "Limit"},
    {"dynamodb", "ListTables", "{\"Limit\":0}",
     "Invalid value for parameter Limit, value: 0, valid min value: 1"},
    {"dynamodb", "ListTables", "{\"Limit\":3.0}", NULL},
    {"dynamodb", "ListTables", "{\"Limit\":3.5}",
     "Invalid type for parameter Limit, value: 3.5, type: number, valid types: integer"},
    {"dynamodb", "ListTables", "{\"Limit\":1e300}",
     "Invalid type for parameter Limit, value: 1e+300, type: number, valid types: "
     "integer"},
    {"dynamodb", "ListTables", "{\"Limit\":\"1\"}",
     "Invalid type for parameter Limit, value: \"1\", type: string, valid types: "
     "integer"},
    {"dynamodb", "ListTables", "{\"Limit\":true}",
     "Invalid type for parameter Limit, value: true, type: boolean, valid types: "
     "integer"},
    {"dynamodb", "ListTables", "{\"Limit\":null}",
     "Invalid type for parameter Limit, value: null, type: null, valid types: integer"},
    {"dynamodb", "PutItem", "{\"TableName\":\"t\",\"Item\":{\"a\":{\"N\":1}}}",
     "Invalid type for parameter Item.a.N, value: 1, type: number, valid types: string"},
    {"dynamodb", "PutItem",
     "{\"TableName\":\"t\",\"Item\":{\"a\":{\"L\":[{\"S\":\"x\"},{\"S\":2}]}}}",
     "Invalid type for parameter Item.a.L[1].S, value: 2, type: number, valid types: "
     "string"},
    {"dynamodb", "PutItem", "{\"TableName\":\"t\",\"Item\":{}}", NULL},
    {"dynamodb", "PutItem",
     "{\"TableName\":\"t\",\"Item\":{\"a\":{\"B\":{\"$bytes\":\"AP8=\"}}}}", NULL},
    {"sns", "TagResource", "{\"ResourceArn\":\"a\",\"Tags\":{\"k\":\"v\"}}",
     "Invalid type for parameter Tags, value: {\"k\": \"v\"}, type: object (a map), "
     "valid types: "
     "table (a list)"},
    {"sns", "TagResource",
     "{\"ResourceArn\":\"a\",\"Tags\":[{\"Key\":\"k\"},{\"Value\":1,\"X\":2}]}",
     "Missing required parameter in Tags[0]: \"Value\"\n"
     "Missing required parameter in Tags[1]: \"Key\"\n"
     "Unknown parameter in Tags[1]: \"X\", must be one of: Key, Value\n"
     "Invalid type for parameter Tags[1].Value, value: 1, type: number, valid types: "
     "string"},
    {"lambda", "TagResource", "{\"Resource\":\"r\",\"Tags\":{\"k\":1}}",
     "Invalid type for parameter Tags.k, value: 1, type: number, valid types: string"},
    {"gamelift", "CreateBuild", "{\"Tags\":[{\"Key\":\"\",\"Value\":\"\"}]}",
     "Invalid length for parameter Tags[0].Key, value: \"\", valid min length: 1"},
    {"ssm", "CreateAssociation", "{\"Name\":\"n\",\"TargetMaps\":[{\"\":[\"\"]}]}",
     "Invalid length for parameter TargetMaps[0] (key: ), value: , valid min length: 1\n"
     "Invalid length for parameter TargetMaps[0].[0], value: \"\", valid min length: 1"},
    {"ec2", "DescribeSpotPriceHistory", "{\"StartTime\":\"2015-01-25\",\"EndTime\":1.5}",
     NULL},
    {"ec2", "DescribeSpotPriceHistory",
     "{\"StartTime\":{\"year\":2015,\"month\":1,\"day\":25}}", NULL},
    {"ec2", "DescribeSpotPriceHistory", "{\"StartTime\":{\"year\":2015}}",
     "Invalid type for parameter StartTime, value: {\"year\": 2015}, type: object (a "
     "map), valid "
     "types: number (of seconds), string (ISO 8601), table (of os.date)"},
    {"ec2", "DescribeSpotPriceHistory", "{\"StartTime\":\"soon\"}",
     "Invalid type for parameter StartTime, value: \"soon\", type: string, valid types: "
     "number "
     "(of seconds), string (ISO 8601), table (of os.date)"},
    {"cloudwatch", "PutMetricData",
     "{\"Namespace\":\"n\",\"MetricData\":[{\"MetricName\":\"m\",\"Value\":1,\"Values\":["
     "1,0.5,"
     "{\"$float\":\"NaN\"}]}]}",
     NULL},
    {"cloudwatch", "PutMetricData",
     "{\"Namespace\":\"n\",\"MetricData\":[{\"MetricName\":\"m\",\"Value\":\"1\"}]}",
     "Invalid type for parameter MetricData[0].Value, value: \"1\", type: string, valid "
     "types: "
     "number"},
    {"ec2", "DescribeInstances", "{\"DryRun\":1}",
     "Invalid type for parameter DryRun, value: 1, type: number, valid types: boolean"},
    /* Tokens are filled in by the call, required or not. */
    {"ssm-incidents", "UpdateIncidentRecord", "{\"arn\":\"a\"}", NULL},
    {"devicefarm", "CreateUpload", "{\"projectArn\":\"a\"}",
     "Missing required parameter in input: \"name\"\n"
     "Missing required parameter in input: \"type\"\n"
     "Invalid length for parameter projectArn, value: \"a\", valid min length: 32"},
    {"efs", "CreateFileSystem", "{}", NULL},
    {"bedrock-runtime", "Converse",
     "{\"modelId\":\"m\",\"additionalModelRequestFields\":{\"a\":[1,null]}}", NULL},
    {"bedrock-runtime", "Converse",
     "{\"modelId\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{},{\"text\":"
     "\"a\",\"guardContent\":"
     "{\"text\":{\"text\":\"x\"}}}]}]}",
     "Must set one of the following keys for tagged union structure "
     "messages[0].content[0]: "
     "text, image, document, video, audio, toolUse, toolResult, guardContent, "
     "cachePoint, "
     "reasoningContent, citationsContent, searchResult.\n"
     "Invalid number of parameters set for tagged union structure "
     "messages[0].content[1]. Can "
     "only set one of the following keys: text, image, document, video, audio, toolUse, "
     "toolResult, guardContent, cachePoint, reasoningContent, citationsContent, "
     "searchResult."},
    {"iot-data", "Publish", "{\"topic\":\"t\",\"userProperties\":{\"any\":[1,true]}}",
     NULL},
    /* Lengths are of characters. */
    {"secretsmanager", "CreateSecret",
     "{\"Name\":\"n\",\"ClientRequestToken\":"
     "\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
     "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
     "\xc3\xa9\"}",
     "Invalid length for parameter ClientRequestToken, value: "
     "\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
     "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
     "\xc3\xa9\xc3\xa9"
     "\xc3\xa9\", valid min length: 32"},
};

static struct luaws_str check(const char *service, const char *operation,
                              const char *params) {
  struct luaws_buf question = {0};
  luaws_buf_printf(&question, "{\"service\":\"%s\",\"operation\":\"%s\",\"check\":%s}",
                   service, operation, params);
  wire_ask(&wire, luaws_buf_str(&question));
  luaws_buf_clear(&question);
  return wire.err.code ? luaws_str_from(wire.err.message) : LUAWS_STR_NONE;
}

static void tells_every_fault_by_its_path(void **state) {
  int wrong = 0;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct check_case *c = &cases[i];
    struct luaws_str got = check(c->service, c->operation, c->params);
    struct luaws_buf wanted = {0};
    if (c->lines) luaws_buf_printf(&wanted, "Parameter validation failed:\n%s", c->lines);
    if (!luaws_str_eq(got, luaws_buf_str(&wanted))) {
      print_error("%s %s\ngot:    %.*s\nwanted: %s\n", c->operation, c->params,
                  LUAWS_STR_ARG(got), c->lines ? c->lines : "no fault");
      wrong++;
    } else if (c->lines) {
      assert_int_equal(wire.err.code, LUAWS_E_ARGUMENT);
      assert_string_equal(wire.err.kind, "ParamValidationError");
    }
    luaws_buf_clear(&wanted);
  }
  assert_int_equal(wrong, 0);
}

static void prints_no_secrets(void **state) {
  struct luaws_str got = check("secretsmanager", "CreateSecret",
                               "{\"Name\":\"n\",\"SecretString\":[\"hunter2\"]}");
  assert_non_null(strstr(got.ptr, "parameter SecretString, value: (hidden), type"));
  assert_null(strstr(got.ptr, "hunter2"));
  got = check("cognito-idp", "AdminCreateUser",
              "{\"UserPoolId\":\"p\",\"Username\":\"u\",\"TemporaryPassword\":12345}");
  assert_null(strstr(got.ptr, "12345"));
}

static void cuts_long_values_short(void **state) {
  struct luaws_buf params = {0};
  luaws_buf_append_cstr(&params, "{\"Limit\":\"");
  for (int i = 0; i < 10000; i++)
    luaws_buf_append_char(&params, 'x');
  luaws_buf_append_cstr(&params, "\"}");
  struct luaws_str got = check("dynamodb", "ListTables", params.ptr);
  luaws_buf_clear(&params);
  assert_in_range(got.len, 50, 600);
}

static void stops_counting_at_some_point(void **state) {
  struct luaws_buf params = {0};
  luaws_buf_append_cstr(&params, "{\"InstanceIds\":[");
  for (int i = 0; i < 5000; i++)
    luaws_buf_append_cstr(&params, i ? ",1" : "1");
  luaws_buf_append_cstr(&params, "]}");
  struct luaws_str got = check("ec2", "DescribeInstances", params.ptr);
  luaws_buf_clear(&params);
  assert_true(luaws_str_ends(got, LUAWS_STR("\nand 4900 further faults")));
}

static void refuses_what_is_nested_too_deep(void **state) {
  struct luaws_buf params = {0};
  luaws_buf_append_cstr(&params, "{\"TableName\":\"t\",\"Item\":{\"a\":");
  for (int i = 0; i < 70; i++)
    luaws_buf_append_cstr(&params, "{\"L\":[");
  for (int i = 0; i < 70; i++)
    luaws_buf_append_cstr(&params, "]}");
  luaws_buf_append_cstr(&params, "}}");
  struct luaws_str got = check("dynamodb", "PutItem", params.ptr);
  luaws_buf_clear(&params);
  assert_non_null(strstr(got.ptr, "is nested deeper than 128 levels, or holds itself"));
}

static void lets_streams_be_blobs_that_stream_only(void **state) {
  assert_null(
      check("s3", "PutObject", "{\"Bucket\":\"b\",\"Key\":\"k\",\"Body\":\"x\"}").ptr);
  struct luaws_str got =
      check("s3", "PutObject", "{\"Bucket\":\"b\",\"Key\":\"k\",\"Body\":1}");
  assert_non_null(strstr(got.ptr, "valid types: string, file, function"));
  got = check("lambda", "UpdateFunctionCode", "{\"FunctionName\":\"f\",\"ZipFile\":1}");
  assert_non_null(strstr(got.ptr, "valid types: string"));
  assert_null(strstr(got.ptr, "file"));
}

static int open_models(void **state) {
  return wire_open(&wire, LUAWS_DATA_DIR "/models.pack");
}

static int close_models(void **state) {
  wire_close(&wire);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tells_every_fault_by_its_path),
      cmocka_unit_test(prints_no_secrets),
      cmocka_unit_test(cuts_long_values_short),
      cmocka_unit_test(stops_counting_at_some_point),
      cmocka_unit_test(refuses_what_is_nested_too_deep),
      cmocka_unit_test(lets_streams_be_blobs_that_stream_only),
  };
  return cmocka_run_group_tests(tests, open_models, close_models);
}
