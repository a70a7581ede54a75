/* Which proxy a URL goes through. The rules are those of Python's urllib, which botocore
   follows, and not libcurl's: the variables are read in either case, ALL_PROXY is not
   read, and no_proxy lists host names by suffix. */
#ifndef LUAWS_HTTP_PROXY_H
#define LUAWS_HTTP_PROXY_H

#include "base/arena.h"
#include "base/error.h"

/* One proxy. The texts belong to the settings' arena and are closed by a zero byte. */
struct luaws_proxy {
  struct luaws_str url;    /* scheme://host:port, without credentials; none = no proxy */
  struct luaws_str masked; /* as given, *** for credentials: for messages */
  struct luaws_str username; /* both decoded and not empty, or both none */
  struct luaws_str password;
  bool from_environment; /* no_proxy applies */
};

struct luaws_proxy_settings {
  struct luaws_arena arena; /* holds passwords: wiped when cleared */
  struct luaws_proxy http;
  struct luaws_proxy https;
  struct luaws_str no_proxy;
};

/* NULL for a URL means that the environment decides, "" that there is none. Reads
   `environment`, entries "NAME=value" closed by NULL. False without memory. */
bool luaws_proxy_settings_init(struct luaws_proxy_settings *s, const char *http,
                               const char *https, char *const *environment);
void luaws_proxy_settings_clear(struct luaws_proxy_settings *s);
/* The proxy for this scheme and host (with its port, if it has one), or NULL for none. */
const struct luaws_proxy *luaws_proxy_for(const struct luaws_proxy_settings *s,
                                          struct luaws_str scheme, struct luaws_str host);

#endif
