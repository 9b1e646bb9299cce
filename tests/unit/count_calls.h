/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work counted in calls of functions, of what a test includes and compiles itself with
 * -finstrument-functions (wrap.mk): the same on every machine, however slow.
 */
#ifndef COUNT_CALLS_H
#define COUNT_CALLS_H

#include <linux/types.h>

#define NOT_COUNTED __attribute__((no_instrument_function))

static __u64 calls;

NOT_COUNTED void __cyg_profile_func_enter(void *function, void *caller);
NOT_COUNTED void __cyg_profile_func_exit(void *function, void *caller);

void __cyg_profile_func_enter(void *function, void *caller)
{
	(void)function;
	(void)caller;
	calls++;
}

void __cyg_profile_func_exit(void *function, void *caller)
{
	(void)function;
	(void)caller;
}

#endif
