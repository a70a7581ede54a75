#include "http/checksum.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/encode.h"
#include "http/crc.h"

/* ORDER CHECKSUMS */
static const struct {
  struct luaws_str name;
  struct luaws_str header;
} ALGORITHMS[] = {
    {LUAWS_STR("XXHASH128"), LUAWS_STR("x-amz-checksum-xxhash128")},
    {LUAWS_STR("XXHASH3"), LUAWS_STR("x-amz-checksum-xxhash3")},
    {LUAWS_STR("CRC64NVME"), LUAWS_STR("x-amz-checksum-crc64nvme")},
    {LUAWS_STR("XXHASH64"), LUAWS_STR("x-amz-checksum-xxhash64")},
    {LUAWS_STR("CRC32C"), LUAWS_STR("x-amz-checksum-crc32c")},
    {LUAWS_STR("CRC32"), LUAWS_STR("x-amz-checksum-crc32")},
    {LUAWS_STR("SHA1"), LUAWS_STR("x-amz-checksum-sha1")},
    {LUAWS_STR("SHA256"), LUAWS_STR("x-amz-checksum-sha256")},
    {LUAWS_STR("SHA512"), LUAWS_STR("x-amz-checksum-sha512")},
    {LUAWS_STR("MD5"), LUAWS_STR("x-amz-checksum-md5")},
};

struct luaws_checksum {
  enum luaws_checksum_algorithm algorithm;
  uint64_t crc;
  XXH64_state_t *xxh64;
  XXH3_state_t *xxh3;
  EVP_MD_CTX *digest;
};

enum luaws_checksum_algorithm luaws_checksum_find(struct luaws_str name) {
  int i = 0;
  while (i < LUAWS_CHECKSUM_ALGORITHMS && !luaws_str_eq_nocase(ALGORITHMS[i].name, name))
    i++;
  return (enum luaws_checksum_algorithm)i;
}

struct luaws_str luaws_checksum_name(enum luaws_checksum_algorithm algorithm) {
  return ALGORITHMS[algorithm].name;
}

struct luaws_str luaws_checksum_header(enum luaws_checksum_algorithm algorithm) {
  return ALGORITHMS[algorithm].header;
}

enum luaws_checksum_algorithm luaws_checksum_algorithm(const struct luaws_checksum *c) {
  return c->algorithm;
}

int luaws_checksum_crc_bytes(enum luaws_checksum_algorithm algorithm) {
  switch (algorithm) {
  case LUAWS_CHECKSUM_CRC32:
  case LUAWS_CHECKSUM_CRC32C:
    return 4;
  case LUAWS_CHECKSUM_CRC64NVME:
    return 8;
  default:
    return 0;
  }
}

uint64_t luaws_checksum_crc(enum luaws_checksum_algorithm algorithm, uint64_t crc,
                            const void *ptr, size_t len) {
  switch (algorithm) {
  case LUAWS_CHECKSUM_CRC32:
    return luaws_crc32((uint32_t)crc, ptr, len);
  case LUAWS_CHECKSUM_CRC32C:
    return luaws_crc32c((uint32_t)crc, ptr, len);
  default:
    return luaws_crc64nvme(crc, ptr, len);
  }
}

uint64_t luaws_checksum_crc_combine(enum luaws_checksum_algorithm algorithm, uint64_t crc,
                                    uint64_t next, uint64_t next_len) {
  switch (algorithm) {
  case LUAWS_CHECKSUM_CRC32:
    return luaws_crc32_combine((uint32_t)crc, (uint32_t)next, next_len);
  case LUAWS_CHECKSUM_CRC32C:
    return luaws_crc32c_combine((uint32_t)crc, (uint32_t)next, next_len);
  default:
    return luaws_crc64nvme_combine(crc, next, next_len);
  }
}

static const EVP_MD *digest_of(enum luaws_checksum_algorithm a) {
  switch (a) {
  case LUAWS_CHECKSUM_SHA1:
    return EVP_sha1();
  case LUAWS_CHECKSUM_SHA256:
    return EVP_sha256();
  case LUAWS_CHECKSUM_SHA512:
    return EVP_sha512();
  case LUAWS_CHECKSUM_MD5:
    return EVP_md5();
  default:
    return NULL;
  }
}

struct luaws_checksum *luaws_checksum_new(enum luaws_checksum_algorithm algorithm) {
  struct luaws_checksum *c = calloc(1, sizeof *c);
  if (!c) return NULL;
  c->algorithm = algorithm;
  bool ok = true;
  if (algorithm == LUAWS_CHECKSUM_XXHASH64) {
    ok = (c->xxh64 = XXH64_createState()) != NULL;
  } else if (algorithm == LUAWS_CHECKSUM_XXHASH3 ||
             algorithm == LUAWS_CHECKSUM_XXHASH128) {
    ok = (c->xxh3 = XXH3_createState()) != NULL;
  } else if (digest_of(algorithm)) {
    ok = (c->digest = EVP_MD_CTX_new()) != NULL;
  }
  if (!ok) {
    luaws_checksum_free(c);
    return NULL;
  }
  luaws_checksum_reset(c);
  return c;
}

void luaws_checksum_free(struct luaws_checksum *c) {
  if (!c) return;
  XXH64_freeState(c->xxh64);
  XXH3_freeState(c->xxh3);
  EVP_MD_CTX_free(c->digest);
  free(c);
}

void luaws_checksum_reset(struct luaws_checksum *c) {
  c->crc = 0;
  if (c->xxh64) XXH64_reset(c->xxh64, 0);
  if (c->xxh3 && c->algorithm == LUAWS_CHECKSUM_XXHASH3) XXH3_64bits_reset(c->xxh3);
  if (c->xxh3 && c->algorithm == LUAWS_CHECKSUM_XXHASH128) XXH3_128bits_reset(c->xxh3);
  if (c->digest) EVP_DigestInit_ex(c->digest, digest_of(c->algorithm), NULL);
}

void luaws_checksum_update(struct luaws_checksum *c, const void *ptr, size_t len) {
  switch (c->algorithm) {
  case LUAWS_CHECKSUM_CRC32:
  case LUAWS_CHECKSUM_CRC32C:
  case LUAWS_CHECKSUM_CRC64NVME:
    c->crc = luaws_checksum_crc(c->algorithm, c->crc, ptr, len);
    break;
  case LUAWS_CHECKSUM_XXHASH64:
    XXH64_update(c->xxh64, ptr, len);
    break;
  case LUAWS_CHECKSUM_XXHASH3:
    XXH3_64bits_update(c->xxh3, ptr, len);
    break;
  case LUAWS_CHECKSUM_XXHASH128:
    XXH3_128bits_update(c->xxh3, ptr, len);
    break;
  default:
    EVP_DigestUpdate(c->digest, ptr, len);
  }
}

static void append_big_endian(struct luaws_buf *out, uint64_t n, int bytes) {
  char b[8];
  for (int i = 0; i < bytes; i++)
    b[i] = (char)(n >> 8 * (bytes - 1 - i));
  luaws_base64_encode(out, (struct luaws_str){b, (size_t)bytes});
}

void luaws_checksum_finish(struct luaws_checksum *c, struct luaws_buf *out) {
  switch (c->algorithm) {
  case LUAWS_CHECKSUM_CRC32:
  case LUAWS_CHECKSUM_CRC32C:
    append_big_endian(out, c->crc, 4);
    break;
  case LUAWS_CHECKSUM_CRC64NVME:
    append_big_endian(out, c->crc, 8);
    break;
  case LUAWS_CHECKSUM_XXHASH64:
    append_big_endian(out, XXH64_digest(c->xxh64), 8);
    break;
  case LUAWS_CHECKSUM_XXHASH3:
    append_big_endian(out, XXH3_64bits_digest(c->xxh3), 8);
    break;
  case LUAWS_CHECKSUM_XXHASH128: {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(c->xxh3));
    luaws_base64_encode(
        out, (struct luaws_str){(const char *)canonical.digest, sizeof canonical.digest});
    break;
  }
  default: {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    EVP_DigestFinal_ex(c->digest, digest, &len);
    luaws_base64_encode(out, (struct luaws_str){(const char *)digest, len});
  }
  }
}
