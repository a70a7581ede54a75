#include "credentials/fetch.h"

#include "base/time.h"

enum { MAX_ANSWER_BYTES = 1 << 20 };

/* ---- the request ---- */

static int open_pool(struct luaws_fetch *f, const struct luaws_fetch_options *o,
                     struct luaws_error *err) {
  struct luaws_settings *s = f->task->context->settings;
  struct luaws_setting bundle;
  struct luaws_buf path = {0};
  int rc = luaws_settings_ca_bundle(s, &bundle, err);
  if (rc) return rc;
  luaws_buf_append_str(&path, bundle.text);
  struct luaws_pool_options p = {
      .connect_timeout_ms = o->timeout_ms,
      .read_timeout_ms = o->timeout_ms,
      .verify = true,
      .ca_bundle = bundle.text.len ? path.ptr : NULL,
      .proxy_http = o->use_proxies ? NULL : "",
      .proxy_https = o->use_proxies ? NULL : "",
  };
  rc = path.failed ? luaws_error_memory(err)
                   : luaws_pool_new(f->task->context->loop, &p, &f->pool, err);
  luaws_buf_clear(&path);
  return rc;
}

int luaws_fetch_open(struct luaws_fetch *f, struct luaws_provider_task *task,
                     const struct luaws_fetch_options *o, struct luaws_str method,
                     struct luaws_str url, struct luaws_error *err) {
  luaws_fetch_close(f);
  f->task = task;
  if (!task->context->loop) {
    return luaws_provider_failed(task, err, "there is no way to ask %.*s from here",
                                 LUAWS_STR_ARG(url));
  }
  int rc = f->pool ? 0 : open_pool(f, o, err);
  if (rc) return rc;
  f->request = (struct luaws_request){.arena = &f->arena, .headers.arena = &f->arena};
  f->request.method = method;
  url = luaws_arena_str(&f->arena, url);
  if (!url.ptr) return luaws_error_memory(err);
  rc = luaws_request_set_url(&f->request, url, err);
  if (rc) return rc;
  return luaws_fetch_header(f, "User-Agent", LUAWS_STR("luaws/" LUAWS_VERSION), err);
}

int luaws_fetch_header(struct luaws_fetch *f, const char *name, struct luaws_str value,
                       struct luaws_error *err) {
  return luaws_headers_set(&f->request.headers, luaws_str_from(name), value)
             ? 0
             : luaws_error_memory(err);
}

static void done(void *arg) {
  struct luaws_fetch *f = arg;
  f->done = true;
  f->task->wake(f->task->wake_arg);
}

int luaws_fetch_send(struct luaws_fetch *f, struct luaws_error *err) {
  const struct luaws_exchange_options o = {
      .secret = true, .max_body_bytes = MAX_ANSWER_BYTES, .done = done, .arg = f};
  f->done = false;
  return luaws_exchange_start(f->pool, &f->request, &o, &f->exchange, err);
}

bool luaws_fetch_sent(const struct luaws_fetch *f) {
  return f->exchange != NULL;
}

int luaws_fetch_result(struct luaws_fetch *f, const struct luaws_response **out,
                       struct luaws_error *err) {
  *out = NULL;
  return f->done ? luaws_exchange_result(f->exchange, out, err) : LUAWS_PENDING;
}

void luaws_fetch_close(struct luaws_fetch *f) {
  luaws_exchange_free(f->exchange);
  f->exchange = NULL;
  f->done = false;
  luaws_arena_wipe(&f->arena); /* a token may be among the headers */
}

void luaws_fetch_clear(struct luaws_fetch *f) {
  luaws_fetch_close(f);
  luaws_pool_free(f->pool);
  *f = (struct luaws_fetch){0};
}

bool luaws_fetch_may_retry(const struct luaws_error *err) {
  return err->code == LUAWS_E_CONNECT || err->code == LUAWS_E_TIMEOUT ||
         err->code == LUAWS_E_CLOSED || err->code == LUAWS_E_TLS ||
         err->code == LUAWS_E_HTTP;
}

/* ---- the answer ---- */

const char *luaws_fetched_keys_read(const struct luaws_tree *answer,
                                    struct luaws_fetched_keys *out) {
  const struct {
    const char *name;
    struct luaws_str *to;
  } required[] = {{"AccessKeyId", &out->access_key},
                  {"SecretAccessKey", &out->secret_key},
                  {"Token", &out->token}};
  *out = (struct luaws_fetched_keys){0};
  for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
    const struct luaws_tree *t = luaws_tree_get(answer, required[i].name);
    bool none = t && t->kind == LUAWS_KIND_NULL && required[i].to == &out->token;
    *required[i].to = luaws_tree_text(answer, required[i].name);
    if (!required[i].to->ptr && !none) return required[i].name;
  }
  const struct luaws_tree *expiry = luaws_tree_get(answer, "Expiration");
  double seconds = 0;
  if (!expiry) return "Expiration";
  out->no_time =
      expiry->kind != LUAWS_KIND_STRING || !luaws_time_parse(expiry->text, &seconds);
  out->expiry_s = (int64_t)seconds;
  out->account_id = luaws_tree_text(answer, "AccountId");
  return NULL;
}

int luaws_fetched_keys_make(const struct luaws_provider_task *task,
                            const struct luaws_fetched_keys *keys,
                            struct luaws_credentials **out, struct luaws_error *err) {
  if (keys->no_time) return luaws_provider_failed(task, err, "Expiration is no time");
  const struct luaws_credentials_init init = {
      .access_key = keys->access_key,
      .secret_key = keys->secret_key,
      .token = keys->token,
      .account_id = keys->account_id,
      .method = luaws_str_from(task->provider->name),
      .expiry_s = keys->expiry_s,
  };
  *out = luaws_credentials_new(&init);
  return *out ? LUAWS_FOUND : luaws_error_memory(err);
}
