/* epoll for sockets, a binary heap for moments, an eventfd for interruptions.

   The cheap case matters most: one request on a kept connection costs one epoll_wait and
   no epoll_ctl. So a descriptor is registered again only when that changes what epoll
   would report, one that nobody wants to hear of at the moment stays registered until it
   speaks up, and what is due at once (actors) runs before the wait without asking it. */
#include "http/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { MAX_EVENTS = 64, MAX_ROUNDS_UNASKED = 16 };

struct luaws_watch {
  luaws_watch_fn *fn;
  void *owner;
  uint8_t wanted; /* LUAWS_WATCH_IN, _OUT */
  uint8_t armed;  /* what epoll was told, while registered */
  bool registered, keep;
};

int64_t luaws_monotonic_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the ready list ---- */

static void list_append(struct luaws_ready *head, struct luaws_ready *r) {
  r->prev = head->prev;
  r->next = head;
  head->prev->next = r;
  head->prev = r;
}

void luaws_ready_add(struct luaws_loop *l, struct luaws_ready *r) {
  if (!r->next) list_append(&l->ready, r);
}

void luaws_ready_remove(struct luaws_ready *r) {
  if (!r->next) return;
  r->prev->next = r->next;
  r->next->prev = r->prev;
  r->next = r->prev = NULL;
}

/* Works off what was there at the beginning, up to a marker, so that callbacks which add
   more cannot keep the sockets waiting. What is run may remove others and may turn the
   loop itself; the inner turn then takes the rest, and this marker with it. */
static int run_ready(struct luaws_loop *l) {
  if (l->ready.next == &l->ready) return 0;
  int count = 0;
  struct luaws_ready marker = {0};
  list_append(&l->ready, &marker);
  while (marker.next) {
    struct luaws_ready *r = l->ready.next;
    luaws_ready_remove(r);
    if (!r->run) continue;
    r->run(r);
    count++;
  }
  return count;
}

/* ---- the heap ---- */

static void heap_put(struct luaws_loop *l, struct luaws_alarm *a, size_t place) {
  l->heap[place] = a;
  a->place = place;
}

static void heap_settle(struct luaws_loop *l, struct luaws_alarm *a, size_t place) {
  while (place > 1 && l->heap[place / 2]->due_ms > a->due_ms) {
    heap_put(l, l->heap[place / 2], place);
    place /= 2;
  }
  for (;;) {
    size_t child = place * 2;
    if (child > l->heap_count) break;
    if (child < l->heap_count && l->heap[child + 1]->due_ms < l->heap[child]->due_ms)
      child++;
    if (l->heap[child]->due_ms >= a->due_ms) break;
    heap_put(l, l->heap[child], place);
    place = child;
  }
  heap_put(l, a, place);
}

bool luaws_alarm_set(struct luaws_loop *l, struct luaws_alarm *a, int64_t due_ms) {
  if (!a->place) {
    if (l->heap_count + 1 >= l->heap_cap) {
      size_t cap = l->heap_cap ? l->heap_cap * 2 : 64;
      struct luaws_alarm **heap = realloc(l->heap, cap * sizeof *heap);
      if (!heap) return false;
      l->heap = heap;
      l->heap_cap = cap;
    }
    heap_put(l, a, ++l->heap_count);
  }
  a->due_ms = due_ms;
  heap_settle(l, a, a->place);
  return true;
}

void luaws_alarm_stop(struct luaws_loop *l, struct luaws_alarm *a) {
  if (!a->place) return;
  size_t place = a->place;
  struct luaws_alarm *last = l->heap[l->heap_count--];
  a->place = 0;
  if (last != a) heap_settle(l, last, place);
}

static void ring_alarms(struct luaws_loop *l) {
  while (l->heap_count && l->heap[1]->due_ms <= l->now_ms) {
    struct luaws_alarm *a = l->heap[1];
    luaws_alarm_stop(l, a);
    a->ring(a);
  }
}

/* ---- timers ---- */

struct luaws_timer {
  struct luaws_loop *loop;
  struct luaws_alarm alarm;
  struct luaws_ready ready;
  void (*fn)(void *);
  void *arg;
};

static void timer_ring(struct luaws_alarm *a) {
  struct luaws_timer *t = LUAWS_CONTAINER(a, struct luaws_timer, alarm);
  luaws_ready_add(t->loop, &t->ready);
}

static void timer_run(struct luaws_ready *r) {
  struct luaws_timer *t = LUAWS_CONTAINER(r, struct luaws_timer, ready);
  void (*fn)(void *) = t->fn;
  void *arg = t->arg;
  luaws_timer_cancel(t);
  fn(arg);
}

struct luaws_timer *luaws_timer_start(struct luaws_loop *l, int64_t delay_ms,
                                      void (*fn)(void *), void *arg) {
  struct luaws_timer *t = calloc(1, sizeof *t);
  if (!t) return NULL;
  *t = (struct luaws_timer){
      .loop = l, .alarm.ring = timer_ring, .ready.run = timer_run, .fn = fn, .arg = arg};
  if (delay_ms < 0) delay_ms = 0;
  int64_t now = luaws_monotonic_ms();
  int64_t due = delay_ms > INT64_MAX - now ? INT64_MAX : now + delay_ms;
  if (!luaws_alarm_set(l, &t->alarm, due)) {
    free(t);
    return NULL;
  }
  l->under_way++;
  return t;
}

void luaws_timer_cancel(struct luaws_timer *t) {
  if (!t) return;
  t->loop->under_way--;
  luaws_alarm_stop(t->loop, &t->alarm);
  luaws_ready_remove(&t->ready);
  free(t);
}

/* ---- descriptors ---- */

static void epoll_tell(struct luaws_loop *l, int fd, struct luaws_watch *w) {
  struct epoll_event e = {.data.fd = fd};
  if (w->wanted & LUAWS_WATCH_IN) e.events |= EPOLLIN;
  if (w->wanted & LUAWS_WATCH_OUT) e.events |= EPOLLOUT;
  int op = w->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  int rc = epoll_ctl(l->epoll_fd, op, fd, &e);
  /* A number that was closed and opened again behind our back. */
  if (rc < 0 && errno == ENOENT) rc = epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &e);
  if (rc < 0 && errno == EEXIST) rc = epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, fd, &e);
  w->registered = rc == 0;
  w->armed = w->wanted;
}

static void epoll_forget(struct luaws_loop *l, int fd, struct luaws_watch *w) {
  if (w->registered) epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
  w->registered = false;
}

bool luaws_loop_watch(struct luaws_loop *l, int fd, int wanted, bool keep,
                      luaws_watch_fn *fn, void *owner) {
  if ((size_t)fd >= l->watch_cap) {
    size_t cap = l->watch_cap ? l->watch_cap : 64;
    while (cap <= (size_t)fd)
      cap *= 2;
    struct luaws_watch *watches = realloc(l->watches, cap * sizeof *watches);
    if (!watches) return false;
    memset(watches + l->watch_cap, 0, (cap - l->watch_cap) * sizeof *watches);
    l->watches = watches;
    l->watch_cap = cap;
  }
  struct luaws_watch *w = &l->watches[fd];
  w->fn = fn;
  w->owner = owner;
  w->wanted = (uint8_t)wanted;
  w->keep |= keep;
  if (wanted) {
    if (!w->registered || w->armed != wanted) epoll_tell(l, fd, w);
  } else if (!w->keep || (w->registered && (w->armed & LUAWS_WATCH_OUT))) {
    /* Always ready for output: that one would not stay quiet. */
    epoll_forget(l, fd, w);
  }
  return true;
}

bool luaws_loop_watches(const struct luaws_loop *l, int fd) {
  return (size_t)fd < l->watch_cap && l->watches[fd].registered;
}

void luaws_loop_unwatch(struct luaws_loop *l, int fd) {
  if ((size_t)fd >= l->watch_cap) return;
  epoll_forget(l, fd, &l->watches[fd]);
  l->watches[fd] = (struct luaws_watch){0};
}

static void drain_wake(struct luaws_loop *l) {
  uint64_t count;
  while (read(l->wake_fd, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

static void on_event(struct luaws_loop *l, const struct epoll_event *e) {
  int fd = e->data.fd;
  if (fd == l->wake_fd) {
    drain_wake(l); /* the flag tells */
    return;
  }
  struct luaws_watch *w = &l->watches[fd];
  if (!w->wanted) {
    epoll_forget(l, fd, w); /* an idle connection that the server closed */
    return;
  }
  int events = 0;
  if (e->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) events |= LUAWS_WATCH_IN;
  if (e->events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) events |= LUAWS_WATCH_OUT;
  if (e->events & EPOLLERR) events |= LUAWS_WATCH_ERROR;
  events &= w->wanted | LUAWS_WATCH_ERROR;
  w->fn(w->owner, fd, events);
}

/* ---- actors ---- */

void luaws_actor_join(struct luaws_loop *l, struct luaws_actor *a) {
  a->prev = l->actors.prev;
  a->next = &l->actors;
  l->actors.prev->next = a;
  l->actors.prev = a;
}

void luaws_actor_leave(struct luaws_loop *l, struct luaws_actor *a) {
  luaws_actor_now(l, a, false);
  a->prev->next = a->next;
  a->next->prev = a->prev;
}

void luaws_actor_now(struct luaws_loop *l, struct luaws_actor *a, bool now) {
  if (a->now == now) return;
  a->now = now;
  if (now) {
    l->actors_now++;
  } else {
    l->actors_now--;
  }
}

static void run_actors(struct luaws_loop *l) {
  if (!l->actors_now) return;
  for (struct luaws_actor *a = l->actors.next; a != &l->actors; a = a->next) {
    if (!a->now) continue;
    luaws_actor_now(l, a, false);
    a->act(a);
  }
}

/* ---- the loop ---- */

int luaws_loop_new(struct luaws_loop **out, struct luaws_error *err) {
  struct luaws_loop *l = calloc(1, sizeof *l);
  if (!l) return luaws_error_memory(err);
  l->ready.next = l->ready.prev = &l->ready;
  l->actors.next = l->actors.prev = &l->actors;
  l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct epoll_event e = {.events = EPOLLIN, .data.fd = l->wake_fd};
  if (l->epoll_fd < 0 || l->wake_fd < 0 ||
      epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->wake_fd, &e) < 0) {
    int rc = luaws_error_set(err, LUAWS_E_IO, "IOError", "making an event loop: %s",
                             strerror(errno));
    luaws_loop_free(l);
    return rc;
  }
  *out = l;
  return 0;
}

void luaws_loop_free(struct luaws_loop *l) {
  if (!l) return;
  while (l->actors.next != &l->actors)
    l->actors.next->loop_gone(l->actors.next);
  for (size_t i = l->heap_count; i > 0; i--) {
    if (l->heap[i]->ring == timer_ring)
      free(LUAWS_CONTAINER(l->heap[i], struct luaws_timer, alarm));
  }
  while (l->ready.next != &l->ready) {
    struct luaws_ready *r = l->ready.next;
    luaws_ready_remove(r);
    if (r->run == timer_run) free(LUAWS_CONTAINER(r, struct luaws_timer, ready));
  }
  free(l->heap);
  free(l->watches);
  if (l->epoll_fd >= 0) close(l->epoll_fd);
  if (l->wake_fd >= 0) close(l->wake_fd);
  free(l);
}

static bool take_interruption(struct luaws_loop *l) {
  if (!atomic_load_explicit(&l->interrupted, memory_order_relaxed)) return false;
  drain_wake(l);
  atomic_store(&l->interrupted, false);
  return true;
}

void luaws_loop_interrupt(struct luaws_loop *l) {
  int saved = errno; /* may be a signal handler */
  uint64_t one = 1;
  atomic_store(&l->interrupted, true);
  while (write(l->wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
  }
  errno = saved;
}

bool luaws_loop_busy(const struct luaws_loop *l) {
  return l->under_way > 0 || l->ready.next != &l->ready;
}

int luaws_loop_fd(const struct luaws_loop *l) {
  return l->epoll_fd;
}

static int time_left(const struct luaws_loop *l, int64_t now_ms) {
  if (l->ready.next != &l->ready || l->actors_now) return 0;
  if (!l->heap_count) return -1;
  int64_t left = l->heap[1]->due_ms - now_ms;
  return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

int luaws_loop_timeout_ms(const struct luaws_loop *l) {
  return time_left(l, luaws_monotonic_ms());
}

/* Waits at most timeout_ms and lets what is due act; no callbacks of owners. */
static int pass(struct luaws_loop *l, int timeout_ms, struct luaws_error *err) {
  l->now_ms = luaws_monotonic_ms();
  run_actors(l);
  int wait = time_left(l, l->now_ms);
  if (timeout_ms >= 0 && (wait < 0 || wait > timeout_ms)) wait = timeout_ms;
  /* What is ready already need not ask epoll, for some rounds. */
  bool ready = l->ready.next != &l->ready;
  l->rounds_unasked = ready ? l->rounds_unasked + 1 : 0;
  if (ready && l->rounds_unasked % MAX_ROUNDS_UNASKED != 0) return 0;
  struct epoll_event events[MAX_EVENTS];
  int n = epoll_wait(l->epoll_fd, events, MAX_EVENTS, wait);
  if (n < 0 && errno != EINTR)
    return luaws_error_set(err, LUAWS_E_IO, "IOError", "waiting for events: %s",
                           strerror(errno));
  if (wait != 0) l->now_ms = luaws_monotonic_ms();
  for (int i = 0; i < n; i++)
    on_event(l, &events[i]);
  /* After the sockets: bytes that came while nobody turned the loop are no silence. */
  ring_alarms(l);
  return 0;
}

int luaws_loop_turn(struct luaws_loop *l, int timeout_ms, struct luaws_error *err) {
  int64_t until = timeout_ms > 0 ? luaws_monotonic_ms() + timeout_ms : 0;
  for (;;) {
    if (take_interruption(l))
      return luaws_error_set(err, LUAWS_E_CANCELLED, "Cancelled", "interrupted");
    if (timeout_ms < 0 && !luaws_loop_busy(l)) return 0;
    int rc = pass(l, timeout_ms, err);
    if (rc) return rc;
    int count = run_ready(l);
    if (count) return count;
    if (timeout_ms == 0) return 0;
    if (timeout_ms > 0) {
      int64_t left = until - luaws_monotonic_ms();
      if (left <= 0) return 0;
      timeout_ms = (int)left;
    }
  }
}
