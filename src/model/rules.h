/* An endpoint rule set as it lies in a pack. Every piece (a value, a list of conditions,
   a whole rule) is stored once however often the rules repeat it, so everything hangs
   together by refs. Names that conditions assign, and parameters, are numbered: a slot;
   the parameters come first. */
#ifndef LUAWS_MODEL_RULES_H
#define LUAWS_MODEL_RULES_H

#include "base/error.h"
#include "model/pack.h"

enum luaws_rule_param_type {
  LUAWS_RULE_PARAM_STRING,
  LUAWS_RULE_PARAM_BOOLEAN,
  LUAWS_RULE_PARAM_STRINGS
};

enum luaws_rule_param_flag {
  LUAWS_RULE_PARAM_REQUIRED = 1 << 0,
  LUAWS_RULE_PARAM_HAS_DEFAULT = 1 << 1,
  LUAWS_RULE_PARAM_DEFAULT_TRUE = 1 << 2,
  LUAWS_RULE_PARAM_DEPRECATED = 1 << 3,
  LUAWS_RULE_PARAM_USED = 1 << 4, /* some rule looks at it */
};

struct luaws_rule_param {
  luaws_ref name;          /* text */
  luaws_ref built_in;      /* text: "AWS::Region"; mostly set, else none */
  luaws_ref default_text;  /* STRING: text */
  luaws_ref default_texts; /* STRINGS: uint32_t n, then luaws_ref[n] texts */
  uint16_t type;           /* enum luaws_rule_param_type */
  uint16_t flags;          /* enum luaws_rule_param_flag */
};

enum luaws_rule_value_kind {
  LUAWS_RULE_NULL,
  LUAWS_RULE_FALSE,
  LUAWS_RULE_TRUE,
  LUAWS_RULE_INTEGER,  /* integer */
  LUAWS_RULE_TEXT,     /* at: text */
  LUAWS_RULE_REF,      /* slot */
  LUAWS_RULE_TEMPLATE, /* at: luaws_ref[count], values whose texts are put together */
  LUAWS_RULE_CALL,     /* function, assign; at: luaws_ref[count], the arguments */
  LUAWS_RULE_PATH, /* at: luaws_ref[count], struct luaws_rule_step: getAttr's second */
  LUAWS_RULE_LIST, /* at: luaws_ref[count] values */
  LUAWS_RULE_MAP, /* at: luaws_ref[2 * count]: key text, value, … in the rules' order */
};

enum luaws_rule_function {
  LUAWS_FN_BOOLEAN_EQUALS,
  LUAWS_FN_GET_ATTR,
  LUAWS_FN_IS_SET,
  LUAWS_FN_STRING_EQUALS,
  LUAWS_FN_NOT,
  LUAWS_FN_SUBSTRING,
  LUAWS_FN_IS_VALID_HOST_LABEL,
  LUAWS_FN_PARSE_URL,
  LUAWS_FN_URI_ENCODE,
  LUAWS_FN_AWS_PARTITION,
  LUAWS_FN_AWS_PARSE_ARN,
  LUAWS_FN_AWS_IS_VIRTUAL_HOSTABLE_S3_BUCKET,
  LUAWS_FN_COALESCE,
  LUAWS_FN_SPLIT,
  LUAWS_FN_ITE,
  LUAWS_FN_UNKNOWN, /* one we have not heard of; its one argument is its name */
};

enum { LUAWS_RULE_NO_SLOT = 0xffff };

struct luaws_rule_value {
  uint16_t kind;  /* enum luaws_rule_value_kind */
  uint16_t count; /* of what `at` points to */
  union {
    uint16_t slot;     /* REF */
    uint16_t function; /* CALL: enum luaws_rule_function */
  };
  uint16_t assign; /* CALL: the slot its result goes to, or LUAWS_RULE_NO_SLOT */
  union {
    luaws_ref at;
    int32_t integer;
  };
};

/* "name", "name[1]" or "[0]" of a path. */
struct luaws_rule_step {
  luaws_ref name; /* text; none for an index alone */
  int32_t index;  /* -1 for none */
};

enum luaws_rule_type { LUAWS_RULE_TREE, LUAWS_RULE_ENDPOINT, LUAWS_RULE_ERROR };

struct luaws_rule {
  uint16_t type; /* enum luaws_rule_type */
  uint16_t condition_count;
  uint32_t rule_count;  /* TREE */
  luaws_ref conditions; /* luaws_ref[condition_count], CALL values */
  luaws_ref then;       /* TREE: luaws_ref[rule_count], rules; ENDPOINT: struct
                           luaws_rule_endpoint; ERROR: the text, a value */
};

struct luaws_rule_endpoint {
  luaws_ref url;        /* value */
  luaws_ref properties; /* value: a MAP, or none */
  luaws_ref headers;    /* value: a MAP of the first value of each, or none */
};

/* The root of a LUAWS_SECTION_RULES. */
struct luaws_rules {
  luaws_ref params; /* struct luaws_rule_param[param_count], in the model's order */
  luaws_ref slots;  /* luaws_ref[slot_count], texts */
  luaws_ref rules;  /* luaws_ref[rule_count] */
  uint16_t param_count;
  uint16_t slot_count;
  uint32_t rule_count;
};

struct luaws_section;
struct luaws_tree;

/* Compiles endpoint-rule-set-1.json into an empty section. LUAWS_E_MODEL, kind
   "EndpointResolutionError", says what is wrong with it and where. */
int luaws_compile_rules(struct luaws_section *s, const struct luaws_tree *rule_set,
                        struct luaws_error *err);

#endif
