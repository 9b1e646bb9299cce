/* SPDX-License-Identifier: BSD-2-Clause */
/* The ledger: claiming and stamping slots, the identity of the caller, slots to JSON lines. */
#include "report.h"

#include <arpa/inet.h>
#include "text/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>

#include "actor.h"
#include "net.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif
#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62 /* Linux 5.0 */
#endif

struct ledger *ledger;
struct stage stage;
int ledger_fd = -1;

static struct image *images;
static struct session *sessions;
static struct session scratch;

/* What was read about this process; valid until self_changed(). */
static struct {
	bool valid;
	uint32_t image;
	uint32_t uid, gid;
	char comm[COMM_BYTES];
} self;
static const char *exe_override;

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint32_t images_for(uint32_t max_sessions)
{
	return max_sessions / 2 + 4096;
}

static size_t ledger_bytes(uint32_t max_sessions)
{
	return 4096 + (size_t)images_for(max_sessions) * sizeof(struct image) +
	       (size_t)max_sessions * sizeof(struct session);
}

static int ledger_map(uint32_t max_sessions)
{
	void *p = mmap(NULL, ledger_bytes(max_sessions), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_NORESERVE, ledger_fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	_Static_assert(sizeof(struct ledger) <= 4096, "header page");
	ledger = p;
	images = (struct image *)((char *)p + 4096);
	sessions = (struct session *)(images + images_for(max_sessions));
	return 0;
}

int ledger_create(uint32_t max_sessions)
{
	_close_ int fd = memfd_create("ledger", 0);
	int r;

	if (fd < 0)
		return -errno;
	/* Out of the way of the small numbers that scenarios hand around. */
	ledger_fd = fcntl(fd, F_DUPFD, 200);
	if (ledger_fd < 0)
		return -errno;
	if (ftruncate(ledger_fd, (off_t)ledger_bytes(max_sessions)) < 0)
		return -errno;
	r = ledger_map(max_sessions);
	if (r < 0)
		return r;
	ledger->max_sessions = max_sessions;
	ledger->max_images = images_for(max_sessions);
	return 0;
}

int ledger_attach(int fd)
{
	uint32_t max;
	struct ledger head;

	if (pread(fd, &head, sizeof(head), 0) != sizeof(head))
		return -EINVAL;
	max = head.max_sessions;
	ledger_fd = fd;
	return ledger_map(max);
}

void self_changed(void)
{
	self.valid = false;
}

void self_exe_is(const char *exe)
{
	exe_override = exe;
	self.valid = false;
}

static ssize_t read_proc(const char *name, char *buf, size_t size)
{
	_close_ int fd = openat(proc_dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read(fd, buf, size - 1);
	if (got < 0)
		return -errno;
	buf[got] = '\0';
	return got;
}

/*
 * /proc as mounted by the initial pid namespace resolves "thread-self" to the caller's tgid there,
 * also from inside another pid namespace, and also when the group leader has exited.
 */
int self_pid(void)
{
	char link[64];
	ssize_t len = readlinkat(proc_dir, "thread-self", link, sizeof(link) - 1);

	if (len < 0)
		return -errno;
	link[len] = '\0';
	return atoi(link);
}

static uint64_t start_ticks_of(int pid)
{
	char name[32], buf[1024];
	char *p;

	snprintf(name, sizeof(name), "%d/stat", pid);
	if (read_proc(name, buf, sizeof(buf)) < 0)
		return 0;
	p = strrchr(buf, ')'); /* the name may hold blanks and brackets */
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p, NULL, 10) : 0;
}

static void image_read(struct image *im)
{
	char name[32];
	ssize_t len;

	im->pid = self_pid();
	im->start_ticks = start_ticks_of(im->pid);
	/* /proc/PID/exe is empty once the leader has exited; the thread's own is not. */
	len = readlinkat(proc_dir, "thread-self/exe", im->exe, sizeof(im->exe) - 1);
	im->exe[len > 0 ? len : 0] = '\0';
	if (exe_override)
		snprintf(im->exe, sizeof(im->exe), "%s", exe_override);
	snprintf(name, sizeof(name), "thread-self/cmdline");
	len = read_proc(name, im->args, sizeof(im->args));
	im->args_len = len > 0 ? (uint32_t)len : 0;
}

static void self_read(void)
{
	char name[32], comm[64];
	ssize_t len;

	if (self.valid)
		return;
	self.image = atomic_fetch_add(&ledger->images, 1);
	if (self.image >= ledger->max_images) {
		atomic_fetch_add(&ledger->full, 1);
		self.image = ledger->max_images - 1;
	}
	image_read(&images[self.image]);
	self.uid = geteuid();
	self.gid = getegid();
	/* The process's name, not the calling thread's. */
	snprintf(name, sizeof(name), "%d/comm", images[self.image].pid);
	len = read_proc(name, comm, sizeof(comm));
	memset(self.comm, 0, sizeof(self.comm));
	if (len > 1)
		memcpy(self.comm, comm, (size_t)len - 1 < 15 ? (size_t)len - 1 : 15);
	self.valid = true;
}

static uint64_t sock_u64(int fd, int option)
{
	uint64_t value = 0;
	socklen_t len = sizeof(value);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0)
		return 0;
	return value;
}

void session_bound(struct session *s, int fd)
{
	int ifindex = 0;
	socklen_t len = sizeof(ifindex);

	if (fd >= 0)
		getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &ifindex, &len);
	/* A link-local address is of one interface, whatever the socket is bound to. */
	s->ifindex = ifindex ? (uint32_t)ifindex : s->remote.scope;
}

static struct session *slot_claim(void)
{
	uint32_t i = atomic_fetch_add(&ledger->sessions, 1);

	if (i < ledger->max_sessions)
		return &sessions[i];
	atomic_fetch_sub(&ledger->sessions, 1);
	atomic_fetch_add(&ledger->full, 1);
	return &scratch;
}

struct session *session_open(const struct opening *o)
{
	uint64_t after = now_ns();
	struct session *s = slot_claim();

	self_read();
	*s = (struct session){
		.image = self.image,
		.scenario = stage.scenario,
		.family = stage.family + (stage.mptcp ? MPTCP_FAMILIES : 0),
		.n = stage.n,
		/* the cookie would be the connection's, and its paths have their own */
		.flags = o->flags | (stage.mptcp ? T_NO_COOKIE : 0),
		.proto = (uint16_t)o->proto,
		.role = (uint16_t)o->role,
		.uid = self.uid,
		.gid = self.gid,
		.has_remote = o->remote,
		.cookie = stage.mptcp ? 0 : sock_u64(o->fd, SO_COOKIE),
		.netns_cookie = sock_u64(o->fd, SO_NETNS_COOKIE),
		.netns = stage.netns,
		.opened = { o->before, after },
	};
	memcpy(s->comm, self.comm, sizeof(s->comm));
	if (o->local)
		s->local = *o->local;
	else if (o->fd >= 0 && !(o->flags & T_ACCEPT_NULL)) /* that one stays untouched */
		ep_of_fd(o->fd, &s->local);
	if (o->remote)
		s->remote = *o->remote;
	session_bound(s, o->fd);
	atomic_store(&s->state, SLOT_OPEN);
	return s;
}

void session_mirror(struct session *s, const struct session *client)
{
	s->local = client->remote;
	s->remote = client->local;
	s->has_remote = true;
}

void session_closed(struct session *s, uint64_t before)
{
	s->closed[0] = before;
	s->closed[1] = now_ns();
	atomic_store(&s->state, SLOT_CLOSED);
}

void session_reason(struct session *s, const char *reason)
{
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
}

void session_holder(struct session *s, int pid)
{
	for (int i = 0; i < HOLDERS; i++) {
		if (s->holders[i])
			continue;
		s->holders[i] = pid;
		return;
	}
}

uint32_t session_index(const struct session *s)
{
	return s == &scratch ? UINT32_MAX : (uint32_t)(s - sessions);
}

struct session *session_at(uint32_t index)
{
	return index < ledger->max_sessions ? &sessions[index] : &scratch;
}

const struct image *image_at(uint32_t index)
{
	return &images[index];
}

const char *ep_text(const struct ep *ep, char buf[INET6_ADDRSTRLEN])
{
	if (IN6_IS_ADDR_V4MAPPED(&ep->ip))
		inet_ntop(AF_INET, &ep->ip.s6_addr[12], buf, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &ep->ip, buf, INET6_ADDRSTRLEN);
	return buf;
}

void report_text(FILE *out, const char *text, size_t len)
{
	fputc('"', out);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void report_ep(FILE *out, const char *name, const struct ep *ep)
{
	char buf[INET6_ADDRSTRLEN];

	fprintf(out, ",\"%s\":{\"ip\":\"%s\",\"port\":%u}", name, ep_text(ep, buf), ep->port);
}

static void report_owner(FILE *out, const struct session *s)
{
	const struct image *im = &images[s->image];
	const char *p = im->args, *end = im->args + im->args_len;

	fprintf(out, ",\"owner\":{\"pid\":%d,\"start_ticks\":%llu,\"comm\":", im->pid,
		(unsigned long long)im->start_ticks);
	report_text(out, s->comm, strlen(s->comm));
	fprintf(out, ",\"uid\":%u,\"gid\":%u,\"exe\":", s->uid, s->gid);
	report_text(out, im->exe, strlen(im->exe));
	/* A line of arguments that was cut proves nothing: leave it out. */
	if (im->args_len && im->args_len < ARGS_BYTES - 1) {
		fprintf(out, ",\"args\":[");
		for (; p < end; p += strlen(p) + 1) {
			if (p != im->args)
				fputc(',', out);
			report_text(out, p, strlen(p));
		}
		fputc(']', out);
	}
	fputc('}', out);
}

static void report_flags(FILE *out, const struct session *s)
{
	static const char *const names[] = {
		"numbered",	"optional",  "pre",	   "accept_null", "handed_over",
		"not_accepted", "no_mirror", "any_holder", "io_uring",	  "no_cookie",
	};
	const char *comma = "";

	fprintf(out, ",\"flags\":[");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!(s->flags & (1u << i)))
			continue;
		fprintf(out, "%s\"%s\"", comma, names[i]);
		comma = ",";
	}
	fputc(']', out);
}

static void report_times(FILE *out, const struct session *s)
{
	fprintf(out, ",\"opened\":[%llu,%llu]", (unsigned long long)s->opened[0],
		(unsigned long long)s->opened[1]);
	if (s->closed[1])
		fprintf(out, ",\"closed\":[%llu,%llu]", (unsigned long long)s->closed[0],
			(unsigned long long)s->closed[1]);
}

void report_session(FILE *out, const struct names *names, const struct session *s)
{
	static const char *const roles[] = { "opener", "acceptor", "listener", "user" };
	const char *comma = "";

	fprintf(out, "{\"scenario\":\"%s\",\"family\":\"%s\",\"n\":%u,\"proto\":\"%s\"",
		names->scenario(s->scenario), names->family(s->family), s->n,
		s->proto == IPPROTO_TCP ? "tcp" : "udp");
	fprintf(out, ",\"netns_cookie\":\"%llu\"", (unsigned long long)s->netns_cookie);
	fprintf(out, ",\"netns\":%u", s->netns);
	if (s->ifindex)
		fprintf(out, ",\"ifindex\":%u", s->ifindex);
	if (!(s->flags & T_NO_COOKIE))
		fprintf(out, ",\"cookie\":\"%016llx\"", (unsigned long long)s->cookie);
	report_ep(out, "local", &s->local);
	if (s->has_remote)
		report_ep(out, "remote", &s->remote);
	fprintf(out, ",\"role\":\"%s\"", roles[s->role]);
	report_owner(out, s);
	fprintf(out, ",\"holders\":[");
	for (int i = 0; i < HOLDERS && s->holders[i]; i++, comma = ",")
		fprintf(out, "%s%d", comma, s->holders[i]);
	fprintf(out, "],\"accept_null_handed_over\":%s",
		s->flags & T_HANDED_OVER ? "true" : "false");
	if (s->reason[0])
		fprintf(out, ",\"reason\":\"%s\"", s->reason);
	report_times(out, s);
	report_flags(out, s);
	fprintf(out, "}\n");
}

void report_sessions(FILE *out, const struct names *names, uint32_t first, uint32_t last)
{
	for (uint32_t i = first; i < last && i < ledger->max_sessions; i++)
		if (atomic_load(&sessions[i].state) != SLOT_CLAIMED)
			report_session(out, names, &sessions[i]);
}

/* Without them namespaces cannot be compared, only told apart by flow id. */
static bool netns_cookies(void)
{
	_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock_u64(fd, SO_NETNS_COOKIE))
		return true;
	fprintf(stderr, "truth: no SO_NETNS_COOKIE before Linux 5.14: netns_cookie is 0\n");
	return false;
}

/* What a reader needs to compare our times with wall times. */
void report_meta(FILE *out)
{
	struct timespec wall;
	struct utsname u;
	uint64_t before = now_ns(), after;
	int64_t offset;

	clock_gettime(CLOCK_REALTIME, &wall);
	after = now_ns();
	offset = (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec -
		 (int64_t)(before + (after - before) / 2);
	uname(&u);
	fprintf(out, "{\"meta\":{\"realtime_offset_ns\":%lld,\"clk_tck\":%ld,\"kernel\":\"%s\"",
		(long long)offset, sysconf(_SC_CLK_TCK), u.release);
	fprintf(out, ",\"machine\":\"%s\",\"netns_cookies\":%s}}\n", u.machine,
		netns_cookies() ? "true" : "false");
}
