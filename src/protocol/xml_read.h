/* An XML answer straight into values, in one pass of expat: a stack of what is open, each
   element found in its structure by its name on the wire. */
#ifndef LUAWS_PROTOCOL_XML_READ_H
#define LUAWS_PROTOCOL_XML_READ_H

#include "protocol/protocol.h"

/* What of the document is wanted. */
struct luaws_xml_target {
  const struct luaws_shape *shape; /* of the element below; NULL: nothing is */
  struct luaws_str path[2]; /* the elements that lead to it from the root, which it is
                               itself when path_length is 0 */
  int path_length;
  bool bare;            /* a structure: only its members are written, the caller makes the
                           map */
  bool may_miss;        /* no error when the path leads nowhere */
  bool result_metadata; /* root/ResponseMetadata/RequestId goes to request_id */
  bool root_request_id; /* root/requestId does */
  struct luaws_str *request_id;   /* copied to the arena */
  struct luaws_headers *metadata; /* what else root/ResponseMetadata says, or NULL */
  struct luaws_arena *arena;
};

/* LUAWS_E_RESPONSE, kind "ResponseParserError". What was begun in the writer is ended
   even then. */
int luaws_xml_read(struct luaws_parser *p, struct luaws_str body,
                   const struct luaws_xml_target *target, struct luaws_writer *out,
                   struct luaws_error *err);

#endif
