/* The checksums that AWS knows for bodies, computed as the bytes go by. */
#ifndef LUAWS_HTTP_CHECKSUM_H
#define LUAWS_HTTP_CHECKSUM_H

#include "base/bytes.h"

/* In the order in which one is chosen where a response carries several. ORDER CHECKSUMS
 */
enum luaws_checksum_algorithm {
  LUAWS_CHECKSUM_XXHASH128,
  LUAWS_CHECKSUM_XXHASH3,
  LUAWS_CHECKSUM_CRC64NVME,
  LUAWS_CHECKSUM_XXHASH64,
  LUAWS_CHECKSUM_CRC32C,
  LUAWS_CHECKSUM_CRC32,
  LUAWS_CHECKSUM_SHA1,
  LUAWS_CHECKSUM_SHA256,
  LUAWS_CHECKSUM_SHA512,
  LUAWS_CHECKSUM_MD5,
  LUAWS_CHECKSUM_ALGORITHMS
};

/* By the name that models use, in any case ("CRC32", "sha256"); LUAWS_CHECKSUM_ALGORITHMS
 * for an unknown one. */
enum luaws_checksum_algorithm luaws_checksum_find(struct luaws_str name);
/* "CRC32" and "x-amz-checksum-crc32". */
struct luaws_str luaws_checksum_name(enum luaws_checksum_algorithm algorithm);
struct luaws_str luaws_checksum_header(enum luaws_checksum_algorithm algorithm);

/* How many bytes a CRC has; 0 for what is none. */
int luaws_checksum_crc_bytes(enum luaws_checksum_algorithm algorithm);
/* The CRCs as numbers, as crc.h has them: of what came before and this, and of two
   stretches of bytes. */
uint64_t luaws_checksum_crc(enum luaws_checksum_algorithm algorithm, uint64_t crc,
                            const void *ptr, size_t len);
uint64_t luaws_checksum_crc_combine(enum luaws_checksum_algorithm algorithm, uint64_t crc,
                                    uint64_t next, uint64_t next_len);

struct luaws_checksum;
/* NULL without memory. */
struct luaws_checksum *luaws_checksum_new(enum luaws_checksum_algorithm algorithm);
void luaws_checksum_free(struct luaws_checksum *c);
void luaws_checksum_reset(struct luaws_checksum *c);
void luaws_checksum_update(struct luaws_checksum *c, const void *ptr, size_t len);
enum luaws_checksum_algorithm luaws_checksum_algorithm(const struct luaws_checksum *c);
/* Appends the value as AWS writes it: big-endian bytes in base64. Ends the computation;
 * reset begins anew. */
void luaws_checksum_finish(struct luaws_checksum *c, struct luaws_buf *out);

#endif
