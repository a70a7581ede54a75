/* One call of one operation: a state machine from parameters to result.

     parameters → validate → endpoint → serialize → sign → send → (retry) → parse → result

   luaws_call_step runs it until it must wait for something, until somebody who listens is
   to be asked, or until it is done. Whoever owns the call decides how to wait: turn the
   loop, or let other work go on until on_ready. */
#ifndef LUAWS_CLIENT_CALL_H
#define LUAWS_CLIENT_CALL_H

#include "client/client.h"
#include "client/signer.h"
#include "endpoint/endpoint.h"
#include "http/checksum.h"
#include "protocol/event_frame.h"
#include "protocol/protocol.h"
#include "retry/retry.h"
#include "sign/sign.h"

/* Places along the path where a listener may look and change things; a bit of
   luaws_call.hooks each. Named after botocore's events. */
enum luaws_hook {
  LUAWS_HOOK_BEFORE_ENDPOINT, /* before-endpoint-resolution: endpoint_params are collected
                               */
  LUAWS_HOOK_BEFORE_CALL,     /* before-call: the request is serialized */
  LUAWS_HOOK_REQUEST_CREATED, /* request-created: of each attempt, before it is signed */
  LUAWS_HOOK_CHOOSE_SIGNER,   /* choose-signer */
  LUAWS_HOOK_BEFORE_SIGN,     /* before-sign */
  LUAWS_HOOK_BEFORE_SEND,  /* before-send: signed; may be answered without the network */
  LUAWS_HOOK_BEFORE_PARSE, /* before-parse: a response has come */
  LUAWS_HOOK_RESPONSE_RECEIVED, /* response-received */
  LUAWS_HOOK_NEEDS_RETRY, /* needs-retry: retry_delay_ms holds the policy's decision */
  LUAWS_HOOK_COUNT,
  /* No event of botocore's: the call is to be signed with a bucket's own keys, which the
     owner has to give (call->credentials). */
  LUAWS_HOOK_IDENTITY = 16
};

/* What a call ends with instead of being sent. */
enum luaws_presign {
  LUAWS_PRESIGN_NOTHING,
  LUAWS_PRESIGN_URL,  /* a URL that is signed, in `url` */
  LUAWS_PRESIGN_POST, /* the fields of a form that uploads, and its `url` */
};

enum luaws_step {
  LUAWS_STEP_DONE, /* luaws_call_result tells how it ended */
  LUAWS_STEP_WAIT, /* step again after on_ready */
  LUAWS_STEP_HOOK, /* call->hook is to be run; then step again */
};

/* What a stage returns that must wait: 0 is done, a negative code ends the call. */
enum { LUAWS_CALL_WAITS = 1 };

struct luaws_guard;
struct luaws_call {
  struct luaws_client *client;
  const struct luaws_operation *operation;
  struct luaws_reader *params;
  void (*on_ready)(void *owner); /* from within a turn of the loop: step again */
  void *owner;
  unsigned hooks; /* 1 << enum luaws_hook for each that somebody listens to */
  const struct luaws_guard *guards; /* hooks that somebody listens to at times (guard.h);
                                       the owner's */
  size_t guard_count;
  enum luaws_hook hook; /* after LUAWS_STEP_HOOK */
  enum luaws_presign presign;
  int64_t presign_expires_s;
  uint64_t features; /* used by this call: of who makes it, and what its stages add */
  struct luaws_str
      post_conditions; /* POST: of the policy, JSON texts with ", " between */
  bool gather;         /* a streamed payload is read whole, into the response */
  bool secret;         /* gets credentials: all that it leaves is wiped, however large */
  const struct luaws_str *secrets; /* among its parameters; the owner's */
  size_t secret_count;
  struct luaws_str presign_method; /* overrides the model's; none = the model's */

  /* What the stages make, in their order. A hook may look at and change them. */
  int stage;
  struct luaws_arena arena;
  struct luaws_endpoint_param *endpoint_params;
  size_t endpoint_param_count;
  const struct luaws_endpoint *endpoint;
  struct luaws_request request;
  uint64_t told_features; /* those in its User-Agent */
  struct luaws_buf body;
  struct luaws_buf kept_body; /* what was read of a pipe, while it is to be hashed */
  struct luaws_when_ready *more_body; /* while it has nothing */
  struct luaws_str body_sha256;       /* in hex, where it was read beforehand anyway */
  char invocation_id[37];
  char idempotency_token[37];
  struct luaws_str
      signature_version; /* set by choose-signer: "v4", "none", …; none = decide */
  struct luaws_signer signer;
  struct luaws_str plain_query; /* without what a signature put into it */
  struct luaws_credentials *credentials;
  struct luaws_chain_waiter credentials_waiter;
  struct luaws_retry_state retry;
  struct luaws_exchange *exchange;
  struct luaws_event_sender *sender; /* of an operation whose input is an event stream; */
  struct luaws_duplex *duplex;       /* its connection, in place of an exchange */
  struct luaws_timer *timer;
  bool body_read;   /* of the request, in part at least, by an attempt that is over */
  bool time_learnt; /* an answer told that the clock is wrong */
  bool moved; /* by needs-retry: the endpoint is resolved again before the next attempt */
  bool server_told_time;  /* with the last answer that was tried again */
  int64_t server_ahead_s; /* of this machine's clock, as it told */
  int64_t retry_delay_ms; /* of the policy, -1 = give up; needs-retry may replace it */
  struct luaws_parser *parser; /* the client's, while this call parses */
  struct luaws_checksum
      *verification;                /* of the body that is read, when one was promised */
  struct luaws_str verified_by;     /* its algorithm, as "crc32"; or none */
  struct luaws_response response;   /* of the last attempt; status 0 = none */
  bool answered;                    /* by before-send or before-call, not the network */
  struct luaws_error attempt_error; /* why the last attempt had no response */
  struct luaws_service_error service_error;
  struct luaws_event_decoder events;      /* of an event stream: what was read of it */
  struct luaws_arena event_arena;         /* of the event that is being parsed */
  struct luaws_event_message first_event; /* read before the call was done */
  bool has_first_event;
  struct luaws_str initial;          /* the payload of its initial-response, or none */
  struct luaws_buf url;              /* presign */
  struct luaws_headers post_fields;  /* PRESIGN_POST */
  struct luaws_error error;          /* final; code 0 = there is a response */
  struct luaws_monitored *monitored; /* for client-side monitoring; NULL when it is off */
};

/* Zero-cost until stepped. params must stay readable in every step until the call was
   serialized. NULL without memory. */
struct luaws_call *luaws_call_new(struct luaws_client *client,
                                  const struct luaws_operation *operation,
                                  struct luaws_reader *params);
enum luaws_step luaws_call_step(struct luaws_call *call);
/* Cancels what is under way and frees. */
void luaws_call_free(struct luaws_call *call);
/* For the stages. Tells the owner to step again (arg: the call). */
void luaws_call_ready(void *arg);
/* Steps again so many milliseconds later: LUAWS_CALL_WAITS, or without memory a code. */
int luaws_call_wait(struct luaws_call *call, int64_t ms, struct luaws_error *err);
static inline bool luaws_call_failed(const struct luaws_call *call) {
  return call->response.status >= 300;
}
/* Takes the client's parser, or a new one, into call->parser: what a writer does may make
   other calls of the same client. NULL without memory. */
struct luaws_parser *luaws_call_take_parser(struct luaws_call *call);
/* Gives it back; as luaws_call_free does where a writer has left by longjmp. */
void luaws_call_return_parser(struct luaws_call *call);
/* Frees what a client kept of a finished call for the next one. */
void luaws_call_destroy_spare(struct luaws_call *call);

/* Reads on from the connection: as luaws_exchange_read. */
ptrdiff_t luaws_call_receive(struct luaws_call *call, char *dst, size_t max,
                             struct luaws_error *err);

/* Ends the call without the network: from before-call or before-send. Copies. */
int luaws_call_answer(struct luaws_call *call, int status,
                      const struct luaws_header *headers, size_t header_count,
                      struct luaws_str body, struct luaws_error *err);

/* Takes the secrets that the request was made with out of the answer that refuses it. */
void luaws_call_redact(struct luaws_call *call);

/* Ends the call, from within a hook: its result is the owner's business. */
void luaws_call_end(struct luaws_call *call);

/* After LUAWS_STEP_DONE, writes the whole result, ResponseMetadata included, as one map:
   the output, returning 0; or what an error response holds, returning LUAWS_E_SERVICE and
   filling call->service_error. Without a response writes nothing and returns
   call->error.code, moving it to err (LUAWS_E_CREDENTIALS where that is another service's
   refusal to give some, err->code being LUAWS_E_SERVICE). */
int luaws_call_write(struct luaws_call *call, struct luaws_writer *out,
                     struct luaws_error *err);
/* Reads on from a streamed payload, as luaws_exchange_read, and compares it with the
   checksum that the response promised: "FlexibleChecksumError" at its end. */
ptrdiff_t luaws_call_read(struct luaws_call *call, char *dst, size_t max,
                          struct luaws_error *err);
/* The same without a copy, as luaws_exchange_peek; bytes count as read, for the checksum
   too, when they are skipped. */
ptrdiff_t luaws_call_peek(struct luaws_call *call, const char **out,
                          struct luaws_error *err);
void luaws_call_skip(struct luaws_call *call, const char *ptr, size_t used);
/* True when the result's payload is read from the connection after the call is done. */
bool luaws_call_streams(const struct luaws_call *call);

#endif
