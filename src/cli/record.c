/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon is trusted to be ours but not to be this version: a field of another type than
 * expected counts as absent, and nothing here fails.
 */
#include "cli/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "text/address.h"
#include "flow/flowtext.h"
#include "text/services.h"
#include "text/wallclock.h"

#define NS_PER_S 1000000000ULL
#define CONTAINER_SHOWN 12 /* as container engines cut their ids */
#define KEY_ROOM 64	   /* for one part of a path */

void record_view_init(struct record_view *view, bool numeric, bool services)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	view->now_ns = (__u64)ts.tv_sec * NS_PER_S + (__u64)ts.tv_nsec;
	view->numeric = numeric;
	view->services = services;
}

const json_t *record_get(const json_t *record, const char *path)
{
	while (record && *path) {
		size_t len = strcspn(path, ".");
		char key[KEY_ROOM];

		if (len >= sizeof(key))
			return NULL;
		memcpy(key, path, len);
		key[len] = '\0';
		record = json_object_get(record, key);
		path += path[len] ? len + 1 : len;
	}
	return record;
}

const char *record_string(const json_t *record, const char *path)
{
	return json_string_value(record_get(record, path));
}

const char *record_text(const json_t *record, const char *path, char *buf)
{
	const json_t *value = record_get(record, path);

	if (!json_is_integer(value))
		return json_string_value(value);
	snprintf(buf, RECORD_TEXT, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return buf;
}

__u64 record_time(const json_t *record, const char *path)
{
	const char *text = record_string(record, path);
	__u64 ns = 0;

	if (!text || wallclock_parse(text, 0, &ns) < 0)
		return 0;
	return ns;
}

__u64 record_began(const json_t *record)
{
	__u64 start = record_time(record, "event.start");

	return start ? start : record_time(record, "flowner.opened_before");
}

__u64 record_id(const json_t *record)
{
	const char *text = record_string(record, "flowner.flow_id");
	__u64 id = 0;

	if (!text || flow_id_parse(text, &id) < 0)
		return 0;
	return id;
}

bool record_closed(const json_t *record)
{
	return record_get(record, "event.end") != NULL;
}

bool record_interim(const json_t *record)
{
	const char *role = record_string(record, "flowner.role");

	return role && strcmp(role, "acceptor") == 0 &&
	       json_is_false(record_get(record, "flowner.accepted"));
}

const char *record_duration(__u64 ns, char *buf)
{
	static const struct {
		__u64 seconds;
		char unit;
	} units[] = { { 24 * 3600, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	__u64 s = ns / NS_PER_S;
	size_t i = 0;

	while (i < 3 && s < units[i].seconds)
		i++;
	snprintf(buf, RECORD_DURATION, "%llu%c", (unsigned long long)(s / units[i].seconds),
		 units[i].unit);
	return buf;
}

/* A clock set back makes a young flow, not a huge one. */
const char *record_age(const json_t *record, const struct record_view *view, char *buf)
{
	__u64 began = record_began(record);

	if (!began)
		return NULL;
	*buf = '>';
	if (record_get(record, "event.start"))
		return record_duration(view->now_ns > began ? view->now_ns - began : 0, buf);
	record_duration(view->now_ns > began ? view->now_ns - began : 0, buf + 1);
	return buf;
}

const char *record_proto(const json_t *record, const struct record_view *view, char *buf)
{
	(void)view;
	(void)buf;
	return record_string(record, "network.transport");
}

const char *record_state(const json_t *record, const struct record_view *view, char *buf)
{
	const char *reason = record_string(record, "event.reason");

	(void)view;
	(void)buf;
	if (record_closed(record))
		return reason ? reason : "closed";
	return record_string(record, "flowner.state");
}

const char *record_direction(const json_t *record, const struct record_view *view, char *buf)
{
	(void)view;
	(void)buf;
	return record_string(record, "network.direction");
}

const char *record_end(const struct record_view *view, const struct fl_addr *addr, __u16 port,
		       enum fl_proto proto, char *buf)
{
	if (view->services)
		return service_endpoint(addr, port, proto, buf);
	return endpoint_format(addr, port, buf);
}

/* An address that is none of ours is shown as it came, without its port. */
const char *record_endpoint(const json_t *record, const char *path, const struct record_view *view,
			    char *buf)
{
	const json_t *end = record_get(record, path);
	const char *ip = record_string(end, "ip");
	const char *proto = record_string(record, "network.transport");
	json_int_t port = json_integer_value(record_get(end, "port"));
	struct fl_addr addr;

	if (!end)
		return NULL;
	if (port < 0 || port > 65535)
		port = 0;
	if (!ip) {
		snprintf(buf, RECORD_TEXT, port ? "?:%d" : "?", (int)port);
		return buf;
	}
	if (address_parse(ip, &addr) < 0)
		return ip;
	return record_end(view, &addr, (__u16)port,
			  proto && strcmp(proto, "udp") == 0 ? FL_UDP : FL_TCP, buf);
}

const char *record_local(const json_t *record, const struct record_view *view, char *buf)
{
	return record_endpoint(record, "flowner.local", view, buf);
}

const char *record_remote(const json_t *record, const struct record_view *view, char *buf)
{
	const char *end = record_endpoint(record, "flowner.remote", view, buf);

	return end ? end : "*";
}

const char *record_pid(const json_t *record, const struct record_view *view, char *buf)
{
	const json_t *pid = record_get(record, "process.pid");

	(void)view;
	if (!json_is_integer(pid))
		return NULL;
	snprintf(buf, RECORD_TEXT, "%" JSON_INTEGER_FORMAT "%s", json_integer_value(pid),
		 record_interim(record) ? "?" : "");
	return buf;
}

const char *record_user(const json_t *record, const struct record_view *view, char *buf)
{
	const char *name = view->numeric ? NULL : record_string(record, "user.name");

	return name ? name : record_text(record, "user.id", buf);
}

const char *record_comm(const json_t *record, const struct record_view *view, char *buf)
{
	(void)view;
	(void)buf;
	return record_string(record, "process.name");
}

/* Ids of 64 digits are cut as the engines do; a container known by a name keeps it. */
const char *record_unit(const json_t *record, const struct record_view *view, char *buf)
{
	const char *id = record_string(record, "container.id");

	(void)view;
	if (!id)
		return record_string(record, "systemd.unit");
	if (strlen(id) != 64)
		return id;
	snprintf(buf, RECORD_TEXT, "%.*s", CONTAINER_SHOWN, id);
	return buf;
}

const char *record_flow_id(const json_t *record, const struct record_view *view, char *buf)
{
	(void)view;
	(void)buf;
	return record_string(record, "flowner.flow_id");
}

/* Time of day here, to the millisecond. */
const char *record_clock(const json_t *record, const struct record_view *view, char *buf)
{
	__u64 ns = record_time(record, "@timestamp");
	time_t seconds = (time_t)(ns / NS_PER_S);
	struct tm tm;

	(void)view;
	if (!ns || !localtime_r(&seconds, &tm))
		return NULL;
	snprintf(buf, RECORD_TEXT, "%02d:%02d:%02d.%03u", tm.tm_hour, tm.tm_min, tm.tm_sec,
		 (unsigned int)(ns % NS_PER_S / 1000000));
	return buf;
}

/* "open", "close", "close:refused": one word, so that the columns can be split again. */
const char *record_action(const json_t *record, const struct record_view *view, char *buf)
{
	const char *action = record_string(record, "event.action");
	const char *reason = record_string(record, "event.reason");

	(void)view;
	if (!action || !reason)
		return action;
	snprintf(buf, RECORD_TEXT, "%s:%s", action, reason);
	return buf;
}
