/* What a parser does when things go wrong in the middle: answers cut off, writers that
   leave by longjmp, documents made to exhaust it. */
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct wire wire;

/* ---- a writer that counts, checks and leaves ---- */

struct counter {
  struct luaws_writer base;
  long calls;
  long leave_at; /* the call that jumps, 0 for none */
  jmp_buf away;
  int depth;
  bool is_map[300];
  bool owed; /* a key waits for its value */
};

static struct counter *counter_of(struct luaws_writer *w) {
  struct counter *c = (struct counter *)w;
  if (++c->calls == c->leave_at) longjmp(c->away, 1);
  return c;
}

static struct counter *value(struct luaws_writer *w) {
  struct counter *c = counter_of(w);
  if (c->is_map[c->depth] && !c->owed) fail_msg("a value without a key");
  c->owed = false;
  return c;
}

static void open(struct luaws_writer *w, bool map) {
  struct counter *c = value(w);
  c->is_map[++c->depth] = map;
}

static void close(struct luaws_writer *w, bool map) {
  struct counter *c = counter_of(w);
  if (c->owed) fail_msg("a key without a value");
  if (c->depth == 0 || c->is_map[c->depth] != map) fail_msg("the wrong end");
  c->depth--;
}

static void on_begin_map(struct luaws_writer *w, size_t hint, bool untyped) {
  open(w, true);
}
static void on_begin_list(struct luaws_writer *w, size_t hint, bool untyped) {
  open(w, false);
}
static void on_end_map(struct luaws_writer *w) {
  close(w, true);
}
static void on_end_list(struct luaws_writer *w) {
  close(w, false);
}
static void on_resume_list(struct luaws_writer *w) {
  open(w, false);
}
static void on_resume_map(struct luaws_writer *w) {
  open(w, true);
}
static void on_key(struct luaws_writer *w, struct luaws_str key) {
  struct counter *c = counter_of(w);
  if (!c->is_map[c->depth] || c->owed) fail_msg("a key out of place");
  c->owed = true;
}
static void on_nothing(struct luaws_writer *w) {
  value(w);
}
static void on_boolean(struct luaws_writer *w, bool b) {
  value(w);
}
static void on_integer(struct luaws_writer *w, int64_t n) {
  value(w);
}
static void on_number(struct luaws_writer *w, double n) {
  value(w);
}
static void on_bytes(struct luaws_writer *w, struct luaws_str s) {
  value(w);
}

static const struct luaws_writer_ops counter_ops = {
    .begin_map = on_begin_map,
    .key = on_key,
    .end_map = on_end_map,
    .begin_list = on_begin_list,
    .end_list = on_end_list,
    .resume_list = on_resume_list,
    .resume_map = on_resume_map,
    .null = on_nothing,
    .boolean = on_boolean,
    .integer = on_integer,
    .floating = on_number,
    .bytes = on_bytes,
    .blob = on_bytes,
    .timestamp = on_number,
    .stream = on_nothing,
};

/* ---- answers ---- */

struct sample {
  const char *service;
  const char *operation;
  int status;
  const char *body;
};

static const struct sample samples[] = {
    {"ec2", "DescribeInstances", 200,
     "<R><requestId>i</"
     "requestId><reservationSet><item><instancesSet><item><instanceState>"
     "<code>16</code></instanceState><launchTime>2015-01-25T08:00:00Z</"
     "launchTime><tagSet>"
     "<item><key>k</key><value>v&amp;</value></item></tagSet></item></instancesSet></"
     "item>"
     "</reservationSet></R>"},
    {"s3", "ListObjectsV2", 200,
     "<R xmlns=\"u\"><Contents><Key>1</Key><Size>2</Size></Contents><IsTruncated>true"
     "</IsTruncated><Contents><Key>3</Key></Contents><x><y/></x></R>"},
    {"s3", "GetBucketNotification", 200,
     "<R><TopicConfiguration><Event>a</Event><Event>b</Event></TopicConfiguration></R>"},
    {"sns", "GetTopicAttributes", 200,
     "<R><GetTopicAttributesResult><Attributes><entry><key>a</key><value>1</value></"
     "entry>"
     "<entry><value>2</value><key>b</key></entry></Attributes></GetTopicAttributesResult>"
     "<ResponseMetadata><RequestId>i</RequestId></ResponseMetadata></R>"},
    {"iam", "GetUser", 404,
     "<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>m</Message><a><b>c</b><b/"
     "></a>"
     "</Error><RequestId>i</RequestId></ErrorResponse>"},
    {"s3", "GetObject", 403,
     "<Error><Code>InvalidObjectState</Code><StorageClass>GLACIER</StorageClass></"
     "Error>"},
    {"dynamodb", "GetItem", 200,
     "{\"Item\":{\"a\":{\"N\":\"1\"},\"b\":{\"B\":\"AP8=\"},\"c\":{\"L\":[{\"M\":{\"k\":"
     "{\"NULL\":true}}}]}},\"Other\":[{\"a\":null}]}"},
    {"dynamodb", "PutItem", 400,
     "{\"__type\":\"x#ConditionalCheckFailedException\",\"message\":\"m\",\"Item\":{"
     "\"a\":"
     "{\"S\":\"x\"}}}"},
    {"bedrock-runtime", "Converse", 200,
     "{\"output\":{\"hologram\":{\"a\":[1,null]}},\"additionalModelResponseFields\":"
     "{\"a\":[1.5,{\"b\":null}]}}"},
};

static void find(const struct sample *s, struct luaws_parse *p) {
  const void *service;
  assert_int_equal(luaws_models_find(wire.models, LUAWS_SECTION_SERVICE,
                                     luaws_str_from(s->service), LUAWS_STR_NONE, &service,
                                     &wire.err),
                   0);
  p->service = service;
  p->operation = luaws_service_operation(service, luaws_str_from(s->operation));
  assert_non_null(p->operation);
}

/* Parses into c; what it returns is for the caller to judge. */
static int run(const struct sample *s, struct luaws_str body, struct counter *c,
               struct luaws_parser *parser, struct luaws_arena *arena) {
  struct luaws_response response = {
      .status = s->status, .body = body, .headers.arena = arena};
  struct luaws_parse p = {
      .response = &response, .out = &c->base, .arena = arena, .parser = parser};
  struct luaws_service_error e;
  struct luaws_str request_id = LUAWS_STR_NONE;
  find(s, &p);
  const struct luaws_protocol *protocol = luaws_protocol_for(p.service);
  on_begin_map(&c->base, 0, false);
  int rc = s->status < 300 ? protocol->parse(&p, &request_id, &wire.err)
                           : protocol->parse_error(&p, &e, &wire.err);
  on_end_map(&c->base);
  return rc;
}

static struct counter counter_new(void) {
  return (struct counter){.base.ops = &counter_ops};
}

static void ends_what_it_began_wherever_an_answer_is_cut_off(void **state) {
  for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
    const struct sample *s = &samples[i];
    size_t len = strlen(s->body);
    for (size_t n = 0; n <= len; n++) {
      struct luaws_arena arena = {0};
      struct counter c = counter_new();
      /* Memory of the exact size, so that reading past the end is noticed. */
      char *copy = malloc(n ? n : 1);
      memcpy(copy, s->body, n);
      int rc = run(s, (struct luaws_str){copy, n}, &c, wire.parser, &arena);
      free(copy);
      luaws_arena_clear(&arena);
      assert_int_equal(c.depth, 0);
      assert_false(c.owed);
      if (s->status >= 300 || n == len) {
        assert_int_equal(rc, 0);
      } else if (n > 0) {
        assert_int_equal(rc, LUAWS_E_RESPONSE);
        assert_string_equal(wire.err.kind, "ResponseParserError");
      }
    }
  }
}

/* Reads with a writer that leaves at a call; true when it came to that. */
static bool leave(const struct sample *s, struct luaws_parser *parser, long leave_at) {
  static struct luaws_arena arena; /* these outlive the jump */
  static struct counter c;
  c = counter_new();
  c.leave_at = leave_at;
  volatile bool left = true;
  if (setjmp(c.away) == 0) {
    run(s, luaws_str_from(s->body), &c, parser, &arena);
    left = false;
  }
  luaws_arena_clear(&arena);
  return left;
}

static void survives_writers_that_leave_in_the_middle(void **state) {
  for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
    const struct sample *s = &samples[i];
    long calls = 0;
    while (leave(s, wire.parser, ++calls)) {
      /* The parser that was left is good for the next answer. */
      struct luaws_arena arena = {0};
      struct counter whole = counter_new();
      assert_int_equal(run(s, luaws_str_from(s->body), &whole, wire.parser, &arena), 0);
      luaws_arena_clear(&arena);
    }
    assert_true(calls > 5);
  }
}

static void frees_a_parser_that_was_left(void **state) {
  for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
    struct luaws_parser *parser = luaws_parser_new();
    assert_true(leave(&samples[i], parser, 3));
    luaws_parser_free(parser);
  }
  luaws_parser_free(NULL);
}

/* ---- hostile answers ---- */

static int parse_built(const struct sample *s, struct luaws_buf *body) {
  struct luaws_arena arena = {0};
  struct counter c = counter_new();
  int rc = run(s, luaws_buf_str(body), &c, wire.parser, &arena);
  luaws_arena_clear(&arena);
  luaws_buf_clear(body);
  assert_int_equal(c.depth, 0);
  return rc;
}

static void repeat(struct luaws_buf *b, const char *text, int times) {
  for (int i = 0; i < times; i++)
    luaws_buf_append_cstr(b, text);
}

static void refuses_answers_nested_too_deep(void **state) {
  static const struct sample item = {"dynamodb", "GetItem", 200, NULL};
  static const struct sample document = {"bedrock-runtime", "Converse", 200, NULL};
  struct luaws_buf b = {0};
  luaws_buf_append_cstr(&b, "{\"Item\":{\"a\":");
  repeat(&b, "{\"L\":[", 100);
  assert_int_equal(parse_built(&item, &b), LUAWS_E_RESPONSE);
  assert_non_null(strstr(wire.err.message, "nested too deep"));
  luaws_buf_append_cstr(&b, "{\"additionalModelResponseFields\":");
  repeat(&b, "[", 100000);
  assert_int_equal(parse_built(&document, &b), LUAWS_E_RESPONSE);
  luaws_buf_append_cstr(&b, "{\"Unknown\":");
  repeat(&b, "[", 100000);
  assert_int_equal(parse_built(&item, &b), LUAWS_E_RESPONSE);
}

static void skips_unknown_elements_however_deep(void **state) {
  static const struct sample s = {"ec2", "DescribeInstances", 200, NULL};
  struct luaws_buf b = {0};
  luaws_buf_append_cstr(&b, "<R>");
  repeat(&b, "<x>", 50000);
  repeat(&b, "</x>", 50000);
  luaws_buf_append_cstr(&b, "</R>");
  assert_int_equal(parse_built(&s, &b), 0);
}

static void refuses_entities_that_grow(void **state) {
  static const struct sample s = {"ec2", "DescribeInstances", 200, NULL};
  static const struct sample e = {"ec2", "DescribeInstances", 400, NULL};
  for (int i = 0; i < 2; i++) {
    struct luaws_buf b = {0};
    luaws_buf_append_cstr(&b, "<!DOCTYPE R [<!ENTITY a0 \"aaaaaaaaaa\">");
    for (int j = 1; j < 12; j++)
      luaws_buf_printf(&b, "<!ENTITY a%d \"&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;\">", j, j - 1,
                       j - 1, j - 1, j - 1, j - 1, j - 1);
    luaws_buf_append_cstr(&b, "]><R><nextToken>&a11;</nextToken></R>");
    assert_int_equal(parse_built(i ? &e : &s, &b), i ? 0 : LUAWS_E_RESPONSE);
  }
}

static void reads_errors_of_many_elements_in_no_time(void **state) {
  static const struct sample s = {"s3", "GetObject", 400, NULL};
  struct luaws_buf b = {0};
  luaws_buf_append_cstr(&b, "<Error><Code>c</Code>");
  for (int i = 0; i < 9000; i++)
    luaws_buf_printf(&b, "<e%d/>", i);
  luaws_buf_append_cstr(&b, "</Error>");
  assert_int_equal(parse_built(&s, &b), 0);
  luaws_buf_append_cstr(&b, "<Error><Code>c</Code>");
  repeat(&b, "<e/>", 900000);
  luaws_buf_append_cstr(&b, "</Error>");
  assert_int_equal(parse_built(&s, &b), 0);
}

static int open_models(void **state) {
  return wire_open(&wire, LUAWS_DATA_DIR "/models.pack");
}

static int close_models(void **state) {
  wire_close(&wire);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ends_what_it_began_wherever_an_answer_is_cut_off),
      cmocka_unit_test(survives_writers_that_leave_in_the_middle),
      cmocka_unit_test(frees_a_parser_that_was_left),
      cmocka_unit_test(refuses_answers_nested_too_deep),
      cmocka_unit_test(skips_unknown_elements_however_deep),
      cmocka_unit_test(refuses_entities_that_grow),
      cmocka_unit_test(reads_errors_of_many_elements_in_no_time),
  };
  return cmocka_run_group_tests(tests, open_models, close_models);
}
