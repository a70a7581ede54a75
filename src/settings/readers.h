/* Who else can read a file with secrets in it. */
#ifndef LUAWS_SETTINGS_READERS_H
#define LUAWS_SETTINGS_READERS_H

#include "base/bytes.h"

/* Warns of a file that every user of the machine may read; once for each file in the life
   of the process. A group's right is taken to be meant; whose file it is does not
   matter, and of a symbolic link it is the file behind it that counts. */
void luaws_warn_of_readers(struct luaws_str path);

#endif
