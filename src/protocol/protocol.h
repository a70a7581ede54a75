/* The wire protocols: parameters into a request, a response into values. One struct
   luaws_protocol each (query.c, ec2.c, json.c, rest_json.c, rest_xml.c, …); which one a
   service speaks stands in its model.

   Serializing comes after validation and after the endpoint is known; it fills method,
   path, query, headers and body of the request and leaves scheme and host alone, but for
   a host prefix, which it puts before the host. */
#ifndef LUAWS_PROTOCOL_PROTOCOL_H
#define LUAWS_PROTOCOL_PROTOCOL_H

#include "base/error.h"
#include "base/message.h"
#include "model/model.h"
#include "value/value.h"

struct luaws_serialize {
  const struct luaws_service *service;
  const struct luaws_operation *operation;
  struct luaws_reader *params;   /* stands on the operation's parameters */
  struct luaws_request *request; /* arena set; path may hold the endpoint's own path, onto
                                    which ours is joined */
  struct luaws_buf *body; /* the body's memory: request->body points into it; lives as
                             long as the request */
  bool inject_host_prefix;
  bool millisecond_timestamps; /* ISO timestamps always with three decimals */
  const char
      *idempotency_token; /* used where a token member is absent; fresh for each call */
};

struct luaws_parse {
  const struct luaws_service *service;
  const struct luaws_operation *operation;
  const struct luaws_response *response;
  struct luaws_writer *out;
  struct luaws_arena *arena;   /* for whatever parsing needs */
  struct luaws_parser *parser; /* kept by the caller between calls, see below */
  bool gathered;               /* an event stream is whole in the response's body */
  struct luaws_str initial; /* of an event stream that is read later: the payload of its
                               initial-response, or none */
  struct luaws_headers *metadata; /* gets what the ResponseMetadata of a body (query) says
                                     beside the RequestId; NULL = nobody asks */
};

/* What a parser keeps (an expat parser, a JSON scanner, …) so that it is neither made
   anew for every response nor lost when a writer leaves by longjmp: the next use or the
   free cleans up. */
struct luaws_parser;
struct luaws_parser *luaws_parser_new(void);
/* What it reads from now on are secrets: all that it leaves is wiped, however large. */
void luaws_parser_wipes(struct luaws_parser *p);
void luaws_parser_free(struct luaws_parser *p);

/* What an error response says, before its modeled members are written. Texts live in the
 * parse arena. */
struct luaws_service_error {
  struct luaws_str code;    /* never empty: the HTTP status when the body names none */
  struct luaws_str message; /* ptr NULL where the response has none at all ("Unknown") */
  struct luaws_str type;    /* "Sender", "Receiver" where sent */
  struct luaws_str query_error_code; /* QueryErrorCode of query-compatible services */
  struct luaws_str request_id; /* from the body; headers are the caller's business */
  struct luaws_str host_id;
  const struct luaws_shape *shape; /* the modeled exception, or NULL */
};

struct luaws_protocol {
  const char *name;
  bool writes_xml;
  int (*serialize)(struct luaws_serialize *s, struct luaws_error *err);
  /* Writes the output structure's members between begin_map and end_map that the caller
     makes (so that it can add ResponseMetadata), headers, status and payload included.
     request_id gets what the body says of RequestId (query, ec2), else is left alone.
     LUAWS_E_RESPONSE, kind "ResponseParserError". */
  int (*parse)(struct luaws_parse *p, struct luaws_str *request_id,
               struct luaws_error *err);
  /* Reads an error response and writes into p->out, again between the caller's begin_map
     and end_map: key "Error" with Code, Message and whatever else botocore puts there,
     then the modeled exception's members at the top level. Never fails on a strange body
     (html, empty, truncated): it does what botocore does. */
  int (*parse_error)(struct luaws_parse *p, struct luaws_service_error *out,
                     struct luaws_error *err);
  /* Only the code and shape of an error response, nothing written: what the retry policy
   * wants to know. */
  void (*peek_error)(struct luaws_parse *p, struct luaws_service_error *out);
};

/* NULL for a protocol not spoken. */
const struct luaws_protocol *luaws_protocol_for(const struct luaws_service *service);

/* What is checked. Text is UTF-8 always: other bytes would arrive as something else. */
enum luaws_checks {
  LUAWS_CHECK_SHAPES = 1, /* types, names, lengths: all that the model says */
  LUAWS_CHECK_XML = 2,    /* the body is XML, which cannot hold every character */
};
/* Checks the parameters against the operation's input shape and reports every fault with
   its path: LUAWS_E_ARGUMENT, kind "ParamValidationError", message "Parameter validation
   failed:\n" and one line each. */
int luaws_check_params(const struct luaws_operation *op, struct luaws_reader *params,
                       unsigned checks, struct luaws_error *err);

#endif
