/* SPDX-License-Identifier: BSD-2-Clause */
/* Digits and a suffix: nothing before them, nothing between, nothing after. */
#include "text/quantity.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

int number_parse(const char *text, uint64_t *ret_value, const char **ret_rest)
{
	unsigned long long value;
	char *rest;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &rest, 10);
	if (errno)
		return -EINVAL;
	*ret_value = value;
	*ret_rest = rest;
	return 0;
}

struct suffix {
	const char *text;
	uint64_t factor;
};

static int suffixed_parse(const char *text, const struct suffix *suffixes, uint64_t *ret_value)
{
	const char *rest;
	uint64_t value;

	if (number_parse(text, &value, &rest))
		return -EINVAL;
	for (; suffixes->text; suffixes++) {
		if (strcmp(rest, suffixes->text) != 0)
			continue;
		if (__builtin_mul_overflow(value, suffixes->factor, &value))
			return -EINVAL;
		*ret_value = value;
		return 0;
	}
	return -EINVAL;
}

int duration_parse(const char *text, uint64_t *ret_ns)
{
	static const struct suffix units[] = {
		{ "ns", 1 },
		{ "us", 1000 },
		{ "ms", NS_PER_MS },
		{ "s", NS_PER_S },
		{ "m", 60 * NS_PER_S },
		{ "h", 3600 * NS_PER_S },
		{ "d", 86400 * NS_PER_S },
		{ NULL, 0 },
	};

	return suffixed_parse(text, units, ret_ns);
}

int size_parse(const char *text, uint64_t *ret_bytes)
{
	static const struct suffix units[] = {
		{ "", 1 },   { "KiB", 1ull << 10 }, { "MiB", 1ull << 20 }, { "GiB", 1ull << 30 },
		{ NULL, 0 },
	};

	return suffixed_parse(text, units, ret_bytes);
}
