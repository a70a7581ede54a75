#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int luaws_error_set(struct luaws_error *err, int code, const char *kind, const char *fmt,
                    ...) {
  if (!err) return code;
  char *message = NULL;
  va_list args;
  va_start(args, fmt);
  if (vasprintf(&message, fmt, args) < 0) message = NULL;
  va_end(args);
  free(err->message); /* after formatting: fmt's arguments may point into it */
  *err = (struct luaws_error){.code = code, .kind = kind, .message = message};
  return code;
}

void luaws_error_add(struct luaws_error *err, const char *fmt, ...) {
  if (!err || !err->message) return;
  char *more = NULL, *both = NULL;
  va_list args;
  va_start(args, fmt);
  if (vasprintf(&more, fmt, args) < 0) more = NULL;
  va_end(args);
  if (more && asprintf(&both, "%s%s", err->message, more) >= 0) {
    if (!err->advice_at) err->advice_at = strlen(err->message);
    free(err->message);
    err->message = both;
  }
  free(more);
}

int luaws_error_copy(struct luaws_error *to, const struct luaws_error *from) {
  if (!to) return from->code;
  luaws_error_clear(to);
  *to = *from;
  to->message = from->message ? strdup(from->message) : NULL;
  if (!to->message) to->advice_at = 0;
  return to->code;
}

int luaws_error_memory(struct luaws_error *err) {
  if (err) {
    luaws_error_clear(err);
    err->code = LUAWS_E_MEMORY;
    err->kind = "MemoryError";
  }
  return LUAWS_E_MEMORY;
}

void luaws_error_clear(struct luaws_error *err) {
  if (!err) return;
  free(err->message);
  *err = (struct luaws_error){0};
}

void luaws_error_move(struct luaws_error *to, struct luaws_error *from) {
  luaws_error_clear(to);
  *to = *from;
  *from = (struct luaws_error){0};
}
