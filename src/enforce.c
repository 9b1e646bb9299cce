/* SPDX-License-Identifier: BSD-2-Clause */
#include "enforce.h"
#include "cleanup.h"
#include "compile.h"
#include "policymaps.h"
#include "verdict.skel.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROGRAMS 4 /* of one row */

/* clang-format off */
static const struct enforce_row table[] = {
	{ .hook = FL_HOOK_BIND, .attach = "cgroup/bind, cgroup/post_bind",
	  .programs = { "verdict_bind4", "verdict_bind6", "verdict_post_bind4",
			"verdict_post_bind6" },
	  .sees = "bind() fails: EACCES", .sees_eperm = "bind() fails: EPERM",
	  .limit = "connect(), listen() and sendto() on a socket that was not bound choose a port "
		   "unseen" },
	{ .hook = FL_HOOK_LISTEN, .attach = "fmod_ret/security_socket_listen",
	  .programs = { "listen_fmod" }, .sees = "listen() fails: EACCES", .tested = true },
	{ .hook = FL_HOOK_LISTEN, .attach = "lsm/socket_listen",
	  .programs = { "listen_lsm" }, .sees = "listen() fails: EACCES", .tested = true },
	{ .hook = FL_HOOK_LISTEN, .attach = "sockops, cgroup_skb/ingress",
	  .programs = { "listen_late", "listen_late_arrival" }, .late = true,
	  .sees = "listen() succeeds, accept() fails a moment later: EINVAL",
	  .limit = "it listens for a moment, and nobody gets through to it" },
	{ .hook = FL_HOOK_CONNECT, .attach = "cgroup/connect, cgroup/sendmsg",
	  .programs = { "verdict_connect4", "verdict_connect6", "verdict_sendmsg4",
			"verdict_sendmsg6" },
	  .sees = "connect() or sendto() fails: EACCES",
	  .sees_eperm = "connect() or sendto() fails: EPERM" },
	{ .hook = FL_HOOK_RECV_ACCEPT, .attach = "cgroup_skb/ingress",
	  .programs = { "verdict_recv_accept" },
	  .sees = "nothing; the other end gets no answer" },
};
/* clang-format on */

#define ROWS (sizeof(table) / sizeof(table[0]))

struct enforce {
	int cgroup_fd; /* not ours */
	__u64 scope;
	char pin_dir[PATH_MAX];
	struct verdict_bpf *skel; /* NULL while there is no policy */
	struct policymaps maps;
	struct enforce_row rows[ROWS];
	struct bpf_link *links[ROWS][PROGRAMS];
	__u64 generation;
	__u32 slot;
};

int enforce_new(int cgroup_fd, __u64 scope, const char *pin_dir, struct enforce **ret_enforce)
{
	struct enforce *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->cgroup_fd = cgroup_fd;
	e->scope = scope;
	snprintf(e->pin_dir, sizeof(e->pin_dir), "%s", pin_dir);
	memcpy(e->rows, table, sizeof(table));
	*ret_enforce = e;
	return 0;
}

void enforce_free(struct enforce *e)
{
	if (!e)
		return;
	enforce_clear(e);
	free(e);
}

size_t enforce_row_count(void)
{
	return ROWS;
}

const struct enforce_row *enforce_row(const struct enforce *e, size_t i)
{
	return &e->rows[i];
}

__u64 enforce_generation(const struct enforce *e)
{
	return e->skel ? e->generation : 0;
}

int enforce_hits(const struct enforce *e, __u32 rule, __u64 *ret_hits)
{
	return e->skel ? policymaps_hits(&e->maps, e->slot, rule, ret_hits) : -ENOENT;
}

/* --- loading --- */

/* The maps of the tracking programs are theirs: what is pinned under the same name is shared. */
static int share_maps(const struct enforce *e, struct verdict_bpf *skel)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, skel->obj)
	{
		char path[PATH_MAX + 64];
		_close_ int fd = -1;
		int r;

		if (bpf_map__is_internal(map))
			continue;
		snprintf(path, sizeof(path), "%s/%s", e->pin_dir, bpf_map__name(map));
		fd = bpf_obj_get(path);
		if (fd < 0)
			continue;
		r = bpf_map__reuse_fd(map, fd);
		if (r < 0)
			return r;
	}
	return 0;
}

static __u32 ring_bytes(const struct verdict_bpf *skel)
{
	return bpf_map__max_entries(skel->maps.events);
}

/* Since 5.18; before, a cgroup's hook that denies is EPERM. */
static bool can_set_retval(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_FUNC_set_retval, NULL) ==
	       1;
}

static void say_what_is_seen(struct enforce *e, bool chooses_error)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (table[i].sees_eperm)
			e->rows[i].sees = chooses_error ? table[i].sees : table[i].sees_eperm;
	}
}

/* With the rows of which the kernel has not yet refused to load one. */
static int try_load(struct enforce *e, struct verdict_bpf **ret_skel)
{
	struct verdict_bpf *skel = verdict_bpf__open();
	int r;

	if (!skel)
		return errno ? -errno : -ENOMEM;
	r = share_maps(e, skel);
	if (r < 0) {
		verdict_bpf__destroy(skel);
		return r;
	}
	skel->rodata->verdict_scope = e->scope;
	skel->rodata->ring_wake_bytes = ring_bytes(skel) / 4;
	skel->rodata->can_set_retval = can_set_retval();
	say_what_is_seen(e, skel->rodata->can_set_retval);
	for (size_t i = 0; i < ROWS; i++) {
		if (e->rows[i].status == ENFORCE_REFUSED)
			bpf_program__set_autoload(
				bpf_object__find_program_by_name(skel->obj, e->rows[i].programs[0]),
				false);
	}
	r = verdict_bpf__load(skel);
	if (r < 0) {
		verdict_bpf__destroy(skel);
		return r;
	}
	*ret_skel = skel;
	return 0;
}

/* What may be refused is tried with the rest: the best way first, then without it. */
static int load(struct enforce *e, struct fail *f)
{
	int r = try_load(e, &e->skel);

	for (size_t i = 0; r < 0 && i < ROWS; i++) {
		if (!e->rows[i].tested || e->rows[i].status == ENFORCE_REFUSED)
			continue;
		e->rows[i].status = ENFORCE_REFUSED;
		e->rows[i].error = -r;
		r = try_load(e, &e->skel);
	}
	if (!r)
		r = e->skel ? policymaps_find(e->skel->obj, &e->maps) : -EIO;
	if (r < 0)
		return fail(f, r, "cannot load the programs with verdicts: %s", strerror(-r));
	e->slot = FL_POLICY_SLOTS - 1; /* the first goes to slot 0 */
	return 0;
}

/* --- attaching --- */

static struct bpf_program *program(const struct enforce *e, size_t row, size_t i)
{
	const char *name = e->rows[row].programs[i];

	return name ? bpf_object__find_program_by_name(e->skel->obj, name) : NULL;
}

static void detach(struct enforce *e, size_t row)
{
	for (size_t i = 0; i < PROGRAMS; i++) {
		bpf_link__destroy(e->links[row][i]);
		e->links[row][i] = NULL;
	}
	if (e->rows[row].status == ENFORCE_ON)
		e->rows[row].status = ENFORCE_UNUSED;
}

static bool is_cgroup(const struct bpf_program *p)
{
	enum bpf_prog_type type = bpf_program__type(p);

	return type != BPF_PROG_TYPE_TRACING && type != BPF_PROG_TYPE_LSM;
}

static int attach(struct enforce *e, size_t row)
{
	for (size_t i = 0; i < PROGRAMS && e->rows[row].programs[i]; i++) {
		struct bpf_program *p = program(e, row, i);

		if (!p || bpf_program__fd(p) < 0)
			return -EOPNOTSUPP;
		e->links[row][i] = is_cgroup(p) ? bpf_program__attach_cgroup(p, e->cgroup_fd)
						: bpf_program__attach(p);
		if (!e->links[row][i])
			return -errno;
	}
	return 0;
}

/* A listen() of ours that the program is told to deny. */
static bool denies(struct enforce *e)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool denied;

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0)
		return false;
	if (policymaps_selftest(&e->maps, (__u32)getpid()) < 0)
		return false;
	denied = listen(fd, 1) < 0 && errno == EACCES;
	return policymaps_selftest(&e->maps, 0) == 0 && denied;
}

/* 1 on, 0 not: the row says why. */
static int attach_row(struct enforce *e, size_t row)
{
	struct enforce_row *r = &e->rows[row];
	int error;

	if (r->status == ENFORCE_ON)
		return 1;
	if (r->status == ENFORCE_REFUSED || r->status == ENFORCE_SILENT)
		return 0;
	error = attach(e, row);
	if (!error && (!r->tested || denies(e))) {
		r->status = ENFORCE_ON;
		return 1;
	}
	detach(e, row);
	r->status = error ? ENFORCE_REFUSED : ENFORCE_SILENT;
	r->error = -error;
	return 0;
}

static int attach_hook(struct enforce *e, enum fl_hook hook, bool late_allowed, struct fail *f)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (table[i].hook != hook)
			continue;
		if (table[i].late && !late_allowed)
			return fail(
				f, -EOPNOTSUPP,
				"this kernel can only deny after the fact (%s): a rule must say "
				"allow_async: true",
				table[i].sees);
		if (attach_row(e, i))
			return 0;
	}
	return fail(f, -EOPNOTSUPP, "this kernel has no way to judge at this hook");
}

static void detach_all_but(struct enforce *e, __u32 hooks)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (!(hooks >> table[i].hook & 1))
			detach(e, i);
	}
}

static __u32 hooks_on(const struct enforce *e)
{
	__u32 hooks = 0;

	for (size_t i = 0; i < ROWS; i++) {
		if (e->rows[i].status == ENFORCE_ON)
			hooks |= 1u << table[i].hook;
	}
	return hooks;
}

/* The policy is in its slot before a program may ask for it, and is used when all of them can. */
int enforce_load(struct enforce *e, const struct compiled *c, __u32 hooks, bool fail_closed,
		 bool late_allowed, struct fail *f)
{
	__u32 before = hooks_on(e), slot;
	int r = e->skel ? 0 : load(e, f);

	if (r < 0)
		return r;
	if (!before) /* while the programs are attached one by one, none of them says no */
		(void)policymaps_use(&e->maps, FL_POLICY_NONE, fail_closed, (__u32)getpid());
	slot = (e->slot + 1) % FL_POLICY_SLOTS;
	r = policymaps_write(&e->maps, slot, e->generation + 1, c);
	if (r < 0)
		(void)fail(f, r, "cannot write the policy: %s", strerror(-r));
	for (enum fl_hook hook = 0; !r && hook < FL_HOOKS; hook++) {
		if (hooks >> hook & 1)
			r = attach_hook(e, hook, late_allowed, f);
	}
	if (!r) {
		r = policymaps_use(&e->maps, slot, fail_closed, (__u32)getpid());
		if (r < 0)
			(void)fail(f, r, "cannot write the policy: %s", strerror(-r));
	}
	if (r < 0) {
		detach_all_but(e, before);
		if (!before)
			enforce_clear(e);
		return r;
	}
	e->slot = slot;
	e->generation++;
	detach_all_but(e, hooks);
	return 0;
}

/* A class before the value that names it. */
int enforce_change(struct enforce *e, const struct fl_policy_key *key, __u32 class,
		   const struct fl_rule_set *set, bool gone)
{
	struct fl_policy_key in_use = *key;
	int r = 0;

	if (!e->skel)
		return -ENOENT;
	in_use.slot = e->slot;
	if (gone)
		return policymaps_remove_value(&e->maps, &in_use);
	if (set)
		r = policymaps_set_class(&e->maps, e->slot, class, set);
	return r ? r : policymaps_set_value(&e->maps, &in_use, class);
}

void enforce_clear(struct enforce *e)
{
	detach_all_but(e, 0);
	verdict_bpf__destroy(e->skel);
	e->skel = NULL;
}
