/* tool_wire PACK: for scripts/walk. Reads one question (wire.h) a line and answers each
   with one line. */
#include "wire.h"

int main(int argc, char **argv) {
  struct wire t = {0};
  if (argc != 2 || wire_open(&t, argv[1])) {
    fprintf(stderr, "tool_wire PACK: %s\n", luaws_error_message(&t.err));
    return 2;
  }
  char *text = NULL;
  size_t cap = 0;
  ssize_t len;
  while ((len = getline(&text, &cap, stdin)) > 0) {
    struct luaws_str answer = wire_ask(&t, (struct luaws_str){text, (size_t)len});
    fwrite(answer.ptr, 1, answer.len, stdout);
    putchar('\n');
    fflush(stdout);
  }
  free(text);
  wire_close(&t);
  return 0;
}
