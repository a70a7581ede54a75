/* A compiled service as readable JSON: every field of the structs in pack.h. */
#ifndef LUAWS_MODEL_DUMP_H
#define LUAWS_MODEL_DUMP_H

#include "model/model.h"

void luaws_service_dump(const struct luaws_service *s, struct luaws_buf *out);

#endif
