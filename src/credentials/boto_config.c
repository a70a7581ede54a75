/* The files of boto, version 2: BOTO_CONFIG, or /etc/boto.cfg and ~/.boto. */
#include "credentials/provider.h"
#include "settings/readers.h"

/* The keys under [Credentials] in one file. */
static int look_into(struct luaws_provider_task *task, const char *name,
                     struct luaws_credentials **out, struct luaws_error *err) {
  struct luaws_ini ini = {0};
  struct luaws_buf path = {0};
  luaws_settings_expand_path(task->context->settings, luaws_str_from(name), true, &path);
  int rc = path.failed ? luaws_error_memory(err)
                       : luaws_ini_load(&ini, luaws_buf_str(&path), err);
  if (rc == 0) {
    const struct luaws_ini_section *section =
        luaws_ini_section(ini.first, LUAWS_STR("Credentials"));
    rc = section ? luaws_provider_key_pair(task, section, out, err)
                 : luaws_provider_pass(task, "no [Credentials] in %s", name);
  }
  if (rc == LUAWS_FOUND) luaws_warn_of_readers(luaws_buf_str(&path));
  luaws_buf_clear(&path);
  luaws_ini_clear(&ini);
  return rc;
}

static int step(struct luaws_provider_task *task, struct luaws_credentials **out,
                struct luaws_error *err) {
  const char *name = luaws_settings_getenv(task->context->settings, "BOTO_CONFIG");
  if (name) return look_into(task, name, out, err);
  int rc = look_into(task, "/etc/boto.cfg", out, err);
  if (rc == LUAWS_PASS) rc = look_into(task, "~/.boto", out, err);
  if (rc != LUAWS_PASS) return rc;
  return luaws_provider_pass(task, "no [Credentials] in /etc/boto.cfg or ~/.boto");
}

const struct luaws_provider luaws_provider_boto_config = {"boto-config", "Boto2Config",
                                                          step, NULL, NULL};
