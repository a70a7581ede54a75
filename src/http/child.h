/* A program that runs beside the loop: what it prints is gathered while the loop turns,
   and its owner is told when it has ended. Started without a shell. */
#ifndef LUAWS_HTTP_CHILD_H
#define LUAWS_HTTP_CHILD_H

#include "http/http.h"

struct luaws_child;
struct luaws_child_options {
  char *const *argv; /* [0] is looked for in PATH; closed by NULL */
  size_t max_bytes;  /* of what it prints, each way; what is past it makes it `failed` */
  void (*done)(void *arg); /* once, from the loop */
  void *arg;
};
/* Starts it with our environment and standard input; its output and errors come to us. 0,
   or an errno: ENOENT when there is no such program. */
int luaws_child_start(struct luaws_loop *l, const struct luaws_child_options *o,
                      struct luaws_child **out);
/* Once done: what it printed, and its status as waitpid gives it. */
const struct luaws_buf *luaws_child_output(const struct luaws_child *c);
const struct luaws_buf *luaws_child_errors(const struct luaws_child *c);
int luaws_child_status(const struct luaws_child *c);
/* Kills it if it is still running, and what it has started. What it printed is
 * overwritten. */
void luaws_child_free(struct luaws_child *c);

#endif
