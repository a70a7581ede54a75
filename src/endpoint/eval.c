#include "endpoint/eval.h"

#include "base/encode.h"
#include "endpoint/region_match.h"
#include "model/model.h"

#include <stdarg.h>
#include <stdio.h>

enum { MOST_ARGUMENTS = 4 };

static const struct luaws_eval_value none = {.kind = LUAWS_VALUE_NONE};

static bool is_true(const struct luaws_eval_value *v) {
  return v->kind == LUAWS_VALUE_BOOLEAN && v->boolean;
}

static const char *kind_name(const struct luaws_eval_value *v) {
  static const char *const names[] = {
      "nil", "nil", "boolean", "number", "string", "strings", "partition", "ARN", "URL"};
  return names[v->kind];
}

int luaws_eval_refuse(struct luaws_eval_state *st, const char *fmt, ...) {
  char text[512];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  return luaws_error_set(st->err, LUAWS_E_ENDPOINT, "EndpointResolutionError", "%s",
                         text);
}

/* ---- texts ---- */

int luaws_eval_to_text(struct luaws_eval_state *st, const struct luaws_eval_value *v,
                       struct luaws_str *out) {
  char digits[16];
  switch (v->kind) {
  case LUAWS_VALUE_TEXT:
    *out = v->text;
    return 0;
  case LUAWS_VALUE_BOOLEAN:
    *out = v->boolean ? LUAWS_STR("true") : LUAWS_STR("false");
    return 0;
  case LUAWS_VALUE_INTEGER:
    snprintf(digits, sizeof digits, "%d", v->integer);
    *out = luaws_arena_str(st->arena, luaws_str_from(digits));
    return out->ptr ? 0 : luaws_error_memory(st->err);
  default:
    return luaws_eval_refuse(st, "A template wants a string, not %s.", kind_name(v));
  }
}

static int eval_template(struct luaws_eval_state *st, const struct luaws_rule_value *v,
                         struct luaws_eval_value *out) {
  enum { FEW = 16 };
  struct luaws_str few[FEW];
  struct luaws_str *parts = few;
  if (v->count > FEW) parts = luaws_arena_alloc(st->arena, v->count * sizeof *parts);
  if (!parts) return luaws_error_memory(st->err);
  size_t len = 0;
  for (size_t i = 0; i < v->count; i++) {
    struct luaws_eval_value part;
    int rc = luaws_eval(st, luaws_eval_part(&v->at, i), &part);
    if (rc == 0) rc = luaws_eval_to_text(st, &part, &parts[i]);
    if (rc) return rc;
    len += parts[i].len;
  }
  *out = luaws_eval_string(v->count ? parts[0] : LUAWS_STR(""));
  if (v->count < 2) return 0;
  char *p = luaws_arena_alloc(st->arena, len + 1);
  if (!p) return luaws_error_memory(st->err);
  *out = luaws_eval_string((struct luaws_str){p, len});
  for (size_t i = 0; i < v->count; i++) {
    if (parts[i].len) memcpy(p, parts[i].ptr, parts[i].len);
    p += parts[i].len;
  }
  return 0;
}

/* ---- what functions return, and their attributes ---- */

/* s between every separator; a list in the arena. */
static int split_text(struct luaws_eval_state *st, struct luaws_str s,
                      bool (*separates)(char c), struct luaws_eval_value *out) {
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
  *out = (struct luaws_eval_value){.kind = LUAWS_VALUE_TEXTS, .texts = {items, count}};
  return 0;
}

static bool separates_resource(char c) {
  return c == ':' || c == '/';
}

static int arn_attribute(struct luaws_eval_state *st, const struct luaws_arn *arn,
                         struct luaws_str name, struct luaws_eval_value *out) {
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
    if (luaws_str_is(name, attributes[i].name))
      *out = luaws_eval_string(attributes[i].value);
  }
  return 0;
}

static struct luaws_eval_value url_attribute(const struct luaws_url *url,
                                             struct luaws_str name) {
  const struct {
    const char *name;
    struct luaws_str value;
  } attributes[] = {{"scheme", url->scheme},
                    {"authority", url->authority},
                    {"path", url->path},
                    {"normalizedPath", url->normalized_path}};
  if (luaws_str_is(name, "isIp")) return luaws_eval_boolean(url->is_ip);
  for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
    if (luaws_str_is(name, attributes[i].name))
      return luaws_eval_string(attributes[i].value);
  }
  return none;
}

static struct luaws_eval_value partition_attribute(const struct luaws_node *partition,
                                                   struct luaws_str name) {
  if (luaws_str_is(name, "name"))
    return luaws_eval_string(luaws_node_text(luaws_node_get(partition, LUAWS_STR("id"))));
  const struct luaws_node *outputs = luaws_node_get(partition, LUAWS_STR("outputs"));
  const struct luaws_node *n = outputs ? luaws_node_get(outputs, name) : NULL;
  if (!n) return none;
  if (n->type == LUAWS_NODE_STRING) return luaws_eval_string(luaws_node_text(n));
  if (n->type == LUAWS_NODE_TRUE || n->type == LUAWS_NODE_FALSE)
    return luaws_eval_boolean(n->type == LUAWS_NODE_TRUE);
  return none;
}

static int get_step(struct luaws_eval_state *st, const struct luaws_rule_step *step,
                    struct luaws_eval_value *v) {
  struct luaws_str name = luaws_ref_text(&step->name);
  int rc = 0;
  if (name.ptr) {
    if (v->kind == LUAWS_VALUE_ARN) {
      rc = arn_attribute(st, v->arn, name, v);
    } else {
      *v = v->kind == LUAWS_VALUE_PARTITION ? partition_attribute(v->partition, name)
           : v->kind == LUAWS_VALUE_URL     ? url_attribute(v->url, name)
                                            : none;
    }
  }
  if (rc || step->index < 0) return rc;
  bool there = v->kind == LUAWS_VALUE_TEXTS && (size_t)step->index < v->texts.count;
  *v = there ? luaws_eval_string(v->texts.items[step->index]) : none;
  return 0;
}

/* ---- functions ---- */

static int call_get_attr(struct luaws_eval_state *st, const struct luaws_rule_value *call,
                         struct luaws_eval_value *out) {
  const struct luaws_rule_value *path = luaws_eval_part(&call->at, 1);
  int rc = luaws_eval(st, luaws_eval_part(&call->at, 0), out);
  for (size_t i = 0; rc == 0 && i < path->count; i++)
    rc = get_step(st, luaws_eval_part(&path->at, i), out);
  return rc;
}

/* The first argument that is set. */
static int call_coalesce(struct luaws_eval_state *st, const struct luaws_rule_value *call,
                         struct luaws_eval_value *out) {
  *out = none;
  int rc = 0;
  for (size_t i = 0; rc == 0 && !luaws_eval_is_set(out) && i < call->count; i++)
    rc = luaws_eval(st, luaws_eval_part(&call->at, i), out);
  return rc;
}

static int call_boolean_equals(struct luaws_eval_state *st,
                               const struct luaws_eval_value *a,
                               struct luaws_eval_value *out) {
  if (a[0].kind != LUAWS_VALUE_BOOLEAN || a[1].kind != LUAWS_VALUE_BOOLEAN) {
    return luaws_eval_refuse(st, "Both arguments must be bools, not %s and %s.",
                             kind_name(&a[0]), kind_name(&a[1]));
  }
  *out = luaws_eval_boolean(a[0].boolean == a[1].boolean);
  return 0;
}

static int call_string_equals(struct luaws_eval_state *st,
                              const struct luaws_eval_value *a,
                              struct luaws_eval_value *out) {
  if (a[0].kind != LUAWS_VALUE_TEXT || a[1].kind != LUAWS_VALUE_TEXT) {
    return luaws_eval_refuse(st, "Both values must be strings, not %s and %s.",
                             kind_name(&a[0]), kind_name(&a[1]));
  }
  *out = luaws_eval_boolean(luaws_str_eq(a[0].text, a[1].text));
  return 0;
}

static int call_not(struct luaws_eval_state *st, const struct luaws_eval_value *a,
                    struct luaws_eval_value *out) {
  bool empty = a->kind == LUAWS_VALUE_TEXT && a->text.len == 0;
  bool zero = a->kind == LUAWS_VALUE_INTEGER && a->integer == 0;
  bool untrue = a->kind == LUAWS_VALUE_BOOLEAN && !a->boolean;
  *out = luaws_eval_boolean(!luaws_eval_is_set(a) || empty || zero || untrue);
  return 0;
}

static int call_substring(struct luaws_eval_state *st, const struct luaws_eval_value *a,
                          struct luaws_eval_value *out) {
  if (a[0].kind != LUAWS_VALUE_TEXT)
    return luaws_eval_refuse(st, "Input must be a string, not %s.", kind_name(&a[0]));
  struct luaws_str s = a[0].text;
  *out = none;
  if (a[1].kind != LUAWS_VALUE_INTEGER || a[2].kind != LUAWS_VALUE_INTEGER) return 0;
  int32_t start = a[1].integer;
  int32_t stop = a[2].integer;
  if (start < 0 || start >= stop || s.len < (size_t)stop) return 0;
  for (size_t i = 0; i < s.len; i++) {
    if ((unsigned char)s.ptr[i] > 127) return 0;
  }
  size_t from = is_true(&a[3]) ? s.len - (size_t)stop : (size_t)start;
  *out = luaws_eval_string(luaws_str_sub(s, from, (size_t)(stop - start)));
  return 0;
}

static int call_host_label(struct luaws_eval_state *st, const struct luaws_eval_value *a,
                           struct luaws_eval_value *out) {
  *out = luaws_eval_boolean(a[0].kind == LUAWS_VALUE_TEXT &&
                            luaws_is_host_label(a[0].text, is_true(&a[1])));
  return 0;
}

static int call_virtual_hostable(struct luaws_eval_state *st,
                                 const struct luaws_eval_value *a,
                                 struct luaws_eval_value *out) {
  *out = luaws_eval_boolean(a[0].kind == LUAWS_VALUE_TEXT &&
                            luaws_is_virtual_hostable_bucket(a[0].text, is_true(&a[1])));
  return 0;
}

static int call_parse_url(struct luaws_eval_state *st, const struct luaws_eval_value *a,
                          struct luaws_eval_value *out) {
  *out = none;
  if (a->kind != LUAWS_VALUE_TEXT) return 0;
  bool failed = false;
  struct luaws_url *url = luaws_arena_alloc(st->arena, sizeof *url);
  if (!url) return luaws_error_memory(st->err);
  if (luaws_url_parse(st->arena, a->text, url, &failed))
    *out = (struct luaws_eval_value){.kind = LUAWS_VALUE_URL, .url = url};
  return failed ? luaws_error_memory(st->err) : 0;
}

static int call_uri_encode(struct luaws_eval_state *st, const struct luaws_eval_value *a,
                           struct luaws_eval_value *out) {
  *out = none;
  if (a->kind != LUAWS_VALUE_TEXT) return 0;
  struct luaws_buf text = {0};
  luaws_percent_encode(&text, a->text, NULL);
  struct luaws_str kept =
      text.failed ? LUAWS_STR_NONE : luaws_arena_str(st->arena, luaws_buf_str(&text));
  luaws_buf_clear(&text);
  if (!kept.ptr) return luaws_error_memory(st->err);
  *out = luaws_eval_string(kept);
  return 0;
}

static int call_parse_arn(struct luaws_eval_state *st, const struct luaws_eval_value *a,
                          struct luaws_eval_value *out) {
  *out = none;
  struct luaws_arn parsed;
  if (a->kind != LUAWS_VALUE_TEXT || !luaws_arn_parse(a->text, &parsed)) return 0;
  struct luaws_arn *arn = luaws_arena_alloc(st->arena, sizeof *arn);
  if (!arn) return luaws_error_memory(st->err);
  *arn = parsed;
  *out = (struct luaws_eval_value){.kind = LUAWS_VALUE_ARN, .arn = arn};
  return 0;
}

/* The region's partition; the first one for a region that nobody knows. */
static int call_partition(struct luaws_eval_state *st, const struct luaws_eval_value *a,
                          struct luaws_eval_value *out) {
  const struct luaws_node *list =
      st->partitions ? luaws_node_get(st->partitions, LUAWS_STR("partitions")) : NULL;
  if (!list || list->type != LUAWS_NODE_LIST || !list->count)
    return luaws_eval_refuse(st, "The partitions of AWS are missing.");
  const struct luaws_node *found = NULL;
  for (uint32_t i = 0; !found && a->kind == LUAWS_VALUE_TEXT && i < list->count; i++) {
    const struct luaws_node *partition = luaws_node_at(list, i);
    if (luaws_region_match(partition, a->text)) found = partition;
  }
  if (!found) found = luaws_node_at(list, 0);
  *out = (struct luaws_eval_value){.kind = LUAWS_VALUE_PARTITION, .partition = found};
  return 0;
}

static int call_is_set(struct luaws_eval_state *st, const struct luaws_eval_value *a,
                       struct luaws_eval_value *out) {
  *out = luaws_eval_boolean(luaws_eval_is_set(a));
  return 0;
}

/* split(text, delimiter, limit): at most limit parts, 0 for any number. */
static int call_split(struct luaws_eval_state *st, const struct luaws_eval_value *a,
                      struct luaws_eval_value *out) {
  if (a[0].kind != LUAWS_VALUE_TEXT || a[1].kind != LUAWS_VALUE_TEXT || !a[1].text.len ||
      a[2].kind != LUAWS_VALUE_INTEGER || a[2].integer < 0)
    return luaws_eval_refuse(st, "split wants a string, a delimiter and a limit.");
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
  *out = (struct luaws_eval_value){.kind = LUAWS_VALUE_TEXTS, .texts = {items, count}};
  return 0;
}

static int call_ite(struct luaws_eval_state *st, const struct luaws_eval_value *a,
                    struct luaws_eval_value *out) {
  *out = is_true(&a[0]) ? a[1] : a[2];
  return 0;
}

typedef int (*function)(struct luaws_eval_state *st,
                        const struct luaws_eval_value *arguments,
                        struct luaws_eval_value *out);

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

static int call_function(struct luaws_eval_state *st, const struct luaws_rule_value *call,
                         struct luaws_eval_value *out) {
  struct luaws_eval_value arguments[MOST_ARGUMENTS];
  if (call->function == LUAWS_FN_GET_ATTR) return call_get_attr(st, call, out);
  if (call->function == LUAWS_FN_COALESCE) return call_coalesce(st, call, out);
  if (call->function >= LUAWS_FN_UNKNOWN) {
    const struct luaws_rule_value *text = luaws_eval_part(&call->at, 0);
    struct luaws_str name = luaws_ref_text(&text->at);
    return luaws_eval_refuse(st, "Unknown function: %.*s", LUAWS_STR_ARG(name));
  }
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < call->count; i++)
    rc = luaws_eval(st, luaws_eval_part(&call->at, i), &arguments[i]);
  return rc ? rc : functions[call->function](st, arguments, out);
}

int luaws_eval_call(struct luaws_eval_state *st, const struct luaws_rule_value *call,
                    struct luaws_eval_value *out) {
  int rc = call_function(st, call, out);
  if (rc || call->assign == LUAWS_RULE_NO_SLOT) return rc;
  struct luaws_eval_value *slot = &st->slots[call->assign];
  if (slot->kind != LUAWS_VALUE_ABSENT) {
    const luaws_ref *names = luaws_ref_get(&st->rules->slots);
    return luaws_eval_refuse(
        st,
        "Assignment %.*s already exists in scoped variables and cannot be overwritten",
        LUAWS_STR_ARG(luaws_ref_text(names + call->assign)));
  }
  *slot = *out;
  st->assigned[st->assigned_count++] = call->assign;
  return 0;
}

int luaws_eval(struct luaws_eval_state *st, const struct luaws_rule_value *v,
               struct luaws_eval_value *out) {
  switch (v->kind) {
  case LUAWS_RULE_FALSE:
  case LUAWS_RULE_TRUE:
    *out = luaws_eval_boolean(v->kind == LUAWS_RULE_TRUE);
    return 0;
  case LUAWS_RULE_INTEGER:
    *out = (struct luaws_eval_value){.kind = LUAWS_VALUE_INTEGER, .integer = v->integer};
    return 0;
  case LUAWS_RULE_TEXT:
    *out = luaws_eval_string(luaws_ref_text(&v->at));
    return 0;
  case LUAWS_RULE_REF:
    *out = st->slots[v->slot];
    return 0;
  case LUAWS_RULE_TEMPLATE:
    return eval_template(st, v, out);
  case LUAWS_RULE_CALL:
    return luaws_eval_call(st, v, out);
  default:
    *out = none;
    return 0;
  }
}

int luaws_eval_text(struct luaws_eval_state *st, const struct luaws_rule_value *v,
                    struct luaws_str *out) {
  struct luaws_eval_value text;
  int rc = luaws_eval(st, v, &text);
  return rc ? rc : luaws_eval_to_text(st, &text, out);
}
