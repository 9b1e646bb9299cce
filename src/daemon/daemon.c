/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/daemon.h"
#include "daemon/agent.h"
#include "daemon/api.h"
#include "text/cleanup.h"
#include "host/config.h"
#include "text/fail.h"
#include "daemon/history.h"
#include "daemon/journal.h"
#include "text/log.h"
#include "host/notify.h"
#include "daemon/rules.h"
#include "daemon/scrape.h"
#include "kernel/track.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

enum source {
	SOURCE_SIGNAL,
	SOURCE_POLL,
	SOURCE_RECONCILE,
	SOURCE_RING,
	SOURCE_API,
	SOURCE_SCRAPE,
	SOURCE_RULES,
	SOURCE_WATCHDOG,
};

struct loop {
	int epoll;
	int signals;
	int poll_timer;
	int reconcile_timer;
	int watchdog_timer; /* -1 when nobody watches */
	unsigned int polls; /* ever */
	bool stop;
	bool replaced; /* by another daemon, right away */
	bool more;     /* the ring may hold records */
};

static void loop_release(struct loop *l)
{
	cleanup_close(&l->epoll);
	cleanup_close(&l->signals);
	cleanup_close(&l->poll_timer);
	cleanup_close(&l->reconcile_timer);
	cleanup_close(&l->watchdog_timer);
}

static int add(struct loop *l, int fd, enum source source)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = source };

	if (fd < 0)
		return -errno;
	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static int timer(uint64_t period_ms)
{
	struct itimerspec spec = {
		.it_interval = { .tv_sec = (time_t)(period_ms / 1000),
				 .tv_nsec = (long)(period_ms % 1000) * 1000000 },
	};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	spec.it_value = spec.it_interval;
	if (fd >= 0)
		timerfd_settime(fd, 0, &spec, NULL);
	return fd;
}

void daemon_signals(sigset_t *ret_set)
{
	sigemptyset(ret_set);
	sigaddset(ret_set, SIGTERM);
	sigaddset(ret_set, SIGINT);
	sigaddset(ret_set, SIGHUP);
	sigaddset(ret_set, SIGUSR1);
}

static int open_signals(void)
{
	sigset_t set;

	daemon_signals(&set);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int watch(struct loop *l)
{
	uint64_t ms = notify_watchdog_ms();

	if (!ms)
		return 0;
	l->watchdog_timer = timer(ms);
	return add(l, l->watchdog_timer, SOURCE_WATCHDOG);
}

static int loop_open(struct loop *l, const struct agent *agent)
{
	const struct config *c = agent->config;
	int r;

	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0)
		return -errno;
	l->signals = open_signals();
	l->poll_timer = timer(c->poll_ms);
	l->reconcile_timer = timer((uint64_t)c->reconcile_s * 1000);
	r = add(l, l->signals, SOURCE_SIGNAL);
	if (!r)
		r = add(l, l->poll_timer, SOURCE_POLL);
	if (!r)
		r = add(l, l->reconcile_timer, SOURCE_RECONCILE);
	if (!r)
		r = add(l, ring_buffer__epoll_fd(agent->ring), SOURCE_RING);
	if (!r)
		r = add(l, api_fd(agent->api), SOURCE_API);
	if (!r && agent->scrape)
		r = add(l, scrape_fd(agent->scrape), SOURCE_SCRAPE);
	if (!r && agent->rules)
		r = add(l, rules_fd(agent->rules), SOURCE_RULES);
	return r ? r : watch(l);
}

static void timer_done(int fd)
{
	uint64_t expirations;

	(void)!read(fd, &expirations, sizeof(expirations));
}

static void warn(const struct fail *line)
{
	log_line(LOG_LEVEL_WARNING, "%s", line->text);
}

static void reload(struct agent *agent)
{
	struct fail f;
	bool harmless;

	history_reopen(agent->history);
	if (agent->rules &&
	    rules_load_dir(agent->rules, agent->config->policy_dir, &harmless, &f) < 0)
		warn(&f);
}

/* The first that ends it decides: who is to be replaced is told to stop as well, by systemd. */
static void take_signals(struct loop *l, struct agent *agent)
{
	struct signalfd_siginfo info;

	while (!l->stop && read(l->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			reload(agent);
		} else {
			l->stop = true;
			l->replaced = info.ssi_signo == SIGUSR1;
		}
	}
}

static void tick(struct agent *agent)
{
	struct fail news;

	agent_tick(agent);
	if (history_tick(agent->history, &news))
		warn(&news);
	if (journal_tick(agent->journal, &news))
		warn(&news);
}

static void run_rules(struct agent *agent)
{
	struct fail news;

	if (rules_run(agent->rules, &news))
		warn(&news);
}

static void dispatch(struct loop *l, struct agent *agent, struct track *track, enum source source)
{
	switch (source) {
	case SOURCE_SIGNAL:
		take_signals(l, agent);
		break;
	case SOURCE_POLL:
		timer_done(l->poll_timer);
		l->more = true;
		tick(agent);
		if (l->polls++ % (1000 / agent->config->poll_ms + 1) == 0)
			track_count_skipped(track);
		break;
	case SOURCE_RECONCILE:
		timer_done(l->reconcile_timer);
		if (agent_reconcile(agent))
			(void)track_seed(track);
		rules_look_again(agent->rules);
		break;
	case SOURCE_RING:
		l->more = true;
		break;
	case SOURCE_API:
	case SOURCE_SCRAPE:
		break; /* both run at every wake-up: they have timeouts of their own */
	case SOURCE_RULES:
		run_rules(agent);
		break;
	case SOURCE_WATCHDOG:
		timer_done(l->watchdog_timer);
		(void)notify_now("WATCHDOG=1"); /* or the next one, in time */
		break;
	}
}

/* At most; -1 = for ever. */
static int wait_ms(const struct loop *l, const struct agent *agent)
{
	int api = api_timeout_ms(agent->api), scrape = scrape_timeout_ms(agent->scrape);

	if (l->more)
		return 0;
	return api < 0 || (scrape >= 0 && scrape < api) ? scrape : api;
}

int daemon_run(struct agent *agent, struct track *track)
{
	_cleanup_(loop_release) struct loop l = { -1, -1, -1, -1, -1, 0, false, false, false };
	struct epoll_event events[8];
	int r = loop_open(&l, agent);

	if (r < 0)
		return r;
	while (!l.stop) {
		int n = epoll_wait(l.epoll, events, 8, wait_ms(&l, agent));

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++)
			dispatch(&l, agent, track, events[i].data.u32);
		if (l.more)
			l.more = agent_drain_some(agent) > 0;
		r = api_run(agent->api);
		if (!r)
			r = scrape_run(agent->scrape);
		if (r < 0)
			return r;
	}
	return l.replaced ? DAEMON_REPLACED : 0;
}
