/* parse → result, and reading on from a streamed payload: what call.h declares of them.
 */
#ifndef LUAWS_CLIENT_RESULT_H
#define LUAWS_CLIENT_RESULT_H

#include "client/call.h"

/* What a protocol needs to parse the call's response into `out` (NULL: to look at its
   error). */
void luaws_call_parse_context(struct luaws_call *call, struct luaws_writer *out,
                              struct luaws_parse *p);

#endif
