/* session:sign_request: signing requests that are no calls of an AWS API. */
#ifndef LUAWS_L_SIGN_H
#define LUAWS_L_SIGN_H

#include <lua.h>

void l_sign_open(lua_State *L);

#endif
