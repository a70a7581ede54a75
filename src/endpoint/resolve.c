/* Walks a compiled rule set. Rules are tried in order; a rule applies when all its
   conditions hold, and names that its conditions assign are known to what hangs below it
   and to nothing else: they are taken back when the rule leads nowhere. */
#include "endpoint/endpoint.h"

#include "endpoint/eval.h"

/* ---- rules ---- */

static int check_conditions(struct luaws_eval_state *st, const struct luaws_rule *rule,
                            bool *hold) {
  *hold = true;
  for (size_t i = 0; *hold && i < rule->condition_count; i++) {
    struct luaws_eval_value v;
    int rc = luaws_eval_call(st, luaws_eval_part(&rule->conditions, i), &v);
    if (rc) return rc;
    *hold = luaws_eval_is_set(&v) && (v.kind != LUAWS_VALUE_BOOLEAN || v.boolean);
  }
  return 0;
}

static int raise_error(struct luaws_eval_state *st, const struct luaws_rule *rule) {
  struct luaws_str text;
  int rc = luaws_eval_text(st, luaws_ref_get(&rule->then), &text);
  if (rc) return rc;
  return luaws_error_set(st->err, LUAWS_E_ENDPOINT, "EndpointResolutionError", "%.*s",
                         LUAWS_STR_ARG(text));
}

/* Tries the rules in order until one names an endpoint (found) or an error. */
static int try_rules(struct luaws_eval_state *st, const luaws_ref *rules, size_t count,
                     const struct luaws_rule_endpoint **found) {
  for (size_t i = 0; i < count; i++) {
    const struct luaws_rule *rule = luaws_ref_get(rules + i);
    size_t before = st->assigned_count;
    bool hold;
    int rc = check_conditions(st, rule, &hold);
    if (rc == 0 && hold) {
      if (rule->type == LUAWS_RULE_ERROR) return raise_error(st, rule);
      if (rule->type == LUAWS_RULE_ENDPOINT) {
        *found = luaws_ref_get(&rule->then);
      } else {
        rc = try_rules(st, luaws_ref_get(&rule->then), rule->rule_count, found);
      }
    }
    if (rc || *found) return rc;
    while (st->assigned_count > before)
      st->slots[st->assigned[--st->assigned_count]].kind = LUAWS_VALUE_ABSENT;
  }
  return 0;
}

/* ---- parameters ---- */

static struct luaws_eval_value default_value(struct luaws_eval_state *st,
                                             const struct luaws_rule_param *param,
                                             int *rc) {
  if (param->type == LUAWS_RULE_PARAM_BOOLEAN)
    return luaws_eval_boolean(param->flags & LUAWS_RULE_PARAM_DEFAULT_TRUE);
  if (param->type == LUAWS_RULE_PARAM_STRING)
    return luaws_eval_string(luaws_ref_text(&param->default_text));
  const uint32_t *list = luaws_ref_get(&param->default_texts);
  size_t count = list ? *list : 0;
  struct luaws_str *items = luaws_arena_alloc(st->arena, (count + 1) * sizeof *items);
  if (!items) *rc = luaws_error_memory(st->err);
  for (size_t i = 0; items && i < count; i++)
    items[i] = luaws_ref_text((const luaws_ref *)(list + 1) + i);
  return (struct luaws_eval_value){.kind = LUAWS_VALUE_TEXTS, .texts = {items, count}};
}

static int take_param(struct luaws_eval_state *st, const struct luaws_rule_param *param,
                      const struct luaws_endpoint_param *given,
                      struct luaws_eval_value *out) {
  static const struct {
    enum luaws_endpoint_value type;
    const char *name;
  } wanted[] = {
      [LUAWS_RULE_PARAM_STRING] = {LUAWS_EP_STRING, "string"},
      [LUAWS_RULE_PARAM_BOOLEAN] = {LUAWS_EP_BOOLEAN, "boolean"},
      [LUAWS_RULE_PARAM_STRINGS] = {LUAWS_EP_STRINGS, "list of strings"},
  };
  int rc = 0;
  if (!given) {
    if (param->flags & LUAWS_RULE_PARAM_HAS_DEFAULT) {
      *out = default_value(st, param, &rc);
    } else if (param->flags & LUAWS_RULE_PARAM_REQUIRED) {
      rc = luaws_eval_refuse(st, "Cannot find value for required parameter %.*s",
                             LUAWS_STR_ARG(luaws_ref_text(&param->name)));
    }
    return rc;
  }
  if (given->type != wanted[param->type].type) {
    return luaws_eval_refuse(st, "Value (%.*s) is the wrong type. Must be %s.",
                             LUAWS_STR_ARG(luaws_ref_text(&param->name)),
                             wanted[param->type].name);
  }
  if (given->type == LUAWS_EP_STRING) {
    *out = luaws_eval_string(given->text);
  } else if (given->type == LUAWS_EP_BOOLEAN) {
    *out = luaws_eval_boolean(given->boolean);
  } else {
    *out = (struct luaws_eval_value){.kind = LUAWS_VALUE_TEXTS,
                                     .texts = {given->texts, given->text_count}};
  }
  return 0;
}

static int take_params(struct luaws_eval_state *st,
                       const struct luaws_endpoint_param *params, size_t count) {
  size_t next = 0; /* callers mostly name them in the rules' order */
  const struct luaws_rule_param *param;
  for (unsigned i = 0; (param = luaws_rules_param(st->rules, i)); i++) {
    struct luaws_str name = luaws_ref_text(&param->name);
    const struct luaws_endpoint_param *given = NULL;
    for (size_t j = 0; !given && j < count; j++) {
      size_t at = next + j < count ? next + j : next + j - count;
      if (luaws_str_eq(params[at].name, name)) {
        given = &params[at];
        next = at + 1 < count ? at + 1 : 0;
      }
    }
    int rc = take_param(st, param, given, &st->slots[i]);
    if (rc) return rc;
  }
  return 0;
}

static int nothing_found(struct luaws_eval_state *st,
                         const struct luaws_endpoint_param *params, size_t count) {
  struct luaws_buf text = {0};
  for (size_t i = 0; i < count; i++) {
    const struct luaws_endpoint_param *p = &params[i];
    luaws_buf_printf(&text, "\n%.*s: ", LUAWS_STR_ARG(p->name));
    if (p->type == LUAWS_EP_BOOLEAN) {
      luaws_buf_append_cstr(&text, p->boolean ? "true" : "false");
    } else if (p->type == LUAWS_EP_STRING) {
      luaws_buf_append_str(&text, p->text);
    }
    for (size_t j = 0; p->type == LUAWS_EP_STRINGS && j < p->text_count; j++)
      luaws_buf_printf(&text, "%s%.*s", j ? ", " : "", LUAWS_STR_ARG(p->texts[j]));
  }
  int rc = luaws_error_set(st->err, LUAWS_E_ENDPOINT, "EndpointResolutionError",
                           "No endpoint found for parameters:%.*s",
                           LUAWS_STR_ARG(luaws_buf_str(&text)));
  luaws_buf_clear(&text);
  return rc;
}

/* ---- the result ---- */

static int build_tree(struct luaws_eval_state *st, const struct luaws_rule_value *v,
                      struct luaws_tree *out);

static int build_children(struct luaws_eval_state *st, const struct luaws_rule_value *v,
                          struct luaws_tree *out) {
  bool map = v->kind == LUAWS_RULE_MAP;
  out->kind = map ? LUAWS_KIND_MAP : LUAWS_KIND_LIST;
  out->count = v->count;
  if (!v->count) return 0;
  struct luaws_tree *items = luaws_arena_alloc(st->arena, v->count * sizeof *items);
  if (!items) return luaws_error_memory(st->err);
  out->first = items;
  const luaws_ref *refs = luaws_ref_get(&v->at);
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < v->count; i++) {
    if (i) items[i - 1].next = &items[i];
    if (map) items[i].key = luaws_ref_text(&refs[2 * i]);
    rc = build_tree(st, luaws_ref_get(&refs[map ? 2 * i + 1 : i]), &items[i]);
  }
  return rc;
}

static int build_tree(struct luaws_eval_state *st, const struct luaws_rule_value *v,
                      struct luaws_tree *out) {
  if (v->kind == LUAWS_RULE_MAP || v->kind == LUAWS_RULE_LIST)
    return build_children(st, v, out);
  struct luaws_eval_value value;
  int rc = luaws_eval(st, v, &value);
  if (rc) return rc;
  switch (value.kind) {
  case LUAWS_VALUE_ABSENT:
  case LUAWS_VALUE_NONE:
    out->kind = LUAWS_KIND_NULL;
    return 0;
  case LUAWS_VALUE_BOOLEAN:
    out->kind = LUAWS_KIND_BOOLEAN;
    out->boolean = value.boolean;
    return 0;
  case LUAWS_VALUE_INTEGER:
    out->kind = LUAWS_KIND_INTEGER;
    out->integer = value.integer;
    return 0;
  default:
    out->kind = LUAWS_KIND_STRING;
    return luaws_eval_to_text(st, &value, &out->text);
  }
}

static int build_headers(struct luaws_eval_state *st, const struct luaws_rule_value *map,
                         struct luaws_endpoint *out) {
  out->headers = luaws_arena_alloc(st->arena, map->count * sizeof *out->headers);
  if (!out->headers) return luaws_error_memory(st->err);
  const luaws_ref *refs = luaws_ref_get(&map->at);
  for (size_t i = 0; i < map->count; i++) {
    struct luaws_header *h = &out->headers[out->header_count++];
    h->name = luaws_ref_text(&refs[2 * i]);
    int rc = luaws_eval_text(st, luaws_ref_get(&refs[2 * i + 1]), &h->value);
    if (rc) return rc;
  }
  return 0;
}

static struct luaws_str join_texts(struct luaws_eval_state *st,
                                   const struct luaws_tree *list) {
  if (!list || list->kind != LUAWS_KIND_LIST || !list->first) return LUAWS_STR_NONE;
  if (list->count == 1) return list->first->text;
  struct luaws_buf text = {0};
  for (const struct luaws_tree *t = list->first; t; t = t->next) {
    if (text.len) luaws_buf_append_char(&text, ',');
    if (t->kind == LUAWS_KIND_STRING) luaws_buf_append_str(&text, t->text);
  }
  struct luaws_str joined = luaws_arena_str(st->arena, luaws_buf_str(&text));
  luaws_buf_clear(&text);
  return joined;
}

static int build_auth_schemes(struct luaws_eval_state *st, struct luaws_endpoint *out) {
  const struct luaws_tree *list = luaws_tree_get(out->properties, "authSchemes");
  if (!list || list->kind != LUAWS_KIND_LIST || !list->count) return 0;
  out->auth_schemes =
      luaws_arena_alloc(st->arena, list->count * sizeof *out->auth_schemes);
  if (!out->auth_schemes) return luaws_error_memory(st->err);
  for (const struct luaws_tree *t = list->first; t; t = t->next) {
    out->auth_schemes[out->auth_scheme_count++] = (struct luaws_auth_scheme){
        .name = luaws_tree_text(t, "name"),
        .signing_name = luaws_tree_text(t, "signingName"),
        .signing_region = luaws_tree_text(t, "signingRegion"),
        .signing_region_set = join_texts(st, luaws_tree_get(t, "signingRegionSet")),
        .disable_double_encoding = luaws_tree_flag(t, "disableDoubleEncoding"),
    };
  }
  return 0;
}

static int build_endpoint(struct luaws_eval_state *st,
                          const struct luaws_rule_endpoint *found,
                          struct luaws_endpoint *out) {
  const struct luaws_rule_value *properties = luaws_ref_get(&found->properties);
  const struct luaws_rule_value *headers = luaws_ref_get(&found->headers);
  struct luaws_tree *tree = luaws_arena_alloc(st->arena, sizeof *tree);
  if (!tree) return luaws_error_memory(st->err);
  tree->kind = LUAWS_KIND_MAP;
  out->properties = tree;
  int rc = luaws_eval_text(st, luaws_ref_get(&found->url), &out->url);
  if (rc == 0 && properties) rc = build_tree(st, properties, tree);
  if (rc == 0 && headers && headers->count) rc = build_headers(st, headers, out);
  return rc ? rc : build_auth_schemes(st, out);
}

const struct luaws_rule_param *luaws_rules_param(const struct luaws_rules *rules,
                                                 unsigned i) {
  const struct luaws_rule_param *params = luaws_ref_get(&rules->params);
  return i < rules->param_count ? params + i : NULL;
}

int luaws_endpoint_resolve(const struct luaws_rules *rules,
                           const struct luaws_node *partitions,
                           const struct luaws_endpoint_param *params, size_t count,
                           struct luaws_arena *arena, struct luaws_endpoint *out,
                           struct luaws_error *err) {
  *out = (struct luaws_endpoint){0};
  struct luaws_eval_state st = {
      .rules = rules, .partitions = partitions, .arena = arena, .err = err};
  st.slots = luaws_arena_alloc(arena, (rules->slot_count + 1u) * sizeof *st.slots);
  st.assigned = luaws_arena_alloc(arena, (rules->slot_count + 1u) * sizeof *st.assigned);
  if (!st.slots || !st.assigned) return luaws_error_memory(err);
  const struct luaws_rule_endpoint *found = NULL;
  int rc = take_params(&st, params, count);
  if (rc == 0)
    rc = try_rules(&st, luaws_ref_get(&rules->rules), rules->rule_count, &found);
  if (rc == 0 && !found) rc = nothing_found(&st, params, count);
  return rc ? rc : build_endpoint(&st, found, out);
}
