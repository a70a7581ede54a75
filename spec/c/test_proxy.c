/* Which proxy: decided by botocore in spec/fixtures/proxy.tsv. How it is spoken to, and
   TLS: with servers of this test's own. */
#include "http_client.h"
#include "tiny_server.h"

#include "http/proxy.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void chooses_proxies_as_botocore_does(void **state) {
  FILE *file = fopen(LUAWS_SPEC_DIR "/fixtures/proxy.tsv", "r");
  assert_non_null(file);
  char text[1024];
  int line = 0;
  while (fgets(text, sizeof text, file)) {
    char *f[6], *rest = text, *environment[16] = {0}, *next;
    text[strcspn(text, "\n")] = 0;
    line++;
    for (int i = 0; i < 6; i++)
      assert_non_null(f[i] = strsep(&rest, "\t"));
    int n = 0;
    for (char *e = f[0]; (next = strsep(&e, ";"));)
      environment[n++] = next;
    struct luaws_proxy_settings s;
    assert_true(luaws_proxy_settings_init(&s, NULL, NULL, environment));
    const struct luaws_proxy *p =
        luaws_proxy_for(&s, luaws_str_from(f[1]), luaws_str_from(f[2]));
    char auth[100] = "-";
    if (p && p->username.ptr)
      snprintf(auth, sizeof auth, "%.*s:%.*s", LUAWS_STR_ARG(p->username),
               LUAWS_STR_ARG(p->password));
    if (!luaws_str_is(p ? p->url : LUAWS_STR("-"), f[3]) || strcmp(auth, f[4]) != 0 ||
        !luaws_str_is(p ? p->masked : LUAWS_STR("-"), f[5]))
      fail_msg("line %d: '%s' auth '%s' masked '%s'", line, p ? p->url.ptr : "-", auth,
               p ? p->masked.ptr : "-");
    luaws_proxy_settings_clear(&s);
  }
  fclose(file);
  assert_true(line > 500);
}

static void given_proxies_are_used_whatever_the_environment_says(void **state) {
  char *environment[] = {"http_proxy=http://env:1", "https_proxy=http://env:1",
                         "no_proxy=*", NULL};
  struct luaws_proxy_settings s;
  assert_true(luaws_proxy_settings_init(&s, "given:8080", "", environment));
  const struct luaws_proxy *p = luaws_proxy_for(&s, LUAWS_STR("http"), LUAWS_STR("h"));
  assert_str(p->url, "http://given:8080");
  assert_null(luaws_proxy_for(&s, LUAWS_STR("https"), LUAWS_STR("h")));
  luaws_proxy_settings_clear(&s);
}

static void serve_ok(struct tiny_server *s, int fd, int nth) {
  while (tiny_read(s, fd))
    tiny_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static void serve_text(struct tiny_server *s, int fd, int nth) {
  if (tiny_read(s, fd)) tiny_say(fd, s->arg);
}

static void http_goes_through_a_proxy_by_its_whole_url(void **state) {
  struct tiny_server s;
  struct client c;
  char proxy[100];
  tiny_server_start(&s, serve_ok, NULL);
  snprintf(proxy, sizeof proxy, "us%%40er:pa:ss@127.0.0.1:%d", s.port);
  client_start(&c, (struct luaws_pool_options){.verify = true, .proxy_http = proxy});
  client_request(&c, "GET", "http", 1, "/a/../b?x=1");
  c.request.host = LUAWS_STR("service.invalid");
  assert_int_equal(client_send(&c), 0);
  assert_true(strncmp(s.seen, "GET http://service.invalid/a/../b?x=1 HTTP/1.1\r\n", 48) ==
              0);
  assert_string_equal(tiny_header(&s, "Host"), "service.invalid");
  assert_string_equal(tiny_header(&s, "Proxy-Authorization"), "Basic dXNAZXI6cGE6c3M=");
  assert_null(tiny_header(&s, "Proxy-Connection"));
  client_request(&c, "GET", "http", 1, "/\xc3\xa9?x=\xff");
  c.request.host = LUAWS_STR("service.invalid:81");
  assert_int_equal(client_send(&c), 0);
  assert_true(strncmp(s.seen,
                      "GET http://service.invalid:81/\xc3\xa9?x=\xff HTTP/1.1\r\n",
                      46) == 0);
  client_stop(&c);
  tiny_server_stop(&s);
}

static void https_asks_the_proxy_for_a_tunnel(void **state) {
  struct tiny_server s;
  struct client c;
  char proxy[100], expected[100];
  tiny_server_start(&s, serve_text,
                    "HTTP/1.1 407 No\r\nContent-Length: 0\r\nProxy-Authenticate: Basic "
                    "realm=x\r\n\r\n");
  snprintf(proxy, sizeof proxy, "http://user:secret@127.0.0.1:%d", s.port);
  client_start(&c, (struct luaws_pool_options){.verify = true, .proxy_https = proxy});
  client_request(&c, "GET", "https", 1, "/");
  client_header(&c, "Authorization", "not the proxy's business");
  c.request.host = LUAWS_STR("service.invalid");
  assert_int_equal(client_send(&c), LUAWS_E_CONNECT);
  assert_string_equal(c.err.kind, "ProxyConnectionError");
  snprintf(expected, sizeof expected,
           "Failed to connect to proxy URL: \"http://***:***@127.0.0.1:%d\"", s.port);
  assert_string_equal(c.err.message, expected);
  assert_true(strncmp(s.seen, "CONNECT service.invalid:443 HTTP/1.1\r\n", 38) == 0);
  assert_string_equal(tiny_header(&s, "Proxy-Authorization"), "Basic dXNlcjpzZWNyZXQ=");
  assert_null(tiny_header(&s, "Authorization"));
  tiny_server_stop(&s);
  for (int i = 0; i < 2; i++) { /* nobody listens there any more */
    client_request(&c, "GET", "https", 1, "/");
    c.request.host = LUAWS_STR("service.invalid");
    assert_int_equal(client_send(&c), LUAWS_E_CONNECT);
    assert_string_equal(c.err.kind, "ProxyConnectionError");
  }
  client_stop(&c);
}

/* ---- TLS, with nginx and certificates made now ---- */

static struct {
  char folder[64];
  pid_t nginx;
  int port, h2_port, mutual_port;
} tls;

static void run(const char *fmt, ...) {
  char command[2048];
  va_list args;
  va_start(args, fmt);
  vsnprintf(command, sizeof command, fmt, args);
  va_end(args);
  if (system(command) != 0) {
    fprintf(stderr, "failed: %s\n", command);
    abort();
  }
}

/* A socket that listens on a port of ours; nginx gets it, so that nobody else takes the
   port in between. */
static int listener(int *port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  if (bind(fd, (struct sockaddr *)&a, len) || listen(fd, 128) ||
      getsockname(fd, (struct sockaddr *)&a, &len))
    abort();
  *port = ntohs(a.sin_port);
  return fd;
}

static const char *in_folder(const char *name) {
  static char paths[4][128];
  static int n;
  char *p = paths[n++ % 4];
  snprintf(p, sizeof paths[0], "%s/%s", tls.folder, name);
  return p;
}

static int start_nginx(void **state) {
  strcpy(tls.folder, "/tmp/luaws-spec-XXXXXX");
  if (!mkdtemp(tls.folder)) return -1;
  const char *d = tls.folder;
  run("cd %s && mkdir certs && openssl req -x509 -newkey ec -pkeyopt "
      "ec_paramgen_curve:P-256"
      " -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=luaws-spec"
      " -addext subjectAltName=IP:127.0.0.1 2>/dev/null"
      " && cp cert.pem certs/ && openssl rehash certs && cat cert.pem key.pem > both.pem",
      d);
  int fds[] = {listener(&tls.port), listener(&tls.h2_port), listener(&tls.mutual_port)};
  FILE *f = fopen(in_folder("nginx.conf"), "w");
  fprintf(f,
          "daemon off; pid %s/pid; error_log %s/log; events {} http { access_log off;\n",
          d, d);
  static const char *const kinds[] = {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"};
  for (int i = 0; i < 5; i++)
    fprintf(f, "%s_temp_path %s/%s;\n", kinds[i], d, kinds[i]);
  fprintf(f,
          "ssl_certificate %s/cert.pem; ssl_certificate_key %s/key.pem; "
          "client_max_body_size 0;\n",
          d, d);
  fprintf(f,
          "server { listen 127.0.0.1:%d ssl; location / { return 200 \"$request_uri "
          "$server_protocol\"; } }\n",
          tls.port);
  fprintf(f,
          "server { listen 127.0.0.1:%d ssl http2; location / { return 200 "
          "\"$request_uri $server_protocol\"; }\n"
          " location /big { alias %s/big; } location /put { proxy_pass "
          "http://127.0.0.1:%d/sink; } }\n",
          tls.h2_port, d, tls.port);
  fprintf(f,
          "server { listen 127.0.0.1:%d ssl; ssl_verify_client on; "
          "ssl_client_certificate %s/cert.pem;\n"
          " location / { return 200 \"$ssl_client_verify\"; } } }\n",
          tls.mutual_port, d);
  fclose(f);
  f = fopen(in_folder("big"), "w");
  for (int i = 0; i < 200000; i++)
    fprintf(f, "%019d\n", i);
  fclose(f);
  chmod(d, 0755); /* for nginx, which is nobody where we are root, whatever the umask */
  chmod(in_folder("big"), 0644);
  tls.nginx = fork();
  if (tls.nginx == 0) {
    /* As one nginx hands them to the next that takes over from it. */
    char inherited[64];
    snprintf(inherited, sizeof inherited, "%d;%d;%d;", fds[0], fds[1], fds[2]);
    setenv("NGINX", inherited, 1);
    execlp("nginx", "nginx", "-p", d, "-e", in_folder("log"), "-c",
           in_folder("nginx.conf"), (char *)NULL);
    _exit(127);
  }
  for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
    close(fds[i]);
  return 0;
}

static int stop_nginx(void **state) {
  kill(tls.nginx, SIGTERM);
  waitpid(tls.nginx, NULL, 0);
  run("rm -r %s", tls.folder);
  return 0;
}

static void certificates_are_verified_against_what_was_given(void **state) {
  const struct {
    bool verify;
    const char *ca_bundle;
    bool good;
  } cases[] = {
      {true, NULL, false},
      {false, NULL, true},
      {true, in_folder("cert.pem"), true},
      {true, in_folder("certs"), true},
      {true, in_folder("missing.pem"), false},
  };
  char url[64];
  snprintf(url, sizeof url, "SSL validation failed for https://127.0.0.1:%d/a ",
           tls.port);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct client c;
    client_start(&c, (struct luaws_pool_options){.verify = cases[i].verify,
                                                 .ca_bundle = cases[i].ca_bundle});
    for (int k = 0; k < 2; k++) {
      client_request(&c, "GET", "https", tls.port, "/a?secret");
      int rc = client_send(&c);
      assert_int_equal(rc, cases[i].good ? 0 : LUAWS_E_TLS);
      if (rc) {
        assert_string_equal(c.err.kind, "SSLError");
        assert_true(strncmp(c.err.message, url, strlen(url)) == 0);
      } else {
        assert_str(c.response->body, "/a?secret HTTP/1.1");
      }
    }
    client_stop(&c);
  }
}

static void names_are_verified_too(void **state) {
  struct client c;
  client_start(&c, (struct luaws_pool_options){.verify = true,
                                               .ca_bundle = in_folder("cert.pem")});
  client_request(&c, "GET", "https", tls.port, "/");
  char host[32];
  snprintf(host, sizeof host, "localhost:%d", tls.port);
  c.request.host = luaws_str_from(host);
  assert_int_equal(client_send(&c), LUAWS_E_TLS);
  client_stop(&c);
}

static void client_certificates_are_shown(void **state) {
  for (int i = 0; i < 3; i++) {
    struct client c;
    client_start(&c, (struct luaws_pool_options){
                         .verify = true,
                         .ca_bundle = in_folder("cert.pem"),
                         .client_cert =
                             i == 0 ? NULL : in_folder(i == 1 ? "both.pem" : "cert.pem"),
                         .client_key = i == 2 ? in_folder("key.pem") : NULL});
    client_request(&c, "GET", "https", tls.mutual_port, "/");
    assert_int_equal(client_send(&c), 0);
    assert_int_equal(c.response->status, i ? 200 : 400);
    if (i) assert_str(c.response->body, "SUCCESS");
    client_stop(&c);
  }
}

static void http2_is_spoken_where_it_is_offered(void **state) {
  struct client c;
  client_start(
      &c, (struct luaws_pool_options){.verify = true, .ca_bundle = in_folder("certs")});
  for (int i = 0; i < 3; i++) {
    client_request(&c, "GET", "https", tls.h2_port, "/a/../b?x=%20");
    client_header(&c, "X-Upper", "1");
    assert_int_equal(client_send(&c), 0);
    assert_str(c.response->body, "/a/../b?x=%20 HTTP/2.0");
    assert_str(client_response_header(&c, "content-length"), "22");
  }
  client_stop(&c);
}

static void many_http2_requests_run_at_once(void **state) {
  enum { COUNT = 100 };
  struct client c;
  struct luaws_exchange *x[COUNT];
  client_start(
      &c, (struct luaws_pool_options){.verify = true, .ca_bundle = in_folder("certs")});
  client_request(&c, "POST", "https", tls.h2_port, "/put");
  client_body(&c, "0123456789", 10);
  for (int i = 0; i < COUNT; i++)
    assert_int_equal(luaws_exchange_start(c.pool, &c.request, &c.options, &x[i], &c.err),
                     0);
  for (int i = 0; i < COUNT; i += 7) { /* some are not wanted any more */
    luaws_exchange_free(x[i]);
    x[i] = NULL;
  }
  while (luaws_loop_busy(c.loop))
    assert_true(luaws_loop_turn(c.loop, 5000, &c.err) > 0);
  for (int i = 0; i < COUNT; i++) {
    if (!x[i]) continue;
    assert_int_equal(luaws_exchange_result(x[i], &c.response, &c.err), 0);
    luaws_exchange_free(x[i]);
  }
  client_stop(&c);
}

static void http2_streams_wait_for_their_reader(void **state) {
  struct client c;
  client_start(&c, (struct luaws_pool_options){.verify = true,
                                               .ca_bundle = in_folder("certs"),
                                               .read_timeout_ms = 1500});
  c.options.stream = true;
  for (int pause = 0; pause < 2; pause++) {
    client_request(&c, "GET", "https", tls.h2_port, "/big");
    assert_int_equal(client_send(&c), 0);
    int64_t until = luaws_monotonic_ms() + (pause ? 1900 : 0);
    while (luaws_monotonic_ms() < until)
      luaws_loop_turn(c.loop, 50, NULL);
    struct luaws_buf got = {0};
    assert_int_equal(client_read_all(&c, &got), 0);
    assert_int_equal(got.len, 4000000);
    for (int i = 0; i < 200000; i += 997)
      assert_int_equal(atoi(got.ptr + i * 20), i);
    luaws_buf_clear(&got);
  }
  client_stop(&c);
}

static ptrdiff_t read_zeros(void *owner, char *dst, size_t max, struct luaws_error *err) {
  int *left = owner;
  size_t n = (size_t)*left < max ? (size_t)*left : max;
  memset(dst, '0', n);
  *left -= (int)n;
  return (ptrdiff_t)n;
}

static void tls_carries_bodies_of_every_kind(void **state) {
  struct client c;
  char *text = calloc(1, 1000000);
  client_start(
      &c, (struct luaws_pool_options){.verify = true, .ca_bundle = in_folder("certs")});
  for (int i = 0; i < 8; i++) {
    int left = 1000000;
    client_request(&c, "PUT", "https", i % 2 ? tls.port : tls.h2_port,
                   i % 2 ? "/x" : "/put");
    client_body(&c, text, i < 2 ? 30000 : 1000000);
    if (i >= 4)
      c.request.body = (struct luaws_stream){.kind = LUAWS_STREAM_FUNCTION,
                                             .read = read_zeros,
                                             .owner = &left,
                                             .length = i < 6 ? 1000000 : -1};
    assert_int_equal(client_send(&c), 0);
    assert_true(c.response->status > 0);
    if (i >= 4 && i % 2 == 0) assert_int_equal(left, 0);
  }
  free(text);
  client_stop(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(chooses_proxies_as_botocore_does),
      cmocka_unit_test(given_proxies_are_used_whatever_the_environment_says),
      cmocka_unit_test(http_goes_through_a_proxy_by_its_whole_url),
      cmocka_unit_test(https_asks_the_proxy_for_a_tunnel),
      cmocka_unit_test(certificates_are_verified_against_what_was_given),
      cmocka_unit_test(names_are_verified_too),
      cmocka_unit_test(client_certificates_are_shown),
      cmocka_unit_test(http2_is_spoken_where_it_is_offered),
      cmocka_unit_test(many_http2_requests_run_at_once),
      cmocka_unit_test(http2_streams_wait_for_their_reader),
      cmocka_unit_test(tls_carries_bodies_of_every_kind),
  };
  return cmocka_run_group_tests(tests, start_nginx, stop_nginx);
}
