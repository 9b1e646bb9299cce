/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/people.h"

#include "text/cleanup.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX (1u << 20) /* of one line of the user or group data base */
#define WAIT_MS 3000
#define SILENT_MS 100 /* once nobody has answered for so long */

struct person {
	/* -ERANGE: BUF is too short */
	int (*look)(struct person *p, char *buf, size_t size);
	__u64 id;   /* asked for, or answered */
	char *name; /* the same */
	int result;
};

/* --- the three there are; getXXX_r() has an error for its result, 0 also when there is none --- */

static int failed(int error)
{
	return error == ERANGE ? -ERANGE : -ENOENT;
}

static int look_for_uid(struct person *p, char *buf, size_t size)
{
	struct passwd pw, *found = NULL;
	int error = getpwnam_r(p->name, &pw, buf, size, &found);

	if (error || !found)
		return failed(error);
	p->id = pw.pw_uid;
	return 0;
}

static int look_for_gid(struct person *p, char *buf, size_t size)
{
	struct group gr, *found = NULL;
	int error = getgrnam_r(p->name, &gr, buf, size, &found);

	if (error || !found)
		return failed(error);
	p->id = gr.gr_gid;
	return 0;
}

static int look_for_name(struct person *p, char *buf, size_t size)
{
	struct passwd pw, *found = NULL;
	int error;

	do {
		error = getpwuid_r((uid_t)p->id, &pw, buf, size, &found);
	} while (error == EINTR);
	if (error || !found)
		return failed(error);
	p->name = strdup(pw.pw_name);
	return p->name ? 0 : -ENOMEM;
}

/* --- the question --- */

static void look(void *arg)
{
	struct person *p = arg;

	p->result = -ERANGE;
	for (size_t size = 1024; p->result == -ERANGE && size <= BYTES_MAX; size *= 4) {
		_free_ char *buf = malloc(size);

		p->result = buf ? p->look(p, buf, size) : -ENOMEM;
	}
	if (p->result == -ERANGE)
		p->result = -ENOENT;
}

static void person_free(void *arg)
{
	struct person *p = arg;

	free(p->name);
	free(p);
}

static int ask(int (*fn)(struct person *p, char *buf, size_t size), __u64 id, const char *name,
	       struct question **ret_question)
{
	struct person *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->look = fn;
	p->id = id;
	if (name && !(p->name = strdup(name))) {
		person_free(p);
		return -ENOMEM;
	}
	return question_ask(look, person_free, p, ret_question);
}

int people_ask_name(__u32 uid, struct question **ret_question)
{
	return ask(look_for_name, uid, NULL, ret_question);
}

char *people_name(struct question *q)
{
	struct person *p = question_arg(q);

	return TAKE_PTR(p->name);
}

static void cleanup_question(struct question **q)
{
	question_forget(*q);
}

/* The daemon asks several times at its start. */
static unsigned int patience_ms = WAIT_MS;

static int number(int (*fn)(struct person *p, char *buf, size_t size), const char *name,
		  __u64 *ret_id)
{
	_cleanup_(cleanup_question) struct question *q = NULL;
	int r = ask(fn, 0, name, &q);
	const struct person *p;

	if (r)
		return r;
	if (!question_answered(q, patience_ms)) {
		patience_ms = SILENT_MS;
		return -ETIMEDOUT;
	}
	patience_ms = WAIT_MS;
	p = question_arg(q);
	if (!p->result)
		*ret_id = p->id;
	return p->result;
}

int people_uid(const char *name, __u64 *ret_uid)
{
	return number(look_for_uid, name, ret_uid);
}

int people_gid(const char *name, __u64 *ret_gid)
{
	return number(look_for_gid, name, ret_gid);
}
