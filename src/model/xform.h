/* The snake_case name of a CamelCase one: DescribeDBInstances -> describe_db_instances.
   The method names of clients and resources, the waiter names and the event names are
   made by it, so it follows botocore's xform_name to the letter. */
#ifndef LUAWS_MODEL_XFORM_H
#define LUAWS_MODEL_XFORM_H

#include "base/bytes.h"

/* Appends the snake_case (sep '_') or kebab-case (sep '-') form of name to out. A name
   that has sep in it already is appended as it is. Failure is out's own: check
   out->failed. */
void luaws_xform_name(struct luaws_str name, char sep, struct luaws_buf *out);

#endif
