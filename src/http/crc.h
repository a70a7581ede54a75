/* Cyclic redundancy checks of bodies. Each takes the sum of what came before (0 at the
   beginning) and returns that of all of it. */
#ifndef LUAWS_HTTP_CRC_H
#define LUAWS_HTTP_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t luaws_crc32(uint32_t crc, const void *ptr, size_t len);
uint32_t luaws_crc32c(uint32_t crc, const void *ptr, size_t len);
uint64_t luaws_crc64nvme(uint64_t crc, const void *ptr, size_t len);

/* The last one as it is done where the processor cannot multiply without carries; for
   specs. */
uint64_t luaws_crc64nvme_tables(uint64_t crc, const void *ptr, size_t len);

#endif
