#include "local.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

extern char **environ;

/* Prints the port, and ends when standard input does: we hold its other end, so that it
   ends with us even if we are killed. Exit code 3: this python has no moto. */
static const char launcher[] =
    "import logging, os, sys\n"
    "try:\n"
    "    from moto.server import ThreadedMotoServer\n"
    "except ImportError:\n"
    "    os._exit(3)\n"
    "logging.getLogger('werkzeug').setLevel(logging.ERROR)\n"
    "server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)\n"
    "server.start()\n"
    "print(server.get_host_and_port()[1], flush=True)\n"
    "while sys.stdin.buffer.read(1):\n"
    "    pass\n"
    "os._exit(0)\n";

enum { NO_MOTO = 3, NO_PYTHON = 127 };

static pid_t server;
static pid_t owner; /* who may stop it: a child that we fork has no business to */
static int lifeline = -1;

void local_stop(void) {
  if (server <= 0 || owner != getpid()) return;
  kill(server, SIGKILL); /* all it has is in memory */
  close(lifeline);
  while (waitpid(server, NULL, 0) < 0 && errno == EINTR)
    continue;
  server = 0;
}

/* Removes what the caller has set up for AWS, but for where more models are. */
static void forget_settings(void) {
  for (char **e = environ; *e;) {
    char name[128];
    size_t len = strcspn(*e, "=");
    if (strncmp(*e, "AWS_", 4) != 0 || strncmp(*e, "AWS_DATA_PATH=", 14) == 0 ||
        len >= sizeof name) {
      e++;
      continue;
    }
    memcpy(name, *e, len);
    name[len] = 0;
    unsetenv(name); /* moves the rest down */
  }
}

/* An account that cannot be anyone's. */
static void set_made_up_account(const char *region) {
  forget_settings();
  setenv("AWS_ACCESS_KEY_ID", "testing", 1);
  setenv("AWS_SECRET_ACCESS_KEY", "testing", 1);
  setenv("AWS_REGION", region, 1);
  setenv("AWS_DEFAULT_REGION", region, 1);
  setenv("AWS_CONFIG_FILE", "/dev/null", 1);
  setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
  setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
  setenv("no_proxy", "127.0.0.1", 1); /* no proxy leads to this machine */
  setenv("NO_PROXY", "127.0.0.1", 1);
}

static void become_server(const char *python, int in, int out) {
  setpgid(0, 0); /* Ctrl-C is for us, not for the server */
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != owner) _exit(NO_PYTHON); /* already too late */
#endif
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  execlp(python, python, "-c", launcher, (char *)NULL);
  _exit(NO_PYTHON);
}

/* Reads the line with the port; 0 when the server ends without one. */
static int read_port(int fd) {
  char line[16];
  size_t n = 0;
  while (n < sizeof line - 1) {
    ssize_t got = read(fd, line + n, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || line[n] == '\n') break;
    n++;
  }
  line[n] = 0;
  return atoi(line);
}

/* Starts the server in that python. 0 and the port, or the code that it exited with. */
static int start_in(const char *python, int *port) {
  int in[2], out[2];
  if (pipe(in) != 0) return -1;
  if (pipe(out) != 0) {
    close(in[0]);
    close(in[1]);
    return -1;
  }
  fcntl(in[0], F_SETFD, FD_CLOEXEC);
  fcntl(in[1], F_SETFD, FD_CLOEXEC);
  fcntl(out[0], F_SETFD, FD_CLOEXEC);
  fcntl(out[1], F_SETFD, FD_CLOEXEC);
  owner = getpid();
  pid_t pid = fork();
  if (pid == 0) become_server(python, in[0], out[1]);
  close(in[0]);
  close(out[1]);
  *port = pid > 0 ? read_port(out[0]) : 0;
  close(out[0]);
  if (*port) {
    server = pid;
    lifeline = in[1];
    return 0;
  }
  close(in[1]);
  int status = 0;
  while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
    continue;
  return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The python that scripts/setup found to have moto: its path is in a file in the build
 * folder. */
static bool read_python(char *python, size_t size) {
  static const char *const places[] = {"moto-python", "../build/moto-python"};
  char program[PATH_MAX], path[PATH_MAX + 32];
  ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
  if (n <= 0) return false;
  program[n] = 0;
  *strrchr(program, '/') = 0;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    snprintf(path, sizeof path, "%s/%s", program, places[i]);
    FILE *f = fopen(path, "re");
    if (!f) continue;
    bool found = fgets(python, (int)size, f) != NULL;
    fclose(f);
    python[found ? strcspn(python, "\n") : 0] = 0;
    if (python[0]) return true;
  }
  return false;
}

bool local_start(const char *region) {
  if (!region) region = "us-east-1";
  char recorded[PATH_MAX];
  const char *chosen = getenv("LUAWS_MOTO_PYTHON");
  const char *pythons[] = {NULL, "python3", "python"};
  size_t first = 1, last = 3;
  if (chosen && *chosen) {
    pythons[first = 0] = chosen;
    last = 1;
  } else if (read_python(recorded, sizeof recorded)) {
    pythons[first = 0] = recorded;
  }
  /* Before the server starts: it calls itself now and then, and has no business in an
   * account either. */
  set_made_up_account(region);
  for (size_t i = first; i < last; i++) {
    int port, rc = start_in(pythons[i], &port);
    if (rc == 0) {
      atexit(local_stop);
      char url[64];
      snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
      setenv("AWS_ENDPOINT_URL", url, 1);
      return true;
    }
    if (rc != NO_MOTO && rc != NO_PYTHON) {
      fprintf(stderr, "luaws: --local: moto's server does not start in %s\n", pythons[i]);
      return false;
    }
  }
  fputs("luaws: --local needs moto's server, which is not there. Install it with\n"
        "  python3 -m pip install 'moto[server]'\n"
        "or name the python that has it in LUAWS_MOTO_PYTHON.\n",
        stderr);
  return false;
}
