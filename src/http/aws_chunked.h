/* The content encoding "aws-chunked": a body in chunks with its checksum behind them, so
   that it is computed while the body is sent and nothing is read twice. (Amazon S3:
   "Signature calculations: including trailing headers".) */
#ifndef LUAWS_HTTP_AWS_CHUNKED_H
#define LUAWS_HTTP_AWS_CHUNKED_H

#include "base/error.h"
#include "base/stream.h"
#include "http/checksum.h"

/* Puts a stream of unknown length, which owns the given body, in its place. Rewinds as
 * the body does. */
int luaws_aws_chunked_wrap(struct luaws_stream *body,
                           enum luaws_checksum_algorithm algorithm,
                           struct luaws_error *err);

#endif
