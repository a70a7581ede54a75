#include "settings/profiles.h"

#include "base/log.h"
#include "settings/readers.h"
#include "settings/shell_words.h"

/* A list of sections under construction. The values hang on as they are. */
struct list {
  struct luaws_arena *arena;
  struct luaws_ini_section **head;
};

/* Puts a section's values under name, replacing whatever was there. */
static bool put(struct list l, struct luaws_str name,
                const struct luaws_ini_section *from) {
  struct luaws_ini_section **at = l.head;
  while (*at && !luaws_str_eq((*at)->name, name))
    at = &(*at)->next;
  if (!*at) {
    *at = luaws_arena_alloc(l.arena, sizeof **at);
    if (!*at) return false;
    (*at)->name = name;
  }
  (*at)->first = from->first;
  (*at)->path = from->path;
  (*at)->line = from->line;
  return true;
}

/* The name in `[profile "a b"]`: the second of exactly two words, else none, and then the
   section is not there. */
static struct luaws_str second_word(struct luaws_arena *arena, struct luaws_str header) {
  struct luaws_str *words = NULL;
  size_t count = 0;
  bool ok = luaws_shell_split(arena, header, &words, &count);
  return ok && count == 2 ? words[1] : LUAWS_STR_NONE;
}

static bool sort_section(struct luaws_profiles *p, const struct luaws_ini_section *s) {
  static const struct {
    struct luaws_str prefix;
    size_t list;
  } kinds[] = {
      {LUAWS_STR("profile"), offsetof(struct luaws_profiles, profiles)},
      {LUAWS_STR("sso-session"), offsetof(struct luaws_profiles, sso_sessions)},
      {LUAWS_STR("services"), offsetof(struct luaws_profiles, services)},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    if (!luaws_str_starts(s->name, kinds[i].prefix)) continue;
    struct luaws_str name = second_word(&p->arena, s->name);
    struct list l = {&p->arena, (struct luaws_ini_section **)((char *)p + kinds[i].list)};
    return !name.ptr || put(l, name, s);
  }
  if (luaws_str_is(s->name, "default")) {
    return put((struct list){&p->arena, &p->profiles}, s->name, s);
  }
  if (luaws_str_is(s->name, "sso_sessions")) return true; /* botocore loses it, too */
  return put((struct list){&p->arena, &p->others}, s->name, s);
}

static struct luaws_ini_value *copy_values(struct luaws_arena *arena,
                                           const struct luaws_ini_value *v, bool *ok) {
  struct luaws_ini_value *first = NULL, **end = &first;
  for (; v && *ok; v = v->next) {
    struct luaws_ini_value *copy = luaws_arena_alloc(arena, sizeof *copy);
    *ok = copy != NULL;
    if (!copy) break;
    *copy = *v;
    copy->next = NULL;
    *end = copy;
    end = &copy->next;
  }
  return first;
}

/* Lays the credentials file's section over the profile of that name, key by key. */
static bool lay_over(struct luaws_profiles *p, struct luaws_ini_section *profile,
                     const struct luaws_ini_section *over) {
  bool ok = true;
  struct luaws_ini_value *added = copy_values(&p->arena, over->first, &ok);
  while (added && ok) {
    struct luaws_ini_value *v = added, **at = &profile->first;
    added = v->next;
    while (*at && !luaws_str_eq((*at)->key, v->key))
      at = &(*at)->next;
    v->next = *at ? (*at)->next : NULL;
    *at = v;
  }
  return ok;
}

static bool merge_credentials(struct luaws_profiles *p) {
  bool ok = true;
  for (const struct luaws_ini_section *s = p->credentials.first; s && ok; s = s->next) {
    struct luaws_ini_section *there =
        (struct luaws_ini_section *)luaws_ini_section(p->profiles, s->name);
    ok = there ? lay_over(p, there, s)
               : put((struct list){&p->arena, &p->profiles}, s->name, s);
  }
  return ok;
}

/* The profiles as they are now, before the credentials file is laid over them. */
static bool keep_config_profiles(struct luaws_profiles *p) {
  bool ok = true;
  for (struct luaws_ini_section *s = p->profiles; s && ok; s = s->next) {
    ok = put((struct list){&p->arena, &p->config_profiles}, s->name, s);
    if (ok) s->first = copy_values(&p->arena, s->first, &ok);
  }
  return ok;
}

/* Configuration is everybody's to read, but not with keys in it. */
static bool has_keys(const struct luaws_ini *config) {
  bool found = false;
  for (const struct luaws_ini_section *s = config->first; s && !found; s = s->next)
    found = luaws_ini_value(s->first, "aws_secret_access_key") != NULL;
  return found;
}

/* Who has set up neither file wants no word about it; who has a file that does not count
   does. */
static void warn_of_unreadable(const struct luaws_ini *file) {
  if (!file->unreadable) return;
  luaws_log(LUAWS_LOG_WARNING, "luaws.settings", "%.*s does not count: %s",
            LUAWS_STR_ARG(file->path), strerror(file->unreadable));
}

int luaws_profiles_load(struct luaws_profiles *p, struct luaws_str config_path,
                        struct luaws_str credentials_path, struct luaws_error *err) {
  int rc = luaws_ini_load(&p->config, config_path, err);
  if (rc == 0) rc = luaws_ini_load(&p->credentials, credentials_path, err);
  if (rc == 0 && p->credentials.found) luaws_warn_of_readers(p->credentials.path);
  if (rc == 0 && has_keys(&p->config)) luaws_warn_of_readers(p->config.path);
  warn_of_unreadable(&p->config);
  warn_of_unreadable(&p->credentials);
  bool ok = true;
  for (const struct luaws_ini_section *s = p->config.first; rc == 0 && ok && s;
       s = s->next)
    ok = sort_section(p, s);
  if (rc == 0 && ok) ok = keep_config_profiles(p) && merge_credentials(p);
  return rc ? rc : ok ? 0 : luaws_error_memory(err);
}

void luaws_profiles_clear(struct luaws_profiles *p) {
  luaws_ini_clear(&p->config);
  luaws_ini_clear(&p->credentials);
  luaws_arena_wipe(&p->arena);
  *p = (struct luaws_profiles){0};
}
