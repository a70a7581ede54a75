/* ECS, EKS and whoever else sets AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI: an
   address on this machine, or near it, that answers with credentials. Whoever set the
   variable means it, so any failure is raised. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "base/log.h"
#include "credentials/fetch.h"
#include "credentials/secret_file.h"

enum { TIMEOUT_MS = 2000, ATTEMPTS = 3, PAUSE_MS = 1000, MAX_TOKEN_BYTES = 1 << 20 };

static const char ECS_ADDRESS[] = "http://169.254.170.2";
static const char relative_uri[] = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
static const char full_uri[] = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

struct container {
  struct luaws_buf url;
  struct luaws_fetch fetch;
  struct luaws_timer *timer; /* until the next attempt */
  struct luaws_provider_task *task;
  int attempts;
};

/* ---- where ---- */

/* Over http only this machine and the addresses that AWS gives such services; a name
   other than "localhost" is not looked up, because somebody else may answer for it. */
static bool may_ask_in_clear(struct luaws_str host) {
  static const char *const allowed[] = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23",
                                        "localhost"};
  char text[64];
  struct in_addr v4;
  struct in6_addr v6;
  if (host.len && host.ptr[0] == '[') host = luaws_str_sub(host, 1, host.len - 2);
  for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
    if (luaws_str_eq_nocase(host, luaws_str_from(allowed[i]))) return true;
  }
  if (host.len >= sizeof text) return false;
  memcpy(text, host.ptr, host.len);
  text[host.len] = 0;
  if (inet_pton(AF_INET, text, &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* The host in "host:8080" or "[::1]:8080". */
static struct luaws_str without_port(struct luaws_str authority) {
  ptrdiff_t from = luaws_str_find(authority, ']');
  struct luaws_str rest =
      luaws_str_sub(authority, from < 0 ? 0 : (size_t)from, authority.len);
  ptrdiff_t colon = luaws_str_find(rest, ':');
  if (colon < 0) return authority;
  return luaws_str_sub(authority, 0, (size_t)((from < 0 ? 0 : from) + colon));
}

static int check_url(struct luaws_str url, const char *variable,
                     struct luaws_error *err) {
  struct luaws_arena arena = {0};
  struct luaws_request r = {.arena = &arena, .headers.arena = &arena};
  struct luaws_error why = {0};
  int rc = 0;
  if (luaws_request_set_url(&r, url, &why)) {
    rc = luaws_error_set(err, LUAWS_E_CONFIG, "ValueError",
                         variable == relative_uri
                             ? "%s is no path: it must begin with \"/\""
                             : "%s is no URL",
                         variable);
  } else if (!luaws_str_is(r.scheme, "https") &&
             !may_ask_in_clear(without_port(r.host))) {
    rc = luaws_error_set(
        err, LUAWS_E_CONFIG, "ValueError",
        "Unsupported host '%.*s'. Can only retrieve metadata from a loopback address or "
        "one of these hosts: 169.254.170.2, 169.254.170.23, fd00:ec2::23, localhost",
        LUAWS_STR_ARG(without_port(r.host)));
    luaws_error_add(err, " (From %s)", variable);
  }
  luaws_error_clear(&why);
  luaws_arena_clear(&arena);
  return rc;
}

/* ---- asking ---- */

static int read_token(const struct luaws_provider_task *task, struct luaws_buf *token,
                      bool *found, struct luaws_error *err) {
  struct luaws_settings *s = task->context->settings;
  const char *file = luaws_settings_getenv(s, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  const char *text = luaws_settings_getenv(s, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
  *found = file || text;
  if (file) {
    int e = luaws_secret_file_read(luaws_str_from(file), token);
    if (e) {
      return luaws_provider_failed(
          task, err, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: %s: %s", file, strerror(e));
    }
  } else if (text) {
    luaws_buf_append_cstr(token, text);
  }
  struct luaws_str t = luaws_buf_str(token);
  if (luaws_str_find(t, '\r') >= 0 || luaws_str_find(t, '\n') >= 0 ||
      luaws_str_find(t, 0) >= 0) {
    return luaws_error_set(err, LUAWS_E_CONFIG, "ValueError",
                           "Auth token value is not a legal header value");
  }
  return token->failed ? luaws_error_memory(err) : 0;
}

static int send_request(struct luaws_provider_task *task, struct container *c,
                        struct luaws_error *err) {
  static const struct luaws_fetch_options options = {.timeout_ms = TIMEOUT_MS};
  struct luaws_buf token = {.max_bytes = MAX_TOKEN_BYTES};
  bool has_token = false;
  int rc = read_token(task, &token, &has_token, err);
  if (rc == 0) {
    rc = luaws_fetch_open(&c->fetch, task, &options, LUAWS_STR("GET"),
                          luaws_buf_str(&c->url), err);
  }
  if (rc == 0) {
    rc = luaws_fetch_header(&c->fetch, "Accept", LUAWS_STR("application/json"), err);
  }
  if (rc == 0 && has_token) {
    rc = luaws_fetch_header(&c->fetch, "Authorization", luaws_buf_str(&token), err);
  }
  luaws_buf_wipe(&token);
  c->attempts++;
  return rc ? rc : luaws_fetch_send(&c->fetch, err);
}

/* ---- the answer ---- */

/* FOUND, or an error that tells what is wrong with it. */
static int read_answer(struct luaws_provider_task *task, struct container *c,
                       struct luaws_credentials **out, bool *may_retry,
                       struct luaws_error *err) {
  const struct luaws_response *r = NULL;
  struct luaws_error why = {0};
  struct luaws_arena arena = {0};
  struct luaws_tree *t = NULL;
  int rc = luaws_fetch_result(&c->fetch, &r, &why);
  if (rc == LUAWS_PENDING) return rc;
  *may_retry = true;
  if (rc) {
    *may_retry = luaws_fetch_may_retry(&why);
    rc = luaws_provider_failed(
        task, err, "Received error when attempting to retrieve container metadata: %s",
        luaws_error_message(&why));
  } else if (r->status != 200) {
    rc = luaws_provider_failed(
        task, err, "Received non 200 response %d from container metadata", r->status);
  } else if (luaws_tree_parse(&arena, r->body, &t, &why)) {
    rc = luaws_provider_failed(
        task, err, "Unable to parse JSON returned from container metadata services");
  } else {
    struct luaws_fetched_keys keys;
    const char *missing = luaws_fetched_keys_read(t, &keys);
    *may_retry = false;
    rc = missing
             ? luaws_provider_failed(
                   task, err, "the answer of the container's endpoint has no %s", missing)
             : luaws_fetched_keys_make(task, &keys, out, err);
  }
  luaws_error_clear(&why);
  luaws_arena_wipe(&arena);
  return rc;
}

static void pause_ended(void *arg) {
  struct container *c = arg;
  c->timer = NULL;
  c->task->wake(c->task->wake_arg);
}

static int try_again(struct luaws_provider_task *task, struct container *c,
                     const struct luaws_error *why, struct luaws_error *err) {
  luaws_log(LUAWS_LOG_DEBUG, "luaws.credentials", "attempt %d of %d: %s", c->attempts,
            ATTEMPTS, luaws_error_message(why));
  luaws_fetch_close(&c->fetch);
  c->timer = luaws_timer_start(task->context->loop, PAUSE_MS, pause_ended, c);
  return c->timer ? LUAWS_PENDING : luaws_error_memory(err);
}

/* ---- the provider ---- */

static void cancel(struct luaws_provider_task *task) {
  struct container *c = task->state;
  if (c->timer) luaws_timer_cancel(c->timer);
  luaws_fetch_clear(&c->fetch);
  luaws_buf_clear(&c->url);
  free(c);
}

static int begin(struct luaws_provider_task *task, struct luaws_error *err) {
  struct luaws_settings *s = task->context->settings;
  const char *relative = luaws_settings_getenv(s, relative_uri);
  const char *full = luaws_settings_getenv(s, full_uri);
  if (!relative && !full) {
    return luaws_provider_pass(task, "neither %s nor %s is set", relative_uri, full_uri);
  }
  struct container *c = calloc(1, sizeof *c);
  if (!c) return luaws_error_memory(err);
  task->state = c;
  c->task = task;
  if (relative) luaws_buf_append_cstr(&c->url, ECS_ADDRESS);
  luaws_buf_append_cstr(&c->url, relative ? relative : full);
  if (c->url.failed) return luaws_error_memory(err);
  int rc = check_url(luaws_buf_str(&c->url), relative ? relative_uri : full_uri, err);
  return rc ? rc : LUAWS_PENDING;
}

static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  int rc = task->state ? LUAWS_PENDING : begin(task, err);
  if (rc != LUAWS_PENDING) return rc;
  struct container *c = task->state;
  if (c->timer) return LUAWS_PENDING;
  if (!luaws_fetch_sent(&c->fetch)) rc = send_request(task, c, err);
  if (rc < 0) return rc;
  bool may_retry = false;
  struct luaws_error why = {0};
  rc = read_answer(task, c, out, &may_retry, &why);
  if (rc < 0 && may_retry && c->attempts < ATTEMPTS) {
    rc = try_again(task, c, &why, err);
    luaws_error_clear(&why);
  } else if (rc < 0) {
    luaws_error_move(err, &why);
  }
  return rc;
}

const struct luaws_provider luaws_provider_container = {"container-role", "EcsContainer",
                                                        step, cancel, NULL};
