/* A server for the host specs that speaks a little SQS, KMS and S3. What it does depends
   on the operation that is asked for. */
#ifndef LUAWS_SPEC_HOST_PEER_H
#define LUAWS_SPEC_HOST_PEER_H

#include <netinet/tcp.h>

#include "tiny_server.h"

static struct tiny_server peer;
static char peer_url[64];

static void peer_answer(int fd, int status, const char *body, size_t len) {
  char head[256];
  snprintf(head, sizeof head,
           "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nx-amzn-RequestId: r-1\r\n"
           "Content-Type: application/x-amz-json-1.0\r\n\r\n",
           status, len);
  tiny_say(fd, head);
  tiny_send(fd, body, len);
}

static void peer_answer_text(int fd, int status, const char *body) {
  peer_answer(fd, status, body, strlen(body));
}

/* Tags, about as many bytes as are asked for. */
static void peer_answer_large(int fd, size_t bytes) {
  char *body = malloc(bytes + 64);
  size_t len = (size_t)sprintf(body, "{\"Tags\":{");
  for (int i = 0; len < bytes; i++)
    len += (size_t)sprintf(body + len, "%s\"k%d\":\"v%d\"", i ? "," : "", i, i);
  len += (size_t)sprintf(body + len, "}}");
  peer_answer(fd, 200, body, len);
  free(body);
}

/* A role's credentials, for whoever has the right MFA code. */
static void peer_answer_role(int fd, const char *form) {
  if (strstr(form, "SerialNumber=the-device") && strstr(form, "TokenCode=123456"))
    peer_answer_text(
        fd, 200,
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><SessionToken>tok"
        "</SessionToken><SecretAccessKey>s</SecretAccessKey><AccessKeyId>AKID-ROLE"
        "</AccessKeyId><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
        "</AssumeRoleResult></AssumeRoleResponse>");
  else
    peer_answer_text(fd, 403,
                     "<ErrorResponse><Error><Code>AccessDenied</Code></Error>"
                     "</ErrorResponse>");
}

/* A file with a profile; its name is for the caller to remove. */
static inline void peer_write_config(char name[32], const char *text) {
  strcpy(name, "/tmp/luaws-host-XXXXXX");
  int fd = mkstemp(name);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), strlen(text));
  close(fd);
  setenv("AWS_CONFIG_FILE", name, 1);
}

static inline void peer_remove_config(const char *name) {
  unlink(name);
  setenv("AWS_CONFIG_FILE", "/dev/null", 1);
}

static const char peer_mfa_profile[] =
    "[profile m]\nrole_arn = arn:aws:iam::1:role/m\nsource_profile = base\n"
    "mfa_serial = the-device\nregion = us-east-1\n"
    "[profile base]\naws_access_key_id = AKID-BASE\naws_secret_access_key = s\n";

/* Somebody with such a device; arg counts how often they were asked. */
static inline int peer_tell_code(void *arg, const char *serial, char *code, size_t size) {
  ++*(int *)arg;
  if (*(int *)arg > 100) return -1;
  assert_string_equal(serial, "the-device");
  snprintf(code, size, "123456\n");
  return 0;
}

static void peer_serve(struct tiny_server *s, int fd, int nth) {
  char target[128];
  int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  /* Connections of several threads: each reads for itself, the last is kept for specs. */
  struct tiny_server *mine = calloc(1, sizeof *mine);
  pthread_mutex_init(&mine->lock, NULL);
  while (tiny_read(mine, fd)) {
    const char *header = tiny_header(mine, "X-Amz-Target");
    snprintf(target, sizeof target, "%.100s", header ? header : mine->seen);
    pthread_mutex_lock(&s->lock);
    memcpy(s->seen, mine->seen, sizeof s->seen);
    memcpy(s->body, mine->body, sizeof s->body);
    s->body_len = mine->body_len;
    pthread_mutex_unlock(&s->lock);
    if (strstr(target, "ListQueues"))
      peer_answer_text(fd, 200, "{\"QueueUrls\":[\"http://a\",\"http://b\"]}");
    else if (strstr(target, "GetQueueUrl"))
      peer_answer_text(fd, 400,
                       "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\","
                       "\"message\":\"no such queue\"}");
    else if (strstr(target, "ReceiveMessage"))
      recv(fd, target, 1, 0); /* never answers */
    else if (strstr(target, "ListQueueTags"))
      peer_answer_large(fd, 400 * 1000);
    else if (strstr(target, "Decrypt"))
      peer_answer_text(fd, 200, "{\"KeyId\":\"k\",\"Plaintext\":\"AAECAw==\"}");
    else if (strstr(target, "DescribeKey"))
      peer_answer_text(fd, 200,
                       "{\"KeyMetadata\":{\"KeyId\":\"k\",\"CreationDate\":1.5}}");
    else if (strstr(target, "?session"))
      peer_answer_text(
          fd, 200,
          "<CreateSessionResult><Credentials><SessionToken>tok</SessionToken>"
          "<SecretAccessKey>s</SecretAccessKey><AccessKeyId>SESSION"
          "</AccessKeyId><Expiration>2099-01-01T00:00:00Z</Expiration>"
          "</Credentials></CreateSessionResult>");
    else if (strstr(mine->body, "Action=AssumeRole"))
      peer_answer_role(fd, mine->body);
    else if (strncmp(target, "GET ", 4) == 0)
      peer_answer(fd, 200, "a\0\xff", 3);
    else
      peer_answer_text(fd, 200, strncmp(target, "PUT ", 4) == 0 ? "" : "{}");
  }
  pthread_mutex_destroy(&mine->lock);
  free(mine);
}

/* Settings that come from nowhere but the specs. */
static int peer_start(void **state) {
  (void)state;
  tiny_server_start(&peer, peer_serve, NULL);
  snprintf(peer_url, sizeof peer_url, "http://127.0.0.1:%d", peer.port);
  setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
  setenv("AWS_SECRET_ACCESS_KEY", "a-very-secret-key", 1);
  setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
  setenv("AWS_CONFIG_FILE", "/dev/null", 1);
  setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
  setenv("AWS_MAX_ATTEMPTS", "1", 1);
  setenv("AWS_ENDPOINT_URL_STS", peer_url, 1);
  return 0;
}

static int peer_stop(void **state) {
  (void)state;
  tiny_server_stop(&peer);
  return 0;
}

#endif
