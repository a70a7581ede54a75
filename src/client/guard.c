#include "client/guard.h"

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct luaws_str skip_space(struct luaws_str s) {
  while (s.len && is_space(*s.ptr))
    s = luaws_str_sub(s, 1, s.len);
  return s;
}

/* Behind what begins with `start` and ends with `end`; s itself where it is none. */
static struct luaws_str skip_part(struct luaws_str s, const char *start,
                                  const char *end) {
  if (!luaws_str_starts(s, luaws_str_from(start))) return s;
  const char *found = memmem(s.ptr, s.len, end, strlen(end));
  if (!found) return LUAWS_STR_NONE;
  return luaws_str_sub(s, (size_t)(found - s.ptr) + strlen(end), s.len);
}

static size_t name_length(struct luaws_str s) {
  size_t n = 0;
  while (n < s.len && !is_space(s.ptr[n]) && s.ptr[n] != '>' && s.ptr[n] != '/')
    n++;
  return n;
}

/* The name of the root element with its prefix, none where there is none. */
static struct luaws_str root_name(struct luaws_str s) {
  s = skip_space(skip_part(s, "\xEF\xBB\xBF", "\xBF"));
  s = skip_space(skip_part(s, "<?", "?>"));
  while (luaws_str_starts(s, LUAWS_STR("<!--")))
    s = skip_space(skip_part(s, "<!--", "-->"));
  if (!s.len || *s.ptr != '<') return LUAWS_STR_NONE;
  s = luaws_str_sub(s, 1, s.len);
  return luaws_str_sub(s, 0, name_length(s));
}

/* Whether a document ends as one with this root does. */
static bool ends_well(struct luaws_str s, struct luaws_str root) {
  while (s.len && is_space(s.ptr[s.len - 1]))
    s.len--;
  if (luaws_str_ends(s, LUAWS_STR("-->")) || luaws_str_ends(s, LUAWS_STR("/>")))
    return true; /* a parser will tell */
  if (!luaws_str_ends(s, LUAWS_STR(">"))) return false;
  s.len--;
  while (s.len && is_space(s.ptr[s.len - 1]))
    s.len--;
  if (!luaws_str_ends(s, root)) return false;
  s.len -= root.len;
  return luaws_str_ends(s, LUAWS_STR("</"));
}

bool luaws_is_error_document(const struct luaws_response *r) {
  if (r->status != 200 || r->body.len == 0) return false;
  struct luaws_str root = root_name(r->body);
  return !root.len || luaws_str_is(root, "Error") || !ends_well(r->body, root);
}

static bool holds(const struct luaws_call *call, const struct luaws_guard *g) {
  const struct luaws_response *r = &call->response;
  switch (g->kind) {
  case LUAWS_GUARD_FAILED:
    return r->status == 0 || r->status >= 300;
  case LUAWS_GUARD_HEADER:
    return luaws_headers_get(&r->headers, g->header);
  case LUAWS_GUARD_ERROR_DOCUMENT:
    return luaws_is_error_document(r);
  }
  return true;
}

bool luaws_call_stops(const struct luaws_call *call, enum luaws_hook hook) {
  if (call->hooks & (1u << hook)) return true;
  for (size_t i = 0; i < call->guard_count; i++) {
    const struct luaws_guard *g = &call->guards[i];
    if (g->hook == hook && holds(call, g)) return true;
  }
  return false;
}
