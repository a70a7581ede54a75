/* --local: a throw-away AWS on this machine, moto's server in a child process that ends
 * with ours. */
#ifndef LUAWS_LOCAL_H
#define LUAWS_LOCAL_H

#include <stdbool.h>

/* Starts the server, waits until it listens, and points the environment of this process
   at it: an endpoint, made-up credentials, the region (NULL = us-east-1), and nothing of
   the caller's own AWS settings, so that no real account can be touched. False, with the
   reason on standard error, when that does not work. */
bool local_start(const char *region);
/* Ends it, if it runs. It also ends by itself when this process does, however that comes.
 */
void local_stop(void);

#endif
