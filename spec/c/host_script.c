/* luaws_host_…: scripts in a C program, their results, errors, limits and functions. */
#include <luaws.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <lua.h>
#include <malloc.h>
#include <math.h>
#include <poll.h>
#include <semaphore.h>
#include <stddef.h>
#include <sys/wait.h>
#include <time.h>

#include "host_peer.h"

static struct luaws_host *new_host(struct luaws_host_options o) {
  char *error = NULL;
  if (!o.region) o.region = "us-east-1";
  if (!o.endpoint_url) o.endpoint_url = peer_url;
  struct luaws_host *h = luaws_host_new(&o, &error);
  if (!h) fail_msg("%s", error);
  assert_null(error);
  return h;
}

static int run(struct luaws_host *h, const char *code) {
  return luaws_host_run_string(h, code, "=script", 0, NULL);
}

static void runs(struct luaws_host *h, const char *code) {
  if (run(h, code)) fail_msg("%s: %s", luaws_host_error_kind(h), luaws_host_error(h));
}

static void fails(struct luaws_host *h, const char *code, const char *kind) {
  assert_int_equal(run(h, code), -1);
  if (strcmp(luaws_host_error_kind(h), kind) != 0)
    fail_msg("%s, not %s: %s", luaws_host_error_kind(h), kind, luaws_host_error(h));
}

/* Whatever went before: the host still does its work. Its limit of time may be short for
   that where many processes run, so it gets some tries. */
static void still_works(struct luaws_host *h) {
  int tries = 50, rc;
  do
    rc = run(h, "return require('luaws').client('sqs'):list_queues{}.QueueUrls[2]");
  while (rc && --tries && strcmp(luaws_host_error_kind(h), "TimeLimitError") == 0);
  if (rc) fail_msg("%s: %s", luaws_host_error_kind(h), luaws_host_error(h));
  assert_string_equal(luaws_host_result_string(h, 0, NULL), "http://b");
  assert_null(luaws_host_error(h));
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- results ---- */

static void results_of_every_type(void **state) {
  struct luaws_host *h = new_host((struct luaws_host_options){0});
  size_t len;
  runs(h, "return nil, true, 42, 1.5, 'a\\0b', {1,2}, print, 9007199254740993");
  assert_int_equal(luaws_host_result_count(h), 8);
  static const char *const types[] = {"nil",   "boolean",  "number", "number", "string",
                                      "table", "function", "number", "none"};
  for (int i = 0; i < 9; i++)
    assert_string_equal(luaws_host_result_type(h, i), types[i]);
  assert_string_equal(luaws_host_result_type(h, -1), "none");
  assert_int_equal(luaws_host_result_boolean(h, 1), 1);
  assert_int_equal(luaws_host_result_boolean(h, 0), 0);
  assert_int_equal(luaws_host_result_integer(h, 2), 42);
  assert_true(luaws_host_result_number(h, 3) == 1.5);
  assert_true(luaws_host_result_integer(h, 7) == 9007199254740993);
  const char *number = luaws_host_result_string(h, 2, &len);
  const char *text = luaws_host_result_string(h, 4, &len);
  assert_int_equal(len, 3);
  assert_memory_equal(text, "a\0b", 4);
  for (int i = 0; i < 1000; i++)
    luaws_host_result_string(h, 2, NULL);
  assert_string_equal(number, "42");
  assert_null(luaws_host_result_string(h, 0, &len));
  assert_int_equal(len, 0);
  assert_null(luaws_host_result_string(h, 5, NULL));
  assert_null(luaws_host_result_string(h, 8, NULL));
  assert_string_equal(luaws_host_result_string(h, 3, NULL), "1.5");
  assert_string_equal(luaws_host_result_string(h, 7, NULL), "9007199254740993");
  runs(h, "return");
  assert_int_equal(luaws_host_result_count(h), 0);
  runs(h, "return table.unpack({}, 1, 5000)");
  assert_int_equal(luaws_host_result_count(h), 5000);
  luaws_host_free(h);
}

static void results_as_json(void **state) {
  static const struct {
    const char *code, *json;
  } cases[] = {
      {"return nil", "null"},
      {"return true", "true"},
      {"return 42", "42"},
      {"return 1.5", "1.5"},
      {"return 0/0", "\"NaN\""},
      {"return 1/0", "\"Infinity\""},
      {"return 'a\"\\n'", "\"a\\\"\\n\""},
      {"return '\\xff'", "\"\xEF\xBF\xBD\""},
      {"return {}", "{}"},
      {"return {1,{2},'x'}", "[1,[2],\"x\"]"},
      {"return {a={b=false}}", "{\"a\":{\"b\":false}}"},
      {"return {[7]=1}", "{\"7\":1}"},
      {"return require('luaws').list{}", "[]"},
      {"return require('luaws').map{}", "{}"},
      {"return {require('luaws').null}", "[null]"},
      {"local t = {1} return {t, t}", "[[1],[1]]"},
      {"local t = {} t[1] = t return t", NULL},
      {"local t = {} t.a = {t, t} return t", NULL},
      {"return print", NULL},
      {"return {print}", NULL},
      {"return {[true]=1}", NULL},
      {"return coroutine.create(print)", NULL},
      {"return require('luaws').client('sqs')", NULL},
      {"local t = {} for i = 1, 200 do t = {t} end return t", NULL},
      {"return require('luaws').client('sqs'):list_queues{}.QueueUrls",
       "[\"http://a\",\"http://b\"]"},
  };
  struct luaws_host *h = new_host((struct luaws_host_options){0});
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    runs(h, cases[i].code);
    const char *json = luaws_host_result_json(h, 0);
    if (!json || !cases[i].json) {
      if (json || cases[i].json) fail_msg("%s: %s", cases[i].code, json ? json : "NULL");
      continue;
    }
    assert_string_equal(json, cases[i].json);
  }
  assert_null(luaws_host_result_json(h, 1));
  runs(h, "return {1, 2, x = 3}");
  const char *json = luaws_host_result_json(h, 0);
  assert_non_null(strstr(json, "\"x\":3"));
  assert_non_null(strstr(json, "\"2\":2"));
  luaws_host_free(h);
}

static void json_stays_within_the_memory_limit(void **state) {
  struct luaws_host *h =
      new_host((struct luaws_host_options){.memory_limit_bytes = 8 << 20});
  runs(h, "local t = {'x'} for i = 1, 90 do t = {t, t} end return t");
  assert_null(luaws_host_result_json(h, 0));
  luaws_host_free(h);
}

static void arguments_and_files(void **state) {
  struct luaws_host *h = new_host((struct luaws_host_options){0});
  const char *const argv[] = {"one", "two"};
  assert_int_equal(luaws_host_run_string(h, "return #arg, arg[0], arg[1], select(2, ...)",
                                         "=mine", 2, argv),
                   0);
  assert_int_equal(luaws_host_result_integer(h, 0), 2);
  assert_string_equal(luaws_host_result_string(h, 1, NULL), "mine");
  assert_string_equal(luaws_host_result_string(h, 2, NULL), "one");
  assert_string_equal(luaws_host_result_string(h, 3, NULL), "two");
  char path[] = "/tmp/luaws-host-XXXXXX";
  int fd = mkstemp(path);
  dprintf(fd, "#!/usr/bin/env luaws\nreturn arg[0], ...");
  close(fd);
  assert_int_equal(luaws_host_run_file(h, path, 1, argv), 0);
  assert_string_equal(luaws_host_result_string(h, 0, NULL), path);
  assert_string_equal(luaws_host_result_string(h, 1, NULL), "one");
  unlink(path);
  assert_int_equal(luaws_host_run_file(h, path, 0, NULL), -1);
  assert_non_null(strstr(luaws_host_error(h), "cannot open"));
  fails(h, "\x1bLua", "LuaError");
  assert_int_equal(luaws_host_run_string(h, "return arg[0]", NULL, 0, NULL), 0);
  assert_string_equal(luaws_host_result_string(h, 0, NULL), "(host)");
  luaws_host_free(h);
}

static void globals_last_and_results_do_not(void **state) {
  struct luaws_host *h = new_host((struct luaws_host_options){0});
  runs(h, "n = (n or 0) + 1 return n");
  runs(h, "n = (n or 0) + 1 return n");
  assert_int_equal(luaws_host_result_integer(h, 0), 2);
  fails(h, "error 'x'", "LuaError");
  assert_int_equal(luaws_host_result_count(h), 0);
  luaws_host_free(h);
}

/* ---- errors ---- */

static void errors_of_every_kind(void **state) {
  static const struct {
    const char *code, *kind, *error_code, *text;
  } cases[] = {
      {"x =", "LuaError", NULL, "script:1: unexpected symbol near <eof>"},
      {"error('mine')", "LuaError", NULL, "script:1: mine"},
      {"error('mine', 0)", "LuaError", NULL, "mine"},
      {"error()", "LuaError", NULL, "nil"},
      {"error({kind = 'Own', code = 'C7'})", "Own", "C7", "table: "},
      {"error({kind = 7})", "LuaError", NULL, "table: "},
      {"error({kind = 'Own', message = 'what happened'})", "Own", NULL, "what happened"},
      {"error(setmetatable({}, {__tostring = function() return 'told' end}))", "LuaError",
       NULL, "told"},
      {"error(setmetatable({}, {__tostring = function() error('no', 0) end}))",
       "LuaError", NULL, "no"},
      {"error(setmetatable({}, {__tostring = function() return {} end}))", "LuaError",
       NULL, "'__tostring' must return a string"},
      {"require('luaws').client('sqs'):get_queue_url{QueueName = 'q'}", "ClientError",
       "QueueDoesNotExist",
       "An error occurred (QueueDoesNotExist) when calling the GetQueueUrl operation"},
      {"require('luaws').client('sqs'):get_queue_url{Wrong = 'q'}",
       "ParamValidationError", NULL, "Parameter validation failed"},
      {"require('luaws').client('nothing')", "UnknownServiceError", NULL, "nothing"},
      {"coroutine.yield()", "RuntimeError", NULL, "none can go on"},
      {"local function f() return f() + 1 end f()", "LuaError", NULL, "stack overflow"},
  };
  struct luaws_host *h = new_host((struct luaws_host_options){0});
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    fails(h, cases[i].code, cases[i].kind);
    if (!strstr(luaws_host_error(h), cases[i].text))
      fail_msg("%s: %s", cases[i].code, luaws_host_error(h));
    const char *code = luaws_host_error_code(h);
    assert_int_equal(code == NULL, cases[i].error_code == NULL);
    if (code) assert_string_equal(code, cases[i].error_code);
  }
  still_works(h);
  assert_null(luaws_host_error_kind(h));
  assert_null(luaws_host_error_code(h));
  luaws_host_free(h);
}

static void a_host_that_cannot_be_made(void **state) {
  char *error = NULL;
  struct luaws_host_options o = {.profile = "not-there"};
  assert_null(luaws_host_new(&o, &error));
  assert_non_null(strstr(error, "ProfileNotFound: "));
  luaws_free(error);
  assert_null(luaws_host_new(&o, NULL));
  struct luaws_host *h = luaws_host_new(NULL, NULL);
  assert_non_null(h);
  runs(h, "return io and os and load and debug and package and true");
  assert_true(luaws_host_result_boolean(h, 0));
  luaws_host_free(h);
  luaws_host_free(NULL);
}

/* ---- memory ---- */

static void the_memory_limit_ends_a_run(void **state) {
  static const char *const scripts[] = {
      "local t = {} for i = 1, 1e9 do t[i] = {} end",
      "return string.rep('x', 1e9)",
      "local s = 'x' while true do s = s .. s end",
      "local function f(n) return {n, f(n + 1)} end return f(1)",
      "local t = {} for i = 1, 40 do t = {t, t, string.rep('x', 1e6) .. i} end "
      "return table.concat({string.rep('y', 9e6), string.rep('z', 9e6)})",
      "local all = {} while true do all[#all + 1] = coroutine.create(print) end",
      "local t = {} local sqs = require('luaws').client('sqs') "
      "while true do t[#t + 1] = sqs:list_queue_tags{QueueUrl = 'http://q'} end",
      "local aws = require('luaws') local t = {} "
      "aws.async.map({1,2,3,4}, function() while true do t[#t + 1] = {} end end)",
      "local aws = require('luaws') local t = {} "
      "while true do t[#t + 1] = aws.client('sqs') end",
  };
  struct luaws_host *h =
      new_host((struct luaws_host_options){.memory_limit_bytes = 8 << 20});
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
    if (run(h, scripts[i]) != -1) fail_msg("%s: ran", scripts[i]);
    const char *kind = luaws_host_error_kind(h);
    if (strcmp(kind, "MemoryError") != 0 &&
        !strstr(luaws_host_error(h), "stack overflow"))
      fail_msg("%s: %s: %s", scripts[i], kind, luaws_host_error(h));
    still_works(h);
  }
  runs(h, "return pcall(string.rep, 'x', 1e9)"); /* a script may do with less */
  assert_false(luaws_host_result_boolean(h, 0));
  fails(h, "pcall(string.rep, 'x', 1e9) error('other', 0)", "LuaError");
  still_works(h);
  luaws_host_free(h);
}

static void a_limit_too_small_for_luaws_fails_every_run(void **state) {
  struct luaws_host *h =
      new_host((struct luaws_host_options){.memory_limit_bytes = 1000});
  fails(h, "return 1", "MemoryError");
  fails(h, "return 1", "MemoryError");
  luaws_host_free(h);
}

/* ---- time ---- */

static const char *const endless[] = {
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "while true do xpcall(function() while true do end end, function() while true do "
    "end end) end",
    "pcall(pcall, function() pcall(pcall, function() while true do end end) while true "
    "do end end) while true do end",
    "local function f() while true do pcall(error) end end "
    "while true do pcall(coroutine.wrap(f)) end",
    "while true do coroutine.resume(coroutine.create(function() while true do end end)) "
    "end",
    "local t <close> = setmetatable({}, {__close = function() while true do end end}) "
    "while true do end",
    "local f = function() while true do end end string.gsub('x', 'x', function() "
    "while true do xpcall(f, f) end end)",
    "local t <close> = setmetatable({}, {__close = function() while true do end end}) "
    "string.gsub('x', 'x', function() while true do end end)",
    "while true do local co = coroutine.create(function() local t <close> = "
    "setmetatable({}, {__close = function() while true do end end}) "
    "string.gsub('x', 'x', function() while true do end end) end) "
    "coroutine.resume(co) coroutine.close(co) end",
    "table.sort({1,2,3}, function() while true do end end)",
    "local t = setmetatable({}, {__index = function() while true do end end}) "
    "while true do pcall(function() return t.x end) end",
    "error(setmetatable({}, {__tostring = function() while true do end end}))",
    "require('luaws').client('sqs'):receive_message{QueueUrl = 'http://q'}",
    "while true do pcall(function() require('luaws').client('sqs'):receive_message{"
    "QueueUrl = 'http://q'} end) end",
    "local aws = require('luaws') "
    "while true do pcall(aws.async.sleep, 10) end",
    "local aws = require('luaws') local sqs = aws.client('sqs') "
    "local function ask() while true do pcall(sqs.receive_message, sqs, {QueueUrl = "
    "'http://q'}) end end "
    "local t <close> = setmetatable({}, {__close = ask}) ask()",
    "local aws = require('luaws') local sqs = aws.client('sqs') "
    "coroutine.wrap(function() while true do pcall(sqs.receive_message, sqs, {QueueUrl = "
    "'http://q'}) end end)()",
    "local aws = require('luaws') aws.async.spawn(function() while true do "
    "aws.async.sleep(0) end end) aws.async.sleep(100)",
    "local aws = require('luaws') aws.async.spawn(function() local t <close> = "
    "setmetatable({}, {__close = function() while true do end end}) aws.async.sleep(100) "
    "end) aws.async.sleep(0.01)",
    "coroutine.yield()",
};

static void the_time_limit_ends_computing_and_waiting(void **state) {
  struct luaws_host *h = new_host((struct luaws_host_options){.time_limit_ms = 200});
  for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
    int64_t before = now_ms();

    fails(h, endless[i], "TimeLimitError");
    /* What resists is given up after five seconds. */
    if (now_ms() - before > 4500)
      fail_msg("%s: took %d ms", endless[i], (int)(now_ms() - before));
    still_works(h);
  }
  luaws_host_free(h);
}

static void finalizers_do_not_escape_the_limits_of_safe_scripts(void **state) {
  struct luaws_host *h = new_host(
      (struct luaws_host_options){.time_limit_ms = 5000, .libraries = LUAWS_HOST_SAFE});
  fails(h, "setmetatable({}, {__gc = function() while true do end end})", "LuaError");
  runs(h, "local aws = require('luaws') local mt = {} setmetatable({}, mt) mt.__gc = 1 "
          "assert(not pcall(setmetatable, {}, mt)) "
          "local sqs = aws.client('sqs') "
          "return getmetatable(sqs), getmetatable(aws.list{}), getmetatable('x'), "
          "getmetatable(aws.session{}), getmetatable(setmetatable({}, mt2)), "
          "getmetatable(sqs:list_queues{})");
  static const char *const json[] = {"false", "false", "false", "false", "null", "null"};
  for (int i = 0; i < 6; i++)
    assert_string_equal(luaws_host_result_json(h, i), json[i]);
  runs(h, "local mt = {__index = function() return 7 end} local t = setmetatable({}, mt) "
          "assert(getmetatable(t) == mt) "
          "assert(getmetatable(setmetatable({}, {__metatable = 'no'})) == 'no') "
          "assert(not pcall(setmetatable, setmetatable({}, {__metatable = 1}), {})) "
          "return t.x");
  assert_int_equal(luaws_host_result_integer(h, 0), 7);
  luaws_host_free(h);
}

/* ---- interruption ---- */

static sem_t begun;

static const char *begin(struct luaws_host_args *a, void *arg) {
  sem_post(&begun);
  return NULL;
}

static void *interrupt_soon(void *host) {
  sem_wait(&begun);
  usleep(50 * 1000);
  luaws_host_interrupt(host);
  return NULL;
}

static void another_thread_interrupts(void **state) {
  struct luaws_host *h = new_host((struct luaws_host_options){0});
  sem_init(&begun, 0, 0);
  luaws_host_register(h, "begin", begin, NULL);
  for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
    pthread_t t;
    char code[1024];
    if (strstr(endless[i], "yield")) continue; /* fails at once without a limit */
    pthread_create(&t, NULL, interrupt_soon, h);
    snprintf(code, sizeof code, "begin() %s", endless[i]);
    fails(h, code, "KeyboardInterrupt");
    pthread_join(t, NULL);
    still_works(h);
  }
  luaws_host_interrupt(h); /* nothing goes on */
  still_works(h);
  luaws_host_free(h);
}

static void *interrupt_often(void *host) {
  for (int i = 0; i < 2000; i++) {
    luaws_host_interrupt(host);
    usleep(50);
  }
  return NULL;
}

static void interruptions_at_any_moment(void **state) {
  struct luaws_host *h = new_host((struct luaws_host_options){0});
  pthread_t t;
  pthread_create(&t, NULL, interrupt_often, h);
  for (int i = 0; i < 300; i++) {
    if (run(h, "return #require('luaws').client('sqs'):list_queues{}.QueueUrls") == 0)
      assert_int_equal(luaws_host_result_integer(h, 0), 2);
    else
      assert_string_equal(luaws_host_error_kind(h), "KeyboardInterrupt");
  }
  pthread_join(t, NULL);
  still_works(h);
  luaws_host_free(h);
}

/* ---- libraries ---- */

static void a_safe_script_finds_no_way_out(void **state) {
  struct luaws_host *h =
      new_host((struct luaws_host_options){.libraries = LUAWS_HOST_SAFE});
  runs(h, "for _, name in ipairs{'io', 'os', 'debug', 'package', 'load', 'loadfile', "
          "'dofile', 'loadstring'} do assert(_G[name] == nil, name) end "
          "for _, name in ipairs{'io', 'os', 'luaws.core', 'luaws.repl', 'luaws.async', "
          "'_G', 'cjson'} do assert(not pcall(require, name), name) end "
          "assert(_G._G == _G) assert(_ENV == _G)");
  /* Everything that can be reached by indexing, from the globals and from what luaws
     gives out. */
  runs(h,
       "local aws = require('luaws') local seen = {} "
       "local bad = {'popen', 'execute', 'getenv', 'loadfile', 'dofile', 'preload', "
       "'sethook', 'getregistry', 'loadlib', 'repl'} "
       "local function walk(v, path) "
       "  if type(v) ~= 'table' or seen[v] then return end seen[v] = true "
       "  for _, name in ipairs(bad) do "
       "    if rawget(v, name) ~= nil then error(path .. '.' .. name, 0) end end "
       "  local mt = getmetatable(v) if type(mt) == 'table' then walk(mt, path .. '^') "
       "end "
       "  for k, x in next, v do walk(k, path .. '?') walk(x, path .. '.' .. "
       "tostring(k)) end end "
       "local sqs = aws.client('sqs') local s3 = aws.resource('s3') "
       "local ok, err = pcall(sqs.list_queues, sqs, {Wrong = 1}) "
       "for _, name in ipairs{'async', 'jmespath', 'pretty', 'errors'} do "
       "local x = aws[name] end "
       "for name, v in next, {g = _G, aws = aws, sqs = sqs, s3 = s3, err = err, "
       "session = aws.session{}, default = aws.default_session(), "
       "events = sqs.meta.events} do walk(v, name) end");
  fails(h, "require('luaws').file('/etc/passwd')", "PermissionError");
  fails(h, "require('luaws').client('s3'):upload_file('/etc/passwd', 'b', 'k')",
        "PermissionError");
  fails(h, "require('luaws').client('s3'):upload_file('/not/there', 'b', 'k')",
        "PermissionError");
  fails(h, "require('luaws').client('s3'):download_file('b', 'k', '/tmp/luaws-x')",
        "PermissionError");
  fails(h, "require('luaws').session{_env = {}}", "PermissionError");
  fails(h, "require('luaws').session{data_path = '/tmp'}", "PermissionError");
  /* What it changes is its own. */
  runs(h, "string.format = nil table.concat = nil table.unpack = nil ipairs = nil "
          "coroutine.create = nil getmetatable = nil local aws = require('luaws') "
          "aws.async.poll = nil aws.async.spawn = nil aws.async.close_all = nil "
          "require = nil return #aws.client('sqs'):list_queues{}.QueueUrls");
  assert_int_equal(luaws_host_result_integer(h, 0), 2);
  runs(h, "return ('%d'):format(7)");
  assert_string_equal(luaws_host_result_string(h, 0, NULL), "7");
  fails(h, "error('x', 0)", "LuaError");
  luaws_host_free(h);
}

static void libraries_are_there_when_asked_for(void **state) {
  static const struct {
    unsigned bit;
    const char *there;
  } cases[] = {
      {LUAWS_HOST_BASE, "print"},      {LUAWS_HOST_STRING, "string"},
      {LUAWS_HOST_TABLE, "table"},     {LUAWS_HOST_MATH, "math"},
      {LUAWS_HOST_UTF8, "utf8"},       {LUAWS_HOST_COROUTINE, "coroutine"},
      {LUAWS_HOST_OS, "os"},           {LUAWS_HOST_IO, "io"},
      {LUAWS_HOST_PACKAGE, "package"}, {LUAWS_HOST_DEBUG, "debug"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct luaws_host *h =
        new_host((struct luaws_host_options){.libraries = cases[i].bit});
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
      char code[64];
      snprintf(code, sizeof code, "return %s == nil", cases[k].there);
      runs(h, code);
      assert_int_equal(luaws_host_result_boolean(h, 0), i != k);
    }
    still_works(h);
    luaws_host_free(h);
  }
  struct luaws_host *h =
      new_host((struct luaws_host_options){.libraries = LUAWS_HOST_SAFE | LUAWS_HOST_IO});
  runs(h, "return io.open('/etc/passwd') ~= nil, "
          "tostring(require('luaws').file('/etc/passwd'))");
  assert_true(luaws_host_result_boolean(h, 0));
  luaws_host_free(h);
}

/* ---- C functions ---- */

static const char *describe(struct luaws_host_args *a, void *arg) {
  char text[512] = "";
  size_t len;
  for (int i = 0; i <= luaws_host_arg_count(a); i++) {
    const char *s = luaws_host_arg_string(a, i, &len);
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s/%d/%lld/%g/%s:%zu ",
             luaws_host_arg_type(a, i), luaws_host_arg_boolean(a, i),
             (long long)luaws_host_arg_integer(a, i), luaws_host_arg_number(a, i),
             s ? s : "-", len);
  }
  luaws_host_push_string(a, text, strlen(text));
  luaws_host_push_nil(a);
  luaws_host_push_boolean(a, 1);
  luaws_host_push_integer(a, INT64_MAX);
  luaws_host_push_number(a, 0.5);
  luaws_host_push_string(a, NULL, 0);
  ++*(int *)arg;
  return NULL;
}

static const char *refuse(struct luaws_host_args *a, void *arg) {
  luaws_host_push_integer(a, 1);
  return "refused";
}

static const char *push_much(struct luaws_host_args *a, void *arg) {
  static char block[1 << 20];
  for (int i = 0; i < 20; i++)
    luaws_host_push_string(a, block, sizeof block);
  for (int i = 0; i < 5000; i++)
    luaws_host_push_integer(a, i);
  ++*(int *)arg; /* always comes to its end */
  return NULL;
}

static void scripts_call_c_functions(void **state) {
  int calls = 0;
  struct luaws_host *h = new_host((struct luaws_host_options){
      .memory_limit_bytes = 8 << 20, .libraries = LUAWS_HOST_SAFE});
  assert_int_equal(luaws_host_register(h, "describe", describe, &calls), 0);
  assert_int_equal(luaws_host_register(h, "refuse", refuse, NULL), 0);
  assert_int_equal(luaws_host_register(h, "push_much", push_much, &calls), 0);
  runs(h, "return describe(nil, true, 7, '2.5', {})");
  assert_int_equal(luaws_host_result_count(h), 6);
  assert_string_equal(luaws_host_result_string(h, 0, NULL),
                      "nil/0/0/0/-:0 boolean/1/0/0/-:0 number/1/7/7/7:1 "
                      "string/1/0/2.5/2.5:3 table/1/0/0/-:0 none/0/0/0/-:0 ");
  assert_string_equal(luaws_host_result_type(h, 1), "nil");
  assert_true(luaws_host_result_boolean(h, 2));
  assert_true(luaws_host_result_integer(h, 3) == INT64_MAX);
  assert_true(luaws_host_result_number(h, 4) == 0.5);
  assert_string_equal(luaws_host_result_string(h, 5, NULL), "");
  assert_int_equal(calls, 1);
  fails(h, "refuse()", "LuaError");
  assert_string_equal(luaws_host_error(h), "script:1: refused");
  runs(h, "return pcall(refuse)");
  assert_false(luaws_host_result_boolean(h, 0));
  fails(h, "push_much()", "MemoryError");
  assert_int_equal(calls, 2);
  runs(h, "return table.concat(require('luaws').async.map({1,2}, function(i) "
          "return (describe(i)) end))");
  assert_int_equal(calls, 4);
  still_works(h);
  luaws_host_free(h);
}

/* What a function may do with the host that calls it. */
static const char *meddle(struct luaws_host_args *a, void *arg) {
  struct luaws_host *h = arg;
  assert_int_equal(luaws_host_result_count(h), 0);
  assert_int_equal(luaws_host_step(h), 1);
  assert_int_equal(luaws_host_run_string(h, "return 1", "=x", 0, NULL), -1);
  assert_string_equal(luaws_host_error(h), "a run is still going on");
  assert_int_equal(luaws_host_register(h, "refuse", refuse, NULL), 0);
  luaws_host_push_integer(a, luaws_host_arg_integer(a, 0) + 1);
  return NULL;
}

static const char *stop_me(struct luaws_host_args *a, void *arg) {
  luaws_host_interrupt(arg);
  return NULL;
}

static void a_function_may_use_its_host(void **state) {
  struct luaws_host *h = new_host((struct luaws_host_options){0});
  luaws_host_register(h, "meddle", meddle, h);
  luaws_host_register(h, "stop_me", stop_me, h);
  runs(h, "return meddle(1) + meddle(2), pcall(refuse)");
  assert_int_equal(luaws_host_result_integer(h, 0), 5);
  assert_null(luaws_host_error(h));
  fails(h, "stop_me() while true do end", "KeyboardInterrupt");
  fails(h, "stop_me() require('luaws').async.sleep(100)", "KeyboardInterrupt");
  still_works(h);
  luaws_host_free(h);
}

/* ---- stepping ---- */

static void two_hosts_in_one_loop(void **state) {
  static const char code[] =
      "local aws = require('luaws') local sqs = aws.client('sqs') local n = 0 "
      "for i = 1, 5 do n = n + #sqs:list_queues{}.QueueUrls aws.async.sleep(0.005) end "
      "return n";
  struct luaws_host *hosts[2];
  int rc[2], steps = 0;
  for (int i = 0; i < 2; i++) {
    hosts[i] = new_host((struct luaws_host_options){0});
    assert_int_equal(luaws_host_timeout_ms(hosts[i]), -1);
    assert_int_equal(luaws_host_step(hosts[i]), 0);
    assert_int_equal(luaws_host_start_string(hosts[i], code, "=x", 0, NULL), 0);
    assert_int_equal(luaws_host_timeout_ms(hosts[i]), 0);
    assert_int_equal(luaws_host_start_string(hosts[i], code, "=x", 0, NULL), -1);
    rc[i] = 1;
  }
  while (rc[0] == 1 || rc[1] == 1) {
    struct pollfd fds[2];
    int timeout = 5000;
    for (int i = 0; i < 2; i++) {
      fds[i] = (struct pollfd){.fd = luaws_host_fd(hosts[i]), .events = POLLIN};
      int t = rc[i] == 1 ? luaws_host_timeout_ms(hosts[i]) : -1;
      if (rc[i] != 1) fds[i].fd = -1;
      if (t >= 0 && t < timeout) timeout = t;
    }
    poll(fds, 2, timeout);
    for (int i = 0; i < 2; i++)
      if (rc[i] == 1) rc[i] = luaws_host_step(hosts[i]);
    assert_true(++steps < 2000);
  }
  assert_true(steps > 5); /* none goes on to where there is something to wait for */
  for (int i = 0; i < 2; i++) {
    assert_int_equal(rc[i], 0);
    assert_int_equal(luaws_host_step(hosts[i]), 0);
    assert_int_equal(luaws_host_result_integer(hosts[i], 0), 10);
    luaws_host_free(hosts[i]);
  }
}

/* Steps a started run to its end as a host's loop would. */
static int step_to_end(struct luaws_host *h) {
  int rc;
  while ((rc = luaws_host_step(h)) == 1) {
    struct pollfd p = {.fd = luaws_host_fd(h), .events = POLLIN};
    poll(&p, 1, luaws_host_timeout_ms(h));
  }
  return rc;
}

static void stepped_runs_fail_as_others_do(void **state) {
  struct luaws_host *h = new_host((struct luaws_host_options){.time_limit_ms = 400});
  static const struct {
    const char *code, *kind;
  } cases[] = {{"error('x')", "LuaError"},
               {"require('luaws').client('sqs'):receive_message{QueueUrl = 'http://q'}",
                "TimeLimitError"},
               {"while true do end", "TimeLimitError"},
               {"coroutine.yield()", "TimeLimitError"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(luaws_host_start_string(h, cases[i].code, "=x", 0, NULL), 0);
    assert_int_equal(step_to_end(h), -1);
    assert_string_equal(luaws_host_error_kind(h), cases[i].kind);
    assert_int_equal(luaws_host_step(h), -1);
  }
  assert_int_equal(luaws_host_start_string(h, "x =", "=x", 0, NULL), -1);
  assert_int_equal(luaws_host_start_file(h, "/not/there", 0, NULL), -1);
  still_works(h);
  luaws_host_free(h);
  h = new_host((struct luaws_host_options){0});
  luaws_host_start_string(h, "require('luaws').async.sleep(100)", "=x", 0, NULL);
  assert_int_equal(luaws_host_step(h), 1);
  luaws_host_interrupt(h);
  assert_int_equal(step_to_end(h), -1);
  assert_string_equal(luaws_host_error_kind(h), "KeyboardInterrupt");
  luaws_host_start_string(
      h, "require('luaws').client('sqs'):receive_message{QueueUrl = 'http://q'}", "=x", 0,
      NULL);
  assert_int_equal(luaws_host_step(h), 1);
  luaws_host_free(h); /* in the middle */
}

static void tasks_left_behind_are_cancelled(void **state) {
  struct luaws_host *h = new_host((struct luaws_host_options){0});
  runs(h, "closed = 0 local aws = require('luaws') for i = 1, 10 do "
          "aws.async.spawn(function() local t <close> = setmetatable({}, {__close = "
          "function() closed = closed + 1 end}) aws.client('sqs'):receive_message{"
          "QueueUrl = 'http://q'} end) end aws.async.sleep(0.01)");
  runs(h, "return closed");
  assert_int_equal(luaws_host_result_integer(h, 0), 10);
  assert_int_equal(luaws_host_timeout_ms(h), -1);
  luaws_host_free(h);
}

/* ---- credentials and log ---- */

struct vault {
  int asked;
  int rc;
  int64_t lifetime_s;
};

static int give_credentials(void *arg, struct luaws_host_credentials *out) {
  struct vault *v = arg;
  char key[32] = "AKID-HOST-";
  snprintf(key + strlen(key), 16, "%d", ++v->asked);
  static _Thread_local char kept[32];
  memcpy(kept, key, sizeof kept);
  out->access_key = kept;
  out->secret_key = "the-hosts-secret";
  out->session_token = "the-hosts-token";
  out->expiry_s = v->lifetime_s ? time(NULL) + v->lifetime_s : 0;
  return v->rc;
}

static void credentials_are_asked_for_when_needed(void **state) {
  struct vault v = {0};
  struct luaws_host *h = new_host((struct luaws_host_options){
      .credentials = give_credentials, .credentials_arg = &v});
  runs(h, "sqs = require('luaws').client('sqs')");
  assert_int_equal(v.asked, 0);
  runs(h, "sqs:list_queues{} sqs:list_queues{}");
  assert_int_equal(v.asked, 1);
  assert_non_null(strstr(peer.seen, "AKID-HOST-1/"));
  assert_non_null(strcasestr(peer.seen, "x-amz-security-token: the-hosts-token"));
  runs(h, "return require('luaws').default_session():get_credentials().method");
  assert_string_equal(luaws_host_result_string(h, 0, NULL), "host");
  luaws_host_free(h);

  v = (struct vault){.lifetime_s = 1};
  h = new_host((struct luaws_host_options){.credentials = give_credentials,
                                           .credentials_arg = &v});
  runs(h, "local aws = require('luaws') local sqs = aws.client('sqs') "
          "sqs:list_queues{} aws.async.sleep(1.05) sqs:list_queues{}");
  assert_int_equal(v.asked, 2);
  assert_non_null(strstr(peer.seen, "AKID-HOST-2/"));
  luaws_host_free(h);

  v = (struct vault){.rc = 1}; /* the environment has some */
  h = new_host((struct luaws_host_options){.credentials = give_credentials,
                                           .credentials_arg = &v});
  still_works(h);
  assert_non_null(strstr(peer.seen, "AKIDEXAMPLE/"));
  luaws_host_free(h);

  v = (struct vault){.rc = -1};
  h = new_host((struct luaws_host_options){.credentials = give_credentials,
                                           .credentials_arg = &v});
  fails(h, "require('luaws').client('sqs'):list_queues{}", "CredentialRetrievalError");
  luaws_host_free(h);
}

static void codes_of_mfa_devices(void **state) {
  int asked = 0;
  char config[32];
  peer_write_config(config, peer_mfa_profile);
  struct luaws_host *h = new_host((struct luaws_host_options){
      .profile = "m", .mfa = peer_tell_code, .mfa_arg = &asked});
  still_works(h);
  assert_int_equal(asked, 1);
  assert_non_null(strstr(peer.seen, "AKID-ROLE/"));
  runs(h, "local aws = require('luaws') local s = aws.session{profile_name = 'm', "
          "mfa_prompt = function(serial) aws.async.sleep(0.01) "
          "return serial == 'the-device' and '123456' end} "
          "return s:get_credentials().access_key");
  assert_string_equal(luaws_host_result_string(h, 0, NULL), "AKID-ROLE");
  assert_int_equal(asked, 1); /* a session's own prompt comes first */
  asked = 100;
  fails(h,
        "require('luaws').session{profile_name = "
        "'m'}:get_credentials():get_frozen_credentials()",
        "CredentialRetrievalError");
  luaws_host_free(h);
  peer_remove_config(config);
}

static void a_program_is_killed_when_its_run_ends(void **state) {
  char config[32];
  peer_write_config(config, "[profile p]\ncredential_process = sleep 600\n");
  struct luaws_host *h =
      new_host((struct luaws_host_options){.profile = "p", .time_limit_ms = 100});
  static const char *const scripts[] = {
      "require('luaws').default_session():get_credentials()",
      "require('luaws').client('sqs'):list_queues{}",
      "local aws = require('luaws') aws.async.gather("
      "function() aws.client('sqs'):list_queues{} end, function() aws.async.sleep(9) "
      "end)",
  };
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
    fails(h, scripts[i], "TimeLimitError");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
  }
  luaws_host_free(h);
  h = new_host((struct luaws_host_options){.profile = "p"});
  luaws_host_start_string(h, scripts[1], "=x", 0, NULL);
  for (int i = 0; i < 3; i++)
    assert_int_equal(luaws_host_step(h), 1); /* none of which blocks */
  assert_int_equal(waitpid(-1, NULL, WNOHANG), 0);
  luaws_host_interrupt(h);
  assert_int_equal(luaws_host_step(h), -1);
  assert_string_equal(luaws_host_error_kind(h), "KeyboardInterrupt");
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
  luaws_host_start_string(h, scripts[1], "=x", 0, NULL);
  assert_int_equal(luaws_host_step(h), 1);
  luaws_host_free(h); /* in the middle of it */
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
  peer_remove_config(config);
}

struct heard {
  int count;
  char text[8192];
};

static void hear(void *arg, int level, const char *part, const char *message) {
  struct heard *l = arg;
  l->count++;
  snprintf(l->text + strlen(l->text), sizeof l->text - strlen(l->text), "%d %s %s\n",
           level, part, message);
}

static void each_host_hears_its_own_log(void **state) {
  struct heard one = {0}, two = {0};
  struct vault v = {0};
  struct luaws_host *a =
      new_host((struct luaws_host_options){.log = hear,
                                           .log_arg = &one,
                                           .credentials = give_credentials,
                                           .credentials_arg = &v});
  struct luaws_host *b =
      new_host((struct luaws_host_options){.log = hear, .log_arg = &two});
  struct luaws_host *silent = new_host((struct luaws_host_options){0});
  still_works(a);
  still_works(silent);
  assert_true(one.count > 0);
  assert_int_equal(two.count, 0);
  assert_non_null(strstr(one.text, "0 luaws.call sqs.ListQueues: attempt 1: POST"));
  int before = one.count;
  still_works(b);
  assert_int_equal(one.count, before);
  assert_int_equal(two.count, before);
  runs(a,
       "local s3 = require('luaws').client('s3') return "
       "s3:generate_presigned_url('get_object', {Params = {Bucket = 'b', Key = 'k'}})");
  static const char *const secrets[] = {"the-hosts-secret", "the-hosts-token",
                                        "Signature", "a-very-secret-key"};
  for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
    assert_null(strstr(one.text, secrets[i]));
  luaws_host_free(b);
  before = one.count;
  still_works(a);
  assert_true(one.count > before);
  luaws_host_free(a);
  luaws_host_free(silent);
}

/* ---- many ---- */

static long resident_kb(void) {
  FILE *f = fopen("/proc/self/statm", "r");
  long pages = 0, resident = 0;
  if (fscanf(f, "%ld %ld", &pages, &resident) != 2) resident = 0;
  fclose(f);
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Once the server has closed what the host closed. */
static int descriptors(void) {
  for (int i = 0; i < 1000 && atomic_load(&peer.open); i++)
    usleep(1000);
  DIR *d = opendir("/proc/self/fd");
  int n = 0;
  while (readdir(d))
    n++;
  closedir(d);
  return n;
}

static void many_runs(struct luaws_host *h, int n) {
  for (int i = 0; i < n; i++) {
    runs(h, "local t = {} for i = 1, 100 do t[i] = {i} end return t, 1.5, 'x'");
    luaws_host_result_json(h, 0);
    luaws_host_result_string(h, 1, NULL);
    fails(h, "error('x')", "LuaError");
    if (i % 10 == 0) still_works(h);
  }
  runs(h, "collectgarbage() collectgarbage()");
}

static void many_runs_leave_nothing(void **state) {
  struct luaws_host *h = new_host((struct luaws_host_options){
      .memory_limit_bytes = 16 << 20, .time_limit_ms = 60 * 1000});
  many_runs(h, 500);
  long before = resident_kb();
  int open = descriptors();
  many_runs(h, 3000);
  assert_int_equal(descriptors(), open);
  long grown = resident_kb() - before;
#ifdef __SANITIZE_ADDRESS__
  grown = 0; /* it keeps what was freed for a while */
#endif
  assert_true(grown < 512);
  luaws_host_free(h);
  for (int i = 0; i < 20; i++) {
    h = new_host((struct luaws_host_options){0});
    still_works(h);
    luaws_host_free(h);
  }
  open = descriptors();
  for (int i = 0; i < 20; i++) {
    h = new_host((struct luaws_host_options){0});
    luaws_host_free(h);
  }
  assert_true(descriptors() <= open);
}

static void *run_in_thread(void *arg) {
  struct heard log = {0};
  for (int i = 0; i < 5; i++) {
    struct luaws_host *h = new_host((struct luaws_host_options){
        .log = hear, .log_arg = &log, .memory_limit_bytes = 16 << 20});
    log.text[0] = 0;
    log.count = 0;
    for (int k = 0; k < 10; k++)
      still_works(h);
    *(int *)arg += log.count;
    luaws_host_free(h);
  }
  return NULL;
}

static void hosts_in_threads(void **state) {
  pthread_t threads[4];
  int counts[4] = {0};
  for (int i = 0; i < 4; i++)
    pthread_create(&threads[i], NULL, run_in_thread, &counts[i]);
  for (int i = 0; i < 4; i++)
    pthread_join(threads[i], NULL);
  for (int i = 1; i < 4; i++)
    assert_int_equal(counts[i], counts[0]);
  assert_true(counts[0] >= 50);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(results_of_every_type),
      cmocka_unit_test(results_as_json),
      cmocka_unit_test(json_stays_within_the_memory_limit),
      cmocka_unit_test(arguments_and_files),
      cmocka_unit_test(globals_last_and_results_do_not),
      cmocka_unit_test(errors_of_every_kind),
      cmocka_unit_test(a_host_that_cannot_be_made),
      cmocka_unit_test(the_memory_limit_ends_a_run),
      cmocka_unit_test(a_limit_too_small_for_luaws_fails_every_run),
      cmocka_unit_test(the_time_limit_ends_computing_and_waiting),
      cmocka_unit_test(finalizers_do_not_escape_the_limits_of_safe_scripts),
      cmocka_unit_test(another_thread_interrupts),
      cmocka_unit_test(interruptions_at_any_moment),
      cmocka_unit_test(a_safe_script_finds_no_way_out),
      cmocka_unit_test(libraries_are_there_when_asked_for),
      cmocka_unit_test(scripts_call_c_functions),
      cmocka_unit_test(a_function_may_use_its_host),
      cmocka_unit_test(two_hosts_in_one_loop),
      cmocka_unit_test(stepped_runs_fail_as_others_do),
      cmocka_unit_test(tasks_left_behind_are_cancelled),
      cmocka_unit_test(credentials_are_asked_for_when_needed),
      cmocka_unit_test(codes_of_mfa_devices),
      cmocka_unit_test(a_program_is_killed_when_its_run_ends),
      cmocka_unit_test(each_host_hears_its_own_log),
      cmocka_unit_test(many_runs_leave_nothing),
      cmocka_unit_test(hosts_in_threads),
  };
  /* The server's threads take memory of their own otherwise, the more the more of them
     run at once, and keep it. */
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  return cmocka_run_group_tests(tests, peer_start, peer_stop);
}
