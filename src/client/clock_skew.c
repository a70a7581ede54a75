#include "client/clock_skew.h"

#include <math.h>

#include "base/time.h"

/* What a wrong time may look like: how far off the clock must be before it is blamed.
   Signatures are good for five minutes at least. */
static const struct {
  const char *code;
  int64_t least_s;
} complaints[] = {
    {"RequestTimeTooSkewed", 1},
    {"RequestExpired", 1},
    {"RequestInTheFuture", 1},
    {"InvalidSignatureException", 240},
    {"SignatureDoesNotMatch", 240},
    {"AuthFailure", 240},
    {"403", 240}, /* an answer to HEAD has no body to say more */
};

int64_t luaws_client_signing_time_s(const struct luaws_client *c) {
  return luaws_session_now_s(c->session) + c->clock_offset_s;
}

static bool can_send_again(const struct luaws_call *call) {
  const struct luaws_stream *body = &call->request.body;
  return body->kind != LUAWS_STREAM_FUNCTION || body->rewind;
}

bool luaws_call_learns_time(struct luaws_call *call, struct luaws_str code) {
  struct luaws_client *c = call->client;
  const struct luaws_str *date =
      luaws_headers_get(&call->response.headers, LUAWS_STR("date"));
  double server_s;
  if (!date || !luaws_time_parse(*date, &server_s)) return false;
  if (call->signer.kind <= LUAWS_SIGNER_BEARER) return false;
  int64_t off_s = (int64_t)floor(server_s) - luaws_client_signing_time_s(c);
  for (size_t i = 0; i < sizeof complaints / sizeof *complaints; i++) {
    if (!luaws_str_is(code, complaints[i].code)) continue;
    if (off_s < complaints[i].least_s && off_s > -complaints[i].least_s) return false;
    c->clock_offset_s += off_s;
    bool first = !call->time_learnt;
    call->time_learnt = true;
    return first && can_send_again(call);
  }
  return false;
}
