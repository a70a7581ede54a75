/* From folders of models to pack files: what luaws-models does. */
#ifndef LUAWS_MODEL_BUILD_H
#define LUAWS_MODEL_BUILD_H

#include "base/error.h"
#include "model/pack.h"
#include "model/source.h"

/* Compiles everything in the source into two files: models, and documentation with
   examples (docs_path NULL for none). The same source gives the same bytes. A file is
   written beside its path and then renamed, so that a failure leaves the old one. */
int luaws_models_build(const struct luaws_source *src, const char *models_path,
                       const char *docs_path, struct luaws_error *err);

#endif
