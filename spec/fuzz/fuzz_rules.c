/* Any JSON as an endpoint rule set: it is refused with a reason, or it compiles and can
   be run with any parameters. */
#include "endpoint/endpoint.h"
#include "model/section.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char partitions_json[] =
    "{\"partitions\":[{\"id\":\"aws\",\"regionRegex\":\"^(us|eu)\\\\-\\\\w+\\\\-\\\\d+$"
    "\","
    "\"regions\":{\"us-east-1\":{}},\"outputs\":{\"dnsSuffix\":\"amazonaws.com\","
    "\"supportsFIPS\":true}}]}";

static struct luaws_section *pack_partitions(struct luaws_arena *arena) {
  struct luaws_tree *tree;
  struct luaws_section *s = luaws_section_new();
  if (luaws_tree_parse(arena, luaws_str_from(partitions_json), &tree, NULL)) abort();
  luaws_section_node(s, tree);
  return s;
}

static void resolve(const struct luaws_rules *rules, const struct luaws_node *partitions,
                    struct luaws_arena *arena) {
  static const struct luaws_str texts[] = {
      LUAWS_STR("us-east-1"), LUAWS_STR("https://[::1]/a"),
      LUAWS_STR("arn:aws:s3:r:1:accesspoint/b"), LUAWS_STR("bucket")};
  struct luaws_endpoint_param params[32];
  struct luaws_endpoint e;
  struct luaws_error err = {0};
  const struct luaws_rule_param *p;
  unsigned count = 0;
  for (; count < 32 && (p = luaws_rules_param(rules, count)); count++) {
    params[count] = (struct luaws_endpoint_param){
        .name = luaws_ref_text(&p->name),
        .type = p->type == LUAWS_RULE_PARAM_BOOLEAN   ? LUAWS_EP_BOOLEAN
                : p->type == LUAWS_RULE_PARAM_STRINGS ? LUAWS_EP_STRINGS
                                                      : LUAWS_EP_STRING,
        .boolean = count % 2,
        .text = texts[count % 4],
        .texts = texts,
        .text_count = 4,
    };
  }
  int rc = luaws_endpoint_resolve(rules, partitions, params, count, arena, &e, &err);
  if (rc && !luaws_error_message(&err)) abort();
  luaws_error_clear(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct luaws_arena arena = {0};
  struct luaws_error err = {0};
  struct luaws_tree *tree;
  struct luaws_section *partitions = pack_partitions(&arena);
  struct luaws_section *rules = luaws_section_new();
  if (luaws_tree_parse(&arena, (struct luaws_str){(const char *)data, size}, &tree,
                       &err) == 0 &&
      luaws_compile_rules(rules, tree, &err) == 0) {
    bool failed = false;
    struct luaws_str bytes = luaws_section_bytes(rules, &failed);
    if (!failed)
      resolve((const void *)bytes.ptr,
              (const void *)luaws_section_bytes(partitions, &failed).ptr, &arena);
  }
  luaws_section_free(rules);
  luaws_section_free(partitions);
  luaws_error_clear(&err);
  luaws_arena_clear(&arena);
  return 0;
}
