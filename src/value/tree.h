/* JSON values as a tree in an arena: what the model compiler reads and what a C host's
   parameters and results are. Also a reader and a writer on such a tree. */
#ifndef LUAWS_VALUE_TREE_H
#define LUAWS_VALUE_TREE_H

#include "base/arena.h"
#include "value/value.h"

struct luaws_tree {
  enum luaws_kind kind;    /* NULL, BOOLEAN, INTEGER, FLOAT, STRING, LIST or MAP */
  struct luaws_tree *next; /* in its list or map */
  struct luaws_str key;    /* in its map */
  size_t count;            /* LIST, MAP */
  union {
    bool boolean;
    int64_t integer;
    double floating;
    struct luaws_str text;
    struct luaws_tree *first; /* LIST, MAP: in the order of the text */
  };
};

/* Parses JSON into arena memory; strings without escapes point into text, which must live
   as long. LUAWS_E_ARGUMENT, kind "JSONDecodeError", with line and column on bad input.
 */
int luaws_tree_parse(struct luaws_arena *arena, struct luaws_str text,
                     struct luaws_tree **out, struct luaws_error *err);
/* A map's value, or NULL; t may be NULL or of another kind. */
const struct luaws_tree *luaws_tree_get(const struct luaws_tree *t, const char *key);
/* A map's string value, or none. */
struct luaws_str luaws_tree_text(const struct luaws_tree *t, const char *key);
/* True when the map's value is true (or the string "true"). */
bool luaws_tree_flag(const struct luaws_tree *t, const char *key);
/* Prints as JSON: indent 0 for one line. A float that is no JSON number prints as a
 * string. */
void luaws_tree_print(const struct luaws_tree *t, struct luaws_buf *out, int indent);
/* The value of `from` laid over `into` (maps merge key by key, all else is replaced):
 * sdk-extras. */
bool luaws_tree_merge(struct luaws_arena *arena, struct luaws_tree *into,
                      const struct luaws_tree *from);

struct luaws_tree_reader {
  struct luaws_reader base;
  const struct luaws_tree *at[256]; /* the path walked; [depth] is where it stands */
  size_t index[256];                /* of the item last entered in the list at[i] */
  int depth;
  struct luaws_arena
      *blobs; /* when set, blobs are base64 in the tree and decoded into it */
};
void luaws_tree_reader_init(struct luaws_tree_reader *r, const struct luaws_tree *root);

struct luaws_tree_writer {
  struct luaws_writer base;
  struct luaws_arena *arena;
  struct luaws_tree *root;
  struct luaws_tree *open[256];
  struct luaws_tree *last[256]; /* in open[i] */
  int depth;
  struct luaws_str pending_key;
  bool base64_blobs;     /* blobs go into the tree as base64 */
  struct luaws_str body; /* what a streamed body becomes, when it has been read */
  bool failed;           /* out of memory or too deep */
};
void luaws_tree_writer_init(struct luaws_tree_writer *w, struct luaws_arena *arena);

#endif
