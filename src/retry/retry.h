/* When to try again, and after how long: the standard policy, with its token bucket
   (legacy beside it; adaptive.h for what adaptive adds). Knows nothing of HTTP or
   services: it is told what happened. */
#ifndef LUAWS_RETRY_RETRY_H
#define LUAWS_RETRY_RETRY_H

#include "base/bytes.h"

enum luaws_retry_mode { LUAWS_RETRY_STANDARD, LUAWS_RETRY_LEGACY, LUAWS_RETRY_ADAPTIVE };

/* One per client. */
struct luaws_retry_policy {
  enum luaws_retry_mode mode;
  int max_attempts;      /* in all, the first included */
  double quota;          /* tokens left; starts at 500 */
  uint64_t random_state; /* seed; tests set it */
  bool own_max_attempts; /* max_attempts is the mode's, not the user's */
  bool rules_2026; /* AWS_NEW_RETRIES_2026: other costs and delays in standard mode */
};
/* max_attempts 0 stands for the mode's own: 3, in legacy mode 5 (DynamoDB: 10). */
void luaws_retry_policy_init(struct luaws_retry_policy *p, enum luaws_retry_mode mode,
                             int max_attempts);

/* One per call. Start from {0}; the caller counts attempts. */
struct luaws_retry_state {
  int attempt;     /* attempts made so far */
  int quota_taken; /* by the last retry */
  bool max_attempts_reached;
  bool quota_reached;
  int64_t last_wait_ms; /* to be waited though there is no retry (long_poll) */
};

/* What an attempt ended in. */
struct luaws_attempt_outcome {
  int error_code; /* enum luaws_code of a transport failure, 0 when there is a response */
  bool connect_failed; /* of error_code: no byte was sent */
  int status;
  struct luaws_str code;              /* of the service's error, none for success */
  struct luaws_str service_hyphen_id; /* for the cases that are one service's alone */
  bool modeled_retryable;             /* the exception's shape says so */
  bool modeled_throttling;
  bool long_poll;                         /* the operation waits for messages */
  const struct luaws_str *retry_after_ms; /* x-amz-retry-after, or NULL */
};

/* After an attempt: how many ms to wait before the next, or -1 when that was the last.
   Takes tokens for a retry and gives them back after success. */
int64_t luaws_retry_decide(struct luaws_retry_policy *p, struct luaws_retry_state *s,
                           const struct luaws_attempt_outcome *o);
/* Whether an operation waits for messages, by the names of the service and its own. */
bool luaws_retry_is_long_poll(struct luaws_str service_hyphen_id,
                              struct luaws_str operation);
/* The service asked to be called less often. */
bool luaws_retry_is_throttled(const struct luaws_attempt_outcome *o);

#endif
