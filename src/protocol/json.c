/* json 1.0 and 1.1: one path, the operation's name in a header, one JSON object each way.
 */
#include "protocol/event_stream.h"
#include "protocol/json_body.h"
#include "protocol/json_error.h"
#include "protocol/protocols.h"
#include "protocol/request.h"

static int set_headers(struct luaws_serialize *s, struct luaws_error *err) {
  const struct luaws_service *service = s->service;
  struct luaws_headers *h = &s->request->headers;
  struct luaws_buf *text = s->body; /* still empty */
  luaws_buf_append_str(text, luaws_ref_text(&service->target_prefix));
  luaws_buf_append_char(text, '.');
  luaws_buf_append_str(text, luaws_ref_text(&s->operation->name));
  bool ok = !text->failed &&
            luaws_headers_set(h, LUAWS_STR("X-Amz-Target"), luaws_buf_str(text));
  luaws_buf_reset(text);
  struct luaws_str version = luaws_ref_text(&service->json_version);
  luaws_buf_append_cstr(text, "application/x-amz-json-");
  luaws_buf_append_str(text, version.len ? version : LUAWS_STR("1.0"));
  ok = ok && !text->failed &&
       luaws_headers_set(h, LUAWS_STR("Content-Type"), luaws_buf_str(text));
  luaws_buf_reset(text);
  if (ok && (service->flags & LUAWS_SERVICE_QUERY_COMPATIBLE)) {
    ok = luaws_headers_set(h, LUAWS_STR("x-amzn-query-mode"), LUAWS_STR("true"));
  }
  return ok ? 0 : luaws_error_memory(err);
}

static int serialize(struct luaws_serialize *s, struct luaws_error *err) {
  int rc = luaws_request_start_rpc(s, err);
  if (rc == 0) rc = set_headers(s, err);
  if (rc == 0) rc = luaws_json_write_input(s, err);
  return rc ? rc : luaws_request_finish(s, err);
}

static int parse(struct luaws_parse *p, struct luaws_str *request_id,
                 struct luaws_error *err) {
  const struct luaws_shape *output = luaws_ref_get(&p->operation->output);
  if (!output) return 0;
  if (p->operation->flags & LUAWS_OP_EVENTS_OUT) return luaws_event_stream_write(p, err);
  return luaws_json_read(p->parser, p->response->body, output, true, p->out, err);
}

const struct luaws_protocol luaws_protocol_json = {
    .name = "json",
    .serialize = serialize,
    .parse = parse,
    .parse_error = luaws_json_parse_error,
    .peek_error = luaws_json_peek_error,
};
