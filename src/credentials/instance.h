/* Where this machine runs, told by the same service that an instance has its credentials
   from. */
#ifndef LUAWS_CREDENTIALS_INSTANCE_H
#define LUAWS_CREDENTIALS_INSTANCE_H

#include "credentials/provider.h"

/* The region as credentials whose `token` it is, so that a chain of this one alone serves
   everyone who waits for it. Beside the chain of credentials, not in it. */
extern const struct luaws_provider luaws_region_provider_instance;

#endif
