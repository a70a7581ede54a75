/* What endpoints.json knows, the data from before there were endpoint rules: partitions,
   which regions a service is in, the region that a global service is signed for, and a
   host name where a service has no rules.

   All functions take the packed file (LUAWS_SECTION_ENDPOINTS), and services by their
   endpoint prefix. Texts point into the pack or live in the arena. */
#ifndef LUAWS_ENDPOINT_REGIONS_H
#define LUAWS_ENDPOINT_REGIONS_H

#include "base/arena.h"
#include "base/error.h"
#include "model/pack.h"

/* The names of all partitions, "aws" first; none past the last. */
struct luaws_str luaws_partition_at(const struct luaws_node *endpoints, uint32_t i);
/* The name of the region's partition, by its list of regions or its pattern.
   LUAWS_E_ENDPOINT, kind "UnknownRegionError". */
int luaws_partition_for_region(const struct luaws_node *endpoints,
                               struct luaws_str region, struct luaws_str *out,
                               struct luaws_error *err);

/* Which regions of a service: get_available_regions. */
struct luaws_regions_query {
  struct luaws_str service;
  struct luaws_str partition; /* none = "aws" */
  bool allow_non_regional;    /* names such as "aws-global", too */
  bool dualstack;             /* only regions that have these variants */
  bool fips;
};
/* The next of them in the order of their names, none at the end. Start *at from 0. */
struct luaws_str luaws_regions_next(const struct luaws_node *endpoints,
                                    const struct luaws_regions_query *query,
                                    uint32_t *at);

/* "NoRegionError", and where one may come from; returns code. */
int luaws_no_region(int code, struct luaws_error *err);

struct luaws_region_request {
  struct luaws_str service;
  struct luaws_str region;    /* none = the service's global endpoint */
  struct luaws_str partition; /* none = wherever the region belongs */
  bool dualstack;
  bool fips;
};

struct luaws_region_result {
  struct luaws_str partition;
  struct luaws_str region; /* its name as an endpoint, which is "aws-global" for a service
                              that is not regionalized: meta.region_name */
  struct luaws_str hostname;
  struct luaws_str dns_suffix;
  struct luaws_str ssl_common_name;            /* mostly none */
  struct luaws_str signing_region;             /* credentialScope, mostly none */
  struct luaws_str signing_name;               /* credentialScope, mostly none */
  const struct luaws_node *signature_versions; /* a list of texts: ["v4"] */
  bool https;                                  /* it speaks https */
  bool deprecated;                             /* worth a warning in the log */
};

/* Resolves a service and region. *found tells whether any partition has them; nothing is
   an error but: LUAWS_E_ENDPOINT, kind "NoRegionError" (no region, and the service has no
   global endpoint) or "EndpointVariantError" (no dual-stack or FIPS endpoint). */
int luaws_region_resolve(const struct luaws_node *endpoints,
                         const struct luaws_region_request *request,
                         struct luaws_arena *arena, struct luaws_region_result *out,
                         bool *found, struct luaws_error *err);

/* As a client does it: a region that no partition knows is taken for one of "aws". What
   is left without signing region is signed for the region's own name. */
int luaws_region_for_client(const struct luaws_node *endpoints,
                            const struct luaws_region_request *request,
                            struct luaws_arena *arena, struct luaws_region_result *out,
                            struct luaws_error *err);

#endif
