/* Building one section of a pack: memory that only grows, texts and refs in it, equal
   pieces stored once. Used by the model compiler alone.

   Places are byte offsets into the section, never pointers: the memory moves as it grows.
   0 is the root struct of the section and also means "none" as the target of a ref.

   A failure (memory, size) is remembered: everything after it does nothing and returns 0
   or NULL, and luaws_section_bytes tells at the end. So a pointer is only written through
   after a check, and nothing else needs one:

       luaws_place p = luaws_section_alloc(s, sizeof(struct luaws_rule));
       struct luaws_rule rule = {.type = t, .name = (luaws_ref)luaws_section_text(s, n)};
       luaws_section_write(s, p, &rule, sizeof rule, rule_refs, 1);  */
#ifndef LUAWS_MODEL_SECTION_H
#define LUAWS_MODEL_SECTION_H

#include "base/bytes.h"
#include "model/pack.h"
#include "value/tree.h"

typedef uint32_t luaws_place;

struct luaws_section;
struct luaws_section *luaws_section_new(void);
void luaws_section_free(struct luaws_section *s);
/* size zeroed bytes aligned to 8. The first call makes the root. */
luaws_place luaws_section_alloc(struct luaws_section *s, size_t size);
/* Memory at a place; valid until the next alloc, text, share or node. NULL after a
   failure. */
void *luaws_section_at(struct luaws_section *s, luaws_place place);
/* Stores text once; none for {NULL,0}. */
luaws_place luaws_section_text(struct luaws_section *s, struct luaws_str text);
/* Points the ref that lies at ref_place to target (0 = none). */
void luaws_section_link(struct luaws_section *s, luaws_place ref_place,
                        luaws_place target);
/* Copies a struct to a place that was allocated. Its luaws_ref fields, which lie at the
   offsets in refs, hold places in the copy that is passed in, and are linked. */
void luaws_section_write(struct luaws_section *s, luaws_place place, const void *piece,
                         size_t size, const uint16_t *refs, size_t ref_count);
/* As alloc and write, but an equal piece that was shared before is used again. */
luaws_place luaws_section_share(struct luaws_section *s, const void *piece, size_t size,
                                const uint16_t *refs, size_t ref_count);
/* An array of count refs to the targets; with_count puts a uint32_t of their number
   before them ("uint32_t n, luaws_ref[n]"). Shared; 0 for none. */
luaws_place luaws_section_refs(struct luaws_section *s, const luaws_place *targets,
                               size_t count, bool with_count);
/* "uint32_t n, luaws_ref[n] texts" from a JSON list of strings (others are left out);
   none unless it is a list. */
luaws_place luaws_section_texts(struct luaws_section *s, const struct luaws_tree *list);
/* A JSON value as nodes; equal subtrees are stored once. At the very beginning of a
   section its root becomes the root. */
luaws_place luaws_section_node(struct luaws_section *s, const struct luaws_tree *t);
/* The bytes made so far; *failed without memory or past 2 GiB or a text over 65535 bytes.
 */
struct luaws_str luaws_section_bytes(struct luaws_section *s, bool *failed);
/* After a failure: what was too large, or NULL when memory ran out. */
const char *luaws_section_problem(const struct luaws_section *s);

#endif
