/* Lua's view of the data folder (base/data_path.h). */
#ifndef LUAWS_L_PATHS_H
#define LUAWS_L_PATHS_H

#include <lua.h>

/* Pushes the path of a file in the data folder. */
void l_push_data_path(lua_State *L, const char *name);
/* Makes require() find luaws.* modules in the data folder, before anything else. */
void l_paths_open(lua_State *L);

#endif
