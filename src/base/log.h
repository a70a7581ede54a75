/* What luaws says of its own doings. One log for the process, off unless somebody sets a
   sink; a level that is not wanted costs one comparison. Whoever logs keeps secrets out.
 */
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

/* Only parts that begin with prefix ("" for all) and only from level on. sink NULL
 * switches the log off. */
void luaws_log_set(luaws_log_sink sink, void *arg, const char *prefix, int level);
/* The argument of the sink that is set; tells whose it is. */
void *luaws_log_arg(void);

extern int luaws_log_threshold;
static inline bool luaws_log_wants(int level) {
  return level >= luaws_log_threshold;
}
void luaws_log(int level, const char *part, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A sink that prints to stderr. */
void luaws_log_to_stderr(void *arg, int level, const char *part, const char *message);

#endif
