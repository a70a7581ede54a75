/* Which region a client is in, as its rules, its signatures and its scripts see it. */
#ifndef LUAWS_CLIENT_REGION_H
#define LUAWS_CLIENT_REGION_H

#include "client/client.h"

/* Sets the client's meta_region, signing_region and partition from its configured region.
   LUAWS_E_CONFIG, kind NoRegionError, when the service needs one and there is none. */
int luaws_client_find_region(struct luaws_client *c, struct luaws_error *err);
/* The endpoint of a service that has no rule set. */
int luaws_client_legacy_endpoint(const struct luaws_client *c, struct luaws_arena *arena,
                                 struct luaws_endpoint *out, struct luaws_error *err);

#endif
