#include "protocol/scalar.h"

#include "base/encode.h"
#include "base/time.h"

#include <math.h>
#include <time.h>

/* ---- values of a program ---- */

bool luaws_read_integer(struct luaws_reader *r, int64_t *out) {
  switch (r->ops->kind(r)) {
  case LUAWS_KIND_INTEGER:
    *out = r->ops->integer(r);
    return true;
  case LUAWS_KIND_FLOAT: {
    double n = r->ops->floating(r);
    /* 2^63 itself does not fit. */
    if (!(n >= -0x1p63 && n < 0x1p63) || n != floor(n)) return false;
    *out = (int64_t)n;
    return true;
  }
  default:
    return false;
  }
}

/* A field of os.date("*t"); absent ones have Lua's own default. */
static bool date_field(struct luaws_reader *r, const char *name, int otherwise,
                       int *out) {
  *out = otherwise;
  if (!r->ops->enter_member(r, luaws_str_from(name))) return otherwise >= 0;
  int64_t n = 0;
  bool ok = luaws_read_integer(r, &n) && n > -100000 && n < 100000000;
  r->ops->leave(r);
  *out = (int)n;
  return ok;
}

static bool read_date_table(struct luaws_reader *r, double *seconds) {
  struct tm tm = {0};
  bool ok =
      date_field(r, "year", -1, &tm.tm_year) && date_field(r, "month", -1, &tm.tm_mon) &&
      date_field(r, "day", -1, &tm.tm_mday) && date_field(r, "hour", 12, &tm.tm_hour) &&
      date_field(r, "min", 0, &tm.tm_min) && date_field(r, "sec", 0, &tm.tm_sec);
  if (!ok) return false;
  tm.tm_year -= 1900;
  tm.tm_mon -= 1;
  tm.tm_isdst = -1;
  if (r->ops->enter_member(r, LUAWS_STR("isdst"))) {
    if (r->ops->kind(r) == LUAWS_KIND_BOOLEAN) tm.tm_isdst = r->ops->boolean(r);
    r->ops->leave(r);
  }
  struct luaws_time unused;
  *seconds = (double)mktime(&tm);
  return luaws_time_split(*seconds, &unused);
}

bool luaws_read_time(struct luaws_reader *r, double *seconds) {
  struct luaws_time unused;
  switch (r->ops->kind(r)) {
  case LUAWS_KIND_INTEGER:
  case LUAWS_KIND_FLOAT:
    *seconds = r->ops->floating(r);
    return luaws_time_split(*seconds, &unused);
  case LUAWS_KIND_STRING:
    return luaws_time_parse(r->ops->bytes(r), seconds);
  case LUAWS_KIND_MAP:
    return read_date_table(r, seconds);
  default:
    return false;
  }
}

/* ---- values as text ---- */

bool luaws_write_time(struct luaws_buf *out, double seconds,
                      struct luaws_time_style style) {
  if (style.format == LUAWS_TIMESTAMP_RFC822)
    return luaws_time_format_rfc822(out, seconds);
  if (style.format == LUAWS_TIMESTAMP_ISO8601) {
    return style.milliseconds ? luaws_time_format_iso8601_ms(out, seconds)
                              : luaws_time_format_iso8601(out, seconds);
  }
  if (!luaws_time_format_epoch(out, seconds)) return false;
  int ms = (int)((seconds - floor(seconds)) * 1000 + 1e-4);
  if (style.milliseconds && ms > 0 && seconds >= 0) luaws_buf_printf(out, ".%03d", ms);
  return true;
}

int luaws_wrong_kind(struct luaws_reader *r, const struct luaws_shape *shape,
                     const char *wanted, struct luaws_error *err) {
  return luaws_error_set(
      err, LUAWS_E_ARGUMENT, "ParamValidationError",
      "Parameter validation failed:\nInvalid type for parameter of shape "
      "%.*s, type: %s, valid types: %s",
      LUAWS_STR_ARG(luaws_ref_text(&shape->name)), r->ops->type_name(r), wanted);
}

int luaws_too_deep(struct luaws_error *err) {
  return luaws_error_set(
      err, LUAWS_E_ARGUMENT, "ParamValidationError",
      "Parameter validation failed:\nParameters are nested deeper than "
      "%d levels, or hold themselves",
      LUAWS_MAX_NESTING);
}

/* Whatever kind of scalar there is, for shapes that are text anyway. */
static bool any_text(struct luaws_buf *out, struct luaws_reader *r) {
  switch (r->ops->kind(r)) {
  case LUAWS_KIND_STRING:
    luaws_buf_append_str(out, r->ops->bytes(r));
    return true;
  case LUAWS_KIND_INTEGER:
    luaws_buf_append_int(out, r->ops->integer(r));
    return true;
  case LUAWS_KIND_FLOAT:
    luaws_buf_append_double(out, r->ops->floating(r));
    return true;
  case LUAWS_KIND_BOOLEAN:
    luaws_buf_append_cstr(out, r->ops->boolean(r) ? "true" : "false");
    return true;
  default:
    return false;
  }
}

int luaws_scalar_text(struct luaws_buf *out, struct luaws_reader *r,
                      const struct luaws_shape *shape, struct luaws_time_style style,
                      struct luaws_error *err) {
  enum luaws_kind kind = r->ops->kind(r);
  int64_t n;
  double seconds;
  switch ((enum luaws_type)shape->type) {
  case LUAWS_TYPE_STRING:
  case LUAWS_TYPE_CHARACTER:
    return any_text(out, r) ? 0 : luaws_wrong_kind(r, shape, "string", err);
  case LUAWS_TYPE_BLOB:
    if (kind != LUAWS_KIND_STRING) return luaws_wrong_kind(r, shape, "string", err);
    luaws_base64_encode(out, r->ops->blob(r));
    return 0;
  case LUAWS_TYPE_BOOLEAN:
    if (kind != LUAWS_KIND_BOOLEAN) return luaws_wrong_kind(r, shape, "boolean", err);
    luaws_buf_append_cstr(out, r->ops->boolean(r) ? "true" : "false");
    return 0;
  case LUAWS_TYPE_INTEGER:
  case LUAWS_TYPE_LONG:
    if (!luaws_read_integer(r, &n)) return luaws_wrong_kind(r, shape, "integer", err);
    luaws_buf_append_int(out, n);
    return 0;
  case LUAWS_TYPE_FLOAT:
  case LUAWS_TYPE_DOUBLE:
    if (kind == LUAWS_KIND_INTEGER) {
      luaws_buf_append_int(out, r->ops->integer(r));
      return 0;
    }
    if (kind != LUAWS_KIND_FLOAT) return luaws_wrong_kind(r, shape, "number", err);
    luaws_buf_append_double(out, r->ops->floating(r));
    return 0;
  case LUAWS_TYPE_TIMESTAMP:
    if (!luaws_read_time(r, &seconds) || !luaws_write_time(out, seconds, style)) {
      return luaws_wrong_kind(r, shape, "timestamp", err);
    }
    return 0;
  default:
    return luaws_wrong_kind(r, shape, "a scalar", err);
  }
}

/* ---- text as values ---- */

const char *luaws_scalar_parse(struct luaws_writer *w, const struct luaws_shape *shape,
                               struct luaws_str text, struct luaws_buf *scratch) {
  int64_t n;
  double d;
  switch ((enum luaws_type)shape->type) {
  case LUAWS_TYPE_STRING:
  case LUAWS_TYPE_CHARACTER:
    w->ops->bytes(w, text);
    return NULL;
  case LUAWS_TYPE_BLOB:
    luaws_buf_reset(scratch);
    if (!luaws_base64_decode(scratch, text)) return "base64";
    w->ops->blob(w, luaws_buf_str(scratch));
    return NULL;
  case LUAWS_TYPE_BOOLEAN:
    w->ops->boolean(w, luaws_str_eq_nocase(luaws_str_trim(text), LUAWS_STR("true")));
    return NULL;
  case LUAWS_TYPE_INTEGER:
  case LUAWS_TYPE_LONG:
    if (!luaws_str_to_int64(luaws_str_trim(text), &n)) return "an integer";
    w->ops->integer(w, n);
    return NULL;
  case LUAWS_TYPE_FLOAT:
  case LUAWS_TYPE_DOUBLE:
    if (!luaws_str_to_double(luaws_str_trim(text), &d)) return "a number";
    w->ops->floating(w, d);
    return NULL;
  case LUAWS_TYPE_TIMESTAMP:
    if (!luaws_time_parse(text, &d)) return "a timestamp";
    w->ops->timestamp(w, d);
    return NULL;
  default:
    return "a scalar";
  }
}
