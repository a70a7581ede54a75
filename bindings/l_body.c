#include "l_body.h"

#include <lauxlib.h>
#include <string.h>

#include "l_core.h"
#include "l_error.h"
#include "l_files.h"
#include "l_range_sum.h"
#include "l_ready.h"

#define BODY_TYPE "luaws.body"

enum { READ_CHUNK_BYTES = 64 * 1024 };

struct l_body {
  struct luaws_call *call; /* owned; NULL when closed */
  struct l_wait wait;
  struct luaws_buf got; /* what was read from the connection and not yet by the script */
  size_t at;            /* how much of it the script has */
  bool ended;
  bool closed; /* by the script */
};

void l_body_push(lua_State *L, struct luaws_call *call) {
  struct l_body *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (struct l_body){0};
  l_wait_init(&b->wait, l_core(L));
  luaL_setmetatable(L, BODY_TYPE);
  b->call = call;
  call->on_ready = l_wait_wake;
  call->owner = &b->wait;
}

static struct l_body *check_body(lua_State *L) {
  return l_check_self(L, BODY_TYPE, "a body");
}

static void close_body(lua_State *L, struct l_body *b) {
  luaws_call_free(b->call);
  b->call = NULL;
  b->ended = true;
  luaws_buf_clear(&b->got);
  b->at = 0;
  l_wait_clear(&b->wait, L);
}

static int body_close(lua_State *L) {
  struct l_body *b = check_body(L);
  b->closed = true;
  if (b->wait.thread_ref != LUA_NOREF) l_wait_wake(&b->wait); /* to be told so */
  close_body(L, b);
  return 0;
}

/* Raises where another task closed the body while this one waited for more of it. */
static struct l_body *check_resumed(lua_State *L, int status) {
  struct l_body *b = check_body(L);
  if (status == LUA_YIELD && b->closed) l_raise(L, "ValueError", "the body is closed");
  return b;
}

static size_t unread(const struct l_body *b) {
  return b->got.len - b->at;
}

/* Forgets what the script has had, so that a body of any size goes through a small
 * buffer. */
static void drop_read(struct l_body *b) {
  if (b->at == 0) return;
  size_t left = unread(b);
  if (left && left * 2 > b->at) return; /* not worth the move yet */
  memmove(b->got.ptr, b->got.ptr + b->at, left);
  luaws_buf_truncate(&b->got, left);
  b->at = 0;
}

/* Takes what the connection has for us: 0, LUAWS_READ_AGAIN when there is nothing yet, or
   a negative code, upon which the body is closed. */
static int fetch(lua_State *L, struct l_body *b, struct luaws_error *err) {
  drop_read(b);
  struct luaws_call *call = b->call;
  if (!call) {
    b->ended = true;
    return 0;
  }
  if (!call->exchange ||
      call->answered) { /* a listener answered: the body is in memory */
    luaws_buf_append_str(&b->got, call->response.body);
    b->ended = true;
    return 0;
  }
  if (!luaws_buf_reserve(&b->got, READ_CHUNK_BYTES)) return luaws_error_memory(err);
  ptrdiff_t n = luaws_call_read(call, b->got.ptr + b->got.len, READ_CHUNK_BYTES, err);
  if (n == LUAWS_READ_AGAIN) return LUAWS_READ_AGAIN;
  if (n < 0) {
    close_body(L, b);
    return (int)n;
  }
  if (n == 0) {
    b->ended = true;
    luaws_call_free(b->call); /* the connection goes back to its pool */
    b->call = NULL;
  }
  b->got.len += (size_t)n;
  return 0;
}

/* How much of what is unread answers the request at index 2: -1 when more must come
 * first. */
static ptrdiff_t satisfied(lua_State *L, const struct l_body *b) {
  size_t have = unread(b);
  if (lua_type(L, 2) == LUA_TNUMBER) {
    size_t want = (size_t)lua_tointeger(L, 2);
    return have >= want || b->ended ? (ptrdiff_t)(have < want ? have : want) : -1;
  }
  if (*lua_tostring(L, 2) == 'a') return b->ended ? (ptrdiff_t)have : -1;
  const char *start = b->got.ptr ? b->got.ptr + b->at : NULL;
  const char *newline = have ? memchr(start, '\n', have) : NULL;
  if (newline) return newline - start + 1;
  return b->ended ? (ptrdiff_t)have : -1;
}

static int body_read_continue(lua_State *L, int status, lua_KContext ctx) {
  struct l_body *b = check_resumed(L, status);
  ptrdiff_t n;
  while ((n = satisfied(L, b)) < 0) {
    struct luaws_error err = {0};
    int rc = fetch(L, b, &err);
    if (rc == LUAWS_READ_AGAIN) {
      l_wait(L, &b->wait, ctx, body_read_continue);
    } else if (rc) {
      return l_error_raise(L, &err);
    }
  }
  const char *start = b->got.ptr ? b->got.ptr + b->at : "";
  b->at += (size_t)n;
  bool whole = lua_type(L, 2) == LUA_TSTRING && *lua_tostring(L, 2) == 'a';
  if (n == 0 && !whole && !(lua_type(L, 2) == LUA_TNUMBER && lua_tointeger(L, 2) == 0)) {
    lua_pushnil(L);
    return 1;
  }
  bool line = lua_type(L, 2) == LUA_TSTRING && *lua_tostring(L, 2) == 'l';
  lua_pushlstring(L, start, (size_t)n - (line && start[n - 1] == '\n'));
  if (b->ended && unread(b) == 0) {
    luaws_buf_clear(&b->got); /* the body may be kept long after it was read */
    b->at = 0;
  }
  return 1;
}

static int refuse_read(lua_State *L) {
  return l_raise(L, "TypeError",
                 "read takes a number of bytes, \"a\", \"l\" or \"L\", not %s",
                 luaL_tolstring(L, 2, NULL));
}

/* body:read([n | "a" | "l" | "L"]): as file:read, but without an argument it reads all.
 * nil at the end, "" for "a". */
static int body_read(lua_State *L) {
  struct l_body *b = check_body(L);
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) {
    lua_pushliteral(L, "a");
    lua_replace(L, 2);
  } else if (lua_type(L, 2) == LUA_TNUMBER) {
    int whole;
    if (lua_tointegerx(L, 2, &whole) < 0 || !whole) return refuse_read(L);
  } else {
    const char *format = lua_tostring(L, 2);
    if (!format) return refuse_read(L);
    if (*format == '*') lua_pushstring(L, ++format), lua_replace(L, 2);
    if (*format == '\0' || !strchr("alL", *format) || format[1]) return refuse_read(L);
  }
  if (b->closed) return l_raise(L, "ValueError", "the body is closed");
  return body_read_continue(L, LUA_OK, 0);
}

enum { WRITE_AGAIN = -101 };

/* Writes what has come, without taking it into `got` first: how much that was, 0 at the
   end, LUAWS_READ_AGAIN, WRITE_AGAIN, or a negative code. */
static ptrdiff_t save_some(lua_State *L, struct l_body *b, lua_Integer offset, size_t max,
                           struct luaws_error *err) {
  struct luaws_call *call = b->call;
  bool from_call = unread(b) == 0 && call && call->exchange && !call->answered;
  const char *ptr = unread(b) ? b->got.ptr + b->at : NULL;
  ptrdiff_t n = from_call ? luaws_call_peek(call, &ptr, err) : (ptrdiff_t)unread(b);
  if (n < 0 && n != LUAWS_READ_AGAIN) close_body(L, b);
  if (n <= 0) return n;
  if ((size_t)n > max) n = (ptrdiff_t)max;
  n = l_target_write(L, 2, offset, ptr, (size_t)n, err);
  if (n <= 0) return n == LUAWS_READ_AGAIN ? WRITE_AGAIN : n;
  struct luaws_range_sum *sum = l_range_sum_test(L, 5);
  if (sum) luaws_range_sum_add(sum, ptr, (size_t)n);
  if (from_call)
    luaws_call_skip(call, ptr, (size_t)n);
  else
    b->at += (size_t)n;
  return n;
}

/* ctx: how many bytes were saved. */
static int body_save_continue(lua_State *L, int status, lua_KContext ctx) {
  struct l_body *b = check_resumed(L, status);
  lua_settop(L, 5);
  lua_Integer offset = lua_tointeger(L, 3), max = lua_tointeger(L, 4);
  struct luaws_error err = {0};
  int rc = 0;
  while (ctx < max && rc == 0) {
    ptrdiff_t n = save_some(L, b, offset + ctx, (size_t)(max - ctx), &err);
    if (n > 0) {
      ctx += (lua_KContext)n;
    } else if (n == WRITE_AGAIN) {
      l_wait_fd(L, l_target_fd(L, 2), true, ctx, body_save_continue);
      lua_settop(L, 5);
    } else if (n < 0 && n != LUAWS_READ_AGAIN) {
      rc = (int)n;
    } else if (b->ended) {
      break;
    } else if ((rc = fetch(L, b, &err)) == LUAWS_READ_AGAIN) {
      l_wait(L, &b->wait, ctx, body_save_continue);
      rc = 0;
    }
  }
  lua_settop(L, 5);
  lua_pushinteger(L, ctx);
  if (rc == 0) return 1;
  l_error_push(L, &err);
  return 2;
}

/* body:save(target, offset, max [, sum]) → how many bytes were written to the target (as
   core.target makes it) from this offset on, and summed up (core.range_sum): max, unless
   the body ended, or, with an error after it, broke off. No string is made of them. */
static int body_save(lua_State *L) {
  struct l_body *b = check_body(L);
  luaL_argcheck(L, luaL_checkinteger(L, 3) >= 0, 3, "a negative offset");
  luaL_argcheck(L, luaL_checkinteger(L, 4) > 0, 4, "must be a positive number of bytes");
  lua_settop(L, 5);
  if (b->closed) return l_raise(L, "ValueError", "the body is closed");
  return body_save_continue(L, LUA_OK, 0);
}

/* An iterator over reads of upvalue 2 from the body in upvalue 1. */
static int iterate(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, lua_upvalueindex(2));
  return body_read_continue(L, LUA_OK, 0);
}

static int push_iterator(lua_State *L) {
  lua_pushcclosure(L, iterate, 2);
  return 1;
}

/* body:lines() */
static int body_lines(lua_State *L) {
  check_body(L);
  lua_settop(L, 1);
  lua_pushliteral(L, "l");
  return push_iterator(L);
}

/* body:chunks([n]): pieces of n bytes, 64 KiB without n; the last may be shorter. */
static int body_chunks(lua_State *L) {
  check_body(L);
  int whole = 1;
  lua_Integer n = lua_isnoneornil(L, 2) ? READ_CHUNK_BYTES : lua_tointegerx(L, 2, &whole);
  if (!whole || n <= 0) {
    return l_raise(L, "TypeError", "chunks takes a positive number of bytes, not %s",
                   luaL_tolstring(L, 2, NULL));
  }
  lua_settop(L, 1);
  lua_pushinteger(L, n);
  return push_iterator(L);
}

static int body_tostring(lua_State *L) {
  struct l_body *b = check_body(L);
  lua_pushfstring(L, "luaws.body(%s)",
                  b->call                 ? "open"
                  : b->ended && unread(b) ? "read"
                                          : "closed");
  return 1;
}

/* core.body(text) → a body that is in memory: a stubber's */
static int body_of_text(lua_State *L) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  struct l_body *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (struct l_body){.ended = true};
  l_wait_init(&b->wait, l_core(L));
  luaL_setmetatable(L, BODY_TYPE);
  luaws_buf_append(&b->got, text, len);
  if (b->got.failed) return luaL_error(L, "not enough memory");
  return 1;
}

void l_body_open(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", body_close},
                                         {"__close", body_close},
                                         {"__tostring", body_tostring},
                                         {NULL, NULL}};
  static const luaL_Reg methods[] = {{"read", body_read},   {"save", body_save},
                                     {"lines", body_lines}, {"chunks", body_chunks},
                                     {"close", body_close}, {NULL, NULL}};
  luaL_newmetatable(L, BODY_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_pushcfunction(L, body_of_text);
  lua_setfield(L, -2, "body");
}
