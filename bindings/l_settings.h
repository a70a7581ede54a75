/* A session's settings, as scripts see them. */
#ifndef LUAWS_L_SETTINGS_H
#define LUAWS_L_SETTINGS_H

#include <lua.h>

/* session:config_variable(name [, places]) → its value, or nil */
int l_settings_get(lua_State *L);
/* session:set_config_variable(name, value): nil takes it back. */
int l_settings_set(lua_State *L);
/* core.settings_table() → { { name, type, file_key, block, profile_key, default, env }, …
 * }
 */
int l_settings_table(lua_State *L);
/* session:profile_name() → the chosen profile, "default" when none is */
int l_settings_profile_name(lua_State *L);
/* session:full_config() → { profiles, sso_sessions, services, … } as the files have them
 */
int l_settings_full_config(lua_State *L);
/* session:settings() → { { name, value, source, … }, … }, in the order of the table */
int l_settings_explain(lua_State *L);
/* session:endpoint_setting(service) → { value, source, … } or nil */
int l_settings_explain_endpoint(lua_State *L);
/* session:files() → { { path, found, error }, … }, the config and the credentials file,
   or nil when they cannot be read; and what is wrong with them or with the profile, or
   nil
 */
int l_settings_files(lua_State *L);
/* entries = session:profile_entries(): a sequence of key, path, line and text (none of a
   block) of the profile in use; those in a block, behind it, have its key as `block`. */
int l_settings_profile_entries(lua_State *L);

#endif
