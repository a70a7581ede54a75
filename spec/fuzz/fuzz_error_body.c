/* Any bytes as the body of an error, of which none may be an error of ours. */
#include "answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct answer_choice choices[] = {
      {"ec2", "DescribeInstances"}, {"s3", "GetObject"},          {"iam", "GetUser"},
      {"route53", "GetHostedZone"}, {"dynamodb", "PutItem"},      {"sqs", "GetQueueUrl"},
      {"lambda", "GetFunction"},    {"apigateway", "GetRestApi"},
  };
  int status = size > 1 && data[1] % 2 ? 500 : 400;
  return answer_fuzz(NULL, choices, sizeof choices / sizeof *choices, status, data, size);
}
