/* A server for tests that says exactly what a test wants, byte for byte: each connection
   is given to a function in a thread of its own. */
#ifndef LUAWS_SPEC_TINY_SERVER_H
#define LUAWS_SPEC_TINY_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct tiny_server {
  int listener;
  int port;
  pthread_t thread;
  void (*serve)(struct tiny_server *s, int fd, int nth); /* closes nothing; fd is closed
                                                             for it when it returns */
  void *arg;
  atomic_int connections, open;
  pthread_mutex_t lock;
  struct tiny_connection *first; /* of those that are open */
  char seen[1 << 16];            /* the last request's head */
  size_t seen_len;
  char body[1 << 16]; /* its body's beginning */
  size_t body_len;    /* all of it */
};

struct tiny_connection {
  struct tiny_server *server;
  struct tiny_connection *next;
  int fd, nth;
};

static void *tiny_connection_main(void *arg) {
  struct tiny_connection *c = arg, **at = &c->server->first;
  struct tiny_server *s = c->server;
  s->serve(s, c->fd, c->nth);
  pthread_mutex_lock(&s->lock);
  while (*at != c)
    at = &(*at)->next;
  *at = c->next;
  close(c->fd);
  pthread_mutex_unlock(&s->lock);
  free(c);
  atomic_fetch_sub(&s->open, 1);
  return NULL;
}

static void *tiny_server_main(void *arg) {
  struct tiny_server *s = arg;
  for (;;) {
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) return NULL;
    struct timeval limit = {.tv_sec = 5};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    struct tiny_connection *c = malloc(sizeof *c);
    pthread_mutex_lock(&s->lock);
    *c = (struct tiny_connection){s, s->first, fd, atomic_fetch_add(&s->connections, 1)};
    s->first = c;
    pthread_mutex_unlock(&s->lock);
    atomic_fetch_add(&s->open, 1);
    pthread_t t;
    pthread_create(&t, NULL, tiny_connection_main, c);
    pthread_detach(t);
  }
}

static inline void tiny_server_start(struct tiny_server *s,
                                     void (*serve)(struct tiny_server *, int, int),
                                     void *arg) {
  memset(s, 0, sizeof *s);
  s->serve = serve;
  s->arg = arg;
  pthread_mutex_init(&s->lock, NULL);
  s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  if (bind(s->listener, (struct sockaddr *)&a, sizeof a) || listen(s->listener, 128) ||
      getsockname(s->listener, (struct sockaddr *)&a, &len)) {
    perror("tiny_server");
    abort();
  }
  s->port = ntohs(a.sin_port);
  pthread_create(&s->thread, NULL, tiny_server_main, s);
}

/* Ends what is still connected: the server is gone when this returns, and nobody writes
   to it any more. */
static inline void tiny_server_stop(struct tiny_server *s) {
  shutdown(s->listener, SHUT_RDWR);
  pthread_join(s->thread, NULL);
  close(s->listener);
  pthread_mutex_lock(&s->lock);
  for (struct tiny_connection *c = s->first; c; c = c->next)
    shutdown(c->fd, SHUT_RDWR);
  pthread_mutex_unlock(&s->lock);
  while (atomic_load(&s->open))
    usleep(1000);
}

static inline void tiny_send(int fd, const void *ptr, size_t len) {
  const char *p = ptr;
  while (len) {
    ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
    if (n <= 0) return;
    p += n;
    len -= (size_t)n;
  }
}

static inline void tiny_say(int fd, const char *text) {
  tiny_send(fd, text, strlen(text));
}

/* Reads a head into s->seen; false when the client hung up. */
static inline bool tiny_read_head(struct tiny_server *s, int fd) {
  char head[sizeof s->seen];
  size_t len = 0;
  while (len < sizeof head - 1) {
    if (recv(fd, head + len, 1, 0) <= 0) return false;
    len++;
    if (len >= 4 && memcmp(head + len - 4, "\r\n\r\n", 4) == 0) break;
  }
  head[len] = 0;
  pthread_mutex_lock(&s->lock);
  memcpy(s->seen, head, len + 1);
  s->seen_len = len;
  s->body_len = 0;
  pthread_mutex_unlock(&s->lock);
  return true;
}

static inline bool tiny_body_bytes(struct tiny_server *s, int fd, size_t left) {
  char block[1 << 16];
  while (left) {
    ssize_t n = recv(fd, block, left < sizeof block ? left : sizeof block, 0);
    if (n <= 0) return false;
    for (ssize_t i = 0; i < n && s->body_len + (size_t)i < sizeof s->body - 1; i++)
      s->body[s->body_len + (size_t)i] = block[i];
    s->body_len += (size_t)n;
    left -= (size_t)n;
  }
  return true;
}

/* The value of a header in s->seen, or NULL. The result is valid until the next call. */
static inline const char *tiny_header(struct tiny_server *s, const char *name) {
  static _Thread_local char value[4096];
  size_t n = strlen(name);
  for (char *line = strstr(s->seen, "\r\n"); line; line = strstr(line, "\r\n")) {
    line += 2;
    if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
      char *from = line + n + 1 + strspn(line + n + 1, " ");
      size_t len = strcspn(from, "\r");
      snprintf(value, sizeof value, "%.*s", (int)len, from);
      return value;
    }
  }
  return NULL;
}

/* Reads the body that the head announced, chunks undone. */
static inline bool tiny_read_body(struct tiny_server *s, int fd) {
  const char *length = tiny_header(s, "Content-Length");
  if (length) {
    if (!tiny_body_bytes(s, fd, strtoull(length, NULL, 10))) return false;
  } else if (tiny_header(s, "Transfer-Encoding")) {
    for (;;) {
      char line[64];
      size_t n = 0;
      do {
        if (recv(fd, line + n, 1, 0) <= 0) return false;
        n++;
      } while (n < sizeof line - 1 && line[n - 1] != '\n');
      line[n] = 0;
      size_t left = strtoull(line, NULL, 16);
      if (!tiny_body_bytes(s, fd, left)) return false;
      if (recv(fd, line, 2, MSG_WAITALL) != 2) return false;
      if (left == 0) break;
    }
  }
  if (s->body_len < sizeof s->body) s->body[s->body_len] = 0;
  return true;
}

static inline bool tiny_read(struct tiny_server *s, int fd) {
  return tiny_read_head(s, fd) && tiny_read_body(s, fd);
}

/* Closes so that the client gets a reset. */
static inline void tiny_reset(int fd) {
  struct linger l = {.l_onoff = 1};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
}

#endif
