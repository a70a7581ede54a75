#include "client/region.h"

#include "endpoint/regions.h"

/* Regions whose STS requests went to the global host before there were regional ones. */
static const char *const GLOBAL_STS_REGIONS[] = {
    "ap-northeast-1", "ap-south-1",   "ap-southeast-1", "ap-southeast-2",
    "aws-global",     "ca-central-1", "eu-central-1",   "eu-north-1",
    "eu-west-1",      "eu-west-2",    "eu-west-3",      "sa-east-1",
    "us-east-1",      "us-east-2",    "us-west-1",      "us-west-2"};

static bool uses_global_sts(const struct luaws_client *c) {
  if (!luaws_str_is(c->config->sts_regional_endpoints, "legacy")) return false;
  for (size_t i = 0; i < sizeof GLOBAL_STS_REGIONS / sizeof *GLOBAL_STS_REGIONS; i++) {
    if (luaws_str_is(c->region, GLOBAL_STS_REGIONS[i])) return true;
  }
  return false;
}

/* S3 in us-east-1, or without a region, goes to the host without one unless told
 * otherwise. */
static bool uses_global_s3(const struct luaws_client *c) {
  return !luaws_str_is(c->config->s3.us_east_1_regional_endpoint, "regional") &&
         (c->region.len == 0 || luaws_str_is(c->region, "us-east-1"));
}

static int resolve(struct luaws_client *c, bool global, struct luaws_region_result *out,
                   struct luaws_error *err) {
  struct luaws_region_request request = {.service =
                                             luaws_ref_text(&c->service->endpoint_prefix),
                                         .region = global ? LUAWS_STR_NONE : c->region};
  return luaws_region_for_client(c->legacy_endpoints, &request, &c->arena, out, err);
}

/* An endpoints.json in a folder of the user's own still decides where a client goes: the
   rules are given its answer as if it were a custom endpoint. */
static int find_legacy_endpoint(struct luaws_client *c, bool global,
                                struct luaws_error *err) {
  struct luaws_region_request request = {
      .service = luaws_ref_text(&c->service->endpoint_prefix),
      .region = global ? LUAWS_STR_NONE : c->region,
      .dualstack = c->config->use_dualstack_endpoint == LUAWS_YES,
      .fips = c->config->use_fips_endpoint == LUAWS_YES};
  struct luaws_region_result r = {0};
  if (c->custom_endpoint.len ||
      !luaws_models_has_own(c->session->models, LUAWS_SECTION_ENDPOINTS)) {
    return 0;
  }
  int rc = luaws_region_for_client(c->legacy_endpoints, &request, &c->arena, &r, err);
  if (rc) return rc;
  struct luaws_buf url = {0};
  luaws_buf_printf(&url, "%s://%.*s", r.https ? "https" : "http",
                   LUAWS_STR_ARG(r.hostname));
  if (!url.failed) c->legacy_endpoint = luaws_arena_str(&c->arena, luaws_buf_str(&url));
  luaws_buf_clear(&url);
  return c->legacy_endpoint.ptr ? 0 : luaws_error_memory(err);
}

/* A region that is set to nothing is none at all: not even where S3 would do without. */
static int check_set(struct luaws_client *c, struct luaws_error *err) {
  struct luaws_region_result r = {0};
  if (!c->region.ptr || c->region.len || c->custom_endpoint.len) return 0;
  int rc = resolve(c, false, &r, err);
  if (rc || r.region.len) return rc; /* of a global service */
  luaws_error_set(err, LUAWS_E_CONFIG, "ValueError",
                  "Invalid endpoint: https://%.*s..amazonaws.com",
                  LUAWS_STR_ARG(luaws_ref_text(&c->service->endpoint_prefix)));
  luaws_error_add(err, " (the region is empty)");
  return LUAWS_E_CONFIG;
}

int luaws_client_find_region(struct luaws_client *c, struct luaws_error *err) {
  struct luaws_region_result r = {0};
  if (!c->legacy_endpoints) {
    c->meta_region = c->signing_region = c->region;
    return 0;
  }
  c->global_s3_endpoint = uses_global_s3(c);
  c->global_sts_endpoint = uses_global_sts(c);
  bool s3 = luaws_str_is(luaws_ref_text(&c->service->endpoint_prefix), "s3");
  int rc = check_set(c, err);
  if (rc == 0) rc = resolve(c, s3 && c->global_s3_endpoint, &r, err);
  if (rc == 0) rc = find_legacy_endpoint(c, s3 && c->global_s3_endpoint, err);
  if (rc) return rc;
  c->partition = r.partition;
  c->signing_region = r.signing_region.len ? r.signing_region : c->region;
  c->meta_region = r.region.len ? r.region : c->region;
  /* What is known of AWS's endpoints says nothing of somebody's own: there the region is
     the one asked for, if any. For S3 without one it is as if there were no such
     endpoint.
   */
  if (c->custom_endpoint.len && !(s3 && (c->global_s3_endpoint || !c->region.len))) {
    c->meta_region = c->signing_region = c->region;
  }
  /* What a script compares with is the region that it asked for. */
  if (s3 && c->global_s3_endpoint && luaws_str_is(c->meta_region, "aws-global")) {
    c->meta_region = LUAWS_STR("us-east-1");
  }
  /* The rules have names of their own for what is global; only these two services, and
   * whoever said nothing, go by the older ones. */
  if (s3 || luaws_str_is(c->service_name, "sts") || !c->region.len)
    c->region = c->meta_region;
  return 0;
}

int luaws_client_legacy_endpoint(const struct luaws_client *c, struct luaws_arena *arena,
                                 struct luaws_endpoint *out, struct luaws_error *err) {
  struct luaws_region_request request = {
      .service = luaws_ref_text(&c->service->endpoint_prefix), .region = c->region};
  struct luaws_region_result r = {0};
  *out = (struct luaws_endpoint){0};
  if (c->custom_endpoint.len) {
    out->url = c->custom_endpoint;
    return 0;
  }
  if (!c->legacy_endpoints) {
    return luaws_error_set(err, LUAWS_E_ENDPOINT, "UnknownEndpointError",
                           "no endpoint is known for %.*s",
                           LUAWS_STR_ARG(c->service_name));
  }
  int rc = luaws_region_for_client(c->legacy_endpoints, &request, arena, &r, err);
  if (rc) return rc;
  struct luaws_buf url = {0};
  luaws_buf_printf(&url, "%s://%.*s", r.https ? "https" : "http",
                   LUAWS_STR_ARG(r.hostname));
  out->url = url.failed ? LUAWS_STR_NONE : luaws_arena_str(arena, luaws_buf_str(&url));
  luaws_buf_clear(&url);
  return out->url.ptr ? 0 : luaws_error_memory(err);
}
