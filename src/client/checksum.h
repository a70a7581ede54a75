/* Checksums of a request's body, for the operations whose model asks for one. */
#ifndef LUAWS_CLIENT_CHECKSUM_H
#define LUAWS_CLIENT_CHECKSUM_H

#include "client/call.h"

/* Adds x-amz-checksum-crc32 where the operation needs or offers a checksum and the caller
 * gave none. */
int luaws_call_add_checksum(struct luaws_call *call, struct luaws_error *err);

#endif
