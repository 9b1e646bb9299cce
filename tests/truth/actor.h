/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Actors: the processes of a scenario, the channel each has to the one who made it, and the rule
 * that every wait ends. A channel carries 8-byte numbers and descriptors.
 */
#ifndef TRUTH_ACTOR_H
#define TRUTH_ACTOR_H

#include <errno.h>
#include <stdint.h>
#include <sys/types.h>

struct actor {
	pid_t pid; /* 0: none */
	int ctl;
};

#define ACTOR_NONE ((struct actor){ .pid = 0, .ctl = -1 })
#define _actor_ __attribute__((cleanup(actor_drop)))

typedef int (*actor_fn)(int ctl, void *arg);

extern int proc_dir; /* /proc of the initial pid namespace, reachable from a chroot too */
extern const char *temp_dir;

int actor_init(void);

/* Runs FN in a child called NAME; its result below 0 is a failure. */
int actor_start(struct actor *a, const char *name, actor_fn fn, void *arg);
/* Waits for its end; -ECHILD when it failed. */
int actor_join(struct actor *a);
void actor_drop(struct actor *a); /* kills what still runs */

/* fork() for who is not an actor: identity forgotten, watched, gone with its parent. */
pid_t fork_self(void);
pid_t fork_self_as(pid_t wanted); /* the child has this pid, if nobody else has it; 0: any */
void keep_when_orphaned(void);
int wait_pid(pid_t pid); /* exit status 0, else -ECHILD */

int say(int ctl, uint64_t value);
int hear(int ctl, uint64_t *ret_value);
int say_fd(int ctl, int fd);
int hear_fd(int ctl, int *ret_fd);

/* How long anything may take, in ms; the environment's TRUTH_SLOW multiplies it. */
int patience_ms(void);
void watchdog(unsigned int seconds); /* this process dies when it takes longer (times TRUTH_SLOW) */

/* Writes down the first failure of the scenario and returns R. */
int failed(const char *file, int line, const char *what, int r);
int skipped(const char *why); /* result of a scenario that cannot run here */
#define SKIPPED 1

/* TRY: functions with negative errno. SYS: those with -1 and errno. Both return from the caller. */
#define TRY(x)                                                                                     \
	({                                                                                         \
		int try_ = (x);                                                                    \
		if (try_ < 0)                                                                      \
			return failed(__FILE__, __LINE__, #x, try_);                               \
		try_;                                                                              \
	})
#define SYS(x)                                                                                     \
	({                                                                                         \
		__typeof__(x) sys_ = (x);                                                          \
		if (sys_ < 0)                                                                      \
			return failed(__FILE__, __LINE__, #x, -errno);                             \
		sys_;                                                                              \
	})

#endif
