/* Any bytes as the answer to an operation: what was begun in the writer is ended, and a
   second reading says the same. */
#ifndef LUAWS_FUZZ_ANSWER_H
#define LUAWS_FUZZ_ANSWER_H

#include "model/model.h"
#include "protocol/protocol.h"
#include "value/tree.h"

#include <stdio.h>
#include <stdlib.h>

struct answer_choice {
  const char *service;
  const char *operation;
};

static inline void answer_read(const struct luaws_protocol *protocol,
                               const struct luaws_service *service,
                               const struct luaws_operation *op, int status,
                               const struct luaws_headers *headers, struct luaws_str body,
                               struct luaws_parser *parser, struct luaws_buf *out) {
  struct luaws_arena arena = {0};
  struct luaws_error err = {0};
  struct luaws_tree_writer w;
  luaws_tree_writer_init(&w, &arena);
  struct luaws_response response = {
      .status = status, .body = body, .headers.arena = &arena};
  if (headers) response.headers = *headers;
  struct luaws_parse p = {.service = service,
                          .operation = op,
                          .response = &response,
                          .out = &w.base,
                          .arena = &arena,
                          .parser = parser};
  struct luaws_str request_id = LUAWS_STR_NONE;
  struct luaws_service_error error, peeked;
  w.base.ops->begin_map(&w.base, 0, false);
  int rc = status < 300 ? protocol->parse(&p, &request_id, &err)
                        : protocol->parse_error(&p, &error, &err);
  w.base.ops->end_map(&w.base);
  if (!w.failed && w.depth != 0) abort();
  if (rc && (status >= 300 || !err.message)) abort();
  if (status >= 300) {
    protocol->peek_error(&p, &peeked);
    if (!error.code.len || !luaws_str_eq(error.code, peeked.code)) abort();
  }
  luaws_buf_printf(out, "%d %s ", rc, err.message ? err.message : "");
  if (!w.failed) luaws_tree_print(w.root, out, 0);
  luaws_error_clear(&err);
  luaws_arena_clear(&arena);
}

/* protocol NULL: the service's own. headers NULL: none. */
static inline void answer_fuzz_message(const struct luaws_protocol *protocol,
                                       const struct answer_choice *choice, int status,
                                       const struct luaws_headers *headers,
                                       struct luaws_str body) {
  static struct luaws_models *models;
  static struct luaws_parser *parser;
  struct luaws_error err = {0};
  if (!models) {
    struct luaws_pack *pack;
    if (luaws_pack_open(LUAWS_DATA_DIR "/models.pack", &pack, &err)) {
      fprintf(stderr, "%s\n", luaws_error_message(&err));
      exit(2);
    }
    models = luaws_models_new(pack);
    parser = luaws_parser_new();
  }
  const void *service;
  if (luaws_models_find(models, LUAWS_SECTION_SERVICE, luaws_str_from(choice->service),
                        LUAWS_STR_NONE, &service, &err)) {
    abort();
  }
  const struct luaws_operation *op =
      luaws_service_operation(service, luaws_str_from(choice->operation));
  struct luaws_buf first = {0}, second = {0};
  if (!protocol) protocol = luaws_protocol_for(service);
  answer_read(protocol, service, op, status, headers, body, parser, &first);
  answer_read(protocol, service, op, status, headers, body, parser, &second);
  if (!luaws_str_eq(luaws_buf_str(&first), luaws_buf_str(&second))) abort();
  luaws_buf_clear(&first);
  luaws_buf_clear(&second);
}

/* The first byte picks the operation; the rest is the body. */
static inline int answer_fuzz(const struct luaws_protocol *protocol,
                              const struct answer_choice *choices, size_t count,
                              int status, const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct luaws_str body = {(const char *)data + 1, size - 1};
  answer_fuzz_message(protocol, &choices[data[0] % count], status, NULL, body);
  return 0;
}

#endif
