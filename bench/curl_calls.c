/* bench_curl_calls SIGNER URL TIMES IN_FLIGHT [CAs]: the same calls as a C program would
   make them with nothing but libcurl, the answers gathered and not looked at. SIGNER:
   "curl" has libcurl sign (CURLOPT_AWS_SIGV4), "own" signs with the core's signer, "none"
   does not sign. IN_FLIGHT 1 is a loop of curl_easy_perform; more are kept going on one
   multi handle. URL ends in the service ("/sqs/"); s3 is a GET, others a POST. CAs is a
   file or folder. With TIMES 1 nothing warms up and nothing is printed. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "sign/sign.h"

#define PARAMS "{\"QueueName\":\"orders\"}"
#define ACCESS_KEY "AKIDEXAMPLE"
#define SECRET_KEY "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

enum signer { SIGN_NONE, SIGN_CURL, SIGN_OWN };

struct options {
  enum signer signer;
  const char *url, *cas;
  bool get;
};

struct one {
  CURL *easy;
  struct curl_slist *headers;
  struct luaws_arena arena;
  struct luaws_buf body;
};

static size_t on_body(char *data, size_t size, size_t count, void *arg) {
  luaws_buf_append(arg, data, size * count);
  return size * count;
}

static void one_init(struct one *o, const struct options *opts) {
  CURL *e = o->easy = curl_easy_init();
  curl_easy_setopt(e, CURLOPT_PRIVATE, o);
  curl_easy_setopt(e, CURLOPT_URL, opts->url);
  curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(e, CURLOPT_WRITEDATA, &o->body);
  if (!opts->get) curl_easy_setopt(e, CURLOPT_POSTFIELDS, PARAMS);
  struct stat st;
  if (opts->cas) {
    bool folder = stat(opts->cas, &st) == 0 && S_ISDIR(st.st_mode);
    curl_easy_setopt(e, CURLOPT_CAINFO, folder ? NULL : opts->cas);
    curl_easy_setopt(e, CURLOPT_CAPATH, folder ? opts->cas : NULL);
  }
  if (opts->signer == SIGN_CURL) {
    curl_easy_setopt(e, CURLOPT_AWS_SIGV4, "aws:amz:us-east-1:sqs");
    curl_easy_setopt(e, CURLOPT_USERPWD, ACCESS_KEY ":" SECRET_KEY);
  }
  if (opts->signer != SIGN_OWN) {
    o->headers =
        curl_slist_append(o->headers, "Content-Type: application/x-amz-json-1.0");
    o->headers = curl_slist_append(o->headers, "X-Amz-Target: AmazonSQS.GetQueueUrl");
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, o->headers);
  }
}

static void one_clear(struct one *o) {
  curl_easy_cleanup(o->easy);
  curl_slist_free_all(o->headers);
  luaws_arena_clear(&o->arena);
  luaws_buf_clear(&o->body);
}

static void sign(struct one *o, const struct options *opts,
                 struct luaws_key_cache *keys) {
  luaws_arena_reset(&o->arena);
  curl_slist_free_all(o->headers);
  o->headers = NULL;
  struct luaws_request r = {.arena = &o->arena, .headers.arena = &o->arena};
  struct luaws_error err = {0};
  struct luaws_creds creds = {LUAWS_STR(ACCESS_KEY), LUAWS_STR(SECRET_KEY),
                              LUAWS_STR_NONE};
  struct luaws_sign_opts s = {.service = LUAWS_STR("sqs"),
                              .region = LUAWS_STR("us-east-1"),
                              .time_s = time(NULL),
                              .double_encode = true,
                              .normalize_path = true,
                              .cache = keys};
  luaws_request_set_url(&r, luaws_str_from(opts->url), &err);
  r.method = opts->get ? LUAWS_STR("GET") : LUAWS_STR("POST");
  luaws_headers_add(&r.headers, LUAWS_STR("Content-Type"),
                    LUAWS_STR("application/x-amz-json-1.0"));
  luaws_headers_add(&r.headers, LUAWS_STR("X-Amz-Target"),
                    LUAWS_STR("AmazonSQS.GetQueueUrl"));
  if (!opts->get) {
    r.body = (struct luaws_stream){.kind = LUAWS_STREAM_BYTES,
                                   .bytes = LUAWS_STR(PARAMS),
                                   .length = sizeof PARAMS - 1};
  }
  if (luaws_sigv4_sign(&r, &creds, &s, &err)) abort();
  for (size_t i = 0; i < r.headers.count; i++) {
    char line[1024];
    snprintf(line, sizeof line, "%.*s: %.*s", LUAWS_STR_ARG(r.headers.items[i].name),
             LUAWS_STR_ARG(r.headers.items[i].value));
    o->headers = curl_slist_append(o->headers, line);
  }
  curl_easy_setopt(o->easy, CURLOPT_HTTPHEADER, o->headers);
}

static void prepare(struct one *o, const struct options *opts,
                    struct luaws_key_cache *keys) {
  luaws_buf_reset(&o->body);
  if (opts->signer == SIGN_OWN) sign(o, opts, keys);
}

static bool succeeded(CURL *easy, CURLcode code) {
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  if (code == CURLE_OK && status == 200) return true;
  fprintf(stderr, "%s, status %ld\n", curl_easy_strerror(code), status);
  return false;
}

static bool run_easy(struct one *o, const struct options *opts,
                     struct luaws_key_cache *keys, int times) {
  for (int i = 0; i < times; i++) {
    prepare(o, opts, keys);
    if (!succeeded(o->easy, curl_easy_perform(o->easy))) return false;
  }
  return true;
}

static bool run_multi(CURLM *multi, struct one *all, int in_flight,
                      const struct options *opts, struct luaws_key_cache *keys,
                      int times) {
  int begun = 0, done = 0;
  while (begun < in_flight && begun < times) {
    prepare(&all[begun], opts, keys);
    curl_multi_add_handle(multi, all[begun++].easy);
  }
  while (done < times) {
    int running, left;
    curl_multi_perform(multi, &running);
    CURLMsg *m;
    while ((m = curl_multi_info_read(multi, &left))) {
      CURL *easy = m->easy_handle;
      struct one *o;
      curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&o);
      if (!succeeded(easy, m->data.result)) return false;
      done++;
      curl_multi_remove_handle(multi, easy);
      if (begun < times) {
        prepare(o, opts, keys);
        curl_multi_add_handle(multi, easy);
        begun++;
      }
    }
    if (done < times) curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
  return true;
}

static double wall_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  struct options opts = {.url = argv[2], .cas = argc > 5 ? argv[5] : NULL};
  opts.signer = strcmp(argv[1], "curl") == 0  ? SIGN_CURL
                : strcmp(argv[1], "own") == 0 ? SIGN_OWN
                                              : SIGN_NONE;
  opts.get = strstr(opts.url, "/s3/") != NULL;
  int times = atoi(argv[3]), in_flight = atoi(argv[4]);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  struct luaws_key_cache *keys = opts.signer == SIGN_OWN ? luaws_key_cache_new() : NULL;
  struct one *all = calloc((size_t)in_flight, sizeof *all);
  CURLM *multi = in_flight > 1 ? curl_multi_init() : NULL;
  for (int i = 0; i < in_flight; i++)
    one_init(&all[i], &opts);
  bool ok = true;
  clock_t began = 0;
  double began_us = 0;
  int warm_up = times > 1 ? times / 10 + in_flight : 0;
  for (int round = 0; ok && round < 2; round++) {
    int count = round == 0 ? warm_up : times;
    began = clock();
    began_us = wall_us();
    ok = multi ? run_multi(multi, all, in_flight, &opts, keys, count)
               : run_easy(all, &opts, keys, count);
  }
  if (ok && times > 1) {
    printf("{\"cpu_us\": %.3f, \"wall_us\": %.3f}\n",
           (double)(clock() - began) / (double)CLOCKS_PER_SEC * 1e6 / times,
           (wall_us() - began_us) / times);
  }
  for (int i = 0; i < in_flight; i++)
    one_clear(&all[i]);
  free(all);
  if (multi) curl_multi_cleanup(multi);
  luaws_key_cache_free(keys);
  return ok ? 0 : 1;
}
