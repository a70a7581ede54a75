/* Cyclic redundancy checks of bodies. Each takes the sum of what came before (0 at the
   beginning) and returns that of all of it. */
#ifndef LUAWS_HTTP_CRC_H
#define LUAWS_HTTP_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t luaws_crc32(uint32_t crc, const void *ptr, size_t len);
uint32_t luaws_crc32c(uint32_t crc, const void *ptr, size_t len);
uint64_t luaws_crc64nvme(uint64_t crc, const void *ptr, size_t len);

/* The sum of two stretches of bytes, one behind the other, from the sums of both and the
   length of the second. */
uint32_t luaws_crc32_combine(uint32_t crc, uint32_t next, uint64_t next_len);
uint32_t luaws_crc32c_combine(uint32_t crc, uint32_t next, uint64_t next_len);
uint64_t luaws_crc64nvme_combine(uint64_t crc, uint64_t next, uint64_t next_len);

/* The CRC-64 as it is done where the processor cannot multiply without carries; for
   specs. */
uint64_t luaws_crc64nvme_tables(uint64_t crc, const void *ptr, size_t len);

#endif
