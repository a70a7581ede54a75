/* Client-side monitoring: with csm_enabled, each attempt and each call is told to an
   agent in a datagram of JSON ("ApiCallAttempt", "ApiCall"), with the fields and limits
   that all AWS SDKs send. Telling never waits and never fails a call. */
#ifndef LUAWS_CLIENT_MONITOR_H
#define LUAWS_CLIENT_MONITOR_H

#include "settings/settings.h"

struct luaws_call;
struct luaws_monitor;
/* What is known of a call so far; in its arena. */
struct luaws_monitored;

/* *out stays NULL when csm_enabled is off. LUAWS_E_CONFIG for a port that is none or a
   client id that is too long. */
int luaws_monitor_new(struct luaws_settings *s, struct luaws_monitor **out,
                      struct luaws_error *err);
void luaws_monitor_free(struct luaws_monitor *m);

/* A call, from its beginning on: call->monitored is set, or stays NULL without memory. */
void luaws_monitor_call_begins(struct luaws_monitor *m, struct luaws_call *call);
/* The others are for a call with call->monitored. From here on its end will be told. */
void luaws_monitor_request_made(struct luaws_call *call);
/* It is signed and goes out. */
void luaws_monitor_attempt_begins(struct luaws_call *call);
/* There is a response, whose error is given, or an attempt_error. */
void luaws_monitor_attempt_ends(struct luaws_call *call, struct luaws_str error_code,
                                struct luaws_str error_message);
void luaws_monitor_call_ends(struct luaws_call *call);

#endif
