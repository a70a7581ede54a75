/* luaws: AWS for Lua, from C.

   Three ways in, from the smallest to the largest:
     - a host that has its own Lua 5.4:     luaopen_luaws
     - a host that wants no Lua:            luaws_open, luaws_call, luaws_close
     - a host that wants scripts and all:   luaws_host_…

   Nothing here is shared between threads but what says so. Texts are UTF-8 or plain
   bytes; a text handed in is copied when it is needed longer than the call. */
#ifndef LUAWS_H
#define LUAWS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LUAWS_API __attribute__((visibility("default")))
#else
#define LUAWS_API
#endif

LUAWS_API const char *luaws_version(void);

/* ---- a host that has its own Lua ---- */

/* luaL_requiref(L, "luaws", luaopen_luaws, 0); */
struct lua_State;
LUAWS_API int luaopen_luaws(struct lua_State *L);

/* Stops what such a state waits for in luaws: the waiting call raises an error of kind
   "KeyboardInterrupt". luaws_interrupt_of is to be called beforehand, on the state's own
   thread, once luaws is loaded; luaws_interrupt from any thread or signal handler, as
   long as the state lives. What was interrupted may have something to undo (an upload in
   parts), for at most five seconds: luaws_interrupt returns 1 meanwhile, and a second one
   only makes sure of the five seconds; a third ends it at once. luaws_interrupt_clear
   takes back one that nobody waited for. luaws_interrupt_task is the coroutine of the
   task that runs just now, or NULL: for a signal handler that wants to set a hook, since
   a hook of the state is none of its tasks'. */
struct luaws_interrupt;
LUAWS_API struct luaws_interrupt *luaws_interrupt_of(struct lua_State *L);
LUAWS_API int luaws_interrupt(struct luaws_interrupt *i);
LUAWS_API void luaws_interrupt_clear(struct luaws_interrupt *i);
LUAWS_API struct lua_State *luaws_interrupt_task(struct luaws_interrupt *i);

/* ---- credentials and log, for both kinds of host ---- */

/* What a host's callback fills in; texts are copied when it returns. */
struct luaws_host_credentials {
  const char *access_key;
  const char *secret_key;
  const char *session_token; /* or NULL */
  const char *account_id;    /* or NULL */
  int64_t expiry_s; /* seconds since the epoch; 0 = they do not expire. Asked again before
                       then. */
};
/* Returns 0 when it filled out, 1 when it has none (the other places are asked), -1 when
 * it failed. */
typedef int (*luaws_credentials_fn)(void *arg, struct luaws_host_credentials *out);
/* Asks somebody for the code of an MFA device, which a role wants: writes it into code,
   closed by a zero byte, and returns 0; -1 when there is none. What it was asked for
   waits until it returns, and so does everything else on its thread. */
typedef int (*luaws_mfa_fn)(void *arg, const char *serial, char *code, size_t code_size);
/* level: 0 debug, 1 info, 2 warning, 3 error. No secret is ever in a message. */
typedef void (*luaws_log_fn)(void *arg, int level, const char *part, const char *message);

/* ---- a host that wants no Lua ---- */

struct luaws_options {
  const char *region; /* all may be NULL: then the settings decide */
  const char *profile;
  const char *endpoint_url;
  const char *access_key; /* with secret_key: these and no others */
  const char *secret_key;
  const char *session_token;
  luaws_credentials_fn credentials;
  void *credentials_arg;
  luaws_mfa_fn mfa;
  void *mfa_arg;
};

struct luaws_handle;
/* A client of a service ("ec2"). NULL on failure, with *error (kind and text, to be freed
 * with luaws_free) set when error is not NULL. */
LUAWS_API struct luaws_handle *
luaws_open(const char *service, const struct luaws_options *options, char **error);
/* Calls an operation by its API name with JSON in ("{}" or NULL for none) and JSON out,
   and waits for it. Blobs are base64, timestamps ISO 8601 or epoch seconds in and epoch
   seconds out; a streamed payload comes as a base64 text, a stream of events is a list of
   them, in as well as out. *result and *error are to be
   freed with luaws_free; either pointer may be NULL. Returns 0; 1 when the service
   answered with an error, which is then also in *result as JSON; -1 when there was no
   answer or the parameters are wrong. */
LUAWS_API int luaws_call(struct luaws_handle *handle, const char *operation,
                         const char *params_json, char **result, char **error);
LUAWS_API void luaws_close(struct luaws_handle *handle);
LUAWS_API void luaws_free(void *text);

/* ---- a host that wants scripts and all ---- */

/* Which of Lua's libraries a script may use; luaws itself is always there. A script that
   has not all of them gets copies: nothing it does to them reaches luaws. It has no load,
   dofile and loadfile, cannot set __gc, and requires luaws only. Without LUAWS_HOST_IO
   luaws handles no files for it either (aws.file, upload_file, download_file …).
   LUAWS_HOST_PACKAGE and LUAWS_HOST_DEBUG open a way to all the others. */
enum luaws_host_library {
  LUAWS_HOST_BASE = 1 << 0, /* without it there is not even print, only require */
  LUAWS_HOST_STRING = 1 << 1,
  LUAWS_HOST_TABLE = 1 << 2,
  LUAWS_HOST_MATH = 1 << 3,
  LUAWS_HOST_UTF8 = 1 << 4,
  LUAWS_HOST_COROUTINE = 1 << 5,
  LUAWS_HOST_OS = 1 << 6,      /* files, processes, the environment */
  LUAWS_HOST_IO = 1 << 7,      /* files */
  LUAWS_HOST_PACKAGE = 1 << 8, /* require of anything beside luaws */
  LUAWS_HOST_DEBUG = 1 << 9,
  LUAWS_HOST_SAFE = LUAWS_HOST_BASE | LUAWS_HOST_STRING | LUAWS_HOST_TABLE |
                    LUAWS_HOST_MATH | LUAWS_HOST_UTF8 | LUAWS_HOST_COROUTINE,
  LUAWS_HOST_ALL = (1 << 10) - 1
};

struct luaws_host_options {
  const char *region; /* of the default session; may be NULL */
  const char *profile;
  const char *endpoint_url; /* of all its clients */
  /* Of every session. Called when a request is to be signed for the first time, and
     again before what it gave expires. */
  luaws_credentials_fn credentials;
  void *credentials_arg;
  luaws_log_fn log; /* of this host alone, on the thread that it runs on */
  void *log_arg;
  /* Of all Lua memory during a run, 0 = none. luaws itself takes about 1 MB of it; what
     is on its way between a socket and Lua does not count. */
  size_t memory_limit_bytes;
  /* Of one run, waiting included, 0 = none. Seen between a script's instructions and
     while it waits; not within one long string.find or string.rep. */
  int time_limit_ms;
  unsigned libraries; /* enum luaws_host_library; 0 = LUAWS_HOST_ALL */
  luaws_mfa_fn mfa;   /* of every session that has no mfa_prompt */
  void *mfa_arg;
};

struct luaws_host;
/* NULL on failure with *error set, as luaws_open. options may be NULL. */
LUAWS_API struct luaws_host *luaws_host_new(const struct luaws_host_options *options,
                                            char **error);
/* Ends a run that goes on as luaws_host_interrupt does. */
LUAWS_API void luaws_host_free(struct luaws_host *h);

/* Runs a script (text, no byte code) to its end; its arguments are in `arg` and `...`.
   Returns 0 when it ended well, -1 when it raised an error. Results and error of the last
   run stay until the next, globals as long as the host. Tasks that the script leaves
   behind are cancelled. A host is used by one thread at a time, and cannot run anything
   while it runs something. */
LUAWS_API int luaws_host_run_file(struct luaws_host *h, const char *path, int argc,
                                  const char *const *argv);
LUAWS_API int luaws_host_run_string(struct luaws_host *h, const char *code,
                                    const char *chunk_name, int argc,
                                    const char *const *argv);

/* What it returned. Texts live until the next run. */
LUAWS_API int luaws_host_result_count(const struct luaws_host *h);
/* "nil", "boolean", "number", "string", "table", … */
LUAWS_API const char *luaws_host_result_type(const struct luaws_host *h, int i);
LUAWS_API int luaws_host_result_boolean(const struct luaws_host *h, int i);
LUAWS_API int64_t luaws_host_result_integer(const struct luaws_host *h, int i);
LUAWS_API double luaws_host_result_number(const struct luaws_host *h, int i);
/* A string as it is, a number as text; NULL for anything else, or without memory. */
LUAWS_API const char *luaws_host_result_string(struct luaws_host *h, int i,
                                               size_t *length);
/* Any plain value as JSON, bytes that are no UTF-8 as U+FFFD; NULL for one that holds
   functions or objects, or itself, or whose text exceeds the memory limit. */
LUAWS_API const char *luaws_host_result_json(struct luaws_host *h, int i);
/* Why the last run failed; NULL when it did not. kind is botocore's exception name,
   "LuaError" for an error of the script's own, "TimeLimitError", "MemoryError" or
   "KeyboardInterrupt"; code is a service's error code or NULL. */
LUAWS_API const char *luaws_host_error(const struct luaws_host *h);
LUAWS_API const char *luaws_host_error_kind(const struct luaws_host *h);
LUAWS_API const char *luaws_host_error_code(const struct luaws_host *h);

/* A C function that scripts call by name. It reads its arguments (from 0) and pushes
   results, which are returned in order. Returning a text raises it as the error; NULL is
   success. No Lua error ever jumps over it: what fails meanwhile for want of memory is
   raised when it has returned. Texts of arguments live until then. */
struct luaws_host_args;
typedef const char *(*luaws_host_fn)(struct luaws_host_args *args, void *arg);
LUAWS_API int luaws_host_register(struct luaws_host *h, const char *name,
                                  luaws_host_fn fn, void *arg);
LUAWS_API int luaws_host_arg_count(const struct luaws_host_args *a);
LUAWS_API const char *luaws_host_arg_type(const struct luaws_host_args *a, int i);
LUAWS_API int luaws_host_arg_boolean(const struct luaws_host_args *a, int i);
LUAWS_API int64_t luaws_host_arg_integer(const struct luaws_host_args *a, int i);
LUAWS_API double luaws_host_arg_number(const struct luaws_host_args *a, int i);
LUAWS_API const char *luaws_host_arg_string(const struct luaws_host_args *a, int i,
                                            size_t *length);
LUAWS_API void luaws_host_push_nil(struct luaws_host_args *a);
LUAWS_API void luaws_host_push_boolean(struct luaws_host_args *a, int value);
LUAWS_API void luaws_host_push_integer(struct luaws_host_args *a, int64_t value);
LUAWS_API void luaws_host_push_number(struct luaws_host_args *a, double value);
LUAWS_API void luaws_host_push_string(struct luaws_host_args *a, const char *text,
                                      size_t length);

/* Ends the run that goes on now with an error of kind "KeyboardInterrupt"; does nothing
   when none does. From any thread or signal handler, as long as the host lives. A run
   that is ended, by this or by a limit, may have uploads in parts to abort, for at most
   five seconds. A second interruption does not shorten them, a third does. */
LUAWS_API void luaws_host_interrupt(struct luaws_host *h);

/* The same runs in steps, for a host with an event loop of its own: start, then step
   whenever luaws_host_fd is readable or luaws_host_timeout_ms have passed (0 = at once,
   -1 = only the descriptor); ask anew after every step. A step returns 1 while the script
   goes on, 0 when it ended well, -1 when it raised an error. Whatever waits in between
   costs nothing. */
LUAWS_API int luaws_host_start_file(struct luaws_host *h, const char *path, int argc,
                                    const char *const *argv);
LUAWS_API int luaws_host_start_string(struct luaws_host *h, const char *code,
                                      const char *chunk_name, int argc,
                                      const char *const *argv);
LUAWS_API int luaws_host_step(struct luaws_host *h);
LUAWS_API int luaws_host_fd(const struct luaws_host *h);
LUAWS_API int luaws_host_timeout_ms(const struct luaws_host *h);

#ifdef __cplusplus
}
#endif

#endif
