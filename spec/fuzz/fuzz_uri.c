/* Any bytes as a URL, a path, a query, an ARN and a region pattern: what comes of a path
   is normal already, and a request with such a URL can be signed. */
#include "base/message.h"
#include "base/uri.h"
#include "endpoint/functions.h"
#include "endpoint/region_match.h"
#include "sign/sign.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_normal(struct luaws_str path) {
  struct luaws_buf once = {0}, twice = {0};
  luaws_path_normalize(&once, path);
  luaws_path_normalize(&twice, luaws_buf_str(&once));
  if (!luaws_str_eq(luaws_buf_str(&once), luaws_buf_str(&twice))) abort();
  luaws_buf_clear(&once);
  luaws_buf_clear(&twice);
}

static void sign(struct luaws_request *req, bool presign) {
  static const struct luaws_creds creds = {LUAWS_STR("key"), LUAWS_STR("secret"),
                                           LUAWS_STR("token")};
  struct luaws_sign_opts opts = {.service = LUAWS_STR("s"),
                                 .region = LUAWS_STR("r"),
                                 .time_s = 1440938160,
                                 .double_encode = presign,
                                 .normalize_path = presign,
                                 .presign = presign,
                                 .expires_s = 60};
  if (luaws_sigv4_sign(req, &creds, &opts, NULL)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct luaws_str text = {(const char *)data, size};
  struct luaws_arena arena = {0};
  struct luaws_request req = {.arena = &arena, .method = LUAWS_STR("GET")};
  struct luaws_url url;
  struct luaws_arn arn;
  bool failed = false;
  req.headers.arena = &arena;
  if (luaws_url_parse(&arena, text, &url, &failed)) check_normal(url.path);
  check_normal(text);
  luaws_arn_parse(text, &arn);
  luaws_is_virtual_hostable_bucket(text, true);
  ptrdiff_t line = luaws_str_find(text, '\n');
  if (line >= 0)
    luaws_region_pattern_match(luaws_str_sub(text, 0, (size_t)line),
                               luaws_str_sub(text, (size_t)line + 1, size));
  if (luaws_request_set_url(&req, text, NULL) == 0) {
    luaws_headers_add(&req.headers, LUAWS_STR("x-text"), text);
    sign(&req, false);
    sign(&req, true);
  }
  luaws_arena_clear(&arena);
  return 0;
}
