/* credential_process: a program of the user's that prints credentials as JSON. Run
   without a shell; what it prints is wiped. Running it blocks, as it may ask its user
   something. */
#include "credentials/provider.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "settings/shell_words.h"

enum { MAX_OUTPUT_BYTES = 1 << 20, MAX_SHOWN_STDERR_BYTES = 2000 };

extern char **environ;

struct child {
  pid_t pid;
  int pipes[2]; /* our ends: its stdout and stderr */
  struct luaws_buf output[2];
  int status; /* as waitpid gives it */
};

/* ---- running it ---- */

/* Starts argv; 0, or an errno. */
static int start(struct child *c, char **argv) {
  int out[2] = {-1, -1}, errors[2] = {-1, -1};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t usual;
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(errors, O_CLOEXEC) != 0) {
    int e = errno;
    if (out[0] >= 0) close(out[0]), close(out[1]);
    return e;
  }
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors[1], STDERR_FILENO);
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE); /* a host may ignore it: its child should not */
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  int e = posix_spawnp(&c->pid, argv[0], &actions, &attributes, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(out[1]);
  close(errors[1]);
  if (e) close(out[0]), close(errors[0]);
  c->pipes[0] = out[0];
  c->pipes[1] = errors[0];
  return e;
}

/* Reads what is there; false at the end, on an error, or when it is too much. */
static bool read_some(int fd, struct luaws_buf *into) {
  if (!luaws_buf_reserve(into, 4096)) return false;
  ssize_t n = read(fd, into->ptr + into->len, into->cap - into->len - 1);
  if (n > 0) into->len += (size_t)n;
  if (into->ptr) into->ptr[into->len] = 0;
  return n > 0 || (n < 0 && errno == EINTR);
}

static void finish(struct child *c) {
  struct pollfd fds[2] = {{c->pipes[0], POLLIN, 0}, {c->pipes[1], POLLIN, 0}};
  int open_pipes = 2;
  while (open_pipes > 0) {
    if (poll(fds, 2, -1) < 0 && errno != EINTR) break;
    for (int i = 0; i < 2; i++) {
      if (fds[i].fd < 0 || !fds[i].revents) continue;
      if (read_some(fds[i].fd, &c->output[i])) continue;
      fds[i].fd = -1;
      close(c->pipes[i]);
      open_pipes--;
    }
  }
  for (int i = 0; i < 2; i++) {
    if (fds[i].fd >= 0) close(fds[i].fd);
  }
  while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR) {
  }
}

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
                       const struct luaws_ini_section *profile, const struct child *c,
                       struct luaws_credentials **out, struct luaws_error *err) {
  if (c->output[0].failed) {
    return luaws_provider_failed(task, err, "the process printed too much");
  }
  if (WIFEXITED(c->status) && WEXITSTATUS(c->status) == 0) {
    return read_answer(task, profile, luaws_buf_str(&c->output[0]), out, err);
  }
  struct luaws_str said = luaws_str_trim(luaws_buf_str(&c->output[1]));
  if (said.len == 0 && WIFSIGNALED(c->status)) {
    return luaws_provider_failed(task, err, "the process was ended by signal %d",
                                 WTERMSIG(c->status));
  }
  if (said.len == 0) {
    return luaws_provider_failed(task, err, "the process ended with status %d",
                                 WEXITSTATUS(c->status));
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

static int run(const struct luaws_provider_task *task,
               const struct luaws_ini_section *profile, char **argv,
               struct luaws_credentials **out, struct luaws_error *err) {
  struct child c = {
      .output = {{.max_bytes = MAX_OUTPUT_BYTES}, {.max_bytes = MAX_OUTPUT_BYTES}}};
  int e = start(&c, argv);
  int rc;
  if (e) {
    rc = luaws_provider_failed(task, err, "%s: %s", argv[0], strerror(e));
  } else {
    finish(&c);
    rc = read_result(task, profile, &c, out, err);
  }
  luaws_buf_wipe(&c.output[0]);
  luaws_buf_wipe(&c.output[1]);
  return rc;
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
  struct luaws_arena arena = {0};
  char **argv = make_argv(&arena, command->text);
  if (argv) {
    rc = run(task, profile, argv, out, err);
  } else {
    rc = luaws_provider_failed(task, err, "credential_process is no command (%.*s:%u)",
                               LUAWS_STR_ARG(command->path), command->line);
  }
  luaws_arena_wipe(&arena);
  return rc;
}

const struct luaws_provider luaws_provider_process = {"custom-process", NULL, step, NULL,
                                                      NULL};
