#include "http/tunnel.h"

#include <sys/socket.h>
#include <unistd.h>

/* ---- libcurl's wishes while it connects ---- */

static void act_on(struct luaws_tunnel *t, curl_socket_t fd, int events) {
  int running, left;
  t->curl->multi_socket_action(t->multi, fd, events, &running);
  CURLMsg *m = t->curl->multi_info_read(t->multi, &left);
  if (!m || m->msg != CURLMSG_DONE) return;
  CURLcode code = m->data.result;
  curl_socket_t connected = CURL_SOCKET_BAD;
  if (code == CURLE_OK) {
    code = t->curl->easy_getinfo(t->easy, CURLINFO_ACTIVESOCKET, &connected);
    if (code == CURLE_OK && connected == CURL_SOCKET_BAD) code = CURLE_COULDNT_CONNECT;
  }
  if (code == CURLE_OK) t->fd = connected;
  t->on_connected(t->arg, code);
}

static void on_socket(void *owner, int fd, int events) {
  struct luaws_tunnel *t = owner;
  if (fd == t->fd)
    t->on_io(t->arg);
  else
    act_on(t, fd, events);
}

static void on_now(struct luaws_actor *a) {
  act_on(LUAWS_CONTAINER(a, struct luaws_tunnel, actor), CURL_SOCKET_TIMEOUT, 0);
}

static void on_alarm(struct luaws_alarm *a) {
  act_on(LUAWS_CONTAINER(a, struct luaws_tunnel, alarm), CURL_SOCKET_TIMEOUT, 0);
}

static void on_loop_gone(struct luaws_actor *a) {
  struct luaws_tunnel *t = LUAWS_CONTAINER(a, struct luaws_tunnel, actor);
  t->on_loop_gone(t->arg);
  luaws_tunnel_close(t);
}

static int set_timer(CURLM *multi, long timeout_ms, void *arg) {
  struct luaws_tunnel *t = arg;
  luaws_actor_now(t->loop, &t->actor, timeout_ms == 0);
  if (timeout_ms <= 0) {
    luaws_alarm_stop(t->loop, &t->alarm);
  } else if (!luaws_alarm_set(t->loop, &t->alarm, luaws_monotonic_ms() + timeout_ms)) {
    return -1;
  }
  return 0;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket) {
  struct luaws_tunnel *t = arg;
  int wanted = what == CURL_POLL_IN      ? LUAWS_WATCH_IN
               : what == CURL_POLL_OUT   ? LUAWS_WATCH_OUT
               : what == CURL_POLL_INOUT ? LUAWS_WATCH_IN | LUAWS_WATCH_OUT
                                         : 0;
  return luaws_loop_watch(t->loop, fd, wanted, false, on_socket, t) ? 0 : -1;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose,
                                 struct curl_sockaddr *address) {
  struct luaws_tunnel *t = arg;
  int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  if (luaws_loop_watch(t->loop, fd, 0, true, on_socket, t)) return fd;
  close(fd);
  return CURL_SOCKET_BAD;
}

static int close_socket(void *arg, curl_socket_t fd) {
  struct luaws_tunnel *t = arg;
  luaws_loop_unwatch(t->loop, fd);
  if (fd == t->fd) t->fd = -1;
  return close(fd);
}

/* ---- opening and closing ---- */

/* libcurl is told http://, whatever is spoken in the tunnel: it is to send nothing. */
static bool set_url(struct luaws_tunnel *t, bool https, struct luaws_str host) {
  struct luaws_buf url = {0};
  luaws_buf_append_cstr(&url, "http://");
  luaws_buf_append_str(&url, host);
  bool bare = host.len && host.ptr[host.len - 1] == ']';
  bool has_port = false;
  for (size_t i = host.len; !bare && i > 0 && host.ptr[i - 1] != ']'; i--)
    has_port |= host.ptr[i - 1] == ':';
  if (!has_port) luaws_buf_append_cstr(&url, https ? ":443" : ":80");
  bool ok =
      !url.failed && t->curl->easy_setopt(t->easy, CURLOPT_URL, url.ptr) == CURLE_OK;
  luaws_buf_clear(&url);
  return ok;
}

static void set_proxy(struct luaws_tunnel *t, const struct luaws_pool_options *o,
                      const struct luaws_proxy *proxy) {
  const struct luaws_curl *c = t->curl;
  CURL *easy = t->easy;
  c->easy_setopt(easy, CURLOPT_NOPROXY, "");
  c->easy_setopt(easy, CURLOPT_PROXY, proxy ? proxy->url.ptr : "");
  if (!proxy) return;
  c->easy_setopt(easy, CURLOPT_PROXYUSERNAME, proxy->username.ptr);
  c->easy_setopt(easy, CURLOPT_PROXYPASSWORD, proxy->password.ptr);
  c->easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
}

static void set_options(struct luaws_tunnel *t, struct luaws_pool *p) {
  const struct luaws_curl *c = t->curl;
  const struct luaws_pool_options *o = &p->options;
  CURL *easy = t->easy;
  luaws_pool_set_trust(p, easy);
  c->easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
  c->easy_setopt(easy, CURLOPT_ERRORBUFFER, t->message);
  c->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  c->easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  c->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
  c->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_timeout_ms);
  c->easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  if (o->tcp_keepalive) c->easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  c->easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  c->easy_setopt(easy, CURLOPT_OPENSOCKETDATA, t);
  c->easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
  c->easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, t);
  c->multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
  c->multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
  c->multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, set_timer);
  c->multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
}

int luaws_tunnel_open(struct luaws_tunnel *t, struct luaws_pool *p,
                      const struct luaws_proxy *proxy, bool https, struct luaws_str host,
                      struct luaws_error *err) {
  t->loop = p->loop;
  t->curl = p->curl;
  t->fd = -1;
  t->actor.act = on_now;
  t->actor.loop_gone = on_loop_gone;
  t->alarm.ring = on_alarm;
  luaws_actor_join(t->loop, &t->actor);
  t->multi = t->curl->multi_init();
  t->easy = t->curl->easy_init();
  bool ok = t->multi && t->easy;
  if (ok) {
    set_options(t, p);
    set_proxy(t, &p->options, proxy);
    ok = set_url(t, https, host) &&
         t->curl->multi_add_handle(t->multi, t->easy) == CURLM_OK;
  }
  if (ok) return 0;
  luaws_tunnel_close(t);
  return luaws_error_memory(err);
}

void luaws_tunnel_close(struct luaws_tunnel *t) {
  if (!t->loop) return;
  if (t->easy && t->multi) t->curl->multi_remove_handle(t->multi, t->easy);
  if (t->easy) t->curl->easy_cleanup(t->easy);
  if (t->multi) t->curl->multi_cleanup(t->multi);
  t->easy = NULL;
  t->multi = NULL;
  t->fd = -1;
  luaws_alarm_stop(t->loop, &t->alarm);
  luaws_actor_leave(t->loop, &t->actor);
  t->loop = NULL;
}

/* ---- bytes ---- */

void luaws_tunnel_watch(struct luaws_tunnel *t, int wanted) {
  if (t->fd < 0 || t->watched == wanted) return;
  t->watched = wanted;
  luaws_loop_watch(t->loop, t->fd, wanted, true, on_socket, t);
}

ptrdiff_t luaws_tunnel_send(struct luaws_tunnel *t, const char *bytes, size_t count) {
  size_t sent = 0;
  CURLcode code = t->curl->easy_send(t->easy, bytes, count, &sent);
  if (code == CURLE_AGAIN) return LUAWS_READ_AGAIN;
  return code == CURLE_OK ? (ptrdiff_t)sent : -1;
}

ptrdiff_t luaws_tunnel_recv(struct luaws_tunnel *t, char *dst, size_t max) {
  size_t got = 0;
  CURLcode code = t->curl->easy_recv(t->easy, dst, max, &got);
  if (code == CURLE_AGAIN) return LUAWS_READ_AGAIN;
  return code == CURLE_OK ? (ptrdiff_t)got : -1;
}
