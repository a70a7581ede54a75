#include "client/compress.h"

#include <stdlib.h>
#include <zlib.h>

enum { GZIP_WINDOW_BITS = 15 + 16, MEMORY_LEVEL = 8, PIECE_BYTES = 64 * 1024 };

/* A streamed body is always compressed, but where its length must be known beforehand. */
static bool wanted(const struct luaws_call *call) {
  const struct luaws_client_config *g = call->client->config;
  const struct luaws_operation *op = call->operation;
  if (!(op->flags & LUAWS_OP_COMPRESS_GZIP) || call->presign) return false;
  if (g->disable_request_compression == LUAWS_YES ||
      luaws_str_is(g->signature_version, "v2"))
    return false;
  if (op->flags & LUAWS_OP_STREAM_IN) {
    const struct luaws_member *payload = luaws_shape_payload(luaws_ref_get(&op->input));
    return !(luaws_member_shape(payload)->flags & LUAWS_SHAPE_REQUIRES_LENGTH);
  }
  return call->request.body.length >= g->request_min_compression_size_bytes;
}

static int deflate_piece(z_stream *z, char *piece, size_t size, int flush,
                         struct luaws_buf *out, struct luaws_error *err) {
  z->next_in = (Bytef *)piece;
  z->avail_in = (uInt)size;
  do {
    if (!luaws_buf_reserve(out, PIECE_BYTES)) return luaws_error_memory(err);
    z->next_out = (Bytef *)out->ptr + out->len;
    z->avail_out = PIECE_BYTES;
    deflate(z, flush);
    out->len += PIECE_BYTES - z->avail_out;
  } while (z->avail_out == 0);
  return 0;
}

/* Reads the body to its end; it is of no use afterwards. */
static int gzip(const struct luaws_stream *body, struct luaws_buf *out,
                struct luaws_error *err) {
  z_stream z = {0};
  char *piece = malloc(PIECE_BYTES);
  int rc = piece && deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS,
                                 MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK
               ? 0
               : luaws_error_memory(err);
  int64_t position = 0;
  ptrdiff_t n = 1;
  while (rc == 0 && n > 0) {
    n = luaws_stream_read(body, &position, piece, PIECE_BYTES, err);
    rc = n < 0 ? (int)n
               : deflate_piece(&z, piece, (size_t)n, n ? Z_NO_FLUSH : Z_FINISH, out, err);
  }
  deflateEnd(&z);
  free(piece);
  return rc;
}

/* Content-Encoding may name what the caller did to the body before. */
static int name_encoding(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_headers *h = &call->request.headers;
  const struct luaws_str *before = luaws_headers_get(h, LUAWS_STR("content-encoding"));
  struct luaws_buf text = {0};
  if (before) luaws_buf_printf(&text, "%.*s,", LUAWS_STR_ARG(*before));
  luaws_buf_append_cstr(&text, "gzip");
  bool ok = !text.failed &&
            luaws_headers_set(h, LUAWS_STR("Content-Encoding"), luaws_buf_str(&text));
  luaws_buf_clear(&text);
  return ok ? 0 : luaws_error_memory(err);
}

int luaws_call_compress(struct luaws_call *call, struct luaws_error *err) {
  if (!wanted(call)) return 0;
  struct luaws_stream *body = &call->request.body;
  struct luaws_buf out = {0};
  int rc = gzip(body, &out, err);
  if (rc == 0) rc = name_encoding(call, err);
  if (rc) {
    luaws_buf_clear(&out);
    return rc;
  }
  call->features |= luaws_feature_bit(LUAWS_FEATURE_GZIP);
  luaws_stream_release(body);
  *body = (struct luaws_stream){.kind = LUAWS_STREAM_BYTES,
                                .bytes = luaws_buf_str(&out),
                                .length = (int64_t)out.len,
                                .release = free,
                                .owner = out.ptr};
  return 0;
}
