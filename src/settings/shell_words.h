/* Splitting a line into words as a POSIX shell does, without the shell: blanks, both
   kinds of quotes, backslashes; nothing is expanded and "#" is a letter. */
#ifndef LUAWS_SETTINGS_SHELL_WORDS_H
#define LUAWS_SETTINGS_SHELL_WORDS_H

#include "base/arena.h"

/* Puts the words (closed by zero bytes) into arena memory. False when a quote is not
   closed, the line ends in a lone backslash, or without memory. */
bool luaws_shell_split(struct luaws_arena *arena, struct luaws_str line,
                       struct luaws_str **words, size_t *count);

#endif
