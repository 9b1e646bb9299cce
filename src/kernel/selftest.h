/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A loopback connection of our own, to see which programs are really called: an LSM program
 * attaches to a kernel that never calls it, a kprobe to a function that was inlined.
 */
#ifndef FLOWNER_SELFTEST_H
#define FLOWNER_SELFTEST_H

#include "kernel/maps.h"

/* 1 when a program noting PROBE ran while this process connected, accepted, sent, closed and ended
 * a thread, 0 when not; a negative errno when the test could not be made (no loopback here). */
int selftest_fires(const struct maps *m, enum fl_probe probe);

#endif
