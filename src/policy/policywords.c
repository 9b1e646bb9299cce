/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/policywords.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct word {
	const char *text;
	__u32 value;
};

static int word_find(const struct word *words, const char *text, __u32 *ret_value)
{
	for (; words->text; words++) {
		if (strcmp(words->text, text) == 0) {
			*ret_value = words->value;
			return 0;
		}
	}
	return -EINVAL;
}

/* The first of those that mean VALUE. */
static const char *word_of(const struct word *words, __u32 value)
{
	while (words->text && words->value != value)
		words++;
	return words->text;
}

const char *policy_hook_text(enum fl_hook hook)
{
	switch (hook) {
	case FL_HOOK_BIND:
		return "bind";
	case FL_HOOK_LISTEN:
		return "listen";
	case FL_HOOK_CONNECT:
		return "connect";
	case FL_HOOK_CONNECT_AUTHORIZATION:
		return "connect_authorization";
	case FL_HOOK_RECV_ACCEPT:
		return "recv_accept";
	case FL_HOOKS:
		break;
	}
	return "?";
}

int policy_hook_parse(const char *text, enum fl_hook *ret_hook)
{
	for (enum fl_hook hook = 0; hook < FL_HOOKS; hook++) {
		if (strcmp(policy_hook_text(hook), text) == 0) {
			*ret_hook = hook;
			return 0;
		}
	}
	return -EINVAL;
}

const char *policy_verdict_text(enum fl_verdict verdict)
{
	switch (verdict) {
	case FL_REJECT:
		return "reject";
	case FL_PROCEED_SOFT:
		return "proceed_soft";
	case FL_PROCEED_HARD:
		return "proceed_hard";
	}
	return "reject"; /* as every number that is none */
}

int policy_verdict_parse(const char *text, __u32 *ret_verdict)
{
	static const struct word words[] = {
		{ "reject", FL_REJECT },
		{ "deny", FL_REJECT },
		{ "proceed_soft", FL_PROCEED_SOFT },
		{ "allow", FL_PROCEED_SOFT },
		{ "proceed_hard", FL_PROCEED_HARD },
		{ "allow_hard", FL_PROCEED_HARD },
		{ NULL, 0 },
	};

	return word_find(words, text, ret_verdict);
}

static int type_parse(const struct word *words, const char *text, __u32 *ret_type)
{
	unsigned long number;
	char *end;

	if (word_find(words, text, ret_type) == 0)
		return 0;
	if (!isdigit((unsigned char)*text) || (*text == '0' && text[1]))
		return -EINVAL;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (*end || errno || number >= FL_TYPE_UNKNOWN)
		return -EINVAL;
	*ret_type = (__u32)number;
	return 0;
}

/* Of IANAifType-MIB those that Linux has: what people call them, then their names there. */
static const struct word interface_types[] = {
	{ "other", 1 },
	{ "ethernet", 6 },
	{ "ppp", 23 },
	{ "loopback", 24 },
	{ "virtual", 53 },
	{ "wifi", 71 },
	{ "tunnel", 131 },
	{ "vlan", 135 },
	{ "bond", 161 },
	{ "infiniband", 199 },
	{ "bridge", 209 },
	{ "wwanPP", 243 },
	{ "ethernetCsmacd", 6 },
	{ "softwareLoopback", 24 },
	{ "propVirtual", 53 },
	{ "ieee80211", 71 },
	{ "l2vlan", 135 },
	{ "ieee8023adLag", 161 },
	{ NULL, 0 },
};

/* IANAtunnelType-MIB; 0 is what Windows says of an interface that is no tunnel. */
static const struct word tunnel_types[] = {
	{ "none", 0 },		{ "other", 1 },	  { "direct", 2 },  { "gre", 3 },
	{ "minimal", 4 },	{ "l2tp", 5 },	  { "pptp", 6 },    { "l2f", 7 },
	{ "udp", 8 },		{ "atmp", 9 },	  { "msdp", 10 },   { "sixToFour", 11 },
	{ "sixOverFour", 12 },	{ "isatap", 13 }, { "teredo", 14 }, { "ipHttps", 15 },
	{ "softwireMesh", 16 }, { "dsLite", 17 }, { "aplusp", 18 }, { NULL, 0 },
};

int policy_interface_type_parse(const char *text, __u32 *ret_type)
{
	return type_parse(interface_types, text, ret_type);
}

int policy_tunnel_type_parse(const char *text, __u32 *ret_type)
{
	return type_parse(tunnel_types, text, ret_type);
}

const char *policy_interface_type_text(__u32 type)
{
	return word_of(interface_types, type);
}

const char *policy_tunnel_type_text(__u32 type)
{
	return word_of(tunnel_types, type);
}

const char *policy_per_text(enum fl_per per)
{
	switch (per) {
	case FL_PER_PROCESS:
		return "process";
	case FL_PER_USER:
		return "user";
	case FL_PER_CGROUP:
		return "cgroup";
	case FL_PER_EXE:
		return "exe";
	case FL_PERS:
		break;
	}
	return "?";
}

int policy_per_parse(const char *text, enum fl_per *ret_per)
{
	for (enum fl_per per = 0; per < FL_PERS; per++) {
		if (strcmp(policy_per_text(per), text) == 0) {
			*ret_per = per;
			return 0;
		}
	}
	return -EINVAL;
}

int policy_bool_parse(const char *text, bool *ret_value)
{
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return -EINVAL;
	*ret_value = *text == 't';
	return 0;
}

#define AT(hook) (1u << FL_HOOK_##hook)
#define EVERYWHERE ((1u << FL_HOOKS) - 1)
/* of a socket that connects the near end is chosen by routing, and with it the interface */
#define ROUTED (AT(CONNECT_AUTHORIZATION) | AT(RECV_ACCEPT))

static const struct {
	const char *text;
	enum fl_dimension dimension;
	__u32 hooks;
} attributes[POLICY_ATTRIBUTES] = {
	[POLICY_PROTO] = { "proto", FL_DIM_HOOK, EVERYWHERE },
	[POLICY_EXE] = { "exe", FL_DIM_EXE, EVERYWHERE },
	[POLICY_PARENT] = { "parent", FL_DIM_PARENT, EVERYWHERE },
	[POLICY_USER] = { "user", FL_DIM_UID, EVERYWHERE },
	[POLICY_UID] = { "uid", FL_DIM_UID, EVERYWHERE },
	[POLICY_GROUP] = { "group", FL_DIM_GID, EVERYWHERE },
	[POLICY_CGROUP] = { "cgroup", FL_DIM_CGROUP, EVERYWHERE },
	[POLICY_UNIT] = { "unit", FL_DIM_CGROUP, EVERYWHERE },
	[POLICY_CONTAINER] = { "container", FL_DIM_CGROUP, EVERYWHERE },
	[POLICY_NETNS] = { "netns", FL_DIM_NETNS, EVERYWHERE },
	[POLICY_INTERFACE] = { "interface", FL_DIM_INTERFACE, ROUTED },
	[POLICY_INTERFACE_TYPE] = { "interface_type", FL_DIM_INTERFACE_TYPE, ROUTED },
	[POLICY_TUNNEL_TYPE] = { "tunnel_type", FL_DIM_TUNNEL_TYPE, ROUTED },
	[POLICY_LOCAL_ADDR] = { "local.addr", FL_DIM_LOCAL_ADDR, EVERYWHERE & ~AT(CONNECT) },
	[POLICY_LOCAL_PORT] = { "local.port", FL_DIM_LOCAL_PORT, EVERYWHERE & ~AT(CONNECT) },
	[POLICY_REMOTE_ADDR] = { "remote.addr", FL_DIM_REMOTE_ADDR, ROUTED | AT(CONNECT) },
	[POLICY_REMOTE_PORT] = { "remote.port", FL_DIM_REMOTE_PORT, ROUTED | AT(CONNECT) },
	[POLICY_PORT_IN_USE] = { "port_in_use_by_other", FL_DIM_PORT_IN_USE, AT(LISTEN) },
	[POLICY_LIMIT] = { "limit per process", FL_DIM_LISTENERS + FL_PER_PROCESS, AT(LISTEN) },
	[POLICY_LIMIT_USER] = { "limit per user", FL_DIM_LISTENERS + FL_PER_USER, AT(LISTEN) },
	[POLICY_LIMIT_CGROUP] = { "limit per cgroup", FL_DIM_LISTENERS + FL_PER_CGROUP,
				  AT(LISTEN) },
	[POLICY_LIMIT_EXE] = { "limit per exe", FL_DIM_LISTENERS + FL_PER_EXE, AT(LISTEN) },
};

const char *policy_attribute_text(enum policy_attribute attribute)
{
	return attributes[attribute].text;
}

enum fl_dimension policy_dimension(enum policy_attribute attribute)
{
	return attributes[attribute].dimension;
}

bool policy_hook_has(enum fl_hook hook, enum policy_attribute attribute)
{
	return attributes[attribute].hooks >> hook & 1;
}
