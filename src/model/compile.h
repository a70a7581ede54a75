/* From the JSON of a model file to a section of a pack. Every function fills a section
   that was just made; what it says about a wrong model does not name the file, its caller
   does. */
#ifndef LUAWS_MODEL_COMPILE_H
#define LUAWS_MODEL_COMPILE_H

#include "base/error.h"
#include "model/section.h"

/* service-2: root struct luaws_service. name is the folder's ("ec2"). LUAWS_E_MODEL with
   kind "NoShapeFoundError", "InvalidShapeError" or "InvalidShapeReferenceError" when the
   model contradicts itself. */
int luaws_compile_service(struct luaws_section *s, const struct luaws_tree *model,
                          struct luaws_str name, struct luaws_error *err);

/* Any type: service-2 and endpoint-rule-set-1 as they need it, documentation out of
   service-2, everything else as nodes. */
int luaws_compile(struct luaws_section *s, enum luaws_section_type type,
                  const struct luaws_tree *model, struct luaws_str name,
                  struct luaws_error *err);

#endif
