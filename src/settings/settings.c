#include "settings/settings.h"

#include <ctype.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "settings/region.h"
#include "settings/suggest.h"
#include "settings/variables.h"

struct luaws_settings {
  const char *(*getenv)(void *arg, const char *name);
  void *getenv_arg;
  char *home; /* or NULL */
  struct luaws_str overrides[LUAWS_SETTING_COUNT];
  struct luaws_profiles files;
  bool files_read;
};

/* ---- life ---- */

static bool copy_text(struct luaws_str from, struct luaws_str *to) {
  char *p = malloc(from.len + 1);
  if (!p) return false;
  if (from.len) memcpy(p, from.ptr, from.len);
  p[from.len] = 0;
  *to = (struct luaws_str){p, from.len};
  return true;
}

int luaws_settings_new(const struct luaws_settings_options *o,
                       struct luaws_settings **out, struct luaws_error *err) {
  struct luaws_settings *s = calloc(1, sizeof *s);
  struct luaws_str home = {0};
  bool ok = s != NULL;
  if (ok && o->home.ptr) ok = copy_text(o->home, &home);
  if (ok && o->profile_name.ptr) {
    ok = luaws_settings_override(s, LUAWS_SETTING_PROFILE, o->profile_name);
  }
  if (ok) {
    s->getenv = o->getenv;
    s->getenv_arg = o->getenv_arg;
    s->home = (char *)home.ptr;
    *out = s;
    return 0;
  }
  free((char *)home.ptr);
  luaws_settings_free(s);
  return luaws_error_memory(err);
}

void luaws_settings_free(struct luaws_settings *s) {
  if (!s) return;
  for (int i = 0; i < LUAWS_SETTING_COUNT; i++)
    free((char *)s->overrides[i].ptr);
  luaws_profiles_clear(&s->files);
  free(s->home);
  free(s);
}

bool luaws_settings_override(struct luaws_settings *s, enum luaws_setting_id id,
                             struct luaws_str text) {
  struct luaws_str copy = {0};
  if (text.ptr && !copy_text(text, &copy)) return false;
  free((char *)s->overrides[id].ptr);
  s->overrides[id] = copy;
  if (id == LUAWS_SETTING_CONFIG_FILE || id == LUAWS_SETTING_CREDENTIALS_FILE) {
    luaws_profiles_clear(&s->files);
    s->files_read = false;
  }
  return true;
}

const char *luaws_settings_getenv(struct luaws_settings *s, const char *name) {
  return s->getenv ? s->getenv(s->getenv_arg, name) : getenv(name);
}

/* ---- paths ---- */

static bool is_name_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         c == '_';
}

/* Appends what "$NAME" or "${NAME}" at the front of s stands for, or the sign itself when
   it stands for nothing. Returns the bytes used. */
static size_t expand_variable(struct luaws_settings *s, struct luaws_str text,
                              struct luaws_buf *out) {
  size_t from = 1, end = 1, used = 0;
  if (text.len > 1 && text.ptr[1] == '{') {
    for (from = end = 2; end < text.len && text.ptr[end] != '}'; end++) {
    }
    used = end < text.len ? end + 1 : 0;
  } else {
    while (end < text.len && is_name_char(text.ptr[end]))
      end++;
    used = end;
  }
  struct luaws_buf name = {0};
  luaws_buf_append(&name, text.ptr + from, end - from);
  const char *value =
      used && end > from && !name.failed ? luaws_settings_getenv(s, name.ptr) : NULL;
  luaws_buf_clear(&name);
  if (!value) {
    luaws_buf_append_char(out, '$');
    return 1;
  }
  luaws_buf_append_cstr(out, value);
  return used;
}

/* Appends the folder that "~user" means; false when there is no such user. */
static bool append_home(struct luaws_settings *s, struct luaws_str user,
                        struct luaws_buf *out) {
  const char *home = user.len  ? NULL
                     : s->home ? s->home
                               : luaws_settings_getenv(s, "HOME");
  struct luaws_buf name = {0}, entry_text = {0};
  struct passwd entry, *found = NULL;
  if (!home && luaws_buf_reserve(&entry_text, 16384)) {
    luaws_buf_append_str(&name, user);
    if (user.len == 0) {
      getpwuid_r(getuid(), &entry, entry_text.ptr, entry_text.cap, &found);
    } else if (!name.failed) {
      getpwnam_r(name.ptr, &entry, entry_text.ptr, entry_text.cap, &found);
    }
    if (found) home = found->pw_dir;
  }
  if (home) {
    size_t len = strlen(home);
    while (len && home[len - 1] == '/')
      len--;
    luaws_buf_append(out, home, len);
  }
  luaws_buf_clear(&name);
  luaws_buf_clear(&entry_text);
  return home != NULL;
}

void luaws_settings_expand_path(struct luaws_settings *s, struct luaws_str path,
                                bool expand_vars, struct luaws_buf *out) {
  struct luaws_buf plain = {0};
  for (size_t i = 0; i < path.len;) {
    if (expand_vars && path.ptr[i] == '$') {
      i += expand_variable(s, luaws_str_sub(path, i, SIZE_MAX), &plain);
    } else {
      luaws_buf_append_char(&plain, path.ptr[i++]);
    }
  }
  struct luaws_str rest = luaws_buf_str(&plain);
  if (rest.len && rest.ptr[0] == '~') {
    ptrdiff_t slash = luaws_str_find(rest, '/');
    size_t end = slash < 0 ? rest.len : (size_t)slash;
    if (append_home(s, luaws_str_sub(rest, 1, end - 1), out)) {
      rest = luaws_str_sub(rest, end, SIZE_MAX);
    }
  }
  luaws_buf_append_str(out, rest);
  if (plain.failed) out->failed = true;
  luaws_buf_clear(&plain);
}

/* ---- files ---- */

/* Overrides and environment: the part of the order that needs no file. */
static bool get_outside_files(struct luaws_settings *s, const struct luaws_variable *v,
                              unsigned where, struct luaws_setting *out) {
  struct luaws_str override = s->overrides[v - luaws_variables];
  if (override.ptr && (where & LUAWS_LOOK_AT_ARGUMENTS)) {
    out->source = LUAWS_FROM_ARGUMENT;
    out->text = override;
    return true;
  }
  for (int i = 0; i < 2 && v->env[i] && (where & LUAWS_LOOK_AT_ENVIRONMENT); i++) {
    const char *value = luaws_settings_getenv(s, v->env[i]);
    if (!value) continue;
    /* AWS_REGION counts as not there when it is empty: botocore does not know it. */
    if (v == &luaws_variables[LUAWS_SETTING_REGION] && i == 1 && !*value) continue;
    out->source = LUAWS_FROM_VARIABLE;
    out->variable = v->env[i];
    out->text = luaws_str_from(value);
    return true;
  }
  return false;
}

static void use_default(const struct luaws_variable *v, struct luaws_setting *out) {
  if (!v->fallback) return;
  out->source = LUAWS_FROM_DEFAULT;
  out->text = luaws_str_from(v->fallback);
}

/* The path of the config or credentials file. */
static void append_file_path(struct luaws_settings *s, enum luaws_setting_id id,
                             struct luaws_buf *out) {
  struct luaws_setting v = {0};
  if (!get_outside_files(s, &luaws_variables[id], LUAWS_LOOK_EVERYWHERE, &v))
    use_default(&luaws_variables[id], &v);
  luaws_settings_expand_path(s, v.text, true, out);
}

int luaws_settings_profiles(struct luaws_settings *s, const struct luaws_profiles **out,
                            struct luaws_error *err) {
  int rc = 0;
  *out = &s->files;
  if (s->files_read) return 0;
  struct luaws_buf config = {0}, credentials = {0};
  append_file_path(s, LUAWS_SETTING_CONFIG_FILE, &config);
  append_file_path(s, LUAWS_SETTING_CREDENTIALS_FILE, &credentials);
  if (config.failed || credentials.failed) {
    rc = luaws_error_memory(err);
  } else {
    rc = luaws_profiles_load(&s->files, luaws_buf_str(&config),
                             luaws_buf_str(&credentials), err);
  }
  s->files_read = rc == 0;
  if (rc) luaws_profiles_clear(&s->files);
  luaws_buf_clear(&config);
  luaws_buf_clear(&credentials);
  return rc;
}

struct luaws_str luaws_settings_profile_name(struct luaws_settings *s) {
  struct luaws_setting v = {0};
  get_outside_files(s, &luaws_variables[LUAWS_SETTING_PROFILE], LUAWS_LOOK_EVERYWHERE,
                    &v);
  return v.text.len ? v.text : LUAWS_STR("default");
}

bool luaws_settings_profile_in_code(struct luaws_settings *s) {
  return s->overrides[LUAWS_SETTING_PROFILE].ptr != NULL;
}

int luaws_settings_profile(struct luaws_settings *s, const struct luaws_ini_section **out,
                           struct luaws_error *err) {
  const struct luaws_profiles *files = NULL;
  int rc = luaws_settings_profiles(s, &files, err);
  if (rc) return rc;
  struct luaws_setting v = {0};
  bool named = get_outside_files(s, &luaws_variables[LUAWS_SETTING_PROFILE],
                                 LUAWS_LOOK_EVERYWHERE, &v);
  *out = luaws_ini_section(files->profiles, named ? v.text : LUAWS_STR("default"));
  if (*out || !named) return 0;
  rc = luaws_error_set(err, LUAWS_E_CONFIG, "ProfileNotFound",
                       "The config profile (%.*s) could not be found",
                       LUAWS_STR_ARG(v.text));
  luaws_suggest_profile(files, v.text, err);
  if (v.source == LUAWS_FROM_VARIABLE) {
    luaws_error_add(err, " (From %s%s)", v.variable,
                    v.text.len ? "" : ", which is set to nothing");
  }
  return rc;
}

/* ---- one variable ---- */

void luaws_setting_describe_source(const struct luaws_setting *v, struct luaws_buf *out) {
  switch (v->source) {
  case LUAWS_FROM_ARGUMENT:
    luaws_buf_append_cstr(out, "argument");
    break;
  case LUAWS_FROM_VARIABLE:
    luaws_buf_append_cstr(out, v->variable);
    break;
  case LUAWS_FROM_FILE:
    luaws_buf_printf(out, "%.*s:%u", LUAWS_STR_ARG(v->path), v->line);
    break;
  case LUAWS_FROM_DEFAULT:
    luaws_buf_append_cstr(out, "default");
    break;
  default:
    luaws_buf_append_cstr(out, "not set");
  }
}

void luaws_setting_add_source(const struct luaws_setting *v, struct luaws_error *err) {
  if (v->source != LUAWS_FROM_VARIABLE && v->source != LUAWS_FROM_FILE) return;
  struct luaws_buf source = {0};
  luaws_setting_describe_source(v, &source);
  luaws_error_add(err, " (From %s)", source.ptr ? source.ptr : "");
  luaws_buf_clear(&source);
}

static int bad_value(const char *name, const struct luaws_setting *v, const char *kind,
                     const char *what, struct luaws_error *err) {
  struct luaws_buf source = {0};
  luaws_setting_describe_source(v, &source);
  int rc = luaws_error_set(err, LUAWS_E_CONFIG, kind,
                           "Invalid value \"%.*s\" for %s. Value must be %s.",
                           LUAWS_STR_ARG(v->text), name, what);
  luaws_error_add(err, " (From %s)", source.ptr ? source.ptr : "");
  luaws_buf_clear(&source);
  return rc;
}

/* Where in the profile v stands, or NULL. */
static const struct luaws_ini_value *find_in_profile(const struct luaws_variable *v,
                                                     const struct luaws_ini_section *p) {
  const struct luaws_ini_value *value = NULL;
  if (v->profile_key) value = luaws_ini_value(p->first, v->profile_key);
  if (value || !v->block) {
    return value ? value : luaws_ini_value(p->first, v->file_key);
  }
  const struct luaws_ini_value *block = luaws_ini_value(p->first, v->block);
  return block && block->is_block ? luaws_ini_value(block->first, v->file_key) : NULL;
}

/* `s3 = something` on one line makes botocore ignore everything about that block. */
static bool block_is_spoilt(const char *block, const struct luaws_ini_section *p) {
  const struct luaws_ini_value *value = luaws_ini_value(p->first, block);
  return value && !value->is_block && value->text.len > 0;
}

static int get_from_profile(const struct luaws_variable *v,
                            const struct luaws_ini_section *p, struct luaws_setting *out,
                            struct luaws_error *err) {
  const struct luaws_ini_value *value = find_in_profile(v, p);
  if (!value) return 0;
  out->text = value->text;
  out->path = value->path;
  out->line = value->line;
  bool block_wanted = v->type == LUAWS_SETTING_IS_BLOCK;
  if (block_wanted && !value->is_block &&
      v == &luaws_variables[LUAWS_SETTING_API_VERSIONS] && value->text.len) {
    out->source = LUAWS_FROM_FILE;
    return bad_value(v->name, out, "InvalidConfigError", "a block", err);
  }
  if (block_wanted && !value->is_block) return 0;
  out->source = LUAWS_FROM_FILE;
  out->block = value->first;
  if (value->is_block && !block_wanted && v->type != LUAWS_SETTING_IS_BOOLEAN) {
    return bad_value(v->name, out, "InvalidConfigError", "a single value, not a block",
                     err);
  }
  return 0;
}

bool luaws_setting_to_int64(struct luaws_str text, int64_t *out) {
  char digits[32];
  size_t len = 0;
  text = luaws_str_trim(text);
  for (size_t i = 0; i < text.len && len < sizeof digits; i++) {
    bool between = i > 0 && i + 1 < text.len && isdigit((unsigned char)text.ptr[i - 1]) &&
                   isdigit((unsigned char)text.ptr[i + 1]);
    if (text.ptr[i] != '_' || !between) digits[len++] = text.ptr[i];
  }
  return len < sizeof digits && luaws_str_to_int64((struct luaws_str){digits, len}, out);
}

static int convert(const struct luaws_variable *v, struct luaws_setting *out,
                   struct luaws_error *err) {
  if (out->source == LUAWS_FROM_NOWHERE) return 0;
  if (v->type == LUAWS_SETTING_IS_BOOLEAN) {
    out->boolean = luaws_str_eq_nocase(out->text, LUAWS_STR("true"));
  } else if (v->type == LUAWS_SETTING_IS_INTEGER &&
             !luaws_setting_to_int64(out->text, &out->integer)) {
    bool size = v == &luaws_variables[LUAWS_SETTING_REQUEST_MIN_COMPRESSION_SIZE_BYTES];
    return bad_value(v->name, out, size ? "InvalidConfigError" : "ValueError",
                     "an integer", err);
  }
  return 0;
}

int luaws_settings_get_from(struct luaws_settings *s, enum luaws_setting_id id,
                            unsigned where, struct luaws_setting *out,
                            struct luaws_error *err) {
  const struct luaws_variable *v = &luaws_variables[id];
  const struct luaws_ini_section *profile = NULL;
  int rc = 0;
  *out = (struct luaws_setting){.type = v->type};
  bool found = get_outside_files(s, v, where, out);
  bool look = (where & LUAWS_LOOK_AT_FILES) && ((!found && v->file_key) || v->block);
  if (look) rc = luaws_settings_profile(s, &profile, err);
  if (rc) return rc;
  if (v->block && profile && block_is_spoilt(v->block, profile)) {
    *out = (struct luaws_setting){.type = v->type};
    return 0;
  }
  if (!found && profile) rc = get_from_profile(v, profile, out, err);
  if (rc == 0 && out->source == LUAWS_FROM_NOWHERE) use_default(v, out);
  return rc ? rc : convert(v, out, err);
}

int luaws_settings_get(struct luaws_settings *s, enum luaws_setting_id id,
                       struct luaws_setting *out, struct luaws_error *err) {
  return luaws_settings_get_from(s, id, LUAWS_LOOK_EVERYWHERE, out, err);
}

int luaws_settings_text(struct luaws_settings *s, enum luaws_setting_id id,
                        struct luaws_str *out, struct luaws_error *err) {
  struct luaws_setting v;
  int rc = luaws_settings_get(s, id, &v, err);
  *out = rc ? LUAWS_STR_NONE : v.text;
  return rc;
}

int luaws_settings_choice(struct luaws_settings *s, enum luaws_setting_id id,
                          enum luaws_choice *out, struct luaws_error *err) {
  struct luaws_setting v;
  int rc = luaws_settings_get(s, id, &v, err);
  bool set = rc == 0 && v.source != LUAWS_FROM_NOWHERE;
  *out = !set ? LUAWS_UNSET : v.boolean ? LUAWS_YES : LUAWS_NO;
  return rc;
}

/* ---- by name ---- */

enum luaws_setting_id luaws_setting_find(struct luaws_str name) {
  int i = 0;
  while (i < LUAWS_SETTING_COUNT && !luaws_str_is(name, luaws_variables[i].name))
    i++;
  return (enum luaws_setting_id)i;
}

const char *luaws_setting_name(enum luaws_setting_id id) {
  return luaws_variables[id].name;
}

static void write_value(const struct luaws_setting *v, struct luaws_writer *w) {
  if (v->source == LUAWS_FROM_NOWHERE) {
    w->ops->null(w);
  } else if (v->type == LUAWS_SETTING_IS_BOOLEAN) {
    w->ops->boolean(w, v->boolean);
  } else if (v->type == LUAWS_SETTING_IS_INTEGER) {
    w->ops->integer(w, v->integer);
  } else {
    w->ops->bytes(w, v->text);
  }
}

/* The variable that stands under that key of a block, or NULL. */
static const struct luaws_variable *find_in_block(const char *block,
                                                  struct luaws_str key) {
  for (int i = 0; i < LUAWS_SETTING_COUNT; i++) {
    const struct luaws_variable *v = &luaws_variables[i];
    if (v->block && strcmp(v->block, block) == 0 && luaws_str_is(key, v->file_key)) {
      return v;
    }
  }
  return NULL;
}

/* A block's own entries, but its known variables as their own rows say. */
static int write_block(struct luaws_settings *s, const struct luaws_variable *block,
                       unsigned where, const struct luaws_setting *v,
                       struct luaws_writer *w, struct luaws_error *err) {
  struct luaws_setting known[LUAWS_SETTING_COUNT] = {0};
  bool any = v->source != LUAWS_FROM_NOWHERE;
  int rc = 0;
  for (int i = 0; i < LUAWS_SETTING_COUNT && rc == 0; i++) {
    if (!luaws_variables[i].block || strcmp(luaws_variables[i].block, block->name) != 0)
      continue;
    rc = luaws_settings_get_from(s, (enum luaws_setting_id)i, where, &known[i], err);
    any = any || known[i].source != LUAWS_FROM_NOWHERE;
  }
  if (rc) return rc;
  if (!any && block != &luaws_variables[LUAWS_SETTING_API_VERSIONS]) {
    w->ops->null(w);
    return 0;
  }
  w->ops->begin_map(w, 0, true);
  for (const struct luaws_ini_value *e = v->block; e; e = e->next) {
    if (find_in_block(block->name, e->key)) continue;
    w->ops->key(w, e->key);
    w->ops->bytes(w, e->text);
  }
  for (int i = 0; i < LUAWS_SETTING_COUNT; i++) {
    if (known[i].source == LUAWS_FROM_NOWHERE) continue;
    w->ops->key(w, luaws_str_from(luaws_variables[i].file_key));
    write_value(&known[i], w);
  }
  w->ops->end_map(w);
  return 0;
}

int luaws_settings_write(struct luaws_settings *s, struct luaws_str name, unsigned where,
                         struct luaws_writer *w, struct luaws_error *err) {
  enum luaws_setting_id id = luaws_setting_find(name);
  struct luaws_setting v = {0};
  int rc = id < LUAWS_SETTING_COUNT ? luaws_settings_get_from(s, id, where, &v, err) : 0;
  if (rc) return rc;
  if (v.type == LUAWS_SETTING_IS_BLOCK)
    return write_block(s, &luaws_variables[id], where, &v, w, err);
  write_value(&v, w);
  return 0;
}

int luaws_settings_set(struct luaws_settings *s, struct luaws_str name,
                       struct luaws_str text, struct luaws_error *err) {
  enum luaws_setting_id id = luaws_setting_find(name);
  const char *why = NULL;
  if (id == LUAWS_SETTING_COUNT) {
    why = "there is no such variable";
  } else if (luaws_variables[id].type == LUAWS_SETTING_IS_BLOCK) {
    why = "only a file can hold a block";
  } else if (id == LUAWS_SETTING_PROFILE || id == LUAWS_SETTING_CONFIG_FILE ||
             id == LUAWS_SETTING_CREDENTIALS_FILE || id == LUAWS_SETTING_DATA_PATH) {
    why = "that is settled when a session is made";
  }
  if (why) {
    return luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError",
                           "set_config_variable: %.*s: %s", LUAWS_STR_ARG(name), why);
  }
  return luaws_settings_override(s, id, text) ? 0 : luaws_error_memory(err);
}

/* ---- what several variables decide together ---- */

static bool take_variable(struct luaws_settings *s, const char *name,
                          struct luaws_setting *out) {
  const char *value = luaws_settings_getenv(s, name);
  if (!value || !value[0]) return false;
  out->source = LUAWS_FROM_VARIABLE;
  out->text = luaws_str_from(value);
  return true;
}

static bool take_value(const struct luaws_ini_value *v, struct luaws_setting *out) {
  if (!v || v->is_block || v->text.len == 0) return false;
  out->source = LUAWS_FROM_FILE;
  out->text = v->text;
  out->path = v->path;
  out->line = v->line;
  return true;
}

static int endpoint_from_services(const struct luaws_profiles *files,
                                  const struct luaws_ini_value *services,
                                  const char *service, struct luaws_setting *out,
                                  struct luaws_error *err) {
  const struct luaws_ini_section *section =
      services->is_block ? NULL : luaws_ini_section(files->services, services->text);
  if (!section || !section->first) {
    return luaws_error_set(
        err, LUAWS_E_CONFIG, "InvalidConfigError",
        "The profile is configured to use the services section but the "
        "\"%.*s\" services configuration does not exist.",
        LUAWS_STR_ARG(services->text));
  }
  const struct luaws_ini_value *block = luaws_ini_value(section->first, service);
  if (block && !block->is_block) {
    struct luaws_setting at = {.source = LUAWS_FROM_FILE,
                               .text = block->text,
                               .path = block->path,
                               .line = block->line};
    return bad_value(service, &at, "InvalidConfigError",
                     "a block with the key endpoint_url", err);
  }
  if (block) take_value(luaws_ini_value(block->first, "endpoint_url"), out);
  return 0;
}

int luaws_settings_endpoint_url(struct luaws_settings *s, struct luaws_str client_name,
                                struct luaws_setting *out, struct luaws_error *err) {
  static const char prefix[] = "AWS_ENDPOINT_URL_";
  struct luaws_buf service = {0}, variable = {0};
  int rc = 0;
  *out = (struct luaws_setting){0};
  luaws_service_settings_name(client_name, &service);
  luaws_buf_append_cstr(&variable, prefix);
  for (size_t i = 0; i < service.len; i++) {
    char c = service.ptr[i];
    bool lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z';
    luaws_buf_append_char(&variable, lower ? (char)(c - 'a' + 'A') : c);
    if (upper) service.ptr[i] = (char)(c - 'A' + 'a');
  }
  if (service.failed || variable.failed) {
    rc = luaws_error_memory(err);
  } else if (take_variable(s, variable.ptr, out)) {
    out->variable = "AWS_ENDPOINT_URL_<SERVICE>";
  } else if (take_variable(s, "AWS_ENDPOINT_URL", out)) {
    out->variable = "AWS_ENDPOINT_URL";
  } else {
    const struct luaws_ini_section *profile = NULL;
    const struct luaws_profiles *files = NULL;
    rc = luaws_settings_profile(s, &profile, err);
    if (rc == 0) rc = luaws_settings_profiles(s, &files, err);
    const struct luaws_ini_value *services =
        rc == 0 && profile ? luaws_ini_value(profile->first, "services") : NULL;
    if (services) rc = endpoint_from_services(files, services, service.ptr, out, err);
    if (rc == 0 && profile && out->source == LUAWS_FROM_NOWHERE) {
      take_value(luaws_ini_value(profile->first, "endpoint_url"), out);
    }
  }
  luaws_buf_clear(&service);
  luaws_buf_clear(&variable);
  return rc;
}

int luaws_settings_ca_bundle(struct luaws_settings *s, struct luaws_setting *out,
                             struct luaws_error *err) {
  static const char other[] = "REQUESTS_CA_BUNDLE";
  int rc = luaws_settings_get(s, LUAWS_SETTING_CA_BUNDLE, out, err);
  if (rc || out->text.len) return rc;
  *out = (struct luaws_setting){0};
  if (take_variable(s, other, out)) out->variable = other;
  return 0;
}

int luaws_settings_api_version(struct luaws_settings *s, struct luaws_str client_name,
                               struct luaws_str *out, struct luaws_error *err) {
  struct luaws_setting v;
  int rc = luaws_settings_get(s, LUAWS_SETTING_API_VERSIONS, &v, err);
  *out = LUAWS_STR_NONE;
  if (rc) return rc;
  for (const struct luaws_ini_value *e = v.block; e; e = e->next) {
    if (luaws_str_eq(e->key, client_name)) *out = e->text;
  }
  return 0;
}

int luaws_settings_imds_mode(struct luaws_settings *s, const char **out,
                             struct luaws_error *err) {
  struct luaws_setting mode;
  enum luaws_choice ipv6 = LUAWS_UNSET;
  int rc =
      luaws_settings_get(s, LUAWS_SETTING_EC2_METADATA_SERVICE_ENDPOINT_MODE, &mode, err);
  if (rc) return rc;
  if (mode.source == LUAWS_FROM_NOWHERE) {
    rc = luaws_settings_choice(s, LUAWS_SETTING_IMDS_USE_IPV6, &ipv6, err);
    *out = ipv6 == LUAWS_YES ? "ipv6" : "ipv4";
    return rc;
  }
  *out = luaws_str_eq_nocase(mode.text, LUAWS_STR("ipv4"))   ? "ipv4"
         : luaws_str_eq_nocase(mode.text, LUAWS_STR("ipv6")) ? "ipv6"
                                                             : NULL;
  if (*out) return 0;
  rc = luaws_error_set(err, LUAWS_E_CONFIG, "InvalidIMDSEndpointModeError",
                       "Invalid EC2 Instance Metadata endpoint mode: %.*s Valid endpoint "
                       "modes (case-insensitive): ('ipv4', 'ipv6').",
                       LUAWS_STR_ARG(mode.text));
  luaws_setting_add_source(&mode, err);
  return rc;
}
