/* SPDX-License-Identifier: BSD-2-Clause */
/* What is found out about a kernel without being root. */
#include "kernel/probe.h"

#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void an_enumerator_has_the_value_it_has_in_uapi(void **state)
{
	__u32 value = 0;
	int r = probe_enumerator("BPF_MAP_TYPE_RINGBUF", &value);

	(void)state;
	if (r == -ENOENT || r == -EACCES)
		skip(); /* a kernel without types of its own */
	assert_int_equal(r, 0);
	assert_int_equal(value, BPF_MAP_TYPE_RINGBUF);
}

static void there_is_none_of_that_name(void **state)
{
	__u32 value = 7;

	(void)state;
	assert_true(probe_enumerator("FLOWNER_NO_SUCH_ENUMERATOR", &value) < 0);
	assert_int_equal(value, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_enumerator_has_the_value_it_has_in_uapi),
		cmocka_unit_test(there_is_none_of_that_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
