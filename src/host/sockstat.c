/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/sockstat.h"
#include "text/cleanup.h"
#include "host/netns.h"

#include <errno.h>
#include <string.h>

/* "TCP: inuse 5 orphan 0 tw 0 alloc 7 mem 1" */
static const char *find_line(const char *text, const char *protocol)
{
	size_t len = strlen(protocol);

	while (*text) {
		if (!strncmp(text, protocol, len) && text[len] == ':')
			return text + len + 1;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return "";
}

__u64 sockstat_number(const char *text, const char *protocol, const char *name)
{
	const char *at = find_line(text, protocol);
	size_t len = strlen(name);

	while (*at && *at != '\n') {
		at += strspn(at, " ");
		if (!strncmp(at, name, len) && at[len] == ' ')
			return strtoull(at + len, NULL, 10);
		at += strcspn(at, " \n");
	}
	return 0;
}

static void read_file(const char *path, char *text, size_t size)
{
	_fclose_ FILE *f = fopen(path, "re");
	size_t used = f ? fread(text, 1, size - 1, f) : 0;

	text[used] = '\0';
}

/* A namespace with a name may have no process, whose /proc would tell. */
static int add_udp(const char *path, __u32 inum, void *arg)
{
	char v4[1024], v6[1024], file[64];
	__u64 *total = arg;
	unsigned int pid;

	(void)inum;
	if (sscanf(path, "/proc/%u/", &pid) != 1)
		return -ENOENT;
	snprintf(file, sizeof(file), "/proc/%u/net/sockstat", pid);
	read_file(file, v4, sizeof(v4));
	snprintf(file, sizeof(file), "/proc/%u/net/sockstat6", pid);
	read_file(file, v6, sizeof(v6));
	*total += sockstat_number(v4, "UDP", "inuse") + sockstat_number(v6, "UDP6", "inuse");
	return 0;
}

__u64 sockstat_total(void)
{
	char text[1024];
	__u64 total;

	read_file("/proc/self/net/sockstat", text, sizeof(text));
	total = sockstat_number(text, "TCP", "alloc"); /* the one number that is of all */
	return netns_each(add_udp, &total) < 0 ? 0 : total;
}
