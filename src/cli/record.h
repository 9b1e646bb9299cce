/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A flow or event as the daemon sends it, read for people: fields by their dotted path, and the
 * cells that `list` and `watch` put into columns. What is absent is NULL and shows as "-".
 */
#ifndef FLOWNER_RECORD_H
#define FLOWNER_RECORD_H

#include <flowner/flow.h>
#include <jansson.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define RECORD_TEXT 96 /* room for what a cell makes itself: endpoints, numbers, ages */
#define RECORD_DURATION 24

struct record_view {
	__u64 now_ns;  /* CLOCK_REALTIME */
	bool numeric;  /* uids instead of user names */
	bool services; /* their names instead of ports */
};

/* A text in BUF of RECORD_TEXT bytes, or one that lives as long as RECORD; NULL = not known. */
typedef const char *(*record_cell)(const json_t *record, const struct record_view *view, char *buf);

void record_view_init(struct record_view *view, bool numeric, bool services);

const json_t *record_get(const json_t *record, const char *path); /* "process.parent.pid" */
const char *record_string(const json_t *record, const char *path);

/* Strings as they are, integers in decimal. */
const char *record_text(const json_t *record, const char *path, char *buf);

/* CLOCK_REALTIME ns of a time of the record; 0 = absent or not a time. */
__u64 record_time(const json_t *record, const char *path);

/* When the flow began, as far as known: its opening, else the time it was first seen; 0. */
__u64 record_began(const json_t *record);

__u64 record_id(const json_t *record); /* 0 = absent or malformed */

bool record_closed(const json_t *record);
bool record_interim(const json_t *record); /* the owner is the listener's, accept() was not seen */

/* "3s", "5m", "2h", "3d" into BUF of RECORD_DURATION bytes. */
const char *record_duration(__u64 ns, char *buf);

const char *record_age(const json_t *record, const struct record_view *view, char *buf);
const char *record_proto(const json_t *record, const struct record_view *view, char *buf);
const char *record_state(const json_t *record, const struct record_view *view, char *buf);
const char *record_direction(const json_t *record, const struct record_view *view, char *buf);
/* The one at PATH; NULL = absent. */
const char *record_endpoint(const json_t *record, const char *path, const struct record_view *view,
			    char *buf);

/* An end of a flow as VIEW has it, in BUF of RECORD_TEXT bytes. */
const char *record_end(const struct record_view *view, const struct fl_addr *addr, __u16 port,
		       enum fl_proto proto, char *buf);
const char *record_local(const json_t *record, const struct record_view *view, char *buf);
const char *record_remote(const json_t *record, const struct record_view *view, char *buf);
const char *record_pid(const json_t *record, const struct record_view *view, char *buf);
const char *record_user(const json_t *record, const struct record_view *view, char *buf);
const char *record_comm(const json_t *record, const struct record_view *view, char *buf);
const char *record_unit(const json_t *record, const struct record_view *view, char *buf);
const char *record_flow_id(const json_t *record, const struct record_view *view, char *buf);
const char *record_clock(const json_t *record, const struct record_view *view, char *buf);
const char *record_action(const json_t *record, const struct record_view *view, char *buf);

#endif
