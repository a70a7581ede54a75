/* Waiting for a descriptor that is not ours: a pipe, a terminal. It is watched under a
   number of its own (dup), so that its owner may close it, and several may wait for it.
 */
#include "http/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct luaws_when_ready {
  struct luaws_loop *loop;
  int fd; /* -1 once it is ready */
  struct luaws_ready ready;
  void (*fn)(void *);
  void *arg;
};

static void forget(struct luaws_when_ready *w) {
  if (w->fd < 0) return;
  luaws_loop_unwatch(w->loop, w->fd);
  close(w->fd);
  w->fd = -1;
}

static void on_event(void *owner, int fd, int events) {
  struct luaws_when_ready *w = owner;
  forget(w);
  luaws_ready_add(w->loop, &w->ready);
}

static void run(struct luaws_ready *r) {
  struct luaws_when_ready *w = LUAWS_CONTAINER(r, struct luaws_when_ready, ready);
  void (*fn)(void *) = w->fn;
  void *arg = w->arg;
  luaws_when_ready_cancel(w);
  fn(arg);
}

struct luaws_when_ready *luaws_when_ready(struct luaws_loop *l, int fd, bool to_write,
                                          void (*fn)(void *), void *arg,
                                          struct luaws_error *err) {
  struct luaws_when_ready *w = calloc(1, sizeof *w);
  if (!w) {
    luaws_error_memory(err);
    return NULL;
  }
  *w = (struct luaws_when_ready){.loop = l, .ready.run = run, .fn = fn, .arg = arg};
  w->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (w->fd < 0) {
    luaws_error_set(err, LUAWS_E_IO, "IOError", "waiting for a file: %s",
                    strerror(errno));
    free(w);
    return NULL;
  }
  int wanted = to_write ? LUAWS_WATCH_OUT : LUAWS_WATCH_IN;
  l->under_way++;
  /* What epoll refuses, a regular file, never has to be waited for. */
  if (!luaws_loop_watch(l, w->fd, wanted, false, on_event, w) ||
      !luaws_loop_watches(l, w->fd)) {
    forget(w);
    luaws_ready_add(l, &w->ready);
  }
  return w;
}

void luaws_when_ready_cancel(struct luaws_when_ready *w) {
  if (!w) return;
  w->loop->under_way--;
  forget(w);
  luaws_ready_remove(&w->ready);
  free(w);
}
