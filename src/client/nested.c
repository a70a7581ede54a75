#include "client/nested.h"

#include <stdlib.h>

#include "client/call.h"
#include "client/client.h"

struct luaws_nested_call_handle {
  struct luaws_client *client;
  struct luaws_call *call;
  struct luaws_timer *timer; /* for an end that came within start */
  struct luaws_tree_reader reader;
  struct luaws_tree_writer writer;
  struct luaws_arena arena; /* of the result */
  int (*prepare)(void *arg, struct luaws_request *request, struct luaws_error *err);
  void *prepare_arg;
  void (*done)(void *arg);
  void *done_arg;
  struct luaws_error error; /* of prepare */
};

static void end_timer_fired(void *arg) {
  struct luaws_nested_call_handle *h = arg;
  h->timer = NULL;
  h->done(h->done_arg);
}

/* True when the call is over. */
static bool run(struct luaws_nested_call_handle *h) {
  for (;;) {
    switch (luaws_call_step(h->call)) {
    case LUAWS_STEP_DONE:
      return true;
    case LUAWS_STEP_WAIT:
      return false;
    case LUAWS_STEP_HOOK:
      if (h->prepare(h->prepare_arg, &h->call->request, &h->error)) return true;
      break;
    }
  }
}

static void on_ready(void *owner) {
  struct luaws_nested_call_handle *h = owner;
  if (run(h)) h->done(h->done_arg);
}

static void free_call(struct luaws_nested_call_handle *h) {
  if (!h) return;
  if (h->timer) luaws_timer_cancel(h->timer);
  luaws_call_free(h->call);
  if (h->client) luaws_client_close(h->client);
  luaws_client_release(h->client);
  luaws_error_clear(&h->error);
  luaws_arena_wipe(&h->arena);
  free(h);
}

static int open_client(struct luaws_session *s, const struct luaws_nested_call *n,
                       struct luaws_client **out, struct luaws_error *err) {
  struct luaws_client_config unsigned_config = {.signature_version =
                                                    LUAWS_STR("unsigned")};
  struct luaws_client_options o = {.region_name = n->region, .nested = true};
  if (n->credentials) {
    o.access_key = n->credentials->access_key;
    o.secret_key = n->credentials->secret_key;
    o.session_token = n->credentials->token;
  } else {
    o.config = &unsigned_config;
  }
  return luaws_client_new(s, n->service, &o, out, err);
}

static int open_call(struct luaws_nested_call_handle *h,
                     const struct luaws_nested_call *n, struct luaws_error *err) {
  const struct luaws_operation *op =
      luaws_service_operation(h->client->service, n->operation);
  if (!op) {
    return luaws_error_set(err, LUAWS_E_MODEL, "OperationNotFound",
                           "%.*s has no operation %.*s", LUAWS_STR_ARG(n->service),
                           LUAWS_STR_ARG(n->operation));
  }
  luaws_tree_reader_init(&h->reader, n->params);
  h->call = luaws_call_new(h->client, op, &h->reader.base);
  if (!h->call) return luaws_error_memory(err);
  h->call->on_ready = on_ready;
  h->call->owner = h;
  h->call->gather = true;
  h->call->secret = h->call->body.wipes = true;
  h->call->features = n->features;
  h->call->secrets = n->secrets;
  h->call->secret_count = n->secret_count;
  if (n->prepare) h->call->hooks = 1u << LUAWS_HOOK_REQUEST_CREATED;
  return 0;
}

static int start(void *arg, const struct luaws_nested_call *n, void (*done)(void *),
                 void *done_arg, struct luaws_nested_call_handle **out,
                 struct luaws_error *err) {
  struct luaws_session *s = arg;
  struct luaws_nested_call_handle *h = calloc(1, sizeof *h);
  *out = NULL;
  if (!h) return luaws_error_memory(err);
  h->done = done;
  h->done_arg = done_arg;
  h->prepare = n->prepare;
  h->prepare_arg = n->prepare_arg;
  int rc = open_client(s, n, &h->client, err);
  if (rc == 0) rc = open_call(h, n, err);
  if (rc == 0 && run(h)) {
    h->timer = luaws_timer_start(s->loop, 0, end_timer_fired, h);
    if (!h->timer) rc = luaws_error_memory(err);
  }
  if (rc) {
    free_call(h);
    return rc;
  }
  *out = h;
  return 0;
}

/* The services of SSO speak OAuth, in which the message has another name. */
static void service_error(const struct luaws_call *call, const struct luaws_tree *answer,
                          struct luaws_error *err) {
  const struct luaws_service_error *e = &call->service_error;
  struct luaws_str message = e->message;
  if (!message.len) {
    struct luaws_str described = luaws_tree_text(answer, "error_description");
    if (described.len) message = described;
  }
  if (!message.ptr) message = LUAWS_STR("Unknown");
  struct luaws_str name = luaws_ref_text(&call->operation->name);
  luaws_error_set(err, LUAWS_E_SERVICE, "ClientError",
                  "An error occurred (%.*s) when calling the %.*s operation: %.*s",
                  LUAWS_STR_ARG(e->code), LUAWS_STR_ARG(name), LUAWS_STR_ARG(message));
}

static int result(struct luaws_nested_call_handle *h, const struct luaws_tree **out,
                  struct luaws_error *err) {
  *out = NULL;
  if (h->error.code) {
    int code = h->error.code;
    luaws_error_move(err, &h->error);
    return code;
  }
  luaws_tree_writer_init(&h->writer, &h->arena);
  int rc = luaws_call_write(h->call, &h->writer.base, err);
  if (rc == LUAWS_E_SERVICE) service_error(h->call, h->writer.root, err);
  if (h->writer.failed) return luaws_error_memory(err);
  if (rc == 0 || rc == LUAWS_E_SERVICE) *out = h->writer.root;
  return rc;
}

void luaws_nested_init(struct luaws_nested_calls *calls, struct luaws_session *session) {
  *calls = (struct luaws_nested_calls){
      .start = start, .result = result, .free = free_call, .arg = session};
}
