#include "client/user_agent.h"

#include <ctype.h>
#include <sys/utsname.h>

#include "base/log.h"
#include "client/client.h"

enum { MAX_FEATURES_BYTES = 1024, MAX_APP_ID_CHARS = 50 };

/* ORDER FEATURES */
static const char *const IDS[] = {
    "B", "C", "D", "E",  "F",  "G",  "L",  "M",  "N",  "P",  "Q", "R", "S",
    "T", "U", "V", "W",  "X",  "Y",  "Z",  "a",  "b",  "c",  "e", "g", "h",
    "i", "k", "n", "o",  "p",  "q",  "r",  "s",  "t",  "u",  "v", "w", "x",
    "z", "0", "3", "AC", "AD", "AE", "AF", "AG", "AH", "AI",
};
_Static_assert(sizeof IDS / sizeof *IDS == LUAWS_FEATURES, "an id for each feature");

/* ---- pieces ---- */

/* Everything that could be taken for the header's own grammar becomes "-". */
static void append_clean(struct luaws_buf *b, struct luaws_str text, const char *also) {
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if ((c & 0xc0) == 0x80) continue; /* one "-" for each character, not for each byte */
    bool good = c < 0x80 && (isalnum(c) || (c && strchr("!$%&'*+-.^_`|~,", c)) ||
                             (c && strchr(also, c)));
    luaws_buf_append_char(b, good ? (char)c : '-');
  }
}

/* " prefix/name" or " prefix/name#value" */
static void append_part(struct luaws_buf *b, const char *prefix, struct luaws_str name,
                        struct luaws_str value) {
  if (b->len) luaws_buf_append_char(b, ' ');
  luaws_buf_append_cstr(b, prefix);
  luaws_buf_append_char(b, '/');
  append_clean(b, name, "");
  if (!value.len) return;
  luaws_buf_append_char(b, '#');
  append_clean(b, value, "#");
}

static void append_system(struct luaws_buf *b) {
  struct utsname u;
  if (uname(&u) != 0) u.sysname[0] = u.release[0] = u.machine[0] = 0;
  const struct luaws_str release = luaws_str_from(u.release);
  if (strcmp(u.sysname, "Linux") == 0) {
    append_part(b, "os", LUAWS_STR("linux"), release);
  } else if (strcmp(u.sysname, "Darwin") == 0) {
    append_part(b, "os", LUAWS_STR("macos"), release);
  } else {
    append_part(b, "os", LUAWS_STR("other"), LUAWS_STR_NONE);
    if (*u.sysname) append_part(b, "md", luaws_str_from(u.sysname), release);
  }
  for (char *p = u.machine; *p; p++)
    *p = (char)tolower((unsigned char)*p);
  if (*u.machine) append_part(b, "md", LUAWS_STR("arch"), luaws_str_from(u.machine));
}

/* " m/A,B", at most so many bytes of it. */
static void append_features(struct luaws_buf *b, uint64_t features) {
  size_t start = b->len;
  for (int i = 0; i < LUAWS_FEATURES; i++) {
    if (!(features & luaws_feature_bit((enum luaws_feature)i))) continue;
    bool first = b->len == start;
    if (b->len - start + strlen(IDS[i]) > MAX_FEATURES_BYTES) break;
    luaws_buf_append_cstr(b, first ? " m/" : ",");
    luaws_buf_append_cstr(b, IDS[i]);
  }
}

/* Where control characters stood that would end the header. */
static void keep_on_one_line(struct luaws_buf *b) {
  for (size_t i = 0; i < b->len; i++) {
    if ((unsigned char)b->ptr[i] < ' ') b->ptr[i] = '-';
  }
}

/* ---- the client's part ---- */

static void write_head(struct luaws_buf *b, const struct luaws_client *c) {
  luaws_buf_printf(b, "luaws/%s ua/2.1", LUAWS_VERSION);
  append_system(b);
  append_part(b, "lang", LUAWS_STR("lua"), LUAWS_STR("5.4"));
  const char *env = luaws_settings_getenv(c->session->settings, "AWS_EXECUTION_ENV");
  if (env && *env) append_part(b, "exec-env", luaws_str_from(env), LUAWS_STR_NONE);
}

static void write_tail(struct luaws_buf *b, const struct luaws_client_config *g) {
  luaws_buf_append_char(b, ' ');
  luaws_buf_append_cstr(b, "cfg/retry-mode#");
  append_clean(b, g->retries.mode, "#");
  if (g->user_agent_appid.len) {
    luaws_buf_append_cstr(b, " app/");
    append_clean(b, g->user_agent_appid, "#");
  }
}

static size_t count_chars(struct luaws_str text) {
  size_t count = 0;
  for (size_t i = 0; i < text.len; i++)
    count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
  return count;
}

static uint64_t client_features(const struct luaws_client *c) {
  const struct luaws_client_config *g = c->config;
  enum luaws_feature mode =
      luaws_str_is(g->retries.mode, "legacy")     ? LUAWS_FEATURE_RETRY_LEGACY
      : luaws_str_is(g->retries.mode, "adaptive") ? LUAWS_FEATURE_RETRY_ADAPTIVE
                                                  : LUAWS_FEATURE_RETRY_STANDARD;
  uint64_t f = luaws_feature_bit(mode);
  f |= luaws_feature_bit(luaws_str_is(g->request_checksum_calculation, "when_required")
                             ? LUAWS_FEATURE_REQUEST_WHEN_REQUIRED
                             : LUAWS_FEATURE_REQUEST_WHEN_SUPPORTED);
  f |= luaws_feature_bit(luaws_str_is(g->response_checksum_validation, "when_required")
                             ? LUAWS_FEATURE_RESPONSE_WHEN_REQUIRED
                             : LUAWS_FEATURE_RESPONSE_WHEN_SUPPORTED);
  if (c->custom_endpoint.len) f |= luaws_feature_bit(LUAWS_FEATURE_ENDPOINT_OVERRIDE);
  if (luaws_str_is(luaws_str_from(c->protocol->name), "smithy-rpc-v2-cbor"))
    f |= luaws_feature_bit(LUAWS_FEATURE_CBOR);
  if (c->credentials) f |= luaws_credentials_features(c->credentials);
  return f;
}

int luaws_user_agent_init(struct luaws_client *c, struct luaws_error *err) {
  const struct luaws_client_config *g = c->config;
  struct luaws_user_agent *u = &c->user_agent;
  struct luaws_buf head = {0}, tail = {0};
  u->fixed = g->user_agent.len > 0;
  u->features = client_features(c);
  if (u->fixed) {
    luaws_buf_append_str(&head, g->user_agent);
  } else {
    write_head(&head, c);
    write_tail(&tail, g);
  }
  if (g->user_agent_extra.len)
    luaws_buf_printf(&tail, " %.*s", LUAWS_STR_ARG(g->user_agent_extra));
  keep_on_one_line(&head);
  keep_on_one_line(&tail);
  bool ok = !head.failed && !tail.failed;
  if (ok) u->head = luaws_arena_str(&c->arena, luaws_buf_str(&head));
  if (ok) u->tail = luaws_arena_str(&c->arena, luaws_buf_str(&tail));
  luaws_buf_clear(&head);
  luaws_buf_clear(&tail);
  if (count_chars(g->user_agent_appid) > MAX_APP_ID_CHARS) {
    luaws_log(LUAWS_LOG_WARNING, "luaws.client",
              "The configured value for user_agent_appid exceeds the maximum length of "
              "%d characters.",
              MAX_APP_ID_CHARS);
  }
  return u->head.ptr && u->tail.ptr ? 0 : luaws_error_memory(err);
}

void luaws_user_agent_clear(struct luaws_user_agent *u) {
  for (int i = 0; i < LUAWS_USER_AGENTS_KEPT; i++)
    luaws_buf_clear(&u->kept[i].text);
}

struct luaws_str luaws_user_agent_text(struct luaws_user_agent *u, uint64_t features) {
  features |= u->features;
  for (unsigned i = 0; i < u->kept_count && i < LUAWS_USER_AGENTS_KEPT; i++) {
    if (u->fixed || u->kept[i].features == features)
      return luaws_buf_str(&u->kept[i].text);
  }
  unsigned place = u->kept_count % LUAWS_USER_AGENTS_KEPT;
  struct luaws_buf *b = &u->kept[place].text;
  luaws_buf_reset(b);
  luaws_buf_append_str(b, u->head);
  if (!u->fixed) append_features(b, features);
  luaws_buf_append_str(b, u->tail);
  if (b->failed) return LUAWS_STR_NONE;
  u->kept[place].features = features;
  u->kept_count++;
  return luaws_buf_str(b);
}
