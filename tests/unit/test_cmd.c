/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line as a whole: the binary of the same build against a fake daemon with canned
 * answers; exit code, stdout and stderr are compared to the byte. test_cmd.mk has it built first.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "fake_daemon.h"

#define ARGS_MAX 16
#define TEXT_MAX 65536

struct outcome {
	int code;
	char out[TEXT_MAX];
	char err[TEXT_MAX];
	char requests[TEXT_MAX];
};

static struct outcome result; /* of the last run */
static char binary[4096];     /* BUILD/flowner, for BUILD/unit/test_cmd */

static const char *const names[] = { "list", "who",    "show",	"watch",
				     "top",  "doctor", "stats", "metrics" };
#define NAMES (sizeof(names) / sizeof(names[0]))

static void read_back(int fd, char *text)
{
	ssize_t n = pread(fd, text, TEXT_MAX - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	close(fd);
}

static int temporary_file(void)
{
	char path[] = "/tmp/flowner-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	return fd;
}

/* The child: LINE is split at spaces, '%' stands for a space. Does not return. */
static void become_flowner(const char *socket, const char *line, int out, int err)
{
	static char copy[4096];
	char *argv[ARGS_MAX + 1] = { NULL };
	int argc = 0;

	snprintf(copy, sizeof(copy), "flowner %s", line);
	for (char *word = strtok(copy, " "); word && argc < ARGS_MAX; word = strtok(NULL, " "))
		argv[argc++] = word;
	for (int i = 0; i < argc; i++)
		for (char *p = argv[i]; (p = strchr(p, '%')); p++)
			*p = ' ';
	if (socket)
		setenv("FLOWNER_SOCKET", socket, 1);
	else
		unsetenv("FLOWNER_SOCKET");
	dup2(err, STDERR_FILENO);
	if (out >= 0)
		dup2(out, STDOUT_FILENO);
	else
		close(STDOUT_FILENO);
	execv(binary, argv);
	_exit(127);
}

static int wait_for_exit(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static pid_t start(const char *socket, const char *line, int out, int err)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		become_flowner(socket, line, out, err);
	}
	return pid;
}

static void run_at(const char *socket, const char *line)
{
	int out = temporary_file(), err = temporary_file();

	result.code = wait_for_exit(start(socket, line, out, err));
	read_back(out, result.out);
	read_back(err, result.err);
}

/* `flowner LINE` with a daemon that answers BYTES. */
static void run_with(const char *bytes, const char *line)
{
	struct script s = { .bytes = bytes };
	struct fake_daemon f;

	fake_start(&f, &s);
	run_at(f.path, line);
	fake_requests(&f, result.requests, sizeof(result.requests));
	fake_stop(&f);
}

static void expect(int code, const char *out, const char *err)
{
	if (result.code != code)
		fail_msg("exit code %d, not %d: %s", result.code, code, result.err);
	assert_string_equal(result.err, err);
	assert_string_equal(result.out, out);
}

static void expect_request(const char *target)
{
	char head[1024];

	snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\n", target);
	assert_int_equal(strncmp(result.requests, head, strlen(head)), 0);
}

#define OK "HTTP/1.1 200 OK\r\n\r\n"
#define STREAM(bytes) "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" bytes

/* "2026-01-02T03:04:05Z" of AGO seconds before now. */
static const char *ago(int seconds)
{
	static char text[4][40];
	static int next;
	time_t t = time(NULL) - seconds;
	struct tm tm;

	next = (next + 1) % 4;
	gmtime_r(&t, &tm);
	strftime(text[next], sizeof(text[next]), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return text[next];
}

#define CURL                                                                                       \
	"{\"event\":{\"start\":\"%s\"},\"network\":{\"transport\":\"tcp\",\"direction\":"          \
	"\"egress\"},"                                                                             \
	"\"process\":{\"pid\":4242,\"name\":\"curl\"},\"user\":{\"id\":\"1000\",\"name\":\"bob\"}" \
	","                                                                                        \
	"\"systemd\":{\"unit\":\"session-1.scope\"},"                                              \
	"\"flowner\":{\"flow_id\":\"00000000000ff6ea\",\"role\":\"opener\","                       \
	"\"state\":\"established\",\"local\":{\"ip\":\"10.0.0.2\",\"port\":43210},"                \
	"\"remote\":{\"ip\":\"10.0.0.9\",\"port\":443}}}\n"
#define SSHD                                                                                       \
	"{\"event\":{},\"network\":{\"transport\":\"tcp\"},"                                       \
	"\"process\":{\"pid\":612,\"name\":\"sshd\"},\"user\":{\"id\":\"0\",\"name\":\"root\"},"   \
	"\"flowner\":{\"flow_id\":\"0000000000000011\",\"role\":\"existing\",\"state\":"           \
	"\"listen\","                                                                              \
	"\"opened_before\":\"%s\",\"local\":{\"ip\":\"::\",\"port\":22}}}\n"
#define NGINX                                                                                      \
	"{\"event\":{\"start\":\"%s\",\"end\":\"x\",\"reason\":\"refused\"},"                      \
	"\"network\":{\"transport\":\"tcp\",\"direction\":\"ingress\"},"                           \
	"\"process\":{\"pid\":7,\"name\":\"ng\\u001binx\"},\"user\":{\"id\":\"33\"},"              \
	"\"flowner\":{\"flow_id\":\"0000000000000007\",\"role\":\"acceptor\",\"accepted\":false,"  \
	"\"state\":\"syn_recv\",\"local\":{\"ip\":\"::1\",\"port\":80},"                           \
	"\"remote\":{\"ip\":\"::1\",\"port\":5000}}}\n"

static const char *three_flows(void)
{
	static char text[4096];

	snprintf(text, sizeof(text), OK NGINX "\n" CURL SSHD, ago(5 * 60 + 5), ago(2 * 3600 + 10),
		 ago(3 * 86400 + 5));
	return text;
}

static void list_as_a_table(void **state)
{
	(void)state;
	run_with(three_flows(), "list");
	expect(0,
	       "AGE PROTO STATE       DIR     LOCAL          REMOTE       PID  USER COMM      "
	       "UNIT/CONTAINER  FLOW_ID\n"
	       ">3d tcp   listen      -       [::]:22        *            612  root sshd      "
	       "-               0000000000000011\n"
	       "2h  tcp   established egress  10.0.0.2:43210 10.0.0.9:443 4242 bob  curl      "
	       "session-1.scope 00000000000ff6ea\n"
	       "5m  tcp   refused     ingress [::1]:80       [::1]:5000   7?   33   ng\\x1binx "
	       "-               0000000000000007\n",
	       "");
	expect_request("/v1/flows");
}

/* Two columns a character, whatever the locale of who asks. */
static void wide_names_stay_in_line(void **state)
{
	(void)state;
	setenv("LC_ALL", "C", 1);
	run_with(OK "{\"process\":{\"name\":\"日本\"}}\n{\"process\":{\"name\":\"four\"}}\n",
		 "list -H");
	unsetenv("LC_ALL");
	expect(0, "- - - - - * - - 日本 - -\n- - - - - * - - four - -\n", "");
}

static void list_options(void **state)
{
	(void)state;
	run_with(three_flows(), "list -nH --lport 80,443 10.0.0.0/8:443 -t");
	assert_int_equal(result.code, 0);
	assert_null(strstr(result.out, "AGE"));
	assert_non_null(strstr(result.out, " 1000 curl "));
	assert_null(strstr(result.out, "bob"));
	expect_request("/v1/flows?lport=80%2C443&tcp=1&addr=10.0.0.0%2F8%3A443");
}

static void list_finds_nothing(void **state)
{
	(void)state;
	run_with("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "list");
	expect(1, "AGE PROTO STATE DIR LOCAL REMOTE PID USER COMM UNIT/CONTAINER FLOW_ID\n", "");
	run_with("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "list -j");
	expect(1, "", "");
}

static void json_is_passed_through(void **state)
{
	(void)state;
	run_with(OK "{\"b\": 1,  \"a\":\"\\u001b\"}\nnot even json", "list -j");
	expect(0, "{\"b\": 1,  \"a\":\"\\u001b\"}\nnot even json\n", "");
	run_with(OK "{\"x\":1}", "-j show ff6ea");
	expect(0, "{\"x\":1}\n", "");
	run_with(OK "{\"x\":1}\n{\"x\":2}\n", "who 10.0.0.1:80 -j");
	expect(0, "{\"x\":1}\n{\"x\":2}\n", "");
	run_with(OK "{\"x\":1}\n", "doctor -j");
	expect(0, "{\"x\":1}\n", "");
	run_with(OK "{\"x\":1}\n", "stats --json");
	expect(0, "{\"x\":1}\n", "");
}

static void malformed_lines(void **state)
{
	static const char *const commands_reading[] = { "list",	 "who :53", "show 1",
							"watch", "doctor",  "stats" };

	(void)state;
	for (size_t i = 0; i < sizeof(commands_reading) / sizeof(commands_reading[0]); i++) {
		run_with(OK "{\"a\":\n", commands_reading[i]);
		assert_int_equal(result.code, 4);
		assert_ptr_equal(strstr(result.err, "flowner: the daemon sent what is not JSON: "),
				 result.err);
		assert_ptr_equal(strchr(result.err, '\n'), result.err + strlen(result.err) - 1);
		run_with(OK "[1]\n{}\n", commands_reading[i]);
		assert_int_equal(result.code, 4);
		assert_string_equal(result.err,
				    "flowner: the daemon sent JSON that is not an object\n");
		/* nothing in it, nothing wrong with it */
		run_with(STREAM("3\r\n{}\n\r\n0\r\n\r\n"), commands_reading[i]);
		assert_int_equal(result.code, i == 3 ? 3 : 0);
	}
}

static void who_in_blocks(void **state)
{
	char text[4096];

	(void)state;
	snprintf(text, sizeof(text), OK CURL SSHD, ago(65), ago(3 * 60 + 5));
	run_with(text, "who tcp 10.0.0.2:43210 10.0.0.9:443 --netns 7 --at 10m");
	expect(0,
	       "flow:    00000000000ff6ea\n"
	       "session: tcp 10.0.0.2:43210 -> 10.0.0.9:443\n"
	       "state:   established\n"
	       "age:     1m\n"
	       "owner:   curl, pid 4242, user bob (1000)\n"
	       "role:    opener, final\n"
	       "unit:    session-1.scope\n"
	       "\n"
	       "flow:    0000000000000011\n"
	       "session: tcp [::]:22\n"
	       "state:   listen\n"
	       "age:     >3m\n"
	       "owner:   sshd, pid 612, user root (0)\n"
	       "role:    existing, had it open when the daemon first looked\n",
	       "");
	expect_request("/v1/who?proto=tcp&local=10.0.0.2%3A43210&remote=10.0.0.9%3A443"
		       "&netns=7&at=10m");
}

static void who_without_an_address_asks_the_list(void **state)
{
	(void)state;
	run_with("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "who udp :53 --at 10m");
	expect(1, "", "");
	expect_request("/v1/flows?proto=udp&local=%3A53&since=10m&until=10m");
	run_with("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "who 10.0.0.0/8:80");
	expect_request("/v1/flows?local=10.0.0.0%2F8%3A80");
	run_with("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "who 10.0.0.1:80 :443");
	expect_request("/v1/flows?local=10.0.0.1%3A80&remote=%3A443");
	run_with("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "who [::1]:80");
	expect_request("/v1/who?local=%5B%3A%3A1%5D%3A80");
}

static void who_used_wrongly(void **state)
{
	(void)state;
	run_at("/nonexistent", "who");
	expect(2, "", "flowner: 'who' needs [tcp|udp] LOCAL [REMOTE]: try 'flowner who --help'\n");
	run_at("/nonexistent", "who tcp");
	expect(2, "", "flowner: 'who' needs [tcp|udp] LOCAL [REMOTE]: try 'flowner who --help'\n");
	run_at("/nonexistent", "who :1 :2 :3");
	expect(2, "", "flowner: 'who' needs [tcp|udp] LOCAL [REMOTE]: try 'flowner who --help'\n");
	run_at("/nonexistent", "who 10.0.0.1");
	expect(2, "",
	       "flowner: '10.0.0.1' is not ADDR:PORT, [ADDR]:PORT or :PORT: "
	       "try 'flowner who --help'\n");
	run_at("/nonexistent", "who :1 nowhere");
	assert_int_equal(result.code, 2);
	run_at("/nonexistent", "who :1 --at soon");
	expect(2, "",
	       "flowner: 'soon' is not a time: 10m (ago), RFC 3339 or @SECONDS: "
	       "try 'flowner who --help'\n");
}

static void show_by_every_form_of_an_id(void **state)
{
	static const char *const forms[] = { "ff6ea", "0xff6ea", "sk:ff6ea", "=1046250",
					     "00000000000ff6ea" };
	char text[4096];
	char line[64];

	(void)state;
	snprintf(text, sizeof(text), OK CURL, "2026-01-02T03:04:05Z");
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		snprintf(line, sizeof(line), "show %s", forms[i]);
		run_with(text, line);
		assert_int_equal(result.code, 0);
		expect_request("/v1/flows/00000000000ff6ea");
		assert_non_null(strstr(result.out, "owner:   curl, pid 4242, user bob (1000)\n"));
		assert_non_null(strstr(result.out, "opened:  2026-01-02T03:04:05Z\n"));
	}
	run_at("/nonexistent", "show 0");
	expect(2, "", "flowner: '0' is not a flow id: try 'flowner show --help'\n");
	run_at("/nonexistent", "show %");
	expect(2, "", "flowner: ' ' is not a flow id: try 'flowner show --help'\n");
}

#define OPENED                                                                                     \
	"{\"@timestamp\":\"2026-01-02T03:04:05.678Z\",\"event\":{\"action\":\"open\"},"            \
	"\"network\":{\"transport\":\"tcp\"},\"process\":{\"pid\":42,\"name\":\"curl\"},"          \
	"\"user\":{\"id\":\"1\",\"name\":\"bob\"},\"flowner\":{\"flow_id\":\"0000000000000007\","  \
	"\"local\":{\"ip\":\"10.0.0.2\",\"port\":1},\"remote\":{\"ip\":\"10.0.0.9\",\"port\":2}}}" \
	"\n"
#define LOST                                                                                       \
	"{\"@timestamp\":\"2026-01-02T03:04:05Z\",\"message\":\"the reader was too slow\","        \
	"\"event\":{\"action\":\"lost\"},\"flowner\":{\"count\":12}}\n"
#define HEADER                                                                                     \
	"TIME         ACTION        PROTO LOCAL                 REMOTE                PID     "    \
	"USER     COMM            FLOW_ID\n"
#define OPENED_LINE                                                                                \
	"03:04:05.678 open          tcp   10.0.0.2:1            10.0.0.9:2            42      "    \
	"bob      curl            0000000000000007\n"

static void watch_events(void **state)
{
	(void)state;
	run_with(OK OPENED OPENED OPENED, "watch -c 2 -t");
	expect(0, HEADER OPENED_LINE OPENED_LINE, "");
	expect_request("/v1/events?tcp=1");
	run_with(OK OPENED, "watch -H --count 1 --replay 41");
	expect(0, OPENED_LINE, "");
	expect_request("/v1/events?since=41");
	run_with(OK OPENED OPENED, "watch -j -c 1");
	expect(0, OPENED, "");
}

/* A notice is no event: it is told and not counted. */
static void watch_tells_of_lost_events(void **state)
{
	(void)state;
	run_with(OK LOST OPENED OPENED, "watch -H -c 1");
	expect(0, OPENED_LINE, "flowner: LOST 12 events: the reader was too slow\n");
	run_with(OK LOST OPENED OPENED, "watch -j -c 1");
	expect(0, LOST OPENED, "flowner: LOST 12 events: the reader was too slow\n");
}

static void watch_ends_with_the_daemon(void **state)
{
	char line[256];
	struct fake_daemon f;
	struct script s = { .bytes = STREAM("0\r\n\r\n") };

	(void)state;
	fake_start(&f, &s);
	run_at(f.path, "watch -H");
	snprintf(line, sizeof(line), "flowner: the daemon at '%s' ended the stream\n", f.path);
	expect(3, "", line);
	fake_stop(&f);
	s.bytes = STREAM("1\r\n\n\r\n");
	fake_start(&f, &s);
	run_at(f.path, "watch -H");
	snprintf(line, sizeof(line),
		 "flowner: the daemon at '%s' went away in the middle of its answer\n", f.path);
	expect(3, "", line);
	fake_stop(&f);
}

static void watch_used_wrongly(void **state)
{
	(void)state;
	run_at("/nonexistent", "watch -c 0");
	expect(2, "", "flowner: --count needs a number above 0: try 'flowner watch --help'\n");
	run_at("/nonexistent", "watch --count -3");
	assert_int_equal(result.code, 2);
	run_at("/nonexistent", "watch --replay now");
	expect(2, "",
	       "flowner: --replay needs the sequence number of an event: "
	       "try 'flowner watch --help'\n");
}

/* Each line is out before the next one comes; then Ctrl-C. */
static void watch_is_line_buffered_and_interrupted(void **state)
{
	char length[32], text[2048], got[4096];
	struct script s = { .bytes = text, .stay = true };
	size_t used = 0, want = strlen(HEADER OPENED_LINE);
	int out[2], err = temporary_file();
	struct fake_daemon f;
	pid_t pid;

	(void)state;
	snprintf(length, sizeof(length), "%zx\r\n", strlen(OPENED));
	snprintf(text, sizeof(text), "%s%s%s\r\n", STREAM(""), length, OPENED);
	assert_int_equal(pipe(out), 0);
	fake_start(&f, &s);
	pid = start(f.path, "watch", out[1], err);
	close(out[1]);
	while (used < want) {
		ssize_t n = read(out[0], got + used, sizeof(got) - 1 - used);

		assert_true(n > 0);
		used += (size_t)n;
	}
	got[used] = '\0';
	assert_string_equal(got, HEADER OPENED_LINE);
	kill(pid, SIGINT);
	assert_int_equal(wait_for_exit(pid), 0);
	close(out[0]);
	close(err);
	fake_stop(&f);
}

static void doctor_and_its_table(void **state)
{
	(void)state;
	run_with(OK "{\"tier\":\"no LSM\",\"kernel\":\"6.18.1\",\"hooks\":["
		    "{\"moment\":\"accept\",\"attach\":\"lsm/sock_graft\",\"program\":\"p\","
		    "\"status\":\"silent\",\"why\":\"no bpf\",\"remedy\":\"boot with it\"},"
		    "{\"moment\":\"accept\",\"attach\":\"fentry/__sk_free\","
		    "\"status\":\"refused\",\"error\":\"Invalid argument\","
		    "\"why\":\"nobody\",\"lost\":\"the process that accepts\"},"
		    "{\"moment\":\"x\",\"attach\":\"lsm/x\",\"status\":\"silent\","
		    "\"why\":\"no bpf\",\"remedy\":\"boot with it\"}],"
		    "\"capabilities\":{\"bpf\":true,\"perfmon\":false},"
		    "\"notes\":[\"accept: the process that accepts\",\"\\u001b\"]}\n",
		 "doctor");
	expect(0,
	       "tier: no LSM\n"
	       "kernel: 6.18.1\n"
	       "capabilities: bpf=yes perfmon=no\n"
	       "\n"
	       "HOOK   ATTACH           STATUS                    LOST\n"
	       "accept lsm/sock_graft   silent                    -\n"
	       "accept fentry/__sk_free refused: Invalid argument the process that accepts\n"
	       "x      lsm/x            silent                    -\n"
	       "\n"
	       "missing: lsm/sock_graft, lsm/x: no bpf; boot with it\n"
	       "missing: fentry/__sk_free: nobody\n"
	       "\n"
	       "note: accept: the process that accepts\n"
	       "note: \\x1b\n",
	       "");
	expect_request("/v1/doctor");
	run_with(OK "{\"hooks\":[{\"status\":\"refused\",\"error\":1}]}\n", "doctor -H");
	expect(0, "\n- - refused: Operation not permitted -\n", "");
	run_with(OK "{\"hooks\":7,\"notes\":{},\"x\":[],\"y\":null}\n", "doctor -H");
	assert_int_equal(result.code, 0);
}

static void stats_and_maps(void **state)
{
	(void)state;
	run_with(OK
		 "{\"version\":\"0.1.0\",\"counters\":{\"opened\":1234567890123,\"ring_full\":0},"
		 "\"maps\":{\"l7_connections\":{\"entries\":33,\"capacity\":1000},"
		 "\"empty\":{\"entries\":0,\"capacity\":0}},\"streams\":{\"open\":1}}\n",
		 "stats");
	expect(0,
	       "opened       1234567890123\n"
	       "ring_full    0\n"
	       "version      0.1.0\n"
	       "streams.open 1\n"
	       "\n"
	       "MAP            ENTRIES CAPACITY USED\n"
	       "l7_connections 33      1000     3.3%\n"
	       "empty          0       0        -\n",
	       "");
	expect_request("/v1/stats");
	run_with(OK "{\"counters\":[],\"maps\":{\"m\":7,\"n\":{}}}\n", "stats -H");
	expect(0, "\nm - - -\nn - - -\n", "");
}

static void metrics_as_they_are(void **state)
{
	(void)state;
	run_with(OK "# TYPE x counter\nx_total 1\n# EOF\n", "metrics");
	expect(0, "# TYPE x counter\nx_total 1\n# EOF\n", "");
	expect_request("/metrics");
	run_at(NULL, "metrics -j");
	expect(2, "",
	       "flowner: OpenMetrics is no JSON, 'stats' has --json: try 'flowner metrics "
	       "--help'\n");
}

/* --- policy --- */

static char top[] = "/tmp/flowner-test-XXXXXX";

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* Of what can be read only once, too; and with --json there is nothing else on stdout. */
static void policy_is_saved_as_it_was_loaded(void **state)
{
	static const char rules[] = "mode: audit\n";
	char answer[512], line[128], path[128], text[64] = "";
	int ends[2], fd;

	(void)state;
	for (int json = 0; json < 2; json++) {
		assert_int_equal(pipe(ends), 0);
		assert_int_equal(write(ends[1], rules, strlen(rules)), strlen(rules));
		close(ends[1]);
		snprintf(answer, sizeof(answer),
			 OK "{\"mode\":\"audit\",\"rules\":0,\"policy_dir\":\"%s/saved%d\"}\n", top,
			 json);
		snprintf(line, sizeof(line), "policy load --save /dev/fd/%d%s", ends[0],
			 json ? " -j" : "");
		run_with(answer, line);
		close(ends[0]);
		snprintf(line, sizeof(line),
			 "0 rules in force, mode audit\nsaved at '%s/saved%d'\n", top, json);
		expect(0, json ? strstr(answer, "\r\n\r\n") + 4 : line, "");
		snprintf(path, sizeof(path), "%s/saved%d/%d.yaml", top, json, ends[0]);
		fd = open(path, O_RDONLY);
		assert_true(fd >= 0);
		assert_int_equal(read(fd, text, sizeof(text)), strlen(rules));
		assert_string_equal(text, rules);
		close(fd);
	}
}

/* Whatever a file is called. */
static void policy_checked_in_json(void **state)
{
	char path[128], line[256], text[1024];

	(void)state;
	snprintf(path, sizeof(path), "%s/\xff.yaml", top);
	write_file(path, "mode: nonsense\n");
	snprintf(line, sizeof(line), "policy check -j %s", path);
	run_at(NULL, line);
	assert_int_equal(result.code, 1);
	assert_int_equal(strncmp(result.out, "{\"valid\":false,\"error\":\"", 24), 0);
	assert_non_null(strstr(result.out, "/\xef\xbf\xbd.yaml\",\"line\":1,"));
	write_file(path, "rules: [{name: a, hooks: [listen], verdict: reject}]\n");
	snprintf(line, sizeof(line), "policy test -j --hook listen %s", path);
	run_at(NULL, line);
	assert_int_equal(result.code, 0);
	assert_non_null(strstr(result.out, "/\xef\xbf\xbd.yaml\",\"line\":1,"));
	for (int odd = 0; odd < 2; odd++) { /* a word that is cut in the middle of a character */
		snprintf(text, sizeof(text), "mode: %s", odd ? "x" : "");
		for (int i = 0; i < 300; i++)
			strcat(text, "\xc3\xa9");
		write_file(path, text);
		snprintf(line, sizeof(line), "policy check -j %s", path);
		run_at(NULL, line);
		assert_int_equal(result.code, 1);
		assert_int_equal(strncmp(result.out, "{\"valid\":false,\"error\":\"", 24), 0);
	}
}

/* A rule's name and that of its file may hold what a terminal obeys. */
static void policy_test_is_safe_for_a_terminal(void **state)
{
	char path[128], line[256];

	(void)state;
	snprintf(path, sizeof(path), "%s/\x1b.yaml", top);
	write_file(path, "mode: enforce\nrules:\n"
			 "- {name: \"a\\u009b2J\", hooks: [listen], verdict: reject}\n");
	snprintf(line, sizeof(line), "policy test --hook listen %s", path);
	run_at(NULL, line);
	assert_int_equal(result.code, 1);
	assert_non_null(strstr(result.out, "rule:        a\\u009b2J ("));
	assert_non_null(strstr(result.out, "/\\x1b.yaml:3)\n"));
}

static void statuses_become_exit_codes(void **state)
{
	static const struct {
		const char *bytes;
		int code;
		const char *err;
	} table[] = {
		{ "HTTP/1.1 404 No\r\n\r\n{\"error\":\"no flow has that id\"}", 1,
		  "flowner: no flow has that id\n" },
		{ "HTTP/1.1 400 No\r\n\r\n{\"error\":\"lport: 'x' is not a port\"}", 2,
		  "flowner: lport: 'x' is not a port\n" },
		{ "HTTP/1.1 403 No\r\n\r\n{\"error\":\"root only\"}", 4, "flowner: root only\n" },
		{ "HTTP/1.1 409 No\r\n\r\n{\"error\":\"not now\"}", 4, "flowner: not now\n" },
		{ "HTTP/1.1 503 No\r\n\r\n{\"error\":\"two\\nlines \\u001b\"}", 4,
		  "flowner: two\\x0alines \\x1b\n" },
		{ "HTTP/1.1 500 No\r\n\r\noops", 4,
		  "flowner: the daemon answered with HTTP status 500\n" },
		{ "HTTP/1.1 204 No\r\n\r\n", 4,
		  "flowner: the daemon answered with HTTP status 204\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		run_with(table[i].bytes, "show 1");
		expect(table[i].code, "", table[i].err);
	}
}

static void no_daemon(void **state)
{
	(void)state;
	run_at("/nonexistent/s", "list");
	expect(3, "",
	       "flowner: no daemon at '/nonexistent/s': start it with "
	       "'sudo flownerd --socket /nonexistent/s'\n");
	run_at("/nonexistent/other", "--socket /nonexistent/s stats");
	expect(3, "",
	       "flowner: no daemon at '/nonexistent/s': start it with "
	       "'sudo flownerd --socket /nonexistent/s'\n");
	if (access("/run/flowner/flowner.sock", F_OK) != 0) {
		run_at(NULL, "doctor");
		expect(3, "",
		       "flowner: no daemon at '/run/flowner/flowner.sock': start it with "
		       "'sudo systemctl start flowner' or 'sudo flownerd'\n");
	}
}

static void something_else_at_the_socket(void **state)
{
	char line[256];
	struct fake_daemon f;
	struct script s = { .bytes = "SSH-2.0-OpenSSH\r\n" };

	(void)state;
	fake_start(&f, &s);
	run_at(f.path, "list");
	snprintf(line, sizeof(line),
		 "flowner: what answers at '%s' is no flowner daemon: not HTTP as it speaks it\n",
		 f.path);
	expect(4, "", line);
	fake_stop(&f);
}

static void stdout_full_closed_or_gone(void **state)
{
	static const char *const commands_writing[] = {
		"list", "list -j", "list --help", "watch -c 3", "watch -H -c 3", "metrics", "show 1"
	};
	struct fake_daemon f;
	char text[2048];
	struct script s = { .bytes = text };

	(void)state;
	snprintf(text, sizeof(text), OK CURL CURL CURL, ago(5), ago(5), ago(5));
	fake_start(&f, &s);
	for (size_t i = 0; i < sizeof(commands_writing) / sizeof(commands_writing[0]); i++) {
		int full = open("/dev/full", O_WRONLY), err = temporary_file(), ends[2];

		result.code = wait_for_exit(start(f.path, commands_writing[i], full, err));
		read_back(err, result.err);
		close(full);
		result.out[0] = '\0';
		expect(4, "",
		       "flowner: cannot write to the standard output: No space left on device\n");
		err = temporary_file();
		result.code = wait_for_exit(start(f.path, commands_writing[i], -1, err));
		read_back(err, result.err);
		expect(4, "",
		       "flowner: cannot write to the standard output: Bad file descriptor\n");
		err = temporary_file();
		assert_int_equal(pipe(ends), 0);
		close(ends[0]);
		result.code = wait_for_exit(start(f.path, commands_writing[i], ends[1], err));
		close(ends[1]);
		read_back(err, result.err);
		expect(0, "", "");
	}
	fake_stop(&f);
}

/* More than stdio buffers: the reason of the first failed write is still the one that is told. */
static void long_list_to_a_full_disk(void **state)
{
	size_t room = 1024 * 1024, used;
	char *text = malloc(room);
	struct script s = { .bytes = text };
	struct fake_daemon f;
	int full, err;

	(void)state;
	assert_non_null(text);
	used = (size_t)sprintf(text, OK);
	while (used < room - 2048)
		used += (size_t)sprintf(text + used, CURL, "2026-01-02T03:04:05Z");
	fake_start(&f, &s);
	for (int json = 0; json < 2; json++) {
		full = open("/dev/full", O_WRONLY);
		err = temporary_file();
		result.code = wait_for_exit(start(f.path, json ? "list -j" : "list", full, err));
		close(full);
		read_back(err, result.err);
		result.out[0] = '\0';
		expect(4, "",
		       "flowner: cannot write to the standard output: No space left on device\n");
	}
	fake_stop(&f);
	free(text);
}

static void commands_and_help(void **state)
{
	(void)state;
	run_at(NULL, "--version");
	expect(0, "flowner " FLOWNER_VERSION "\n", "");
	run_at(NULL, "");
	expect(2, "", "flowner: a command is missing: try 'flowner --help'\n");
	run_at(NULL, "lsit");
	expect(2, "", "flowner: there is no command 'lsit': try 'flowner --help'\n");
	run_at(NULL, "help lsit");
	expect(2, "", "flowner: there is no command 'lsit': try 'flowner --help'\n");
	run_at(NULL, "--nope list");
	expect(2, "", "flowner: '--nope' is not an option: try 'flowner --help'\n");
	run_at(NULL, "list --nope");
	expect(2, "", "flowner: '--nope' is not an option: try 'flowner list --help'\n");
	run_at(NULL, "\x1b[2J");
	expect(2, "", "flowner: there is no command '\\x1b[2J': try 'flowner --help'\n");
	run_at(NULL, "show");
	expect(2, "", "flowner: 'show' needs FLOW_ID: try 'flowner show --help'\n");
}

static void help_of_all_commands(void **state)
{
	char line[64], usage[64], help[TEXT_MAX];

	(void)state;
	run_at(NULL, "--help");
	assert_int_equal(result.code, 0);
	memcpy(help, result.out, sizeof(help));
	run_at(NULL, "help");
	expect(0, help, "");
	for (size_t i = 0; i < NAMES; i++) {
		snprintf(line, sizeof(line), "\n  %-10s ", names[i]);
		assert_non_null(strstr(help, line));
		snprintf(line, sizeof(line), "%s --help", names[i]);
		run_at(NULL, line);
		assert_int_equal(result.code, 0);
		snprintf(usage, sizeof(usage), "Usage: flowner %s", names[i]);
		assert_ptr_equal(strstr(result.out, usage), result.out);
		memcpy(help, result.out, sizeof(help));
		snprintf(line, sizeof(line), "help %s", names[i]);
		run_at(NULL, line);
		expect(0, help, "");
		run_at(NULL, "--help");
		memcpy(help, result.out, sizeof(help));
	}
}

static int set_up(void **state)
{
	ssize_t n = readlink("/proc/self/exe", binary, sizeof(binary) - 16);

	(void)state;
	if (n < 0)
		return -1;
	binary[n] = '\0';
	for (int up = 0; up < 2; up++)
		*strrchr(binary, '/') = '\0';
	strncat(binary, "/flowner", sizeof(binary) - strlen(binary) - 1);
	setenv("TZ", "UTC", 1);
	return mkdtemp(top) ? access(binary, X_OK) : -1;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_as_a_table),
		cmocka_unit_test(wide_names_stay_in_line),
		cmocka_unit_test(list_options),
		cmocka_unit_test(list_finds_nothing),
		cmocka_unit_test(json_is_passed_through),
		cmocka_unit_test(malformed_lines),
		cmocka_unit_test(who_in_blocks),
		cmocka_unit_test(who_without_an_address_asks_the_list),
		cmocka_unit_test(who_used_wrongly),
		cmocka_unit_test(show_by_every_form_of_an_id),
		cmocka_unit_test(watch_events),
		cmocka_unit_test(watch_tells_of_lost_events),
		cmocka_unit_test(watch_ends_with_the_daemon),
		cmocka_unit_test(watch_used_wrongly),
		cmocka_unit_test(watch_is_line_buffered_and_interrupted),
		cmocka_unit_test(doctor_and_its_table),
		cmocka_unit_test(stats_and_maps),
		cmocka_unit_test(metrics_as_they_are),
		cmocka_unit_test(policy_is_saved_as_it_was_loaded),
		cmocka_unit_test(policy_checked_in_json),
		cmocka_unit_test(policy_test_is_safe_for_a_terminal),
		cmocka_unit_test(statuses_become_exit_codes),
		cmocka_unit_test(no_daemon),
		cmocka_unit_test(something_else_at_the_socket),
		cmocka_unit_test(stdout_full_closed_or_gone),
		cmocka_unit_test(long_list_to_a_full_disk),
		cmocka_unit_test(commands_and_help),
		cmocka_unit_test(help_of_all_commands),
	};

	return cmocka_run_group_tests_name("commands", tests, set_up, tear_down);
}
