/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the daemon says: lines on standard error. Where that is the journal of systemd, they begin
 * with their level, and the name, which it knows, is left out.
 */
#ifndef FLOWNER_LOG_H
#define FLOWNER_LOG_H

#include <stdbool.h>

/* As of syslog(3). */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6 };

/* One line, without its newline. */
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);

/* The same of a line that names its subject itself: a file. */
__attribute__((format(printf, 2, 3))) void log_bare(enum log_level level, const char *format, ...);

/* Somebody reads along, at a terminal or in the journal: news of the moment are worth a line. */
bool log_is_read(void);

#endif
