/* The cyclic redundancy checks that zlib does not have. */
#ifndef LUAWS_HTTP_CRC_H
#define LUAWS_HTTP_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Castagnoli (RFC 3720). Start from 0; give the last result to go on. */
uint32_t luaws_crc32c(uint32_t crc, const void *ptr, size_t len);
/* CRC-64/NVME (NVM Express Base Specification, 64b CRC). Likewise. */
uint64_t luaws_crc64nvme(uint64_t crc, const void *ptr, size_t len);

#endif
