/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * score TRUTH REPORT: is what the agent reported what the test did? One verdict per session, a
 * table per scenario, the first differences in full. Exit 0 only when nothing is wrong or missing.
 */
#include "score.h"

#include "text/cleanup.h"
#include <errno.h>
#include <getopt.h>
#include <string.h>

#define SHOWN 20 /* differences printed in full */

struct options {
	struct score_rules rules;
	bool json;
	bool strict;
	const char *truth;
	const char *report;
};

struct row {
	const char *scenario;
	unsigned int sessions, right, holder, wrong, missing, absent;
};

struct result {
	struct row *rows;
	size_t count;
	struct row total;
	unsigned int extra;
	unsigned int skipped, failed; /* scenarios */
};

static void count(struct row *row, enum score_verdict verdict)
{
	row->sessions++;
	switch (verdict) {
	case SCORE_MISSING:
		row->missing++;
		break;
	case SCORE_RIGHT:
		row->right++;
		break;
	case SCORE_HOLDER:
		row->holder++;
		break;
	case SCORE_WRONG:
		row->wrong++;
		break;
	case SCORE_ABSENT:
		row->absent++;
		break;
	}
}

/* Rows in the order scenarios first appear; there are about sixty. */
static struct row *row_of(struct result *res, const char *scenario)
{
	struct row *bigger;

	for (size_t i = 0; i < res->count; i++)
		if (!strcmp(res->rows[i].scenario, scenario))
			return &res->rows[i];
	bigger = realloc(res->rows, (res->count + 1) * sizeof(*bigger));
	if (!bigger)
		abort();
	res->rows = bigger;
	res->rows[res->count] = (struct row){ .scenario = scenario };
	return &res->rows[res->count++];
}

static void collect(const struct score *sc, const struct score_rules *rules, struct result *res)
{
	res->total.scenario = "total";
	for (size_t i = 0; i < sc->session_count; i++) {
		count(row_of(res, sc->sessions[i].scenario), sc->sessions[i].verdict);
		count(&res->total, sc->sessions[i].verdict);
	}
	for (size_t i = 0; i < sc->flow_count; i++)
		res->extra += score_is_extra(sc, rules, &sc->flows[i]);
	for (size_t i = 0; i < sc->note_count; i++) {
		bool skip = !strcmp(sc->notes[i].what, "skipped");

		res->skipped += skip;
		res->failed += !skip;
	}
}

static void dump(FILE *out, const char *label, json_t *json)
{
	_free_ char *text = json_dumps(json, JSON_COMPACT);

	fprintf(out, "    %s %s\n", label, text ? text : "-");
}

static void print_differences(FILE *out, const struct score *sc)
{
	unsigned int shown = 0;

	for (size_t i = 0; i < sc->session_count && shown < SHOWN; i++) {
		const struct session *s = &sc->sessions[i];

		if (s->verdict != SCORE_WRONG && s->verdict != SCORE_MISSING)
			continue;
		shown++;
		fprintf(out, "%s %s/%s: %s\n", s->verdict == SCORE_WRONG ? "wrong" : "missing",
			s->scenario, s->family, s->why[0] ? s->why : "no such flow");
		dump(out, "truth ", s->json);
		if (s->flow)
			dump(out, "report", s->flow->json);
	}
}

static void print_extra(FILE *out, const struct score *sc, const struct score_rules *rules)
{
	unsigned int shown = 0;

	for (size_t i = 0; i < sc->flow_count && shown < SHOWN; i++) {
		if (!score_is_extra(sc, rules, &sc->flows[i]))
			continue;
		shown++;
		fprintf(out, "extra: a process of the test is said to own it, but it made none\n");
		dump(out, "report", sc->flows[i].json);
	}
}

static void print_row(FILE *out, const struct row *r)
{
	fprintf(out, "%-24s %8u %8u %8u %8u %8u %8u\n", r->scenario, r->sessions, r->right,
		r->holder, r->wrong, r->missing, r->absent);
}

static void print_table(FILE *out, const struct score *sc, const struct result *res)
{
	for (size_t i = 0; i < sc->note_count; i++)
		fprintf(out, "%s/%s: %s: %s\n", sc->notes[i].scenario, sc->notes[i].family,
			sc->notes[i].what, sc->notes[i].why);
	fprintf(out, "%-24s %8s %8s %8s %8s %8s %8s\n", "scenario", "sessions", "right", "holder",
		"wrong", "missing", "optional");
	for (size_t i = 0; i < res->count; i++)
		print_row(out, &res->rows[i]);
	print_row(out, &res->total);
	fprintf(out, "scenarios skipped: %u, failed: %u; extra flows: %u; lines of loss: %zu\n",
		res->skipped, res->failed, res->extra, sc->lost_lines);
}

static json_t *row_json(const struct row *r)
{
	return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i}", "scenario", r->scenario, "sessions",
			 (int)r->sessions, "right", (int)r->right, "holder", (int)r->holder,
			 "wrong", (int)r->wrong, "missing", (int)r->missing, "optional_absent",
			 (int)r->absent);
}

static void print_json(const struct score *sc, const struct result *res)
{
	json_t *rows = json_array(), *all;

	for (size_t i = 0; i < res->count; i++)
		json_array_append_new(rows, row_json(&res->rows[i]));
	all = json_pack("{s:o, s:o, s:i, s:i, s:i, s:i}", "scenarios", rows, "total",
			row_json(&res->total), "extra", (int)res->extra, "skipped",
			(int)res->skipped, "failed", (int)res->failed, "lost", (int)sc->lost_lines);
	json_dumpf(all, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(all);
}

/* Holders and optional absences are no failures; a scenario that broke down is one. */
static unsigned int failures(const struct options *o, const struct result *res)
{
	return res->total.wrong + res->total.missing + res->failed + (o->strict ? res->extra : 0);
}

static int print(const struct options *o, const struct score *sc)
{
	struct result res = { 0 };
	FILE *out = o->json ? stderr : stdout;
	unsigned int bad;

	collect(sc, &o->rules, &res);
	print_differences(out, sc);
	print_extra(out, sc, &o->rules);
	if (o->json)
		print_json(sc, &res);
	else
		print_table(out, sc, &res);
	bad = failures(o, &res);
	if (!res.total.sessions) {
		fprintf(out, "no session to score: nothing is proved\n");
		bad++;
	}
	fprintf(out, "%u passed, %u failed\n", res.total.right + res.total.holder, bad);
	free(res.rows);
	return bad ? 1 : 0;
}

static int usage(FILE *to)
{
	fprintf(to, "usage: score TRUTH REPORT [--tier lowest|full] [--accept-syscall] "
		    "[--no-first-use]\n"
		    "             [--live] [--strict] [--json] [--tolerance-ms N]\n"
		    "REPORT: the agent's flows and events, one JSON object per line.\n"
		    "--live: the sessions are still open. --strict: extra flows fail.\n");
	return to == stdout ? 0 : 2;
}

static int set_tolerance(struct options *o, const char *text)
{
	long ms = strtol(text, NULL, 10);

	if (ms <= 0)
		return -EINVAL;
	o->rules.start_tolerance_ns = ms * 1000000;
	o->rules.open_tolerance_ns = ms * 5000000;
	return 0;
}

static int set_tier(struct options *o, const char *name)
{
	o->rules.lowest = !strcmp(name, "lowest");
	return o->rules.lowest || !strcmp(name, "full") ? 0 : -EINVAL;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "tier", required_argument, NULL, 't' },
		{ "accept-syscall", no_argument, NULL, 'a' },
		{ "no-first-use", no_argument, NULL, 'u' },
		{ "live", no_argument, NULL, 'l' },
		{ "strict", no_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "tolerance-ms", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c, r = 0;

	while (r == 0 && (c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 't':
			r = set_tier(o, optarg);
			break;
		case 'a':
			o->rules.accept_syscall = true;
			break;
		case 'u':
			o->rules.no_first_use = true;
			break;
		case 'l':
			o->rules.live = true;
			break;
		case 's':
			o->strict = true;
			break;
		case 'j':
			o->json = true;
			break;
		case 'm':
			r = set_tolerance(o, optarg);
			break;
		case 'h':
			exit(usage(stdout));
		default:
			r = -EINVAL;
		}
	}
	if (r < 0 || argc - optind != 2)
		return -EINVAL;
	o->truth = argv[optind];
	o->report = argv[optind + 1];
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	_cleanup_(score_free) struct score sc = { 0 };
	const char *why;

	set_tolerance(&o, "50");
	if (parse(argc, argv, &o) < 0)
		return usage(stderr);
	if (score_read_truth(&sc, o.truth, &why) < 0) {
		fprintf(stderr, "score: cannot read '%s': %s\n", o.truth, why);
		return 2;
	}
	if (score_read_report(&sc, o.report, &why) < 0) {
		fprintf(stderr, "score: cannot read '%s': %s\n", o.report, why);
		return 2;
	}
	score_judge(&sc, &o.rules);
	return print(&o, &sc);
}
