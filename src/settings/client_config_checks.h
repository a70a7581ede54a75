/* Values that must be right wherever they came from: code or settings. Botocore's kinds.
 */
#ifndef LUAWS_SETTINGS_CLIENT_CONFIG_CHECKS_H
#define LUAWS_SETTINGS_CLIENT_CONFIG_CHECKS_H

#include "base/error.h"

/* "InvalidRetryModeError" */
int luaws_retry_mode_check(struct luaws_str mode, struct luaws_error *err);
/* None passes. "InvalidS3AddressingStyleError" */
int luaws_s3_addressing_style_check(struct luaws_str style, struct luaws_error *err);
/* request_min_compression_size_bytes: "InvalidConfigError" */
int luaws_compression_size_check(int64_t n, struct luaws_error *err);

#endif
