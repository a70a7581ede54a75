/* The models as Lua values: files as they are, and shapes and operations for whoever asks
 * what there is. */
#ifndef LUAWS_L_MODEL_H
#define LUAWS_L_MODEL_H

#include <lua.h>

void l_model_open(lua_State *L);

#endif
