/* Any bytes as a time, a number, base64, hexadecimal, percent- or form-encoded text, a
   list of proxies: what was read can be written, and reads as the same again. */
#include "base/encode.h"
#include "base/time.h"
#include "http/proxy.h"
#include "settings/region.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef void encoder(struct luaws_buf *out, struct luaws_str s);
typedef bool decoder(struct luaws_buf *out, struct luaws_str s);

/* Whatever decodes is the same after one more round; and any bytes survive one. */
static void round_trip(encoder *encode, decoder *decode, struct luaws_str text) {
  struct luaws_buf plain = {0}, coded = {0}, again = {0};
  if (decode(&plain, text)) {
    encode(&coded, luaws_buf_str(&plain));
    if (!decode(&again, luaws_buf_str(&coded))) abort();
    if (!luaws_str_eq(luaws_buf_str(&plain), luaws_buf_str(&again))) abort();
  }
  luaws_buf_reset(&coded);
  luaws_buf_reset(&again);
  encode(&coded, text);
  if (!decode(&again, luaws_buf_str(&coded))) abort();
  if (!luaws_str_eq(text, luaws_buf_str(&again))) abort();
  luaws_buf_clear(&plain);
  luaws_buf_clear(&coded);
  luaws_buf_clear(&again);
}

static void percent_encode(struct luaws_buf *out, struct luaws_str s) {
  luaws_percent_encode(out, s, "/");
}

static bool percent_decode(struct luaws_buf *out, struct luaws_str s) {
  luaws_percent_decode(out, s);
  return true;
}

static bool form_decode(struct luaws_buf *out, struct luaws_str s) {
  luaws_form_decode(out, s);
  return true;
}

static void read_time(struct luaws_str text) {
  typedef bool format(struct luaws_buf *, double);
  static const struct {
    format *write;
    double resolution_s;
  } formats[] = {{luaws_time_format_iso8601, 1e-6},
                 {luaws_time_format_iso8601_ms, 1e-3},
                 {luaws_time_format_rfc822, 1},
                 {luaws_time_format_epoch, 1},
                 {luaws_time_format_basic, 1}};
  double seconds = -7, again;
  if (!luaws_time_parse(text, &seconds)) {
    if (seconds != -7) abort();
    return;
  }
  struct luaws_time t;
  /* An offset may carry a time over the ends of the calendar. */
  if (!luaws_time_split(seconds, &t)) return;
  if (fabs(luaws_time_join(&t) - seconds) > 1e-5) abort();
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    struct luaws_buf out = {0};
    if (!formats[i].write(&out, seconds)) abort();
    if (!luaws_time_parse(luaws_buf_str(&out), &again)) abort();
    if (fabs(again - seconds) > formats[i].resolution_s + 1e-5) abort();
    luaws_buf_clear(&out);
  }
}

static void read_number(struct luaws_str text) {
  int64_t whole, whole_again;
  double number, again;
  struct luaws_buf out = {0};
  if (luaws_str_to_int64(text, &whole)) {
    luaws_buf_append_int(&out, whole);
    if (!luaws_str_to_int64(luaws_buf_str(&out), &whole_again)) abort();
    if (whole != whole_again) abort();
  }
  luaws_buf_reset(&out);
  if (luaws_str_to_double(text, &number)) {
    luaws_buf_append_double(&out, number);
    if (!luaws_str_to_double(luaws_buf_str(&out), &again)) abort();
    if (number != again && !(isnan(number) && isnan(again))) abort();
  }
  luaws_buf_clear(&out);
}

static void count_characters(struct luaws_str text) {
  size_t bytes = 0, characters = 0;
  bool valid = true;
  while (bytes < text.len) {
    size_t step = luaws_utf8_step(luaws_str_sub(text, bytes, text.len));
    valid = valid && step > 0;
    bytes += step ? step : 1;
    characters++;
  }
  if (bytes != text.len || characters != luaws_utf8_count(text)) abort();
  if (valid != (luaws_utf8_find_bad(text) < 0)) abort();
}

/* The same text as a proxy, as what goes around it, and as the host. */
static void choose_proxy(const uint8_t *data, size_t size) {
  struct luaws_str text = {(const char *)data, size};
  char *closed = malloc(size + 16);
  if (!closed) abort();
  memcpy(closed, "NO_PROXY=", 9);
  memcpy(closed + 9, data, size);
  closed[9 + size] = 0;
  char *environment[] = {closed, NULL};
  struct luaws_proxy_settings s = {0};
  if (luaws_proxy_settings_init(&s, NULL, closed + 9, environment)) {
    luaws_proxy_for(&s, LUAWS_STR("https"), text);
    luaws_proxy_for(&s, LUAWS_STR("http"), LUAWS_STR("localhost:80"));
  }
  luaws_proxy_settings_clear(&s);
  luaws_endpoint_url_is_valid(text);
  luaws_region_check(text, NULL);
  free(closed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  /* Of the exact size, and never NULL. */
  char *copy = malloc(size ? size : 1);
  if (!copy) abort();
  memcpy(copy, data, size);
  struct luaws_str text = {copy, size};
  round_trip(luaws_base64_encode, luaws_base64_decode, text);
  round_trip(percent_encode, percent_decode, text);
  round_trip(luaws_form_encode, form_decode, text);
  read_time(text);
  read_number(text);
  count_characters(text);
  choose_proxy(data, size);
  free(copy);
  return 0;
}
