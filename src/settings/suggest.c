#include "settings/suggest.h"

#include "base/typo.h"

/* Behind words that end with a full stop a new sentence begins. */
static const char *begin(const struct luaws_error *err, const char *sentence,
                         const char *otherwise) {
  bool stop =
      err && luaws_str_ends(luaws_str_from(luaws_error_message(err)), LUAWS_STR("."));
  return stop ? sentence : otherwise;
}

bool luaws_suggest_section(const struct luaws_ini_section *first, struct luaws_str name,
                           struct luaws_error *err) {
  size_t limit = name.len < 3 ? 0 : name.len < 9 ? 2 : name.len / 3, best = limit + 1;
  const struct luaws_ini_section *nearest = NULL;
  for (const struct luaws_ini_section *s = first; s; s = s->next) {
    size_t away = luaws_typo_distance(s->name, name);
    if (away >= best || away >= s->name.len) continue;
    best = away;
    nearest = s;
  }
  if (!nearest) return false;
  luaws_error_add(err, "%s you mean '%.*s'?", begin(err, " Did", "; did"),
                  LUAWS_STR_ARG(nearest->name));
  return true;
}

/* The name behind "profile" in a header, without the quotes it may have. */
static struct luaws_str behind_profile(struct luaws_str header) {
  const struct luaws_str word = LUAWS_STR("profile");
  if (!luaws_str_starts(header, word)) return LUAWS_STR_NONE;
  struct luaws_str name = luaws_str_trim(luaws_str_sub(header, word.len, SIZE_MAX));
  bool quoted = name.len > 1 && (name.ptr[0] == '"' || name.ptr[0] == '\'') &&
                name.ptr[name.len - 1] == name.ptr[0];
  return quoted ? luaws_str_sub(name, 1, name.len - 2) : name;
}

/* In the config file a header is [profile NAME], with quotes around more than one word;
   in the credentials file it is [NAME]. */
static bool suggest_header(const struct luaws_profiles *p, struct luaws_str name,
                           struct luaws_error *err) {
  const char *quote = luaws_str_find(name, ' ') >= 0 ? "\"" : "";
  for (const struct luaws_ini_section *s = p->config.first; s; s = s->next) {
    if (!luaws_str_eq(s->name, name) && !luaws_str_eq(behind_profile(s->name), name))
      continue;
    luaws_error_add(err, "%s[%.*s] in %.*s:%u must be [profile %s%.*s%s]",
                    begin(err, " ", "; "), LUAWS_STR_ARG(s->name), LUAWS_STR_ARG(s->path),
                    s->line, quote, LUAWS_STR_ARG(name), quote);
    return true;
  }
  for (const struct luaws_ini_section *s = p->credentials.first; s; s = s->next) {
    if (!luaws_str_eq(behind_profile(s->name), name)) continue;
    luaws_error_add(err, "%s[%.*s] in %.*s:%u must be [%.*s]", begin(err, " ", "; "),
                    LUAWS_STR_ARG(s->name), LUAWS_STR_ARG(s->path), s->line,
                    LUAWS_STR_ARG(name));
    return true;
  }
  return false;
}

void luaws_suggest_profile(const struct luaws_profiles *p, struct luaws_str name,
                           struct luaws_error *err) {
  const struct luaws_ini *const files[] = {&p->config, &p->credentials};
  bool unreadable = false;
  if (name.len && suggest_header(p, name, err)) return;
  if (luaws_suggest_section(p->profiles, name, err)) return;
  for (size_t i = 0; i < 2; i++) {
    if (!files[i]->unreadable) continue;
    unreadable = true;
    luaws_error_add(err, "%s%.*s cannot be read: %s", begin(err, " ", "; "),
                    LUAWS_STR_ARG(files[i]->path), strerror(files[i]->unreadable));
  }
  if (!p->config.found && !p->credentials.found && !unreadable) {
    luaws_error_add(err, "%s is neither %.*s nor %.*s", begin(err, " There", "; there"),
                    LUAWS_STR_ARG(p->config.path), LUAWS_STR_ARG(p->credentials.path));
  }
}
