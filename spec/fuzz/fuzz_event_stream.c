/* Any bytes as event streams: fed in pieces and at once they say the same. The first byte
   picks the operation and whether sums are made right first, so that the fuzzer gets past
   them. */
#include "answer.h"
#include "protocol/event_stream.h"

#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t read_u32(const char *p) {
  const unsigned char *b = (const unsigned char *)p;
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void write_crc(char *p, const char *start) {
  uint32_t crc = (uint32_t)crc32_z(0, (const Bytef *)start, (size_t)(p - start));
  for (int i = 0; i < 4; i++)
    p[i] = (char)(crc >> (24 - 8 * i));
}

/* The lengths stay as they are. */
static void repair(char *p, size_t size) {
  while (size >= 16) {
    size_t total = read_u32(p);
    write_crc(p + 8, p);
    if (total < 16 || total > size) return;
    write_crc(p + total - 4, p);
    p += total;
    size -= total;
  }
}

/* How many messages and what ended them, fed in pieces of so many bytes. */
static int decode(struct luaws_str s, size_t piece, size_t *payload_bytes) {
  struct luaws_event_decoder d = {0};
  struct luaws_event_message m;
  struct luaws_error err = {0};
  int count = 0, rc = 0;
  size_t at = 0;
  *payload_bytes = 0;
  for (;;) {
    while ((rc = luaws_event_decoder_next(&d, &m, &err)) == 1) {
      count++;
      *payload_bytes += m.payload.len;
      for (size_t i = 0; i < m.header_count; i++) {
        if (luaws_event_header_get(&m, m.headers[i].name) != &m.headers[i]) abort();
      }
    }
    if (rc || at == s.len) break;
    size_t n = s.len - at < piece ? s.len - at : piece;
    char *room = luaws_event_decoder_room(&d, n);
    if (!room) abort();
    memcpy(room, s.ptr + at, n);
    luaws_event_decoder_filled(&d, n);
    at += n;
  }
  if (rc && !err.message) abort();
  luaws_error_clear(&err);
  luaws_event_decoder_clear(&d);
  return rc ? -count - 1 : count;
}

static void read_whole(const struct luaws_service *service,
                       const struct luaws_operation *op, struct luaws_str body,
                       struct luaws_parser *parser) {
  struct luaws_arena arena = {0};
  struct luaws_error err = {0};
  struct luaws_tree_writer w;
  luaws_tree_writer_init(&w, &arena);
  struct luaws_response response = {.status = 200, .body = body, .headers.arena = &arena};
  struct luaws_parse p = {.service = service,
                          .operation = op,
                          .response = &response,
                          .out = &w.base,
                          .arena = &arena,
                          .parser = parser,
                          .gathered = true};
  w.base.ops->begin_map(&w.base, 0, false);
  int rc = luaws_event_stream_write(&p, &err);
  w.base.ops->end_map(&w.base);
  if (!w.failed && w.depth != 0) abort();
  if (rc && !err.message) abort();
  luaws_error_clear(&err);
  luaws_arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct answer_choice choices[] = {
      {"s3", "SelectObjectContent"},
      {"kinesis", "SubscribeToShard"},
      {"bedrock-runtime", "ConverseStream"},
      {"lambda", "InvokeWithResponseStream"},
      {"logs", "StartLiveTail"},
  };
  static struct luaws_models *models;
  static struct luaws_parser *parser;
  if (!models) {
    struct luaws_pack *pack;
    struct luaws_error err = {0};
    if (luaws_pack_open(LUAWS_DATA_DIR "/models.pack", &pack, &err)) exit(2);
    models = luaws_models_new(pack);
    parser = luaws_parser_new();
  }
  if (size == 0) return 0;
  const struct answer_choice *c =
      &choices[(data[0] & 127) % (sizeof choices / sizeof *choices)];
  const void *service;
  if (luaws_models_find(models, LUAWS_SECTION_SERVICE, luaws_str_from(c->service),
                        LUAWS_STR_NONE, &service, NULL)) {
    abort();
  }
  char *copy = malloc(size);
  if (!copy) abort();
  memcpy(copy, data + 1, size - 1);
  if (data[0] & 128) repair(copy, size - 1);
  struct luaws_str s = {copy, size - 1};
  size_t bytes, bytes_in_pieces;
  int whole = decode(s, s.len + 1, &bytes);
  if (whole != decode(s, 5, &bytes_in_pieces) || bytes != bytes_in_pieces) abort();
  read_whole(service, luaws_service_operation(service, luaws_str_from(c->operation)), s,
             parser);
  free(copy);
  return 0;
}
