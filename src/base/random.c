#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void luaws_random_bytes(void *dst, size_t len) {
  char *p = dst;
  while (len) {
    ssize_t n = getrandom(p, len, 0);
    if (n < 0) {
      if (errno == EINTR) continue;
      abort(); /* a kernel without getrandom: nothing we make would be safe */
    }
    p += n;
    len -= (size_t)n;
  }
}

void luaws_random_uuid(char out[37]) {
  static const char HEX[] = "0123456789abcdef";
  uint8_t b[16];
  luaws_random_bytes(b, sizeof b);
  b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
  b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
  char *p = out;
  for (int i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *p++ = '-';
    *p++ = HEX[b[i] >> 4];
    *p++ = HEX[b[i] & 15];
  }
  *p = 0;
}
