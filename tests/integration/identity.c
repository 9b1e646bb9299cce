/* SPDX-License-Identifier: BSD-2-Clause */
/* identity FILE...: device and inode of each, as exefiles.c says and as stat() does. */
#include "text/cleanup.h"
#include "host/exefiles.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static int tell(const char *path)
{
	_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct fl_file file;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || exefiles_identify(fd, &file))
		return -1;
	printf("%u:%llu %u:%llu\n", file.dev, (unsigned long long)file.inode,
	       major(st.st_dev) << 20 | minor(st.st_dev), (unsigned long long)st.st_ino);
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (tell(argv[i]))
			return 1;
	}
	return 0;
}
