#include "credentials/cache.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/time.h"
#include "credentials/secret_file.h"
#include "settings/readers.h"
#include "value/json.h"
#include "value/tree.h"

struct entry {
  struct entry *next;
  struct luaws_credentials *credentials;
  size_t key_len;
  char key[];
};

struct luaws_credential_cache {
  struct entry *first;
  struct luaws_buf folder; /* empty: none */
};

struct luaws_credential_cache *luaws_credential_cache_new(struct luaws_str folder) {
  struct luaws_credential_cache *c = calloc(1, sizeof *c);
  if (c && folder.len) luaws_buf_append_str(&c->folder, folder);
  return c;
}

void luaws_credential_cache_free(struct luaws_credential_cache *c) {
  if (!c) return;
  while (c->first) {
    struct entry *e = c->first;
    c->first = e->next;
    luaws_credentials_release(e->credentials);
    free(e);
  }
  luaws_buf_clear(&c->folder);
  free(c);
}

/* ---- files ---- */

enum { MAX_FILE_BYTES = 1 << 20 };

static void find_path(const struct luaws_credential_cache *c, struct luaws_str key,
                      struct luaws_buf *out) {
  luaws_buf_append_str(out, luaws_buf_str(&c->folder));
  luaws_buf_append_char(out, '/');
  luaws_buf_append_str(out, key);
  luaws_buf_append_cstr(out, ".json");
}

/* boto3 ends its times with "UTC". */
static bool read_time(struct luaws_str text, int64_t *out) {
  struct luaws_buf b = {0};
  double seconds = 0;
  if (luaws_str_ends(text, LUAWS_STR("UTC"))) text.len -= 3;
  luaws_buf_append_str(&b, text);
  bool ok = text.len && !b.failed && luaws_time_parse(luaws_buf_str(&b), &seconds);
  luaws_buf_clear(&b);
  *out = (int64_t)seconds;
  return ok;
}

static struct luaws_credentials *read_file(struct luaws_str json,
                                           struct luaws_str method) {
  struct luaws_arena arena = {0};
  struct luaws_error why = {0};
  struct luaws_tree *t = NULL;
  struct luaws_credentials *found = NULL;
  if (luaws_tree_parse(&arena, json, &t, &why) == 0) {
    const struct luaws_tree *k = luaws_tree_get(t, "Credentials");
    struct luaws_credentials_init init = {
        .access_key = luaws_tree_text(k, "AccessKeyId"),
        .secret_key = luaws_tree_text(k, "SecretAccessKey"),
        .token = luaws_tree_text(k, "SessionToken"),
        .account_id = luaws_tree_text(k, "AccountId"),
        .method = method,
    };
    if (init.access_key.len && init.secret_key.len && init.token.len &&
        read_time(luaws_tree_text(k, "Expiration"), &init.expiry_s)) {
      found = luaws_credentials_new(&init);
    }
  }
  luaws_error_clear(&why);
  luaws_arena_wipe(&arena);
  return found;
}

/* NULL unless the file is there and makes sense. */
static struct luaws_credentials *load(const struct luaws_credential_cache *c,
                                      struct luaws_str key, struct luaws_str method) {
  struct luaws_buf path = {0}, text = {.max_bytes = MAX_FILE_BYTES};
  struct luaws_credentials *found = NULL;
  find_path(c, key, &path);
  if (!path.failed && luaws_secret_file_read(luaws_buf_str(&path), &text) == 0) {
    found = read_file(luaws_buf_str(&text), method);
    if (found) luaws_warn_of_readers(luaws_buf_str(&path));
  }
  luaws_buf_wipe(&text);
  luaws_buf_clear(&path);
  return found;
}

static void put_text(struct luaws_buf *json, const char *name, struct luaws_str value) {
  if (!value.len || json->failed) return;
  luaws_buf_printf(json, "%s\"%s\": ", json->ptr[json->len - 1] == '{' ? "" : ", ", name);
  luaws_json_quote(json, value);
}

static void save(const struct luaws_credential_cache *c, struct luaws_str key,
                 const struct luaws_credentials *credentials) {
  struct luaws_buf path = {0}, json = {.wipes = true}, expiry = {0};
  find_path(c, key, &path);
  luaws_time_format_iso8601(&expiry, (double)credentials->expiry_s);
  luaws_buf_append_cstr(&json, "{\"Credentials\": {");
  put_text(&json, "AccessKeyId", credentials->access_key);
  put_text(&json, "SecretAccessKey", credentials->secret_key);
  put_text(&json, "SessionToken", credentials->token);
  put_text(&json, "Expiration", luaws_buf_str(&expiry));
  put_text(&json, "AccountId", credentials->account_id);
  luaws_buf_append_cstr(&json, "}}");
  int e = path.failed || json.failed
              ? 0
              : luaws_secret_file_write(luaws_buf_str(&path), luaws_buf_str(&json));
  if (e) {
    luaws_log(LUAWS_LOG_WARNING, "luaws.credentials", "%s cannot be written: %s",
              path.ptr, strerror(e));
  }
  luaws_buf_clear(&path);
  luaws_buf_wipe(&json);
  luaws_buf_clear(&expiry);
}

/* ---- entries ---- */

static struct entry *find(const struct luaws_credential_cache *c, struct luaws_str key) {
  struct entry *e = c ? c->first : NULL;
  while (e && !luaws_str_eq((struct luaws_str){e->key, e->key_len}, key))
    e = e->next;
  return e;
}

static bool will_do(const struct luaws_credentials *c, int64_t now_s) {
  return c && c->expiry_s - now_s > LUAWS_CACHE_WINDOW_S;
}

struct luaws_credentials *luaws_credential_cache_get(struct luaws_credential_cache *c,
                                                     struct luaws_str key,
                                                     struct luaws_str method,
                                                     int64_t now_s) {
  struct entry *e = find(c, key);
  if (e && will_do(e->credentials, now_s)) {
    return luaws_credentials_acquire(e->credentials);
  }
  if (!c || !c->folder.len) return NULL;
  struct luaws_credentials *found = load(c, key, method);
  if (will_do(found, now_s)) return found;
  luaws_credentials_release(found);
  return NULL;
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
  if (c->folder.len) save(c, key, credentials);
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

/* A character beyond ASCII, as JSON's \uXXXX; how many bytes it had. */
static size_t escape_character(struct luaws_buf *out, struct luaws_str s) {
  unsigned char first = (unsigned char)s.ptr[0];
  size_t len = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  uint32_t code = first & (0xFFu >> (len + 1));
  if (len > s.len) len = s.len;
  for (size_t i = 1; i < len; i++)
    code = code << 6 | ((unsigned char)s.ptr[i] & 0x3F);
  if (code >= 0x10000) {
    luaws_buf_printf(out, "\\u%04x", 0xD800 + ((code - 0x10000) >> 10));
    code = 0xDC00 + ((code - 0x10000) & 0x3FF);
  }
  luaws_buf_printf(out, "\\u%04x", code);
  return len;
}

void luaws_append_cache_key(struct luaws_buf *out, struct luaws_str json) {
  struct luaws_buf ascii = {0};
  while (json.len) {
    size_t len = 1;
    if ((unsigned char)json.ptr[0] < 0x80) {
      luaws_buf_append_char(&ascii, json.ptr[0]);
    } else {
      len = escape_character(&ascii, json);
    }
    json = luaws_str_sub(json, len, json.len);
  }
  luaws_append_sha1(out, luaws_buf_str(&ascii));
  if (ascii.failed) out->failed = true;
  luaws_buf_clear(&ascii);
}

void luaws_append_sha256(struct luaws_buf *out, struct luaws_str text) {
  append_digest(out, EVP_sha256(), text);
}
