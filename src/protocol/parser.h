/* What a parser keeps between responses. */
#ifndef LUAWS_PROTOCOL_PARSER_H
#define LUAWS_PROTOCOL_PARSER_H

#include "protocol/event_frame.h"
#include "protocol/protocol.h"
#include "value/json.h"

struct XML_ParserStruct;
struct luaws_xml_reading;
struct luaws_parser_block;

/* How many members, entries or items the last value of a shape had, which is the best
   guess for the next one: what the model allows is mostly far more. */
struct luaws_size {
  const struct luaws_shape *shape;
  uint32_t count;
};
enum { LUAWS_SIZES = 64 };

struct luaws_parser {
  struct XML_ParserStruct *xml;
  struct luaws_parser_block *ring;   /* all memory that expat has for it */
  struct luaws_xml_reading *reading; /* the stack of xml_read.c */
  bool xml_in_use; /* set while expat runs: found set, a writer has left it by longjmp */
  struct luaws_json json;
  struct luaws_buf text;             /* of the scalar that is being read */
  struct luaws_buf key;              /* of the map entry that is being read */
  struct luaws_buf scratch;          /* decoded blobs, paths for messages */
  struct luaws_event_decoder events; /* of a gathered event stream */
  struct luaws_size sizes[LUAWS_SIZES];
};

static inline struct luaws_size *luaws_parser_size_slot(struct luaws_parser *p,
                                                        const struct luaws_shape *shape) {
  return &p->sizes[(uint32_t)((uintptr_t)shape >> 2) * 2654435769u >> 26];
}

/* A hint for the writer, 0 when nothing is known. */
static inline size_t luaws_parser_size(struct luaws_parser *p,
                                       const struct luaws_shape *shape) {
  const struct luaws_size *s = luaws_parser_size_slot(p, shape);
  return s->shape == shape ? s->count : 0;
}

/* What a value of this shape turned out to hold. */
static inline void luaws_parser_learn_size(struct luaws_parser *p,
                                           const struct luaws_shape *shape,
                                           uint32_t count) {
  *luaws_parser_size_slot(p, shape) = (struct luaws_size){shape, count};
}

/* An expat parser ready for a document, in p->xml; NULL without memory. */
struct XML_ParserStruct *luaws_parser_xml(struct luaws_parser *p);
/* Before a handler returns to expat: what it wrote to may have used another parser. */
void luaws_parser_resume(struct luaws_parser *p);

#endif
