/* Encodings and digests that service modules need: bytes in, text out. */
#ifndef LUAWS_L_ENCODE_H
#define LUAWS_L_ENCODE_H

#include <lua.h>

#include "base/stream.h"

void l_encode_open(lua_State *L);
/* Pushes the SHA-256 of a stream and its tree hash (of 1 MiB pieces), both in hex,
   reading it once and rewinding it. Returns how many values it pushed, or raises. */
int l_encode_push_hashes(lua_State *L, const struct luaws_stream *body);

#endif
