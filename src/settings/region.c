#include "settings/region.h"

int luaws_region_check(struct luaws_str region, struct luaws_error *err) {
  bool ok = region.len <= 63, digits_only = region.len > 0;
  for (size_t i = 0; i < region.len && ok; i++) {
    char c = region.ptr[i];
    bool digit = c >= '0' && c <= '9';
    digits_only = digits_only && digit;
    ok = digit || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  }
  if (region.len && (region.ptr[0] == '-' || region.ptr[region.len - 1] == '-'))
    ok = false;
  if (ok && !digits_only) return 0;
  return luaws_error_set(err, LUAWS_E_ARGUMENT, "InvalidRegionError",
                         "Provided region_name '%.*s' doesn't match a supported format.",
                         LUAWS_STR_ARG(region));
}

/* Appends s without any `part` in it. */
static bool append_without(struct luaws_buf *out, struct luaws_str s,
                           struct luaws_str part) {
  bool found = false;
  ptrdiff_t at;
  while ((at = luaws_str_find_str(s, part)) >= 0) {
    luaws_buf_append(out, s.ptr, (size_t)at);
    s = luaws_str_sub(s, (size_t)at + part.len, SIZE_MAX);
    found = true;
  }
  luaws_buf_append_str(out, s);
  return found;
}

bool luaws_region_without_fips(struct luaws_str region, struct luaws_buf *out) {
  struct luaws_buf once = {0};
  bool found = append_without(&once, region, LUAWS_STR("fips-"));
  if (append_without(out, luaws_buf_str(&once), LUAWS_STR("-fips"))) found = true;
  if (once.failed) out->failed = true;
  luaws_buf_clear(&once);
  return found;
}

static bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Labels of 1 to 63 letters, digits and inner hyphens, with dots between them; one more
   dot at the end is fine. */
static bool is_host_name(struct luaws_str host) {
  if (host.len == 0 || host.len > 255) return false;
  if (host.ptr[host.len - 1] == '.') host.len--;
  size_t label = 0;
  for (size_t i = 0; i <= host.len; i++) {
    if (i == host.len || host.ptr[i] == '.') {
      if (label == 0 || label > 63 || host.ptr[i - 1] == '-') return false;
      label = 0;
    } else if (is_alphanumeric(host.ptr[i]) || (host.ptr[i] == '-' && label > 0)) {
      label++;
    } else {
      return false;
    }
  }
  return true;
}

/* What stands between the brackets of "[::1]". */
static bool is_ipv6(struct luaws_str host) {
  bool colon = false;
  for (size_t i = 0; i < host.len; i++) {
    char c = host.ptr[i];
    if (c == '%') break; /* a zone, "%25eth0" */
    if (!is_alphanumeric(c) && c != ':' && c != '.') return false;
    if (c > 'f' || (c > 'F' && c < 'a')) return false;
    colon = colon || c == ':';
  }
  return colon;
}

bool luaws_endpoint_url_is_valid(struct luaws_str url) {
  if (luaws_str_find(url, '\t') >= 0 || luaws_str_find(url, '\r') >= 0 ||
      luaws_str_find(url, '\n') >= 0) {
    return false;
  }
  ptrdiff_t scheme = luaws_str_find_str(url, LUAWS_STR("://"));
  if (scheme <= 0) return false;
  struct luaws_str host = luaws_str_sub(url, (size_t)scheme + 3, SIZE_MAX);
  for (size_t i = 0; i < host.len; i++) {
    if (strchr("/?#", host.ptr[i])) host.len = i;
  }
  for (ptrdiff_t at; (at = luaws_str_find(host, '@')) >= 0;)
    host = luaws_str_sub(host, (size_t)at + 1, SIZE_MAX);
  if (host.len && host.ptr[0] == '[') {
    ptrdiff_t end = luaws_str_find(host, ']');
    return end > 0 && is_ipv6(luaws_str_sub(host, 1, (size_t)end - 1));
  }
  ptrdiff_t port = luaws_str_find(host, ':');
  return is_host_name(port < 0 ? host : luaws_str_sub(host, 0, (size_t)port));
}

struct luaws_str luaws_service_alias(struct luaws_str client_name) {
  if (luaws_str_is(client_name, "runtime.sagemaker"))
    return LUAWS_STR("sagemaker-runtime");
  return client_name;
}

/* Services whose id, in words, is not their folder's name. */
static const struct {
  const char *client, *id;
} service_ids[] = {
    {"apigateway", "api-gateway"},
    {"application-autoscaling", "application-auto-scaling"},
    {"appmesh", "app-mesh"},
    {"autoscaling", "auto-scaling"},
    {"autoscaling-plans", "auto-scaling-plans"},
    {"ce", "cost-explorer"},
    {"cloudhsmv2", "cloudhsm-v2"},
    {"cloudsearchdomain", "cloudsearch-domain"},
    {"cognito-idp", "cognito-identity-provider"},
    {"config", "config-service"},
    {"cur", "cost-and-usage-report-service"},
    {"datapipeline", "data-pipeline"},
    {"devicefarm", "device-farm"},
    {"directconnect", "direct-connect"},
    {"discovery", "application-discovery-service"},
    {"dms", "database-migration-service"},
    {"ds", "directory-service"},
    {"ds-data", "directory-service-data"},
    {"dynamodbstreams", "dynamodb-streams"},
    {"elasticbeanstalk", "elastic-beanstalk"},
    {"elb", "elastic-load-balancing"},
    {"elbv2", "elastic-load-balancing-v2"},
    {"es", "elasticsearch-service"},
    {"events", "eventbridge"},
    {"globalaccelerator", "global-accelerator"},
    {"iot-data", "iot-data-plane"},
    {"iot-jobs-data", "iot-jobs-data-plane"},
    {"iotevents", "iot-events"},
    {"iotevents-data", "iot-events-data"},
    {"iotwireless", "iot-wireless"},
    {"kinesisanalytics", "kinesis-analytics"},
    {"kinesisanalyticsv2", "kinesis-analytics-v2"},
    {"kinesisvideo", "kinesis-video"},
    {"lex-models", "lex-model-building-service"},
    {"lex-runtime", "lex-runtime-service"},
    {"lexv2-models", "lex-models-v2"},
    {"lexv2-runtime", "lex-runtime-v2"},
    {"logs", "cloudwatch-logs"},
    {"machinelearning", "machine-learning"},
    {"marketplace-entitlement", "marketplace-entitlement-service"},
    {"marketplacecommerceanalytics", "marketplace-commerce-analytics"},
    {"meteringmarketplace", "marketplace-metering"},
    {"mgh", "migration-hub"},
    {"resourcegroupstaggingapi", "resource-groups-tagging-api"},
    {"route53", "route-53"},
    {"route53domains", "route-53-domains"},
    {"s3control", "s3-control"},
    {"sdb", "simpledb"},
    {"secretsmanager", "secrets-manager"},
    {"serverlessrepo", "serverlessapplicationrepository"},
    {"servicecatalog", "service-catalog"},
    {"servicecatalog-appregistry", "service-catalog-appregistry"},
    {"sms-voice", "pinpoint-sms-voice"},
    {"stepfunctions", "sfn"},
    {"storagegateway", "storage-gateway"},
};

void luaws_service_settings_name(struct luaws_str client_name, struct luaws_buf *out) {
  struct luaws_str name = luaws_service_alias(client_name);
  for (size_t i = 0; i < sizeof service_ids / sizeof service_ids[0]; i++) {
    if (!luaws_str_is(name, service_ids[i].client)) continue;
    name = luaws_str_from(service_ids[i].id);
    break;
  }
  for (size_t i = 0; i < name.len; i++)
    luaws_buf_append_char(out, name.ptr[i] == '-' ? '_' : name.ptr[i]);
}
