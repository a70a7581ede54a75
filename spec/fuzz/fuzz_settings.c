/* Any bytes as ~/.aws/config and as variables of the environment, in one text: lines
   "NAME=value" up to an empty one are the environment, the rest is the file. What a
   client is configured with, and which credentials are found, is asked for: there is an
   answer, or an error that says why not. */
#include "credentials/chain.h"
#include "settings/client_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
  char config[32];
  char *lines; /* each closed by a zero byte */
  size_t size;
};

static const char *get_variable(void *arg, const char *name) {
  const struct world *w = arg;
  size_t len = strlen(name);
  if (strcmp(name, "HOME") == 0) return "/nonexistent";
  if (strcmp(name, "AWS_CONFIG_FILE") == 0) return w->config;
  if (strcmp(name, "AWS_SHARED_CREDENTIALS_FILE") == 0) return "/nonexistent/file";
  for (size_t at = 0; at < w->size; at += strlen(w->lines + at) + 1) {
    const char *line = w->lines + at;
    if (strncmp(line, name, len) == 0 && line[len] == '=') return line + len + 1;
  }
  return NULL;
}

static void must_say(int rc, struct luaws_error *err) {
  if (rc < 0 && (!err->kind || !luaws_error_message(err))) abort();
  luaws_error_clear(err);
}

/* A file that is none is read anew by whoever asks: it is refused once, which will do. */
static bool parses(struct luaws_settings *s) {
  struct luaws_error err = {0};
  const struct luaws_profiles *profiles;
  int rc = luaws_settings_profiles(s, &profiles, &err);
  must_say(rc, &err);
  return rc == 0;
}

static void ask_settings(struct luaws_settings *s) {
  struct luaws_error err = {0};
  struct luaws_setting v;
  struct luaws_str text;
  const char *mode;
  for (int id = 0; id < LUAWS_SETTING_COUNT; id++) {
    struct luaws_buf source = {0};
    int rc = luaws_settings_get(s, (enum luaws_setting_id)id, &v, &err);
    if (rc == 0) luaws_setting_describe_source(&v, &source);
    luaws_buf_clear(&source);
    must_say(rc, &err);
  }
  must_say(luaws_settings_endpoint_url(s, LUAWS_STR("s3"), &v, &err), &err);
  must_say(luaws_settings_api_version(s, LUAWS_STR("ec2"), &text, &err), &err);
  must_say(luaws_settings_imds_mode(s, &mode, &err), &err);
}

static void configure(struct luaws_settings *s) {
  struct luaws_error err = {0};
  struct luaws_client_config config = {0};
  struct luaws_client_config_context context = {.settings = s};
  int rc = luaws_client_config_resolve(&config, &context, &err);
  must_say(rc, &err);
  if (rc == 0) {
    struct luaws_arena arena = {0};
    struct luaws_tree_writer w;
    luaws_tree_writer_init(&w, &arena);
    luaws_client_config_write(&config, &w.base);
    if (!w.failed && w.depth != 0) abort();
    luaws_arena_clear(&arena);
  }
  luaws_client_config_clear(&config);
}

/* Those providers that neither run a program nor ask over a network: there is no loop to
   ask with. */
static void find_credentials(struct luaws_settings *s) {
  struct luaws_error err = {0};
  struct luaws_credentials *found = NULL;
  struct luaws_provider_context context = {.settings = s};
  struct luaws_chain *chain = luaws_chain_new(&context);
  if (!chain) abort();
  luaws_chain_remove(chain, LUAWS_STR("custom-process"));
  must_say(luaws_chain_get(chain, NULL, &found, &err), &err);
  luaws_credentials_release(found);
  luaws_chain_free(chain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const uint8_t *end = memmem(data, size, "\n\n", 2);
  struct world w = {.size = end ? (size_t)(end - data) + 1 : 0};
  const uint8_t *file = data + w.size + (end != NULL);
  w.lines = malloc(w.size + 1);
  if (!w.lines) abort();
  memcpy(w.lines, data, w.size);
  w.lines[w.size] = 0;
  for (size_t i = 0; i < w.size; i++) {
    if (w.lines[i] == '\n') w.lines[i] = 0;
  }
  int fd = memfd_create("config", MFD_CLOEXEC);
  snprintf(w.config, sizeof w.config, "/proc/self/fd/%d", fd);
  size_t file_size = size - (size_t)(file - data);
  struct luaws_settings_options o = {.getenv = get_variable, .getenv_arg = &w};
  struct luaws_settings *s = NULL;
  struct luaws_error err = {0};
  if (write(fd, file, file_size) == (ssize_t)file_size) {
    int rc = luaws_settings_new(&o, &s, &err);
    must_say(rc, &err);
    if (rc == 0 && parses(s)) {
      ask_settings(s);
      configure(s);
      find_credentials(s);
    }
  }
  luaws_settings_free(s);
  close(fd);
  free(w.lines);
  return 0;
}
