#include "protocol/json_error.h"

#include "protocol/error.h"
#include "protocol/json_body.h"
#include "protocol/parser.h"
#include "protocol/rest.h"

/* What the body says, texts in the arena. */
struct body {
  bool readable;            /* it is JSON */
  struct luaws_str type;    /* __type */
  struct luaws_str code;    /* code, else Code */
  struct luaws_str message; /* message, else Message; NULL when there is none */
};

/* Reads the value after a key when it is a scalar; false on an error. */
static bool take_text(struct luaws_parse *p, struct luaws_str *out) {
  struct luaws_json *j = &p->parser->json;
  enum luaws_json_token token = luaws_json_next(j);
  struct luaws_buf *text = &p->parser->text;
  switch (token) {
  case LUAWS_JSON_STRING:
  case LUAWS_JSON_NUMBER:
    *out = luaws_arena_str(p->arena, j->text);
    return true;
  case LUAWS_JSON_INTEGER:
    luaws_buf_reset(text);
    luaws_buf_append_int(text, j->integer);
    *out = luaws_arena_str(p->arena, luaws_buf_str(text));
    return true;
  case LUAWS_JSON_BEGIN_LIST:
  case LUAWS_JSON_BEGIN_MAP:
    return luaws_json_skip(j, token);
  case LUAWS_JSON_ERROR:
  case LUAWS_JSON_END:
    return false;
  default:
    return true;
  }
}

static bool read_object(struct luaws_parse *p, struct body *out) {
  struct luaws_json *j = &p->parser->json;
  struct luaws_str lower_code = {0}, lower_message = {0};
  enum luaws_json_token token;
  if (luaws_json_next(j) != LUAWS_JSON_BEGIN_MAP) return false;
  while ((token = luaws_json_next(j)) == LUAWS_JSON_KEY) {
    struct luaws_str *field = luaws_str_is(j->text, "__type")    ? &out->type
                              : luaws_str_is(j->text, "code")    ? &lower_code
                              : luaws_str_is(j->text, "Code")    ? &out->code
                              : luaws_str_is(j->text, "message") ? &lower_message
                              : luaws_str_is(j->text, "Message") ? &out->message
                                                                 : NULL;
    bool ok = field ? take_text(p, field) : luaws_json_skip(j, token);
    if (!ok) return false;
  }
  if (token != LUAWS_JSON_END_MAP || luaws_json_next(j) != LUAWS_JSON_END) return false;
  if (lower_code.ptr) out->code = lower_code;
  if (lower_message.ptr) out->message = lower_message;
  return true;
}

static void read_error(struct luaws_parse *p, bool rest, struct luaws_service_error *out,
                       struct body *body) {
  *out = (struct luaws_service_error){0};
  *body = (struct body){0};
  luaws_error_from_status(p, out);
  if (luaws_error_is_generic(p->response)) return;
  luaws_json_start(&p->parser->json, p->response->body);
  body->readable = read_object(p, body);
  if (body->readable) {
    out->message = body->message.ptr ? body->message : LUAWS_STR("");
  } else {
    /* What is no JSON is the message itself. */
    *body = (struct body){0};
    out->message = p->response->body.ptr ? p->response->body : LUAWS_STR("");
  }
  const struct luaws_str *header =
      luaws_headers_get(&p->response->headers, LUAWS_STR("x-amzn-errortype"));
  const struct luaws_str sources[] = {rest && header ? *header : LUAWS_STR_NONE,
                                      rest ? body->code : LUAWS_STR_NONE, body->type,
                                      header ? *header : LUAWS_STR_NONE, body->code};
  for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
    struct luaws_str code = luaws_str_trim(luaws_error_trim_code(sources[i]));
    if (!code.len) continue;
    out->code = code;
    break;
  }
  luaws_error_query_compatible(p, out);
  luaws_error_find_shape(p, out);
}

static int parse_error(struct luaws_parse *p, bool rest,
                       struct luaws_service_error *out) {
  struct body body;
  read_error(p, rest, out, &body);
  luaws_error_write(p->out, out);
  if (!out->shape) return 0;
  if (rest) luaws_rest_read_headers(p, out->shape, NULL);
  if (body.readable) {
    luaws_json_read(p->parser, p->response->body, out->shape, true, p->out, NULL);
  }
  return 0;
}

int luaws_json_parse_error(struct luaws_parse *p, struct luaws_service_error *out,
                           struct luaws_error *err) {
  return parse_error(p, false, out);
}

void luaws_json_peek_error(struct luaws_parse *p, struct luaws_service_error *out) {
  struct body body;
  read_error(p, false, out, &body);
}

int luaws_rest_json_parse_error(struct luaws_parse *p, struct luaws_service_error *out,
                                struct luaws_error *err) {
  return parse_error(p, true, out);
}

void luaws_rest_json_peek_error(struct luaws_parse *p, struct luaws_service_error *out) {
  struct body body;
  read_error(p, true, out, &body);
}
