/* Sends events that are all there beforehand: a list in the parameters' tree. */
#ifndef LUAWS_CLIENT_EVENT_LIST_H
#define LUAWS_CLIENT_EVENT_LIST_H

#include "client/call.h"
#include "value/tree.h"

/* Start from {0}; must live as long as its call. */
struct luaws_event_list {
  struct luaws_call *call;
  const struct luaws_tree *next;
  struct luaws_arena *blobs;
  struct luaws_error error; /* what went wrong with one: the call's owner is told, by
                               on_ready, and is to end the call */
};

/* For a call whose operation takes events, before its first step. blobs: as the reader's
   of the parameters. */
int luaws_event_list_begin(struct luaws_event_list *l, struct luaws_call *call,
                           const struct luaws_tree *params, struct luaws_arena *blobs,
                           struct luaws_error *err);

#endif
