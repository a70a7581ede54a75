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
