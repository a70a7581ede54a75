/* What libcurl says of a failure, in botocore's terms. */
#ifndef LUAWS_HTTP_FAILURE_H
#define LUAWS_HTTP_FAILURE_H

#include "http/pool.h"

/* Sets x->err: the kind tells what failed, the text names the endpoint (without its
   query, which may hold a signature) or the proxy (without its credentials). */
void luaws_failure_explain(struct luaws_exchange *x, CURLcode code);

#endif
