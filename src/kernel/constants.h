/* SPDX-License-Identifier: BSD-2-Clause */
/* What the BPF object is told of this kernel before it is loaded: the switches of compat.bpf.h. */
#ifndef FLOWNER_CONSTANTS_H
#define FLOWNER_CONSTANTS_H

struct flowner_bpf;

/* Finds out by trial loads, and sets them in the opened object S. */
void constants_set(struct flowner_bpf *s);

#endif
