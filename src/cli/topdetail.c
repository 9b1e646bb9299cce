/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/topdetail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/address.h"
#include "cli/client.h"
#include "cli/details.h"
#include "flow/flowtext.h"
#include "text/services.h"

void topdetail_begin(struct topdetail *d, const struct fl_flow *flow)
{
	topdetail_release(d);
	*d = (struct topdetail){ .flow = *flow };
}

void topdetail_release(struct topdetail *d)
{
	json_decref(d->record);
	d->record = NULL;
}

static bool has_remote(const struct fl_flow *flow)
{
	return flow->key.remote_port != 0;
}

char *topdetail_past_query(const struct topdetail *d)
{
	char text[ADDRESS_TEXT];
	char *query = NULL;
	int r;

	snprintf(text, sizeof(text), "%u", d->flow.owner.proc.pid);
	r = client_query(&query, "closed", "1");
	if (r == 0)
		r = client_query(&query, "pid", text);
	if (r == 0 && has_remote(&d->flow))
		r = client_query(&query, "remote", address_format(&d->flow.key.remote, text));
	if (r == 0)
		return query;
	free(query);
	return NULL;
}

/* The latest first; the oldest falls out. */
void topdetail_past(struct topdetail *d, const struct fl_flow *flow)
{
	size_t at = d->past_count;

	if (flow->owner.proc.start_ns != d->flow.owner.proc.start_ns || flow->id == d->flow.id)
		return;
	d->past_all++;
	while (at > 0 && d->past[at - 1].ended_ns < flow->ended_ns)
		at--;
	if (at == TOPDETAIL_PAST)
		return;
	if (d->past_count < TOPDETAIL_PAST)
		d->past_count++;
	memmove(&d->past[at + 1], &d->past[at], (d->past_count - at - 1) * sizeof(*flow));
	d->past[at] = *flow;
}

static void put_past(const struct fl_flow *flow, const struct record_view *view, __u64 now_ns,
		     FILE *out)
{
	char local[SERVICE_ENDPOINT_TEXT], remote[SERVICE_ENDPOINT_TEXT];
	char ago[RECORD_DURATION], lasted[RECORD_DURATION];
	const char *reason = reason_text(flow->reason), *direction = direction_text(flow);
	const struct fl_key *k = &flow->key;
	bool came = direction && strcmp(direction, "ingress") == 0;

	record_end(view, &k->local, k->local_port, k->proto, local);
	record_end(view, &k->remote, k->remote_port, k->proto, remote);
	record_duration(now_ns > flow->ended_ns ? now_ns - flow->ended_ns : 0, ago);
	fprintf(out, "  %s ago: %s %s", ago, proto_text(k->proto), local);
	if (has_remote(flow))
		fprintf(out, " %s %s", came ? "<-" : "->", remote);
	fprintf(out, " %s", reason ? reason : "closed");
	if (flow->opened_ns && flow->ended_ns >= flow->opened_ns)
		fprintf(out, " after %s",
			record_duration(flow->ended_ns - flow->opened_ns, lasted));
	if (flow->counted)
		fprintf(out, ", sent %llu, received %llu bytes",
			(unsigned long long)flow->counts.bytes_sent,
			(unsigned long long)flow->counts.bytes_received);
	putc('\n', out);
}

static void put_history(const struct topdetail *d, const struct record_view *view, __u64 now_ns,
			FILE *out)
{
	if (!d->past_known)
		return;
	fprintf(out, "\nended, of this process%s: %zu remembered%s\n",
		has_remote(&d->flow) ? " with this remote address" : "", d->past_all,
		d->past_all > d->past_count ? ", the latest" : "");
	for (size_t i = 0; i < d->past_count; i++)
		put_past(&d->past[i], view, now_ns, out);
}

char *topdetail_text(const struct topdetail *d, const struct record_view *view, __u64 now_ns)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	if (d->record)
		details_print(d->record, view, false, out);
	put_history(d, view, now_ns, out);
	fclose(out);
	return text;
}
