/* The paths by which an operation's model picks endpoint parameters out of its input
   (operationContextParams): the part of JMESPath that models use for it: names, a.b,
   a[*].b, keys(a), [a, b][]. */
#ifndef LUAWS_CLIENT_PARAM_PATH_H
#define LUAWS_CLIENT_PARAM_PATH_H

#include "base/arena.h"
#include "value/value.h"

/* Every text that the path finds, in order; *out lives in the arena. */
size_t luaws_param_path_texts(struct luaws_str path, struct luaws_reader *r,
                              struct luaws_arena *arena, const struct luaws_str **out);

#endif
