/* Everything that <luaws.h> offers, in one program:

     cc host.c $(pkg-config --cflags --libs luaws) -lpthread -o host
     ./host http://127.0.0.1:5000          (moto's server, or any other AWS)

   First AWS without Lua, then a host with scripts, then a Lua state of one's own. */
#include <luaws.h>

#include <lauxlib.h>
#include <lualib.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *endpoint;

/* ---- credentials and log, for all of them ---- */

/* Asked when the first request is signed, and again before what it gave expires. A real
   program would look into its vault here. */
static int give_credentials(void *arg, struct luaws_host_credentials *out) {
  ++*(int *)arg;
  out->access_key = "AKIDEXAMPLE";
  out->secret_key = "not-a-real-secret";
  out->session_token = NULL;
  out->account_id = "123456789012";
  out->expiry_s = (int64_t)time(NULL) + 3600;
  return 0;
}

/* Asked when a profile's role wants the code of an MFA device. This program has nobody to
   ask; another would open a window. */
static int ask_mfa_code(void *arg, const char *serial, char *code, size_t code_size) {
  (void)arg, (void)serial, (void)code, (void)code_size;
  return -1;
}

static void count_log(void *arg, int level, const char *part, const char *message) {
  (void)level, (void)part, (void)message; /* or: print them */
  ++*(int *)arg;
}

/* ---- any operation, JSON in and JSON out ---- */

static void call(struct luaws_handle *sqs, const char *operation, const char *params) {
  char *result, *error;
  int rc = luaws_call(sqs, operation, params, &result, &error);
  if (rc == 0)
    printf("%s: it answered, %s\n", operation,
           strstr(result, "QueueUrl") ? "with a queue" : "without a queue");
  else if (rc > 0)
    printf("%s: the service said no: %s\n", operation, error);
  else
    printf("%s: never sent: %.*s\n", operation, (int)strcspn(error, "\n"), error);
  luaws_free(result);
  luaws_free(error);
}

static void without_lua(void) {
  char *error;
  int asked = 0;
  struct luaws_options options = {
      .region = "us-east-1",
      .endpoint_url = endpoint,
      .credentials = give_credentials,
      .credentials_arg = &asked,
      .mfa = ask_mfa_code,
  };
  if (!luaws_open("no-such-service", &options, &error)) {
    printf("open: %.*s\n", (int)strcspn(error, ":"), error);
    luaws_free(error);
  }
  struct luaws_handle *sqs = luaws_open("sqs", &options, &error);
  if (!sqs) {
    fprintf(stderr, "%s\n", error);
    exit(1);
  }
  call(sqs, "CreateQueue", "{\"QueueName\": \"from-c\"}");
  call(sqs, "GetQueueUrl", "{\"QueueName\": \"from-c\"}");
  call(sqs, "GetQueueUrl", "{\"QueueName\": \"missing\"}");
  call(sqs, "GetQueueUrl", "{\"Queue\": \"from-c\"}");
  call(sqs, "GetQueueUrls", NULL);
  luaws_close(sqs);
  printf("credentials: asked for %d time\n", asked);
}

/* ---- a host with scripts ---- */

/* sum(…): what it is called with, added up. Scripts call it by the name under which it is
   registered. */
static const char *sum(struct luaws_host_args *args, void *arg) {
  int64_t whole = 0;
  double total = 0;
  ++*(int *)arg;
  for (int i = 0; i < luaws_host_arg_count(args); i++) {
    if (strcmp(luaws_host_arg_type(args, i), "number") != 0) return "sum adds numbers";
    whole += luaws_host_arg_integer(args, i);
    total += luaws_host_arg_number(args, i);
  }
  luaws_host_push_integer(args, whole);
  luaws_host_push_number(args, total);
  return NULL;
}

/* greet(name, loudly) → text, whether it was loud, nothing */
static const char *greet(struct luaws_host_args *args, void *arg) {
  (void)arg;
  size_t length;
  const char *name = luaws_host_arg_string(args, 0, &length);
  int loudly = luaws_host_arg_boolean(args, 1);
  char text[64];
  int n = snprintf(text, sizeof text, "hello %.*s%s", (int)length, name ? name : "",
                   loudly ? "!" : "");
  luaws_host_push_string(args, text, (size_t)n);
  luaws_host_push_boolean(args, loudly);
  luaws_host_push_nil(args);
  return NULL;
}

static void report(struct luaws_host *host, const char *what) {
  const char *code = luaws_host_error_code(host);
  printf("%s: %s%s%s: %s\n", what, luaws_host_error_kind(host), code ? " " : "",
         code ? code : "", luaws_host_error(host));
}

/* What a script returned, each by its type. */
static void show_results(struct luaws_host *host) {
  for (int i = 0; i < luaws_host_result_count(host); i++) {
    const char *type = luaws_host_result_type(host, i);
    size_t length;
    printf("  %s: ", type);
    if (strcmp(type, "boolean") == 0)
      printf("%s\n", luaws_host_result_boolean(host, i) ? "true" : "false");
    else if (strcmp(type, "number") == 0)
      printf("%lld, or %g\n", (long long)luaws_host_result_integer(host, i),
             luaws_host_result_number(host, i));
    else if (strcmp(type, "string") == 0) {
      const char *text = luaws_host_result_string(host, i, &length);
      printf("%s (%zu bytes)\n", text, length);
    } else
      printf("%s\n", luaws_host_result_json(host, i));
  }
}

static void run_scripts(struct luaws_host *host) {
  static const char script[] =
      "local aws = require 'luaws'\n"
      "local s3 = aws.client('s3')\n"
      "s3:create_bucket{ Bucket = ... }\n"
      "s3:put_object{ Bucket = ..., Key = 'greeting', Body = (greet('world', true)) }\n"
      "local body = s3:get_object{ Bucket = ..., Key = 'greeting' }.Body:read('a')\n"
      "local keys = {}\n"
      "for i, object in ipairs(s3:list_objects_v2{ Bucket = arg[1] }.Contents) do\n"
      "  keys[i] = object.Key\n"
      "end\n"
      "return true, sum(1, 2), body, keys, nil\n";
  const char *const arguments[] = {"a-bucket"};
  if (luaws_host_run_string(host, script, "=bucket", 1, arguments) == 0) {
    printf("the script returned\n");
    show_results(host);
  } else {
    report(host, "the script");
  }
  /* What can go wrong. The host is as good as before after each. */
  luaws_host_run_string(host, "return 1 +", "=broken", 0, NULL);
  report(host, "syntax");
  luaws_host_run_string(host, "sum('x')", "=script", 0, NULL);
  report(host, "raised from C");
  luaws_host_run_string(host,
                        "require('luaws').client('s3'):get_object{ Bucket = "
                        "'a-bucket', Key = 'missing' }",
                        "=script", 0, NULL);
  report(host, "from the service");
  luaws_host_run_string(host, "return io.open('/etc/passwd')", "=script", 0, NULL);
  report(host, "not allowed");
  luaws_host_run_string(host, "return string.rep('x', 1 << 30)", "=script", 0, NULL);
  report(host, "too large");
  luaws_host_run_string(host, "while true do end", "=script", 0, NULL);
  report(host, "too long");
}

static void run_file(struct luaws_host *host) {
  char path[] = "/tmp/luaws-example-XXXXXX";
  int fd = mkstemp(path);
  if (fd < 0 || dprintf(fd, "return 'from a file', #arg") < 0) return;
  close(fd);
  if (luaws_host_run_file(host, path, 0, NULL) == 0)
    printf("the file says: %s\n", luaws_host_result_string(host, 0, NULL));
  unlink(path);
}

static void *interrupt_it(void *host) {
  usleep(50 * 1000);
  luaws_host_interrupt(host);
  return NULL;
}

static void interrupt(struct luaws_host *host) {
  pthread_t thread;
  pthread_create(&thread, NULL, interrupt_it, host);
  luaws_host_run_string(host, "require('luaws').async.sleep(100)", "=script", 0, NULL);
  pthread_join(thread, NULL);
  report(host, "from another thread");
}

/* Two scripts, each in a host of its own, driven by one loop of ours: another script runs
   whenever one waits. */
static void step(struct luaws_host *hosts[2], const char *path) {
  int left = 2, goes_on[2] = {1, 1};
  for (int i = 0; i < 2; i++) {
    int rc =
        i == 0
            ? luaws_host_start_string(hosts[i],
                                      "local aws = require 'luaws' aws.async.sleep(0.02) "
                                      "return #aws.client('sqs'):list_queues{}.QueueUrls",
                                      "=stepped", 0, NULL)
            : luaws_host_start_file(hosts[i], path, 0, NULL);
    if (rc) goes_on[i] = 0, left--;
  }
  while (left) {
    struct pollfd fds[2];
    int timeout_ms = -1;
    for (int i = 0; i < 2; i++) {
      fds[i].fd = goes_on[i] ? luaws_host_fd(hosts[i]) : -1;
      fds[i].events = POLLIN;
      int t = goes_on[i] ? luaws_host_timeout_ms(hosts[i]) : -1;
      if (t >= 0 && (timeout_ms < 0 || t < timeout_ms)) timeout_ms = t;
    }
    poll(fds, 2, timeout_ms);
    for (int i = 0; i < 2; i++) {
      if (!goes_on[i] || luaws_host_step(hosts[i]) == 1) continue;
      goes_on[i] = 0;
      left--;
    }
  }
  for (int i = 0; i < 2; i++)
    printf("stepped: %lld\n", (long long)luaws_host_result_integer(hosts[i], 0));
}

static void step_two(struct luaws_host *first) {
  char path[] = "/tmp/luaws-example-XXXXXX", *error;
  int fd = mkstemp(path);
  if (fd < 0 || dprintf(fd, "require('luaws').async.sleep(0.01) return 7") < 0) return;
  close(fd);
  struct luaws_host *hosts[2] = {first, luaws_host_new(NULL, &error)};
  if (hosts[1])
    step(hosts, path);
  else
    luaws_free(error);
  luaws_host_free(hosts[1]);
  unlink(path);
}

static void with_scripts(void) {
  char *error;
  int asked = 0, logged = 0, sums = 0;
  struct luaws_host_options options = {
      .region = "us-east-1",
      .profile = NULL, /* of ~/.aws/config */
      .endpoint_url = endpoint,
      .credentials = give_credentials,
      .credentials_arg = &asked,
      .mfa = ask_mfa_code,
      .log = count_log,
      .log_arg = &logged,
      .memory_limit_bytes = 32 * 1024 * 1024,
      .time_limit_ms = 2000,
      .libraries = LUAWS_HOST_SAFE,
  };
  struct luaws_host *host = luaws_host_new(&options, &error);
  if (!host) {
    fprintf(stderr, "%s\n", error);
    luaws_free(error);
    exit(1);
  }
  luaws_host_register(host, "sum", sum, &sums);
  luaws_host_register(host, "greet", greet, NULL);
  run_scripts(host);
  run_file(host);
  interrupt(host);
  step_two(host);
  printf("credentials: asked for %d time; log: %s; sum: called %d times\n", asked,
         logged > 0 ? "heard" : "silent", sums);
  luaws_host_free(host);
}

/* ---- a Lua state of one's own ---- */

static void *interrupt_state(void *interrupt) {
  usleep(50 * 1000);
  luaws_interrupt(interrupt);
  return NULL;
}

static void with_a_lua_of_our_own(void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  luaL_requiref(L, "luaws", luaopen_luaws, 1);
  lua_pop(L, 1);
  struct luaws_interrupt *interrupt = luaws_interrupt_of(L);
  pthread_t thread;
  pthread_create(&thread, NULL, interrupt_state, interrupt);
  if (luaL_dostring(L, "luaws.async.sleep(100)"))
    printf("our own: %s\n", luaL_tolstring(L, -1, NULL));
  pthread_join(thread, NULL);
  luaws_interrupt(interrupt);       /* nobody waits … */
  luaws_interrupt_clear(interrupt); /* … and now nobody will be interrupted by it */
  /* Which task of the state runs just now; a signal handler would set a hook there. */
  if (!luaws_interrupt_task(interrupt)) printf("our own: no task runs\n");
  if (luaL_dostring(L, "luaws.async.sleep(0.001) return luaws.version") == LUA_OK)
    printf("our own: luaws %s\n",
           strcmp(lua_tostring(L, -1), luaws_version()) == 0 ? "as it should be" : "?");
  lua_close(L);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: host ENDPOINT-URL\n");
    return 2;
  }
  endpoint = argv[1];
  without_lua();
  with_scripts();
  with_a_lua_of_our_own();
  return 0;
}
