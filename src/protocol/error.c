#include "protocol/error.h"

#include <stdio.h>

bool luaws_error_is_generic(const struct luaws_response *r) {
  if (r->status < 500) return false;
  struct luaws_str body = luaws_str_trim(r->body);
  return body.len == 0 || luaws_str_starts(body, LUAWS_STR("<html>"));
}

struct luaws_str luaws_http_phrase(int status) {
  static const struct {
    int status;
    const char *phrase;
  } phrases[] = {
      {300, "Multiple Choices"},
      {301, "Moved Permanently"},
      {302, "Found"},
      {303, "See Other"},
      {304, "Not Modified"},
      {305, "Use Proxy"},
      {307, "Temporary Redirect"},
      {308, "Permanent Redirect"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {402, "Payment Required"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {407, "Proxy Authentication Required"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {410, "Gone"},
      {411, "Length Required"},
      {412, "Precondition Failed"},
      {413, "Request Entity Too Large"},
      {414, "Request-URI Too Long"},
      {415, "Unsupported Media Type"},
      {416, "Requested Range Not Satisfiable"},
      {417, "Expectation Failed"},
      {418, "I'm a Teapot"},
      {421, "Misdirected Request"},
      {422, "Unprocessable Entity"},
      {423, "Locked"},
      {424, "Failed Dependency"},
      {425, "Too Early"},
      {426, "Upgrade Required"},
      {428, "Precondition Required"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {451, "Unavailable For Legal Reasons"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
      {506, "Variant Also Negotiates"},
      {507, "Insufficient Storage"},
      {508, "Loop Detected"},
      {510, "Not Extended"},
      {511, "Network Authentication Required"},
  };
  for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
    if (phrases[i].status == status) return luaws_str_from(phrases[i].phrase);
  }
  return LUAWS_STR("");
}

static struct luaws_str status_code(struct luaws_parse *p) {
  char text[16];
  int n = snprintf(text, sizeof text, "%d", p->response->status);
  struct luaws_str s = luaws_arena_str(p->arena, (struct luaws_str){text, (size_t)n});
  return s.ptr ? s : LUAWS_STR("0");
}

void luaws_error_from_status(struct luaws_parse *p, struct luaws_service_error *out) {
  out->code = status_code(p);
  out->message = luaws_http_phrase(p->response->status);
}

struct luaws_str luaws_error_trim_code(struct luaws_str code) {
  ptrdiff_t colon = luaws_str_find(code, ':');
  if (colon >= 0) code.len = (size_t)colon;
  for (size_t i = code.len; i-- > 0;) {
    if (code.ptr[i] == '#') return luaws_str_sub(code, i + 1, code.len);
  }
  return code;
}

void luaws_error_find_shape(struct luaws_parse *p, struct luaws_service_error *out) {
  out->shape = NULL;
  if (out->query_error_code.len) {
    out->shape = luaws_service_error(p->service, out->query_error_code);
  }
  if (!out->shape && out->code.len)
    out->shape = luaws_service_error(p->service, out->code);
}

void luaws_error_query_compatible(struct luaws_parse *p,
                                  struct luaws_service_error *out) {
  const struct luaws_str *header =
      luaws_headers_get(&p->response->headers, LUAWS_STR("x-amzn-query-error"));
  if (!header) return;
  ptrdiff_t sep = luaws_str_find(*header, ';');
  if (sep <= 0) return;
  struct luaws_str type = luaws_str_sub(*header, (size_t)sep + 1, header->len);
  if (luaws_str_find(type, ';') >= 0) return;
  out->query_error_code = out->code;
  out->code = luaws_arena_str(p->arena, luaws_str_sub(*header, 0, (size_t)sep));
  out->type = luaws_arena_str(p->arena, type);
}

void luaws_error_write(struct luaws_writer *w, const struct luaws_service_error *out) {
  const struct {
    struct luaws_str name, value;
  } fields[] = {
      {LUAWS_STR("Message"), out->message.ptr ? out->message : LUAWS_STR("")},
      {LUAWS_STR("Code"), out->code},
      {LUAWS_STR("QueryErrorCode"), out->query_error_code},
      {LUAWS_STR("Type"), out->type},
  };
  w->ops->key(w, LUAWS_STR("Error"));
  w->ops->begin_map(w, 2, false);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    if (!fields[i].value.ptr) continue;
    w->ops->key(w, fields[i].name);
    w->ops->bytes(w, fields[i].value);
  }
  w->ops->end_map(w);
}
