/* Which regions belong to a partition: by name, or by the partition's regionRegex. Works
   on the nodes of partitions.json and endpoints.json, which agree on both. */
#ifndef LUAWS_ENDPOINT_REGION_MATCH_H
#define LUAWS_ENDPOINT_REGION_MATCH_H

#include "model/pack.h"

/* Whether pattern matches from the start of s. Understands what region patterns are made
   of: literals, "\w \d \s \." and other escapes, ".", "[a-z]", "^", "$", groups with "|",
   and "* + ?" after a single character. Anything else matches nothing, and so does a text
   that would take more than some thousand steps. */
bool luaws_region_pattern_match(struct luaws_str pattern, struct luaws_str s);

/* Whether region is listed in the partition's regions or matched by its regionRegex. */
bool luaws_region_match(const struct luaws_node *partition, struct luaws_str region);

#endif
