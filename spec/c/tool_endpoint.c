/* Runs endpoint rules for scripts/walk-endpoints, which knows what botocore answers. One
   JSON value a line on standard input:
     {"partitions": {...}}                    the partitions from now on
     {"endpoints": {...}}                     the old endpoints.json from now on
     {"rules": {...}}                         the rule set from now on
     {"params": {"Region": "eu-west-1", …}}   resolve; answers a line
     {"repeat": 1000, "params": {...}}        the same, and how long one took
     {"resolve": {"service": "iam", "region": "us-east-1", "partition": …, "dualstack":
   true, "fips": true}}              by endpoints.json; answers a line
     {"regions": {"service": "s3", …}}        the names of its regions; answers a line
   A null among the parameters stands for a value of a type that no rule set takes. */
#include "endpoint/endpoint.h"
#include "endpoint/regions.h"
#include "model/section.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "endpoint_param.h"

struct tool {
  struct luaws_section *partitions;
  struct luaws_section *endpoints;
  struct luaws_section *rules;
  struct luaws_arena arena; /* of one line */
  struct luaws_buf out;
};

static const void *root_of(struct luaws_section *s) {
  bool failed = false;
  struct luaws_str bytes = s ? luaws_section_bytes(s, &failed) : LUAWS_STR_NONE;
  return failed || !bytes.len ? NULL : bytes.ptr;
}

static struct luaws_tree *new_node(struct tool *t, enum luaws_kind kind,
                                   const char *key) {
  struct luaws_tree *n = luaws_arena_alloc(&t->arena, sizeof *n);
  n->kind = kind;
  n->key = luaws_str_from(key);
  return n;
}

static void answer(struct tool *t, const struct luaws_tree *n) {
  luaws_buf_reset(&t->out);
  luaws_tree_print(n, &t->out, 0);
  printf("%.*s\n", LUAWS_STR_ARG(luaws_buf_str(&t->out)));
  fflush(stdout);
}

static void answer_error(struct tool *t, struct luaws_error *err) {
  struct luaws_tree *map = new_node(t, LUAWS_KIND_MAP, NULL);
  map->count = 1;
  map->first = new_node(t, LUAWS_KIND_STRING, "error");
  map->first->text = luaws_str_from(luaws_error_message(err));
  answer(t, map);
  luaws_error_clear(err);
}

static void answer_endpoint(struct tool *t, const struct luaws_endpoint *e, double us) {
  struct luaws_tree *map = new_node(t, LUAWS_KIND_MAP, NULL);
  struct luaws_tree *url = new_node(t, LUAWS_KIND_STRING, "url");
  struct luaws_tree *properties = new_node(t, LUAWS_KIND_MAP, "properties");
  struct luaws_tree *headers = new_node(t, LUAWS_KIND_MAP, "headers");
  struct luaws_tree *took = new_node(t, LUAWS_KIND_FLOAT, "us");
  url->text = e->url;
  properties->count = e->properties->count;
  properties->first = e->properties->first;
  headers->count = e->header_count;
  for (size_t i = e->header_count; i-- > 0;) {
    struct luaws_tree *h = new_node(t, LUAWS_KIND_STRING, NULL);
    h->key = e->headers[i].name;
    h->text = e->headers[i].value;
    h->next = headers->first;
    headers->first = h;
  }
  took->floating = us;
  map->count = 4;
  map->first = url;
  url->next = properties;
  properties->next = headers;
  headers->next = took;
  answer(t, map);
}

static double now_us(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void resolve(struct tool *t, const struct luaws_tree *params, int64_t repeat) {
  struct luaws_endpoint_param *list =
      luaws_arena_alloc(&t->arena, (params->count + 1) * sizeof *list);
  size_t count = 0;
  for (const struct luaws_tree *v = params->first; v; v = v->next)
    list[count++] = make_param(&t->arena, v);
  struct luaws_arena arena = {0};
  struct luaws_endpoint e;
  struct luaws_error err = {0};
  int rc = 0;
  double start = now_us();
  for (int64_t i = 0; i < repeat; i++) {
    luaws_error_clear(&err);
    luaws_arena_reset(&arena);
    rc = luaws_endpoint_resolve(root_of(t->rules), root_of(t->partitions), list, count,
                                &arena, &e, &err);
  }
  double us = (now_us() - start) / (double)repeat;
  if (rc) {
    answer_error(t, &err);
  } else {
    answer_endpoint(t, &e, us);
  }
  luaws_arena_clear(&arena);
}

/* ---- endpoints.json ---- */

static struct luaws_tree *add_child(struct tool *t, struct luaws_tree *to,
                                    const char *key, struct luaws_str text) {
  struct luaws_tree *n = new_node(t, LUAWS_KIND_STRING, key);
  struct luaws_tree **at = &to->first;
  while (*at)
    at = &(*at)->next;
  *at = n;
  to->count++;
  n->text = text;
  if (!text.ptr) n->kind = LUAWS_KIND_NULL;
  return n;
}

static void resolve_region(struct tool *t, const struct luaws_tree *q) {
  struct luaws_region_request request = {
      .service = luaws_tree_text(q, "service"),
      .region = luaws_tree_text(q, "region"),
      .partition = luaws_tree_text(q, "partition"),
      .dualstack = luaws_tree_flag(q, "dualstack"),
      .fips = luaws_tree_flag(q, "fips"),
  };
  struct luaws_region_result r;
  struct luaws_error err = {0};
  struct luaws_tree *out = new_node(t, LUAWS_KIND_MAP, NULL);
  bool found;
  if (luaws_region_resolve(root_of(t->endpoints), &request, &t->arena, &r, &found,
                           &err)) {
    add_child(t, out, "kind", luaws_str_from(err.kind));
  } else if (found) {
    add_child(t, out, "partition", r.partition);
    add_child(t, out, "endpointName", r.region);
    add_child(t, out, "hostname", r.hostname);
    add_child(t, out, "dnsSuffix", r.dns_suffix);
    add_child(t, out, "sslCommonName", r.ssl_common_name);
    add_child(t, out, "signingRegion", r.signing_region);
    add_child(t, out, "signingName", r.signing_name);
    struct luaws_tree *https = add_child(t, out, "https", LUAWS_STR_NONE);
    https->kind = LUAWS_KIND_BOOLEAN;
    https->boolean = r.https;
  }
  answer(t, out);
  luaws_error_clear(&err);
}

static void list_regions(struct tool *t, const struct luaws_tree *q) {
  struct luaws_regions_query query = {
      .service = luaws_tree_text(q, "service"),
      .partition = luaws_tree_text(q, "partition"),
      .allow_non_regional = luaws_tree_flag(q, "allow_non_regional"),
      .dualstack = luaws_tree_flag(q, "dualstack"),
      .fips = luaws_tree_flag(q, "fips"),
  };
  struct luaws_tree *out = new_node(t, LUAWS_KIND_LIST, NULL);
  struct luaws_str name;
  for (uint32_t at = 0;
       (name = luaws_regions_next(root_of(t->endpoints), &query, &at)).ptr;)
    add_child(t, out, NULL, name);
  answer(t, out);
}

static void load_node(struct luaws_section **to, const struct luaws_tree *tree) {
  if (!tree) return;
  luaws_section_free(*to);
  *to = luaws_section_new();
  luaws_section_node(*to, tree);
}

static void load_rules(struct tool *t, const struct luaws_tree *rules) {
  struct luaws_error err = {0};
  luaws_section_free(t->rules);
  t->rules = luaws_section_new();
  if (luaws_compile_rules(t->rules, rules, &err)) {
    fprintf(stderr, "%s\n", luaws_error_message(&err));
    exit(1);
  }
}

static void handle_line(struct tool *t, struct luaws_str line) {
  struct luaws_tree *request;
  struct luaws_error err = {0};
  if (luaws_tree_parse(&t->arena, line, &request, &err)) {
    fprintf(stderr, "%s\n", luaws_error_message(&err));
    exit(1);
  }
  const struct luaws_tree *rules = luaws_tree_get(request, "rules");
  const struct luaws_tree *params = luaws_tree_get(request, "params");
  const struct luaws_tree *repeat = luaws_tree_get(request, "repeat");
  const struct luaws_tree *region = luaws_tree_get(request, "resolve");
  const struct luaws_tree *regions = luaws_tree_get(request, "regions");
  load_node(&t->partitions, luaws_tree_get(request, "partitions"));
  load_node(&t->endpoints, luaws_tree_get(request, "endpoints"));
  if (rules) load_rules(t, rules);
  if (region) resolve_region(t, region);
  if (regions) list_regions(t, regions);
  if (params) resolve(t, params, repeat ? repeat->integer : 1);
}

int main(void) {
  struct tool t = {0};
  char *line = NULL;
  size_t cap = 0;
  ssize_t len;
  while ((len = getline(&line, &cap, stdin)) > 0) {
    handle_line(&t, (struct luaws_str){line, (size_t)len});
    luaws_arena_clear(&t.arena);
  }
  free(line);
  luaws_buf_clear(&t.out);
  luaws_section_free(t.partitions);
  luaws_section_free(t.endpoints);
  luaws_section_free(t.rules);
  return 0;
}
