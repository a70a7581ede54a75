/* tool_host [time=MS] [memory=BYTES] [interrupt=MS]… [free=MS] SCRIPT ARGUMENT…: runs a
   script in a host with these limits, and interrupts it, or steps and frees it, so long
   after it has called begun(). Prints the kind of its error, "done", or "freed"; then how
   many ms it went on after the last interruption. */
#include <luaws.h>

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_INTERRUPTS = 8 };

static struct luaws_host *host;
static sem_t started;
static int after_ms[MAX_INTERRUPTS], count;
static int64_t last_ms, begun_ms;

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static const char *begun(struct luaws_host_args *a, void *arg) {
  sem_post(&started);
  begun_ms = now_ms();
  return NULL;
}

/* Steps until so long after begun(). */
static void step_and_free(int free_ms, const char *script, int argc,
                          const char *const *argv) {
  luaws_host_start_file(host, script, argc, argv);
  while (luaws_host_step(host) == 1 && (!begun_ms || now_ms() < begun_ms + free_ms)) {
    struct pollfd p = {.fd = luaws_host_fd(host), .events = POLLIN};
    int timeout_ms = luaws_host_timeout_ms(host);
    poll(&p, 1, timeout_ms < 0 || timeout_ms > 20 ? 20 : timeout_ms);
  }
  luaws_host_free(host);
  puts("freed 0");
}

static void *interrupt(void *arg) {
  sem_wait(&started);
  int at = 0;
  for (int i = 0; i < count; i++) {
    usleep((unsigned)(after_ms[i] - at) * 1000);
    at = after_ms[i];
    last_ms = now_ms();
    luaws_host_interrupt(host);
  }
  return NULL;
}

int main(int argc, char **argv) {
  struct luaws_host_options o = {.region = "us-east-1"};
  int i = 1, free_ms = 0;
  for (; i < argc && strchr(argv[i], '='); i++) {
    long value = strtol(strchr(argv[i], '=') + 1, NULL, 10);
    if (strncmp(argv[i], "time", 4) == 0) o.time_limit_ms = (int)value;
    if (strncmp(argv[i], "memory", 6) == 0) o.memory_limit_bytes = (size_t)value;
    if (strncmp(argv[i], "free", 4) == 0) free_ms = (int)value;
    if (strncmp(argv[i], "interrupt", 9) == 0 && count < MAX_INTERRUPTS)
      after_ms[count++] = (int)value;
  }
  char *error = NULL;
  host = luaws_host_new(&o, &error);
  if (!host || i >= argc) {
    fprintf(stderr, "tool_host: %s\n", error ? error : "no script");
    return 2;
  }
  sem_init(&started, 0, 0);
  luaws_host_register(host, "begun", begun, NULL);
  if (free_ms) {
    step_and_free(free_ms, argv[i], argc - i - 1, (const char *const *)argv + i + 1);
    return 0;
  }
  pthread_t thread;
  pthread_create(&thread, NULL, interrupt, NULL);
  int rc =
      luaws_host_run_file(host, argv[i], argc - i - 1, (const char *const *)argv + i + 1);
  int64_t ended_ms = now_ms();
  sem_post(&started);
  pthread_join(thread, NULL);
  printf("%s %lld\n", rc ? luaws_host_error_kind(host) : "done",
         (long long)(last_ms ? ended_ms - last_ms : 0));
  if (rc) fprintf(stderr, "%s\n", luaws_host_error(host));
  luaws_host_free(host);
  return 0;
}
