/* luaws_open, luaws_call, luaws_close: any operation with JSON in and JSON out, without
 * Lua. */
#include <luaws.h>

#include <stdlib.h>

#include "base/data_path.h"
#include "client/call.h"
#include "client/event_list.h"
#include "client/host_provider.h"
#include "client/nearest.h"
#include "value/tree.h"

/* S3 Express: the keys of a session with a directory bucket, renewed before they end. */
enum { MAX_SESSIONS = 100, RENEWED_BEFORE_S = 45 };
struct bucket_session {
  struct luaws_buf bucket;
  struct luaws_credentials *keys;
};

struct luaws_handle {
  struct bucket_session *sessions; /* MAX_SESSIONS, made at the first; in no order */
  size_t next_session;             /* the one to be replaced next */
  struct luaws_loop *loop;
  struct luaws_pack *pack;
  struct luaws_session *session;
  struct luaws_client *client;
  struct luaws_host_provider host;
  struct luaws_host_mfa mfa;
  bool ready;
};

const char *luaws_version(void) {
  return LUAWS_VERSION;
}

void luaws_free(void *text) {
  free(text);
}

/* "Kind: message" */
static void hand_over(struct luaws_error *err, char **error) {
  if (error) {
    struct luaws_buf text = {0};
    luaws_buf_printf(&text, "%s: %s", err->kind ? err->kind : "Error",
                     luaws_error_message(err));
    *error = text.ptr;
  }
  luaws_error_clear(err);
}

static void on_ready(void *owner) {
  ((struct luaws_handle *)owner)->ready = true;
}

static int wait_until_ready(struct luaws_handle *h, struct luaws_error *err) {
  h->ready = false;
  while (!h->ready) {
    int n = luaws_loop_turn(h->loop, -1, err);
    if (n < 0) return n;
    if (n == 0 && !h->ready && !luaws_loop_busy(h->loop))
      return luaws_error_set(err, LUAWS_E_IO, "RuntimeError",
                             "the call waits for something that cannot happen");
  }
  return 0;
}

/* Where this machine runs, for settings that go by it. */
static int find_region(struct luaws_handle *h, struct luaws_error *err) {
  struct luaws_chain_waiter waiter = {.wake = on_ready, .arg = h};
  int rc = 0;
  while (rc == 0 && !luaws_session_find_instance_region(h->session, NULL, &waiter))
    rc = wait_until_ready(h, err);
  if (waiter.chain) luaws_chain_waiter_cancel(&waiter);
  return rc;
}

static int open_handle(struct luaws_handle *h, const char *service,
                       const struct luaws_options *o, struct luaws_error *err) {
  struct luaws_buf path = {0};
  int rc = luaws_data_path(&path, "models.pack", err);
  if (rc == 0) rc = luaws_pack_open(path.ptr, &h->pack, err);
  luaws_buf_clear(&path);
  if (rc == 0) rc = luaws_loop_new(&h->loop, err);
  if (rc) return rc;
  luaws_host_provider_init(&h->host, o->credentials, o->credentials_arg);
  h->mfa = (struct luaws_host_mfa){o->mfa, o->mfa_arg};
  struct luaws_session_options so = {
      .access_key = luaws_str_from(o->access_key),
      .secret_key = luaws_str_from(o->secret_key),
      .session_token = luaws_str_from(o->session_token),
      .region_name = luaws_str_from(o->region),
      .profile_name = luaws_str_from(o->profile),
      .pack = h->pack,
      .loop = h->loop,
      .provider = o->credentials ? &h->host.provider : NULL,
      .prompt_mfa = o->mfa ? luaws_host_prompt_mfa : NULL,
      .prompt_arg = &h->mfa,
  };
  struct luaws_client_options co = {.endpoint_url = luaws_str_from(o->endpoint_url)};
  rc = luaws_session_new(&so, &h->session, err);
  if (rc == 0) rc = find_region(h, err);
  return rc ? rc
            : luaws_client_new(h->session, luaws_str_from(service), &co, &h->client, err);
}

struct luaws_handle *luaws_open(const char *service, const struct luaws_options *options,
                                char **error) {
  static const struct luaws_options defaults;
  struct luaws_error err = {0};
  struct luaws_handle *h = calloc(1, sizeof *h);
  if (error) *error = NULL;
  int rc = h ? open_handle(h, service, options ? options : &defaults, &err)
             : luaws_error_memory(&err);
  if (rc == 0) return h;
  hand_over(&err, error);
  luaws_close(h);
  return NULL;
}

void luaws_close(struct luaws_handle *h) {
  if (!h) return;
  for (size_t i = 0; h->sessions && i < MAX_SESSIONS; i++) {
    luaws_credentials_release(h->sessions[i].keys);
    luaws_buf_clear(&h->sessions[i].bucket);
  }
  free(h->sessions);
  luaws_client_release(h->client);
  luaws_session_release(h->session);
  luaws_loop_free(h->loop);
  luaws_pack_release(h->pack);
  free(h);
}

static int identify(struct luaws_handle *h, struct luaws_call *call,
                    struct luaws_error *err);

/* events: those that the call sends, or NULL. */
static int run(struct luaws_handle *h, struct luaws_call *call,
               struct luaws_event_list *events, struct luaws_error *err) {
  call->on_ready = on_ready;
  call->owner = h;
  call->gather = true;
  call->hooks = 1u << LUAWS_HOOK_IDENTITY;
  for (;;) {
    enum luaws_step step = luaws_call_step(call);
    if (step == LUAWS_STEP_DONE) return 0;
    if (events && events->error.code) {
      int code = events->error.code;
      luaws_error_move(err, &events->error);
      return code;
    }
    int rc = step == LUAWS_STEP_WAIT ? wait_until_ready(h, err) : identify(h, call, err);
    if (rc) return rc;
  }
}

/* "An error occurred (Code) when calling the Name operation: Message" */
static void service_error(const struct luaws_call *call, struct luaws_error *err) {
  const struct luaws_service_error *e = &call->service_error;
  struct luaws_str message = e->message.ptr ? e->message : LUAWS_STR("Unknown");
  struct luaws_str name = luaws_ref_text(&call->operation->name);
  luaws_error_set(err, LUAWS_E_SERVICE, "ClientError",
                  "An error occurred (%.*s) when calling the %.*s operation: %.*s",
                  LUAWS_STR_ARG(e->code), LUAWS_STR_ARG(name), LUAWS_STR_ARG(message));
}

/* Asks the bucket for a session. */
static int open_session(struct luaws_handle *h, struct luaws_str bucket,
                        struct luaws_credentials **out, struct luaws_error *err) {
  struct luaws_arena arena = {0};
  struct luaws_tree name = {
      .kind = LUAWS_KIND_STRING, .key = LUAWS_STR("Bucket"), .text = bucket};
  struct luaws_tree params = {.kind = LUAWS_KIND_MAP, .count = 1, .first = &name};
  struct luaws_tree_reader reader;
  struct luaws_tree_writer writer;
  luaws_tree_reader_init(&reader, &params);
  luaws_tree_writer_init(&writer, &arena);
  const struct luaws_operation *op =
      luaws_service_operation(h->client->service, LUAWS_STR("CreateSession"));
  struct luaws_call *call = op ? luaws_call_new(h->client, op, &reader.base) : NULL;
  if (call) call->secret = call->body.wipes = true;
  int rc = call ? run(h, call, NULL, err) : luaws_error_memory(err);
  if (rc == 0) rc = luaws_call_write(call, &writer.base, err);
  if (rc == LUAWS_E_SERVICE) service_error(call, err);
  if (rc == 0) {
    const struct luaws_tree *keys = luaws_tree_get(writer.root, "Credentials");
    const struct luaws_tree *expiry = luaws_tree_get(keys, "Expiration");
    struct luaws_credentials_init init = {
        .access_key = luaws_tree_text(keys, "AccessKeyId"),
        .secret_key = luaws_tree_text(keys, "SecretAccessKey"),
        .token = luaws_tree_text(keys, "SessionToken"),
        .method = LUAWS_STR("s3express"),
        .expiry_s = expiry && expiry->kind == LUAWS_KIND_INTEGER ? expiry->integer : 1,
    };
    *out = writer.failed ? NULL : luaws_credentials_new(&init);
    if (!*out) rc = luaws_error_memory(err);
  }
  luaws_call_free(call);
  luaws_arena_wipe(&arena);
  return rc;
}

static struct bucket_session *find_session(struct luaws_handle *h,
                                           struct luaws_str bucket) {
  if (!h->sessions) h->sessions = calloc(MAX_SESSIONS, sizeof *h->sessions);
  if (!h->sessions) return NULL;
  for (size_t i = 0; i < MAX_SESSIONS; i++) {
    struct bucket_session *s = &h->sessions[i];
    if (s->bucket.len && luaws_str_eq(luaws_buf_str(&s->bucket), bucket)) return s;
  }
  struct bucket_session *s = &h->sessions[h->next_session++ % MAX_SESSIONS];
  luaws_credentials_release(s->keys);
  s->keys = NULL;
  luaws_buf_reset(&s->bucket);
  luaws_buf_append_str(&s->bucket, bucket);
  return s->bucket.failed ? NULL : s;
}

/* Gives the call the keys that its bucket wants it to be signed with. */
static int identify(struct luaws_handle *h, struct luaws_call *call,
                    struct luaws_error *err) {
  struct luaws_reader *r = call->params;
  struct luaws_str bucket = LUAWS_STR_NONE;
  if (r->ops->enter_member(r, LUAWS_STR("Bucket"))) {
    bucket = luaws_arena_str(&call->arena, r->ops->bytes(r));
    r->ops->leave(r);
  }
  struct bucket_session *s = bucket.ptr ? find_session(h, bucket) : NULL;
  if (!s) return luaws_error_memory(err);
  int64_t now_s = luaws_session_now_s(h->session);
  if (!s->keys || s->keys->expiry_s - now_s <= RENEWED_BEFORE_S) {
    struct luaws_credentials *keys = NULL;
    int rc = open_session(h, bucket, &keys, err);
    if (rc) return rc;
    luaws_credentials_release(s->keys);
    s->keys = keys;
  }
  luaws_credentials_release(call->credentials);
  call->credentials = luaws_credentials_acquire(s->keys);
  return 0;
}

static int call_with_tree(struct luaws_handle *h, const struct luaws_operation *op,
                          const struct luaws_tree *params, struct luaws_arena *arena,
                          char **result, struct luaws_error *err) {
  struct luaws_tree_reader reader;
  struct luaws_tree_writer writer;
  luaws_tree_reader_init(&reader, params);
  reader.blobs = arena;
  luaws_tree_writer_init(&writer, arena);
  writer.base64_blobs = true;
  struct luaws_call *call = luaws_call_new(h->client, op, &reader.base);
  if (!call) return luaws_error_memory(err);
  struct luaws_event_list events = {0};
  bool sends = op->flags & LUAWS_OP_EVENTS_IN;
  int rc = sends ? luaws_event_list_begin(&events, call, params, arena, err) : 0;
  if (rc == 0) rc = run(h, call, sends ? &events : NULL, err);
  if (rc == 0) {
    writer.body = call->response.body;
    rc = luaws_call_write(call, &writer.base, err);
  }
  if (rc == LUAWS_E_SERVICE) service_error(call, err);
  if ((rc == 0 || rc == LUAWS_E_SERVICE) && result) {
    struct luaws_buf text = {0};
    luaws_tree_print(writer.root, &text, 0);
    if (writer.failed || text.failed)
      rc = luaws_error_memory(err);
    else
      *result = text.ptr, text = (struct luaws_buf){0};
    luaws_buf_clear(&text);
  }
  luaws_call_free(call);
  luaws_error_clear(&events.error);
  return rc;
}

static int no_operation(const struct luaws_handle *h, struct luaws_str name,
                        struct luaws_error *err) {
  struct luaws_buf hint = {0};
  luaws_nearest_operations(h->client->service, name, &hint);
  struct luaws_str nearest = luaws_buf_str(&hint);
  int rc = luaws_error_set(err, LUAWS_E_ARGUMENT, "OperationNotFoundError",
                           "%.*s has no operation '%.*s'%.*s",
                           LUAWS_STR_ARG(h->client->service_name), LUAWS_STR_ARG(name),
                           LUAWS_STR_ARG(nearest));
  luaws_buf_clear(&hint);
  return rc;
}

int luaws_call(struct luaws_handle *h, const char *operation, const char *params_json,
               char **result, char **error) {
  struct luaws_error err = {0};
  struct luaws_arena arena = {0};
  struct luaws_tree *params = NULL;
  if (result) *result = NULL;
  if (error) *error = NULL;
  struct luaws_str name = luaws_str_from(operation ? operation : "");
  const struct luaws_operation *op = luaws_service_operation(h->client->service, name);
  int rc = op ? luaws_tree_parse(&arena, luaws_str_from(params_json ? params_json : "{}"),
                                 &params, &err)
              : no_operation(h, name, &err);
  if (rc == 0) rc = call_with_tree(h, op, params, &arena, result, &err);
  luaws_arena_wipe(&arena);
  if (rc) hand_over(&err, error);
  return rc == 0 ? 0 : rc == LUAWS_E_SERVICE ? 1 : -1;
}
