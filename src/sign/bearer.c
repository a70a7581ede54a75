#include "sign/sign.h"

int luaws_bearer_sign(struct luaws_request *req, struct luaws_str token,
                      struct luaws_error *err) {
  if (!token.len) {
    return luaws_error_set(err, LUAWS_E_CREDENTIALS, "NoAuthTokenError",
                           "Unable to locate authorization token");
  }
  struct luaws_buf text = {0};
  luaws_buf_append_cstr(&text, "Bearer ");
  luaws_buf_append_str(&text, token);
  bool ok = !text.failed && luaws_headers_set(&req->headers, LUAWS_STR("Authorization"),
                                              luaws_buf_str(&text));
  luaws_buf_wipe(&text);
  return ok ? 0 : luaws_error_memory(err);
}
