/* smithy-rpc-v2-cbor: the operation's name in the path, one CBOR map each way. */
#include "protocol/cbor.h"

#include "protocol/error.h"
#include "protocol/event_stream.h"
#include "protocol/protocols.h"
#include "protocol/request.h"

static int set_path(struct luaws_serialize *s, struct luaws_error *err) {
  struct luaws_buf *text = s->body; /* still empty */
  luaws_buf_append_cstr(text, "/service/");
  luaws_buf_append_str(text, luaws_ref_text(&s->service->target_prefix));
  luaws_buf_append_cstr(text, "/operation/");
  luaws_buf_append_str(text, luaws_ref_text(&s->operation->name));
  int rc = text->failed ? luaws_error_memory(err)
                        : luaws_request_join_path(s->request, luaws_buf_str(text), err);
  luaws_buf_reset(text);
  return rc;
}

static int set_headers(struct luaws_serialize *s, struct luaws_error *err) {
  struct luaws_headers *h = &s->request->headers;
  bool events = s->operation->flags & LUAWS_OP_EVENTS_OUT;
  bool ok =
      luaws_headers_set(h, LUAWS_STR("smithy-protocol"), LUAWS_STR("rpc-v2-cbor")) &&
      luaws_headers_set(h, LUAWS_STR("Accept"),
                        events ? LUAWS_STR("application/vnd.amazon.eventstream")
                               : LUAWS_STR("application/cbor"));
  if (ok && s->operation->input) {
    ok = luaws_headers_set(h, LUAWS_STR("Content-Type"), LUAWS_STR("application/cbor"));
  }
  if (ok && (s->service->flags & LUAWS_SERVICE_QUERY_COMPATIBLE)) {
    ok = luaws_headers_set(h, LUAWS_STR("x-amzn-query-mode"), LUAWS_STR("true"));
  }
  return ok ? 0 : luaws_error_memory(err);
}

static int serialize(struct luaws_serialize *s, struct luaws_error *err) {
  s->request->method = LUAWS_STR("POST");
  int rc = luaws_request_host_prefix(s, err);
  if (rc == 0) rc = set_path(s, err);
  if (rc == 0) rc = set_headers(s, err);
  if (rc == 0 && s->operation->input) rc = luaws_cbor_write_input(s, err);
  return rc ? rc : luaws_request_finish(s, err);
}

static int parse(struct luaws_parse *p, struct luaws_str *request_id,
                 struct luaws_error *err) {
  const struct luaws_shape *output = luaws_ref_get(&p->operation->output);
  if (!output) return 0;
  if (p->operation->flags & LUAWS_OP_EVENTS_OUT) return luaws_event_stream_write(p, err);
  return luaws_cbor_read(p->parser, p->response->body, output, true, p->out, err);
}

/* ---- errors ---- */

static bool read_error(struct luaws_parse *p, struct luaws_service_error *out) {
  struct luaws_str type, code, message;
  *out = (struct luaws_service_error){0};
  luaws_error_from_status(p, out);
  if (luaws_error_is_generic(p->response)) return false;
  bool readable = luaws_cbor_read_error(p, &type, &code, &message);
  if (readable) {
    out->message = message.ptr ? message : LUAWS_STR("");
    type = luaws_error_trim_code(type.ptr ? type : code);
    if (type.len) out->code = type;
  }
  luaws_error_query_compatible(p, out);
  luaws_error_find_shape(p, out);
  return readable;
}

static int parse_error(struct luaws_parse *p, struct luaws_service_error *out,
                       struct luaws_error *err) {
  bool readable = read_error(p, out);
  luaws_error_write(p->out, out);
  if (out->shape && readable) {
    luaws_cbor_read(p->parser, p->response->body, out->shape, true, p->out, NULL);
  }
  return 0;
}

static void peek_error(struct luaws_parse *p, struct luaws_service_error *out) {
  read_error(p, out);
}

const struct luaws_protocol luaws_protocol_cbor = {
    .name = "smithy-rpc-v2-cbor",
    .serialize = serialize,
    .parse = parse,
    .parse_error = parse_error,
    .peek_error = peek_error,
};
