/* Expat keeps count of the handlers it is in, and will not free a parser whose handler
   never returned: which is so once a writer has left by longjmp. So the memory of each
   parser is counted here and goes whatever expat thinks of it. */
#include "protocol/parser.h"

#include <expat.h>
#include <stdlib.h>

/* Before each piece of memory that expat has; all pieces of a parser form a ring. */
struct luaws_parser_block {
  struct luaws_parser_block *next, *previous;
  size_t size;
  _Alignas(16) char data[];
};

/* Whose memory is asked for: expat's allocation functions are told nothing. */
static _Thread_local struct luaws_parser *current;

static void link_block(struct luaws_parser_block *b, struct luaws_parser_block *ring) {
  b->next = ring;
  b->previous = ring->previous;
  b->previous->next = b->next->previous = b;
}

static void unlink_block(struct luaws_parser_block *b) {
  b->previous->next = b->next;
  b->next->previous = b->previous;
}

static struct luaws_parser_block *block_of(void *data) {
  return (struct luaws_parser_block *)((char *)data -
                                       offsetof(struct luaws_parser_block, data));
}

/* Answers hold credentials now and then. */
static void free_block(struct luaws_parser_block *b) {
  unlink_block(b);
  luaws_wipe(b->data, b->size);
  free(b);
}

static void *pool_alloc(size_t size) {
  if (size > SIZE_MAX / 2) return NULL;
  struct luaws_parser_block *b = malloc(sizeof *b + size);
  if (!b) return NULL;
  b->size = size;
  link_block(b, current->ring);
  return b->data;
}

static void *pool_realloc(void *data, size_t size) {
  if (!data) return pool_alloc(size);
  if (size > SIZE_MAX / 2) return NULL;
  struct luaws_parser_block *b = realloc(block_of(data), sizeof *b + size);
  if (!b) return NULL;
  b->size = size;
  b->previous->next = b->next->previous = b; /* it may have moved */
  return b->data;
}

static void pool_free(void *data) {
  if (data) free_block(block_of(data));
}

static void pool_clear(struct luaws_parser *p) {
  while (p->ring->next != p->ring)
    free_block(p->ring->next);
  p->xml = NULL;
}

struct XML_ParserStruct *luaws_parser_xml(struct luaws_parser *p) {
  static const XML_Memory_Handling_Suite suite = {pool_alloc, pool_realloc, pool_free};
  current = p;
  if (p->xml && (p->xml_in_use || !XML_ParserReset(p->xml, "UTF-8"))) pool_clear(p);
  if (!p->xml) p->xml = XML_ParserCreate_MM("UTF-8", &suite, NULL);
  p->xml_in_use = false;
  return p->xml;
}

void luaws_parser_resume(struct luaws_parser *p) {
  current = p;
}

struct luaws_parser *luaws_parser_new(void) {
  struct luaws_parser *p = calloc(1, sizeof *p);
  struct luaws_parser_block *ring = p ? malloc(sizeof *ring) : NULL;
  if (!ring) {
    free(p);
    return NULL;
  }
  ring->next = ring->previous = ring;
  p->ring = ring;
  return p;
}

void luaws_parser_wipes(struct luaws_parser *p) {
  p->json.scratch.wipes = p->text.wipes = p->key.wipes = p->scratch.wipes = true;
}

void luaws_parser_free(struct luaws_parser *p) {
  if (!p) return;
  pool_clear(p);
  free(p->ring);
  free(p->reading);
  luaws_json_finish(&p->json);
  luaws_buf_wipe(&p->text);
  luaws_buf_wipe(&p->key);
  luaws_buf_wipe(&p->scratch);
  luaws_event_decoder_clear(&p->events);
  free(p);
}
