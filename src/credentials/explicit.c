#include "credentials/explicit.h"

int luaws_explicit_credentials(struct luaws_str access_key, struct luaws_str secret_key,
                               struct luaws_str token, struct luaws_str account_id,
                               struct luaws_credentials **out, struct luaws_error *err) {
  if (!access_key.ptr && !secret_key.ptr) return LUAWS_PASS;
  if (!secret_key.ptr) {
    return luaws_partial_credentials("explicit", "aws_secret_access_key", err);
  }
  if (!access_key.ptr) {
    return luaws_partial_credentials("explicit", "aws_access_key_id", err);
  }
  const struct luaws_credentials_init init = {
      .access_key = access_key,
      .secret_key = secret_key,
      .token = token.len ? token : LUAWS_STR_NONE,
      .account_id = account_id.len ? account_id : LUAWS_STR_NONE,
      .method = LUAWS_STR("explicit"),
  };
  *out = luaws_credentials_new(&init);
  return *out ? LUAWS_FOUND : luaws_error_memory(err);
}
