/* SPDX-License-Identifier: BSD-2-Clause */
/* Tells whoever started us (systemd, a test) how we are: sd_notify(3)'s protocol, one datagram. */
#ifndef FLOWNER_NOTIFY_H
#define FLOWNER_NOTIFY_H

#include <stdint.h>

/* Sends STATE ("READY=1") to $NOTIFY_SOCKET. 0 when there is none. */
int notify(const char *state);

/* The same, without waiting where its queue is full: -EAGAIN. */
int notify_now(const char *state);

/* How often $WATCHDOG_USEC wants to hear WATCHDOG=1 of us, halved; 0 when nobody wants to. */
uint64_t notify_watchdog_ms(void);

#endif
