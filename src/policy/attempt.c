/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/attempt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct filter_field attempt_fields[] = {
	{ .name = "hook",
	  .value = "HOOK",
	  .help = "bind, listen, connect, connect_authorization, recv_accept" },
	{ .name = "proto", .value = "PROTO", .help = "tcp (if not said) or udp" },
	{ .name = "local", .value = "ADDR:PORT", .help = "near end; also only :PORT or ADDR" },
	{ .name = "remote", .value = "ADDR:PORT", .help = "far end" },
	{ .name = "exe", .value = "PATH", .help = "executable of the process" },
	{ .name = "parent", .value = "PATH", .help = "executable of its parent" },
	{ .name = "user", .value = "NAME", .help = "effective user" },
	{ .name = "uid", .value = "NUMBER", .help = "the same by number" },
	{ .name = "group", .value = "NAME", .help = "effective group" },
	{ .name = "cgroup",
	  .value = "PATH",
	  .help = "below the cgroup2 mount; tells unit and "
		  "container too" },
	{ .name = "unit", .value = "NAME", .help = "systemd unit" },
	{ .name = "container", .value = "ID", .help = "id or name of a container" },
	{ .name = "netns", .value = "NAME", .help = "network namespace" },
	{ .name = "interface", .value = "NAME", .help = "network interface" },
	{ .name = "interface-type", .value = "TYPE", .help = "IANA's ifType, word or number" },
	{ .name = "tunnel-type", .value = "TYPE", .help = "IANA's tunnelType, word or number" },
	{ .name = "port-in-use-by-other",
	  .value = "BOOL",
	  .help = "at listen: another process listens there" },
	{ .name = "process-listeners",
	  .value = "N",
	  .help = "at listen: so many listeners has the process already" },
	{ .name = "user-listeners", .value = "N", .help = "the same of the user" },
	{ .name = "cgroup-listeners", .value = "N", .help = "the same of the cgroup" },
	{ .name = "exe-listeners", .value = "N", .help = "the same of the executable" },
	{ .name = NULL },
};

/* Those that are one word. */
static const struct {
	const char *name;
	enum policy_attribute attribute;
} words[] = {
	{ "exe", POLICY_EXE },
	{ "parent", POLICY_PARENT },
	{ "user", POLICY_USER },
	{ "uid", POLICY_UID },
	{ "group", POLICY_GROUP },
	{ "cgroup", POLICY_CGROUP },
	{ "unit", POLICY_UNIT },
	{ "container", POLICY_CONTAINER },
	{ "netns", POLICY_NETNS },
	{ "interface", POLICY_INTERFACE },
	{ "interface-type", POLICY_INTERFACE_TYPE },
	{ "tunnel-type", POLICY_TUNNEL_TYPE },
	{ "port-in-use-by-other", POLICY_PORT_IN_USE },
	{ "process-listeners", POLICY_LIMIT },
	{ "user-listeners", POLICY_LIMIT_USER },
	{ "cgroup-listeners", POLICY_LIMIT_CGROUP },
	{ "exe-listeners", POLICY_LIMIT_EXE },
};

/* Who gives the words, and how a refusal of them is worded. */
struct giver {
	const char *(*given)(const void *arg, const char *name);
	const void *arg;
	const char *mark;
	char *why;
};

static int refuse(const struct giver *g, const char *name, const char *value)
{
	snprintf(g->why, ATTEMPT_WHY, "'%.128s' is not what '%s%s' takes", value, g->mark, name);
	return -EINVAL;
}

/* ":0" is a port too, one that the kernel is to choose, though no filter would ask for it. */
static int read_endpoint(const struct giver *g, const char *name, struct endpoint *ret_endpoint)
{
	const char *text = g->given(g->arg, name);
	struct endpoint ep = { 0 };
	char without[128];
	size_t len;

	if (!text)
		return 0;
	len = strlen(text);
	if (len > 2 && len < sizeof(without) && strcmp(text + len - 2, ":0") == 0) {
		snprintf(without, sizeof(without), "%.*s:1", (int)len - 2, text);
		if (endpoint_parse(without, &ep) || !ep.has_port)
			return refuse(g, name, text);
		ep.port = 0;
	} else if (endpoint_parse(text, &ep)) {
		return refuse(g, name, text);
	}
	if (ep.has_addr && ep.prefix != 128)
		return refuse(g, name, text);
	*ret_endpoint = ep;
	return 0;
}

int attempt_read(const char *(*given)(const void *arg, const char *name), const void *arg,
		 const char *mark, struct rehearsal *ret_attempt, char why[ATTEMPT_WHY])
{
	const struct giver g = { given, arg, mark, why };
	const char *hook = given(arg, "hook"), *proto = given(arg, "proto");
	struct rehearsal attempt = { 0 };

	if (!hook) {
		snprintf(why, ATTEMPT_WHY, "'test' needs '%shook'", mark);
		return -EINVAL;
	}
	if (policy_hook_parse(hook, &attempt.hook))
		return refuse(&g, "hook", hook);
	if (proto && strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0)
		return refuse(&g, "proto", proto);
	attempt.udp = proto && *proto == 'u';
	if (attempt.udp && attempt.hook == FL_HOOK_LISTEN)
		return refuse(&g, "proto", "udp at listen");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		attempt.words[words[i].attribute] = given(arg, words[i].name);
	if (read_endpoint(&g, "local", &attempt.local) ||
	    read_endpoint(&g, "remote", &attempt.remote))
		return -EINVAL;
	*ret_attempt = attempt;
	return 0;
}
