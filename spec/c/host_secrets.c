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
static atomic_int mood;
enum {
  ANSWERS,
  REFUSES,      /* with the answer in the refusal */
  QUOTES_CALLS, /* what is no question for credentials is refused, and quoted */
  QUOTES_ALL,
};

/* Larger than a buffer that was small when the secret came, and as much as goes into a
   header; and what is large even for a buffer that is. */
static char padding[20001], large[200001], spaces[200001];

#define STS_KEYS                                                                       \
  "<Credentials><AccessKeyId>AK</AccessKeyId><SecretAccessKey>SECRET-sts"              \
  "</SecretAccessKey><SessionToken>SECRET-sts-token%s</SessionToken><Expiration>2099-" \
  "01-01T00:00:00Z</Expiration></Credentials>"                                         \
  "<SourceIdentity>SECRET-source%s</SourceIdentity>"
#define HTTP_KEYS                                                          \
  "{\"AccessKeyId\":\"AK\",\"SecretAccessKey\":\"SECRET-http\",\"Token\":" \
  "\"SECRET-http-token%s\",\"Expiration\":\"2099-01-01T00:00:00Z\"}"

static const struct answer {
  const char *asked;  /* is in the head or the body */
  const char *format; /* of the body; padding is its argument, or large */
  bool large;
} answers[] = {
    {"Action=AssumeRoleWithWebIdentity",
     "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>" STS_KEYS
     "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
     false},
    {"Action=AssumeRole",
     "<AssumeRoleResponse><AssumeRoleResult>" STS_KEYS
     "</AssumeRoleResult></AssumeRoleResponse>",
     false},
    {"PUT /latest/api/token", "SECRET-imds-token", false},
    {"GET /latest/meta-data/iam/security-credentials/role ", HTTP_KEYS, false},
    {"GET /latest/meta-data/iam/security-credentials/ ", "role", false},
    {"GET /container", HTTP_KEYS, false},
    {"GET /federation/credentials",
     "{\"roleCredentials\":{\"accessKeyId\":\"AK\",\"secretAccessKey\":\"SECRET-sso\","
     "\"sessionToken\":\"SECRET-sso-token%s\",\"expiration\":4070908800000}}",
     false},
    {"POST /token",
     "{\"accessToken\":\"SECRET-renewed\",\"expiresIn\":9999,"
     "\"refreshToken\":\"SECRET-newer\\/%s\"}",
     true},
    {"POST /v1/token",
     "{\"accessToken\":{\"accessKeyId\":\"AK\",\"secretAccessKey\":\"SECRET-login-key\","
     "\"sessionToken\":\"SECRET-login-token\"},\"tokenType\":\"aws_sigv4\","
     "\"expiresIn\":900,\"refreshToken\":\"SECRET-login-newer\\/%s\"}",
     true},
    {"?session",
     "<CreateSessionResult><Credentials><SessionToken>SECRET-express%s</SessionToken>"
     "<SecretAccessKey>SECRET-express-key</SecretAccessKey><AccessKeyId>AK</AccessKeyId>"
     "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></CreateSessionResult>",
     false},
};

/* In pieces, so that nobody knows beforehand how much room it takes; with white space
   behind it where that means nothing. */
static void say(int fd, int status, const char *body, const char *after) {
  char line[128];
  snprintf(line, sizeof line, "HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n",
           status);
  tiny_say(fd, line);
  for (const char *const *text = (const char *const[]){body, after, NULL}; *text;
       text++) {
    snprintf(line, sizeof line, "%zx\r\n", strlen(*text));
    tiny_say(fd, line);
    tiny_say(fd, *text);
    tiny_say(fd, "\r\n");
  }
  tiny_say(fd, "0\r\n\r\n");
}

static void append_quoted(char *out, const char *text) {
  out += strlen(out);
  for (; *text; text++)
    *out++ = strchr("\"\\<&\r\n", *text) ? ' ' : *text;
  *out = 0;
}

/* An error in the protocol of whoever asked that says the request back. */
static void quote(struct tiny_server *mine, char *out) {
  bool query = strstr(mine->body, "Action=");
  bool s3 = strstr(mine->seen, "?session") || strstr(mine->seen, "x-s3/k");
  strcpy(out, query ? "<ErrorResponse><Error><Code>Told</Code><Message>I was told "
              : s3  ? "<Error><Code>Told</Code><Message>I was told "
                    : "{\"__type\":\"Told\",\"message\":\"I was told ");
  append_quoted(out, mine->seen);
  append_quoted(out, mine->body);
  strcat(out, query ? "</Message></Error></ErrorResponse>"
              : s3  ? "</Message></Error>"
                    : "\"}");
}

static void serve(struct tiny_server *s, int fd, int nth) {
  struct tiny_server *mine = calloc(1, sizeof *mine);
  char body[sizeof padding + sizeof large + 1024];
  pthread_mutex_init(&mine->lock, NULL);
  while (tiny_read(mine, fd)) {
    const struct answer *a = answers, *end = answers + sizeof answers / sizeof *answers;
    while (a < end && !strstr(mine->seen, a->asked) && !strstr(mine->body, a->asked))
      a++;
    bool more = a < end && a->large;
    snprintf(body, sizeof body, a < end ? a->format : "{}", more ? large : padding,
             large);
    bool padded = a < end && strstr(a->format, "%s");
    int now = atomic_load(&mood);
    if (now == QUOTES_ALL || (now == QUOTES_CALLS && a == end)) quote(mine, body);
    bool refuse = now == REFUSES ? a < end : now == QUOTES_CALLS ? a == end : now;
    say(fd, refuse ? 400 : 200, body, padded ? spaces : NULL);
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
           large);
  put_file(".aws/config",
           "[profile base]\naws_access_key_id = AK\naws_secret_access_key = SECRET-base\n"
           "[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\n"
           "mfa_serial = the-device\nexternal_id = external\n"
           "[profile web]\nrole_arn = arn:aws:iam::1:role/r\n"
           "web_identity_token_file = %s/web\n"
           "[profile sso]\nsso_session = c\nsso_account_id = 1\nsso_role_name = r\n"
           "[sso-session c]\nsso_start_url = https://c/\nsso_region = us-east-1\n"
           "[profile old-sso]\nsso_account_id = 1\nsso_role_name = r\n"
           "sso_start_url = https://c/\nsso_region = us-east-1\n"
           "[profile login]\nlogin_session = x\n"
           "[profile program]\ncredential_process = cat %s/program\n"
           "[profile broken]\ncredential_process = sh -c 'cat %s/program; exit 3'\n"
           "# %s\n",
           home, home, home, large);
  put_file("token", "SECRET-web-%s", padding);
  put_file("program",
           "{\"Version\":1,\"AccessKeyId\":\"AK\",\"SecretAccessKey\":"
           "\"SECRET-program\",\"SessionToken\":\"SECRET-program-token%s\"}%s",
           padding, spaces);
  put_file("ec2", "AWSAccessKeyId=AK\nAWSSecretKey=SECRET-ec2\n%s\n", large);
  put_file("boto",
           "[Credentials]\naws_access_key_id = AK\naws_secret_access_key = SECRET-boto\n"
           "# %s\n",
           large);
}

/* Tokens that are to be renewed; what is written in their place is not read again. */
static void set_up_tokens(void) {
  static const char sso[] =
      "{\"accessToken\":\"SECRET-access%s\",\"expiresAt\":\"%s\",\"clientId\":\"id\","
      "\"clientSecret\":\"SECRET-client%s\",\"refreshToken\":\"SECRET-refresh\\/%s\","
      "\"registrationExpiresAt\":\"2099-01-01T00:00:00Z\"}";
  char soon[32];
  put_file("web", "SECRET-web-%s", large);
  time_t then = time(NULL) + 300;
  strftime(soon, sizeof soon, "%Y-%m-%dT%H:%M:%SZ", gmtime(&then));
  put_file(".aws/sso/cache/84a516841ba77a5b4648de2cd0dfcb30ea46dbb4.json", sso, padding,
           soon, large, large);
  put_file(".aws/sso/cache/8decc1ceeaf3514eca63744ec2f30cbcc036b7bc.json", sso, padding,
           "2099-01-01T00:00:00Z", large, large);
  put_file(
      ".aws/login/cache/"
      "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881.json",
      "{\"accessToken\":{\"accessKeyId\":\"AK\",\"secretAccessKey\":\"SECRET-login\","
      "\"sessionToken\":\"SECRET-login-token\",\"accountId\":\"1\",\"expiresAt\":"
      "\"2020-01-01T00:00:00Z\"},\"refreshToken\":\"SECRET-login-refresh\\/%s\","
      "\"clientId\":"
      "\"arn:aws:signin:::devtools/same-device\",\"dpopKey\":\"-----BEGIN EC PRIVATE "
      "KEY-----\\n" PEM_LINE "\\n"
      "AwEHoUQDQgAEfCrEdLg3cN0lMsdpM5xG6ae+KtJQo15YChbWi3gKpbS4noreC/Vc\\n"
      "hyXoLlgM5RC+7fXC42vitMsq7ewv52lFrg==\\n-----END EC PRIVATE KEY-----\\n\"}",
      large);
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

static bool is_broken(size_t i) {
  return strcmp(cases[i].name, "a program that fails") == 0;
}

/* A container is asked three times, with pauses: once is enough of that. */
static bool is_slow(size_t i, int mood_of_all) {
  return mood_of_all == QUOTES_ALL ? strstr(cases[i].name, "a container") != NULL
         : mood_of_all == REFUSES  ? strcmp(cases[i].name, "a container's file") == 0
                                   : false;
}

static void set_up_case(size_t i, int mood_of_all) {
  atomic_store(&mood, mood_of_all);
  set_up_tokens();
  for (int k = 0; k < 4 && cases[i].env[k]; k += 2)
    set_env(cases[i].env[k], cases[i].env[k + 1]);
}

static void end_case(size_t i) {
  for (int k = 0; k < 4 && cases[i].env[k]; k += 2)
    unsetenv(cases[i].env[k]);
  setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
}

static void has_no_secret(const char *name, const char *what, const char *text) {
  if (strstr(text, "SECRET-") || strstr(text, PEM_LINE))
    fail_msg("%s, %s: %s", name, what, text);
}

static void blocks_have_no_secret(int mood_of_all) {
  int blocks = 0, told = 0, asked = 0;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (is_slow(i, mood_of_all) || (mood_of_all == REFUSES && !cases[i].asks)) continue;
    set_up_case(i, mood_of_all);
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
    if (error) has_no_secret(cases[i].name, "the error", error);
    bool fails = mood_of_all != ANSWERS || is_broken(i);
    asked++;
    told += error && strstr(error, "I was told");
    if ((rc == 0) == fails) fail_msg("%s: %d %s", cases[i].name, rc, error ? error : "");
    luaws_free(error);
    end_case(i);
    if (found) print_message("%s: %d blocks\n", cases[i].name, found);
    blocks += found;
  }
  if (mood_of_all == QUOTES_CALLS) assert_int_equal(told, asked - 1);
  if (mood_of_all == QUOTES_ALL) assert_true(told > asked / 2);
  assert_int_equal(blocks, 0);
}

static void of_what_was_given(void **state) {
  blocks_have_no_secret(ANSWERS);
}

static void of_what_was_refused(void **state) {
  blocks_have_no_secret(REFUSES);
}

static void of_what_was_quoted(void **state) {
  large[1000] = 0; /* the peer sees all of it */
  blocks_have_no_secret(QUOTES_CALLS);
  blocks_have_no_secret(QUOTES_ALL);
  large[1000] = 'x';
}

/* ---- what a host of scripts is told ---- */

static char heard[1 << 20];

static void hear(void *arg, int level, const char *part, const char *message) {
  size_t len = strlen(heard);
  snprintf(heard + len, sizeof heard - len, "%s: %s\n", part, message);
}

/* Everything that can be printed of the call whose name and parameters it is given. */
static const char script[] =
    "local aws, cjson = require('luaws'), require('cjson')\n"
    "local service, operation, params = ...\n"
    "local client, said = aws.client(service), {}\n"
    "local function say(value)\n"
    "  said[#said + 1] = tostring(value) .. aws.pretty(value)\n"
    "end\n"
    "for method, name in pairs(client.meta.method_to_api_mapping) do\n"
    "  if name == operation then\n"
    "    local ok, answer = pcall(client[method], client, cjson.decode(params))\n"
    "    say(answer)\n"
    "  end\n"
    "end\n"
    "local session = aws.default_session()\n"
    "say(session) say(session:explain()) say(client)\n"
    "local ok, credentials = pcall(session.get_credentials, session)\n"
    "say(credentials)\n"
    "if ok and credentials then\n"
    "  say(select(2, pcall(credentials.get_frozen_credentials, credentials)))\n"
    "end\n"
    "return table.concat(said, '\\n')\n";

static void a_host_hears_none(void **state) {
  int told = 0;
  large[1000] = 0;
  for (int m = ANSWERS; m <= QUOTES_ALL; m++) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
      if (m == REFUSES || is_slow(i, m)) continue;
      set_up_case(i, m);
      const char *const argv[] = {cases[i].service, cases[i].operation, cases[i].params};
      struct luaws_host_options o = {.region = "us-east-1",
                                     .endpoint_url = peer_url,
                                     .profile = cases[i].profile,
                                     .credentials = cases[i].host ? give_keys : NULL,
                                     .mfa = tell_code,
                                     .log = hear};
      heard[0] = 0;
      struct luaws_host *h = luaws_host_new(&o, NULL);
      assert_non_null(h);
      int rc = luaws_host_run_string(h, script, "=script", 3, argv);
      if (rc) fail_msg("%s: %s", cases[i].name, luaws_host_error(h));
      const char *said = luaws_host_result_string(h, 0, NULL);
      has_no_secret(cases[i].name, "what a script says", said);
      has_no_secret(cases[i].name, "the log", heard);
      assert_true(heard[0]);
      told += strstr(said, "I was told") || strstr(heard, "I was told");
      if (m == QUOTES_CALLS && !is_broken(i) && !strstr(said, "I was told"))
        fail_msg("%s: quotes nothing: %s", cases[i].name, said);
      luaws_host_free(h);
      end_case(i);
    }
  }
  large[1000] = 'x';
  assert_true(told > (int)(sizeof cases / sizeof *cases)); /* when asked for keys, too */
}

static int start(void **state) {
  memset(padding, 'x', sizeof padding - 1);
  memset(large, 'x', sizeof large - 1);
  for (size_t i = 2000; i < sizeof large - 1000; i += 1000)
    memcpy(large + i, "\\/", 2); /* in JSON an escape, which takes a buffer */
  memset(spaces, ' ', sizeof spaces - 1);
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
      cmocka_unit_test(of_what_was_quoted),
      cmocka_unit_test(a_host_hears_none),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
