/* What endpoints.json knows of partitions and regions (luaws.regions). */
#ifndef LUAWS_L_REGIONS_H
#define LUAWS_L_REGIONS_H

#include <lua.h>

void l_regions_open(lua_State *L);

#endif
