/* The addresses that AWS gives to what hands out credentials, which no machine has but
   theirs. The kernel is asked to connect to a server of this test in their place; all
   else is as it is there. */
#include "credentials/chain.h"
#include "http/http.h"
#include "tiny_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dlfcn.h>
#include <sys/syscall.h>
#include <cmocka.h>

static struct tiny_server server;
static char asked[INET6_ADDRSTRLEN + 8]; /* where somebody wanted to connect to */

/* In place of the C library's, for libcurl too, which finds it as it is visible. */
__attribute__((visibility("default"))) int connect(int fd, const struct sockaddr *address,
                                                   socklen_t len) {
  char host[INET6_ADDRSTRLEN] = "";
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  if (address->sa_family == AF_INET) {
    memcpy(&v4, address, sizeof v4);
    inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
    snprintf(asked, sizeof asked, "%s:%d", host, ntohs(v4.sin_port));
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v4.sin_port = htons((in_port_t)server.port);
    address = (struct sockaddr *)&v4;
  } else if (address->sa_family == AF_INET6) {
    memcpy(&v6, address, sizeof v6);
    inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
    snprintf(asked, sizeof asked, "[%s]:%d", host, ntohs(v6.sin6_port));
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &v6.sin6_addr);
    v6.sin6_port = htons((in_port_t)server.port);
    address = (struct sockaddr *)&v6;
  }
  return (int)syscall(SYS_connect, fd, address, len);
}

/* ---- who answers ---- */

static const char keys[] =
    "{\"AccessKeyId\":\"AK\",\"SecretAccessKey\":\"hush\",\"Token\":\"hushhush\","
    "\"Expiration\":\"2099-01-01T00:00:00Z\"}";

static void serve(struct tiny_server *s, int fd, int nth) {
  while (tiny_read_head(s, fd)) {
    char answer[512];
    const char *body = strstr(s->seen, "/api/token")                    ? "the-token"
                       : strstr(s->seen, "/security-credentials/ HTTP") ? "the-role"
                                                                        : keys;
    snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    tiny_say(fd, answer);
  }
}

/* ---- who asks ---- */

static const char *const *variables; /* name, value, ..., NULL */

static const char *get_variable(void *arg, const char *name) {
  for (const char *const *v = variables; v[0]; v += 2) {
    if (strcmp(v[0], name) == 0) return v[1];
  }
  return strcmp(name, "HOME") == 0 ? "/nonexistent" : NULL;
}

static void woken(void *arg) {
}

/* The answer of one provider, in an environment. */
static int ask(const struct luaws_provider *provider, const char *const *env,
               struct luaws_error *err) {
  struct luaws_settings_options o = {.getenv = get_variable};
  struct luaws_provider_context context = {0};
  struct luaws_chain_waiter waiter = {.wake = woken};
  struct luaws_credentials *found = NULL;
  variables = env;
  asked[0] = 0;
  assert_int_equal(luaws_settings_new(&o, &context.settings, NULL), 0);
  assert_int_equal(luaws_loop_new(&context.loop, NULL), 0);
  struct luaws_chain *chain = luaws_chain_new_single(&context, provider);
  int answer;
  while ((answer = luaws_chain_get(chain, &waiter, &found, err)) == LUAWS_PENDING)
    luaws_loop_turn(context.loop, -1, NULL);
  if (answer == LUAWS_FOUND) assert_true(luaws_str_is(found->access_key, "AK"));
  luaws_credentials_release(found);
  luaws_chain_free(chain);
  luaws_loop_free(context.loop);
  luaws_settings_free(context.settings);
  return answer;
}

#define RELATIVE "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
#define FULL "AWS_CONTAINER_CREDENTIALS_FULL_URI"
#define ENDPOINT "AWS_EC2_METADATA_SERVICE_ENDPOINT"
#define MODE "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"

static void are_asked(void **state) {
  static const struct {
    const struct luaws_provider *provider;
    const char *env[6];
    const char *address, *request, *host;
  } cases[] = {
      {&luaws_provider_container,
       {RELATIVE, "/v2/credentials/a?b=c"},
       "169.254.170.2:80",
       "GET /v2/credentials/a?b=c HTTP/1.1\r\n",
       "169.254.170.2"},
      {&luaws_provider_container,
       {RELATIVE, "/mine", FULL, "http://169.254.170.23/not-this"},
       "169.254.170.2:80",
       "GET /mine HTTP/1.1\r\n",
       "169.254.170.2"},
      {&luaws_provider_container,
       {FULL, "http://169.254.170.2/full"},
       "169.254.170.2:80",
       "GET /full HTTP/1.1\r\n",
       "169.254.170.2"},
      {&luaws_provider_container,
       {FULL, "http://169.254.170.23/v1/credentials"},
       "169.254.170.23:80",
       "GET /v1/credentials HTTP/1.1\r\n",
       "169.254.170.23"},
      {&luaws_provider_container,
       {FULL, "http://[fd00:ec2::23]/v1/credentials"},
       "[fd00:ec2::23]:80",
       "GET /v1/credentials HTTP/1.1\r\n",
       "[fd00:ec2::23]"},
      {&luaws_provider_container,
       {FULL, "http://[FD00:EC2::23]:8080/v1"},
       "[fd00:ec2::23]:8080",
       "GET /v1 HTTP/1.1\r\n",
       "[FD00:EC2::23]:8080"},
      {&luaws_provider_container,
       {FULL, "http://127.1.2.3:99/x"},
       "127.1.2.3:99",
       "GET /x HTTP/1.1\r\n",
       "127.1.2.3:99"},
      {&luaws_provider_container,
       {FULL, "http://[::1]:81/x"},
       "[::1]:81",
       "GET /x HTTP/1.1\r\n",
       "[::1]:81"},
      {&luaws_provider_instance,
       {NULL},
       "169.254.169.254:80",
       "GET /latest/meta-data/iam/security-credentials/the-role HTTP/1.1\r\n",
       "169.254.169.254"},
      {&luaws_provider_instance,
       {MODE, "IPv4"},
       "169.254.169.254:80",
       "GET /latest/meta-data/iam/security-credentials/the-role HTTP/1.1\r\n",
       "169.254.169.254"},
      {&luaws_provider_instance,
       {MODE, "IPv6"},
       "[fd00:ec2::254]:80",
       "GET /latest/meta-data/iam/security-credentials/the-role HTTP/1.1\r\n",
       "[fd00:ec2::254]"},
      {&luaws_provider_instance,
       {"AWS_IMDS_USE_IPV6", "true"},
       "[fd00:ec2::254]:80",
       "GET /latest/meta-data/iam/security-credentials/the-role HTTP/1.1\r\n",
       "[fd00:ec2::254]"},
      {&luaws_provider_instance,
       {"AWS_IMDS_USE_IPV6", "true", MODE, "ipv4"},
       "169.254.169.254:80",
       "GET /latest/meta-data/iam/security-credentials/the-role HTTP/1.1\r\n",
       "169.254.169.254"},
      {&luaws_provider_instance,
       {ENDPOINT, "http://10.0.0.1/imds", MODE, "ipv6"},
       "10.0.0.1:80",
       "GET /imds/latest/meta-data/iam/security-credentials/the-role HTTP/1.1\r\n",
       "10.0.0.1"},
      {&luaws_provider_instance,
       {ENDPOINT, "http://[fd00:ec2::1]:8080", MODE, "ipv4"},
       "[fd00:ec2::1]:8080",
       "GET /latest/meta-data/iam/security-credentials/the-role HTTP/1.1\r\n",
       "[fd00:ec2::1]:8080"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct luaws_error err = {0};
    int answer = ask(cases[i].provider, cases[i].env, &err);
    if (answer != LUAWS_FOUND) print_error("%zu: %s\n", i, luaws_error_message(&err));
    assert_int_equal(answer, LUAWS_FOUND);
    assert_string_equal(asked, cases[i].address);
    assert_memory_equal(server.seen, cases[i].request, strlen(cases[i].request));
    assert_string_equal(tiny_header(&server, "Host"), cases[i].host);
  }
}

static void others_are_not(void **state) {
  static const char *const cases[] = {
      "http://169.254.170.1/",   "http://169.254.170.24/", "http://[fd00:ec2::254]/",
      "http://[fd00:ec2::2:3]/", "http://8.8.8.8/",        "http://169.254.169.254/",
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct luaws_error err = {0};
    assert_int_equal(
        ask(&luaws_provider_container, (const char *[]){FULL, cases[i], NULL}, &err),
        LUAWS_E_CONFIG);
    assert_string_equal(err.kind, "ValueError");
    assert_string_equal(asked, "");
    luaws_error_clear(&err);
  }
}

/* Nobody else is to be asked, whatever goes wrong here. */
static int start_server(void **state) {
  if (dlsym(RTLD_DEFAULT, "connect") != (void *)connect) return -1;
  unsetenv("http_proxy");
  tiny_server_start(&server, serve, NULL);
  return 0;
}

static int stop_server(void **state) {
  tiny_server_stop(&server);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(are_asked),
      cmocka_unit_test(others_are_not),
  };
  return cmocka_run_group_tests(tests, start_server, stop_server);
}
