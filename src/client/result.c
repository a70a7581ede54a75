#include "client/result.h"

#include <string.h>

#include "client/checksum.h"
#include "http/duplex.h"

struct luaws_parser *luaws_call_take_parser(struct luaws_call *call) {
  struct luaws_client *c = call->client;
  if (!call->parser) {
    call->parser = c->parser ? c->parser : luaws_parser_new();
    c->parser = NULL;
    if (call->parser && call->secret) luaws_parser_wipes(call->parser);
  }
  return call->parser;
}

void luaws_call_return_parser(struct luaws_call *call) {
  struct luaws_client *c = call->client;
  if (c->parser)
    luaws_parser_free(call->parser);
  else
    c->parser = call->parser;
  call->parser = NULL;
}

void luaws_call_parse_context(struct luaws_call *call, struct luaws_writer *out,
                              struct luaws_parse *p) {
  *p = (struct luaws_parse){
      .service = call->client->service,
      .operation = call->operation,
      .response = &call->response,
      .out = out,
      .arena = &call->arena,
      .parser = call->parser,
      .gathered = call->gather,
      .initial = call->initial,
  };
}

ptrdiff_t luaws_call_peek(struct luaws_call *call, const char **out,
                          struct luaws_error *err) {
  ptrdiff_t n = luaws_exchange_peek(call->exchange, out, err);
  return n == 0 ? luaws_call_end_verification(call, err) : n;
}

void luaws_call_skip(struct luaws_call *call, const char *ptr, size_t used) {
  if (call->verification) luaws_checksum_update(call->verification, ptr, used);
  luaws_exchange_skip(call->exchange, used);
}

ptrdiff_t luaws_call_receive(struct luaws_call *call, char *dst, size_t max,
                             struct luaws_error *err) {
  return call->duplex ? luaws_duplex_read(call->duplex, dst, max, err)
                      : luaws_exchange_read(call->exchange, dst, max, err);
}

ptrdiff_t luaws_call_read(struct luaws_call *call, char *dst, size_t max,
                          struct luaws_error *err) {
  const char *from;
  ptrdiff_t there = luaws_call_peek(call, &from, err);
  if (there <= 0) return there;
  if (max > (size_t)there) max = (size_t)there;
  memcpy(dst, from, max);
  luaws_call_skip(call, from, max);
  return (ptrdiff_t)max;
}

bool luaws_call_streams(const struct luaws_call *call) {
  return (call->operation->flags & (LUAWS_OP_STREAM_OUT | LUAWS_OP_EVENTS_OUT)) &&
         !call->gather;
}

static void write_text(struct luaws_writer *w, struct luaws_str key,
                       struct luaws_str value) {
  w->ops->key(w, key);
  w->ops->bytes(w, value);
}

struct ids {
  struct luaws_str request, host; /* as the body told them, or none */
  struct luaws_headers others;    /* what else it says of the answer (query) */
};

static void write_ids(struct luaws_call *call, struct luaws_writer *w,
                      const struct ids *ids) {
  static const char *const taken[] = {"RequestId", "HTTPStatusCode", "HTTPHeaders",
                                      "RetryAttempts"};
  const struct luaws_headers *h = &call->response.headers;
  struct luaws_str request = ids->request, host = ids->host;
  if (!request.ptr) {
    const struct luaws_str *id = luaws_headers_get(h, LUAWS_STR("x-amzn-requestid"));
    if (!id) id = luaws_headers_get(h, LUAWS_STR("x-amz-request-id"));
    if (id) request = *id;
  }
  const struct luaws_str *in_header = luaws_headers_get(h, LUAWS_STR("x-amz-id-2"));
  if (in_header) host = *in_header;
  if (request.ptr) write_text(w, LUAWS_STR("RequestId"), request);
  if (host.ptr) write_text(w, LUAWS_STR("HostId"), host);
  for (size_t i = 0; i < ids->others.count; i++) {
    const struct luaws_header *o = &ids->others.items[i];
    bool again = host.ptr && luaws_str_is(o->name, "HostId");
    for (size_t k = 0; k < sizeof taken / sizeof *taken; k++)
      again |= luaws_str_is(o->name, taken[k]);
    if (!again) write_text(w, o->name, o->value);
  }
}

static void write_metadata(struct luaws_call *call, struct luaws_writer *w,
                           const struct ids *ids) {
  const struct luaws_headers *h = &call->response.headers;
  w->ops->key(w, LUAWS_STR("ResponseMetadata"));
  w->ops->begin_map(w, 5, false);
  write_ids(call, w, ids);
  w->ops->key(w, LUAWS_STR("HTTPStatusCode"));
  w->ops->integer(w, call->response.status);
  w->ops->key(w, LUAWS_STR("HTTPHeaders"));
  w->ops->begin_map(w, h->count, false);
  for (size_t i = 0; i < h->count; i++)
    write_text(w, h->items[i].name, h->items[i].value);
  w->ops->end_map(w);
  w->ops->key(w, LUAWS_STR("RetryAttempts"));
  w->ops->integer(w, call->retry.attempt > 0 ? call->retry.attempt - 1 : 0);
  if (call->verified_by.len)
    write_text(w, LUAWS_STR("ChecksumAlgorithm"), call->verified_by);
  if (call->retry.max_attempts_reached) {
    w->ops->key(w, LUAWS_STR("MaxAttemptsReached"));
    w->ops->boolean(w, true);
  }
  if (call->retry.quota_reached) {
    w->ops->key(w, LUAWS_STR("RetryQuotaReached"));
    w->ops->boolean(w, true);
  }
  w->ops->end_map(w);
}

static int parse(struct luaws_call *call, struct luaws_writer *out,
                 struct luaws_error *err) {
  struct luaws_parse p;
  struct ids ids = {.others.arena = &call->arena};
  luaws_call_parse_context(call, out, &p);
  p.metadata = &ids.others;
  out->ops->begin_map(out, 8, false);
  int rc;
  if (luaws_call_failed(call)) {
    rc = call->client->protocol->parse_error(&p, &call->service_error, err);
    ids.request = call->service_error.request_id;
    ids.host = call->service_error.host_id;
  } else {
    rc = call->client->protocol->parse(&p, &ids.request, err);
  }
  if (rc) return rc;
  write_metadata(call, out, &ids);
  out->ops->end_map(out);
  return luaws_call_failed(call) ? LUAWS_E_SERVICE : 0;
}

int luaws_call_write(struct luaws_call *call, struct luaws_writer *out,
                     struct luaws_error *err) {
  if (call->error.code) {
    int code = call->error.code;
    luaws_error_move(err, &call->error);
    /* Another service said so, of whom credentials were wanted: there is no answer here.
     */
    return code == LUAWS_E_SERVICE ? LUAWS_E_CREDENTIALS : code;
  }
  if (!luaws_call_take_parser(call)) return luaws_error_memory(err);
  int rc = parse(call, out, err);
  luaws_call_return_parser(call);
  return rc;
}
