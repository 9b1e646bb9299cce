/* SPDX-License-Identifier: BSD-2-Clause */
/* flownerd: options, then wire the modules in order and run the loop. Each failure is one line. */
#include "daemon/abort.h"
#include "daemon/agent.h"
#include "daemon/api.h"
#include "daemon/arguments.h"
#include "host/cgroup.h"
#include "text/cleanup.h"
#include "host/config.h"
#include "daemon/confine.h"
#include "daemon/daemon.h"
#include "daemon/doctor.h"
#include "daemon/ending.h"
#include "policy/enforce.h"
#include "host/facts.h"
#include "text/fail.h"
#include "daemon/history.h"
#include "kernel/holders.h"
#include "kernel/hooks.h"
#include "host/isolation.h"
#include "daemon/journal.h"
#include "host/names.h"
#include "text/log.h"
#include "kernel/maps.h"
#include "host/netns_helper.h"
#include "host/netns_places.h"
#include "host/notify.h"
#include "host/procfs.h"
#include "host/progress.h"
#include "daemon/rules.h"
#include "daemon/scrape.h"
#include "daemon/seeding.h"
#include "kernel/track.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_REFUSED = 4 };

static int complain(const struct fail *f, int r)
{
	log_line(LOG_LEVEL_ERROR, "%s", f->text);
	return r == -EPERM || r == -EACCES || r == -EOPNOTSUPP ? EXIT_REFUSED : EXIT_FAILED;
}

static int id_of_cgroup(const char *path, __u64 *ret_id, struct fail *f)
{
	_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return fail(f, -errno, "cannot open the cgroup '%s': %s", path, strerror(errno));
	r = cgroup_id(fd, ret_id);
	if (r < 0)
		return fail(f, r, "'%s' is not a cgroup2 directory: %s", path, strerror(-r));
	return 0;
}

/* Where to attach, and what is in scope: everything, or what is at or below that cgroup. */
static int find_scope(const struct config *c, char **ret_path, __u64 *ret_scope, struct fail *f)
{
	_free_ char *root = NULL;
	__u64 id, root_id;
	bool host;
	int r;

	r = cgroup_mount(&root);
	if (r < 0)
		return fail(f, r,
			    "no cgroup2 filesystem is mounted: mount one with "
			    "'mount -t cgroup2 none /sys/fs/cgroup'");
	r = cgroup_is_host_namespace(&host);
	if (r < 0)
		return fail(f, r, "cannot read '/proc/self/ns/cgroup': %s", strerror(-r));
	if (!host && !c->cgroup && c->scope != CONFIG_SCOPE_CONTAINER)
		return fail(
			f, -EPERM,
			"in a private cgroup namespace, where only this container could be seen: "
			"run with --cgroupns=host, or say --scope container");
	r = id_of_cgroup(root, &root_id, f);
	if (!r)
		r = id_of_cgroup(c->cgroup ? c->cgroup : root, &id, f);
	if (r < 0)
		return r;
	*ret_scope = host && id == root_id ? 0 : id;
	*ret_path = c->cgroup ? strdup(c->cgroup) : TAKE_PTR(root);
	return *ret_path ? 0 : fail(f, -ENOMEM, "out of memory");
}

static void block_signals(void)
{
	sigset_t set;

	daemon_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/*
 * Two for each executable that a policy names: ten thousand of them are more than the 1024 that is
 * everybody's because of select(), which nobody here calls. What is allowed is the host's to say.
 */
static void take_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int listen_api(struct agent *agent, struct fail *f)
{
	const char *path = agent->config->socket;
	int r = api_new(agent, path, &agent->api);

	if (r == -EADDRINUSE)
		return fail(f, r,
			    "another flownerd listens at '%s': stop it, or give this one its own "
			    "--socket and --pin-dir",
			    path);
	if (r < 0)
		return fail(f, r, "cannot listen at '%s': %s", path, strerror(-r));
	return 0;
}

static int listen_scrape(struct agent *agent, struct fail *f)
{
	const char *endpoint = agent->config->metrics.listen;
	bool later = false;
	int r = endpoint ? scrape_new(agent, endpoint, &agent->scrape, &later, f) : 0;

	if (!r && later)
		log_line(LOG_LEVEL_WARNING, "metrics: '%s' is no address of this host yet",
			 endpoint);
	return r;
}

static int open_history(struct agent *agent, struct fail *f)
{
	const char *path = agent->config->history.file;

	return path ? history_new(agent, path, &agent->history, f) : 0;
}

/* Behind what an earlier daemon took: that has been told. */
static int open_journal(struct agent *agent)
{
	__u32 events = agent->config->journal.events;
	int r = events ? journal_new(agent, events, &agent->journal) : 0;

	if (!r && journal_watches(agent->journal))
		r = maps_set_watched(agent->maps, 1);
	return r;
}

/* What says no, and where. */
struct power {
	int cgroup_fd;
	struct enforce *enforce;
	struct rules *rules;
	bool found; /* in force by an earlier daemon, whether we can go on with it or not */
};

static void power_release(struct power *p, bool keep)
{
	rules_free(p->rules);
	enforce_free(p->enforce, keep);
	cleanup_close(&p->cgroup_fd);
}

static int power_open(struct power *p, struct agent *agent, const char *cgroup, __u64 scope,
		      struct fail *f)
{
	_free_ char *mount = NULL;
	int r;

	(void)cgroup_mount(&mount);
	p->cgroup_fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->cgroup_fd < 0)
		return fail(f, -errno, "cannot open the cgroup '%s': %s", cgroup, strerror(errno));
	r = enforce_new(p->cgroup_fd, scope, agent->config->pin_dir, &agent->config->authorization,
			agent->hooks, &p->enforce);
	if (!r)
		r = rules_new(agent, p->enforce, mount, &p->rules);
	return r ? fail(f, r, "cannot prepare for a policy: %s", strerror(-r)) : 0;
}

static void say(const struct fail *line)
{
	log_line(LOG_LEVEL_WARNING, "%s", line->text);
}

static void say_losses(const struct hooks *hooks)
{
	const char *loss;
	char lost[1024];

	doctor_losses(hooks, lost, sizeof(lost));
	if (*lost)
		log_line(LOG_LEVEL_INFO, "tier '%s' leaves out %s ('flowner doctor' says why)",
			 hooks_tier(hooks), lost);
	for (size_t i = 0; (loss = isolation_loss(i)); i++)
		log_line(LOG_LEVEL_WARNING, "%s", loss);
}

/* Before anybody is told that we are ready: who waits for us is under the policy. */
static int load_policy(const struct agent *agent, struct fail *f)
{
	bool harmless = false;
	int r = rules_load_dir(agent->rules, agent->config->policy_dir, &harmless, f);

	if (r >= 0 || !harmless)
		return r;
	log_line(LOG_LEVEL_WARNING, "without a policy: %s", f->text);
	return 0;
}

/* That of a killed daemon goes on; a trial may have ended since. 1 there is one. */
static int resume_policy(struct agent *agent, struct power *power, struct fail *f)
{
	struct fail news;
	int r;

	agent->rules = power->rules;
	r = rules_resume(power->rules, f);
	power->found = r != 0;
	if (r > 0 && *rules_trouble(power->rules))
		log_line(LOG_LEVEL_WARNING, "%s", rules_trouble(power->rules));
	if (r > 0 && rules_run(power->rules, &news))
		say(&news);
	return r;
}

/* In a pid namespace of our own the walk would pass over processes of others without a word. */
static int find_holders(struct agent *agent, struct track *t)
{
	__u64 *wanted;
	int link = track_holders(t, &wanted);

	return link < 0 || !procfs_has_host_pids() ? 0 : holders_new(link, wanted, &agent->holders);
}

/* The maps are filled before anybody is told that we are ready. */
static int begin(struct agent *agent, struct track *t, struct power *power, __u64 scope,
		 struct fail *f)
{
	int r = agent_connect(agent, track_maps(t), track_ring(t)), found, resumed = 0;

	if (!r)
		r = agent_recall(agent);
	history_recalled(agent->history);
	if (!r)
		r = open_journal(agent);
	if (!r) {
		resumed = resume_policy(agent, power, f);
		if (resumed < 0)
			return resumed;
		r = agent_drain(agent);
	}
	if (r < 0)
		return fail(f, r, "cannot read the event ring: %s", strerror(-r));
	found = seeding_run(agent, t, scope, f);
	if (found < 0)
		return found;
	agent->cannot_cut = !abort_is_possible();
	progress_free(TAKE_PTR(agent->progress)); /* its thread would keep its privileges */
	confine(agent, t);
	(void)names_user(agent->names, 0); /* loads what the name service is made of */
	r = find_holders(agent, t);
	if (r < 0)
		return fail(f, r, "cannot look for who holds a socket: %s", strerror(-r));
	r = history_start(agent->history, f);
	if (!r && !resumed)
		r = load_policy(agent, f);
	if (r < 0)
		return r;
	api_notice(agent->api, "resync", track_resumed(t) ? "continued" : "started", (__u64)found);
	log_line(LOG_LEVEL_INFO, "tier '%s', %d sockets found open, answering at '%s'",
		 hooks_tier(agent->hooks), found, agent->config->socket);
	say_losses(agent->hooks);
	(void)notify("READY=1");
	return 0;
}

static int serve(struct config *c, struct hooks *hooks)
{
	_free_ char *cgroup = NULL;
	struct power power = { .cgroup_fd = -1 };
	struct track *t = NULL;
	struct facts facts;
	struct agent agent;
	struct fail f;
	struct ending ending = { .on_stop = c->on_stop };
	__u64 scope = 0;
	bool leave;
	int r;

	r = agent_init(&agent, c, hooks);
	facts_find(&facts);
	agent.facts = &facts;
	if (r < 0)
		(void)fail(&f, r, "cannot start: %s", strerror(-r));
	if (!r)
		r = find_scope(c, &cgroup, &scope, &f);
	if (!r)
		r = listen_api(&agent, &f);
	if (!r)
		r = listen_scrape(&agent, &f);
	if (!r)
		r = open_history(&agent, &f);
	(void)progress_new(&agent.progress);
	progress_next(agent.progress, &(struct progress_step){ .what = "loading the programs" });
	(void)netns_places_find(); /* what it does not find is counted, see agent.c */
	if (!r)
		r = track_open(c, cgroup, scope, hooks, &t, &f);
	ending.found = t && track_resumed(t);
	if (!r && cgroup) /* found, or r says why not: for analysers */
		r = power_open(&power, &agent, cgroup, scope, &f);
	if (!r)
		r = begin(&agent, t, &power, scope, &f);
	progress_free(TAKE_PTR(agent.progress));
	ending.served = !r;
	if (!r) {
		r = daemon_run(&agent, t);
		if (r < 0)
			(void)fail(&f, r, "stopped: %s", strerror(-r));
		(void)notify("STOPPING=1");
		(void)agent_drain(&agent); /* what has ended by now is of the history, too */
	}
	ending.result = r;
	ending.found |= power.found;
	leave = ending_leaves(&ending);
	power_release(&power, leave);
	agent.rules = NULL;
	scrape_free(TAKE_PTR(agent.scrape));
	history_free(TAKE_PTR(agent.history));
	journal_free(TAKE_PTR(agent.journal));
	agent_release(&agent);
	holders_free(agent.holders);
	track_close(t, !leave);
	return r < 0 ? complain(&f, r) : EXIT_DONE;
}

static int choose_hooks(const struct arguments *args, struct hooks *hooks)
{
	const char *word = NULL;

	if (args->without)
		word = hooks_forbid(hooks, args->without, enforce_may_forbid);
	if (!word)
		return EXIT_DONE;
	log_line(LOG_LEVEL_ERROR, "--without: '%.*s' is no hook one could do without",
		 (int)strcspn(word, ","), word);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	_cleanup_(config_release) struct config config = { 0 };
	struct hooks *hooks = NULL;
	struct arguments args;
	struct fail f;
	int r;

	r = arguments_parse(argc, argv, &args);
	if (r)
		return r < 0 ? EXIT_USAGE : EXIT_DONE;
	r = arguments_apply(&args, &config);
	if (r < 0)
		return EXIT_USAGE; /* no start will be better */
	if (args.detach) {
		r = track_remove_pins(config.pin_dir, &f);
		return r < 0 ? complain(&f, r) : EXIT_DONE;
	}
	block_signals();
	take_descriptors();
	(void)netns_helper_start(); /* doctor tells when there is none */
	r = hooks_new(&hooks);
	if (r < 0)
		return EXIT_FAILED;
	r = choose_hooks(&args, hooks);
	if (!r)
		r = serve(&config, hooks);
	hooks_free(hooks);
	netns_helper_stop();
	return r;
}
