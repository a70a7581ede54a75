/* CRC-32 and CRC-32C are ISA-L's. It has no CRC-64/NVME, which is done here: eight bytes
   at a step from tables ("slicing by 8"), or, where the processor multiplies without
   carries, by folding 64 bytes into the next 64 (V. Gopal and others, "Fast CRC
   Computation for Generic Polynomials Using PCLMULQDQ Instruction"). */
#include "http/crc.h"

#include <isa-l/crc.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Bits reversed: the highest bit stands for x^0. */
static const uint64_t NVME = 0x9a6c9329ac4bc9b5; /* 0xad93d23594c93659 */
static const uint64_t IEEE = 0xedb88320;
static const uint64_t CASTAGNOLI = 0x82f63b78;

static uint64_t table[8][256];
static uint64_t by_128[2], by_512[2]; /* what moves 16 bytes so many bits on */
static pthread_once_t once = PTHREAD_ONCE_INIT;

uint32_t luaws_crc32(uint32_t crc, const void *ptr, size_t len) {
  return crc32_gzip_refl(crc, ptr, len);
}

uint32_t luaws_crc32c(uint32_t crc, const void *ptr, size_t len) {
  const unsigned char *p = ptr;
  crc = ~crc;
  while (len) { /* it takes an int, and does not write to what it takes */
    int n = len > INT_MAX ? INT_MAX : (int)len;
    crc = crc32_iscsi((unsigned char *)p, n, crc);
    p += n;
    len -= (size_t)n;
  }
  return ~crc;
}

static uint64_t times_x(uint64_t a, uint64_t polynomial) {
  return a & 1 ? a >> 1 ^ polynomial : a >> 1;
}

/* x^n modulo the polynomial. */
static uint64_t power_of_x(int n) {
  uint64_t a = UINT64_C(1) << 63;
  while (n--)
    a = times_x(a, NVME);
  return a;
}

static void make_tables(void) {
  for (unsigned i = 0; i < 256; i++) {
    uint64_t a = i;
    for (int bit = 0; bit < 8; bit++)
      a = times_x(a, NVME);
    table[0][i] = a;
  }
  for (unsigned i = 0; i < 256; i++) {
    for (int k = 1; k < 8; k++)
      table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 0xff];
  }
  /* The first eight bytes stand 64 bits higher than the second. The product of two
     reversed numbers is one bit too low, therefore the - 1. */
  by_128[0] = power_of_x(128 + 64 - 1);
  by_128[1] = power_of_x(128 - 1);
  by_512[0] = power_of_x(512 + 64 - 1);
  by_512[1] = power_of_x(512 - 1);
}

static uint64_t load64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  v = __builtin_bswap64(v);
#endif
  return v;
}

/* This and fold take and give the bare remainder, without the inversions at both ends. */
static uint64_t slice(uint64_t crc, const uint8_t *p, size_t len) {
  for (; len >= 8; p += 8, len -= 8) {
    uint64_t v = load64(p) ^ crc;
    crc = table[7][v & 0xff] ^ table[6][v >> 8 & 0xff] ^ table[5][v >> 16 & 0xff] ^
          table[4][v >> 24 & 0xff] ^ table[3][v >> 32 & 0xff] ^ table[2][v >> 40 & 0xff] ^
          table[1][v >> 48 & 0xff] ^ table[0][v >> 56];
  }
  while (len--)
    crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
  return crc;
}

uint64_t luaws_crc64nvme_tables(uint64_t crc, const void *ptr, size_t len) {
  pthread_once(&once, make_tables);
  return ~slice(~crc, ptr, len);
}

#if defined(__x86_64__)
enum { FOLDED_BYTES = 64 };

__attribute__((target("pclmul"))) static __m128i moved(__m128i a, const uint64_t by[2]) {
  __m128i k = _mm_set_epi64x((long long)by[1], (long long)by[0]);
  return _mm_xor_si128(_mm_clmulepi64_si128(a, k, 0x00),
                       _mm_clmulepi64_si128(a, k, 0x11));
}

/* At least FOLDED_BYTES. */
__attribute__((target("pclmul"))) static uint64_t fold(uint64_t crc, const uint8_t *p,
                                                       size_t len) {
  const __m128i *from = (const void *)p;
  __m128i lane[4];
  for (int i = 0; i < 4; i++)
    lane[i] = _mm_loadu_si128(from + i);
  lane[0] = _mm_xor_si128(lane[0], _mm_set_epi64x(0, (long long)crc));
  for (from += 4, len -= FOLDED_BYTES; len >= FOLDED_BYTES;
       from += 4, len -= FOLDED_BYTES) {
    for (int i = 0; i < 4; i++)
      lane[i] = _mm_xor_si128(moved(lane[i], by_512), _mm_loadu_si128(from + i));
  }
  __m128i all = lane[0];
  for (int i = 1; i < 4; i++)
    all = _mm_xor_si128(moved(all, by_128), lane[i]);
  uint8_t rest[16];
  _mm_storeu_si128((__m128i *)(void *)rest, all);
  return slice(slice(0, rest, sizeof rest), (const uint8_t *)from, len);
}
#endif

uint64_t luaws_crc64nvme(uint64_t crc, const void *ptr, size_t len) {
#if defined(__x86_64__)
  if (len >= FOLDED_BYTES && __builtin_cpu_supports("pclmul")) {
    pthread_once(&once, make_tables);
    return ~fold(~crc, ptr, len);
  }
#endif
  return luaws_crc64nvme_tables(crc, ptr, len);
}

/* ---- of two stretches of bytes ---- */

/* Modulo the polynomial of which `one` stands for x^0. */
static uint64_t product(uint64_t a, uint64_t b, uint64_t polynomial, uint64_t one) {
  uint64_t sum = 0;
  for (; one && a; one >>= 1) {
    if (a & one) sum ^= b;
    a &= ~one;
    b = times_x(b, polynomial);
  }
  return sum;
}

/* The first moves up by x^(8 len), which is made of squares. The inversions at both ends
   of a sum cancel each other out. */
static uint64_t combine(uint64_t crc, uint64_t next, uint64_t len, uint64_t polynomial,
                        int bits) {
  uint64_t one = UINT64_C(1) << (bits - 1), step = one >> 8;
  for (; len && crc; len >>= 1) {
    if (len & 1) crc = product(crc, step, polynomial, one);
    step = product(step, step, polynomial, one);
  }
  return crc ^ next;
}

uint32_t luaws_crc32_combine(uint32_t crc, uint32_t next, uint64_t next_len) {
  return (uint32_t)combine(crc, next, next_len, IEEE, 32);
}

uint32_t luaws_crc32c_combine(uint32_t crc, uint32_t next, uint64_t next_len) {
  return (uint32_t)combine(crc, next, next_len, CASTAGNOLI, 32);
}

uint64_t luaws_crc64nvme_combine(uint64_t crc, uint64_t next, uint64_t next_len) {
  return combine(crc, next, next_len, NVME, 64);
}
