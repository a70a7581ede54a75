/* bench_expat_empty FILE TIMES: expat with callbacks that do nothing, which is as fast as
   XML can be read with it. */
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void on_start(void *arg, const XML_Char *name, const XML_Char **atts) {
}
static void on_end(void *arg, const XML_Char *name) {
}
static void on_text(void *arg, const XML_Char *text, int len) {
}

int main(int argc, char **argv) {
  FILE *f = argc == 3 ? fopen(argv[1], "rb") : NULL;
  if (!f) return 2;
  fseek(f, 0, SEEK_END);
  long size = ftell(f);
  rewind(f);
  char *text = malloc((size_t)size);
  if (!text || fread(text, 1, (size_t)size, f) != (size_t)size) return 1;
  fclose(f);
  int times = atoi(argv[2]);
  XML_Parser parser = XML_ParserCreate(NULL);
  clock_t began = 0;
  for (int i = -1; i < times; i++) { /* the first warms up */
    if (i == 0) began = clock();
    XML_ParserReset(parser, NULL);
    XML_SetElementHandler(parser, on_start, on_end);
    XML_SetCharacterDataHandler(parser, on_text);
    if (XML_Parse(parser, text, (int)size, 1) != XML_STATUS_OK) return 1;
  }
  printf("{\"cpu_us\": %.3f}\n",
         (double)(clock() - began) / (double)CLOCKS_PER_SEC * 1e6 / times);
  XML_ParserFree(parser);
  free(text);
  return 0;
}
