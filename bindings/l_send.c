/* Events leave one in a turn of the loop, so that answers are read meanwhile, and only
   when the connection takes one (luaws_call_takes_event).

   A function is called from the loop, on the main thread, as that of a body is: what it
   waits for is waited for there. In a task it is the body of a task of its own instead
   (lua/luaws/event_feed.lua), which puts what it gives into a writer. */
#include "l_send.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "client/send_events.h"
#include "l_call.h"
#include "l_error.h"
#include "l_text.h"
#include "l_value.h"
#include "protocol/event_write.h"

#define WRITER_TYPE "luaws.event_writer"
#define WAITER_TYPE "luaws.event_waiter"

enum { QUEUE_MAX_EVENTS = 1000 }; /* put into a writer that belongs to no call yet */

struct l_event_writer;

struct l_send {
  lua_State *L; /* the state's main thread */
  struct luaws_call *call;
  struct l_wait *wait;           /* of whoever waits for the call or reads its events */
  struct l_event_writer *writer; /* NULL without one, and once it is collected */
  int function_ref;              /* or LUA_NOREF */
  int queue_ref; /* a sequence to be sent first; LUA_NOREF when it was, or is none */
  lua_Integer next;
  bool ends_after_queue;
  int task_ref; /* that feeds the writer */
  int error_ref;
  bool running; /* the function is being called */
  bool dead;    /* freed meanwhile */
};

struct l_event_waiter {
  struct l_wait wait;
  struct l_event_writer *writer; /* whose list it is in, or NULL */
  struct l_event_waiter *next;
};

struct l_event_writer {
  struct l_send *send; /* NULL before it belongs to a call, and after that is over */
  bool used;           /* it belonged to one */
  bool drops;          /* which was answered by a listener */
  bool closed;
  int queue_ref;
  lua_Integer queued;
  struct l_event_waiter *waiters;
};

static struct l_event_writer *check_writer(lua_State *L) {
  return l_check_self(L, WRITER_TYPE, "an event writer");
}

bool l_is_event_writer(lua_State *L, int index) {
  return luaL_testudata(L, index, WRITER_TYPE) != NULL;
}

/* ---- waiting for room ---- */

static void wake_waiters(struct l_event_writer *w) {
  while (w && w->waiters) {
    struct l_event_waiter *waiter = w->waiters;
    w->waiters = waiter->next;
    waiter->writer = NULL;
    l_wait_wake(&waiter->wait);
  }
}

static int waiter_gc(lua_State *L) {
  struct l_event_waiter *waiter = luaL_checkudata(L, 1, WAITER_TYPE);
  if (waiter->writer) {
    struct l_event_waiter **at = &waiter->writer->waiters;
    while (*at && *at != waiter)
      at = &(*at)->next;
    if (*at) *at = waiter->next;
    waiter->writer = NULL;
  }
  l_wait_clear(&waiter->wait, L);
  return 0;
}

/* Makes the waiter at the index, or takes the one that is there. */
static struct l_event_waiter *make_waiter(lua_State *L, int index,
                                          struct l_event_writer *w) {
  struct l_event_waiter *waiter = luaL_testudata(L, index, WAITER_TYPE);
  if (!waiter) {
    lua_settop(L, index - 1);
    waiter = lua_newuserdatauv(L, sizeof *waiter, 0);
    *waiter = (struct l_event_waiter){0};
    l_wait_init(&waiter->wait, l_core(L));
    luaL_setmetatable(L, WAITER_TYPE);
    if (waiter->wait.core->task == L) lua_toclose(L, index); /* a task may be cancelled */
  }
  if (!waiter->writer) {
    waiter->writer = w;
    waiter->next = w->waiters;
    w->waiters = waiter;
  }
  return waiter;
}

/* ---- sending ---- */

/* Sends the value at the index; raises what is wrong with it. */
static void send_value(lua_State *L, struct l_send *s, int index) {
  struct luaws_error err = {0};
  struct l_reader reader;
  int top = lua_gettop(L);
  index = lua_absindex(L, index);
  luaL_checkstack(L, 8, "no stack for an event");
  l_reader_begin(&reader, L, index);
  int rc = luaws_call_send_event(s->call, &reader.base, &err);
  lua_settop(L, top);
  if (rc) l_error_raise(L, &err);
}

static void end_input(lua_State *L, struct l_send *s) {
  struct luaws_error err = {0};
  if (s->call && luaws_call_end_input(s->call, &err)) l_error_raise(L, &err);
}

static void queue_done(lua_State *L, struct l_send *s) {
  luaL_unref(L, LUA_REGISTRYINDEX, s->queue_ref);
  s->queue_ref = LUA_NOREF;
  if (s->ends_after_queue) end_input(L, s);
}

/* Sends the next event, or ends the input. Protected: the loop that asks must not be left
   by an error. */
static int pump(lua_State *L) {
  struct l_send *s = lua_touserdata(L, 1);
  if (s->queue_ref != LUA_NOREF) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->queue_ref);
    if (lua_rawgeti(L, -1, s->next + 1) == LUA_TNIL) {
      queue_done(L, s);
    } else {
      s->next++;
      send_value(L, s, -1);
    }
  } else if (s->function_ref != LUA_NOREF) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->function_ref);
    lua_call(L, 0, 1);
    if (!s->call) return 0; /* it closed the stream */
    if (lua_isnil(L, -1))
      end_input(L, s);
    else
      send_value(L, s, -1);
  }
  return 0;
}

/* What was raised is on the top: it is told to whoever waits for the call or its events.
 */
static void fail(lua_State *L, struct l_send *s) {
  if (s->error_ref != LUA_NOREF || !s->call) {
    lua_pop(L, 1);
    return;
  }
  s->error_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  l_wait_wake(s->wait);
  wake_waiters(s->writer);
}

static void release(lua_State *L, struct l_send *s) {
  luaL_unref(L, LUA_REGISTRYINDEX, s->function_ref);
  luaL_unref(L, LUA_REGISTRYINDEX, s->queue_ref);
  luaL_unref(L, LUA_REGISTRYINDEX, s->task_ref);
  luaL_unref(L, LUA_REGISTRYINDEX, s->error_ref);
  free(s);
}

static void run_pump(struct l_send *s) {
  lua_State *L = s->L;
  if (!lua_checkstack(L, 4)) return luaws_call_ask_again(s->call);
  s->running = true;
  lua_pushcfunction(L, pump);
  lua_pushlightuserdata(L, s);
  int status = lua_pcall(L, 1, 0, 0);
  s->running = false;
  if (s->dead) {
    if (status != LUA_OK) lua_pop(L, 1);
    release(L, s);
  } else if (status != LUA_OK) {
    fail(L, s);
  } else if (s->queue_ref != LUA_NOREF || s->function_ref != LUA_NOREF) {
    luaws_call_ask_again(s->call);
  } else {
    wake_waiters(s->writer);
  }
}

static void on_takes(void *owner) {
  struct l_send *s = owner;
  if (s->running || s->error_ref != LUA_NOREF) return;
  bool pumps = s->queue_ref != LUA_NOREF || s->function_ref != LUA_NOREF;
  if (pumps && luaws_call_takes_event(s->call))
    run_pump(s);
  else
    wake_waiters(s->writer);
}

/* ---- what the parameters say ---- */

static int wrong_type(lua_State *L, struct luaws_str name, int index) {
  return l_raise(L, "ParamValidationError",
                 "Parameter validation failed:\nInvalid type for parameter %s, type: %s, "
                 "valid types: table (a list), function, event writer",
                 name.ptr, luaL_typename(L, index));
}

static void take_writer(lua_State *L, struct l_send *s, struct l_event_writer *w) {
  if (w->used) l_raise(L, "ValueError", "the event writer belongs to another call");
  w->used = true;
  w->send = s;
  s->writer = w;
  s->queue_ref = w->queue_ref;
  s->ends_after_queue = w->closed;
  w->queue_ref = LUA_NOREF;
  if (w->closed && s->queue_ref == LUA_NOREF) end_input(L, s);
  wake_waiters(w); /* for their turn behind the queue */
}

static void push_writer(lua_State *L) {
  struct l_event_writer *w = lua_newuserdatauv(L, sizeof *w, 0);
  *w = (struct l_event_writer){.queue_ref = LUA_NOREF};
  luaL_setmetatable(L, WRITER_TYPE);
}

/* The function on the top becomes a task that writes into a writer. */
static void feed_from_task(lua_State *L, struct l_send *s) {
  l_call_push_hook(L, "feed");
  push_writer(L);
  take_writer(L, s, lua_touserdata(L, -1));
  lua_pushvalue(L, -3);
  lua_call(L, 2, 1);
  s->task_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

void l_send_begin(lua_State *L, int params, struct luaws_call *call, struct l_wait *wait,
                  struct l_send **out) {
  struct luaws_str name =
      luaws_ref_text(&luaws_event_input_member(call->operation)->name);
  struct l_send *s = malloc(sizeof *s);
  if (!s) luaL_error(L, "not enough memory");
  *s = (struct l_send){.call = call,
                       .wait = wait,
                       .function_ref = LUA_NOREF,
                       .queue_ref = LUA_NOREF,
                       .task_ref = LUA_NOREF,
                       .error_ref = LUA_NOREF};
  *out = s;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  s->L = lua_tothread(L, -1);
  lua_pop(L, 1);
  if (!luaws_call_sends_events(call, on_takes, s)) luaL_error(L, "not enough memory");
  l_push_text(L, name);
  lua_rawget(L, params);
  switch (lua_type(L, -1)) {
  case LUA_TNIL:
    end_input(L, s);
    break;
  case LUA_TTABLE:
    s->ends_after_queue = true;
    s->queue_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return;
  case LUA_TFUNCTION:
    if (wait->core->task == L) {
      feed_from_task(L, s);
      break;
    }
    s->function_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return;
  default:
    if (!l_is_event_writer(L, -1)) wrong_type(L, name, -1);
    take_writer(L, s, lua_touserdata(L, -1));
    break;
  }
  lua_pop(L, 1);
}

void l_send_set_wait(struct l_send *s, struct l_wait *wait) {
  s->wait = wait;
  if (s->error_ref != LUA_NOREF) l_wait_wake(wait);
}

bool l_send_failed(lua_State *L, struct l_send *s) {
  if (!s || s->error_ref == LUA_NOREF) return false;
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->error_ref);
  return true;
}

static int cancel_task(lua_State *L) {
  lua_getfield(L, 1, "cancel");
  lua_insert(L, 1);
  lua_call(L, 1, 0);
  return 0;
}

/* What feeds the writer has nobody to feed any more, even if it waits for something else.
 */
static void cancel_feeder(lua_State *L, struct l_send *s) {
  if (s->task_ref == LUA_NOREF || !lua_checkstack(L, 4)) return;
  lua_pushcfunction(L, cancel_task);
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->task_ref);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
}

void l_send_free(lua_State *L, struct l_send *s) {
  if (!s) return;
  s->call = NULL;
  if (s->writer) {
    struct l_event_writer *w = s->writer;
    w->send = NULL;
    s->writer = NULL;
    wake_waiters(w);
  }
  cancel_feeder(L, s);
  s->dead = true;
  if (!s->running) release(L, s);
}

void l_send_drop(lua_State *L, struct l_send *s) {
  if (s && s->writer) s->writer->drops = true;
  l_send_free(L, s);
}

/* ---- the writer ---- */

/* aws.event_writer() */
static int event_writer(lua_State *L) {
  push_writer(L);
  return 1;
}

static int no_reader(lua_State *L) {
  return l_raise(L, "ConnectionClosedError",
                 "the event stream is over: nobody takes this event");
}

/* Before there is a call. */
static bool enqueue(lua_State *L, struct l_event_writer *w) {
  if (w->queued == QUEUE_MAX_EVENTS) return false;
  if (w->queue_ref == LUA_NOREF) {
    lua_newtable(L);
    w->queue_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->queue_ref);
  lua_pushvalue(L, 2);
  lua_rawseti(L, -2, ++w->queued);
  lua_pop(L, 1);
  return true;
}

enum { SEND, ROOM };

/* 1 is the writer, 2 the event, 3 the waiter, if there was need for one. */
static int write_continue(lua_State *L, int status, lua_KContext ctx) {
  struct l_event_writer *w = check_writer(L);
  for (;;) {
    struct l_send *s = w->send;
    if (w->closed && ctx == SEND)
      return l_raise(L, "ValueError", "the event writer is closed");
    if (w->drops && !w->closed) {
      lua_pushboolean(L, true);
      return ctx == ROOM ? 1 : 0;
    }
    if (!w->used) {
      if (enqueue(L, w)) return 0;
      if (l_core(L)->task != L)
        return l_raise(L, "RuntimeError",
                       "the event writer holds %d events and belongs to no call yet",
                       QUEUE_MAX_EVENTS);
    } else if (!s || w->closed || s->error_ref != LUA_NOREF ||
               luaws_call_input_is_over(s->call)) {
      return ctx == ROOM ? 0 : no_reader(L);
    } else if (s->queue_ref != LUA_NOREF && s->call->answered) {
      luaL_unref(L, LUA_REGISTRYINDEX, s->queue_ref); /* nobody reads it */
      s->queue_ref = LUA_NOREF;
      continue;
    } else if (s->queue_ref == LUA_NOREF && luaws_call_takes_event(s->call)) {
      if (ctx == SEND) send_value(L, s, 2);
      lua_pushboolean(L, true);
      return ctx == ROOM ? 1 : 0;
    }
    struct l_event_waiter *waiter = make_waiter(L, 3, w);
    l_wait(L, &waiter->wait, ctx, write_continue);
  }
}

/* writer:send(event): returns once the connection has taken it. Before the writer belongs
   to a call it is kept. */
static int writer_send(lua_State *L) {
  check_writer(L);
  lua_settop(L, 2);
  if (!lua_istable(L, 2)) {
    return l_raise(L, "TypeError", "send takes an event, a table, not a %s",
                   luaL_typename(L, 2));
  }
  return write_continue(L, LUA_OK, SEND);
}

/* writer:room(): for event_feed.lua: true once an event is taken, nothing when none will
   be. */
static int writer_room(lua_State *L) {
  check_writer(L);
  lua_settop(L, 1);
  lua_pushnil(L);
  return write_continue(L, LUA_OK, ROOM);
}

/* writer:fail(error): for the same. */
static int writer_fail(lua_State *L) {
  struct l_event_writer *w = check_writer(L);
  lua_settop(L, 2);
  if (w->send) fail(L, w->send);
  return 0;
}

/* writer:close(): the end of the events; fine at any time, and twice. */
static int writer_close(lua_State *L) {
  struct l_event_writer *w = check_writer(L);
  if (w->closed) return 0;
  w->closed = true;
  wake_waiters(w);
  struct l_send *s = w->send;
  if (!s) return 0;
  s->ends_after_queue = true;
  if (s->queue_ref == LUA_NOREF) end_input(L, s);
  return 0;
}

/* Nobody can send any more, which ends the events. */
static int writer_gc(lua_State *L) {
  struct l_event_writer *w = check_writer(L);
  for (struct l_event_waiter *waiter = w->waiters; waiter; waiter = waiter->next)
    waiter->writer = NULL;
  w->waiters = NULL;
  luaL_unref(L, LUA_REGISTRYINDEX, w->queue_ref);
  w->queue_ref = LUA_NOREF;
  writer_close(L);
  if (w->send) w->send->writer = NULL;
  w->send = NULL;
  return 0;
}

static int writer_tostring(lua_State *L) {
  struct l_event_writer *w = check_writer(L);
  lua_pushfstring(L, "luaws.event_writer(%s)",
                  w->closed || (w->used && !w->send && !w->drops) ? "closed" : "open");
  return 1;
}

void l_send_open(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", writer_gc},
                                         {"__close", writer_close},
                                         {"__tostring", writer_tostring},
                                         {NULL, NULL}};
  static const luaL_Reg methods[] = {{"send", writer_send},
                                     {"close", writer_close},
                                     {"room", writer_room},
                                     {"fail", writer_fail},
                                     {NULL, NULL}};
  luaL_newmetatable(L, WRITER_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_newmetatable(L, WAITER_TYPE);
  lua_pushcfunction(L, waiter_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, waiter_gc);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
  lua_pushcfunction(L, event_writer);
  lua_setfield(L, -2, "event_writer");
}
