/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/enforce.h"
#include "text/cleanup.h"
#include "policy/compile.h"
#include "kernel/hooks.h"
#include "policy/kept.h"
#include "kernel/maps.h"
#include "kernel/pins.h"
#include "policy/policyhits.h"
#include "policy/policylinks.h"
#include "policy/policymaps.h"
#include "policy/policyprograms.h"
#include "kernel/probe.h"
#include "host/prohibit.h"
#include "flow/skipped.h"

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
	  .programs = { "listen_lsm", "listen_check", "listen_late_arrival" },
	  .sees = "listen() fails: EACCES", .tested = true },
	{ .hook = FL_HOOK_LISTEN, .attach = "fmod_ret/security_socket_listen",
	  .programs = { "listen_fmod", "listen_check", "listen_late_arrival" },
	  .sees = "listen() fails: EACCES", .tested = true,
	  .limit = "a kernel that preempts lets a listen() pass while another one's verdict waits "
		   "for its CPU: it is ended a moment later" },
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

/* Nobody attaches these: the daemon runs them, see reauthorize.h. */
static const char *const judges_again[] = { "judge_again", "look_at_link" };

#define AGAIN (sizeof(judges_again) / sizeof(judges_again[0]))

/* Who tells that a listen() has failed for which a place was taken, see limit.bpf.h. Where it
 * cannot be had the thread's next listen() tells, or its end. */
static const struct hook failed_listen = { .attach = "fexit/inet_listen",
					   .program = "listen_done" };

struct enforce {
	char pin_dir[PATH_MAX - 32], dir[PATH_MAX - 16], links_dir[PATH_MAX];
	struct policyprograms programs; /* none while there is no policy */
	struct policymaps maps;
	struct policyhits hits;
	struct policylinks links;
	struct prohibit prohibit;
	struct enforce_row rows[ROWS];
	struct fl_policy_kept kept;
	__u64 generation;
	__u64 skipped; /* runs of these programs, counted as FL_CNT_VERDICT_SKIPPED already */
	__u32 slot, area;
	bool probed;	/* the rows by an empty program, and what follows from that */
	bool census;	/* some rule names cgroups */
	bool no_census; /* this kernel refuses those programs */
	bool guides;
	bool limits; /* a rule has one */
	bool deaf;   /* failed_listen is forbidden, or refused */
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
		if (table[i].tested && hook_is_forbidden(hooks, table[i].attach))
			e->rows[i].status = HOOK_OFF;
	}
	e->deaf = hook_is_forbidden(hooks, failed_listen.attach);
}

int enforce_new(int cgroup_fd, __u64 scope, const char *pin_dir, const struct prohibit_mark *mark,
		const struct hooks *hooks, struct enforce **ret_enforce)
{
	struct enforce *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	snprintf(e->pin_dir, sizeof(e->pin_dir), "%s", pin_dir);
	snprintf(e->dir, sizeof(e->dir), "%s/" PINS_POLICY, e->pin_dir);
	snprintf(e->links_dir, sizeof(e->links_dir), "%s/links", e->dir);
	e->links.cgroup_fd = cgroup_fd;
	e->links.dir = e->links_dir;
	e->prohibit.mark = *mark;
	e->programs.shared = e->pin_dir;
	e->programs.dir = e->dir;
	e->programs.constants.scope = scope;
	e->programs.constants.prohibited_mark = mark->value;
	e->programs.constants.prohibited_mask = mark->mask;
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
	prohibit_forget(&e->prohibit);
	policyprograms_unload(&e->programs);
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
	return e->programs.constants.can_lock;
}

bool enforce_holds_places(const struct enforce *e)
{
	bool early = false;

	for (size_t i = 0; i < ROWS; i++)
		early |= table[i].tested && e->rows[i].status == HOOK_ON;
	return e->limits && early && !policyprograms_find(&e->programs, failed_listen.program);
}

void enforce_rejected_in(struct enforce *e, __u64 netns_cookie, __u32 netns_inum)
{
	prohibit_in(&e->prohibit, netns_cookie, netns_inum);
}

void enforce_look_again(struct enforce *e)
{
	prohibit_forget(&e->prohibit);
}

int enforce_prohibits(const struct enforce *e)
{
	return e->prohibit.error;
}

__u64 enforce_generation(const struct enforce *e)
{
	return e->programs.count ? e->generation : 0;
}

int enforce_hits(const struct enforce *e, __u32 rule, __u64 *ret_hits)
{
	return e->programs.count ? policyhits_of(&e->hits, &e->maps, e->area, rule, ret_hits)
				 : -ENOENT;
}

void enforce_count_skipped(struct enforce *e, const struct maps *m)
{
	__u64 skipped = 0;

	for (size_t i = 0; i < ROWS; i++)
		skipped += skipped_runs(policyprograms_find(&e->programs, table[i].programs[0]));
	if (skipped > e->skipped && !maps_count(m, FL_CNT_VERDICT_SKIPPED, skipped - e->skipped))
		e->skipped = skipped;
}

/* --- loading --- */

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

static void refuse_row(struct enforce *e, size_t row, int error)
{
	e->rows[row].status = HOOK_REFUSED;
	e->rows[row].error = -error;
}

/* By empty programs, which is soon done, and helpers that there are. */
static void probe(struct enforce *e)
{
	__u32 bit;

	for (size_t i = 0; i < ROWS; i++) {
		const struct hook hook = { .attach = table[i].attach };
		int r = table[i].tested && !is_out(&e->rows[i]) ? probe_hook(&hook) : 0;

		if (r < 0)
			refuse_row(e, i, r);
	}
	e->deaf |= !denies_early(e) || probe_hook(&failed_listen) < 0;
	e->programs.constants.can_set_retval = enforce_lifts();
	e->programs.constants.can_lock = !probe_tracing_lock();
	if (probe_enumerator("INET_FLAGS_BIND_ADDRESS_NO_PORT", &bit) == 0)
		e->programs.constants.no_port_flag = 1ULL << bit;
	say_what_is_seen(e, e->programs.constants.can_set_retval);
	e->probed = true;
}

static bool has_census(const struct enforce_policy *p)
{
	return p->compiled->policy.wanted >> FL_DIM_CGROUP & 1;
}

static bool has_limits(const struct enforce_policy *p)
{
	const __u32 *asked = p->compiled->policy.asked;

	return asked[FL_HOOK_INDEX(FL_HOOK_LISTEN, FL_TCP)] & FL_KNOWS_LISTENERS;
}

/* What a policy needs of the programs. */
struct needs {
	__u32 rows; /* bit 1 << row */
	bool census, guides, failures, again;
};

static bool is_one_of(const char *program, const char *const *programs, size_t count)
{
	for (size_t i = 0; i < count && programs[i]; i++) {
		if (!strcmp(programs[i], program))
			return true;
	}
	return false;
}

static bool is_needed(const char *program, void *arg)
{
	const struct needs *n = arg;

	for (size_t i = 0; i < ROWS; i++) {
		if (n->rows >> i & 1 && is_one_of(program, table[i].programs, ENFORCE_PROGRAMS))
			return true;
	}
	return (n->census && is_one_of(program, census, CENSUS)) ||
	       (n->guides && is_one_of(program, guides, GUIDES)) ||
	       (n->again && is_one_of(program, judges_again, AGAIN)) ||
	       (n->failures && !strcmp(program, failed_listen.program));
}

/* One taken over from an earlier daemon may be worse than what we would take; while it says no, a
 * better one cannot be seen to. */
static bool has_way(const struct enforce *e, enum fl_hook hook)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (table[i].hook == hook && !table[i].late && e->rows[i].status == HOOK_ON)
			return true;
	}
	return false;
}

/* The best row of that hook which is not known to be of no use. */
static __u32 row_needed(const struct enforce *e, enum fl_hook hook)
{
	for (size_t i = 0; i < ROWS && !has_way(e, hook); i++) {
		if (table[i].hook == hook && !is_out(&e->rows[i]) &&
		    e->rows[i].status != HOOK_SILENT)
			return 1u << i;
	}
	return 0;
}

static struct needs needs_of(const struct enforce *e, const struct enforce_policy *p)
{
	struct needs n = {
		.census = has_census(p) && !e->no_census,
		.guides = p->redirects,
		.failures = has_limits(p) && !e->deaf,
		.again = p->hooks >> FL_HOOK_CONNECT_AUTHORIZATION & 1,
	};

	for (enum fl_hook hook = 0; hook < FL_HOOKS; hook++) {
		if (p->hooks >> hook & 1)
			n.rows |= row_needed(e, hook);
	}
	return n;
}

static int load_needed(struct enforce *e, struct needs needs)
{
	return policyprograms_load(&e->programs, is_needed, &needs);
}

/* Something of it the kernel refuses: what, and whether one can do without. */
static int load_apart(struct enforce *e, const struct needs *needs)
{
	int r = load_needed(e, (struct needs){ 0 }); /* the maps, whatever else */

	for (size_t i = 0; !r && i < ROWS; i++) {
		if (!(needs->rows >> i & 1))
			continue;
		r = load_needed(e, (struct needs){ .rows = 1u << i });
		if (r < 0 && table[i].tested) { /* another way, when it is attached */
			refuse_row(e, i, r);
			r = 0;
		}
	}
	if (!r && needs->census) /* rules on cgroups are refused then, others are not */
		e->no_census = load_needed(e, (struct needs){ .census = true }) < 0;
	if (!r && needs->failures)
		e->deaf = load_needed(e, (struct needs){ .failures = true }) < 0;
	if (!r && (needs->guides || needs->again))
		r = load_needed(e,
				(struct needs){ .guides = needs->guides, .again = needs->again });
	return r;
}

static int load(struct enforce *e, const struct needs *needs, struct fail *f)
{
	int r = load_needed(e, *needs);

	if (r < 0)
		r = load_apart(e, needs);
	if (!r)
		r = policymaps_find(policyprograms_object(&e->programs), &e->maps);
	return r < 0 ? fail(f, r, "cannot load the programs with verdicts: %s", strerror(-r)) : 0;
}

static int load_first(struct enforce *e, const struct needs *needs, struct fail *f)
{
	int r = pins_make_policy(e->pin_dir);

	if (r < 0)
		return fail(f, r, "cannot create '%s': %s", e->dir, strerror(-r));
	r = load(e, needs, f);
	if (r < 0)
		return r;
	e->slot = FL_POLICY_SLOTS - 1; /* the first goes to slot 0 */
	e->kept = (struct fl_policy_kept){ .shape = e->programs.shape, .before = FL_AREA_NONE };
	/* while the programs are attached one by one, none of them says no */
	r = policymaps_use(&e->maps, FL_POLICY_NONE, 0);
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

/* One that the kernel refused is not loaded. */
static int attach_program(struct enforce *e, const char *name)
{
	struct bpf_program *p = policyprograms_find(&e->programs, name);

	return p ? policylinks_attach(&e->links, p) : -EOPNOTSUPP;
}

/* It is loaded, but where it is the next best. */
static int attach(struct enforce *e, size_t row)
{
	int r = 0;

	if (!policyprograms_find(&e->programs, table[row].programs[0]))
		r = load_needed(e, (struct needs){ .rows = 1u << row });
	for (size_t i = 0; !r && i < ENFORCE_PROGRAMS && table[row].programs[i]; i++)
		r = attach_program(e, table[row].programs[i]);
	return r;
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
	for (size_t i = 0; i < ENFORCE_PROGRAMS && table[row].programs[i]; i++) {
		if (!is_wanted(table[row].programs[i], e))
			policylinks_drop(&e->links, table[row].programs[i]);
	}
	return 0;
}

static int attach_hook(struct enforce *e, enum fl_hook hook, bool late_allowed, struct fail *f)
{
	if (has_way(e, hook))
		return 0;
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

	if (!has_census(p))
		return 0;
	for (size_t i = 0; !r && i < CENSUS; i++)
		r = attach_program(e, census[i]);
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
		r = attach_program(e, guides[i]);
	if (r < 0)
		return fail(f, -EOPNOTSUPP, "this kernel cannot redirect: %s", strerror(-r));
	e->guides = true;
	return 0;
}

/* Nothing hangs on it but when a place comes back. */
static void attach_limits(struct enforce *e, const struct enforce_policy *p)
{
	e->limits |= has_limits(p);
	if (e->limits)
		(void)attach_program(e, failed_listen.program);
}

static void use_no_row_but(struct enforce *e, __u32 hooks)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (e->rows[i].status == HOOK_ON && !(hooks >> table[i].hook & 1))
			e->rows[i].status = HOOK_UNUSED;
	}
}

static void detach_all_but(struct enforce *e, __u32 hooks)
{
	use_no_row_but(e, hooks);
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
	memcpy(area->spared, p->spared, sizeof(area->spared));
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
	return e->programs.count ? write_kept(e, &kept) : -ENOENT;
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
		r = policymaps_use(&e->maps, slot, p->closed_hooks);
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
	bool first = !e->programs.count;
	struct needs needs;
	int r;

	if (!e->probed)
		probe(e);
	needs = needs_of(e, p);
	r = first ? load_first(e, &needs, f) : load(e, &needs, f);
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
		e->census = has_census(p);
		e->limits = has_limits(p);
		detach_all_but(e, p->hooks);
		if (!(p->hooks >> FL_HOOK_CONNECT_AUTHORIZATION & 1))
			prohibit_nowhere(&e->prohibit);
		return 0;
	}
	if (first) {
		enforce_clear(e);
	} else {
		detach_all_but(e, before);
		(void)policymaps_clear(&e->maps, slot);
	}
	return r;
}

/* A class before the value that names it. */
int enforce_change(struct enforce *e, const struct value_key *key, __u32 class,
		   const struct compiled *grown, bool gone)
{
	int r = 0;

	if (!e->programs.count)
		return -ENOENT;
	if (gone)
		return policymaps_remove_value(&e->maps, e->slot, key);
	if (grown)
		r = policymaps_set_class(&e->maps, e->slot, class, grown);
	return r ? r : policymaps_set_value(&e->maps, e->slot, key, class);
}

bool enforce_misses_cgroups(const struct enforce *e)
{
	struct fl_policy policy;
	__u32 slot;

	return e->census && policymaps_used(&e->maps, &slot, &policy) == 0 && policy.cgroups_missed;
}

int enforce_judge_again(const struct enforce *e, __u64 flow_id, __u32 ifindex)
{
	struct fl_again asked = { .flow_id = flow_id, .interface = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = &asked, .data_size_in = sizeof(asked));

	const struct bpf_program *p = policyprograms_find(&e->programs, judges_again[0]);

	if (!p)
		return -ENOENT;
	if (bpf_prog_test_run_opts(bpf_program__fd(p), &run) < 0)
		return -errno;
	return (int)run.retval;
}

int enforce_link_program(const struct enforce *e)
{
	const struct bpf_program *p = policyprograms_find(&e->programs, judges_again[1]);

	return p ? bpf_program__fd(p) : -ENOENT;
}

void enforce_clear(struct enforce *e)
{
	e->census = false;
	e->guides = false;
	e->limits = false;
	if (e->programs.count) /* a link that cannot be detached judges on for a moment */
		(void)policymaps_use(&e->maps, FL_POLICY_NONE, 0);
	use_no_row_but(e, 0);
	policylinks_keep(&e->links, NULL, NULL); /* none is parked: its program goes */
	prohibit_nowhere(&e->prohibit);
	policyprograms_unload(&e->programs);
	e->skipped = 0;
	(void)pins_remove_policy(e->pin_dir);
}

/* --- after an earlier daemon --- */

/* 1 it is there, 0 its daemon died before a policy was in force. */
static int read_kept(struct enforce *e, struct fail *f)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info), zero = 0;
	char path[PATH_MAX];
	_close_ int fd = -1;
	__u64 shape;
	int r = policyprograms_shape(&shape);

	if (r < 0)
		return fail(f, r, "cannot open the programs with verdicts");
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
	if (e->kept.shape == shape)
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
	memcpy(ret_kept->spared, e->kept.areas[area].spared, sizeof(ret_kept->spared));
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

/* What is attached by an earlier daemon; what more this one needs it loads when it follows it. */
static bool was_attached(const char *program, void *arg)
{
	const struct enforce *e = arg;
	char path[PATH_MAX + NAME_MAX];

	for (size_t i = 0; i < ROWS; i++) {
		if (e->rows[i].status == HOOK_OFF &&
		    is_one_of(program, table[i].programs, ENFORCE_PROGRAMS))
			return false;
	}
	if (e->deaf && !strcmp(program, failed_listen.program))
		return false;
	snprintf(path, sizeof(path), "%s/%s", e->links_dir, program);
	return access(path, F_OK) == 0;
}

static int load_attached(struct enforce *e, struct fail *f)
{
	int r;

	if (!e->probed)
		probe(e);
	r = policyprograms_load(&e->programs, was_attached, e);
	if (!r)
		r = policymaps_find(policyprograms_object(&e->programs), &e->maps);
	return r < 0 ? fail(f, r, "cannot load the programs of the policy at '%s': %s", e->dir,
			    strerror(-r))
		     : 1;
}

int enforce_resume(struct enforce *e, struct enforce_resumed *ret_resumed, struct fail *f)
{
	struct fl_policy policy = { 0 };
	int r = access(e->dir, F_OK) < 0 ? 0 : read_kept(e, f);

	if (r > 0) {
		policylinks_mend(&e->links);
		r = load_attached(e, f);
	}
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
	r = policylinks_resume(&e->links, policyprograms_object(&e->programs));
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
