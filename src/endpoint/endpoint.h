/* Endpoint rule sets: from a service's compiled rules and a row of named parameters to a
   URL, headers and how to sign for it. All names in here come from the rules; none is
   built in. */
#ifndef LUAWS_ENDPOINT_ENDPOINT_H
#define LUAWS_ENDPOINT_ENDPOINT_H

#include "base/arena.h"
#include "base/error.h"
#include "base/message.h"
#include "model/model.h"
#include "model/rules.h"
#include "value/tree.h"

enum luaws_endpoint_value {
  LUAWS_EP_STRING,
  LUAWS_EP_BOOLEAN,
  LUAWS_EP_STRINGS,
  LUAWS_EP_OTHER, /* what no rule set takes: an error when these rules want it */
};
struct luaws_endpoint_param {
  struct luaws_str name;
  enum luaws_endpoint_value type;
  bool boolean;
  struct luaws_str text;
  const struct luaws_str *texts;
  size_t text_count;
};

struct luaws_auth_scheme {
  struct luaws_str name;         /* "sigv4", "sigv4a", "sigv4-s3express" */
  struct luaws_str signing_name; /* none when the rules do not say */
  struct luaws_str signing_region;
  struct luaws_str signing_region_set; /* comma-joined */
  bool disable_double_encoding;
};

struct luaws_endpoint {
  struct luaws_str url;
  struct luaws_header *headers; /* the first value of each */
  size_t header_count;
  struct luaws_auth_scheme *auth_schemes;
  size_t auth_scheme_count;
  const struct luaws_tree
      *properties; /* all of them, templates filled in; a map, never NULL */
};

/* Which parameters a rule set takes. Returns the i-th, or NULL past the last. */
const struct luaws_rule_param *luaws_rules_param(const struct luaws_rules *rules,
                                                 unsigned i);

/* Runs the rules. Parameters not named in the rules are ignored; absent ones take the
   rules' default. Results live in the arena. partitions: the packed partitions.json
   (LUAWS_SECTION_PARTITIONS). LUAWS_E_ENDPOINT, kind "EndpointResolutionError": the text
   of the rule that said error; a required parameter missing; a parameter of the wrong
   type. */
int luaws_endpoint_resolve(const struct luaws_rules *rules,
                           const struct luaws_node *partitions,
                           const struct luaws_endpoint_param *params, size_t count,
                           struct luaws_arena *arena, struct luaws_endpoint *out,
                           struct luaws_error *err);

/* Before there were rules, some of what they refuse had exceptions of their own, which
   scripts catch to this day. Gives an "EndpointResolutionError" of this service
   (botocore's name) that older kind and wording where it has one; bucket is the parameter
   Bucket, if any. */
void luaws_endpoint_older_error(struct luaws_error *err, struct luaws_str service,
                                struct luaws_str bucket);

#endif
