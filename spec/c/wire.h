/* The protocols by themselves, driven by JSON: a question is one object, its answer
   another.

   {"service", "operation", "params", "endpoint"?, "token"?}
     -> {"method", "host", "path", "query", "headers": [[name, value]], "body": base64}
   {"service", "operation", "status", "headers": {}, "body": base64 | "text"}
   (with "gathered": true the body of an event stream is whole)
     -> {"result": {}, "request_id"?}, and of an error "code", "message", "shape", …
   {"service", "operation", "check": params} -> {}
   {"service", "operation", "event": {name: {}}}: one of the input's event stream
     -> {"payload": base64, "headers": base64}, the headers as they stand on the wire

   (with "protocol": "smithy-rpc-v2-cbor" in that one, whatever the service speaks)

   or {"error": kind, "message"}. A map {"$float": text} or {"$bytes": base64} among the
   parameters stands for what JSON has no word for; so does {"$stream": ""} in results. */
#ifndef LUAWS_SPEC_WIRE_H
#define LUAWS_SPEC_WIRE_H

#include "base/encode.h"
#include "model/model.h"
#include "protocol/event_write.h"
#include "protocol/protocol.h"
#include "protocol/protocols.h"
#include "value/json.h"
#include "value/tree.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct wire {
  struct luaws_pack *pack;
  struct luaws_models *models;
  struct luaws_parser *parser;
  struct luaws_arena arena; /* of the line */
  struct luaws_buf out;
  const struct luaws_protocol *protocol;
  struct luaws_error err;
};

/* ---- results ---- */

static const struct luaws_writer_ops *tree_ops;

static void write_marked(struct luaws_writer *w, const char *mark,
                         struct luaws_str text) {
  tree_ops->begin_map(w, 1, false);
  tree_ops->key(w, luaws_str_from(mark));
  tree_ops->bytes(w, text);
  tree_ops->end_map(w);
}

static void write_bytes(struct luaws_writer *w, struct luaws_str s) {
  if (luaws_utf8_find_bad(s) < 0) return tree_ops->bytes(w, s);
  struct luaws_buf b = {0};
  luaws_base64_encode(&b, s);
  write_marked(w, "$bytes", luaws_buf_str(&b));
  luaws_buf_clear(&b);
}

static void write_floating(struct luaws_writer *w, double n) {
  if (isfinite(n)) return tree_ops->floating(w, n);
  write_marked(w, "$float",
               isnan(n) ? LUAWS_STR("NaN")
               : n > 0  ? LUAWS_STR("Infinity")
                        : LUAWS_STR("-Infinity"));
}

static void write_stream(struct luaws_writer *w) {
  write_marked(w, "$stream", LUAWS_STR(""));
}

/* ---- parameters ---- */

static void replace_marks(struct wire *t, struct luaws_tree *v) {
  if (v->kind != LUAWS_KIND_LIST && v->kind != LUAWS_KIND_MAP) return;
  for (struct luaws_tree *c = v->first; c; c = c->next)
    replace_marks(t, c);
  if (v->kind != LUAWS_KIND_MAP || v->count != 1) return;
  struct luaws_str text = v->first->text;
  if (luaws_str_is(v->first->key, "$float")) {
    v->kind = LUAWS_KIND_FLOAT;
    luaws_str_to_double(text, &v->floating);
  } else if (luaws_str_is(v->first->key, "$bytes")) {
    struct luaws_buf b = {0};
    luaws_base64_decode(&b, text);
    v->kind = LUAWS_KIND_STRING;
    v->text = luaws_arena_str(&t->arena, luaws_buf_str(&b));
    luaws_buf_clear(&b);
  }
}

/* ---- answers ---- */

static void put_key(struct wire *t, const char *key) {
  luaws_buf_append_cstr(&t->out, t->out.len > 1 ? "," : "");
  luaws_json_quote(&t->out, luaws_str_from(key));
  luaws_buf_append_char(&t->out, ':');
}

static void put(struct wire *t, const char *key, struct luaws_str value) {
  if (!value.ptr) return;
  put_key(t, key);
  luaws_json_quote(&t->out, value);
}

static int do_serialize(struct wire *t, const struct luaws_service *service,
                        const struct luaws_operation *op, const struct luaws_tree *line,
                        struct luaws_tree *params) {
  struct luaws_request r = {.arena = &t->arena, .headers.arena = &t->arena};
  struct luaws_buf body = {0};
  struct luaws_tree_reader reader;
  luaws_tree_reader_init(&reader, params);
  struct luaws_str endpoint = luaws_tree_text(line, "endpoint");
  struct luaws_str token = luaws_tree_text(line, "token");
  struct luaws_serialize s = {
      .service = service,
      .operation = op,
      .params = &reader.base,
      .request = &r,
      .body = &body,
      .inject_host_prefix = true,
      .idempotency_token = token.ptr ? luaws_arena_str(&t->arena, token).ptr
                                     : "00000000-0000-4000-8000-000000000000",
  };
  int rc = luaws_request_set_url(&r, endpoint.ptr ? endpoint : LUAWS_STR("https://host"),
                                 &t->err);
  if (rc == 0) rc = t->protocol->serialize(&s, &t->err);
  if (rc == 0) {
    put(t, "method", r.method);
    put(t, "host", r.host);
    put(t, "path", r.path);
    put(t, "query", r.query);
    put_key(t, "headers");
    luaws_buf_append_char(&t->out, '[');
    for (size_t i = 0; i < r.headers.count; i++) {
      luaws_buf_append_cstr(&t->out, i ? ",[" : "[");
      luaws_json_quote(&t->out, r.headers.items[i].name);
      luaws_buf_append_char(&t->out, ',');
      luaws_json_quote(&t->out, r.headers.items[i].value);
      luaws_buf_append_char(&t->out, ']');
    }
    luaws_buf_append_char(&t->out, ']');
    struct luaws_buf text = {0};
    luaws_base64_encode(&text, r.body.bytes);
    put(t, "body", luaws_buf_str(&text));
    luaws_buf_clear(&text);
  }
  luaws_stream_release(&r.body);
  luaws_buf_clear(&body);
  return rc;
}

static int do_parse(struct wire *t, const struct luaws_service *service,
                    const struct luaws_operation *op, const struct luaws_tree *line) {
  struct luaws_tree_writer w;
  struct luaws_writer_ops ops;
  luaws_tree_writer_init(&w, &t->arena);
  tree_ops = w.base.ops;
  ops = *tree_ops;
  ops.bytes = write_bytes;
  ops.blob = write_bytes;
  ops.floating = write_floating;
  ops.stream = write_stream;
  w.base.ops = &ops;
  struct luaws_response r = {.headers.arena = &t->arena};
  r.status = (int)luaws_tree_get(line, "status")->integer;
  const struct luaws_tree *headers = luaws_tree_get(line, "headers");
  for (const struct luaws_tree *h = headers ? headers->first : NULL; h; h = h->next)
    luaws_headers_add(&r.headers, h->key, h->text);
  struct luaws_buf body = {0};
  luaws_base64_decode(&body, luaws_tree_text(line, "body"));
  luaws_buf_append_str(&body, luaws_tree_text(line, "text"));
  r.body = luaws_arena_str(&t->arena, luaws_buf_str(&body));
  luaws_buf_clear(&body);
  struct luaws_parse p = {.service = service,
                          .operation = op,
                          .response = &r,
                          .out = &w.base,
                          .arena = &t->arena,
                          .parser = t->parser,
                          .gathered = luaws_tree_flag(line, "gathered")};
  const struct luaws_protocol *protocol = t->protocol;
  struct luaws_str request_id = LUAWS_STR_NONE;
  struct luaws_service_error e = {0}, peeked = {0};
  bool failed = r.status >= 300;
  ops.begin_map(&w.base, 0, false);
  int rc = failed ? protocol->parse_error(&p, &e, &t->err)
                  : protocol->parse(&p, &request_id, &t->err);
  ops.end_map(&w.base);
  if (rc) return rc;
  put_key(t, "result");
  luaws_tree_print(w.root, &t->out, 0);
  put(t, "request_id", failed ? e.request_id : request_id);
  if (!failed) return 0;
  protocol->peek_error(&p, &peeked);
  if (!luaws_str_eq(peeked.code, e.code) || peeked.shape != e.shape) abort();
  put(t, "code", e.code);
  put(t, "message", e.message);
  put(t, "host_id", e.host_id);
  put(t, "query_error_code", e.query_error_code);
  if (e.shape) put(t, "shape", luaws_ref_text(&e.shape->name));
  return 0;
}

static int do_check(struct wire *t, const struct luaws_operation *op,
                    struct luaws_tree *params) {
  struct luaws_tree_reader reader;
  luaws_tree_reader_init(&reader, params);
  return luaws_check_params(op, &reader.base, LUAWS_CHECK_SHAPES, &t->err);
}

static int do_event(struct wire *t, const struct luaws_service *service,
                    const struct luaws_operation *op, struct luaws_tree *event) {
  struct luaws_tree_reader reader;
  struct luaws_buf payload = {0}, headers = {0}, text = {0};
  luaws_tree_reader_init(&reader, event);
  struct luaws_serialize s = {
      .service = service, .operation = op, .params = &reader.base, .body = &payload};
  int rc = luaws_validate_event(op, &reader.base, 0, &t->err);
  if (rc == 0) rc = luaws_event_serialize(&s, &headers, &t->err);
  luaws_base64_encode(&text, luaws_buf_str(&payload));
  if (rc == 0) put(t, "payload", luaws_buf_str(&text));
  luaws_buf_reset(&text);
  luaws_base64_encode(&text, luaws_buf_str(&headers));
  if (rc == 0) put(t, "headers", luaws_buf_str(&text));
  luaws_buf_clear(&text);
  luaws_buf_clear(&payload);
  luaws_buf_clear(&headers);
  return rc;
}

static int answer(struct wire *t, struct luaws_str text) {
  struct luaws_tree *line;
  int rc = luaws_tree_parse(&t->arena, text, &line, &t->err);
  if (rc) return rc;
  replace_marks(t, line);
  const void *found;
  struct luaws_str name = luaws_tree_text(line, "service");
  rc = luaws_models_find(t->models, LUAWS_SECTION_SERVICE, name,
                         luaws_tree_text(line, "version"), &found, &t->err);
  if (rc) return rc;
  const struct luaws_service *service = found;
  const struct luaws_operation *op =
      luaws_service_operation(service, luaws_tree_text(line, "operation"));
  bool cbor = luaws_str_is(luaws_tree_text(line, "protocol"), "smithy-rpc-v2-cbor");
  t->protocol = cbor ? &luaws_protocol_cbor : luaws_protocol_for(service);
  if (!op || !t->protocol) {
    return luaws_error_set(&t->err, LUAWS_E_ARGUMENT, "ValueError", "no such operation");
  }
  struct luaws_tree *params = (struct luaws_tree *)luaws_tree_get(line, "params");
  struct luaws_tree *check = (struct luaws_tree *)luaws_tree_get(line, "check");
  if (check) return do_check(t, op, check);
  struct luaws_tree *event = (struct luaws_tree *)luaws_tree_get(line, "event");
  if (event) return do_event(t, service, op, event);
  if (params) return do_serialize(t, service, op, line, params);
  return do_parse(t, service, op, line);
}

static inline int wire_open(struct wire *t, const char *pack) {
  *t = (struct wire){.parser = luaws_parser_new()};
  int rc = luaws_pack_open(pack, &t->pack, &t->err);
  if (rc == 0) t->models = luaws_models_new(t->pack);
  return rc;
}

/* The answer lives until the next question. */
static inline struct luaws_str wire_ask(struct wire *t, struct luaws_str question) {
  luaws_buf_reset(&t->out);
  luaws_arena_reset(&t->arena);
  luaws_error_clear(&t->err);
  luaws_buf_append_char(&t->out, '{');
  if (answer(t, question)) {
    luaws_buf_truncate(&t->out, 1);
    put(t, "error", luaws_str_from(t->err.kind));
    put(t, "message", luaws_str_from(luaws_error_message(&t->err)));
  }
  luaws_buf_append_char(&t->out, '}');
  return luaws_buf_str(&t->out);
}

static inline void wire_close(struct wire *t) {
  luaws_buf_clear(&t->out);
  luaws_arena_clear(&t->arena);
  luaws_error_clear(&t->err);
  luaws_parser_free(t->parser);
  luaws_models_free(t->models);
  luaws_pack_release(t->pack);
}

#endif
