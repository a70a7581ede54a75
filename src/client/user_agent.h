/* The User-Agent header. What a client says of itself is put together once; what a call
   adds to it, the ids of the features that it used, makes few different texts, which are
   kept.

     luaws/0.1.0 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/lua#5.4 [exec-env/NAME] m/E,Z,b
     cfg/retry-mode#standard [app/ID] [EXTRA] */
#ifndef LUAWS_CLIENT_USER_AGENT_H
#define LUAWS_CLIENT_USER_AGENT_H

#include "base/arena.h"
#include "base/error.h"
#include "base/feature.h"

enum { LUAWS_USER_AGENTS_KEPT = 4 };

struct luaws_user_agent {
  struct luaws_str head, tail; /* before and after the features */
  bool fixed;                  /* the config gave the whole text */
  uint64_t features;           /* of every call of the client */
  struct {
    uint64_t features;
    struct luaws_buf text;
  } kept[LUAWS_USER_AGENTS_KEPT];
  unsigned kept_count;
};

struct luaws_client;
/* Fills c->user_agent; c's config, protocol and endpoint are there. */
int luaws_user_agent_init(struct luaws_client *c, struct luaws_error *err);
void luaws_user_agent_clear(struct luaws_user_agent *u);
/* The text for a call with these features beside the client's, until the next such
   question; none without memory. */
struct luaws_str luaws_user_agent_text(struct luaws_user_agent *u, uint64_t features);

#endif
