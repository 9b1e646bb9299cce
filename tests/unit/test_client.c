/* SPDX-License-Identifier: BSD-2-Clause */
/* The client against a child that plays the daemon well, badly, slowly and not at all. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

#include <cmocka.h>

#include "cli/client.h"
#include "fake_daemon.h"

#define OK_9 "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
#define OK_CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

struct seen {
	char text[256];
	size_t lines;
	size_t stop_at;
};

static int on_line(const char *line, size_t len, void *arg)
{
	struct seen *seen = arg;
	size_t used = strlen(seen->text);

	if (len + 3 < sizeof(seen->text) - used)
		sprintf(seen->text + used, "[%.*s]", (int)len, line);
	seen->lines++;
	return seen->lines == seen->stop_at ? 5 : 0;
}

/* One GET of /x from a daemon that follows S. */
static int get(const struct script *s, int idle_ms, struct seen *seen, struct client_answer *answer)
{
	struct client_request request = { .target = "/x", .wait_ms = 5000, .idle_ms = idle_ms };
	struct fake_daemon f;
	int r;

	fake_start(&f, s);
	request.socket = f.path;
	r = client_get(&request, on_line, seen, answer);
	fake_stop(&f);
	return r;
}

static int get_simply(const char *bytes, size_t piece, struct seen *seen,
		      struct client_answer *answer)
{
	struct script s = { .bytes = bytes, .piece = piece };

	return get(&s, 5000, seen, answer);
}

static void lines_of_an_answer(void **state)
{
	static const char *const answers[] = {
		OK_9 "one\ntwo\n3",
		OK_CHUNKED "2\r\non\r\n7\r\ne\ntwo\n3\r\n0\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\none\ntwo\n3",
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (size_t piece = 0; piece < 4; piece++) {
			struct client_answer answer = { 0 };
			struct seen seen = { 0 };

			assert_int_equal(get_simply(answers[i], piece, &seen, &answer), 0);
			assert_int_equal(answer.status, 200);
			assert_string_equal(answer.sentence, "");
			assert_string_equal(seen.text, "[one][two][3]");
		}
	}
}

static void request_as_sent(void **state)
{
	struct script s = { .bytes = OK_9 "123456789" };
	struct client_request request = { .target = "/v1/flows?lport=1", .wait_ms = 5000 };
	struct client_answer answer;
	struct seen seen = { 0 };
	struct fake_daemon f;
	char text[1024];

	(void)state;
	fake_start(&f, &s);
	request.socket = f.path;
	request.idle_ms = 5000;
	assert_int_equal(client_get(&request, on_line, &seen, &answer), 0);
	fake_requests(&f, text, sizeof(text));
	fake_stop(&f);
	assert_ptr_equal(strstr(text, "GET /v1/flows?lport=1 HTTP/1.1\r\n"), text);
	assert_non_null(strstr(text, "\r\nHost: flowner\r\n"));
	assert_null(strstr(text, "Connection: close"));
}

static void error_sentence_instead_of_lines(void **state)
{
	struct client_answer answer = { 0 };
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(get_simply("HTTP/1.1 404 Not Found\r\nContent-Length: 19\r\n\r\n"
				    "{\"error\":\"no flow\"}",
				    0, &seen, &answer),
			 0);
	assert_int_equal(answer.status, 404);
	assert_string_equal(answer.sentence, "no flow");
	assert_int_equal(seen.lines, 0);
}

static void errors_without_a_sentence(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 500 Oops\r\n\r\nit broke",
		"HTTP/1.1 500 Oops\r\n\r\n",
		"HTTP/1.1 500 Oops\r\n\r\n{\"error\":42}",
		"HTTP/1.1 500 Oops\r\n\r\n[\"error\"]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct client_answer answer = { .sentence = "old" };
		struct seen seen = { 0 };

		assert_int_equal(get_simply(answers[i], 0, &seen, &answer), 0);
		assert_int_equal(answer.status, 500);
		assert_string_equal(answer.sentence, "");
	}
}

static void endless_error_body(void **state)
{
	size_t len = 300 * 1024;
	char *bytes = malloc(len + 1);
	struct client_answer answer = { 0 };
	struct seen seen = { 0 };

	(void)state;
	assert_non_null(bytes);
	memset(bytes, '\n', len);
	for (size_t i = 0; i < len; i += 100)
		bytes[i] = 'x';
	memcpy(bytes, "HTTP/1.1 500 No\r\n\r\n", 19);
	bytes[len] = '\0';
	assert_int_equal(get_simply(bytes, 0, &seen, &answer), 0);
	assert_int_equal(answer.status, 500);
	free(bytes);
}

static void answers_cut_off_or_spoiled(void **state)
{
	static const struct {
		const char *bytes;
		int r;
	} table[] = {
		{ OK_9 "one\n", -ECONNRESET },
		{ OK_CHUNKED "4\r\none\n\r\n", -ECONNRESET },
		{ "HTTP/1.1 200", -ECONNRESET },
		{ "SSH-2.0-OpenSSH_9.2\r\n", -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct client_answer answer = { .status = 77 };
		struct seen seen = { 0 };

		assert_int_equal(get_simply(table[i].bytes, 0, &seen, &answer), table[i].r);
		assert_int_equal(answer.status, 77);
	}
}

static void silent_daemon(void **state)
{
	struct script head = { .bytes = "H", .stay = true };
	struct script body = { .bytes = OK_9 "one\n", .stay = true };
	struct client_request request = { .target = "/x", .wait_ms = 50, .idle_ms = 5000 };
	struct client_answer answer;
	struct seen seen = { 0 };
	struct fake_daemon f;
	time_t began;

	(void)state;
	fake_start(&f, &head);
	request.socket = f.path;
	assert_int_equal(client_get(&request, on_line, &seen, &answer), -ETIMEDOUT);
	fake_stop(&f);
	/* not for as long as one may wait for the head: 5 s */
	began = time(NULL);
	assert_int_equal(get(&body, 50, &seen, &answer), -ETIMEDOUT);
	assert_true(time(NULL) - began < 4);
	assert_string_equal(seen.text, "[one]");
}

/* The waits are between two pieces, not for the whole: slow is not dead. */
static void slow_daemon(void **state)
{
	struct script s = { .bytes = OK_9 "one\ntwo\n3", .piece = 4, .pause_ms = 20 };
	struct client_answer answer;
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(get(&s, 150, &seen, &answer), 0);
	assert_string_equal(seen.text, "[one][two][3]");
}

/* The stream stays open and the next line never comes: the first must have been handed out. */
static void lines_come_as_they_are_sent(void **state)
{
	struct script s = { .bytes = OK_CHUNKED "4\r\none\n\r\n", .piece = 1, .stay = true };
	struct client_answer answer;
	struct seen seen = { .stop_at = 1 };

	(void)state;
	assert_int_equal(get(&s, 5000, &seen, &answer), 5);
	assert_string_equal(seen.text, "[one]");
}

static void answer_before_the_request_is_read(void **state)
{
	struct script s = { .bytes = "HTTP/1.1 414 Too Long\r\nContent-Length: 20\r\n\r\n"
				     "{\"error\":\"too long\"}",
			    .unread = true };
	struct client_request request = { .wait_ms = 5000, .idle_ms = 5000 };
	struct client_answer answer = { 0 };
	size_t len = 4 * 1024 * 1024;
	char *target = malloc(len + 1);
	struct seen seen = { 0 };
	struct fake_daemon f;

	(void)state;
	assert_non_null(target);
	memset(target, 'x', len);
	target[len] = '\0';
	fake_start(&f, &s);
	request.socket = f.path;
	request.target = target;
	assert_int_equal(client_get(&request, on_line, &seen, &answer), 0);
	assert_int_equal(answer.status, 414);
	assert_string_equal(answer.sentence, "too long");
	fake_stop(&f);
	free(target);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signal_number)
{
	(void)signal_number;
	alarms++;
}

static void signals_do_not_disturb(void **state)
{
	struct script s = { .bytes = OK_9 "one\ntwo\n3", .piece = 8, .pause_ms = 10 };
	struct sigaction action = { .sa_handler = on_alarm }, old;
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct client_request request = { .target = "/x", .wait_ms = 5000, .idle_ms = 5000 };
	struct client_answer answer;
	struct seen seen = { 0 };
	struct fake_daemon f;
	int r;

	(void)state;
	fake_start(&f, &s);
	request.socket = f.path;
	alarms = 0;
	sigaction(SIGALRM, &action, &old);
	setitimer(ITIMER_REAL, &often, NULL);
	r = client_get(&request, on_line, &seen, &answer);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	fake_stop(&f);
	assert_int_equal(r, 0);
	assert_true(alarms > 5);
	assert_string_equal(seen.text, "[one][two][3]");
}

static int connect_only(const char *path)
{
	struct client_request request = {
		.socket = path, .target = "/x", .wait_ms = 50, .idle_ms = 50
	};
	struct client_answer answer;
	struct seen seen = { 0 };

	return client_get(&request, on_line, &seen, &answer);
}

static void nobody_there(void **state)
{
	char long_path[300];
	struct fake_daemon f;
	int fd = fake_listen(&f);

	(void)state;
	close(fd);
	assert_int_equal(connect_only(f.path), -ECONNREFUSED);
	if (geteuid() != 0) {
		assert_int_equal(chmod(f.path, 0), 0);
		assert_int_equal(connect_only(f.path), -EACCES);
	}
	unlink(f.path);
	assert_int_equal(connect_only(f.path), -ENOENT);
	assert_int_equal(connect_only("/dev/null/x"), -ENOTDIR);
	rmdir(f.dir);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(connect_only(long_path), -ENAMETOOLONG);
}

/* It listens, its queue is full and it accepts nobody: a wedged daemon must not wedge us. */
static void full_queue(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fds[64], count = 0, r;
	struct fake_daemon f;
	int fd = fake_listen(&f);

	(void)state;
	memcpy(un.sun_path, f.path, strlen(f.path) + 1);
	do {
		fds[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		r = connect(fds[count++], (struct sockaddr *)&un, sizeof(un));
	} while (r == 0 && count < 64);
	assert_int_equal(r, -1);
	assert_int_equal(connect_only(f.path), -ETIMEDOUT);
	while (count > 0)
		close(fds[--count]);
	close(fd);
	unlink(f.path);
	rmdir(f.dir);
}

static void query_values_are_encoded(void **state)
{
	char *query = NULL;

	(void)state;
	assert_int_equal(client_query(&query, "addr", "10.0.0.0/8:443"), 0);
	assert_string_equal(query, "addr=10.0.0.0%2F8%3A443");
	assert_int_equal(client_query(&query, "comm", "a b&c=d%+\xc3\xa9\x7f~-._"), 0);
	assert_string_equal(query, "addr=10.0.0.0%2F8%3A443"
				   "&comm=a%20b%26c%3Dd%25%2B%C3%A9%7F~-._");
	assert_int_equal(client_query(&query, "tcp", ""), 0);
	assert_string_equal(strrchr(query, '&'), "&tcp=");
	free(query);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_an_answer),
		cmocka_unit_test(request_as_sent),
		cmocka_unit_test(error_sentence_instead_of_lines),
		cmocka_unit_test(errors_without_a_sentence),
		cmocka_unit_test(endless_error_body),
		cmocka_unit_test(answers_cut_off_or_spoiled),
		cmocka_unit_test(silent_daemon),
		cmocka_unit_test(slow_daemon),
		cmocka_unit_test(lines_come_as_they_are_sent),
		cmocka_unit_test(answer_before_the_request_is_read),
		cmocka_unit_test(signals_do_not_disturb),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(full_queue),
		cmocka_unit_test(query_values_are_encoded),
	};

	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
