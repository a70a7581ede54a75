#include "model/dump.h"

#include "value/json.h"

/* Fields are written one after the other; what is none, zero or false is left out. */
struct dump {
  struct luaws_buf *out;
  bool comma; /* something stands before on this level */
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void separate(struct dump *d) {
  if (d->comma) luaws_buf_append_char(d->out, ',');
  d->comma = true;
}

static void key(struct dump *d, const char *name) {
  separate(d);
  luaws_json_quote(d->out, luaws_str_from(name));
  luaws_buf_append_char(d->out, ':');
}

static void begin(struct dump *d, char bracket) {
  luaws_buf_append_char(d->out, bracket);
  d->comma = false;
}

static void end(struct dump *d, char bracket) {
  luaws_buf_append_char(d->out, bracket);
  d->comma = true;
}

static void text(struct dump *d, const char *name, const luaws_ref *ref) {
  if (!*ref) return;
  key(d, name);
  luaws_json_quote(d->out, luaws_ref_text(ref));
}

static void number(struct dump *d, const char *name, int64_t n) {
  if (!n) return;
  key(d, name);
  luaws_buf_append_int(d->out, n);
}

static void word(struct dump *d, const char *name, const char *value) {
  if (!value) return;
  key(d, name);
  luaws_json_quote(d->out, luaws_str_from(value));
}

/* names[i] is the name of bit i. */
static void flags(struct dump *d, uint32_t bits, const char *const *names, size_t count) {
  if (!bits) return;
  key(d, "flags");
  begin(d, '[');
  for (size_t i = 0; i < count; i++) {
    if (!(bits >> i & 1)) continue;
    separate(d);
    luaws_json_quote(d->out, luaws_str_from(names[i]));
  }
  end(d, ']');
}

/* "uint32_t n, luaws_ref[n] texts" */
static void texts(struct dump *d, const char *name, const luaws_ref *ref) {
  const uint32_t *list = luaws_ref_get(ref);
  if (!list) return;
  const luaws_ref *items = (const luaws_ref *)(list + 1);
  key(d, name);
  begin(d, '[');
  for (uint32_t i = 0; i < list[0]; i++) {
    separate(d);
    luaws_json_quote(d->out, luaws_ref_text(&items[i]));
  }
  end(d, ']');
}

static void shape_name(struct dump *d, const char *name, const luaws_ref *ref) {
  const struct luaws_shape *shape = luaws_ref_get(ref);
  if (shape) text(d, name, &shape->name);
}

static void node(struct dump *d, const struct luaws_node *n) {
  struct luaws_str name;
  switch (n->type) {
  case LUAWS_NODE_TRUE:
  case LUAWS_NODE_FALSE:
    luaws_buf_append_cstr(d->out, n->type == LUAWS_NODE_TRUE ? "true" : "false");
    break;
  case LUAWS_NODE_INTEGER:
    luaws_buf_append_int(d->out, n->integer);
    break;
  case LUAWS_NODE_FLOAT:
    luaws_buf_append_double(d->out, n->floating);
    break;
  case LUAWS_NODE_STRING:
    luaws_json_quote(d->out, luaws_node_text(n));
    break;
  case LUAWS_NODE_LIST:
    begin(d, '[');
    for (uint32_t i = 0; i < n->count; i++) {
      separate(d);
      node(d, luaws_node_at(n, i));
    }
    end(d, ']');
    break;
  case LUAWS_NODE_MAP:
    begin(d, '{');
    for (uint32_t i = 0; i < n->count; i++) {
      const struct luaws_node *value = luaws_node_entry_at(n, i, &name);
      separate(d);
      luaws_json_quote(d->out, name);
      luaws_buf_append_char(d->out, ':');
      node(d, value);
    }
    end(d, '}');
    break;
  default:
    luaws_buf_append_cstr(d->out, "null");
  }
}

static void params(struct dump *d, const char *name, const luaws_ref *ref, size_t count) {
  const struct luaws_static_param *list = luaws_ref_get(ref);
  if (!list) return;
  key(d, name);
  begin(d, '{');
  for (size_t i = 0; i < count; i++) {
    const struct luaws_node *value = luaws_ref_get(&list[i].value);
    separate(d);
    luaws_json_quote(d->out, luaws_ref_text(&list[i].name));
    luaws_buf_append_char(d->out, ':');
    if (value) {
      node(d, value);
    } else {
      luaws_buf_append_cstr(d->out, "null");
    }
  }
  end(d, '}');
}

static void parts(struct dump *d, const char *name, const luaws_ref *ref, size_t count) {
  const struct luaws_uri_part *list = luaws_ref_get(ref);
  if (!list) return;
  key(d, name);
  begin(d, '[');
  for (size_t i = 0; i < count; i++) {
    separate(d);
    begin(d, '{');
    text(d, "literal", &list[i].literal);
    if (list[i].member >= 0) {
      key(d, "member");
      luaws_buf_append_int(d->out, list[i].member);
    }
    number(d, "greedy", list[i].greedy);
    end(d, '}');
  }
  end(d, ']');
}

/* ---- shapes ---- */

static const char *const type_names[] = {
    "structure", "list", "map",   "string", "blob",      "boolean",
    "integer",   "long", "float", "double", "timestamp", "character"};
static const char *const timestamp_names[] = {NULL, "iso8601", "unixTimestamp", "rfc822"};
static const char *const location_names[] = {NULL,          "header", "headers",
                                             "querystring", "uri",    "statusCode"};
static const char *const shape_flag_names[] = {
    "union",       "document",   "eventstream",    "event",   "exception",
    "flattened",   "streaming",  "requiresLength", "sparse",  "fault",
    "sensitive",   "retryable",  "throttling",     "wrapper", "synthetic",
    "hasRequired", "deprecated", "hasLocations"};
static const char *const member_flag_names[] = {
    "required",        "idempotencyToken", "streaming",    "flattened",   "xmlAttribute",
    "jsonvalue",       "hostLabel",        "eventpayload", "eventheader", "payload",
    "hasLocationName", "deprecated",       "endpointParam"};

static void member(struct dump *d, const struct luaws_member *m) {
  begin(d, '{');
  text(d, "name", &m->name);
  text(d, "wireName", &m->wire_name);
  shape_name(d, "shape", &m->shape);
  word(d, "location", location_names[m->location]);
  word(d, "timestampFormat", timestamp_names[m->timestamp_format]);
  flags(d, m->flags, member_flag_names, COUNT(member_flag_names));
  const struct luaws_member_extra *x = luaws_ref_get(&m->extra);
  if (x) {
    text(d, "queryName", &x->query_name);
    text(d, "xmlUri", &x->xml_uri);
    text(d, "xmlPrefix", &x->xml_prefix);
    text(d, "contextParam", &x->context_param);
  }
  end(d, '}');
}

static void order(struct dump *d, const char *name, const luaws_ref *ref, size_t count) {
  const uint16_t *list = luaws_ref_get(ref);
  if (!list) return;
  key(d, name);
  begin(d, '[');
  for (size_t i = 0; i < count; i++) {
    separate(d);
    luaws_buf_append_int(d->out, list[i]);
  }
  end(d, ']');
}

static void shape(struct dump *d, const struct luaws_shape *s) {
  begin(d, '{');
  text(d, "name", &s->name);
  word(d, "type", type_names[s->type]);
  word(d, "timestampFormat", timestamp_names[s->timestamp_format]);
  flags(d, s->flags, shape_flag_names, COUNT(shape_flag_names));
  if (s->members) {
    key(d, "members");
    begin(d, '[');
    for (unsigned i = 0; i < s->member_count; i++) {
      separate(d);
      member(d, luaws_shape_member_at(s, i));
    }
    end(d, ']');
  }
  order(d, "byName", &s->by_name, s->member_count);
  order(d, "byWireName", &s->by_wire_name, s->member_count);
  const struct luaws_shape_extra *x = luaws_shape_extra(s);
  if (x) {
    if (x->has_min) {
      key(d, "min");
      luaws_buf_append_double(d->out, x->min);
    }
    number(d, "httpStatus", x->http_status);
    if (x->payload >= 0) text(d, "payload", &luaws_shape_payload(s)->name);
    text(d, "errorCode", &x->error_code);
    text(d, "locationName", &x->location_name);
    text(d, "xmlUri", &x->xml_uri);
    text(d, "xmlPrefix", &x->xml_prefix);
    texts(d, "enum", &x->enum_values);
  }
  end(d, '}');
}

/* ---- operations ---- */

static const char *const operation_flag_names[] = {
    "authNone",       "unsignedPayload",   "checksumRequired",
    "deprecated",     "idempotent",        "readonly",
    "discovery",      "discoveryRequired", "discoverySource",
    "compressGzip",   "eventsIn",          "eventsOut",
    "streamIn",       "streamOut",         "hasIdempotencyToken",
    "labelInEndpoint"};

static void operation(struct dump *d, const struct luaws_operation *o) {
  begin(d, '{');
  text(d, "name", &o->name);
  text(d, "wireName", &o->wire_name);
  text(d, "methodName", &o->method_name);
  text(d, "httpMethod", &o->http_method);
  text(d, "requestUri", &o->request_uri);
  parts(d, "path", &o->path, o->path_count);
  text(d, "query", &o->query);
  shape_name(d, "input", &o->input);
  shape_name(d, "output", &o->output);
  flags(d, o->flags, operation_flag_names, COUNT(operation_flag_names));
  number(d, "httpStatus", o->http_status);
  const luaws_ref *errors = luaws_ref_get(&o->errors);
  if (errors) {
    key(d, "errors");
    begin(d, '[');
    for (unsigned i = 0; i < o->error_count; i++) {
      const struct luaws_shape *e = luaws_ref_get(&errors[i]);
      separate(d);
      luaws_json_quote(d->out, luaws_ref_text(&e->name));
    }
    end(d, ']');
  }
  const struct luaws_operation_extra *x = luaws_ref_get(&o->extra);
  if (x) {
    text(d, "resultWrapper", &x->result_wrapper);
    text(d, "inputLocationName", &x->input_location_name);
    text(d, "inputXmlUri", &x->input_xml_uri);
    text(d, "inputXmlPrefix", &x->input_xml_prefix);
    text(d, "outputLocationName", &x->output_location_name);
    parts(d, "hostPrefix", &x->host_prefix, o->host_prefix_count);
    params(d, "staticParams", &x->static_params, x->static_param_count);
    params(d, "operationParams", &x->operation_params, x->operation_param_count);
    texts(d, "auth", &x->auth);
    text(d, "checksumAlgorithmMember", &x->checksum_algorithm_member);
    text(d, "checksumValidationMember", &x->checksum_validation_member);
    texts(d, "checksumResponseAlgorithms", &x->checksum_response_algorithms);
    number(d, "checksumRequestRequired", x->checksum_request_required);
  }
  end(d, '}');
}

/* ---- the service ---- */

static const char *const protocol_names[] = {
    "json", "rest-json", "rest-xml", "smithy-rpc-v2-cbor", "query", "ec2", NULL};

void luaws_service_dump(const struct luaws_service *s, struct luaws_buf *out) {
  static const char *const flag_names[] = {"queryCompatible"};
  struct dump d = {.out = out};
  begin(&d, '{');
  text(&d, "name", &s->name);
  text(&d, "apiVersion", &s->api_version);
  text(&d, "serviceId", &s->service_id);
  text(&d, "endpointPrefix", &s->endpoint_prefix);
  text(&d, "signingName", &s->signing_name);
  text(&d, "signatureVersion", &s->signature_version);
  text(&d, "jsonVersion", &s->json_version);
  text(&d, "targetPrefix", &s->target_prefix);
  text(&d, "xmlUri", &s->xml_uri);
  text(&d, "fullName", &s->full_name);
  text(&d, "abbreviation", &s->abbreviation);
  text(&d, "uid", &s->uid);
  text(&d, "globalEndpoint", &s->global_endpoint);
  text(&d, "className", &s->class_name);
  text(&d, "hyphenId", &s->hyphen_id);
  texts(&d, "auth", &s->auth);
  texts(&d, "protocols", &s->protocols);
  word(&d, "protocol", protocol_names[s->protocol]);
  flags(&d, s->flags, flag_names, COUNT(flag_names));
  params(&d, "clientContext", &s->client_context, s->client_context_count);

  const struct luaws_operation *operations = luaws_ref_get(&s->operations);
  key(&d, "operations");
  begin(&d, '[');
  for (uint32_t i = 0; i < s->operation_count; i++) {
    separate(&d);
    operation(&d, &operations[i]);
  }
  end(&d, ']');
  key(&d, "methods");
  begin(&d, '[');
  for (uint32_t i = 0; i < s->operation_count; i++) {
    separate(&d);
    luaws_json_quote(out, luaws_ref_text(&luaws_service_method_at(s, i)->method_name));
  }
  end(&d, ']');
  const struct luaws_shape *shapes = luaws_ref_get(&s->shapes);
  key(&d, "shapes");
  begin(&d, '[');
  for (uint32_t i = 0; i < s->shape_count; i++) {
    separate(&d);
    shape(&d, &shapes[i]);
  }
  end(&d, ']');
  const struct luaws_error_entry *errors = luaws_ref_get(&s->errors);
  key(&d, "errors");
  begin(&d, '{');
  for (uint32_t i = 0; i < s->error_count; i++) {
    const struct luaws_shape *e = luaws_ref_get(&errors[i].shape);
    separate(&d);
    luaws_json_quote(out, luaws_ref_text(&errors[i].code));
    luaws_buf_append_char(out, ':');
    luaws_json_quote(out, luaws_ref_text(&e->name));
  }
  end(&d, '}');
  end(&d, '}');
}
