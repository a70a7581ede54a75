#include "l_encode.h"

#include <lauxlib.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/encode.h"
#include "base/time.h"
#include "l_error.h"
#include "l_session.h"
#include "l_text.h"
#include "sign/digest.h"

/* core.percent_encode(text [, characters that pass as well]) */
static int percent_encode(lua_State *L) {
  struct luaws_buf out = {0};
  luaws_percent_encode(&out, l_check_text(L, 1), luaL_optstring(L, 2, NULL));
  return l_push_buf(L, &out);
}

/* core.percent_decode(text) */
static int percent_decode(lua_State *L) {
  struct luaws_buf out = {0};
  luaws_percent_decode(&out, l_check_text(L, 1));
  return l_push_buf(L, &out);
}

/* core.md5(bytes) → 16 bytes: a check sum that S3 asks for, nothing that protects */
static int md5(lua_State *L) {
  struct luaws_str data = l_check_text(L, 1);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int len = 0;
  if (!EVP_Digest(data.ptr, data.len, digest, &len, EVP_md5(), NULL))
    return luaL_error(L, "OpenSSL refuses MD5");
  lua_pushlstring(L, (const char *)digest, len);
  return 1;
}

/* core.parse_timestamp(text) → seconds, or nil when it is none */
static int parse_timestamp(lua_State *L) {
  double seconds;
  if (!luaws_time_parse(l_check_text(L, 1), &seconds)) return 0;
  lua_pushnumber(L, seconds);
  return 1;
}

enum { PIECE_BYTES = 1024 * 1024, HEX_BYTES = 2 * LUAWS_SHA256_BYTES };

/* The digests of the pieces, as a growing row; two neighbours become one until one is
 * left. */
static bool join_pieces(EVP_MD_CTX *md, struct luaws_buf *row) {
  unsigned char digest[LUAWS_SHA256_BYTES];
  while (row->len > LUAWS_SHA256_BYTES) {
    size_t to = 0;
    for (size_t from = 0; from < row->len; from += (size_t)2 * LUAWS_SHA256_BYTES) {
      size_t pair = row->len - from;
      if (pair > LUAWS_SHA256_BYTES) {
        if (!luaws_sha256(
                md, (struct luaws_str){row->ptr + from, (size_t)2 * LUAWS_SHA256_BYTES},
                digest))
          return false;
        memcpy(row->ptr + to, digest, sizeof digest);
      } else {
        memmove(row->ptr + to, row->ptr + from, LUAWS_SHA256_BYTES);
      }
      to += LUAWS_SHA256_BYTES;
    }
    row->len = to;
  }
  return true;
}

/* Reads the stream in pieces: all goes into whole, each piece's digest into row. */
static int hash_pieces(const struct luaws_stream *body, EVP_MD_CTX *whole, EVP_MD_CTX *md,
                       char *piece, struct luaws_buf *row, struct luaws_error *err) {
  int64_t position = 0;
  unsigned char digest[LUAWS_SHA256_BYTES];
  size_t have = 0;
  ptrdiff_t n;
  do {
    n = luaws_stream_read(body, &position, piece + have, PIECE_BYTES - have, err);
    if (n < 0) return (int)n;
    have += (size_t)n;
    if (have == PIECE_BYTES || (n == 0 && (have || row->len == 0))) {
      struct luaws_str data = {piece, have};
      if (!EVP_DigestUpdate(whole, piece, have) || !luaws_sha256(md, data, digest))
        return luaws_error_memory(err);
      luaws_buf_append(row, (const char *)digest, sizeof digest);
      have = 0;
    }
  } while (n > 0);
  return luaws_stream_rewind(body, &position, err);
}

int l_encode_push_hashes(lua_State *L, const struct luaws_stream *body) {
  char *piece = lua_newuserdatauv(L, PIECE_BYTES, 0);
  struct luaws_buf row = {0}, hex = {0};
  struct luaws_error err = {0};
  EVP_MD_CTX *whole = EVP_MD_CTX_new(), *md = luaws_sha256_new();
  unsigned char digest[LUAWS_SHA256_BYTES];
  int rc = whole && md && EVP_DigestInit_ex(whole, EVP_sha256(), NULL)
               ? hash_pieces(body, whole, md, piece, &row, &err)
               : luaws_error_memory(&err);
  if (rc == 0 &&
      (row.failed || !EVP_DigestFinal_ex(whole, digest, NULL) || !join_pieces(md, &row)))
    rc = luaws_error_memory(&err);
  if (rc == 0) {
    luaws_hex_encode(&hex, (struct luaws_str){(const char *)digest, sizeof digest});
    luaws_hex_encode(&hex, luaws_buf_str(&row));
  }
  EVP_MD_CTX_free(whole);
  EVP_MD_CTX_free(md);
  luaws_buf_clear(&row);
  if (rc) {
    luaws_buf_clear(&hex);
    return l_error_raise(L, &err);
  }
  l_push_buf(L, &hex);
  const char *both = lua_tostring(L, -1);
  lua_pushlstring(L, both, HEX_BYTES);
  lua_pushstring(L, both + HEX_BYTES);
  return 2;
}

void l_encode_open(lua_State *L) {
  static const luaL_Reg functions[] = {{"percent_encode", percent_encode},
                                       {"percent_decode", percent_decode},
                                       {"md5", md5},
                                       {"parse_timestamp", parse_timestamp},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
