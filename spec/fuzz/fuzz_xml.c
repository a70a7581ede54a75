/* Any bytes as answers in XML. */
#include "answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct answer_choice choices[] = {
      {"ec2", "DescribeInstances"},
      {"s3", "ListObjectsV2"},
      {"s3", "GetBucketAcl"},
      {"s3", "GetBucketNotification"},
      {"sns", "GetTopicAttributes"},
      {"rds", "DescribeDBInstances"},
      {"route53", "GetHostedZone"},
      {"sns", "Unsubscribe"},
      {"cloudfront", "GetDistribution"},
      {"s3", "GetBucketPolicyStatus"},
  };
  return answer_fuzz(NULL, choices, sizeof choices / sizeof *choices, 200, data, size);
}
