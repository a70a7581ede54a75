/* Any bytes as what hands out credentials: answers of a container's or an instance's
   endpoint, of STS, SSO and OIDC, and the files in which credentials and tokens are kept.
   The first byte says which provider is asked; the rest is one answer after the other,
   with empty lines between them, and the last of them for ever after.

   The providers are the real ones. What would be read from a file or a socket comes from
   here instead: the linker is told to wrap those functions (CMakeLists.txt). */
#include "credentials/cache.h"
#include "credentials/chain.h"
#include "credentials/fetch.h"
#include "credentials/secret_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct luaws_str left;

static struct luaws_str next_answer(void) {
  ptrdiff_t end = luaws_str_find_str(left, LUAWS_STR("\n\n"));
  if (end < 0) return left;
  struct luaws_str answer = luaws_str_sub(left, 0, (size_t)end);
  left = luaws_str_sub(left, (size_t)end + 2, left.len);
  return answer;
}

/* ---- files ---- */

int __wrap_luaws_secret_file_read(struct luaws_str path, struct luaws_buf *out);
int __wrap_luaws_secret_file_write(struct luaws_str path, struct luaws_str text);

int __wrap_luaws_secret_file_read(struct luaws_str path, struct luaws_buf *out) {
  luaws_buf_append_str(out, next_answer());
  return 0;
}

/* What is kept is JSON whatever it holds. */
int __wrap_luaws_secret_file_write(struct luaws_str path, struct luaws_str text) {
  struct luaws_arena arena = {0};
  struct luaws_tree *tree;
  if (luaws_tree_parse(&arena, text, &tree, NULL)) abort();
  luaws_arena_clear(&arena);
  return 0;
}

/* ---- HTTP: the first byte of an answer is its status ---- */

static struct luaws_response response;
static char sent; /* something to point at */

int __wrap_luaws_fetch_open(struct luaws_fetch *f, struct luaws_provider_task *task,
                            const struct luaws_fetch_options *o, struct luaws_str method,
                            struct luaws_str url, struct luaws_error *err);
int __wrap_luaws_fetch_send(struct luaws_fetch *f, struct luaws_error *err);
int __wrap_luaws_fetch_result(struct luaws_fetch *f, const struct luaws_response **out,
                              struct luaws_error *err);
void __wrap_luaws_fetch_close(struct luaws_fetch *f);
void __wrap_luaws_fetch_clear(struct luaws_fetch *f);

int __wrap_luaws_fetch_open(struct luaws_fetch *f, struct luaws_provider_task *task,
                            const struct luaws_fetch_options *o, struct luaws_str method,
                            struct luaws_str url, struct luaws_error *err) {
  __wrap_luaws_fetch_close(f);
  f->task = task;
  f->request = (struct luaws_request){.arena = &f->arena, .headers.arena = &f->arena};
  url = luaws_arena_str(&f->arena, url);
  return luaws_request_set_url(&f->request, url, err);
}

int __wrap_luaws_fetch_send(struct luaws_fetch *f, struct luaws_error *err) {
  f->exchange = (struct luaws_exchange *)&sent;
  return 0;
}

int __wrap_luaws_fetch_result(struct luaws_fetch *f, const struct luaws_response **out,
                              struct luaws_error *err) {
  static const int statuses[] = {200, 400, 404, 403, 405, 500};
  struct luaws_str answer = next_answer();
  unsigned status = answer.len ? (unsigned char)answer.ptr[0] % 8 : 7;
  if (status >= sizeof statuses / sizeof *statuses) {
    return luaws_error_set(err, LUAWS_E_TIMEOUT, "ConnectTimeoutError", "no answer");
  }
  response = (struct luaws_response){.status = statuses[status],
                                     .headers.arena = &f->arena,
                                     .body = luaws_str_sub(answer, 1, answer.len)};
  *out = &response;
  return 0;
}

void __wrap_luaws_fetch_close(struct luaws_fetch *f) {
  f->exchange = NULL;
  luaws_arena_wipe(&f->arena);
}

void __wrap_luaws_fetch_clear(struct luaws_fetch *f) {
  __wrap_luaws_fetch_close(f);
  *f = (struct luaws_fetch){0};
}

/* ---- services: any JSON as their results ---- */

struct luaws_nested_call_handle {
  struct luaws_arena arena;
  void (*done)(void *);
  void *done_arg;
};
static struct luaws_nested_call_handle *waiting;

static int start_call(void *arg, const struct luaws_nested_call *call,
                      void (*done)(void *), void *done_arg,
                      struct luaws_nested_call_handle **out, struct luaws_error *err) {
  *out = calloc(1, sizeof **out);
  if (!*out) abort();
  (*out)->done = done;
  (*out)->done_arg = done_arg;
  waiting = *out;
  return 0;
}

static int call_result(struct luaws_nested_call_handle *h, const struct luaws_tree **out,
                       struct luaws_error *err) {
  struct luaws_tree *tree;
  struct luaws_str answer = next_answer();
  bool service_error = luaws_str_starts(answer, LUAWS_STR("!"));
  answer = luaws_str_sub(answer, service_error, answer.len);
  int rc = luaws_tree_parse(&h->arena, answer, &tree, err);
  if (rc) return rc;
  *out = tree;
  if (!service_error) return 0;
  return luaws_error_set(err, LUAWS_E_SERVICE, "ClientError", "the service says no");
}

static void free_call(struct luaws_nested_call_handle *h) {
  if (waiting == h) waiting = NULL;
  luaws_arena_clear(&h->arena);
  free(h);
}

/* ---- one search ---- */

static const char config[] =
    "[profile sso]\nsso_start_url=https://a\nsso_region=us-east-1\n"
    "sso_account_id=123456789012\nsso_role_name=role\n"
    "[profile session]\nsso_session=s\nsso_account_id=1\nsso_role_name=role\n"
    "[sso-session s]\nsso_start_url=https://a\nsso_region=us-east-1\n"
    "[profile login]\nlogin_session=arn:aws:sts::1:assumed-role/r/s\nregion=us-east-1\n"
    "[profile role]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile=keys\n"
    "region=us-east-1\n"
    "[profile keys]\naws_access_key_id=a\naws_secret_access_key=b\n"
    "[profile web]\nrole_arn=arn:aws:iam::1:role/r\nweb_identity_token_file=/f\n"
    "region=us-east-1\n";

static const struct {
  const char *profile;
  const char *variable, *value;
} places[] = {
    {"sso", "", NULL},
    {"session", "", NULL},
    {"login", "", NULL},
    {"role", "", NULL},
    {"web", "", NULL},
    {NULL, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/keys"},
    {NULL, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1/"},
};

static char config_path[32];

static const char *get_variable(void *arg, const char *name) {
  size_t place = *(size_t *)arg;
  if (strcmp(name, "HOME") == 0) return "/nonexistent";
  if (strcmp(name, "AWS_CONFIG_FILE") == 0) return config_path;
  if (strcmp(name, "AWS_SHARED_CREDENTIALS_FILE") == 0) return "/nonexistent/file";
  return strcmp(name, places[place].variable) == 0 ? places[place].value : NULL;
}

static int64_t get_now(void *arg) {
  return 1700000000;
}

static void search(struct luaws_chain *chain) {
  struct luaws_error err = {0};
  struct luaws_credentials *found = NULL;
  int rc = luaws_chain_get(chain, NULL, &found, &err);
  for (int i = 0; i < 20 && rc == LUAWS_PENDING && waiting; i++) {
    struct luaws_nested_call_handle *h = waiting;
    waiting = NULL;
    h->done(h->done_arg);
    rc = luaws_chain_get(chain, NULL, &found, &err);
  }
  if (rc < 0 && (!err.kind || !luaws_error_message(&err))) abort();
  luaws_error_clear(&err);
  luaws_credentials_release(found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct luaws_loop *loop;
  if (!loop) {
    int fd = memfd_create("config", MFD_CLOEXEC);
    snprintf(config_path, sizeof config_path, "/proc/self/fd/%d", fd);
    if (write(fd, config, sizeof config - 1) < 0 || luaws_loop_new(&loop, NULL)) exit(2);
  }
  if (size == 0) return 0;
  size_t place = data[0] % (sizeof places / sizeof *places);
  left = (struct luaws_str){(const char *)data + 1, size - 1};
  waiting = NULL;
  static const struct luaws_nested_calls calls = {start_call, call_result, free_call,
                                                  NULL};
  struct luaws_settings_options o = {.profile_name =
                                         luaws_str_from(places[place].profile),
                                     .getenv = get_variable,
                                     .getenv_arg = &place};
  struct luaws_settings *s;
  if (luaws_settings_new(&o, &s, NULL)) abort();
  struct luaws_provider_context context = {
      .settings = s,
      .now_s = get_now,
      .region = LUAWS_STR("us-east-1"),
      .loop = loop,
      .calls = &calls,
      .cache = luaws_credential_cache_new(LUAWS_STR("/nonexistent")),
  };
  struct luaws_chain *chain = luaws_chain_new(&context);
  if (!chain) abort();
  search(chain);
  luaws_chain_free(chain);
  luaws_credential_cache_free(context.cache);
  luaws_settings_free(s);
  return 0;
}
