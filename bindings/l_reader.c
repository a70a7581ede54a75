#include "l_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "http/http.h"
#include "l_core.h"
#include "l_error.h"

#define READER_TYPE "luaws.reader"

/* In its user value the io file whose descriptor it is, where there is one. */
struct l_reader {
  int fd;          /* -1 when closed */
  luaL_Stream *io; /* NULL: the descriptor is ours */
};

static struct l_reader *check_reader(lua_State *L, int index) {
  return luaL_checkudata(L, index, READER_TYPE);
}

static int reader_close(lua_State *L) {
  struct l_reader *r = check_reader(L, 1);
  if (r->fd >= 0 && !r->io) close(r->fd);
  r->fd = -1;
  return 0;
}

/* What stdio has read ahead for the script comes first. Only glibc says how much it is.
 */
static size_t read_ahead(const FILE *f) {
#ifdef __GLIBC__
  return f->_IO_read_ptr ? (size_t)(f->_IO_read_end - f->_IO_read_ptr) : 0;
#else
  return 0;
#endif
}

static int io_error(struct luaws_error *err) {
  return luaws_error_set(err, LUAWS_E_IO, "IOError", "reading: %s", strerror(errno));
}

ptrdiff_t l_read_now(int fd, FILE *io, char *dst, size_t max, struct luaws_error *err) {
  size_t ahead = io ? read_ahead(io) : 0;
  if (ahead) return (ptrdiff_t)fread(dst, 1, ahead < max ? ahead : max, io);
  struct pollfd p = {.fd = fd, .events = POLLIN};
  int ready;
  do {
    ready = poll(&p, 1, 0);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) return io_error(err);
  if (ready == 0) return LUAWS_READ_AGAIN;
  ptrdiff_t n;
  do {
    n = read(fd, dst, max);
  } while (n < 0 && errno == EINTR);
  if (n >= 0) return n;
  return errno == EAGAIN ? LUAWS_READ_AGAIN : io_error(err);
}

ptrdiff_t l_reader_read(lua_State *L, int index, char *dst, size_t max,
                        struct luaws_error *err) {
  struct l_reader *r = check_reader(L, index);
  if (r->fd < 0 || (r->io && !r->io->closef))
    return luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError", "the file is closed");
  return l_read_now(r->fd, r->io ? r->io->f : NULL, dst, max, err);
}

int l_reader_fd(lua_State *L, int index) {
  return check_reader(L, index)->fd;
}

/* core.reader(io file or path) → what piece:fill reads from; nil and why. A FIFO is
   opened without waiting for whoever will write to it. */
static int reader_new(lua_State *L) {
  luaL_Stream *io = luaL_testudata(L, 1, LUA_FILEHANDLE);
  const char *path = io ? NULL : luaL_checkstring(L, 1);
  if (io && !io->closef) return l_raise(L, "ValueError", "the file is closed");
  if (!io) l_core_check_files(L);
  struct l_reader *r = lua_newuserdatauv(L, sizeof *r, 1);
  *r = (struct l_reader){.fd = -1, .io = io};
  luaL_setmetatable(L, READER_TYPE);
  if (io) {
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    fflush(io->f);
    r->fd = fileno(io->f);
    return 1;
  }
  r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (r->fd >= 0) return 1;
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", path, strerror(errno));
  return 2;
}

void l_reader_open(lua_State *L) {
  static const luaL_Reg metamethods[] = {
      {"__gc", reader_close}, {"__close", reader_close}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"close", reader_close}, {NULL, NULL}};
  luaL_newmetatable(L, READER_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_pushcfunction(L, reader_new);
  lua_setfield(L, -2, "reader");
}
