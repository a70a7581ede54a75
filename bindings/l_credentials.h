/* What a script has to say about credentials: asking for MFA codes, providers of its own;
   and what it is told of the search for them. */
#ifndef LUAWS_L_CREDENTIALS_H
#define LUAWS_L_CREDENTIALS_H

#include <lua.h>

#include "client/session.h"

/* Reads mfa_prompt from the options at index into o. It lives as long as the session. */
void l_callbacks_read(lua_State *L, int index, struct luaws_session_options *o);
/* Once there is a session of these options. */
void l_callbacks_bind(struct luaws_session *s);

/* core.ask_at_terminal(): sessions made from now on ask at the terminal for MFA codes,
   unless they have an mfa_prompt. For the program, not for hosts. */
int l_credentials_ask_at_terminal(lua_State *L);

/* In all three `row` is "credentials" or "tokens".
   session:providers(row) → the names of the chain's providers, in order */
int l_credentials_providers(lua_State *L);
/* session:insert_provider(row, where, name, own_name, load): where is "before" or "after"
   the provider `name`; load(take, { profile_name, refresh }), a task, hands take a table
   of keys, or nil */
int l_credentials_insert(lua_State *L);
/* session:remove_provider(row, name) */
int l_credentials_remove(lua_State *L);
/* session:provider_notes() → { { name, answer, why }, … } */
int l_explain_providers(lua_State *L);

#endif
