/* Did you mean …? How far a name is from one that is known. */
#ifndef LUAWS_BASE_TYPO_H
#define LUAWS_BASE_TYPO_H

#include "base/bytes.h"

enum { LUAWS_TYPO_MAX_BYTES = 96 };

/* How many letters to change, add, leave out, or swap with a neighbour to get from a to
   b; case does not count. SIZE_MAX when either is longer than LUAWS_TYPO_MAX_BYTES. */
size_t luaws_typo_distance(struct luaws_str a, struct luaws_str b);

#endif
