#include "client/event_list.h"

#include "client/send_events.h"
#include "protocol/event_write.h"

/* One event in a turn of the loop, so that the answer is read meanwhile. */
static void send_next(void *owner) {
  struct luaws_event_list *l = owner;
  struct luaws_tree_reader reader;
  int rc = 0;
  if (!luaws_call_takes_event(l->call)) return;
  if (l->next) {
    luaws_tree_reader_init(&reader, l->next);
    reader.blobs = l->blobs;
    l->next = l->next->next;
    rc = luaws_call_send_event(l->call, &reader.base, &l->error);
    luaws_call_ask_again(l->call);
  } else {
    rc = luaws_call_end_input(l->call, &l->error);
  }
  if (rc) l->call->on_ready(l->call->owner);
}

int luaws_event_list_begin(struct luaws_event_list *l, struct luaws_call *call,
                           const struct luaws_tree *params, struct luaws_arena *blobs,
                           struct luaws_error *err) {
  struct luaws_str name =
      luaws_ref_text(&luaws_event_input_member(call->operation)->name);
  const struct luaws_tree *list = NULL;
  bool map = params && params->kind == LUAWS_KIND_MAP;
  for (list = map ? params->first : NULL; list; list = list->next) {
    if (luaws_str_eq(list->key, name)) break;
  }
  l->call = call;
  l->blobs = blobs;
  l->next = list && list->kind == LUAWS_KIND_LIST ? list->first : NULL;
  return luaws_call_sends_events(call, send_next, l) ? 0 : luaws_error_memory(err);
}
