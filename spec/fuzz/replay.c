/* Runs a fuzz target over files, without a fuzzer: what was found once is tested for ever
   after.

   replay FOLDER: feeds every file in FOLDER, and no bytes at all, to the target. Any of
   them may crash the process; the last line counts those that did not. */

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Feeds one file to the target. Returns 0, or -1 if it cannot be read. */
static int replay(const char *folder, const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (file == NULL) return -1;

  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  /* An allocation of the exact size, so that reading past the end is noticed. */
  uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
  int rc = -1;
  if (data != NULL && size >= 0 && fread(data, 1, (size_t)size, file) == (size_t)size) {
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    rc = 0;
  }
  free(data);
  fclose(file);
  return rc;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
  int passed = 1, failed = 0;

  DIR *folder = opendir(argv[1]);
  for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    if (replay(argv[1], entry->d_name) == 0)
      passed++;
    else
      failed++;
  }
  if (folder != NULL) closedir(folder);
  printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}
