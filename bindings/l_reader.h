/* Where a transfer reads from what has no size: a pipe, a terminal, a device. Reading
   never waits: the loop does (l_ready.h). */
#ifndef LUAWS_L_READER_H
#define LUAWS_L_READER_H

#include <lua.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

/* Puts at most max bytes of a descriptor, and of what stdio (or NULL) has read ahead of
   it, at dst: their number, 0 at the end, LUAWS_READ_AGAIN when there is nothing now, or
   LUAWS_E_IO. */
ptrdiff_t l_read_now(int fd, FILE *io, char *dst, size_t max, struct luaws_error *err);

/* Puts at most max bytes of the reader at the stack index at dst: their number, 0 at the
   end, LUAWS_READ_AGAIN when there is nothing now, or LUAWS_E_IO. */
ptrdiff_t l_reader_read(lua_State *L, int index, char *dst, size_t max,
                        struct luaws_error *err);
/* What is to be waited for. */
int l_reader_fd(lua_State *L, int index);

/* Adds reader to the table on the top. */
void l_reader_open(lua_State *L);

#endif
