/* A connection to a host, through a proxy where there is one, over which bytes go
   unchanged. libcurl makes it (names, addresses, proxies, the time it may take), in a
   multi handle of its own, so that nothing else happens to it. */
#ifndef LUAWS_HTTP_TUNNEL_H
#define LUAWS_HTTP_TUNNEL_H

#include "http/pool.h"

struct luaws_tunnel {
  struct luaws_loop *loop; /* NULL while closed */
  const struct luaws_curl *curl;
  CURLM *multi;
  CURL *easy;
  struct luaws_actor actor;
  struct luaws_alarm alarm;
  int fd;      /* -1 until it is connected */
  int watched; /* what on_io is to be told of: LUAWS_WATCH_… */
  char message[CURL_ERROR_SIZE];
  /* To be set before it is opened. All are called from a pass of the loop, and may close
     the tunnel. */
  void (*on_connected)(void *arg, CURLcode code);
  void (*on_io)(void *arg);
  void (*on_loop_gone)(void *arg);
  void *arg;
};

/* host: with a port, unless it is the scheme's own. 0 once it is under way. */
int luaws_tunnel_open(struct luaws_tunnel *t, struct luaws_pool *p,
                      const struct luaws_proxy *proxy, bool https, struct luaws_str host,
                      struct luaws_error *err);
void luaws_tunnel_close(struct luaws_tunnel *t); /* fine at any time, and twice */
/* LUAWS_WATCH_IN, LUAWS_WATCH_OUT. */
void luaws_tunnel_watch(struct luaws_tunnel *t, int wanted);
/* Bytes sent or received, LUAWS_READ_AGAIN when there can be none now, 0 at the end, -1
   when it is broken. */
ptrdiff_t luaws_tunnel_send(struct luaws_tunnel *t, const char *bytes, size_t count);
ptrdiff_t luaws_tunnel_recv(struct luaws_tunnel *t, char *dst, size_t max);

#endif
