#include "l_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "l_core.h"
#include "l_error.h"
#include "l_piece.h"
#include "l_reader.h"
#include "l_text.h"

#define FILE_TYPE "luaws.file"

/* aws.file: a range of a file that is opened when a request is made of it. In its user
   value the io file that it is a range of, where it was made of one. */
struct l_file {
  int64_t offset;
  int64_t length; /* -1: to the end */
  int64_t sent;
  int64_t max_bytes_per_s;
  char path[]; /* "" for an io file's */
};

/* An argument of aws.file; without it, it is as little as it may be. */
static lua_Integer read_bytes(lua_State *L, int index, const char *name,
                              lua_Integer least) {
  int whole = 1;
  lua_Integer n = lua_isnoneornil(L, index) ? least : lua_tointegerx(L, index, &whole);
  if (!whole || n < least) {
    l_raise(L, "TypeError", "aws.file: the %s must be a number of bytes, not %s", name,
            luaL_tolstring(L, index, NULL));
  }
  return n;
}

int l_file(lua_State *L) {
  size_t len = 0;
  bool is_io = luaL_testudata(L, 1, LUA_FILEHANDLE) != NULL;
  if (!is_io && !lua_isstring(L, 1)) {
    return l_raise(L, "TypeError", "aws.file takes a path, not a %s",
                   lua_isnone(L, 1) ? "nil" : luaL_typename(L, 1));
  }
  const char *path = is_io ? "" : lua_tolstring(L, 1, &len);
  lua_Integer offset = read_bytes(L, 2, "offset", 0),
              length = read_bytes(L, 3, "length", -1);
  lua_Integer max_bytes_per_s = luaL_optinteger(L, 4, 0);
  l_core_check_files(L);
  struct l_file *f = lua_newuserdatauv(L, sizeof *f + len + 1, 1);
  f->offset = offset;
  f->length = length;
  f->sent = 0;
  f->max_bytes_per_s = max_bytes_per_s;
  if (is_io) {
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
  }
  memcpy(f->path, path, len + 1);
  luaL_setmetatable(L, FILE_TYPE);
  return 1;
}

static int file_tostring(lua_State *L) {
  struct l_file *f = luaL_checkudata(L, 1, FILE_TYPE);
  lua_pushfstring(L, "aws.file(%s)", f->path);
  return 1;
}

/* file:sent() → how many of its bytes the request that is made of it has read, for
   whoever shows progress; less again when they are sent anew */
static int file_sent(lua_State *L) {
  struct l_file *f = luaL_checkudata(L, 1, FILE_TYPE);
  lua_pushinteger(L, f->sent);
  return 1;
}

bool l_is_stream(lua_State *L, int index) {
  return luaL_testudata(L, index, FILE_TYPE) != NULL || l_piece_test(L, index) != NULL;
}

/* A Lua value held in the registry for as long as a request may read from it. */
struct l_source {
  lua_State *L; /* the state's main thread */
  int ref;      /* the function or body */
  int rest_ref; /* the chunk handed out last */
  size_t rest_at;
  int fd; /* of a file that we opened */
  struct l_piece *piece;
};

static void source_release(void *owner) {
  struct l_source *s = owner;
  if (s->fd >= 0) close(s->fd);
  if (s->piece) s->piece->uses--;
  luaL_unref(s->L, LUA_REGISTRYINDEX, s->ref);
  luaL_unref(s->L, LUA_REGISTRYINDEX, s->rest_ref);
  free(s);
}

static struct l_source *source_new(lua_State *L, int index) {
  lua_pushvalue(L, index);
  int ref = luaL_ref(L, LUA_REGISTRYINDEX);
  struct l_source *s = malloc(sizeof *s);
  if (!s) {
    luaL_unref(L, LUA_REGISTRYINDEX, ref);
    return NULL;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  *s = (struct l_source){
      .L = lua_tothread(L, -1), .ref = ref, .rest_ref = LUA_NOREF, .fd = -1};
  lua_pop(L, 1);
  return s;
}

/* Gives out what is left of the current chunk. */
static ptrdiff_t take_rest(struct l_source *s, char *dst, size_t max) {
  lua_State *L = s->L;
  if (s->rest_ref == LUA_NOREF) return 0;
  size_t len;
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->rest_ref);
  const char *chunk = lua_tolstring(L, -1, &len);
  size_t n = len - s->rest_at < max ? len - s->rest_at : max;
  memcpy(dst, chunk + s->rest_at, n);
  s->rest_at += n;
  lua_pop(L, 1);
  if (s->rest_at == len) {
    luaL_unref(L, LUA_REGISTRYINDEX, s->rest_ref);
    s->rest_ref = LUA_NOREF;
  }
  return (ptrdiff_t)n;
}

/* Calls the function and keeps the chunk that it returns: true, nil at the end, or the
   name of what is no chunk. Protected: the loop that asks must not be left by an error.
 */
static int next_chunk(lua_State *L) {
  struct l_source *s = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->ref);
  lua_call(L, 0, 2);
  /* nil and why is how a read of Lua says that it failed, and not the end. */
  if (lua_isnil(L, -2) && !lua_isnil(L, -1)) return lua_error(L);
  lua_pop(L, 1);
  if (lua_isnil(L, -1)) return 1;
  if (lua_type(L, -1) != LUA_TSTRING) {
    lua_pushstring(L, luaL_typename(L, -1));
    return 1;
  }
  if (lua_rawlen(L, -1) == 0) return 0;
  s->rest_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  s->rest_at = 0;
  lua_pushboolean(L, true);
  return 1;
}

/* 1 when there is a chunk, 0 at the end, or a negative code. */
static int ask_function(struct l_source *s, struct luaws_error *err) {
  lua_State *L = s->L;
  int rc = 0;
  lua_pushcfunction(L, next_chunk);
  lua_pushlightuserdata(L, s);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
    rc = luaws_error_set(err, LUAWS_E_IO, "IOError",
                         "the function that gives the body failed: %s", l_error_text(L));
  } else if (lua_isstring(L, -1)) {
    rc = luaws_error_set(err, LUAWS_E_IO, "IOError",
                         "the function that gives the body returned a %s, not a string",
                         lua_tostring(L, -1));
  } else {
    rc = lua_toboolean(L, -1);
  }
  lua_pop(L, 1);
  return rc;
}

/* The next chunk of a function: a string, or nil (or "") at the end. */
static ptrdiff_t function_read(void *owner, char *dst, size_t max,
                               struct luaws_error *err) {
  struct l_source *s = owner;
  if (!lua_checkstack(s->L, 8)) return luaws_error_memory(err);
  ptrdiff_t n = take_rest(s, dst, max);
  if (n > 0) return n;
  int rc = ask_function(s, err);
  return rc == 1 ? take_rest(s, dst, max) : rc;
}

static int stream_function(lua_State *L, int index, struct luaws_stream *out,
                           struct luaws_error *err) {
  struct l_source *s = source_new(L, index);
  if (!s) return luaws_error_memory(err);
  *out = (struct luaws_stream){.kind = LUAWS_STREAM_FUNCTION,
                               .length = -1,
                               .read = function_read,
                               .release = source_release,
                               .owner = s};
  return 0;
}

static int stream_string(lua_State *L, int index, struct luaws_stream *out,
                         struct luaws_error *err) {
  struct l_source *s = source_new(L, index);
  if (!s) return luaws_error_memory(err);
  *out = (struct luaws_stream){
      .kind = LUAWS_STREAM_BYTES, .release = source_release, .owner = s};
  out->bytes.ptr = lua_tolstring(L, index, &out->bytes.len);
  out->length = (int64_t)out->bytes.len;
  return 0;
}

/* A pipe, a terminal: read as it comes, never waited for here. */
static ptrdiff_t pipe_read(void *owner, char *dst, size_t max, struct luaws_error *err) {
  struct l_source *s = owner;
  if (!lua_checkstack(s->L, 1)) return luaws_error_memory(err);
  lua_rawgeti(s->L, LUA_REGISTRYINDEX, s->ref);
  luaL_Stream *file = lua_touserdata(s->L, -1);
  lua_pop(s->L, 1);
  if (!file->closef)
    return luaws_error_set(err, LUAWS_E_IO, "IOError", "the body's file was closed");
  return l_read_now(fileno(file->f), file->f, dst, max, err);
}

/* An io file: from where it stands to its end. */
static int stream_io_file(lua_State *L, int index, struct luaws_stream *out,
                          struct luaws_error *err) {
  luaL_Stream *file = lua_touserdata(L, index);
  if (!file->closef) {
    return luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError",
                           "the body is a closed file");
  }
  int flags = fcntl(fileno(file->f), F_GETFL);
  if (flags >= 0 && (flags & O_ACCMODE) == O_WRONLY) {
    return luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError",
                           "the body is a file that is not open for reading");
  }
  fflush(file->f);
  struct stat st;
  bool regular = fstat(fileno(file->f), &st) == 0 && S_ISREG(st.st_mode);
  off_t at = regular ? ftello(file->f) : -1;
  struct l_source *s = source_new(L, index);
  if (!s) return luaws_error_memory(err);
  if (at >= 0) {
    *out = (struct luaws_stream){.kind = LUAWS_STREAM_FILE,
                                 .length = st.st_size > at ? st.st_size - at : 0,
                                 .fd = fileno(file->f),
                                 .offset = at};
  } else {
    *out = (struct luaws_stream){.kind = LUAWS_STREAM_FUNCTION,
                                 .length = -1,
                                 .fd = fileno(file->f),
                                 .waits = true,
                                 .read = pipe_read};
  }
  out->release = source_release;
  out->owner = s;
  return 0;
}

/* The descriptor to read from, and whether it is ours to close. */
static int open_file(lua_State *L, int index, const struct l_file *f, int *fd, bool *ours,
                     struct luaws_error *err) {
  luaL_Stream *io =
      lua_getiuservalue(L, index, 1) == LUA_TUSERDATA ? lua_touserdata(L, -1) : NULL;
  lua_pop(L, 1);
  *ours = io == NULL;
  if (!io) {
    /* Not waiting for who writes into a FIFO, which is refused afterwards. */
    *fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return *fd >= 0 ? 0
                    : luaws_error_set(err, LUAWS_E_IO, "IOError", "%s: %s", f->path,
                                      strerror(errno));
  }
  if (!io->closef) {
    return luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError",
                           "the body is a closed file");
  }
  fflush(io->f);
  *fd = fileno(io->f);
  return 0;
}

static int stream_file(lua_State *L, int index, struct luaws_stream *out,
                       struct luaws_error *err) {
  struct l_file *f = lua_touserdata(L, index);
  struct l_source *s = source_new(L, index);
  if (!s) return luaws_error_memory(err);
  bool ours = false;
  int fd = -1;
  int rc = open_file(L, index, f, &fd, &ours, err);
  if (rc == 0 && ours) s->fd = fd;
  struct stat st = {0};
  int64_t left = 0;
  if (rc == 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
    rc = luaws_error_set(err, LUAWS_E_IO, "IOError", "%s: not a regular file", f->path);
  } else if (rc == 0) {
    left = st.st_size > f->offset ? st.st_size - f->offset : 0;
    if (f->length > left) {
      rc = luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError",
                           "%s: has %lld bytes from offset %lld on, not %lld", f->path,
                           (long long)left, (long long)f->offset, (long long)f->length);
    }
  }
  if (rc) {
    source_release(s);
    return rc;
  }
  f->sent = 0;
  *out = (struct luaws_stream){.kind = LUAWS_STREAM_FILE,
                               .length = f->length >= 0 ? f->length : left,
                               .fd = fd,
                               .offset = f->offset,
                               .max_bytes_per_s = f->max_bytes_per_s,
                               .told = &f->sent,
                               .release = source_release,
                               .owner = s};
  return 0;
}

static int stream_piece(lua_State *L, int index, struct luaws_stream *out,
                        struct luaws_error *err) {
  struct l_piece *p = l_piece_test(L, index);
  struct l_source *s = source_new(L, index);
  if (!s) return luaws_error_memory(err);
  s->piece = p;
  p->uses++;
  p->sent = 0;
  *out =
      (struct luaws_stream){.kind = p->fd >= 0 ? LUAWS_STREAM_FILE : LUAWS_STREAM_BYTES,
                            .bytes = {p->ptr ? p->ptr : "", (size_t)p->len},
                            .fd = p->fd,
                            .length = p->len,
                            .max_bytes_per_s = p->max_bytes_per_s,
                            .told = &p->sent,
                            .release = source_release,
                            .owner = s};
  return 0;
}

int l_stream_from(lua_State *L, int index, struct luaws_stream *out,
                  struct luaws_error *err) {
  index = lua_absindex(L, index);
  if (lua_type(L, index) == LUA_TSTRING) return stream_string(L, index, out, err);
  if (lua_isfunction(L, index)) return stream_function(L, index, out, err);
  if (luaL_testudata(L, index, LUA_FILEHANDLE)) return stream_io_file(L, index, out, err);
  if (luaL_testudata(L, index, FILE_TYPE)) return stream_file(L, index, out, err);
  if (l_piece_test(L, index)) return stream_piece(L, index, out, err);
  return luaws_error_set(err, LUAWS_E_ARGUMENT, "ParamValidationError", "a %s is no body",
                         luaL_typename(L, index));
}

void l_stream_open(lua_State *L) {
  luaL_newmetatable(L, FILE_TYPE);
  lua_pushcfunction(L, file_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, file_sent);
  lua_setfield(L, -2, "sent");
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_pushcfunction(L, l_file);
  lua_setfield(L, -2, "file");
}
