#include "base/data_path.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>

int luaws_data_path(struct luaws_buf *out, const char *name, struct luaws_error *err) {
  Dl_info info;
  char real[PATH_MAX];
  if (!dladdr((void *)(size_t)luaws_data_path, &info) || !info.dli_fname ||
      !realpath(info.dli_fname, real)) {
    return luaws_error_set(err, LUAWS_E_IO, "DataNotFoundError",
                           "luaws cannot tell where its own library lies");
  }
  *strrchr(real, '/') = 0;
  luaws_buf_printf(out, "%s/luaws/%s", real, name);
  return out->failed ? luaws_error_memory(err) : 0;
}
