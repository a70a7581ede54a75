/* Points in time, as seconds since 1970-01-01T00:00:00Z in a double: exact to the
   microsecond for the years 1 to 9999, which is all that the formats below can say. */
#ifndef LUAWS_BASE_TIME_H
#define LUAWS_BASE_TIME_H

#include "base/bytes.h"

/* A date and time of day in UTC. */
struct luaws_time {
  int year;  /* 1 to 9999 */
  int month; /* 1 to 12 */
  int day;   /* from 1 */
  int hour;
  int minute;
  int second;
  int microsecond;
};

/* The whole seconds of a time, rounded down. False for NaN and for what lies outside the
   years 1 to 9999. */
bool luaws_time_whole(double seconds, int64_t *out);
/* The same as a date. Rounds to microseconds. */
bool luaws_time_split(double seconds, struct luaws_time *out);
/* Fields out of their range carry over (month 13 is next January; day 0 is the last of
   the month before), as mktime does. */
double luaws_time_join(const struct luaws_time *t);

/* Any of: a number of seconds ("1422172800", "1.4e9", "-0.5"); ISO 8601, extended or
   basic, with a fraction and an offset ("2015-01-25T08:00:00.5+01:00"; without one it is
   UTC; a date alone is midnight); RFC 822, 1123 and 850 and asctime's form ("Sun, 25 Jan
   2015 08:00:00 GMT"). White space around it is skipped. False, and *seconds left as it
   was, for anything else. */
bool luaws_time_parse(struct luaws_str text, double *seconds);

/* What cannot be formatted (NaN, year 10000) leaves out as it is and is false. */
/* "2015-01-25T08:00:00Z", with six decimals when it is no whole second. */
bool luaws_time_format_iso8601(struct luaws_buf *out, double seconds);
/* "2015-01-25T08:00:00.000Z": always three decimals, further ones cut off. */
bool luaws_time_format_iso8601_ms(struct luaws_buf *out, double seconds);
/* "Sun, 25 Jan 2015 08:00:00 GMT"; fractions are cut off. */
bool luaws_time_format_rfc822(struct luaws_buf *out, double seconds);
/* "1422172800": cut down to whole seconds, as the other formats do. */
bool luaws_time_format_epoch(struct luaws_buf *out, double seconds);
/* "20150125T080000Z", as signatures want it; its first eight characters are their date.
 */
bool luaws_time_format_basic(struct luaws_buf *out, double seconds);

#endif
