/* The two small interfaces between wire formats and the values of a program.

   A reader is pulled from by whoever serializes or validates: it stands on one value, can
   say what that is, and can step into a part of it and back out. A writer is pushed to by
   whoever parses. bindings/ implements both on the Lua stack, value/tree.c on a JSON
   tree; no protocol knows which it has.

   A function of either may leave with a longjmp (a Lua error: out of memory): whoever
   calls one must own whatever it holds (parsers, buffers) through an object that lives
   outside its own C stack frame. */
#ifndef LUAWS_VALUE_VALUE_H
#define LUAWS_VALUE_VALUE_H

#include "base/bytes.h"
#include "base/stream.h"

enum luaws_kind {
  LUAWS_KIND_NONE, /* nothing there */
  LUAWS_KIND_NULL, /* an explicit null (aws.null) */
  LUAWS_KIND_BOOLEAN,
  LUAWS_KIND_INTEGER,
  LUAWS_KIND_FLOAT,
  LUAWS_KIND_STRING,
  LUAWS_KIND_LIST,
  LUAWS_KIND_MAP,
  LUAWS_KIND_EMPTY,  /* an empty table: list or map, whichever is wanted */
  LUAWS_KIND_STREAM, /* a file, a function: only good as a streaming blob */
  LUAWS_KIND_EVENTS, /* a writer of events: only good as an event stream */
  LUAWS_KIND_OTHER,  /* what no AWS parameter can be (a coroutine, …) */
};

struct luaws_reader {
  const struct luaws_reader_ops *ops;
};

struct luaws_reader_ops {
  enum luaws_kind (*kind)(struct luaws_reader *r);
  /* Only for a value of that kind. An INTEGER may be asked for as a float. */
  bool (*boolean)(struct luaws_reader *r);
  int64_t (*integer)(struct luaws_reader *r);
  double (*floating)(struct luaws_reader *r);
  /* The bytes of a STRING; valid until the reader leaves it. */
  struct luaws_str (*bytes)(struct luaws_reader *r);
  /* The bytes of a STRING that the model calls a blob: not the same where a text cannot
   * hold any bytes. */
  struct luaws_str (*blob)(struct luaws_reader *r);
  /* Whether blob can make bytes of the STRING; NULL where it always can. */
  bool (*is_blob)(struct luaws_reader *r);
  /* A STRING or STREAM as a body, with what keeps it alive (release). */
  int (*stream)(struct luaws_reader *r, struct luaws_stream *out,
                struct luaws_error *err);
  /* The number of items of a LIST, or entries of a MAP; 0 for EMPTY. */
  size_t (*length)(struct luaws_reader *r);
  /* Step into a structure's member or a list's item (from 0). False, and no step, when it
     is not there. Each step that was made is undone by one leave. */
  bool (*enter_member)(struct luaws_reader *r, struct luaws_str name);
  bool (*enter_item)(struct luaws_reader *r, size_t index);
  void (*leave)(struct luaws_reader *r);
  /* Walk over a map: begin_entries once; next_entry steps onto the next value and gives
     its key (false at the end, which also ends the walk); leave steps off the value. To
     stop early call end_entries instead of a further next_entry. A key that is no string
     comes as its text with *key_kind set to its kind (else LUAWS_KIND_STRING). Order is
     the map's own. */
  void (*begin_entries)(struct luaws_reader *r);
  bool (*next_entry)(struct luaws_reader *r, struct luaws_str *key,
                     enum luaws_kind *key_kind);
  void (*end_entries)(struct luaws_reader *r);
  /* For messages: a short rendering of the value, and the name of its type as its own
     language calls it ("number", "table"). */
  void (*describe)(struct luaws_reader *r, struct luaws_buf *out);
  const char *(*type_name)(struct luaws_reader *r);
};

struct luaws_writer {
  const struct luaws_writer_ops *ops;
};

struct luaws_writer_ops {
  /* Structures and maps: begin, then key and one value for each, then end. `untyped` is
     true where no model says what the value is (documents), so that an empty one must
     carry its own type. hint: how many entries are likely, 0 when unknown. */
  void (*begin_map)(struct luaws_writer *w, size_t hint, bool untyped);
  void (*key)(struct luaws_writer *w, struct luaws_str key);
  void (*end_map)(struct luaws_writer *w);
  void (*begin_list)(struct luaws_writer *w, size_t hint, bool untyped);
  void (*end_list)(struct luaws_writer *w);
  /* After key, in place of a value: goes on with the list or map that already stands
     under this key, or begins one (flattened XML lists and maps come in several pieces).
     Ended by end_list / end_map. */
  void (*resume_list)(struct luaws_writer *w);
  void (*resume_map)(struct luaws_writer *w);
  void (*null)(struct luaws_writer *w);
  void (*boolean)(struct luaws_writer *w, bool b);
  void (*integer)(struct luaws_writer *w, int64_t n);
  void (*floating)(struct luaws_writer *w, double n);
  void (*bytes)(struct luaws_writer *w, struct luaws_str s);
  void (*blob)(struct luaws_writer *w, struct luaws_str s);
  /* Seconds since the epoch. */
  void (*timestamp)(struct luaws_writer *w, double seconds);
  /* The body of the response, to be read later. */
  void (*stream)(struct luaws_writer *w);
};

#endif
