/* The checksum of an object that is downloaded in ranges, as far as the core computes it.
 */
#ifndef LUAWS_L_RANGE_SUM_H
#define LUAWS_L_RANGE_SUM_H

#include <lua.h>

#include "http/range_sum.h"

/* The one (core.range_sum) at the stack index, or NULL when something else is there. */
struct luaws_range_sum *l_range_sum_test(lua_State *L, int index);

/* Adds range_sum and checksum to the table on the top. */
void l_range_sum_open(lua_State *L);

#endif
