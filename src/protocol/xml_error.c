/* Errors are small and come in several forms, so they are read into a tree in the arena
   first; their modeled members are then read as any other answer. */
#include "protocol/xml_error.h"

#include "protocol/error.h"
#include "protocol/parser.h"
#include "protocol/rest.h"
#include "protocol/scalar.h"
#include "protocol/xml_read.h"

#include <expat.h>

/* What is larger is no error of any service. */
enum { MAX_ERROR_BYTES = 4 << 20, MAX_ELEMENTS = 10000 };

struct element {
  struct luaws_str name; /* without prefix */
  struct luaws_str text; /* before the first child; NULL when there is none */
  struct element *up, *first, *last, *next;
};

struct building {
  struct luaws_parser *parser;
  struct luaws_arena *arena;
  struct element *root, *at;
  int depth;
  int count;
  bool failed;
};

/* ---- the tree ---- */

static void give_up(struct building *b) {
  b->failed = true;
  XML_StopParser(b->parser->xml, XML_FALSE);
}

static void take_text(struct building *b) {
  struct luaws_buf *text = &b->parser->text;
  if (text->failed) return give_up(b);
  if (text->len) b->at->text = luaws_arena_str(b->arena, luaws_buf_str(text));
  luaws_buf_reset(text);
}

static void XMLCALL on_start(void *data, const XML_Char *tag, const XML_Char **atts) {
  struct building *b = data;
  if (b->failed) return;
  if (b->at && !b->at->first) take_text(b);
  struct element *e = luaws_arena_alloc(b->arena, sizeof *e);
  if (!e || ++b->depth > LUAWS_MAX_NESTING || ++b->count > MAX_ELEMENTS)
    return give_up(b);
  const char *colon = strchr(tag, ':');
  e->name = luaws_arena_str(b->arena, luaws_str_from(colon ? colon + 1 : tag));
  e->up = b->at;
  if (!b->at) {
    b->root = e;
  } else if (b->at->last) {
    b->at->last = b->at->last->next = e;
  } else {
    b->at->first = b->at->last = e;
  }
  b->at = e;
}

static void XMLCALL on_end(void *data, const XML_Char *tag) {
  struct building *b = data;
  if (b->failed) return;
  if (!b->at->first) take_text(b);
  b->at = b->at->up;
  b->depth--;
}

static void XMLCALL on_text(void *data, const XML_Char *s, int len) {
  struct building *b = data;
  if (!b->failed && b->at && !b->at->first) {
    luaws_buf_append(&b->parser->text, s, (size_t)len);
  }
}

static void XMLCALL on_doctype(void *data, const XML_Char *name, const XML_Char *sysid,
                               const XML_Char *pubid, int has_internal_subset) {
  give_up(data);
}

/* The root, or NULL for what is no XML. */
static struct element *read_tree(struct luaws_parse *p) {
  struct luaws_str body = p->response->body;
  if (body.len == 0 || body.len > MAX_ERROR_BYTES) return NULL;
  struct building b = {.parser = p->parser, .arena = p->arena};
  XML_Parser xml = luaws_parser_xml(p->parser);
  if (!xml) return NULL;
  luaws_buf_reset(&p->parser->text);
  XML_SetUserData(xml, &b);
  XML_SetElementHandler(xml, on_start, on_end);
  XML_SetCharacterDataHandler(xml, on_text);
  XML_SetStartDoctypeDeclHandler(xml, on_doctype);
  enum XML_Status ok = XML_Parse(xml, body.ptr, (int)body.len, 1);
  return ok == XML_STATUS_OK && !b.failed ? b.root : NULL;
}

static struct element *child(struct element *e, const char *name) {
  for (struct element *c = e ? e->first : NULL; c; c = c->next) {
    if (luaws_str_is(c->name, name)) return c;
  }
  return NULL;
}

static struct luaws_str child_text(struct element *e, const char *name) {
  struct element *c = child(e, name);
  return c ? c->text : LUAWS_STR_NONE;
}

/* ---- what it says ---- */

struct xml_error {
  struct element *root;
  struct element *error;    /* the element that holds Code and Message, or NULL */
  struct luaws_str path[2]; /* to it from the root */
  int path_length;
};

static void find_error(struct xml_error *x) {
  struct element *errors = child(x->root, "Errors");
  if (luaws_str_is(x->root->name, "Error")) {
    x->error = x->root;
  } else if (child(errors, "Error")) {
    x->error = child(errors, "Error");
    x->path[0] = LUAWS_STR("Errors");
    x->path[1] = LUAWS_STR("Error");
    x->path_length = 2;
  } else if (child(x->root, "Error")) {
    x->error = child(x->root, "Error");
    x->path[0] = LUAWS_STR("Error");
    x->path_length = 1;
  }
}

static void read_error(struct luaws_parse *p, struct luaws_service_error *out,
                       struct xml_error *x) {
  *out = (struct luaws_service_error){0};
  *x = (struct xml_error){0};
  luaws_error_from_status(p, out);
  if (luaws_error_is_generic(p->response)) return;
  x->root = read_tree(p);
  if (!x->root) return;
  find_error(x);
  if (!x->error) return;
  struct luaws_str code = luaws_str_trim(child_text(x->error, "Code"));
  if (code.len) out->code = code;
  out->message = child_text(x->error, "Message");
  out->type = child_text(x->error, "Type");
  struct element *holder = x->error == x->root ? x->error : x->root;
  /* S3 tells it twice, and what stands before the body counts. */
  if (x->error == x->root &&
      luaws_headers_get(&p->response->headers, LUAWS_STR("x-amz-request-id")))
    holder = NULL;
  out->request_id = child_text(holder, "RequestId");
  if (!out->request_id.ptr) out->request_id = child_text(holder, "RequestID");
  out->host_id = child_text(holder, "HostId");
  luaws_error_find_shape(p, out);
}

static void write_children(struct luaws_writer *w, struct element *e);

static void write_element(struct luaws_writer *w, struct element *e) {
  if (e->first) {
    w->ops->key(w, e->name);
    w->ops->begin_map(w, 0, false);
    write_children(w, e);
    w->ops->end_map(w);
  } else if (e->text.ptr) {
    w->ops->key(w, e->name);
    w->ops->bytes(w, e->text);
  }
}

/* A name that comes again is left out: it would replace the first. */
static bool came_before(struct element *parent, struct element *e) {
  for (struct element *c = parent->first; c != e; c = c->next) {
    if (luaws_str_eq(c->name, e->name)) return true;
  }
  return false;
}

static void write_children(struct luaws_writer *w, struct element *e) {
  for (struct element *c = e->first; c; c = c->next) {
    if (!came_before(e, c)) write_element(w, c);
  }
}

int luaws_xml_parse_error(struct luaws_parse *p, struct luaws_service_error *out,
                          struct luaws_error *err) {
  struct luaws_writer *w = p->out;
  struct xml_error x;
  read_error(p, out, &x);
  if (!x.error) {
    luaws_error_write(w, out);
    return 0;
  }
  bool alone = x.error == x.root; /* S3's form */
  w->ops->key(w, LUAWS_STR("Error"));
  w->ops->begin_map(w, 2, false);
  if (!child_text(x.error, "Code").len) {
    w->ops->key(w, LUAWS_STR("Code"));
    w->ops->bytes(w, out->code);
  }
  for (struct element *c = x.error->first; c; c = c->next) {
    bool metadata =
        alone && (luaws_str_is(c->name, "RequestId") || luaws_str_is(c->name, "HostId"));
    if (!metadata && !came_before(x.error, c)) write_element(w, c);
  }
  w->ops->end_map(w);
  if (!out->shape) return 0;
  luaws_rest_read_headers(p, out->shape, NULL);
  struct luaws_xml_target target = {.shape = out->shape,
                                    .path = {x.path[0], x.path[1]},
                                    .path_length = x.path_length,
                                    .bare = true,
                                    .may_miss = true,
                                    .arena = p->arena};
  luaws_xml_read(p->parser, p->response->body, &target, w, NULL);
  return 0;
}

void luaws_xml_peek_error(struct luaws_parse *p, struct luaws_service_error *out) {
  struct xml_error x;
  read_error(p, out, &x);
}
