#include "l_piece.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/http.h"
#include "l_error.h"
#include "l_reader.h"
#include "l_ready.h"

#define PIECE_TYPE "luaws.piece"

enum {
  BLOCK_BYTES = 64 * 1024,
  MAX_AT_ONCE = 512 * 1024, /* read before others get their turn */
};

struct l_piece *l_piece_test(lua_State *L, int index) {
  return luaL_testudata(L, index, PIECE_TYPE);
}

static struct l_piece *check_piece(lua_State *L, int index) {
  return luaL_checkudata(L, index, PIECE_TYPE);
}

/* ---- where its bytes are ---- */

static int spool_error(struct luaws_error *err) {
  return luaws_error_set(err, LUAWS_E_IO, "IOError",
                         "keeping a part of an upload in a temporary file: %s",
                         strerror(errno));
}

/* A file that nobody else can name, in TMPDIR or /tmp. */
static int make_spool(struct l_piece *p, struct luaws_error *err) {
  const char *folder = getenv("TMPDIR");
  if (!folder || !*folder) folder = "/tmp";
  p->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (p->fd >= 0) return 0;
  struct luaws_buf name = {0}; /* the file system has no such files */
  luaws_buf_append_cstr(&name, folder);
  luaws_buf_append_cstr(&name, "/luaws.XXXXXX");
  p->fd = name.failed ? -1 : mkostemp(name.ptr, O_CLOEXEC);
  int rc = p->fd >= 0 ? 0
                      : luaws_error_set(err, LUAWS_E_IO, "IOError",
                                        "making a temporary file in %s: %s", folder,
                                        strerror(errno));
  if (p->fd >= 0) unlink(name.ptr);
  luaws_buf_clear(&name);
  return rc;
}

static int append(struct l_piece *p, const char *ptr, size_t len,
                  struct luaws_error *err) {
  if (p->ptr) {
    memcpy(p->ptr + p->len, ptr, len);
    p->len += (int64_t)len;
    return 0;
  }
  while (len) {
    ptrdiff_t n = pwrite(p->fd, ptr, len, (off_t)p->len);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return spool_error(err);
    ptr += n;
    len -= (size_t)n;
    p->len += n;
  }
  return 0;
}

static size_t room(const struct l_piece *p, size_t most) {
  return p->cap - p->len < (int64_t)most ? (size_t)(p->cap - p->len) : most;
}

/* core.piece(bytes [, most bytes a second]) → an empty one that has room for so many */
static int piece_new(lua_State *L) {
  lua_Integer cap = luaL_checkinteger(L, 1), speed = luaL_optinteger(L, 2, 0);
  luaL_argcheck(L, cap > 0, 1, "must be a positive number of bytes");
  struct luaws_error err = {0};
  struct l_core *core = l_core(L);
  struct l_piece *p = lua_newuserdatauv(L, sizeof *p, 0);
  *p = (struct l_piece){.fd = -1, .max_bytes_per_s = speed, .core = core};
  luaL_setmetatable(L, PIECE_TYPE);
  if (cap <= (lua_Integer)(L_PIECES_MAX_BYTES - core->piece_bytes)) {
    p->ptr = malloc((size_t)cap);
    if (!p->ptr) return luaL_error(L, "not enough memory");
    core->piece_bytes += (size_t)cap;
  } else if (make_spool(p, &err)) {
    return l_error_raise(L, &err);
  }
  p->cap = cap;
  return 1;
}

static int piece_close(lua_State *L) {
  struct l_piece *p = check_piece(L, 1);
  if (p->uses) return 0;
  if (p->ptr) p->core->piece_bytes -= (size_t)p->cap;
  free(p->ptr);
  if (p->fd >= 0) close(p->fd);
  p->ptr = NULL;
  p->fd = -1;
  p->len = p->cap = 0;
  return 0;
}

/* ---- filling it ---- */

/* Reads once: as l_reader_read. */
static ptrdiff_t fill_some(lua_State *L, struct l_piece *p, struct luaws_error *err) {
  char block[BLOCK_BYTES];
  size_t max = room(p, BLOCK_BYTES);
  ptrdiff_t n = l_reader_read(L, 2, p->ptr ? p->ptr + p->len : block, max, err);
  if (n <= 0) return n;
  if (p->ptr) {
    p->len += n;
    return n;
  }
  int rc = append(p, block, (size_t)n, err);
  return rc ? rc : n;
}

/* ctx: unused; what was filled stays when it waits. */
static int fill_continue(lua_State *L, int status, lua_KContext ctx) {
  struct l_piece *p = check_piece(L, 1);
  struct luaws_error err = {0};
  int64_t began = p->len;
  ptrdiff_t n = 1;
  lua_settop(L, 2);
  while (p->len < p->cap && n != 0) {
    bool fair = p->len - began < MAX_AT_ONCE;
    n = fair ? fill_some(L, p, &err) : LUAWS_READ_AGAIN;
    if (n == LUAWS_READ_AGAIN) {
      l_wait_fd(L, l_reader_fd(L, 2), false, 0, fill_continue);
      lua_settop(L, 2);
      began = p->len;
    } else if (n < 0) {
      return l_error_raise(L, &err);
    }
  }
  lua_pushboolean(L, p->len == p->cap);
  return 1;
}

/* piece:fill(reader): reads until it is full or the reader ends; in a task others go on
   meanwhile. Returns whether it is full. */
static int piece_fill(lua_State *L) {
  check_piece(L, 1);
  lua_settop(L, 2);
  return fill_continue(L, LUA_OK, 0);
}

/* What is in `from` at its offset `at`, as it is in memory or read into block. */
static ptrdiff_t look(const struct l_piece *from, int64_t at, char *block,
                      const char **out, struct luaws_error *err) {
  int64_t left = from->len - at;
  if (from->ptr) {
    *out = from->ptr + at;
    return (ptrdiff_t)left;
  }
  *out = block;
  ptrdiff_t n = pread(from->fd, block, BLOCK_BYTES, (off_t)at);
  return n < 0 || (n == 0 && left > 0) ? spool_error(err) : n;
}

static int add_piece(lua_State *L, struct l_piece *p, const struct l_piece *from,
                     lua_Integer first) {
  char block[BLOCK_BYTES];
  struct luaws_error err = {0};
  int64_t before = p->len;
  while (room(p, 1) && first < from->len) {
    const char *ptr = NULL;
    ptrdiff_t n = look(from, first, block, &ptr, &err);
    if (n > 0) n = (ptrdiff_t)room(p, (size_t)n);
    if (n < 0 || append(p, ptr, (size_t)n, &err)) return l_error_raise(L, &err);
    first += n;
  }
  lua_pushinteger(L, p->len - before);
  return 1;
}

/* piece:add(text or piece [, first]) → how many of its bytes, from this offset on, had
   room */
static int piece_add(lua_State *L) {
  struct l_piece *p = check_piece(L, 1), *from = l_piece_test(L, 2);
  struct luaws_error err = {0};
  size_t len = 0;
  const char *text = from ? NULL : luaL_checklstring(L, 2, &len);
  lua_Integer first = luaL_optinteger(L, 3, 0);
  luaL_argcheck(L, first >= 0 && first <= (from ? from->len : (lua_Integer)len), 3,
                "outside");
  if (from) return add_piece(L, p, from, first);
  size_t n = room(p, len - (size_t)first);
  if (append(p, text + first, n, &err)) return l_error_raise(L, &err);
  lua_pushinteger(L, (lua_Integer)n);
  return 1;
}

/* piece:sent() → how many of its bytes the request that sends it has read */
static int piece_sent(lua_State *L) {
  lua_pushinteger(L, check_piece(L, 1)->sent);
  return 1;
}

static int piece_len(lua_State *L) {
  lua_pushinteger(L, check_piece(L, 1)->len);
  return 1;
}

void l_piece_open(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", piece_close},
                                         {"__close", piece_close},
                                         {"__len", piece_len},
                                         {NULL, NULL}};
  static const luaL_Reg methods[] = {{"fill", piece_fill},
                                     {"add", piece_add},
                                     {"sent", piece_sent},
                                     {"close", piece_close},
                                     {NULL, NULL}};
  luaL_newmetatable(L, PIECE_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_pushcfunction(L, piece_new);
  lua_setfield(L, -2, "piece");
}
