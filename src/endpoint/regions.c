#include "endpoint/regions.h"

#include "endpoint/region_match.h"
#include "model/model.h"

/* Where a fact about an endpoint is looked for, the nearest first. */
enum { MOST_SOURCES = 6 };
struct sources {
  const struct luaws_node *list[MOST_SOURCES];
  size_t count;
};

static const struct luaws_node *get(const struct luaws_node *map, const char *key) {
  return map && map->type == LUAWS_NODE_MAP ? luaws_node_get(map, luaws_str_from(key))
                                            : NULL;
}

static const struct luaws_node *get_str(const struct luaws_node *map,
                                        struct luaws_str key) {
  return map && map->type == LUAWS_NODE_MAP ? luaws_node_get(map, key) : NULL;
}

static struct luaws_str get_text(const struct luaws_node *map, const char *key) {
  const struct luaws_node *n = get(map, key);
  return n && n->type == LUAWS_NODE_STRING ? luaws_node_text(n) : LUAWS_STR_NONE;
}

static uint32_t list_count(const struct luaws_node *n) {
  return n && n->type == LUAWS_NODE_LIST ? n->count : 0;
}

static const struct luaws_node *partition_node(const struct luaws_node *endpoints,
                                               uint32_t i) {
  const struct luaws_node *list = get(endpoints, "partitions");
  return i < list_count(list) ? luaws_node_at(list, i) : NULL;
}

static const struct luaws_node *partition_named(const struct luaws_node *endpoints,
                                                struct luaws_str name) {
  const struct luaws_node *p;
  for (uint32_t i = 0; (p = partition_node(endpoints, i)); i++) {
    if (luaws_str_eq(get_text(p, "partition"), name)) return p;
  }
  return NULL;
}

static bool list_has(const struct luaws_node *list, const char *text) {
  for (uint32_t i = 0; i < list_count(list); i++) {
    if (luaws_str_is(luaws_node_text(luaws_node_at(list, i)), text)) return true;
  }
  return false;
}

/* The variant with exactly these tags, or NULL. */
static const struct luaws_node *find_variant(const struct luaws_node *owner,
                                             bool dualstack, bool fips) {
  const struct luaws_node *variants = get(owner, "variants");
  for (uint32_t i = 0; i < list_count(variants); i++) {
    const struct luaws_node *v = luaws_node_at(variants, i);
    const struct luaws_node *tags = get(v, "tags");
    if (list_has(tags, "dualstack") == dualstack && list_has(tags, "fips") == fips &&
        list_count(tags) == (uint32_t)dualstack + fips)
      return v;
  }
  return NULL;
}

/* ---- partitions ---- */

struct luaws_str luaws_partition_at(const struct luaws_node *endpoints, uint32_t i) {
  return get_text(partition_node(endpoints, i), "partition");
}

int luaws_partition_for_region(const struct luaws_node *endpoints,
                               struct luaws_str region, struct luaws_str *out,
                               struct luaws_error *err) {
  const struct luaws_node *p;
  for (uint32_t i = 0; (p = partition_node(endpoints, i)); i++) {
    if (!luaws_region_match(p, region)) continue;
    *out = get_text(p, "partition");
    return 0;
  }
  return luaws_error_set(
      err, LUAWS_E_ENDPOINT, "UnknownRegionError",
      "Unknown region: '%.*s'. No partition found for provided region_name.",
      LUAWS_STR_ARG(region));
}

/* ---- regions of a service ---- */

static const struct luaws_node *service_node(const struct luaws_node *partition,
                                             struct luaws_str service) {
  return get_str(get(partition, "services"), service);
}

struct luaws_str luaws_regions_next(const struct luaws_node *endpoints,
                                    const struct luaws_regions_query *query,
                                    uint32_t *at) {
  const struct luaws_node *partition = partition_named(
      endpoints, query->partition.ptr ? query->partition : LUAWS_STR("aws"));
  const struct luaws_node *names =
      get(service_node(partition, query->service), "endpoints");
  const struct luaws_node *regions = get(partition, "regions");
  bool wants_variant = query->dualstack || query->fips;
  while (names && *at < names->count) {
    struct luaws_str name;
    const struct luaws_node *endpoint = luaws_node_entry_at(names, (*at)++, &name);
    bool regional = get_str(regions, name) != NULL;
    bool wanted = wants_variant && regional
                      ? find_variant(endpoint, query->dualstack, query->fips) != NULL
                      : regional || query->allow_non_regional;
    if (wanted) return name;
  }
  return LUAWS_STR_NONE;
}

/* ---- one endpoint ---- */

static const struct luaws_node *look_up(const struct sources *s, const char *key) {
  for (size_t i = 0; i < s->count; i++) {
    const struct luaws_node *n = get(s->list[i], key);
    if (n) return n;
  }
  return NULL;
}

static struct luaws_str look_up_text(const struct sources *s, const char *key) {
  const struct luaws_node *n = look_up(s, key);
  return n && n->type == LUAWS_NODE_STRING ? luaws_node_text(n) : LUAWS_STR_NONE;
}

static int refuse_variant(const struct luaws_region_request *r, struct luaws_error *err,
                          const char *why, struct luaws_str what,
                          struct luaws_str region) {
  const char *tags = !r->fips       ? "'dualstack'"
                     : r->dualstack ? "'dualstack', 'fips'"
                                    : "'fips'";
  return luaws_error_set(err, LUAWS_E_ENDPOINT, "EndpointVariantError",
                         "Unable to construct a modeled endpoint with the following "
                         "variant(s) [%s]: %s%.*s%s%.*s",
                         tags, why, LUAWS_STR_ARG(what), region.len ? " in region " : "",
                         LUAWS_STR_ARG(region));
}

static void add_source(struct sources *s, const struct luaws_node *n) {
  if (n) s->list[s->count++] = n;
}

/* "{service}.{region}.{dnsSuffix}" with its names filled in. */
static struct luaws_str expand(struct luaws_arena *arena, struct luaws_str text,
                               struct luaws_str service, struct luaws_str region,
                               struct luaws_str dns_suffix) {
  const struct {
    struct luaws_str name, value;
  } names[] = {{LUAWS_STR("{service}"), service},
               {LUAWS_STR("{region}"), region},
               {LUAWS_STR("{dnsSuffix}"), dns_suffix}};
  if (luaws_str_find(text, '{') < 0) return text;
  struct luaws_buf out = {0};
  while (text.len) {
    size_t i = 0;
    while (i < 3 && !luaws_str_starts(text, names[i].name))
      i++;
    if (i < 3) luaws_buf_append_str(&out, names[i].value);
    if (i == 3) luaws_buf_append_char(&out, text.ptr[0]);
    text = luaws_str_sub(text, i < 3 ? names[i].name.len : 1, text.len);
  }
  struct luaws_str made =
      out.failed ? LUAWS_STR_NONE : luaws_arena_str(arena, luaws_buf_str(&out));
  luaws_buf_clear(&out);
  return made;
}

/* Puts together what endpoint, service and partition say about one endpoint name. */
static int describe(const struct luaws_node *partition, const struct luaws_node *service,
                    struct luaws_str region, const struct luaws_region_request *r,
                    struct luaws_arena *arena, struct luaws_region_result *out,
                    struct luaws_error *err) {
  const struct luaws_node *endpoint = get_str(get(service, "endpoints"), region);
  const struct luaws_node *owners[] = {endpoint, get(service, "defaults"),
                                       get(partition, "defaults")};
  struct sources near = {0}; /* what may name a DNS suffix of its own */
  for (size_t i = 0; (r->dualstack || r->fips) && i < 3; i++)
    add_source(&near, find_variant(owners[i], r->dualstack, r->fips));
  if ((r->dualstack || r->fips) && !near.count)
    return refuse_variant(r, err, "Endpoint does not exist for ", r->service, region);
  add_source(&near, endpoint);
  struct sources all = near;
  add_source(&all, owners[1]);
  add_source(&all, owners[2]);

  const struct luaws_node *scope = look_up(&all, "credentialScope");
  const struct luaws_node *deprecated = look_up(&all, "deprecated");
  struct luaws_str own_suffix = look_up_text(&near, "dnsSuffix");
  out->partition = get_text(partition, "partition");
  out->region = region;
  out->dns_suffix = own_suffix.ptr ? own_suffix : get_text(partition, "dnsSuffix");
  out->hostname =
      expand(arena, look_up_text(&all, "hostname"), r->service, region, out->dns_suffix);
  out->ssl_common_name = expand(arena, look_up_text(&all, "sslCommonName"), r->service,
                                region, out->dns_suffix);
  out->signing_region = get_text(scope, "region");
  out->signing_name = get_text(scope, "service");
  out->signature_versions = look_up(&all, "signatureVersions");
  out->https = list_has(look_up(&all, "protocols"), "https");
  out->deprecated = deprecated && deprecated->type == LUAWS_NODE_TRUE;
  return out->hostname.ptr ? 0 : luaws_error_memory(err);
}

/* The name under which a service's endpoint for region is found in partition, or none
   when this partition has nothing to do with it. */
static struct luaws_str endpoint_name(const struct luaws_node *partition,
                                      const struct luaws_node *service,
                                      struct luaws_str region, bool forced) {
  if (get_str(get(service, "endpoints"), region)) return region;
  if (!forced && !luaws_region_match(partition, region)) return LUAWS_STR_NONE;
  struct luaws_str global = get_text(service, "partitionEndpoint");
  const struct luaws_node *regionalized = get(service, "isRegionalized");
  bool only_global = global.len && regionalized && regionalized->type == LUAWS_NODE_FALSE;
  return only_global ? global : region;
}

/* ADVICE: lua/luaws/errors.lua has the same words. */
int luaws_no_region(int code, struct luaws_error *err) {
  luaws_error_set(err, code, "NoRegionError", "You must specify a region.");
  luaws_error_add(
      err, " It may be region_name in code, AWS_REGION, or region in the profile.");
  return code;
}

static int resolve_in(const struct luaws_node *partition,
                      const struct luaws_region_request *r, bool forced,
                      struct luaws_arena *arena, struct luaws_region_result *out,
                      bool *found, struct luaws_error *err) {
  const struct luaws_node *service = service_node(partition, r->service);
  struct luaws_str region = r->region;
  if (!region.ptr) region = get_text(service, "partitionEndpoint");
  if (!region.ptr) return luaws_no_region(LUAWS_E_ENDPOINT, err);
  region = endpoint_name(partition, service, region, forced);
  if (!region.ptr) return 0;
  *found = true;
  return describe(partition, service, region, r, arena, out, err);
}

/* Two old partitions say nothing of variants but are known to have no dual stack. */
static bool lacks_dualstack(const struct luaws_node *partition) {
  struct luaws_str name = get_text(partition, "partition");
  return luaws_str_is(name, "aws-iso") || luaws_str_is(name, "aws-iso-b");
}

int luaws_region_resolve(const struct luaws_node *endpoints,
                         const struct luaws_region_request *request,
                         struct luaws_arena *arena, struct luaws_region_result *out,
                         bool *found, struct luaws_error *err) {
  struct luaws_region_request r = *request;
  *out = (struct luaws_region_result){0};
  *found = false;
  if (luaws_str_is(r.service, "s3") && r.dualstack && !r.region.ptr)
    r.region = LUAWS_STR("us-east-1");
  if (r.partition.ptr) {
    const struct luaws_node *p = partition_named(endpoints, r.partition);
    if (p && r.dualstack && lacks_dualstack(p))
      return refuse_variant(
          &r, err, "Dualstack endpoints are currently not supported for partition ",
          r.partition, LUAWS_STR_NONE);
    return p ? resolve_in(p, &r, true, arena, out, found, err) : 0;
  }
  int rc = 0;
  const struct luaws_node *p;
  for (uint32_t i = 0; rc == 0 && !*found && (p = partition_node(endpoints, i)); i++) {
    if (!r.dualstack || !lacks_dualstack(p))
      rc = resolve_in(p, &r, false, arena, out, found, err);
  }
  return rc;
}

int luaws_region_for_client(const struct luaws_node *endpoints,
                            const struct luaws_region_request *request,
                            struct luaws_arena *arena, struct luaws_region_result *out,
                            struct luaws_error *err) {
  struct luaws_region_request r = *request;
  bool found;
  int rc = luaws_region_resolve(endpoints, &r, arena, out, &found, err);
  if (rc == 0 && !found && !r.partition.ptr) {
    r.partition = LUAWS_STR("aws");
    rc = luaws_region_resolve(endpoints, &r, arena, out, &found, err);
  }
  if (rc) return rc;
  if (!found) {
    /* An endpoints.json of the user's that does not even have "aws". */
    out->region = r.region;
    out->hostname = expand(arena, LUAWS_STR("{service}.{region}.amazonaws.com"),
                           r.service, r.region, LUAWS_STR(""));
    out->https = true;
    if (!out->hostname.ptr) return luaws_error_memory(err);
  }
  if (!out->signing_region.ptr) out->signing_region = out->region;
  return 0;
}
