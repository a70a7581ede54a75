/* AWS_CREDENTIAL_FILE, of the first EC2 tools: lines "AWSAccessKeyId=..." and
   "AWSSecretKey=...", anything else ignored. */
#include "credentials/provider.h"
#include "credentials/secret_file.h"
#include "settings/readers.h"

enum { MAX_FILE_BYTES = 1 << 20 };

/* The value of the last line "key = value". */
static struct luaws_str find_key(struct luaws_str text, const char *key) {
  struct luaws_str found = LUAWS_STR_NONE;
  while (text.len) {
    size_t end = 0;
    while (end < text.len && text.ptr[end] != '\n' && text.ptr[end] != '\r')
      end++;
    struct luaws_str line = luaws_str_sub(text, 0, end);
    text = luaws_str_sub(text, end + 1, SIZE_MAX);
    ptrdiff_t eq = luaws_str_find(line, '=');
    if (eq >= 0 &&
        luaws_str_is(luaws_str_trim(luaws_str_sub(line, 0, (size_t)eq)), key)) {
      found = luaws_str_trim(luaws_str_sub(line, (size_t)eq + 1, SIZE_MAX));
    }
  }
  return found;
}

static int make(struct luaws_provider_task *task, struct luaws_str text,
                struct luaws_credentials **out, struct luaws_error *err) {
  struct luaws_credentials_init c = {
      .access_key = find_key(text, "AWSAccessKeyId"),
      .secret_key = find_key(text, "AWSSecretKey"),
      .method = luaws_str_from(task->provider->name),
  };
  if (!c.access_key.ptr) {
    return luaws_provider_pass(task, "no AWSAccessKeyId in AWS_CREDENTIAL_FILE");
  }
  if (!c.secret_key.ptr) {
    return luaws_partial_credentials(task->provider->name, "AWSSecretKey", err);
  }
  *out = luaws_credentials_new(&c);
  return *out ? LUAWS_FOUND : luaws_error_memory(err);
}

static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  struct luaws_settings *s = task->context->settings;
  const char *name = luaws_settings_getenv(s, "AWS_CREDENTIAL_FILE");
  if (!name) return luaws_provider_pass(task, "AWS_CREDENTIAL_FILE is not set");
  struct luaws_buf path = {0}, text = {.max_bytes = MAX_FILE_BYTES};
  luaws_settings_expand_path(s, luaws_str_from(name), false, &path);
  luaws_buf_append_cstr(&path, "");
  int rc;
  if (path.failed) {
    rc = luaws_error_memory(err);
  } else if (luaws_secret_file_read(luaws_buf_str(&path), &text)) {
    rc = luaws_error_set(err, LUAWS_E_CONFIG, "ConfigNotFound",
                         "The specified config file (%s) could not be found.", path.ptr);
  } else {
    rc = make(task, luaws_buf_str(&text), out, err);
    if (rc == LUAWS_FOUND) luaws_warn_of_readers(luaws_buf_str(&path));
  }
  luaws_buf_clear(&path);
  luaws_buf_wipe(&text);
  return rc;
}

const struct luaws_provider luaws_provider_ec2_file = {"ec2-credentials-file",
                                                       "Ec2Config", step, NULL, NULL};
