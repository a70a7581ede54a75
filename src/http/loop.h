/* The inside of the loop, for the rest of this folder: what waits on it and how. A pass
   of the loop first lets libcurl act on sockets and alarms, collecting in the ready list
   what owners must hear; only then, outside libcurl, the list is worked off. */
#ifndef LUAWS_HTTP_LOOP_H
#define LUAWS_HTTP_LOOP_H

#include "http/http.h"

#include <stdatomic.h>
#include <stdint.h>

#define LUAWS_CONTAINER(ptr, type, member) \
  ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Something that waits for its turn outside libcurl. Embedded in what it belongs to. */
struct luaws_ready {
  struct luaws_ready *prev, *next; /* NULL while not in a list */
  void (*run)(struct luaws_ready *r);
};
/* Adds r at the end unless it waits already. */
void luaws_ready_add(struct luaws_loop *l, struct luaws_ready *r);
void luaws_ready_remove(struct luaws_ready *r);

/* A moment that the loop waits for. Embedded; start from {.ring = …}. */
struct luaws_alarm {
  int64_t due_ms;
  size_t place; /* in the heap, from 1; 0 = not set */
  void (*ring)(struct luaws_alarm *a);
};
/* Sets or moves a; false without memory. */
bool luaws_alarm_set(struct luaws_loop *l, struct luaws_alarm *a, int64_t due_ms);
void luaws_alarm_stop(struct luaws_loop *l, struct luaws_alarm *a);

enum { LUAWS_WATCH_IN = 1, LUAWS_WATCH_OUT = 2, LUAWS_WATCH_ERROR = 4 };
typedef void luaws_watch_fn(void *owner, int fd, int events);
/* What owner wants to hear of fd from now on. `keep` says that the end of fd will be told
   (luaws_loop_unwatch before it is closed): such a descriptor stays registered when
   nothing is wanted, because the next request on a connection wants the same again. False
   without memory. */
bool luaws_loop_watch(struct luaws_loop *l, int fd, int wanted, bool keep,
                      luaws_watch_fn *fn, void *owner);
/* Whether it is in fact watched: regular files cannot be. */
bool luaws_loop_watches(const struct luaws_loop *l, int fd);
void luaws_loop_unwatch(struct luaws_loop *l, int fd);

/* A pool, as the loop sees it. `now` says that act is due before the next wait. */
struct luaws_actor {
  struct luaws_actor *prev, *next;
  bool now;
  void (*act)(struct luaws_actor *a);
  void (*loop_gone)(struct luaws_actor *a);
};

struct luaws_loop {
  int epoll_fd;
  int wake_fd;
  atomic_bool interrupted;
  struct luaws_ready ready;  /* list head */
  struct luaws_actor actors; /* list head */
  size_t actors_now;         /* how many have `now` set */
  struct luaws_alarm **heap; /* heap[0] unused */
  size_t heap_count, heap_cap;
  struct luaws_watch *watches; /* by descriptor */
  size_t watch_cap;
  size_t under_way; /* exchanges and timers */
  int64_t now_ms;   /* the clock, as read by the pass that runs */
  unsigned rounds_unasked;
};

void luaws_actor_join(struct luaws_loop *l, struct luaws_actor *a);
void luaws_actor_leave(struct luaws_loop *l, struct luaws_actor *a);
void luaws_actor_now(struct luaws_loop *l, struct luaws_actor *a, bool now);

#endif
