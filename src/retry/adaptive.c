#include "retry/adaptive.h"

#include <math.h>

static const double SCALE = 0.4, BETA = 0.7; /* CUBIC's */
static const double SMOOTHING = 0.8;         /* weight of the newest measurement */
static const double BUCKET_S = 0.5;          /* length of a measurement */
static const double MIN_TOKENS_PER_S = 0.5;
static const double MAX_OVER_MEASURED = 2; /* a limit is at most this × measured */

static double plateau_of(double max_rate) {
  return cbrt(max_rate * (1 - BETA) / SCALE);
}

void luaws_send_limit_init(struct luaws_send_limit *l, double now_s) {
  *l = (struct luaws_send_limit){
      .max_tokens = 1,
      .tokens_per_s = 1,
      .filled_at_s = now_s,
      .throttled_at_s = now_s,
      .bucket_s = floor(now_s),
  };
}

static void fill(struct luaws_send_limit *l, double now_s) {
  l->tokens = fmin(l->max_tokens, l->tokens + (now_s - l->filled_at_s) * l->tokens_per_s);
  l->filled_at_s = now_s;
}

static void set_rate(struct luaws_send_limit *l, double rate, double now_s) {
  fill(l, now_s); /* at the old rate, until now */
  l->tokens_per_s = fmax(rate, MIN_TOKENS_PER_S);
  l->max_tokens = fmax(rate, 1);
  l->tokens = fmin(l->tokens, l->max_tokens);
}

int64_t luaws_send_limit_wait_ms(struct luaws_send_limit *l, double now_s) {
  if (!l->enabled) return 0;
  fill(l, now_s);
  if (l->tokens >= 1) {
    l->tokens -= 1;
    return 0;
  }
  return (int64_t)ceil((1 - l->tokens) / l->tokens_per_s * 1000);
}

static void measure(struct luaws_send_limit *l, double now_s) {
  double bucket_s = floor(now_s / BUCKET_S) * BUCKET_S;
  l->count++;
  if (bucket_s <= l->bucket_s) return;
  double rate = l->count / (bucket_s - l->bucket_s);
  l->measured_rate = rate * SMOOTHING + l->measured_rate * (1 - SMOOTHING);
  l->count = 0;
  l->bucket_s = bucket_s;
}

void luaws_send_limit_note(struct luaws_send_limit *l, bool throttled, double now_s) {
  measure(l, now_s);
  double rate;
  if (throttled) {
    double current = l->measured_rate;
    if (l->enabled) current = fmin(current, l->tokens_per_s);
    l->last_max_rate = current;
    l->plateau_s = plateau_of(current);
    l->throttled_at_s = now_s;
    l->enabled = true;
    rate = current * BETA;
  } else {
    double t = now_s - l->throttled_at_s - l->plateau_s;
    rate = SCALE * t * t * t + l->last_max_rate;
  }
  set_rate(l, fmin(rate, MAX_OVER_MEASURED * l->measured_rate), now_s);
}
