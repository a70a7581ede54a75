/* What luaws says of its own doings: a log for each thread, off unless somebody sets a
   sink; a level that is not wanted costs one comparison. Whoever logs keeps secrets out.
   A host that has a log of its own swaps it in while it is inside luaws. */
#ifndef LUAWS_BASE_LOG_H
#define LUAWS_BASE_LOG_H

#include "base/bytes.h"

enum luaws_log_level {
  LUAWS_LOG_DEBUG,
  LUAWS_LOG_INFO,
  LUAWS_LOG_WARNING,
  LUAWS_LOG_ERROR,
  LUAWS_LOG_OFF
};

/* part: "luaws.call", "luaws.http", … */
typedef void (*luaws_log_sink)(void *arg, int level, const char *part,
                               const char *message);

enum { LUAWS_LOG_PREFIX_BYTES = 64 };

/* Where messages go. All zero is a log that is off. */
struct luaws_log_target {
  luaws_log_sink sink;
  void *arg;
  int level;
  char prefix[LUAWS_LOG_PREFIX_BYTES];
};

/* Only parts that begin with prefix ("" for all) and only from level on. sink NULL
   switches this thread's log off. */
void luaws_log_set(luaws_log_sink sink, void *arg, const char *prefix, int level);
/* Makes *target this thread's log, and puts into it the one that was. */
void luaws_log_swap(struct luaws_log_target *target);

extern _Thread_local int luaws_log_threshold;
static inline bool luaws_log_wants(int level) {
  return level >= luaws_log_threshold;
}
void luaws_log(int level, const char *part, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A sink that prints to stderr. */
void luaws_log_to_stderr(void *arg, int level, const char *part, const char *message);

#endif
