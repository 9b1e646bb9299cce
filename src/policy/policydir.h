/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of policy.d as texts, before anybody has understood them. */
#ifndef FLOWNER_POLICYDIR_H
#define FLOWNER_POLICYDIR_H

#include "policy/policy.h"
#include "text/fail.h"

#include <stdbool.h>
#include <stddef.h>

struct policydir {
	char **paths;
	struct policy_text *texts; /* named by their paths, in the order of these */
	size_t count;
};

/* DIR/(any).yaml; none when there is no DIR. -ENOMEM, -errno of DIR or of a file: *RET_DIR is to be
 * released then, too, and what it has is not all. */
int policydir_read(const char *dir, struct policydir *ret_dir, struct fail *f);
void policydir_release(struct policydir *dir);

/* Something in there could be in enforce, even if it is no policy. */
bool policydir_may_enforce(const struct policydir *dir);

#endif
