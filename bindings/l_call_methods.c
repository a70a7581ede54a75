/* What listeners see of a call under way and may change: the methods of its userdata,
   which lua/luaws/hooks.lua makes requests and responses of. */
#include "l_call.h"

#include <lauxlib.h>

#include "client/endpoint_params.h"
#include "client/guard.h"
#include "l_encode.h"
#include "l_error.h"
#include "l_plan.h"
#include "l_ready.h"
#include "l_text.h"

void l_call_push_headers(lua_State *L, const struct luaws_headers *h) {
  lua_createtable(L, 0, (int)h->count);
  for (size_t i = 0; i < h->count; i++) {
    l_push_text(L, h->items[i].name);
    l_push_text(L, h->items[i].value);
    lua_rawset(L, -3);
  }
}

static struct luaws_call *check_call(lua_State *L) {
  struct l_call *c = l_call_check(L, 1);
  if (!c->call) l_raise(L, "ValueError", "the call is over");
  return c->call;
}

/* call:context() → the call's own table that its listeners share */
static int call_context(lua_State *L) {
  l_call_check(L, 1);
  if (lua_getiuservalue(L, 1, L_CALL_CONTEXT) == LUA_TTABLE) return 1;
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, 1, L_CALL_CONTEXT);
  return 1;
}

/* call:give(result, ok): ends the call with this result, or this error. */
static int call_give(lua_State *L) {
  luaws_call_end(check_call(L));
  struct l_call *c = lua_touserdata(L, 1);
  c->given = true;
  c->given_ok = lua_toboolean(L, 3);
  lua_settop(L, 2);
  lua_setiuservalue(L, 1, L_CALL_GIVEN);
  return 0;
}

/* call:operation_name(), call:attempt(), call:is_presign() */
static int call_operation_name(lua_State *L) {
  l_push_text(L, luaws_ref_text(&check_call(L)->operation->name));
  return 1;
}
static int call_attempt(lua_State *L) {
  lua_pushinteger(L, check_call(L)->retry.attempt);
  return 1;
}
static int call_is_presign(lua_State *L) {
  lua_pushboolean(L, check_call(L)->presign);
  return 1;
}

/* call:request() → method, url, headers */
static int call_request(lua_State *L) {
  struct luaws_call *call = check_call(L);
  struct luaws_buf url = {0};
  l_push_text(L, call->request.method);
  luaws_request_url(&call->request, &url);
  l_push_buf(L, &url);
  l_call_push_headers(L, &call->request.headers);
  return 3;
}

/* Whether some of what cannot be read twice is gone, to the server. */
static bool is_sent(const struct luaws_call *call) {
  return call->body_read ||
         (call->exchange && luaws_exchange_has_read_body(call->exchange));
}

static int request_body(lua_State *L, int status, lua_KContext ctx) {
  struct luaws_call *call = check_call(L);
  struct luaws_stream *body = &call->request.body;
  struct luaws_error err = {0};
  int rc = 0;
  while (!is_sent(call) &&
         (rc = luaws_stream_keep(body, &call->kept_body, &err)) == LUAWS_READ_AGAIN) {
    lua_settop(L, 1);
    l_wait_fd(L, body->fd, false, ctx, request_body);
    call = check_call(L);
    body = &call->request.body;
  }
  lua_settop(L, 1);
  if (rc) return l_error_raise(L, &err);
  if (body->kind == LUAWS_STREAM_NONE) return 0;
  bool gone = body->kind == LUAWS_STREAM_FUNCTION && !body->rewind;
  if (gone || body->kind == LUAWS_STREAM_BYTES) {
    l_push_text(L, body->bytes);
    return 1;
  }
  int64_t position = 0;
  ptrdiff_t n;
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  do {
    n = luaws_stream_read(body, &position, luaL_prepbuffer(&b), LUAL_BUFFERSIZE, &err);
    if (n > 0) luaL_addsize(&b, (size_t)n);
  } while (n > 0);
  if (n < 0 || luaws_stream_rewind(body, &position, &err)) return l_error_raise(L, &err);
  luaL_pushresult(&b);
  return 1;
}

/* call:request_body() → string: a streamed body is read whole, and rewound; one that
 * cannot be, such as a pipe, is sent from memory then, and "" once some of it was sent.
 * nil when there is none. */
static int call_request_body(lua_State *L) {
  lua_settop(L, 1);
  return request_body(L, LUA_OK, 0);
}

/* call:request_hashes() → SHA-256 of the body and its tree hash, in hex */
static int call_request_hashes(lua_State *L) {
  return l_encode_push_hashes(L, &check_call(L)->request.body);
}

/* call:set_method(text), call:set_url(text), call:set_header(name, value or nil),
 * call:set_body(text) */
static int call_set_method(lua_State *L) {
  struct luaws_call *call = check_call(L);
  call->request.method = luaws_arena_str(&call->arena, l_check_text(L, 2));
  return 0;
}
static int call_set_url(lua_State *L) {
  struct luaws_call *call = check_call(L);
  struct luaws_error err = {0};
  if (luaws_request_set_url(&call->request, l_check_text(L, 2), &err))
    return l_error_raise(L, &err);
  return 0;
}
static int call_set_header(lua_State *L) {
  struct luaws_call *call = check_call(L);
  struct luaws_str name = l_check_text(L, 2);
  if (lua_isnoneornil(L, 3)) {
    luaws_headers_remove(&call->request.headers, name);
  } else {
    struct luaws_str value = l_check_text(L, 3);
    for (size_t i = 0; i < value.len; i++) {
      if (value.ptr[i] == '\n' || value.ptr[i] == '\r' || value.ptr[i] == 0) {
        return l_raise(L, "InvalidHeaderError",
                       "the value of header %s holds a line break", name.ptr);
      }
    }
    luaws_headers_set(&call->request.headers, name, value);
  }
  return 0;
}
static int call_set_body(lua_State *L) {
  struct luaws_call *call = check_call(L);
  struct luaws_str text = luaws_arena_str(&call->arena, l_check_text(L, 2));
  luaws_stream_release(&call->request.body);
  call->body_sha256 = LUAWS_STR_NONE;
  call->request.body = (struct luaws_stream){
      .kind = LUAWS_STREAM_BYTES, .bytes = text, .length = (int64_t)text.len};
  return 0;
}

/* call:endpoint_builtins() → { ["AWS::Region"] = "Region", … }: which parameter of the
 * rules is fed by which built-in value */
static int call_endpoint_builtins(lua_State *L) {
  struct luaws_call *call = check_call(L);
  const struct luaws_rule_param *p;
  lua_newtable(L);
  for (unsigned i = 0;
       call->client->rules && (p = luaws_rules_param(call->client->rules, i)); i++) {
    struct luaws_str builtin = luaws_ref_text(&p->built_in);
    if (!builtin.len) continue;
    l_push_text(L, builtin);
    l_push_text(L, luaws_ref_text(&p->name));
    lua_rawset(L, -3);
  }
  return 1;
}

/* call:endpoint_params() → { Region = …, … }; call:set_endpoint_param(name, value or nil)
 */
static int call_endpoint_params(lua_State *L) {
  struct luaws_call *call = check_call(L);
  lua_newtable(L);
  for (size_t i = 0; i < call->endpoint_param_count; i++) {
    const struct luaws_endpoint_param *p = &call->endpoint_params[i];
    l_push_text(L, p->name);
    if (p->type == LUAWS_EP_BOOLEAN)
      lua_pushboolean(L, p->boolean);
    else
      l_push_text(L, p->text);
    lua_rawset(L, -3);
  }
  return 1;
}
static int call_set_endpoint_param(lua_State *L) {
  struct luaws_call *call = check_call(L);
  struct luaws_str name = l_check_text(L, 2);
  size_t i = 0, n = call->endpoint_param_count;
  while (i < n && !luaws_str_eq(call->endpoint_params[i].name, name))
    i++;
  if (lua_isnil(L, 3)) {
    if (i < n)
      call->endpoint_params[i] = call->endpoint_params[--call->endpoint_param_count];
    return 0;
  }
  if (i == n) {
    struct luaws_endpoint_param *more =
        luaws_arena_alloc(&call->arena, (n + 1) * sizeof *more);
    if (!more) return luaL_error(L, "not enough memory");
    if (n) memcpy(more, call->endpoint_params, n * sizeof *more);
    call->endpoint_params = more;
    call->endpoint_param_count++;
  }
  struct luaws_endpoint_param *p = &call->endpoint_params[i];
  *p = (struct luaws_endpoint_param){.name = luaws_arena_str(&call->arena, name)};
  if (lua_isboolean(L, 3)) {
    p->type = LUAWS_EP_BOOLEAN;
    p->boolean = lua_toboolean(L, 3);
  } else {
    p->type = LUAWS_EP_STRING;
    p->text = luaws_arena_str(&call->arena, l_check_text(L, 3));
  }
  return 0;
}

/* call:signer() → version, signing name, region, whether somebody asked for a version */
static int call_signer(lua_State *L) {
  struct luaws_call *call = check_call(L);
  struct luaws_error err = {0};
  /* What is wrong with it may be what somebody listens for. */
  if (luaws_call_choose_signer(call, &err)) luaws_error_clear(&err);
  l_push_text(L, call->signer.version);
  l_push_text(L, call->signer.name);
  l_push_text(L, call->signer.region);
  lua_pushboolean(L, call->client->config->signature_version_configured);
  return 4;
}

/* call:set_signature_version("v4" | "none") */
static int call_set_signature_version(lua_State *L) {
  struct luaws_call *call = check_call(L);
  call->signature_version = luaws_arena_str(&call->arena, l_check_text(L, 2));
  return 0;
}

/* call:set_keys(access key, secret key, session token): what it is signed with */
static int call_set_keys(lua_State *L) {
  struct luaws_call *call = check_call(L);
  struct luaws_credentials_init init = {.access_key = l_check_text(L, 2),
                                        .secret_key = l_check_text(L, 3),
                                        .token = l_check_text(L, 4),
                                        .method = LUAWS_STR("s3express")};
  struct luaws_credentials *keys = luaws_credentials_new(&init);
  if (!keys) return luaL_error(L, "not enough memory");
  luaws_credentials_release(call->credentials);
  call->credentials = keys;
  return 0;
}

/* call:answer(status, headers, body): in place of the network. */
static int call_answer(lua_State *L) {
  struct luaws_call *call = check_call(L);
  int status = (int)luaL_checkinteger(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  struct luaws_str body = l_check_text(L, 4);
  struct luaws_error err = {0};
  if (luaws_call_answer(call, status, NULL, 0, body, &err)) return l_error_raise(L, &err);
  lua_pushnil(L);
  while (lua_next(L, 3)) {
    struct luaws_str name, value;
    lua_pushvalue(L, -2);
    name.ptr = luaL_tolstring(L, -1, &name.len);
    value.ptr = luaL_tolstring(L, -3, &value.len);
    char *lower = luaws_arena_alloc(&call->arena, name.len + 1);
    for (size_t i = 0; lower && i < name.len; i++) {
      char ch = name.ptr[i];
      lower[i] = ch >= 'A' && ch <= 'Z' ? (char)(ch + 32) : ch;
    }
    if (lower)
      luaws_headers_set(&call->response.headers, (struct luaws_str){lower, name.len},
                        value);
    lua_pop(L, 4);
  }
  return 0;
}

/* call:status() → the status of the response; nil when there is none */
static int call_status(lua_State *L) {
  struct luaws_call *call = check_call(L);
  if (!call->response.status) return 0;
  lua_pushinteger(L, call->response.status);
  return 1;
}

/* call:response_headers() → { name = value }, names in lower case */
static int call_response_headers(lua_State *L) {
  l_call_push_headers(L, &check_call(L)->response.headers);
  return 1;
}

/* call:response_header(name) → its value, or nil */
static int call_response_header(lua_State *L) {
  struct luaws_call *call = check_call(L);
  const struct luaws_str *value =
      luaws_headers_get(&call->response.headers, l_check_text(L, 2));
  if (!value) return 0;
  l_push_text(L, *value);
  return 1;
}

/* call:response_body([bytes]) → what has come, or so many bytes of its beginning, or of
 * its end if bytes is negative. A streamed body is not read: it is nil. */
static int call_response_body(lua_State *L) {
  struct luaws_call *call = check_call(L);
  if (luaws_call_streams(call) && call->response.status < 300 && !call->answered)
    return 0;
  struct luaws_str body = call->response.body;
  lua_Integer limit = luaL_optinteger(L, 2, (lua_Integer)body.len);
  size_t n = (size_t)(limit < 0 ? -limit : limit);
  if (n > body.len) n = body.len;
  l_push_text(L, luaws_str_sub(body, limit < 0 ? body.len - n : 0, n));
  return 1;
}

/* call:parsed() → what the answer says, as the result will; nil where it says nothing
   that can be read, or where its body is streamed, which is read once */
static int call_parsed(lua_State *L) {
  struct luaws_call *call = check_call(L);
  if (!call->response.status || call->presign ||
      (luaws_call_streams(call) && !luaws_call_failed(call)))
    return 0;
  struct luaws_error err = {0};
  struct l_writer w;
  l_writer_begin(&w, L);
  int rc = luaws_call_write(call, &w.base, &err);
  if (rc == 0 || rc == LUAWS_E_SERVICE) return 1;
  luaws_error_clear(&err);
  return 0;
}

/* call:is_error_document() → whether the answer says 200 and tells of an error, or breaks
   off */
static int call_is_error_document(lua_State *L) {
  lua_pushboolean(L, luaws_is_error_document(&check_call(L)->response));
  return 1;
}

/* call:move(): before the next attempt the endpoint is resolved again, listened to. */
static int call_move(lua_State *L) {
  struct luaws_call *call = check_call(L);
  call->moved = true;
  call->hooks |= 1u << LUAWS_HOOK_BEFORE_ENDPOINT;
  return 0;
}

/* call:listen_after(): the result goes by way of hooks.after, even if nobody asked. */
static int call_listen_after(lua_State *L) {
  struct l_call *c = l_call_check(L, 1);
  c->hooks |= 1u << L_HOOK_AFTER;
  return 0;
}

/* call:set_response(status, body): what is parsed in place of what came; headers stay. */
static int call_set_response(lua_State *L) {
  struct luaws_call *call = check_call(L);
  call->response.status = (int)luaL_checkinteger(L, 2);
  if (!lua_isnoneornil(L, 3))
    call->response.body = luaws_arena_str(&call->arena, l_check_text(L, 3));
  return 0;
}
static int call_set_response_header(lua_State *L) {
  struct luaws_call *call = check_call(L);
  struct luaws_headers *h = &call->response.headers;
  h->arena = &call->arena;
  if (lua_isnoneornil(L, 3))
    luaws_headers_remove(h, l_check_text(L, 2));
  else
    luaws_headers_set(h, l_check_text(L, 2), l_check_text(L, 3));
  return 0;
}

/* call:error() → error table of a failed attempt, or nil */
static int call_error(lua_State *L) {
  struct luaws_call *call = check_call(L);
  if (!call->attempt_error.code) return 0;
  struct luaws_error copy = {0};
  luaws_error_set(&copy, call->attempt_error.code, call->attempt_error.kind, "%s",
                  luaws_error_message(&call->attempt_error));
  l_error_push(L, &copy);
  return 1;
}

/* call:retry_delay() → seconds, or nil when there is to be no retry;
 * call:set_retry_delay(seconds or nil) */
static int call_retry_delay(lua_State *L) {
  struct luaws_call *call = check_call(L);
  if (call->retry_delay_ms < 0) return 0;
  lua_pushnumber(L, (lua_Number)call->retry_delay_ms / 1000);
  return 1;
}
static int call_set_retry_delay(lua_State *L) {
  struct luaws_call *call = check_call(L);
  lua_Number ms = lua_isnoneornil(L, 2) ? -1 : luaL_checknumber(L, 2) * 1000;
  luaL_argcheck(L, ms > -1e15 && ms < 1e15, 2, "not a number of seconds");
  call->retry_delay_ms = (int64_t)ms;
  return 0;
}

void l_call_push_methods(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"context", call_context},
      {"give", call_give},
      {"operation_name", call_operation_name},
      {"attempt", call_attempt},
      {"is_presign", call_is_presign},
      {"request", call_request},
      {"request_body", call_request_body},
      {"request_hashes", call_request_hashes},
      {"set_method", call_set_method},
      {"set_url", call_set_url},
      {"set_header", call_set_header},
      {"set_body", call_set_body},
      {"endpoint_builtins", call_endpoint_builtins},
      {"endpoint_params", call_endpoint_params},
      {"set_endpoint_param", call_set_endpoint_param},
      {"signer", call_signer},
      {"set_signature_version", call_set_signature_version},
      {"set_keys", call_set_keys},
      {"answer", call_answer},
      {"status", call_status},
      {"response_headers", call_response_headers},
      {"response_header", call_response_header},
      {"response_body", call_response_body},
      {"parsed", call_parsed},
      {"is_error_document", call_is_error_document},
      {"move", call_move},
      {"listen_after", call_listen_after},
      {"set_response", call_set_response},
      {"set_response_header", call_set_response_header},
      {"error", call_error},
      {"retry_delay", call_retry_delay},
      {"set_retry_delay", call_set_retry_delay},
      {NULL, NULL}};
  luaL_newlib(L, methods);
}
