#include "client/endpoint_params.h"

#include <stdlib.h>

#include "client/param_path.h"
#include "client/region.h"
#include "model/xform.h"

/* ---- what the client itself knows ---- */

static bool is_on(enum luaws_choice choice) {
  return choice == LUAWS_YES;
}

static bool path_style(const struct luaws_client *c) {
  const struct luaws_client_config *g = c->config;
  if (is_on(g->s3.use_accelerate_endpoint)) return false;
  if (c->custom_endpoint.len) return !luaws_str_is(g->s3.addressing_style, "virtual");
  return luaws_str_is(g->s3.addressing_style, "path");
}

static bool dualstack(const struct luaws_client *c) {
  const struct luaws_client_config *g = c->config;
  bool s3 =
      luaws_str_is(c->service_name, "s3") || luaws_str_is(c->service_name, "s3control");
  if (s3 && (g->s3_dualstack_in_code || is_on(g->s3.use_dualstack_endpoint)))
    return is_on(g->s3.use_dualstack_endpoint);
  return is_on(g->use_dualstack_endpoint);
}

/* The value of a built-in parameter, by the name that AWS's endpoint rules give it. False
 * when it has none. */
static bool builtin_value(const struct luaws_call *call, const struct luaws_client *c,
                          struct luaws_str name, struct luaws_endpoint_param *out) {
  const struct luaws_client_config *g = c->config;
  struct luaws_str given =
      c->custom_endpoint.len ? c->custom_endpoint : c->legacy_endpoint;
  const struct {
    const char *name;
    int boolean; /* -1: it is text */
    struct luaws_str text;
  } values[] = {
      {"AWS::Region", -1, c->region},
      {"AWS::UseFIPS", !given.len && is_on(g->use_fips_endpoint), LUAWS_STR_NONE},
      {"AWS::UseDualStack", !given.len && dualstack(c), LUAWS_STR_NONE},
      {"SDK::Endpoint", -1, given},
      {"AWS::Auth::AccountId", -1,
       call && call->credentials ? call->credentials->account_id : LUAWS_STR_NONE},
      {"AWS::Auth::AccountIdEndpointMode", -1,
       c->unsigned_requests ? LUAWS_STR("disabled") : g->account_id_endpoint_mode},
      {"AWS::STS::UseGlobalEndpoint", c->global_sts_endpoint, LUAWS_STR_NONE},
      {"AWS::S3::Accelerate", is_on(g->s3.use_accelerate_endpoint), LUAWS_STR_NONE},
      {"AWS::S3::ForcePathStyle", path_style(c), LUAWS_STR_NONE},
      {"AWS::S3::UseGlobalEndpoint", c->global_s3_endpoint && !(call && call->presign),
       LUAWS_STR_NONE},
      {"AWS::S3::DisableMultiRegionAccessPoints",
       is_on(g->s3.s3_disable_multiregion_access_points), LUAWS_STR_NONE},
      {"AWS::S3::UseArnRegion", g->s3.use_arn_region != LUAWS_NO, LUAWS_STR_NONE},
      {"AWS::S3Control::UseArnRegion", is_on(g->s3.use_arn_region), LUAWS_STR_NONE},
      {"AWS::S3::DisableS3ExpressSessionAuth", is_on(g->s3_disable_express_session_auth),
       LUAWS_STR_NONE},
  };
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    if (!luaws_str_is(name, values[i].name)) continue;
    if (values[i].boolean >= 0) {
      out->type = LUAWS_EP_BOOLEAN;
      out->boolean = values[i].boolean;
      return true;
    }
    out->type = LUAWS_EP_STRING;
    out->text = values[i].text;
    return out->text.len > 0;
  }
  return false;
}

/* A setting of the client that the service's model declares (clientContextParams), from
   the config table's client_context_params by its name in snake_case. */
static bool context_value(const struct luaws_client *c, struct luaws_str name,
                          struct luaws_endpoint_param *out) {
  if (!c->service->client_context_count) return false;
  if (luaws_str_is(name, "DisableS3ExpressSessionAuth")) {
    enum luaws_choice off = c->config->s3.disable_s3_express_session_auth != LUAWS_UNSET
                                ? c->config->s3.disable_s3_express_session_auth
                                : c->config->s3_disable_express_session_auth;
    if (off != LUAWS_UNSET) {
      out->type = LUAWS_EP_BOOLEAN;
      out->boolean = is_on(off);
      return true;
    }
  }
  if (!c->config->client_context_params) return false;
  struct luaws_buf snake = {0};
  luaws_xform_name(name, '_', &snake);
  const struct luaws_tree *v =
      snake.failed ? NULL : luaws_tree_get(c->config->client_context_params, snake.ptr);
  luaws_buf_clear(&snake);
  if (v && v->kind == LUAWS_KIND_BOOLEAN) {
    out->type = LUAWS_EP_BOOLEAN;
    out->boolean = v->boolean;
  } else if (v && v->kind == LUAWS_KIND_STRING) {
    out->type = LUAWS_EP_STRING;
    out->text = v->text;
  } else {
    return false;
  }
  return true;
}

bool luaws_client_wants_account(struct luaws_client *c) {
  if (!c->rules || c->custom_endpoint.len || c->unsigned_requests ||
      luaws_str_is(c->config->account_id_endpoint_mode, "disabled"))
    return false;
  if (!c->account_known) {
    const struct luaws_rule_param *p;
    for (unsigned i = 0; (p = luaws_rules_param(c->rules, i)); i++) {
      if ((p->flags & LUAWS_RULE_PARAM_USED) &&
          luaws_str_is(luaws_ref_text(&p->built_in), "AWS::Auth::AccountId"))
        c->account_wanted = true;
    }
    c->account_known = true;
  }
  return c->account_wanted;
}

/* ---- what the operation and its parameters say ---- */

static bool static_value(const struct luaws_node *n, struct luaws_arena *arena,
                         struct luaws_endpoint_param *out) {
  if (n->type == LUAWS_NODE_TRUE || n->type == LUAWS_NODE_FALSE) {
    out->type = LUAWS_EP_BOOLEAN;
    out->boolean = n->type == LUAWS_NODE_TRUE;
  } else if (n->type == LUAWS_NODE_STRING) {
    out->type = LUAWS_EP_STRING;
    out->text = luaws_node_text(n);
  } else if (n->type == LUAWS_NODE_LIST) {
    struct luaws_str *texts = luaws_arena_alloc(arena, n->count * sizeof *texts);
    if (!texts) return false;
    for (uint32_t i = 0; i < n->count; i++)
      texts[i] = luaws_node_text(luaws_node_at(n, i));
    out->type = LUAWS_EP_STRINGS;
    out->texts = texts;
    out->text_count = n->count;
  } else {
    return false;
  }
  return true;
}

static bool operation_param(const struct luaws_operation_extra *x, struct luaws_str name,
                            struct luaws_arena *arena, struct luaws_endpoint_param *out) {
  const struct luaws_static_param *p = x ? luaws_ref_get(&x->static_params) : NULL;
  for (unsigned i = 0; p && i < x->static_param_count; i++) {
    if (luaws_str_eq(luaws_ref_text(&p[i].name), name)) {
      return static_value(luaws_ref_get(&p[i].value), arena, out);
    }
  }
  return false;
}

/* The reader stands on the value. */
static bool reader_value(struct luaws_reader *r, struct luaws_arena *arena,
                         struct luaws_endpoint_param *out) {
  switch (r->ops->kind(r)) {
  case LUAWS_KIND_STRING:
    out->type = LUAWS_EP_STRING;
    out->text = luaws_arena_str(arena, r->ops->bytes(r));
    return out->text.ptr != NULL;
  case LUAWS_KIND_BOOLEAN:
    out->type = LUAWS_EP_BOOLEAN;
    out->boolean = r->ops->boolean(r);
    return true;
  default:
    return false;
  }
}

static bool member_value(const struct luaws_shape *input, struct luaws_str name,
                         struct luaws_reader *r, struct luaws_arena *arena,
                         struct luaws_endpoint_param *out) {
  for (unsigned i = 0; input && r && i < input->member_count; i++) {
    const struct luaws_member *m = luaws_shape_member_at(input, i);
    if (!(m->flags & LUAWS_MEMBER_ENDPOINT_PARAM)) continue;
    const struct luaws_member_extra *x = luaws_ref_get(&m->extra);
    if (!luaws_str_eq(luaws_ref_text(&x->context_param), name)) continue;
    if (!r->ops->enter_member(r, luaws_ref_text(&m->name))) return false;
    bool found = reader_value(r, arena, out);
    r->ops->leave(r);
    return found;
  }
  return false;
}

/* A path may find many texts; a parameter that is one text takes the first. */
static bool path_value(const struct luaws_operation_extra *x,
                       const struct luaws_rule_param *rule, struct luaws_reader *r,
                       struct luaws_arena *arena, struct luaws_endpoint_param *out) {
  struct luaws_str name = luaws_ref_text(&rule->name);
  const struct luaws_static_param *p =
      x && r ? luaws_ref_get(&x->operation_params) : NULL;
  for (unsigned i = 0; p && i < x->operation_param_count; i++) {
    if (!luaws_str_eq(luaws_ref_text(&p[i].name), name)) continue;
    out->text_count = luaws_param_path_texts(luaws_node_text(luaws_ref_get(&p[i].value)),
                                             r, arena, &out->texts);
    if (out->text_count == 0) return false;
    out->type =
        rule->type == LUAWS_RULE_PARAM_STRINGS ? LUAWS_EP_STRINGS : LUAWS_EP_STRING;
    out->text = out->texts[0];
    return true;
  }
  return false;
}

/* All parameters that the rules take and that have a value; call may be NULL. */
static int collect(const struct luaws_client *c, const struct luaws_call *call,
                   struct luaws_reader *r, struct luaws_arena *arena,
                   struct luaws_endpoint_param **out, size_t *count,
                   struct luaws_error *err) {
  const struct luaws_operation *op = call ? call->operation : NULL;
  const struct luaws_operation_extra *x = op ? luaws_ref_get(&op->extra) : NULL;
  const struct luaws_shape *input = op ? luaws_ref_get(&op->input) : NULL;
  struct luaws_endpoint_param *params =
      luaws_arena_alloc(arena, c->rules->param_count * sizeof *params);
  if (!params) return luaws_error_memory(err);
  size_t n = 0;
  const struct luaws_rule_param *p;
  for (unsigned i = 0; (p = luaws_rules_param(c->rules, i)); i++) {
    if (!(p->flags & LUAWS_RULE_PARAM_USED))
      continue; /* no rule looks at it: it would only keep answers apart */
    struct luaws_str builtin = luaws_ref_text(&p->built_in);
    params[n] = (struct luaws_endpoint_param){.name = luaws_ref_text(&p->name)};
    if (operation_param(x, params[n].name, arena, &params[n]) ||
        member_value(input, params[n].name, r, arena, &params[n]) ||
        path_value(x, p, r, arena, &params[n]) ||
        context_value(c, params[n].name, &params[n]) ||
        (builtin.len && builtin_value(call, c, builtin, &params[n]))) {
      n++;
    }
  }
  *out = params;
  *count = n;
  return 0;
}

/* Whether the host may name the account, and does. */
static void note_account(struct luaws_call *call) {
  for (size_t i = 0; i < call->endpoint_param_count; i++) {
    const struct luaws_endpoint_param *p = &call->endpoint_params[i];
    if (p->type != LUAWS_EP_STRING || !luaws_str_starts(p->name, LUAWS_STR("AccountId")))
      continue;
    if (luaws_str_is(p->name, "AccountId"))
      call->features |= luaws_feature_bit(LUAWS_FEATURE_ACCOUNT_RESOLVED);
    if (luaws_str_is(p->name, "AccountIdEndpointMode"))
      call->features |= luaws_feature_bit(
          luaws_str_is(p->text, "disabled")   ? LUAWS_FEATURE_ACCOUNT_DISABLED
          : luaws_str_is(p->text, "required") ? LUAWS_FEATURE_ACCOUNT_REQUIRED
                                              : LUAWS_FEATURE_ACCOUNT_PREFERRED);
  }
}

int luaws_call_collect_endpoint_params(struct luaws_call *call, struct luaws_error *err) {
  if (!call->client->rules) return 0;
  int rc = collect(call->client, call, call->params, &call->arena, &call->endpoint_params,
                   &call->endpoint_param_count, err);
  if (rc == 0) note_account(call);
  return rc;
}

/* ---- answers that can be used again ---- */

enum { CACHE_SLOTS = 64 };

/* What the rules said for the parameters written down in key. Counted: a call goes on
   reading an answer whose slot was given to another. */
struct luaws_cached_endpoint {
  struct luaws_endpoint endpoint; /* first: a call only sees this */
  struct luaws_arena arena;
  struct luaws_str key;
  unsigned references;
};

struct luaws_endpoint_cache {
  struct luaws_cached_endpoint *slots[CACHE_SLOTS]; /* by hash of the key */
  struct luaws_buf key;                             /* of the one looked for */
};

void luaws_endpoint_release(const struct luaws_endpoint *e) {
  struct luaws_cached_endpoint *entry = (struct luaws_cached_endpoint *)e;
  if (!entry || --entry->references) return;
  luaws_arena_clear(&entry->arena);
  free(entry);
}

void luaws_endpoint_cache_free(struct luaws_endpoint_cache *cache) {
  if (!cache) return;
  for (int i = 0; i < CACHE_SLOTS; i++) {
    if (cache->slots[i]) luaws_endpoint_release(&cache->slots[i]->endpoint);
  }
  luaws_buf_clear(&cache->key);
  free(cache);
}

static void write_key(struct luaws_buf *key, const struct luaws_endpoint_param *p,
                      size_t count) {
  luaws_buf_reset(key);
  for (size_t i = 0; i < count; i++) {
    luaws_buf_append_str(key, p[i].name);
    luaws_buf_append_char(key, '=');
    if (p[i].type == LUAWS_EP_BOOLEAN)
      luaws_buf_append_char(key, p[i].boolean ? 'y' : 'n');
    if (p[i].type == LUAWS_EP_STRING) luaws_buf_append_str(key, p[i].text);
    for (size_t k = 0; p[i].type == LUAWS_EP_STRINGS && k < p[i].text_count; k++) {
      luaws_buf_append_str(key, p[i].texts[k]);
      luaws_buf_append_char(key, ',');
    }
    luaws_buf_append_char(key, 0);
  }
}

static uint32_t hash(struct luaws_str s) {
  uint32_t h = 2166136261u; /* FNV-1a */
  for (size_t i = 0; i < s.len; i++)
    h = (h ^ (uint8_t)s.ptr[i]) * 16777619u;
  return h;
}

/* use_ssl = false: plain http where the rules, not the caller, chose the host. */
static int drop_tls(const struct luaws_client *c, struct luaws_arena *arena,
                    struct luaws_endpoint *e, struct luaws_error *err) {
  if (!c->no_ssl || c->custom_endpoint.len ||
      !luaws_str_starts(e->url, LUAWS_STR("https://")))
    return 0;
  struct luaws_buf url = {0};
  luaws_buf_append_cstr(&url, "http");
  luaws_buf_append_str(&url, luaws_str_sub(e->url, 5, e->url.len));
  e->url = url.failed ? LUAWS_STR_NONE : luaws_arena_str(arena, luaws_buf_str(&url));
  luaws_buf_clear(&url);
  return e->url.ptr ? 0 : luaws_error_memory(err);
}

static int resolve(struct luaws_client *c, const struct luaws_endpoint_param *params,
                   size_t count, struct luaws_arena *arena, struct luaws_endpoint *out,
                   struct luaws_error *err) {
  int rc = c->rules ? luaws_endpoint_resolve(c->rules, c->partitions, params, count,
                                             arena, out, err)
                    : luaws_client_legacy_endpoint(c, arena, out, err);
  return rc ? rc : drop_tls(c, arena, out, err);
}

static struct luaws_cached_endpoint *new_entry(struct luaws_str key) {
  struct luaws_cached_endpoint *entry = calloc(1, sizeof *entry);
  if (!entry) return NULL;
  entry->references = 1;
  entry->key = luaws_arena_str(&entry->arena, key);
  if (entry->key.ptr) return entry;
  luaws_endpoint_release(&entry->endpoint);
  return NULL;
}

/* The parameters in the arena of the answer, which may hold pieces of them: the region in
 * an ARN, say. */
static struct luaws_endpoint_param *keep(const struct luaws_call *call,
                                         struct luaws_arena *arena) {
  size_t count = call->endpoint_param_count;
  struct luaws_endpoint_param *kept =
      luaws_arena_alloc(arena, (count + 1) * sizeof *kept);
  for (size_t i = 0; kept && i < count; i++) {
    kept[i] = call->endpoint_params[i];
    if (kept[i].type == LUAWS_EP_STRING && kept[i].text.len) {
      kept[i].text = luaws_arena_str(arena, kept[i].text);
      if (!kept[i].text.ptr) return NULL;
    }
    if (kept[i].type != LUAWS_EP_STRINGS || !kept[i].text_count) continue;
    struct luaws_str *texts =
        luaws_arena_alloc(arena, kept[i].text_count * sizeof *texts);
    for (size_t k = 0; texts && k < kept[i].text_count; k++) {
      texts[k] = luaws_arena_str(arena, kept[i].texts[k]);
      if (!texts[k].ptr) return NULL;
    }
    if (!texts) return NULL;
    kept[i].texts = texts;
  }
  return kept;
}

static struct luaws_str text_param(const struct luaws_call *call, const char *name) {
  for (size_t i = 0; i < call->endpoint_param_count; i++) {
    const struct luaws_endpoint_param *p = &call->endpoint_params[i];
    if (p->type == LUAWS_EP_STRING && luaws_str_is(p->name, name)) return p->text;
  }
  return LUAWS_STR_NONE;
}

int luaws_call_resolve_endpoint(struct luaws_call *call, struct luaws_error *err) {
  struct luaws_client *c = call->client;
  if (!c->endpoints) c->endpoints = calloc(1, sizeof *c->endpoints);
  if (!c->endpoints) return luaws_error_memory(err);
  write_key(&c->endpoints->key, call->endpoint_params, call->endpoint_param_count);
  if (c->endpoints->key.failed) return luaws_error_memory(err);
  struct luaws_str key = luaws_buf_str(&c->endpoints->key);
  struct luaws_cached_endpoint **slot = &c->endpoints->slots[hash(key) % CACHE_SLOTS];
  if (!*slot || !luaws_str_eq((*slot)->key, key)) {
    struct luaws_cached_endpoint *entry = new_entry(key);
    if (!entry) return luaws_error_memory(err);
    const struct luaws_endpoint_param *kept = keep(call, &entry->arena);
    int rc = kept ? resolve(c, kept, call->endpoint_param_count, &entry->arena,
                            &entry->endpoint, err)
                  : luaws_error_memory(err);
    if (rc) {
      luaws_endpoint_release(&entry->endpoint);
      luaws_endpoint_older_error(err, c->service_name, text_param(call, "Bucket"));
      return rc;
    }
    if (*slot) luaws_endpoint_release(&(*slot)->endpoint);
    *slot = entry;
  }
  (*slot)->references++;
  call->endpoint = &(*slot)->endpoint;
  return 0;
}

int luaws_client_resolve_default_endpoint(struct luaws_client *c,
                                          struct luaws_arena *arena,
                                          struct luaws_endpoint *out,
                                          struct luaws_error *err) {
  struct luaws_endpoint_param *params = NULL;
  size_t count = 0;
  struct luaws_error why = {0};
  int rc = c->rules ? collect(c, NULL, NULL, arena, &params, &count, err) : 0;
  if (rc == 0) rc = resolve(c, params, count, arena, out, &why);
  /* Some rules want more than a region: what is known without them is then all there is
   * to say. */
  if (why.code == LUAWS_E_ENDPOINT)
    rc = luaws_client_legacy_endpoint(c, arena, out, err);
  else if (rc)
    luaws_error_move(err, &why);
  luaws_error_clear(&why);
  return rc;
}
