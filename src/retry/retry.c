/* The numbers are the AWS SDKs' (standard mode) and botocore's (legacy mode). */
#include "retry/retry.h"

#include "base/error.h"

#include <math.h>
#include <sys/random.h>

enum {
  QUOTA = 500,
  COST = 5,
  COST_TIMEOUT = 10,
  COST_2026 = 14,
  COST_2026_THROTTLED = 5,
  MAX_DELAY_S = 20,
  RETRY_AFTER_MAX_MORE_MS = 5000,
};

static const char *const throttling_codes[] = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
};

static const char *const transient_codes[] = {
    "RequestTimeout",
    "RequestTimeoutException",
    "PriorRequestNotComplete",
};

/* Legacy mode: an error code counts only with its status, and some only for a service. */
struct legacy_rule {
  const char *service; /* NULL = any */
  int status;
  const char *code; /* NULL = any */
};

static const struct legacy_rule legacy_rules[] = {
    {NULL, 500, NULL},
    {NULL, 502, NULL},
    {NULL, 503, NULL},
    {NULL, 504, NULL},
    {NULL, 509, NULL},
    {NULL, 429, NULL},
    {NULL, 400, "Throttling"},
    {NULL, 400, "ThrottlingException"},
    {NULL, 400, "ThrottledException"},
    {NULL, 400, "RequestThrottledException"},
    {NULL, 400, "ProvisionedThroughputExceededException"},
    {"organizations", 400, "TooManyRequestsException"},
    {"dynamodb", 409, "ReplicatedWriteConflictException"},
    {"dynamodb", 400, "TransactionInProgressException"},
    {"ec2", 503, "RequestLimitExceeded"},
    {"ec2", 503, "EC2ThrottledException"},
    {"cloudsearch", 509, "BandwidthLimitExceeded"},
    {"kinesis", 400, "LimitExceededException"},
    {"sqs", 403, "RequestThrottled"},
    {"s3", 400, "RequestTimeout"},
    {"s3", 400, "BadDigest"},
    {"glacier", 408, "RequestTimeoutException"},
    {"route-53", 400, "Throttling"},
    {"route-53", 400, "PriorRequestNotComplete"},
    {"sts", 400, "IDPCommunicationError"},
};

static bool is_one_of(struct luaws_str code, const char *const *codes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (luaws_str_is(code, codes[i])) return true;
  }
  return false;
}
#define IS_ONE_OF(code, codes) is_one_of(code, codes, sizeof(codes) / sizeof *(codes))

static bool is_service(const struct luaws_attempt_outcome *o, const char *hyphen_id) {
  return luaws_str_is(o->service_hyphen_id, hyphen_id);
}

void luaws_retry_policy_init(struct luaws_retry_policy *p, enum luaws_retry_mode mode,
                             int max_attempts) {
  bool own = max_attempts <= 0;
  *p = (struct luaws_retry_policy){
      .mode = mode,
      .max_attempts = !own                         ? max_attempts
                      : mode == LUAWS_RETRY_LEGACY ? 5
                                                   : 3,
      .own_max_attempts = own,
      .quota = QUOTA,
  };
  /* Clients that fail together must not come back together. */
  if (getrandom(&p->random_state, sizeof p->random_state, GRND_NONBLOCK) < 0)
    p->random_state = (uint64_t)(uintptr_t)p;
}

/* splitmix64, as a number in [0, 1). */
static double random_number(struct luaws_retry_policy *p) {
  uint64_t z = p->random_state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  z ^= z >> 31;
  return (double)(z >> 11) * 0x1p-53;
}

static bool is_transport_failure(int code) {
  return code == LUAWS_E_CONNECT || code == LUAWS_E_TIMEOUT || code == LUAWS_E_CLOSED ||
         code == LUAWS_E_TLS || code == LUAWS_E_HTTP;
}

bool luaws_retry_is_throttled(const struct luaws_attempt_outcome *o) {
  return IS_ONE_OF(o->code, throttling_codes) ||
         (o->modeled_retryable && o->modeled_throttling);
}

bool luaws_retry_is_long_poll(struct luaws_str service_hyphen_id,
                              struct luaws_str operation) {
  static const struct {
    const char *service, *operation;
  } known[] = {{"sqs", "ReceiveMessage"},
               {"sfn", "GetActivityTask"},
               {"swf", "PollForActivityTask"},
               {"swf", "PollForDecisionTask"}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (luaws_str_is(service_hyphen_id, known[i].service) &&
        luaws_str_is(operation, known[i].operation))
      return true;
  }
  return false;
}

/* ---- legacy ---- */

static bool legacy_retries(const struct luaws_attempt_outcome *o) {
  if (o->error_code) {
    if (o->error_code == LUAWS_E_CHECKSUM) return is_service(o, "dynamodb");
    return is_transport_failure(o->error_code) && o->error_code != LUAWS_E_HTTP;
  }
  /* botocore's rule for organizations takes the place of the one for a bare 429. */
  if (o->status == 429 && is_service(o, "organizations")) return false;
  for (size_t i = 0; i < sizeof legacy_rules / sizeof *legacy_rules; i++) {
    const struct legacy_rule *r = &legacy_rules[i];
    if (o->status == r->status && (!r->code || luaws_str_is(o->code, r->code)) &&
        (!r->service || is_service(o, r->service)))
      return true;
  }
  return false;
}

static int64_t decide_legacy(struct luaws_retry_policy *p, struct luaws_retry_state *s,
                             const struct luaws_attempt_outcome *o) {
  bool dynamodb = is_service(o, "dynamodb");
  if (p->own_max_attempts && dynamodb) p->max_attempts = 10;
  if (!legacy_retries(o)) return -1;
  if (s->attempt >= p->max_attempts) {
    s->max_attempts_reached = true;
    return -1;
  }
  double base = dynamodb ? 0.05 : random_number(p);
  double ms = base * ldexp(1, s->attempt - 1) * 1000;
  return ms < (double)INT32_MAX ? llround(ms) : INT32_MAX;
}

/* ---- standard ---- */

static bool standard_retries(const struct luaws_attempt_outcome *o) {
  if (o->error_code) {
    if (o->error_code == LUAWS_E_CHECKSUM) return is_service(o, "dynamodb");
    return is_transport_failure(o->error_code);
  }
  return o->status == 500 || o->status == 502 || o->status == 503 || o->status == 504 ||
         IS_ONE_OF(o->code, transient_codes) || IS_ONE_OF(o->code, throttling_codes) ||
         o->modeled_retryable ||
         (is_service(o, "sts") && luaws_str_is(o->code, "IDPCommunicationError"));
}

static int cost_of(const struct luaws_retry_policy *p,
                   const struct luaws_attempt_outcome *o) {
  if (p->rules_2026) return luaws_retry_is_throttled(o) ? COST_2026_THROTTLED : COST_2026;
  return o->error_code == LUAWS_E_TIMEOUT ? COST_TIMEOUT : COST;
}

/* The service's own wish in ms, 0 when it is none. A number too large for us is large. */
static int64_t read_wish(struct luaws_str header) {
  struct luaws_str text = luaws_str_trim(header);
  int64_t ms;
  if (luaws_str_to_int64(text, &ms)) return ms < 0 ? 0 : ms;
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9') return 0;
  }
  return text.len ? INT64_MAX : 0;
}

static int64_t standard_delay(struct luaws_retry_policy *p,
                              const struct luaws_retry_state *s,
                              const struct luaws_attempt_outcome *o) {
  double scale = 1;
  if (p->rules_2026 && !luaws_retry_is_throttled(o)) {
    bool dynamodb = is_service(o, "dynamodb") || is_service(o, "dynamodb-streams");
    scale = dynamodb ? 0.025 : 0.05;
  }
  double s_at_most = fmin(scale * ldexp(1, s->attempt - 1), MAX_DELAY_S);
  int64_t ms = llround(random_number(p) * s_at_most * 1000);
  int64_t wish = p->rules_2026 && o->retry_after_ms ? read_wish(*o->retry_after_ms) : 0;
  if (wish > ms)
    ms = wish < ms + RETRY_AFTER_MAX_MORE_MS ? wish : ms + RETRY_AFTER_MAX_MORE_MS;
  return ms;
}

/* Success gives back what its last retry took, or one token. */
static void refill(struct luaws_retry_policy *p, const struct luaws_retry_state *s,
                   const struct luaws_attempt_outcome *o) {
  if (o->status < 200 || o->status >= 300) return;
  p->quota = fmin(QUOTA, p->quota + (s->quota_taken ? s->quota_taken : 1));
}

static int64_t decide_standard(struct luaws_retry_policy *p, struct luaws_retry_state *s,
                               const struct luaws_attempt_outcome *o) {
  if (p->own_max_attempts && p->rules_2026 &&
      (is_service(o, "dynamodb") || is_service(o, "dynamodb-streams")))
    p->max_attempts = 4;
  /* Told of whatever the last attempt ended in, success too. */
  s->max_attempts_reached = s->attempt >= p->max_attempts;
  if (s->max_attempts_reached || !standard_retries(o)) {
    refill(p, s, o);
    return -1;
  }
  int cost = cost_of(p, o);
  if (cost > p->quota) {
    s->quota_reached = true;
    if (p->rules_2026 && o->long_poll) s->last_wait_ms = standard_delay(p, s, o);
    refill(p, s, o);
    return -1;
  }
  p->quota -= cost;
  s->quota_taken = cost;
  return standard_delay(p, s, o);
}

int64_t luaws_retry_decide(struct luaws_retry_policy *p, struct luaws_retry_state *s,
                           const struct luaws_attempt_outcome *o) {
  return p->mode == LUAWS_RETRY_LEGACY ? decide_legacy(p, s, o)
                                       : decide_standard(p, s, o);
}
