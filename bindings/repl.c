#include "repl.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <lauxlib.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include "main.h"

enum { HISTORY_SIZE = 2000 };

/* What we use of libedit. */
static struct {
  EditLine *(*init)(const char *, FILE *, FILE *, FILE *);
  void (*end)(EditLine *);
  const char *(*gets)(EditLine *, int *);
  int (*set)(EditLine *, int, ...);
  int (*wset)(EditLine *, int, ...);
  const LineInfo *(*line)(EditLine *);
  int (*insertstr)(EditLine *, const char *);
  void (*deletestr)(EditLine *, int);
  int (*source)(EditLine *, const char *);
  History *(*history_init)(void);
  void (*history_end)(History *);
  int (*history)(History *, HistEvent *, int, ...);
} lib;

static struct {
  lua_State *L;
  EditLine *edit; /* NULL: lines are read as they come */
  History *history;
  char *history_path; /* NULL: kept nowhere */
  const char *prompt;
  int completer; /* a Lua function in the registry */
  volatile sig_atomic_t interrupted;
} term = {.completer = LUA_NOREF};

static bool load_libedit(void) {
  static const char *const names[] = {"libedit.so.2", "libedit.so.0", "libedit.so",
                                      "libedit.3.dylib", "libedit.dylib"};
  static const struct {
    const char *name;
    void *slot;
  } functions[] = {
      {"el_init", &lib.init},
      {"el_end", &lib.end},
      {"el_gets", &lib.gets},
      {"el_set", &lib.set},
      {"el_wset", &lib.wset},
      {"el_line", &lib.line},
      {"el_insertstr", &lib.insertstr},
      {"el_deletestr", &lib.deletestr},
      {"el_source", &lib.source},
      {"history_init", &lib.history_init},
      {"history_end", &lib.history_end},
      {"history", &lib.history},
  };
  void *handle = NULL;
  for (size_t i = 0; !handle && i < sizeof names / sizeof *names; i++) {
    handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  }
  for (size_t i = 0; handle && i < sizeof functions / sizeof *functions; i++) {
    void *address = dlsym(handle, functions[i].name);
    if (!address) return false;
    memcpy(functions[i].slot, &address, sizeof address);
  }
  return handle != NULL;
}

/* ---- reading keys ---- */

static void on_interrupt_key(int sig) {
  term.interrupted = 1;
}

static char *show_prompt(EditLine *edit) {
  return (char *)(size_t)term.prompt;
}

/* libedit's own reader cannot be ended by a signal. */
static int read_key(EditLine *edit, wchar_t *key) {
  mbstate_t state = {0};
  for (;;) {
    char byte;
    ssize_t n = term.interrupted ? -1 : read(STDIN_FILENO, &byte, 1);
    if (n < 0) {
      if (!term.interrupted && errno == EINTR)
        continue; /* another window size, or back from a stop */
      return -1;
    }
    if (n == 0) return 0;
    size_t used = mbrtowc(key, &byte, 1, &state);
    if (used == (size_t)-2) continue; /* more of the character to come */
    if (used == (size_t)-1) {
      state = (mbstate_t){0};
      continue;
    }
    if (used == 0) *key = 0;
    return 1;
  }
}

/* ---- completion ---- */

/* Asks the completer: completer(text before the cursor) → characters to delete before it,
   text to insert there, and text to be shown below, each nil when there is nothing to do.
 */
static unsigned char on_tab(EditLine *edit, int key) {
  lua_State *L = term.L;
  int top = lua_gettop(L);
  const LineInfo *line = lib.line(edit);
  unsigned char answer = CC_REFRESH_BEEP;
  lua_rawgeti(L, LUA_REGISTRYINDEX, term.completer);
  lua_pushlstring(L, line->buffer, (size_t)(line->cursor - line->buffer));
  if (lua_pcall(L, 1, 3, 0) == LUA_OK) {
    int count = (int)lua_tointeger(L, top + 1);
    const char *text = lua_tostring(L, top + 2), *below = lua_tostring(L, top + 3);
    if (count > 0) lib.deletestr(edit, count);
    if (text && *text) lib.insertstr(edit, text);
    if (count > 0 || (text && *text)) answer = CC_REFRESH;
    if (below) {
      printf("\n%s\n", below);
      fflush(stdout);
      answer = CC_REDISPLAY;
    }
  }
  lua_settop(L, top);
  return answer;
}

/* ---- history ---- */

static void enter_history(const char *text) {
  HistEvent event;
  if (term.history) lib.history(term.history, &event, H_ENTER, text);
}

/* Opens the file for its owner's eyes only, with the folders that it needs. */
static FILE *open_history(const char *path, int flags, const char *mode) {
  char folder[PATH_MAX];
  if ((flags & O_CREAT) && strlen(path) < sizeof folder) {
    strcpy(folder, path);
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
      *slash = 0;
      mkdir(folder, 0700);
      *slash = '/';
    }
  }
  int fd = open(path, flags | O_CLOEXEC, 0600);
  if (fd < 0) return NULL;
  FILE *f = fdopen(fd, mode);
  if (!f) close(fd);
  return f;
}

/* The file has an entry a line, oldest first. It is cut to the last HISTORY_SIZE when it
 * has become twice as long. */
static void load_history(void) {
  FILE *f = term.history_path ? open_history(term.history_path, O_RDONLY, "r") : NULL;
  if (!f) return;
  char **lines = NULL, *line = NULL;
  size_t cap = 0, n = 0, room = 0;
  ssize_t len;
  while ((len = getline(&line, &cap, f)) > 0) {
    if (line[len - 1] == '\n') line[len - 1] = 0;
    if (n == room) {
      room = room ? room * 2 : 256;
      char **grown = realloc(lines, room * sizeof *lines);
      if (!grown) break;
      lines = grown;
    }
    lines[n++] = line;
    line = NULL;
    cap = 0;
  }
  free(line);
  fclose(f);
  size_t first = n > HISTORY_SIZE ? n - HISTORY_SIZE : 0;
  f = n > 2 * HISTORY_SIZE ? open_history(term.history_path, O_WRONLY | O_TRUNC, "w")
                           : NULL;
  for (size_t i = 0; i < n; i++) {
    if (i >= first) {
      enter_history(lines[i]);
      if (f) fprintf(f, "%s\n", lines[i]);
    }
    free(lines[i]);
  }
  free(lines);
  if (f) fclose(f);
}

/* remember(text, private): text, one line, can be called back with the arrow keys, and
   unless it is private in later sessions too. */
static int remember(lua_State *L) {
  const char *text = luaL_checkstring(L, 1);
  enter_history(text);
  if (lua_toboolean(L, 2) || !term.history_path || !term.edit) return 0;
  FILE *f = open_history(term.history_path, O_WRONLY | O_APPEND | O_CREAT, "a");
  if (!f) return 0; /* a read-only home is no reason to complain at every line */
  fprintf(f, "%s\n", text);
  fclose(f);
  return 0;
}

/* ---- lines ---- */

static void close_terminal(void) {
  if (term.edit) lib.end(term.edit);
  if (term.history) lib.history_end(term.history);
  free(term.history_path);
  term.edit = NULL;
  term.history = NULL;
  term.history_path = NULL;
}

static void open_editor(void) {
  HistEvent event;
  setlocale(LC_CTYPE, "");
  term.edit = lib.init("luaws", stdin, stdout, stderr);
  if (!term.edit) return;
  term.history = lib.history_init();
  if (term.history) {
    lib.history(term.history, &event, H_SETSIZE, HISTORY_SIZE);
    lib.history(term.history, &event, H_SETUNIQUE, 1);
    lib.set(term.edit, EL_HIST, lib.history, term.history);
  }
  lib.set(term.edit, EL_PROMPT, show_prompt);
  lib.set(term.edit, EL_EDITOR, "emacs");
  lib.set(term.edit, EL_SIGNAL, 1);
  lib.set(term.edit, EL_GETCFN, read_key);
  /* Of narrow strings it would keep copies for ever. */
  lib.wset(term.edit, EL_ADDFN, L"complete", L"complete from the models", on_tab);
  lib.set(term.edit, EL_BIND, "^I", "complete", NULL);
  lib.set(term.edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
  lib.set(term.edit, EL_BIND, "\033[3~", "ed-delete-next-char", NULL);
  lib.set(term.edit, EL_BIND, "\033[1;5C", "em-next-word", NULL);
  lib.set(term.edit, EL_BIND, "\033[1;5D", "ed-prev-word", NULL);
  lib.source(term.edit, NULL);
}

/* open(history path or nil, completer) */
static int open_terminal(lua_State *L) {
  const char *path = luaL_optstring(L, 1, NULL);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !load_libedit()) return 0;
  lua_settop(L, 2);
  term.completer = luaL_ref(L, LUA_REGISTRYINDEX);
  open_editor();
  term.history_path = path ? strdup(path) : NULL;
  load_history();
  atexit(close_terminal); /* a script's os.exit must not leave the terminal raw */
  return 0;
}

/* Without libedit: pushes the line, or returns 0 at the end of the input. */
static int read_plain(lua_State *L) {
  fputs(term.prompt, stdout);
  fflush(stdout);
  char *line = NULL;
  size_t cap = 0;
  ssize_t n = getline(&line, &cap, stdin);
  if (n < 0) clearerr(stdin);
  if (n >= 0)
    lua_pushlstring(L, line, (size_t)(n > 0 && line[n - 1] == '\n' ? n - 1 : n));
  free(line);
  return n >= 0;
}

static int read_edited(lua_State *L) {
  int n = 0;
  lib.set(term.edit, EL_PREP_TERM, 1); /* before the prompt invites to type */
  const char *line = lib.gets(term.edit, &n);
  if (!line || n <= 0) return 0;
  size_t len = strlen(line);
  lua_pushlstring(L, line, len > 0 && line[len - 1] == '\n' ? len - 1 : len);
  return 1;
}

/* read(prompt) → a line, false when Ctrl-C was pressed, nil at the end of the input */
static int read_line(lua_State *L) {
  term.prompt = luaL_checkstring(L, 1);
  term.L = L;
  term.interrupted = 0;
  struct sigaction act = {.sa_handler = on_interrupt_key}, before;
  sigemptyset(&act.sa_mask);
  sigaction(SIGINT, &act, &before);
  int n = term.edit ? read_edited(L) : read_plain(L);
  sigaction(SIGINT, &before, NULL);
  if (!term.interrupted) return n;
  lua_pushboolean(L, 0);
  return 1;
}

/* size() → rows and columns of the screen; nothing when there is none */
static int screen_size(lua_State *L) {
  struct winsize size;
  if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  lua_pushinteger(L, size.ws_row ? size.ws_row : 24);
  lua_pushinteger(L, size.ws_col ? size.ws_col : 80);
  return 2;
}

/* call(f, …) → true and what f returns, or false and the text of its error. Ctrl-C ends
 * it. */
static int call(lua_State *L) {
  luaL_checkany(L, 1);
  int status = program_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  lua_pushboolean(L, status == LUA_OK);
  lua_insert(L, 1);
  return lua_gettop(L);
}

int repl_run(lua_State *L) {
  static const luaL_Reg functions[] = {{"open", open_terminal}, {"read", read_line},
                                       {"remember", remember},  {"size", screen_size},
                                       {"call", call},          {NULL, NULL}};
  lua_settop(L, 0);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "luaws.repl");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "run");
  luaL_newlib(L, functions);
  lua_call(L, 1, 0);
  return 0;
}
