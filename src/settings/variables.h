/* The table of all configuration variables: what each is called, where it is looked for,
   what kind of value it has. docs/settings.md lists the same, which a spec sees to. */
#ifndef LUAWS_SETTINGS_VARIABLES_H
#define LUAWS_SETTINGS_VARIABLES_H

#include "settings/settings.h"

struct luaws_variable {
  const char *name;        /* botocore's; "s3.x" stands in the block s3 */
  const char *file_key;    /* NULL: a file does not say it */
  const char *block;       /* of the profile, that `file_key` stands in */
  const char *profile_key; /* beside that: right in the profile, and looked at first */
  const char *env[2];      /* in this order */
  enum luaws_setting_type type;
  const char *fallback; /* the default, as it would be written */
};

/* By enum luaws_setting_id. */
extern const struct luaws_variable luaws_variables[LUAWS_SETTING_COUNT];

#endif
