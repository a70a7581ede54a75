/* Did you mean …? The operations whose names are nearest to a misspelt one. */
#ifndef LUAWS_CLIENT_NEAREST_H
#define LUAWS_CLIENT_NEAREST_H

#include "base/bytes.h"
#include "model/model.h"

/* Appends "; did you mean 'A' or 'B'?" to out, or nothing when none is near. */
void luaws_nearest_operations(const struct luaws_service *s, struct luaws_str name,
                              struct luaws_buf *out);

#endif
