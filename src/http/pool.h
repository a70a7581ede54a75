/* The inside of a pool and its exchanges. A slot is an easy handle with what libcurl was
   last told through it; slots are reused, and only what differs is told again. An
   exchange has a slot from the moment its turn comes until libcurl is through with it. */
#ifndef LUAWS_HTTP_POOL_H
#define LUAWS_HTTP_POOL_H

#include "http/libcurl.h"
#include "http/loop.h"
#include "http/proxy.h"

/* How libcurl is made to send a body. */
enum luaws_send_mode {
  LUAWS_SEND_UNSET,
  LUAWS_SEND_NONE,
  LUAWS_SEND_HEAD,
  LUAWS_SEND_MEMORY,
  LUAWS_SEND_READ
};

struct luaws_slot {
  CURL *easy;
  struct luaws_exchange *exchange; /* NULL while free */
  struct luaws_slot *next;         /* free ones */
  enum luaws_send_mode mode;
  bool has_method; /* CURLOPT_CUSTOMREQUEST is set */
  bool has_target; /* CURLOPT_REQUEST_TARGET is set */
  bool streams;    /* the larger receive buffer is set */
  bool lone;       /* CURLOPT_FORBID_REUSE is set */
  int64_t speed;   /* the limit that is set; 0 = none */
  const struct luaws_proxy *proxy;
  char message[CURL_ERROR_SIZE];
};

enum { LUAWS_SILENT_HOSTS = 16 };

struct luaws_pool {
  struct luaws_actor actor;
  struct luaws_loop *loop; /* NULL once it is gone */
  const struct luaws_curl *curl;
  CURLM *multi; /* NULL until the first exchange */
  struct luaws_alarm alarm;
  struct luaws_pool_options options; /* texts in the arena */
  struct luaws_arena arena;
  struct luaws_proxy_settings proxies;
  struct luaws_slot *free_slots;
  struct luaws_exchange *exchanges; /* all that are not freed */
  struct luaws_duplex *duplexes;    /* likewise */
  struct luaws_exchange *waiting, *waiting_last;
  struct luaws_exchange *spare; /* cleaned ones, by `next` */
  int spare_count;
  int running;
  /* Servers that did not answer an Expect: 100-continue in time, by hashes of their
     names; the newest replaces the oldest. */
  uint32_t silent_hosts[LUAWS_SILENT_HOSTS];
  unsigned silent_host_count;
  bool closing;
  bool ca_folder; /* of options.ca_bundle: it is a folder */
};

enum {
  LUAWS_STREAM_HIGH_BYTES = 256 * 1024, /* a streamed body pauses here … */
  LUAWS_STREAM_LOW_BYTES = 128 * 1024,  /* … and goes on here */
  LUAWS_SMALL_BODY_BYTES = 64 * 1024,   /* sent in one piece with the headers */
  LUAWS_FILL_BYTES = 64 * 1024,         /* asked of a stream function at once */
};

struct luaws_exchange {
  struct luaws_pool *pool; /* NULL once it is gone */
  struct luaws_loop *loop;
  struct luaws_exchange *prev, *next;
  struct luaws_exchange *next_waiting;
  const struct luaws_request *request;
  struct luaws_exchange_options options;
  const struct luaws_proxy *proxy;
  struct luaws_slot *slot; /* while libcurl works on it */
  struct luaws_ready ready;
  struct luaws_alarm alarm; /* silence */
  int64_t active_ms;        /* when a byte last moved */
  struct luaws_arena arena; /* URL, header list, response headers */
  const char *url;
  const char *target; /* the part of url to be sent, where libcurl would change it */
  const char *method; /* for CURLOPT_CUSTOMREQUEST, or NULL */
  struct curl_slist *headers;
  enum luaws_send_mode mode;
  int64_t body_length; /* as told to libcurl; -1 = chunked */
  int64_t sent;        /* position in the request's body */
  char *fill;          /* what a stream function gave and libcurl did not take yet */
  size_t fill_len, fill_at;
  int64_t fill_end; /* position in the stream after it */
  struct luaws_response response;
  size_t header_cap, header_bytes;
  size_t *value_rooms; /* of each header: what a value that was joined may take */
  struct luaws_buf body;
  size_t body_read;       /* of body: handed out */
  uint64_t body_received; /* in all */
  int64_t body_expected;  /* Content-Length, or -1 */
  struct luaws_error err;
  bool expects;   /* a 100 before it sends its body */
  bool waits;     /* its turn has not come */
  bool requested; /* there is a connection and the request goes out */
  bool streamed;  /* the body is handed out by luaws_exchange_read */
  bool head_done; /* the final headers are there */
  bool finished;  /* libcurl is through with it, or it failed */
  bool recv_paused, send_paused;
  struct luaws_when_ready *more; /* while its stream function has nothing */
  bool fill_ended;
  bool filling;    /* its stream function is being called */
  bool free_later; /* freed while filling, and the stream is an orphan */
  bool fill_due, done_due, done_told, progress_due;
  struct luaws_stream orphan; /* the request's body, kept until its function returns */
};

/* Refuses what would break the framing: LUAWS_E_ARGUMENT, kind "ValueError". */
int luaws_request_check(const struct luaws_request *r, struct luaws_error *err);
/* Makes URL, header list and framing of x->request; false without memory. */
bool luaws_exchange_build(struct luaws_exchange *x);
/* Ends x in failure (x->err is set), or in success when x->err.code is 0. */
void luaws_exchange_finish(struct luaws_exchange *x);
/* Gives back the memory of one that was cleaned. */
void luaws_exchange_destroy(struct luaws_exchange *x);
/* Fills x->err from what libcurl says. */
void luaws_exchange_failed(struct luaws_exchange *x, CURLcode code);
/* Tells libcurl what the slot does not know yet of x. */
bool luaws_exchange_prepare(struct luaws_exchange *x, struct luaws_slot *slot);
/* Whether the connection is closed after this exchange: the other end may still wait for
   a body that is not going to be sent. */
void luaws_slot_forbid_reuse(const struct luaws_pool *p, struct luaws_slot *slot,
                             bool forbid);
/* Callbacks of libcurl; arg is the slot. */
size_t luaws_exchange_on_header(char *line, size_t size, size_t count, void *arg);
size_t luaws_exchange_on_body(char *data, size_t size, size_t count, void *arg);
size_t luaws_exchange_on_read(char *dst, size_t size, size_t count, void *arg);
int luaws_exchange_on_seek(void *arg, curl_off_t offset, int origin);
int luaws_exchange_on_request(void *arg, char *ip, char *local_ip, int port,
                              int local_port);

/* Gives x a slot as soon as there is one. */
void luaws_pool_enqueue(struct luaws_pool *p, struct luaws_exchange *x);
/* Whether the host let an earlier exchange wait for its 100 in vain; and that it did. */
bool luaws_pool_host_is_silent(const struct luaws_pool *p, struct luaws_str host);
void luaws_pool_note_silence(struct luaws_pool *p, struct luaws_str host);
/* Takes x from libcurl (closing its connection unless it is through) or from the queue,
   and lets the next one begin. */
void luaws_pool_withdraw(struct luaws_pool *p, struct luaws_exchange *x);
/* Tells libcurl whom to trust, and what to show to a peer that asks. */
void luaws_pool_set_trust(const struct luaws_pool *p, CURL *easy);
/* Opens libcurl and makes the multi handle, once. */
int luaws_pool_open(struct luaws_pool *p, struct luaws_error *err);

#endif
