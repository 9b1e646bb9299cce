/* SPDX-License-Identifier: BSD-2-Clause */
#include "text/log.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* $JOURNAL_STREAM is also there for who had his standard error sent elsewhere. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static void put(enum log_level level, const char *name, const char *format, va_list args)
{
	char line[1280], prefix[16];

	snprintf(prefix, sizeof(prefix), "<%d>", level);
	vsnprintf(line, sizeof(line), format, args);
	fprintf(stderr, "%s%s\n", is_journal() ? prefix : name, line);
}

void log_line(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put(level, "flownerd: ", format, args);
	va_end(args);
}

void log_bare(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put(level, "", format, args);
	va_end(args);
}

bool log_is_read(void)
{
	return is_journal() || isatty(STDERR_FILENO);
}
