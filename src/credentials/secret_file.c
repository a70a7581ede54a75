#include "credentials/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char *c_path(struct luaws_str path, const char *suffix) {
  struct luaws_buf b = {0};
  luaws_buf_append_str(&b, path);
  luaws_buf_append_cstr(&b, suffix);
  if (!b.failed) return b.ptr;
  luaws_buf_clear(&b);
  return NULL;
}

int luaws_secret_file_read(struct luaws_str path, struct luaws_buf *out) {
  char *name = c_path(path, "");
  int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
  int e = !name ? ENOMEM : fd < 0 ? errno : 0;
  free(name);
  struct stat st;
  ssize_t n = 1;
  /* All at once: nothing is left where a buffer has grown. */
  if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
    luaws_buf_reserve(out, (size_t)st.st_size + 4096);
  while (e == 0 && n > 0) {
    if (!luaws_buf_reserve(out, 4096)) {
      e = out->max_bytes ? EFBIG : ENOMEM;
      break;
    }
    n = read(fd, out->ptr + out->len, out->cap - out->len - 1);
    if (n > 0) out->len += (size_t)n;
    if (n < 0 && errno == EINTR) {
      n = 1;
    } else if (n < 0) {
      e = errno;
    }
  }
  if (out->ptr) out->ptr[out->len] = 0;
  if (fd >= 0) close(fd);
  return e;
}

/* mkdir -p of everything above the last slash. */
static void make_folders(char *path) {
  for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    mkdir(path, 0700); /* what goes wrong here shows when the file is made */
    *slash = '/';
  }
}

static int write_all(int fd, struct luaws_str text) {
  while (text.len) {
    ssize_t n = write(fd, text.ptr, text.len);
    if (n < 0 && errno != EINTR) return errno;
    if (n > 0) text = luaws_str_sub(text, (size_t)n, text.len);
  }
  return fsync(fd) ? errno : 0;
}

int luaws_secret_file_write(struct luaws_str path, struct luaws_str text) {
  char *name = c_path(path, ""), *beside = c_path(path, ".XXXXXX");
  int e = name && beside ? 0 : ENOMEM;
  if (e == 0) {
    make_folders(name);
    int fd = mkostemp(beside, O_CLOEXEC); /* 0600 */
    if (fd < 0) {
      e = errno;
    } else {
      e = write_all(fd, text);
      if (close(fd) && !e) e = errno;
      if (!e && rename(beside, name)) e = errno;
      if (e) unlink(beside);
    }
  }
  free(name);
  free(beside);
  return e;
}
