/* Datagrams (UDP) to one host and port. Sending never waits: what cannot go out at once
   is lost, as datagrams may be. */
#ifndef LUAWS_HTTP_DATAGRAM_H
#define LUAWS_HTTP_DATAGRAM_H

#include "base/bytes.h"

struct luaws_datagrams;
/* host is an address or a name; a name is looked up on the side, and the first datagrams
   are kept until its address is known. NULL without memory. */
struct luaws_datagrams *luaws_datagrams_new(struct luaws_str host, uint16_t port);
void luaws_datagrams_send(struct luaws_datagrams *d, struct luaws_str bytes);
void luaws_datagrams_free(struct luaws_datagrams *d);

#endif
