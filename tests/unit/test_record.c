/* SPDX-License-Identifier: BSD-2-Clause */
/* Cells and blocks made of a record: the daemon's, an odd one, and an empty one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cli/details.h"
#include "cli/record.h"

#define NS 1000000000ULL
#define NOW (1767323045ULL * NS) /* 2026-01-02T03:04:05Z */

static const struct record_view view = { .now_ns = NOW };
static const struct record_view numeric = { .now_ns = NOW, .numeric = true };

static json_t *record(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	return json;
}

static void expect_cell(record_cell cell, const struct record_view *v, const char *text,
			const char *expected)
{
	json_t *json = record(text);
	char buf[RECORD_TEXT];
	const char *got = cell(json, v, buf);

	if (expected) {
		assert_non_null(got);
		assert_string_equal(got, expected);
	} else {
		assert_null(got);
	}
	json_decref(json);
}

static void expect(record_cell cell, const char *text, const char *expected)
{
	expect_cell(cell, &view, text, expected);
}

static void paths(void **state)
{
	json_t *json = record("{\"a\":{\"b\":{\"c\":\"x\"},\"n\":7},\"s\":\"y\"}");
	char buf[RECORD_TEXT];

	(void)state;
	assert_string_equal(record_string(json, "a.b.c"), "x");
	assert_string_equal(record_string(json, "s"), "y");
	assert_null(record_string(json, "s.t"));
	assert_null(record_string(json, "a.b"));
	assert_null(record_string(json, "a.n"));
	assert_null(record_string(json, "a.x.c"));
	assert_string_equal(record_text(json, "a.n", buf), "7");
	assert_null(record_get(json, "an.endless.path.of.which.one.part.is.longer.than.any.name."
				     "of.ours.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
				     "xxxxxxxxxxxxxxxxxxx"));
	json_decref(json);
}

static void ages(void **state)
{
	(void)state;
	expect(record_age, "{\"event\":{\"start\":\"2026-01-02T03:04:05.000000000Z\"}}", "0s");
	expect(record_age, "{\"event\":{\"start\":\"2026-01-02T03:04:02.000000001Z\"}}", "2s");
	expect(record_age, "{\"event\":{\"start\":\"2026-01-02T03:03:06.0Z\"}}", "59s");
	expect(record_age, "{\"event\":{\"start\":\"2026-01-02T03:03:05Z\"}}", "1m");
	expect(record_age, "{\"event\":{\"start\":\"2026-01-02T02:04:06Z\"}}", "59m");
	expect(record_age, "{\"event\":{\"start\":\"2026-01-02T01:04:05Z\"}}", "2h");
	expect(record_age, "{\"event\":{\"start\":\"2026-01-01T03:04:06Z\"}}", "23h");
	expect(record_age, "{\"event\":{\"start\":\"2025-12-30T03:04:05Z\"}}", "3d");
	expect(record_age, "{\"event\":{\"start\":\"2026-01-02T03:09:05Z\"}}", "0s");
	expect(record_age, "{\"flowner\":{\"opened_before\":\"2026-01-02T01:00:00Z\"}}", ">2h");
	expect(record_age, "{\"event\":{\"start\":\"yesterday\"}}", NULL);
	expect(record_age, "{\"event\":{\"start\":7}}", NULL);
	expect(record_age, "{}", NULL);
}

static void states(void **state)
{
	(void)state;
	expect(record_state, "{\"flowner\":{\"state\":\"syn_sent\"}}", "syn_sent");
	expect(record_state, "{\"flowner\":{\"state\":\"established\"},\"event\":{\"end\":\"x\"}}",
	       "closed");
	expect(record_state,
	       "{\"flowner\":{\"state\":\"syn_sent\"},"
	       "\"event\":{\"end\":\"x\",\"reason\":\"timed_out\"}}",
	       "timed_out");
	expect(record_state, "{}", NULL);
}

static void endpoints(void **state)
{
	(void)state;
	expect(record_local, "{\"flowner\":{\"local\":{\"ip\":\"10.0.0.1\",\"port\":80}}}",
	       "10.0.0.1:80");
	expect(record_local, "{\"flowner\":{\"local\":{\"ip\":\"::1\",\"port\":80}}}", "[::1]:80");
	expect(record_local, "{\"flowner\":{\"local\":{\"ip\":\"\\u001b[2J\",\"port\":80}}}",
	       "\x1b[2J");
	expect(record_local, "{\"flowner\":{\"local\":{\"port\":80}}}", "?:80");
	expect(record_local, "{\"flowner\":{\"local\":{\"ip\":\"10.0.0.1\",\"port\":70000}}}",
	       "10.0.0.1:0");
	expect(record_local, "{}", NULL);
	expect(record_remote, "{}", "*");
	expect(record_remote, "{\"flowner\":{\"remote\":{}}}", "?");
}

static void owners(void **state)
{
	(void)state;
	expect(record_pid, "{\"process\":{\"pid\":7}}", "7");
	expect(record_pid,
	       "{\"process\":{\"pid\":7},\"flowner\":{\"role\":\"acceptor\",\"accepted\":false}}",
	       "7?");
	expect(record_pid,
	       "{\"process\":{\"pid\":7},\"flowner\":{\"role\":\"acceptor\",\"accepted\":true}}",
	       "7");
	expect(record_pid,
	       "{\"process\":{\"pid\":7},\"flowner\":{\"role\":\"opener\",\"accepted\":false}}",
	       "7");
	expect(record_pid, "{\"flowner\":{\"role\":\"acceptor\",\"accepted\":false}}", NULL);
	expect(record_user, "{\"user\":{\"id\":\"7\",\"name\":\"bob\"}}", "bob");
	expect_cell(record_user, &numeric, "{\"user\":{\"id\":\"7\",\"name\":\"bob\"}}", "7");
	expect(record_user, "{\"user\":{\"id\":\"7\"}}", "7");
	expect(record_user, "{}", NULL);
}

static void units_and_containers(void **state)
{
	(void)state;
	expect(record_unit, "{\"systemd\":{\"unit\":\"x.service\"}}", "x.service");
	expect(record_unit,
	       "{\"container\":{\"id\":\"0123456789abcdef0123456789abcdef"
	       "0123456789abcdef0123456789abcdef\"},\"systemd\":{\"unit\":\"x.scope\"}}",
	       "0123456789ab");
	expect(record_unit, "{\"container\":{\"id\":\"web-server-of-bob\"}}", "web-server-of-bob");
	expect(record_unit, "{}", NULL);
}

static void events(void **state)
{
	(void)state;
	expect(record_action, "{\"event\":{\"action\":\"open\"}}", "open");
	expect(record_action, "{\"event\":{\"action\":\"close\",\"reason\":\"refused\"}}",
	       "close:refused");
	expect(record_action, "{}", NULL);
	expect(record_clock, "{\"@timestamp\":\"2026-01-02T03:04:05.678901234Z\"}", "03:04:05.678");
	expect(record_clock, "{\"@timestamp\":\"x\"}", NULL);
}

static void keys_for_sorting(void **state)
{
	json_t *json = record("{\"event\":{\"start\":\"1970-01-01T00:00:07Z\"},"
			      "\"flowner\":{\"flow_id\":\"80000000000000ff\","
			      "\"opened_before\":\"1970-01-01T00:00:09Z\"}}");
	json_t *older = record("{\"flowner\":{\"flow_id\":\"xyz\","
			       "\"opened_before\":\"1970-01-01T00:00:09Z\"}}");

	(void)state;
	assert_int_equal(record_began(json), 7 * NS);
	assert_true(record_id(json) == 0x80000000000000ffULL);
	assert_int_equal(record_began(older), 9 * NS);
	assert_int_equal(record_id(older), 0);
	json_decref(json);
	json_decref(older);
}

/* The block of TEXT is EXPECTED. */
static void expect_block(const char *text, bool brief, const char *expected)
{
	json_t *json = record(text);
	char *got = NULL;
	size_t size;
	FILE *f = open_memstream(&got, &size);

	assert_non_null(f);
	details_print(json, &view, brief, f);
	fclose(f);
	assert_string_equal(got, expected);
	free(got);
	json_decref(json);
}

#define FULL                                                                                       \
	"{\"@timestamp\":\"2026-01-02T03:00:00Z\",\"ecs\":{\"version\":\"8.11.0\"},"               \
	"\"host\":{\"name\":\"h\"},"                                                               \
	"\"event\":{\"kind\":\"event\",\"category\":[\"network\"],\"type\":[\"info\"],"            \
	"\"outcome\":\"success\",\"start\":\"2026-01-02T03:00:00.5Z\","                            \
	"\"end\":\"2026-01-02T03:00:02Z\",\"duration\":1500000000,\"reason\":\"reset\"},"          \
	"\"network\":{\"transport\":\"tcp\",\"type\":\"ipv4\",\"direction\":\"ingress\","          \
	"\"community_id\":\"1:abc\"},"                                                             \
	"\"source\":{\"ip\":\"10.0.0.9\",\"port\":5000,\"bytes\":12,\"packets\":2},"               \
	"\"destination\":{\"ip\":\"10.0.0.2\",\"port\":80},"                                       \
	"\"process\":{\"pid\":123,\"start\":\"2026-01-01T00:00:00Z\",\"name\":\"ngi\\u001bnx\","   \
	"\"executable\":\"/usr/sbin/nginx\",\"args\":[\"nginx\",\"-g\",\"daemon off; "             \
	"it's\",\"\"],"                                                                            \
	"\"command_line\":\"nginx\",\"parent\":{\"pid\":1,\"name\":\"systemd\"}},"                 \
	"\"user\":{\"id\":\"33\",\"name\":\"www-data\"},\"container\":{\"id\":\"c1\"},"            \
	"\"systemd\":{\"unit\":\"nginx.service\"},"                                                \
	"\"flowner\":{\"flow_id\":\"00000000000ff6ea\",\"peer_flow_id\":\"00000000000ff6eb\","     \
	"\"role\":\"acceptor\",\"accepted\":true,\"state\":\"established\","                       \
	"\"local\":{\"ip\":\"10.0.0.2\",\"port\":80},\"remote\":{\"ip\":\"10.0.0.9\","             \
	"\"port\":5000},\"netns\":4026531840,\"netns_cookie\":\"1\",\"exec\":3,"                   \
	"\"exe_deleted\":true,\"args_truncated\":true,"                                            \
	"\"tcp\":{\"retransmits\":1,\"srtt_us\":1500},"                                            \
	"\"ancestors\":[{\"pid\":99,\"name\":\"nginx\"},{\"pid\":1,\"name\":\"systemd\"}],"        \
	"\"holders\":[{\"pid\":123,\"start\":\"2026-01-01T00:00:00Z\",\"name\":\"nginx\","         \
	"\"fds\":[6,9]},{\"pid\":7,\"name\":\"a\\nb\",\"fds\":[3]}],"                              \
	"\"brand_new\":{\"field\":[1,\"two\"]},\"flag\":false}}"

static void everything_known(void **state)
{
	(void)state;
	expect_block(FULL, false,
		     "flow:                    00000000000ff6ea\n"
		     "session:                 tcp 10.0.0.2:80 <- 10.0.0.9:5000\n"
		     "state:                   reset (closed)\n"
		     "age:                     4m\n"
		     "owner:                   ngi\\x1bnx, pid 123, user www-data (33)\n"
		     "role:                    acceptor, final\n"
		     "exe:                     /usr/sbin/nginx (deleted)\n"
		     "args:                    nginx -g 'daemon off; it'\\''s' '' ...\n"
		     "parents:                 nginx 99 < systemd 1\n"
		     "unit:                    nginx.service\n"
		     "container:               c1\n"
		     "holders:                 nginx, pid 123, fd 6 9\n"
		     "                         a\\x0ab, pid 7, fd 3\n"
		     "opened:                  2026-01-02T03:00:00.5Z\n"
		     "closed:                  2026-01-02T03:00:02Z\n"
		     "duration:                1.500000 s\n"
		     "process started:         2026-01-01T00:00:00Z\n"
		     "received:                12 bytes in 2 packets\n"
		     "tcp:                     retransmits 1, round trip 1.500 ms\n"
		     "peer flow:               00000000000ff6eb\n"
		     "netns:                   4026531840 (cookie 1)\n"
		     "community id:            1:abc\n"
		     "host.name:               h\n"
		     "flowner.exec:            3\n"
		     "flowner.brand_new.field: [1,\"two\"]\n"
		     "flowner.flag:            false\n");
}

static void who_in_brief(void **state)
{
	(void)state;
	expect_block("{\"network\":{\"transport\":\"udp\"},\"process\":{\"pid\":7,"
		     "\"parent\":{\"pid\":1,\"name\":\"init\"}},\"user\":{\"id\":\"0\"},"
		     "\"host\":{\"name\":\"h\"},\"flowner\":{\"flow_id\":\"0000000000000001\","
		     "\"role\":\"acceptor\",\"accepted\":false,\"state\":\"unconn\","
		     "\"local\":{\"ip\":\"::\",\"port\":53}}}",
		     true,
		     "flow:    0000000000000001\n"
		     "session: udp [::]:53\n"
		     "state:   unconn\n"
		     "owner:   pid 7, user 0\n"
		     "role:    acceptor, not final: this is the listener's owner, nobody accepted "
		     "it yet\n"
		     "parents: init 1\n");
	expect_block("{}", true, "session: ? ?\nowner:   not known\n");
	expect_block("{\"flowner\":\"odd\",\"process\":[],\"network\":7}", true,
		     "session: ? ?\nowner:   not known\n");
}

#define HOLDERS(text)                                                                              \
	"{\"network\":{\"transport\":\"udp\"},\"process\":{\"pid\":7},\"user\":{\"id\":\"0\"},"    \
	"\"flowner\":{" text "\"local\":{\"ip\":\"::\",\"port\":53}}}"
#define HOLDERS_BEFORE                                                                             \
	"session: udp [::]:53\n"                                                                   \
	"owner:   pid 7, user 0\n"

static void who_holds_it(void **state)
{
	(void)state;
	expect_block(HOLDERS(""), false, HOLDERS_BEFORE "holders: not known, see flowner doctor\n");
	expect_block(HOLDERS("\"holders\":\"odd\","), false,
		     HOLDERS_BEFORE "holders: not known, see flowner doctor\n");
	expect_block(HOLDERS("\"holders\":[],"), false,
		     HOLDERS_BEFORE "holders: none: no process has a descriptor of it\n");
	expect_block(HOLDERS("\"holders\":[],\"holders_hidden\":2,"), false,
		     HOLDERS_BEFORE "holders: of other users: 2\n");
	expect_block(HOLDERS("\"holders\":[{\"pid\":7}],\"holders_hidden\":2,"
			     "\"holders_truncated\":true,"),
		     false,
		     HOLDERS_BEFORE "holders: pid 7\n"
				    "         of other users: 2\n"
				    "         ...\n");
	expect_block(HOLDERS("\"holders\":[{\"pid\":7}],"), true, HOLDERS_BEFORE);
}

/* Names and values of a hostile record stay text, however long and deep they are. */
static void odd_records_in_full(void **state)
{
	char key[400];
	json_t *deep = json_object(), *at = deep;
	char *got = NULL;
	size_t size;
	FILE *f = open_memstream(&got, &size);

	(void)state;
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	key[3] = '\x1b';
	for (int i = 0; i < 20; i++) {
		json_t *below = json_object();

		json_object_set_new(at, key, below);
		at = below;
	}
	json_object_set_new(at, "x", json_string("\x1b"));
	details_print(deep, &view, false, f);
	fclose(f);
	assert_null(strchr(got, '\x1b'));
	free(got);
	json_decref(deep);
}

static int use_utc(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(ages),
		cmocka_unit_test(states),
		cmocka_unit_test(endpoints),
		cmocka_unit_test(owners),
		cmocka_unit_test(units_and_containers),
		cmocka_unit_test(events),
		cmocka_unit_test(keys_for_sorting),
		cmocka_unit_test(everything_known),
		cmocka_unit_test(who_in_brief),
		cmocka_unit_test(who_holds_it),
		cmocka_unit_test(odd_records_in_full),
	};

	return cmocka_run_group_tests_name("record", tests, use_utc, NULL);
}
