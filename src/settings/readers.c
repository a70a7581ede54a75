#include "settings/readers.h"

#include <stdatomic.h>
#include <sys/stat.h>

#include "base/log.h"

enum { MAX_WARNED = 64 };

/* Of which files it was said. True for a new one; when there is no room any more it is
   said again. */
static bool note(const struct stat *st) {
  static atomic_uint_fast64_t warned[MAX_WARNED];
  uint_fast64_t file = ((uint_fast64_t)st->st_dev * 1000003) ^ st->st_ino;
  for (size_t i = 0; i < MAX_WARNED; i++) {
    uint_fast64_t there = 0;
    if (atomic_compare_exchange_strong(&warned[i], &there, file)) return true;
    if (there == file) return false;
  }
  return true;
}

void luaws_warn_of_readers(struct luaws_str path) {
  if (!luaws_log_wants(LUAWS_LOG_WARNING)) return;
  struct luaws_buf name = {0};
  struct stat st;
  luaws_buf_append_str(&name, path);
  if (!name.failed && stat(name.ptr, &st) == 0 && (st.st_mode & S_IROTH) && note(&st)) {
    luaws_log(LUAWS_LOG_WARNING, "luaws.credentials",
              "%s can be read by every user of this machine: chmod 600 would prevent "
              "that",
              name.ptr);
  }
  luaws_buf_clear(&name);
}
