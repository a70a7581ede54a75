/* What a parser keeps between responses. */
#ifndef LUAWS_PROTOCOL_PARSER_H
#define LUAWS_PROTOCOL_PARSER_H

#include "protocol/protocol.h"
#include "value/json.h"

struct XML_ParserStruct;
struct luaws_xml_reading;
struct luaws_parser_block;

struct luaws_parser {
  struct XML_ParserStruct *xml;
  struct luaws_parser_block *ring;   /* all memory that expat has for it */
  struct luaws_xml_reading *reading; /* the stack of xml_read.c */
  bool xml_in_use; /* set while expat runs: found set, a writer has left it by longjmp */
  struct luaws_json json;
  struct luaws_buf text;    /* of the scalar that is being read */
  struct luaws_buf key;     /* of the map entry that is being read */
  struct luaws_buf scratch; /* decoded blobs, paths for messages */
};

/* An expat parser ready for a document, in p->xml; NULL without memory. No other parser
   may be used until it is done. */
struct XML_ParserStruct *luaws_parser_xml(struct luaws_parser *p);

#endif
