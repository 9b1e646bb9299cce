/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One failure, one line: the sentence for people travels beside the negative errno, so that the
 * code that knows the subject words it and only main prints.
 */
#ifndef FLOWNER_FAIL_H
#define FLOWNER_FAIL_H

#include <stdarg.h>
#include <stdio.h>

struct fail {
	char text[1024];
};

/* Words the failure and returns R, so that `return fail(f, r, ...)` reads well. */
__attribute__((format(printf, 3, 4))) static inline int fail(struct fail *f, int r,
							     const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(f->text, sizeof(f->text), format, args);
	va_end(args);
	return r;
}

#endif
