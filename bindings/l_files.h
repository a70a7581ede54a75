/* Files and folders, as far as transfers need what Lua's own io and os do not have. */
#ifndef LUAWS_L_FILES_H
#define LUAWS_L_FILES_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Writes to the target (core.target) at the stack index: at this offset, or, where the
   target only takes bytes in order, behind what was written before. How many bytes it
   took, LUAWS_READ_AGAIN when it has no room now, or LUAWS_E_IO. */
ptrdiff_t l_target_write(lua_State *L, int index, int64_t offset, const char *ptr,
                         size_t len, struct luaws_error *err);
/* What is to be waited for then. */
int l_target_fd(lua_State *L, int index);

/* Adds target, file_status, real_path, list_folder, make_folder, set_modified, io_modes
   and terminal_columns to the table on the top. */
void l_files_open(lua_State *L);

#endif
