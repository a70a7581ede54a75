#include "protocol/event_frame.h"

#include <stdlib.h>
#include <zlib.h>

enum { PRELUDE_BYTES = 12, CRC_BYTES = 4, UUID_BYTES = 16 };

static uint32_t read_u32(const char *p) {
  const unsigned char *b = (const unsigned char *)p;
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* A signed number in so many bytes, the highest first. */
static int64_t read_int(const char *p, size_t bytes) {
  uint64_t n = (signed char)p[0] < 0 ? UINT64_MAX : 0;
  for (size_t i = 0; i < bytes; i++)
    n = n << 8 | (unsigned char)p[i];
  return (int64_t)n;
}

static int broken(struct luaws_error *err, const char *what) {
  return luaws_error_set(err, LUAWS_E_RESPONSE, "ParserError",
                         "Unable to parse a message of the event stream: %s", what);
}

static int check_crc(uint32_t before, const char *bytes, size_t count, uint32_t expected,
                     struct luaws_error *err) {
  uint32_t found = (uint32_t)crc32_z(before, (const Bytef *)bytes, count);
  if (found == expected) return 0;
  return luaws_error_set(err, LUAWS_E_RESPONSE, "ChecksumMismatch",
                         "Checksum mismatch: expected 0x%08x, calculated 0x%08x",
                         (unsigned)expected, (unsigned)found);
}

/* ---- headers ---- */

/* Cuts count bytes off the front of rest; false when there are fewer. */
static bool take(struct luaws_str *rest, size_t count, struct luaws_str *out) {
  if (rest->len < count) return false;
  *out = (struct luaws_str){rest->ptr, count};
  rest->ptr += count;
  rest->len -= count;
  return true;
}

static bool take_text(struct luaws_str *rest, size_t length_bytes,
                      struct luaws_str *out) {
  struct luaws_str length;
  if (!take(rest, length_bytes, &length)) return false;
  size_t count = 0;
  for (size_t i = 0; i < length_bytes; i++)
    count = count << 8 | (unsigned char)length.ptr[i];
  return take(rest, count, out);
}

static bool take_integer(struct luaws_str *rest, size_t bytes, int64_t *out) {
  struct luaws_str s;
  if (!take(rest, bytes, &s)) return false;
  *out = read_int(s.ptr, bytes);
  return true;
}

static bool take_value(struct luaws_str *rest, struct luaws_event_header *h) {
  switch (h->type) {
  case LUAWS_EVENT_HEADER_TRUE:
    h->integer = 1;
    return true;
  case LUAWS_EVENT_HEADER_FALSE:
    return true;
  case LUAWS_EVENT_HEADER_BYTE:
    return take_integer(rest, 1, &h->integer);
  case LUAWS_EVENT_HEADER_SHORT:
    return take_integer(rest, 2, &h->integer);
  case LUAWS_EVENT_HEADER_INTEGER:
    return take_integer(rest, 4, &h->integer);
  case LUAWS_EVENT_HEADER_LONG:
  case LUAWS_EVENT_HEADER_TIMESTAMP:
    return take_integer(rest, 8, &h->integer);
  case LUAWS_EVENT_HEADER_BYTES:
  case LUAWS_EVENT_HEADER_STRING:
    return take_text(rest, 2, &h->bytes);
  case LUAWS_EVENT_HEADER_UUID:
    return take(rest, UUID_BYTES, &h->bytes);
  }
  return false;
}

static int by_name(const void *a, const void *b) {
  const struct luaws_event_header *x = a, *y = b;
  return luaws_str_cmp(x->name, y->name);
}

static struct luaws_event_header *next_slot(struct luaws_event_decoder *d, size_t count) {
  if (count == d->header_cap) {
    size_t cap = d->header_cap ? d->header_cap * 2 : 8;
    struct luaws_event_header *more = realloc(d->headers, cap * sizeof *more);
    if (!more) return NULL;
    d->headers = more;
    d->header_cap = cap;
  }
  return &d->headers[count];
}

static int read_headers(struct luaws_event_decoder *d, struct luaws_str rest,
                        size_t *count, struct luaws_error *err) {
  while (rest.len) {
    struct luaws_event_header *h = next_slot(d, *count);
    if (!h) return luaws_error_memory(err);
    *h = (struct luaws_event_header){0};
    struct luaws_str type;
    if (!take_text(&rest, 1, &h->name) || !take(&rest, 1, &type))
      return broken(err, "its headers are cut off");
    if ((unsigned char)*type.ptr > LUAWS_EVENT_HEADER_UUID)
      return broken(err, "a header has a type that nobody knows");
    h->type = (enum luaws_event_header_type) * type.ptr;
    if (!take_value(&rest, h)) return broken(err, "its headers are cut off");
    (*count)++;
  }
  if (*count > 1) qsort(d->headers, *count, sizeof *d->headers, by_name);
  for (size_t i = 1; i < *count; i++) {
    struct luaws_str name = d->headers[i].name;
    if (!luaws_str_eq(name, d->headers[i - 1].name)) continue;
    return luaws_error_set(err, LUAWS_E_RESPONSE, "DuplicateHeader",
                           "Duplicate header present: \"%.*s\"", LUAWS_STR_ARG(name));
  }
  return 0;
}

const struct luaws_event_header *
luaws_event_header_get(const struct luaws_event_message *m, struct luaws_str name) {
  if (!m->header_count) return NULL;
  struct luaws_event_header key = {.name = name};
  return bsearch(&key, m->headers, m->header_count, sizeof key, by_name);
}

struct luaws_str luaws_event_header_text(const struct luaws_event_message *m,
                                         struct luaws_str name) {
  const struct luaws_event_header *h = luaws_event_header_get(m, name);
  return h && h->type == LUAWS_EVENT_HEADER_STRING ? h->bytes : LUAWS_STR_NONE;
}

/* ---- messages ---- */

static void drop_last(struct luaws_event_decoder *d) {
  d->at += d->last;
  d->last = 0;
}

char *luaws_event_decoder_room(struct luaws_event_decoder *d, size_t bytes) {
  drop_last(d);
  if (d->at) {
    size_t left = d->data.len - d->at;
    memmove(d->data.ptr, d->data.ptr + d->at, left);
    luaws_buf_truncate(&d->data, left);
    d->at = 0;
  }
  return luaws_buf_reserve(&d->data, bytes) ? d->data.ptr + d->data.len : NULL;
}

void luaws_event_decoder_filled(struct luaws_event_decoder *d, size_t bytes) {
  d->data.len += bytes;
}

/* The lengths that a prelude says, checked. */
static int read_prelude(const char *p, size_t *total, size_t *headers,
                        struct luaws_error *err) {
  int rc = check_crc(0, p, PRELUDE_BYTES - CRC_BYTES, read_u32(p + 8), err);
  if (rc) return rc;
  *total = read_u32(p);
  *headers = read_u32(p + 4);
  if (*headers > LUAWS_EVENT_MAX_HEADER_BYTES) {
    return luaws_error_set(err, LUAWS_E_RESPONSE, "InvalidHeadersLength",
                           "Header length of %zu exceeded the maximum of %d", *headers,
                           (int)LUAWS_EVENT_MAX_HEADER_BYTES);
  }
  size_t rest = PRELUDE_BYTES + CRC_BYTES + *headers;
  if (*total < rest) return broken(err, "its headers are longer than itself");
  if (*total - rest > LUAWS_EVENT_MAX_PAYLOAD_BYTES) {
    return luaws_error_set(err, LUAWS_E_RESPONSE, "InvalidPayloadLength",
                           "Payload length of %zu exceeded the maximum of %d",
                           *total - rest, (int)LUAWS_EVENT_MAX_PAYLOAD_BYTES);
  }
  return 0;
}

int luaws_event_decoder_next(struct luaws_event_decoder *d,
                             struct luaws_event_message *out, struct luaws_error *err) {
  drop_last(d);
  *out = (struct luaws_event_message){0};
  size_t have = d->data.len - d->at, total, header_bytes, count = 0;
  if (have < PRELUDE_BYTES) return 0;
  const char *p = d->data.ptr + d->at;
  int rc = read_prelude(p, &total, &header_bytes, err);
  if (rc) return rc;
  if (have < total) return 0;
  /* The sum goes over the prelude's own sum too: crc32(prelude) is in read_u32(p + 8). */
  rc = check_crc(read_u32(p + 8), p + PRELUDE_BYTES - CRC_BYTES, total - PRELUDE_BYTES,
                 read_u32(p + total - CRC_BYTES), err);
  if (rc) return rc;
  rc = read_headers(d, (struct luaws_str){p + PRELUDE_BYTES, header_bytes}, &count, err);
  if (rc) return rc;
  d->last = total;
  *out = (struct luaws_event_message){
      .headers = d->headers,
      .header_count = count,
      .payload = {p + PRELUDE_BYTES + header_bytes,
                  total - PRELUDE_BYTES - CRC_BYTES - header_bytes}};
  return 1;
}

bool luaws_event_decoder_is_cut(const struct luaws_event_decoder *d) {
  return d->data.len > d->at + d->last;
}

void luaws_event_decoder_clear(struct luaws_event_decoder *d) {
  luaws_buf_wipe(&d->data);
  free(d->headers);
  *d = (struct luaws_event_decoder){0};
}

/* ---- writing ---- */

/* The lowest `bytes` bytes of n, the highest first. */
static void put_int(struct luaws_buf *out, uint64_t n, unsigned bytes) {
  while (bytes-- > 0)
    luaws_buf_append_char(out, (char)(n >> (8 * bytes) & 0xff));
}

static unsigned integer_bytes(enum luaws_event_header_type type) {
  switch (type) {
  case LUAWS_EVENT_HEADER_BYTE:
    return 1;
  case LUAWS_EVENT_HEADER_SHORT:
    return 2;
  case LUAWS_EVENT_HEADER_INTEGER:
    return 4;
  case LUAWS_EVENT_HEADER_LONG:
  case LUAWS_EVENT_HEADER_TIMESTAMP:
    return 8;
  default:
    return 0;
  }
}

bool luaws_event_put_header(struct luaws_buf *out, const struct luaws_event_header *h) {
  bool text = h->type == LUAWS_EVENT_HEADER_BYTES || h->type == LUAWS_EVENT_HEADER_STRING;
  if (h->name.len == 0 || h->name.len > UINT8_MAX ||
      (text && h->bytes.len > INT16_MAX) || /* as AWS's own SDKs limit it */
      (h->type == LUAWS_EVENT_HEADER_UUID && h->bytes.len != UUID_BYTES))
    return false;
  put_int(out, h->name.len, 1);
  luaws_buf_append_str(out, h->name);
  put_int(out, h->type, 1);
  put_int(out, (uint64_t)h->integer, integer_bytes(h->type));
  if (text) put_int(out, h->bytes.len, 2);
  if (text || h->type == LUAWS_EVENT_HEADER_UUID) luaws_buf_append_str(out, h->bytes);
  return true;
}

int luaws_event_write(struct luaws_buf *out, struct luaws_str headers,
                      struct luaws_str payload, struct luaws_error *err) {
  if (headers.len > LUAWS_EVENT_MAX_HEADER_BYTES) {
    return luaws_error_set(err, LUAWS_E_ARGUMENT, "InvalidHeadersLength",
                           "Header length of %zu exceeded the maximum of %d", headers.len,
                           (int)LUAWS_EVENT_MAX_HEADER_BYTES);
  }
  if (payload.len > LUAWS_EVENT_MAX_PAYLOAD_BYTES) {
    return luaws_error_set(err, LUAWS_E_ARGUMENT, "InvalidPayloadLength",
                           "Payload length of %zu exceeded the maximum of %d",
                           payload.len, (int)LUAWS_EVENT_MAX_PAYLOAD_BYTES);
  }
  size_t start = out->len, total = PRELUDE_BYTES + headers.len + payload.len + CRC_BYTES;
  if (!luaws_buf_reserve(out, total)) return luaws_error_memory(err);
  put_int(out, total, 4);
  put_int(out, headers.len, 4);
  put_int(out, crc32_z(0, (const Bytef *)out->ptr + start, 8), 4);
  luaws_buf_append_str(out, headers);
  luaws_buf_append_str(out, payload);
  put_int(out, crc32_z(0, (const Bytef *)out->ptr + start, total - CRC_BYTES), 4);
  return 0;
}
