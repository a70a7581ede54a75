/* credential_process: a program of the user's that prints credentials as JSON. Run
   without a shell, beside the loop: it may ask its user something, or somebody far away.
   What it prints is wiped. */
#include "credentials/provider.h"

#include <stdlib.h>
#include <sys/wait.h>

#include "base/time.h"
#include "http/child.h"
#include "settings/shell_words.h"

enum { MAX_OUTPUT_BYTES = 1 << 20, MAX_SHOWN_STDERR_BYTES = 2000 };

struct process {
  struct luaws_provider_task *task;
  struct luaws_child *child;
  bool done;
};

/* ---- what it says ---- */

static int copy_key(const struct luaws_provider_task *task, const struct luaws_tree *t,
                    const char *key, struct luaws_str *out, struct luaws_error *err) {
  const struct luaws_tree *value = luaws_tree_get(t, key);
  *out = value && value->kind == LUAWS_KIND_STRING ? value->text : LUAWS_STR_NONE;
  if (out->ptr) return 0;
  return luaws_provider_failed(task, err, "Missing required key in response: '%s'", key);
}

static int check_version(const struct luaws_provider_task *task,
                         const struct luaws_tree *t, struct luaws_error *err) {
  const struct luaws_tree *v = luaws_tree_get(t, "Version");
  if (v && ((v->kind == LUAWS_KIND_INTEGER && v->integer == 1) ||
            (v->kind == LUAWS_KIND_FLOAT && v->floating == 1.0))) {
    return 0;
  }
  struct luaws_buf shown = {0};
  if (v && v->kind == LUAWS_KIND_STRING) {
    luaws_buf_append_str(&shown, luaws_str_sub(v->text, 0, 32));
  } else if (v && v->kind == LUAWS_KIND_INTEGER) {
    luaws_buf_append_int(&shown, v->integer);
  } else {
    luaws_buf_append_cstr(&shown, v ? "<no number>" : "<Version key not provided>");
  }
  int rc = luaws_provider_failed(task, err,
                                 "Unsupported version '%s' for credential process "
                                 "provider, supported versions: 1",
                                 shown.ptr ? shown.ptr : "");
  luaws_buf_clear(&shown);
  return rc;
}

static int read_expiry(const struct luaws_provider_task *task, const struct luaws_tree *t,
                       int64_t *out, struct luaws_error *err) {
  const struct luaws_tree *v = luaws_tree_get(t, "Expiration");
  double seconds = 0;
  if (!v || v->kind == LUAWS_KIND_NULL) return 0;
  if (v->kind != LUAWS_KIND_STRING || !luaws_time_parse(v->text, &seconds)) {
    return luaws_provider_failed(task, err, "Expiration is no time");
  }
  *out = (int64_t)seconds;
  return 0;
}

/* Makes credentials of the JSON it printed. */
static int read_answer(const struct luaws_provider_task *task,
                       const struct luaws_ini_section *profile, struct luaws_str json,
                       struct luaws_credentials **out, struct luaws_error *err) {
  struct luaws_arena arena = {0};
  struct luaws_tree *t = NULL;
  struct luaws_error parse_error = {0};
  struct luaws_credentials_init c = {.method = luaws_str_from(task->provider->name)};
  int rc = luaws_tree_parse(&arena, json, &t, &parse_error);
  if (rc || t->kind != LUAWS_KIND_MAP) {
    rc = luaws_provider_failed(task, err, "the output of the process is no JSON object");
  }
  luaws_error_clear(&parse_error);
  if (rc == 0) rc = check_version(task, t, err);
  if (rc == 0) rc = copy_key(task, t, "AccessKeyId", &c.access_key, err);
  if (rc == 0) rc = copy_key(task, t, "SecretAccessKey", &c.secret_key, err);
  if (rc == 0) rc = read_expiry(task, t, &c.expiry_s, err);
  if (rc == 0) {
    c.token = luaws_tree_text(t, "SessionToken");
    c.account_id = luaws_tree_text(t, "AccountId");
    if (c.account_id.len == 0) c.account_id = luaws_ini_text(profile, "aws_account_id");
    *out = luaws_credentials_new(&c);
    rc = *out ? LUAWS_FOUND : luaws_error_memory(err);
  }
  luaws_arena_wipe(&arena);
  return rc;
}

static int read_result(const struct luaws_provider_task *task,
                       const struct luaws_ini_section *profile,
                       const struct luaws_child *child, struct luaws_credentials **out,
                       struct luaws_error *err) {
  const struct luaws_buf *output = luaws_child_output(child);
  int status = luaws_child_status(child);
  if (output->failed) {
    return luaws_provider_failed(task, err, "the process printed too much");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return read_answer(task, profile, luaws_buf_str(output), out, err);
  }
  struct luaws_str said = luaws_str_trim(luaws_buf_str(luaws_child_errors(child)));
  if (said.len == 0 && WIFSIGNALED(status)) {
    return luaws_provider_failed(task, err, "the process was ended by signal %d",
                                 WTERMSIG(status));
  }
  if (said.len == 0) {
    return luaws_provider_failed(task, err, "the process ended with status %d",
                                 WEXITSTATUS(status));
  }
  said = luaws_str_sub(said, 0, MAX_SHOWN_STDERR_BYTES);
  return luaws_provider_failed(task, err, "%.*s", LUAWS_STR_ARG(said));
}

/* ---- the provider ---- */

/* The words of the command as execv wants them; NULL when they are none. */
static char **make_argv(struct luaws_arena *arena, struct luaws_str command) {
  struct luaws_str *words = NULL;
  size_t count = 0;
  if (!luaws_shell_split(arena, command, &words, &count) || count == 0) return NULL;
  char **argv = luaws_arena_alloc(arena, (count + 1) * sizeof *argv);
  for (size_t i = 0; argv && i < count; i++)
    argv[i] = (char *)words[i].ptr;
  return argv;
}

static void done(void *arg) {
  struct process *p = arg;
  p->done = true;
  p->task->wake(p->task->wake_arg);
}

static int start(struct process *p, char **argv, struct luaws_error *err) {
  const struct luaws_child_options o = {
      .argv = argv, .max_bytes = MAX_OUTPUT_BYTES, .done = done, .arg = p};
  int e = luaws_child_start(p->task->context->loop, &o, &p->child);
  return e ? luaws_provider_failed(p->task, err, "%s: %s", argv[0], strerror(e))
           : LUAWS_PENDING;
}

static int begin(struct luaws_provider_task *task, const struct luaws_ini_value *command,
                 struct luaws_error *err) {
  if (!task->context->loop) {
    return luaws_provider_failed(task, err, "there is no way to run a program from here");
  }
  struct process *p = calloc(1, sizeof *p);
  if (!p) return luaws_error_memory(err);
  task->state = p;
  p->task = task;
  struct luaws_arena arena = {0};
  char **argv = make_argv(&arena, command->text);
  int rc = argv ? start(p, argv, err)
                : luaws_provider_failed(task, err,
                                        "credential_process is no command (%.*s:%u)",
                                        LUAWS_STR_ARG(command->path), command->line);
  luaws_arena_wipe(&arena);
  return rc;
}

static void cancel(struct luaws_provider_task *task) {
  struct process *p = task->state;
  luaws_child_free(p->child);
  free(p);
}

static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  const struct luaws_ini_section *profile = NULL;
  int rc = luaws_provider_profile(task, &profile, err);
  if (rc) return rc;
  const struct luaws_ini_value *command =
      profile ? luaws_ini_value(profile->first, "credential_process") : NULL;
  if (!command) {
    return luaws_provider_pass(task, "no credential_process in profile \"%.*s\"",
                               LUAWS_STR_ARG(task->profile_name));
  }
  luaws_provider_note(task, "credential_process, %.*s:%u", LUAWS_STR_ARG(command->path),
                      command->line);
  struct process *p = task->state;
  if (!p) return begin(task, command, err);
  return p->done ? read_result(task, profile, p->child, out, err) : LUAWS_PENDING;
}

const struct luaws_provider luaws_provider_process = {"custom-process", NULL, step,
                                                      cancel, NULL};
