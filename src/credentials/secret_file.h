/* Small files with secrets in them: read without leaving copies behind, written whole or
   not at all, for their owner only. */
#ifndef LUAWS_CREDENTIALS_SECRET_FILE_H
#define LUAWS_CREDENTIALS_SECRET_FILE_H

#include "base/bytes.h"

/* The whole file onto the end of out. 0, or an errno (EFBIG past out->max_bytes). */
int luaws_secret_file_read(struct luaws_str path, struct luaws_buf *out);
/* Puts text in the place of the file in one step, mode 0600, making its folder when there
   is none: through a file beside it that is renamed. 0, or an errno. */
int luaws_secret_file_write(struct luaws_str path, struct luaws_str text);

#endif
