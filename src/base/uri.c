#include "base/uri.h"

struct luaws_shown_url luaws_url_shown(struct luaws_str url) {
  ptrdiff_t scheme = luaws_str_find_str(url, LUAWS_STR("://"));
  size_t from = scheme < 0 ? 0 : (size_t)scheme + 3, end = url.len;
  /* To the last of all: a password may hold anything, where nobody has encoded it. */
  while (end > from && url.ptr[end - 1] != '@')
    end--;
  return (struct luaws_shown_url){.scheme = luaws_str_sub(url, 0, from),
                                  .mask = end > from ? "***@" : "",
                                  .rest = luaws_str_sub(url, end, url.len)};
}

void luaws_path_normalize(struct luaws_buf *out, struct luaws_str path) {
  size_t start = out->len;
  luaws_buf_append_char(out, '/');
  for (size_t i = 0; i < path.len && !out->failed; i++) {
    size_t from = i;
    while (i < path.len && path.ptr[i] != '/')
      i++;
    struct luaws_str segment = luaws_str_sub(path, from, i - from);
    if (segment.len == 0 || luaws_str_is(segment, ".")) continue;
    if (!luaws_str_is(segment, "..")) {
      luaws_buf_append_str(out, segment);
      luaws_buf_append_char(out, '/');
    } else if (out->len > start + 1) {
      /* Back to the slash before the last segment. */
      size_t len = out->len - 1;
      while (out->ptr[len - 1] != '/')
        len--;
      luaws_buf_truncate(out, len);
    }
  }
  bool ends_in_slash = path.len && path.ptr[path.len - 1] == '/';
  if (!out->failed && out->len > start + 1 && !ends_in_slash)
    luaws_buf_truncate(out, out->len - 1);
}
