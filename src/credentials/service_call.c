#include "credentials/service_call.h"

#include <assert.h>

#include "base/time.h"
#include "value/json.h"

/* ---- parameters ---- */

static struct luaws_tree *add(struct luaws_arena *arena, struct luaws_tree *map,
                              const char *name, enum luaws_kind kind) {
  struct luaws_tree *t = luaws_arena_alloc(arena, sizeof *t);
  struct luaws_tree **end = &map->first;
  if (!t) return NULL;
  while (*end)
    end = &(*end)->next;
  t->kind = kind;
  t->key = luaws_str_from(name);
  *end = t;
  map->count++;
  return t;
}

static struct luaws_tree *params(struct luaws_service_call *c) {
  if (!c->params) {
    c->params = luaws_arena_alloc(&c->arena, sizeof *c->params);
    if (c->params) c->params->kind = LUAWS_KIND_MAP;
  }
  return c->params;
}

static struct luaws_str add_text(struct luaws_service_call *c, const char *name,
                                 struct luaws_str value) {
  struct luaws_tree *map = params(c);
  struct luaws_tree *t = map ? add(&c->arena, map, name, LUAWS_KIND_STRING) : NULL;
  if (!t) return LUAWS_STR_NONE;
  t->text = luaws_arena_str(&c->arena, value);
  return t->text;
}

bool luaws_service_call_text(struct luaws_service_call *c, const char *name,
                             struct luaws_str value) {
  return add_text(c, name, value).ptr != NULL;
}

bool luaws_service_call_secret(struct luaws_service_call *c, const char *name,
                               struct luaws_str value) {
  assert(c->secret_count < LUAWS_MAX_CALL_SECRETS);
  struct luaws_str text = add_text(c, name, value);
  c->secrets[c->secret_count++] = text;
  return text.ptr != NULL;
}

bool luaws_service_call_integer(struct luaws_service_call *c, const char *name,
                                int64_t value) {
  struct luaws_tree *map = params(c);
  struct luaws_tree *t = map ? add(&c->arena, map, name, LUAWS_KIND_INTEGER) : NULL;
  if (t) t->integer = value;
  return t != NULL;
}

struct luaws_tree *luaws_service_call_map(struct luaws_service_call *c,
                                          const char *name) {
  struct luaws_tree *root = luaws_arena_alloc(&c->arena, sizeof *root);
  if (!root) return NULL;
  root->kind = LUAWS_KIND_MAP;
  c->params = add(&c->arena, root, name, LUAWS_KIND_MAP);
  return c->params ? root : NULL;
}

/* ---- the call ---- */

static void done(void *arg) {
  struct luaws_service_call *c = arg;
  c->done = true;
  c->task->wake(c->task->wake_arg);
}

int luaws_service_call_start(struct luaws_service_call *c,
                             struct luaws_provider_task *task,
                             const struct luaws_nested_call *call,
                             struct luaws_error *err) {
  const struct luaws_nested_calls *calls = task->context->calls;
  struct luaws_nested_call with_params = *call;
  if (!calls) {
    return luaws_provider_failed(task, err, "there is no way to call %.*s from here",
                                 LUAWS_STR_ARG(call->service));
  }
  if (!with_params.params) with_params.params = params(c);
  if (!with_params.params) return luaws_error_memory(err);
  with_params.secrets = c->secrets;
  with_params.secret_count = c->secret_count;
  c->task = task;
  c->operation = call->operation;
  c->done = false;
  return calls->start(calls->arg, &with_params, done, c, &c->handle, err);
}

bool luaws_service_call_started(const struct luaws_service_call *c) {
  return c->handle != NULL;
}

/* Complaints about parameters show their values, as JSON. */
static void hide_secrets(const struct luaws_service_call *c, struct luaws_error *err) {
  for (size_t i = 0; err && err->message && i < c->secret_count; i++) {
    struct luaws_str text = luaws_str_from(err->message);
    struct luaws_buf quoted = {.wipes = true};
    luaws_json_quote(&quoted, c->secrets[i]);
    ptrdiff_t at = luaws_str_find_str(text, luaws_buf_str(&quoted));
    if (at >= 0 && c->secrets[i].len && !quoted.failed) {
      luaws_error_set(err, err->code, err->kind, "%.*s(hidden)%s", (int)at, text.ptr,
                      text.ptr + at + quoted.len);
    }
    luaws_buf_wipe(&quoted);
  }
}

int luaws_service_call_result(struct luaws_service_call *c, const struct luaws_tree **out,
                              struct luaws_error *err) {
  *out = NULL;
  if (!c->done) return LUAWS_PENDING;
  int rc = c->task->context->calls->result(c->handle, out, err);
  struct luaws_str profile = c->profile.ptr ? c->profile : c->task->profile_name;
  /* What a profile says that no call may: who made some other call has never heard of
     this one. */
  if (rc == LUAWS_E_ARGUMENT) {
    hide_secrets(c, err);
    luaws_error_add(err, "\n(of %.*s, for the profile \"%.*s\")",
                    LUAWS_STR_ARG(c->operation), LUAWS_STR_ARG(profile));
  }
  return rc;
}

void luaws_service_call_clear(struct luaws_service_call *c) {
  if (c->handle) c->task->context->calls->free(c->handle);
  luaws_arena_wipe(&c->arena);
  *c = (struct luaws_service_call){0};
}

/* ---- STS ---- */

/* The account in "arn:aws:sts::123456789012:assumed-role/name/session"; or none. */
static struct luaws_str arn_account(struct luaws_str arn) {
  for (int i = 0; i < 4; i++) {
    ptrdiff_t colon = luaws_str_find(arn, ':');
    if (colon < 0) return LUAWS_STR_NONE;
    arn = luaws_str_sub(arn, (size_t)colon + 1, arn.len);
  }
  ptrdiff_t colon = luaws_str_find(arn, ':');
  return colon > 0 ? luaws_str_sub(arn, 0, (size_t)colon) : LUAWS_STR_NONE;
}

int luaws_assumed_role(const struct luaws_provider_task *task,
                       const struct luaws_tree *answer, struct luaws_credentials **out,
                       struct luaws_error *err) {
  const struct luaws_tree *c = luaws_tree_get(answer, "Credentials");
  const struct luaws_tree *expiry = luaws_tree_get(c, "Expiration");
  struct luaws_credentials_init init = {
      .access_key = luaws_tree_text(c, "AccessKeyId"),
      .secret_key = luaws_tree_text(c, "SecretAccessKey"),
      .token = luaws_tree_text(c, "SessionToken"),
      .account_id =
          arn_account(luaws_tree_text(luaws_tree_get(answer, "AssumedRoleUser"), "Arn")),
      .method = luaws_str_from(task->provider->name),
  };
  if (expiry && expiry->kind == LUAWS_KIND_INTEGER) init.expiry_s = expiry->integer;
  if (expiry && expiry->kind == LUAWS_KIND_FLOAT)
    luaws_time_whole(expiry->floating, &init.expiry_s);
  const char *missing = !init.access_key.len   ? "AccessKeyId"
                        : !init.secret_key.len ? "SecretAccessKey"
                        : !init.token.len      ? "SessionToken"
                        : !init.expiry_s       ? "Expiration"
                                               : NULL;
  if (missing) {
    return luaws_provider_failed(task, err, "the answer of STS has no %s", missing);
  }
  *out = luaws_credentials_new(&init);
  return *out ? LUAWS_FOUND : luaws_error_memory(err);
}

void luaws_role_session_name(const struct luaws_provider_task *task,
                             struct luaws_buf *out) {
  luaws_buf_append_cstr(out, "luaws-session-");
  luaws_buf_append_int(out, luaws_provider_now(task));
}
