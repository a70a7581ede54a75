/* Form bodies, as query.c and ec2.c send them. */
#ifndef LUAWS_PROTOCOL_QUERY_H
#define LUAWS_PROTOCOL_QUERY_H

#include "protocol/protocol.h"

/* Fills the request with Action, Version and the parameters. ec2: by that protocol's
   naming. */
int luaws_query_serialize(struct luaws_serialize *s, bool ec2, struct luaws_error *err);

#endif
