/* Asking the user of the program something that nobody is to read over the shoulder. */
#ifndef LUAWS_ASK_H
#define LUAWS_ASK_H

#include "base/error.h"

/* Asks at the terminal for an MFA code, showing nothing of it; as prompt_mfa in
   credentials/provider.h. An error where there is no terminal. */
int ask_mfa_code(void *arg, struct luaws_str serial, struct luaws_buf *out,
                 struct luaws_error *err);

#endif
