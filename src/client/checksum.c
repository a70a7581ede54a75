#include "client/checksum.h"

#include <stdlib.h>

#include "base/encode.h"
#include "client/auth.h"
#include "http/aws_chunked.h"

static const struct luaws_operation_extra *extra_of(const struct luaws_call *call) {
  return luaws_ref_get(&call->operation->extra);
}

static void note_algorithm(struct luaws_call *call,
                           enum luaws_checksum_algorithm algorithm) {
  static const enum luaws_feature features[] = {
      [LUAWS_CHECKSUM_XXHASH128] = LUAWS_FEATURE_REQUEST_XXHASH128,
      [LUAWS_CHECKSUM_XXHASH3] = LUAWS_FEATURE_REQUEST_XXHASH3,
      [LUAWS_CHECKSUM_CRC64NVME] = LUAWS_FEATURE_REQUEST_CRC64,
      [LUAWS_CHECKSUM_XXHASH64] = LUAWS_FEATURE_REQUEST_XXHASH64,
      [LUAWS_CHECKSUM_CRC32C] = LUAWS_FEATURE_REQUEST_CRC32C,
      [LUAWS_CHECKSUM_CRC32] = LUAWS_FEATURE_REQUEST_CRC32,
      [LUAWS_CHECKSUM_SHA1] = LUAWS_FEATURE_REQUEST_SHA1,
      [LUAWS_CHECKSUM_SHA256] = LUAWS_FEATURE_REQUEST_SHA256,
      [LUAWS_CHECKSUM_SHA512] = LUAWS_FEATURE_REQUEST_SHA512,
      [LUAWS_CHECKSUM_MD5] = LUAWS_FEATURE_REQUEST_MD5,
  };
  if (algorithm < LUAWS_CHECKSUM_ALGORITHMS)
    call->features |= luaws_feature_bit(features[algorithm]);
}

/* Whether the caller gave checksums; they are the call's then. */
static bool has_checksum(struct luaws_call *call) {
  const struct luaws_headers *h = &call->request.headers;
  bool has = false;
  for (size_t i = 0; i < h->count; i++) {
    struct luaws_str prefix = luaws_str_sub(h->items[i].name, 0, 15);
    if (luaws_str_eq_nocase(prefix, LUAWS_STR("x-amz-checksum-")) &&
        !luaws_str_eq_nocase(h->items[i].name, LUAWS_STR("x-amz-checksum-mode")) &&
        !luaws_str_eq_nocase(h->items[i].name, LUAWS_STR("x-amz-checksum-type")) &&
        !luaws_str_eq_nocase(h->items[i].name, LUAWS_STR("x-amz-checksum-algorithm"))) {
      struct luaws_str name = luaws_str_sub(h->items[i].name, 15, h->items[i].name.len);
      note_algorithm(call, luaws_checksum_find(name));
      has = true;
    }
  }
  return has;
}

/* The header by which the operation's input names something, none when it is no header.
 */
static struct luaws_str header_of(const struct luaws_call *call,
                                  struct luaws_str member) {
  const struct luaws_shape *input = luaws_ref_get(&call->operation->input);
  const struct luaws_member *m =
      member.len && input ? luaws_shape_member(input, member) : NULL;
  return m && m->location == LUAWS_IN_HEADER ? luaws_ref_text(&m->wire_name)
                                             : LUAWS_STR_NONE;
}

int luaws_call_ask_for_checksum(struct luaws_call *call, struct luaws_error *err) {
  const struct luaws_operation_extra *x = extra_of(call);
  if (!x || call->presign || !luaws_ref_text(&x->checksum_validation_member).len ||
      luaws_str_is(call->client->config->response_checksum_validation, "when_required")) {
    return 0;
  }
  struct luaws_str header =
      header_of(call, luaws_ref_text(&x->checksum_validation_member));
  struct luaws_headers *h = &call->request.headers;
  if (!header.len || luaws_headers_get(h, header)) return 0;
  return luaws_headers_set(h, header, LUAWS_STR("ENABLED")) ? 0 : luaws_error_memory(err);
}

/* Which algorithm: the caller's, CRC32 where the model wants or offers one, else none. */
static int choose(const struct luaws_call *call, enum luaws_checksum_algorithm *out,
                  struct luaws_error *err) {
  const struct luaws_operation_extra *x = extra_of(call);
  struct luaws_str member =
      x ? luaws_ref_text(&x->checksum_algorithm_member) : LUAWS_STR_NONE;
  struct luaws_str header = header_of(call, member);
  const struct luaws_str *asked =
      header.len ? luaws_headers_get(&call->request.headers, header) : NULL;
  bool required = (call->operation->flags & LUAWS_OP_CHECKSUM_REQUIRED) ||
                  (x && x->checksum_request_required);
  *out = LUAWS_CHECKSUM_ALGORITHMS;
  if (asked) {
    *out = luaws_checksum_find(*asked);
    if (*out == LUAWS_CHECKSUM_ALGORITHMS) {
      return luaws_error_set(err, LUAWS_E_ARGUMENT, "FlexibleChecksumError",
                             "Unsupported checksum algorithm: %.*s",
                             LUAWS_STR_ARG(*asked));
    }
  } else if (required ||
             (member.len &&
              !luaws_str_is(call->client->config->request_checksum_calculation,
                            "when_required"))) {
    *out = LUAWS_CHECKSUM_CRC32;
  }
  return 0;
}

static int add_trailer(struct luaws_call *call, enum luaws_checksum_algorithm algorithm,
                       struct luaws_error *err) {
  struct luaws_headers *h = &call->request.headers;
  int64_t length =
      call->request.body.kind == LUAWS_STREAM_NONE ? 0 : call->request.body.length;
  struct luaws_buf text = {0};
  bool ok =
      luaws_headers_set(h, LUAWS_STR("X-Amz-Trailer"), luaws_checksum_header(algorithm));
  /* Given by the caller it is the body's own, and not that of what is sent. */
  const struct luaws_str *given = luaws_headers_get(h, LUAWS_STR("Content-Length"));
  if (length < 0 && given && !luaws_str_to_int64(*given, &length)) length = -1;
  luaws_headers_remove(h, LUAWS_STR("Content-Length"));
  if (length >= 0) {
    luaws_buf_append_int(&text, length);
    ok = ok && luaws_headers_set(h, LUAWS_STR("X-Amz-Decoded-Content-Length"),
                                 luaws_buf_str(&text));
    luaws_buf_reset(&text);
  }
  const struct luaws_str *encoding = luaws_headers_get(h, LUAWS_STR("content-encoding"));
  if (encoding) {
    luaws_buf_append_str(&text, *encoding);
    luaws_buf_append_char(&text, ',');
  }
  luaws_buf_append_cstr(&text, "aws-chunked");
  ok = ok && !text.failed &&
       luaws_headers_set(h, LUAWS_STR("Content-Encoding"), luaws_buf_str(&text));
  luaws_buf_clear(&text);
  if (!ok) return luaws_error_memory(err);
  return luaws_aws_chunked_wrap(&call->request.body, algorithm, err);
}

/* What is computed of a body in one reading. */
struct sums {
  struct luaws_checksum *asked; /* of the header */
  struct luaws_checksum *signs; /* SHA-256, where the signature wants it; or NULL */
};

static void add_to_sums(const struct sums *s, const char *ptr, size_t len) {
  luaws_checksum_update(s->asked, ptr, len);
  if (s->signs) luaws_checksum_update(s->signs, ptr, len);
}

/* Reads the body once, and rewinds it. */
static int sum_up(const struct luaws_stream *body, const struct sums *s,
                  struct luaws_error *err) {
  enum { PIECE = 64 * 1024 }; /* still in the cache when the second one sees it */
  if (body->kind == LUAWS_STREAM_NONE) return 0;
  if (body->kind == LUAWS_STREAM_BYTES) {
    add_to_sums(s, body->bytes.ptr, body->bytes.len);
    return 0;
  }
  char *piece = malloc(PIECE);
  int64_t position = 0;
  ptrdiff_t n = piece ? 1 : luaws_error_memory(err);
  while (n > 0) {
    n = luaws_stream_read(body, &position, piece, PIECE, err);
    if (n > 0) add_to_sums(s, piece, (size_t)n);
  }
  free(piece);
  return n < 0 ? (int)n : luaws_stream_rewind(body, &position, err);
}

static int keep_sha256(struct luaws_call *call, struct luaws_checksum *sha256,
                       struct luaws_error *err) {
  struct luaws_buf text = {0}, bytes = {0};
  luaws_checksum_finish(sha256, &text);
  luaws_base64_decode(&bytes, luaws_buf_str(&text));
  luaws_buf_reset(&text);
  luaws_hex_encode(&text, luaws_buf_str(&bytes));
  if (!text.failed && !bytes.failed)
    call->body_sha256 = luaws_arena_str(&call->arena, luaws_buf_str(&text));
  luaws_buf_clear(&text);
  luaws_buf_clear(&bytes);
  return call->body_sha256.ptr ? 0 : luaws_error_memory(err);
}

static int keep_checksum(struct luaws_call *call, struct luaws_checksum *c,
                         struct luaws_error *err) {
  struct luaws_buf text = {0};
  luaws_checksum_finish(c, &text);
  bool ok = !text.failed &&
            luaws_headers_set(&call->request.headers,
                              luaws_checksum_header(luaws_checksum_algorithm(c)),
                              luaws_buf_str(&text));
  luaws_buf_clear(&text);
  return ok ? 0 : luaws_error_memory(err);
}

/* A file that the signature has to hash as well is not read a second time for that. */
static int add_header(struct luaws_call *call, enum luaws_checksum_algorithm algorithm,
                      struct luaws_error *err) {
  const struct luaws_stream *body = &call->request.body;
  bool both = body->kind == LUAWS_STREAM_FILE && luaws_call_hashes_body(call);
  struct sums s = {
      .asked = luaws_checksum_new(algorithm),
      .signs = both ? luaws_checksum_new(LUAWS_CHECKSUM_SHA256) : NULL,
  };
  int rc = s.asked && (s.signs || !both) ? 0 : luaws_error_memory(err);
  if (rc == 0) rc = sum_up(body, &s, err);
  if (rc == 0 && both) rc = keep_sha256(call, s.signs, err);
  if (rc == 0) rc = keep_checksum(call, s.asked, err);
  luaws_checksum_free(s.asked);
  luaws_checksum_free(s.signs);
  return rc;
}

int luaws_call_add_checksum(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_request *r = &call->request;
  enum luaws_checksum_algorithm algorithm;
  if (call->presign || has_checksum(call)) return 0;
  int rc = choose(call, &algorithm, err);
  if (rc || algorithm == LUAWS_CHECKSUM_ALGORITHMS) return rc;
  const struct luaws_operation_extra *x = extra_of(call);
  bool streamed = call->operation->flags & LUAWS_OP_STREAM_IN;
  /* S3's old signature knows no trailers. */
  bool old = luaws_str_is(call->client->config->signature_version, "s3") ||
             luaws_str_is(call->client->config->signature_version, "s3-query");
  bool behind = streamed && !old && luaws_str_is(r->scheme, "https");
  if (!behind && r->body.kind == LUAWS_STREAM_FUNCTION && !r->body.rewind) {
    /* What can be read only once gets no checksum in front of it, unless it is read
       before it is sent all the same. */
    if (!luaws_call_hashes_body(call)) return 0;
    rc = luaws_stream_keep(&r->body, &call->kept_body, err);
    if (rc) return rc;
  }
  struct luaws_str said =
      x ? header_of(call, luaws_ref_text(&x->checksum_algorithm_member)) : LUAWS_STR_NONE;
  if (said.len && !luaws_headers_set(&r->headers, said, luaws_checksum_name(algorithm))) {
    return luaws_error_memory(err);
  }
  note_algorithm(call, algorithm);
  return behind ? add_trailer(call, algorithm, err) : add_header(call, algorithm, err);
}

/* ---- responses ---- */

int luaws_call_begin_verification(struct luaws_call *call, struct luaws_error *err) {
  const struct luaws_operation_extra *x = extra_of(call);
  const char *list = x ? luaws_ref_get(&x->checksum_response_algorithms) : NULL;
  if (!list || call->response.status >= 300) return 0;
  struct luaws_str mode = header_of(call, luaws_ref_text(&x->checksum_validation_member));
  if (!mode.len || !luaws_headers_get(&call->request.headers, mode)) return 0;
  for (int a = 0; a < LUAWS_CHECKSUM_ALGORITHMS; a++) {
    struct luaws_str header = luaws_checksum_header((enum luaws_checksum_algorithm)a);
    const struct luaws_str *value = luaws_headers_get(&call->response.headers, header);
    if (!value) continue;
    if (luaws_str_find(*value, '-') >= 0)
      return 0; /* of the parts of a multipart upload, not of the whole */
    call->verified_by = luaws_str_sub(header, sizeof "x-amz-checksum-" - 1, header.len);
    call->verification = luaws_checksum_new((enum luaws_checksum_algorithm)a);
    return call->verification ? 0 : luaws_error_memory(err);
  }
  return 0;
}

int luaws_call_end_verification(struct luaws_call *call, struct luaws_error *err) {
  if (!call->verification) return 0;
  struct luaws_str header =
      luaws_checksum_header(luaws_checksum_algorithm(call->verification));
  const struct luaws_str *promised = luaws_headers_get(&call->response.headers, header);
  struct luaws_buf computed = {0};
  luaws_checksum_finish(call->verification, &computed);
  luaws_checksum_free(call->verification);
  call->verification = NULL;
  int rc = 0;
  if (computed.failed) {
    rc = luaws_error_memory(err);
  } else if (!promised || !luaws_str_eq(*promised, luaws_buf_str(&computed))) {
    rc = luaws_error_set(err, LUAWS_E_CHECKSUM, "FlexibleChecksumError",
                         "Expected checksum %.*s did not match calculated checksum: %.*s",
                         LUAWS_STR_ARG(promised ? *promised : LUAWS_STR_NONE),
                         LUAWS_STR_ARG(luaws_buf_str(&computed)));
  }
  luaws_buf_clear(&computed);
  return rc;
}
