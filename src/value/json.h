/* JSON text as a row of tokens. One scanner for models, parameters and responses: it
   looks at the bytes once, copies a string only when it holds an escape, and never
   recurses. RFC 8259. */
#ifndef LUAWS_VALUE_JSON_H
#define LUAWS_VALUE_JSON_H

#include "base/bytes.h"
#include "base/error.h"

enum luaws_json_token {
  LUAWS_JSON_END,   /* of the text: everything was read and well-formed */
  LUAWS_JSON_ERROR, /* scan.message and scan.at say what and where */
  LUAWS_JSON_NULL,
  LUAWS_JSON_TRUE,
  LUAWS_JSON_FALSE,
  LUAWS_JSON_INTEGER, /* scan.integer; fits 64 bits */
  LUAWS_JSON_NUMBER,  /* scan.number; scan.text is the literal */
  LUAWS_JSON_STRING,  /* scan.text, unescaped */
  LUAWS_JSON_KEY,     /* scan.text, unescaped; its value follows */
  LUAWS_JSON_BEGIN_LIST,
  LUAWS_JSON_END_LIST,
  LUAWS_JSON_BEGIN_MAP,
  LUAWS_JSON_END_MAP,
};

enum { LUAWS_JSON_MAX_DEPTH = 512 };

/* Zero it, then luaws_json_start; luaws_json_finish frees. May be kept and started again.
 */
struct luaws_json {
  struct luaws_str input;
  size_t at;
  struct luaws_str text; /* valid until the next token */
  int64_t integer;
  double number;
  const char *message;
  int depth;
  uint8_t expect;                          /* what may come next */
  uint8_t stack[LUAWS_JSON_MAX_DEPTH / 8]; /* one bit a level: list or map */
  struct luaws_buf scratch;
};

void luaws_json_start(struct luaws_json *j, struct luaws_str input);
enum luaws_json_token luaws_json_next(struct luaws_json *j);
/* Having just got a BEGIN_ token: reads to its END_. Having just got a KEY: reads its
   value. False on an error in it. */
bool luaws_json_skip(struct luaws_json *j, enum luaws_json_token just_read);
void luaws_json_finish(struct luaws_json *j);

/* s in quotes, escaped as JSON asks and no more (UTF-8 passes; bytes that are no UTF-8
 * become U+FFFD). */
void luaws_json_quote(struct luaws_buf *out, struct luaws_str s);

#endif
