/* Names of regions and services as a caller may write them. */
#ifndef LUAWS_SETTINGS_REGION_H
#define LUAWS_SETTINGS_REGION_H

#include "base/error.h"

/* A region must be usable as a label of a host name. None and "" pass. LUAWS_E_ARGUMENT,
   kind "InvalidRegionError". */
int luaws_region_check(struct luaws_str region, struct luaws_error *err);
/* "fips-us-gov-west-1" and "us-west-2-fips" mean the region without that, and FIPS
   endpoints. Appends the plain name to out; true when something was taken off. */
bool luaws_region_without_fips(struct luaws_str region, struct luaws_buf *out);

/* Has the URL a scheme and a host that could be one? */
bool luaws_endpoint_url_is_valid(struct luaws_str url);

/* The folder name of a service that is also known by another one ("runtime.sagemaker").
 */
struct luaws_str luaws_service_alias(struct luaws_str client_name);
/* Appends what settings call a service: "elbv2" -> "elastic_load_balancing_v2". */
void luaws_service_settings_name(struct luaws_str client_name, struct luaws_buf *out);

#endif
