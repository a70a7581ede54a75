/* The userdata that a client is to scripts. */
#ifndef LUAWS_L_CLIENT_H
#define LUAWS_L_CLIENT_H

#include <lua.h>

#include "client/client.h"

/* User values: what a client is made of on the Lua side. */
enum {
  L_CLIENT_CLASS = 1, /* methods, shared by all clients of the same service and version */
  L_CLIENT_FIELDS,    /* the client's own */
  L_CLIENT_VALUES = L_CLIENT_FIELDS
};

struct l_client {
  struct luaws_client *client;
  bool listens;   /* somebody may listen to its events */
  bool unguarded; /* listeners are asked of the parameters even where no condition that
                     they gave holds: they know more of this client */
};

/* Raises when it is none, or closed. */
struct l_client *l_client_check(lua_State *L, int index);
/* NULL when the value at index is none. */
struct luaws_client *l_client_test(lua_State *L, int index);
void l_client_open(lua_State *L);

#endif
