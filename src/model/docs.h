/* The documentation of one service, as AWS wrote it (HTML, more or less). It lies packed
   by zlib in its section and is unpacked whole when somebody asks for help. */
#ifndef LUAWS_MODEL_DOCS_H
#define LUAWS_MODEL_DOCS_H

#include "base/error.h"
#include "model/section.h"

/* What a LUAWS_SECTION_DOCS begins with; packed_size bytes of zlib data follow. */
struct luaws_docs_header {
  uint32_t packed_size;
  uint32_t size; /* once unpacked: struct luaws_docs_index and what it refers to */
};

/* Keys: "" for the service, "o/NAME" for an operation, "s/NAME" for a shape,
   "s/NAME/MEMBER" for a member. */
struct luaws_docs_entry {
  luaws_ref key;  /* text */
  luaws_ref text; /* uint32_t length, the bytes */
};
struct luaws_docs_index {
  uint32_t count;
  luaws_ref entries; /* struct luaws_docs_entry[], sorted by key's bytes */
};

/* Unpacks a section; the result is freed with luaws_docs_free and does not need the
   section any more. */
struct luaws_docs;
int luaws_docs_open(const void *section, struct luaws_docs **out,
                    struct luaws_error *err);
void luaws_docs_free(struct luaws_docs *d);
/* All of these: none where AWS wrote nothing. A member without words of its own is mostly
   explained at its shape. */
struct luaws_str luaws_docs_service(const struct luaws_docs *d);
struct luaws_str luaws_docs_operation(const struct luaws_docs *d, struct luaws_str name);
struct luaws_str luaws_docs_shape(const struct luaws_docs *d, struct luaws_str shape);
struct luaws_str luaws_docs_member(const struct luaws_docs *d, struct luaws_str shape,
                                   struct luaws_str member);

/* Everything as one JSON object, by the keys above. */
void luaws_docs_dump(const struct luaws_docs *d, struct luaws_buf *out);

/* The compiler's side: service-2 into a section. */
int luaws_compile_docs(struct luaws_section *s, const struct luaws_tree *model,
                       struct luaws_error *err);

#endif
