/* What a script may give as a streaming blob: a string, an io file, aws.file(path), a
   function that returns chunks. */
#ifndef LUAWS_L_STREAM_H
#define LUAWS_L_STREAM_H

#include <lua.h>

#include "base/error.h"
#include "base/stream.h"

/* True for an aws.file, and for a piece (l_piece.h). */
bool l_is_stream(lua_State *L, int index);

/* The value at index as a body that stays valid until it is released, whatever the script
 * does with the value. */
int l_stream_from(lua_State *L, int index, struct luaws_stream *out,
                  struct luaws_error *err);

/* aws.file(path or io file [, offset [, length [, most bytes a second]]]) */
int l_file(lua_State *L);

void l_stream_open(lua_State *L);

#endif
