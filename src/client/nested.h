/* Calls to AWS on behalf of a credential provider (STS, SSO, ...), by a session on its
   own loop: what struct luaws_nested_calls asks for. Each call has a client of its own,
   with the session's settings and the credentials given, or none. */
#ifndef LUAWS_CLIENT_NESTED_H
#define LUAWS_CLIENT_NESTED_H

#include "client/session.h"

/* Fills in calls; they work as long as the session lives. */
void luaws_nested_init(struct luaws_nested_calls *calls, struct luaws_session *session);

#endif
