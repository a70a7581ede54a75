/* Any headers and status of answers that keep members there: the first byte picks the
   operation, the second the status; then lines "name:value" up to an empty one, and the
   body. */
#include "answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes the header lines off text. */
static void read_head(struct luaws_headers *headers, struct luaws_str *text) {
  for (;;) {
    ptrdiff_t end = luaws_str_find(*text, '\n');
    if (end < 0) return;
    struct luaws_str line = luaws_str_sub(*text, 0, (size_t)end);
    *text = luaws_str_sub(*text, (size_t)end + 1, text->len);
    if (line.len == 0) return;
    ptrdiff_t colon = luaws_str_find(line, ':');
    if (colon > 0) {
      luaws_headers_add(headers, luaws_str_sub(line, 0, (size_t)colon),
                        luaws_str_sub(line, (size_t)colon + 1, line.len));
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct answer_choice choices[] = {
      {"s3", "HeadObject"},
      {"s3", "GetObject"},
      {"lex-runtime", "PostContent"},
      {"dataexchange", "SendApiAsset"},
      {"mediastore-data", "DescribeObject"},
      {"medialive", "DescribeInputDeviceThumbnail"},
      {"appconfigdata", "GetLatestConfiguration"},
      {"lambda", "Invoke"},
      {"lambda", "InvokeAsync"},
      {"s3", "ListParts"},
      {"datazone", "GetLineageEvent"},
  };
  static const int statuses[] = {200, 204, 206, 304, 400, 404, 500, 503};
  if (size < 2) return 0;
  struct luaws_arena arena = {0};
  struct luaws_headers headers = {.arena = &arena};
  struct luaws_str text = {(const char *)data + 2, size - 2};
  read_head(&headers, &text);
  answer_fuzz_message(NULL, &choices[data[0] % (sizeof choices / sizeof *choices)],
                      statuses[data[1] % 8], &headers, text);
  luaws_arena_clear(&arena);
  return 0;
}
