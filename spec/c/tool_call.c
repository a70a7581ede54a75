/* tool_call SERVICE OPERATION PARAMS: luaws_call with the JSON given, keys, region and
   endpoint from the environment. Prints what it returned, and on a second line the result
   or, where there is none, the error. */
#include <luaws.h>

#include <stdio.h>

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  char *error = NULL, *result = NULL;
  struct luaws_handle *h = luaws_open(argv[1], NULL, &error);
  int rc = h ? luaws_call(h, argv[2], argv[3], &result, &error) : -1;
  printf("%d\n%s\n", rc, result ? result : error);
  luaws_free(result);
  luaws_free(error);
  luaws_close(h);
  return 0;
}
