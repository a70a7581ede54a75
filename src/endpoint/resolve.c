/* Walks a compiled rule set. Rules are tried in order; a rule applies when all its
   conditions hold, and names that its conditions assign are known to what hangs below it
   and to nothing else: they are taken back when the rule leads nowhere. */
#include "endpoint/endpoint.h"

#include "base/encode.h"
#include "endpoint/functions.h"
#include "endpoint/region_match.h"

#include <stdarg.h>
#include <stdio.h>

enum value_kind {
  VALUE_ABSENT, /* a slot that nothing was assigned to */
  VALUE_NONE,
  VALUE_BOOLEAN,
  VALUE_INTEGER,
  VALUE_TEXT,
  VALUE_TEXTS,
  VALUE_PARTITION,
  VALUE_ARN,
  VALUE_URL,
};

struct value {
  enum value_kind kind;
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

struct resolve_state {
  const struct luaws_rules *rules;
  const struct luaws_node *partitions;
  struct luaws_arena *arena;
  struct luaws_error *err;
  struct value *slots;
  uint16_t *assigned; /* slots in the order they were assigned */
  size_t assigned_count;
  const struct luaws_rule_endpoint *found;
};

enum { MOST_ARGUMENTS = 4 };

static const struct value none = {.kind = VALUE_NONE};

static struct value from_boolean(bool b) {
  return (struct value){.kind = VALUE_BOOLEAN, .boolean = b};
}

static struct value from_text(struct luaws_str s) {
  return (struct value){.kind = VALUE_TEXT, .text = s};
}

static bool is_set(const struct value *v) {
  return v->kind != VALUE_ABSENT && v->kind != VALUE_NONE;
}

static bool is_true(const struct value *v) {
  return v->kind == VALUE_BOOLEAN && v->boolean;
}

/* The i-th target of an array of refs. */
static const void *ref_at(const luaws_ref *array, size_t i) {
  const luaws_ref *refs = luaws_ref_get(array);
  return luaws_ref_get(refs + i);
}

static const struct luaws_rule_value *value_at(const luaws_ref *array, size_t i) {
  return ref_at(array, i);
}

static const char *kind_name(const struct value *v) {
  static const char *const names[] = {
      "nil", "nil", "boolean", "number", "string", "strings", "partition", "ARN", "URL"};
  return names[v->kind];
}

__attribute__((format(printf, 2, 3))) static int refuse(struct resolve_state *st,
                                                        const char *fmt, ...) {
  char text[512];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  return luaws_error_set(st->err, LUAWS_E_ENDPOINT, "EndpointResolutionError", "%s",
                         text);
}

/* ---- texts ---- */

static int eval(struct resolve_state *st, const struct luaws_rule_value *v,
                struct value *out);

static int to_text(struct resolve_state *st, const struct value *v,
                   struct luaws_str *out) {
  char digits[16];
  switch (v->kind) {
  case VALUE_TEXT:
    *out = v->text;
    return 0;
  case VALUE_BOOLEAN:
    *out = v->boolean ? LUAWS_STR("true") : LUAWS_STR("false");
    return 0;
  case VALUE_INTEGER:
    snprintf(digits, sizeof digits, "%d", v->integer);
    *out = luaws_arena_str(st->arena, luaws_str_from(digits));
    return out->ptr ? 0 : luaws_error_memory(st->err);
  default:
    return refuse(st, "A template wants a string, not %s.", kind_name(v));
  }
}

static int eval_template(struct resolve_state *st, const struct luaws_rule_value *v,
                         struct value *out) {
  enum { FEW = 16 };
  struct luaws_str few[FEW];
  struct luaws_str *parts = few;
  if (v->count > FEW) parts = luaws_arena_alloc(st->arena, v->count * sizeof *parts);
  if (!parts) return luaws_error_memory(st->err);
  size_t len = 0;
  for (size_t i = 0; i < v->count; i++) {
    struct value part;
    int rc = eval(st, value_at(&v->at, i), &part);
    if (rc == 0) rc = to_text(st, &part, &parts[i]);
    if (rc) return rc;
    len += parts[i].len;
  }
  *out = from_text(v->count ? parts[0] : LUAWS_STR(""));
  if (v->count < 2) return 0;
  char *p = luaws_arena_alloc(st->arena, len + 1);
  if (!p) return luaws_error_memory(st->err);
  *out = from_text((struct luaws_str){p, len});
  for (size_t i = 0; i < v->count; i++) {
    if (parts[i].len) memcpy(p, parts[i].ptr, parts[i].len);
    p += parts[i].len;
  }
  return 0;
}

/* ---- what functions return, and their attributes ---- */

/* s between every separator; a list in the arena. */
static int split_text(struct resolve_state *st, struct luaws_str s,
                      bool (*separates)(char c), struct value *out) {
  size_t count = 1;
  for (size_t i = 0; i < s.len; i++)
    count += separates(s.ptr[i]);
  struct luaws_str *items = luaws_arena_alloc(st->arena, count * sizeof *items);
  if (!items) return luaws_error_memory(st->err);
  size_t from = 0;
  size_t n = 0;
  for (size_t i = 0; i <= s.len; i++) {
    if (i < s.len && !separates(s.ptr[i])) continue;
    items[n++] = luaws_str_sub(s, from, i - from);
    from = i + 1;
  }
  *out = (struct value){.kind = VALUE_TEXTS, .texts = {items, count}};
  return 0;
}

static bool separates_resource(char c) {
  return c == ':' || c == '/';
}

static int arn_attribute(struct resolve_state *st, const struct luaws_arn *arn,
                         struct luaws_str name, struct value *out) {
  const struct {
    const char *name;
    struct luaws_str value;
  } attributes[] = {{"partition", arn->partition},
                    {"service", arn->service},
                    {"region", arn->region},
                    {"accountId", arn->account_id}};
  if (luaws_str_is(name, "resourceId"))
    return split_text(st, arn->resource, separates_resource, out);
  *out = none;
  for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
    if (luaws_str_is(name, attributes[i].name)) *out = from_text(attributes[i].value);
  }
  return 0;
}

static struct value url_attribute(const struct luaws_url *url, struct luaws_str name) {
  const struct {
    const char *name;
    struct luaws_str value;
  } attributes[] = {{"scheme", url->scheme},
                    {"authority", url->authority},
                    {"path", url->path},
                    {"normalizedPath", url->normalized_path}};
  if (luaws_str_is(name, "isIp")) return from_boolean(url->is_ip);
  for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
    if (luaws_str_is(name, attributes[i].name)) return from_text(attributes[i].value);
  }
  return none;
}

static struct value partition_attribute(const struct luaws_node *partition,
                                        struct luaws_str name) {
  if (luaws_str_is(name, "name"))
    return from_text(luaws_node_text(luaws_node_get(partition, LUAWS_STR("id"))));
  const struct luaws_node *outputs = luaws_node_get(partition, LUAWS_STR("outputs"));
  const struct luaws_node *n = outputs ? luaws_node_get(outputs, name) : NULL;
  if (!n) return none;
  if (n->type == LUAWS_NODE_STRING) return from_text(luaws_node_text(n));
  if (n->type == LUAWS_NODE_TRUE || n->type == LUAWS_NODE_FALSE)
    return from_boolean(n->type == LUAWS_NODE_TRUE);
  return none;
}

static int get_step(struct resolve_state *st, const struct luaws_rule_step *step,
                    struct value *v) {
  struct luaws_str name = luaws_ref_text(&step->name);
  int rc = 0;
  if (name.ptr) {
    if (v->kind == VALUE_ARN) {
      rc = arn_attribute(st, v->arn, name, v);
    } else {
      *v = v->kind == VALUE_PARTITION ? partition_attribute(v->partition, name)
           : v->kind == VALUE_URL     ? url_attribute(v->url, name)
                                      : none;
    }
  }
  if (rc || step->index < 0) return rc;
  bool there = v->kind == VALUE_TEXTS && (size_t)step->index < v->texts.count;
  *v = there ? from_text(v->texts.items[step->index]) : none;
  return 0;
}

/* ---- functions ---- */

static int call_get_attr(struct resolve_state *st, const struct luaws_rule_value *call,
                         struct value *out) {
  const struct luaws_rule_value *path = value_at(&call->at, 1);
  int rc = eval(st, value_at(&call->at, 0), out);
  for (size_t i = 0; rc == 0 && i < path->count; i++)
    rc = get_step(st, ref_at(&path->at, i), out);
  return rc;
}

/* The first argument that is set. */
static int call_coalesce(struct resolve_state *st, const struct luaws_rule_value *call,
                         struct value *out) {
  *out = none;
  int rc = 0;
  for (size_t i = 0; rc == 0 && !is_set(out) && i < call->count; i++)
    rc = eval(st, value_at(&call->at, i), out);
  return rc;
}

static int call_boolean_equals(struct resolve_state *st, const struct value *a,
                               struct value *out) {
  if (a[0].kind != VALUE_BOOLEAN || a[1].kind != VALUE_BOOLEAN) {
    return refuse(st, "Both arguments must be bools, not %s and %s.", kind_name(&a[0]),
                  kind_name(&a[1]));
  }
  *out = from_boolean(a[0].boolean == a[1].boolean);
  return 0;
}

static int call_string_equals(struct resolve_state *st, const struct value *a,
                              struct value *out) {
  if (a[0].kind != VALUE_TEXT || a[1].kind != VALUE_TEXT) {
    return refuse(st, "Both values must be strings, not %s and %s.", kind_name(&a[0]),
                  kind_name(&a[1]));
  }
  *out = from_boolean(luaws_str_eq(a[0].text, a[1].text));
  return 0;
}

static int call_not(struct resolve_state *st, const struct value *a, struct value *out) {
  bool empty = a->kind == VALUE_TEXT && a->text.len == 0;
  bool zero = a->kind == VALUE_INTEGER && a->integer == 0;
  bool untrue = a->kind == VALUE_BOOLEAN && !a->boolean;
  *out = from_boolean(!is_set(a) || empty || zero || untrue);
  return 0;
}

static int call_substring(struct resolve_state *st, const struct value *a,
                          struct value *out) {
  if (a[0].kind != VALUE_TEXT)
    return refuse(st, "Input must be a string, not %s.", kind_name(&a[0]));
  struct luaws_str s = a[0].text;
  *out = none;
  if (a[1].kind != VALUE_INTEGER || a[2].kind != VALUE_INTEGER) return 0;
  int32_t start = a[1].integer;
  int32_t stop = a[2].integer;
  if (start < 0 || start >= stop || s.len < (size_t)stop) return 0;
  for (size_t i = 0; i < s.len; i++) {
    if ((unsigned char)s.ptr[i] > 127) return 0;
  }
  size_t from = is_true(&a[3]) ? s.len - (size_t)stop : (size_t)start;
  *out = from_text(luaws_str_sub(s, from, (size_t)(stop - start)));
  return 0;
}

static int call_host_label(struct resolve_state *st, const struct value *a,
                           struct value *out) {
  *out = from_boolean(a[0].kind == VALUE_TEXT &&
                      luaws_is_host_label(a[0].text, is_true(&a[1])));
  return 0;
}

static int call_virtual_hostable(struct resolve_state *st, const struct value *a,
                                 struct value *out) {
  *out = from_boolean(a[0].kind == VALUE_TEXT &&
                      luaws_is_virtual_hostable_bucket(a[0].text, is_true(&a[1])));
  return 0;
}

static int call_parse_url(struct resolve_state *st, const struct value *a,
                          struct value *out) {
  *out = none;
  if (a->kind != VALUE_TEXT) return 0;
  bool failed = false;
  struct luaws_url *url = luaws_arena_alloc(st->arena, sizeof *url);
  if (!url) return luaws_error_memory(st->err);
  if (luaws_url_parse(st->arena, a->text, url, &failed))
    *out = (struct value){.kind = VALUE_URL, .url = url};
  return failed ? luaws_error_memory(st->err) : 0;
}

static int call_uri_encode(struct resolve_state *st, const struct value *a,
                           struct value *out) {
  *out = none;
  if (a->kind != VALUE_TEXT) return 0;
  struct luaws_buf text = {0};
  luaws_percent_encode(&text, a->text, NULL);
  struct luaws_str kept =
      text.failed ? LUAWS_STR_NONE : luaws_arena_str(st->arena, luaws_buf_str(&text));
  luaws_buf_clear(&text);
  if (!kept.ptr) return luaws_error_memory(st->err);
  *out = from_text(kept);
  return 0;
}

static int call_parse_arn(struct resolve_state *st, const struct value *a,
                          struct value *out) {
  *out = none;
  struct luaws_arn parsed;
  if (a->kind != VALUE_TEXT || !luaws_arn_parse(a->text, &parsed)) return 0;
  struct luaws_arn *arn = luaws_arena_alloc(st->arena, sizeof *arn);
  if (!arn) return luaws_error_memory(st->err);
  *arn = parsed;
  *out = (struct value){.kind = VALUE_ARN, .arn = arn};
  return 0;
}

/* The region's partition; the first one for a region that nobody knows. */
static int call_partition(struct resolve_state *st, const struct value *a,
                          struct value *out) {
  const struct luaws_node *list =
      st->partitions ? luaws_node_get(st->partitions, LUAWS_STR("partitions")) : NULL;
  if (!list || list->type != LUAWS_NODE_LIST || !list->count)
    return refuse(st, "The partitions of AWS are missing.");
  const struct luaws_node *found = NULL;
  for (uint32_t i = 0; !found && a->kind == VALUE_TEXT && i < list->count; i++) {
    const struct luaws_node *partition = luaws_node_at(list, i);
    if (luaws_region_match(partition, a->text)) found = partition;
  }
  if (!found) found = luaws_node_at(list, 0);
  *out = (struct value){.kind = VALUE_PARTITION, .partition = found};
  return 0;
}

static int call_is_set(struct resolve_state *st, const struct value *a,
                       struct value *out) {
  *out = from_boolean(is_set(a));
  return 0;
}

/* split(text, delimiter, limit): at most limit parts, 0 for any number. */
static int call_split(struct resolve_state *st, const struct value *a,
                      struct value *out) {
  if (a[0].kind != VALUE_TEXT || a[1].kind != VALUE_TEXT || !a[1].text.len ||
      a[2].kind != VALUE_INTEGER || a[2].integer < 0)
    return refuse(st, "split wants a string, a delimiter and a limit.");
  struct luaws_str rest = a[0].text;
  size_t most = a[2].integer ? (size_t)a[2].integer : rest.len + 1;
  if (most > rest.len + 1) most = rest.len + 1;
  struct luaws_str *items = luaws_arena_alloc(st->arena, most * sizeof *items);
  if (!items) return luaws_error_memory(st->err);
  size_t count = 0;
  for (ptrdiff_t at;
       count + 1 < most && (at = luaws_str_find_str(rest, a[1].text)) >= 0;) {
    items[count++] = luaws_str_sub(rest, 0, (size_t)at);
    rest = luaws_str_sub(rest, (size_t)at + a[1].text.len, rest.len);
  }
  items[count++] = rest;
  *out = (struct value){.kind = VALUE_TEXTS, .texts = {items, count}};
  return 0;
}

static int call_ite(struct resolve_state *st, const struct value *a, struct value *out) {
  *out = is_true(&a[0]) ? a[1] : a[2];
  return 0;
}

typedef int (*function)(struct resolve_state *st, const struct value *arguments,
                        struct value *out);

/* By enum luaws_rule_function; the compiler has checked the number of arguments. Those
   without one look at their arguments as they are written. */
static const function functions[] = {
    [LUAWS_FN_BOOLEAN_EQUALS] = call_boolean_equals,
    [LUAWS_FN_IS_SET] = call_is_set,
    [LUAWS_FN_STRING_EQUALS] = call_string_equals,
    [LUAWS_FN_NOT] = call_not,
    [LUAWS_FN_SUBSTRING] = call_substring,
    [LUAWS_FN_IS_VALID_HOST_LABEL] = call_host_label,
    [LUAWS_FN_PARSE_URL] = call_parse_url,
    [LUAWS_FN_URI_ENCODE] = call_uri_encode,
    [LUAWS_FN_AWS_PARTITION] = call_partition,
    [LUAWS_FN_AWS_PARSE_ARN] = call_parse_arn,
    [LUAWS_FN_AWS_IS_VIRTUAL_HOSTABLE_S3_BUCKET] = call_virtual_hostable,
    [LUAWS_FN_SPLIT] = call_split,
    [LUAWS_FN_ITE] = call_ite,
    [LUAWS_FN_UNKNOWN] = NULL,
};

static int call_function(struct resolve_state *st, const struct luaws_rule_value *call,
                         struct value *out) {
  struct value arguments[MOST_ARGUMENTS];
  if (call->function == LUAWS_FN_GET_ATTR) return call_get_attr(st, call, out);
  if (call->function == LUAWS_FN_COALESCE) return call_coalesce(st, call, out);
  if (call->function >= LUAWS_FN_UNKNOWN) {
    struct luaws_str name = luaws_ref_text(&value_at(&call->at, 0)->at);
    return refuse(st, "Unknown function: %.*s", LUAWS_STR_ARG(name));
  }
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < call->count; i++)
    rc = eval(st, value_at(&call->at, i), &arguments[i]);
  return rc ? rc : functions[call->function](st, arguments, out);
}

static int call_and_assign(struct resolve_state *st, const struct luaws_rule_value *call,
                           struct value *out) {
  int rc = call_function(st, call, out);
  if (rc || call->assign == LUAWS_RULE_NO_SLOT) return rc;
  struct value *slot = &st->slots[call->assign];
  if (slot->kind != VALUE_ABSENT) {
    const luaws_ref *names = luaws_ref_get(&st->rules->slots);
    return refuse(
        st,
        "Assignment %.*s already exists in scoped variables and cannot be overwritten",
        LUAWS_STR_ARG(luaws_ref_text(names + call->assign)));
  }
  *slot = *out;
  st->assigned[st->assigned_count++] = call->assign;
  return 0;
}

static int eval(struct resolve_state *st, const struct luaws_rule_value *v,
                struct value *out) {
  switch (v->kind) {
  case LUAWS_RULE_FALSE:
  case LUAWS_RULE_TRUE:
    *out = from_boolean(v->kind == LUAWS_RULE_TRUE);
    return 0;
  case LUAWS_RULE_INTEGER:
    *out = (struct value){.kind = VALUE_INTEGER, .integer = v->integer};
    return 0;
  case LUAWS_RULE_TEXT:
    *out = from_text(luaws_ref_text(&v->at));
    return 0;
  case LUAWS_RULE_REF:
    *out = st->slots[v->slot];
    return 0;
  case LUAWS_RULE_TEMPLATE:
    return eval_template(st, v, out);
  case LUAWS_RULE_CALL:
    return call_and_assign(st, v, out);
  default:
    *out = none;
    return 0;
  }
}

/* ---- rules ---- */

static int check_conditions(struct resolve_state *st, const struct luaws_rule *rule,
                            bool *hold) {
  *hold = true;
  for (size_t i = 0; *hold && i < rule->condition_count; i++) {
    struct value v;
    int rc = call_and_assign(st, value_at(&rule->conditions, i), &v);
    if (rc) return rc;
    *hold = is_set(&v) && (v.kind != VALUE_BOOLEAN || v.boolean);
  }
  return 0;
}

static int eval_text(struct resolve_state *st, const struct luaws_rule_value *v,
                     struct luaws_str *out) {
  struct value text;
  int rc = eval(st, v, &text);
  return rc ? rc : to_text(st, &text, out);
}

static int raise_error(struct resolve_state *st, const struct luaws_rule *rule) {
  struct luaws_str text;
  int rc = eval_text(st, luaws_ref_get(&rule->then), &text);
  if (rc) return rc;
  return luaws_error_set(st->err, LUAWS_E_ENDPOINT, "EndpointResolutionError", "%.*s",
                         LUAWS_STR_ARG(text));
}

/* Tries the rules in order until one names an endpoint (found) or an error. */
static int try_rules(struct resolve_state *st, const luaws_ref *rules, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const struct luaws_rule *rule = luaws_ref_get(rules + i);
    size_t before = st->assigned_count;
    bool hold;
    int rc = check_conditions(st, rule, &hold);
    if (rc == 0 && hold) {
      if (rule->type == LUAWS_RULE_ERROR) return raise_error(st, rule);
      if (rule->type == LUAWS_RULE_ENDPOINT) {
        st->found = luaws_ref_get(&rule->then);
      } else {
        rc = try_rules(st, luaws_ref_get(&rule->then), rule->rule_count);
      }
    }
    if (rc || st->found) return rc;
    while (st->assigned_count > before)
      st->slots[st->assigned[--st->assigned_count]].kind = VALUE_ABSENT;
  }
  return 0;
}

/* ---- parameters ---- */

static struct value default_value(struct resolve_state *st,
                                  const struct luaws_rule_param *param, int *rc) {
  if (param->type == LUAWS_RULE_PARAM_BOOLEAN)
    return from_boolean(param->flags & LUAWS_RULE_PARAM_DEFAULT_TRUE);
  if (param->type == LUAWS_RULE_PARAM_STRING)
    return from_text(luaws_ref_text(&param->default_text));
  const uint32_t *list = luaws_ref_get(&param->default_texts);
  size_t count = list ? *list : 0;
  struct luaws_str *items = luaws_arena_alloc(st->arena, (count + 1) * sizeof *items);
  if (!items) *rc = luaws_error_memory(st->err);
  for (size_t i = 0; items && i < count; i++)
    items[i] = luaws_ref_text((const luaws_ref *)(list + 1) + i);
  return (struct value){.kind = VALUE_TEXTS, .texts = {items, count}};
}

static int take_param(struct resolve_state *st, const struct luaws_rule_param *param,
                      const struct luaws_endpoint_param *given, struct value *out) {
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
      rc = refuse(st, "Cannot find value for required parameter %.*s",
                  LUAWS_STR_ARG(luaws_ref_text(&param->name)));
    }
    return rc;
  }
  if (given->type != wanted[param->type].type) {
    return refuse(st, "Value (%.*s) is the wrong type. Must be %s.",
                  LUAWS_STR_ARG(luaws_ref_text(&param->name)), wanted[param->type].name);
  }
  if (given->type == LUAWS_EP_STRING) {
    *out = from_text(given->text);
  } else if (given->type == LUAWS_EP_BOOLEAN) {
    *out = from_boolean(given->boolean);
  } else {
    *out =
        (struct value){.kind = VALUE_TEXTS, .texts = {given->texts, given->text_count}};
  }
  return 0;
}

static int take_params(struct resolve_state *st,
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

static int nothing_found(struct resolve_state *st,
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

static int build_tree(struct resolve_state *st, const struct luaws_rule_value *v,
                      struct luaws_tree *out);

static int build_children(struct resolve_state *st, const struct luaws_rule_value *v,
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

static int build_tree(struct resolve_state *st, const struct luaws_rule_value *v,
                      struct luaws_tree *out) {
  if (v->kind == LUAWS_RULE_MAP || v->kind == LUAWS_RULE_LIST)
    return build_children(st, v, out);
  struct value value;
  int rc = eval(st, v, &value);
  if (rc) return rc;
  switch (value.kind) {
  case VALUE_ABSENT:
  case VALUE_NONE:
    out->kind = LUAWS_KIND_NULL;
    return 0;
  case VALUE_BOOLEAN:
    out->kind = LUAWS_KIND_BOOLEAN;
    out->boolean = value.boolean;
    return 0;
  case VALUE_INTEGER:
    out->kind = LUAWS_KIND_INTEGER;
    out->integer = value.integer;
    return 0;
  default:
    out->kind = LUAWS_KIND_STRING;
    return to_text(st, &value, &out->text);
  }
}

static int build_headers(struct resolve_state *st, const struct luaws_rule_value *map,
                         struct luaws_endpoint *out) {
  out->headers = luaws_arena_alloc(st->arena, map->count * sizeof *out->headers);
  if (!out->headers) return luaws_error_memory(st->err);
  const luaws_ref *refs = luaws_ref_get(&map->at);
  for (size_t i = 0; i < map->count; i++) {
    struct luaws_header *h = &out->headers[out->header_count++];
    h->name = luaws_ref_text(&refs[2 * i]);
    int rc = eval_text(st, luaws_ref_get(&refs[2 * i + 1]), &h->value);
    if (rc) return rc;
  }
  return 0;
}

static struct luaws_str join_texts(struct resolve_state *st,
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

static int build_auth_schemes(struct resolve_state *st, struct luaws_endpoint *out) {
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

static int build_endpoint(struct resolve_state *st, struct luaws_endpoint *out) {
  const struct luaws_rule_value *properties = luaws_ref_get(&st->found->properties);
  const struct luaws_rule_value *headers = luaws_ref_get(&st->found->headers);
  struct luaws_tree *tree = luaws_arena_alloc(st->arena, sizeof *tree);
  if (!tree) return luaws_error_memory(st->err);
  tree->kind = LUAWS_KIND_MAP;
  out->properties = tree;
  int rc = eval_text(st, luaws_ref_get(&st->found->url), &out->url);
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
  struct resolve_state st = {
      .rules = rules, .partitions = partitions, .arena = arena, .err = err};
  st.slots = luaws_arena_alloc(arena, (rules->slot_count + 1u) * sizeof *st.slots);
  st.assigned = luaws_arena_alloc(arena, (rules->slot_count + 1u) * sizeof *st.assigned);
  if (!st.slots || !st.assigned) return luaws_error_memory(err);
  int rc = take_params(&st, params, count);
  if (rc == 0) rc = try_rules(&st, luaws_ref_get(&rules->rules), rules->rule_count);
  if (rc == 0 && !st.found) rc = nothing_found(&st, params, count);
  return rc ? rc : build_endpoint(&st, out);
}
