/* Three descriptors are watched: its output, its errors, and a pidfd that tells of its
   end. It is done when it has ended and the pipes are empty; whoever it has left behind
   with the other ends of them (an agent, say) is not waited for. Where there is no pidfd,
   as in an old kernel, a timer looks for its end. */
#include "http/child.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http/loop.h"

extern char **environ;

enum { OUTPUT, ERRORS, PIPES, FIRST_FREE_FD = 3, LOOK_MS = 20 };

struct luaws_child {
  struct luaws_loop *loop; /* NULL when that is gone */
  struct luaws_actor actor;
  struct luaws_ready ready;
  pid_t pid; /* 0 when it has ended */
  int pidfd;
  struct luaws_timer *timer; /* where there is none */
  int pipes[PIPES];          /* our ends; -1 when closed */
  struct luaws_buf text[PIPES];
  int status;
  bool told;
  void (*done)(void *arg);
  void *arg;
};

/* ---- reading ---- */

static void close_watched(struct luaws_child *c, int *fd) {
  if (*fd < 0) return;
  if (c->loop) luaws_loop_unwatch(c->loop, *fd);
  close(*fd);
  *fd = -1;
}

/* Reads what is there; closes the pipe at its end, or when it is too much. */
static void drain(struct luaws_child *c, int which) {
  struct luaws_buf *b = &c->text[which];
  while (c->pipes[which] >= 0) {
    ssize_t n = -1;
    if (luaws_buf_reserve(b, 4096)) {
      n = read(c->pipes[which], b->ptr + b->len, b->cap - b->len - 1);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return;
    }
    if (n <= 0) close_watched(c, &c->pipes[which]);
    if (n > 0) b->len += (size_t)n;
    if (b->ptr) b->ptr[b->len] = 0;
  }
}

/* Its status, when it has ended; a host that ignores SIGCHLD never learns it. */
static void reap(struct luaws_child *c, int flags) {
  pid_t got;
  do
    got = waitpid(c->pid, &c->status, flags);
  while (got < 0 && errno == EINTR);
  if (got < 0) c->status = 0;
  if (got != 0) c->pid = 0;
}

static void finish(struct luaws_child *c) {
  if (c->told) return;
  c->told = true;
  for (int i = 0; i < PIPES; i++) {
    drain(c, i);
    close_watched(c, &c->pipes[i]);
  }
  close_watched(c, &c->pidfd);
  luaws_ready_add(c->loop, &c->ready);
}

static void kill_family(pid_t pid);

static void look(void *arg) {
  struct luaws_child *c = arg;
  c->timer = NULL;
  reap(c, WNOHANG);
  if (c->pid) c->timer = luaws_timer_start(c->loop, LOOK_MS, look, c);
  if (c->pid && !c->timer) { /* without memory: nobody would see its end */
    kill_family(c->pid);
    reap(c, 0);
  }
  if (!c->pid) finish(c);
}

static void on_fd(void *owner, int fd, int events) {
  struct luaws_child *c = owner;
  for (int i = 0; i < PIPES; i++) {
    if (fd == c->pipes[i]) drain(c, i);
  }
  if (fd == c->pidfd) {
    reap(c, WNOHANG);
    if (!c->pid) finish(c);
  }
}

static void tell(struct luaws_ready *r) {
  struct luaws_child *c = LUAWS_CONTAINER(r, struct luaws_child, ready);
  c->loop->under_way--;
  c->done(c->arg);
}

static void on_loop_gone(struct luaws_actor *a) {
  struct luaws_child *c = LUAWS_CONTAINER(a, struct luaws_child, actor);
  luaws_ready_remove(&c->ready);
  luaws_timer_cancel(c->timer);
  c->timer = NULL;
  luaws_actor_leave(c->loop, a);
  c->loop = NULL;
}

/* ---- starting ---- */

/* A pipe whose ends are none of the three that every program has. */
static int open_pipe(int ends[2]) {
  int raw[2];
  if (pipe2(raw, O_CLOEXEC) != 0) return errno;
  int e = 0;
  for (int i = 0; i < 2; i++) {
    ends[i] =
        raw[i] < FIRST_FREE_FD ? fcntl(raw[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD) : raw[i];
    if (ends[i] < 0) e = errno;
    if (ends[i] != raw[i]) close(raw[i]);
  }
  if (!e && fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) e = errno;
  if (!e) return 0;
  for (int i = 0; i < 2; i++) {
    if (ends[i] >= 0) close(ends[i]);
  }
  return e;
}

static int spawn(struct luaws_child *c, char *const *argv, const int theirs[PIPES]) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t usual, none;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, theirs[OUTPUT], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, theirs[ERRORS], STDERR_FILENO);
  /* A host may ignore or block what its child should not. */
  sigemptyset(&none);
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  int e = posix_spawnp(&c->pid, argv[0], &actions, &attributes, argv, environ);
  if (e) c->pid = 0;
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return e;
}

static int watch(struct luaws_child *c) {
  const int fds[] = {c->pidfd, c->pipes[OUTPUT], c->pipes[ERRORS]};
  for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
    if (fds[i] >= 0 &&
        !luaws_loop_watch(c->loop, fds[i], LUAWS_WATCH_IN, false, on_fd, c)) {
      return ENOMEM;
    }
  }
  if (c->pidfd < 0) c->timer = luaws_timer_start(c->loop, LOOK_MS, look, c);
  return c->pidfd < 0 && !c->timer ? ENOMEM : 0;
}

int luaws_child_start(struct luaws_loop *l, const struct luaws_child_options *o,
                      struct luaws_child **out) {
  struct luaws_child *c = calloc(1, sizeof *c);
  int theirs[PIPES] = {-1, -1};
  *out = NULL;
  if (!c) return ENOMEM;
  *c = (struct luaws_child){.loop = l,
                            .actor.loop_gone = on_loop_gone,
                            .ready.run = tell,
                            .pidfd = -1,
                            .pipes = {-1, -1},
                            .done = o->done,
                            .arg = o->arg};
  luaws_actor_join(l, &c->actor);
  l->under_way++;
  int e = 0;
  for (int i = 0; i < PIPES && !e; i++) {
    int ends[2] = {-1, -1};
    e = open_pipe(ends);
    if (e) break;
    c->pipes[i] = ends[0];
    theirs[i] = ends[1];
    c->text[i] = (struct luaws_buf){.max_bytes = o->max_bytes, .wipes = true};
  }
  if (!e) e = spawn(c, o->argv, theirs);
  for (int i = 0; i < PIPES; i++) {
    if (theirs[i] >= 0) close(theirs[i]);
  }
  if (!e) {
    c->pidfd = pidfd_open(c->pid, 0);
    e = watch(c);
  }
  if (e) {
    luaws_child_free(c);
    return e;
  }
  *out = c;
  return 0;
}

/* ---- killing it ---- */

/* A program and what it has started, as far as it is still theirs: /proc tells. A process
   group of its own would tell too, but take the terminal away from it, where it may have
   to ask its user something. */
struct family {
  pid_t *list;
  size_t count, cap;
};

static void add_member(struct family *f, pid_t pid) {
  if (f->count == f->cap) {
    size_t cap = f->cap ? 2 * f->cap : 16;
    pid_t *list = realloc(f->list, cap * sizeof *list);
    if (!list) return;
    f->list = list;
    f->cap = cap;
  }
  f->list[f->count++] = pid;
}

static void add_children_of_thread(struct family *f, const char *tasks,
                                   const char *thread) {
  char path[PATH_MAX];
  long pid;
  snprintf(path, sizeof path, "%s/%s/children", tasks, thread);
  FILE *file = fopen(path, "re");
  while (file && fscanf(file, "%ld", &pid) == 1)
    add_member(f, (pid_t)pid);
  if (file) fclose(file);
}

static void add_children(struct family *f, pid_t pid) {
  char tasks[64];
  snprintf(tasks, sizeof tasks, "/proc/%ld/task", (long)pid);
  DIR *dir = opendir(tasks);
  struct dirent *entry;
  while (dir && (entry = readdir(dir))) {
    if (isdigit((unsigned char)entry->d_name[0]))
      add_children_of_thread(f, tasks, entry->d_name);
  }
  if (dir) closedir(dir);
}

/* Not so where it was mounted by somebody whose processes have other numbers, outside of
   a container: those of their children are anybody's here. */
static bool proc_has_our_numbers(void) {
  char self[32] = "";
  return readlink("/proc/self", self, sizeof self - 1) > 0 &&
         strtol(self, NULL, 10) == getpid();
}

/* All of them are stopped before the first is killed, so that none starts another, and
   the youngest are killed first: no number is given to somebody else meanwhile. */
static void kill_family(pid_t pid) {
  struct family f = {0};
  bool known = proc_has_our_numbers();
  add_member(&f, pid);
  for (size_t i = 0; known && i < f.count; i++) {
    kill(f.list[i], SIGSTOP);
    add_children(&f, f.list[i]);
  }
  for (size_t i = f.count; i-- > 0;)
    kill(f.list[i], SIGKILL);
  free(f.list);
  kill(pid, SIGKILL); /* without memory for a list */
}

/* ---- the end ---- */

const struct luaws_buf *luaws_child_output(const struct luaws_child *c) {
  return &c->text[OUTPUT];
}
const struct luaws_buf *luaws_child_errors(const struct luaws_child *c) {
  return &c->text[ERRORS];
}
int luaws_child_status(const struct luaws_child *c) {
  return c->status;
}

void luaws_child_free(struct luaws_child *c) {
  if (!c) return;
  if (c->pid) {
    kill_family(c->pid);
    reap(c, 0);
  }
  for (int i = 0; i < PIPES; i++) {
    close_watched(c, &c->pipes[i]);
    luaws_buf_wipe(&c->text[i]);
  }
  close_watched(c, &c->pidfd);
  if (c->loop) {
    if (!c->told || c->ready.next) c->loop->under_way--;
    luaws_ready_remove(&c->ready);
    luaws_timer_cancel(c->timer);
    luaws_actor_leave(c->loop, &c->actor);
  }
  free(c);
}
