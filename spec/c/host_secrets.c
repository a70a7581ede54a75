/* Secrets are wiped: no block of memory that luaws gives back, or grows out of, has one
   in it, and no error either. Every place that credentials come from is asked, for
   answers and for refusals, while free and realloc look into each block that passes
   through them. What libcurl and OpenSSL give back is theirs. */
#include <luaws.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <malloc.h>
#include <stddef.h>
#include <sys/stat.h>
#include <time.h>

#include "tiny_server.h"

/* ---- the blocks ---- */

/* Of a key that exists for this alone. */
#define PEM_LINE "MHcCAQEEIEdwfCiku7uu/Ta82FFkyBmjfYYA3OgXbiUXh4/Dq1z2oAoGCCqGSM49"

static _Thread_local bool watching; /* the server's threads are not luaws */
static int found;

/* Whether a block that the caller at `back` gives up has a secret in it. */
static void look(void *ptr, void *back) {
  static const char *const secrets[] = {"SECRET-", PEM_LINE};
  if (!watching || !ptr) return;
  for (size_t i = 0; i < 2; i++) {
    Dl_info from;
    if (!memmem(ptr, malloc_usable_size(ptr), secrets[i], strlen(secrets[i]))) continue;
    if (!dladdr(back, &from) || !strstr(from.dli_fname, "libluaws")) continue;
    watching = false;
    void *stack[24];
    backtrace_symbols_fd(stack, backtrace(stack, 24), 2);
    watching = true;
    found++;
  }
}

static void (*real_free)(void *);
static void *(*real_realloc)(void *, size_t);

__attribute__((constructor)) static void find_real_ones(void) {
  *(void **)&real_free = dlsym(RTLD_NEXT, "free");
  *(void **)&real_realloc = dlsym(RTLD_NEXT, "realloc");
}

/* AddressSanitizer begins by freeing something: before there are shadows to look at. */
#define OURS __attribute__((visibility("default"), no_sanitize_address))

/* Whoever is given the block next finds nothing in it, so that what is found there later
   is their own. */
OURS void free(void *ptr) {
  if (!real_free) return;
  look(ptr, __builtin_return_address(0));
  if (ptr) memset(ptr, 0x5a, malloc_usable_size(ptr));
  real_free(ptr);
}

OURS void *realloc(void *ptr, size_t size) {
  if (!real_realloc) find_real_ones();
  look(ptr, __builtin_return_address(0));
  void *p = real_realloc(NULL, size);
  if (!ptr || !p) return p;
  size_t had = malloc_usable_size(ptr);
  memcpy(p, ptr, had < size ? had : size);
  memset(ptr, 0x5a, had);
  real_free(ptr);
  return p;
}

/* ---- who answers ---- */

static struct tiny_server peer;
static char peer_url[64];
static atomic_bool refuses; /* saying back what it was told, and more */

/* Larger than a buffer that was small when the secret came. */
static char padding[20001];

#define STS_KEYS                                                                       \
  "<Credentials><AccessKeyId>AK</AccessKeyId><SecretAccessKey>SECRET-sts"              \
  "</SecretAccessKey><SessionToken>SECRET-sts-token%s</SessionToken><Expiration>2099-" \
  "01-01T00:00:00Z</Expiration></Credentials>"
#define HTTP_KEYS                                                          \
  "{\"AccessKeyId\":\"AK\",\"SecretAccessKey\":\"SECRET-http\",\"Token\":" \
  "\"SECRET-http-token%s\",\"Expiration\":\"2099-01-01T00:00:00Z\"}"

static const struct answer {
  const char *asked;  /* is in the head or the body */
  const char *format; /* of the body; padding is its argument */
} answers[] = {
    {"Action=AssumeRoleWithWebIdentity",
     "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>" STS_KEYS
     "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"},
    {"Action=AssumeRole", "<AssumeRoleResponse><AssumeRoleResult>" STS_KEYS
                          "</AssumeRoleResult></AssumeRoleResponse>"},
    {"PUT /latest/api/token", "SECRET-imds-token"},
    {"GET /latest/meta-data/iam/security-credentials/role ", HTTP_KEYS},
    {"GET /latest/meta-data/iam/security-credentials/ ", "role"},
    {"GET /container", HTTP_KEYS},
    {"GET /federation/credentials",
     "{\"roleCredentials\":{\"accessKeyId\":\"AK\",\"secretAccessKey\":\"SECRET-sso\","
     "\"sessionToken\":\"SECRET-sso-token%s\",\"expiration\":4070908800000}}"},
    {"POST /token", "{\"accessToken\":\"SECRET-new\",\"expiresIn\":9999,"
                    "\"refreshToken\":\"SECRET-newer%s\"}"},
    {"POST /v1/token",
     "{\"accessToken\":{\"accessKeyId\":\"AK\",\"secretAccessKey\":\"SECRET-login-key\","
     "\"sessionToken\":\"SECRET-login-token%s\"},\"tokenType\":\"aws_sigv4\","
     "\"expiresIn\":900,\"refreshToken\":\"SECRET-login-newer\"}"},
    {"?session",
     "<CreateSessionResult><Credentials><SessionToken>SECRET-express%s</SessionToken>"
     "<SecretAccessKey>SECRET-express-key</SecretAccessKey><AccessKeyId>AK</AccessKeyId>"
     "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></CreateSessionResult>"},
};

static void say(int fd, int status, const char *body) {
  char head[128];
  snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n", status,
           strlen(body));
  tiny_say(fd, head);
  tiny_say(fd, body);
}

static void serve(struct tiny_server *s, int fd, int nth) {
  struct tiny_server *mine = calloc(1, sizeof *mine);
  char body[sizeof padding + 1024];
  pthread_mutex_init(&mine->lock, NULL);
  while (tiny_read(mine, fd)) {
    const struct answer *a = answers, *end = answers + sizeof answers / sizeof *answers;
    while (a < end && !strstr(mine->seen, a->asked) && !strstr(mine->body, a->asked))
      a++;
    snprintf(body, sizeof body, a < end ? a->format : "{}", padding);
    if (atomic_load(&refuses) && a < end) {
      say(fd, 400, body);
    } else {
      say(fd, 200, body);
    }
  }
  pthread_mutex_destroy(&mine->lock);
  free(mine);
}

/* ---- who asks ---- */

static char home[] = "/tmp/luaws-secrets-XXXXXX";

static void put_file(const char *name, const char *format, ...) {
  char path[256];
  va_list args;
  snprintf(path, sizeof path, "%s/%s", home, name);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  va_start(args, format);
  vfprintf(f, format, args);
  va_end(args);
  fclose(f);
  chmod(path, 0600);
}

static int tell_code(void *arg, const char *serial, char *code, size_t size) {
  snprintf(code, size, "SECRET-code");
  return 0;
}

static int give_keys(void *arg, struct luaws_host_credentials *out) {
  *out = (struct luaws_host_credentials){.access_key = "AK",
                                         .secret_key = "SECRET-host",
                                         .session_token = "SECRET-host-token"};
  return 0;
}

static const struct {
  const char *name, *service, *operation, *params;
  const char *profile;
  const char *env[4]; /* name, value, ... */
  bool host;          /* its keys come from its callback */
  bool asks;          /* somebody who may refuse */
} cases[] = {
    {"the environment", "sqs", "ListQueues", "{}", NULL,
     .env = {"AWS_ACCESS_KEY_ID", "AK", "AWS_SECRET_ACCESS_KEY", "SECRET-env"}},
    {"a bearer token", "bedrock", "ListFoundationModels", "{}", NULL,
     .env = {"AWS_BEARER_TOKEN_BEDROCK", "SECRET-bearer"}},
    {"the host", "sqs", "ListQueues", "{}", NULL, {NULL}, .host = true},
    {"the credentials file", "sqs", "ListQueues", "{}", "shared", .env = {NULL}},
    {"the config file", "sqs", "ListQueues", "{}", "base", .env = {NULL}},
    {"S3 Express",
     "s3",
     "GetObject",
     "{\"Bucket\":\"b--use1-az4--x-s3\",\"Key\":\"k\"}",
     "base",
     {NULL},
     .asks = true},
    {"an assumed role with MFA", "sqs", "ListQueues", "{}", "role", {NULL}, .asks = true},
    {"a web identity", "sqs", "ListQueues", "{}", "web", {NULL}, .asks = true},
    {"SSO", "sqs", "ListQueues", "{}", "sso", {NULL}, .asks = true},
    {"SSO of old", "sqs", "ListQueues", "{}", "old-sso", {NULL}, .asks = true},
    {"an SSO token", "codecatalyst", "ListSpaces", "{}", "sso", .env = {NULL}},
    {"aws login", "sqs", "ListQueues", "{}", "login", {NULL}, .asks = true},
    {"a program", "sqs", "ListQueues", "{}", "program", .env = {NULL}},
    {"a program that fails", "sqs", "ListQueues", "{}", "broken", .env = {NULL}},
    {"the first tools' file", "sqs", "ListQueues", "{}", NULL,
     .env = {"AWS_CREDENTIAL_FILE", "~/ec2"}},
    {"boto's file", "sqs", "ListQueues", "{}", NULL, .env = {"BOTO_CONFIG", "~/boto"}},
    {"a container", "sqs", "ListQueues", "{}", NULL,
     .env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "=/container",
             "AWS_CONTAINER_AUTHORIZATION_TOKEN", "SECRET-auth"},
     .asks = true},
    {"a container's file", "sqs", "ListQueues", "{}", NULL,
     .env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "=/container",
             "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "=~/token"},
     .asks = true},
    {"an instance",
     "sqs",
     "ListQueues",
     "{}",
     NULL,
     {"AWS_EC2_METADATA_SERVICE_ENDPOINT", "=/", "AWS_EC2_METADATA_DISABLED", "false"},
     .asks = true},
};

static void set_up_home(void) {
  char path[256];
  assert_non_null(mkdtemp(home));
  for (const char *const *f = (const char *const[]){"", "/sso", "/sso/cache", "/login",
                                                    "/login/cache", NULL};
       *f; f++) {
    snprintf(path, sizeof path, "%s/.aws%s", home, *f);
    mkdir(path, 0700);
  }
  put_file(".aws/credentials",
           "[shared]\naws_access_key_id = AK\naws_secret_access_key = SECRET-file\n"
           "aws_session_token = SECRET-file-token\n# %s\n",
           padding);
  put_file(".aws/config",
           "[profile base]\naws_access_key_id = AK\naws_secret_access_key = SECRET-base\n"
           "[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\n"
           "mfa_serial = the-device\nexternal_id = external\n"
           "[profile web]\nrole_arn = arn:aws:iam::1:role/r\n"
           "web_identity_token_file = %s/token\n"
           "[profile sso]\nsso_session = c\nsso_account_id = 1\nsso_role_name = r\n"
           "[sso-session c]\nsso_start_url = https://c/\nsso_region = us-east-1\n"
           "[profile old-sso]\nsso_account_id = 1\nsso_role_name = r\n"
           "sso_start_url = https://c/\nsso_region = us-east-1\n"
           "[profile login]\nlogin_session = x\n"
           "[profile program]\ncredential_process = cat %s/program\n"
           "[profile broken]\ncredential_process = sh -c 'cat %s/program; exit 3'\n"
           "# %s\n",
           home, home, home, padding);
  put_file("token", "SECRET-web-%s", padding);
  put_file("program",
           "{\"Version\":1,\"AccessKeyId\":\"AK\",\"SecretAccessKey\":"
           "\"SECRET-program\",\"SessionToken\":\"SECRET-program-token%s\"}",
           padding);
  put_file("ec2", "AWSAccessKeyId=AK\nAWSSecretKey=SECRET-ec2\n%s\n", padding);
  put_file("boto",
           "[Credentials]\naws_access_key_id = AK\naws_secret_access_key = SECRET-boto\n"
           "# %s\n",
           padding);
}

/* Tokens that are to be renewed; what is written in their place is not read again. */
static void set_up_tokens(void) {
  static const char sso[] =
      "{\"accessToken\":\"SECRET-access%s\",\"expiresAt\":\"%s\",\"clientId\":\"id\","
      "\"clientSecret\":\"SECRET-client\",\"refreshToken\":\"SECRET-refresh\","
      "\"registrationExpiresAt\":\"2099-01-01T00:00:00Z\"}";
  char soon[32];
  time_t then = time(NULL) + 300;
  strftime(soon, sizeof soon, "%Y-%m-%dT%H:%M:%SZ", gmtime(&then));
  put_file(".aws/sso/cache/84a516841ba77a5b4648de2cd0dfcb30ea46dbb4.json", sso, padding,
           soon);
  put_file(".aws/sso/cache/8decc1ceeaf3514eca63744ec2f30cbcc036b7bc.json", sso, padding,
           "2099-01-01T00:00:00Z");
  put_file(
      ".aws/login/cache/"
      "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881.json",
      "{\"accessToken\":{\"accessKeyId\":\"AK\",\"secretAccessKey\":\"SECRET-login\","
      "\"sessionToken\":\"SECRET-login-token\",\"accountId\":\"1\",\"expiresAt\":"
      "\"2020-01-01T00:00:00Z\"},\"refreshToken\":\"SECRET-login-refresh%s\","
      "\"clientId\":"
      "\"arn:aws:signin:::devtools/same-device\",\"dpopKey\":\"-----BEGIN EC PRIVATE "
      "KEY-----\\n" PEM_LINE "\\n"
      "AwEHoUQDQgAEfCrEdLg3cN0lMsdpM5xG6ae+KtJQo15YChbWi3gKpbS4noreC/Vc\\n"
      "hyXoLlgM5RC+7fXC42vitMsq7ewv52lFrg==\\n-----END EC PRIVATE KEY-----\\n\"}",
      padding);
}

static void set_env(const char *name, const char *value) {
  char text[256];
  if (!value) {
    unsetenv(name);
    return;
  }
  if (value[0] == '=' || value[0] == '~') {
    bool path = strchr(value, '~') != NULL;
    snprintf(text, sizeof text, "%s%s", path ? home : peer_url, strchr(value, '/'));
    value = text;
  }
  setenv(name, value, 1);
}

static void blocks_have_no_secret(bool refused) {
  int blocks = 0;
  atomic_store(&refuses, refused);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (refused && !cases[i].asks) continue;
    set_up_tokens();
    for (int k = 0; k < 4 && cases[i].env[k]; k += 2)
      set_env(cases[i].env[k], cases[i].env[k + 1]);
    struct luaws_options o = {.region = "us-east-1",
                              .endpoint_url = peer_url,
                              .profile = cases[i].profile,
                              .credentials = cases[i].host ? give_keys : NULL,
                              .mfa = tell_code};
    char *error = NULL;
    found = 0;
    watching = true;
    struct luaws_handle *h = luaws_open(cases[i].service, &o, &error);
    int rc = h ? luaws_call(h, cases[i].operation, cases[i].params, NULL, &error) : -1;
    luaws_close(h);
    watching = false;
    if (error) assert_null(strstr(error, "SECRET-"));
    bool fails = refused || strcmp(cases[i].name, "a program that fails") == 0;
    if ((rc == 0) == fails) fail_msg("%s: %d %s", cases[i].name, rc, error ? error : "");
    luaws_free(error);
    for (int k = 0; k < 4 && cases[i].env[k]; k += 2)
      unsetenv(cases[i].env[k]);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    if (found) print_message("%s: %d blocks\n", cases[i].name, found);
    blocks += found;
  }
  assert_int_equal(blocks, 0);
}

static void of_what_was_given(void **state) {
  blocks_have_no_secret(false);
}

static void of_what_was_refused(void **state) {
  blocks_have_no_secret(true);
}

static int start(void **state) {
  memset(padding, 'x', sizeof padding - 1);
  tiny_server_start(&peer, serve, NULL);
  snprintf(peer_url, sizeof peer_url, "http://127.0.0.1:%d", peer.port);
  set_up_home();
  setenv("HOME", home, 1);
  setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
  setenv("AWS_MAX_ATTEMPTS", "1", 1);
  setenv("AWS_ENDPOINT_URL", peer_url, 1);
  return 0;
}

static int stop(void **state) {
  char command[64];
  snprintf(command, sizeof command, "rm -r %s", home);
  tiny_server_stop(&peer);
  return system(command);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(of_what_was_given),
      cmocka_unit_test(of_what_was_refused),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
