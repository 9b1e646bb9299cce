/* SPDX-License-Identifier: BSD-2-Clause */
/* The HTTP response parser: every way a body can be delimited, cut and spoiled. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text/response.h"

#define MANY 4096

struct seen {
	char text[MANY]; /* every line in brackets */
	size_t lines;
	size_t longest;
	int stop_at; /* returns 7 at this line, 0 = never */
};

static int on_line(const char *line, size_t len, void *arg)
{
	struct seen *seen = arg;
	size_t used = strlen(seen->text);

	if (len + 3 < MANY - used)
		sprintf(seen->text + used, "[%.*s]", (int)len, line);
	if (len > seen->longest)
		seen->longest = len;
	seen->lines++;
	return (int)seen->lines == seen->stop_at ? 7 : 0;
}

/* Feeds BYTES in pieces of PIECE, then the end. */
static int parse(const char *bytes, size_t len, size_t piece, struct seen *seen, int *ret_status)
{
	struct response *r = NULL;
	int ret = response_new(on_line, seen, &r);

	assert_int_equal(ret, 0);
	for (size_t at = 0; at < len && ret == 0; at += piece)
		ret = response_feed(r, bytes + at, piece < len - at ? piece : len - at);
	if (ret == 0)
		ret = response_end(r);
	*ret_status = response_status(r);
	response_free(r);
	return ret;
}

static int verdict(const char *bytes)
{
	struct seen seen = { 0 };
	int status;

	return parse(bytes, strlen(bytes), strlen(bytes), &seen, &status);
}

/* The same in pieces of every size: 200 and LINES, or nothing of this is true. */
static void expect_lines(const char *bytes, const char *lines)
{
	for (size_t piece = 1; piece <= strlen(bytes); piece++) {
		struct seen seen = { 0 };
		int status = 0;

		assert_int_equal(parse(bytes, strlen(bytes), piece, &seen, &status), 0);
		assert_int_equal(status, 200);
		assert_string_equal(seen.text, lines);
	}
}

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
#define CHUNKED OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
#define COUNTED_9 OK_HEAD "Content-Length: 9\r\n\r\n"

static void counted_body(void **state)
{
	(void)state;
	expect_lines(COUNTED_9 "one\ntwo\n3", "[one][two][3]");
	expect_lines(OK_HEAD "content-length:  4 \r\n\r\none\n", "[one]");
	expect_lines(OK_HEAD "Content-Length: 0\r\n\r\n", "");
	expect_lines(COUNTED_9 "one\n\ntwo\n", "[one][][two]");
	expect_lines(COUNTED_9 "one\ntwo\n3 and more than was said", "[one][two][3]");
}

static void chunked_body(void **state)
{
	(void)state;
	expect_lines(CHUNKED "4\r\none\n\r\n0\r\n\r\n", "[one]");
	expect_lines(CHUNKED "2\r\non\r\n5\r\ne\ntwo\r\n1\r\n\n\r\n0\r\n\r\n", "[one][two]");
	expect_lines(CHUNKED "0A\r\n123456789\n\r\n0\r\n\r\n", "[123456789]");
	expect_lines(CHUNKED "3;name=\"v\"\r\none\r\n00\r\nTrailer: x\r\n\r\n", "[one]");
	expect_lines(CHUNKED "3 \r\n\r\n\n\r\n0\r\n\r\n", "[\r][]");
}

static void body_until_close(void **state)
{
	(void)state;
	expect_lines(OK_HEAD "\r\none\ntwo", "[one][two]");
	expect_lines("HTTP/1.0 200\r\n\r\n", "");
}

static void other_statuses(void **state)
{
	const char *bytes = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}";
	struct seen seen = { 0 };
	int status = 0;

	(void)state;
	assert_int_equal(parse(bytes, strlen(bytes), 1, &seen, &status), 0);
	assert_int_equal(status, 404);
	assert_string_equal(seen.text, "[{}]");
	assert_int_equal(verdict("HTTP/1.1 204 No Content\r\n\r\n"), 0);
}

static void status_is_0_before_the_head_is_complete(void **state)
{
	struct seen seen = { 0 };
	struct response *r = NULL;
	const char *bytes = COUNTED_9;

	(void)state;
	assert_int_equal(response_new(on_line, &seen, &r), 0);
	assert_int_equal(response_feed(r, bytes, strlen(bytes) - 1), 0);
	assert_int_equal(response_status(r), 0);
	assert_int_equal(response_feed(r, "\n", 1), 0);
	assert_int_equal(response_status(r), 200);
	assert_false(response_complete(r));
	assert_int_equal(response_feed(r, "123456789", 9), 0);
	assert_true(response_complete(r));
	response_free(r);
	response_free(NULL);
}

/* A daemon that dies at any byte must not look like one that has said all. */
static void truncated_anywhere(void **state)
{
	static const char *const whole[] = {
		COUNTED_9 "one\ntwo\n3",
		CHUNKED "2\r\non\r\n5\r\ne\ntwo\r\n1\r\n\n\r\n0\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (size_t len = 0; len < strlen(whole[i]); len++) {
			struct seen seen = { 0 };
			int status;

			assert_int_equal(parse(whole[i], len, 3, &seen, &status), -ECONNRESET);
		}
	}
}

static void not_http(void **state)
{
	static const char *const bad[] = {
		"\r\n\r\n",
		"garbage\r\n\r\n",
		"HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.2 200 OK\r\n\r\n",
		"HTTP/1.1200 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/1.1 -20 OK\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n",
		"HTTP/1.1 600 No\r\n\r\n",
		"HTTP/1.1 200 OK\n\n",
		"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
		OK_HEAD "Content-Length: 01\n\r\n",
		"\n",
		OK_HEAD "no colon\r\n\r\n",
		OK_HEAD ": no name\r\n\r\n",
		OK_HEAD "Content-Length : 1\r\n\r\n1",
		OK_HEAD " folded: 1\r\n\r\n1",
		OK_HEAD "Content-Length: \r\n\r\n",
		OK_HEAD "Content-Length: -1\r\n\r\n",
		OK_HEAD "Content-Length: +1\r\n\r\n1",
		OK_HEAD "Content-Length: 1x\r\n\r\n1",
		OK_HEAD "Content-Length: 99999999999999999999\r\n\r\n1",
		OK_HEAD "Content-Length: 1\r\nContent-Length: 1\r\n\r\n1",
		OK_HEAD "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1",
		OK_HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		OK_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		CHUNKED "\r\n",
		CHUNKED "x\r\n",
		CHUNKED "-1\r\n",
		CHUNKED "0x1\r\n1\r\n0\r\n\r\n",
		CHUNKED "1g\r\n1\r\n0\r\n\r\n",
		CHUNKED "1\r\n12\r\n0\r\n\r\n",
		CHUNKED "1\n1\r\n0\r\n\r\n",
		CHUNKED "10000000000000000\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (verdict(bad[i]) != -EPROTO)
			fail_msg("taken as HTTP: %s", bad[i]);
}

static void nul_in_the_head(void **state)
{
	static const char bytes[] = "HTTP/1.1 200 OK\r\nX: \0\r\n\r\n";
	struct seen seen = { 0 };
	int status;

	(void)state;
	assert_int_equal(parse(bytes, sizeof(bytes) - 1, 1, &seen, &status), -EPROTO);
}

/* HEAD, then UNIT again and again for COUNT times: fed until the parser has had enough. */
static int bomb(const char *head, const char *unit, size_t count, struct seen *seen)
{
	struct response *r = NULL;
	int ret = response_new(on_line, seen, &r);

	assert_int_equal(ret, 0);
	ret = response_feed(r, head, strlen(head));
	for (size_t i = 0; i < count && ret == 0; i++)
		ret = response_feed(r, unit, strlen(unit));
	response_free(r);
	return ret;
}

static void head_bombs(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(bomb("", "H", 100000, &seen), -EMSGSIZE);
	assert_int_equal(bomb(OK_HEAD, "X: y\r\n", 100000, &seen), -EMSGSIZE);
	assert_int_equal(bomb(OK_HEAD "X: ", "yyyyyyyy", 100000, &seen), -EMSGSIZE);
	assert_int_equal(bomb(CHUNKED "1;", "x", 100000, &seen), -EMSGSIZE);
	assert_int_equal(bomb(CHUNKED "0\r\n", "X: y\r\n", 100000, &seen), -EMSGSIZE);
	assert_int_equal(seen.lines, 0);
}

/* The bound of the head is none for the sizes of chunks: a stream has more of them. */
static void endless_stream_of_chunks(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(bomb(CHUNKED, "2\r\nx\n\r\n", 100000, &seen), 0);
	assert_int_equal(seen.lines, 100000);
}

static void longest_line(void **state)
{
	size_t len = RESPONSE_LINE_MAX;
	char *line = malloc(len + 2);

	(void)state;
	assert_non_null(line);
	for (size_t over = 0; over <= 1; over++) {
		memset(line, 'x', len + over);
		line[len + over] = '\n';
		for (size_t piece = 1000; piece <= len + over + 1; piece += len + over - 999) {
			struct seen seen = { 0 };
			struct response *r = NULL;
			int ret = response_new(on_line, &seen, &r);

			assert_int_equal(ret, 0);
			ret = response_feed(r, OK_HEAD "\r\n", strlen(OK_HEAD "\r\n"));
			for (size_t at = 0; at < len + over + 1 && ret == 0; at += piece)
				ret = response_feed(
					r, line + at,
					piece < len + over + 1 - at ? piece : len + over + 1 - at);
			assert_int_equal(ret, over ? -EMSGSIZE : 0);
			assert_int_equal(seen.longest, over ? 0 : len);
			response_free(r);
		}
	}
	free(line);
}

static void line_without_end(void **state)
{
	struct seen seen = { 0 };
	char unit[1025];

	(void)state;
	memset(unit, 'x', 1024);
	unit[1024] = '\0';
	assert_int_equal(bomb(OK_HEAD "\r\n", unit, RESPONSE_LINE_MAX / 1024 + 1, &seen),
			 -EMSGSIZE);
	assert_int_equal(seen.lines, 0);
}

static void the_reader_may_stop(void **state)
{
	const char *bytes = COUNTED_9 "one\ntwo\n3";

	(void)state;
	for (int at = 1; at <= 3; at++) {
		for (size_t piece = 1; piece < 100; piece += 98) {
			struct seen seen = { .stop_at = at };
			int status;

			assert_int_equal(parse(bytes, strlen(bytes), piece, &seen, &status), 7);
			assert_int_equal(seen.lines, at);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counted_body),
		cmocka_unit_test(chunked_body),
		cmocka_unit_test(body_until_close),
		cmocka_unit_test(other_statuses),
		cmocka_unit_test(status_is_0_before_the_head_is_complete),
		cmocka_unit_test(truncated_anywhere),
		cmocka_unit_test(not_http),
		cmocka_unit_test(nul_in_the_head),
		cmocka_unit_test(head_bombs),
		cmocka_unit_test(endless_stream_of_chunks),
		cmocka_unit_test(longest_line),
		cmocka_unit_test(line_without_end),
		cmocka_unit_test(the_reader_may_stop),
	};

	return cmocka_run_group_tests_name("response", tests, NULL, NULL);
}
