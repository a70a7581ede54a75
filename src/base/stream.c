#include "base/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

ptrdiff_t luaws_stream_take(const struct luaws_stream *s, int64_t *position, char *dst,
                            size_t max, struct luaws_error *err) {
  if (s->length >= 0 && s->kind != LUAWS_STREAM_NONE) {
    int64_t left = s->length - *position;
    if (left <= 0) return 0;
    if ((uint64_t)left < max) max = (size_t)left;
  }
  ptrdiff_t n = 0;
  switch (s->kind) {
  case LUAWS_STREAM_NONE:
    return 0;
  case LUAWS_STREAM_BYTES:
    memcpy(dst, s->bytes.ptr + *position, max);
    n = (ptrdiff_t)max;
    break;
  case LUAWS_STREAM_FILE:
    do {
      n = pread(s->fd, dst, max, (off_t)(s->offset + *position));
    } while (n < 0 && errno == EINTR);
    if (n < 0)
      return luaws_error_set(err, LUAWS_E_IO, "IOError", "reading the body: %s",
                             strerror(errno));
    if (n == 0 && max > 0) {
      return luaws_error_set(err, LUAWS_E_IO, "IOError",
                             "the file became shorter while it was sent");
    }
    break;
  case LUAWS_STREAM_FUNCTION:
    n = s->read(s->owner, dst, max, err); /* upon which *s may be gone */
    if (n > 0) *position += n;
    return n;
  }
  *position += n;
  if (s->told) *s->told = *position;
  return n;
}

ptrdiff_t luaws_stream_read(const struct luaws_stream *s, int64_t *position, char *dst,
                            size_t max, struct luaws_error *err) {
  if (!s->waits) return luaws_stream_take(s, position, dst, max, err);
  ptrdiff_t n;
  while ((n = luaws_stream_take(s, position, dst, max, err)) == LUAWS_READ_AGAIN) {
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    poll(&p, 1, -1);
  }
  return n;
}

int luaws_stream_rewind(const struct luaws_stream *s, int64_t *position,
                        struct luaws_error *err) {
  if (*position == 0) return 0;
  if (s->kind == LUAWS_STREAM_FUNCTION) {
    if (!s->rewind) {
      return luaws_error_set(err, LUAWS_E_IO, "UnseekableStreamError",
                             "Need to rewind the stream, but stream is not seekable.");
    }
    int rc = s->rewind(s->owner, err);
    if (rc) return rc;
  }
  *position = 0;
  if (s->told) *s->told = 0;
  return 0;
}

static void free_bytes(void *owner) {
  free(owner);
}

int luaws_stream_keep(struct luaws_stream *s, struct luaws_buf *so_far,
                      struct luaws_error *err) {
  enum { PIECE = 64 * 1024 };
  if (s->kind != LUAWS_STREAM_FUNCTION || s->rewind) return 0;
  char *piece = malloc(PIECE);
  int64_t position = (int64_t)so_far->len;
  ptrdiff_t n = piece ? 1 : luaws_error_memory(err);
  while (n > 0) {
    n = luaws_stream_take(s, &position, piece, PIECE, err);
    if (n > 0) luaws_buf_append(so_far, piece, (size_t)n);
  }
  free(piece);
  if (n == LUAWS_READ_AGAIN) return LUAWS_READ_AGAIN;
  if (n == 0 && so_far->failed) n = luaws_error_memory(err);
  if (n < 0) {
    luaws_buf_clear(so_far);
    return (int)n;
  }
  luaws_stream_release(s);
  struct luaws_str bytes = luaws_buf_str(so_far);
  *s = (struct luaws_stream){
      .kind = LUAWS_STREAM_BYTES,
      .length = (int64_t)bytes.len,
      .bytes = bytes,
      .release = free_bytes,
      .owner = so_far->ptr,
  };
  *so_far = (struct luaws_buf){0};
  return 0;
}

void luaws_stream_release(struct luaws_stream *s) {
  if (s->release) s->release(s->owner);
  *s = (struct luaws_stream){0};
}
