/* Both are table-driven, eight bytes at a step ("slicing by 8"); CRC-32C uses the
   processor's own instruction where there is one. */
#include "http/crc.h"

#include <pthread.h>
#include <string.h>

static const uint32_t CASTAGNOLI = 0x82f63b78;   /* 0x1edc6f41, bits reversed */
static const uint64_t NVME = 0x9a6c9329ac4bc9b5; /* 0xad93d23594c93659, bits reversed */

static uint32_t table32[8][256];
static uint64_t table64[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_tables(void) {
  for (unsigned i = 0; i < 256; i++) {
    uint32_t a = i;
    uint64_t b = i;
    for (int bit = 0; bit < 8; bit++) {
      a = a & 1 ? a >> 1 ^ CASTAGNOLI : a >> 1;
      b = b & 1 ? b >> 1 ^ NVME : b >> 1;
    }
    table32[0][i] = a;
    table64[0][i] = b;
  }
  for (unsigned i = 0; i < 256; i++) {
    for (int k = 1; k < 8; k++) {
      table32[k][i] = table32[k - 1][i] >> 8 ^ table32[0][table32[k - 1][i] & 0xff];
      table64[k][i] = table64[k - 1][i] >> 8 ^ table64[0][table64[k - 1][i] & 0xff];
    }
  }
}

static uint64_t load64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  v = __builtin_bswap64(v);
#endif
  return v;
}

static uint32_t crc32c_tables(uint32_t crc, const uint8_t *p, size_t len) {
  pthread_once(&once, make_tables);
  for (; len >= 8; p += 8, len -= 8) {
    uint64_t v = load64(p) ^ crc;
    crc = table32[7][v & 0xff] ^ table32[6][v >> 8 & 0xff] ^ table32[5][v >> 16 & 0xff] ^
          table32[4][v >> 24 & 0xff] ^ table32[3][v >> 32 & 0xff] ^
          table32[2][v >> 40 & 0xff] ^ table32[1][v >> 48 & 0xff] ^ table32[0][v >> 56];
  }
  while (len--)
    crc = crc >> 8 ^ table32[0][(crc ^ *p++) & 0xff];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
crc32c_sse(uint32_t crc, const uint8_t *p, size_t len) {
  uint64_t c = crc;
  for (; len >= 8; p += 8, len -= 8)
    c = __builtin_ia32_crc32di(c, load64(p));
  crc = (uint32_t)c;
  while (len--)
    crc = __builtin_ia32_crc32qi(crc, *p++);
  return crc;
}
#endif

uint32_t luaws_crc32c(uint32_t crc, const void *ptr, size_t len) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return ~crc32c_sse(~crc, ptr, len);
#endif
  return ~crc32c_tables(~crc, ptr, len);
}

uint64_t luaws_crc64nvme(uint64_t crc, const void *ptr, size_t len) {
  const uint8_t *p = ptr;
  pthread_once(&once, make_tables);
  crc = ~crc;
  for (; len >= 8; p += 8, len -= 8) {
    uint64_t v = load64(p) ^ crc;
    crc = table64[7][v & 0xff] ^ table64[6][v >> 8 & 0xff] ^ table64[5][v >> 16 & 0xff] ^
          table64[4][v >> 24 & 0xff] ^ table64[3][v >> 32 & 0xff] ^
          table64[2][v >> 40 & 0xff] ^ table64[1][v >> 48 & 0xff] ^ table64[0][v >> 56];
  }
  while (len--)
    crc = crc >> 8 ^ table64[0][(crc ^ *p++) & 0xff];
  return ~crc;
}
