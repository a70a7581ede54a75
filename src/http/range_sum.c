#include "http/range_sum.h"

#include <string.h>

/* `pieces` is a row of these: of bytes that belong to one part. */
struct piece {
  int64_t len;
  uint64_t crc;
};

/* Up to the end of the part. */
static size_t until_cut(const struct luaws_range_sum *s, size_t len) {
  int64_t left = s->part_size ? s->part_size - s->at % s->part_size : INT64_MAX;
  return (uint64_t)len < (uint64_t)left ? len : (size_t)left;
}

/* Where the piece is that the next byte belongs to: the last one, or, where a part
   begins, another; NULL without memory. */
static char *open_piece(struct luaws_range_sum *s) {
  struct piece fresh = {0};
  bool cut = s->part_size && s->at % s->part_size == 0;
  if (s->pieces.len == 0 || cut) luaws_buf_append(&s->pieces, &fresh, sizeof fresh);
  return s->pieces.failed ? NULL : s->pieces.ptr + s->pieces.len - sizeof fresh;
}

void luaws_range_sum_add(struct luaws_range_sum *s, const char *ptr, size_t len) {
  while (len) {
    size_t n = until_cut(s, len);
    char *to = open_piece(s);
    struct piece p;
    if (!to) return;
    memcpy(&p, to, sizeof p);
    p.crc = luaws_checksum_crc(s->algorithm, p.crc, ptr, n);
    p.len += (int64_t)n;
    memcpy(to, &p, sizeof p);
    s->at += (int64_t)n;
    ptr += n;
    len -= n;
  }
}

void luaws_range_sum_join(struct luaws_range_sum *s, const struct luaws_range_sum *next) {
  if (next->pieces.failed) s->pieces.failed = true;
  for (size_t i = 0; i < next->pieces.len; i += sizeof(struct piece)) {
    char *to = open_piece(s);
    struct piece p, more;
    if (!to) return;
    memcpy(&p, to, sizeof p);
    memcpy(&more, next->pieces.ptr + i, sizeof more);
    p.crc = luaws_checksum_crc_combine(s->algorithm, p.crc, more.crc, (uint64_t)more.len);
    p.len += more.len;
    memcpy(to, &p, sizeof p);
    s->at += more.len;
  }
}

void luaws_range_sum_crcs(const struct luaws_range_sum *s, struct luaws_buf *out) {
  for (size_t i = 0; i < s->pieces.len; i += sizeof(struct piece)) {
    struct piece p;
    memcpy(&p, s->pieces.ptr + i, sizeof p);
    for (int byte = luaws_checksum_crc_bytes(s->algorithm) - 1; byte >= 0; byte--)
      luaws_buf_append_char(out, (char)(p.crc >> 8 * byte));
  }
  if (s->pieces.failed) out->failed = true;
}
