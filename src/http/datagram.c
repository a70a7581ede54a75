#include "http/datagram.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* How many are kept while the host is looked up. */
enum { MAX_KEPT = 64 };

enum lookup_state { LOOKING, KNOWN, UNKNOWN };

/* Shared with the thread that looks the name up: the last of the two frees it. */
struct lookup {
  atomic_int references;
  atomic_int state;
  struct sockaddr_storage address;
  socklen_t address_len;
  char port[8];
  char host[]; /* closed by a zero byte */
};

struct luaws_datagrams {
  struct lookup *lookup;
  int fd; /* -1 until there is something to send */
  struct luaws_str kept[MAX_KEPT];
  int kept_count;
};

static void release(struct lookup *l) {
  if (atomic_fetch_sub(&l->references, 1) == 1) free(l);
}

/* flags: AI_NUMERICHOST for one that needs no asking. */
static bool look_up(struct lookup *l, int family, int flags) {
  struct addrinfo hints = {.ai_family = family,
                           .ai_socktype = SOCK_DGRAM,
                           .ai_flags = flags},
                  *found = NULL;
  if (getaddrinfo(l->host, l->port, &hints, &found) || !found) return false;
  memcpy(&l->address, found->ai_addr, found->ai_addrlen);
  l->address_len = found->ai_addrlen;
  freeaddrinfo(found);
  atomic_store(&l->state, KNOWN);
  return true;
}

static void *look_up_aside(void *arg) {
  struct lookup *l = arg;
  if (!look_up(l, AF_INET, 0) && !look_up(l, AF_INET6, 0)) {
    atomic_store(&l->state, UNKNOWN);
  }
  release(l);
  return NULL;
}

static void start_thread(struct lookup *l) {
  sigset_t all, before;
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  sigfillset(&all); /* the program's signals are its own threads' business */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  atomic_fetch_add(&l->references, 1);
  if (pthread_create(&thread, &attributes, look_up_aside, l)) {
    atomic_store(&l->state, UNKNOWN);
    release(l);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
}

struct luaws_datagrams *luaws_datagrams_new(struct luaws_str host, uint16_t port) {
  struct luaws_datagrams *d = calloc(1, sizeof *d);
  if (luaws_str_is(host, "localhost")) host = LUAWS_STR("127.0.0.1");
  struct lookup *l = d ? calloc(1, sizeof *l + host.len + 1) : NULL;
  if (!l) {
    free(d);
    return NULL;
  }
  if (host.len) memcpy(l->host, host.ptr, host.len);
  snprintf(l->port, sizeof l->port, "%u", (unsigned)port);
  atomic_init(&l->references, 1);
  atomic_init(&l->state, LOOKING);
  d->lookup = l;
  d->fd = -1;
  if (!look_up(l, AF_UNSPEC, AI_NUMERICHOST)) start_thread(l);
  return d;
}

static void send_now(struct luaws_datagrams *d, struct luaws_str bytes) {
  const struct lookup *l = d->lookup;
  if (d->fd < 0) {
    d->fd = socket(l->address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  }
  if (d->fd < 0) return;
  /* Not connected: then nobody listening there is no error of the next one. */
  sendto(d->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL, (const struct sockaddr *)&l->address,
         l->address_len);
}

static void keep(struct luaws_datagrams *d, struct luaws_str bytes) {
  char *copy = d->kept_count < MAX_KEPT ? malloc(bytes.len + 1) : NULL;
  if (!copy) return;
  memcpy(copy, bytes.ptr, bytes.len);
  d->kept[d->kept_count++] = (struct luaws_str){copy, bytes.len};
}

/* Sends what was kept, or forgets it where there is no such host. */
static void settle(struct luaws_datagrams *d, int state) {
  for (int i = 0; i < d->kept_count; i++) {
    if (state == KNOWN) send_now(d, d->kept[i]);
    luaws_wipe((char *)d->kept[i].ptr, d->kept[i].len);
    free((char *)d->kept[i].ptr);
  }
  d->kept_count = 0;
}

void luaws_datagrams_send(struct luaws_datagrams *d, struct luaws_str bytes) {
  int state = atomic_load(&d->lookup->state);
  if (state == LOOKING) {
    keep(d, bytes);
    return;
  }
  settle(d, state);
  if (state == KNOWN) send_now(d, bytes);
}

void luaws_datagrams_free(struct luaws_datagrams *d) {
  if (!d) return;
  settle(d, atomic_load(&d->lookup->state));
  if (d->fd >= 0) close(d->fd);
  release(d->lookup);
  free(d);
}
