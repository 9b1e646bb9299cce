/* SPDX-License-Identifier: BSD-2-Clause */
/* What this host lets the daemon see, what is lost, and how to get it: the answer of doctor. */
#ifndef FLOWNER_DOCTOR_H
#define FLOWNER_DOCTOR_H

#include <jansson.h>

struct agent;
struct hooks;

/* In one line what is lost for want of hooks, each once: "accept: ...; exit: ..."; "" nothing. */
void doctor_losses(const struct hooks *hooks, char *text, size_t size);

/* The body of /v1/doctor: tier, hooks, notes. NULL without memory. */
json_t *doctor_json(struct agent *agent);

#endif
