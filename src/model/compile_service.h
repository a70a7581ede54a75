/* What the compilers of shapes, operations and services share: the state of one
   compilation, and the traits of a reference laid over those of the shape it refers to.

   Whoever finds the model wrong says so once with luaws_compiler_broken; `rc` is then set
   and everybody comes to an end without looking at it at every step. */
#ifndef LUAWS_MODEL_COMPILE_SERVICE_H
#define LUAWS_MODEL_COMPILE_SERVICE_H

#include "model/compile.h"

struct luaws_compiler {
  struct luaws_section *s;
  const struct luaws_tree *metadata;
  const struct luaws_tree **shapes; /* sorted by name */
  size_t shape_count;
  luaws_place shapes_place;
  const struct luaws_tree **operations; /* sorted by name */
  size_t operation_count;
  luaws_place operations_place;
  struct luaws_str name;
  struct luaws_buf scratch;
  struct luaws_error *err;
  int rc;
};

/* Sets rc and the message "'WHERE' WHAT 'NAME'", unless there is one already. */
void luaws_compiler_broken(struct luaws_compiler *c, const char *kind, const char *what,
                           struct luaws_str where, struct luaws_str name);
void luaws_compiler_no_memory(struct luaws_compiler *c);

/* The place of a text, as a ref to be linked; of a map's string value. */
luaws_ref luaws_compiler_text(struct luaws_compiler *c, struct luaws_str s);
luaws_ref luaws_compiler_text_of(struct luaws_compiler *c, const struct luaws_tree *t,
                                 const char *key);

/* What a {"shape": …} refers to, with its place. */
struct luaws_target {
  const struct luaws_tree *ref;
  const struct luaws_tree *shape;
  luaws_place place;
};

/* Where a shape stands among the sorted ones, or -1. */
ptrdiff_t luaws_compiler_shape_index(const struct luaws_compiler *c,
                                     struct luaws_str name);
/* False, and broken, when ref names no shape. `where` is what the reference stands in. */
bool luaws_compiler_resolve(struct luaws_compiler *c, const struct luaws_tree *ref,
                            struct luaws_str where, struct luaws_target *out);
/* A trait of the reference, else of the shape; as a truth; as a text or none. */
const struct luaws_tree *luaws_target_trait(const struct luaws_target *t,
                                            const char *key);
bool luaws_target_flag(const struct luaws_target *t, const char *key);
struct luaws_str luaws_target_text(const struct luaws_target *t, const char *key);

/* True for what is neither null, false, zero, empty nor the string "false". */
bool luaws_tree_truthy(const struct luaws_tree *t);
/* True when it is a list that has this string. */
bool luaws_tree_lists(const struct luaws_tree *list, struct luaws_str wanted);
/* xmlNamespace is a URI, or a map of uri and prefix. */
struct luaws_str luaws_namespace_uri(const struct luaws_tree *ns);

struct luaws_word {
  const char *name;
  int value;
};
/* The value of the word called name; the row ends with NULL. */
int luaws_word_value(const struct luaws_word *words, struct luaws_str name, int missing);
struct luaws_flag_word {
  const char *name;
  uint32_t bit;
};

/* Fill in the index-th shape, in compile_shapes.c, and operation, in
   compile_operations.c. */
void luaws_compile_shape(struct luaws_compiler *c, size_t index);
void luaws_compile_operation(struct luaws_compiler *c, size_t index);
/* uint16_t[operation_count]: the operations in the order of their methods' names. */
luaws_ref luaws_compile_method_order(struct luaws_compiler *c);
/* struct luaws_static_param[*count] of a map: name -> what each has at value_key. */
luaws_ref luaws_compile_params(struct luaws_compiler *c, const struct luaws_tree *map,
                               const char *value_key, uint32_t *count);

#define LUAWS_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
