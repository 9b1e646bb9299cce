/* SPDX-License-Identifier: BSD-2-Clause */
/* CLOCK_REALTIME nanoseconds as RFC 3339 text in UTC, and what people write for a point in time. */
#ifndef FLOWNER_WALLCLOCK_H
#define FLOWNER_WALLCLOCK_H

#include <linux/types.h>

#define WALLCLOCK_TEXT 40 /* "2026-01-02T03:04:05.678901234Z" and its NUL, with room for any year */

/* Always nine digits of fraction. BUF has WALLCLOCK_TEXT bytes; returns BUF. */
const char *wallclock_format(__u64 realtime_ns, char *buf);

/*
 * RFC 3339 ("...Z" or an offset, fraction of any length), "@1735787045.5" (seconds since 1970), or
 * a duration before NOW_NS ("10m"). -EINVAL.
 */
int wallclock_parse(const char *text, __u64 now_ns, __u64 *ret_realtime_ns);

#endif
