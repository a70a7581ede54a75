#include "l_events.h"

#include <lauxlib.h>

#include "client/events.h"
#include "l_call.h"
#include "l_core.h"
#include "l_error.h"
#include "l_value.h"

#define EVENTS_TYPE "luaws.events"

struct l_events {
  struct luaws_call *call; /* owned; NULL when closed or at the end */
  struct l_send *send;     /* owned; NULL where nothing is sent, and likewise */
  struct l_wait wait;
  bool closed; /* by the script */
};

void l_events_push(lua_State *L, struct luaws_call *call, struct l_send *send) {
  struct l_events *e = lua_newuserdatauv(L, sizeof *e, 0);
  *e = (struct l_events){0};
  l_wait_init(&e->wait, l_core(L));
  luaL_setmetatable(L, EVENTS_TYPE);
  e->call = call;
  call->on_ready = l_wait_wake;
  call->owner = &e->wait;
  e->send = send;
  if (send) l_send_set_wait(send, &e->wait);
}

static struct l_events *check_events(lua_State *L, int index) {
  return luaL_checkudata(L, index, EVENTS_TYPE);
}

/* Drops the connection where the stream is not at its end; nothing more is sent. */
static void end_stream(lua_State *L, struct l_events *e) {
  struct l_send *send = e->send;
  luaws_call_free(e->call);
  e->call = NULL;
  e->send = NULL;
  l_send_free(L, send);
  l_wait_clear(&e->wait, L);
}

/* stream:close(): fine at any time, and twice. */
static int events_close(lua_State *L) {
  struct l_events *e = check_events(L, 1);
  e->closed = true;
  l_wait_wake(&e->wait); /* whoever waits for the next event is to be told so */
  end_stream(L, e);
  return 0;
}

/* Pushes the event; raises the error that it is. */
static int push_event(lua_State *L, struct l_events *e,
                      const struct luaws_event_message *m, enum luaws_event_kind kind) {
  struct luaws_error err = {0};
  struct luaws_service_error error;
  struct l_writer w;
  l_writer_begin(&w, L);
  int rc = luaws_call_write_event(e->call, m, kind, &w.base, &error, &err);
  if (rc == 0 && kind == LUAWS_EVENT_MODELED) return 1;
  if (rc == 0)
    l_call_wrap_error(L, "EventStreamError", e->call->operation, &error);
  else
    l_error_push(L, &err);
  end_stream(L, e);
  return lua_error(L);
}

/* Index 1 is the stream. */
static int next_event(lua_State *L, int status, lua_KContext ctx) {
  struct l_events *e = check_events(L, 1);
  lua_settop(L, 1);
  for (;;) {
    if (e->closed) return l_raise(L, "ValueError", "the event stream is closed");
    if (!e->call) return 0;
    if (l_send_failed(L, e->send)) {
      end_stream(L, e);
      return lua_error(L);
    }
    struct luaws_event_message m;
    enum luaws_event_kind kind;
    struct luaws_error err = {0};
    int rc = luaws_call_next_event(e->call, &m, &kind, &err);
    if (rc == 1) return push_event(L, e, &m, kind);
    if (rc == LUAWS_READ_AGAIN) {
      l_wait(L, &e->wait, ctx, next_event);
      continue;
    }
    end_stream(L, e); /* at the end the connection goes back to its pool */
    return rc ? l_error_raise(L, &err) : 0;
  }
}

static int iterate(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(1));
  return next_event(L, LUA_OK, 0);
}

/* stream:events(): an iterator over what is still to come, each event a table with one
   entry by its name. */
static int events_events(lua_State *L) {
  if (check_events(L, 1)->closed)
    return l_raise(L, "ValueError", "the event stream is closed");
  lua_settop(L, 1);
  lua_pushcclosure(L, iterate, 1);
  return 1;
}

static int events_tostring(lua_State *L) {
  lua_pushfstring(L, "luaws.events(%s)", check_events(L, 1)->call ? "open" : "closed");
  return 1;
}

void l_events_open(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", events_close},
                                         {"__close", events_close},
                                         {"__tostring", events_tostring},
                                         {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"events", events_events}, {"close", events_close}, {NULL, NULL}};
  luaL_newmetatable(L, EVENTS_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
