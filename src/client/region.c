#include "client/region.h"

int luaws_client_find_region(struct luaws_client *c, struct luaws_error *err) {
  c->meta_region = c->signing_region = c->region;
  c->partition = LUAWS_STR("aws");
  return 0;
}

int luaws_client_legacy_endpoint(const struct luaws_client *c, struct luaws_arena *arena,
                                 struct luaws_endpoint *out, struct luaws_error *err) {
  return luaws_error_set(err, LUAWS_E_ENDPOINT, "UnknownEndpointError",
                         "no endpoint rules for %.*s", LUAWS_STR_ARG(c->service_name));
}
