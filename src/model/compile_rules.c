/* From endpoint-rule-set-1.json to struct luaws_rules, bottom up: the parts of a piece
   are stored before it, so that luaws_section_share finds equal ones. A function returns
   the place of what it made, or 0 after a failure, which the state remembers; `where` is
   the way to the part at hand, for the message. */
#include "model/rules.h"

#include "model/section.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
  MAX_DEPTH = 64, /* of rules, and of calls in calls; AWS's own reach 12 */
  MAX_SLOTS = 4096,
};

struct slot {
  struct luaws_str name;
  bool defined; /* a parameter, or assigned somewhere */
  bool needed;  /* a template wants its text */
  bool used;    /* some rule looks at it */
};

struct rules_state {
  struct luaws_section *s;
  struct luaws_error *err;
  int rc;
  int depth;
  struct luaws_buf where;
  struct slot *slots;
  size_t slot_count;
  size_t slot_cap;
};

static const struct {
  const char *name;
  uint16_t function;
  uint16_t least, most; /* arguments */
} functions[] = {
    {"booleanEquals", LUAWS_FN_BOOLEAN_EQUALS, 2, 2},
    {"getAttr", LUAWS_FN_GET_ATTR, 2, 2},
    {"isSet", LUAWS_FN_IS_SET, 1, 1},
    {"stringEquals", LUAWS_FN_STRING_EQUALS, 2, 2},
    {"aws.partition", LUAWS_FN_AWS_PARTITION, 1, 1},
    {"not", LUAWS_FN_NOT, 1, 1},
    {"substring", LUAWS_FN_SUBSTRING, 4, 4},
    {"isValidHostLabel", LUAWS_FN_IS_VALID_HOST_LABEL, 2, 2},
    {"parseURL", LUAWS_FN_PARSE_URL, 1, 1},
    {"aws.parseArn", LUAWS_FN_AWS_PARSE_ARN, 1, 1},
    {"aws.isVirtualHostableS3Bucket", LUAWS_FN_AWS_IS_VIRTUAL_HOSTABLE_S3_BUCKET, 2, 2},
    {"uriEncode", LUAWS_FN_URI_ENCODE, 1, 1},
    {"coalesce", LUAWS_FN_COALESCE, 1, 64},
    {"split", LUAWS_FN_SPLIT, 3, 3},
    {"ite", LUAWS_FN_ITE, 3, 3},
};

static luaws_place compile_value(struct rules_state *st, const struct luaws_tree *t);

/* Remembers the first failure; always 0. */
__attribute__((format(printf, 2, 3))) static luaws_place fail(struct rules_state *st,
                                                              const char *fmt, ...) {
  if (st->rc) return 0;
  char what[200];
  va_list args;
  va_start(args, fmt);
  vsnprintf(what, sizeof what, fmt, args);
  va_end(args);
  st->rc = luaws_error_set(st->err, LUAWS_E_MODEL, "EndpointResolutionError",
                           "endpoint rules: %s in %.*s", what,
                           LUAWS_STR_ARG(luaws_buf_str(&st->where)));
  return 0;
}

static luaws_place out_of_memory(struct rules_state *st) {
  if (!st->rc) st->rc = luaws_error_memory(st->err);
  return 0;
}

/* Goes into a named part, or the i-th of a list; leave with the length it returns. */
static size_t enter(struct rules_state *st, const char *name) {
  size_t len = st->where.len;
  if (len) luaws_buf_append_char(&st->where, '.');
  luaws_buf_append_cstr(&st->where, name);
  return len;
}

static size_t enter_item(struct rules_state *st, size_t i) {
  size_t len = st->where.len;
  luaws_buf_printf(&st->where, "[%zu]", i);
  return len;
}

static void leave(struct rules_state *st, size_t len) {
  if (!st->where.failed) luaws_buf_truncate(&st->where, len);
}

static bool is_kind(const struct luaws_tree *t, enum luaws_kind kind) {
  return t && t->kind == kind;
}

/* ---- slots ---- */

static uint16_t slot_of(struct rules_state *st, struct luaws_str name) {
  for (size_t i = 0; i < st->slot_count; i++) {
    if (luaws_str_eq(st->slots[i].name, name)) return (uint16_t)i;
  }
  if (st->slot_count == MAX_SLOTS) return (uint16_t)fail(st, "too many names");
  if (st->slot_count == st->slot_cap) {
    size_t cap = st->slot_cap ? st->slot_cap * 2 : 32;
    struct slot *slots = realloc(st->slots, cap * sizeof *slots);
    if (!slots) return (uint16_t)out_of_memory(st);
    st->slots = slots;
    st->slot_cap = cap;
  }
  st->slots[st->slot_count] = (struct slot){.name = name};
  return (uint16_t)st->slot_count++;
}

static uint16_t define_slot(struct rules_state *st, struct luaws_str name) {
  uint16_t slot = slot_of(st, name);
  if (!st->rc) st->slots[slot].defined = true;
  return slot;
}

/* ---- values ---- */

/* Stores v, whose `at` is a place where has_at. */
static luaws_place put_value(struct rules_state *st, struct luaws_rule_value v,
                             bool has_at) {
  static const uint16_t refs[] = {offsetof(struct luaws_rule_value, at)};
  if (st->rc) return 0;
  return luaws_section_share(st->s, &v, sizeof v, refs, has_at);
}

static luaws_place put_text(struct rules_state *st, struct luaws_str text) {
  struct luaws_rule_value v = {.kind = LUAWS_RULE_TEXT,
                               .at = (luaws_ref)luaws_section_text(st->s, text)};
  return put_value(st, v, true);
}

static luaws_place put_ref(struct rules_state *st, uint16_t slot) {
  if (!st->rc) st->slots[slot].used = true;
  return put_value(st, (struct luaws_rule_value){.kind = LUAWS_RULE_REF, .slot = slot},
                   false);
}

/* A value made of count parts; frees places. */
static luaws_place put_parts(struct rules_state *st, struct luaws_rule_value v,
                             luaws_place *places, size_t count, size_t count_said) {
  luaws_place made = 0;
  if (count_said > UINT16_MAX) {
    fail(st, "too many parts");
  } else if (!st->rc) {
    v.count = (uint16_t)count_said;
    v.at = (luaws_ref)luaws_section_refs(st->s, places, count, false);
    made = put_value(st, v, count > 0);
  }
  free(places);
  return made;
}

static luaws_place *new_places(struct rules_state *st, size_t count) {
  luaws_place *places = calloc(count + 1, sizeof *places);
  if (!places) out_of_memory(st);
  return places;
}

/* One part of a path: "name", "name[1]", "[0]". */
static luaws_place compile_step(struct rules_state *st, struct luaws_str part) {
  static const uint16_t refs[] = {offsetof(struct luaws_rule_step, name)};
  struct luaws_rule_step step = {.index = -1};
  struct luaws_str name = part;
  ptrdiff_t open = luaws_str_find(part, '[');
  if (open >= 0) {
    int64_t index;
    struct luaws_str digits =
        luaws_str_sub(part, (size_t)open + 1, part.len - (size_t)open - 2);
    if (part.ptr[part.len - 1] != ']' || !luaws_str_to_int64(digits, &index) ||
        index < 0 || index > INT32_MAX) {
      return fail(st, "a broken path '%.*s'", LUAWS_STR_ARG(part));
    }
    step.index = (int32_t)index;
    name = luaws_str_sub(part, 0, (size_t)open);
  }
  if (!name.len && step.index < 0) return fail(st, "an empty path");
  if (name.len) step.name = (luaws_ref)luaws_section_text(st->s, name);
  return luaws_section_share(st->s, &step, sizeof step, refs, 1);
}

/* A path whose parts stand between sep. */
static luaws_place compile_path(struct rules_state *st, struct luaws_str path, char sep) {
  size_t count = 1;
  for (size_t i = 0; i < path.len; i++)
    count += path.ptr[i] == sep;
  luaws_place *steps = new_places(st, count);
  for (size_t i = 0; steps && i < count; i++) {
    ptrdiff_t end = luaws_str_find(path, sep);
    size_t len = end < 0 ? path.len : (size_t)end;
    steps[i] = compile_step(st, luaws_str_sub(path, 0, len));
    path = luaws_str_sub(path, len + 1, path.len);
  }
  struct luaws_rule_value v = {.kind = LUAWS_RULE_PATH};
  return put_parts(st, v, steps, count, count);
}

static luaws_place put_call(struct rules_state *st, uint16_t function,
                            luaws_place *arguments, size_t count, uint16_t assign) {
  struct luaws_rule_value v = {
      .kind = LUAWS_RULE_CALL, .function = function, .assign = assign};
  return put_parts(st, v, arguments, count, count);
}

/* What stands between braces in a template: "Name" or "Name#attribute". */
static luaws_place compile_placeholder(struct rules_state *st, struct luaws_str text) {
  ptrdiff_t hash = luaws_str_find(text, '#');
  struct luaws_str name = hash < 0 ? text : luaws_str_sub(text, 0, (size_t)hash);
  if (!name.len) return fail(st, "an empty placeholder '{%.*s}'", LUAWS_STR_ARG(text));
  uint16_t slot = slot_of(st, name);
  if (st->rc) return 0;
  st->slots[slot].needed = true;
  if (hash < 0) return put_ref(st, slot);
  luaws_place *arguments = new_places(st, 2);
  if (!arguments) return 0;
  arguments[0] = put_ref(st, slot);
  arguments[1] = compile_path(st, luaws_str_sub(text, (size_t)hash + 1, text.len), '#');
  return put_call(st, LUAWS_FN_GET_ATTR, arguments, 2, LUAWS_RULE_NO_SLOT);
}

/* Up to the next placeholder of *rest; "{{" and "}}" stand for one brace. */
static void take_literal(struct luaws_str *rest, struct luaws_buf *out) {
  while (rest->len) {
    char c = rest->ptr[0];
    bool doubled = rest->len > 1 && rest->ptr[1] == c;
    if (c == '{' && !doubled) return;
    luaws_buf_append_char(out, c);
    *rest = luaws_str_sub(*rest, (c == '{' || c == '}') && doubled ? 2 : 1, rest->len);
  }
}

static luaws_place compile_template(struct rules_state *st, struct luaws_str text) {
  size_t most = 1;
  for (size_t i = 0; i < text.len; i++)
    most += 2 * (text.ptr[i] == '{');
  luaws_place *parts = new_places(st, most);
  struct luaws_buf literal = {0};
  size_t count = 0;
  while (parts && text.len && !st->rc) {
    luaws_buf_reset(&literal);
    take_literal(&text, &literal);
    if (literal.failed) out_of_memory(st);
    if (literal.len) parts[count++] = put_text(st, luaws_buf_str(&literal));
    if (!text.len) break;
    ptrdiff_t end = luaws_str_find(text, '}');
    if (end < 0) {
      fail(st, "a brace that nothing closes in '%.*s'", LUAWS_STR_ARG(text));
      break;
    }
    parts[count++] = compile_placeholder(st, luaws_str_sub(text, 1, (size_t)end - 1));
    text = luaws_str_sub(text, (size_t)end + 1, text.len);
  }
  luaws_buf_clear(&literal);
  return put_parts(st, (struct luaws_rule_value){.kind = LUAWS_RULE_TEMPLATE}, parts,
                   count, count);
}

static luaws_place compile_text(struct rules_state *st, struct luaws_str text) {
  return luaws_str_find(text, '{') < 0 ? put_text(st, text) : compile_template(st, text);
}

static luaws_place compile_list(struct rules_state *st, const struct luaws_tree *list) {
  luaws_place *items = new_places(st, list->count);
  size_t i = 0;
  for (const struct luaws_tree *t = list->first; items && t; t = t->next, i++) {
    size_t back = enter_item(st, i);
    items[i] = compile_value(st, t);
    leave(st, back);
  }
  return put_parts(st, (struct luaws_rule_value){.kind = LUAWS_RULE_LIST}, items, i, i);
}

static luaws_place compile_map(struct rules_state *st, const struct luaws_tree *map) {
  luaws_place *items = new_places(st, 2 * map->count);
  size_t i = 0;
  for (const struct luaws_tree *t = map->first; items && t; t = t->next) {
    items[i++] = luaws_section_text(st->s, t->key);
    items[i++] = compile_value(st, t);
  }
  return put_parts(st, (struct luaws_rule_value){.kind = LUAWS_RULE_MAP}, items, i,
                   i / 2);
}

/* ---- calls ---- */

static luaws_place compile_argument(struct rules_state *st, uint16_t function, size_t i,
                                    const struct luaws_tree *t) {
  if (function != LUAWS_FN_GET_ATTR || i == 0) return compile_value(st, t);
  if (!is_kind(t, LUAWS_KIND_STRING)) return fail(st, "getAttr without a path");
  return compile_path(st, t->text, '.');
}

static luaws_place compile_call(struct rules_state *st, const struct luaws_tree *t) {
  const struct luaws_tree *argv = luaws_tree_get(t, "argv");
  const struct luaws_tree *assign = luaws_tree_get(t, "assign");
  struct luaws_str name = luaws_tree_text(t, "fn");
  if (!name.ptr || !is_kind(argv, LUAWS_KIND_LIST))
    return fail(st, "a condition without fn and argv");
  if (assign && (assign->kind != LUAWS_KIND_STRING || !assign->text.len))
    return fail(st, "an assign of %.*s that is no name", LUAWS_STR_ARG(name));

  size_t at = 0, known = sizeof functions / sizeof *functions;
  while (at < known && !luaws_str_is(name, functions[at].name))
    at++;
  uint16_t function = at < known ? functions[at].function : LUAWS_FN_UNKNOWN;
  if (at < known &&
      (argv->count < functions[at].least || argv->count > functions[at].most))
    return fail(st, "a wrong number of arguments to %.*s", LUAWS_STR_ARG(name));

  luaws_place *arguments = new_places(st, argv->count);
  if (!arguments) return 0;
  size_t count = 0;
  if (function == LUAWS_FN_UNKNOWN) {
    arguments[count++] = put_text(st, name);
  } else {
    for (const struct luaws_tree *a = argv->first; a; a = a->next, count++) {
      size_t back = enter_item(st, count);
      arguments[count] = compile_argument(st, function, count, a);
      leave(st, back);
    }
  }
  uint16_t slot = assign ? define_slot(st, assign->text) : LUAWS_RULE_NO_SLOT;
  return put_call(st, function, arguments, count, slot);
}

static luaws_place compile_integer(struct rules_state *st, int64_t n) {
  if (n < INT32_MIN || n > INT32_MAX) return fail(st, "a number that is too large");
  struct luaws_rule_value v = {.kind = LUAWS_RULE_INTEGER, .integer = (int32_t)n};
  return put_value(st, v, false);
}

static luaws_place compile_any(struct rules_state *st, const struct luaws_tree *t) {
  struct luaws_rule_value v = {.kind = LUAWS_RULE_NULL};
  switch (t->kind) {
  case LUAWS_KIND_NULL:
    return put_value(st, v, false);
  case LUAWS_KIND_BOOLEAN:
    v.kind = t->boolean ? LUAWS_RULE_TRUE : LUAWS_RULE_FALSE;
    return put_value(st, v, false);
  case LUAWS_KIND_INTEGER:
    return compile_integer(st, t->integer);
  case LUAWS_KIND_STRING:
    return compile_text(st, t->text);
  case LUAWS_KIND_LIST:
    return compile_list(st, t);
  case LUAWS_KIND_MAP:
    if (luaws_tree_get(t, "fn")) return compile_call(st, t);
    if (!luaws_tree_get(t, "ref")) return compile_map(st, t);
    if (!luaws_tree_text(t, "ref").len) break;
    return put_ref(st, slot_of(st, luaws_tree_text(t, "ref")));
  default:
    break;
  }
  return fail(st, "a value of the wrong kind");
}

static luaws_place compile_value(struct rules_state *st, const struct luaws_tree *t) {
  if (st->rc) return 0;
  if (st->depth == MAX_DEPTH) return fail(st, "too deep a value");
  st->depth++;
  luaws_place made = compile_any(st, t);
  st->depth--;
  return made;
}

/* ---- rules ---- */

static luaws_place compile_conditions(struct rules_state *st,
                                      const struct luaws_tree *list) {
  luaws_place *calls = new_places(st, list->count);
  size_t i = 0;
  for (const struct luaws_tree *t = list->first; calls && t; t = t->next, i++) {
    size_t back = enter_item(st, i);
    if (is_kind(t, LUAWS_KIND_MAP)) {
      calls[i] = compile_call(st, t);
    } else {
      fail(st, "a condition that is no map");
    }
    leave(st, back);
  }
  luaws_place made = calls ? luaws_section_refs(st->s, calls, i, false) : 0;
  free(calls);
  return made;
}

/* Of a header only the first value is ever sent. */
static luaws_place compile_headers(struct rules_state *st, const struct luaws_tree *map) {
  luaws_place *items = new_places(st, 2 * map->count);
  size_t i = 0;
  for (const struct luaws_tree *t = map->first; items && t; t = t->next) {
    if (t->kind != LUAWS_KIND_LIST) {
      fail(st, "a header '%.*s' that has no list", LUAWS_STR_ARG(t->key));
    } else if (t->count) {
      items[i++] = luaws_section_text(st->s, t->key);
      items[i++] = compile_value(st, t->first);
    }
  }
  return put_parts(st, (struct luaws_rule_value){.kind = LUAWS_RULE_MAP}, items, i,
                   i / 2);
}

static luaws_place compile_endpoint(struct rules_state *st, const struct luaws_tree *t) {
  static const uint16_t refs[] = {
      offsetof(struct luaws_rule_endpoint, url),
      offsetof(struct luaws_rule_endpoint, properties),
      offsetof(struct luaws_rule_endpoint, headers),
  };
  const struct luaws_tree *url = luaws_tree_get(t, "url");
  const struct luaws_tree *properties = luaws_tree_get(t, "properties");
  const struct luaws_tree *headers = luaws_tree_get(t, "headers");
  if (!url || (url->kind != LUAWS_KIND_STRING && url->kind != LUAWS_KIND_MAP))
    return fail(st, "an endpoint without url");
  if ((properties && properties->kind != LUAWS_KIND_MAP) ||
      (headers && headers->kind != LUAWS_KIND_MAP))
    return fail(st, "properties or headers that are no map");
  struct luaws_rule_endpoint e = {.url = (luaws_ref)compile_value(st, url)};
  if (properties && properties->count) {
    size_t back = enter(st, "properties");
    e.properties = (luaws_ref)compile_map(st, properties);
    leave(st, back);
  }
  if (headers && headers->count) e.headers = (luaws_ref)compile_headers(st, headers);
  if (st->rc) return 0;
  return luaws_section_share(st->s, &e, sizeof e, refs, 3);
}

static luaws_place compile_rule_list(struct rules_state *st,
                                     const struct luaws_tree *list);

/* What a rule leads to; sets its type. */
static luaws_place compile_then(struct rules_state *st, const struct luaws_tree *t,
                                struct luaws_rule *rule) {
  static const struct {
    const char *name, *part;
  } types[] = {
      [LUAWS_RULE_TREE] = {"tree", "rules"},
      [LUAWS_RULE_ENDPOINT] = {"endpoint", "endpoint"},
      [LUAWS_RULE_ERROR] = {"error", "error"},
  };
  struct luaws_str name = luaws_tree_text(t, "type");
  size_t type = 0;
  while (type < 3 && !luaws_str_is(name, types[type].name))
    type++;
  if (type == 3) return fail(st, "an unknown type of rule, '%.*s',", LUAWS_STR_ARG(name));
  const char *part = types[type].part;
  const struct luaws_tree *then = luaws_tree_get(t, part);
  if (!then) return fail(st, "a rule without its '%s'", part);
  rule->type = (uint16_t)type;
  size_t back = enter(st, part);
  luaws_place made = 0;
  if (type == LUAWS_RULE_ERROR) {
    made = compile_value(st, then);
  } else if (type == LUAWS_RULE_ENDPOINT && then->kind == LUAWS_KIND_MAP) {
    made = compile_endpoint(st, then);
  } else if (type == LUAWS_RULE_TREE && then->kind == LUAWS_KIND_LIST) {
    rule->rule_count = (uint32_t)then->count;
    made = compile_rule_list(st, then);
  } else {
    fail(st, "a rule's '%s' of the wrong kind", part);
  }
  leave(st, back);
  return made;
}

static luaws_place compile_rule(struct rules_state *st, const struct luaws_tree *t) {
  static const uint16_t refs[] = {offsetof(struct luaws_rule, conditions),
                                  offsetof(struct luaws_rule, then)};
  struct luaws_rule rule;
  memset(&rule, 0, sizeof rule);
  if (!is_kind(t, LUAWS_KIND_MAP)) return fail(st, "a rule that is no map");
  const struct luaws_tree *conditions = luaws_tree_get(t, "conditions");
  if (conditions && (conditions->kind != LUAWS_KIND_LIST || conditions->count > 1000))
    return fail(st, "conditions that are no list");
  if (conditions) {
    size_t back = enter(st, "conditions");
    rule.condition_count = (uint16_t)conditions->count;
    rule.conditions = (luaws_ref)compile_conditions(st, conditions);
    leave(st, back);
  }
  rule.then = (luaws_ref)compile_then(st, t, &rule);
  if (st->rc) return 0;
  return luaws_section_share(st->s, &rule, sizeof rule, refs, 2);
}

static luaws_place compile_rule_list(struct rules_state *st,
                                     const struct luaws_tree *list) {
  if (st->depth == MAX_DEPTH) return fail(st, "too deep a rule");
  luaws_place *rules = new_places(st, list->count);
  size_t i = 0;
  st->depth++;
  for (const struct luaws_tree *t = list->first; rules && t && !st->rc; t = t->next) {
    size_t back = enter_item(st, i);
    rules[i++] = compile_rule(st, t);
    leave(st, back);
  }
  st->depth--;
  luaws_place made = rules && !st->rc ? luaws_section_refs(st->s, rules, i, false) : 0;
  free(rules);
  return made;
}

/* ---- parameters ---- */

static uint16_t param_type(struct rules_state *st, struct luaws_str type) {
  if (luaws_str_eq_nocase(type, LUAWS_STR("string"))) return LUAWS_RULE_PARAM_STRING;
  if (luaws_str_eq_nocase(type, LUAWS_STR("boolean"))) return LUAWS_RULE_PARAM_BOOLEAN;
  if (luaws_str_eq_nocase(type, LUAWS_STR("stringArray")))
    return LUAWS_RULE_PARAM_STRINGS;
  fail(st, "an unknown type of parameter, '%.*s',", LUAWS_STR_ARG(type));
  return 0;
}

static void compile_default(struct rules_state *st, const struct luaws_tree *value,
                            struct luaws_rule_param *param) {
  if (!value || value->kind == LUAWS_KIND_NULL) return;
  static const enum luaws_kind kinds[] = {LUAWS_KIND_STRING, LUAWS_KIND_BOOLEAN,
                                          LUAWS_KIND_LIST};
  if (value->kind != kinds[param->type]) {
    fail(st, "a default of the wrong type");
    return;
  }
  param->flags |= LUAWS_RULE_PARAM_HAS_DEFAULT;
  if (value->kind == LUAWS_KIND_BOOLEAN) {
    if (value->boolean) param->flags |= LUAWS_RULE_PARAM_DEFAULT_TRUE;
  } else if (value->kind == LUAWS_KIND_STRING) {
    param->default_text = (luaws_ref)luaws_section_text(st->s, value->text);
  } else {
    param->default_texts = (luaws_ref)luaws_section_texts(st->s, value);
  }
}

static void compile_param(struct rules_state *st, const struct luaws_tree *t,
                          luaws_place place) {
  static const uint16_t refs[] = {
      offsetof(struct luaws_rule_param, name),
      offsetof(struct luaws_rule_param, built_in),
      offsetof(struct luaws_rule_param, default_text),
      offsetof(struct luaws_rule_param, default_texts),
  };
  if (t->kind != LUAWS_KIND_MAP) {
    fail(st, "a parameter that is no map");
    return;
  }
  struct luaws_rule_param param = {.type = param_type(st, luaws_tree_text(t, "type"))};
  if (luaws_tree_flag(t, "required")) param.flags |= LUAWS_RULE_PARAM_REQUIRED;
  if (luaws_tree_get(t, "deprecated")) param.flags |= LUAWS_RULE_PARAM_DEPRECATED;
  compile_default(st, luaws_tree_get(t, "default"), &param);
  param.name = (luaws_ref)luaws_section_text(st->s, t->key);
  param.built_in = (luaws_ref)luaws_section_text(st->s, luaws_tree_text(t, "builtIn"));
  if (!st->rc) luaws_section_write(st->s, place, &param, sizeof param, refs, 4);
}

static luaws_place compile_params(struct rules_state *st, const struct luaws_tree *map) {
  luaws_place params =
      luaws_section_alloc(st->s, map->count * sizeof(struct luaws_rule_param));
  size_t i = 0;
  for (const struct luaws_tree *t = map->first; t && !st->rc; t = t->next, i++) {
    size_t back = enter(st, "parameters");
    luaws_buf_append_char(&st->where, '.');
    luaws_buf_append_str(&st->where, t->key);
    if (define_slot(st, t->key) != i) fail(st, "'%.*s' twice", LUAWS_STR_ARG(t->key));
    compile_param(st, t, params + (luaws_place)(i * sizeof(struct luaws_rule_param)));
    leave(st, back);
  }
  return params;
}

static void mark_used_params(struct rules_state *st, luaws_place params, size_t count) {
  for (size_t i = 0; i < count && !st->rc; i++) {
    luaws_place place = params + (luaws_place)(i * sizeof(struct luaws_rule_param));
    struct luaws_rule_param *param = luaws_section_at(st->s, place);
    if (st->slots[i].used) param->flags |= LUAWS_RULE_PARAM_USED;
  }
}

static luaws_place put_slots(struct rules_state *st) {
  luaws_place *names = new_places(st, st->slot_count);
  for (size_t i = 0; names && i < st->slot_count; i++) {
    if (st->slots[i].needed && !st->slots[i].defined)
      fail(st, "'%.*s', which nothing defines,", LUAWS_STR_ARG(st->slots[i].name));
    names[i] = luaws_section_text(st->s, st->slots[i].name);
  }
  luaws_place made =
      names && !st->rc ? luaws_section_refs(st->s, names, st->slot_count, false) : 0;
  free(names);
  return made;
}

static void compile_all(struct rules_state *st, const struct luaws_tree *rule_set) {
  static const uint16_t refs[] = {offsetof(struct luaws_rules, params),
                                  offsetof(struct luaws_rules, slots),
                                  offsetof(struct luaws_rules, rules)};
  const struct luaws_tree *params = luaws_tree_get(rule_set, "parameters");
  const struct luaws_tree *rules = luaws_tree_get(rule_set, "rules");
  if (!is_kind(params, LUAWS_KIND_MAP) || !is_kind(rules, LUAWS_KIND_LIST)) {
    fail(st, "no parameters or no rules");
    return;
  }
  luaws_place place = luaws_section_alloc(st->s, sizeof(struct luaws_rules));
  struct luaws_rules root = {.params = (luaws_ref)compile_params(st, params)};
  size_t back = enter(st, "rules");
  root.rules = (luaws_ref)compile_rule_list(st, rules);
  leave(st, back);
  mark_used_params(st, (luaws_place)root.params, params->count);
  root.slots = (luaws_ref)put_slots(st);
  root.param_count = (uint16_t)params->count;
  root.slot_count = (uint16_t)st->slot_count;
  root.rule_count = (uint32_t)rules->count;
  if (!st->rc) luaws_section_write(st->s, place, &root, sizeof root, refs, 3);
}

int luaws_compile_rules(struct luaws_section *s, const struct luaws_tree *rule_set,
                        struct luaws_error *err) {
  struct rules_state st = {.s = s, .err = err};
  luaws_buf_append_cstr(&st.where, "endpoint-rule-set");
  compile_all(&st, rule_set);
  luaws_buf_clear(&st.where);
  free(st.slots);
  return st.rc;
}
