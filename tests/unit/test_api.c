/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The HTTP API over its real socket, from real requests; the daemon is a fake (fake_agent.h).
 * One thread: the test runs the server between its own reads and writes.
 */
#include "fake_agent.h"
#include "kernel/holders.h"
#include "daemon/rules.h"
#include "flow/wire.h"
#include <bpf/bpf.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#define ROUNDS 20000

static char directory[] = "/tmp/flowner-test-XXXXXX";
static char path[sizeof(directory) + 32];

/* What a client has read so far. */
struct client {
	int fd;
	char *text;
	size_t size;
	bool ended;
};

/* --- driving both ends --- */

static void serve(void)
{
	struct pollfd p = { .fd = api_fd(fake.agent.api), .events = POLLIN };
	int timeout = api_timeout_ms(fake.agent.api);

	/* as the daemon does it: run when readable or due; 1 ms is for the kernel to hand over */
	if (poll(&p, 1, timeout == 0 ? 0 : 1) > 0 || timeout == 0)
		assert_int_equal(api_run(fake.agent.api), 0);
}

static struct client dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct client c = { .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) };

	assert_true(c.fd >= 0);
	strcpy(address.sun_path, path);
	assert_int_equal(connect(c.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return c;
}

static void hang_up(struct client *c)
{
	close(c->fd);
	free(c->text);
	*c = (struct client){ .fd = -1 };
}

static void say(struct client *c, const char *text)
{
	assert_int_equal(send(c->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void ask(struct client *c, const char *method, const char *target)
{
	char text[4096];

	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: x\r\n\r\n", method, target);
	say(c, text);
}

/* What has arrived; no waiting. Returns whether there was anything. */
static bool hear(struct client *c)
{
	char buf[65536];
	ssize_t n = recv(c->fd, buf, sizeof(buf), 0);

	if (n <= 0) {
		c->ended |= n == 0 || (errno != EAGAIN && errno != EINTR);
		return false;
	}
	c->text = realloc(c->text, c->size + (size_t)n + 1);
	memcpy(c->text + c->size, buf, (size_t)n);
	c->size += (size_t)n;
	c->text[c->size] = '\0';
	return true;
}

/* Until TEXT arrived, or the server hung up. */
static bool hear_until(struct client *c, const char *text)
{
	size_t searched = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		while (hear(c))
			;
		if (c->text && strstr(c->text + searched, text))
			return true;
		searched = c->size > strlen(text) ? c->size - strlen(text) : 0;
		if (c->ended)
			return false;
		serve();
	}
	return false;
}

static bool hear_end(struct client *c)
{
	for (unsigned int i = 0; i < ROUNDS && !c->ended; i++) {
		while (hear(c))
			;
		serve();
	}
	return c->ended;
}

static void settle(unsigned int rounds)
{
	while (rounds--)
		serve();
}

static size_t occurrences(const char *text, const char *word)
{
	size_t count = 0;

	for (; text && (text = strstr(text, word)); text += strlen(word))
		count++;
	return count;
}

/* --- whole answers --- */

struct reply {
	int status;
	char *head;
	char *body;
};

static void unchunk(char *body)
{
	char *out = body, *in = body, *end;
	size_t size;

	while ((size = strtoul(in, &end, 16)) > 0) {
		in = end + 2;
		memmove(out, in, size);
		out += size;
		in += size + 2;
	}
	*out = '\0';
}

static struct reply parse_reply(struct client *c)
{
	struct reply r = { 0 };
	char *body;

	assert_non_null(c->text);
	assert_int_equal(sscanf(c->text, "HTTP/1.1 %d", &r.status), 1);
	body = strstr(c->text, "\r\n\r\n");
	assert_non_null(body);
	r.body = strdup(body + 4);
	body[2] = '\0';
	r.head = strdup(c->text);
	if (strcasestr(r.head, "Transfer-Encoding: chunked"))
		unchunk(r.body);
	return r;
}

static struct reply request(const char *method, const char *target)
{
	char text[4096];
	struct client c = dial();
	struct reply r;

	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		 method, target);
	say(&c, text);
	assert_true(hear_end(&c));
	r = parse_reply(&c);
	hang_up(&c);
	return r;
}

static void reply_release(struct reply *r)
{
	free(r->head);
	free(r->body);
}

/* Status, and what the body must contain (NULL: nothing said); every error is {"error": "..."}. */
static void expect(const char *method, const char *target, int status, const char *text)
{
	struct reply r = request(method, target);

	if (r.status != status || (text && !strstr(r.body, text)))
		fail_msg("%s %s: %d %s", method, target, r.status, r.body);
	if (status >= 400) {
		json_t *error = json_loads(r.body, 0, NULL);

		assert_true(json_is_string(json_object_get(error, "error")));
		assert_int_equal(json_object_size(error), 1);
		json_decref(error);
	}
	reply_release(&r);
}

static size_t count_lines(const char *target)
{
	struct reply r = request("GET", target);
	size_t lines = occurrences(r.body, "\n");

	assert_int_equal(r.status, 200);
	for (char *line = strtok(r.body, "\n"); line; line = strtok(NULL, "\n")) {
		json_t *object = json_loads(line, 0, NULL);

		assert_true(json_is_object(object));
		json_decref(object);
	}
	reply_release(&r);
	return lines;
}

static int setup(void **state)
{
	(void)state;
	fake_new();
	fake_add(make_flow(CUTTABLE, 1000, "10.0.0.2", 40000, "10.0.0.9", 443));
	fake_add(make_flow(0xdef, 0, "10.0.0.2", 40001, "10.0.0.9", 53));
	fake_add(make_flow(0x111, 0, "0.0.0.0", 80, NULL, 0));
	fake_end(make_flow(0x222, 1000, "10.0.0.2", 40002, "10.0.0.9", 443), 20 * S);
	return api_new(&fake.agent, path, &fake.agent.api);
}

static int teardown(void **state)
{
	(void)state;
	fake_free();
	return 0;
}

/* --- the socket --- */

static void socket_file(void **state)
{
	struct api *second = NULL;
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	assert_int_equal(api_new(&fake.agent, path, &second), -EADDRINUSE);
	assert_null(second);
	expect("GET", "/v1/doctor", 200, "tier");
	api_free(fake.agent.api);
	fake.agent.api = NULL;
	assert_int_equal(stat(path, &st), -1);
}

static void stale_socket_is_replaced(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	api_free(fake.agent.api);
	fake.agent.api = NULL;
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(api_new(&fake.agent, path, &fake.agent.api), 0);
	expect("GET", "/v1/doctor", 200, "tier");
}

static void other_files_are_left_alone(void **state)
{
	char file[sizeof(path) + 8], deep[sizeof(path) + 16], too_long[200];
	struct api *api = NULL;
	mode_t mask = umask(077);
	struct stat st;

	(void)state;
	snprintf(file, sizeof(file), "%s.txt", path);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(api_new(&fake.agent, file, &api), -EEXIST);
	assert_int_equal(unlink(file), 0);
	snprintf(deep, sizeof(deep), "%s.d/sock", path);
	assert_int_equal(api_new(&fake.agent, deep, &api), 0);
	assert_int_equal(stat(deep, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	api_free(api);
	*strrchr(deep, '/') = '\0';
	assert_int_equal(stat(deep, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	rmdir(deep);
	memset(too_long, 'x', sizeof(too_long));
	too_long[sizeof(too_long) - 1] = '\0';
	assert_int_equal(api_new(&fake.agent, too_long, &api), -ENAMETOOLONG);
	umask(mask);
}

/* --- routes --- */

static void unknown_and_malformed(void **state)
{
	struct reply r;

	(void)state;
	expect("GET", "/", 404, NULL);
	expect("GET", "/v1/nothing", 404, NULL);
	expect("GET", "/v1/flows/abc/def", 404, NULL);
	expect("GET", "/v1/flows/", 404, NULL);
	expect("POST", "/v1/flows", 405, NULL);
	expect("GET", "/v1/flows?colour=red", 400, "colour");
	expect("GET", "/v1/flows?lport=many", 400, "lport");
	expect("GET", "/v1/flows?counts=all", 400, "counts: 'all'");
	expect("GET", "/v1/flows?netns=/etc/shadow", 400, "etc");
	expect("GET", "/v1/flows?pid=1%00", 400, NULL);
	expect("GET", "/v1/doctor?x=1", 400, "x");
	expect("GET", "/metrics?x=%ff", 400, "x");
	expect("GET", "/v1/events?since=soon", 400, "soon");
	expect("GET", "/v1/events?since=18446744073709551616", 400, NULL);
	r = request("PUT", "/v1/flows/abc");
	assert_int_equal(r.status, 405);
	assert_non_null(strstr(r.head, "Allow: GET, DELETE\r\n"));
	reply_release(&r);
}

/* Bytes that are no HTTP and requests that stop half-way end a connection and nothing else. */
static void not_http(void **state)
{
	struct client half = dial(), junk = dial(), empty = dial();

	(void)state;
	say(&half, "GET /v1/flows HTT");
	say(&junk, "\x16\x03\x01\x02 \xff\xfe junk\r\n\r\n\r\n");
	settle(10);
	hang_up(&empty);
	hang_up(&half);
	settle(10);
	expect("GET", "/v1/flows", 200, "\"flow_id\"");
	hang_up(&junk);
}

static void bodies_are_refused(void **state)
{
	static const char *const heads[] = { "Content-Length: 5\r\n\r\nhello",
					     "Content-Length: 9999999999\r\n\r\n",
					     "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" };
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		struct client c = dial();
		struct reply r;

		snprintf(text, sizeof(text), "GET /v1/flows HTTP/1.1\r\nHost: x\r\n%s", heads[i]);
		say(&c, text);
		assert_true(hear_end(&c));
		r = parse_reply(&c);
		assert_int_equal(r.status, 413);
		assert_non_null(strstr(r.body, "error"));
		reply_release(&r);
		hang_up(&c);
	}
}

/* As expect(), with a body. */
static void expect_of(const char *target, const char *body, int status, const char *text)
{
	char head[1024];
	struct client c = dial();
	struct reply r;

	snprintf(head, sizeof(head),
		 "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
		 target, strlen(body));
	say(&c, head);
	say(&c, body);
	assert_true(hear_end(&c));
	r = parse_reply(&c);
	if (r.status != status || !strstr(r.body, text))
		fail_msg("%s: %d %s", target, r.status, r.body);
	reply_release(&r);
	hang_up(&c);
}

#define A_POLICY                                                                                   \
	"mode: enforce\nrules: [{name: a, hooks: connect, exe: /a, remote: {port: 80}, "           \
	"verdict: deny}]\n"

static void a_policy_is_checked(void **state)
{
	static const char target[] = "/v1/policy/check";

	(void)state;
	expect_of(target, A_POLICY, 200,
		  "{\"valid\":true,\"rules\":1,\"enforced\":1,\"hooks\":[\"connect\"]}\n");
	expect_of(target, "mode: x\n", 422, "{\"error\":\"policy:1:7: 'x' is neither ");
	expect_of("/v1/policy/check?file=14:a&file=8:b%20c", "mode: enforce\nmode: x\n", 422,
		  "{\"error\":\"b c:1:7: ");
	expect_of(target, "rules: [{name: a, hooks: bind, user: no-such-user, verdict: deny}]", 422,
		  "policy:1:38: there is no user 'no-such-user'");
	expect_of(target, "", 400, "from the body");
	expect_of("/v1/policy/check?file=9:a", "mode: audit", 400, "more than the files say");
	expect_of("/v1/policy/check?try=60s", "mode: audit", 400, "unknown query parameter 'try'");
	expect_of("/v1/policy/check?hook=bind", "mode: audit", 400, "parameter 'hook'");
	expect("GET", target, 405, NULL);
	fake.peer = (struct peer){ .uid = 1000, .sees_all = true };
	expect_of(target, A_POLICY, 403, "only root");
}

static void an_attempt_is_tried(void **state)
{
	static const char rejected[] = "{\"hook\":\"connect\",\"as_it_is\":{\"rule\":{\"name\":"
				       "\"a\",\"file\":\"policy\",\"line\":2,\"enforced\":true},"
				       "\"verdict\":\"reject\",";
	static const char target[] = "/v1/policy/test?hook=connect&exe=/a&remote=10.0.0.9:80";

	(void)state;
	expect_of(target, A_POLICY, 200, rejected);
	expect_of(target, A_POLICY, 200, "\"audited\":null,\"not_given\":[]}\n");
	expect_of("/v1/policy/test?hook=connect&remote=:80", A_POLICY, 200,
		  "\"not_given\":[\"exe\"]}");
	expect_of("/v1/policy/test?hook=connect&remote=:443", A_POLICY, 200, "\"proceed_soft\"");
	expect_of(target, "mode: x\n", 422, "policy:1:7: ");
	expect_of("/v1/policy/test?hook=bind&file=2:a", "mode: x\n", 400, "more than the files");
	expect_of("/v1/policy/test", A_POLICY, 400, "'test' needs 'hook'");
	expect_of("/v1/policy/test?hook=x", A_POLICY, 400, "'x' is not what 'hook' takes");
	expect_of("/v1/policy/test?hook=bind&hook=bind", A_POLICY, 400, "'hook' is given twice");
	expect_of("/v1/policy/test?hook=bind&colour=red", A_POLICY, 400, "'colour'");
	expect_of("/v1/policy/test?hook=bind&netns=/etc/x", A_POLICY, 400, "'/etc/x' is not");
	expect_of("/v1/policy/test?hook=bind&user=no-such-user", "mode: audit\n", 400,
		  "'no-such-user' is not a user of this machine");
	expect_of(target, "", 503, "starting");
}

static void an_attempt_on_the_policy_in_force(void **state)
{
	static const char target[] = "/v1/policy/test?hook=connect&exe=/a&remote=:80";
	struct policy_text text = { .name = "f.yaml", .text = A_POLICY, .size = strlen(A_POLICY) };
	struct rules_order order = { .texts = &text, .count = 1 };
	struct rules_outcome outcome;
	struct rules *rules;
	struct fail f;

	(void)state;
	assert_int_equal(rules_new(&fake.agent, NULL, NULL, &rules), 0);
	fake.agent.rules = rules;
	expect("POST", target, 200, "\"as_it_is\":{\"rule\":null,\"verdict\":\"proceed_soft\"");
	assert_int_equal(rules_load(rules, &order, &outcome, &f), 0);
	expect("POST", target, 200, "\"verdict\":\"reject\"");
	expect("POST", "/v1/policy/test?hook=bind&file=0:a", 400, "parameter 'file'");
	fake.peer = (struct peer){ .uid = 1000, .sees_all = true };
	expect("POST", target, 200, "\"file\":\"f.yaml\"");
	expect_of(target, A_POLICY, 403, "only root");
	fake.peer.sees_all = false;
	expect("POST", target, 403, "may read the policy");
	fake.agent.rules = NULL;
	rules_free(rules);
}

static void keep_alive_serves_several(void **state)
{
	struct client c = dial();

	(void)state;
	ask(&c, "GET", "/v1/flows/abc");
	assert_true(hear_until(&c, "\"flow_id\":\"0000000000000abc\""));
	ask(&c, "GET", "/v1/flows/def");
	assert_true(hear_until(&c, "\"flow_id\":\"0000000000000def\""));
	assert_false(c.ended);
	hang_up(&c);
}

static void large_head_is_refused(void **state)
{
	struct client c = dial();
	char filler[1024];

	(void)state;
	memset(filler, 'a', sizeof(filler) - 1);
	filler[sizeof(filler) - 1] = '\0';
	say(&c, "GET /v1/flows?");
	for (unsigned int i = 0; i < 100 && !c.ended; i++) {
		(void)!send(c.fd, filler, strlen(filler), MSG_NOSIGNAL);
		settle(1);
		hear(&c);
	}
	assert_true(hear_end(&c));
	hang_up(&c);
	expect("GET", "/v1/stats", 200, "counters");
}

/* --- flows --- */

static void list_flows(void **state)
{
	(void)state;
	fake.drained = 0;
	assert_int_equal(count_lines("/v1/flows?listening"), 1);
	assert_int_equal(fake.drained, 1);
	assert_int_equal(count_lines("/v1/flows"), 3);
	assert_int_equal(fake.drained, 3); /* and for the other ends of all there are */
	assert_int_equal(count_lines("/v1/flows?lport=40000"), 1);
	assert_int_equal(count_lines("/v1/flows?listening"), 1);
	assert_int_equal(count_lines("/v1/flows?user=bob"), 1);
	assert_int_equal(count_lines("/v1/flows?exe=/usr/bin/curl"), 3);
	assert_int_equal(count_lines("/v1/flows?unit=fetch.service&all=1"), 4);
	assert_int_equal(count_lines("/v1/flows?closed"), 1);
	assert_int_equal(count_lines("/v1/flows?addr=192.0.2.1"), 0);
	fake.maps_error = -EIO;
	expect("GET", "/v1/flows", 500, "Input/output");
}

static void show_flow(void **state)
{
	(void)state;
	expect("GET", "/v1/flows/abc", 200, "\"flow_id\":\"0000000000000abc\"");
	expect("GET", "/v1/flows/sk:abc", 200, "\"executable\":\"/usr/bin/curl\"");
	expect("GET", "/v1/flows/222", 200, "\"end\":\"2026-01-02T03:04:25.000000000Z\"");
	expect("GET", "/v1/flows/999", 404, "0000000000000999");
	expect("GET", "/v1/flows/zzz", 400, "zzz");
	expect("GET", "/v1/flows/0", 400, NULL);
	expect("GET", "/v1/flows/abc?x=1", 400, "x");
}

/* --- who holds it: the iterator is a pipe, which ends when the test closes its end --- */

static __u64 wanted[FL_HOLDER_WALKS];
static int kernel_end;

int __wrap_bpf_iter_create(int link);
int __wrap_bpf_iter_create(int link)
{
	int ends[2];

	(void)link;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	kernel_end = ends[1];
	return ends[0];
}

static int setup_holders(void **state)
{
	int r = setup(state);

	return r ? r : holders_new(0, wanted, &fake.agent.holders);
}

static int teardown_holders(void **state)
{
	struct holders *h = fake.agent.holders;
	int r = teardown(state);

	holders_free(h);
	for (size_t i = 0; i < FL_HOLDER_WALKS; i++)
		assert_int_equal(wanted[i], 0);
	return r;
}

static void find(__u32 pid, __u32 uid)
{
	struct fl_holder h = {
		.cookie = CUTTABLE,
		.owner = { .proc = { .pid = pid, .start_ns = 5 * S }, .uid = uid, .comm = "curl" },
		.fd = 3
	};

	assert_int_equal(write(kernel_end, &h, sizeof(h)), sizeof(h));
}

/* Of the flow of user 1000, held by processes of three users, what PEER is told. */
static void expect_holders(const char *text)
{
	struct client c = dial();
	struct reply r;

	ask(&c, "GET", "/v1/flows/abc");
	kernel_end = -1;
	for (unsigned int i = 0; i < ROUNDS && kernel_end < 0; i++)
		serve();
	assert_int_equal(wanted[fake.peer.sees_all ? FL_HOLDER_WALKS - 1 : 1], CUTTABLE);
	find(10, 1000);
	find(11, 0);
	find(12, 1001);
	settle(10);
	close(kernel_end);
	assert_true(hear_until(&c, "\r\n0\r\n"));
	r = parse_reply(&c);
	assert_non_null(strcasestr(r.head, "Content-Type: application/json"));
	if (!strstr(r.body, text))
		fail_msg("no %s in %s", text, r.body);
	reply_release(&r);
	hang_up(&c);
}

static void who_holds_it(void **state)
{
	(void)state;
	expect_holders("\"holders\":[{\"pid\":10,\"start\":\"2026-01-02T03:04:10.000000000Z\","
		       "\"name\":\"curl\",\"fds\":[3]},{\"pid\":11,");
	fake.peer = (struct peer){ .uid = 1000, .sees_all = false };
	expect_holders("\"holders\":[{\"pid\":10,\"start\":\"2026-01-02T03:04:10.000000000Z\","
		       "\"name\":\"curl\",\"fds\":[3]}],\"holders_hidden\":2}");
}

/* Others are answered while it is looked for; who hangs up meanwhile leaves nothing behind. */
static void looked_for_meanwhile(void **state)
{
	struct client c = dial();

	(void)state;
	ask(&c, "GET", "/v1/flows/abc");
	settle(100);
	while (hear(&c))
		;
	assert_null(c.text && strstr(c.text, "flow_id") ? c.text : NULL);
	assert_int_equal(count_lines("/v1/flows"), 3);
	close(kernel_end);
	assert_true(hear_until(&c, "\"holders\":[]"));
	hang_up(&c);
	c = dial();
	ask(&c, "GET", "/v1/flows/abc");
	settle(10);
	hang_up(&c);
	settle(10);
	close(kernel_end);
}

static void who_holds_it_is_not_known(void **state)
{
	struct reply r = request("GET", "/v1/flows/abc");

	(void)state;
	assert_int_equal(r.status, 200);
	assert_null(strstr(r.body, "holders"));
	reply_release(&r);
}

static void both_ends_name_each_other(void **state)
{
	(void)state;
	fake_add(make_flow(0x51, 0, "127.0.0.1", 5000, "127.0.0.2", 6000));
	fake_add(make_flow(0x52, 0, "127.0.0.2", 6000, "127.0.0.1", 5000));
	expect("GET", "/v1/flows/51", 200, "\"peer_flow_id\":\"0000000000000052\"");
	expect("GET", "/v1/flows/52", 200, "\"peer_flow_id\":\"0000000000000051\"");
}

/* Between the answer's look at the ring and its look at the maps the other end has gone. */
static void other_end_that_is_just_ending(void **state)
{
	struct fl_flow peer = make_flow(0x52, 0, "127.0.0.2", 6000, "127.0.0.1", 5000);

	(void)state;
	fake_add(make_flow(0x51, 0, "127.0.0.1", 5000, "127.0.0.2", 6000));
	fake_end_at_drain(peer, 2);
	expect("GET", "/v1/flows/51", 200, "\"peer_flow_id\":\"0000000000000052\"");
	fake_end_at_drain(make_flow(0x53, 0, "10.0.0.9", 443, "10.0.0.2", 40000), 2);
	expect("GET", "/v1/flows?local=10.0.0.2:40000", 200,
	       "\"peer_flow_id\":\"0000000000000053\"");
}

static void cut_a_flow(void **state)
{
	struct reply r = request("DELETE", "/v1/flows/abc");

	(void)state;
	assert_int_equal(r.status, 204);
	assert_string_equal(r.body, "");
	assert_int_equal(fake.aborted, CUTTABLE);
	reply_release(&r);
	expect("DELETE", "/v1/flows/def", 409, "shares its UDP socket");
	fake_add(make_flow(NOTABLE, 0, "10.0.0.2", 53, NULL, 0));
	expect("DELETE", "/v1/flows/abd", 200, "\"note\":\"its socket stays bound\"");
	expect("DELETE", "/v1/flows/999", 404, NULL);
	expect("DELETE", "/v1/flows/222", 404, "ended");
	expect("DELETE", "/v1/flows/xyz", 400, NULL);
}

static void expect_not(const char *target, const char *text)
{
	struct reply r = request("GET", target);

	assert_int_equal(r.status, 200);
	assert_null(strstr(r.body, text));
	reply_release(&r);
}

/* Of live sessions, and only when asked for. */
static void list_with_counts(void **state)
{
	(void)state;
	expect("GET", "/v1/flows?lport=40000&counts=1", 200, "\"bytes\":3000");
	expect_not("/v1/flows?lport=40000", "\"bytes\"");
	expect_not("/v1/flows?listening&counts=1", "\"bytes\"");
}

static void large_list_is_whole(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 5000; i++)
		fake_add(make_flow(0x10000 + i, 0, "10.0.0.2", (__u16)(1 + i), "10.0.0.9", 443));
	assert_int_equal(count_lines("/v1/flows?rport=443"), 5001);
}

/* --- who --- */

static void who_exactly(void **state)
{
	(void)state;
	expect("GET", "/v1/who?proto=tcp&local=10.0.0.2:40000&remote=10.0.0.9:443", 200,
	       "0000000000000abc");
	expect("GET", "/v1/who?local=10.0.0.2:40000&remote=10.0.0.9:443", 200, "0000000000000abc");
	expect("GET", "/v1/who?proto=udp&local=10.0.0.2:40000&remote=10.0.0.9:443", 404, NULL);
	expect("GET", "/v1/who?local=10.0.0.2:40000&remote=10.0.0.9:444", 404, NULL);
	/* ended: known from the recent index */
	expect("GET", "/v1/who?local=10.0.0.2:40002&remote=10.0.0.9:443", 200, "0000000000000222");
}

static void who_by_local_end(void **state)
{
	(void)state;
	assert_int_equal(count_lines("/v1/who?local=10.0.0.2:40000"), 1);
	/* the listener is bound to 0.0.0.0 */
	assert_int_equal(count_lines("/v1/who?local=10.0.0.2:80"), 1);
	assert_int_equal(count_lines("/v1/who?local=0.0.0.0:80"), 1);
	expect("GET", "/v1/who?local=[2001:db8::1]:80", 404, NULL);
	fake_add(make_flow(0x333, 0, "::", 8080, NULL, 0));
	assert_int_equal(count_lines("/v1/who?local=[2001:db8::1]:8080"), 1);
	/* any-IPv6 takes IPv4 too */
	assert_int_equal(count_lines("/v1/who?local=10.0.0.2:8080"), 1);
	/* without a remote end, what has ended is no answer */
	expect("GET", "/v1/who?local=10.0.0.2:40002", 404, NULL);
}

static void who_behind_nat(void **state)
{
	struct fl_flow flow = make_flow(0x666, 0, BEHIND_NAT, 40000, "10.0.0.9", 443);

	(void)state;
	expect("GET", "/v1/who?local=192.0.2.1:50123&remote=10.0.0.9:443", 404, NULL);
	flow.key.netns_cookie = OTHER_COOKIE;
	flow.netns_inum = OTHER_INUM;
	fake_add(flow);
	expect("GET", "/v1/who?local=192.0.2.1:50123&remote=10.0.0.9:443", 200, "\"nat\":true");
	assert_int_equal(fake.conntrack_inum, 0);
	expect("GET", "/v1/who?local=192.0.2.1:50123&remote=10.0.0.9:443&netns=4026531840", 200,
	       "0000000000000666");
	assert_int_equal(fake.conntrack_inum, OWN_INUM);
	expect("GET", "/v1/who?proto=udp&local=192.0.2.1:50123&remote=10.0.0.9:443", 404, NULL);
	/* only on a miss, for sessions, and for now */
	fake.conntrack_asked = 0;
	expect("GET", "/v1/who?local=10.0.0.2:40000&remote=10.0.0.9:443", 200, "0000000000000abc");
	expect("GET", "/v1/who?local=192.0.2.1:50123", 404, NULL);
	expect("GET", "/v1/who?local=192.0.2.1:50123&remote=10.0.0.9:443&at=@1767323060", 404,
	       NULL);
	assert_int_equal(fake.conntrack_asked, 0);
}

/* The host had these ends itself a while ago; now they are what a container's look like outside. */
static void who_behind_nat_before_who_ended(void **state)
{
	struct fl_flow flow = make_flow(0x666, 0, BEHIND_NAT, 40000, "10.0.0.9", 443);

	(void)state;
	fake_end(make_flow(0x667, 0, "192.0.2.1", NAT_PORT, "10.0.0.9", 443), 20 * S);
	expect("GET", "/v1/who?local=192.0.2.1:50123&remote=10.0.0.9:443", 200, "0000000000000667");
	fake_end(flow, 20 * S); /* of two that ended it is the one with these ends */
	expect("GET", "/v1/who?local=192.0.2.1:50123&remote=10.0.0.9:443", 200, "0000000000000667");
	fake_add(flow);
	expect("GET", "/v1/who?local=192.0.2.1:50123&remote=10.0.0.9:443", 200, "0000000000000666");
	assert_int_equal(count_lines("/v1/who?local=192.0.2.1:50123&remote=10.0.0.9:443"), 1);
}

static void who_at(void **state)
{
	(void)state;
	/* it lived from 10 s to 20 s after boot, which was at 03:04:05 */
	expect("GET", "/v1/who?local=10.0.0.2:40002&remote=10.0.0.9:443&at=2026-01-02T03:04:20Z",
	       200, "0000000000000222");
	expect("GET", "/v1/who?local=10.0.0.2:40002&at=2026-01-02T03:04:20Z", 200,
	       "0000000000000222");
	expect("GET", "/v1/who?local=10.0.0.2:40002&remote=10.0.0.9:443&at=2026-01-02T03:04:26Z",
	       404, NULL);
	expect("GET", "/v1/who?local=10.0.0.2:40000&remote=10.0.0.9:443&at=2026-01-02T03:04:14Z",
	       404, NULL);
	expect("GET", "/v1/who?local=10.0.0.2:40000&remote=10.0.0.9:443&at=@1767323060", 200,
	       "0000000000000abc");
	expect("GET", "/v1/who?local=10.0.0.2:1&at=yesterday", 400, "yesterday");
}

static void who_in_which_namespace(void **state)
{
	struct fl_flow same = make_flow(0x444, 0, "10.0.0.2", 40000, "10.0.0.9", 443);
	struct fl_flow only = make_flow(0x555, 0, "10.0.0.3", 1234, "10.0.0.9", 443);

	(void)state;
	same.key.netns_cookie = only.key.netns_cookie = OTHER_COOKIE;
	same.netns_inum = only.netns_inum = OTHER_INUM;
	fake_add(same);
	fake_add(only);
	expect("GET", "/v1/who?local=10.0.0.2:40000&remote=10.0.0.9:443", 200, "0000000000000abc");
	assert_int_equal(count_lines("/v1/who?local=10.0.0.2:40000"), 1);
	expect("GET", "/v1/who?local=10.0.0.2:40000&remote=10.0.0.9:443&netns=blue", 200,
	       "0000000000000444");
	expect("GET", "/v1/who?local=10.0.0.3:1234&remote=10.0.0.9:443", 200, "0000000000000555");
	expect("GET", "/v1/who?local=10.0.0.3:1234&netns=4026531840", 404, NULL);
	expect("GET", "/v1/who?local=10.0.0.3:1234&netns=green", 400, "green");
	expect("GET", "/v1/who?local=10.0.0.3:1234&netns=../../etc", 400, NULL);
}

static void who_malformed(void **state)
{
	(void)state;
	expect("GET", "/v1/who", 400, "local");
	expect("GET", "/v1/who?local=10.0.0.2", 400, "local");
	expect("GET", "/v1/who?local=10.0.0.0/8:80", 400, "local");
	expect("GET", "/v1/who?local=:80", 400, "local");
	expect("GET", "/v1/who?local=10.0.0.2:80&remote=x", 400, "remote");
	expect("GET", "/v1/who?local=10.0.0.2:80&proto=icmp", 400, "icmp");
	expect("GET", "/v1/who?local=10.0.0.2:80&local=10.0.0.2:81", 400, "twice");
	expect("GET", "/v1/who?local=10.0.0.2:80&lport=80", 400, "lport");
}

/* A socket bound to an interface has a key nobody can spell: it is found all the same. */
static void who_bound_to_interface(void **state)
{
	struct fl_flow bound = make_flow(0x666, 0, "10.0.0.5", 700, "10.0.0.9", 443);

	(void)state;
	bound.key.ifindex = 3;
	fake_add(bound);
	expect("GET", "/v1/who?local=10.0.0.5:700&remote=10.0.0.9:443", 200, "0000000000000666");
}

/* --- one session, for programs --- */

#define SESSION "/v1/session?proto=tcp&local=10.0.0.2:40002&remote=10.0.0.9:443"

/* 0x222 lived from 10 s to 20 s, 0x333 has had its tuple since 30 s. */
static void add_second_life(void)
{
	struct fl_flow second = make_flow(0x333, 1000, "10.0.0.2", 40002, "10.0.0.9", 443);

	second.opened_ns = second.seen_ns = 30 * S;
	fake_add(second);
}

static void expect_ids(const char *target, const char *first, const char *second)
{
	struct reply r = request("GET", target);
	const char *a = strstr(r.body, first), *b = second ? strstr(r.body, second) : NULL;

	if (r.status != 200 || !a || (second && (!b || b < a)) ||
	    occurrences(r.body, "\n") != (second ? 2 : 1))
		fail_msg("%s: %d %s", target, r.status, r.body);
	reply_release(&r);
}

static void session_around(void **state)
{
	(void)state;
	expect_ids(SESSION, "\"0000000000000222\"", NULL);
	add_second_life();
	expect_ids(SESSION "&around=5000000000", "\"0000000000000222\"", NULL);
	expect_ids(SESSION "&around=15000000000", "\"0000000000000222\"", "\"0000000000000333\"");
	expect_ids(SESSION "&around=29000000000", "\"0000000000000222\"", "\"0000000000000333\"");
	expect_ids(SESSION "&around=30000000000", "\"0000000000000333\"", NULL);
	expect_ids(SESSION, "\"0000000000000333\"", NULL);
	expect_ids(SESSION "&netns_cookie=7", "\"0000000000000333\"", NULL);
	expect_ids(SESSION "&netns=4026531840", "\"0000000000000333\"", NULL);
	expect("GET", SESSION "&netns_cookie=8", 404, NULL);
	expect("GET", SESSION "&netns=blue", 404, NULL);
	expect("GET", SESSION "&ifindex=3", 404, NULL);
}

/* It is in the ring by the time it is no more in the maps, which takes one look at each. */
static void session_that_is_just_ending(void **state)
{
	struct fl_flow second = make_flow(0x333, 1000, "10.0.0.2", 40002, "10.0.0.9", 443);

	(void)state;
	second.opened_ns = second.seen_ns = 15 * S;
	fake_end_at_look(second);
	expect_ids(SESSION "&around=15000000000", "\"0000000000000333\"", NULL);
}

static void session_malformed(void **state)
{
	(void)state;
	expect("GET", "/v1/session?local=10.0.0.2:40002", 400, "proto");
	expect("GET", "/v1/session?proto=tcp", 400, "local");
	expect("GET", SESSION "&around=soon", 400, "soon");
	expect("GET", SESSION "&around=18446744073709551616", 400, "around");
	expect("GET", SESSION "&netns_cookie=-1", 400, "netns_cookie");
	expect("GET", SESSION "&ifindex=4294967296", 400, "ifindex");
	expect("GET", SESSION "&at=10m", 400, "at");
	expect("GET", SESSION "&proto=tcp", 400, "twice");
	expect("GET", SESSION "&netns=green", 400, "green");
}

static void session_of_another_user(void **state)
{
	(void)state;
	fake.peer = (struct peer){ .uid = 1001 };
	expect("GET", SESSION, 404, NULL);
	fake.peer.uid = 1000;
	expect("GET", SESSION, 200, "0000000000000222");
}

#define TRANSLATED "/v1/session?proto=tcp&local=192.0.2.1:50123&remote=10.0.0.9:443"

static void session_behind_nat(void **state)
{
	struct fl_flow flow = make_flow(0x666, 1000, BEHIND_NAT, 40000, "10.0.0.9", 443);

	(void)state;
	expect("GET", TRANSLATED, 404, NULL);
	flow.key.netns_cookie = OTHER_COOKIE;
	fake_add(flow);
	expect("GET", TRANSLATED, 200, "\"nat\":true");
	expect("GET", TRANSLATED, 200, "\"nat_local\":{\"ip\":\"192.0.2.1\",\"port\":50123}");
	expect_ids(TRANSLATED "&netns_cookie=7", "\"0000000000000666\"", NULL);
	assert_int_equal(fake.conntrack_inum, 0);
	expect_ids(TRANSLATED "&netns_cookie=8", "\"0000000000000666\"", NULL);
	assert_int_equal(fake.conntrack_inum, OTHER_INUM);
	fake.peer = (struct peer){ .uid = 1001 };
	expect("GET", TRANSLATED, 404, NULL);
	fake.peer.uid = 1000;
	expect("GET", TRANSLATED, 200, "0000000000000666");
	/* not of a moment, not of what somebody has, not of half a session */
	fake.conntrack_asked = 0;
	expect("GET", TRANSLATED "&around=15000000000", 404, NULL);
	expect("GET", TRANSLATED "&around=18446744073709551615", 404, NULL);
	expect("GET", "/v1/session?proto=tcp&local=192.0.2.1:50123", 404, NULL);
	fake_add(make_flow(0x668, 1000, "192.0.2.1", NAT_PORT, "10.0.0.9", 443));
	expect_ids(TRANSLATED, "\"0000000000000668\"", NULL);
	assert_int_equal(fake.conntrack_asked, 0);
}

/* --- records instead of JSON --- */

/* The records of the answer, one after the other, in a malloc'ed block. */
static char *request_records(const char *target, size_t *ret_size)
{
	struct client c = dial();
	char text[1024], *body;

	snprintf(text, sizeof(text),
		 "GET %s HTTP/1.1\r\nHost: x\r\nAccept: %s\r\nConnection: close\r\n\r\n", target,
		 WIRE_TYPE);
	say(&c, text);
	assert_true(hear_end(&c));
	body = strstr(c.text, "\r\n\r\n");
	assert_non_null(body);
	*body = '\0';
	body += 4;
	assert_int_equal(strncmp(c.text, "HTTP/1.1 200 ", 13), 0);
	assert_non_null(strstr(c.text, "Content-Type: " WIRE_TYPE));
	if (strstr(c.text, "chunked")) { /* small answers are one chunk */
		*ret_size = strtoul(body, &body, 16);
		body += 2;
	} else {
		*ret_size = c.size - (size_t)(body - c.text);
	}
	body = memcpy(malloc(*ret_size), body, *ret_size);
	hang_up(&c);
	return body;
}

static void records_of_a_session(void **state)
{
	struct wire_flow w;
	size_t size;
	char *body;

	(void)state;
	add_second_life();
	body = request_records(SESSION "&around=15000000000", &size);
	assert_int_equal(size, 2 * sizeof(w));
	memcpy(&w, body, sizeof(w));
	assert_int_equal(w.head.type, WIRE_FLOW);
	assert_int_equal(w.head.size, sizeof(w));
	assert_int_equal(w.flow.id, 0x222);
	assert_int_equal(w.flow.ended_ns, 20 * S);
	assert_int_equal(w.flow.owner.proc.start_ns, 5 * S);
	memcpy(&w, body + sizeof(w), sizeof(w));
	assert_int_equal(w.flow.id, 0x333);
	free(body);
	body = request_records("/v1/flows", &size);
	assert_int_equal(size, 4 * sizeof(w));
	free(body);
}

static void records_of_an_image(void **state)
{
	struct wire_flow w;
	struct fl_process p;
	struct fl_text t;
	size_t size;
	char *body;

	(void)state;
	body = request_records("/v1/flows/222", &size);
	assert_int_equal(size, sizeof(w) + sizeof(p) + offsetof(struct fl_text, text) + 14 + 8);
	memcpy(&w, body, sizeof(w));
	assert_int_equal(w.flow.id, 0x222);
	memcpy(&p, body + sizeof(w), sizeof(p));
	assert_int_equal(p.head.type, FL_RECORD_PROCESS);
	assert_int_equal(p.head.size, sizeof(p));
	assert_int_equal(p.key.start_ns, 5 * S);
	memcpy(&t, body + sizeof(w) + sizeof(p), size - sizeof(w) - sizeof(p));
	assert_int_equal(t.head.type, FL_RECORD_TEXT);
	assert_int_equal(t.head.size, size - sizeof(w) - sizeof(p));
	assert_int_equal(t.exe_len, 13);
	assert_string_equal(t.text, "/usr/bin/curl");
	assert_int_equal(t.args_len, 8);
	assert_memory_equal(t.text + 14, "curl\0-s\0", 8);
	free(body);
}

static void records_of_another_layout(void **state)
{
	struct client c = dial();
	struct reply r;

	(void)state;
	say(&c, "GET /v1/flows HTTP/1.1\r\nHost: x\r\nAccept: " WIRE_KIND
		"; layout=0\r\nConnection: close\r\n\r\n");
	assert_true(hear_end(&c));
	r = parse_reply(&c);
	assert_int_equal(r.status, 406);
	assert_non_null(strstr(r.body, "another layout"));
	reply_release(&r);
	hang_up(&c);
}

/* --- access --- */

static void others_see_their_own(void **state)
{
	(void)state;
	fake.peer = (struct peer){ .uid = 1000, .sees_all = false };
	assert_int_equal(count_lines("/v1/flows"), 1);
	assert_int_equal(count_lines("/v1/flows?all"), 2);
	expect("GET", "/v1/flows/abc", 200, NULL);
	expect("GET", "/v1/flows/def", 404, NULL);
	expect("GET", "/v1/who?local=10.0.0.2:80", 404, NULL);
	expect("GET", "/v1/who?local=10.0.0.2:40001&remote=10.0.0.9:53", 404, NULL);
	expect("DELETE", "/v1/flows/abc", 403, "root");
	expect("DELETE", "/v1/flows/def", 403, "root");
	assert_int_equal(fake.aborted, 0);
	expect("GET", "/v1/doctor", 200, NULL);
	expect("GET", "/v1/stats", 200, NULL);
	expect("GET", "/metrics", 200, "# EOF");
	fake.peer = (struct peer){ .uid = 1001, .sees_all = false };
	assert_int_equal(count_lines("/v1/flows?all"), 0);
	fake.peer = (struct peer){ .uid = 1001, .sees_all = true };
	assert_int_equal(count_lines("/v1/flows"), 3);
	expect("DELETE", "/v1/flows/abc", 403, "root");
}

/* uid 0 in the record of a flow whose owner is not known must not make it root's or anybody's. */
static void unknown_owner_is_nobody(void **state)
{
	struct fl_flow f = make_flow(0x777, 0, "10.0.0.2", 9, "10.0.0.9", 9);

	(void)state;
	memset(&f.owner, 0, sizeof(f.owner));
	fake_add(f);
	fake.peer = (struct peer){ .uid = 0, .sees_all = true };
	expect("GET", "/v1/flows/777", 200, NULL);
	fake.peer = (struct peer){ .uid = 0, .sees_all = false };
	expect("GET", "/v1/flows/777", 404, NULL);
}

/* Not even those who see all keep root from asking what they do. */
static void root_has_a_connection_left(void **state)
{
	struct client c[64];

	(void)state;
	fake.peer = (struct peer){ .uid = 1000, .sees_all = true };
	for (size_t i = 0; i < 64; i++) {
		c[i] = dial();
		settle(2);
	}
	assert_int_equal(api_counts(fake.agent.api).connections, 56);
	fake.peer = (struct peer){ .uid = 0, .sees_all = true };
	expect("GET", "/v1/stats", 200, NULL);
	for (size_t i = 0; i < 64; i++)
		hang_up(&c[i]);
	settle(10);
	assert_int_equal(api_counts(fake.agent.api).connections, 0);
}

static void one_user_does_not_take_all_connections(void **state)
{
	struct client c[20];
	struct reply r;

	(void)state;
	fake.peer = (struct peer){ .uid = 1000, .sees_all = false };
	for (size_t i = 0; i < 20; i++) {
		c[i] = dial();
		settle(2);
	}
	assert_int_equal(api_counts(fake.agent.api).connections, 16);
	assert_true(hear_end(&c[19]));
	r = parse_reply(&c[19]);
	assert_int_equal(r.status, 503);
	assert_string_equal(r.body, "{\"error\":\"too many connections of your user\"}\n");
	reply_release(&r);
	fake.peer = (struct peer){ .uid = 1001, .sees_all = false };
	expect("GET", "/v1/stats", 200, NULL);
	for (size_t i = 0; i < 20; i++)
		hang_up(&c[i]);
	settle(10);
	assert_int_equal(api_counts(fake.agent.api).connections, 0);
}

/* --- events --- */

static void publish(enum fl_record_type type, struct fl_flow flow)
{
	struct fl_event event = {
		.head = { .type = type, .size = sizeof(event) },
		.time_ns = 30 * S,
		.flow = flow,
	};

	api_publish(fake.agent.api, &event);
}

static void publish_many(unsigned int count, __u16 lport)
{
	struct fl_flow flow = make_flow(0x1000, 0, "10.0.0.2", lport, "10.0.0.9", 443);

	for (unsigned int i = 0; i < count; i++)
		publish(FL_EVENT_OPEN, flow);
}

static struct client watch(const char *target)
{
	struct client c = dial();

	ask(&c, "GET", target);
	assert_true(hear_until(&c, "\r\n\r\n"));
	settle(5);
	return c;
}

static void two_watchers_get_everything(void **state)
{
	struct client a, b;

	(void)state;
	assert_int_equal(fake.watched, 0);
	a = watch("/v1/events");
	b = watch("/v1/events");
	assert_int_equal(fake.watched, 1);
	assert_int_equal(api_counts(fake.agent.api).streams, 2);
	for (unsigned int i = 1; i <= 100; i++) {
		publish(FL_EVENT_OPEN, make_flow(i, 0, "10.0.0.2", 1, "10.0.0.9", 443));
		if (i % 7 == 0)
			settle(3);
	}
	assert_int_equal(fake.agent.sequence, 100);
	assert_true(hear_until(&a, "\"sequence\":100,"));
	assert_true(hear_until(&b, "\"sequence\":100,"));
	assert_int_equal(occurrences(a.text, "\"action\":\"open\""), 100);
	assert_int_equal(occurrences(b.text, "\"action\":\"open\""), 100);
	assert_int_equal(occurrences(a.text, "\"lost\""), 0);
	hang_up(&a);
	settle(5);
	assert_int_equal(fake.watched, 1);
	hang_up(&b);
	settle(5);
	assert_int_equal(fake.watched, 0);
	assert_int_equal(api_counts(fake.agent.api).streams, 0);
	assert_int_equal(api_counts(fake.agent.api).connections, 0);
}

/* 0x51 and 0x52 are the ends of a session, 0x53 and 0x54 those of the next one at its place. */
static void streams_name_the_other_end(void **state)
{
	struct fl_flow one = make_flow(0x51, 0, "127.0.0.1", 5000, "127.0.0.2", 6000);
	struct fl_flow other = make_flow(0x52, 0, "127.0.0.2", 6000, "127.0.0.1", 5000);
	struct client c = watch("/v1/events");
	size_t live = fake.live_count;

	(void)state;
	fake_add(other);
	publish(FL_EVENT_OPEN, one);
	one.ended_ns = 20 * S;
	publish(FL_EVENT_CLOSE, one);
	/* before anybody reads: the end of the other one is not in the index yet */
	fake.live_count = live;
	other.id = 0x54;
	other.opened_ns = other.seen_ns = 30 * S;
	fake_add(other);
	assert_true(hear_until(&c, "\"action\":\"close\""));
	assert_int_equal(occurrences(c.text, "\"peer_flow_id\":\"0000000000000052\""), 1);
	assert_int_equal(occurrences(c.text, "\"peer_flow_id\""), 1); /* rather none than 0x54 */
	hang_up(&c);
	/* the event of its opening, told again when both have long ended */
	fake_end(one, 20 * S);
	other.id = 0x52;
	other.opened_ns = other.seen_ns = 10 * S;
	fake_end(other, 20 * S);
	c = watch("/v1/events?since=0");
	assert_true(hear_until(&c, "\"action\":\"close\""));
	assert_int_equal(occurrences(c.text, "\"peer_flow_id\":\"0000000000000052\""), 2);
	hang_up(&c);
}

static void streams_filter(void **state)
{
	struct client c = watch("/v1/events?rport=53");
	struct fl_flow ended = make_flow(3, 0, "10.0.0.2", 1, "10.0.0.9", 53);

	(void)state;
	ended.ended_ns = 40 * S;
	publish(FL_EVENT_OPEN, make_flow(1, 0, "10.0.0.2", 1, "10.0.0.9", 443));
	publish(FL_EVENT_OPEN, make_flow(2, 0, "10.0.0.2", 1, "10.0.0.9", 53));
	publish(FL_EVENT_CLOSE, ended);
	assert_true(hear_until(&c, "\"action\":\"close\""));
	assert_int_equal(occurrences(c.text, "\"flow_id\""), 2);
	assert_int_equal(occurrences(c.text, "\"sequence\":1,"), 0);
	hang_up(&c);
}

static void streams_obey_rights(void **state)
{
	struct client c;

	(void)state;
	fake.peer = (struct peer){ .uid = 1000, .sees_all = false };
	c = watch("/v1/events");
	publish(FL_EVENT_OPEN, make_flow(1, 0, "10.0.0.2", 1, "10.0.0.9", 443));
	publish(FL_EVENT_OPEN, make_flow(2, 1001, "10.0.0.2", 1, "10.0.0.9", 443));
	publish(FL_EVENT_OPEN, make_flow(3, 1000, "10.0.0.2", 1, "10.0.0.9", 443));
	assert_true(hear_until(&c, "\"sequence\":3,"));
	assert_int_equal(occurrences(c.text, "\"flow_id\""), 1);
	hang_up(&c);
}

static void replay(void **state)
{
	struct client c;

	(void)state;
	publish_many(10, 1);
	c = watch("/v1/events?since=7");
	assert_true(hear_until(&c, "\"sequence\":10,"));
	assert_int_equal(occurrences(c.text, "\"flow_id\""), 3);
	assert_int_equal(occurrences(c.text, "\"sequence\":7,"), 0);
	publish_many(1, 1);
	assert_true(hear_until(&c, "\"sequence\":11,"));
	hang_up(&c);
	c = watch("/v1/events?since=0");
	assert_true(hear_until(&c, "\"sequence\":11,"));
	assert_int_equal(occurrences(c.text, "\"flow_id\""), 11);
	assert_int_equal(occurrences(c.text, "lost"), 0);
	hang_up(&c);
	/* without since nothing is replayed */
	c = watch("/v1/events");
	publish_many(1, 1);
	assert_true(hear_until(&c, "\"sequence\":12,"));
	assert_int_equal(occurrences(c.text, "\"flow_id\""), 1);
	hang_up(&c);
}

static void replay_over_a_restart(void **state)
{
	static const char *const questions[] = {
		"/v1/events?since=7&lport=1",	 /* we have published more than that, too */
		"/v1/events?since=1000&lport=1", /* the last there was */
		"/v1/events?since=5000&lport=1", /* its clock was ahead of ours */
	};
	struct client c;

	(void)state;
	fake.agent.sequence = fake.agent.sequence_before = 1001;
	publish_many(10, 1);
	for (size_t i = 0; i < 3; i++) {
		c = watch(questions[i]);
		assert_true(hear_until(&c, "\"sequence\":1011,"));
		assert_int_equal(occurrences(c.text, "earlier life"), 1);
		assert_int_equal(occurrences(c.text, "\"flow_id\""), 10);
		assert_non_null(strstr(c.text, "\"count\":0"));
		hang_up(&c);
	}
	c = watch("/v1/events?since=0");
	assert_true(hear_until(&c, "\"sequence\":1011,"));
	assert_int_equal(occurrences(c.text, "\"flow_id\""), 10);
	assert_int_equal(occurrences(c.text, "lost"), 0);
	hang_up(&c);
	publish_many(65536, 1);
	c = watch("/v1/events?since=7&lport=9");
	assert_true(hear_until(&c, "\"count\":10"));
	assert_non_null(strstr(c.text, "earlier life"));
	hang_up(&c);
}

static void replay_of_what_is_gone(void **state)
{
	struct client c;

	(void)state;
	publish_many(65536 + 10, 1);
	c = watch("/v1/events?since=4&lport=9");
	assert_true(hear_until(&c, "\"count\":6"));
	assert_non_null(strstr(c.text, "\"action\":\"lost\",\"sequence\":10"));
	assert_non_null(strstr(c.text, "no longer held"));
	hang_up(&c);
	settle(3);
	c = watch("/v1/events?since=10&lport=9");
	publish(FL_EVENT_OPEN, make_flow(1, 0, "10.0.0.2", 9, "10.0.0.9", 443));
	assert_true(hear_until(&c, "\"flow_id\""));
	assert_int_equal(occurrences(c.text, "\"action\":\"lost\""), 0);
	hang_up(&c);
	settle(3);
	c = watch("/v1/events?since=999999&lport=9");
	assert_true(hear_until(&c, "earlier life"));
	hang_up(&c);
	settle(3);
	/* asked too late is not read too slowly */
	assert_int_equal(api_counts(fake.agent.api).events_lost, 0);
}

static void slow_reader_is_told(void **state)
{
	struct client slow = watch("/v1/events?lport=1,9"), fast = watch("/v1/events?lport=9");
	const char *lost;
	json_t *notice;
	size_t shown;

	(void)state;
	/* more than the socket holds: the slow one is stuck with what it has not read */
	publish_many(2000, 1);
	settle(20);
	for (unsigned int i = 0; i < 7; i++) {
		publish_many(10000, 2);
		settle(10);
	}
	publish_many(1, 9);
	assert_true(hear_until(&fast, "\"sequence\":72001,"));
	assert_int_equal(occurrences(fast.text, "\"lost\""), 0);
	assert_true(hear_until(&slow, "\"sequence\":72001,"));
	lost = strstr(slow.text, "too slow");
	assert_non_null(lost);
	while (*lost != '\n')
		lost--;
	notice = json_loads(lost + 1, JSON_DISABLE_EOF_CHECK, NULL);
	shown = occurrences(slow.text, "\"action\":\"open\"");
	assert_int_equal(occurrences(slow.text, "\"action\":\"lost\""), 1);
	/* the ring begins with 6466; before, it was shown all but the last event */
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(notice, "flowner"), "count")),
		6466 - shown);
	json_decref(notice);
	hang_up(&slow);
	hang_up(&fast);
}

static void notices(void **state)
{
	struct client c;

	(void)state;
	fake.peer = (struct peer){ .uid = 1000, .sees_all = false };
	c = watch("/v1/events?lport=9");
	api_notice(fake.agent.api, "resync", "the daemon started; the maps hold 3 flows", 3);
	api_notice(fake.agent.api, "lost", "the event ring was full", 12);
	assert_true(hear_until(&c, "\"count\":12"));
	assert_non_null(strstr(c.text, "\"action\":\"resync\",\"sequence\":1}"));
	assert_non_null(strstr(c.text, "\"action\":\"lost\",\"sequence\":2}"));
	assert_non_null(strstr(c.text, "\"message\":\"the event ring was full\""));
	hang_up(&c);
}

static void many_streams(void **state)
{
	struct client c[60];

	(void)state;
	for (size_t i = 0; i < 60; i++)
		c[i] = watch("/v1/events");
	assert_int_equal(api_counts(fake.agent.api).streams, 60);
	publish_many(50, 1);
	for (size_t i = 0; i < 60; i++) {
		assert_true(hear_until(&c[i], "\"sequence\":50,"));
		assert_int_equal(occurrences(c[i].text, "\"flow_id\""), 50);
	}
	expect("GET", "/v1/flows/abc", 200, NULL);
	for (size_t i = 0; i < 60; i += 2)
		hang_up(&c[i]);
	settle(20);
	assert_int_equal(api_counts(fake.agent.api).streams, 30);
	publish_many(1, 1);
	for (size_t i = 1; i < 60; i += 2) {
		assert_true(hear_until(&c[i], "\"sequence\":51,"));
		hang_up(&c[i]);
	}
}

/* An idle stream must not keep the loop awake. */
static void waiting_is_quiet(void **state)
{
	struct client c = watch("/v1/events");
	struct pollfd p = { .fd = api_fd(fake.agent.api), .events = POLLIN };

	(void)state;
	settle(10);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(api_timeout_ms(fake.agent.api), -1);
	publish_many(1, 1);
	assert_int_equal(poll(&p, 1, 0), 1);
	hang_up(&c);
}

static void stopping_ends_streams(void **state)
{
	struct client idle = watch("/v1/events"), behind = watch("/v1/events"),
		      gone = watch("/v1/events");

	(void)state;
	close(gone.fd);
	publish_many(3, 1);
	api_free(fake.agent.api);
	fake.agent.api = NULL;
	while (hear(&idle) || hear(&behind))
		;
	assert_true(idle.ended);
	/* the last chunk: the stream is whole, not cut */
	assert_string_equal(idle.text + idle.size - 5, "0\r\n\r\n");
	assert_int_equal(occurrences(behind.text, "\"flow_id\""), 3);
	assert_int_equal(fake.watched, 0);
	hang_up(&idle);
	hang_up(&behind);
	free(gone.text);
}

#define API_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define HOLDERS_TEST(f) cmocka_unit_test_setup_teardown(f, setup_holders, teardown_holders)

int main(void)
{
	const struct CMUnitTest tests[] = {
		API_TEST(socket_file),
		API_TEST(stale_socket_is_replaced),
		API_TEST(other_files_are_left_alone),
		API_TEST(unknown_and_malformed),
		API_TEST(not_http),
		API_TEST(bodies_are_refused),
		API_TEST(a_policy_is_checked),
		API_TEST(an_attempt_is_tried),
		API_TEST(an_attempt_on_the_policy_in_force),
		API_TEST(keep_alive_serves_several),
		API_TEST(large_head_is_refused),
		API_TEST(list_flows),
		API_TEST(show_flow),
		HOLDERS_TEST(who_holds_it),
		HOLDERS_TEST(looked_for_meanwhile),
		API_TEST(who_holds_it_is_not_known),
		API_TEST(both_ends_name_each_other),
		API_TEST(other_end_that_is_just_ending),
		API_TEST(cut_a_flow),
		API_TEST(list_with_counts),
		API_TEST(large_list_is_whole),
		API_TEST(session_around),
		API_TEST(session_that_is_just_ending),
		API_TEST(session_behind_nat),
		API_TEST(session_malformed),
		API_TEST(session_of_another_user),
		API_TEST(records_of_a_session),
		API_TEST(records_of_an_image),
		API_TEST(records_of_another_layout),
		API_TEST(who_exactly),
		API_TEST(who_by_local_end),
		API_TEST(who_behind_nat),
		API_TEST(who_behind_nat_before_who_ended),
		API_TEST(who_at),
		API_TEST(who_in_which_namespace),
		API_TEST(who_malformed),
		API_TEST(who_bound_to_interface),
		API_TEST(others_see_their_own),
		API_TEST(unknown_owner_is_nobody),
		API_TEST(root_has_a_connection_left),
		API_TEST(one_user_does_not_take_all_connections),
		API_TEST(two_watchers_get_everything),
		API_TEST(streams_name_the_other_end),
		API_TEST(streams_filter),
		API_TEST(streams_obey_rights),
		API_TEST(replay),
		API_TEST(replay_over_a_restart),
		API_TEST(replay_of_what_is_gone),
		API_TEST(slow_reader_is_told),
		API_TEST(notices),
		API_TEST(many_streams),
		API_TEST(waiting_is_quiet),
		API_TEST(stopping_ends_streams),
	};
	int failed;

	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/flowner.sock", directory);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
