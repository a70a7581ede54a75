/* What adaptive mode adds to the standard policy: a limit on how often a client sends,
   found by CUBIC: it falls when the service throttles and grows back with time. It has no
   effect before the first throttling. Times are seconds since the epoch, passed in. */
#ifndef LUAWS_RETRY_ADAPTIVE_H
#define LUAWS_RETRY_ADAPTIVE_H

#include <stdbool.h>
#include <stdint.h>

/* One per client. */
struct luaws_send_limit {
  bool enabled;
  /* Token bucket: a request takes one. */
  double tokens, max_tokens;
  double tokens_per_s;
  double filled_at_s;
  /* CUBIC: the rate at the last throttling, and when that curve comes back to it. */
  double last_max_rate;
  double plateau_s;
  double throttled_at_s;
  /* How often the client has been sending. */
  double measured_rate;
  double bucket_s; /* when the half second being counted began */
  double count;
};

void luaws_send_limit_init(struct luaws_send_limit *l, double now_s);
/* Before each attempt: 0 when it may be sent (a token is taken), else after how many ms
   to ask again. */
int64_t luaws_send_limit_wait_ms(struct luaws_send_limit *l, double now_s);
/* After each attempt, whatever it ended in. */
void luaws_send_limit_note(struct luaws_send_limit *l, bool throttled, double now_s);

#endif
