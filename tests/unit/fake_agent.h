/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A daemon without a kernel for the tests of api.c and metrics.c: its maps are arrays, its hooks a
 * table, its processes and names follow simple rules. Every function of maps.h, proc.h, names.h,
 * netns.h, hooks.h and peer.h is defined here, so the linker leaves the real modules out.
 */
#ifndef FLOWNER_TESTS_FAKE_AGENT_H
#define FLOWNER_TESTS_FAKE_AGENT_H

#include "daemon/abort.h"
#include "text/address.h"
#include "daemon/agent.h"
#include "daemon/api.h"
#include "host/config.h"
#include "host/conntrack.h"
#include "daemon/counts.h"
#include "host/facts.h"
#include "fake_enforce.h"
#include "flow/flows.h"
#include "kernel/hooks.h"
#include "kernel/maps.h"
#include "host/names.h"
#include "host/netns.h"
#include "host/netns_helper.h"
#include "host/peer.h"
#include "daemon/proc.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWN_COOKIE 7
#define OTHER_COOKIE 8
#define OWN_INUM 4026531840u
#define OTHER_INUM 4026532000u
#define OFFSET_NS 1767323045000000000LL /* boot was at 2026-01-02T03:04:05Z */
#define S 1000000000ULL
#define CUTTABLE 0xabc /* the flow that abort_flow() cuts, one it has a word about, no others */
#define NOTABLE 0xabd
#define BEHIND_NAT "10.66.0.2"
#define NAT_PORT 50123

static struct {
	struct agent agent;
	struct config config;
	struct facts facts;
	struct fl_flow *live;
	size_t live_count;
	int watched, drained;
	struct fl_flow ending; /* its end comes out of the ring with so many more drains */
	int ending_in;
	bool ending_at_look;	/* for it in the maps, where it is no more: at the next drain */
	void (*at_drain)(void); /* what else comes out of the ring then */
	__u64 aborted;
	struct peer peer; /* of every connection from now on */
	struct process process;
	struct hook hooks[8];
	size_t hook_count;
	int helper_state;
	int conntrack_asked;
	__u32 conntrack_inum;
	int conntrack_error; /* what it answers to everybody when not 0 */
	int maps_error;	     /* given by every walk when not 0 */
	bool enters;	     /* our own network namespace, which is the only one then */
	size_t cut;	     /* by abort_flow_in() */
	__u64 cut_last;
	int cut_error; /* given by it when not 0 */
	__u64 counted[FL_CNT_MAX];
	__u64 maps_walked; /* by maps_entries() */
} fake;

static inline struct fl_addr addr(const char *text)
{
	struct fl_addr a;

	if (address_parse(text, &a) < 0)
		abort();
	return a;
}

/* A TCP session of pid 100 + ID and UID, opened 10 s after boot. REMOTE NULL: a listener. */
static inline struct fl_flow make_flow(__u64 id, __u32 uid, const char *local, __u16 lport,
				       const char *remote, __u16 rport)
{
	struct fl_flow f = {
		.id = id,
		.cookie = id,
		.key = { .netns_cookie = OWN_COOKIE, .proto = FL_TCP, .local_port = lport },
		.owner = { .proc = { .start_ns = 5 * S,
				     .pid = 100 + (__u32)(id & 0xffff),
				     .exec_id = 3 },
			   .uid = uid,
			   .gid = uid,
			   .comm = "curl" },
		.opened_ns = 10 * S,
		.seen_ns = 10 * S,
		.role = remote ? FL_ROLE_OPENER : FL_ROLE_LISTENER,
		.state = remote ? FL_STATE_ESTABLISHED : FL_STATE_LISTEN,
		.members = 1,
		.netns_inum = OWN_INUM,
	};

	f.key.local = addr(local);
	f.key.remote = remote ? addr(remote) : addr(address_is_v4(&f.key.local) ? "0.0.0.0" : "::");
	f.key.remote_port = remote ? rport : 0;
	return f;
}

static inline void fake_add(struct fl_flow f)
{
	size_t n = fake.live_count;

	if (!(n & (n - 1))) /* doubled: ASan copies all of it each time */
		fake.live = realloc(fake.live, (n ? 2 * n : 1) * sizeof(f));
	fake.live[fake.live_count++] = f;
}

static inline void fake_end(struct fl_flow f, __u64 ended_ns)
{
	f.ended_ns = ended_ns;
	if (flows_ended(fake.agent.flows, &f) < 0)
		abort();
}

static inline void fake_end_at_drain(struct fl_flow f, int drains)
{
	fake.ending = f;
	fake.ending_in = drains;
}

static inline void fake_end_at_look(struct fl_flow f)
{
	fake.ending = f;
	fake.ending_at_look = true;
}

static inline void fake_new(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.config.group = (char *)"flowner";
	fake.peer = (struct peer){ .uid = 0, .sees_all = true };
	fake.agent.config = &fake.config;
	fake.agent.facts = &fake.facts;
	fake.agent.realtime_offset_ns = OFFSET_NS;
	fake.agent.netns_cookie = OWN_COOKIE;
	snprintf(fake.agent.host, sizeof(fake.agent.host), "testhost");
	if (flows_new(1000, 3600 * S, &fake.agent.flows) < 0)
		abort();
}

static inline void fake_free(void)
{
	api_free(fake.agent.api);
	flows_free(fake.agent.flows);
	free(fake.live);
	memset(&fake, 0, sizeof(fake));
}

int agent_drain(struct agent *agent)
{
	(void)agent;
	fake.drained++;
	if (fake.ending_in && !--fake.ending_in)
		fake_end(fake.ending, 20 * S);
	if (fake.at_drain)
		fake.at_drain();
	return 0;
}

int abort_flow(struct agent *agent, const struct fl_flow *flow, struct fail *ret_said)
{
	(void)agent;
	ret_said->text[0] = '\0';
	if (flow->ended_ns)
		return fail(ret_said, -ENOENT, "it has already ended");
	if (flow->id == NOTABLE)
		return fail(ret_said, 0, "its socket stays bound");
	if (flow->id != CUTTABLE)
		return fail(ret_said, -EOPNOTSUPP, "this peer shares its UDP socket with others");
	fake.aborted = flow->id;
	return 0;
}

int abort_flow_in(struct agent *agent, const struct fl_flow *flow, const char *path, int sock_diag,
		  struct fail *ret_said)
{
	(void)agent;
	(void)path;
	(void)sock_diag;
	ret_said->text[0] = '\0';
	if (fake.cut_error)
		return fake.cut_error;
	fake.cut++;
	fake.cut_last = flow->id;
	return 0;
}

/* --- maps.h --- */

int maps_each_flow(const struct maps *m, maps_flow_fn fn, void *arg)
{
	int r = fake.maps_error;

	(void)m;
	for (size_t i = 0; i < fake.live_count && r == 0; i++)
		r = fn(&fake.live[i], arg);
	return r;
}

int maps_each_at(const struct maps *m, const struct fl_key *ends, maps_flow_fn fn, void *arg)
{
	int r = fake.maps_error;

	(void)m;
	for (size_t i = 0; i < fake.live_count && r == 0; i++) {
		struct fl_key key = fake.live[i].key;

		key.netns_cookie = ends->netns_cookie;
		key.ifindex = ends->ifindex;
		if (memcmp(&key, ends, sizeof(key)) == 0)
			r = fn(&fake.live[i], arg);
	}
	return r;
}

int maps_get_flow(const struct maps *m, __u64 id, struct fl_flow *ret_flow)
{
	(void)m;
	for (size_t i = 0; i < fake.live_count; i++) {
		if (fake.live[i].id != id)
			continue;
		*ret_flow = fake.live[i];
		return 0;
	}
	return -ENOENT;
}

int maps_find_flow(const struct maps *m, const struct fl_key *key, struct fl_flow *ret_flow)
{
	(void)m;
	for (size_t i = 0; i < fake.live_count; i++) {
		if (memcmp(&fake.live[i].key, key, sizeof(*key)) != 0)
			continue;
		*ret_flow = fake.live[i];
		return 0;
	}
	if (fake.ending_at_look && memcmp(&fake.ending.key, key, sizeof(*key)) == 0)
		fake.ending_in = 1;
	return -ENOENT;
}

int maps_get_process(const struct maps *m, const struct fl_proc_key *key,
		     struct fl_process *ret_process, struct fl_text *ret_text)
{
	(void)m;
	(void)key;
	(void)ret_process;
	(void)ret_text;
	return -ENOENT;
}

/* Each counter counts its own number and 1000. */
int maps_counter(const struct maps *m, enum fl_counter counter, __u64 *ret_value)
{
	(void)m;
	*ret_value = 1000 + (__u64)counter;
	return 0;
}

int maps_count(const struct maps *m, enum fl_counter counter, __u64 n)
{
	(void)m;
	fake.counted[counter] += n;
	return 0;
}

const char *maps_table_name(enum maps_table table)
{
	static const char *const names[] = { "l7_connections", "socket_to_process", "processes",
					     "process_text" };

	return names[table];
}

int maps_entries(const struct maps *m, enum maps_table table, __u64 *ret_entries,
		 __u64 *ret_capacity)
{
	(void)m;
	fake.maps_walked++;
	if (table == MAPS_TEXT)
		return -EOPNOTSUPP;
	*ret_entries = 10 + (__u64)table;
	*ret_capacity = 100 + (__u64)table;
	return 0;
}

int maps_netns_inum(const struct maps *m, __u64 cookie, __u32 *ret_inum)
{
	(void)m;
	*ret_inum = cookie == OWN_COOKIE ? OWN_INUM : OTHER_INUM;
	return 0;
}

int maps_netns_cookie(const struct maps *m, __u32 inum, __u64 *ret_cookie)
{
	(void)m;
	*ret_cookie = inum == OWN_INUM ? OWN_COOKIE : OTHER_COOKIE;
	return 0;
}

int maps_set_watched(const struct maps *m, int watched)
{
	(void)m;
	fake.watched = watched;
	return 0;
}

/* --- counts.h --- */

void counts_fill(struct agent *agent, struct fl_flow *flow)
{
	(void)agent;
	(void)flow;
}

void counts_fill_next(struct counts_sockets *s, struct agent *agent, struct fl_flow *flow)
{
	(void)s;
	(void)agent;
	if (flow->ended_ns || !flow->key.remote_port)
		return;
	flow->counts = (struct fl_counts){ 1000, 2000, 10, 20, 1, 0 };
	flow->counted = 1;
}

void counts_sockets_init(struct counts_sockets *s)
{
	s->own = -1;
}

void counts_sockets_close(struct counts_sockets *s)
{
	(void)s;
}

/* --- proc.h --- */

int procs_new(const struct maps *maps, size_t limit, struct procs **ret_procs)
{
	(void)maps;
	(void)limit;
	(void)ret_procs;
	return -ENOSYS;
}

void procs_free(struct procs *procs)
{
	(void)procs;
}

int procs_add_process(struct procs *procs, const struct fl_process *rec, size_t size)
{
	(void)procs;
	(void)rec;
	(void)size;
	return -ENOSYS;
}

int procs_add_text(struct procs *procs, const struct fl_text *text, size_t size)
{
	(void)procs;
	(void)text;
	(void)size;
	return -ENOSYS;
}

int procs_exited(struct procs *procs, const struct fl_exit *rec, size_t size)
{
	(void)procs;
	(void)rec;
	(void)size;
	return -ENOSYS;
}

/* Every process is /usr/bin/curl in a unit's cgroup. */
const struct process *procs_get(struct procs *procs, const struct fl_owner *owner)
{
	(void)procs;
	fake.process = (struct process){
		.rec = { .key = owner->proc, .cgroup_id = 1, .uid = owner->uid },
		.known = true,
		.exe = (char *)"/usr/bin/curl",
		.args = (char *)"curl\0-s\0",
		.args_len = 8,
	};
	return &fake.process;
}

size_t procs_count(const struct procs *procs)
{
	(void)procs;
	return 21;
}

/* --- names.h and netns.h --- */

int names_new(struct names **ret_names)
{
	(void)ret_names;
	return -ENOSYS;
}

void names_free(struct names *names)
{
	(void)names;
}

const char *names_user(struct names *names, __u32 uid)
{
	(void)names;
	return uid == 0 ? "root" : uid == 1000 ? "bob" : NULL;
}

const char *names_cgroup(struct names *names, __u64 cgroup_id)
{
	(void)names;
	return cgroup_id == 1 ? "/system.slice/fetch.service" : NULL;
}

int cgroup_path_unit(const char *path, char ret_unit[UNIT_MAX])
{
	snprintf(ret_unit, UNIT_MAX, "%s", strrchr(path, '/') + 1);
	return 0;
}

int cgroup_path_container(const char *path, char ret_id[CONTAINER_ID_MAX])
{
	(void)path;
	(void)ret_id;
	return -ENOENT;
}

int cgroup_path_system_unit(const char *path, char ret_unit[UNIT_MAX])
{
	return cgroup_path_unit(path, ret_unit);
}

int cgroup_path_outer_container(const char *path, char ret_id[CONTAINER_ID_MAX], bool *ret_users)
{
	*ret_users = false;
	return cgroup_path_container(path, ret_id);
}

int netns_self(__u64 *ret_cookie, __u32 *ret_inum)
{
	*ret_cookie = OWN_COOKIE;
	*ret_inum = OWN_INUM;
	return 0;
}

int netns_parse(const char *text, __u32 *ret_inum)
{
	if (strcmp(text, "4026531840") == 0 || strchr(text, '/')) /* any path can be opened */
		*ret_inum = OWN_INUM;
	else if (strcmp(text, "4026532000") == 0 || strcmp(text, "blue") == 0)
		*ret_inum = OTHER_INUM;
	else
		return -ENOENT;
	return 0;
}

int netns_each(int (*fn)(const char *path, __u32 inum, void *arg), void *arg)
{
	return fake.enters ? fn(NETNS_OWN, OWN_INUM, arg) : -ENOSYS;
}

int netns_open(const char *path, int *ret_fd)
{
	(void)path;
	if (!fake.enters)
		return -ENOSYS;
	*ret_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

int netns_socket(const char *path, int protocol, int *ret_fd, __u64 *ret_cookie)
{
	(void)protocol;
	*ret_cookie = OWN_COOKIE;
	return netns_open(path, ret_fd);
}

int netns_run(const char *path, int program, __u32 ifindex)
{
	(void)path;
	(void)program;
	(void)ifindex;
	return -ENOSYS;
}

/* The host's own packets to 10.0.0.9:443 are BEHIND_NAT's there; asked with its --netns or none. */
int conntrack_other_side(__u32 netns_inum, enum fl_proto proto, const struct ends *seen,
			 struct ends *ret_other)
{
	fake.conntrack_asked++;
	fake.conntrack_inum = netns_inum;
	if (fake.conntrack_error)
		return fake.conntrack_error;
	if (proto != FL_TCP || seen->local_port != NAT_PORT)
		return -ENOENT;
	*ret_other = *seen;
	ret_other->local = addr(BEHIND_NAT);
	ret_other->local_port = 40000;
	return 0;
}

int netns_helper_state(void)
{
	return fake.helper_state;
}

/* --- hooks.h and peer.h --- */

int hooks_new(struct hooks **ret_hooks)
{
	(void)ret_hooks;
	return -ENOSYS;
}

void hooks_free(struct hooks *h)
{
	(void)h;
}

struct hook *hooks_row(struct hooks *h, size_t i)
{
	(void)h;
	return &fake.hooks[i];
}

bool hook_is_iterator(const struct hook *hook)
{
	return strncmp(hook->attach, "iter/", 5) == 0;
}

bool hook_is_cgroup(const struct hook *hook)
{
	return strncmp(hook->attach, "cgroup/", 7) == 0;
}

/* Which rows say something is hooks.c's to know; here those that have something to say. */
const char *hooks_loss(const struct hooks *h, size_t i)
{
	(void)h;
	return fake.hooks[i].lost;
}

const char *hook_status_text(enum hook_status status)
{
	static const char *const names[] = { "unused", "on", "refused", "silent" };

	return names[status];
}

size_t hooks_count(const struct hooks *h)
{
	(void)h;
	return fake.hook_count;
}

const struct hook *hooks_at(const struct hooks *h, size_t i)
{
	(void)h;
	return &fake.hooks[i];
}

const char *hooks_tier(const struct hooks *h)
{
	(void)h;
	return "no LSM";
}

gid_t peer_group(const char *name)
{
	(void)name;
	return PEER_NO_GROUP;
}

int peer_get(int fd, gid_t group, struct peer *ret_peer)
{
	(void)fd;
	(void)group;
	*ret_peer = fake.peer;
	return 0;
}

#endif
