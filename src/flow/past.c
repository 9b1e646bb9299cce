/* SPDX-License-Identifier: BSD-2-Clause */
/* The other way of json.c, for the fields that are asked for. */
#include "flow/past.h"
#include "text/address.h"
#include "text/cleanup.h"
#include "flow/flowtext.h"
#include "text/wallclock.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* 0 when it is not there, or beyond MAX. */
static __u64 number_of(const json_t *object, const char *key, __u64 max)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 && (__u64)value <= max ? (__u64)value : 0;
}

static __u64 wall_of(const json_t *object, const char *key)
{
	const char *text = text_of(object, key);
	__u64 ns;

	/* relative times and @ are no record's */
	if (!text || strchr(text, '@') || wallclock_parse(text, 0, &ns) < 0)
		return 0;
	return ns;
}

/* What is 0 on that clock would be "not known": the next nanosecond then. */
static __u64 boot_ns(__u64 wall_ns, __s64 offset_ns)
{
	__u64 ns = wall_ns - (__u64)offset_ns;

	return !wall_ns ? 0 : ns ? ns : 1;
}

static enum fl_role role_of(const char *text)
{
	for (enum fl_role role = FL_ROLE_OPENER; text && role <= FL_ROLE_EXISTING; role++)
		if (strcmp(role_text(role), text) == 0)
			return role;
	return FL_ROLE_UNKNOWN;
}

static void read_end(const json_t *end, struct fl_addr *ret_addr, __u16 *ret_port)
{
	const char *ip = text_of(end, "ip");
	struct fl_addr addr;

	*ret_port = (__u16)number_of(end, "port", UINT16_MAX);
	if (ip && address_parse(ip, &addr) == 0)
		*ret_addr = addr;
}

static void read_owner(const json_t *root, struct past *p)
{
	const json_t *process = json_object_get(root, "process");
	const json_t *user = json_object_get(root, "user");
	const char *uid = text_of(user, "id"), *comm = text_of(process, "name");
	struct fl_owner *owner = &p->flow.owner;
	unsigned long long number;
	char *rest;

	p->names.user = text_of(user, "name");
	p->names.exe = text_of(process, "executable");
	if (comm)
		snprintf(owner->comm, sizeof(owner->comm), "%s", comm);
	/* without a uid it is nobody's, as in a flow whose owner is not known */
	if (!uid || uid[0] < '0' || uid[0] > '9')
		return;
	errno = 0;
	number = strtoull(uid, &rest, 10);
	if (errno || *rest || number > UINT32_MAX)
		return;
	owner->uid = (__u32)number;
	owner->proc.pid = (__u32)number_of(process, "pid", INT32_MAX);
}

static int read_session(const json_t *root, struct past *p)
{
	const json_t *network = json_object_get(root, "network");
	const json_t *own = json_object_get(root, "flowner");
	const char *proto = text_of(network, "transport"), *id = text_of(own, "flow_id");
	const char *state = text_of(own, "state");
	struct fl_key *key = &p->flow.key;
	enum fl_state parsed_state;
	enum fl_proto parsed;

	if (!proto || !id || proto_parse(proto, &parsed) < 0 || flow_id_parse(id, &p->flow.id) < 0)
		return -EINVAL;
	key->proto = (__u8)parsed;
	read_end(json_object_get(own, "local"), &key->local, &key->local_port);
	if (address_is_v4(&key->local))
		key->remote = (struct fl_addr){ .b = { [10] = 0xff, [11] = 0xff } };
	read_end(json_object_get(own, "remote"), &key->remote, &key->remote_port);
	p->flow.role = (__u8)role_of(text_of(own, "role"));
	if (state && state_parse(state, &parsed_state) == 0)
		p->flow.state = (__u8)parsed_state;
	p->flow.netns_inum = (__u32)number_of(own, "netns", UINT32_MAX);
	return 0;
}

static int read_times(const json_t *root, __s64 offset_ns, struct fl_flow *flow)
{
	const json_t *event = json_object_get(root, "event");
	__u64 before = wall_of(json_object_get(root, "flowner"), "opened_before");

	flow->ended_ns = boot_ns(wall_of(event, "end"), offset_ns);
	flow->opened_ns = boot_ns(wall_of(event, "start"), offset_ns);
	flow->seen_ns = flow->opened_ns ? flow->opened_ns : boot_ns(before, offset_ns);
	return flow->ended_ns ? 0 : -EINVAL;
}

int past_parse(const char *line, size_t size, __s64 realtime_offset_ns, struct past *ret_past)
{
	struct past p = { .object = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL) };
	int r;

	if (!json_is_object(p.object)) {
		json_decref(p.object);
		return -EINVAL;
	}
	r = read_session(p.object, &p);
	if (!r)
		r = read_times(p.object, realtime_offset_ns, &p.flow);
	if (r < 0) {
		json_decref(p.object);
		return r;
	}
	read_owner(p.object, &p);
	p.names.unit = text_of(json_object_get(p.object, "systemd"), "unit");
	p.names.container = text_of(json_object_get(p.object, "container"), "id");
	p.boot = text_of(json_object_get(json_object_get(p.object, "host"), "boot"), "id");
	*ret_past = p;
	return 0;
}

void past_release(struct past *p)
{
	json_decref(p->object);
	*p = (struct past){ 0 };
}

__u64 past_end_ns(const char *line, size_t size)
{
	struct past p;
	__u64 ns;

	if (past_parse(line, size, 0, &p) < 0)
		return 0;
	ns = p.flow.ended_ns;
	past_release(&p);
	return ns;
}

int past_boot_id(char ret_id[BOOT_ID_TEXT])
{
	_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char id[BOOT_ID_TEXT] = "";
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, id, sizeof(id) - 1);
	if (n != sizeof(id) - 1)
		return n < 0 ? -errno : -EIO;
	memcpy(ret_id, id, sizeof(id));
	return 0;
}
