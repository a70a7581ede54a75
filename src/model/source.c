#include "model/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { MAX_MODEL_BYTES = 256 << 20, READ_BYTES = 256 << 10 };

static const char *const stems[LUAWS_SECTION_TYPES] = {
    [LUAWS_SECTION_SERVICE] = "service-2",
    [LUAWS_SECTION_RULES] = "endpoint-rule-set-1",
    [LUAWS_SECTION_PAGINATORS] = "paginators-1",
    [LUAWS_SECTION_WAITERS] = "waiters-2",
    [LUAWS_SECTION_RESOURCES] = "resources-1",
    [LUAWS_SECTION_PARTITIONS] = "partitions",
    [LUAWS_SECTION_ENDPOINTS] = "endpoints",
    [LUAWS_SECTION_DEFAULTS] = "sdk-default-configuration",
    [LUAWS_SECTION_EXAMPLES] = "examples-1",
};

static bool is_root_type(int type) {
  return type == LUAWS_SECTION_PARTITIONS || type == LUAWS_SECTION_ENDPOINTS ||
         type == LUAWS_SECTION_DEFAULTS;
}

const char *luaws_source_stem(enum luaws_section_type type) {
  return stems[type];
}

/* ---- listing ---- */

/* "service-2.sdk-extras.json.gz" -> its type and that it is extras; false for a name that
   is no model's. */
static bool recognize(const char *name, bool root, enum luaws_section_type *type,
                      bool *extras) {
  struct luaws_str s = luaws_str_from(name);
  if (luaws_str_ends(s, LUAWS_STR(".gz"))) s.len -= 3;
  if (!luaws_str_ends(s, LUAWS_STR(".json"))) return false;
  s.len -= 5;
  *extras = luaws_str_ends(s, LUAWS_STR(".sdk-extras"));
  if (*extras) s.len -= 11;
  for (int i = 0; i < LUAWS_SECTION_TYPES; i++) {
    if (stems[i] && is_root_type(i) == root && luaws_str_is(s, stems[i])) {
      *type = (enum luaws_section_type)i;
      return !(root && *extras);
    }
  }
  return false;
}

static bool add_file(struct luaws_source *src, const struct luaws_source_file *file) {
  if (src->file_count == src->file_slots) {
    size_t slots = src->file_slots ? src->file_slots * 2 : 64;
    struct luaws_source_file *larger = realloc(src->files, slots * sizeof *larger);
    if (!larger) return false;
    src->files = larger;
    src->file_slots = slots;
  }
  src->files[src->file_count++] = *file;
  return true;
}

/* A folder below another; NULL when there is none (or it is a file, or hidden). */
static DIR *open_below(DIR *parent, const char *name) {
  if (name[0] == '.') return NULL;
  int fd = openat(dirfd(parent), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return NULL;
  DIR *d = fdopendir(fd);
  if (!d) close(fd);
  return d;
}

/* Adds the model files that lie right in a folder. */
static bool list_files(struct luaws_source *src, DIR *d, struct luaws_source_file file,
                       bool root) {
  struct dirent *e;
  while ((e = readdir(d))) {
    if (!recognize(e->d_name, root, &file.type, &file.extras)) continue;
    if (!add_file(src, &file)) return false;
  }
  return true;
}

static bool list_versions(struct luaws_source *src, DIR *service,
                          struct luaws_source_file file) {
  struct dirent *e;
  bool ok = true;
  while (ok && (e = readdir(service))) {
    DIR *version = open_below(service, e->d_name);
    if (!version) continue;
    file.version = luaws_arena_str(&src->arena, luaws_str_from(e->d_name));
    ok = file.version.ptr && list_files(src, version, file, false);
    closedir(version);
  }
  return ok;
}

static bool list_services(struct luaws_source *src, DIR *folder,
                          struct luaws_source_file file) {
  struct dirent *e;
  bool ok = true;
  while (ok && (e = readdir(folder))) {
    DIR *service = open_below(folder, e->d_name);
    if (!service) continue;
    file.service = luaws_arena_str(&src->arena, luaws_str_from(e->d_name));
    ok = file.service.ptr && list_versions(src, service, file);
    closedir(service);
  }
  return ok;
}

static int compare(const struct luaws_source_file *a, enum luaws_section_type type,
                   struct luaws_str service, struct luaws_str version, bool extras) {
  int order = luaws_str_cmp(a->service, service);
  if (order == 0) order = (int)a->type - (int)type;
  if (order == 0) order = luaws_str_cmp(a->version, version);
  if (order == 0) order = (int)a->extras - (int)extras;
  return order;
}

static int by_place(const void *x, const void *y) {
  const struct luaws_source_file *a = x, *b = y;
  int order = compare(a, b->type, b->service, b->version, b->extras);
  return order ? order : (a->folder > b->folder) - (a->folder < b->folder);
}

/* Is it behind a folder that one may not look into? So is the home of another user whose
   HOME a program was left with. */
static bool out_of_reach(const char *path) {
  struct stat st;
  int e = errno;
  bool is = e == EACCES && stat(path, &st) != 0;
  errno = e;
  return is;
}

int luaws_source_add(struct luaws_source *src, struct luaws_str folder,
                     struct luaws_error *err) {
  size_t size = (src->folder_count + 1) * sizeof *src->folders;
  struct luaws_str *folders = realloc(src->folders, size);
  if (!folders) return luaws_error_memory(err);
  src->folders = folders;
  struct luaws_str path = luaws_arena_str(&src->arena, folder);
  if (!path.ptr) return luaws_error_memory(err);
  src->folders[src->folder_count] = path;
  struct luaws_source_file file = {.folder = src->folder_count++};

  DIR *d = opendir(path.ptr);
  if (!d) {
    if (errno == ENOENT || errno == ENOTDIR || out_of_reach(path.ptr)) return 0;
    return luaws_error_set(err, LUAWS_E_MODEL, "DataNotFoundError",
                           "%s: the folder cannot be read: %s", path.ptr,
                           strerror(errno));
  }
  bool ok = list_files(src, d, file, true);
  rewinddir(d);
  ok = ok && list_services(src, d, file);
  closedir(d);
  if (!ok) return luaws_error_memory(err);
  if (src->file_count) {
    qsort(src->files, src->file_count, sizeof *src->files, by_place);
  }
  return 0;
}

void luaws_source_clear(struct luaws_source *src) {
  free(src->folders);
  free(src->files);
  luaws_arena_clear(&src->arena);
  *src = (struct luaws_source){0};
}

const struct luaws_source_file *luaws_source_find(const struct luaws_source *src,
                                                  enum luaws_section_type type,
                                                  struct luaws_str service,
                                                  struct luaws_str version, bool extras) {
  size_t low = 0, high = src->file_count;
  while (low < high) {
    size_t mid = low + (high - low) / 2;
    if (compare(&src->files[mid], type, service, version, extras) < 0) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  if (low == src->file_count) return NULL;
  const struct luaws_source_file *f = &src->files[low];
  return compare(f, type, service, version, extras) == 0 ? f : NULL;
}

/* ---- reading ---- */

static void append_path(const struct luaws_source *src,
                        const struct luaws_source_file *file, struct luaws_buf *out) {
  luaws_buf_append_str(out, src->folders[file->folder]);
  luaws_buf_append_char(out, '/');
  if (file->service.len) {
    luaws_buf_append_str(out, file->service);
    luaws_buf_append_char(out, '/');
    luaws_buf_append_str(out, file->version);
    luaws_buf_append_char(out, '/');
  }
  luaws_buf_append_cstr(out, stems[file->type]);
  if (file->extras) luaws_buf_append_cstr(out, ".sdk-extras");
  luaws_buf_append_cstr(out, ".json");
}

static int unreadable(struct luaws_error *err, const char *path, const char *why) {
  return luaws_error_set(err, LUAWS_E_MODEL, "DataNotFoundError", "%s: %s", path, why);
}

/* Plain or gzipped, to the end. */
static int read_all(int fd, const char *path, struct luaws_buf *out,
                    struct luaws_error *err) {
  gzFile f = gzdopen(fd, "rb");
  if (!f) {
    close(fd);
    return luaws_error_memory(err);
  }
  gzbuffer(f, READ_BYTES);
  int rc = 0, n = 1;
  while (rc == 0 && n > 0) {
    if (!luaws_buf_reserve(out, READ_BYTES)) {
      rc = luaws_error_memory(err);
      break;
    }
    n = gzread(f, out->ptr + out->len, READ_BYTES);
    if (n > 0) luaws_buf_truncate(out, out->len + (size_t)n);
    if (out->len > MAX_MODEL_BYTES) rc = unreadable(err, path, "the file is too large");
  }
  int problem;
  const char *why = gzerror(f, &problem);
  if (rc == 0 && problem != Z_OK && problem != Z_STREAM_END) {
    rc = unreadable(err, path, problem == Z_ERRNO ? strerror(errno) : why);
  }
  if (gzclose_r(f) == Z_BUF_ERROR && rc == 0) {
    rc = unreadable(err, path, "the file ends too early");
  }
  return rc;
}

/* Opens path, which gets ".gz" added when only that exists; -1 with err filled in. */
static int open_model(struct luaws_buf *path, struct luaws_error *err) {
  struct stat st;
  int fd = open(path->ptr, O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) {
    luaws_buf_append_cstr(path, ".gz");
    if (!path->failed) fd = open(path->ptr, O_RDONLY | O_CLOEXEC);
  }
  if (fd < 0) {
    unreadable(err, path->ptr, strerror(errno));
  } else if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
    unreadable(err, path->ptr, "it is no file");
    close(fd);
    fd = -1;
  }
  return fd;
}

int luaws_source_read(const struct luaws_source *src,
                      const struct luaws_source_file *file, struct luaws_arena *arena,
                      struct luaws_tree **out, struct luaws_error *err) {
  struct luaws_buf path = {0}, bytes = {0};
  int rc = 0;
  *out = NULL;
  append_path(src, file, &path);
  if (path.failed) {
    rc = luaws_error_memory(err);
  } else {
    int fd = open_model(&path, err);
    rc = fd < 0 ? LUAWS_E_MODEL : read_all(fd, path.ptr, &bytes, err);
  }
  if (rc == 0) {
    struct luaws_str text = luaws_arena_str(arena, luaws_buf_str(&bytes));
    if (!text.ptr) {
      rc = luaws_error_memory(err);
    } else if ((rc = luaws_tree_parse(arena, text, out, err)) != 0) {
      rc = luaws_source_blame(src, file, err);
    }
  }
  luaws_buf_clear(&path);
  luaws_buf_clear(&bytes);
  return rc;
}

int luaws_source_blame(const struct luaws_source *src,
                       const struct luaws_source_file *file, struct luaws_error *err) {
  if (!err || err->code == LUAWS_E_MEMORY) return err ? err->code : LUAWS_E_MODEL;
  struct luaws_buf path = {0};
  append_path(src, file, &path);
  if (!path.failed) {
    luaws_error_set(err, LUAWS_E_MODEL, err->kind, "%s: %s", path.ptr,
                    luaws_error_message(err));
  }
  luaws_buf_clear(&path);
  return LUAWS_E_MODEL;
}
