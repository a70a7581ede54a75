#include "l_files.h"

#include "l_core.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"
#include "l_error.h"

#define TARGET_TYPE "luaws.target"
#define FOLDER_TYPE "luaws.folder"

/* Where a download is written to. In its user value the io file that it belongs to, where
   there is one. A new file has no name until it is whole, so that nothing of it is left
   whatever ends this process; where the file system knows no such files it has one beside
   its own. */
struct l_target {
  int fd;          /* -1 when closed */
  char *name;      /* of a new file, to be; owned */
  char *temporary; /* the one that it has now; owned, NULL for none */
  luaL_Stream *io; /* whose descriptor it is; NULL = ours */
  int pipe; /* -1, or that of a pipe anew: one that does not wait when it is full, which
               the pipe itself may be meant to for others that have it */
  bool in_order; /* a pipe, a terminal, a file that is appended to */
};

static struct l_target *check_target(lua_State *L, int index) {
  return luaL_checkudata(L, index, TARGET_TYPE);
}

/* 0, or why not. What is not whole goes. */
static int close_target(struct l_target *t) {
  int fd = t->fd, why = 0;
  t->fd = -1;
  if (t->pipe >= 0) close(t->pipe);
  t->pipe = -1;
  if (fd >= 0 && !t->io && close(fd) != 0) why = errno;
  if (t->temporary) unlink(t->temporary);
  free(t->temporary);
  free(t->name);
  t->temporary = t->name = NULL;
  return why;
}

static int target_close(lua_State *L) {
  close_target(check_target(L, 1));
  return 0;
}

static int io_error(struct luaws_error *err) {
  return luaws_error_set(err, LUAWS_E_IO, "IOError", "writing: %s", strerror(errno));
}

/* A pipe that nobody reads any more is an error to be told, not a signal to die of. */
static ptrdiff_t write_without_signal(int fd, const char *ptr, size_t len) {
  sigset_t pipe, before, pending;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigpending(&pending);
  bool was_pending = sigismember(&pending, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  ptrdiff_t n = write(fd, ptr, len);
  int why = errno;
  if (n < 0 && why == EPIPE && !was_pending) {
    struct timespec now = {0};
    while (sigtimedwait(&pipe, NULL, &now) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = why;
  return n;
}

ptrdiff_t l_target_write(lua_State *L, int index, int64_t offset, const char *ptr,
                         size_t len, struct luaws_error *err) {
  struct l_target *t = check_target(L, index);
  if (t->fd < 0 || (t->io && !t->io->closef))
    return luaws_error_set(err, LUAWS_E_IO, "IOError", "writing: the file was closed");
  ptrdiff_t n;
  do {
    n = t->in_order ? write_without_signal(t->pipe >= 0 ? t->pipe : t->fd, ptr, len)
                    : pwrite(t->fd, ptr, len, (off_t)offset);
  } while (n < 0 && errno == EINTR);
  if (n >= 0) return n;
  return errno == EAGAIN ? LUAWS_READ_AGAIN : io_error(err);
}

int l_target_fd(lua_State *L, int index) {
  return check_target(L, index)->fd;
}

/* target:in_order() → whether offsets mean nothing to it */
static int target_in_order(lua_State *L) {
  lua_pushboolean(L, check_target(L, 1)->in_order);
  return 1;
}

static int open_pipe(int fd) {
  char name[64];
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  return open(name, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
}

/* A target that writes to an io file's descriptor. */
static int target_of_io(lua_State *L, luaL_Stream *io, bool in_order) {
  if (!io->closef) return l_raise(L, "ValueError", "the file is closed");
  struct l_target *t = lua_newuserdatauv(L, sizeof *t, 1);
  *t = (struct l_target){.fd = -1, .io = io, .pipe = -1};
  luaL_setmetatable(L, TARGET_TYPE);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  fflush(io->f);
  t->fd = fileno(io->f);
  struct stat st = {0};
  int flags = fcntl(t->fd, F_GETFL);
  t->in_order = in_order || fstat(t->fd, &st) != 0 || !S_ISREG(st.st_mode) ||
                (flags >= 0 && (flags & O_APPEND));
  bool writes = flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
  if (writes && S_ISFIFO(st.st_mode)) t->pipe = open_pipe(t->fd);
  return 1;
}

/* ---- new files ---- */

enum { MAX_NAME = 255, SUFFIX = 9 };

/* How much of the path is its folder, with the last slash. */
static size_t folder_length(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Another name in the same folder, as "name.1A2B3C4D"; NULL without memory. */
static char *name_beside(const char *path) {
  size_t folder = folder_length(path), base = strlen(path + folder);
  if (base > MAX_NAME - SUFFIX) base = MAX_NAME - SUFFIX;
  uint32_t number = 0;
  luaws_random_bytes(&number, sizeof number);
  char *name = malloc(folder + base + SUFFIX + 1);
  if (name) sprintf(name, "%.*s.%08X", (int)(folder + base), path, (unsigned)number);
  return name;
}

static void own_name(const struct l_target *t, char name[64]) {
  snprintf(name, 64, "/proc/self/fd/%d", t->fd);
}

/* False where there are no files without names, or none that get one later. */
static bool make_nameless(struct l_target *t) {
  size_t folder = folder_length(t->name);
  char after = t->name[folder], own[64];
  t->name[folder] = 0;
  t->fd = open(folder ? t->name : ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
  t->name[folder] = after;
  if (t->fd < 0) return false;
  own_name(t, own);
  if (access(own, F_OK) == 0) return true;
  close(t->fd);
  t->fd = -1;
  return false;
}

enum { TRIES = 5 };

/* 0, or why not. */
static int make_beside(struct l_target *t) {
  int why = EEXIST;
  for (int i = 0; i < TRIES && why == EEXIST; i++) {
    t->temporary = name_beside(t->name);
    if (!t->temporary) return ENOMEM;
    t->fd = open(t->temporary, O_WRONLY | O_CLOEXEC | O_CREAT | O_EXCL, 0666);
    if (t->fd >= 0) return 0;
    why = errno;
    free(t->temporary);
    t->temporary = NULL;
  }
  return why;
}

/* A name for one without: there is no way to give it one that is taken. */
static int name_it(struct l_target *t) {
  char own[64];
  own_name(t, own);
  int why = EEXIST;
  for (int i = 0; i < TRIES && why == EEXIST; i++) {
    char *name = name_beside(t->name);
    if (!name) return ENOMEM;
    why = linkat(AT_FDCWD, own, AT_FDCWD, name, AT_SYMLINK_FOLLOW) ? errno : 0;
    if (why)
      free(name);
    else
      t->temporary = name;
  }
  return why;
}

/* All of one file to the end of another, reading from where it stands; 0, or why not. */
static int copy_file(int from, int to) {
  char bytes[64 * 1024];
  for (;;) {
    ssize_t n = read(from, bytes, sizeof bytes), done = 0;
    while (n > 0 && done < n) {
      ssize_t some = write(to, bytes + done, (size_t)(n - done));
      if (some < 0 && errno != EINTR) return errno;
      if (some > 0) done += some;
    }
    if (n == 0) return 0;
    if (n < 0 && errno != EINTR) return errno;
  }
}

/* For one that gets no name, whatever forbids it: its bytes move to one that has a name.
 */
static int move_beside(struct l_target *t) {
  int from = t->fd;
  t->fd = -1;
  int why = make_beside(t);
  if (!why) why = copy_file(from, t->fd);
  close(from);
  return why;
}

/* target:commit(): a new file is whole and takes its place. true, or nil and why not. */
static int target_commit(lua_State *L) {
  struct l_target *t = check_target(L, 1);
  luaL_argcheck(L, t->name && t->fd >= 0, 1, "no new file");
  lua_pushnil(L);
  int why = t->temporary || name_it(t) == 0 ? 0 : move_beside(t);
  int fd = t->fd;
  t->fd = -1;
  if (fd >= 0 && close(fd) != 0 && !why) why = errno;
  if (!why && rename(t->temporary, t->name) != 0) why = errno;
  if (why) {
    lua_pushfstring(L, "%s: %s", t->name, strerror(why));
  } else {
    free(t->temporary); /* it is not called so any more */
    t->temporary = NULL;
  }
  close_target(t);
  if (why) return 2;
  lua_pushboolean(L, 1);
  return 1;
}

static int target_new_file(lua_State *L, const char *path) {
  struct l_target *t = lua_newuserdatauv(L, sizeof *t, 0);
  *t = (struct l_target){.fd = -1, .pipe = -1};
  luaL_setmetatable(L, TARGET_TYPE);
  t->name = strdup(path);
  if (!t->name) return luaL_error(L, "not enough memory");
  int why = make_nameless(t) ? 0 : make_beside(t);
  if (!why) return 1;
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", path, strerror(why));
  return 2;
}

/* core.target(io file [, "in order"]), core.target(path, "new" | "special") → what
   body:save writes to: an io file, one that takes the place of this name when it is
   whole, or one that is there and not regular. nil, why, and whether it is a FIFO that
   nobody reads yet. */
static int target_new(lua_State *L) {
  luaL_Stream *io = luaL_testudata(L, 1, LUA_FILEHANDLE);
  if (io) return target_of_io(L, io, !lua_isnoneornil(L, 2));
  l_core_check_files(L);
  static const char *const kinds[] = {"new", "special", NULL};
  const char *path = luaL_checkstring(L, 1);
  if (luaL_checkoption(L, 2, NULL, kinds) == 0) return target_new_file(L, path);
  struct l_target *t = lua_newuserdatauv(L, sizeof *t, 0);
  *t = (struct l_target){.fd = -1, .in_order = true, .pipe = -1};
  luaL_setmetatable(L, TARGET_TYPE);
  t->fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
  if (t->fd >= 0) return 1;
  int why = errno;
  struct stat st;
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", path, strerror(why));
  lua_pushboolean(L, why == ENXIO && stat(path, &st) == 0 && S_ISFIFO(st.st_mode));
  return 3;
}

/* ---- status ---- */

static const char *kind_of(const struct stat *st) {
  return S_ISREG(st->st_mode) ? "file" : S_ISDIR(st->st_mode) ? "folder" : "special";
}

static void push_status(lua_State *L, const struct stat *st) {
  lua_createtable(L, 0, 5);
  lua_pushstring(L, kind_of(st));
  lua_setfield(L, -2, "kind");
  lua_pushinteger(L, (lua_Integer)st->st_size);
  lua_setfield(L, -2, "size");
  lua_pushnumber(L,
                 (lua_Number)st->st_mtim.tv_sec + (lua_Number)st->st_mtim.tv_nsec / 1e9);
  lua_setfield(L, -2, "modified");
  if (S_ISDIR(st->st_mode)) {
    lua_pushfstring(L, "%I:%I", (LUAI_UACINT)st->st_dev, (LUAI_UACINT)st->st_ino);
    lua_setfield(L, -2, "id");
  }
}

/* core.file_status(path [, "link"]) → { kind = "file" | "folder" | "special", size,
   modified, id (of a folder: two with the same are one) }, or nil and why. A link is what
   it points to, with "link" it is "special". */
static int file_status(lua_State *L) {
  struct stat st;
  l_core_check_files(L);
  const char *path = luaL_checkstring(L, 1);
  if ((lua_isnoneornil(L, 2) ? stat(path, &st) : lstat(path, &st)) == 0) {
    push_status(L, &st);
    return 1;
  }
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", path, strerror(errno));
  return 2;
}

/* core.real_path(path) → the same without links and dots; nil and why */
static int real_path(lua_State *L) {
  l_core_check_files(L);
  const char *path = luaL_checkstring(L, 1);
  char *real = realpath(path, NULL);
  if (!real) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, strerror(errno));
    return 2;
  }
  lua_pushstring(L, real);
  free(real);
  return 1;
}

static int folder_gc(lua_State *L) {
  DIR **folder = luaL_checkudata(L, 1, FOLDER_TYPE);
  if (*folder) closedir(*folder);
  *folder = NULL;
  return 0;
}

/* core.list_folder(path) → the names in it, or nil and why */
static int list_folder(lua_State *L) {
  l_core_check_files(L);
  const char *path = luaL_checkstring(L, 1);
  DIR **folder = lua_newuserdatauv(L, sizeof *folder, 0);
  *folder = NULL;
  luaL_setmetatable(L, FOLDER_TYPE);
  *folder = opendir(path);
  if (!*folder) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, strerror(errno));
    return 2;
  }
  lua_newtable(L);
  lua_Integer count = 0;
  struct dirent *entry;
  while ((entry = readdir(*folder))) {
    const char *name = entry->d_name;
    if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]))) continue;
    lua_pushstring(L, name);
    lua_rawseti(L, -2, ++count);
  }
  closedir(*folder);
  *folder = NULL;
  return 1;
}

/* core.make_folder(path) → true, also when it is there already; or nil and why */
static int make_folder(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  struct stat st;
  if (mkdir(path, 0777) == 0 ||
      (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", path, strerror(errno));
  return 2;
}

/* core.set_modified(path, seconds since the epoch) */
static int set_modified(lua_State *L) {
  l_core_check_files(L);
  double whole, part = modf(luaL_checknumber(L, 2), &whole);
  struct timespec times[2] = {
      {.tv_nsec = UTIME_OMIT},
      {.tv_sec = (time_t)whole, .tv_nsec = part > 0 ? (long)(part * 1e9) : 0}};
  lua_pushboolean(L, utimensat(AT_FDCWD, luaL_checkstring(L, 1), times, 0) == 0);
  return 1;
}

/* core.io_modes(io file) → whether it can be read, whether it can be written */
static int io_modes(lua_State *L) {
  luaL_Stream *io = luaL_checkudata(L, 1, LUA_FILEHANDLE);
  int flags = io->closef ? fcntl(fileno(io->f), F_GETFL) : -1;
  lua_pushboolean(L, flags >= 0 && (flags & O_ACCMODE) != O_WRONLY);
  lua_pushboolean(L, flags >= 0 && (flags & O_ACCMODE) != O_RDONLY);
  return 2;
}

/* core.terminal_columns(io file) → how wide the terminal is that it writes to, or nil */
static int terminal_columns(lua_State *L) {
  luaL_Stream *io = luaL_checkudata(L, 1, LUA_FILEHANDLE);
  struct winsize size;
  if (!io->closef || !isatty(fileno(io->f))) return 0;
  bool known = ioctl(fileno(io->f), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  lua_pushinteger(L, known ? size.ws_col : 80);
  return 1;
}

void l_files_open(lua_State *L) {
  static const luaL_Reg functions[] = {{"target", target_new},
                                       {"file_status", file_status},
                                       {"real_path", real_path},
                                       {"list_folder", list_folder},
                                       {"make_folder", make_folder},
                                       {"set_modified", set_modified},
                                       {"io_modes", io_modes},
                                       {"terminal_columns", terminal_columns},
                                       {NULL, NULL}};
  static const luaL_Reg metamethods[] = {
      {"__gc", target_close}, {"__close", target_close}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"in_order", target_in_order},
                                     {"commit", target_commit},
                                     {"close", target_close},
                                     {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  luaL_newmetatable(L, TARGET_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  luaL_newmetatable(L, FOLDER_TYPE);
  lua_pushcfunction(L, folder_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 2);
}
