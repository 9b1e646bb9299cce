/* SPDX-License-Identifier: BSD-2-Clause */
/* Points in time to text and back; UTC only, no time zone database, no locale. */
#include "text/wallclock.h"
#include "text/quantity.h"
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS 1000000000ULL
#define SECONDS_MAX (LLONG_MAX / (long long)NS)

const char *wallclock_format(__u64 realtime_ns, char *buf)
{
	time_t seconds = (time_t)(realtime_ns / NS);
	struct tm tm = { 0 };
	size_t used;

	gmtime_r(&seconds, &tm);
	used = strftime(buf, WALLCLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + used, WALLCLOCK_TEXT - used, ".%09lluZ", realtime_ns % NS);
	return buf;
}

/* N digits exactly; the cursor moves only past what was read. */
static bool take_digits(const char **at, unsigned int n, int *ret_value)
{
	int value = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (!isdigit((unsigned char)(*at)[i]))
			return false;
		value = value * 10 + ((*at)[i] - '0');
	}
	*at += n;
	*ret_value = value;
	return true;
}

static bool take_char(const char **at, const char *any_of)
{
	if (!**at || !strchr(any_of, **at))
		return false;
	(*at)++;
	return true;
}

/* ".5" is 500 000 000 ns; digits beyond the ninth are read and dropped. */
static bool take_fraction(const char **at, __u64 *ret_ns)
{
	__u64 ns = 0, unit = NS / 10;

	*ret_ns = 0;
	if (!take_char(at, "."))
		return true;
	if (!isdigit((unsigned char)**at))
		return false;
	for (; isdigit((unsigned char)**at); (*at)++, unit /= 10)
		ns += (__u64)(**at - '0') * unit;
	*ret_ns = ns;
	return true;
}

static bool take_offset(const char **at, int *ret_seconds)
{
	int hours, minutes, sign = **at == '-' ? -1 : 1;

	*ret_seconds = 0;
	if (take_char(at, "Zz"))
		return true;
	if (!take_char(at, "+-") || !take_digits(at, 2, &hours) || !take_char(at, ":") ||
	    !take_digits(at, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool take_date(const char **at, struct tm *tm)
{
	return take_digits(at, 4, &tm->tm_year) && take_char(at, "-") &&
	       take_digits(at, 2, &tm->tm_mon) && take_char(at, "-") &&
	       take_digits(at, 2, &tm->tm_mday) && take_char(at, "Tt ") &&
	       take_digits(at, 2, &tm->tm_hour) && take_char(at, ":") &&
	       take_digits(at, 2, &tm->tm_min) && take_char(at, ":") &&
	       take_digits(at, 2, &tm->tm_sec);
}

static int rfc3339_parse(const char *text, __u64 *ret_ns)
{
	struct tm tm = { 0 }, real;
	long long seconds;
	__u64 fraction;
	int offset;

	if (!take_date(&text, &tm) || !take_fraction(&text, &fraction) ||
	    !take_offset(&text, &offset) || *text || tm.tm_sec > 60)
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	real = tm;
	seconds = timegm(&real);
	/* timegm() reads February 30 as March 2: such a date was a mistake */
	if (real.tm_mday != tm.tm_mday || real.tm_mon != tm.tm_mon || real.tm_hour != tm.tm_hour)
		return -EINVAL;
	seconds -= offset;
	if (seconds < 0 || seconds >= SECONDS_MAX)
		return -EINVAL;
	*ret_ns = (__u64)seconds * NS + fraction;
	return 0;
}

static int epoch_parse(const char *text, __u64 *ret_ns)
{
	unsigned long long seconds;
	__u64 fraction;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	seconds = strtoull(text, &end, 10);
	text = end;
	if (errno || seconds >= (unsigned long long)SECONDS_MAX ||
	    !take_fraction(&text, &fraction) || *text)
		return -EINVAL;
	*ret_ns = seconds * NS + fraction;
	return 0;
}

int wallclock_parse(const char *text, __u64 now_ns, __u64 *ret_realtime_ns)
{
	uint64_t ago;

	if (*text == '@')
		return epoch_parse(text + 1, ret_realtime_ns);
	if (strchr(text, '-'))
		return rfc3339_parse(text, ret_realtime_ns);
	if (duration_parse(text, &ago) < 0 || ago > now_ns)
		return -EINVAL;
	*ret_realtime_ns = now_ns - ago;
	return 0;
}
