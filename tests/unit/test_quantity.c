/* SPDX-License-Identifier: BSD-2-Clause */
/* Lengths of time and sizes as people write them: every unit, the largest, and no half a number. */
#include "text/quantity.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{ "1ns", 1 },
		{ "2us", 2000 },
		{ "500ms", 500000000 },
		{ "30s", 30000000000 },
		{ "10m", 600000000000 },
		{ "1h", 3600000000000 },
		{ "1d", 86400000000000 },
		{ "0s", 0 },
		{ "18446744073s", 18446744073000000000u },
	};
	static const char *const bad[] = {
		"",	"s",   "1",    "-1s", " 1s",	      "1 s",   "1s ",
		"1.5s", "+1s", "0x1s", "1S",  "18446744074s", "1h30m", "99999999999999999999ns"
	};
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(duration_parse(good[i].text, &ns), 0);
		assert_true(ns == good[i].ns);
	}
	ns = 77;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(duration_parse(bad[i], &ns), -EINVAL);
		assert_int_equal(ns, 77);
	}
}

static void sizes(void **state)
{
	static const char *const bad[] = { "",	    "KiB",    "1kib",
					   "1KB",   "1k",     "-1",
					   "1 KiB", "1.5MiB", "18014398509481985KiB" };
	uint64_t bytes;

	(void)state;
	assert_int_equal(size_parse("65536", &bytes), 0);
	assert_int_equal(bytes, 65536);
	assert_int_equal(size_parse("64KiB", &bytes), 0);
	assert_int_equal(bytes, 65536);
	assert_int_equal(size_parse("16MiB", &bytes), 0);
	assert_int_equal(bytes, 16 << 20);
	assert_int_equal(size_parse("1GiB", &bytes), 0);
	assert_int_equal(bytes, 1 << 30);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(size_parse(bad[i], &bytes), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests_name("quantity", tests, NULL, NULL);
}
