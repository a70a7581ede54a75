#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

static void wake_up(int sig) {
  /* only ends the read below */
}

/* One line from the terminal, which shows nothing of it meanwhile. False at its end, or
   when a signal ends the waiting. */
static bool read_hidden(int tty, struct luaws_buf *out) {
  struct termios before, hidden;
  struct sigaction stop = {.sa_handler = wake_up}, usual;
  bool is_terminal = tcgetattr(tty, &before) == 0;
  ssize_t n = 0;
  char c = 0;
  if (is_terminal) {
    hidden = before;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(tty, TCSAFLUSH, &hidden);
  }
  sigaction(SIGINT, &stop, &usual); /* or the terminal would stay silent */
  while ((n = read(tty, &c, 1)) == 1 && c != '\n')
    luaws_buf_append_char(out, c);
  sigaction(SIGINT, &usual, NULL);
  if (is_terminal) tcsetattr(tty, TCSAFLUSH, &before);
  dprintf(tty, "\n");
  return n == 1;
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
  dprintf(tty, "Enter MFA code for %.*s: ", LUAWS_STR_ARG(q->serial));
  bool ok = read_hidden(tty, &q->code);
  close(tty);
  if (ok) return 0;
  return luaws_error_set(err, LUAWS_E_CANCELLED, "KeyboardInterrupt",
                         "no MFA code was given");
}
