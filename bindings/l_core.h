/* What a Lua state has once: the event loop, the model pack, and how whoever waits is
 * woken. */
#ifndef LUAWS_L_CORE_H
#define LUAWS_L_CORE_H

#include <lua.h>
#include <stdatomic.h>

#include "base/error.h"
#include "credentials/provider.h"
#include "http/http.h"
#include "model/model.h"

struct l_core {
  struct luaws_loop *loop;
  struct luaws_pack *pack; /* opened at the first session */
  struct luaws_pack *docs; /* opened by help() */
  lua_State *task;         /* the coroutine of the task that runs now, or NULL */
  int *ready;              /* registry refs of coroutines to be resumed, in order */
  size_t ready_count, ready_cap;
  size_t piece_bytes; /* in memory, of all pieces (l_piece.h) */
  size_t parked;      /* coroutines that wait; ready has room for them */
  size_t runs;        /* Lua functions that the core waits for (l_run.h) */
  const struct luaws_provider
      *provider; /* the host's credentials, asked first by every session; or NULL */
  /* Asks for an MFA code where a session has no mfa_prompt: the shell's or the host's; or
     NULL. */
  luaws_prompt_mfa_fn *prompt_mfa;
  void *prompt_arg;
  uint64_t features; /* that the calls of what runs now tell of (base/feature.h) */
  bool (*stopped)(void *host); /* whether the host ended the run; or NULL */
  void *host;
  bool no_files;       /* scripts may not name files */
  atomic_int cleaning; /* how many are at undoing what must not stay */
};

/* The state's one; made at the first call. Raises without memory, and when the state is
   being closed. */
struct l_core *l_core(lua_State *L);
struct luaws_pack *l_core_pack(lua_State *L);
/* Raises where a host lets scripts use no files; before one is opened by its name. */
void l_core_check_files(lua_State *L);

/* Somebody waiting for the core. Embedded in a userdata, which must stay alive while it
 * waits. */
struct l_wait {
  struct l_core *core;
  bool ready;     /* woken before anybody waited, or while somebody turns the loop */
  int thread_ref; /* the coroutine to be resumed; LUA_NOREF = somebody turns the loop for
                     it */
};
void l_wait_init(struct l_wait *w, struct l_core *core);
void l_wait_clear(struct l_wait *w, lua_State *L);
/* As a callback from the loop, or because there is nothing left to wait for: the wait is
   over. */
void l_wait_wake(void *wait);
/* Waits: in a task yields to its scheduler, which goes on in k(L, LUA_YIELD, ctx);
   elsewhere turns the loop until it is woken and returns 0, upon which the caller goes on
   itself. Raises when interrupted, and when another task waits for the same. Use as
   `return l_wait(…)` when it yields: it never returns then. */
int l_wait(lua_State *L, struct l_wait *w, lua_KContext ctx, lua_KFunction k);

/* Adds turn, resume, sleep, interrupt, … to the table on the top. */
void l_core_open(lua_State *L);

#endif
