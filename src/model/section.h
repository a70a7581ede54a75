/* Building one section of a pack: memory that only grows, texts and refs in it, equal
   pieces stored once. Used by the model compiler alone. */
#ifndef LUAWS_MODEL_SECTION_H
#define LUAWS_MODEL_SECTION_H

#include "base/bytes.h"
#include "model/pack.h"
#include "value/tree.h"

/* Places are byte offsets into the section, never pointers: the memory moves as it grows.
   0 is the root struct of the section and also means "none" as the target of a ref. */
typedef uint32_t luaws_place;

struct luaws_section;
struct luaws_section *luaws_section_new(void);
void luaws_section_free(struct luaws_section *s);
/* size zeroed bytes aligned to 8. The first call makes the root. */
luaws_place luaws_section_alloc(struct luaws_section *s, size_t size);
/* Memory at a place; valid until the next alloc, text or share. */
void *luaws_section_at(struct luaws_section *s, luaws_place place);
/* Stores text once; none for {NULL,0}. */
luaws_place luaws_section_text(struct luaws_section *s, struct luaws_str text);
/* Points the ref that lies at ref_place to target (0 = none). */
void luaws_section_link(struct luaws_section *s, luaws_place ref_place,
                        luaws_place target);
/* A JSON value as nodes; equal subtrees are stored once. */
luaws_place luaws_section_node(struct luaws_section *s, const struct luaws_tree *t);
/* The bytes made so far; *failed without memory or past 2 GiB or a text over 65535 bytes.
 */
struct luaws_str luaws_section_bytes(struct luaws_section *s, bool *failed);

#endif
