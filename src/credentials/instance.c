/* The metadata service of an EC2 instance. */
#include "credentials/provider.h"

/* TODO: asking it. Until then it answers as it does where there is no instance. */
static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  return LUAWS_PASS;
}

const struct luaws_provider luaws_provider_instance = {"iam-role", "Ec2InstanceMetadata",
                                                       step, NULL, NULL};
