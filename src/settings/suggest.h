/* Did you mean …? What may have been meant with the name of a section that is not there.
 */
#ifndef LUAWS_SETTINGS_SUGGEST_H
#define LUAWS_SETTINGS_SUGGEST_H

#include "settings/profiles.h"

/* Adds the nearest name in a list of sections to what err says, when one is near. */
bool luaws_suggest_section(const struct luaws_ini_section *first, struct luaws_str name,
                           struct luaws_error *err);
/* The same for a profile; otherwise a section that was meant to be it but has the wrong
   header, or a file that could not be read, or is not there. */
void luaws_suggest_profile(const struct luaws_profiles *p, struct luaws_str name,
                           struct luaws_error *err);

#endif
