/* A source of bytes for a request body: bytes in memory, a range of a file, or a function
   that hands out chunks. It can be rewound for a retry where its kind allows. */
#ifndef LUAWS_BASE_STREAM_H
#define LUAWS_BASE_STREAM_H

#include "base/bytes.h"
#include "base/error.h"

enum luaws_stream_kind {
  LUAWS_STREAM_NONE,
  LUAWS_STREAM_BYTES,    /* `bytes`, kept alive by `owner` */
  LUAWS_STREAM_FILE,     /* length bytes of fd from offset, read with pread */
  LUAWS_STREAM_FUNCTION, /* read/rewind */
};

enum { LUAWS_READ_AGAIN = -100 }; /* there is nothing yet */

struct luaws_stream {
  enum luaws_stream_kind kind;
  int64_t length; /* bytes, or -1 when not known beforehand */
  struct luaws_str bytes;
  int fd;                  /* the file; of a function that waits, what becomes readable */
  int64_t offset;          /* of the range's first byte in the file */
  int64_t max_bytes_per_s; /* it is not to be sent faster; 0 = as fast as it goes */
  int64_t *told;           /* how much was read of it, for whoever shows
                              progress; owned by `owner`, may be NULL */
  bool direct; /* a function that calls nobody back: may be asked at any time */
  bool waits;  /* a function that may have nothing yet */
  /* Puts at most max bytes at dst; returns their number, 0 at the end, LUAWS_READ_AGAIN
     if it waits, or a negative LUAWS_E_ code. */
  ptrdiff_t (*read)(void *owner, char *dst, size_t max, struct luaws_error *err);
  /* Back to the first byte; NULL when the source cannot (UnseekableStreamError on a
   * retry). */
  int (*rewind)(void *owner, struct luaws_error *err);
  void (*release)(
      void *owner); /* called once when the stream is done with; may be NULL */
  void *owner;
};

/* Reads at most max bytes of any kind of stream, at *position, which advances. As
   stream.read, for whoever can wait for stream.fd. */
ptrdiff_t luaws_stream_take(const struct luaws_stream *s, int64_t *position, char *dst,
                            size_t max, struct luaws_error *err);
/* The same for whoever cannot: blocks instead of returning LUAWS_READ_AGAIN. */
ptrdiff_t luaws_stream_read(const struct luaws_stream *s, int64_t *position, char *dst,
                            size_t max, struct luaws_error *err);
int luaws_stream_rewind(const struct luaws_stream *s, int64_t *position,
                        struct luaws_error *err);
/* Reads what cannot be rewound into memory, so that it can be read twice; anything else
   stays as it is. Returns 0, LUAWS_READ_AGAIN, upon which it is to be called again with
   what it has put into *so_far until then (empty at first), or what reading failed with.
 */
int luaws_stream_keep(struct luaws_stream *s, struct luaws_buf *so_far,
                      struct luaws_error *err);
/* Calls release and makes s a LUAWS_STREAM_NONE. */
void luaws_stream_release(struct luaws_stream *s);

#endif
