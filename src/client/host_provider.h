/* Callbacks of the host program: credentials, as a provider of the chain; MFA codes. */
#ifndef LUAWS_CLIENT_HOST_PROVIDER_H
#define LUAWS_CLIENT_HOST_PROVIDER_H

#include <luaws.h>

#include "credentials/provider.h"

struct luaws_host_provider {
  luaws_credentials_fn fn;
  void *arg;
  struct luaws_provider
      provider; /* its arg is this struct, which must outlive the chain */
};

void luaws_host_provider_init(struct luaws_host_provider *h, luaws_credentials_fn fn,
                              void *arg);

struct luaws_host_mfa {
  luaws_mfa_fn fn;
  void *arg;
};
/* Its arg is a struct luaws_host_mfa. */
luaws_prompt_mfa_fn luaws_host_prompt_mfa;

#endif
