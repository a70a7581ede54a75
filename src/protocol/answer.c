#include "protocol/answer.h"

static void write_path(struct luaws_buf *out, const struct luaws_path *p) {
  if (!p) return;
  write_path(out, p->up);
  if (p->name.ptr) {
    if (out->len) luaws_buf_append_char(out, '.');
    luaws_buf_append_str(out, p->name);
  } else {
    luaws_buf_printf(out, "[%zu]", p->index);
  }
}

int luaws_path_error(struct luaws_parser *p, const struct luaws_path *at,
                     const char *what, struct luaws_error *err) {
  struct luaws_buf *path = &p->scratch;
  luaws_buf_reset(path);
  write_path(path, at);
  if (path->len == 0) luaws_buf_append_cstr(path, "the response");
  return luaws_error_set(err, LUAWS_E_RESPONSE, "ResponseParserError",
                         "Unable to parse response: %.*s: %s",
                         LUAWS_STR_ARG(luaws_buf_str(path)), what);
}

void luaws_write_unknown_member(struct luaws_writer *w, struct luaws_str name) {
  w->ops->key(w, LUAWS_STR("SDK_UNKNOWN_MEMBER"));
  w->ops->begin_map(w, 1, false);
  w->ops->key(w, LUAWS_STR("name"));
  w->ops->bytes(w, name);
  w->ops->end_map(w);
}
