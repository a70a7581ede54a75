/* The model pack as it lies in memory: a row of sections, each the compiled form of one
   model file, mapped read-only and used in place. The compiler (compile*.c) writes these
   structs, everybody else reads them.

   Every section stands alone. Within one, a luaws_ref says how many bytes its target lies
   from the ref itself, so a pointer to any struct is enough to walk on from it: no base,
   no table of contents. Little-endian, at least 4-byte aligned. Change a struct here and
   LUAWS_PACK_VERSION with it. */
#ifndef LUAWS_MODEL_PACK_H
#define LUAWS_MODEL_PACK_H

#include "base/bytes.h"

#define LUAWS_PACK_MAGIC "luawsPK1"
enum { LUAWS_PACK_VERSION = 1 };

/* Distance in bytes from the field itself; 0 = none. */
typedef int32_t luaws_ref;

static inline const void *luaws_ref_get(const luaws_ref *r) {
  return *r ? (const char *)r + *r : NULL;
}
/* Text: a uint16_t length, the bytes, a zero byte. {NULL, 0} for none. */
static inline struct luaws_str luaws_ref_text(const luaws_ref *r) {
  if (!*r) return LUAWS_STR_NONE;
  const char *p = (const char *)r + *r;
  uint16_t len;
  memcpy(&len, p, sizeof len);
  return (struct luaws_str){p + sizeof len, len};
}

/* ---- the file ---- */

enum luaws_section_type {
  LUAWS_SECTION_SERVICE,    /* struct luaws_service: service-2 with its extras */
  LUAWS_SECTION_RULES,      /* struct luaws_rules: endpoint-rule-set-1 */
  LUAWS_SECTION_PAGINATORS, /* struct luaws_node from here on */
  LUAWS_SECTION_WAITERS,
  LUAWS_SECTION_RESOURCES,
  LUAWS_SECTION_PARTITIONS, /* partitions.json; service and version are empty */
  LUAWS_SECTION_ENDPOINTS,  /* endpoints.json */
  LUAWS_SECTION_DEFAULTS,   /* sdk-default-configuration.json */
  LUAWS_SECTION_DOCS,       /* in the second file: documentation, see docs.h */
  LUAWS_SECTION_EXAMPLES,   /* in the second file */
  LUAWS_SECTION_EXTRAS,     /* a node: what botocore's sdk-extras add to each file of this
                               version, by its name ("service-2"): for such a file that comes
                               from a folder */
  LUAWS_SECTION_TYPES
};

/* Directory entries are sorted by service, then type, then version (newest last). */
struct luaws_pack_entry {
  luaws_ref
      service; /* text: botocore's folder name ("ec2"); none for the three root files */
  luaws_ref version; /* text: "2016-11-15" */
  uint32_t type;     /* enum luaws_section_type */
  uint32_t offset;   /* of the section in the file, 16-byte aligned */
  uint32_t size;
  uint32_t reserved;
  uint64_t checksum; /* XXH3_64bits of the section, verified when it is first opened */
};

struct luaws_pack_header {
  char magic[8];
  uint32_t version; /* LUAWS_PACK_VERSION */
  uint32_t entry_count;
  uint64_t file_size;
  luaws_ref entries;  /* struct luaws_pack_entry[entry_count] */
  uint32_t head_size; /* header, entries and their texts: what head_checksum covers */
  luaws_ref source;   /* text: which botocore this was made from ("botocore 1.43.11") */
  uint32_t reserved;
  uint64_t head_checksum; /* XXH3_64bits of the first head_size bytes with this field 0 */
};

/* ---- packed JSON: paginators, waiters, resources, partitions, … ---- */

enum luaws_node_type {
  LUAWS_NODE_NULL,
  LUAWS_NODE_FALSE,
  LUAWS_NODE_TRUE,
  LUAWS_NODE_INTEGER,
  LUAWS_NODE_FLOAT,
  LUAWS_NODE_STRING,
  LUAWS_NODE_LIST,
  LUAWS_NODE_MAP
};
struct luaws_node {
  uint32_t type;
  uint32_t count; /* LIST, MAP */
  union {
    int64_t integer;
    double floating;
    luaws_ref text;  /* STRING: text */
    luaws_ref items; /* LIST: luaws_ref[count], each to a node;
                        MAP: struct luaws_node_entry[count], sorted by key's bytes */
  };
};
struct luaws_node_entry {
  luaws_ref key;   /* text */
  luaws_ref value; /* node */
};

/* ---- shapes ---- */

enum luaws_type {
  LUAWS_TYPE_STRUCTURE,
  LUAWS_TYPE_LIST,
  LUAWS_TYPE_MAP,
  LUAWS_TYPE_STRING,
  LUAWS_TYPE_BLOB,
  LUAWS_TYPE_BOOLEAN,
  LUAWS_TYPE_INTEGER,
  LUAWS_TYPE_LONG,
  LUAWS_TYPE_FLOAT,
  LUAWS_TYPE_DOUBLE,
  LUAWS_TYPE_TIMESTAMP,
  LUAWS_TYPE_CHARACTER /* old models: a string of one character */
};

enum luaws_timestamp_format {
  LUAWS_TIMESTAMP_DEFAULT,
  LUAWS_TIMESTAMP_ISO8601,
  LUAWS_TIMESTAMP_UNIX,
  LUAWS_TIMESTAMP_RFC822
};

enum luaws_shape_flag {
  LUAWS_SHAPE_UNION = 1 << 0,
  LUAWS_SHAPE_DOCUMENT = 1 << 1,
  LUAWS_SHAPE_EVENTSTREAM = 1 << 2,
  LUAWS_SHAPE_EVENT = 1 << 3,
  LUAWS_SHAPE_EXCEPTION = 1 << 4,
  LUAWS_SHAPE_FLATTENED = 1 << 5,
  LUAWS_SHAPE_STREAMING = 1 << 6,
  LUAWS_SHAPE_REQUIRES_LENGTH = 1 << 7,
  LUAWS_SHAPE_SPARSE = 1 << 8,
  LUAWS_SHAPE_FAULT = 1 << 9,
  LUAWS_SHAPE_SENSITIVE = 1 << 10,
  LUAWS_SHAPE_RETRYABLE = 1 << 11,
  LUAWS_SHAPE_THROTTLING = 1 << 12,
  LUAWS_SHAPE_WRAPPER = 1 << 13,
  LUAWS_SHAPE_SYNTHETIC = 1 << 14,
  LUAWS_SHAPE_HAS_REQUIRED = 1 << 15, /* some member is required */
  LUAWS_SHAPE_DEPRECATED = 1 << 16,
  LUAWS_SHAPE_HAS_LOCATIONS =
      1 << 17, /* some member is bound to URI, query, header or status */
};

enum luaws_location {
  LUAWS_IN_BODY,
  LUAWS_IN_HEADER,
  LUAWS_IN_HEADERS,
  LUAWS_IN_QUERYSTRING,
  LUAWS_IN_URI,
  LUAWS_IN_STATUS_CODE
};

enum luaws_member_flag {
  LUAWS_MEMBER_REQUIRED = 1 << 0,
  LUAWS_MEMBER_IDEMPOTENCY_TOKEN = 1 << 1,
  LUAWS_MEMBER_STREAMING = 1 << 2, /* the member or its shape */
  LUAWS_MEMBER_FLATTENED = 1 << 3, /* the member or its shape */
  LUAWS_MEMBER_XML_ATTRIBUTE = 1 << 4,
  LUAWS_MEMBER_JSONVALUE = 1 << 5,
  LUAWS_MEMBER_HOST_LABEL = 1 << 6,
  LUAWS_MEMBER_EVENT_PAYLOAD = 1 << 7,
  LUAWS_MEMBER_EVENT_HEADER = 1 << 8,
  LUAWS_MEMBER_PAYLOAD = 1 << 9, /* the structure's "payload" names it */
  LUAWS_MEMBER_HAS_LOCATION_NAME =
      1 << 10, /* wire_name comes from locationName, not from name */
  LUAWS_MEMBER_DEPRECATED = 1 << 11,
  LUAWS_MEMBER_ENDPOINT_PARAM = 1 << 12, /* extra->context_param is set */
};

/* A structure's member; also a list's item and a map's key and value (their name is none
 * then). */
struct luaws_member {
  luaws_ref name;      /* text: what a script writes */
  luaws_ref wire_name; /* text: locationName, else the name (none for list items, map keys
                          and values without one) */
  luaws_ref shape;     /* struct luaws_shape */
  luaws_ref extra;     /* struct luaws_member_extra, mostly none */
  uint16_t flags;      /* enum luaws_member_flag */
  uint8_t location;    /* enum luaws_location */
  uint8_t timestamp_format; /* of the member, else of its shape */
};

struct luaws_member_extra {
  luaws_ref query_name; /* text: ec2's queryName */
  luaws_ref xml_uri;    /* text: xmlNamespace of the member */
  luaws_ref xml_prefix;
  luaws_ref context_param; /* text: the endpoint parameter it feeds */
};

struct luaws_shape {
  luaws_ref name; /* text */
  uint8_t type;   /* enum luaws_type */
  uint8_t timestamp_format;
  uint16_t member_count; /* structure: members; list 1; map 2; else 0 */
  uint32_t flags;        /* enum luaws_shape_flag */
  luaws_ref members; /* struct luaws_member[]: in the model's order; list: item; map: key,
                        value */
  luaws_ref by_name; /* structure: uint16_t[member_count], sorted by name (length, then
                        bytes) */
  luaws_ref by_wire_name; /* structure: likewise by wire name */
  luaws_ref extra;        /* struct luaws_shape_extra, mostly none */
};

struct luaws_shape_extra {
  double min; /* least length or value, when has_min */
  uint8_t has_min;
  uint8_t reserved;
  uint16_t http_status; /* of an error, 0 = unknown */
  int32_t payload;      /* index of the payload member, -1 = none */
  luaws_ref error_code; /* text: the code on the wire where it is not the shape's name */
  luaws_ref location_name; /* text: on the shape itself (XML root) */
  luaws_ref xml_uri;
  luaws_ref xml_prefix;
  luaws_ref enum_values; /* uint32_t n, then luaws_ref[n] texts */
};

/* ---- operations ---- */

/* A URI or host prefix in pieces: literal text, or the value of the input's member. */
struct luaws_uri_part {
  luaws_ref literal; /* text, percent-encoded as it is; none for a label */
  int16_t member;    /* index into the input shape's members, -1 for a literal */
  uint8_t greedy;    /* {Key+}: slashes pass */
  uint8_t reserved;
};

enum luaws_operation_flag {
  LUAWS_OP_AUTH_NONE = 1 << 0,         /* authtype none, or auth is just noAuth */
  LUAWS_OP_UNSIGNED_PAYLOAD = 1 << 1,  /* unsignedPayload or authtype v4-unsigned-body */
  LUAWS_OP_CHECKSUM_REQUIRED = 1 << 2, /* httpChecksumRequired */
  LUAWS_OP_DEPRECATED = 1 << 3,
  LUAWS_OP_IDEMPOTENT = 1 << 4,
  LUAWS_OP_READONLY = 1 << 5,
  LUAWS_OP_DISCOVERY = 1 << 6, /* endpointdiscovery */
  LUAWS_OP_DISCOVERY_REQUIRED = 1 << 7,
  LUAWS_OP_DISCOVERY_SOURCE = 1 << 8, /* endpointoperation */
  LUAWS_OP_COMPRESS_GZIP = 1 << 9,    /* requestcompression lists gzip */
  LUAWS_OP_EVENTS_IN = 1 << 10,       /* input has an event stream */
  LUAWS_OP_EVENTS_OUT = 1 << 11,
  LUAWS_OP_STREAM_IN = 1 << 12,  /* input payload is a blob */
  LUAWS_OP_STREAM_OUT = 1 << 13, /* output payload is a blob: read as a body object */
  LUAWS_OP_HAS_IDEMPOTENCY_TOKEN = 1 << 14,
  /* The URI began with "/{Bucket}", whose member feeds an endpoint parameter: the rules
     put it into host or path, so the label is not in `path` any more. */
  LUAWS_OP_LABEL_IN_ENDPOINT = 1 << 15,
};

struct luaws_operation {
  luaws_ref name;        /* text: "DescribeInstances" (the key in "operations") */
  luaws_ref wire_name;   /* text: its "name", mostly the same */
  luaws_ref method_name; /* text: "describe_instances" */
  luaws_ref http_method; /* text */
  luaws_ref path;        /* struct luaws_uri_part[path_count]: requestUri up to "?" */
  luaws_ref query;       /* text: what stood after "?", percent-encoded; mostly none */
  luaws_ref input;       /* struct luaws_shape, or none */
  luaws_ref output;
  luaws_ref errors; /* luaws_ref[error_count], each to a shape */
  uint16_t error_count;
  uint16_t flags; /* enum luaws_operation_flag */
  uint8_t path_count;
  uint8_t host_prefix_count;
  uint16_t http_status;  /* responseCode, 0 = unsaid */
  luaws_ref request_uri; /* text: as in the model */
  luaws_ref extra;       /* struct luaws_operation_extra, mostly none */
};

struct luaws_operation_extra {
  luaws_ref result_wrapper;      /* text: output.resultWrapper */
  luaws_ref input_location_name; /* text: input.locationName: the XML root */
  luaws_ref input_xml_uri;       /* text: input.xmlNamespace */
  luaws_ref input_xml_prefix;
  luaws_ref output_location_name;
  luaws_ref host_prefix;   /* struct luaws_uri_part[host_prefix_count] */
  luaws_ref static_params; /* struct luaws_static_param[] */
  luaws_ref
      operation_params; /* struct luaws_static_param[] whose value is the JMESPath text */
  uint16_t static_param_count;
  uint16_t operation_param_count;
  luaws_ref auth; /* uint32_t n, luaws_ref[n] texts: "aws.auth#sigv4", … */
  /* httpChecksum; none of them for operations without */
  luaws_ref checksum_algorithm_member;    /* text: requestAlgorithmMember */
  luaws_ref checksum_validation_member;   /* text: requestValidationModeMember */
  luaws_ref checksum_response_algorithms; /* uint32_t n, luaws_ref[n] texts */
  uint32_t checksum_request_required;
};

/* value: a luaws_node: boolean, string, or list of strings. Of an operation's own
   parameter the string is its JMESPath, of a client's its type. */
struct luaws_static_param {
  luaws_ref name;
  luaws_ref value;
};

/* ---- a service ---- */

/* In the order in which a service that lists several is spoken to. */
enum luaws_protocol_id {
  LUAWS_PROTOCOL_JSON,
  LUAWS_PROTOCOL_REST_JSON,
  LUAWS_PROTOCOL_REST_XML,
  LUAWS_PROTOCOL_CBOR,
  LUAWS_PROTOCOL_QUERY,
  LUAWS_PROTOCOL_EC2,
  LUAWS_PROTOCOL_UNKNOWN
};

enum luaws_service_flag {
  LUAWS_SERVICE_QUERY_COMPATIBLE = 1 << 0, /* awsQueryCompatible */
};

struct luaws_service {
  luaws_ref name; /* text: botocore's folder name */
  luaws_ref api_version;
  luaws_ref service_id; /* "EC2"; where the model has none, its folder name */
  luaws_ref endpoint_prefix;
  luaws_ref signing_name; /* signingName, else the endpoint prefix */
  luaws_ref signature_version;
  luaws_ref json_version;
  luaws_ref target_prefix;
  luaws_ref xml_uri; /* xmlNamespace: a string, or its uri */
  luaws_ref full_name;
  luaws_ref abbreviation;
  luaws_ref uid;
  luaws_ref global_endpoint;
  luaws_ref class_name; /* abbreviation or full name without "Amazon", "AWS" and non-word
                           characters */
  luaws_ref
      hyphen_id;  /* service_id in lower case with "-" for spaces: the name in events */
  luaws_ref auth; /* uint32_t n, luaws_ref[n] texts */
  luaws_ref protocols; /* uint32_t n, luaws_ref[n] texts: as listed */
  uint8_t protocol;    /* enum luaws_protocol_id: the chosen one */
  uint8_t reserved;
  uint16_t flags; /* enum luaws_service_flag */
  uint32_t operation_count;
  luaws_ref operations; /* struct luaws_operation[], sorted by name's bytes */
  luaws_ref by_method;  /* uint16_t[operation_count], sorted by method_name's bytes */
  uint32_t shape_count;
  luaws_ref shapes;     /* struct luaws_shape[], sorted by name's bytes */
  uint32_t error_count; /* exceptions by the code on the wire */
  luaws_ref errors;     /* struct luaws_error_entry[], sorted by code's bytes */
  uint32_t client_context_count;
  luaws_ref client_context; /* struct luaws_static_param[]: name, value = its type
                               ("boolean") */
};

struct luaws_error_entry {
  luaws_ref code;
  luaws_ref shape;
};

#endif
