/* What a script has to say about credentials: asking for MFA codes, providers of its own.
 */
#ifndef LUAWS_L_CREDENTIALS_H
#define LUAWS_L_CREDENTIALS_H

#include <lua.h>

#include "client/session.h"

/* Reads mfa_prompt from the options at index into o. They live as long as the session;
   when luaws_session_new is not called after this, o->on_free must be. */
void l_callbacks_read(lua_State *L, int index, struct luaws_session_options *o);

#endif
