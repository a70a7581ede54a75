/* The messages of an event stream as they travel: a prelude with its own CRC-32, headers
   with a type each, a payload, and the CRC-32 of it all. What they mean is
   event_stream.h's business. */
#ifndef LUAWS_PROTOCOL_EVENT_FRAME_H
#define LUAWS_PROTOCOL_EVENT_FRAME_H

#include "base/bytes.h"
#include "base/error.h"

/* As they stand on the wire. */
enum luaws_event_header_type {
  LUAWS_EVENT_HEADER_TRUE,
  LUAWS_EVENT_HEADER_FALSE,
  LUAWS_EVENT_HEADER_BYTE,
  LUAWS_EVENT_HEADER_SHORT,
  LUAWS_EVENT_HEADER_INTEGER,
  LUAWS_EVENT_HEADER_LONG,
  LUAWS_EVENT_HEADER_BYTES,
  LUAWS_EVENT_HEADER_STRING,
  LUAWS_EVENT_HEADER_TIMESTAMP, /* milliseconds since the epoch */
  LUAWS_EVENT_HEADER_UUID,      /* sixteen bytes */
};

struct luaws_event_header {
  struct luaws_str name;
  enum luaws_event_header_type type;
  int64_t integer;        /* BYTE to LONG, TIMESTAMP; 1 and 0 for TRUE and FALSE */
  struct luaws_str bytes; /* BYTES, STRING, UUID */
};

struct luaws_event_message {
  const struct luaws_event_header *headers; /* sorted by name */
  size_t header_count;
  struct luaws_str payload;
};

/* The header of that name, or NULL. */
const struct luaws_event_header *
luaws_event_header_get(const struct luaws_event_message *m, struct luaws_str name);
/* The text of a STRING header; none where it is not there or is no text. */
struct luaws_str luaws_event_header_text(const struct luaws_event_message *m,
                                         struct luaws_str name);

enum {
  LUAWS_EVENT_MAX_HEADER_BYTES = 128 * 1024,
  LUAWS_EVENT_MAX_PAYLOAD_BYTES = 24 * 1024 * 1024,
};

/* Takes bytes as they come and gives the messages that are whole. Start from {0}. */
struct luaws_event_decoder {
  struct luaws_buf data;
  size_t at;   /* the first byte that is not the script's yet */
  size_t last; /* length of the message given last, which is dropped by the next step */
  struct luaws_event_header *headers;
  size_t header_cap;
};

/* Room for more bytes: NULL without memory. luaws_event_decoder_filled says how many of
   them came. Messages given before are gone. */
char *luaws_event_decoder_room(struct luaws_event_decoder *d, size_t bytes);
void luaws_event_decoder_filled(struct luaws_event_decoder *d, size_t bytes);
/* The next message: 1, and *out, which lives until the next step or more bytes; 0 when
   more bytes must come first; LUAWS_E_RESPONSE with kind "ChecksumMismatch",
   "DuplicateHeader", "InvalidHeadersLength", "InvalidPayloadLength" or "ParserError",
   after which the stream is of no use. */
int luaws_event_decoder_next(struct luaws_event_decoder *d,
                             struct luaws_event_message *out, struct luaws_error *err);
/* At the end of the stream: whether it ended within a message. */
bool luaws_event_decoder_is_cut(const struct luaws_event_decoder *d);
void luaws_event_decoder_clear(struct luaws_event_decoder *d);

/* ---- writing ---- */

/* Appends a message. Its headers are those that luaws_event_put_header has put together.
   LUAWS_E_ARGUMENT with kind
   "InvalidHeadersLength" or "InvalidPayloadLength" where it would be too large. */
int luaws_event_write(struct luaws_buf *out, struct luaws_str headers,
                      struct luaws_str payload, struct luaws_error *err);
/* Appends a header as it stands on the wire: false, and nothing appended, when the name
   or the bytes are too long. */
bool luaws_event_put_header(struct luaws_buf *out, const struct luaws_event_header *h);

#endif
