/* Asking the user of the program something that nobody is to read over the shoulder. */
#ifndef LUAWS_ASK_H
#define LUAWS_ASK_H

#include "credentials/provider.h"

/* Asks at the terminal for an MFA code, showing nothing of it. An error where there is no
   terminal, and when Ctrl-C ends it. */
luaws_prompt_mfa_fn ask_mfa_code;

#endif
