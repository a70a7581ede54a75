/* The n-th allocation fails, for every n: whatever the host's functions do then, the
   process lives on, and the host does its work once there is memory again. */
#include <luaws.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <lua.h>
#include <stddef.h>

#include "host_peer.h"

/* How many more allocations succeed; < 0: all of them. Only this thread's. Of a process
   that AddressSanitizer watches only those by realloc, which Lua's and our buffers' all
   are. */
static _Thread_local long allowance = -1;

static lua_State *newest;

/* Lua drops a finalizer that it has no memory to call (its stack may have to grow first),
   and warns of it: what that one would free is lost, and no leak of ours. So finalizers
   get theirs. While one runs Lua refuses to be asked about its collector. */
static bool in_finalizer(void) {
  return newest && lua_gc(newest, LUA_GCISRUNNING) < 0;
}

#define REAL(type, name, ...)       \
  static type (*real)(__VA_ARGS__); \
  if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

__attribute__((visibility("default"))) void *realloc(void *ptr, size_t size) {
  REAL(void *, "realloc", void *, size_t);
  if (allowance == 0 && !in_finalizer()) return NULL;
  if (allowance > 0) allowance--;
  return real(ptr, size);
}

#ifndef __SANITIZE_ADDRESS__
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);

__attribute__((visibility("default"))) void *malloc(size_t size) {
  if (allowance == 0 && !in_finalizer()) return NULL;
  if (allowance > 0) allowance--;
  return __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t size) {
  if (allowance == 0 && !in_finalizer()) return NULL;
  if (allowance > 0) allowance--;
  return __libc_calloc(count, size);
}
#endif

__attribute__((visibility("default"))) lua_State *lua_newstate(lua_Alloc f, void *ud) {
  REAL(lua_State *, "lua_newstate", lua_Alloc, void *);
  return newest = real(f, ud);
}

__attribute__((visibility("default"))) void lua_close(lua_State *L) {
  REAL(void, "lua_close", lua_State *);
  real(L);
  if (newest == L) newest = NULL;
}

static const char *give_text(struct luaws_host_args *a, void *arg) {
  size_t len;
  const char *text = luaws_host_arg_string(a, 0, &len);
  luaws_host_push_string(a, text ? text : "none", text ? len : 4);
  return NULL;
}

static const char work[] =
    "local aws = require('luaws') local sqs = aws.client('sqs') "
    "local t = aws.async.map({1, 2, 3}, function(i) return {text(i), "
    "sqs:list_queues{}.QueueUrls} end) "
    "local ok, err = pcall(sqs.get_queue_url, sqs, {QueueName = 'q'}) "
    "for queue in aws.resource('sqs').queues:all() do t[#t + 1] = queue.url "
    "end "
    "t[#t + 1] = sqs:get_paginator('list_queues'):paginate{}:search('QueueUrls[]')() "
    "local has, core = pcall(require, 'luaws.core') " /* not a safe script */
    "if has then local sum = core.range_sum('CRC32', 0, 1) sum:add('three') "
    "t[#t + 1] = core.base64_encode(sum:crcs()) end "
    "return t, err.code, 1.5";

/* Everything that a host can do, with as few allocations as are allowed. */
static bool all_of_it(struct luaws_host *h) {
  luaws_host_register(h, "text", give_text, NULL);
  int rc = luaws_host_run_string(h, work, "=work", 0, NULL);
  if (rc) {
    assert_non_null(luaws_host_error(h));
    assert_non_null(luaws_host_error_kind(h));
    return false;
  }
  luaws_host_result_type(h, 0);
  return luaws_host_result_json(h, 0) && luaws_host_result_string(h, 1, NULL) &&
         luaws_host_result_string(h, 2, NULL);
}

static void no_failing_allocation_ends_the_process(void **state) {
  struct luaws_host_options o = {.region = "us-east-1", .endpoint_url = peer_url};
  struct luaws_host *h = luaws_host_new(&o, NULL);
  assert_true(all_of_it(h));
  long n = 0;
  bool done = false;
  for (; !done; n += 1 + n / 50) {
    allowance = n;
    done = all_of_it(h);
    done = done && allowance > 0;
    allowance = -1;
    if (n > 1000000) fail_msg("never enough");
  }
  assert_true(n > 100);
  assert_true(all_of_it(h));
  assert_string_equal(luaws_host_result_string(h, 1, NULL), "QueueDoesNotExist");
  luaws_host_free(h);
}

static void a_host_is_made_or_not(void **state) {
  struct luaws_host_options o = {
      .region = "us-east-1", .endpoint_url = peer_url, .libraries = LUAWS_HOST_SAFE};
  bool made = false;
  for (long n = 0; !made; n += 1 + n / 20) {
    char *error = NULL;
    allowance = n;
    struct luaws_host *h = luaws_host_new(&o, &error);
    made = h && allowance > 0;
    allowance = -1;
    if (h) assert_true(all_of_it(h));
    luaws_host_free(h);
    luaws_free(error);
  }
}

static void calls_without_lua_too(void **state) {
  struct luaws_options o = {.region = "us-east-1", .endpoint_url = peer_url};
  bool done = false;
  for (long n = 0; !done; n++) {
    char *result = NULL, *error = NULL;
    allowance = n;
    struct luaws_handle *h = luaws_open("sqs", &o, NULL);
    int rc = h ? luaws_call(h, "ListQueues", "{}", &result, &error) : -1;
    done = rc == 0 && allowance > 0;
    allowance = -1;
    if (rc == 0) assert_non_null(strstr(result, "http://b"));
    luaws_free(result);
    luaws_free(error);
    luaws_close(h);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_failing_allocation_ends_the_process),
      cmocka_unit_test(a_host_is_made_or_not),
      cmocka_unit_test(calls_without_lua_too),
  };
  return cmocka_run_group_tests(tests, peer_start, peer_stop);
}
