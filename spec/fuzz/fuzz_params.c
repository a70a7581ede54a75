/* Any JSON as the parameters of an operation: they are refused with a reason, or they
   serialize, and then a second time to the same bytes. The first byte picks the
   operation. */
#include "model/model.h"
#include "protocol/protocol.h"
#include "protocol/protocols.h"
#include "value/tree.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct choice {
  const char *service;
  const char *operation;
  const struct luaws_protocol *protocol; /* NULL: the service's own */
} choices[] = {
    {"ec2", "RunInstances", NULL},
    {"iam", "CreateUser", NULL},
    {"sns", "Publish", NULL},
    {"dynamodb", "PutItem", NULL},
    {"dynamodb", "Query", &luaws_protocol_cbor},
    {"cloudwatch", "PutMetricData", NULL},
    {"cloudwatch", "PutMetricData", &luaws_protocol_cbor},
    {"s3", "PutObject", NULL},
    {"s3", "PutBucketLifecycleConfiguration", NULL},
    {"s3", "PutBucketNotificationConfiguration", NULL},
    {"route53", "ChangeResourceRecordSets", NULL},
    {"lambda", "CreateFunction", NULL},
    {"lex-runtime", "PostContent", NULL},
    {"apigateway", "UpdateRestApi", NULL},
    {"bedrock-runtime", "Converse", NULL},
    {"s3control", "CreateJob", NULL},
};

/* What is sent, as text; false when it cannot be. */
static bool serialize(const struct luaws_protocol *protocol,
                      const struct luaws_service *service,
                      const struct luaws_operation *op, const struct luaws_tree *params,
                      struct luaws_buf *out) {
  struct luaws_arena arena = {0};
  struct luaws_error err = {0};
  struct luaws_buf body = {0};
  struct luaws_request r = {.arena = &arena, .headers.arena = &arena};
  struct luaws_tree_reader reader;
  luaws_tree_reader_init(&reader, params);
  reader.blobs = &arena;
  struct luaws_serialize s = {
      .service = service,
      .operation = op,
      .params = &reader.base,
      .request = &r,
      .body = &body,
      .inject_host_prefix = true,
      .idempotency_token = "00000000-0000-4000-8000-000000000000",
  };
  int rc =
      luaws_check_params(op, &reader.base, LUAWS_CHECK_SHAPES | LUAWS_CHECK_XML, &err);
  if (reader.depth != 0) abort();
  if (rc == 0) {
    if (luaws_request_set_url(&r, LUAWS_STR("https://host/base"), &err)) abort();
    rc = protocol->serialize(&s, &err);
    if (rc == 0 && reader.depth != 0) abort();
  }
  if (rc && (!err.kind || !err.message)) abort();
  if (rc == 0) {
    luaws_request_url(&r, out);
    for (size_t i = 0; i < r.headers.count; i++) {
      luaws_buf_append_str(out, r.headers.items[i].name);
      luaws_buf_append_str(out, r.headers.items[i].value);
    }
    luaws_buf_append_str(out, r.body.bytes);
  }
  luaws_stream_release(&r.body);
  luaws_error_clear(&err);
  luaws_buf_clear(&body);
  luaws_arena_clear(&arena);
  return rc == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct luaws_models *models;
  if (!models) {
    struct luaws_pack *pack;
    if (luaws_pack_open(LUAWS_DATA_DIR "/models.pack", &pack, NULL)) exit(2);
    models = luaws_models_new(pack);
  }
  if (size == 0) return 0;
  const struct choice *c = &choices[data[0] % (sizeof choices / sizeof *choices)];
  const void *service;
  if (luaws_models_find(models, LUAWS_SECTION_SERVICE, luaws_str_from(c->service),
                        LUAWS_STR_NONE, &service, NULL)) {
    abort();
  }
  const struct luaws_operation *op =
      luaws_service_operation(service, luaws_str_from(c->operation));
  const struct luaws_protocol *protocol =
      c->protocol ? c->protocol : luaws_protocol_for(service);
  struct luaws_arena arena = {0};
  struct luaws_error err = {0};
  struct luaws_tree *params;
  struct luaws_str text = {(const char *)data + 1, size - 1};
  if (luaws_tree_parse(&arena, text, &params, &err) == 0) {
    struct luaws_buf first = {0}, second = {0};
    bool sent = serialize(protocol, service, op, params, &first);
    if (sent != serialize(protocol, service, op, params, &second)) abort();
    if (!luaws_str_eq(luaws_buf_str(&first), luaws_buf_str(&second))) abort();
    luaws_buf_clear(&first);
    luaws_buf_clear(&second);
  }
  luaws_error_clear(&err);
  luaws_arena_clear(&arena);
  return 0;
}
