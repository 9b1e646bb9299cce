/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The API's second representation, for libflowner: the records of flow.h as they are, one after the
 * other, each with its type and size in front as in the event ring. For whoever sends
 * `Accept: <WIRE_TYPE>`; everybody else gets JSON.
 *
 * Why not JSON for the library: names and times there are made for people (invalid bytes replaced,
 * wall-clock times by an offset only the daemon has), so that a flow asked for over the socket
 * would not equal the same flow read from the maps; and a parser would be its only dependency. Both
 * ends are on one machine, so the layout number is all there is to agree on.
 */
#ifndef FLOWNER_WIRE_H
#define FLOWNER_WIRE_H

#include <flowner/control.h>
#include <flowner/flow.h>

#define WIRE_STRING_(x) #x
#define WIRE_STRING(x) WIRE_STRING_(x)
#define WIRE_KIND "application/vnd.flowner.records"
#define WIRE_TYPE WIRE_KIND "; layout=" WIRE_STRING(FL_LAYOUT)

/* What only the API sends; FL_RECORD_PROCESS and FL_RECORD_TEXT come as the ring has them. */
enum wire_type {
	WIRE_FLOW = 64,
	WIRE_NOTICE,
};

/* A flow of an answer, or an event of the stream. */
struct wire_flow {
	struct fl_record head;
	__u64 sequence; /* of the event, 0 in answers */
	__u64 time_ns;	/* of the event, CLOCK_BOOTTIME, 0 in answers */
	__u32 event;	/* enum fl_record_type, 0 in answers */
	__u32 pad;
	struct fl_flow flow;
};

/* "lost" or "resync": not about one flow. */
struct wire_notice {
	struct fl_record head;
	__u64 sequence;
	__u64 time_ns;
	__u64 count;
	char action[16];
	char why[144];
};

FL_ASSERT_SIZE(wire_notice, 192);

#endif
