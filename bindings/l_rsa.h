/* Private keys of RSA, for signatures that no client makes. */
#ifndef LUAWS_L_RSA_H
#define LUAWS_L_RSA_H

#include <lua.h>

/* Adds core.rsa_key to the table on the top. */
void l_rsa_open(lua_State *L);

#endif
