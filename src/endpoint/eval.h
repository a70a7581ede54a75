/* The values that endpoint rules compute with, and how each is computed. Used by
   resolve.c alone. */
#ifndef LUAWS_ENDPOINT_EVAL_H
#define LUAWS_ENDPOINT_EVAL_H

#include "base/error.h"
#include "endpoint/functions.h"
#include "model/rules.h"

enum luaws_eval_kind {
  LUAWS_VALUE_ABSENT, /* a slot that nothing was assigned to */
  LUAWS_VALUE_NONE,
  LUAWS_VALUE_BOOLEAN,
  LUAWS_VALUE_INTEGER,
  LUAWS_VALUE_TEXT,
  LUAWS_VALUE_TEXTS,
  LUAWS_VALUE_PARTITION,
  LUAWS_VALUE_ARN,
  LUAWS_VALUE_URL,
};

struct luaws_eval_value {
  enum luaws_eval_kind kind;
  union {
    bool boolean;
    int32_t integer;
    struct luaws_str text;
    struct {
      const struct luaws_str *items;
      size_t count;
    } texts;
    const struct luaws_node *partition;
    const struct luaws_arn *arn;
    const struct luaws_url *url;
  };
};

struct luaws_eval_state {
  const struct luaws_rules *rules;
  const struct luaws_node *partitions;
  struct luaws_arena *arena;
  struct luaws_error *err;
  struct luaws_eval_value *slots;
  uint16_t *assigned; /* slots in the order they were assigned */
  size_t assigned_count;
};

static inline bool luaws_eval_is_set(const struct luaws_eval_value *v) {
  return v->kind != LUAWS_VALUE_ABSENT && v->kind != LUAWS_VALUE_NONE;
}

static inline struct luaws_eval_value luaws_eval_boolean(bool b) {
  return (struct luaws_eval_value){.kind = LUAWS_VALUE_BOOLEAN, .boolean = b};
}

static inline struct luaws_eval_value luaws_eval_string(struct luaws_str s) {
  return (struct luaws_eval_value){.kind = LUAWS_VALUE_TEXT, .text = s};
}

/* The i-th target of an array of refs: a part of a value, a condition. */
static inline const void *luaws_eval_part(const luaws_ref *array, size_t i) {
  const luaws_ref *refs = luaws_ref_get(array);
  return luaws_ref_get(refs + i);
}

/* All return 0, or a negative LUAWS_E_… with st->err filled in. */
int luaws_eval(struct luaws_eval_state *st, const struct luaws_rule_value *v,
               struct luaws_eval_value *out);
/* A CALL, whose result it assigns where the rules say so. */
int luaws_eval_call(struct luaws_eval_state *st, const struct luaws_rule_value *call,
                    struct luaws_eval_value *out);
/* A value that has to be a text. */
int luaws_eval_text(struct luaws_eval_state *st, const struct luaws_rule_value *v,
                    struct luaws_str *out);
int luaws_eval_to_text(struct luaws_eval_state *st, const struct luaws_eval_value *v,
                       struct luaws_str *out);
/* An EndpointResolutionError. */
int luaws_eval_refuse(struct luaws_eval_state *st, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
