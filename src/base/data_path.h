/* Where luaws keeps its data: a folder named "luaws" beside the library itself, so that a
   build tree, an installation and one that was moved all work without a variable set. */
#ifndef LUAWS_BASE_DATA_PATH_H
#define LUAWS_BASE_DATA_PATH_H

#include "base/error.h"

/* Appends the path of a file in the data folder. LUAWS_E_IO when the library's own place
 * cannot be told. */
int luaws_data_path(struct luaws_buf *out, const char *name, struct luaws_error *err);

#endif
