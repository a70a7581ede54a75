/* Any bytes as answers in JSON. */
#include "answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct answer_choice choices[] = {
      {"dynamodb", "GetItem"},         {"dynamodb", "DescribeTable"},
      {"kinesis", "GetRecords"},       {"bedrock-runtime", "Converse"},
      {"lambda", "ListFunctions"},     {"apigateway", "GetRestApis"},
      {"cloudwatch", "GetMetricData"}, {"emr", "ListClusters"},
  };
  return answer_fuzz(NULL, choices, sizeof choices / sizeof *choices, 200, data, size);
}
