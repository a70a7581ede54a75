/* The table says by how its text begins which older exception an error of the rules is.
   It names services because the older exceptions do. */
#include "endpoint/endpoint.h"

struct older {
  const char *service;
  struct luaws_str start;
  bool whole;    /* the text is just that */
  bool any_case; /* case does not matter */
  const char *kind;
  const char *before;  /* what is put before the rule's own text */
  const char *between; /* or: before, the bucket, between, and then the text */
};

#define S3_CONFIG \
  "UnsupportedS3ConfigurationError", "Unsupported configuration when using S3: "
#define S3_ACCESS                               \
  "UnsupportedS3AccesspointConfigurationError", \
      "Unsupported configuration when using S3 access-points: "
#define S3_CONTROL                          \
  "UnsupportedS3ControlConfigurationError", \
      "Unsupported configuration when using S3 Control: "
#define PARAM "ParamValidationError", "Parameter validation failed:\n"
#define EVENTS "InvalidEndpointConfigurationError", "Invalid endpoint configuration: "

/* The first that fits counts. */
static const struct older olders[] = {
    {"s3", LUAWS_STR("S3 Object Lambda does not support S3 Accelerate"), true, false,
     S3_CONFIG, NULL},
    {"s3", LUAWS_STR("Accelerate cannot be used with FIPS"), true, false, S3_CONFIG,
     NULL},
    {"s3", LUAWS_STR("S3 Outposts does not support"), false, false, S3_ACCESS, NULL},
    {"s3", LUAWS_STR("S3 MRAP does not support"), false, false, S3_ACCESS, NULL},
    {"s3", LUAWS_STR("S3 Object Lambda does not support"), false, false, S3_ACCESS, NULL},
    {"s3", LUAWS_STR("Access Points do not support"), false, false, S3_ACCESS, NULL},
    {"s3", LUAWS_STR("Invalid configuration:"), false, false, S3_ACCESS, NULL},
    {"s3", LUAWS_STR("Client was configured for partition"), false, false, S3_ACCESS,
     NULL},
    {"s3", LUAWS_STR("invalid arn:"), false, true, PARAM, NULL},
    {"s3control", LUAWS_STR("Invalid ARN:"), false, false, "UnsupportedS3ControlArnError",
     "S3 ARN \"", "\" provided is invalid for this operation. "},
    {"s3control", LUAWS_STR("Invalid configuration:"), false, false, S3_CONTROL, NULL},
    {"s3control", LUAWS_STR("Client was configured for partition"), false, false,
     S3_CONTROL, NULL},
    {"s3control", LUAWS_STR("AccountId is required but not set"), true, false, PARAM,
     NULL},
    {"events",
     LUAWS_STR("Invalid Configuration: FIPS is not supported with EventBridge "
               "multi-region endpoints."),
     false, false, EVENTS, NULL},
    {"events", LUAWS_STR("EndpointId must be a valid host label."), true, false, EVENTS,
     NULL},
};

static bool fits(const struct older *o, struct luaws_str service, struct luaws_str text) {
  if (!luaws_str_is(service, o->service)) return false;
  if (o->whole) return luaws_str_eq(text, o->start);
  struct luaws_str start = luaws_str_sub(text, 0, o->start.len);
  return o->any_case ? luaws_str_eq_nocase(start, o->start)
                     : luaws_str_eq(start, o->start);
}

/* "Invalid region in ARN: `us-we$t-2` (invalid DNS name)", of any service. */
static bool rename_label(struct luaws_error *err, struct luaws_str text) {
  if (!luaws_str_starts(text, LUAWS_STR("Invalid region in ARN: "))) return false;
  struct luaws_str label = text;
  ptrdiff_t open = luaws_str_find(text, '`');
  if (open >= 0) {
    label = luaws_str_sub(text, (size_t)open + 1, text.len);
    ptrdiff_t close = luaws_str_find(label, '`');
    if (close >= 0) label.len = (size_t)close;
  }
  struct luaws_error old = {0};
  luaws_error_move(&old, err);
  luaws_error_set(err, LUAWS_E_ENDPOINT, "InvalidHostLabelError",
                  "Invalid host label to be bound to the hostname of the endpoint: "
                  "\"%.*s\".",
                  LUAWS_STR_ARG(label));
  luaws_error_clear(&old);
  return true;
}

void luaws_endpoint_older_error(struct luaws_error *err, struct luaws_str service,
                                struct luaws_str bucket) {
  if (!err || err->code != LUAWS_E_ENDPOINT || !err->message ||
      strcmp(err->kind, "EndpointResolutionError") != 0)
    return;
  struct luaws_str text = luaws_str_from(err->message);
  if (rename_label(err, text)) return;
  for (size_t i = 0; i < sizeof olders / sizeof *olders; i++) {
    const struct older *o = &olders[i];
    if (!fits(o, service, text)) continue;
    struct luaws_error old = {0};
    luaws_error_move(&old, err);
    luaws_error_set(err, LUAWS_E_ENDPOINT, o->kind, "%s%.*s%s%s", o->before,
                    o->between ? (int)bucket.len : 0, bucket.ptr ? bucket.ptr : "",
                    o->between ? o->between : "", old.message);
    luaws_error_clear(&old);
    return;
  }
}
