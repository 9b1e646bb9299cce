/* SPDX-License-Identifier: BSD-2-Clause */
/* Any string as a cgroup path: what comes back is a name within its bound, or nothing is. */
#include "host/names.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_name(int r, const char *name, size_t bound)
{
	if (r ? name[0] != '\x7f' : !name[0] || strnlen(name, bound) == bound || strchr(name, '/'))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char unit[UNIT_MAX] = "\x7f", id[CONTAINER_ID_MAX] = "\x7f";
	char *path = malloc(size + 1);
	bool users;

	if (!path)
		return 0;
	memcpy(path, data, size);
	path[size] = '\0';
	expect_name(cgroup_path_unit(path, unit), unit, sizeof(unit));
	expect_name(cgroup_path_container(path, id), id, sizeof(id));
	memset(unit, '\x7f', 1);
	memset(id, '\x7f', 1);
	expect_name(cgroup_path_system_unit(path, unit), unit, sizeof(unit));
	expect_name(cgroup_path_outer_container(path, id, &users), id, sizeof(id));
	free(path);
	return 0;
}
