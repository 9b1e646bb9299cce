/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A packet printer that names the process at either end of every packet, also of one that has been
 * gone for a second when libpcap hands the packet over: an example of libflowner, and its proof.
 *
 *	packets [-p PIN_DIR] [-s SOCKET] DEVICE [FILTER]
 *
 *	1763692000.123456789 tcp 127.0.0.1:40000 > 127.0.0.1:80 S 1234/curl/00000000000ff6ea -
 *
 * Sender, then receiver: pid, name, flow id. `-` is nobody on this host, or nobody at all: the
 * remote end of a session, the kernel that refuses a closed port, ICMP, fragments behind the first,
 * anything but TCP and UDP. A `?` behind the pid: accept() was not called within a second; it is
 * the process that listens. A SYN, with ACK or without, is the listener's at the passive end.
 *
 * One thread only takes packets, so that libpcap's buffer stays empty; the other asks, a moment
 * later: an acceptor's flow begins after the packet that completes its handshake, and its owner is
 * known when accept() returns.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <flowner/flowner.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SNAPLEN 128
#define SETTLE_NS 20000000ULL  /* before the first question about a packet */
#define FINAL_NS 1000000000ULL /* after it, an owner that is interim stays so */
#define MS 1000000ULL

struct taken {
	struct taken *next;
	struct timespec time; /* CLOCK_REALTIME */
	struct flowner_packet packet;
	bool session; /* TCP or UDP, with ports */
	__u8 protocol;
	char flags[8];
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct taken *first, **last;
	bool ended;
} queue = { .lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER };

static pcap_t *capture;

/* --- taking --- */

static void read_tcp_flags(struct taken *t, __u8 flags)
{
	static const char letters[] = "FSRPA";
	char *p = t->flags;

	for (int i = 0; i < 5; i++)
		if (flags & 1 << i)
			*p++ = letters[i];
	if (flags & 2)
		t->packet.flags |= FLOWNER_PACKET_SYN;
}

static void read_ports(struct taken *t, const u_char *p, size_t len)
{
	size_t need = t->protocol == FL_TCP ? 14 : 4;

	if ((t->protocol != FL_TCP && t->protocol != FL_UDP) || len < need)
		return;
	t->packet.proto = (enum fl_proto)t->protocol;
	t->packet.source_port = (__u16)(p[0] << 8 | p[1]);
	t->packet.destination_port = (__u16)(p[2] << 8 | p[3]);
	if (t->protocol == FL_TCP)
		read_tcp_flags(t, p[13]);
	t->session = true;
}

static bool read_ip(struct taken *t, const u_char *p, size_t len)
{
	size_t head;

	if (len >= 20 && p[0] >> 4 == 4) {
		head = (p[0] & 15) * 4u;
		t->protocol = p[9];
		t->packet.source = flowner_addr4(p + 12);
		t->packet.destination = flowner_addr4(p + 16);
		if (((p[6] & 0x1f) | p[7]) == 0 && len > head) /* no later fragment */
			read_ports(t, p + head, len - head);
		return true;
	}
	if (len >= 40 && p[0] >> 4 == 6) {
		t->protocol = p[6];
		t->packet.source = flowner_addr6(p + 8);
		t->packet.destination = flowner_addr6(p + 24);
		read_ports(t, p + 40, len - 40);
		return true;
	}
	return false;
}

static void take(u_char *user, const struct pcap_pkthdr *h, const u_char *bytes)
{
	struct taken *t = calloc(1, sizeof(*t));

	(void)user;
	if (!t)
		return;
	t->time.tv_sec = h->ts.tv_sec;
	t->time.tv_nsec = h->ts.tv_usec; /* nanoseconds, as asked for */
	t->packet.time_ns =
		flowner_from_realtime((__u64)t->time.tv_sec * 1000 * MS + (__u64)t->time.tv_nsec);
	if (h->caplen < 14 || !read_ip(t, bytes + 14, h->caplen - 14)) {
		free(t);
		return;
	}
	pthread_mutex_lock(&queue.lock);
	*queue.last = t;
	queue.last = &t->next;
	pthread_cond_signal(&queue.filled);
	pthread_mutex_unlock(&queue.lock);
}

static void *take_all(void *arg)
{
	(void)arg;
	pcap_loop(capture, -1, take, NULL);
	pthread_mutex_lock(&queue.lock);
	queue.ended = true;
	pthread_cond_signal(&queue.filled);
	pthread_mutex_unlock(&queue.lock);
	return NULL;
}

static struct taken *next_taken(void)
{
	struct taken *t;

	pthread_mutex_lock(&queue.lock);
	while (!queue.first && !queue.ended) {
		fflush(stdout);
		pthread_cond_wait(&queue.filled, &queue.lock);
	}
	t = queue.first;
	if (t) {
		queue.first = t->next;
		if (!queue.first)
			queue.last = &queue.first;
	}
	pthread_mutex_unlock(&queue.lock);
	return t;
}

/* --- asking --- */

static void wait_until(__u64 time_ns)
{
	struct timespec ts = { .tv_sec = (time_t)(time_ns / (1000 * MS)),
			       .tv_nsec = (long)(time_ns % (1000 * MS)) };

	while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static bool interim(const struct flowner_flow *f)
{
	return f->role == FL_ROLE_ACCEPTOR && !f->accepted;
}

/* Asks again until the session is there and accept() was seen, or it is final without. */
static int ask(struct flowner *flowner, const struct taken *t, struct flowner_flow *from,
	       struct flowner_flow *to)
{
	__u64 wait_ns = SETTLE_NS;
	int known;

	for (;;) {
		wait_until(t->packet.time_ns + wait_ns);
		known = flowner_find_packet(flowner, &t->packet, from, to);
		if (known < 0 || wait_ns >= FINAL_NS ||
		    (!(known & FLOWNER_AGAIN) && !(known & FLOWNER_SENDER && interim(from)) &&
		     !(known & FLOWNER_RECEIVER && interim(to))))
			return known;
		wait_ns *= 2;
	}
}

static void print_end(const struct fl_addr *a, __u16 port, bool session)
{
	char text[INET6_ADDRSTRLEN];
	bool v4 = memcmp(a->b, "\0\0\0\0\0\0\0\0\0\0\377\377", 12) == 0;

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->b + 12 : a->b, text, sizeof(text));
	printf(session ? v4 ? "%s:%u" : "[%s]:%u" : "%s", text, port);
}

static void print_owner(bool known, const struct flowner_flow *f)
{
	if (!known || !f->owner.proc.pid)
		printf(" -");
	else
		printf(" %u%s/%.16s/%016" PRIx64, f->owner.proc.pid, interim(f) ? "?" : "",
		       f->owner.comm, (uint64_t)f->id);
}

static void print(const struct taken *t, int known, const struct flowner_flow *from,
		  const struct flowner_flow *to)
{
	const struct flowner_packet *p = &t->packet;

	printf("%lld.%09ld ", (long long)t->time.tv_sec, t->time.tv_nsec);
	if (t->protocol == FL_TCP || t->protocol == FL_UDP)
		printf("%s ", t->protocol == FL_TCP ? "tcp" : "udp");
	else
		printf("%u ", t->protocol);
	print_end(&p->source, p->source_port, t->session);
	printf(" > ");
	print_end(&p->destination, p->destination_port, t->session);
	printf(" %s", t->flags[0] ? t->flags : ".");
	print_owner(known & FLOWNER_SENDER, from);
	print_owner(known & FLOWNER_RECEIVER, to);
	putchar('\n');
}

static int print_all(struct flowner *flowner)
{
	struct flowner_flow from, to;
	struct taken *t;

	while ((t = next_taken())) {
		int known = t->session ? ask(flowner, t, &from, &to) : 0;

		if (known < 0) {
			fprintf(stderr, "packets: %s\n", flowner_strerror(known));
			return 1;
		}
		print(t, known, &from, &to);
		free(t);
	}
	return 0;
}

/* --- starting and ending --- */

static void stop(int sig)
{
	(void)sig;
	pcap_breakloop(capture);
}

/* As libpcap has it: its buffer's size, and packets a second late at most. */
static pcap_t *open_capture(const char *device, const char *filter)
{
	char why[PCAP_ERRBUF_SIZE];
	struct bpf_program program;
	pcap_t *p = pcap_create(device, why);

	if (!p) {
		fprintf(stderr, "packets: %s\n", why);
		return NULL;
	}
	pcap_set_snaplen(p, SNAPLEN);
	pcap_set_timeout(p, 1000);
	pcap_set_tstamp_precision(p, PCAP_TSTAMP_PRECISION_NANO);
	if (pcap_activate(p) < 0 || pcap_datalink(p) != DLT_EN10MB ||
	    pcap_compile(p, &program, filter, 1, PCAP_NETMASK_UNKNOWN) < 0 ||
	    pcap_setfilter(p, &program) < 0) {
		fprintf(stderr, "packets: %s: %s\n", device, pcap_geterr(p));
		pcap_close(p);
		return NULL;
	}
	pcap_freecode(&program);
	return p;
}

static void report(void)
{
	struct pcap_stat stats;

	if (pcap_stats(capture, &stats) == 0)
		fprintf(stderr, "packets: %u captured, %u dropped by the kernel\n", stats.ps_recv,
			stats.ps_drop);
}

static int run(struct flowner *flowner)
{
	struct sigaction action = { .sa_handler = stop };
	pthread_t taker;
	sigset_t signals;
	int r;

	queue.last = &queue.first;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (pthread_create(&taker, NULL, take_all, NULL) != 0)
		return 1;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL); /* they are the taker's: it waits in poll() */
	fprintf(stderr, "packets: ready\n");
	r = print_all(flowner);
	if (r != 0)
		pcap_breakloop(capture);
	pthread_join(taker, NULL);
	report();
	return r;
}

int main(int argc, char **argv)
{
	struct flowner_options options = { .size = sizeof(options) };
	struct flowner *flowner;
	int c, r;

	while ((c = getopt(argc, argv, "p:s:")) != -1) {
		if (c == 'p')
			options.pin_dir = optarg;
		else if (c == 's')
			options.socket = optarg;
		else
			return 2;
	}
	if (optind >= argc) {
		fprintf(stderr, "usage: packets [-p PIN_DIR] [-s SOCKET] DEVICE [FILTER]\n");
		return 2;
	}
	r = flowner_open(&options, &flowner);
	if (r < 0) {
		fprintf(stderr, "packets: %s\n", flowner_strerror(r));
		return 1;
	}
	capture = open_capture(argv[optind], optind + 1 < argc ? argv[optind + 1] : "");
	r = capture ? run(flowner) : 1;
	if (capture)
		pcap_close(capture);
	flowner_close(flowner);
	return r;
}
