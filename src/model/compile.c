#include "model/compile.h"

#include "model/docs.h"
#include "model/rules.h"

int luaws_compile(struct luaws_section *s, enum luaws_section_type type,
                  const struct luaws_tree *model, struct luaws_str name,
                  struct luaws_error *err) {
  int rc = 0;
  bool failed;
  if (type == LUAWS_SECTION_SERVICE) {
    rc = luaws_compile_service(s, model, name, err);
  } else if (type == LUAWS_SECTION_RULES) {
    rc = luaws_compile_rules(s, model, err);
  } else if (type == LUAWS_SECTION_DOCS) {
    rc = luaws_compile_docs(s, model, err);
  } else {
    luaws_section_node(s, model);
  }
  if (rc) return rc;
  luaws_section_bytes(s, &failed);
  if (!failed) return 0;
  const char *problem = luaws_section_problem(s);
  if (!problem) return luaws_error_memory(err);
  return luaws_error_set(err, LUAWS_E_MODEL, "ValueError", "%s", problem);
}
