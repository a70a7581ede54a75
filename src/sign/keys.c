#include "sign/keys.h"

#include <stdlib.h>

static void drop_key(struct luaws_signing_key *k) {
  EVP_MAC_CTX_free(k->mac);
  EVP_PKEY_free(k->pair);
  luaws_buf_wipe(&k->text);
  *k = (struct luaws_signing_key){0};
}

struct luaws_key_cache *luaws_key_cache_new(void) {
  struct luaws_key_cache *c = calloc(1, sizeof *c);
  if (c) c->md = luaws_sha256_new();
  if (c && !c->md) {
    free(c);
    c = NULL;
  }
  return c;
}

void luaws_key_cache_free(struct luaws_key_cache *c) {
  if (!c) return;
  for (int i = 0; i < LUAWS_SIGNING_KEYS; i++)
    drop_key(&c->keys[i]);
  EVP_MD_CTX_free(c->md);
  luaws_buf_wipe(&c->canonical); /* holds the session token */
  luaws_buf_wipe(&c->to_sign);
  luaws_buf_wipe(&c->text);
  free(c);
}

static bool is_key_for(const struct luaws_signing_key *k, struct luaws_str secret,
                       struct luaws_str day, struct luaws_str region,
                       struct luaws_str service) {
  if (!k->text.len || k->secret_len != secret.len || k->region_len != region.len ||
      k->text.len != secret.len + day.len + region.len + service.len) {
    return false;
  }
  const char *p = k->text.ptr;
  return luaws_str_eq((struct luaws_str){p, secret.len}, secret) &&
         luaws_str_eq((struct luaws_str){p += secret.len, day.len}, day) &&
         luaws_str_eq((struct luaws_str){p += day.len, region.len}, region) &&
         luaws_str_eq((struct luaws_str){p + region.len, service.len}, service);
}

/* AWS4<secret> → day → region → service → aws4_request, each the key of the next. */
static bool derive(EVP_MAC_CTX *mac, struct luaws_str secret, struct luaws_str day,
                   struct luaws_str region, struct luaws_str service) {
  const struct luaws_str steps[] = {day, region, service, LUAWS_STR("aws4_request")};
  struct luaws_buf first = {0};
  luaws_buf_append_cstr(&first, "AWS4");
  luaws_buf_append_str(&first, secret);
  unsigned char key[LUAWS_SHA256_BYTES];
  bool ok = !first.failed && luaws_hmac_key(mac, first.ptr, first.len);
  luaws_buf_wipe(&first);
  for (size_t i = 0; ok && i < sizeof steps / sizeof *steps; i++)
    ok = luaws_hmac(mac, steps[i], key) && luaws_hmac_key(mac, key, sizeof key);
  luaws_wipe(key, sizeof key);
  return ok;
}

/* The key for these, or the one that was used longest ago, emptied and named for them:
   one without mac and pair. NULL without memory. */
static struct luaws_signing_key *take_key(struct luaws_key_cache *c,
                                          struct luaws_str secret, struct luaws_str day,
                                          struct luaws_str region,
                                          struct luaws_str service) {
  struct luaws_signing_key *k = &c->keys[0];
  for (int i = 0; i < LUAWS_SIGNING_KEYS; i++) {
    struct luaws_signing_key *candidate = &c->keys[i];
    if (is_key_for(candidate, secret, day, region, service)) {
      candidate->last_used = ++c->clock;
      return candidate;
    }
    if (candidate->last_used < k->last_used) k = candidate;
  }
  drop_key(k);
  /* Room first: growing later would leave a copy of the secret behind in freed memory. */
  luaws_buf_reserve(&k->text, secret.len + day.len + region.len + service.len + 1);
  luaws_buf_append_str(&k->text, secret);
  luaws_buf_append_str(&k->text, day);
  luaws_buf_append_str(&k->text, region);
  luaws_buf_append_str(&k->text, service);
  if (k->text.failed) {
    drop_key(k);
    return NULL;
  }
  k->secret_len = secret.len;
  k->region_len = region.len;
  k->last_used = ++c->clock;
  return k;
}

EVP_MAC_CTX *luaws_key_cache_get(struct luaws_key_cache *c, struct luaws_str secret,
                                 struct luaws_str day, struct luaws_str region,
                                 struct luaws_str service) {
  struct luaws_signing_key *k = take_key(c, secret, day, region, service);
  if (!k || k->mac) return k ? k->mac : NULL;
  k->mac = luaws_hmac_new();
  if (!k->mac || !derive(k->mac, secret, day, region, service)) drop_key(k);
  return k->mac;
}

EVP_PKEY *luaws_key_cache_get_pair(struct luaws_key_cache *c, struct luaws_str secret,
                                   struct luaws_str access_key) {
  struct luaws_str none = LUAWS_STR("");
  struct luaws_signing_key *k = take_key(c, secret, none, access_key, none);
  if (!k || k->pair) return k ? k->pair : NULL;
  k->pair = luaws_sigv4a_derive(access_key, secret);
  if (!k->pair) drop_key(k);
  return k->pair;
}
