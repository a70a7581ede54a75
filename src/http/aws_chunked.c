#include "http/aws_chunked.h"

#include <stdio.h>
#include <stdlib.h>

enum {
  SIZE_LINE = 18, /* 16 digits and the end of the line */
  FRAME = SIZE_LINE + 2,
  CHUNK_BYTES = 64 * 1024 - FRAME, /* so that whoever asks for 64 KiB gets all of it */
  LEAST_DIRECT = 8 * 1024, /* less room than this is not worth a chunk of its own */
};

struct aws_chunked {
  struct luaws_stream body;
  int64_t position; /* in it */
  struct luaws_checksum *checksum;
  struct luaws_buf ready; /* what is to go out next */
  size_t at;
  size_t
      have; /* of the next chunk, behind the place for its size, while more is to come */
  bool ended;
};

static void release(void *owner) {
  struct aws_chunked *c = owner;
  luaws_stream_release(&c->body);
  luaws_checksum_free(c->checksum);
  luaws_buf_clear(&c->ready);
  free(c);
}

static int rewind_all(void *owner, struct luaws_error *err) {
  struct aws_chunked *c = owner;
  int rc = luaws_stream_rewind(&c->body, &c->position, err);
  if (rc) return rc;
  luaws_checksum_reset(c->checksum);
  luaws_buf_reset(&c->ready);
  c->at = c->have = 0;
  c->ended = false;
  return 0;
}

static void append_trailer(struct aws_chunked *c) {
  luaws_buf_append_cstr(&c->ready, "0\r\n");
  luaws_buf_append_str(&c->ready,
                       luaws_checksum_header(luaws_checksum_algorithm(c->checksum)));
  luaws_buf_append_char(&c->ready, ':');
  luaws_checksum_finish(c->checksum, &c->ready);
  luaws_buf_append_cstr(&c->ready, "\r\n\r\n");
}

/* The next chunk, or the end, into `ready`. The size stands before the data, so the data
   is read behind a place kept for it. S3 takes no small chunks: one that is not full
   waits for more. */
static int next_chunk(struct aws_chunked *c, struct luaws_error *err) {
  luaws_buf_reset(&c->ready);
  c->at = 0;
  if (!luaws_buf_reserve(&c->ready, SIZE_LINE + CHUNK_BYTES + 2))
    return luaws_error_memory(err);
  char *data = c->ready.ptr + SIZE_LINE;
  while (c->have < CHUNK_BYTES) {
    ptrdiff_t n = luaws_stream_take(&c->body, &c->position, data + c->have,
                                    CHUNK_BYTES - c->have, err);
    if (n < 0) return (int)n;
    if (n == 0) break;
    c->have += (size_t)n;
  }
  size_t have = c->have;
  c->have = 0;
  if (have) {
    char line[SIZE_LINE + 1];
    int len = snprintf(line, sizeof line, "%zx\r\n", have);
    memcpy(data - len, line, (size_t)len);
    luaws_checksum_update(c->checksum, data, have);
    c->at = (size_t)(SIZE_LINE - len);
    c->ready.len = SIZE_LINE + have;
    luaws_buf_append_cstr(&c->ready, "\r\n");
  }
  if (have < CHUNK_BYTES) {
    append_trailer(c);
    c->ended = true;
  }
  return c->ready.failed ? luaws_error_memory(err) : 0;
}

static bool knows_length(const struct luaws_stream *body) {
  return body->kind == LUAWS_STREAM_BYTES || body->kind == LUAWS_STREAM_FILE;
}

/* A chunk that is read where it is wanted: as long as fits there, which is known before
   it is read. */
static ptrdiff_t chunk_into(struct aws_chunked *c, char *dst, size_t max,
                            struct luaws_error *err) {
  int64_t left = c->body.length - c->position;
  size_t want = max - FRAME < (uint64_t)left ? max - FRAME : (size_t)left, have = 0;
  char *data = dst + snprintf(dst, SIZE_LINE + 1, "%zx\r\n", want);
  while (have < want) {
    ptrdiff_t n =
        luaws_stream_read(&c->body, &c->position, data + have, want - have, err);
    if (n < 0) return n;
    have += (size_t)n;
  }
  luaws_checksum_update(c->checksum, data, have);
  memcpy(data + have, "\r\n", 2);
  return data + have + 2 - dst;
}

static ptrdiff_t read_chunked(void *owner, char *dst, size_t max,
                              struct luaws_error *err) {
  struct aws_chunked *c = owner;
  if (c->at == c->ready.len) {
    if (c->ended) return 0;
    if (max >= LEAST_DIRECT && knows_length(&c->body) && c->position < c->body.length)
      return chunk_into(c, dst, max, err);
    int rc = next_chunk(c, err);
    if (rc) return rc;
  }
  size_t n = c->ready.len - c->at < max ? c->ready.len - c->at : max;
  memcpy(dst, c->ready.ptr + c->at, n);
  c->at += n;
  return (ptrdiff_t)n;
}

int luaws_aws_chunked_wrap(struct luaws_stream *body,
                           enum luaws_checksum_algorithm algorithm,
                           struct luaws_error *err) {
  struct aws_chunked *c = calloc(1, sizeof *c);
  struct luaws_checksum *checksum = c ? luaws_checksum_new(algorithm) : NULL;
  if (!checksum) {
    free(c);
    return luaws_error_memory(err);
  }
  c->checksum = checksum;
  c->body = *body;
  bool again = body->kind != LUAWS_STREAM_FUNCTION || body->rewind;
  *body = (struct luaws_stream){.kind = LUAWS_STREAM_FUNCTION,
                                .length = -1,
                                .max_bytes_per_s = c->body.max_bytes_per_s,
                                .read = read_chunked,
                                .rewind = again ? rewind_all : NULL,
                                .release = release,
                                .direct = knows_length(&c->body),
                                .waits = c->body.waits,
                                .owner = c,
                                .fd = c->body.waits ? c->body.fd : -1};
  return 0;
}
