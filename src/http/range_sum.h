/* The CRC of an object that comes in ranges, in whatever order: each range is summed up
   as its bytes pass, cut where the object's parts end, and joined to what is before it.
 */
#ifndef LUAWS_HTTP_RANGE_SUM_H
#define LUAWS_HTTP_RANGE_SUM_H

#include "http/checksum.h"

/* Of a range that begins at `at`; nothing else has to be set. */
struct luaws_range_sum {
  enum luaws_checksum_algorithm algorithm; /* a CRC */
  int64_t part_size;       /* of every part but the last; 0 where they do not matter */
  int64_t at;              /* where in the object the next byte belongs */
  struct luaws_buf pieces; /* one for each part; it may have failed */
};

void luaws_range_sum_add(struct luaws_range_sum *s, const char *ptr, size_t len);
/* Adds the range that begins where this one ends. */
void luaws_range_sum_join(struct luaws_range_sum *s, const struct luaws_range_sum *next);
/* Appends the CRCs of its parts, or of all of it, big-endian, in a row. */
void luaws_range_sum_crcs(const struct luaws_range_sum *s, struct luaws_buf *out);

#endif
