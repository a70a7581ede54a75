#include "client/events.h"

enum { READ_BYTES = 16 * 1024 };

/* More bytes for the decoder: 1, 0 at the end, LUAWS_READ_AGAIN, or a negative code. */
static int read_more(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_event_decoder *d = &call->events;
  if ((!call->exchange && !call->duplex) ||
      call->answered) { /* a listener's answer is in memory */
    struct luaws_str body = call->response.body;
    if (body.len == 0) return 0;
    char *room = luaws_event_decoder_room(d, body.len);
    if (!room) return luaws_error_memory(err);
    memcpy(room, body.ptr, body.len);
    luaws_event_decoder_filled(d, body.len);
    call->response.body = LUAWS_STR_NONE;
    return 1;
  }
  char *room = luaws_event_decoder_room(d, READ_BYTES);
  if (!room) return luaws_error_memory(err);
  ptrdiff_t n = luaws_call_receive(call, room, READ_BYTES, err);
  if (n <= 0) return (int)n;
  luaws_event_decoder_filled(d, (size_t)n);
  return 1;
}

/* Any message. */
static int next_message(struct luaws_call *call, struct luaws_event_message *out,
                        struct luaws_error *err) {
  int rc;
  while ((rc = luaws_event_decoder_next(&call->events, out, err)) == 0) {
    int more = read_more(call, err);
    if (more == 0 && luaws_event_decoder_is_cut(&call->events))
      return luaws_event_stream_cut(err);
    if (more != 1) return more;
  }
  return rc;
}

int luaws_call_begin_events(struct luaws_call *call, struct luaws_error *err) {
  bool wanted = luaws_event_stream_has_initial(call->client->service, call->operation) &&
                call->response.status < 300 && !call->gather;
  if (!wanted || call->has_first_event) return 0;
  int rc = next_message(call, &call->first_event, err);
  if (rc < 0) return rc;
  enum luaws_event_kind kind =
      rc ? luaws_event_kind(call->operation, &call->first_event) : LUAWS_EVENT_UNKNOWN;
  if (kind == LUAWS_EVENT_INITIAL) {
    call->initial = luaws_arena_str(&call->arena, call->first_event.payload);
    return call->initial.ptr ? 0 : luaws_error_memory(err);
  }
  if (kind == LUAWS_EVENT_ERROR) { /* told to whoever asks for the events */
    call->has_first_event = true;
    return 0;
  }
  return luaws_error_set(err, LUAWS_E_RESPONSE, "ResponseParserError",
                         "First event was not of type initial-response");
}

int luaws_call_next_event(struct luaws_call *call, struct luaws_event_message *out,
                          enum luaws_event_kind *kind, struct luaws_error *err) {
  if (call->has_first_event) {
    call->has_first_event = false;
    *out = call->first_event;
    *kind = LUAWS_EVENT_ERROR;
    return 1;
  }
  int rc;
  while ((rc = next_message(call, out, err)) == 1) {
    *kind = luaws_event_kind(call->operation, out);
    if (*kind == LUAWS_EVENT_MODELED || *kind == LUAWS_EVENT_ERROR) break;
  }
  return rc;
}

int luaws_call_write_event(struct luaws_call *call, const struct luaws_event_message *m,
                           enum luaws_event_kind kind, struct luaws_writer *out,
                           struct luaws_service_error *error, struct luaws_error *err) {
  luaws_arena_reset(&call->event_arena);
  if (!luaws_call_take_parser(call)) return luaws_error_memory(err);
  struct luaws_parse p = {
      .service = call->client->service,
      .operation = call->operation,
      .response = &call->response,
      .out = out,
      .arena = &call->event_arena,
      .parser = call->parser,
  };
  int rc;
  if (kind == LUAWS_EVENT_MODELED) {
    rc = luaws_event_parse(&p, m, err);
  } else {
    out->ops->begin_map(out, 2, false);
    rc = luaws_event_parse_error(&p, m, error, err);
    out->ops->end_map(out);
  }
  luaws_call_return_parser(call);
  return rc;
}
