/* What the readers of answers share. */
#ifndef LUAWS_PROTOCOL_ANSWER_H
#define LUAWS_PROTOCOL_ANSWER_H

#include "protocol/parser.h"

/* Where in an answer a reader is, for its messages: pieces on the C stack, one for each
   level of the recursion. */
struct luaws_path {
  const struct luaws_path *up;
  struct luaws_str name; /* a member, or an entry of a map; none: */
  size_t index;          /* an item of a list */
};

/* LUAWS_E_RESPONSE, kind "ResponseParserError": "Table.KeySchema: not a list". */
int luaws_path_error(struct luaws_parser *p, const struct luaws_path *at,
                     const char *what, struct luaws_error *err);
/* Writes key SDK_UNKNOWN_MEMBER and its value: a union has a member that nobody knows. */
void luaws_write_unknown_member(struct luaws_writer *w, struct luaws_str name);

#endif
