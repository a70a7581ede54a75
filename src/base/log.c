#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum { MESSAGE_MAX_BYTES = 64 * 1024 };

_Thread_local int luaws_log_threshold = LUAWS_LOG_OFF;
static _Thread_local struct luaws_log_target current;

void luaws_log_set(luaws_log_sink sink, void *arg, const char *prefix, int level) {
  current = (struct luaws_log_target){.sink = sink, .arg = arg, .level = level};
  snprintf(current.prefix, sizeof current.prefix, "%s", prefix ? prefix : "");
  luaws_log_threshold = sink ? level : LUAWS_LOG_OFF;
}

void luaws_log_swap(struct luaws_log_target *target) {
  struct luaws_log_target former = current;
  current = *target;
  *target = former;
  luaws_log_threshold = current.sink ? current.level : LUAWS_LOG_OFF;
}

void luaws_log(int level, const char *part, const char *fmt, ...) {
  if (!luaws_log_wants(level) ||
      strncmp(part, current.prefix, strlen(current.prefix)) != 0)
    return;
  char text[512], *message = text;
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  struct luaws_buf longer = {.max_bytes = MESSAGE_MAX_BYTES};
  if (n >= (int)sizeof text && luaws_buf_reserve(&longer, (size_t)n)) {
    va_start(args, fmt);
    vsnprintf(longer.ptr, (size_t)n + 1, fmt, args);
    va_end(args);
    message = longer.ptr;
  }
  current.sink(current.arg, level, part, message);
  luaws_buf_clear(&longer);
}

void luaws_log_to_stderr(void *arg, int level, const char *part, const char *message) {
  static const char *const names[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
  struct timespec now;
  struct tm tm;
  clock_gettime(CLOCK_REALTIME, &now);
  localtime_r(&now.tv_sec, &tm);
  char when[32];
  strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
  fprintf(stderr, "%s.%03d %s [%s] %s\n", when, (int)(now.tv_nsec / 1000000), part,
          names[level], message);
}
