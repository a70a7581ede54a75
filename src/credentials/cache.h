/* Credentials of roles by what was asked for them, so that a role in the middle of a
   chain is assumed once and not at every refresh of the last one. Lives in memory
   and, when it has a folder, in files that the AWS CLI reads and writes too. */
#ifndef LUAWS_CREDENTIALS_CACHE_H
#define LUAWS_CREDENTIALS_CACHE_H

#include "credentials/credentials.h"

/* An entry is good while more than this remains. */
enum { LUAWS_CACHE_WINDOW_S = 15 * 60 };

struct luaws_credential_cache;
/* folder: none = memory alone. */
struct luaws_credential_cache *luaws_credential_cache_new(struct luaws_str folder);
void luaws_credential_cache_free(struct luaws_credential_cache *c); /* wipes */

/* A reference for the caller, or NULL. method: of what comes from a file. c may be NULL.
 */
struct luaws_credentials *luaws_credential_cache_get(struct luaws_credential_cache *c,
                                                     struct luaws_str key,
                                                     struct luaws_str method,
                                                     int64_t now_s);
/* Keeps a reference; does nothing without memory. c may be NULL. */
void luaws_credential_cache_put(struct luaws_credential_cache *c, struct luaws_str key,
                                struct luaws_credentials *credentials);

/* Digests in lower-case hex, as names of cache entries and files are made. */
void luaws_append_sha1(struct luaws_buf *out, struct luaws_str text);
void luaws_append_sha256(struct luaws_buf *out, struct luaws_str text);

/* The name of an entry: the SHA-1 of what was asked for as JSON (of our own making), in
   which whatever is not ASCII is escaped, as the AWS CLI does it. */
void luaws_append_cache_key(struct luaws_buf *out, struct luaws_str json);

#endif
