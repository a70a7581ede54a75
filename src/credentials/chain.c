/* A search is a walk along the providers that can stop in the middle (PENDING) and go on
   when the provider wakes it. A refresh is a search of one provider: the one that the
   credentials came from. So is the first time that credentials are needed of which it was
   only known that they are there (LUAWS_LATER).

   How a search ended is kept until the next one ends, for those who waited for it. */
#include "credentials/chain.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/uri.h"
#include "credentials/explicit.h"
#include "settings/region.h"

struct luaws_chain {
  const struct luaws_provider_context *context;
  struct luaws_provider *providers;
  size_t count;
  struct luaws_str profile_name; /* ours, of a source_profile's chain; else none */

  struct luaws_credentials *current;
  struct luaws_provider source; /* where they came from, or are known to be; name NULL:
                                   from code, or nowhere yet */
  int64_t rest_until_s;         /* no refresh before, as long as they have not expired */

  bool searching;
  bool later;                  /* this search is content with knowing */
  bool alone;                  /* it asks `source` and nobody else */
  bool awake;                  /* the task has something to do */
  size_t at;                   /* whose turn it is */
  struct luaws_provider asked; /* that one: the row may change meanwhile */
  struct luaws_provider_task task;
  unsigned search; /* counts searches, from 1 */

  unsigned ended_search; /* the last that ended without credentials: */
  int ended_answer;      /* LUAWS_PASS, or an error: */
  struct luaws_error ended_error;

  struct luaws_buf note; /* of the task */
  struct luaws_chain_note *notes;
  size_t note_count, note_cap;
  struct luaws_arena note_arena;

  struct luaws_chain_waiter *waiters;
  struct luaws_chain_waiter *waking; /* those of them that are being woken */
};

/* ORDER PROVIDERS */
static const struct luaws_provider *const default_providers[] = {
    &luaws_provider_env,          &luaws_provider_assume_role,
    &luaws_provider_web_identity, &luaws_provider_sso,
    &luaws_provider_shared_file,  &luaws_provider_login,
    &luaws_provider_process,      &luaws_provider_config_file,
    &luaws_provider_ec2_file,     &luaws_provider_boto_config,
    &luaws_provider_container,    &luaws_provider_instance,
};
enum { FIRST_OF_PROFILE = 2, END_OF_PROFILE = 8, PROVIDER_COUNT = 12 };

/* ---- life ---- */

static struct luaws_chain *new_chain(const struct luaws_provider_context *context,
                                     size_t from, size_t end) {
  struct luaws_chain *c = calloc(1, sizeof *c);
  if (!c) return NULL;
  c->context = context;
  c->providers = calloc(end - from, sizeof *c->providers);
  if (!c->providers) {
    free(c);
    return NULL;
  }
  for (size_t i = from; i < end; i++)
    c->providers[c->count++] = *default_providers[i];
  return c;
}

struct luaws_chain *luaws_chain_new(const struct luaws_provider_context *context) {
  struct luaws_chain *c = new_chain(context, 0, PROVIDER_COUNT);
  if (c && luaws_settings_profile_in_code(context->settings)) {
    luaws_chain_remove(c, LUAWS_STR("env"));
  }
  return c;
}

struct luaws_chain *luaws_chain_new_profile(const struct luaws_provider_context *context,
                                            struct luaws_str profile_name) {
  struct luaws_chain *c = new_chain(context, FIRST_OF_PROFILE, END_OF_PROFILE);
  char *name = c ? malloc(profile_name.len + 1) : NULL;
  if (!name) {
    luaws_chain_free(c);
    return NULL;
  }
  if (profile_name.len) memcpy(name, profile_name.ptr, profile_name.len);
  name[profile_name.len] = 0;
  c->profile_name = (struct luaws_str){name, profile_name.len};
  return c;
}

struct luaws_chain *luaws_chain_new_single(const struct luaws_provider_context *context,
                                           const struct luaws_provider *provider) {
  struct luaws_chain *c = new_chain(context, 0, 1);
  if (c) c->providers[0] = *provider;
  return c;
}

/* Lets go of what the task holds. */
static void end_task(struct luaws_chain *c) {
  if (c->task.state && c->task.provider->cancel) c->task.provider->cancel(&c->task);
  c->task.state = NULL;
}

void luaws_chain_free(struct luaws_chain *c) {
  if (!c) return;
  if (c->searching) end_task(c);
  c->searching = false;
  while (c->waiters)
    luaws_chain_waiter_cancel(c->waiters);
  while (c->waking)
    luaws_chain_waiter_cancel(c->waking);
  luaws_credentials_release(c->current);
  luaws_error_clear(&c->ended_error);
  luaws_buf_clear(&c->note);
  luaws_arena_clear(&c->note_arena);
  free((char *)c->profile_name.ptr);
  free(c->providers);
  free(c);
}

/* ---- the row ---- */

static size_t find(const struct luaws_chain *c, struct luaws_str name) {
  size_t i = 0;
  while (i < c->count && !luaws_str_is(name, c->providers[i].name))
    i++;
  return i;
}

static int insert(struct luaws_chain *c, struct luaws_str name, size_t offset,
                  const struct luaws_provider *provider, struct luaws_error *err) {
  size_t i = find(c, name);
  if (i == c->count) {
    return luaws_error_set(err, LUAWS_E_ARGUMENT, "UnknownCredentialError",
                           "Credential named %.*s not found.", LUAWS_STR_ARG(name));
  }
  struct luaws_provider *p = realloc(c->providers, (c->count + 1) * sizeof *p);
  if (!p) return luaws_error_memory(err);
  c->providers = p;
  i += offset;
  memmove(p + i + 1, p + i, (c->count - i) * sizeof *p);
  p[i] = *provider;
  c->count++;
  return 0;
}

int luaws_chain_insert_before(struct luaws_chain *c, struct luaws_str name,
                              const struct luaws_provider *provider,
                              struct luaws_error *err) {
  return insert(c, name, 0, provider, err);
}

int luaws_chain_insert_after(struct luaws_chain *c, struct luaws_str name,
                             const struct luaws_provider *provider,
                             struct luaws_error *err) {
  return insert(c, name, 1, provider, err);
}

void luaws_chain_remove(struct luaws_chain *c, struct luaws_str name) {
  size_t i = find(c, name);
  if (i == c->count) return;
  c->count--;
  memmove(c->providers + i, c->providers + i + 1, (c->count - i) * sizeof *c->providers);
}

const struct luaws_provider *luaws_chain_provider(const struct luaws_chain *c, size_t i) {
  return i < c->count ? &c->providers[i] : NULL;
}

const char *luaws_chain_last_asked(const struct luaws_chain *c) {
  return c->source.name ? c->source.name : c->asked.name;
}

/* ---- waiters ---- */

static bool unlink_waiter(struct luaws_chain_waiter **list,
                          struct luaws_chain_waiter *w) {
  while (*list && *list != w)
    list = &(*list)->next;
  if (!*list) return false;
  *list = w->next;
  return true;
}

/* A search that nobody waits for any more ends: a program under way is killed. One that
   nobody waited for from the beginning, ahead of time, goes on. */
static void drop_search(struct luaws_chain *c) {
  if (!c->searching || c->waiters || c->waking) return;
  end_task(c);
  c->searching = false;
}

void luaws_chain_waiter_cancel(struct luaws_chain_waiter *waiter) {
  struct luaws_chain *c = waiter->chain;
  if (!c) return;
  if (!unlink_waiter(&c->waiters, waiter)) unlink_waiter(&c->waking, waiter);
  waiter->chain = NULL;
  waiter->search = 0;
  drop_search(c);
}

static void enqueue(struct luaws_chain *c, struct luaws_chain_waiter *w) {
  if (!w || w->chain) return;
  struct luaws_chain_waiter **end = &c->waiters;
  while (*end)
    end = &(*end)->next;
  *end = w;
  w->next = NULL;
  w->chain = c;
  w->search = c->search;
}

/* The provider calls this when its task can go on. */
static void wake(void *arg) {
  struct luaws_chain *c = arg;
  c->awake = true;
  if (c->waking) return; /* from one of the calls below */
  c->waking = c->waiters;
  c->waiters = NULL;
  while (c->waking) {
    struct luaws_chain_waiter *w = c->waking;
    c->waking = w->next;
    w->chain = NULL;
    w->wake(w->arg);
  }
}

int luaws_chain_set_explicit(struct luaws_chain *c, struct luaws_str access_key,
                             struct luaws_str secret_key, struct luaws_str token,
                             struct luaws_str account_id, struct luaws_error *err) {
  struct luaws_credentials *found = NULL;
  int rc =
      luaws_explicit_credentials(access_key, secret_key, token, account_id, &found, err);
  if (rc == LUAWS_PASS) return luaws_no_credentials(err);
  if (rc < 0) return rc;
  if (c->searching) end_task(c);
  c->searching = false;
  luaws_credentials_release(c->current);
  c->current = found;
  c->source = (struct luaws_provider){0};
  wake(c);
  return 0;
}

/* ---- searching ---- */

static int64_t now_s(const struct luaws_chain *c) {
  const struct luaws_provider_task t = {.context = c->context};
  return luaws_provider_now(&t);
}

/* What must be right whichever provider it will be: botocore looks at these when it makes
   its chain, so a wrong one is told even when there are keys in the environment. */
static int check_settings(const struct luaws_chain *c, struct luaws_error *err) {
  struct luaws_settings *s = c->context->settings;
  const struct luaws_ini_section *profile = NULL;
  struct luaws_setting v = {0};
  const char *mode = NULL;
  int rc = luaws_settings_profile(s, &profile, err);
  if (rc == 0)
    rc = luaws_settings_get(s, LUAWS_SETTING_METADATA_SERVICE_TIMEOUT, &v, err);
  if (rc == 0) {
    rc = luaws_settings_get(s, LUAWS_SETTING_METADATA_SERVICE_NUM_ATTEMPTS, &v, err);
  }
  if (rc == 0) rc = luaws_settings_imds_mode(s, &mode, err);
  if (rc == 0) {
    rc = luaws_settings_get(s, LUAWS_SETTING_EC2_METADATA_SERVICE_ENDPOINT, &v, err);
  }
  if (rc == 0 && v.text.len && !luaws_endpoint_url_is_valid(v.text)) {
    struct luaws_shown_url shown = luaws_url_shown(v.text);
    rc = luaws_error_set(err, LUAWS_E_CONFIG, "InvalidIMDSEndpointError",
                         "Invalid endpoint EC2 Instance Metadata endpoint: %.*s%s%.*s",
                         LUAWS_URL_ARG(shown));
    luaws_setting_add_source(&v, err);
  }
  return rc;
}

static void begin_task(struct luaws_chain *c, const struct luaws_provider *provider,
                       bool refresh) {
  bool of_profile = c->profile_name.ptr != NULL;
  struct luaws_settings *s = c->context->settings;
  c->asked = *provider;
  c->task = (struct luaws_provider_task){
      .context = c->context,
      .provider = &c->asked,
      .profile_name = of_profile ? c->profile_name : luaws_settings_profile_name(s),
      .ignore_environment = of_profile || luaws_settings_profile_in_code(s),
      .refresh = refresh,
      .later = c->later,
      .wake = wake,
      .wake_arg = c,
      .notes = &c->note,
  };
  c->awake = true;
  luaws_buf_reset(&c->note);
}

/* ---- what they said ---- */

static void forget_notes(struct luaws_chain *c) {
  luaws_arena_clear(&c->note_arena);
  c->notes = luaws_arena_alloc(&c->note_arena, (c->count + 1) * sizeof *c->notes);
  c->note_count = 0;
  c->note_cap = c->notes ? c->count : 0;
}

static void keep_note(struct luaws_chain *c, int answer, const struct luaws_error *err) {
  struct luaws_str text = answer < 0 && err ? luaws_str_from(luaws_error_message(err))
                                            : luaws_buf_str(&c->note);
  const char *said = answer == LUAWS_FOUND   ? "found"
                     : answer == LUAWS_LATER ? "will be asked"
                     : answer < 0            ? "failed"
                                             : "passed";
  luaws_log(LUAWS_LOG_DEBUG, "luaws.credentials", "%s %s%s%.*s", c->asked.name, said,
            text.len ? ": " : "", LUAWS_STR_ARG(text));
  if (c->alone && !c->task.refresh && c->note_count) c->note_count--; /* said LATER */
  if (c->task.refresh || c->note_count == c->note_cap) return;
  c->notes[c->note_count++] =
      (struct luaws_chain_note){.provider = c->asked.name,
                                .answer = answer,
                                .text = luaws_arena_str(&c->note_arena, text)};
}

const struct luaws_chain_note *luaws_chain_note(const struct luaws_chain *c, size_t i) {
  return i < c->note_count ? &c->notes[i] : NULL;
}

/* Steps the task until it answers or has to wait. */
static int step_task(struct luaws_chain *c, struct luaws_credentials **found,
                     struct luaws_error *err) {
  int rc = LUAWS_PENDING;
  while (rc == LUAWS_PENDING && c->awake) {
    c->awake = false;
    rc = c->task.provider->step(&c->task, found, err);
  }
  if (rc != LUAWS_PENDING) {
    keep_note(c, rc, err);
    end_task(c);
  }
  return rc;
}

static void keep(struct luaws_chain *c, struct luaws_credentials *found) {
  c->source = *c->task.provider;
  luaws_credentials_release(c->current);
  c->current = found;
  c->rest_until_s = now_s(c) + LUAWS_REFRESH_PAUSE_S;
}

/* Goes on with the search. FOUND: c->current is new. */
static int go_on(struct luaws_chain *c, struct luaws_error *err) {
  struct luaws_credentials *found = NULL;
  int rc = step_task(c, &found, err);
  while (rc == LUAWS_PASS && !c->alone && ++c->at < c->count) {
    begin_task(c, &c->providers[c->at], false);
    rc = step_task(c, &found, err);
  }
  if (rc == LUAWS_PASS && c->alone) {
    rc = luaws_provider_failed(&c->task, err, "nothing to refresh from any more");
  }
  if (rc == LUAWS_FOUND) keep(c, found);
  if (rc == LUAWS_LATER) c->source = *c->task.provider;
  return rc;
}

static int begin_search(struct luaws_chain *c, bool later, struct luaws_error *err) {
  bool alone = c->source.name != NULL;
  int rc = alone ? 0 : check_settings(c, err);
  if (rc) return rc;
  c->searching = true;
  c->later = later;
  c->alone = alone;
  c->search++;
  c->at = 0;
  if (!alone) forget_notes(c);
  if (!alone && c->count == 0) return LUAWS_PASS;
  begin_task(c, alone ? &c->source : &c->providers[0], c->current != NULL);
  return LUAWS_PENDING;
}

static int still_expired(struct luaws_error *err) {
  int rc = luaws_error_set(err, LUAWS_E_CREDENTIALS, "RuntimeError",
                           "Credentials were refreshed, but the refreshed credentials "
                           "are still expired.");
  luaws_error_add(err, " (Is the clock of this machine right?)");
  return rc;
}

/* Runs a search, and another behind it: a refresh when what it found has expired already,
   and a real one when it was content with less than is wanted now. */
static int run(struct luaws_chain *c, bool later, struct luaws_error *err) {
  int rc = c->searching ? LUAWS_PENDING : begin_search(c, later, err);
  while (rc == LUAWS_PENDING) {
    bool refresh = c->task.refresh;
    rc = go_on(c, err);
    if (rc == LUAWS_PENDING) return rc;
    if (rc == LUAWS_LATER && !later) {
      rc = begin_search(c, false, err);
      continue;
    }
    if (rc != LUAWS_FOUND || !c->current->expiry_s || c->current->expiry_s > now_s(c)) {
      break;
    }
    if (refresh) {
      rc = still_expired(err);
    } else {
      rc = begin_search(c, false, err);
    }
  }
  c->searching = false;
  return rc;
}

/* For those who waited for this search and will ask how it went. */
static void remember_end(struct luaws_chain *c, int rc, const struct luaws_error *err) {
  c->ended_search = c->search;
  c->ended_answer = rc;
  luaws_error_clear(&c->ended_error);
  if (rc < 0 && err) luaws_error_copy(&c->ended_error, err);
}

/* Did waiter wait for a search that brought nothing? Then that is its answer. */
static bool tell_end(struct luaws_chain *c, struct luaws_chain_waiter *w, int *rc,
                     struct luaws_error *err) {
  if (!w || !w->search || w->search != c->ended_search) return false;
  w->search = 0;
  *rc = c->ended_answer;
  if (*rc < 0) luaws_error_copy(err, &c->ended_error);
  return true;
}

int luaws_chain_get(struct luaws_chain *c, struct luaws_chain_waiter *waiter,
                    struct luaws_credentials **out, struct luaws_error *err) {
  struct luaws_error problem = {0};
  int64_t left = INT64_MAX;
  int rc = LUAWS_FOUND;
  *out = NULL;
  if (tell_end(c, waiter, &rc, err)) return rc;
  int64_t now = now_s(c);
  if (c->current && c->current->expiry_s) left = c->current->expiry_s - now;
  bool usable = c->current && left >= LUAWS_MANDATORY_REFRESH_S;
  bool resting = c->current && left > 0 && now < c->rest_until_s && !c->searching;
  if (!c->current || (left < LUAWS_ADVISORY_REFRESH_S && !resting)) {
    rc = run(c, false, &problem);
    if (rc == LUAWS_PASS || rc < 0) remember_end(c, rc, &problem);
    if (rc < 0 && usable) {
      c->rest_until_s = now + LUAWS_REFRESH_PAUSE_S;
      luaws_log(LUAWS_LOG_WARNING, "luaws.credentials",
                "refreshing the credentials failed, they are good for another %lld s: %s",
                (long long)left, luaws_error_message(&problem));
    }
    /* Credentials that will do for a while longer make good a refresh that has not come
       yet, or failed. */
    if (rc != LUAWS_FOUND && usable) {
      luaws_error_clear(&problem);
      rc = LUAWS_FOUND;
    }
  }
  if (rc == LUAWS_FOUND) *out = luaws_credentials_acquire(c->current);
  if (rc == LUAWS_PENDING) enqueue(c, waiter);
  if (rc < 0) {
    luaws_error_move(err ? err : &problem, &problem);
  }
  luaws_error_clear(&problem);
  if (waiter && rc != LUAWS_PENDING) waiter->search = 0;
  return rc;
}

int luaws_chain_find(struct luaws_chain *c, struct luaws_chain_waiter *waiter,
                     struct luaws_str *method, struct luaws_error *err) {
  int rc = LUAWS_FOUND;
  *method = LUAWS_STR_NONE;
  if (tell_end(c, waiter, &rc, err)) return rc;
  if (!c->current && !c->source.name) {
    struct luaws_error problem = {0};
    rc = run(c, true, &problem);
    if (rc == LUAWS_PASS || rc < 0) remember_end(c, rc, &problem);
    if (rc == LUAWS_PENDING) enqueue(c, waiter);
    if (rc < 0) luaws_error_move(err ? err : &problem, &problem);
    luaws_error_clear(&problem);
  }
  if (waiter && rc != LUAWS_PENDING) waiter->search = 0;
  if (rc != LUAWS_FOUND && rc != LUAWS_LATER) return rc;
  *method = c->current ? c->current->method : luaws_str_from(c->source.name);
  return LUAWS_FOUND;
}
