/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library's handle, and where an answer comes from: live flows from the pinned maps, everything
 * else, and everything for those the maps are closed to, from the daemon. Packets are in
 * libflowner_packet.c, events in libflowner_watch.c.
 */
#include "lib/libflowner.h"

#include <errno.h>
#include <flowner/check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "text/cleanup.h"
#include "text/clock.h"

#define API __attribute__((visibility("default")))

#define PIN_DIR "/sys/fs/bpf/flowner"
#define SOCKET "/run/flowner/flowner.sock"
#define TIMEOUT_MS 5000
#define LOOK_NS 1000000000ULL /* how often the pins are looked at, beside what memory says */

/* --- the live maps, which a daemon may replace at any time --- */

/* Once in LOOK_NS one thread gets a yes. */
static bool time_to_look(struct flowner *h)
{
	__u64 now = clock_ns(CLOCK_MONOTONIC_COARSE);
	__u64 due = __atomic_load_n(&h->look_ns, __ATOMIC_RELAXED);

	return now >= due && __atomic_compare_exchange_n(&h->look_ns, &due, now + LOOK_NS, false,
							 __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static int renew(struct flowner *h)
{
	struct live live;
	int r;

	pthread_rwlock_wrlock(&h->lock);
	r = live_open(&live, h->pin_dir);
	live_close(&h->live);
	if (r == 0)
		h->live = live;
	pthread_rwlock_unlock(&h->lock);
	return r;
}

/*
 * Read-locks the maps of the daemon there is now. 0, or unlocked and the reason there are none.
 * What is found in them lives, also after the daemon's end: it empties them. For who finds nothing,
 * live_retired() says whether these are still the maps; then it is LOOK for another try.
 */
static int enter(struct flowner *h, bool look)
{
	int r;

	look = time_to_look(h) || look;
	for (int tries = 0; tries < 2; tries++) {
		pthread_rwlock_rdlock(&h->lock);
		if (h->live.open && !(look && live_replaced(&h->live, h->pin_dir)) &&
		    !(look && live_retired(&h->live)))
			return 0;
		pthread_rwlock_unlock(&h->lock);
		if (!look)
			return -ENOENT; /* nor a moment ago */
		r = renew(h);
		if (r < 0)
			return r;
		look = false;
	}
	return -EAGAIN;
}

static void leave(struct flowner *h)
{
	pthread_rwlock_unlock(&h->lock);
}

/* Not a word about the flow, but that the maps are not to be had: the daemon may still tell. */
static bool maps_closed(int r)
{
	return r == -EPERM || r == -EACCES;
}

/* --- opening --- */

static int copy_options(const struct flowner_options *from, struct flowner_options *o)
{
	*o = (struct flowner_options){ .size = sizeof(*o) };
	if (from) {
		if (from->size < sizeof(*o)) /* the first version: nobody has less */
			return -EINVAL;
		*o = *from;
	}
	if (!o->pin_dir)
		o->pin_dir = PIN_DIR;
	if (!o->socket)
		o->socket = SOCKET;
	if (!o->timeout_ms)
		o->timeout_ms = TIMEOUT_MS;
	return 0;
}

/* Before 5.14 no socket tells the cookie: there a map may, and else the daemon, by inode. */
static void find_own_namespace(struct flowner *h)
{
	socklen_t size = sizeof(h->netns_cookie);
	_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &h->netns_cookie, &size) == 0)
		return;
	h->netns_cookie = 0;
	if (stat("/proc/thread-self/ns/net", &st) == 0)
		h->netns_inum = (__u32)st.st_ino;
	if (h->live.open)
		(void)maps_netns_cookie(&h->live.maps, h->netns_inum, &h->netns_cookie);
}

static void cleanup_handle(struct flowner **h)
{
	flowner_close(*h);
}

static int handle_new(const struct flowner_options *o, struct flowner **ret_handle)
{
	_cleanup_(cleanup_handle) struct flowner *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	pthread_rwlock_init(&h->lock, NULL);
	h->pin_dir = strdup(o->pin_dir);
	if (!h->pin_dir)
		return -ENOMEM;
	r = ask_init(&h->ask, o->socket, o->timeout_ms);
	if (r == 0)
		r = memory_new(&h->memory);
	if (r < 0)
		return r;
	*ret_handle = TAKE_PTR(h);
	return 0;
}

API int flowner_open(const struct flowner_options *options, struct flowner **ret_handle)
{
	_cleanup_(cleanup_handle) struct flowner *h = NULL;
	struct flowner_options o;
	int r, maps;

	r = copy_options(options, &o);
	if (r == 0)
		r = handle_new(&o, &h);
	if (r < 0)
		return r;
	maps = live_open(&h->live, h->pin_dir);
	if (maps == -ESTALE)
		return maps;
	h->look_ns = clock_ns(CLOCK_MONOTONIC_COARSE) + LOOK_NS;
	if (maps < 0) {
		r = ask_hello(&h->ask);
		if (r < 0) /* of two reasons, the one that says more */
			return maps_closed(maps) && r != -ESTALE ? maps : r;
	}
	find_own_namespace(h);
	*ret_handle = TAKE_PTR(h);
	return 0;
}

API void flowner_close(struct flowner *h)
{
	if (!h)
		return;
	live_close(&h->live);
	ask_release(&h->ask);
	memory_free(h->memory);
	pthread_rwlock_destroy(&h->lock);
	free(h->pin_dir);
	free(h);
}

API enum flowner_source flowner_source(struct flowner *h)
{
	struct fl_flow flow;
	int r = enter(h, true);

	if (r < 0)
		return FLOWNER_SOCKET;
	r = maps_get_flow(&h->live.maps, 0, &flow); /* no flow has the id 0 */
	leave(h);
	return r == -ENOENT ? FLOWNER_MAPS : FLOWNER_SOCKET;
}

API const char *flowner_version(void)
{
	return FLOWNER_VERSION;
}

API const char *flowner_strerror(int error)
{
	switch (error < 0 ? -error : error) {
	case 0:
		return "no error";
	case ENOENT:
		return "nobody has it, or it is not known";
	case ECONNREFUSED:
		return "no flownerd runs";
	case EACCES:
	case EPERM:
		return "not permitted: be root, have CAP_BPF, or be a member of the group flowner";
	case ESTALE:
		return "the running flownerd has another layout: use the libflowner it came with";
	case ECONNRESET:
	case ECONNABORTED:
		return "flownerd ended, or was restarted";
	case ETIMEDOUT:
		return "flownerd did not answer in time";
	case EBUSY:
		return "flownerd has too many questions to answer: try again";
	case EPROTO:
		return "the answer is not one of flownerd";
	case EINVAL:
		return "the question makes no sense";
	case ENOMEM:
		return "out of memory";
	default:
		return "a system call failed";
	}
}

/* --- what both sources tell --- */

void flowner_export(const struct fl_flow *f, struct flowner_flow *ret_flow)
{
	*ret_flow = (struct flowner_flow){
		.id = f->id,
		.cookie = f->cookie,
		.session = f->key,
		.owner = f->owner,
		.opened_ns = f->opened_ns,
		.seen_ns = f->seen_ns,
		.ended_ns = f->ended_ns,
		.role = f->role,
		.state = f->state,
		.reason = f->reason,
		.accepted = f->accepted,
		.members = f->members,
		.netns_inum = f->netns_inum,
	};
}

void flowner_seen_as(struct flowner_flow *flow, const struct fl_key *seen)
{
	flow->nat = 1;
	flow->nat_local = seen->local;
	flow->nat_remote = seen->remote;
	flow->nat_local_port = seen->local_port;
	flow->nat_remote_port = seen->remote_port;
}

void flowner_complete_key(const struct flowner *h, const struct fl_key *key, struct fl_key *ret_key)
{
	*ret_key = *key;
	ret_key->pad = 0;
	if (!key->netns_cookie)
		ret_key->netns_cookie = h->netns_cookie;
}

/* Before 5.14 the daemon may know what cookie our namespace has. */
static int around(struct flowner *h, const struct fl_key *key, __u64 at_ns, struct around *ret)
{
	return ask_around(&h->ask, key, key->netns_cookie ? 0 : h->netns_inum, at_ns, ret);
}

static int live_from_daemon(struct flowner *h, const struct fl_key *key, struct fl_flow *ret_flow)
{
	struct around lives = { 0 };
	int r = around(h, key, UINT64_MAX, &lives);

	if (r == 0 && (!lives.has_before || lives.before.ended_ns))
		r = -ENOENT;
	if (r == 0)
		*ret_flow = lives.before;
	return r;
}

/* Asked once a tick of the coarse clock: many misses in a row are as fast as they can be. */
static bool retired_meanwhile(struct flowner *h)
{
	__u64 now = clock_ns(CLOCK_MONOTONIC_COARSE);

	if (__atomic_exchange_n(&h->retired_ns, now, __ATOMIC_RELAXED) == now)
		return false;
	return live_retired(&h->live);
}

/* RET_RETIRED (or NULL): nothing was found, and these are not the maps any more. */
static int find_in_maps(struct flowner *h, const struct fl_key *key, bool look,
			struct fl_flow *ret_flow, bool *ret_retired)
{
	int r = enter(h, look);

	if (r < 0)
		return -EACCES; /* whatever it was: the daemon may tell */
	r = maps_find_quick(&h->live.maps, key, ret_flow);
	if (ret_retired)
		*ret_retired = r == -ENOENT && retired_meanwhile(h);
	leave(h);
	return r;
}

int flowner_live_rung(struct flowner *h, const struct fl_key *key, struct fl_flow *ret_flow)
{
	int r = -EACCES;

	if (key->netns_cookie)
		r = find_in_maps(h, key, false, ret_flow, NULL);
	return maps_closed(r) ? live_from_daemon(h, key, ret_flow) : r;
}

int flowner_live(struct flowner *h, const struct fl_key *key, struct fl_flow *ret_flow)
{
	bool retired = false;
	int r = -EACCES;

	if (key->netns_cookie)
		r = find_in_maps(h, key, false, ret_flow, &retired);
	if (retired)
		r = find_in_maps(h, key, true, ret_flow, NULL);
	return maps_closed(r) ? live_from_daemon(h, key, ret_flow) : r;
}

int flowner_around(struct flowner *h, const struct fl_key *key, __u64 at_ns,
		   struct around *ret_around)
{
	__u64 asked_ns = clock_ns(CLOCK_BOOTTIME);
	struct around lives = { 0 };
	int r;

	if (memory_find(h->memory, key, at_ns, ret_around))
		return 0;
	r = around(h, key, at_ns, &lives);
	if (r < 0 && r != -ENOENT)
		return r;
	memory_add(h->memory, key, &lives, asked_ns);
	*ret_around = lives;
	return 0;
}

API int flowner_find(struct flowner *h, const struct fl_key *key, struct flowner_flow *ret_flow)
{
	struct fl_flow flow;
	struct fl_key k;
	int r;

	flowner_complete_key(h, key, &k);
	r = flowner_live(h, &k, &flow);
	if (r == 0)
		flowner_export(&flow, ret_flow);
	return r;
}

/* --- behind NAT --- */

static bool same_ends(const struct fl_key *a, const struct fl_key *b)
{
	return a->local_port == b->local_port && a->remote_port == b->remote_port &&
	       memcmp(&a->local, &b->local, sizeof(a->local)) == 0 &&
	       memcmp(&a->remote, &b->remote, sizeof(a->remote)) == 0;
}

int flowner_behind(struct flowner *h, const struct fl_key *key, struct fl_flow *ret_flow,
		   bool *ret_nat)
{
	int r = -ENOENT;

	if (key->remote_port)
		r = ask_nat(&h->ask, key, key->netns_cookie ? 0 : h->netns_inum, ret_flow);
	if (r == 0)
		*ret_nat = !same_ends(&ret_flow->key, key);
	return r;
}

API int flowner_find_nat(struct flowner *h, const struct fl_key *key, struct flowner_flow *ret_flow)
{
	int r = flowner_find(h, key, ret_flow);
	struct fl_flow flow;
	struct fl_key k;
	bool nat = false;

	if (r != -ENOENT)
		return r;
	flowner_complete_key(h, key, &k);
	r = flowner_behind(h, &k, &flow, &nat);
	if (r < 0 || flow.ended_ns)
		return r < 0 ? r : -ENOENT;
	flowner_export(&flow, ret_flow);
	if (nat)
		flowner_seen_as(ret_flow, &k);
	return 0;
}

/* --- at a time, by id, by descriptor --- */

API int flowner_find_at(struct flowner *h, const struct fl_key *key, __u64 time_ns,
			struct flowner_flow *ret_flow)
{
	struct around lives;
	struct fl_flow flow;
	struct fl_key k;
	int r;

	flowner_complete_key(h, key, &k);
	r = flowner_live(h, &k, &flow);
	if (r == 0 && flow_lived_at(&flow, time_ns)) {
		flowner_export(&flow, ret_flow);
		return 0;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	r = flowner_around(h, &k, time_ns, &lives);
	if (r == 0 && (!lives.has_before || !flow_lived_at(&lives.before, time_ns)))
		r = -ENOENT;
	if (r == 0)
		flowner_export(&lives.before, ret_flow);
	return r;
}

/* -ENOENT: not live; another error when the maps are closed. */
static int live_by_id(struct flowner *h, __u64 id, struct fl_flow *ret_flow)
{
	int r = enter(h, true);

	if (r < 0)
		return r;
	r = maps_get_flow(&h->live.maps, id, ret_flow);
	leave(h);
	return r;
}

API int flowner_find_id(struct flowner *h, __u64 id, struct flowner_flow *ret_flow)
{
	struct fl_flow flow;
	int r;

	if (!id)
		return -ENOENT;
	r = live_by_id(h, id, &flow);
	if (r < 0)
		r = ask_id(&h->ask, id, &flow, NULL, NULL);
	if (r == 0)
		flowner_export(&flow, ret_flow);
	return r;
}

API int flowner_find_fd(struct flowner *h, int fd, struct flowner_flow *ret_flow)
{
	socklen_t size = sizeof(__u64);
	__u64 cookie;

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) < 0)
		return -errno;
	return flowner_find_id(h, cookie, ret_flow);
}

API int flowner_redirected(int fd, struct fl_redirected *ret_redirected)
{
	struct fl_redirected redirected;
	socklen_t size = sizeof(redirected);

	if (getsockopt(fd, FL_SOL_FLOWNER, FL_SO_REDIRECTED, &redirected, &size) < 0)
		return errno == ENOPROTOOPT || errno == EOPNOTSUPP ? -ENOENT : -errno;
	*ret_redirected = redirected;
	return 0;
}

/* --- what the owner runs --- */

static void export_process(const struct fl_process *p, struct flowner_image *ret)
{
	ret->cgroup_id = p->cgroup_id;
	ret->exe_inode = p->exe_inode;
	ret->exe_dev = p->exe_dev;
	ret->exe_flags = p->exe_flags;
	ret->login_uid = p->login_uid;
	ret->ancestor_count = p->ancestor_count < FL_ANCESTORS ? p->ancestor_count : FL_ANCESTORS;
	memcpy(ret->ancestors, p->ancestors, sizeof(ret->ancestors));
}

/* The lengths are of shared memory that others write: believed within bounds only. */
static void export_text(const struct fl_text *t, struct flowner_image *ret)
{
	if (!t->ready || t->exe_len > FL_EXE_MAX || t->args_len > FL_ARGS_MAX ||
	    t->exe_len + 1 + t->args_len > FL_TEXT_BYTES)
		return;
	ret->exe_len = t->exe_len;
	ret->args_len = t->args_len;
	ret->args_truncated = t->args_truncated;
	memcpy(ret->exe, t->text, t->exe_len);
	memcpy(ret->args, t->text + t->exe_len + 1, t->args_len);
}

static int live_image(struct flowner *h, const struct fl_proc_key *key, struct fl_process *p,
		      struct fl_text *t)
{
	int r = enter(h, false);

	if (r < 0)
		return r;
	r = maps_get_process(&h->live.maps, key, p, t);
	leave(h);
	return r;
}

/*
 * What the daemon knows of KEY, the owner of flow ID: process_text is root's, and of processes that
 * ended nobody else knows. -ENOENT when the flow is by now that of another image.
 */
static int asked_image(struct flowner *h, __u64 id, const struct fl_proc_key *key,
		       struct fl_process *p, struct fl_text *t)
{
	struct fl_flow flow;
	int r = ask_id(&h->ask, id, &flow, p, t);

	if (r == 0 && !fl_proc_equal(&p->key, key))
		r = -ENOENT;
	if (r == 0 && !fl_proc_equal(&t->key, key))
		t->ready = 0;
	return r;
}

API int flowner_find_image(struct flowner *h, const struct flowner_flow *flow,
			   struct flowner_image *ret_image)
{
	const struct fl_proc_key *key = &flow->owner.proc;
	_free_ struct fl_text *text = calloc(2, sizeof(*text));
	struct fl_process
		process[2]; /* of the maps, and of the daemon, who may know less or more */
	int r, from = 0;

	if (!text)
		return -ENOMEM;
	if (!key->pid)
		return -ENOENT;
	r = live_image(h, key, &process[0], &text[0]);
	if (r < 0 || !text[0].ready) {
		int asked = asked_image(h, flow->id, key, &process[1], &text[1]);

		if (asked < 0 && r < 0)
			return asked;
		from = asked == 0;
	}
	memset(ret_image, 0, sizeof(*ret_image));
	ret_image->process = *key;
	export_process(&process[from], ret_image);
	export_text(&text[from], ret_image);
	return 0;
}

/* --- all of them --- */

struct walk {
	int (*fn)(const struct flowner_flow *flow, void *arg);
	void *arg;
	bool begun; /* FN was called: what comes back may be its own word */
};

static int visit(const struct fl_flow *flow, void *arg)
{
	struct walk *w = arg;
	struct flowner_flow f;

	w->begun = true;
	flowner_export(flow, &f);
	return w->fn(&f, w->arg);
}

/* The maps of now, on descriptors of the walk's own: FN may take its time, and ask. */
API int flowner_each(struct flowner *h, int (*fn)(const struct flowner_flow *flow, void *arg),
		     void *arg)
{
	struct walk w = { .fn = fn, .arg = arg };
	struct live live;
	int r = live_open(&live, h->pin_dir);

	if (r == 0) {
		r = maps_each_flow(&live.maps, visit, &w);
		live_close(&live);
		if (w.begun || !maps_closed(r))
			return r;
	}
	return ask_each(&h->ask, visit, &w);
}

API __u64 flowner_from_realtime(__u64 realtime_ns)
{
	return realtime_ns - (__u64)clock_realtime_offset_ns();
}
