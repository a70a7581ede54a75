/* The chain itself: its order, waiting, refreshing. What each provider reads is compared
   with botocore in test_settings.c. */
#include "credentials/chain.h"
#include "credentials/explicit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- a world of its own ---- */

struct world {
  const char *env[16]; /* name, value, name, value, ... */
  char config[32];
  struct luaws_settings *settings;
  struct luaws_provider_context context;
  int64_t now;
};

static const char *get_variable(void *arg, const char *name) {
  struct world *w = arg;
  if (strcmp(name, "HOME") == 0) return "/nonexistent";
  if (strcmp(name, "AWS_CONFIG_FILE") == 0) return w->config;
  for (int i = 0; i < 16 && w->env[i]; i += 2) {
    if (strcmp(w->env[i], name) == 0) return w->env[i + 1];
  }
  return NULL;
}

static int64_t get_now(void *arg) {
  return ((struct world *)arg)->now;
}

static void open_world(struct world *w, const char *config, const char *profile) {
  strcpy(w->config, "/tmp/luaws-chain-XXXXXX");
  int fd = mkstemp(w->config);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, config, strlen(config)), strlen(config));
  close(fd);
  struct luaws_settings_options o = {
      .profile_name = luaws_str_from(profile), .getenv = get_variable, .getenv_arg = w};
  assert_int_equal(luaws_settings_new(&o, &w->settings, NULL), 0);
  w->now = 1000000;
  w->context = (struct luaws_provider_context){
      .settings = w->settings, .now_s = get_now, .now_arg = w};
}

static void close_world(struct world *w) {
  luaws_settings_free(w->settings);
  unlink(w->config);
}

/* ---- a provider that does as it is told ---- */

struct script {
  int answer; /* LUAWS_FOUND, PASS, PENDING or a negative code */
  int64_t expiry_s;
  int steps, cancels, refreshes;
  struct luaws_provider_task *task; /* of the last step */
};

static int scripted_step(struct luaws_provider_task *task, struct luaws_credentials **out,
                         struct luaws_error *err) {
  struct script *s = task->provider->arg;
  s->steps++;
  s->refreshes += task->refresh;
  s->task = task;
  if (s->answer == LUAWS_PENDING) task->state = s;
  if (s->answer < 0) return luaws_provider_failed(task, err, "no luck");
  if (s->answer == LUAWS_FOUND) {
    const struct luaws_credentials_init init = {.access_key = LUAWS_STR("AK"),
                                                .secret_key = LUAWS_STR("hush"),
                                                .token = LUAWS_STR("hushhush"),
                                                .method = LUAWS_STR("scripted"),
                                                .expiry_s = s->expiry_s};
    *out = luaws_credentials_new(&init);
  }
  return s->answer;
}

static void scripted_cancel(struct luaws_provider_task *task) {
  ((struct script *)task->state)->cancels++;
}

static struct luaws_chain *scripted_chain(struct world *w, struct script *s) {
  const struct luaws_provider p = {"scripted", NULL, scripted_step, scripted_cancel, s};
  struct luaws_chain *c = luaws_chain_new(&w->context);
  assert_int_equal(luaws_chain_insert_before(c, LUAWS_STR("env"), &p, NULL), 0);
  return c;
}

static void count(void *arg) {
  ++*(int *)arg;
}

/* ---- the row ---- */

static void assert_row(const struct luaws_chain *c, const char *expected) {
  struct luaws_buf row = {0};
  for (size_t i = 0; luaws_chain_provider(c, i); i++)
    luaws_buf_printf(&row, "%s ", luaws_chain_provider(c, i)->name);
  assert_string_equal(row.ptr, expected);
  luaws_buf_clear(&row);
}

static void the_order_is_botocores(void **state) {
  struct world w = {0};
  (void)state;
  open_world(&w, "", NULL);
  struct luaws_chain *c = luaws_chain_new(&w.context);
  assert_row(c, "env assume-role assume-role-with-web-identity sso "
                "shared-credentials-file login custom-process config-file "
                "ec2-credentials-file boto-config container-role iam-role ");
  luaws_chain_free(c);
  c = luaws_chain_new_profile(&w.context, LUAWS_STR("x"));
  assert_row(c, "assume-role-with-web-identity sso shared-credentials-file login "
                "custom-process config-file ");
  luaws_chain_free(c);
  close_world(&w);
}

static void a_profile_named_in_code_takes_env_away(void **state) {
  struct world w = {0};
  (void)state;
  open_world(&w, "[profile x]\nregion = r\n", "x");
  struct luaws_chain *c = luaws_chain_new(&w.context);
  assert_string_equal(luaws_chain_provider(c, 0)->name, "assume-role");
  luaws_chain_free(c);
  close_world(&w);
}

static void providers_can_be_put_in_and_taken_out(void **state) {
  struct world w = {0};
  struct luaws_error err = {0};
  const struct luaws_provider p = {"mine", NULL, scripted_step, NULL, NULL};
  (void)state;
  open_world(&w, "", NULL);
  struct luaws_chain *c = luaws_chain_new_profile(&w.context, LUAWS_STR("x"));
  assert_int_equal(luaws_chain_insert_after(c, LUAWS_STR("config-file"), &p, NULL), 0);
  assert_int_equal(luaws_chain_insert_before(c, LUAWS_STR("sso"), &p, NULL), 0);
  luaws_chain_remove(c, LUAWS_STR("login"));
  luaws_chain_remove(c, LUAWS_STR("nobody"));
  assert_row(c, "assume-role-with-web-identity mine sso shared-credentials-file "
                "custom-process config-file mine ");
  assert_int_equal(luaws_chain_insert_after(c, LUAWS_STR("nobody"), &p, &err),
                   LUAWS_E_ARGUMENT);
  assert_string_equal(err.kind, "UnknownCredentialError");
  assert_string_equal(err.message, "Credential named nobody not found.");
  luaws_error_clear(&err);
  luaws_chain_free(c);
  close_world(&w);
}

/* ---- asking ---- */

static void the_first_to_find_something_wins_and_is_kept(void **state) {
  struct world w = {.env = {"AWS_ACCESS_KEY_ID", "E", "AWS_SECRET_ACCESS_KEY", "hush"}};
  struct script s = {.answer = LUAWS_PASS};
  struct luaws_credentials *a = NULL, *b = NULL;
  (void)state;
  open_world(&w, "", NULL);
  struct luaws_chain *c = scripted_chain(&w, &s);
  assert_int_equal(luaws_chain_get(c, NULL, &a, NULL), LUAWS_FOUND);
  assert_true(luaws_str_is(a->method, "env"));
  assert_int_equal(luaws_chain_get(c, NULL, &b, NULL), LUAWS_FOUND);
  assert_ptr_equal(a, b);
  assert_int_equal(s.steps, 1);
  luaws_chain_free(c);
  assert_true(luaws_str_is(a->secret_key, "hush")); /* our references outlive the chain */
  luaws_credentials_release(a);
  luaws_credentials_release(b);
  close_world(&w);
}

static void an_error_ends_the_search_and_the_next_one_begins_anew(void **state) {
  struct world w = {.env = {"AWS_ACCESS_KEY_ID", "E", "AWS_SECRET_ACCESS_KEY", "S"}};
  struct script s = {.answer = LUAWS_E_CREDENTIALS};
  struct luaws_credentials *a = NULL;
  struct luaws_error err = {0};
  (void)state;
  open_world(&w, "", NULL);
  struct luaws_chain *c = scripted_chain(&w, &s);
  assert_int_equal(luaws_chain_get(c, NULL, &a, &err), LUAWS_E_CREDENTIALS);
  assert_string_equal(err.message,
                      "Error when retrieving credentials from scripted: no luck");
  assert_null(a);
  s.answer = LUAWS_PASS;
  assert_int_equal(luaws_chain_get(c, NULL, &a, &err), LUAWS_FOUND);
  luaws_credentials_release(a);
  luaws_error_clear(&err);
  luaws_chain_free(c);
  close_world(&w);
}

static void one_search_serves_all_who_wait(void **state) {
  struct world w = {0};
  struct script s = {.answer = LUAWS_PENDING};
  struct luaws_credentials *a = NULL;
  int woken = 0;
  struct luaws_chain_waiter one = {.wake = count, .arg = &woken}, two = one, gone = one;
  (void)state;
  open_world(&w, "", NULL);
  struct luaws_chain *c = scripted_chain(&w, &s);
  assert_int_equal(luaws_chain_get(c, &one, &a, NULL), LUAWS_PENDING);
  assert_int_equal(luaws_chain_get(c, &two, &a, NULL), LUAWS_PENDING);
  assert_int_equal(luaws_chain_get(c, &gone, &a, NULL), LUAWS_PENDING);
  assert_int_equal(luaws_chain_get(c, &one, &a, NULL), LUAWS_PENDING);
  luaws_chain_waiter_cancel(&gone);
  assert_int_equal(s.steps, 1);
  s.answer = LUAWS_FOUND;
  s.task->wake(s.task->wake_arg);
  assert_int_equal(woken, 2);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(luaws_chain_get(c, i ? &two : &one, &a, NULL), LUAWS_FOUND);
    luaws_credentials_release(a);
  }
  assert_int_equal(s.steps, 2);
  assert_int_equal(s.cancels, 1);
  luaws_chain_free(c);
  close_world(&w);
}

static void all_who_waited_get_the_same_failure(void **state) {
  struct world w = {0};
  struct script s = {.answer = LUAWS_PENDING};
  struct luaws_credentials *a = NULL;
  struct luaws_error err = {0};
  int woken = 0;
  struct luaws_chain_waiter one = {.wake = count, .arg = &woken}, two = one;
  (void)state;
  open_world(&w, "", NULL);
  struct luaws_chain *c = scripted_chain(&w, &s);
  assert_int_equal(luaws_chain_get(c, &one, &a, NULL), LUAWS_PENDING);
  assert_int_equal(luaws_chain_get(c, &two, &a, NULL), LUAWS_PENDING);
  s.answer = LUAWS_E_CREDENTIALS;
  s.task->wake(s.task->wake_arg);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(luaws_chain_get(c, i ? &two : &one, &a, &err), LUAWS_E_CREDENTIALS);
    assert_string_equal(err.kind, "CredentialRetrievalError");
    luaws_error_clear(&err);
  }
  assert_int_equal(s.steps, 2);
  /* Having been told, they may ask again. */
  s.answer = LUAWS_FOUND;
  assert_int_equal(luaws_chain_get(c, &two, &a, &err), LUAWS_FOUND);
  luaws_credentials_release(a);
  luaws_chain_free(c);
  close_world(&w);
}

static void a_chain_that_is_freed_cancels_what_is_under_way(void **state) {
  struct world w = {0};
  struct script s = {.answer = LUAWS_PENDING};
  struct luaws_credentials *a = NULL;
  int woken = 0;
  struct luaws_chain_waiter one = {.wake = count, .arg = &woken};
  (void)state;
  open_world(&w, "", NULL);
  struct luaws_chain *c = scripted_chain(&w, &s);
  assert_int_equal(luaws_chain_get(c, &one, &a, NULL), LUAWS_PENDING);
  luaws_chain_free(c);
  assert_int_equal(s.cancels, 1);
  assert_int_equal(woken, 0);
  luaws_chain_waiter_cancel(&one); /* harmless afterwards */
  close_world(&w);
}

/* ---- refreshing ---- */

static const struct {
  const char *what;
  int64_t left_s; /* of the old credentials */
  int answer;     /* of the refresh */
  int64_t new_left_s;
  int expected;
  bool renewed;
} refreshes[] = {
    {"far off", 3600, LUAWS_FOUND, 7200, LUAWS_FOUND, false},
    {"advisory", 800, LUAWS_FOUND, 7200, LUAWS_FOUND, true},
    {"advisory, failing", 800, LUAWS_E_CREDENTIALS, 0, LUAWS_FOUND, false},
    {"advisory, taking its time", 800, LUAWS_PENDING, 0, LUAWS_FOUND, false},
    {"advisory, gone", 800, LUAWS_PASS, 0, LUAWS_FOUND, false},
    {"mandatory", 500, LUAWS_FOUND, 7200, LUAWS_FOUND, true},
    {"mandatory, failing", 500, LUAWS_E_CREDENTIALS, 0, LUAWS_E_CREDENTIALS, false},
    {"mandatory, taking its time", 500, LUAWS_PENDING, 0, LUAWS_PENDING, false},
    {"mandatory, gone", 500, LUAWS_PASS, 0, LUAWS_E_CREDENTIALS, false},
    {"mandatory, short-lived ones", 500, LUAWS_FOUND, 300, LUAWS_FOUND, true},
    {"expired", -5, LUAWS_FOUND, 7200, LUAWS_FOUND, true},
    {"expired, so are the new ones", -5, LUAWS_FOUND, -1, LUAWS_E_CREDENTIALS, false},
};

static void credentials_are_refreshed_before_they_expire(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof refreshes / sizeof refreshes[0]; i++) {
    struct world w = {0};
    struct script s = {.answer = LUAWS_FOUND};
    struct luaws_credentials *old = NULL, *now = NULL;
    struct luaws_error err = {0};
    open_world(&w, "", NULL);
    struct luaws_chain *c = scripted_chain(&w, &s);
    s.expiry_s = w.now + 100000;
    assert_int_equal(luaws_chain_get(c, NULL, &old, NULL), LUAWS_FOUND);
    w.now = s.expiry_s - refreshes[i].left_s;
    s.answer = refreshes[i].answer;
    s.expiry_s = w.now + refreshes[i].new_left_s;
    int rc = luaws_chain_get(c, NULL, &now, &err);
    if (rc != refreshes[i].expected) fail_msg("%s: %d", refreshes[i].what, rc);
    if (rc == LUAWS_FOUND) assert_int_equal(now != old, refreshes[i].renewed);
    assert_int_equal(s.refreshes, refreshes[i].left_s < 900);
    luaws_credentials_release(old);
    luaws_credentials_release(now);
    luaws_error_clear(&err);
    luaws_chain_free(c);
    close_world(&w);
  }
}

static void short_lived_credentials_are_refreshed_once_a_minute(void **state) {
  struct world w = {0};
  struct script s = {.answer = LUAWS_FOUND};
  struct luaws_credentials *a = NULL;
  (void)state;
  open_world(&w, "", NULL);
  struct luaws_chain *c = scripted_chain(&w, &s);
  for (int minute = 0; minute < 5; minute++) {
    s.expiry_s = w.now + 300;
    for (int i = 0; i < 10; i++) {
      assert_int_equal(luaws_chain_get(c, NULL, &a, NULL), LUAWS_FOUND);
      luaws_credentials_release(a);
    }
    assert_int_equal(s.steps, minute + 1);
    w.now += LUAWS_REFRESH_PAUSE_S;
  }
  luaws_chain_free(c);
  close_world(&w);
}

static void a_refresh_that_took_its_time_is_used_when_it_is_there(void **state) {
  struct world w = {0};
  struct script s = {.answer = LUAWS_FOUND};
  struct luaws_credentials *a = NULL;
  (void)state;
  open_world(&w, "", NULL);
  struct luaws_chain *c = scripted_chain(&w, &s);
  s.expiry_s = w.now + 860;
  assert_int_equal(luaws_chain_get(c, NULL, &a, NULL), LUAWS_FOUND);
  luaws_credentials_release(a);
  w.now += LUAWS_REFRESH_PAUSE_S;
  s.answer = LUAWS_PENDING;
  assert_int_equal(luaws_chain_get(c, NULL, &a, NULL), LUAWS_FOUND);
  assert_int_equal(a->expiry_s, w.now + 800);
  luaws_credentials_release(a);
  s.answer = LUAWS_FOUND;
  s.expiry_s = w.now + 9999;
  s.task->wake(s.task->wake_arg);
  assert_int_equal(luaws_chain_get(c, NULL, &a, NULL), LUAWS_FOUND);
  assert_int_equal(a->expiry_s, w.now + 9999);
  luaws_credentials_release(a);
  luaws_chain_free(c);
  close_world(&w);
}

static void keys_in_the_environment_are_read_again_when_they_expire(void **state) {
  struct world w = {.env = {"AWS_ACCESS_KEY_ID", "A", "AWS_SECRET_ACCESS_KEY", "S",
                            "AWS_CREDENTIAL_EXPIRATION", "1970-01-12T13:46:40Z"}};
  struct luaws_credentials *a = NULL;
  struct luaws_error err = {0};
  (void)state;
  open_world(&w, "", NULL);
  w.now = 999000; /* 1000 s before */
  struct luaws_chain *c = luaws_chain_new(&w.context);
  assert_int_equal(luaws_chain_get(c, NULL, &a, NULL), LUAWS_FOUND);
  assert_int_equal(a->expiry_s, 1000000);
  luaws_credentials_release(a);
  w.now = 999500;
  w.env[1] = "B";
  w.env[5] = "1970-01-12T18:00:00Z";
  assert_int_equal(luaws_chain_get(c, NULL, &a, NULL), LUAWS_FOUND);
  assert_true(luaws_str_is(a->access_key, "B"));
  luaws_credentials_release(a);
  w.now = 1015000;
  w.env[4] = NULL;
  assert_int_equal(luaws_chain_get(c, NULL, &a, &err), LUAWS_E_CREDENTIALS);
  assert_string_equal(
      err.message,
      "Partial credentials found in env, missing: AWS_CREDENTIAL_EXPIRATION");
  luaws_error_clear(&err);
  luaws_chain_free(c);
  close_world(&w);
}

/* ---- what is not built yet ---- */

static const struct {
  const char *config, *env[4], *profile;
  const char *provider; /* that refuses; NULL: none does */
} refusals[] = {
    {"[default]\nrole_arn = r\nsource_profile = x\n", {0}, NULL, "assume-role"},
    {"[default]\nweb_identity_token_file = f\n",
     {0},
     NULL,
     "assume-role-with-web-identity"},
    {"[default]\nrole_arn = r\nweb_identity_token_file = f\n",
     {0},
     NULL,
     "assume-role-with-web-identity"},
    {"", {"AWS_WEB_IDENTITY_TOKEN_FILE", "f"}, NULL, "assume-role-with-web-identity"},
    {"[profile x]\na = b\n", {"AWS_WEB_IDENTITY_TOKEN_FILE", "f"}, "x", NULL},
    {"", {"AWS_WEB_IDENTITY_TOKEN_FILE", ""}, NULL, NULL},
    {"[default]\nsso_account_id = 1\n", {0}, NULL, "sso"},
    {"[default]\nsso_role_name = n\n", {0}, NULL, "sso"},
    {"[default]\nsso_region = n\n", {0}, NULL, NULL},
    {"[default]\nlogin_session = s\n", {0}, NULL, "login"},
    {"", {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x"}, NULL, "container-role"},
    {"", {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "x"}, NULL, "container-role"},
    {"", {0}, NULL, NULL},
};

static void what_is_asked_for_and_not_there_is_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
    struct world w = {.env = {refusals[i].env[0], refusals[i].env[1]}};
    struct luaws_credentials *a = NULL;
    struct luaws_error err = {0};
    open_world(&w, refusals[i].config, refusals[i].profile);
    struct luaws_chain *c = luaws_chain_new(&w.context);
    int rc = luaws_chain_get(c, NULL, &a, &err);
    if (refusals[i].provider) {
      assert_true(rc < 0);
      assert_string_not_equal(luaws_error_message(&err), "");
    } else {
      assert_int_equal(rc, LUAWS_PASS);
    }
    luaws_error_clear(&err);
    luaws_chain_free(c);
    close_world(&w);
  }
}

/* ---- what is given in code ---- */

static void mfa_needs_somebody_to_ask(void **state) {
  struct world w = {0};
  struct luaws_credentials *a = NULL;
  struct luaws_error err = {0};
  (void)state;
  open_world(&w,
             "[default]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = default\n"
             "mfa_serial = the-serial\naws_access_key_id = a\n"
             "aws_secret_access_key = s\n",
             NULL);
  struct luaws_chain *c = luaws_chain_new(&w.context);
  assert_int_equal(luaws_chain_get(c, NULL, &a, &err), LUAWS_E_CREDENTIALS);
  assert_string_equal(luaws_error_message(&err),
                      "Error when retrieving credentials from assume-role: an MFA code "
                      "for the-serial is needed, and there is nobody to ask (a session "
                      "takes mfa_prompt, a function)");
  luaws_error_clear(&err);
  luaws_chain_free(c);
  close_world(&w);
}

static void keys_given_in_code_are_checked_and_win(void **state) {
  struct world w = {.env = {"AWS_ACCESS_KEY_ID", "E", "AWS_SECRET_ACCESS_KEY", "S"}};
  struct luaws_credentials *a = NULL;
  struct luaws_error err = {0};
  const struct luaws_str none = LUAWS_STR_NONE;
  (void)state;
  open_world(&w, "", NULL);
  struct luaws_chain *c = luaws_chain_new(&w.context);
  assert_int_equal(luaws_chain_set_explicit(c, LUAWS_STR("A"), none, none, none, &err),
                   LUAWS_E_CREDENTIALS);
  assert_string_equal(
      err.message,
      "Partial credentials found in explicit, missing: aws_secret_access_key");
  assert_int_equal(luaws_chain_set_explicit(c, none, LUAWS_STR("hush"), none, none, &err),
                   LUAWS_E_CREDENTIALS);
  assert_string_equal(
      err.message, "Partial credentials found in explicit, missing: aws_access_key_id");
  assert_int_equal(luaws_chain_set_explicit(c, none, none, none, LUAWS_STR("12"), &err),
                   LUAWS_E_CREDENTIALS);
  assert_string_equal(err.kind, "NoCredentialsError");
  assert_string_equal(err.message, "Unable to locate credentials; luaws --explain, or "
                                   "session:explain(), tells where they were looked for");
  assert_int_equal(luaws_chain_set_explicit(c, LUAWS_STR("A"), LUAWS_STR("hush"),
                                            LUAWS_STR(""), none, &err),
                   0);
  assert_int_equal(luaws_chain_get(c, NULL, &a, NULL), LUAWS_FOUND);
  assert_true(luaws_str_is(a->method, "explicit"));
  assert_null(a->token.ptr);
  luaws_credentials_release(a);
  luaws_error_clear(&err);
  luaws_chain_free(c);
  close_world(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_order_is_botocores),
      cmocka_unit_test(a_profile_named_in_code_takes_env_away),
      cmocka_unit_test(providers_can_be_put_in_and_taken_out),
      cmocka_unit_test(the_first_to_find_something_wins_and_is_kept),
      cmocka_unit_test(an_error_ends_the_search_and_the_next_one_begins_anew),
      cmocka_unit_test(one_search_serves_all_who_wait),
      cmocka_unit_test(all_who_waited_get_the_same_failure),
      cmocka_unit_test(a_chain_that_is_freed_cancels_what_is_under_way),
      cmocka_unit_test(credentials_are_refreshed_before_they_expire),
      cmocka_unit_test(short_lived_credentials_are_refreshed_once_a_minute),
      cmocka_unit_test(a_refresh_that_took_its_time_is_used_when_it_is_there),
      cmocka_unit_test(keys_in_the_environment_are_read_again_when_they_expire),
      cmocka_unit_test(what_is_asked_for_and_not_there_is_refused),
      cmocka_unit_test(mfa_needs_somebody_to_ask),
      cmocka_unit_test(keys_given_in_code_are_checked_and_win),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
