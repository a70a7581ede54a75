/* The patterns are looked at so rarely (for a region that no partition lists) and are so
   plain that a matcher which walks the pattern as it is beats keeping compiled ones. */
#include "endpoint/region_match.h"

#include "model/model.h"

enum { MAX_STEPS = 20000, MAX_GROUPS = 16 };

/* What is still to be matched: the rest of a pattern, and after it that of the group's
   surroundings. */
struct rest {
  struct luaws_str pattern;
  const struct rest *then;
};

struct matcher {
  struct luaws_str text;
  int steps;
  int groups;
};

static bool match_rest(struct matcher *m, const struct rest *rest, size_t at);

static bool is_digit(unsigned char c) {
  return c >= '0' && c <= '9';
}

static bool is_word(unsigned char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c >= 0x80;
}

/* The length of the one-character item that p begins with, 0 when it begins with none. */
static size_t item_len(struct luaws_str p) {
  if (!p.len) return 0;
  if (p.ptr[0] == '\\') return p.len > 1 ? 2 : 0;
  if (p.ptr[0] == '[') {
    ptrdiff_t end = luaws_str_find(luaws_str_sub(p, 2, p.len), ']');
    return end < 0 ? 0 : (size_t)end + 3;
  }
  return strchr("()|*+?{}^$", p.ptr[0]) ? 0 : 1;
}

static bool in_class(struct luaws_str inner, unsigned char c) {
  bool negated = inner.len && inner.ptr[0] == '^';
  bool found = false;
  for (size_t i = negated; i < inner.len; i++) {
    unsigned char low = (unsigned char)inner.ptr[i];
    unsigned char high = low;
    if (i + 2 < inner.len && inner.ptr[i + 1] == '-') {
      high = (unsigned char)inner.ptr[i + 2];
      i += 2;
    }
    found = found || (c >= low && c <= high);
  }
  return found != negated;
}

static bool item_matches(struct luaws_str item, unsigned char c) {
  if (item.ptr[0] == '[') return in_class(luaws_str_sub(item, 1, item.len - 2), c);
  if (item.ptr[0] == '.') return c != '\n';
  if (item.ptr[0] != '\\') return (unsigned char)item.ptr[0] == c;
  switch (item.ptr[1]) {
  case 'w':
    return is_word(c);
  case 'd':
    return is_digit(c);
  case 's':
    return c == ' ' || (c >= '\t' && c <= '\r');
  default:
    return (unsigned char)item.ptr[1] == c;
  }
}

/* The place of the parenthesis that closes the one at 0, or 0. */
static size_t group_end(struct luaws_str p) {
  int depth = 0;
  for (size_t i = 0; i < p.len; i++) {
    if (p.ptr[i] == '\\') {
      i++;
    } else if (p.ptr[i] == '(') {
      depth++;
    } else if (p.ptr[i] == ')' && --depth == 0) {
      return i;
    }
  }
  return 0;
}

/* One after the other what stands between the "|" of a group, or of the whole. */
static bool match_alternatives(struct matcher *m, struct luaws_str inner,
                               const struct rest *then, size_t at) {
  size_t from = 0;
  int depth = 0;
  if (m->groups == MAX_GROUPS) return false;
  m->groups++;
  bool matched = false;
  for (size_t i = 0; !matched && i <= inner.len; i++) {
    if (i < inner.len && inner.ptr[i] == '\\') {
      i++;
    } else if (i < inner.len && inner.ptr[i] == '(') {
      depth++;
    } else if (i < inner.len && inner.ptr[i] == ')') {
      depth--;
    } else if (i == inner.len || (inner.ptr[i] == '|' && depth == 0)) {
      struct rest rest = {luaws_str_sub(inner, from, i - from), then};
      matched = match_rest(m, &rest, at);
      from = i + 1;
    }
  }
  m->groups--;
  return matched;
}

/* As many of item as there are, then fewer. */
static bool match_repeat(struct matcher *m, struct luaws_str item, size_t least,
                         size_t most, const struct rest *then, size_t at) {
  size_t count = 0;
  while (count < most && at + count < m->text.len &&
         item_matches(item, (unsigned char)m->text.ptr[at + count])) {
    count++;
  }
  for (; count + 1 > least; count--) {
    if (match_rest(m, then, at + count)) return true;
    if (count == 0) break;
  }
  return false;
}

static bool match_rest(struct matcher *m, const struct rest *rest, size_t at) {
  while (rest && !rest->pattern.len)
    rest = rest->then;
  if (!rest) return true;
  if (++m->steps > MAX_STEPS) return false;
  struct luaws_str p = rest->pattern;
  struct rest next = {luaws_str_sub(p, 1, p.len), rest->then};
  if (p.ptr[0] == '^') return at == 0 && match_rest(m, &next, at);
  if (p.ptr[0] == '$') return at == m->text.len && match_rest(m, &next, at);
  if (p.ptr[0] == '(') {
    size_t end = group_end(p);
    if (!end) return false;
    next.pattern = luaws_str_sub(p, end + 1, p.len);
    return match_alternatives(m, luaws_str_sub(p, 1, end - 1), &next, at);
  }
  size_t len = item_len(p);
  if (!len) return false;
  struct luaws_str item = luaws_str_sub(p, 0, len);
  char repeat = len < p.len ? p.ptr[len] : 0;
  bool repeated = repeat == '*' || repeat == '+' || repeat == '?';
  next.pattern = luaws_str_sub(p, len + repeated, p.len);
  size_t least = repeat == '*' || repeat == '?' ? 0 : 1;
  size_t most = repeat == '*' || repeat == '+' ? SIZE_MAX : 1;
  return match_repeat(m, item, least, most, &next, at);
}

bool luaws_region_pattern_match(struct luaws_str pattern, struct luaws_str s) {
  enum { MAX_REGION_BYTES = 255, MAX_PATTERN_BYTES = 256 };
  if (s.len > MAX_REGION_BYTES || pattern.len > MAX_PATTERN_BYTES) return false;
  struct matcher m = {.text = s};
  return match_alternatives(&m, pattern, NULL, 0);
}

bool luaws_region_match(const struct luaws_node *partition, struct luaws_str region) {
  if (luaws_node_get(luaws_node_get(partition, LUAWS_STR("regions")), region))
    return true;
  struct luaws_str pattern =
      luaws_node_text(luaws_node_get(partition, LUAWS_STR("regionRegex")));
  return pattern.ptr && luaws_region_pattern_match(pattern, region);
}
