/* What libcurl says of a failure, in botocore's terms. */
#ifndef LUAWS_HTTP_FAILURE_H
#define LUAWS_HTTP_FAILURE_H

#include "http/pool.h"

/* What is known of the request that failed. */
struct luaws_failure {
  const struct luaws_request *request;
  const struct luaws_proxy *proxy; /* that it went through, or NULL */
  bool requested;                  /* it had a connection to its host */
  bool awaits_head;                /* … and the head of its response is not whole */
  const struct luaws_curl *curl;
  CURL *easy;          /* NULL when libcurl has not begun */
  const char *message; /* what libcurl or TLS says; NULL or "" = the code's own text */
};

/* Sets err: the kind tells what failed, the text names the endpoint (without its query,
   which may hold a signature) or the proxy (without its credentials). */
void luaws_failure_explain(const struct luaws_failure *f, CURLcode code,
                           struct luaws_error *err);

#endif
