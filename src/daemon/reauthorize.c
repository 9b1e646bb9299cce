/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A run lists the flows of the namespaces where something has changed, opens these namespaces, and
 * goes through the list slice by slice. Between runs nothing is open in there: a namespace whose
 * last member has left must go. News of it comes by its number in our own (routes.h).
 *
 * What changes during a run is of the next one.
 */
#include "daemon/reauthorize.h"
#include "daemon/abort.h"
#include "daemon/agent.h"
#include "text/cleanup.h"
#include "text/clock.h"
#include "policy/enforce.h"
#include "text/fail.h"
#include "text/idset.h"
#include "daemon/living.h"
#include "kernel/maps.h"
#include "host/netns.h"
#include "host/procfs.h"
#include "host/routes.h"
#include "host/sockdiag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#define WINDOW_NS 20000000ull /* news of one change come together */
#define SLICE_NS 3000000ull
#define AT_ONCE_NS 1000000000ull /* of CPU time, before it rests as long as it works */
#define RETRY_NS 1000000000ull
#define CONNECTING_NS 200000000ull /* longer than connect() takes to fail when it is rejected */
#define SPACES_MAX 1024
#define DIRTY_MAX 64
#define INTERFACE (1u << FL_DIM_INTERFACE | 1u << FL_DIM_INTERFACE_TYPE | 1u << FL_DIM_TUNNEL_TYPE)

struct todo {
	__u64 netns_cookie, flow_id;
};

/* A network namespace during a run. */
struct space {
	__u64 cookie;
	int netns, diag, route; /* -1: not open */
	struct idset looked;	/* ifindexes of this run */
};

/* Its number as routes.h has it. */
struct numbered {
	int number;
	__u32 inum;
};

struct reauthorize {
	struct agent *agent;
	struct enforce *enforce;
	int news, timer, epoll;
	bool others; /* it hears of other namespaces */
	bool judges, hears;
	bool asks_interface[2]; /* of TCP, of UDP */
	__u32 own_inum;
	struct numbered *numbers;
	size_t number_count;
	struct fl_spared spared[FL_SPARED_MAX];
	struct idset connecting; /* rejected flows, see is_connecting() */
	__u64 connecting_ns;	 /* of the first of them */
	/* the next run */
	bool all;
	__u32 dirty[DIRTY_MAX]; /* inodes of namespaces */
	size_t dirty_count;
	/* this one */
	bool runs;
	__u64 began_ns;
	__u64 rested_ns; /* when it has rested as long as it has worked */
	struct todo *list;
	size_t count, at;
	struct space *spaces;
	size_t space_count;
	struct idset listening; /* ports, see port_id() */
};

/* --- when --- */

static void set_timer(struct reauthorize *a, __u64 ns)
{
	const struct itimerspec at = { .it_value = { .tv_sec = (time_t)(ns / 1000000000ull),
						     .tv_nsec = (long)(ns % 1000000000ull) } };

	timerfd_settime(a->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static bool is_due(const struct reauthorize *a)
{
	return a->judges && (a->all || a->dirty_count);
}

/* DELAY_NS from now or later, if it has not been decided already; a run decides that when it
 * ends. */
static void want_run(struct reauthorize *a, __u64 delay_ns)
{
	__u64 at = clock_ns(CLOCK_MONOTONIC) + delay_ns;

	if (!is_due(a) || a->runs)
		return;
	set_timer(a, at + AT_ONCE_NS < a->rested_ns ? a->rested_ns - AT_ONCE_NS : at);
}

static void change_all(struct reauthorize *a)
{
	a->all = true;
	a->dirty_count = 0;
}

static bool is_dirty(const struct reauthorize *a, __u32 inum)
{
	for (size_t i = 0; i < a->dirty_count; i++) {
		if (a->dirty[i] == inum)
			return true;
	}
	return a->all;
}

static void change(struct reauthorize *a, __u32 inum)
{
	if (is_dirty(a, inum))
		return;
	if (a->dirty_count == DIRTY_MAX || !inum)
		change_all(a);
	else
		a->dirty[a->dirty_count++] = inum;
}

/* --- news --- */

static struct numbered *find_number(const struct reauthorize *a, int number)
{
	for (size_t i = 0; i < a->number_count; i++) {
		if (a->numbers[i].number == number)
			return &a->numbers[i];
	}
	return NULL;
}

static int keep_number(struct reauthorize *a, int number, __u32 inum)
{
	struct numbered *known = find_number(a, number), *more;

	if (known) {
		known->inum = inum;
		return 0;
	}
	more = reallocarray(a->numbers, a->number_count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	a->numbers = more;
	a->numbers[a->number_count++] = (struct numbered){ number, inum };
	return 0;
}

static void on_news(const struct routes_news *news, void *arg)
{
	struct reauthorize *a = arg;
	struct numbered *known = find_number(a, news->number);

	if (!a->hears) /* from before the policy went */
		return;
	if (news->ended && known)
		*known = a->numbers[--a->number_count];
	if (news->ended)
		return;
	if (news->number == ROUTES_OWN)
		change(a, a->own_inum);
	else if (known)
		change(a, known->inum);
	else
		change_all(a);
}

/* All of it: what is not read would wake us again. */
static void take_news(struct reauthorize *a)
{
	bool was_due = is_due(a);

	if (a->news < 0)
		return;
	(void)routes_news_read(a->news, on_news, a);
	if (!was_due)
		want_run(a, WINDOW_NS);
}

void reauthorize_link(struct reauthorize *a, const struct fl_link_event *e)
{
	bool was_due = is_due(a);
	__u32 inum = 0;

	if (!a->hears)
		return;
	(void)maps_netns_inum(a->agent->maps, e->netns_cookie, &inum);
	change(a, inum);
	if (!was_due)
		want_run(a, WINDOW_NS);
}

/* --- a run: which flows, in which namespaces --- */

static void space_release(struct space *s)
{
	cleanup_close(&s->netns);
	cleanup_close(&s->diag);
	cleanup_close(&s->route);
	idset_release(&s->looked);
}

static void end_run(struct reauthorize *a)
{
	for (size_t i = 0; i < a->space_count; i++)
		space_release(&a->spaces[i]);
	free(a->spaces);
	free(a->list);
	idset_release(&a->listening);
	a->spaces = NULL;
	a->list = NULL;
	a->space_count = a->count = a->at = 0;
	a->runs = false;
}

struct listing {
	struct reauthorize *again;
	size_t room;
	struct idset inums; /* of namespaces that are needed */
};

static bool was_opened_here(const struct fl_flow *flow)
{
	return flow->role == FL_ROLE_OPENER || flow->opened_here;
}

/* Datagrams are judged one by one, whoever opened the session. */
static bool may_be_opened_here(const struct fl_flow *flow)
{
	return was_opened_here(flow) ||
	       (flow->key.proto == FL_TCP &&
		(flow->role == FL_ROLE_EXISTING || flow->role == FL_ROLE_UNKNOWN));
}

static __u64 port_id(const struct fl_key *key)
{
	return key->netns_cookie << 16 | key->local_port;
}

static int list_flow(const struct fl_flow *flow, void *arg)
{
	struct listing *l = arg;
	struct reauthorize *a = l->again;
	struct todo *more;

	if (flow->role == FL_ROLE_LISTENER)
		return idset_add(&a->listening, port_id(&flow->key));
	if (!may_be_opened_here(flow) || !is_dirty(a, flow->netns_inum))
		return 0;
	if (a->count == l->room) {
		l->room = l->room ? l->room * 2 : 1024;
		more = reallocarray(a->list, l->room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		a->list = more;
	}
	a->list[a->count++] = (struct todo){ flow->key.netns_cookie, flow->id };
	return flow->netns_inum ? idset_add(&l->inums, flow->netns_inum) : 0;
}

struct numbering {
	struct reauthorize *again;
	int route; /* of our own namespace */
};

/* From now on its news comes. What cannot be numbered is judged in runs of all only. */
static int number_space(const char *path, __u32 inum, void *arg)
{
	struct numbering *n = arg;
	_close_ int netns = -1;
	int number;

	if (inum == n->again->own_inum || !is_dirty(n->again, inum) ||
	    netns_open(path, &netns) < 0 || routes_number(n->route, netns, &number) < 0)
		return 0;
	return keep_number(n->again, number, inum);
}

static int number_spaces(struct reauthorize *a)
{
	struct numbering n = { .again = a };
	_close_ int route = -1;
	__u64 cookie;
	int r;

	if (!a->hears || !a->others)
		return 0;
	r = netns_socket(NETNS_OWN, NETLINK_ROUTE, &route, &cookie);
	n.route = route;
	return r < 0 ? r : netns_each(number_space, &n);
}

static int open_in(const struct reauthorize *a, const char *path, __u32 inum, struct space *s)
{
	int r = netns_open(path, &s->netns);

	if (!r)
		r = netns_socket(path, NETLINK_SOCK_DIAG, &s->diag, &s->cookie);
	if (!r && (a->asks_interface[0] || a->asks_interface[1]))
		r = netns_socket(path, NETLINK_ROUTE, &s->route, &s->cookie);
	if (!r && !s->cookie)
		r = maps_netns_cookie(a->agent->maps, inum, &s->cookie);
	return r;
}

/* What cannot be opened is left out: its flows are counted when it is their turn. */
static int open_space(const char *path, __u32 inum, void *arg)
{
	struct listing *l = arg;
	struct reauthorize *a = l->again;
	struct space s = { .netns = -1, .diag = -1, .route = -1 };

	if (!idset_has(&l->inums, inum) || a->space_count == SPACES_MAX)
		return 0;
	if (open_in(a, path, inum, &s) < 0)
		space_release(&s);
	else
		a->spaces[a->space_count++] = s;
	return 0;
}

/* Numbers first, flows next: what changes after that is news. */
static int begin(struct reauthorize *a)
{
	struct listing l = { .again = a };
	int r = number_spaces(a);

	if (!r)
		r = maps_each_flow(a->agent->maps, list_flow, &l);
	a->spaces = calloc(SPACES_MAX, sizeof(*a->spaces));
	if (!r && !a->spaces)
		r = -ENOMEM;
	if (!r)
		r = netns_each(open_space, &l);
	idset_release(&l.inums);
	return r;
}

static void begin_run(struct reauthorize *a)
{
	int r;

	(void)agent_drain(a->agent); /* what comes of it may end a run, and begins none */
	a->runs = true;
	a->began_ns = clock_ns(CLOCK_MONOTONIC);
	r = begin(a);
	if (!r) {
		a->all = false;
		a->dirty_count = 0;
		return;
	}
	end_run(a); /* no memory, no descriptors: as if all had changed, a while later */
	change_all(a);
	want_run(a, RETRY_NS);
}

/* --- one flow --- */

static struct space *space_of(struct reauthorize *a, __u64 cookie)
{
	for (size_t i = 0; i < a->space_count; i++) {
		if (a->spaces[i].cookie == cookie)
			return &a->spaces[i];
	}
	return NULL;
}

static void count(const struct reauthorize *a, enum fl_counter counter)
{
	(void)maps_count(a->agent->maps, counter, 1);
}

/* Each interface once a run: it may be called otherwise by now. */
static int look_at(const struct reauthorize *a, struct space *s, __u32 ifindex)
{
	char path[32];
	int r;

	if (idset_has(&s->looked, ifindex))
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->netns);
	r = netns_run(path, enforce_link_program(a->enforce), ifindex);
	return r < 0 ? r : idset_add(&s->looked, ifindex);
}

/* 1: RET_IFINDEX is where it would go now; 0: it has ended, or nothing of it would leave. */
static int find_way(const struct reauthorize *a, struct space *s, const struct fl_flow *flow,
		    __u32 *ret_ifindex)
{
	struct routes_question q = { .key = &flow->key };
	struct sockdiag_socket socket;
	int r = sockdiag_find(s->diag, &flow->key, flow->cookie, &socket);

	if (r == -ENOENT || (!r && socket.state == FL_STATE_TIME_WAIT))
		return 0;
	if (r < 0)
		return r;
	q.ifindex = flow->key.ifindex;
	q.uid = socket.uid;
	q.mark = socket.mark;
	q.tos = socket.tos;
	r = routes_ask(s->route, &q, ret_ifindex);
	if (!r)
		r = look_at(a, s, *ret_ifindex);
	if (r < 0)
		return routes_is_none(r) ? 0 : r;
	return 1;
}

static bool is_spared(const struct reauthorize *a, const struct fl_proc_key *proc)
{
	for (size_t i = 0; i < FL_SPARED_MAX && a->spared[i].pid; i++) {
		if (a->spared[i].pid == proc->pid &&
		    a->spared[i].ticks == proc->start_ns / FL_TICK_NS)
			return true;
	}
	return false;
}

/* A peer of a UDP socket that is not connected has no socket of its own to cut: what would be sent
 * to it does not leave. */
static bool is_peer(const struct space *s, const struct fl_flow *flow)
{
	struct sockdiag_socket socket;

	return flow->key.proto == FL_UDP &&
	       !sockdiag_find(s->diag, &flow->key, flow->cookie, &socket) &&
	       !sockdiag_is_at(&socket, &flow->key);
}

static bool had_their_time(const struct reauthorize *a)
{
	return a->began_ns >= a->connecting_ns + CONNECTING_NS;
}

/*
 * A connect() that is rejected has failed by itself in a moment, as it should. But one that was
 * under way when something changed may still come to be, and then nobody has judged it: a later run
 * cuts it.
 */
static bool is_connecting(struct reauthorize *a, const struct fl_flow *flow)
{
	if (flow->key.proto != FL_TCP || flow->state != FL_STATE_SYN_SENT)
		return false;
	if (idset_has(&a->connecting, flow->id) && had_their_time(a))
		return false;
	if (!a->connecting.used)
		a->connecting_ns = clock_ns(CLOCK_MONOTONIC);
	if (idset_add(&a->connecting, flow->id) < 0)
		return false;
	change(a, flow->netns_inum);
	return true;
}

static void cut(struct reauthorize *a, const struct space *s, const struct fl_flow *flow)
{
	struct fail said;
	char path[32];
	int r = -EACCES;

	if (is_connecting(a, flow) || (s && is_peer(s, flow)))
		return;
	if (s && !is_spared(a, &flow->owner.proc)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", s->netns);
		r = abort_flow_in(a->agent, flow, path, s->diag, &said);
	}
	if (r != -ENOENT)
		count(a, r ? FL_CNT_AGAIN_LEFT : FL_CNT_AGAIN_CUT);
}

/* Neither for sure: where somebody listens it was accepted, which is nothing to be told. */
static void pass_over(const struct reauthorize *a, const struct fl_flow *flow)
{
	if (may_be_opened_here(flow) && !idset_has(&a->listening, port_id(&flow->key)))
		count(a, FL_CNT_AGAIN_UNJUDGED);
}

static void judge(struct reauthorize *a, const struct todo *todo)
{
	struct space *s = space_of(a, todo->netns_cookie);
	struct fl_flow flow;
	__u32 ifindex = 0;
	int r;

	if (maps_get_flow(a->agent->maps, todo->flow_id, &flow) < 0)
		return;
	if (!was_opened_here(&flow)) {
		pass_over(a, &flow);
		return;
	}
	if (a->asks_interface[flow.key.proto == FL_UDP]) {
		r = s ? find_way(a, s, &flow, &ifindex) : -EACCES;
		if (!r)
			return;
		if (r < 0) {
			count(a, FL_CNT_AGAIN_UNJUDGED);
			return;
		}
	}
	r = enforce_judge_again(a->enforce, flow.id, ifindex);
	if (r == FL_AGAIN_REJECTED)
		cut(a, s, &flow);
	else if (r != FL_AGAIN_PROCEEDS && r != FL_AGAIN_GONE)
		count(a, FL_CNT_AGAIN_UNJUDGED);
}

/* After a run. False: there are some to be looked at again. */
static bool forget_connecting(struct reauthorize *a)
{
	if (a->connecting.used && !had_their_time(a))
		return false;
	idset_release(&a->connecting);
	return true;
}

static void slice(struct reauthorize *a)
{
	__u64 until = clock_ns(CLOCK_MONOTONIC) + SLICE_NS;

	while (a->at < a->count && clock_ns(CLOCK_MONOTONIC) < until)
		judge(a, &a->list[a->at++]);
}

static void go_on(struct reauthorize *a)
{
	if (a->at < a->count) {
		set_timer(a, 1);
		return;
	}
	end_run(a);
	want_run(a, forget_connecting(a) ? WINDOW_NS : CONNECTING_NS);
}

/*
 * Who changes routes all the time has half a CPU from us, not more. What counts is the time that we
 * had of it: where it is scarce, a run is long, and what changes meanwhile waits for two of them.
 */
static void work(struct reauthorize *a)
{
	__u64 now = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	if (!a->runs && is_due(a))
		begin_run(a);
	if (a->runs)
		slice(a);
	cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	a->rested_ns = (a->rested_ns > now ? a->rested_ns : now) + 2 * cpu;
	if (a->runs)
		go_on(a);
}

void reauthorize_run(struct reauthorize *a)
{
	uint64_t expirations = 0;

	(void)!read(a->timer, &expirations, sizeof(expirations));
	take_news(a);
	if (expirations && a->judges)
		work(a);
}

/* --- what is in force --- */

static void hear(struct reauthorize *a, bool hears)
{
	if (a->news < 0 || a->hears == hears)
		return;
	a->hears = hears;
	if (routes_news_hear(a->news, hears) < 0)
		a->others = false;
	if (!hears)
		a->number_count = 0;
}

void reauthorize_policy(struct reauthorize *a, const struct fl_policy *policy,
			const struct fl_spared *spared)
{
	bool interface = false;

	end_run(a);
	a->judges = policy != NULL;
	memset(a->spared, 0, sizeof(a->spared));
	if (spared)
		memcpy(a->spared, spared, sizeof(a->spared));
	for (int udp = 0; udp < 2; udp++) {
		__u32 index = FL_HOOK_INDEX(FL_HOOK_CONNECT_AUTHORIZATION, udp ? FL_UDP : FL_TCP);

		a->asks_interface[udp] = policy && policy->asked[index] & INTERFACE;
		interface |= a->asks_interface[udp];
	}
	hear(a, interface);
	change_all(a);
	a->rested_ns = 0;
	want_run(a, 0);
}

void reauthorize_spare(pid_t caller, struct fl_spared *ret_spared)
{
	__u32 pids[FL_SPARED_MAX];
	size_t count = living_ancestors(caller, pids, FL_SPARED_MAX);

	for (size_t i = 0; i < count; i++)
		ret_spared[i] = (struct fl_spared){ .ticks = procfs_ticks(pids[i]),
						    .pid = pids[i] };
}

const char *reauthorize_deaf(const struct reauthorize *a)
{
	if (!a->asks_interface[0] && !a->asks_interface[1])
		return NULL;
	if (a->news < 0)
		return "what lives is not judged again when a route or an interface changes: no "
		       "socket for that could be opened";
	if (!a->others)
		return "what lives in other network namespaces is not judged again when a route "
		       "or an interface changes: that takes CAP_NET_BROADCAST at the start";
	return NULL;
}

/* --- life --- */

static int watch(struct reauthorize *a, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(a->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_fds(struct reauthorize *a)
{
	int r;

	a->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (a->epoll < 0)
		return -errno;
	a->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (a->timer < 0)
		return -errno;
	r = watch(a, a->timer);
	if (!r && !routes_news_open(&a->news, &a->others)) /* without it, doctor tells */
		r = watch(a, a->news);
	return r;
}

int reauthorize_new(struct agent *agent, struct enforce *enforce, struct reauthorize **ret_again)
{
	struct reauthorize *a = calloc(1, sizeof(*a));
	__u64 cookie;
	int r;

	if (!a)
		return -ENOMEM;
	a->agent = agent;
	a->enforce = enforce;
	a->news = a->timer = a->epoll = -1;
	(void)netns_self(&cookie, &a->own_inum);
	r = open_fds(a);
	if (r < 0)
		reauthorize_free(a);
	else
		*ret_again = a;
	return r;
}

void reauthorize_free(struct reauthorize *a)
{
	if (!a)
		return;
	end_run(a);
	cleanup_close(&a->news);
	cleanup_close(&a->timer);
	cleanup_close(&a->epoll);
	idset_release(&a->connecting);
	free(a->numbers);
	free(a);
}

int reauthorize_fd(const struct reauthorize *a)
{
	return a->epoll;
}
