/* One multi handle driven by the loop, made at the first exchange; and the easy handles
   that its exchanges take turns with. */
#include "http/pool.h"

#include "http/duplex.h"

#include <assert.h>
#include <dirent.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_TIMEOUT_MS = 60000, DEFAULT_CONNECTIONS = 64, CONTINUE_WAIT_MS = 1000 };
enum { GATHER_BUFFER_BYTES = 16 * 1024, STREAM_BUFFER_BYTES = 64 * 1024 };

static const char SYSTEM_CA_FOLDER[] = "/etc/ssl/certs";

/* ---- libcurl's wishes ---- */

static void collect(struct luaws_pool *p) {
  int left;
  CURLMsg *m;
  while ((m = p->curl->multi_info_read(p->multi, &left))) {
    if (m->msg != CURLMSG_DONE) continue;
    CURLcode code = m->data.result;
    struct luaws_slot *slot = NULL;
    p->curl->easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
    struct luaws_exchange *x = slot->exchange;
    /* It would repeat a request whose Expect was refused (417); MAXREDIRS keeps it from
       that. The answer counts, though its body is gone. */
    if (code == CURLE_TOO_MANY_REDIRECTS && x->head_done) code = CURLE_OK;
    /* An end among the headers is a success to libcurl. */
    if (code == CURLE_OK && !x->head_done) code = CURLE_GOT_NOTHING;
    if (code != CURLE_OK) luaws_exchange_failed(x, code);
    luaws_exchange_finish(x);
  }
}

static void fail(struct luaws_pool *p, struct luaws_exchange *x, CURLMcode code) {
  if (!x->err.code) {
    luaws_error_set(&x->err, code == CURLM_OUT_OF_MEMORY ? LUAWS_E_MEMORY : LUAWS_E_HTTP,
                    code == CURLM_OUT_OF_MEMORY ? "MemoryError" : "HTTPClientError", "%s",
                    p->curl->multi_strerror(code));
  }
  luaws_exchange_finish(x);
}

static void act_on(struct luaws_pool *p, curl_socket_t fd, int events) {
  int running;
  CURLMcode code = p->curl->multi_socket_action(p->multi, fd, events, &running);
  collect(p);
  if (code == CURLM_OK) return;
  /* It had no memory to say what it waits for, and it does not tell for whom: they would
     wait for ever. */
  for (struct luaws_exchange *x = p->exchanges; x; x = x->next) {
    if (x->slot && !x->finished) fail(p, x, code);
  }
}

static void on_ready(void *owner, int fd, int events) {
  _Static_assert((int)LUAWS_WATCH_IN == CURL_CSELECT_IN &&
                     (int)LUAWS_WATCH_OUT == CURL_CSELECT_OUT &&
                     (int)LUAWS_WATCH_ERROR == CURL_CSELECT_ERR,
                 "the loop's words are libcurl's");
  act_on(owner, fd, events);
}

static void on_now(struct luaws_actor *a) {
  act_on(LUAWS_CONTAINER(a, struct luaws_pool, actor), CURL_SOCKET_TIMEOUT, 0);
}

static void on_alarm(struct luaws_alarm *a) {
  act_on(LUAWS_CONTAINER(a, struct luaws_pool, alarm), CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long timeout_ms, void *arg) {
  struct luaws_pool *p = arg;
  luaws_actor_now(p->loop, &p->actor, timeout_ms == 0);
  if (timeout_ms <= 0) {
    luaws_alarm_stop(p->loop, &p->alarm);
  } else if (!luaws_alarm_set(p->loop, &p->alarm, luaws_monotonic_ms() + timeout_ms)) {
    return -1;
  }
  return 0;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket) {
  struct luaws_pool *p = arg;
  int wanted = what == CURL_POLL_IN      ? LUAWS_WATCH_IN
               : what == CURL_POLL_OUT   ? LUAWS_WATCH_OUT
               : what == CURL_POLL_INOUT ? LUAWS_WATCH_IN | LUAWS_WATCH_OUT
                                         : 0;
  /* The sockets that we opened we also hear the end of (close_socket); of others that
     libcurl watches (its resolver's) a removal is the last that is told. */
  return luaws_loop_watch(p->loop, fd, wanted, false, on_ready, p) ? 0 : -1;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose,
                                 struct curl_sockaddr *address) {
  struct luaws_pool *p = arg;
  int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  if (!luaws_loop_watch(p->loop, fd, 0, true, on_ready, p)) {
    close(fd);
    return CURL_SOCKET_BAD;
  }
  return fd;
}

static int close_socket(void *arg, curl_socket_t fd) {
  struct luaws_pool *p = arg;
  luaws_loop_unwatch(p->loop, fd);
  return close(fd);
}

/* ---- settings of every easy handle ---- */

/* Reading the system's bundle into memory costs 26 ms for every connection; a folder
   with hash links is looked into when a certificate asks for its issuer. */
static bool has_hash_links(const char *folder) {
  DIR *d = opendir(folder);
  if (!d) return false;
  bool found = false;
  for (struct dirent *e; !found && (e = readdir(d));) {
    found = strlen(e->d_name) >= 10 && strspn(e->d_name, "0123456789abcdef") == 8 &&
            e->d_name[8] == '.' && e->d_name[9] >= '0' && e->d_name[9] <= '9';
  }
  closedir(d);
  return found;
}

void luaws_pool_set_trust(const struct luaws_pool *p, CURL *easy) {
  const struct luaws_curl *c = p->curl;
  const struct luaws_pool_options *o = &p->options;
  c->easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, o->verify ? 1L : 0L);
  c->easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, o->verify ? 2L : 0L);
  c->easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYPEER,
                 o->verify || o->proxy_ca_bundle ? 1L : 0L);
  c->easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYHOST,
                 o->verify || o->proxy_ca_bundle ? 2L : 0L);
  if (!o->verify || o->ca_bundle) {
    const char *file = o->verify && !p->ca_folder ? o->ca_bundle : NULL;
    const char *folder = o->verify && p->ca_folder ? o->ca_bundle : NULL;
    c->easy_setopt(easy, CURLOPT_CAINFO, file);
    c->easy_setopt(easy, CURLOPT_CAPATH, folder);
    c->easy_setopt(easy, CURLOPT_PROXY_CAINFO, file);
    c->easy_setopt(easy, CURLOPT_PROXY_CAPATH, folder);
  }
  if (o->proxy_ca_bundle) {
    c->easy_setopt(easy, CURLOPT_PROXY_CAINFO, o->proxy_ca_bundle);
    c->easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
  }
  if (o->client_cert) c->easy_setopt(easy, CURLOPT_SSLCERT, o->client_cert);
  if (o->client_key) c->easy_setopt(easy, CURLOPT_SSLKEY, o->client_key);
  if (o->proxy_client_cert)
    c->easy_setopt(easy, CURLOPT_PROXY_SSLCERT, o->proxy_client_cert);
  if (o->proxy_client_key)
    c->easy_setopt(easy, CURLOPT_PROXY_SSLKEY, o->proxy_client_key);
}

static struct luaws_slot *new_slot(struct luaws_pool *p) {
  const struct luaws_curl *c = p->curl;
  struct luaws_slot *slot = calloc(1, sizeof *slot);
  CURL *easy = slot ? c->easy_init() : NULL;
  if (!easy) {
    free(slot);
    return NULL;
  }
  slot->easy = easy;
  c->easy_setopt(easy, CURLOPT_PRIVATE, slot);
  c->easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->message);
  c->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  c->easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* never wait for the resolver's thread */
  c->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  c->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  c->easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  c->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  c->easy_setopt(easy, CURLOPT_MAXREDIRS, 0L);
  c->easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
  c->easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  c->easy_setopt(easy, CURLOPT_EXPECT_100_TIMEOUT_MS, (long)CONTINUE_WAIT_MS);
  c->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)p->options.connect_timeout_ms);
  c->easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  if (p->options.tcp_keepalive) c->easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  c->easy_setopt(easy, CURLOPT_PROXY, ""); /* never libcurl's own reading of variables */
  c->easy_setopt(easy, CURLOPT_NOPROXY, "");
  c->easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  c->easy_setopt(easy, CURLOPT_OPENSOCKETDATA, p);
  c->easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
  c->easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, p);
  c->easy_setopt(easy, CURLOPT_PREREQFUNCTION, luaws_exchange_on_request);
  c->easy_setopt(easy, CURLOPT_PREREQDATA, slot);
  c->easy_setopt(easy, CURLOPT_HEADERFUNCTION, luaws_exchange_on_header);
  c->easy_setopt(easy, CURLOPT_HEADERDATA, slot);
  c->easy_setopt(easy, CURLOPT_WRITEFUNCTION, luaws_exchange_on_body);
  c->easy_setopt(easy, CURLOPT_WRITEDATA, slot);
  c->easy_setopt(easy, CURLOPT_READFUNCTION, luaws_exchange_on_read);
  c->easy_setopt(easy, CURLOPT_READDATA, slot);
  c->easy_setopt(easy, CURLOPT_SEEKFUNCTION, luaws_exchange_on_seek);
  c->easy_setopt(easy, CURLOPT_SEEKDATA, slot);
  c->easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)GATHER_BUFFER_BYTES);
  luaws_pool_set_trust(p, easy);
  return slot;
}

static void free_slot(struct luaws_pool *p, struct luaws_slot *slot) {
  p->curl->easy_cleanup(slot->easy);
  free(slot);
}

/* ---- what one exchange changes ---- */

static void set_send_mode(const struct luaws_curl *c, struct luaws_slot *slot,
                          enum luaws_send_mode mode) {
  if (slot->mode == mode) return;
  CURL *easy = slot->easy;
  c->easy_setopt(easy, CURLOPT_HTTPGET, 1L); /* undoes the others */
  if (mode == LUAWS_SEND_HEAD) c->easy_setopt(easy, CURLOPT_NOBODY, 1L);
  if (mode == LUAWS_SEND_MEMORY) c->easy_setopt(easy, CURLOPT_POST, 1L);
  if (mode == LUAWS_SEND_READ) c->easy_setopt(easy, CURLOPT_UPLOAD, 1L);
  slot->mode = mode;
}

static void set_proxy(const struct luaws_curl *c, struct luaws_slot *slot,
                      const struct luaws_proxy *proxy) {
  if (slot->proxy == proxy) return;
  c->easy_setopt(slot->easy, CURLOPT_PROXY, proxy ? proxy->url.ptr : "");
  c->easy_setopt(slot->easy, CURLOPT_PROXYUSERNAME, proxy ? proxy->username.ptr : NULL);
  c->easy_setopt(slot->easy, CURLOPT_PROXYPASSWORD, proxy ? proxy->password.ptr : NULL);
  slot->proxy = proxy;
}

void luaws_slot_forbid_reuse(const struct luaws_pool *p, struct luaws_slot *slot,
                             bool forbid) {
  if (slot->lone == forbid) return;
  slot->lone = forbid;
  p->curl->easy_setopt(slot->easy, CURLOPT_FORBID_REUSE, forbid ? 1L : 0L);
}

bool luaws_exchange_prepare(struct luaws_exchange *x, struct luaws_slot *slot) {
  const struct luaws_curl *c = x->pool->curl;
  CURL *easy = slot->easy;
  slot->message[0] = 0;
  if (c->easy_setopt(easy, CURLOPT_URL, x->url) != CURLE_OK) return false;
  set_send_mode(c, slot, x->mode);
  if (x->mode == LUAWS_SEND_MEMORY) {
    const struct luaws_str bytes = x->request->body.bytes;
    c->easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->body_length);
    c->easy_setopt(easy, CURLOPT_POSTFIELDS, x->body_length ? bytes.ptr : "");
  } else if (x->mode == LUAWS_SEND_READ) {
    c->easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)x->body_length);
  }
  if (x->method || slot->has_method) {
    if (c->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, x->method) != CURLE_OK) return false;
    slot->has_method = x->method;
  }
  if (x->target || slot->has_target) {
    c->easy_setopt(easy, CURLOPT_REQUEST_TARGET, x->target);
    slot->has_target = x->target;
  }
  set_proxy(c, slot, x->proxy);
  luaws_slot_forbid_reuse(x->pool, slot, false);
  if (slot->speed != x->request->body.max_bytes_per_s) {
    slot->speed = x->request->body.max_bytes_per_s;
    c->easy_setopt(easy, CURLOPT_MAX_SEND_SPEED_LARGE, (curl_off_t)slot->speed);
  }
  if (slot->streams != x->options.stream) {
    slot->streams = x->options.stream;
    c->easy_setopt(easy, CURLOPT_BUFFERSIZE,
                   (long)(slot->streams ? STREAM_BUFFER_BYTES : GATHER_BUFFER_BYTES));
  }
  c->easy_setopt(easy, CURLOPT_HTTPHEADER, x->headers);
  return true;
}

/* ---- turns ---- */

static void begin(struct luaws_pool *p, struct luaws_exchange *x) {
  struct luaws_slot *slot = p->free_slots;
  if (slot) {
    p->free_slots = slot->next;
  } else if (!(slot = new_slot(p))) {
    luaws_error_memory(&x->err);
    luaws_exchange_finish(x);
    return;
  }
  slot->exchange = x;
  x->slot = slot;
  p->running++;
  CURLMcode code = CURLM_OUT_OF_MEMORY;
  if (luaws_exchange_prepare(x, slot))
    code = p->curl->multi_add_handle(p->multi, slot->easy);
  if (code != CURLM_OK) fail(p, x, code);
}

static void let_next_begin(struct luaws_pool *p) {
  while (p->waiting && !p->closing && p->running < p->options.max_connections) {
    struct luaws_exchange *x = p->waiting;
    p->waiting = x->next_waiting;
    x->waits = false;
    begin(p, x);
  }
}

void luaws_pool_enqueue(struct luaws_pool *p, struct luaws_exchange *x) {
  x->waits = true;
  x->next_waiting = NULL;
  if (p->waiting) {
    p->waiting_last->next_waiting = x;
  } else {
    p->waiting = x;
  }
  p->waiting_last = x;
  let_next_begin(p);
}

void luaws_pool_withdraw(struct luaws_pool *p, struct luaws_exchange *x) {
  if (x->waits) {
    struct luaws_exchange **at = &p->waiting, *before = NULL;
    while (*at != x) {
      before = *at;
      at = &before->next_waiting;
    }
    *at = x->next_waiting;
    if (p->waiting_last == x) p->waiting_last = before;
    x->waits = false;
  }
  if (x->slot) {
    struct luaws_slot *slot = x->slot;
    p->curl->multi_remove_handle(p->multi, slot->easy);
    slot->exchange = NULL;
    slot->next = p->free_slots;
    p->free_slots = slot;
    x->slot = NULL;
    p->running--;
  }
  let_next_begin(p);
}

/* ---- servers that know nothing of 100 Continue ---- */

static uint32_t host_hash(struct luaws_str host) {
  uint32_t h = 2166136261u; /* FNV-1a */
  for (size_t i = 0; i < host.len; i++)
    h = (h ^ (uint8_t)host.ptr[i]) * 16777619u;
  return h;
}

bool luaws_pool_host_is_silent(const struct luaws_pool *p, struct luaws_str host) {
  unsigned count = p->silent_host_count;
  if (count == 0) return false;
  uint32_t hash = host_hash(host);
  for (unsigned i = 0; i < count && i < LUAWS_SILENT_HOSTS; i++) {
    if (p->silent_hosts[i] == hash) return true;
  }
  return false;
}

void luaws_pool_note_silence(struct luaws_pool *p, struct luaws_str host) {
  if (luaws_pool_host_is_silent(p, host)) return;
  p->silent_hosts[p->silent_host_count++ % LUAWS_SILENT_HOSTS] = host_hash(host);
}

/* ---- the pool ---- */

int luaws_pool_open(struct luaws_pool *p, struct luaws_error *err) {
  if (p->multi) return 0;
  p->curl = luaws_curl(err);
  if (!p->curl) return LUAWS_E_CONFIG;
  struct luaws_pool_options *o = &p->options;
  struct stat st;
  if (o->verify && !o->ca_bundle && has_hash_links(SYSTEM_CA_FOLDER))
    o->ca_bundle = SYSTEM_CA_FOLDER;
  p->ca_folder = o->ca_bundle && stat(o->ca_bundle, &st) == 0 && S_ISDIR(st.st_mode);
  CURLM *m = p->curl->multi_init();
  if (!m) return luaws_error_memory(err);
  p->multi = m;
  p->curl->multi_setopt(m, CURLMOPT_SOCKETFUNCTION, set_socket);
  p->curl->multi_setopt(m, CURLMOPT_SOCKETDATA, p);
  p->curl->multi_setopt(m, CURLMOPT_TIMERFUNCTION, set_timer);
  p->curl->multi_setopt(m, CURLMOPT_TIMERDATA, p);
  p->curl->multi_setopt(m, CURLMOPT_MAXCONNECTS, (long)o->max_connections);
  return 0;
}

/* Everything of libcurl's goes; exchanges under way end as cancelled. */
static void pool_close(struct luaws_pool *p, bool tell) {
  p->closing = true;
  while (p->duplexes)
    luaws_duplex_cancel(p->duplexes, tell);
  while (p->exchanges) {
    struct luaws_exchange *x = p->exchanges;
    if (!x->finished) {
      luaws_error_set(&x->err, LUAWS_E_CANCELLED, "Cancelled", "the client was closed");
      luaws_exchange_finish(x);
    }
    if (!tell) luaws_ready_remove(&x->ready);
    p->exchanges = x->next;
    x->prev = x->next = NULL;
    x->pool = NULL;
    if (!tell) x->loop = NULL;
  }
  while (p->spare) {
    struct luaws_exchange *x = p->spare;
    p->spare = x->next;
    luaws_exchange_destroy(x);
  }
  while (p->free_slots) {
    struct luaws_slot *slot = p->free_slots;
    p->free_slots = slot->next;
    free_slot(p, slot);
  }
  if (p->multi) p->curl->multi_cleanup(p->multi);
  p->multi = NULL;
  luaws_alarm_stop(p->loop, &p->alarm);
  luaws_actor_leave(p->loop, &p->actor);
  p->loop = NULL;
}

static void on_loop_gone(struct luaws_actor *a) {
  pool_close(LUAWS_CONTAINER(a, struct luaws_pool, actor), false);
}

static bool copy_text(struct luaws_pool *p, const char **text) {
  if (!*text) return true;
  *text = luaws_arena_str(&p->arena, luaws_str_from(*text)).ptr;
  return *text;
}

int luaws_pool_new(struct luaws_loop *l, const struct luaws_pool_options *o,
                   struct luaws_pool **out, struct luaws_error *err) {
  extern char **environ;
  struct luaws_pool *p = calloc(1, sizeof *p);
  if (!p) return luaws_error_memory(err);
  p->loop = l;
  p->actor.act = on_now;
  p->actor.loop_gone = on_loop_gone;
  p->alarm.ring = on_alarm;
  luaws_actor_join(l, &p->actor);
  p->options = *o;
  if (p->options.connect_timeout_ms <= 0)
    p->options.connect_timeout_ms = DEFAULT_TIMEOUT_MS;
  if (p->options.read_timeout_ms <= 0) p->options.read_timeout_ms = DEFAULT_TIMEOUT_MS;
  if (p->options.max_connections <= 0) p->options.max_connections = DEFAULT_CONNECTIONS;
  p->options.proxy_http = p->options.proxy_https =
      NULL; /* below, without their secrets */
  const char **texts[] = {&p->options.ca_bundle,         &p->options.client_cert,
                          &p->options.client_key,        &p->options.proxy_ca_bundle,
                          &p->options.proxy_client_cert, &p->options.proxy_client_key};
  bool ok =
      luaws_proxy_settings_init(&p->proxies, o->proxy_http, o->proxy_https, environ);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    ok = ok && copy_text(p, texts[i]);
  if (!ok) {
    luaws_pool_free(p);
    return luaws_error_memory(err);
  }
  *out = p;
  return 0;
}

void luaws_pool_free(struct luaws_pool *p) {
  if (!p) return;
  if (p->loop) pool_close(p, true);
  luaws_proxy_settings_clear(&p->proxies);
  luaws_arena_clear(&p->arena);
  free(p);
}
