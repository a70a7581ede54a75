/* A Lua function that the core waits for: a provider's load, a prompt for an MFA code. It
   runs as a task of luaws.async and may wait as any other; whoever needs its answer waits
   for it and nobody else does. Outside of tasks, whoever waits runs the scheduler. */
#ifndef LUAWS_L_RUN_H
#define LUAWS_L_RUN_H

#include <lua.h>

#include "base/bytes.h"
#include "base/error.h"

struct l_core;

/* Embedded in what it is for, which is anything on the heap. */
struct l_run {
  lua_State *L; /* the main one */
  void *arg;    /* what it is embedded in: for push and take */
  struct l_core *core;
  int handle_ref; /* LUA_NOREF: not started, or cancelled */
  bool done;
  bool failed;              /* done, and it raised: */
  struct luaws_buf problem; /* the text of its error */
  /* To be called, from the loop, when it is done. */
  void (*wake)(void *arg);
  void *wake_arg;
};

struct l_run_start {
  int fn; /* registry ref: fn(take, argument), which hands its result to take */
  const void *owner; /* what waits for it: tasks under fn must not wait for that */
  int (*push)(lua_State *L, struct l_run *r); /* pushes the argument; may raise */
  /* take(result): the result is at index 1; may raise, which makes fn raise. */
  int (*take)(lua_State *L, struct l_run *r);
};
/* r->L, arg, wake and wake_arg are set. It begins when the scheduler next runs. */
int l_run_start(struct l_run *r, struct l_core *core, const struct l_run_start *s,
                struct luaws_error *err);
bool l_run_started(const struct l_run *r);
/* Ends it, and forgets it. */
void l_run_clear(struct l_run *r);

/* Before somebody waits for `owner`: raises within a function that owner waits for. */
void l_run_check_wait(lua_State *L, const void *owner);
/* Lets the tasks go on, and waits for the core when none can. Raises when interrupted. */
void l_run_turn(lua_State *L);

/* Adds set_scheduler to the table on the top. */
void l_run_open(lua_State *L);

#endif
