/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the agent counts, two ways: text for Prometheus, and /v1/stats. Every counter of the kernel
 * side is in exactly one metric. A number that cannot be read is left out, never 0.
 */
#include "daemon/metrics.h"
#include "daemon/agent.h"
#include "daemon/api.h"
#include "text/cleanup.h"
#include "text/clock.h"
#include "flow/flows.h"
#include "flow/flowtext.h"
#include "daemon/history.h"
#include "daemon/journal.h"
#include "kernel/maps.h"
#include "policy/policywords.h"
#include "daemon/proc.h"
#include "daemon/rules.h"
#include "daemon/scrape.h"
#include "policy/verdicts.h"
#include <stdbool.h>
#include <string.h>

/* A metric family; samples of counters and infos have a suffix that is not part of its name. */
struct family {
	const char *name;
	const char *type;
	const char *unit; /* NULL none */
	const char *help;
};

/* Where one counter of flow.h is shown. */
struct sample {
	const struct family *family;
	const char *label; /* NULL none */
	const char *value;
};

static const struct family flows_active = { "flowner_flows_active", "gauge", NULL,
					    "Live flows, listeners and UDP sockets included." };
static const struct family build_info = { "flowner_build", "info", NULL,
					  "Version of the running daemon." };
static const struct family map_entries = { "flowner_map_entries", "gauge", NULL,
					   "Entries in a map of the kernel side." };
static const struct family map_capacity = { "flowner_map_capacity", "gauge", NULL,
					    "Entries a map of the kernel side can hold." };
static const struct family recent_flows = { "flowner_recent_flows", "gauge", NULL,
					    "Flows that ended and are still remembered." };
static const struct family processes_known = { "flowner_processes_known", "gauge", NULL,
					       "Process images in the daemon's table." };
static const struct family streams_open = { "flowner_streams_open", "gauge", NULL,
					    "Readers following events." };
static const struct family uptime = { "flowner_uptime_seconds", "gauge", "seconds",
				      "Time since the daemon started." };
static const struct family requests = { "flowner_requests", "counter", NULL,
					"Requests answered on the socket." };
static const struct family scrapes = { "flowner_scrapes", "counter", NULL,
				       "Connections to the metrics on TCP, by how they ended." };
static const struct family history_written = { "flowner_history_records", "counter", NULL,
					       "Flows written to the history." };
static const struct family history_lost = { "flowner_history_lost", "counter", NULL,
					    "Flows that the history lacks." };
static const struct family history_errors = { "flowner_history_write_errors", "counter", NULL,
					      "Attempts to write the history that failed." };
static const struct family events_published = { "flowner_events", "counter", NULL,
						"Events published, watched or not." };

static const struct family flows_opened = { "flowner_flows", "counter", NULL,
					    "Flows seen to open, or found open." };
static const struct family flows_gone = { "flowner_flows_ended", "counter", NULL,
					  "Flows that ended." };
static const struct family flows_seeded = { "flowner_flows_seeded", "counter", NULL,
					    "Flows found open when the agent first looked." };
static const struct family flows_accepted = { "flowner_flows_accepted", "counter", NULL,
					      "Passive flows whose acceptor was seen." };
static const struct family connect_calls = { "flowner_connect_calls", "counter", NULL,
					     "Calls of connect(), whatever came of them." };
static const struct family events_lost = { "flowner_events_lost", "counter", NULL,
					   "Events that were dropped." };
static const struct family map_full = { "flowner_map_full", "counter", NULL,
					"Entries a full map refused." };
static const struct family unresolved = { "flowner_unresolved", "counter", NULL,
					  "Facts about a flow that could not be had." };
static const struct family ends_repaired = { "flowner_ends_repaired", "counter", NULL,
					     "Ends that only a second source saw." };
static const struct family index_repaired = { "flowner_index_repaired", "counter", NULL,
					      "Entries by tuple put right by reconciliation." };
static const struct family peers_idle = { "flowner_udp_idle", "counter", NULL,
					  "UDP peers that ended by being silent." };
static const struct family peers_left = { "flowner_udp_peers_left", "counter", NULL,
					  "UDP peers left to the sweep." };

static const struct family aborts = { "flowner_aborts", "counter", NULL,
				      "Flows that somebody asked to cut, by what came of it." };
static const struct family reauthorized = {
	"flowner_reauthorized", "counter", NULL,
	"Live flows not allowed any more, cut or left, and those that could not be judged again."
};
static const struct family runs_skipped = { "flowner_runs_skipped", "counter", NULL,
					    "Runs of tracing programs that the kernel skipped." };
static const struct family verdicts = { "flowner_verdicts_failed", "counter", NULL,
					"Attempts that could not be judged." };

static const struct family verdicts_unknown = {
	"flowner_verdicts_unknown", "counter", NULL,
	"Attempts judged while something that a rule asks for was not known."
};

static const struct family verdicts_skipped = {
	"flowner_verdicts_skipped", "counter", NULL,
	"Attempts that the kernel let pass without asking for a verdict."
};

static const struct family verdicts_told = {
	"flowner_verdicts", "counter", NULL,
	"Attempts judged, by hook and verdict; what plainly may proceed is not counted."
};

/* By counter. With a label and without a value: the counter's own name is that. */
static const struct sample samples[] = {
	[FL_CNT_OPENED] = { &flows_opened },
	[FL_CNT_ENDED] = { &flows_gone },
	[FL_CNT_SEEDED] = { &flows_seeded },
	[FL_CNT_ACCEPTED] = { &flows_accepted },
	[FL_CNT_CONNECT_CALLS] = { &connect_calls },
	[FL_CNT_RING_FULL] = { &events_lost, "reason" },
	[FL_CNT_SLOT_0_FULL] = { &events_lost, "reason" },
	[FL_CNT_SLOT_1_FULL] = { &events_lost, "reason" },
	[FL_CNT_SLOT_2_FULL] = { &events_lost, "reason" },
	[FL_CNT_SLOT_3_FULL] = { &events_lost, "reason" },
	[FL_CNT_ESTABLISHED_LATE] = { &events_lost, "reason" },
	[FL_CNT_CONNECTIONS_FULL] = { &map_full, "map", "connections" },
	[FL_CNT_SOCKETS_FULL] = { &map_full, "map", "sockets" },
	[FL_CNT_PROCESSES_FULL] = { &map_full, "map", "processes" },
	[FL_CNT_STORAGE_FULL] = { &map_full, "map", "socket_storage" },
	[FL_CNT_COUNTS_FULL] = { &map_full, "map", "udp_counts" },
	[FL_CNT_CGROUPS_FULL] = { &map_full, "map", "policy_values" },
	[FL_CNT_REDIRECTS_FULL] = { &map_full, "map", "redirects" },
	[FL_CNT_LISTENERS_FULL] = { &map_full, "map", "port_listeners" },
	[FL_CNT_LISTENERS_UNCOUNTED] = { &map_full, "map", "listeners" },
	[FL_CNT_UDP_PENDING_FULL] = { &map_full, "map", "udp_pending" },
	[FL_CNT_NO_LISTENER] = { &unresolved, "reason" },
	[FL_CNT_MPTCP_UNOWNED] = { &unresolved, "reason" },
	[FL_CNT_MPTCP_PATHS_LEFT] = { &unresolved, "reason" },
	[FL_CNT_UDP_UNOWNED] = { &unresolved, "reason" },
	[FL_CNT_UDP_PARSE] = { &unresolved, "reason" },
	[FL_CNT_UDP_CONTESTED] = { &unresolved, "reason" },
	[FL_CNT_UDP_CALL_UNSEEN] = { &unresolved, "reason" },
	[FL_CNT_EXE_UNREAD] = { &unresolved, "reason" },
	[FL_CNT_ARGS_UNREAD] = { &unresolved, "reason" },
	[FL_CNT_END_REPAIRED] = { &ends_repaired, "by", "tracepoint" },
	[FL_CNT_END_RECONCILED] = { &ends_repaired, "by", "reconciliation" },
	[FL_CNT_INDEX_REPAIRED] = { &index_repaired },
	[FL_CNT_UDP_IDLE] = { &peers_idle },
	[FL_CNT_UDP_PEERS_LEFT] = { &peers_left },
	[FL_CNT_ABORTED] = { &aborts, "outcome", "done" },
	[FL_CNT_ABORT_REFUSED] = { &aborts, "outcome", "refused" },
	[FL_CNT_VERDICT_FAILED] = { &verdicts },
	[FL_CNT_VERDICT_UNKNOWN] = { &verdicts_unknown },
	[FL_CNT_VERDICT_UNTOLD] = { &events_lost, "reason" },
	[FL_CNT_RUNS_SKIPPED] = { &runs_skipped },
	[FL_CNT_VERDICT_SKIPPED] = { &verdicts_skipped },
	[FL_CNT_AGAIN_CUT] = { &reauthorized, "outcome", "cut" },
	[FL_CNT_AGAIN_LEFT] = { &reauthorized, "outcome", "left" },
	[FL_CNT_AGAIN_UNJUDGED] = { &reauthorized, "outcome", "unjudged" },
};
_Static_assert(sizeof(samples) / sizeof(samples[0]) == FL_CNT_MAX, "each counter has a place");

static struct sample sample_of(enum fl_counter counter)
{
	struct sample s = samples[counter];

	if (s.label && !s.value)
		s.value = counter_text(counter);
	return s;
}

/* --- how full the maps are --- */

/* To count takes a walk over all entries, and anybody may ask: of the time a tenth at the most. */
#define COUNT_PAUSES 9

static struct {
	struct table {
		__u64 entries, capacity;
		bool known;
	} tables[MAPS_TABLES];
	__u64 ended_ns, took_ns; /* of the last count; 0: there was none */
} counted;

static const struct table *count_maps(const struct agent *agent)
{
	__u64 now_ns = clock_ns(CLOCK_MONOTONIC);

	if (counted.ended_ns && now_ns - counted.ended_ns < COUNT_PAUSES * counted.took_ns)
		return counted.tables;
	for (enum maps_table t = 0; t < MAPS_TABLES; t++) {
		struct table *table = &counted.tables[t];

		table->known = maps_entries(agent->maps, t, &table->entries, &table->capacity) == 0;
	}
	counted.ended_ns = clock_ns(CLOCK_MONOTONIC);
	counted.took_ns = counted.ended_ns - now_ns;
	return counted.tables;
}

/* --- text --- */

/* What is being written. */
struct page {
	FILE *out;
	enum metrics_format format;
	const struct agent *agent;
	const struct table *tables;
};

const char *metrics_type(enum metrics_format format)
{
	switch (format) {
	case METRICS_OPEN:
		return "application/openmetrics-text; version=1.0.0; charset=utf-8";
	case METRICS_PLAIN:
		return "text/plain; version=0.0.4; charset=utf-8";
	}
	return NULL;
}

enum metrics_format metrics_format_for(const char *accept)
{
	bool plain = accept && strstr(accept, "text/plain");

	return plain && !strstr(accept, "application/openmetrics-text") ? METRICS_PLAIN
									: METRICS_OPEN;
}

static const char *suffix(const struct family *f)
{
	return strcmp(f->type, "counter") == 0 ? "_total"
	       : strcmp(f->type, "info") == 0  ? "_info"
					       : "";
}

/* The older text knows no infos and no units, and what is typed there are samples. */
static void write_head(const struct page *p, const struct family *f)
{
	bool plain = p->format == METRICS_PLAIN;
	const char *end = plain ? suffix(f) : "";

	fprintf(p->out, "# TYPE %s%s %s\n", f->name, end,
		plain && strcmp(f->type, "info") == 0 ? "gauge" : f->type);
	if (f->unit && !plain)
		fprintf(p->out, "# UNIT %s %s\n", f->name, f->unit);
	fprintf(p->out, "# HELP %s%s %s\n", f->name, end, f->help);
}

static void write_sample(const struct page *p, const struct sample *s, __u64 value)
{
	const struct family *f = s->family;

	if (s->label)
		fprintf(p->out, "%s%s{%s=\"%s\"} %llu\n", f->name, suffix(f), s->label, s->value,
			value);
	else
		fprintf(p->out, "%s%s %llu\n", f->name, suffix(f), value);
}

static void write_one(const struct page *p, const struct family *family, __u64 value)
{
	struct sample s = { family, NULL, NULL };

	write_head(p, family);
	write_sample(p, &s, value);
}

/* Samples of one family must stand together: the rest of it is looked for at its first counter. */
static bool is_first_of_family(enum fl_counter counter)
{
	for (enum fl_counter c = 0; c < counter; c++)
		if (sample_of(c).family == sample_of(counter).family)
			return false;
	return true;
}

static void write_family(const struct page *p, enum fl_counter first)
{
	const struct family *family = sample_of(first).family;
	__u64 value;

	write_head(p, family);
	for (enum fl_counter c = first; c < FL_CNT_MAX; c++) {
		struct sample s = sample_of(c);

		if (s.family == family && maps_counter(p->agent->maps, c, &value) == 0)
			write_sample(p, &s, value);
	}
	if (family == &events_lost && p->agent->api) {
		struct sample s = { family, "reason", "slow_reader" };

		write_sample(p, &s, api_counts(p->agent->api).events_lost);
	}
	if (family == &events_lost && p->agent->journal) {
		struct sample s = { family, "reason", "journal" };

		write_sample(p, &s, journal_untold(p->agent->journal));
	}
}

static void write_maps(const struct page *p, bool capacity)
{
	const struct family *family = capacity ? &map_capacity : &map_entries;

	write_head(p, family);
	for (enum maps_table t = 0; t < MAPS_TABLES; t++) {
		struct sample s = { family, "map", maps_table_name(t) };

		if (p->tables[t].known)
			write_sample(p, &s,
				     capacity ? p->tables[t].capacity : p->tables[t].entries);
	}
}

#define REDIRECTS (FL_PROCEED_HARD + 1) /* after the verdicts */

/* Every hook, verdict and mode: 40 samples at the most. */
static void each_verdict(const struct agent *agent,
			 void (*fn)(void *arg, enum fl_hook hook, const char *verdict,
				    bool enforced, __u64 count),
			 void *arg)
{
	const struct verdicts *v = rules_verdicts(agent->rules);

	for (enum fl_hook hook = 0; hook < FL_HOOKS; hook++) {
		for (int i = 0; i <= REDIRECTS; i++) {
			for (int enforced = 0; enforced < 2; enforced++) {
				__u64 count = i == REDIRECTS
						      ? verdicts_redirected(v, hook, enforced)
						      : verdicts_counted(v, hook,
									 (enum fl_verdict)i,
									 enforced);

				if (count)
					fn(arg, hook,
					   i == REDIRECTS ? "redirect"
							  : policy_verdict_text((enum fl_verdict)i),
					   enforced, count);
			}
		}
	}
}

static void write_verdict(void *arg, enum fl_hook hook, const char *verdict, bool enforced,
			  __u64 count)
{
	fprintf(arg, "%s_total{hook=\"%s\",verdict=\"%s\",enforced=\"%s\"} %llu\n",
		verdicts_told.name, policy_hook_text(hook), verdict, enforced ? "true" : "false",
		count);
}

static void write_verdicts(const struct page *p)
{
	if (!p->agent->rules)
		return;
	write_head(p, &verdicts_told);
	each_verdict(p->agent, write_verdict, p->out);
}

static void write_build(const struct page *p)
{
	struct sample s = { &build_info, "version", FLOWNER_VERSION };

	write_head(p, &build_info);
	write_sample(p, &s, 1);
}

struct row {
	struct sample sample;
	__u64 value;
};

static void write_rows(const struct page *p, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!i || rows[i].sample.family != rows[i - 1].sample.family)
			write_head(p, rows[i].sample.family);
		write_sample(p, &rows[i].sample, rows[i].value);
	}
}

static void write_scrapes(const struct page *p)
{
	struct scrape_counts counts = scrape_counts(p->agent->scrape);
	const struct row rows[] = {
		{ { &scrapes, "outcome", "answered" }, counts.answered },
		{ { &scrapes, "outcome", "refused" }, counts.refused },
		{ { &scrapes, "outcome", "dropped" }, counts.dropped },
	};

	write_rows(p, rows, sizeof(rows) / sizeof(rows[0]));
}

static void write_history(const struct page *p)
{
	struct history_counts counts = history_counts(p->agent->history);
	const struct row rows[] = {
		{ { &history_written, NULL, NULL }, counts.written },
		{ { &history_lost, "reason", "buffer_full" }, counts.lost_full },
		{ { &history_lost, "reason", "no_memory" }, counts.lost_memory },
		{ { &history_errors, "reason", "no_space" }, counts.no_space },
		{ { &history_errors, "reason", "io" }, counts.io_errors },
		{ { &history_errors, "reason", "other" }, counts.other_errors },
	};

	write_rows(p, rows, sizeof(rows) / sizeof(rows[0]));
}

static void write_daemon(const struct page *p)
{
	const struct agent *agent = p->agent;
	__u64 up_ns = clock_ns(CLOCK_BOOTTIME) - agent->started_ns;

	write_head(p, &uptime);
	fprintf(p->out, "%s %llu.%03llu\n", uptime.name, up_ns / 1000000000ULL,
		up_ns / 1000000ULL % 1000);
	write_one(p, &recent_flows, flows_count(agent->flows));
	write_one(p, &processes_known, procs_count(agent->procs));
	write_one(p, &events_published, agent->sequence - agent->sequence_before);
	if (agent->scrape)
		write_scrapes(p);
	if (agent->history)
		write_history(p);
	if (!agent->api)
		return;
	write_one(p, &streams_open, api_counts(agent->api).streams);
	write_one(p, &requests, api_counts(agent->api).requests);
}

char *metrics_text(struct agent *agent, enum metrics_format format)
{
	_free_ char *text = NULL;
	size_t size;
	struct page p = { .format = format, .agent = agent };

	p.out = open_memstream(&text, &size);
	if (!p.out)
		return NULL;
	p.tables = count_maps(agent);
	write_build(&p);
	if (p.tables[MAPS_SOCKETS].known)
		write_one(&p, &flows_active, p.tables[MAPS_SOCKETS].entries);
	for (enum fl_counter c = 0; c < FL_CNT_MAX; c++)
		if (is_first_of_family(c))
			write_family(&p, c);
	write_verdicts(&p);
	write_maps(&p, false);
	write_maps(&p, true);
	write_daemon(&p);
	if (format == METRICS_OPEN)
		fprintf(p.out, "# EOF\n");
	return fclose(p.out) == 0 ? TAKE_PTR(text) : NULL;
}

/* --- stats --- */

static json_t *counters_json(const struct agent *agent)
{
	json_t *object = json_object();
	__u64 value;

	for (enum fl_counter c = 0; c < FL_CNT_MAX; c++)
		if (maps_counter(agent->maps, c, &value) == 0)
			json_object_set_new(object, counter_text(c),
					    json_integer((json_int_t)value));
	return object;
}

static json_t *maps_json(const struct agent *agent)
{
	const struct table *tables = count_maps(agent);
	json_t *object = json_object();

	for (enum maps_table t = 0; t < MAPS_TABLES; t++)
		if (tables[t].known)
			json_object_set_new(object, maps_table_name(t),
					    json_pack("{sI sI}", "entries",
						      (json_int_t)tables[t].entries, "capacity",
						      (json_int_t)tables[t].capacity));
	return object;
}

static json_t *streams_json(const struct agent *agent)
{
	struct api_counts c = { 0 };

	if (agent->api)
		c = api_counts(agent->api);
	return json_pack("{sI sI sI sI}", "open", (json_int_t)c.streams, "connections",
			 (json_int_t)c.connections, "requests", (json_int_t)c.requests,
			 "events_lost", (json_int_t)c.events_lost);
}

static void add_verdict(void *arg, enum fl_hook hook, const char *verdict, bool enforced,
			__u64 count)
{
	char key[96];

	snprintf(key, sizeof(key), "%s_%s_%s", policy_hook_text(hook), verdict,
		 enforced ? "enforced" : "audited");
	json_object_set_new(arg, key, json_integer((json_int_t)count));
}

static json_t *verdicts_json(const struct agent *agent)
{
	json_t *object = json_object();

	if (agent->rules)
		each_verdict(agent, add_verdict, object);
	return object;
}

json_t *metrics_stats(struct agent *agent)
{
	return json_pack("{ss sI sI sI so so so sI sI so}", "version", FLOWNER_VERSION, "uptime_ns",
			 (json_int_t)(clock_ns(CLOCK_BOOTTIME) - agent->started_ns), "sequence",
			 (json_int_t)agent->sequence, "events",
			 (json_int_t)(agent->sequence - agent->sequence_before), "counters",
			 counters_json(agent), "verdicts", verdicts_json(agent), "maps",
			 maps_json(agent), "recent", (json_int_t)flows_count(agent->flows),
			 "processes", (json_int_t)procs_count(agent->procs), "streams",
			 streams_json(agent));
}
