#include "client/checksum.h"

#include <zlib.h>

#include "base/encode.h"

static bool has_checksum(const struct luaws_headers *h) {
  for (size_t i = 0; i < h->count; i++) {
    struct luaws_str prefix = luaws_str_sub(h->items[i].name, 0, 15);
    if (luaws_str_eq_nocase(prefix, LUAWS_STR("x-amz-checksum-"))) return true;
  }
  return false;
}

/* The CRC-32 of a whole body, which is rewound for sending. */
static int body_crc32(const struct luaws_stream *body, uint32_t *out,
                      struct luaws_error *err) {
  uLong crc = crc32(0, NULL, 0);
  if (body->kind == LUAWS_STREAM_BYTES || body->kind == LUAWS_STREAM_NONE) {
    *out = (uint32_t)crc32_z(crc, (const Bytef *)body->bytes.ptr, body->bytes.len);
    return 0;
  }
  char chunk[64 * 1024];
  int64_t position = 0;
  ptrdiff_t n;
  while ((n = luaws_stream_read(body, &position, chunk, sizeof chunk, err)) > 0) {
    crc = crc32_z(crc, (const Bytef *)chunk, (size_t)n);
  }
  if (n < 0) return (int)n;
  *out = (uint32_t)crc;
  return luaws_stream_rewind(body, &position, err);
}

static bool wanted(const struct luaws_call *call) {
  const struct luaws_operation *op = call->operation;
  if (op->flags & LUAWS_OP_CHECKSUM_REQUIRED) return true;
  const struct luaws_operation_extra *x = luaws_ref_get(&op->extra);
  if (!x) return false;
  if (x->checksum_request_required) return true;
  return luaws_ref_text(&x->checksum_algorithm_member).len &&
         !luaws_str_is(call->client->config->request_checksum_calculation,
                       "when_required");
}

int luaws_call_add_checksum(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_request *r = &call->request;
  if (call->presign || !wanted(call) || has_checksum(&r->headers)) return 0;
  /* What is read only once gets no checksum in front of it. */
  if (r->body.kind == LUAWS_STREAM_FUNCTION && !r->body.rewind) return 0;
  uint32_t crc;
  int rc = body_crc32(&r->body, &crc, err);
  if (rc) return rc;
  char bytes[4] = {(char)(crc >> 24), (char)(crc >> 16), (char)(crc >> 8), (char)crc};
  struct luaws_buf text = {0};
  luaws_base64_encode(&text, (struct luaws_str){bytes, sizeof bytes});
  bool ok = !text.failed &&
            luaws_headers_set(&r->headers, LUAWS_STR("x-amz-sdk-checksum-algorithm"),
                              LUAWS_STR("CRC32")) &&
            luaws_headers_set(&r->headers, LUAWS_STR("x-amz-checksum-crc32"),
                              luaws_buf_str(&text));
  luaws_buf_clear(&text);
  return ok ? 0 : luaws_error_memory(err);
}
