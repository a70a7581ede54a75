/* Conditions under which a hook is of interest, for hooks that most calls need not stop
   at. Whoever listens says when he wants to be asked, as data; the core looks. */
#ifndef LUAWS_CLIENT_GUARD_H
#define LUAWS_CLIENT_GUARD_H

#include "client/call.h"

enum luaws_guard_kind {
  LUAWS_GUARD_FAILED,         /* no answer, or one that says so: status 300 and more */
  LUAWS_GUARD_HEADER,         /* the answer has a header of this name */
  LUAWS_GUARD_ERROR_DOCUMENT, /* the answer says 200, but its body is XML that tells of an
                                 error, or that breaks off */
};

struct luaws_guard {
  enum luaws_hook hook;
  enum luaws_guard_kind kind;
  struct luaws_str header; /* in lower case */
};

/* Whether an answer says 200 and its body is XML that tells of an error or breaks off. */
bool luaws_is_error_document(const struct luaws_response *r);
/* Whether somebody is to be asked at this hook: who listens whatever happens
   (call->hooks), or whose condition holds. */
bool luaws_call_stops(const struct luaws_call *call, enum luaws_hook hook);

#endif
