/* One attempt of a call: send → response → what to do next. */
#ifndef LUAWS_CLIENT_ATTEMPT_H
#define LUAWS_CLIENT_ATTEMPT_H

#include "client/call.h"

/* Begins to send the signed request: LUAWS_CALL_WAITS, or a negative code. */
int luaws_call_send(struct luaws_call *call, struct luaws_error *err);
/* What has come of it, into call->response or call->attempt_error: 0, or LUAWS_CALL_WAITS
   where the rest of an answer is still to be read. */
int luaws_call_take_response(struct luaws_call *call);
/* send → (retry): asks the policy, into call->retry_delay_ms. */
void luaws_call_judge(struct luaws_call *call);
/* Forgets the attempt and waits for as long as the policy (or a listener) said. */
int luaws_call_wait_for_retry(struct luaws_call *call, struct luaws_error *err);
/* Whoever polls comes back at once: where there is to be no retry, the wait for it comes
   all the same. */
int luaws_call_wait_before_giving_up(struct luaws_call *call, struct luaws_error *err);

#endif
