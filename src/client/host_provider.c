#include "client/host_provider.h"

static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  struct luaws_host_provider *h = task->provider->arg;
  struct luaws_host_credentials got = {0};
  int rc = h->fn(h->arg, &got);
  if (rc > 0) return LUAWS_PASS;
  if (rc < 0) return luaws_provider_failed(task, err, "the host's callback failed");
  if (!got.access_key || !got.secret_key) {
    return luaws_partial_credentials("host", got.access_key ? "secret_key" : "access_key",
                                     err);
  }
  struct luaws_credentials_init init = {
      .access_key = luaws_str_from(got.access_key),
      .secret_key = luaws_str_from(got.secret_key),
      .token = luaws_str_from(got.session_token),
      .account_id = luaws_str_from(got.account_id),
      .method = LUAWS_STR("host"),
      .expiry_s = got.expiry_s,
  };
  *out = luaws_credentials_new(&init);
  return *out ? LUAWS_FOUND : luaws_error_memory(err);
}

void luaws_host_provider_init(struct luaws_host_provider *h, luaws_credentials_fn fn,
                              void *arg) {
  *h = (struct luaws_host_provider){
      .fn = fn, .arg = arg, .provider = {.name = "host", .step = step, .arg = h}};
}

int luaws_host_prompt_mfa(void *arg, struct luaws_mfa_question *q,
                          struct luaws_error *err) {
  const struct luaws_host_mfa *m = arg;
  struct luaws_buf serial = {0};
  char code[64] = "";
  luaws_buf_append_str(&serial, q->serial);
  int rc = serial.failed ? luaws_error_memory(err) : 0;
  if (rc == 0 && m->fn(m->arg, serial.ptr, code, sizeof code) != 0) {
    rc = luaws_error_set(err, LUAWS_E_CREDENTIALS, "CredentialRetrievalError",
                         "the host's callback gave no MFA code for %s", serial.ptr);
  }
  code[sizeof code - 1] = 0;
  if (rc == 0) luaws_buf_append_cstr(&q->code, code);
  luaws_wipe(code, sizeof code);
  luaws_buf_clear(&serial);
  return rc;
}
