/* SPDX-License-Identifier: BSD-2-Clause */
#include "enforce.h"
#include "cleanup.h"
#include "compile.h"
#include "hooks.h"
#include "kept.h"
#include "layout.h"
#include "maps.h"
#include "pins.h"
#include "policyhits.h"
#include "policylinks.h"
#include "policymaps.h"
#include "probe.h"
#include "prohibit.h"
#include "skipped.h"
#include "verdict.skel.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The first way that this kernel has is taken. LSM comes before fmod_ret: it is never skipped. */
/* clang-format off */
static const struct enforce_row table[] = {
	{ .hook = FL_HOOK_BIND, .attach = "cgroup/bind, cgroup/post_bind",
	  .programs = { "verdict_bind4", "verdict_bind6", "verdict_post_bind4",
			"verdict_post_bind6", "verdict_unbind" },
	  .sees = "bind() fails: EACCES", .sees_eperm = "bind() fails: EPERM",
	  .limit = "connect(), listen() and sendto() on a socket that was not bound choose a port "
		   "unseen" },
	{ .hook = FL_HOOK_LISTEN, .attach = "lsm/socket_listen",
	  .programs = { "listen_lsm" }, .sees = "listen() fails: EACCES", .tested = true },
	{ .hook = FL_HOOK_LISTEN, .attach = "fmod_ret/security_socket_listen",
	  .programs = { "listen_fmod" }, .sees = "listen() fails: EACCES", .tested = true,
	  .limit = "a kernel that preempts lets a listen() pass while another one's verdict waits "
		   "for its CPU" },
	{ .hook = FL_HOOK_LISTEN, .attach = "sockops, cgroup_skb/ingress",
	  .programs = { "listen_late", "listen_late_arrival" }, .late = true,
	  .sees = "listen() succeeds, accept() fails a moment later: EINVAL",
	  .limit = "it listens for a moment, and nobody gets through to it" },
	{ .hook = FL_HOOK_CONNECT, .attach = "cgroup/connect, cgroup/sendmsg",
	  .programs = { "verdict_connect4", "verdict_connect6", "verdict_sendmsg4",
			"verdict_sendmsg6" },
	  .sees = "connect() or sendto() fails: EACCES",
	  .sees_eperm = "connect() or sendto() fails: EPERM" },
	{ .hook = FL_HOOK_CONNECT_AUTHORIZATION, .attach = "sockops, cgroup_skb/egress",
	  .programs = { "authorize_connect", "authorize_packet" },
	  .sees = "sending a datagram fails: EPERM; connect() of TCP fails: EHOSTUNREACH",
	  .limit = "the first connect() of TCP in a network namespace, and any to an address of "
		   "the machine itself, fails by the kernel's timer: ETIMEDOUT, after some of its "
		   "ticks" },
	{ .hook = FL_HOOK_RECV_ACCEPT, .attach = "cgroup_skb/ingress",
	  .programs = { "verdict_recv_accept" },
	  .sees = "nothing; the other end gets no answer" },
};
/* clang-format on */

#define ROWS (sizeof(table) / sizeof(table[0]))

/* Who tells of cgroups that come and go, where a rule names any. */
static const char *const census[] = { "cgroup_born", "cgroup_gone" };

#define CENSUS (sizeof(census) / sizeof(census[0]))

/* Who tells both ends of a redirected connection where it was to go. Once attached they stay as
 * long as there is a policy: a connection may outlive the one it was redirected by. */
static const char *const guides[] = {
	"redirect_sockops",	 "redirect_getsockopt", "redirect_getpeername4",
	"redirect_getpeername6", "redirect_recvmsg4",	"redirect_recvmsg6",
};

#define GUIDES (sizeof(guides) / sizeof(guides[0]))

/* Who tells that a listen() has failed for which a place was taken, see limit.bpf.h. Where it
 * cannot be had the thread's next listen() tells, or its end. */
static const struct hook failed_listen = { .attach = "fexit/inet_listen",
					   .program = "listen_done" };

struct enforce {
	__u64 scope;
	char pin_dir[PATH_MAX - 32], dir[PATH_MAX - 16], links_dir[PATH_MAX];
	struct verdict_bpf *skel; /* NULL while there is no policy */
	struct policymaps maps;
	struct policyhits hits;
	struct policylinks links;
	struct prohibit prohibit;
	struct enforce_row rows[ROWS];
	struct fl_policy_kept kept;
	__u64 shape; /* see layout.h */
	__u64 generation;
	__u64 skipped; /* runs of these programs, counted as FL_CNT_VERDICT_SKIPPED already */
	__u32 slot, area;
	bool census;	/* some rule names cgroups */
	bool no_census; /* this kernel refuses those programs */
	bool guides;
	bool limits; /* a rule has one */
	bool deaf;   /* failed_listen is forbidden */
};

bool enforce_may_forbid(const char *word, size_t len)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (table[i].tested && hook_is_named(table[i].attach, word, len))
			return true;
	}
	return hook_is_named(failed_listen.attach, word, len);
}

static void forbid(struct enforce *e, const struct hooks *hooks)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (table[i].tested && hooks_forbids(hooks, table[i].attach))
			e->rows[i].status = HOOK_OFF;
	}
	e->deaf = hooks_forbids(hooks, failed_listen.attach);
}

int enforce_new(int cgroup_fd, __u64 scope, const char *pin_dir, const struct prohibit_mark *mark,
		const struct hooks *hooks, struct enforce **ret_enforce)
{
	struct enforce *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->scope = scope;
	snprintf(e->pin_dir, sizeof(e->pin_dir), "%s", pin_dir);
	snprintf(e->dir, sizeof(e->dir), "%s/" PINS_POLICY, e->pin_dir);
	snprintf(e->links_dir, sizeof(e->links_dir), "%s/links", e->dir);
	e->links.cgroup_fd = cgroup_fd;
	e->links.dir = e->links_dir;
	e->prohibit.mark = *mark;
	memcpy(e->rows, table, sizeof(table));
	forbid(e, hooks);
	*ret_enforce = e;
	return 0;
}

void enforce_free(struct enforce *e, bool keep)
{
	if (!e)
		return;
	if (!keep)
		enforce_clear(e);
	policylinks_release(&e->links);
	prohibit_release(&e->prohibit);
	verdict_bpf__destroy(e->skel);
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

bool enforce_redirects(const struct enforce *e)
{
	return e->guides;
}

bool enforce_limits(const struct enforce *e)
{
	return e->limits;
}

bool enforce_locks(const struct enforce *e)
{
	return e->skel && e->skel->rodata->can_lock;
}

bool enforce_holds_places(const struct enforce *e)
{
	bool early = false;

	for (size_t i = 0; i < ROWS; i++)
		early |= table[i].tested && e->rows[i].status == HOOK_ON;
	return e->limits && early && !bpf_program__autoload(e->skel->progs.listen_done);
}

void enforce_rejected_in(struct enforce *e, __u64 netns_cookie, __u32 netns_inum)
{
	prohibit_in(&e->prohibit, netns_cookie, netns_inum);
}

int enforce_prohibits(const struct enforce *e)
{
	return e->prohibit.error;
}

__u64 enforce_generation(const struct enforce *e)
{
	return e->skel ? e->generation : 0;
}

int enforce_hits(const struct enforce *e, __u32 rule, __u64 *ret_hits)
{
	return e->skel ? policyhits_of(&e->hits, &e->maps, e->area, rule, ret_hits) : -ENOENT;
}

void enforce_count_skipped(struct enforce *e, const struct maps *m)
{
	__u64 skipped = 0;

	for (size_t i = 0; e->skel && i < ROWS; i++)
		skipped += skipped_runs(
			bpf_object__find_program_by_name(e->skel->obj, table[i].programs[0]));
	if (skipped > e->skipped && !maps_count(m, FL_CNT_VERDICT_SKIPPED, skipped - e->skipped))
		e->skipped = skipped;
}

/* --- loading --- */

/* The maps of the tracking programs are theirs: what is pinned there under the same name is shared.
 * Ours are pinned, and those of an earlier daemon used. */
static int find_maps(const struct enforce *e, struct verdict_bpf *skel)
{
	struct bpf_map *map;
	char path[PATH_MAX];
	int r = 0;

	bpf_object__for_each_map(map, skel->obj)
	{
		_close_ int fd = -1;

		if (bpf_map__is_internal(map))
			continue;
		snprintf(path, sizeof(path), "%s/%s", e->pin_dir, bpf_map__name(map));
		fd = bpf_obj_get(path);
		if (fd >= 0) {
			r = bpf_map__reuse_fd(map, fd);
		} else {
			snprintf(path, sizeof(path), "%s/%s", e->dir, bpf_map__name(map));
			r = bpf_map__set_pin_path(map, path);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static __u32 ring_bytes(const struct verdict_bpf *skel)
{
	return bpf_map__max_entries(skel->maps.events);
}

/* Since 5.18; before, a cgroup's hook that denies is EPERM, whatever comes after it. */
bool enforce_lifts(void)
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

static void set_constants(struct enforce *e, struct verdict_bpf *skel)
{
	skel->rodata->verdict_scope = e->scope;
	skel->rodata->ring_wake_bytes = ring_bytes(skel) / 4;
	skel->rodata->can_set_retval = enforce_lifts();
	skel->rodata->can_lock = !probe_tracing_lock();
	skel->rodata->prohibited_mark = e->prohibit.mark.value;
	skel->rodata->prohibited_mask = e->prohibit.mark.mask;
	say_what_is_seen(e, skel->rodata->can_set_retval);
}

static void cleanup_skel(struct verdict_bpf **skel)
{
	verdict_bpf__destroy(*skel);
}

static bool is_out(const struct enforce_row *row)
{
	return row->status == HOOK_REFUSED || row->status == HOOK_OFF;
}

/* There may be a row in whose way listen() is denied before it has changed anything. */
static bool denies_early(const struct enforce *e)
{
	bool early = false;

	for (size_t i = 0; i < ROWS; i++)
		early |= table[i].tested && !is_out(&e->rows[i]);
	return early;
}

/* With the rows of which the kernel has not yet refused to load one. */
static int try_load(struct enforce *e, struct verdict_bpf **ret_skel)
{
	_cleanup_(cleanup_skel) struct verdict_bpf *skel = verdict_bpf__open();
	int r;

	if (!skel)
		return errno ? -errno : -ENOMEM;
	e->shape = layout_shape(skel->obj); /* a map that is shared forgets its types */
	r = find_maps(e, skel);
	if (r < 0)
		return r;
	set_constants(e, skel);
	for (size_t i = 0; i < ROWS; i++) {
		if (is_out(&e->rows[i]))
			bpf_program__set_autoload(
				bpf_object__find_program_by_name(skel->obj, e->rows[i].programs[0]),
				false);
	}
	bpf_program__set_autoload(
		bpf_object__find_program_by_name(skel->obj, failed_listen.program),
		denies_early(e) && !e->deaf && probe_hook(&failed_listen) == 0);
	for (size_t i = 0; e->no_census && i < CENSUS; i++)
		bpf_program__set_autoload(bpf_object__find_program_by_name(skel->obj, census[i]),
					  false);
	r = verdict_bpf__load(skel);
	if (r < 0)
		return r;
	*ret_skel = TAKE_PTR(skel);
	return 0;
}

static void refuse_row(struct enforce *e, size_t row, int error)
{
	e->rows[row].status = HOOK_REFUSED;
	e->rows[row].error = -error;
}

static bool may_be_refused(const struct enforce *e, size_t row)
{
	return e->rows[row].tested && !is_out(&e->rows[row]);
}

/* An empty program first: loading all of them once more takes long. */
static int load(struct enforce *e, struct fail *f)
{
	int r;

	for (size_t i = 0; i < ROWS; i++) {
		const struct hook hook = { .attach = table[i].attach };

		r = may_be_refused(e, i) ? probe_hook(&hook) : 0;
		if (r < 0)
			refuse_row(e, i, r);
	}
	r = try_load(e, &e->skel);
	if (r < 0) { /* rules on cgroups are refused then, others are not */
		e->no_census = true;
		r = try_load(e, &e->skel);
		e->no_census = r == 0;
	}
	for (size_t i = 0; r < 0 && i < ROWS; i++) {
		if (!may_be_refused(e, i))
			continue;
		refuse_row(e, i, r);
		r = try_load(e, &e->skel);
	}
	if (!r)
		r = e->skel ? policymaps_find(e->skel->obj, &e->maps) : -EIO;
	if (r < 0)
		return fail(f, r, "cannot load the programs with verdicts: %s", strerror(-r));
	return 0;
}

static int load_first(struct enforce *e, struct fail *f)
{
	int r = pins_make_policy(e->pin_dir);

	if (r < 0)
		return fail(f, r, "cannot create '%s': %s", e->dir, strerror(-r));
	r = load(e, f);
	if (r < 0)
		return r;
	e->slot = FL_POLICY_SLOTS - 1; /* the first goes to slot 0 */
	e->kept = (struct fl_policy_kept){ .shape = e->shape, .before = FL_AREA_NONE };
	/* while the programs are attached one by one, none of them says no */
	r = policymaps_use(&e->maps, FL_POLICY_NONE, false);
	return r < 0 ? fail(f, r, "cannot write the policy: %s", strerror(-r)) : 0;
}

/* --- attaching --- */

static bool is_wanted(const char *program, void *arg)
{
	const struct enforce *e = arg;

	for (size_t i = 0; i < CENSUS; i++) {
		if (!strcmp(census[i], program))
			return e->census;
	}
	for (size_t i = 0; i < GUIDES; i++) {
		if (!strcmp(guides[i], program))
			return e->guides;
	}
	if (!strcmp(failed_listen.program, program))
		return e->limits;
	for (size_t i = 0; i < ROWS; i++) {
		for (size_t p = 0; p < ENFORCE_PROGRAMS && e->rows[i].programs[p]; p++) {
			if (e->rows[i].status == HOOK_ON &&
			    !strcmp(e->rows[i].programs[p], program))
				return true;
		}
	}
	return false;
}

static void detach_unwanted(struct enforce *e)
{
	policylinks_keep(&e->links, is_wanted, e);
}

static int attach(struct enforce *e, size_t row)
{
	for (size_t i = 0; i < ENFORCE_PROGRAMS && e->rows[row].programs[i]; i++) {
		struct bpf_program *p = bpf_object__find_program_by_name(e->skel->obj,
									 e->rows[row].programs[i]);
		int r = p ? policylinks_attach(&e->links, p) : -EOPNOTSUPP;

		if (r < 0)
			return r;
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

	if (r->status == HOOK_ON)
		return 1;
	if (is_out(r) || r->status == HOOK_SILENT)
		return 0;
	error = attach(e, row);
	if (!error && (!r->tested || denies(e))) {
		r->status = HOOK_ON;
		return 1;
	}
	r->status = error ? HOOK_REFUSED : HOOK_SILENT;
	r->error = -error;
	detach_unwanted(e);
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

static int attach_hooks(struct enforce *e, const struct enforce_policy *p, struct fail *f)
{
	int r = 0;

	for (enum fl_hook hook = 0; !r && hook < FL_HOOKS; hook++) {
		if (p->hooks >> hook & 1)
			r = attach_hook(e, hook, p->late_allowed, f);
	}
	return r;
}

static int attach_census(struct enforce *e, const struct enforce_policy *p, struct fail *f)
{
	int r = 0;

	if (!(p->compiled->policy.wanted >> FL_DIM_CGROUP & 1))
		return 0;
	for (size_t i = 0; !r && i < CENSUS; i++)
		r = policylinks_attach(&e->links,
				       bpf_object__find_program_by_name(e->skel->obj, census[i]));
	e->census = true;
	return r < 0 ? fail(f, -EOPNOTSUPP,
			    "this kernel does not tell of new cgroups (%s), so no rule on cgroup, "
			    "unit or container can hold",
			    strerror(-r))
		     : 0;
}

/* Before a connection can be redirected. */
static int attach_guides(struct enforce *e, const struct enforce_policy *p, struct fail *f)
{
	int r = 0;

	if (!p->redirects)
		return 0;
	for (size_t i = 0; !r && i < GUIDES; i++)
		r = policylinks_attach(&e->links,
				       bpf_object__find_program_by_name(e->skel->obj, guides[i]));
	if (r < 0)
		return fail(f, -EOPNOTSUPP, "this kernel cannot redirect: %s", strerror(-r));
	e->guides = true;
	return 0;
}

static bool has_limits(const struct enforce_policy *p)
{
	const __u32 *asked = p->compiled->policy.asked;

	return asked[FL_HOOK_INDEX(FL_HOOK_LISTEN, FL_TCP)] & FL_KNOWS_LISTENERS;
}

/* Nothing hangs on it but when a place comes back. */
static void attach_limits(struct enforce *e, const struct enforce_policy *p)
{
	e->limits |= has_limits(p);
	if (e->limits)
		(void)policylinks_attach(&e->links, bpf_object__find_program_by_name(
							    e->skel->obj, failed_listen.program));
}

static void detach_all_but(struct enforce *e, __u32 hooks)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (e->rows[i].status == HOOK_ON && !(hooks >> table[i].hook & 1))
			e->rows[i].status = HOOK_UNUSED;
	}
	detach_unwanted(e);
}

static __u32 hooks_on(const struct enforce *e)
{
	__u32 hooks = 0;

	for (size_t i = 0; i < ROWS; i++) {
		if (e->rows[i].status == HOOK_ON)
			hooks |= 1u << table[i].hook;
	}
	return hooks;
}

/* --- what the next daemon reads --- */

static int write_kept(struct enforce *e, const struct fl_policy_kept *kept)
{
	__u32 zero = 0;

	if (bpf_map_update_elem(e->maps.kept, &zero, kept, BPF_ANY) < 0)
		return -errno;
	e->kept = *kept;
	return 0;
}

/* Before P is in force. What is on trial now stays so until it no longer is. */
static int keep(struct enforce *e, const struct enforce_policy *p)
{
	struct fl_policy_kept kept = e->kept;
	struct fl_policy_area *area = &kept.areas[p->area];
	int r = 0;

	area->since_ns = p->since_ns;
	if (!p->again)
		r = kept_write(e->maps.texts, p->area, p->texts, p->text_count, &area->bytes);
	if (p->trial_ends_ns) {
		kept.trial |= 1u << p->area;
		kept.trial_ends_ns = p->trial_ends_ns;
		kept.before = p->before;
	}
	return r < 0 ? r : write_kept(e, &kept);
}

static void settle(struct enforce *e, __u32 trial)
{
	struct fl_policy_kept kept = e->kept;

	kept.trial = trial;
	(void)write_kept(e, &kept);
}

int enforce_confirm(struct enforce *e)
{
	struct fl_policy_kept kept = e->kept;

	kept.trial = 0;
	return e->skel ? write_kept(e, &kept) : -ENOENT;
}

/* --- a policy --- */

static int write_policy(struct enforce *e, const struct enforce_policy *p, __u32 slot,
			struct fail *f)
{
	struct compiled compiled = *p->compiled;
	int r = 0;

	compiled.policy.area = p->area;
	if (!p->again)
		r = policyhits_none(&e->hits, &e->maps, p->area, compiled.policy.rules);
	if (!r)
		r = policymaps_write(&e->maps, slot, e->generation + 1, &compiled);
	return r < 0 ? fail(f, r, "cannot write the policy: %s", strerror(-r)) : 0;
}

static int use(struct enforce *e, const struct enforce_policy *p, __u32 slot, struct fail *f)
{
	const struct fl_policy_kept before = e->kept;
	const struct policyhits_move move = { p->hits_area, p->area, p->hits,
					      p->compiled->policy.rules };
	bool edited = p->hits_area != FL_AREA_NONE;
	__u32 old = e->slot;
	int r;

	e->slot = slot;
	r = p->last_look ? p->last_look(p->arg) : 0;
	e->slot = old;
	if (!r)
		r = keep(e, p);
	if (!r && edited)
		r = policyhits_begin(&e->hits, &e->maps, &move);
	if (!r)
		r = policymaps_use(&e->maps, slot, p->fail_closed);
	if (r < 0) {
		(void)write_kept(e, &before);
		return fail(f, r, "cannot write the policy: %s", strerror(-r));
	}
	e->slot = slot;
	e->area = p->area;
	e->generation++;
	settle(e, p->trial_ends_ns ? 1u << p->area : 0);
	if (edited)
		policyhits_end(&e->hits, &e->maps, &move);
	return 0;
}

/* The policy is in its slot before a program may ask for it, and is used when all of them can. */
int enforce_load(struct enforce *e, const struct enforce_policy *p, struct fail *f)
{
	__u32 before = hooks_on(e), slot;
	bool first = !e->skel;
	int r = first ? load_first(e, f) : 0;

	slot = (e->slot + 1) % FL_POLICY_SLOTS;
	if (!r)
		r = write_policy(e, p, slot, f);
	if (!r)
		r = attach_census(e, p, f);
	if (!r)
		r = attach_guides(e, p, f);
	if (!r)
		r = attach_hooks(e, p, f);
	if (!r)
		attach_limits(e, p);
	if (!r)
		r = use(e, p, slot, f);
	if (!r) {
		e->census = p->compiled->policy.wanted >> FL_DIM_CGROUP & 1;
		e->limits = has_limits(p);
		detach_all_but(e, p->hooks);
		if (!(p->hooks >> FL_HOOK_CONNECT_AUTHORIZATION & 1))
			prohibit_nowhere(&e->prohibit);
		return 0;
	}
	if (first)
		enforce_clear(e);
	else
		detach_all_but(e, before);
	return r;
}

/* A class before the value that names it. */
int enforce_change(struct enforce *e, const struct fl_policy_key *key, __u32 class,
		   const struct compiled *grown, bool gone)
{
	struct fl_policy_key in_use = *key;
	int r = 0;

	if (!e->skel)
		return -ENOENT;
	in_use.slot = e->slot;
	if (gone)
		return policymaps_remove_value(&e->maps, &in_use);
	if (grown)
		r = policymaps_set_class(&e->maps, e->slot, class, grown);
	return r ? r : policymaps_set_value(&e->maps, &in_use, class);
}

int enforce_judge_again(const struct enforce *e, __u64 flow_id, __u32 ifindex)
{
	struct fl_again asked = { .flow_id = flow_id, .interface = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = &asked, .data_size_in = sizeof(asked));

	if (!e->skel)
		return -ENOENT;
	if (bpf_prog_test_run_opts(bpf_program__fd(e->skel->progs.judge_again), &run) < 0)
		return -errno;
	return (int)run.retval;
}

int enforce_link_program(const struct enforce *e)
{
	return e->skel ? bpf_program__fd(e->skel->progs.look_at_link) : -ENOENT;
}

void enforce_clear(struct enforce *e)
{
	e->census = false;
	e->guides = false;
	e->limits = false;
	if (e->skel) /* a link that cannot be detached judges on for a moment */
		(void)policymaps_use(&e->maps, FL_POLICY_NONE, false);
	detach_all_but(e, 0);
	prohibit_nowhere(&e->prohibit);
	verdict_bpf__destroy(e->skel);
	e->skel = NULL;
	e->skipped = 0;
	(void)pins_remove_policy(e->pin_dir);
}

/* --- after an earlier daemon --- */

/* 1 it is there, 0 its daemon died before a policy was in force. */
static int read_kept(struct enforce *e, struct fail *f)
{
	_cleanup_(cleanup_skel) struct verdict_bpf *skel = verdict_bpf__open();
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info), zero = 0;
	char path[PATH_MAX];
	_close_ int fd = -1;

	if (!skel)
		return fail(f, -errno, "cannot open the programs with verdicts");
	snprintf(path, sizeof(path), "%s/policy_kept", e->dir);
	fd = bpf_obj_get(path);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return fail(f, -errno, "cannot read '%s': %s", path, strerror(errno));
	if (info.value_size == sizeof(e->kept) && bpf_map_lookup_elem(fd, &zero, &e->kept) < 0)
		return fail(f, -errno, "cannot read '%s': %s", path, strerror(errno));
	if (info.value_size == sizeof(e->kept) && !e->kept.shape)
		return 0;
	if (e->kept.shape == layout_shape(skel->obj))
		return 1;
	return fail(f, -ESTALE,
		    "the policy at '%s' was put in force by a flownerd with another layout: remove "
		    "all of it with 'flownerd --detach'",
		    e->dir);
}

/* What rows its programs make up. */
static void find_rows(struct enforce *e)
{
	for (size_t i = 0; i < ROWS; i++) {
		struct enforce_row *row = &e->rows[i];
		bool all = true;

		for (size_t p = 0; p < ENFORCE_PROGRAMS && row->programs[p]; p++)
			all = all && policylinks_have(&e->links, row->programs[p]);
		if (all)
			row->status = HOOK_ON;
	}
}

static void read_texts(const struct enforce *e, __u32 area, struct enforce_kept *ret_kept)
{
	*ret_kept = (struct enforce_kept){ .area = area };
	if (area >= FL_POLICY_AREAS)
		return;
	ret_kept->since_ns = e->kept.areas[area].since_ns;
	(void)kept_read(e->maps.texts, area, e->kept.areas[area].bytes, &ret_kept->texts,
			&ret_kept->text_count);
}

static void read_resumed(const struct enforce *e, struct enforce_resumed *ret_resumed)
{
	struct enforce_resumed r = { .before.area = FL_AREA_NONE };

	read_texts(e, e->area, &r.current);
	if (e->kept.trial >> e->area & 1) {
		r.trial_ends_ns = e->kept.trial_ends_ns;
		read_texts(e, e->kept.before, &r.before);
	}
	*ret_resumed = r;
}

int enforce_resume(struct enforce *e, struct enforce_resumed *ret_resumed, struct fail *f)
{
	struct fl_policy policy = { 0 };
	int r = access(e->dir, F_OK) < 0 ? 0 : read_kept(e, f);

	if (r > 0)
		r = load(e, f) < 0 ? -EIO : 1;
	if (r > 0 && (policymaps_used(&e->maps, &e->slot, &policy) < 0 || !policy.generation ||
		      policy.area >= FL_POLICY_AREAS))
		r = 0;
	if (r <= 0) {
		if (!r)
			enforce_clear(e);
		return r;
	}
	e->generation = policy.generation;
	e->area = policy.area;
	r = policylinks_resume(&e->links, e->skel->obj);
	if (r < 0)
		return fail(f, r, "cannot take over the policy at '%s': %s", e->dir, strerror(-r));
	e->census = policylinks_have(&e->links, census[0]);
	policyhits_recall(&e->hits, &e->maps);
	e->guides = policylinks_have(&e->links, guides[0]);
	e->limits = policylinks_have(&e->links, failed_listen.program);
	e->prohibit.any = true;
	find_rows(e);
	read_resumed(e, ret_resumed);
	return 1;
}

void enforce_resumed_release(struct enforce_resumed *r)
{
	kept_free(r->current.texts, r->current.text_count);
	kept_free(r->before.texts, r->before.text_count);
	*r = (struct enforce_resumed){ 0 };
}
