/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/policyhits.h"
#include "text/cleanup.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

/* --- what was missed, beside the texts of the policy --- */

_Static_assert(sizeof(((struct policyhits *)0)->missed[0]) == FL_HITS_CHUNKS * FL_TEXT_CHUNK,
	       "all of them fit");

static __u32 chunk_of(__u32 area, __u32 i)
{
	return (area + 1) * FL_TEXT_CHUNKS - FL_HITS_CHUNKS + i;
}

static int keep_missed(const struct policyhits *h, const struct policymaps *m, __u32 area)
{
	const char *missed = (const char *)h->missed[area];

	for (__u32 i = 0; i < FL_HITS_CHUNKS; i++) {
		__u32 key = chunk_of(area, i);

		if (bpf_map_update_elem(m->texts, &key, missed + (size_t)i * FL_TEXT_CHUNK,
					BPF_ANY) < 0)
			return -errno;
	}
	return 0;
}

void policyhits_recall(struct policyhits *h, const struct policymaps *m)
{
	for (__u32 area = 0; area < FL_POLICY_AREAS; area++) {
		char *missed = (char *)h->missed[area];

		for (__u32 i = 0; i < FL_HITS_CHUNKS; i++) {
			__u32 key = chunk_of(area, i);

			/* a daemon that knew no edits has none */
			(void)bpf_map_lookup_elem(m->texts, &key,
						  missed + (size_t)i * FL_TEXT_CHUNK);
		}
	}
}

/* --- hits --- */

int policyhits_none(struct policyhits *h, const struct policymaps *m, __u32 area, __u32 rules)
{
	int r;

	memset(h->missed[area], 0, sizeof(h->missed[area]));
	r = keep_missed(h, m, area);
	return r ? r : policymaps_no_hits(m, area, rules);
}

int policyhits_of(const struct policyhits *h, const struct policymaps *m, __u32 area, __u32 rule,
		  __u64 *ret_hits)
{
	__u64 hits;
	int r = policymaps_hits(m, area, rule, &hits);

	if (!r)
		*ret_hits = hits + h->missed[area][rule];
	return r;
}

/* All of it as that of one CPU. */
static int write_hits(const struct policymaps *m, __u32 area, __u32 rule, __u64 *values, __u64 hits)
{
	__u32 index = area * FL_RULES_MAX + rule;

	values[0] = hits;
	return bpf_map_update_elem(m->hits, &index, values, BPF_ANY) < 0 ? -errno : 0;
}

/* Until the end the missed of the new place are what has been written there. */
int policyhits_begin(struct policyhits *h, const struct policymaps *m,
		     const struct policyhits_move *move)
{
	int cpus = libbpf_num_possible_cpus(), r = 0;
	_free_ __u64 *values = NULL;

	if (cpus < 0)
		return cpus;
	values = calloc((size_t)cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	for (__u32 rule = 0; !r && rule < move->rules; rule++) {
		__u64 *hits = &h->missed[move->to][rule];

		if (move->places[rule] == FL_NO_RULE)
			continue;
		r = policyhits_of(h, m, move->from, move->places[rule], hits);
		if (!r)
			r = write_hits(m, move->to, rule, values, *hits);
	}
	return r;
}

void policyhits_end(struct policyhits *h, const struct policymaps *m,
		    const struct policyhits_move *move)
{
	for (__u32 rule = 0; rule < move->rules; rule++) {
		__u64 *missed = &h->missed[move->to][rule], hits = 0;

		if (move->places[rule] == FL_NO_RULE ||
		    policyhits_of(h, m, move->from, move->places[rule], &hits) < 0)
			*missed = 0;
		else
			*missed = hits - *missed;
	}
	(void)keep_missed(h, m, move->to);
}
