/* Names with values, as signatures sort them: headers, and parameters of a query. */
#ifndef LUAWS_SIGN_PAIRS_H
#define LUAWS_SIGN_PAIRS_H

#include "base/arena.h"

struct luaws_pair {
  struct luaws_str name;
  struct luaws_str value;
};

/* Sorts by name, and by value where that is asked for. Stable: pairs that are the same
   stay in the order they were added. */
void luaws_pairs_sort(struct luaws_pair *p, size_t count, bool by_value);

/* How many parameters a query has at most. */
size_t luaws_query_count(struct luaws_str query);
/* The next "name=value" of *rest, the value none without "="; false at the end. Start
   from the whole query. */
bool luaws_query_next(struct luaws_str *rest, struct luaws_pair *out);

/* A copy in lower case; none without memory. */
struct luaws_str luaws_lower_copy(struct luaws_arena *arena, struct luaws_str s);
/* What Python takes for white space, as botocore trims values. */
bool luaws_is_space(char c);

#endif
