/* A parameter of endpoint rules, of a value in JSON. */
#ifndef SPEC_ENDPOINT_PARAM_H
#define SPEC_ENDPOINT_PARAM_H

#include "endpoint/endpoint.h"
#include "value/tree.h"

static inline struct luaws_endpoint_param make_param(struct luaws_arena *arena,
                                                     const struct luaws_tree *v) {
  struct luaws_endpoint_param p = {.name = v->key, .type = LUAWS_EP_OTHER};
  if (v->kind == LUAWS_KIND_STRING) {
    p.type = LUAWS_EP_STRING;
    p.text = v->text;
  } else if (v->kind == LUAWS_KIND_BOOLEAN) {
    p.type = LUAWS_EP_BOOLEAN;
    p.boolean = v->boolean;
  } else if (v->kind == LUAWS_KIND_LIST) {
    struct luaws_str *texts = luaws_arena_alloc(arena, (v->count + 1) * sizeof *texts);
    p.type = LUAWS_EP_STRINGS;
    for (const struct luaws_tree *i = v->first; i; i = i->next)
      texts[p.text_count++] = i->text;
    p.texts = texts;
  }
  return p;
}

#endif
