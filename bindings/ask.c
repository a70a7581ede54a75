#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;

static void stop(int sig) {
  stopped = 1;
}

/* A line, up to its end; false at the end of the terminal, or when it is to stop. SIGINT
   comes only while this waits, so none gets lost in between. */
static bool read_line(int tty, const sigset_t *unblocked, struct luaws_buf *out) {
  struct pollfd p = {.fd = tty, .events = POLLIN};
  char c = 0;
  while (!stopped) {
    int n = ppoll(&p, 1, NULL, unblocked);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 || read(tty, &c, 1) != 1) return false;
    if (c == '\n') return true;
    luaws_buf_append_char(out, c);
  }
  return false;
}

/* Asks for a line at the terminal, which shows nothing of it meanwhile. */
static bool ask_hidden(int tty, struct luaws_str serial, struct luaws_buf *out) {
  struct termios before, hidden;
  struct sigaction act = {.sa_handler = stop}, usual;
  sigset_t interrupt, unblocked;
  bool is_terminal = tcgetattr(tty, &before) == 0;
  stopped = 0;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  sigprocmask(SIG_BLOCK, &interrupt, &unblocked);
  sigaction(SIGINT, &act, &usual); /* or the terminal would stay silent */
  if (is_terminal) {
    hidden = before;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(tty, TCSAFLUSH, &hidden);
  }
  dprintf(tty, "Enter MFA code for %.*s: ", LUAWS_STR_ARG(serial));
  bool ok = read_line(tty, &unblocked, out);
  if (is_terminal) tcsetattr(tty, TCSAFLUSH, &before);
  dprintf(tty, "\n");
  sigaction(SIGINT, &usual, NULL);
  sigprocmask(SIG_SETMASK, &unblocked, NULL);
  return ok;
}

int ask_mfa_code(void *arg, struct luaws_mfa_question *q, struct luaws_error *err) {
  int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (tty < 0) {
    return luaws_error_set(err, LUAWS_E_CREDENTIALS, "CredentialRetrievalError",
                           "an MFA code for %.*s is needed, and there is no terminal to "
                           "ask at (a session takes mfa_prompt, a function)",
                           LUAWS_STR_ARG(q->serial));
  }
  fflush(stdout);
  bool ok = ask_hidden(tty, q->serial, &q->code);
  close(tty);
  if (ok) return 0;
  return luaws_error_set(err, LUAWS_E_CANCELLED,
                         stopped ? "KeyboardInterrupt" : "CredentialRetrievalError",
                         "no MFA code was given");
}
