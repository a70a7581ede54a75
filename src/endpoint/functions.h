/* The functions that endpoint rules are made of, as far as they are about text; each is
   of use without rules, too. Results point into the text given or live in the arena. */
#ifndef LUAWS_ENDPOINT_FUNCTIONS_H
#define LUAWS_ENDPOINT_FUNCTIONS_H

#include "base/arena.h"

/* 1 to 63 letters, digits and inner "-"; with subdomains, any number of them between
   dots. */
bool luaws_is_host_label(struct luaws_str s, bool subdomains);
/* A bucket's name that can stand in a host name: a host label in lower case, three
   characters or more, no IPv4 address. */
bool luaws_is_virtual_hostable_bucket(struct luaws_str s, bool subdomains);
bool luaws_is_ipv4(struct luaws_str s);

struct luaws_arn {
  struct luaws_str partition;
  struct luaws_str service;
  struct luaws_str region; /* may be empty, as may account_id */
  struct luaws_str account_id;
  struct luaws_str resource;
};
/* False unless it is "arn:" and five further parts of which partition, service and
   resource are not empty. */
bool luaws_arn_parse(struct luaws_str s, struct luaws_arn *out);

struct luaws_url {
  struct luaws_str scheme;    /* "http" or "https" */
  struct luaws_str authority; /* as written: userinfo, host, port */
  struct luaws_str path;
  struct luaws_str normalized_path; /* encoded, begins and ends with "/" */
  bool is_ip;
};
/* False when it is no http(s) URL with a host, or has a query; a fragment is dropped.
 * *failed without memory. */
bool luaws_url_parse(struct luaws_arena *arena, struct luaws_str s, struct luaws_url *out,
                     bool *failed);

#endif
