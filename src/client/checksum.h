/* Checksums of bodies, for the operations whose model has them: sent with a request, and
   compared with what a response promises. */
#ifndef LUAWS_CLIENT_CHECKSUM_H
#define LUAWS_CLIENT_CHECKSUM_H

#include "client/call.h"

/* Asks for a checksum in the response where the model offers that and the caller said
 * nothing. */
int luaws_call_ask_for_checksum(struct luaws_call *call, struct luaws_error *err);
/* Adds a checksum of the body where the operation needs or offers one and the caller gave
   none: behind a body that is streamed over TLS, else in a header. LUAWS_READ_AGAIN when
   the body has nothing yet: then it is to be called again. */
int luaws_call_add_checksum(struct luaws_call *call, struct luaws_error *err);

/* When the response has come: begins to compute what it promises, if anything. */
int luaws_call_begin_verification(struct luaws_call *call, struct luaws_error *err);
/* At the end of the body. LUAWS_E_CHECKSUM, kind "FlexibleChecksumError". */
int luaws_call_end_verification(struct luaws_call *call, struct luaws_error *err);

#endif
