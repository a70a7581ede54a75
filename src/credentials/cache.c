#include "credentials/cache.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/encode.h"

struct entry {
  struct entry *next;
  struct luaws_credentials *credentials;
  size_t key_len;
  char key[];
};

struct luaws_credential_cache {
  struct entry *first;
};

struct luaws_credential_cache *luaws_credential_cache_new(void) {
  return calloc(1, sizeof(struct luaws_credential_cache));
}

void luaws_credential_cache_free(struct luaws_credential_cache *c) {
  if (!c) return;
  while (c->first) {
    struct entry *e = c->first;
    c->first = e->next;
    luaws_credentials_release(e->credentials);
    free(e);
  }
  free(c);
}

static struct entry *find(const struct luaws_credential_cache *c, struct luaws_str key) {
  struct entry *e = c ? c->first : NULL;
  while (e && !luaws_str_eq((struct luaws_str){e->key, e->key_len}, key))
    e = e->next;
  return e;
}

struct luaws_credentials *luaws_credential_cache_get(struct luaws_credential_cache *c,
                                                     struct luaws_str key,
                                                     int64_t now_s) {
  struct entry *e = find(c, key);
  if (!e || e->credentials->expiry_s - now_s <= LUAWS_CACHE_WINDOW_S) return NULL;
  return luaws_credentials_acquire(e->credentials);
}

void luaws_credential_cache_put(struct luaws_credential_cache *c, struct luaws_str key,
                                struct luaws_credentials *credentials) {
  if (!c) return;
  struct entry *e = find(c, key);
  if (!e) {
    e = calloc(1, sizeof *e + key.len);
    if (!e) return;
    memcpy(e->key, key.ptr, key.len);
    e->key_len = key.len;
    e->next = c->first;
    c->first = e;
  }
  luaws_credentials_acquire(credentials);
  luaws_credentials_release(e->credentials);
  e->credentials = credentials;
}

static void append_digest(struct luaws_buf *out, const EVP_MD *md,
                          struct luaws_str text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned len = 0;
  if (!EVP_Digest(text.ptr, text.len, digest, &len, md, NULL)) {
    out->failed = true;
    return;
  }
  luaws_hex_encode(out, (struct luaws_str){(const char *)digest, len});
}

void luaws_append_sha1(struct luaws_buf *out, struct luaws_str text) {
  append_digest(out, EVP_sha1(), text);
}

void luaws_append_sha256(struct luaws_buf *out, struct luaws_str text) {
  append_digest(out, EVP_sha256(), text);
}
