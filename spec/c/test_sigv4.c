/* Signatures against those of botocore, which is where the expected texts of
   spec/fixtures/sigv4/cases.txt come from (scripts/sigv4-cases prints them, and as many
   more as one likes: LUAWS_SIGV4_CASES names another file). */
#include "base/encode.h"
#include "sign/keys.h"
#include "sign/sign.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { MAX_HEADERS = 32 };

/* One case as the file has it; texts live in the arena. */
struct sign_case {
  struct luaws_arena arena;
  struct luaws_str name, method, url, body, key, secret, token, service, region, payload;
  struct luaws_str flags, canonical_request, string_to_sign, signed_query;
  struct luaws_str time, expires;
  struct luaws_str headers[MAX_HEADERS], added[MAX_HEADERS];
  size_t header_count, added_count;
};

/* What one case makes of the signer. */
struct sign_result {
  struct luaws_request req;
  struct luaws_buf canonical_request;
  struct luaws_buf string_to_sign;
  struct luaws_error err;
  int rc;
};

static struct luaws_str unescape(struct luaws_arena *arena, struct luaws_str s) {
  char *p = luaws_arena_alloc(arena, s.len + 1);
  size_t n = 0;
  for (size_t i = 0; i < s.len; i++) {
    if (s.ptr[i] == '\\' && i + 3 < s.len) {
      char hex[3] = {s.ptr[i + 2], s.ptr[i + 3], 0};
      p[n++] = (char)strtol(hex, NULL, 16);
      i += 3;
    } else {
      p[n++] = s.ptr[i];
    }
  }
  return (struct luaws_str){p, n};
}

static void set_field(struct sign_case *c, struct luaws_str field, struct luaws_str v) {
  const struct {
    const char *name;
    struct luaws_str *to;
  } fields[] = {
      {"case", &c->name},
      {"method", &c->method},
      {"url", &c->url},
      {"body", &c->body},
      {"key", &c->key},
      {"secret", &c->secret},
      {"token", &c->token},
      {"service", &c->service},
      {"region", &c->region},
      {"time", &c->time},
      {"payload", &c->payload},
      {"flags", &c->flags},
      {"expires", &c->expires},
      {"canonical_request", &c->canonical_request},
      {"string_to_sign", &c->string_to_sign},
      {"signed_query", &c->signed_query},
  };
  if (luaws_str_is(field, "header")) {
    assert_true(c->header_count < MAX_HEADERS);
    c->headers[c->header_count++] = v;
    return;
  }
  if (luaws_str_is(field, "added")) {
    assert_true(c->added_count < MAX_HEADERS);
    c->added[c->added_count++] = v;
    return;
  }
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    if (luaws_str_is(field, fields[i].name)) {
      *fields[i].to = v;
      return;
    }
  }
  fail_msg("unknown field %.*s", LUAWS_STR_ARG(field));
}

/* The next case of *rest; false at the end. */
static bool next_case(struct luaws_str *rest, struct sign_case *c) {
  luaws_arena_clear(&c->arena);
  *c = (struct sign_case){0};
  while (rest->len) {
    ptrdiff_t end = luaws_str_find(*rest, '\n');
    size_t len = end < 0 ? rest->len : (size_t)end;
    struct luaws_str line = luaws_str_sub(*rest, 0, len);
    *rest = luaws_str_sub(*rest, len + 1, rest->len);
    if (line.len == 0) {
      if (c->name.len) return true;
      continue;
    }
    if (line.ptr[0] == '#') continue;
    ptrdiff_t space = luaws_str_find(line, ' ');
    size_t name_len = space < 0 ? line.len : (size_t)space;
    set_field(c, luaws_str_sub(line, 0, name_len),
              unescape(&c->arena, luaws_str_sub(line, name_len + 1, line.len)));
  }
  return c->name.len > 0;
}

static bool has_flag(const struct sign_case *c, const char *flag) {
  return luaws_str_find_str(c->flags, luaws_str_from(flag)) >= 0;
}

static struct luaws_str header_name(struct luaws_str line) {
  return luaws_str_sub(line, 0, (size_t)luaws_str_find(line, ':'));
}

static struct luaws_str header_value(struct luaws_str line) {
  return luaws_str_sub(line, (size_t)luaws_str_find(line, ':') + 2, line.len);
}

/* The request of a case, before it is signed. */
static void build_request(struct sign_case *c, struct luaws_request *req) {
  *req = (struct luaws_request){.arena = &c->arena, .method = c->method};
  req->headers.arena = &c->arena;
  struct luaws_error err = {0};
  if (luaws_request_set_url(req, c->url, &err))
    fail_msg("%.*s: %s", LUAWS_STR_ARG(c->name), luaws_error_message(&err));
  for (size_t i = 0; i < c->header_count; i++)
    luaws_headers_add(&req->headers, header_name(c->headers[i]),
                      header_value(c->headers[i]));
  if (c->body.ptr) {
    req->body = (struct luaws_stream){
        .kind = LUAWS_STREAM_BYTES, .length = (int64_t)c->body.len, .bytes = c->body};
  }
}

static struct luaws_sign_opts case_opts(const struct sign_case *c) {
  struct luaws_sign_opts opts = {
      .service = c->service,
      .region = c->region,
      .payload = luaws_str_is(c->payload, "unsigned")  ? LUAWS_PAYLOAD_UNSIGNED
                 : luaws_str_is(c->payload, "trailer") ? LUAWS_PAYLOAD_TRAILER
                                                       : LUAWS_PAYLOAD_SIGNED,
      .add_content_sha256 = has_flag(c, "add_content_sha256"),
      .double_encode = has_flag(c, "double_encode"),
      .normalize_path = has_flag(c, "normalize_path"),
      .presign = has_flag(c, "presign"),
      .s3express = has_flag(c, "s3express"),
  };
  assert_true(luaws_str_to_int64(c->time, &opts.time_s));
  assert_true(luaws_str_to_int64(c->expires, &opts.expires_s));
  return opts;
}

static struct luaws_creds case_creds(const struct sign_case *c) {
  return (struct luaws_creds){c->key, c->secret, c->token};
}

static void assert_text(const struct sign_case *c, const char *what, struct luaws_str got,
                        struct luaws_str wanted) {
  if (luaws_str_eq(got, wanted)) return;
  fail_msg("%.*s: %s\n got: %.*s\nwant: %.*s", LUAWS_STR_ARG(c->name), what,
           LUAWS_STR_ARG(got), LUAWS_STR_ARG(wanted));
}

static void check_case(struct sign_case *c, struct luaws_key_cache *cache) {
  struct sign_result r = {0};
  build_request(c, &r.req);
  struct luaws_creds creds = case_creds(c);
  struct luaws_sign_opts opts = case_opts(c);
  opts.cache = cache;
  opts.canonical_request = &r.canonical_request;
  opts.string_to_sign = &r.string_to_sign;
  r.rc = luaws_sigv4_sign(&r.req, &creds, &opts, &r.err);
  if (r.rc) fail_msg("%.*s: %s", LUAWS_STR_ARG(c->name), luaws_error_message(&r.err));
  assert_text(c, "canonical request", luaws_buf_str(&r.canonical_request),
              c->canonical_request);
  assert_text(c, "string to sign", luaws_buf_str(&r.string_to_sign), c->string_to_sign);
  if (opts.presign) assert_text(c, "query", r.req.query, c->signed_query);
  for (size_t i = 0; i < c->added_count; i++) {
    const struct luaws_str *got =
        luaws_headers_get(&r.req.headers, header_name(c->added[i]));
    assert_text(c, "header", got ? *got : LUAWS_STR_NONE, header_value(c->added[i]));
  }
  luaws_buf_clear(&r.canonical_request);
  luaws_buf_clear(&r.string_to_sign);
}

static struct luaws_str read_file(const char *path, struct luaws_buf *buf) {
  FILE *f = fopen(path, "rb");
  if (!f) fail_msg("cannot open %s", path);
  char block[4096];
  size_t n;
  while ((n = fread(block, 1, sizeof block, f)) > 0)
    luaws_buf_append(buf, block, n);
  fclose(f);
  assert_false(buf->failed);
  return luaws_buf_str(buf);
}

static void signs_as_botocore(void **state) {
  const char *path = getenv("LUAWS_SIGV4_CASES");
  struct luaws_buf file = {0};
  struct luaws_str rest =
      read_file(path ? path : LUAWS_SPEC_DIR "/fixtures/sigv4/cases.txt", &file);
  struct luaws_key_cache *cache = luaws_key_cache_new();
  struct sign_case c = {0};
  size_t count = 0;
  while (next_case(&rest, &c)) {
    check_case(&c, NULL);
    check_case(&c, cache);
    check_case(&c, cache);
    count++;
  }
  assert_true(count >= 70);
  if (path) print_message("%zu cases\n", count);
  luaws_arena_clear(&c.arena);
  luaws_key_cache_free(cache);
  luaws_buf_clear(&file);
}

/* ---- what AWS has published ---- */

#define SUITE "https://example.amazonaws.com"
#define BUCKET "https://examplebucket.s3.amazonaws.com"
#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define STS_TOKEN                                                                        \
  "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMic" \
  "RXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKs" \
  "burEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0" \
  "iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="

enum { SUITE_TIME = 1440938160, S3_TIME = 1369353600 };

/* The suite of test cases for Signature Version 4 (those whose requests can be sent), the
   examples of S3's API reference, and that of the general reference. */
struct published {
  const char *name, *method, *url;
  const char *headers[4][2];
  const char *body, *token, *signature;
  enum { OF_SUITE, SINGLE_ENCODED, OF_IAM, OF_S3, OF_S3_URL } kind;
};

static const struct published published[] = {
    {"get-vanilla", "GET", SUITE "/",
     .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"post-vanilla", "POST", SUITE "/",
     .signature = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {"get-vanilla-query-order-key-case", "GET", SUITE "/?Param2=value2&Param1=value1",
     .signature = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-vanilla-empty-query-key", "GET", SUITE "/?Param1=value1",
     .signature = "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
    {"get-vanilla-query-unreserved", "GET", SUITE "/?" UNRESERVED "=" UNRESERVED,
     .signature = "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
    {"get-vanilla-utf8-query", "GET", SUITE "/?%E1%88%B4=bar",
     .signature = "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
    {"get-unreserved", "GET", SUITE "/" UNRESERVED,
     .signature = "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {"get-utf8", "GET", SUITE "/%E1%88%B4", .kind = SINGLE_ENCODED,
     .signature = "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"get-space", "GET", SUITE "/example%20space/", .kind = SINGLE_ENCODED,
     .signature = "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
    {"get-slash-pointless-dot", "GET", SUITE "/./example",
     .signature = "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
    {"get-slashes", "GET", SUITE "//example//",
     .signature = "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
    {"get-relative-relative", "GET", SUITE "/example1/example2/../..",
     .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-header-key-duplicate",
     "GET",
     SUITE "/",
     {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}},
     .signature = "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
    {"get-header-value-order",
     "GET",
     SUITE "/",
     {{"My-Header1", "value4"},
      {"My-Header1", "value1"},
      {"My-Header1", "value3"},
      {"My-Header1", "value2"}},
     .signature = "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
    {"get-header-value-trim",
     "GET",
     SUITE "/",
     {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
     .signature = "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {"post-header-key-sort",
     "POST",
     SUITE "/",
     {{"My-Header1", "value1"}},
     .signature = "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
    {"post-header-value-case",
     "POST",
     SUITE "/",
     {{"My-Header1", "VALUE1"}},
     .signature = "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
    {"post-x-www-form-urlencoded",
     "POST",
     SUITE "/",
     {{"Content-Type", "application/x-www-form-urlencoded"}},
     .body = "Param1=value1",
     .signature = "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
    {"post-x-www-form-urlencoded-parameters",
     "POST",
     SUITE "/",
     {{"Content-Type", "application/x-www-form-urlencoded; charset=utf8"}},
     .body = "Param1=value1",
     .signature = "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"},
    {"post-sts-header-before", "POST", SUITE "/", .token = STS_TOKEN,
     .signature = "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
    {"ListUsers",
     "GET",
     "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
     {{"content-type", "application/x-www-form-urlencoded; charset=utf-8"}},
     .kind = OF_IAM,
     .signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
    {"GET Object",
     "GET",
     BUCKET "/test.txt",
     {{"Range", "bytes=0-9"}},
     .kind = OF_S3,
     .signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {"GET Bucket Lifecycle", "GET", BUCKET "/?lifecycle", .kind = OF_S3,
     .signature = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"Get Bucket (List Objects)", "GET", BUCKET "/?max-keys=2&prefix=J", .kind = OF_S3,
     .signature = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
    {"a presigned URL", "GET", BUCKET "/test.txt", .kind = OF_S3_URL,
     .signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"},
};

static void check_published(const struct published *p) {
  bool s3 = p->kind >= OF_S3, url = p->kind == OF_S3_URL;
  struct luaws_arena arena = {0};
  struct luaws_error err = {0};
  struct luaws_request req = {.arena = &arena, .headers.arena = &arena};
  struct luaws_creds creds = {s3 ? LUAWS_STR("AKIAIOSFODNN7EXAMPLE")
                                 : LUAWS_STR("AKIDEXAMPLE"),
                              s3 ? LUAWS_STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
                                 : LUAWS_STR("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
                              luaws_str_from(p->token ? p->token : "")};
  struct luaws_sign_opts opts = {
      .service = luaws_str_from(s3                  ? "s3"
                                : p->kind == OF_IAM ? "iam"
                                                    : "service"),
      .region = LUAWS_STR("us-east-1"),
      .time_s = s3 ? S3_TIME : SUITE_TIME,
      .payload = url ? LUAWS_PAYLOAD_UNSIGNED : LUAWS_PAYLOAD_SIGNED,
      .add_content_sha256 = p->kind == OF_S3,
      .double_encode = !s3 && p->kind != SINGLE_ENCODED,
      .normalize_path = !s3,
      .presign = url,
      .expires_s = 86400,
  };
  req.method = luaws_str_from(p->method);
  assert_int_equal(luaws_request_set_url(&req, luaws_str_from(p->url), &err), 0);
  for (size_t i = 0; i < 4 && p->headers[i][0]; i++)
    luaws_headers_add(&req.headers, luaws_str_from(p->headers[i][0]),
                      luaws_str_from(p->headers[i][1]));
  if (p->body)
    req.body = (struct luaws_stream){.kind = LUAWS_STREAM_BYTES,
                                     .bytes = luaws_str_from(p->body),
                                     .length = (int64_t)strlen(p->body)};
  assert_int_equal(luaws_sigv4_sign(&req, &creds, &opts, &err), 0);
  struct luaws_str signature =
      url ? req.query : *luaws_headers_get(&req.headers, LUAWS_STR("Authorization"));
  if (!luaws_str_ends(signature, luaws_str_from(p->signature)))
    fail_msg("%s: %.*s", p->name, LUAWS_STR_ARG(signature));
  luaws_arena_clear(&arena);
}

static void signs_the_published_examples(void **state) {
  for (size_t i = 0; i < sizeof published / sizeof *published; i++)
    check_published(&published[i]);
}

/* The policy of a form, in the example of S3's API reference. */
static void signs_the_published_policy(void **state) {
  static const char policy[] =
      "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9u"
      "cyI6IFsNCiAgICB7ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0"
      "cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVh"
      "ZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBs"
      "ZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBb"
      "InN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1t"
      "ZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVu"
      "Y3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10"
      "YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1Q"
      "TEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxn"
      "b3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEy"
      "MjlUMDAwMDAwWiIgfQ0KICBdDQp9";
  struct luaws_key_cache *cache = luaws_key_cache_new();
  struct luaws_buf out = {0};
  assert_int_equal(
      luaws_sigv4_sign_text(cache, LUAWS_STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
                            LUAWS_STR("20151229"), LUAWS_STR("us-east-1"),
                            LUAWS_STR("s3"), luaws_str_from(policy), &out),
      0);
  assert_string_equal(out.ptr,
                      "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e");
  luaws_buf_clear(&out);
  luaws_key_cache_free(cache);
}

/* ---- bodies ---- */

/* The SHA-256 of 200000 bytes "a". */
#define MANY_SHA256 "2287d207f24a941ff3b56c04c8a25ad56b63e3023207b3bb5b4ac0c9869d74be"
enum { MANY = 200000 };

struct chunks {
  size_t left;
  int reads;
  int rewinds;
};

static ptrdiff_t read_chunk(void *owner, char *dst, size_t max, struct luaws_error *err) {
  struct chunks *s = owner;
  s->reads++;
  size_t n = s->left < max ? s->left : max;
  if (n > 777) n = 777;
  memset(dst, 'a', n);
  s->left -= n;
  return (ptrdiff_t)n;
}

static int rewind_chunks(void *owner, struct luaws_error *err) {
  struct chunks *s = owner;
  s->rewinds++;
  s->left = MANY;
  return 0;
}

static ptrdiff_t fail_to_read(void *owner, char *dst, size_t max,
                              struct luaws_error *err) {
  return luaws_error_set(err, LUAWS_E_IO, "IOError", "the disk is gone");
}

/* Signs a PUT of body and gives the payload's hash that was signed. */
static int sign_body(struct luaws_stream body, struct luaws_arena *arena,
                     struct luaws_str *hash, struct luaws_error *err) {
  struct luaws_request req = {.arena = arena, .method = LUAWS_STR("PUT"), .body = body};
  req.headers.arena = arena;
  assert_int_equal(luaws_request_set_url(&req, LUAWS_STR("https://b.example.com/k"), err),
                   0);
  struct luaws_creds creds = {LUAWS_STR("AK"), LUAWS_STR("secret"), LUAWS_STR_NONE};
  struct luaws_sign_opts opts = {.service = LUAWS_STR("s3"),
                                 .region = LUAWS_STR("us-east-1"),
                                 .add_content_sha256 = true};
  int rc = luaws_sigv4_sign(&req, &creds, &opts, err);
  if (rc == 0)
    *hash = *luaws_headers_get(&req.headers, LUAWS_STR("x-amz-content-sha256"));
  return rc;
}

static void hashes_every_kind_of_body_and_leaves_it_at_its_start(void **state) {
  struct luaws_arena arena = {0};
  struct luaws_error err = {0};
  struct luaws_str bytes_hash, file_hash, function_hash;
  char *many = malloc(MANY);
  memset(many, 'a', MANY);

  struct luaws_stream bytes = {
      .kind = LUAWS_STREAM_BYTES, .length = MANY, .bytes = {many, MANY}};
  assert_int_equal(sign_body(bytes, &arena, &bytes_hash, &err), 0);

  FILE *f = tmpfile();
  fwrite("before", 1, 6, f);
  fwrite(many, 1, MANY, f);
  fwrite("after", 1, 5, f);
  fflush(f);
  struct luaws_stream file = {
      .kind = LUAWS_STREAM_FILE, .length = MANY, .fd = fileno(f), .offset = 6};
  assert_int_equal(sign_body(file, &arena, &file_hash, &err), 0);
  fclose(f);

  struct chunks chunks = {.left = MANY};
  struct luaws_stream function = {.kind = LUAWS_STREAM_FUNCTION,
                                  .length = -1,
                                  .read = read_chunk,
                                  .rewind = rewind_chunks,
                                  .owner = &chunks};
  assert_int_equal(sign_body(function, &arena, &function_hash, &err), 0);
  assert_int_equal(chunks.left, MANY);
  assert_int_equal(chunks.rewinds, 1);

  assert_true(luaws_str_is(bytes_hash, MANY_SHA256));
  assert_true(luaws_str_is(file_hash, MANY_SHA256));
  assert_true(luaws_str_is(function_hash, MANY_SHA256));
  free(many);
  luaws_arena_clear(&arena);
}

static void refuses_a_function_without_rewind_before_reading_from_it(void **state) {
  struct luaws_arena arena = {0};
  struct luaws_error err = {0};
  struct luaws_str hash;
  struct chunks chunks = {.left = MANY};
  struct luaws_stream body = {
      .kind = LUAWS_STREAM_FUNCTION, .length = -1, .read = read_chunk, .owner = &chunks};
  assert_int_equal(sign_body(body, &arena, &hash, &err), LUAWS_E_IO);
  assert_string_equal(err.kind, "UnseekableStreamError");
  assert_int_equal(chunks.reads, 0);
  luaws_error_clear(&err);
  luaws_arena_clear(&arena);
}

static void passes_on_why_a_body_could_not_be_read(void **state) {
  struct luaws_arena arena = {0};
  struct luaws_error err = {0};
  struct luaws_str hash;
  struct luaws_stream body = {.kind = LUAWS_STREAM_FUNCTION,
                              .length = -1,
                              .read = fail_to_read,
                              .rewind = rewind_chunks};
  assert_int_equal(sign_body(body, &arena, &hash, &err), LUAWS_E_IO);
  assert_string_equal(err.message, "the disk is gone");
  luaws_error_clear(&err);
  luaws_arena_clear(&arena);
}

/* ---- the rest ---- */

static void signs_anew_what_was_signed_before(void **state) {
  static const char *const flags[] = {"double_encode normalize_path",
                                      "double_encode normalize_path presign"};
  for (size_t i = 0; i < 2; i++) {
    struct sign_case c = {.name = LUAWS_STR("twice"),
                          .method = LUAWS_STR("GET"),
                          .url = LUAWS_STR("https://example.com/a?b=c"),
                          .key = LUAWS_STR("AK"),
                          .secret = LUAWS_STR("secret"),
                          .token = LUAWS_STR("token"),
                          .service = LUAWS_STR("service"),
                          .region = LUAWS_STR("us-east-1"),
                          .payload = LUAWS_STR("signed"),
                          .flags = luaws_str_from(flags[i]),
                          .time = LUAWS_STR("1000000000"),
                          .expires = LUAWS_STR("60")};
    struct luaws_request twice, once;
    struct luaws_creds creds = case_creds(&c);
    struct luaws_sign_opts opts = case_opts(&c);
    struct luaws_error err = {0};
    build_request(&c, &twice);
    assert_int_equal(luaws_sigv4_sign(&twice, &creds, &opts, &err), 0);
    opts.time_s += 100000;
    creds.access_key = LUAWS_STR("AK2");
    assert_int_equal(luaws_sigv4_sign(&twice, &creds, &opts, &err), 0);
    build_request(&c, &once);
    assert_int_equal(luaws_sigv4_sign(&once, &creds, &opts, &err), 0);

    assert_text(&c, "query", twice.query, once.query);
    assert_int_equal(twice.headers.count, once.headers.count);
    for (size_t j = 0; j < once.headers.count; j++) {
      assert_text(&c, "header",
                  *luaws_headers_get(&twice.headers, once.headers.items[j].name),
                  once.headers.items[j].value);
    }
    luaws_arena_clear(&c.arena);
  }
}

static void adds_the_token_after_signing_when_told_to(void **state) {
  struct luaws_arena arena = {0};
  struct luaws_request req = {.arena = &arena, .method = LUAWS_STR("GET")};
  req.headers.arena = &arena;
  struct luaws_error err = {0};
  assert_int_equal(luaws_request_set_url(&req, LUAWS_STR("https://example.com/"), &err),
                   0);
  struct luaws_creds creds = {LUAWS_STR("AK"), LUAWS_STR("secret"), LUAWS_STR("to/ken")};
  struct luaws_sign_opts opts = {.service = LUAWS_STR("iotdevicegateway"),
                                 .region = LUAWS_STR("us-east-1"),
                                 .presign = true,
                                 .expires_s = 60,
                                 .omit_session_token = true};
  assert_int_equal(luaws_sigv4_sign(&req, &creds, &opts, &err), 0);
  assert_true(luaws_str_ends(req.query, LUAWS_STR("&X-Amz-Security-Token=to%2Fken")));
  ptrdiff_t signature = luaws_str_find_str(req.query, LUAWS_STR("&X-Amz-Signature="));
  assert_true(signature > 0 &&
              signature < luaws_str_find_str(req.query, LUAWS_STR("Tok")));

  opts.presign = false;
  req.query = LUAWS_STR("");
  assert_int_equal(luaws_sigv4_sign(&req, &creds, &opts, &err), 0);
  assert_true(luaws_str_is(
      *luaws_headers_get(&req.headers, LUAWS_STR("x-amz-security-token")), "to/ken"));
  assert_true(
      luaws_str_find_str(*luaws_headers_get(&req.headers, LUAWS_STR("Authorization")),
                         LUAWS_STR("security-token")) < 0);
  luaws_arena_clear(&arena);
}

static void says_that_there_are_no_credentials(void **state) {
  struct luaws_request req = {0};
  struct luaws_creds creds = {0};
  struct luaws_sign_opts opts = {0};
  struct luaws_error err = {0};
  assert_int_equal(luaws_sigv4_sign(&req, &creds, &opts, &err), LUAWS_E_CREDENTIALS);
  assert_string_equal(err.kind, "NoCredentialsError");
  luaws_error_clear(&err);
}

/* ---- asymmetric signatures ---- */

/* The key pair that AWS publishes for these names, in aws-c-auth's tests. */
static const struct luaws_str published_access_key = LUAWS_STR("AKISORANDOMAASORANDOM");
static const struct luaws_str published_secret =
    LUAWS_STR("q+jcrXGc+0zWN6uzclKVhvMmUsIfRPa4rlRandom");

static void check_pair(struct luaws_str access_key, struct luaws_str secret,
                       const char *point_hex) {
  unsigned char point[65];
  size_t len = 0;
  struct luaws_buf hex = {0};
  EVP_PKEY *pair = luaws_sigv4a_derive(access_key, secret);
  assert_non_null(pair);
  assert_true(EVP_PKEY_get_octet_string_param(pair, OSSL_PKEY_PARAM_PUB_KEY, point,
                                              sizeof point, &len));
  luaws_hex_encode(&hex, (struct luaws_str){(char *)point, len});
  assert_string_equal(hex.ptr, point_hex);
  luaws_buf_clear(&hex);
  EVP_PKEY_free(pair);
}

static void derives_the_published_key_pairs(void **state) {
  check_pair(published_access_key, published_secret,
             "04"
             "15d242ceebf8d8169fd6a8b5a746c41140414c3b07579038da06af89190fffcb"
             "0515242cedd82e94799482e4c0514b505afccf2c0c98d6a553bf539f424c5ec0");
  /* Of the suite's keys. */
  check_pair(LUAWS_STR("AKIDEXAMPLE"),
             LUAWS_STR("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
             "04"
             "b6618f6a65740a99e650b33b6b4b5bd0d43b176d721a3edfea7e7d2d56d936b1"
             "865ed22a7eadc9c5cb9d2cbaca1b3699139fedc5043dc6661864218330c8e518");
}

/* Whether the hex at the end of text is the pair's signature of to_sign. */
static bool is_signed(EVP_PKEY *pair, struct luaws_str text, struct luaws_str to_sign) {
  ptrdiff_t at = luaws_str_find_str(text, LUAWS_STR("Signature="));
  unsigned char digest[LUAWS_SHA256_BYTES];
  assert_true(at > 0);
  struct luaws_str hex = luaws_str_sub(text, (size_t)at + 10, text.len);
  char *copy = strndup(hex.ptr, hex.len);
  long der_bytes;
  unsigned char *der = OPENSSL_hexstr2buf(copy, &der_bytes);
  assert_non_null(der);
  EVP_MD_CTX *md = luaws_sha256_new();
  assert_true(luaws_sha256(md, to_sign, digest));
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pair, NULL);
  EVP_PKEY_verify_init(ctx);
  bool right = EVP_PKEY_verify(ctx, der, (size_t)der_bytes, digest, sizeof digest) == 1;
  EVP_PKEY_CTX_free(ctx);
  EVP_MD_CTX_free(md);
  OPENSSL_free(der);
  free(copy);
  return right;
}

static void signs_for_a_set_of_regions(void **state) {
  static const struct luaws_str authorization =
      LUAWS_STR("AWS4-ECDSA-P256-SHA256 Credential=AKISORANDOMAASORANDOM/20150830/s3/"
                "aws4_request, SignedHeaders=host;x-amz-date;x-amz-region-set, ");
  struct luaws_creds creds = {published_access_key, published_secret, LUAWS_STR_NONE};
  struct luaws_key_cache *cache = luaws_key_cache_new();
  for (int presign = 0; presign < 2; presign++) {
    struct luaws_arena arena = {0};
    struct luaws_request req = {.arena = &arena, .method = LUAWS_STR("GET")};
    struct luaws_buf to_sign = {0};
    struct luaws_error err = {0};
    req.headers.arena = &arena;
    luaws_request_set_url(&req, LUAWS_STR("https://example.com/a"), &err);
    struct luaws_sign_opts opts = {.algorithm = LUAWS_SIGN_SIGV4A,
                                   .service = LUAWS_STR("s3"),
                                   .region = LUAWS_STR("us-east-1,us-west-2"),
                                   .time_s = 1440938160,
                                   .presign = presign,
                                   .expires_s = 60,
                                   .cache = cache,
                                   .string_to_sign = &to_sign};
    assert_int_equal(luaws_sigv4_sign(&req, &creds, &opts, &err), 0);
    struct luaws_str text = req.query;
    if (presign) {
      assert_true(luaws_str_find_str(
                      text, LUAWS_STR("&X-Amz-Region-Set=us-east-1%2Cus-west-2&")) > 0);
    } else {
      text = *luaws_headers_get(&req.headers, LUAWS_STR("Authorization"));
      assert_true(luaws_str_starts(text, authorization));
    }
    assert_true(luaws_str_starts(luaws_buf_str(&to_sign),
                                 LUAWS_STR("AWS4-ECDSA-P256-SHA256\n20150830T123600Z\n"
                                           "20150830/s3/aws4_request\n")));
    assert_true(
        is_signed(luaws_key_cache_get_pair(cache, creds.secret_key, creds.access_key),
                  text, luaws_buf_str(&to_sign)));
    luaws_buf_clear(&to_sign);
    luaws_arena_clear(&arena);
  }
  luaws_key_cache_free(cache);
}

static void sends_a_bearer_token_in_place_of_a_signature(void **state) {
  struct luaws_arena arena = {0};
  struct luaws_request req = {.arena = &arena};
  struct luaws_error err = {0};
  req.headers.arena = &arena;
  luaws_headers_add(&req.headers, LUAWS_STR("authorization"), LUAWS_STR("old"));
  assert_int_equal(luaws_bearer_sign(&req, LUAWS_STR("abc"), &err), 0);
  assert_int_equal(req.headers.count, 1);
  assert_true(luaws_str_is(req.headers.items[0].value, "Bearer abc"));
  assert_int_equal(luaws_bearer_sign(&req, LUAWS_STR_NONE, &err), LUAWS_E_CREDENTIALS);
  assert_string_equal(err.kind, "NoAuthTokenError");
  luaws_error_clear(&err);
  luaws_arena_clear(&arena);
}

/* Forty keys through a cache that holds fewer. */
static void keeps_signing_right_when_the_cache_is_full(void **state) {
  struct luaws_key_cache *cache = luaws_key_cache_new();
  struct luaws_error err = {0};
  struct luaws_arena arena = {0};
  char secret[16];
  for (int i = 0; i < 120; i++) {
    struct luaws_str authorization[2];
    snprintf(secret, sizeof secret, "secret%d", i % 40);
    struct luaws_creds creds = {LUAWS_STR("AK"), luaws_str_from(secret), LUAWS_STR_NONE};
    for (int j = 0; j < 2; j++) {
      struct luaws_request req = {.arena = &arena, .method = LUAWS_STR("GET")};
      req.headers.arena = &arena;
      luaws_request_set_url(&req, LUAWS_STR("https://example.com/"), &err);
      struct luaws_sign_opts opts = {
          .service = LUAWS_STR("s"), .region = LUAWS_STR("r"), .cache = j ? cache : NULL};
      assert_int_equal(luaws_sigv4_sign(&req, &creds, &opts, &err), 0);
      authorization[j] = *luaws_headers_get(&req.headers, LUAWS_STR("Authorization"));
    }
    assert_true(luaws_str_eq(authorization[0], authorization[1]));
  }
  luaws_arena_clear(&arena);
  luaws_key_cache_free(cache);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(signs_as_botocore),
      cmocka_unit_test(signs_the_published_examples),
      cmocka_unit_test(signs_the_published_policy),
      cmocka_unit_test(hashes_every_kind_of_body_and_leaves_it_at_its_start),
      cmocka_unit_test(refuses_a_function_without_rewind_before_reading_from_it),
      cmocka_unit_test(passes_on_why_a_body_could_not_be_read),
      cmocka_unit_test(signs_anew_what_was_signed_before),
      cmocka_unit_test(adds_the_token_after_signing_when_told_to),
      cmocka_unit_test(says_that_there_are_no_credentials),
      cmocka_unit_test(derives_the_published_key_pairs),
      cmocka_unit_test(signs_for_a_set_of_regions),
      cmocka_unit_test(sends_a_bearer_token_in_place_of_a_signature),
      cmocka_unit_test(keeps_signing_right_when_the_cache_is_full),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
