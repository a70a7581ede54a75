/* The inside of luaws_host, for the host_*.c files. */
#ifndef LUAWS_BINDINGS_HOST_H
#define LUAWS_BINDINGS_HOST_H

#include <luaws.h>

#include <lua.h>
#include <stdatomic.h>

#include "base/log.h"
#include "client/host_provider.h"
#include "l_core.h"

/* Whether a run goes on, and what ended it from outside. */
enum l_host_state {
  L_HOST_IDLE,
  L_HOST_RUNNING,
  L_HOST_INTERRUPTED,
  L_HOST_OUT_OF_TIME,
  L_HOST_CLEANING, /* what it has begun and must not stay is undone */
  L_HOST_CLOSING   /* what it left behind is cancelled */
};

/* Why a run failed; the texts may be NULL without memory. */
struct l_host_error {
  bool failed;
  char *text, *kind, *code;
};

struct luaws_host {
  lua_State *L;
  struct l_core *core;
  struct luaws_host_options options;
  struct luaws_host_provider provider;
  struct luaws_host_mfa mfa;
  struct luaws_interrupt *interrupt;
  struct luaws_log_target log; /* while nobody is inside; then what was before */
  struct luaws_timer *timer;   /* of the time limit */
  int64_t deadline_ms;
  size_t memory_bytes;
  size_t memory_limit_bytes; /* as it is now; 0 while no script is at work */
  bool memory_limited;       /* the limit was in the way during this run */
  bool inside;      /* a script is at work: our caller may be one of its functions */
  bool runnable;    /* some task can go on at once */
  atomic_int state; /* enum l_host_state */
  int env_ref;      /* the globals of scripts */
  atomic_int hasty; /* interruptions while it is CLEANING */
  int spawn_ref, poll_ref, close_all_ref, clean_up_ref; /* of luaws.async */
  int task_ref;    /* of the run that goes on, or LUA_NOREF */
  int results_ref; /* a sequence, behind them their texts and JSON */
  int result_count;
  struct l_host_error error; /* of the last run */
};

struct luaws_host *l_host_of(lua_State *L);

/* Calls fn with arg as a light userdata, protected. What it returned or the error is on
   the top. */
int l_host_protected(struct luaws_host *h, lua_CFunction fn, void *arg, int nresults);

/* Whether something from outside ended the run that goes on. */
bool l_host_stopped(void *host);

/* Sees to it that scripts cannot keep the hook that stops them from running. Before luaws
   is loaded. */
void l_host_guard(lua_State *L);
/* Takes away from Lua's own libraries what the script may not have luaws do for it
   either. Before luaws is loaded. */
void l_host_restrict(lua_State *L, unsigned libraries);
/* Pushes the globals of scripts: all of Lua's, or a table with what they may use. */
void l_host_push_environment(lua_State *L, unsigned libraries);

#endif
