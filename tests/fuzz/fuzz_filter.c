/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes filter_add() and filter_matches(). The input is lines of one byte, which picks the field,
 * and its value. A filter cannot be written out; instead the same values, given again in the
 * opposite order, must make a filter that says the same of a number of flows.
 */
#include "flow/filter.h"
#include "host/netns.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_NS 1700007200000000000ULL
#define OFFSET 1700000000000000000LL
#define LINES_MAX 32

static void must(int holds)
{
	if (!holds)
		abort();
}

/* Namespaces are the host's, and a fuzzer must open no paths: any text is some namespace. */
int netns_parse(const char *text, __u32 *ret_inum)
{
	if (text[0] == '/')
		return -ENOENT;
	*ret_inum = (__u32)(unsigned char)text[0];
	return 0;
}

/* The byte picks the field; the last pick is a name that is none. */
static const char *pick(unsigned char byte)
{
	size_t n = 0;

	while (filter_fields[n].name)
		n++;
	return byte % (n + 1) < n ? filter_fields[byte % (n + 1)].name : "none";
}

static int add_line(struct filter *f, const char *line)
{
	const char *why = NULL;
	int r = filter_add(f, pick((unsigned char)line[0]), line + 1, NOW_NS, &why);

	must(r == 0 || r == -EINVAL || r == -ENOENT);
	if (r == 0)
		return r;
	must(why && *why);
	for (; *why; why++)
		must(*why >= ' ' && *why <= '~'); /* it goes into JSON and onto terminals */
	return r;
}

static struct fl_flow sample(unsigned int i)
{
	struct fl_flow flow = {
		.id = i + 1,
		.key = { .proto = i & 1 ? FL_TCP : FL_UDP,
			 .local = { { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = (__u8)i } },
			 .local_port = (__u16)(i * 4099),
			 .remote_port = i & 2 ? 443 : 0 },
		.owner = { .proc = { .pid = i & 4 ? 123 : 0 }, .uid = 1000, .comm = "curl" },
		.opened_ns = i * 1000000000ULL,
		.ended_ns = i & 8 ? i * 2000000000ULL : 0,
		.role = (enum fl_role)(i % 6),
		.state = (enum fl_state)(i % 12),
		.netns_inum = i * 7,
	};

	if (i & 2)
		flow.key.remote.b[15] = 1;
	if (i & 16)
		memset(&flow.key.local, 0x20, sizeof(flow.key.local));
	return flow;
}

static void check_equal(const struct filter *a, const struct filter *b)
{
	static const struct flow_names named = { "bob", "nginx.service", "4f1c2d3e",
						 "/usr/bin/curl" };
	static const struct flow_names nameless;

	must(filter_wants_live(a) == filter_wants_live(b));
	must(filter_wants_closed(a) == filter_wants_closed(b));
	must(filter_wants_live(a) || filter_wants_closed(a));
	for (unsigned int i = 0; i < 64; i++) {
		const struct flow_names *names = i & 32 ? &named : &nameless;
		struct fl_flow flow = sample(i);
		bool says = filter_matches(a, &flow, names, OFFSET);

		must(says == filter_matches(b, &flow, names, OFFSET));
		must(!says || (flow.ended_ns ? filter_wants_closed(a) : filter_wants_live(a)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *rest = text, *line;
	char *lines[LINES_MAX];
	int results[LINES_MAX] = { 0 };
	struct filter *a = NULL, *b = NULL;
	size_t n = 0;

	must(text && filter_new(&a) == 0 && filter_new(&b) == 0);
	while (n < LINES_MAX && (line = strsep(&rest, "\n"))) {
		if (*line == '\0')
			continue;
		results[n] = add_line(a, line);
		lines[n++] = line;
	}
	for (size_t i = n; i-- > 0;)
		must(add_line(b, lines[i]) == results[i]);
	check_equal(a, b);
	filter_free(a);
	filter_free(b);
	free(text);
	return 0;
}
