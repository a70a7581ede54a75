/* Bodies of requests in gzip, for the operations whose model takes them so. */
#ifndef LUAWS_CLIENT_COMPRESS_H
#define LUAWS_CLIENT_COMPRESS_H

#include "client/call.h"

/* A stage of the call, before checksums: compresses a body that is worth it
   (request_min_compression_size_bytes), unless disable_request_compression. */
int luaws_call_compress(struct luaws_call *call, struct luaws_error *err);

#endif
