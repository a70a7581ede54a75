/* Random bytes from the system, and what is made of them. */
#ifndef LUAWS_BASE_RANDOM_H
#define LUAWS_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void luaws_random_bytes(void *dst, size_t len);
/* A version 4 UUID (RFC 9562) in lower case, closed by a zero byte. */
void luaws_random_uuid(char out[37]);

#endif
