#include "base/time.h"

#include <math.h>

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const weekdays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

static const int64_t year_1 = -62135596800, year_10000 = 253402300800;

/* ---- the calendar ---- */

/* Days from 1970-01-01 in the proleptic Gregorian calendar. Years are counted from March,
   so that the leap day is the last of its year. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day) {
  year += (month - 1) / 12;
  month = (month - 1) % 12;
  if (month < 0) month += 12, year--;
  month += 1;
  if (month <= 2) year--;
  int64_t era = (year >= 0 ? year : year - 399) / 400, in_era = year - era * 400;
  int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static void date_from_days(int64_t days, struct luaws_time *t) {
  days += 719468;
  int64_t era = (days >= 0 ? days : days - 146096) / 146097, in_era = days - era * 146097;
  int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
  int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
  int64_t month = (5 * in_year + 2) / 153;
  t->day = (int)(in_year - (153 * month + 2) / 5 + 1);
  t->month = (int)(month < 10 ? month + 3 : month - 9);
  t->year = (int)(year + era * 400 + (t->month <= 2));
}

bool luaws_time_whole(double seconds, int64_t *out) {
  if (!(seconds >= (double)year_1 && seconds < (double)year_10000)) return false;
  *out = (int64_t)floor(seconds);
  return true;
}

/* Whole seconds (rounded down) and microseconds. */
static bool split_seconds(double seconds, int64_t *whole, int *microsecond) {
  int64_t s;
  if (!luaws_time_whole(seconds, &s)) return false;
  int us = (int)lround((seconds - (double)s) * 1e6);
  if (us == 1000000) us = 0, s++;
  if (s >= year_10000) return false;
  *whole = s;
  *microsecond = us;
  return true;
}

bool luaws_time_split(double seconds, struct luaws_time *out) {
  int64_t whole;
  int us;
  if (!split_seconds(seconds, &whole, &us)) return false;
  int64_t days = whole / 86400, rest = whole % 86400;
  if (rest < 0) rest += 86400, days--;
  date_from_days(days, out);
  out->hour = (int)(rest / 3600);
  out->minute = (int)(rest / 60 % 60);
  out->second = (int)(rest % 60);
  out->microsecond = us;
  return true;
}

double luaws_time_join(const struct luaws_time *t) {
  int64_t s = days_from_date(t->year, t->month, t->day) * 86400 +
              t->hour * (int64_t)3600 + t->minute * (int64_t)60 + t->second;
  return (double)s + t->microsecond / 1e6;
}

/* ---- parsing ---- */

struct cursor {
  const char *at, *end;
};

static bool take(struct cursor *c, char wanted) {
  if (c->at == c->end || *c->at != wanted) return false;
  c->at++;
  return true;
}

static bool take_space(struct cursor *c) {
  const char *from = c->at;
  while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
    c->at++;
  return c->at > from;
}

static bool is_digit(const struct cursor *c) {
  return c->at < c->end && *c->at >= '0' && *c->at <= '9';
}

/* A number of least to most digits. */
static bool take_number(struct cursor *c, int least, int most, int *out) {
  int n = 0, digits = 0;
  for (; digits < most && is_digit(c); digits++)
    n = n * 10 + (*c->at++ - '0');
  *out = n;
  return digits >= least;
}

static bool take_fraction(struct cursor *c, int *microsecond) {
  *microsecond = 0;
  if (!take(c, '.') && !take(c, ',')) return true;
  if (!is_digit(c)) return false;
  int scale = 100000;
  for (; is_digit(c); c->at++, scale /= 10)
    *microsecond += (*c->at - '0') * scale;
  return true;
}

/* A word of letters; three of them settle it for months and days. */
static struct luaws_str take_word(struct cursor *c) {
  const char *from = c->at;
  while (c->at < c->end && ((*c->at | 32) >= 'a' && (*c->at | 32) <= 'z'))
    c->at++;
  return (struct luaws_str){from, (size_t)(c->at - from)};
}

static int name_index(struct luaws_str word, const char *const *names, int count) {
  if (word.len < 3) return -1;
  for (int i = 0; i < count; i++) {
    if (luaws_str_eq_nocase(luaws_str_sub(word, 0, 3), luaws_str_from(names[i])))
      return i;
  }
  return -1;
}

static bool take_month(struct cursor *c, int *month) {
  *month = name_index(take_word(c), months, 12) + 1;
  return *month > 0;
}

/* Nothing, Z, a zone's name, +hh, +hhmm or +hh:mm; and then the end. */
static bool take_offset(struct cursor *c, int *seconds) {
  static const struct {
    const char *name;
    int hours;
  } zones[] = {{"Z", 0},    {"UTC", 0},  {"GMT", 0},  {"UT", 0},
               {"EST", -5}, {"EDT", -4}, {"CST", -6}, {"CDT", -5},
               {"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7}};
  *seconds = 0;
  take_space(c);
  if (c->at == c->end) return true;
  struct luaws_str zone = take_word(c);
  if (zone.len) {
    bool known = false;
    for (size_t i = 0; i < sizeof zones / sizeof *zones && !known; i++) {
      known = luaws_str_eq_nocase(zone, luaws_str_from(zones[i].name));
      if (known) *seconds = zones[i].hours * 3600;
    }
    if (!known) return false;
    take_space(c);
    if (c->at == c->end) return true;
  }
  int sign = take(c, '-') ? -1 : 1, hours, minutes = 0;
  if (sign == 1 && !take(c, '+')) return false;
  if (!take_number(c, 2, 2, &hours)) return false;
  bool colon = take(c, ':');
  if ((colon || c->at < c->end) && !take_number(c, 2, 2, &minutes)) return false;
  *seconds = sign * (hours * 3600 + minutes * 60);
  return c->at == c->end && hours < 24 && minutes < 60;
}

static bool in_range(const struct luaws_time *t) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (t->year < 1 || t->month < 1 || t->month > 12 || t->day < 1) return false;
  bool leap = t->year % 4 == 0 && (t->year % 100 != 0 || t->year % 400 == 0);
  int last = days[t->month - 1] + (t->month == 2 && leap);
  /* 60 is a leap second; 24:00:00 is midnight at the day's end. */
  bool midnight = t->hour == 24 && t->minute == 0 && t->second == 0 && !t->microsecond;
  return t->day <= last && (t->hour < 24 || midnight) && t->minute < 60 &&
         t->second <= 60;
}

/* "HH:MM[:SS[.f]]" */
static bool take_clock(struct cursor *c, struct luaws_time *t) {
  if (!take_number(c, 1, 2, &t->hour) || !take(c, ':')) return false;
  if (!take_number(c, 2, 2, &t->minute)) return false;
  if (!take(c, ':')) return true;
  return take_number(c, 2, 2, &t->second) && take_fraction(c, &t->microsecond);
}

static bool parse_iso(struct cursor c, struct luaws_time *t, int *offset) {
  *t = (struct luaws_time){0};
  *offset = 0;
  if (!take_number(&c, 4, 4, &t->year)) return false;
  bool extended = take(&c, '-');
  if (!take_number(&c, 2, 2, &t->month)) return false;
  if (extended && !take(&c, '-')) return false;
  if (!take_number(&c, 2, 2, &t->day)) return false;
  if (c.at == c.end) return extended; /* eight digits alone are a number of seconds */
  if (!take(&c, 'T') && !take(&c, 't') && !take_space(&c)) return false;
  if (c.end - c.at > 2 && c.at[2] == ':') {
    if (!take_clock(&c, t)) return false;
  } else {
    if (!take_number(&c, 2, 2, &t->hour)) return false;
    if (is_digit(&c) && !take_number(&c, 2, 2, &t->minute)) return false;
    if (is_digit(&c) && !take_number(&c, 2, 2, &t->second)) return false;
    if (!take_fraction(&c, &t->microsecond)) return false;
  }
  return take_offset(&c, offset);
}

/* RFC 822, 1123, 850: "[Sun, ]25 Jan 2015 08:00:00 GMT", with "-" for the inner spaces;
   asctime: "Sun Jan 25 08:00:00 2015". */
static bool parse_named(struct cursor c, struct luaws_time *t, int *offset) {
  *t = (struct luaws_time){0};
  *offset = 0;
  struct luaws_str word = take_word(&c);
  if (word.len) {
    if (name_index(word, weekdays, 7) < 0) return false;
    bool comma = take(&c, ',');
    bool space = take_space(&c);
    if (!comma && space && !is_digit(&c)) {
      if (!take_month(&c, &t->month) || !take_space(&c)) return false;
      if (!take_number(&c, 1, 2, &t->day) || !take_space(&c)) return false;
      if (!take_clock(&c, t) || !take_space(&c)) return false;
      return take_number(&c, 4, 4, &t->year) && c.at == c.end;
    }
  }
  if (!take_number(&c, 1, 2, &t->day)) return false;
  if (!take_space(&c) && !take(&c, '-')) return false;
  if (!take_month(&c, &t->month)) return false;
  if (!take_space(&c) && !take(&c, '-')) return false;
  const char *from = c.at;
  if (!take_number(&c, 2, 4, &t->year)) return false;
  if (c.at - from == 2) t->year += t->year < 70 ? 2000 : 1900;
  if (!take_space(&c) || !take_clock(&c, t)) return false;
  return take_offset(&c, offset);
}

bool luaws_time_parse(struct luaws_str text, double *seconds) {
  text = luaws_str_trim(text);
  if (text.len == 0 || text.len > 64) return false;
  struct luaws_time t;
  double number;
  if (luaws_str_to_double(text, &number)) {
    if (!luaws_time_split(number, &t)) return false;
    *seconds = number;
    return true;
  }
  struct cursor c = {text.ptr, text.ptr + text.len};
  int offset;
  if (!parse_iso(c, &t, &offset) && !parse_named(c, &t, &offset)) return false;
  if (!in_range(&t)) return false;
  /* The fraction is added last so that it is rounded once. */
  int us = t.microsecond;
  t.microsecond = 0;
  *seconds = luaws_time_join(&t) - offset + us / 1e6;
  return true;
}

/* ---- formatting ---- */

bool luaws_time_format_iso8601(struct luaws_buf *out, double seconds) {
  struct luaws_time t;
  if (!luaws_time_split(seconds, &t)) return false;
  luaws_buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", t.year, t.month, t.day, t.hour,
                   t.minute, t.second);
  if (t.microsecond) luaws_buf_printf(out, ".%06d", t.microsecond);
  luaws_buf_append_char(out, 'Z');
  return true;
}

bool luaws_time_format_iso8601_ms(struct luaws_buf *out, double seconds) {
  struct luaws_time t;
  if (!luaws_time_split(seconds, &t)) return false;
  luaws_buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.year, t.month, t.day,
                   t.hour, t.minute, t.second, t.microsecond / 1000);
  return true;
}

bool luaws_time_format_rfc822(struct luaws_buf *out, double seconds) {
  struct luaws_time t;
  if (!luaws_time_split(seconds, &t)) return false;
  int64_t days = days_from_date(t.year, t.month, t.day);
  int weekday = (int)((days % 7 + 7 + 4) % 7); /* 1970-01-01 was a Thursday */
  luaws_buf_printf(out, "%s, %02d %s %04d %02d:%02d:%02d GMT", weekdays[weekday], t.day,
                   months[t.month - 1], t.year, t.hour, t.minute, t.second);
  return true;
}

bool luaws_time_format_epoch(struct luaws_buf *out, double seconds) {
  int64_t whole;
  int us;
  if (!split_seconds(seconds, &whole, &us)) return false;
  luaws_buf_append_int(out, whole);
  return true;
}

bool luaws_time_format_basic(struct luaws_buf *out, double seconds) {
  struct luaws_time t;
  if (!luaws_time_split(seconds, &t)) return false;
  luaws_buf_printf(out, "%04d%02d%02dT%02d%02d%02dZ", t.year, t.month, t.day, t.hour,
                   t.minute, t.second);
  return true;
}
