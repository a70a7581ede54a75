/* When this machine's clock is wrong, services refuse what it signs; their answer tells
   the right time. A client learns by how much it is off and signs accordingly. */
#ifndef LUAWS_CLIENT_CLOCK_SKEW_H
#define LUAWS_CLIENT_CLOCK_SKEW_H

#include "client/call.h"

/* What requests of this client are signed with: the session's clock, corrected. */
int64_t luaws_client_signing_time_s(const struct luaws_client *c);
/* After an attempt that failed with that code: sets the client's clock by the answer
   where the time may be the cause. True when the call is worth another attempt for that:
   once, and only if its body can be sent again. */
bool luaws_call_learns_time(struct luaws_call *call, struct luaws_str code);

#endif
