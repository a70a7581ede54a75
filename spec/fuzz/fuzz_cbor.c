/* Any bytes as answers and errors in CBOR. */
#include "answer.h"
#include "protocol/protocols.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct answer_choice choices[] = {
      {"dynamodb", "GetItem"},         {"dynamodb", "DescribeTable"},
      {"kinesis", "GetRecords"},       {"dynamodb", "PutItem"},
      {"cloudwatch", "GetMetricData"}, {"emr", "ListClusters"},
      {"bedrock-runtime", "Converse"},
  };
  int status = size > 0 && data[0] & 128 ? 400 : 200;
  return answer_fuzz(&luaws_protocol_cbor, choices, sizeof choices / sizeof *choices,
                     status, data, size);
}
