/* SPDX-License-Identifier: BSD-2-Clause */
/* OpenMetrics text by its grammar, every counter once, and stats; with the fake daemon. */
#include "fake_agent.h"
#include "flow/flowtext.h"
#include "daemon/metrics.h"
#include <ctype.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static char directory[] = "/tmp/flowner-test-XXXXXX";

static int setup(void **state)
{
	char path[sizeof(directory) + 32];

	(void)state;
	fake_new();
	fake_end(make_flow(0x222, 1000, "10.0.0.2", 40002, "10.0.0.9", 443), 20 * S);
	snprintf(path, sizeof(path), "%s/sock", directory);
	return api_new(&fake.agent, path, &fake.agent.api);
}

static int teardown(void **state)
{
	(void)state;
	fake_free();
	return 0;
}

/* --- the clock: a walk over a map takes as long as a test says --- */

static struct {
	__u64 walk_ms, later_ms;
} slow;

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	int r = __real_clock_gettime(clock, ret);
	__u64 ms = slow.later_ms + slow.walk_ms * fake.maps_walked;

	ret->tv_sec += (time_t)(ms / 1000);
	ret->tv_nsec += (long)(ms % 1000) * 1000000;
	if (ret->tv_nsec >= 1000000000) {
		ret->tv_sec++;
		ret->tv_nsec -= 1000000000;
	}
	return r;
}

static bool has_line(const char *text, const char *line)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	return strstr(text, whole) || strncmp(text, whole + 1, strlen(whole + 1)) == 0;
}

static size_t occurrences(const char *text, const char *word)
{
	size_t count = 0;

	for (; (text = strstr(text, word)); text += strlen(word))
		count++;
	return count;
}

static void expect_counter(const char *text, const char *sample, enum fl_counter counter)
{
	char line[128];

	snprintf(line, sizeof(line), "%s %d", sample, 1000 + (int)counter);
	if (!has_line(text, line))
		fail_msg("no line '%s'", line);
}

static void the_names_of_the_contract(void **state)
{
	static const char *const lines[] = {
		"flowner_build_info{version=\"" FLOWNER_VERSION "\"} 1",
		"# TYPE flowner_flows counter",
		"flowner_flows_total 1000",
		"flowner_flows_active 11",
		"flowner_events_lost_total{reason=\"slow_reader\"} 0",
		"flowner_map_entries{map=\"l7_connections\"} 10",
		"flowner_map_capacity{map=\"processes\"} 102",
		"flowner_recent_flows 1",
		"flowner_streams_open 0",
		"# UNIT flowner_uptime_seconds seconds",
	};
	char *text = metrics_text(&fake.agent, METRICS_OPEN);

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!has_line(text, lines[i]))
			fail_msg("no line '%s' in:\n%s", lines[i], text);
	expect_counter(text, "flowner_events_lost_total{reason=\"ring_full\"}", FL_CNT_RING_FULL);
	expect_counter(text, "flowner_unresolved_total{reason=\"no_listener\"}",
		       FL_CNT_NO_LISTENER);
	expect_counter(text, "flowner_flows_ended_total", FL_CNT_ENDED);
	/* a map that cannot be read has no number, rather than 0 */
	assert_null(strstr(text, "process_text"));
	free(text);
}

/* The fake counter N has the value 1000 + N, so each must be found exactly once. */
static void every_counter_once(void **state)
{
	char *text = metrics_text(&fake.agent, METRICS_OPEN), value[32];

	(void)state;
	for (enum fl_counter c = 0; c < FL_CNT_MAX; c++) {
		snprintf(value, sizeof(value), " %llu\n", 1000 + (__u64)c);
		if (occurrences(text, value) != 1)
			fail_msg("%s is there %zu times", counter_text(c),
				 occurrences(text, value));
	}
	free(text);
}

/* The name of the family LINE's sample belongs to, without the suffix its type asks for. */
static void check_sample(const char *line, const char *family, const char *type)
{
	const char *suffix = strcmp(type, "counter") == 0 ? "_total"
			     : strcmp(type, "info") == 0  ? "_info"
							  : "";
	char name[160];
	size_t n = strcspn(line, "{ ");

	snprintf(name, sizeof(name), "%s%s", family, suffix);
	if (strlen(name) != n || strncmp(name, line, n) != 0)
		fail_msg("'%s' is no sample of %s %s", line, type, family);
	if (line[n] == '{') {
		line = strstr(line, "\"}");
		assert_non_null(line);
		n = 2;
	}
	assert_int_equal(line[n], ' ');
	assert_true(isdigit((unsigned char)line[n + 1]));
}

/* Metadata first, samples of one family together, each family once, the end marked. */
static void the_grammar(void **state)
{
	char *text = metrics_text(&fake.agent, METRICS_OPEN), *rest = text, *line;
	char family[128] = "", type[32] = "", seen[8192] = " ", mark[160];
	bool ended = false;

	(void)state;
	while ((line = strsep(&rest, "\n")) && *line) {
		assert_false(ended);
		if (strcmp(line, "# EOF") == 0) {
			ended = true;
		} else if (strncmp(line, "# TYPE ", 7) == 0) {
			assert_int_equal(sscanf(line, "# TYPE %127s %31s", family, type), 2);
			snprintf(mark, sizeof(mark), " %s ", family);
			assert_null(strstr(seen, mark));
			strcat(seen, mark);
		} else if (*line == '#') {
			snprintf(mark, sizeof(mark), " %s ", family);
			assert_non_null(strstr(line, mark));
		} else {
			check_sample(line, family, type);
		}
	}
	assert_true(ended);
	free(text);
}

static void who_gets_which_text(void **state)
{
	static const struct {
		const char *accept;
		enum metrics_format format;
	} cases[] = {
		{ NULL, METRICS_OPEN },
		{ "*/*", METRICS_OPEN },
		{ "application/json", METRICS_OPEN },
		{ "text/plain", METRICS_PLAIN },
		{ "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", METRICS_PLAIN },
		{ "application/openmetrics-text;version=1.0.0,text/plain;q=0.5", METRICS_OPEN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(metrics_format_for(cases[i].accept), cases[i].format);
}

/* There, what is typed are samples, and nothing of OpenMetrics is left. */
static void the_older_text(void **state)
{
	char *text = metrics_text(&fake.agent, METRICS_PLAIN);

	(void)state;
	assert_true(has_line(text, "# TYPE flowner_flows_ended_total counter"));
	assert_true(has_line(text, "# TYPE flowner_build_info gauge"));
	assert_true(has_line(text, "# TYPE flowner_flows_active gauge"));
	expect_counter(text, "flowner_flows_ended_total", FL_CNT_ENDED);
	assert_null(strstr(text, "# EOF"));
	assert_null(strstr(text, "# UNIT"));
	assert_null(strstr(text, " info\n"));
	free(text);
}

static void stats(void **state)
{
	json_t *o = metrics_stats(&fake.agent), *counters = json_object_get(o, "counters");

	(void)state;
	assert_int_equal(json_object_size(counters), FL_CNT_MAX);
	assert_int_equal(json_integer_value(json_object_get(counters, "ring_full")),
			 1000 + FL_CNT_RING_FULL);
	assert_int_equal(json_integer_value(json_object_get(o, "recent")), 1);
	assert_int_equal(json_integer_value(json_object_get(o, "processes")), 21);
	assert_int_equal(json_object_size(json_object_get(o, "maps")), 3);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "streams"), "open")),
			 0);
	json_decref(o);
}

static void without_an_api(void **state)
{
	char *text;
	json_t *o;

	(void)state;
	api_free(fake.agent.api);
	fake.agent.api = NULL;
	text = metrics_text(&fake.agent, METRICS_OPEN);
	assert_non_null(strstr(text, "# EOF\n"));
	free(text);
	o = metrics_stats(&fake.agent);
	assert_non_null(o);
	json_decref(o);
}

#define METRICS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void ask(void)
{
	free(metrics_text(&fake.agent, METRICS_PLAIN));
	json_decref(metrics_stats(&fake.agent));
}

static void maps_are_not_walked_all_the_time(void **state)
{
	__u64 before;

	(void)state;
	slow.later_ms = 1000000;
	slow.walk_ms = 50000;
	ask();
	before = fake.maps_walked;
	for (int i = 0; i < 10; i++)
		ask();
	assert_int_equal(fake.maps_walked, before);
	slow.later_ms += 9 * 4 * 50000 + 60000;
	ask();
	assert_int_equal(fake.maps_walked, before + MAPS_TABLES);
	slow.walk_ms = 0;
	slow.later_ms += 10000000;
	ask();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		METRICS_TEST(the_names_of_the_contract),
		METRICS_TEST(every_counter_once),
		METRICS_TEST(the_grammar),
		METRICS_TEST(who_gets_which_text),
		METRICS_TEST(the_older_text),
		METRICS_TEST(stats),
		METRICS_TEST(without_an_api),
		METRICS_TEST(maps_are_not_walked_all_the_time),
	};
	int failed;

	if (!mkdtemp(directory))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
