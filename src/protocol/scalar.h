/* One scalar value as text and back: what form fields, XML elements, headers, paths and
   query strings have in common. */
#ifndef LUAWS_PROTOCOL_SCALAR_H
#define LUAWS_PROTOCOL_SCALAR_H

#include "base/error.h"
#include "model/model.h"
#include "value/value.h"

/* How deep values may be nested, in requests and responses: far more than any model
   needs, and a Lua table that holds itself ends here. */
enum { LUAWS_MAX_NESTING = 128 };

/* The value that r stands on as a point in time: a number of seconds, text in any form of
   luaws_time_parse, or a map with the fields of os.date("*t") (which are local time).
   False when it is none of these. */
bool luaws_read_time(struct luaws_reader *r, double *seconds);
/* The value as an integer; a float with an integral value is one. */
bool luaws_read_integer(struct luaws_reader *r, int64_t *out);

/* How timestamps are to be written. */
struct luaws_time_style {
  enum luaws_timestamp_format format; /* never DEFAULT */
  bool milliseconds;                  /* with three decimals, but for RFC 822 */
};
/* The member's own format, or that of its place in the message. */
static inline struct luaws_time_style
luaws_time_style(const struct luaws_member *m, enum luaws_timestamp_format otherwise,
                 bool milliseconds) {
  enum luaws_timestamp_format f =
      m ? (enum luaws_timestamp_format)m->timestamp_format : LUAWS_TIMESTAMP_DEFAULT;
  return (struct luaws_time_style){f ? f : otherwise, milliseconds};
}
/* Appends a point in time; false for what has no date. */
bool luaws_write_time(struct luaws_buf *out, double seconds,
                      struct luaws_time_style style);

/* Appends the scalar that r stands on as text; blobs as base64. LUAWS_E_ARGUMENT, kind
   "ParamValidationError", when it is no such scalar (which validation would have said).
 */
int luaws_scalar_text(struct luaws_buf *out, struct luaws_reader *r,
                      const struct luaws_shape *shape, struct luaws_time_style style,
                      struct luaws_error *err);

/* Writes text as a value of the shape, which is a scalar's. NULL when that went well,
   else what the text should have been ("an integer"). scratch is overwritten. */
const char *luaws_scalar_parse(struct luaws_writer *w, const struct luaws_shape *shape,
                               struct luaws_str text, struct luaws_buf *scratch);

/* "ParamValidationError" about the value that r stands on: it is not what `wanted` says.
 */
int luaws_wrong_kind(struct luaws_reader *r, const struct luaws_shape *shape,
                     const char *wanted, struct luaws_error *err);
int luaws_too_deep(struct luaws_error *err);

#endif
