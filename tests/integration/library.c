/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asks libflowner from a shell: one question an invocation, one line an answer.
 *
 *	library -p PIN_DIR -s SOCKET [-u UID[:GID]] QUESTION...
 *
 *	source                          maps or socket
 *	find PROTO LOCAL [REMOTE]       a flow, or the error
 *	nat PROTO LOCAL REMOTE          the same, or what it is behind NAT
 *	at TIME_NS PROTO LOCAL [REMOTE]
 *	packet FLAGS PROTO SOURCE DESTINATION   S syn, f from host, t for host, n NAT, - none,
 *						and behind them the number of an interface
 *	packet_at TIME_NS FLAGS PROTO SOURCE DESTINATION
 *	id ID                           hexadecimal
 *	self ADDR:PORT                  connects, and asks by the descriptor
 *	image ID                        path and arguments
 *	each                            every flow
 *	watch COUNT [FILTER]            says READY, then so many events
 *	wait QUESTION...                says READY, waits for a line, asks on the same handle
 *	time                            CLOCK_BOOTTIME now
 *
 * -u: takes this identity after the handle was opened, as capture programs do.
 */
#include <errno.h>
#include <flowner/flowner.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <time.h>
#include <unistd.h>

#include "text/address.h"

static struct flowner *handle;

static int usage(void)
{
	fprintf(stderr, "library: see the head of its source\n");
	exit(2);
}

static struct endpoint endpoint(const char *text)
{
	struct endpoint ep;

	if (endpoint_parse(text, &ep) < 0)
		usage();
	return ep;
}

static enum fl_proto proto(const char *text)
{
	return strcmp(text, "tcp") == 0 ? FL_TCP : FL_UDP;
}

static int failed(int r)
{
	printf("error %s: %s\n", strerrorname_np(-r), flowner_strerror(r));
	return r == -ENOENT ? 1 : 3;
}

static void print_flow(const char *what, const struct flowner_flow *f)
{
	static const char *const roles[] = { "unknown",	 "opener", "acceptor",
					     "listener", "user",   "existing" };
	char local[ENDPOINT_TEXT], remote[ENDPOINT_TEXT];

	char seen_local[ENDPOINT_TEXT], seen_remote[ENDPOINT_TEXT];

	printf("%s %016" PRIx64 " pid %u uid %u comm %.16s role %s accepted %u ended %d local %s "
	       "remote %s",
	       what, (uint64_t)f->id, f->owner.proc.pid, f->owner.uid, f->owner.comm,
	       roles[f->role], f->accepted, f->ended_ns != 0,
	       endpoint_format(&f->session.local, f->session.local_port, local),
	       endpoint_format(&f->session.remote, f->session.remote_port, remote));
	if (f->nat)
		printf(" seen %s %s", endpoint_format(&f->nat_local, f->nat_local_port, seen_local),
		       endpoint_format(&f->nat_remote, f->nat_remote_port, seen_remote));
	putchar('\n');
	fflush(stdout);
}

static int answer(int r, const struct flowner_flow *f)
{
	if (r < 0)
		return failed(r);
	print_flow("flow", f);
	return 0;
}

static struct fl_key key_of(char **args)
{
	struct endpoint local = endpoint(args[1]);
	struct fl_key key = { .proto = proto(args[0]), .local = local.addr };

	key.local_port = local.port;
	if (args[2]) {
		struct endpoint remote = endpoint(args[2]);

		key.remote = remote.addr;
		key.remote_port = remote.port;
	}
	return key;
}

static int find(char **args)
{
	struct fl_key key = key_of(args);
	struct flowner_flow f;

	return answer(flowner_find(handle, &key, &f), &f);
}

static int find_nat(char **args)
{
	struct fl_key key = key_of(args);
	struct flowner_flow f;

	return answer(flowner_find_nat(handle, &key, &f), &f);
}

static int at(char **args)
{
	struct fl_key key = key_of(args + 1);
	struct flowner_flow f;

	return answer(flowner_find_at(handle, &key, strtoull(args[0], NULL, 10), &f), &f);
}

static int ask_packet(__u64 time_ns, char **args)
{
	struct endpoint from = endpoint(args[2]), to = endpoint(args[3]);
	struct flowner_packet p = {
		.source = from.addr,
		.destination = to.addr,
		.source_port = from.port,
		.destination_port = to.port,
		.proto = proto(args[1]),
		.time_ns = time_ns,
	};
	struct flowner_flow sender, receiver;
	int r;

	p.flags |= strchr(args[0], 'S') ? FLOWNER_PACKET_SYN : 0;
	p.flags |= strchr(args[0], 'f') ? FLOWNER_PACKET_FROM_HOST : 0;
	p.flags |= strchr(args[0], 't') ? FLOWNER_PACKET_FOR_HOST : 0;
	p.flags |= strchr(args[0], 'n') ? FLOWNER_PACKET_NAT : 0;
	p.ifindex = (__u32)strtoul(args[0] + strcspn(args[0], "0123456789"), NULL, 10);
	r = flowner_find_packet(handle, &p, &sender, &receiver);
	if (r < 0)
		return failed(r);
	if (r & FLOWNER_SENDER)
		print_flow("sender", &sender);
	if (r & FLOWNER_RECEIVER)
		print_flow("receiver", &receiver);
	return r ? 0 : 1;
}

static int packet(char **args)
{
	return ask_packet(0, args);
}

static int packet_at(char **args)
{
	return ask_packet(strtoull(args[0], NULL, 10), args + 1);
}

static int by_id(char **args)
{
	struct flowner_flow f;

	return answer(flowner_find_id(handle, strtoull(args[0], NULL, 16), &f), &f);
}

static int self(char **args)
{
	struct endpoint to = endpoint(args[0]);
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = htons(to.port) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	struct flowner_flow f;

	memcpy(&sa.sin6_addr, &to.addr, sizeof(sa.sin6_addr));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		perror("connect");
		return 2;
	}
	if (flowner_find_fd(handle, -1, &f) != -EBADF || flowner_find_fd(handle, 0, &f) >= 0)
		return 2;
	return answer(flowner_find_fd(handle, fd, &f), &f);
}

static int image(char **args)
{
	struct flowner_image i;
	struct flowner_flow f;
	int r = flowner_find_id(handle, strtoull(args[0], NULL, 16), &f);

	if (r == 0)
		r = flowner_find_image(handle, &f, &i);
	if (r < 0)
		return failed(r);
	printf("exe %.*s args", (int)i.exe_len, i.exe);
	for (__u32 n = 0; n < i.args_len; n += (__u32)strnlen(i.args + n, i.args_len - n) + 1)
		printf(" %.*s", (int)(i.args_len - n), i.args + n);
	printf(" parent %u\n", i.ancestors[0].pid);
	return 0;
}

static int print_one(const struct flowner_flow *f, void *arg)
{
	struct flowner_flow again;

	++*(int *)arg;
	print_flow("flow", f);
	return flowner_find_id(handle, f->id, &again) == -EPROTO; /* it may ask meanwhile */
}

static int each(char **args)
{
	int count = 0, r = flowner_each(handle, print_one, &count);

	(void)args;
	return r < 0 ? failed(r) : count == 0;
}

static int watch(char **args)
{
	struct flowner_watch *w;
	struct flowner_event e;
	int r = flowner_watch_open(handle, args[1], &w);

	if (r < 0)
		return failed(r);
	printf("READY\n");
	fflush(stdout);
	for (int left = atoi(args[0]); left > 0 && r >= 0; left--) {
		char what[64];

		r = flowner_watch_next(w, &e, 20000);
		if (r == 0)
			r = -ETIMEDOUT;
		if (r < 0)
			break;
		snprintf(what, sizeof(what), "event %u", e.action);
		print_flow(what, &e.flow);
	}
	flowner_watch_close(w);
	return r < 0 ? failed(r) : 0;
}

static int source(char **args)
{
	(void)args;
	puts(flowner_source(handle) == FLOWNER_MAPS ? "maps" : "socket");
	return 0;
}

static int boottime(char **args)
{
	struct timespec ts;

	(void)args;
	clock_gettime(CLOCK_BOOTTIME, &ts);
	printf("%lld\n", ts.tv_sec * 1000000000LL + ts.tv_nsec);
	return 0;
}

static int ask(char **args);

static int wait_and_ask(char **args)
{
	puts("READY");
	fflush(stdout);
	while (getchar() != '\n')
		if (feof(stdin))
			return 2;
	return ask(args);
}

static int ask(char **args)
{
	static const struct {
		const char *name;
		int args;
		int (*fn)(char **args);
	} questions[] = {
		{ "source", 0, source }, { "find", 2, find },	  { "nat", 3, find_nat },
		{ "at", 3, at },	 { "packet", 4, packet }, { "packet_at", 5, packet_at },
		{ "id", 1, by_id },	 { "self", 1, self },	  { "image", 1, image },
		{ "each", 0, each },	 { "watch", 1, watch },	  { "wait", 1, wait_and_ask },
		{ "time", 0, boottime },
	};
	int count = -1;

	while (args[count + 1])
		count++;
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]) && count >= 0; i++)
		if (strcmp(args[0], questions[i].name) == 0 && count >= questions[i].args)
			return questions[i].fn(args + 1);
	return usage();
}

static void become(const char *identity)
{
	char *end;
	uid_t uid = (uid_t)strtoul(identity, &end, 10);
	gid_t gid = *end == ':' ? (gid_t)strtoul(end + 1, NULL, 10) : uid;

	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0) {
		perror("library: cannot change identity");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct flowner_options o = { .size = sizeof(o) };
	const char *identity = NULL;
	int c, r;

	while ((c = getopt(argc, argv, "+p:s:u:")) != -1) {
		if (c == 'p')
			o.pin_dir = optarg;
		else if (c == 's')
			o.socket = optarg;
		else if (c == 'u')
			identity = optarg;
		else
			usage();
	}
	r = flowner_open(&o, &handle);
	if (r < 0) {
		failed(r);
		return 4;
	}
	if (identity)
		become(identity);
	r = ask(argv + optind);
	flowner_close(handle);
	return r;
}
