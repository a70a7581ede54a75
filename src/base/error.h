/* How a function of the core says that it failed: it returns a negative code and fills
   the struct its caller passed. There is no hidden "last error". */
#ifndef LUAWS_BASE_ERROR_H
#define LUAWS_BASE_ERROR_H

#include "base/bytes.h"

/* What a caller would act on. The name that a script sees is luaws_error.kind. */
enum luaws_code {
  LUAWS_OK = 0,
  LUAWS_E_MEMORY = -1,
  LUAWS_E_ARGUMENT = -2,    /* the caller's input is wrong: nothing was sent */
  LUAWS_E_CONFIG = -3,      /* a file or variable is wrong */
  LUAWS_E_MODEL = -4,       /* a model or the model pack is wrong or missing */
  LUAWS_E_ENDPOINT = -5,    /* no endpoint for these parameters */
  LUAWS_E_CREDENTIALS = -6, /* none, partial, or a provider failed */
  LUAWS_E_CONNECT = -7,     /* no connection was made */
  LUAWS_E_TIMEOUT = -8,
  LUAWS_E_CLOSED = -9, /* the connection broke in the middle */
  LUAWS_E_TLS = -10,
  LUAWS_E_HTTP = -11,     /* any other transport failure */
  LUAWS_E_RESPONSE = -12, /* the answer is not what the model says */
  LUAWS_E_SERVICE = -13,  /* the service answered with an error */
  LUAWS_E_CHECKSUM = -14,
  LUAWS_E_CANCELLED = -15, /* Ctrl-C, task cancelled, host interrupted */
  LUAWS_E_IO = -16,        /* a local file or stream */
  LUAWS_E_LIMIT = -17,     /* memory or time limit of the host */
};

struct luaws_error {
  int code;         /* enum luaws_code, 0 = none */
  const char *kind; /* botocore's exception name; a string constant */
  char *message;    /* one line (several for ParamValidationError); owned; may be NULL
                       without memory */
  size_t advice_at; /* where in it advice begins (luaws_error_add); 0: there is none */
};

/* Replaces what err holds; returns code, so that a failing function can end with it.
   err may be NULL. The message never repeats the kind and never holds a secret. */
int luaws_error_set(struct luaws_error *err, int code, const char *kind, const char *fmt,
                    ...) __attribute__((format(printf, 4, 5)));
/* Writes behind the message that err has, where there is one, what botocore does not say:
   where the culprit stands, and what to do. A script has it apart from the message. */
void luaws_error_add(struct luaws_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* "out of memory", without needing any. */
int luaws_error_memory(struct luaws_error *err);
void luaws_error_clear(struct luaws_error *err);
/* Replaces what to holds by the same as from holds; returns its code. */
int luaws_error_copy(struct luaws_error *to, const struct luaws_error *from);
/* Hands from's content to to, clearing to first and leaving from empty. */
void luaws_error_move(struct luaws_error *to, struct luaws_error *from);
static inline const char *luaws_error_message(const struct luaws_error *err) {
  return err->message ? err->message : err->code == LUAWS_E_MEMORY ? "out of memory" : "";
}

#endif
