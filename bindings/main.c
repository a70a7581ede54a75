/* The luaws program: lua(1) that knows AWS. The flags of lua(1) mean what they mean
   there; ours choose the default session. A script finds `require "luaws"` in
   package.preload, and nothing of AWS is loaded before it asks; chunks of -e and the REPL
   find it in the global `aws`. */
#include "main.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "local.h"
#include "luaws.h"
#include "repl.h"

#define PROGRAM "luaws"

struct options {
  const char *profile, *region, *endpoint_url;
  bool no_sign_request, debug, local;
  bool explain, interactive, version, help, no_env, has_chunk, in_repl;
  int script; /* where the script's name stands in argv; argc when there is none */
};

static struct options options;

/* ---- messages ---- */

static void complain(const char *message) {
  fflush(stdout);
  fprintf(stderr, PROGRAM ": %s\n", message);
  fflush(stderr);
}

/* Prints the error on the top when status says that there is one. */
static int report(lua_State *L, int status) {
  if (status != LUA_OK) {
    const char *message = lua_tostring(L, -1);
    complain(message ? message : "(error message is no string)");
    lua_pop(L, 1);
  }
  return status;
}

static bool is_own_module(const lua_Debug *ar) {
  return ar->source[0] == '@' && strstr(ar->source, "/luaws/lua/luaws") != NULL;
}

/* Pushes "file:line: " of the script's line that the running call comes from, or "". */
static void push_where(lua_State *L) {
  lua_Debug ar;
  for (int level = 1; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline > 0 && !is_own_module(&ar)) {
      if (options.in_repl && strcmp(ar.source, "=stdin") == 0)
        break; /* it is on the screen */
      lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
      return;
    }
  }
  lua_pushliteral(L, "");
}

/* Ctrl-C's error: of this kind where luaws is loaded, else lua(1)'s text. */
static const char interrupt_kind[] = "KeyboardInterrupt";
static const char interrupt_text[] = "interrupted!";
static bool ended_by_interrupt; /* whether the last error to be printed was one */

static bool is_luaws_error(lua_State *L, int index) {
  bool is = luaL_getmetafield(L, index, "__name") == LUA_TSTRING &&
            strcmp(lua_tostring(L, -1), "luaws.error") == 0;
  lua_settop(L, index);
  return is;
}

static bool is_interruption(lua_State *L, int index) {
  const char *expected = interrupt_text;
  if (is_luaws_error(L, index)) {
    expected = interrupt_kind;
    lua_pushliteral(L, "kind");
    lua_rawget(L, index);
  } else {
    lua_pushvalue(L, index);
  }
  bool is = lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), expected) == 0;
  lua_settop(L, index);
  return is;
}

/* Makes the text that is printed of an error. A string gets a traceback, as in lua(1). Of
   what AWS or luaws had to say one line is enough, with the place in the script; the
   stack would show luaws at work and not what is wrong. In the REPL a line is enough for
   all. */
static int message_handler(lua_State *L) {
  lua_settop(L, 1);
  ended_by_interrupt = is_interruption(L, 1);
  if (is_luaws_error(L, 1)) {
    push_where(L);
    if (!luaL_callmeta(L, 1, "__shown")) luaL_tolstring(L, 1, NULL);
    lua_concat(L, 2);
    if (options.debug) luaL_traceback(L, L, lua_tostring(L, -1), 1);
    return 1;
  }
  const char *message = lua_tostring(L, 1);
  if (!message) {
    if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING) return 1;
    message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  }
  if (!options.in_repl || options.debug) luaL_traceback(L, L, message, 1);
  return 1;
}

/* ---- calls that Ctrl-C can end ---- */

static lua_State *interruptible;
static struct luaws_interrupt *waiting;     /* once luaws is loaded */
static volatile sig_atomic_t interruptions; /* of what is called */

static void raise_interruption(lua_State *L) {
  if (waiting && lua_getglobal(L, "require") == LUA_TFUNCTION) {
    lua_pushliteral(L, "luaws.errors");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "raise");
    lua_pushstring(L, interrupt_kind);
    lua_pushstring(L, interrupt_text);
    lua_call(L, 2, 0);
  }
  lua_pushstring(L, interrupt_text);
  lua_error(L);
}

static void stop_hook(lua_State *L, lua_Debug *ar) {
  lua_sethook(L, NULL, 0, 0);
  if (waiting) luaws_interrupt_clear(waiting);
  raise_interruption(L);
}

static void stop(lua_State *L) {
  if (!L) return;
  lua_sethook(L, stop_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static void on_interrupt(int sig) {
  bool cleaning = waiting && luaws_interrupt(waiting);
  /* A second one ends the program, should the first not be heeded, or a third, while
     something is undone that must not stay. */
  if (++interruptions > (cleaning ? 2 : 1)) {
    signal(sig, SIG_DFL);
    raise(sig);
  } else if (!cleaning) {
    stop(interruptible);
    if (waiting) stop(luaws_interrupt_task(waiting));
  }
}

/* In the REPL, while it neither reads nor runs: the key was pressed a moment too early
 * for the call to come. */
static volatile sig_atomic_t early;

static void on_early_interrupt(int sig) {
  early = 1;
}

int program_call(lua_State *L, int nargs, int nresults) {
  int base = lua_gettop(L) - nargs;
  lua_pushcfunction(L, message_handler);
  lua_insert(L, base);
  interruptible = L;
  interruptions = 0;
  void (*before)(int) = signal(SIGINT, on_interrupt);
  if (early) raise(SIGINT);
  int status = lua_pcall(L, nargs, nresults, base);
  signal(SIGINT, before == SIG_ERR ? SIG_DFL : before);
  lua_sethook(L, NULL, 0, 0);
  if (waiting) luaws_interrupt_clear(waiting);
  early = 0;
  lua_remove(L, base);
  return status;
}

/* ---- the module ---- */

static void set_text(lua_State *L, const char *name, const char *value) {
  if (!value) return;
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

/* The default session that the flags ask for, of the module at index 1. */
static void set_default_session(lua_State *L) {
  bool has_defaults = options.endpoint_url || options.no_sign_request;
  if (!options.profile && !options.region && !has_defaults && !options.explain) return;
  lua_getfield(L, 1, "setup_default_session");
  lua_newtable(L);
  set_text(L, "profile_name", options.profile);
  set_text(L, "region_name", options.region);
  if (options.explain) { /* what cannot be read is explained, too */
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "_lenient");
  }
  lua_call(L, 1, 0);
  if (!has_defaults) return;
  lua_getfield(L, 1, "default_session");
  lua_call(L, 0, 1);
  lua_newtable(L); /* options of all its clients */
  set_text(L, "endpoint_url", options.endpoint_url);
  if (options.no_sign_request) {
    lua_newtable(L);
    set_text(L, "signature_version", "unsigned");
    lua_setfield(L, -2, "config");
  }
  lua_setfield(L, -2, "_client_defaults");
  lua_pop(L, 1);
}

/* package.preload.luaws: the module, with the default session that the flags ask for. */
static int open_luaws(lua_State *L) {
  lua_settop(L, 1);
  lua_pushcfunction(L, luaopen_luaws);
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  waiting = luaws_interrupt_of(L);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "luaws.core");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "ask_at_terminal");
  lua_call(L, 0, 0);
  lua_settop(L, 1);
  set_default_session(L);
  /* Somebody who looks on is warned without having asked for it. */
  const char *level = options.debug ? "debug" : isatty(STDERR_FILENO) ? "warning" : NULL;
  if (level) {
    lua_getfield(L, 1, "set_stream_logger");
    lua_pushliteral(L, "");
    lua_pushstring(L, level);
    lua_call(L, 2, 0);
  }
  return 1;
}

/* aws = require "luaws" */
static int define_aws(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "luaws");
  lua_call(L, 1, 1);
  lua_setglobal(L, "aws");
  return 0;
}

static int call_define_aws(lua_State *L) {
  lua_pushcfunction(L, define_aws);
  return report(L, program_call(L, 0, 0));
}

/* ---- the command line ---- */

static int usage_error(const char *format, const char *what) {
  char message[512];
  snprintf(message, sizeof message, format, what);
  complain(message);
  fputs("usage: " PROGRAM " [options] [script [args]]   (" PROGRAM
        " --help tells more)\n",
        stderr);
  return EXIT_FAILURE;
}

static void print_help(void) {
  puts("usage: " PROGRAM " [options] [script [args]]\n"
       "Runs a Lua script that can `require \"luaws\"`; without one, reads commands from "
       "the terminal.\n"
       "\n"
       "The default session:\n"
       "  --profile NAME        take this profile of ~/.aws/config and "
       "~/.aws/credentials\n"
       "  --region NAME         call services in this region\n"
       "  --endpoint-url URL    call this address instead of AWS\n"
       "  --no-sign-request     send no credentials\n"
       "  --debug               log what happens to standard error; errors show a "
       "traceback\n"
       "  --explain             print where every setting and the credentials come from\n"
       "  --local               run against a throw-away AWS on this machine (moto's "
       "server), which\n"
       "                        ends with the script; no real account is touched\n"
       "\n"
       "As lua(1):\n"
       "  -e CHUNK              run this Lua code (the global `aws` is there)\n"
       "  -l MOD, -l G=MOD      require MOD into a global of that name, or G\n"
       "  -i                    read commands after the script\n"
       "  -v, --version         print versions\n"
       "  -E                    ignore LUA_INIT, LUA_PATH and LUA_CPATH\n"
       "  -W                    turn warnings on\n"
       "  --                    stop reading options\n"
       "  -                     run standard input as the script, and stop reading "
       "options\n"
       "  --help                print this");
}

static void print_version(void) {
  puts(PROGRAM " " LUAWS_VERSION "  " LUA_COPYRIGHT);
  fflush(stdout);
}

struct long_option {
  const char *name;
  const char **text; /* where its argument goes, or NULL */
  bool *flag;        /* what it turns on */
};

static const struct long_option long_options[] = {
    {"profile", &options.profile, NULL},
    {"region", &options.region, NULL},
    {"endpoint-url", &options.endpoint_url, NULL},
    {"no-sign-request", NULL, &options.no_sign_request},
    {"debug", NULL, &options.debug},
    {"explain", NULL, &options.explain},
    {"local", NULL, &options.local},
    {"version", NULL, &options.version},
    {"help", NULL, &options.help},
};

/* Reads the option at argv[*i], which begins with "--", and moves *i on past its
 * argument. */
static int read_long_option(char **argv, int *i) {
  const char *name = argv[*i] + 2;
  size_t len = strcspn(name, "=");
  for (size_t k = 0; k < sizeof long_options / sizeof *long_options; k++) {
    const struct long_option *o = &long_options[k];
    if (strlen(o->name) != len || memcmp(o->name, name, len) != 0) continue;
    if (o->flag) {
      if (name[len]) return usage_error("option '%s' takes no argument", argv[*i]);
      *o->flag = true;
      return 0;
    }
    const char *value = name[len] ? name + len + 1 : argv[*i + 1];
    if (!value || !*value) return usage_error("option '%s' needs an argument", argv[*i]);
    if (!name[len]) (*i)++;
    *o->text = value;
    return 0;
  }
  return usage_error("unrecognized option '%s'", argv[*i]);
}

/* Reads the option at argv[*i], which is one of lua(1)'s. */
static int read_short_option(char **argv, int *i) {
  const char *word = argv[*i];
  switch (word[1]) {
  case 'e':
  case 'l':
    if (word[1] == 'e') options.has_chunk = true;
    if (word[2]) return 0;
    if (!argv[*i + 1] || argv[*i + 1][0] == '-')
      return usage_error("'%s' needs argument", word);
    (*i)++;
    return 0;
  case 'i':
    options.interactive = true;
    options.version = true;
    break;
  case 'v':
    options.version = true;
    break;
  case 'E':
    options.no_env = true;
    break;
  case 'W':
    break;
  default:
    return usage_error("unrecognized option '%s'", word);
  }
  return word[2] ? usage_error("unrecognized option '%s'", word) : 0;
}

static int read_options(int argc, char **argv) {
  int i = 1, rc = 0;
  for (; i < argc && rc == 0; i++) {
    const char *word = argv[i];
    if (word[0] != '-' || !word[1]) break; /* the script, or "-" */
    if (strcmp(word, "--") == 0) {
      i++;
      break;
    }
    rc = word[1] == '-' ? read_long_option(argv, &i) : read_short_option(argv, &i);
  }
  options.script = i < argc ? i : argc;
  if (rc) return rc;
  if (options.local && options.endpoint_url) {
    return usage_error("%s", "--local and --endpoint-url exclude each other");
  }
  if (options.local && options.profile) {
    return usage_error(
        "%s", "--local and --profile exclude each other: it knows no account of yours");
  }
  return 0;
}

/* ---- running ---- */

static int run_loaded(lua_State *L, int status) {
  if (status == LUA_OK) status = program_call(L, 0, 0);
  return report(L, status);
}

static int run_string(lua_State *L, const char *chunk, const char *name) {
  return run_loaded(L, luaL_loadbuffer(L, chunk, strlen(chunk), name));
}

/* -e: has the global aws, unless it cannot be meant. */
static int run_chunk(lua_State *L, const char *chunk) {
  if (strstr(chunk, "aws") && lua_getglobal(L, "aws") == LUA_TNIL) {
    int status = call_define_aws(L);
    if (status != LUA_OK) return status;
  }
  lua_settop(L, 0);
  return run_string(L, chunk, "=(command line)");
}

static int require_library(lua_State *L, const char *word) {
  const char *equals = strchr(word, '='), *module = equals ? equals + 1 : word;
  lua_getglobal(L, "require");
  lua_pushstring(L, module);
  int status = program_call(L, 1, 1);
  if (status == LUA_OK) {
    lua_pushglobaltable(L);
    if (equals) {
      lua_pushlstring(L, word, (size_t)(equals - word));
    } else {
      lua_pushstring(L, module);
    }
    lua_pushvalue(L, -3);
    lua_settable(L, -3);
    lua_settop(L, 0);
  }
  return report(L, status);
}

/* -e, -l and -W, in their order. */
static int run_options(lua_State *L, char **argv) {
  int status = LUA_OK;
  for (int i = 1; i < options.script && status == LUA_OK; i++) {
    if (argv[i][0] != '-' || argv[i][1] == '-')
      continue; /* of a long option, or its argument */
    char letter = argv[i][1];
    if (letter == 'W') lua_warning(L, "@on", 0);
    if (letter != 'e' && letter != 'l') continue;
    const char *word = argv[i][2] ? argv[i] + 2 : argv[++i];
    status = letter == 'e' ? run_chunk(L, word) : require_library(L, word);
  }
  return status;
}

static int run_init(lua_State *L) {
  const char *name = "=LUA_INIT_" LUA_VERSION_MAJOR "_" LUA_VERSION_MINOR;
  const char *init = getenv(name + 1);
  if (!init) init = getenv((name = "=LUA_INIT") + 1);
  if (!init) return LUA_OK;
  if (init[0] == '@') return run_loaded(L, luaL_loadfile(L, init + 1));
  return run_string(L, init, name);
}

static void set_arg(lua_State *L, int argc, char **argv) {
  int script = options.script < argc ? options.script : 0;
  lua_createtable(L, argc - script - 1, script + 1);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - script);
  }
  lua_setglobal(L, "arg");
}

static int run_script(lua_State *L, char **argv) {
  const char *name = argv[options.script];
  if (strcmp(name, "-") == 0 && strcmp(argv[options.script - 1], "--") != 0) name = NULL;
  int status = luaL_loadfile(L, name);
  int n = 0;
  if (status == LUA_OK) {
    for (char **word = argv + options.script + 1; *word; word++)
      n++;
    luaL_checkstack(L, n + 3, "too many arguments to script");
    for (int i = 1; i <= n; i++)
      lua_pushstring(L, argv[options.script + i]);
    status = program_call(L, n, 0);
  }
  return report(L, status);
}

/* Errors of tasks that the script has not asked for. */
static int tell_unheard(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, "luaws.async") != LUA_TTABLE) return 0;
  lua_getfield(L, -1, "unheard");
  lua_call(L, 0, 1);
  for (lua_Integer i = 1; lua_geti(L, -1, i) == LUA_TSTRING; i++) {
    complain(lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  return 0;
}

static int run_repl(lua_State *L) {
  lua_settop(L, 0);
  if (call_define_aws(L) != LUA_OK) return LUA_ERRRUN;
  options.in_repl = true;
  signal(SIGINT, on_early_interrupt);
  lua_pushcfunction(L, message_handler);
  lua_pushcfunction(L, repl_run);
  return report(L, lua_pcall(L, 0, 0, 1));
}

struct arguments {
  int argc;
  char **argv;
};

static int protected_main(lua_State *L) {
  const struct arguments *a = lua_touserdata(L, 1);
  lua_settop(L, 0);
  if (options.no_env) {
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  }
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, open_luaws);
  lua_setfield(L, -2, "luaws");
  lua_settop(L, 0);
  set_arg(L, a->argc, a->argv);
  bool has_script = options.script < a->argc;
  if (options.local && !local_start(options.region)) return 0;
  if (!options.no_env && run_init(L) != LUA_OK) return 0;
  if (run_options(L, a->argv) != LUA_OK) return 0;
  if (has_script) {
    if (options.has_chunk) { /* what -e was given is not for the script */
      lua_pushnil(L);
      lua_setglobal(L, "aws");
    }
    if (run_script(L, a->argv) != LUA_OK) return 0;
  }
  if (options.explain &&
      run_chunk(L, "print(aws.default_session():explain())") != LUA_OK) {
    return 0;
  }
  bool alone = !has_script && !options.has_chunk && !options.version && !options.explain;
  if (options.interactive || (alone && isatty(STDIN_FILENO))) {
    if (run_repl(L) != LUA_OK) return 0;
  } else if (alone) {
    if (run_loaded(L, luaL_loadfile(L, NULL)) != LUA_OK) return 0;
  }
  lua_pushboolean(L, 1);
  return 1;
}

int main(int argc, char **argv) {
  int rc = read_options(argc, argv);
  if (rc) return rc;
  if (options.help) {
    print_help();
    return EXIT_SUCCESS;
  }
  if (options.version && !options.interactive) print_version();
  lua_State *L = luaL_newstate();
  if (!L) {
    complain("cannot create state: not enough memory");
    return EXIT_FAILURE;
  }
  struct arguments a = {argc, argv};
  lua_pushcfunction(L, protected_main);
  lua_pushlightuserdata(L, &a);
  int status = lua_pcall(L, 1, 1, 0);
  bool ok = status == LUA_OK && lua_toboolean(L, -1);
  if (status != LUA_OK) report(L, status);
  lua_pushcfunction(L, tell_unheard);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) lua_pop(L, 1);
  lua_close(L);
  local_stop();
  if (!ok && ended_by_interrupt) { /* who waits for us sees why, and stops as well */
    fflush(NULL);
    signal(SIGINT, SIG_DFL);
    raise(SIGINT);
  }
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
