/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/track.h"
#include "host/cgroup.h"
#include "text/cleanup.h"
#include "text/clock.h"
#include "host/config.h"
#include "kernel/constants.h"
#include "flowner.skel.h"
#include "kernel/hooks.h"
#include "kernel/layout.h"
#include "host/netns.h"
#include "kernel/pins.h"
#include "kernel/probe.h"
#include "kernel/selftest.h"
#include "flow/skipped.h"
#include "host/sockdiag.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/netlink.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 64

struct track {
	struct flowner_bpf *skel;
	struct pins pins;
	struct maps maps;
	struct bpf_link *links[LINKS_MAX]; /* by row of the hook table */
	struct hooks *hooks;
	int cgroup_fd;
	__u64 shape;   /* see layout.h */
	__u64 skipped; /* runs, already counted */
	bool resumed;
	bool was_there; /* pins of an earlier daemon, not to be removed when we fail */
};

/* What libbpf said last: the refused program, and the verifier's last sentence. */
static struct {
	char program[64];
	char last[256];
	bool by_verifier;
} said;

static void remember_program(const char *line)
{
	const char *start = strstr(line, "prog '");
	const char *end = start ? strchr(start + 6, '\'') : NULL;

	if (end && (size_t)(end - start - 6) < sizeof(said.program))
		snprintf(said.program, sizeof(said.program), "%.*s", (int)(end - start - 6),
			 start + 6);
}

/* The sentence before "processed 123 insns ...", which is the last of the verifier's log. */
static void remember_verdict(char *log)
{
	char *end = strstr(log, "\nprocessed "), *line;

	if (!end)
		return;
	*end = '\0';
	line = strrchr(log, '\n');
	snprintf(said.last, sizeof(said.last), "%.255s", line ? line + 1 : log);
	said.by_verifier = true;
}

/* libbpf talks through this only: what it says becomes part of our one line. */
static int listen_to_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	_free_ char *text = NULL;

	if (level == LIBBPF_DEBUG || vasprintf(&text, format, args) < 0)
		return 0;
	if (strstr(text, "failed to load:")) {
		remember_program(text);
	} else if (strstr(text, "PROG LOAD LOG --")) {
		remember_verdict(text);
	} else if (!said.by_verifier && !said.last[0]) { /* the first is the cause */
		text[strcspn(text, "\n")] = '\0';
		snprintf(said.last, sizeof(said.last), "%.255s", text);
	}
	return 0;
}

/* A pinned map keeps the size it was made with. */
static int size_like_pinned(struct bpf_map *map, const char *path)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	_close_ int fd = bpf_obj_get(path);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	return bpf_map__set_max_entries(map, info.max_entries);
}

/* Before anything of the pinned maps is used. 0 layout: made, but its daemon died at once. */
static int check_layout(struct track *t, struct fail *f)
{
	struct fl_meta meta;
	char path[PATH_MAX];
	_close_ int fd = bpf_obj_get(pins_map_path(&t->pins, "meta", path, sizeof(path)));
	int r;

	t->shape = layout_shape(t->skel->obj);
	if (fd < 0)
		return 0;
	t->was_there = true;
	r = layout_read(fd, &meta);
	if (r < 0)
		return fail(f, r, "cannot read '%s': %s", path, strerror(-r));
	if (!meta.layout)
		return 0;
	if (meta.layout != FL_LAYOUT || meta.shape != t->shape)
		return fail(f, -ESTALE,
			    "'%s' was pinned by a flownerd with another layout (%u-%08x, this one "
			    "has %d-%08x): remove it with 'flownerd --detach'",
			    t->pins.dir, meta.layout, (__u32)meta.shape, FL_LAYOUT,
			    (__u32)t->shape);
	t->resumed = true;
	return 0;
}

static int pin_maps(struct track *t, struct fail *f)
{
	struct bpf_map *map;
	char path[PATH_MAX];
	int r;

	bpf_object__for_each_map(map, t->skel->obj)
	{
		if (bpf_map__is_internal(map))
			continue;
		pins_map_path(&t->pins, bpf_map__name(map), path, sizeof(path));
		r = size_like_pinned(map, path);
		if (!r)
			r = bpf_map__set_pin_path(map, path);
		if (r < 0)
			return fail(f, r, "cannot use the pinned map '%s': %s", path, strerror(-r));
	}
	return 0;
}

static void set_sizes(struct flowner_bpf *s, const struct config *c)
{
	bpf_map__set_max_entries(s->maps.l7_connections, c->limits.flows);
	bpf_map__set_max_entries(s->maps.socket_to_process, c->limits.flows);
	bpf_map__set_max_entries(s->maps.udp_counts, c->limits.flows);
	bpf_map__set_max_entries(s->maps.udp_left, c->limits.flows);
	bpf_map__set_max_entries(s->maps.processes, c->limits.processes);
	bpf_map__set_max_entries(s->maps.process_text, c->limits.processes);
	bpf_map__set_max_entries(s->maps.events, c->limits.ring_bytes);
}

static void set_constants(struct flowner_bpf *s, const struct config *c, __u64 scope)
{
	s->rodata->ring_wake_bytes = c->limits.ring_bytes / 4;
	s->rodata->scope_cgroup_id = scope;
	s->rodata->count_tcp = c->counts != CONFIG_COUNTS_OFF;
	s->rodata->count_udp = c->counts == CONFIG_COUNTS_ALL;
	constants_set(s);
}

static bool sockets_tell_namespace(void)
{
	__u64 cookie = 0;
	__u32 inum;

	return !netns_self(&cookie, &inum) && cookie;
}

/* Which programs are worth loading: the trial says no, or nobody asked for the dear one. */
static void choose(struct track *t, const struct config *c)
{
	for (size_t i = 0; i < hooks_count(t->hooks); i++) {
		struct hook *h = hooks_row(t->hooks, i);
		struct bpf_program *p = bpf_object__find_program_by_name(t->skel->obj, h->program);
		bool wanted = h->probe != FL_PROBE_ACCEPT_SYSCALL ||
			      c->accept == CONFIG_ACCEPT_SYSCALL;
		int r = 0;

		if (hook_is_everywhere(h) && h->status == HOOK_UNUSED && sockets_tell_namespace())
			h->status = HOOK_NEEDLESS;
		if (h->status != HOOK_UNUSED)
			wanted = false;
		if (wanted)
			r = probe_hook(h);
		if (r < 0) {
			h->status = HOOK_REFUSED;
			h->error = -r;
		}
		bpf_program__set_autoload(p, wanted && !r);
	}
}

static int open_object(struct track *t, const struct config *c, __u64 scope, struct fail *f)
{
	int r;

	memset(&said, 0, sizeof(said));
	t->skel = flowner_bpf__open();
	if (!t->skel)
		return fail(f, -errno, "cannot open the BPF object: %s (%s)", strerror(errno),
			    said.last);
	r = check_layout(t, f);
	if (r < 0)
		return r;
	set_sizes(t->skel, c);
	set_constants(t->skel, c, scope);
	choose(t, c);
	return pin_maps(t, f);
}

static struct hook *row_of_program(struct hooks *hooks, const char *program)
{
	for (size_t i = 0; i < hooks_count(hooks); i++) {
		if (!strcmp(hooks_at(hooks, i)->program, program))
			return hooks_row(hooks, i);
	}
	return NULL;
}

/* A program the trial could not foresee is refused: its row says so, the others are loaded. */
static int load_object(struct track *t, const struct config *c, __u64 scope, struct fail *f)
{
	for (;;) {
		struct hook *refused;
		int r = open_object(t, c, scope, f);

		if (r < 0)
			return r;
		memset(&said, 0, sizeof(said));
		r = flowner_bpf__load(t->skel);
		if (!r)
			return 0;
		refused = said.program[0] ? row_of_program(t->hooks, said.program) : NULL;
		if (!refused)
			return fail(f, r, "cannot load the BPF object: %s (%s)", strerror(-r),
				    said.last);
		if (!refused->optional || refused->status == HOOK_REFUSED)
			return fail(f, r, "the kernel refuses the program '%s': %s (%s)",
				    said.program, strerror(-r), said.last);
		refused->status = HOOK_REFUSED;
		refused->error = -r;
		flowner_bpf__destroy(t->skel);
		t->skel = NULL;
	}
}

static void fill_maps(struct track *t)
{
	struct flowner_bpf *s = t->skel;

	t->maps = (struct maps){
		.l7_connections = bpf_map__fd(s->maps.l7_connections),
		.socket_to_process = bpf_map__fd(s->maps.socket_to_process),
		.udp_counts = bpf_map__fd(s->maps.udp_counts),
		.processes = bpf_map__fd(s->maps.processes),
		.process_text = bpf_map__fd(s->maps.process_text),
		.counters = bpf_map__fd(s->maps.counters),
		.netns = bpf_map__fd(s->maps.netns),
		.netns_cookies = bpf_map__fd(s->maps.netns_cookies),
		.config = bpf_map__fd(s->maps.config),
		.fired = bpf_map__fd(s->maps.fired),
		.meta = bpf_map__fd(s->maps.meta),
		.numbers = bpf_map__fd(s->maps.numbers),
		.listeners_counts = bpf_map__fd(s->maps.listeners_counts),
		.end_flow = bpf_program__fd(s->progs.end_flow),
	};
}

/* Nobody watches and no test runs yet, whatever a killed daemon left behind. */
static void reset(struct fl_config *config, void *arg)
{
	(void)arg;
	config->watched = 0;
	config->selftest_pid = 0;
	config->walker = (__u32)getpid();
}

/*
 * Numbered ids begin at the time: nobody gives a thousand million of them in a second, so none that
 * a daemon before this one gave, whose maps are gone, comes again.
 */
static int begin_numbers(const struct track *t)
{
	struct {
		__u32 lock, pad;
		__u64 last;
	} numbers = { .last = clock_ns(CLOCK_BOOTTIME) }; /* struct fl_numbers */
	__u32 zero = 0;

	if (t->resumed)
		return 0;
	return bpf_map_update_elem(t->maps.numbers, &zero, &numbers, BPF_ANY) < 0 ? -errno : 0;
}

/* Before the self-test: whoever comes next can tell what was only that. */
static int stamp(struct track *t)
{
	struct fl_meta meta = {
		.layout = FL_LAYOUT,
		.shape = t->shape,
		.seeded_ns = clock_ns(CLOCK_BOOTTIME),
	};
	__u32 zero = 0;
	int r;

	if (t->resumed && bpf_map_lookup_elem(t->maps.meta, &zero, &meta) < 0)
		return -errno;
	meta.life[meta.lives++ % FL_LIVES] = (struct fl_life_span){
		.started_ns = clock_ns(CLOCK_BOOTTIME), .pid = (__u32)getpid()
	};
	if (bpf_map_update_elem(t->maps.meta, &zero, &meta, BPF_ANY) < 0)
		return -errno;
	t->maps.seeded_ns = meta.seeded_ns;
	r = begin_numbers(t);
	return r < 0 ? r : maps_configure(&t->maps, reset, NULL);
}

static void publish(struct track *t, const char *group)
{
	static const char *const readable[] = { "l7_connections", "socket_to_process", "processes",
						"meta", "netns" };

	for (size_t i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
		(void)pins_publish(&t->pins, readable[i], group);
}

/* Where every socket() of this machine, or container, passes. */
static struct bpf_link *attach_everywhere(struct bpf_program *p)
{
	_free_ char *root = NULL;
	_close_ int fd = -1;
	int r = cgroup_mount(&root);

	if (r < 0) {
		errno = -r;
		return NULL;
	}
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? NULL : bpf_program__attach_cgroup(p, fd);
}

static int attach_row(struct track *t, size_t i)
{
	const struct hook *h = hooks_at(t->hooks, i);
	struct bpf_program *p = bpf_object__find_program_by_name(t->skel->obj, h->program);
	struct bpf_link *link;

	if (h->status != HOOK_UNUSED || bpf_program__fd(p) < 0)
		return h->error ? -h->error : -ENOENT;
	if (hook_is_iterator(h))
		link = bpf_program__attach_iter(p, NULL);
	else if (hook_is_everywhere(h))
		link = attach_everywhere(p);
	else if (hook_is_cgroup(h))
		link = bpf_program__attach_cgroup(p, t->cgroup_fd);
	else
		link = bpf_program__attach(p);
	if (!link)
		return -errno;
	t->links[i] = link;
	return 0;
}

static void detach_row(struct track *t, size_t i, enum hook_status status, int error)
{
	struct hook *h = hooks_row(t->hooks, i);

	bpf_link__destroy(t->links[i]);
	t->links[i] = NULL;
	if (h->status == HOOK_OFF)
		return;
	h->status = status;
	h->error = error;
}

/*
 * 1 the kernel calls it, 0 it does not. Where the test cannot be made attaching is all the proof
 * there is: none for an LSM program, and a negative errno says why.
 */
static int is_called(const struct track *t, const struct hook *h)
{
	int fires = h->probe == HOOK_NO_PROBE ? 1 : selftest_fires(&t->maps, h->probe);

	return fires < 0 && !hook_is_lsm(h) ? 1 : fires;
}

/* Rows [FROM, TO) are one rank of one moment: all or none. 1 on, 0 off. */
static int attach_rank(struct track *t, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		int r = attach_row(t, i);

		if (r < 0) {
			for (size_t j = from; j < to; j++)
				detach_row(t, j, HOOK_REFUSED, -r);
			return 0;
		}
	}
	for (size_t i = from; i < to; i++) {
		int called = is_called(t, hooks_at(t->hooks, i));

		if (called > 0)
			continue;
		for (size_t j = from; j < to; j++)
			detach_row(t, j, HOOK_SILENT, -called);
		return 0;
	}
	for (size_t i = from; i < to; i++)
		hooks_row(t->hooks, i)->status = HOOK_ON;
	return 1;
}

static bool same_moment(const struct hooks *h, size_t a, size_t b)
{
	return !strcmp(hooks_at(h, a)->moment, hooks_at(h, b)->moment);
}

/* The rows of one moment, from FROM on; *RET_NEXT is the first of the next. */
static int attach_moment(struct track *t, size_t from, size_t *ret_next, struct fail *f)
{
	size_t rows = hooks_count(t->hooks), i = from, next = from;
	int on = 0;

	while (next < rows && same_moment(t->hooks, from, next))
		next++;
	while (i < next && !on) {
		size_t to = i;

		while (to < next && hooks_at(t->hooks, to)->rank == hooks_at(t->hooks, i)->rank)
			to++;
		if (hooks_at(t->hooks, i)->status != HOOK_REFUSED &&
		    bpf_program__fd(bpf_object__find_program_by_name(
			    t->skel->obj, hooks_at(t->hooks, i)->program)) >= 0)
			on = attach_rank(t, i, to);
		i = to;
	}
	*ret_next = next;
	if (on || hooks_at(t->hooks, from)->optional)
		return 0;
	return fail(f, -EOPNOTSUPP, "cannot attach '%s' to '%s': %s",
		    hooks_at(t->hooks, from)->program, hooks_at(t->hooks, from)->attach,
		    strerror(hooks_at(t->hooks, from)->error));
}

static int pass_over(const struct sockdiag_socket *s, void *arg)
{
	(void)s;
	(void)arg;
	return 0;
}

/*
 * Where cookies are made on demand: a namespace has one from here on, and with LIST_SOCKETS (a
 * bool) all its sockets. What cannot be entered is passed over.
 */
static int give_cookies(const char *path, __u32 inum, void *list_sockets)
{
	_close_ int fd = -1;
	__u64 cookie;

	(void)inum;
	if (netns_socket(path, NETLINK_SOCK_DIAG, &fd, &cookie) == 0 && *(bool *)list_sockets)
		(void)sockdiag_each(fd, pass_over, NULL);
	return 0;
}

static int attach_all(struct track *t, struct fail *f)
{
	size_t i = 0, from;
	bool list = false;

	while (i < hooks_count(t->hooks)) {
		int r;

		from = i;
		r = attach_moment(t, from, &i, f);
		if (r < 0)
			return r;
		if (hook_is_everywhere(hooks_at(t->hooks, from)) && t->links[from])
			(void)netns_each(give_cookies, &list); /* before a key is made */
	}
	return 0;
}

/*
 * Under a new name first, then over the old: there is always one that holds a program. No dots in
 * the name: bpffs refuses them.
 */
static int pin_link(struct track *t, size_t i, struct fail *f)
{
	struct hook *h = hooks_row(t->hooks, i);
	char path[PATH_MAX], fresh[PATH_MAX];
	int r;

	snprintf(fresh, sizeof(fresh), "%s/links/%s-new", t->pins.dir, h->program);
	pins_link_path(&t->pins, h->program, path, sizeof(path));
	unlink(fresh);
	if (bpf_obj_pin(bpf_link__fd(t->links[i]), fresh) < 0) {
		h->unpinned = errno == EINVAL && hook_is_kprobe(h); /* no link before 5.15 */
		if (h->unpinned)
			return 0;
		return fail(f, -errno, "cannot pin '%s': %s", fresh, strerror(errno));
	}
	unlink(path);
	r = rename(fresh, path) < 0 ? -errno : 0;
	return r < 0 ? fail(f, r, "cannot pin '%s': %s", path, strerror(-r)) : 0;
}

static bool is_current(const char *name, void *arg)
{
	struct track *t = arg;

	for (size_t i = 0; i < hooks_count(t->hooks); i++) {
		if (t->links[i] && !strcmp(hooks_at(t->hooks, i)->program, name))
			return true;
	}
	return false;
}

/* By a kprobe, and before 5.11, the datagram says whose it is, and not what recvmsg has noted. */
static void set_takes(struct fl_config *config, void *arg)
{
	struct track *t = arg;

	config->takes = t->skel->rodata->can_tracing_socket &&
			(is_current("touch_recv", t) || is_current("take_fentry", t));
}

static int pin_links(struct track *t, struct fail *f)
{
	for (size_t i = 0; i < hooks_count(t->hooks); i++) {
		int r;

		if (!t->links[i] || hook_is_iterator(hooks_at(t->hooks, i)))
			continue;
		r = pin_link(t, i, f);
		if (r < 0)
			return r;
	}
	return pins_drop_links(&t->pins, is_current, t);
}

static int start(struct track *t, const struct config *c, __u64 scope, struct fail *f)
{
	int r;

	r = probe_kernel(f);
	if (r < 0)
		return r;
	r = pins_open(&t->pins, c->pin_dir, c->group, f);
	if (r < 0)
		return r;
	r = load_object(t, c, scope, f);
	if (r < 0)
		return r;
	fill_maps(t);
	publish(t, c->group);
	r = stamp(t);
	if (r < 0)
		return fail(f, r, "cannot write the map 'meta': %s", strerror(-r));
	r = attach_all(t, f);
	if (r < 0)
		return r;
	r = maps_configure(&t->maps, set_takes, t);
	if (r < 0)
		return fail(f, r, "cannot write the map 'config': %s", strerror(-r));
	return pin_links(t, f);
}

int track_open(const struct config *config, const char *cgroup, __u64 scope, struct hooks *hooks,
	       struct track **ret_track, struct fail *f)
{
	struct track *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return fail(f, -ENOMEM, "out of memory");
	libbpf_set_print(listen_to_libbpf);
	t->hooks = hooks;
	t->pins.lock = -1;
	t->cgroup_fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->cgroup_fd < 0)
		r = fail(f, -errno, "cannot open the cgroup '%s': %s", cgroup, strerror(errno));
	else
		r = start(t, config, scope, f);
	if (r < 0) {
		track_close(t, !t->was_there);
		return r;
	}
	*ret_track = t;
	return 0;
}

void track_close(struct track *t, bool detach)
{
	if (!t)
		return;
	for (size_t i = 0; i < LINKS_MAX; i++)
		bpf_link__destroy(t->links[i]);
	flowner_bpf__destroy(t->skel);
	if (detach && t->pins.lock >= 0)
		(void)pins_remove(&t->pins);
	pins_close(&t->pins);
	if (t->cgroup_fd >= 0)
		close(t->cgroup_fd);
	free(t);
}

/* An iterator does its work while somebody reads it. */
static int iteration_read(int fd)
{
	char buf[4096];
	ssize_t n;

	do {
		n = read(fd, buf, sizeof(buf));
	} while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	return n < 0 ? -errno : 0;
}

/* A namespace that cannot be entered, or went away meanwhile, is no reason to stop. */
static int iterate_in(const char *path, __u32 inum, void *link)
{
	_close_ int fd = -1;

	(void)inum;
	if (netns_iterator(path, bpf_link__fd(link), &fd) == 0)
		(void)iteration_read(fd);
	return 0;
}

/* A TCP iterator shows the namespace it is made in. */
static int iterate(const struct hook *h, struct bpf_link *link)
{
	_close_ int fd = -1;

	if (!strcmp(h->attach, "iter/tcp"))
		return netns_each(iterate_in, link);
	fd = bpf_iter_create(bpf_link__fd(link));
	return fd < 0 ? -errno : iteration_read(fd);
}

static void set_walked(struct fl_config *config, void *arg)
{
	(void)arg;
	config->walked = 1;
}

static void set_seeded(struct fl_config *config, void *arg)
{
	(void)arg;
	config->seeded = 1; /* the next reconciliation knows better */
}

/* What one walk has noted for the other. */
static void empty(const struct bpf_map *map)
{
	int fd = bpf_map__fd(map);
	__u64 key;

	while (bpf_map_get_next_key(fd, NULL, &key) == 0 && bpf_map_delete_elem(fd, &key) == 0)
		;
}

int track_seed(struct track *t)
{
	__u64 before = 0, after = 0;
	bool list = true;
	int r;

	if (!t->skel->rodata->can_tracing_socket)
		(void)netns_each(give_cookies, &list);
	r = maps_configure(&t->maps, set_seeded, NULL);
	if (!r)
		r = maps_counter(&t->maps, FL_CNT_SEEDED, &before);
	for (size_t i = 0; !r && i < hooks_count(t->hooks); i++) {
		if (t->links[i] && hook_is_seed(hooks_at(t->hooks, i)))
			r = iterate(hooks_at(t->hooks, i), t->links[i]);
	}
	empty(t->skel->maps.held_connections);
	if (!r)
		r = maps_configure(&t->maps, set_walked, NULL);
	if (!r)
		r = maps_counter(&t->maps, FL_CNT_SEEDED, &after);
	return r < 0 ? r : (int)(after - before);
}

int track_iterates(const struct track *t)
{
	for (size_t i = 0; i < hooks_count(t->hooks); i++) {
		_close_ int fd = -1;

		if (!t->links[i] || !hook_is_iterator(hooks_at(t->hooks, i)))
			continue;
		fd = bpf_iter_create(bpf_link__fd(t->links[i]));
		if (fd < 0)
			return -errno;
	}
	return 0;
}

int track_holders(const struct track *t, __u64 **ret_wanted)
{
	for (size_t i = 0; i < hooks_count(t->hooks); i++) {
		if (!t->links[i] || strcmp(hooks_at(t->hooks, i)->program, "find_holders") != 0)
			continue;
		*ret_wanted = t->skel->bss->wanted_sockets;
		return bpf_link__fd(t->links[i]);
	}
	return -EOPNOTSUPP;
}

void track_count_skipped(struct track *t)
{
	__u64 skipped = 0;

	for (size_t i = 0; i < hooks_count(t->hooks); i++)
		if (t->links[i])
			skipped += skipped_runs(bpf_object__find_program_by_name(
				t->skel->obj, hooks_at(t->hooks, i)->program));
	if (skipped <= t->skipped)
		return;
	if (!maps_count(&t->maps, FL_CNT_RUNS_SKIPPED, skipped - t->skipped))
		t->skipped = skipped;
}

bool track_resumed(const struct track *t)
{
	return t->resumed;
}

struct maps *track_maps(struct track *t)
{
	return &t->maps;
}

int track_ring(const struct track *t)
{
	return bpf_map__fd(t->skel->maps.events);
}

int track_remove_pins(const char *pin_dir, struct fail *f)
{
	struct pins p;
	int r;

	if (access(pin_dir, F_OK) < 0)
		return 0;
	r = pins_open(&p, pin_dir, NULL, f);
	if (r < 0)
		return r;
	r = pins_remove(&p);
	pins_close(&p);
	return r < 0 ? fail(f, r, "cannot remove '%s': %s", pin_dir, strerror(-r)) : 0;
}
