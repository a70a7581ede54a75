/* Every decision here was made by botocore for the same outcomes in the same order:
   spec/fixtures/retry. Its jitter is given by both ends. */
#include "retry/adaptive.h"
#include "retry/retry.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MAX_FIELDS = 20 };

/* Splits a line at its tabs, in place. */
static int split(char *line, char **fields) {
  int n = 0;
  line[strcspn(line, "\n")] = 0;
  for (char *f; (f = strsep(&line, "\t")) && n < MAX_FIELDS;)
    fields[n++] = f;
  return n;
}

static FILE *open_fixture(const char *name) {
  char path[512];
  snprintf(path, sizeof path, "%s/fixtures/retry/%s", LUAWS_SPEC_DIR, name);
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  return f;
}

static bool is_dash(const char *s) {
  return strcmp(s, "-") == 0;
}

enum {
  A_SERVICE = 1,
  A_ERROR,
  A_STATUS,
  A_CODE,
  A_MODELED,
  A_THROTTLING,
  A_LONG_POLL,
  A_RETRY_AFTER,
  A_NUMBER,
  A_RETRY,
  A_LEAST_MS,
  A_MOST_MS,
  A_MAX_REACHED,
  A_QUOTA_REACHED,
  A_QUOTA,
  A_LAST_WAIT,
  A_COUNT
};

static void check_attempt(struct luaws_retry_policy *p, struct luaws_retry_state *s,
                          char **f, int line) {
  struct luaws_str after = luaws_str_from(f[A_RETRY_AFTER]);
  struct luaws_attempt_outcome o = {
      .error_code = atoi(f[A_ERROR]),
      .status = atoi(f[A_STATUS]),
      .code = is_dash(f[A_CODE]) ? LUAWS_STR_NONE : luaws_str_from(f[A_CODE]),
      .service_hyphen_id = luaws_str_from(f[A_SERVICE]),
      .modeled_retryable = atoi(f[A_MODELED]),
      .modeled_throttling = atoi(f[A_THROTTLING]),
      .long_poll = atoi(f[A_LONG_POLL]),
      .retry_after_ms = is_dash(f[A_RETRY_AFTER]) ? NULL : &after,
  };
  s->attempt = atoi(f[A_NUMBER]);
  int64_t ms = luaws_retry_decide(p, s, &o);
  bool ok = (ms >= 0) == atoi(f[A_RETRY]);
  if (ms >= 0) ok = ok && ms >= atoi(f[A_LEAST_MS]) && ms <= atoi(f[A_MOST_MS]) + 1;
  if (!is_dash(f[A_MAX_REACHED]))
    ok = ok && s->max_attempts_reached == atoi(f[A_MAX_REACHED]);
  if (!is_dash(f[A_QUOTA_REACHED]))
    ok = ok && s->quota_reached == atoi(f[A_QUOTA_REACHED]);
  if (!is_dash(f[A_QUOTA])) ok = ok && p->quota == atof(f[A_QUOTA]);
  if (!atoi(f[A_LAST_WAIT])) {
    ok = ok && s->last_wait_ms == 0;
  } else {
    ok = ok && s->last_wait_ms >= atoi(f[A_LEAST_MS]) &&
         s->last_wait_ms <= atoi(f[A_MOST_MS]) + 1;
  }
  if (!ok)
    fail_msg("line %d: %lld ms, reached %d %d, quota %g", line, (long long)ms,
             s->max_attempts_reached, s->quota_reached, p->quota);
}

static void decides_as_botocore_does(void **state) {
  FILE *file = open_fixture("decisions.tsv");
  struct luaws_retry_policy p = {0};
  struct luaws_retry_state s = {0};
  char text[512], *f[MAX_FIELDS];
  int line = 0, attempts = 0;
  while (fgets(text, sizeof text, file)) {
    line++;
    int n = split(text, f);
    if (strcmp(f[0], "policy") == 0) {
      luaws_retry_policy_init(&p,
                              strcmp(f[1], "legacy") == 0 ? LUAWS_RETRY_LEGACY
                              : line % 2                  ? LUAWS_RETRY_STANDARD
                                                          : LUAWS_RETRY_ADAPTIVE,
                              atoi(f[2]));
      p.rules_2026 = strcmp(f[1], "standard2026") == 0;
      p.random_state = (uint64_t)line;
    } else if (strcmp(f[0], "call") == 0) {
      s = (struct luaws_retry_state){0};
    } else {
      assert_int_equal(n, A_COUNT);
      check_attempt(&p, &s, f, line);
      attempts++;
    }
  }
  fclose(file);
  assert_true(attempts > 1000);
}

static void limits_sending_as_botocore_does(void **state) {
  FILE *file = open_fixture("adaptive.tsv");
  struct luaws_send_limit l = {0};
  char text[512], *f[MAX_FIELDS];
  int line = 0;
  while (fgets(text, sizeof text, file)) {
    line++;
    split(text, f);
    double now_s = atof(f[1]);
    bool ok = true;
    if (strcmp(f[0], "start") == 0) {
      luaws_send_limit_init(&l, now_s);
      continue;
    }
    if (strcmp(f[0], "ask") == 0) {
      int64_t ms = luaws_send_limit_wait_ms(&l, now_s);
      ok = llabs(ms - atoll(f[2])) <= 1 && (ms == 0) == (atoll(f[2]) == 0);
    } else {
      luaws_send_limit_note(&l, atoi(f[2]), now_s);
      ok = fabs(l.measured_rate - atof(f[5])) < 1e-6;
    }
    ok = ok && fabs(l.tokens - atof(f[3])) < 1e-5 &&
         fabs(l.tokens_per_s - atof(f[4])) < 1e-5;
    if (!ok)
      fail_msg("line %d: tokens %g of %s, rate %g of %s, measured %g", line, l.tokens,
               f[3], l.tokens_per_s, f[4], l.measured_rate);
  }
  fclose(file);
}

static void jitter_covers_its_range_and_differs_between_clients(void **state) {
  struct luaws_retry_policy p, q;
  luaws_retry_policy_init(&p, LUAWS_RETRY_STANDARD, 100);
  luaws_retry_policy_init(&q, LUAWS_RETRY_STANDARD, 100);
  assert_true(p.random_state != q.random_state);
  int64_t least = 1000, most = 0, sum = 0;
  for (int i = 0; i < 1000; i++) {
    struct luaws_retry_state s = {.attempt = 1};
    struct luaws_attempt_outcome o = {.status = 500};
    p.quota = 500;
    int64_t ms = luaws_retry_decide(&p, &s, &o);
    assert_in_range(ms, 0, 1000);
    if (ms < least) least = ms;
    if (ms > most) most = ms;
    sum += ms;
  }
  assert_true(least < 50 && most > 950);
  assert_in_range(sum / 1000, 400, 600);
}

static void knows_what_is_throttling(void **state) {
  struct luaws_attempt_outcome o = {.status = 400, .code = LUAWS_STR("SlowDown")};
  assert_true(luaws_retry_is_throttled(&o));
  o = (struct luaws_attempt_outcome){.status = 429};
  assert_false(luaws_retry_is_throttled(&o));
  o = (struct luaws_attempt_outcome){.modeled_retryable = true,
                                     .modeled_throttling = true};
  assert_true(luaws_retry_is_throttled(&o));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(decides_as_botocore_does),
      cmocka_unit_test(limits_sending_as_botocore_does),
      cmocka_unit_test(jitter_covers_its_range_and_differs_between_clients),
      cmocka_unit_test(knows_what_is_throttling),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
