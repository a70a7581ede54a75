#include "client/monitor.h"

#include <stdlib.h>

#include "base/encode.h"
#include "base/log.h"
#include "client/call.h"
#include "http/datagram.h"
#include "value/json.h"

enum {
  MAX_CLIENT_ID = 255, /* in characters, as the next ones */
  MAX_CODE = 128,
  MAX_MESSAGE = 512,
  MAX_USER_AGENT = 256,
  MAX_DATAGRAM_BYTES = 8 * 1024,
};

struct luaws_monitor {
  struct luaws_datagrams *agent;
  struct luaws_buf client_id;
  struct luaws_buf text; /* of the event that is written */
};

struct luaws_monitored {
  struct luaws_monitor *monitor;
  int64_t call_ms; /* since the epoch */
  bool made;
  int attempts;
  /* Of the last attempt: */
  int64_t attempt_ms;
  struct luaws_str user_agent, region, access_key, session_token, fqdn;
  int status; /* 0: there was no response */
  bool has_error, wire_failed;
  struct luaws_str code,
      message; /* of the service's error, or kind and message of ours */
};

/* ---- life ---- */

int luaws_monitor_new(struct luaws_settings *s, struct luaws_monitor **out,
                      struct luaws_error *err) {
  enum luaws_choice enabled = LUAWS_UNSET;
  struct luaws_setting port;
  struct luaws_str host, client_id;
  *out = NULL;
  int rc = luaws_settings_choice(s, LUAWS_SETTING_CSM_ENABLED, &enabled, err);
  if (rc || enabled != LUAWS_YES) return rc;
  rc = luaws_settings_text(s, LUAWS_SETTING_CSM_CLIENT_ID, &client_id, err);
  if (rc == 0) rc = luaws_settings_text(s, LUAWS_SETTING_CSM_HOST, &host, err);
  if (rc == 0) rc = luaws_settings_get(s, LUAWS_SETTING_CSM_PORT, &port, err);
  if (rc) return rc;
  if (luaws_utf8_count(client_id) > MAX_CLIENT_ID) {
    return luaws_error_set(err, LUAWS_E_CONFIG, "ValueError",
                           "The value provided for csm_client_id: %.*s exceeds the "
                           "maximum length of %d characters",
                           LUAWS_STR_ARG(client_id), MAX_CLIENT_ID);
  }
  if (port.integer < 1 || port.integer > UINT16_MAX) {
    return luaws_error_set(err, LUAWS_E_CONFIG, "ValueError",
                           "csm_port must be a port, 1 to 65535, not %lld",
                           (long long)port.integer);
  }
  struct luaws_monitor *m = calloc(1, sizeof *m);
  if (m) m->agent = luaws_datagrams_new(host, (uint16_t)port.integer);
  if (m) luaws_buf_append_str(&m->client_id, client_id);
  if (!m || !m->agent || m->client_id.failed) {
    luaws_monitor_free(m);
    return luaws_error_memory(err);
  }
  *out = m;
  return 0;
}

void luaws_monitor_free(struct luaws_monitor *m) {
  if (!m) return;
  luaws_datagrams_free(m->agent);
  luaws_buf_clear(&m->client_id);
  luaws_buf_wipe(&m->text);
  free(m);
}

/* ---- what happens to a call ---- */

static int64_t now_ms(const struct luaws_call *call) {
  return (int64_t)(luaws_session_now_exact(call->client->session) * 1000);
}

void luaws_monitor_call_begins(struct luaws_monitor *m, struct luaws_call *call) {
  struct luaws_monitored *w = luaws_arena_alloc(&call->arena, sizeof *w);
  call->monitored = w;
  if (!w) return;
  *w = (struct luaws_monitored){.monitor = m, .call_ms = now_ms(call)};
}

void luaws_monitor_request_made(struct luaws_call *call) {
  call->monitored->made = true;
}

static struct luaws_str header(struct luaws_call *call, const char *name) {
  const struct luaws_str *value =
      luaws_headers_get(&call->request.headers, luaws_str_from(name));
  return value ? luaws_arena_str(&call->arena, *value) : LUAWS_STR_NONE;
}

/* The text up to c, taken off the front of *s with it. */
static struct luaws_str take_to(struct luaws_str *s, char c) {
  ptrdiff_t end = luaws_str_find(*s, c);
  struct luaws_str part = luaws_str_sub(*s, 0, end < 0 ? 0 : (size_t)end);
  *s = end < 0 ? LUAWS_STR_NONE : luaws_str_sub(*s, (size_t)end + 1, SIZE_MAX);
  return part;
}

/* "AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/…", "AWS4-ECDSA-P256-SHA256
   Credential=KEY/DATE/…", "AWS KEY:…" */
static void read_authorization(struct luaws_monitored *w, struct luaws_str text) {
  static const struct luaws_str credential = LUAWS_STR("Credential=");
  struct luaws_str scheme = take_to(&text, ' ');
  if (luaws_str_is(scheme, "AWS")) {
    w->access_key = take_to(&text, ':');
  } else if (luaws_str_starts(text, credential)) {
    text = luaws_str_sub(text, credential.len, SIZE_MAX);
    w->access_key = take_to(&text, '/');
    take_to(&text, '/');
    if (luaws_str_is(scheme, "AWS4-HMAC-SHA256")) w->region = take_to(&text, '/');
  }
}

void luaws_monitor_attempt_begins(struct luaws_call *call) {
  struct luaws_monitored *w = call->monitored;
  *w = (struct luaws_monitored){.monitor = w->monitor,
                                .call_ms = w->call_ms,
                                .made = true,
                                .attempts = w->attempts + 1,
                                .attempt_ms = now_ms(call)};
  w->user_agent = header(call, "User-Agent");
  w->session_token = header(call, "X-Amz-Security-Token");
  w->fqdn = luaws_arena_str(&call->arena, call->request.host);
  read_authorization(w, header(call, "Authorization"));
}

/* ---- events ---- */

/* At most so many characters of s. */
static struct luaws_str cut(struct luaws_str s, int max) {
  size_t at = 0;
  for (int n = 0; n < max && at < s.len; n++) {
    size_t step = luaws_utf8_step(luaws_str_sub(s, at, SIZE_MAX));
    at += step ? step : 1;
  }
  return luaws_str_sub(s, 0, at);
}

static void add_text(struct luaws_buf *b, const char *prefix, const char *name,
                     struct luaws_str value) {
  luaws_buf_printf(b, ",\"%s%s\":", prefix, name);
  luaws_json_quote(b, value);
}

static void add_number(struct luaws_buf *b, const char *name, int64_t value) {
  luaws_buf_printf(b, ",\"%s\":%lld", name, (long long)value);
}

/* What both kinds of event begin with. */
static struct luaws_buf *begin_event(const struct luaws_call *call, const char *type,
                                     int64_t since_ms) {
  const struct luaws_monitored *w = call->monitored;
  struct luaws_buf *b = &w->monitor->text;
  luaws_buf_reset(b);
  b->max_bytes = MAX_DATAGRAM_BYTES;
  b->failed = false;
  luaws_buf_append_cstr(b, "{\"Version\":1");
  add_text(b, "", "ClientId", luaws_buf_str(&w->monitor->client_id));
  add_text(b, "", "Type", luaws_str_from(type));
  add_text(b, "", "Service", luaws_ref_text(&call->client->service->service_id));
  add_text(b, "", "Api", luaws_ref_text(&call->operation->name));
  add_number(b, "Timestamp", since_ms);
  return b;
}

/* What both kinds say of the last attempt; prefix is "Final" in the call's. */
static void add_outcome(struct luaws_buf *b, const struct luaws_monitored *w,
                        const char *prefix) {
  add_text(b, "", "UserAgent", cut(w->user_agent, MAX_USER_AGENT));
  if (w->region.len) add_text(b, "", "Region", w->region);
  if (w->status) {
    luaws_buf_printf(b, ",\"%sHttpStatusCode\":%d", prefix, w->status);
  }
  if (w->has_error) {
    add_text(b, prefix, "AwsException", cut(w->code, MAX_CODE));
    add_text(b, prefix, "AwsExceptionMessage", cut(w->message, MAX_MESSAGE));
  }
  if (w->wire_failed) {
    add_text(b, prefix, "SdkException", cut(w->code, MAX_CODE));
    add_text(b, prefix, "SdkExceptionMessage", cut(w->message, MAX_MESSAGE));
  }
}

static void send_event(const struct luaws_call *call) {
  struct luaws_monitor *m = call->monitored->monitor;
  luaws_buf_append_char(&m->text, '}');
  if (m->text.failed) {
    luaws_log(LUAWS_LOG_DEBUG, "luaws.monitor",
              "an event is not sent: it is larger than %d bytes", MAX_DATAGRAM_BYTES);
    return;
  }
  luaws_datagrams_send(m->agent, luaws_buf_str(&m->text));
}

static void add_response_ids(struct luaws_buf *b, const struct luaws_response *r) {
  static const struct {
    struct luaws_str header;
    const char *field;
  } ids[] = {
      {LUAWS_STR("x-amzn-requestid"), "XAmznRequestId"},
      {LUAWS_STR("x-amz-request-id"), "XAmzRequestId"},
      {LUAWS_STR("x-amz-id-2"), "XAmzId2"},
  };
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
    const struct luaws_str *value = luaws_headers_get(&r->headers, ids[i].header);
    if (value) add_text(b, "", ids[i].field, *value);
  }
}

void luaws_monitor_attempt_ends(struct luaws_call *call, struct luaws_str error_code,
                                struct luaws_str error_message) {
  struct luaws_monitored *w = call->monitored;
  w->status = call->response.status;
  w->has_error = w->status && error_code.len;
  w->wire_failed = !w->status;
  if (w->wire_failed) {
    error_code = luaws_str_from(call->attempt_error.kind);
    error_message = luaws_str_from(luaws_error_message(&call->attempt_error));
  }
  w->code = luaws_arena_str(&call->arena, error_code);
  w->message = luaws_arena_str(&call->arena, error_message);

  struct luaws_buf *b = begin_event(call, "ApiCallAttempt", w->attempt_ms);
  add_number(b, "AttemptLatency", now_ms(call) - w->attempt_ms);
  add_text(b, "", "Fqdn", w->fqdn);
  if (w->access_key.len) add_text(b, "", "AccessKey", w->access_key);
  if (w->session_token.ptr) add_text(b, "", "SessionToken", w->session_token);
  add_outcome(b, w, "");
  if (w->status) add_response_ids(b, &call->response);
  send_event(call);
}

/* Did retries end only because they ran out? A broken connection is always tried again.
 */
static bool ran_out(const struct luaws_call *call) {
  if (!call->error.code) {
    return call->response.status >= 300 && call->retry.max_attempts_reached;
  }
  return call->error.code == LUAWS_E_CONNECT || call->error.code == LUAWS_E_TIMEOUT ||
         call->error.code == LUAWS_E_CLOSED || call->error.code == LUAWS_E_TLS;
}

void luaws_monitor_call_ends(struct luaws_call *call) {
  struct luaws_monitored *w = call->monitored;
  if (w->made) {
    struct luaws_buf *b = begin_event(call, "ApiCall", w->call_ms);
    add_number(b, "Latency", now_ms(call) - w->call_ms);
    add_number(b, "AttemptCount", w->attempts);
    if (w->attempts) add_outcome(b, w, "Final");
    add_number(b, "MaxRetriesExceeded", ran_out(call));
    send_event(call);
  }
  call->monitored = NULL;
}
