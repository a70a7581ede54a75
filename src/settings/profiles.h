/* The config and credentials files together: botocore's "full config". */
#ifndef LUAWS_SETTINGS_PROFILES_H
#define LUAWS_SETTINGS_PROFILES_H

#include "settings/ini.h"

/* Start from {0}. In the lists a section's name is the profile's, session's or service
   group's own name; values of the credentials file have replaced those of the config file
   one by one. */
struct luaws_profiles {
  struct luaws_arena arena;
  struct luaws_ini config;      /* as it was read */
  struct luaws_ini credentials; /* as it was read: bare section names */
  struct luaws_ini_section *profiles;
  struct luaws_ini_section *config_profiles; /* those of the config file alone */
  struct luaws_ini_section *sso_sessions;
  struct luaws_ini_section *services;
  struct luaws_ini_section
      *others; /* sections of the config file that are none of these */
};

/* Reads both files. LUAWS_E_CONFIG, "ConfigParseError". */
int luaws_profiles_load(struct luaws_profiles *p, struct luaws_str config_path,
                        struct luaws_str credentials_path, struct luaws_error *err);
void luaws_profiles_clear(struct luaws_profiles *p); /* wipes */

#endif
