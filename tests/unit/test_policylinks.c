/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which programs are attached, pinned and parked: pins are files of the test's own, libbpf's
 * programs and links are the test's, and it is written down what is done with them.
 */
#include "policy/policylinks.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PROGRAMS (POLICYLINKS_MAX + 1)

struct bpf_program {
	char name[32];
	bool of_cgroup, loaded;
};

struct bpf_link {
	const struct bpf_program *program;
	bool attached, updated, there;
};

static struct bpf_program programs[PROGRAMS];
static struct bpf_link links[PROGRAMS];
static size_t program_count;
static char dir[64];
static struct policylinks l;

const char *__wrap_bpf_program__name(const struct bpf_program *p);
const char *__wrap_bpf_program__name(const struct bpf_program *p)
{
	return p->name;
}

enum bpf_prog_type __wrap_bpf_program__type(const struct bpf_program *p);
enum bpf_prog_type __wrap_bpf_program__type(const struct bpf_program *p)
{
	return p->of_cgroup ? BPF_PROG_TYPE_CGROUP_SKB : BPF_PROG_TYPE_TRACING;
}

int __wrap_bpf_program__fd(const struct bpf_program *p);
int __wrap_bpf_program__fd(const struct bpf_program *p)
{
	return p->loaded ? 1000 + (int)(p - programs) : -ENOENT;
}

struct bpf_program *__wrap_bpf_object__next_program(const struct bpf_object *o,
						    struct bpf_program *p);
struct bpf_program *__wrap_bpf_object__next_program(const struct bpf_object *o,
						    struct bpf_program *p)
{
	size_t next = p ? (size_t)(p - programs) + 1 : 0;

	(void)o;
	return next < program_count ? &programs[next] : NULL;
}

static struct bpf_link *link_of(const struct bpf_program *p)
{
	struct bpf_link *link = &links[p - programs];

	assert_false(link->there); /* once each */
	*link = (struct bpf_link){ .program = p, .attached = true, .there = true };
	return link;
}

struct bpf_link *__wrap_bpf_program__attach(const struct bpf_program *p);
struct bpf_link *__wrap_bpf_program__attach(const struct bpf_program *p)
{
	assert_false(p->of_cgroup);
	return link_of(p);
}

struct bpf_link *__wrap_bpf_program__attach_cgroup(const struct bpf_program *p, int fd);
struct bpf_link *__wrap_bpf_program__attach_cgroup(const struct bpf_program *p, int fd)
{
	assert_true(p->of_cgroup);
	assert_int_equal(fd, 77);
	return link_of(p);
}

int __wrap_bpf_link__fd(const struct bpf_link *link);
int __wrap_bpf_link__fd(const struct bpf_link *link)
{
	return (int)(link - links);
}

int __wrap_bpf_obj_pin(int fd, const char *path);
int __wrap_bpf_obj_pin(int fd, const char *path)
{
	int file = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);

	assert_true(links[fd].there);
	return file < 0 ? -1 : close(file);
}

int __wrap_bpf_link__detach(struct bpf_link *link);
int __wrap_bpf_link__detach(struct bpf_link *link)
{
	link->attached = false;
	return 0;
}

int __wrap_bpf_link__destroy(struct bpf_link *link);
int __wrap_bpf_link__destroy(struct bpf_link *link)
{
	assert_true(link->there);
	link->there = false;
	return 0;
}

struct bpf_link *__wrap_bpf_link__open(const char *path);
struct bpf_link *__wrap_bpf_link__open(const char *path)
{
	for (size_t i = 0; i < program_count; i++) {
		if (!strcmp(strrchr(path, '/') + 1, programs[i].name))
			return link_of(&programs[i]);
	}
	errno = ENOENT;
	return NULL;
}

int __wrap_bpf_link__update_program(struct bpf_link *link, struct bpf_program *p);
int __wrap_bpf_link__update_program(struct bpf_link *link, struct bpf_program *p)
{
	assert_ptr_equal(link->program, p);
	link->updated = true;
	return 0;
}

int __wrap_bpf_obj_get_info_by_fd(int fd, void *info, __u32 *len);
int __wrap_bpf_obj_get_info_by_fd(int fd, void *info, __u32 *len)
{
	struct bpf_link_info *i = info;

	(void)len;
	i->type = links[fd].program->of_cgroup ? BPF_LINK_TYPE_CGROUP : BPF_LINK_TYPE_TRACING;
	return 0;
}

static bool is_pinned(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static void pin_by_hand(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	close(open(path, O_CREAT | O_WRONLY, 0600));
}

static int set_up(void **state)
{
	(void)state;
	memset(links, 0, sizeof(links));
	for (size_t i = 0; i < PROGRAMS; i++) {
		programs[i] = (struct bpf_program){ .of_cgroup = i != 1, .loaded = true };
		snprintf(programs[i].name, sizeof(programs[i].name), "p%zu", i);
	}
	program_count = PROGRAMS;
	snprintf(dir, sizeof(dir), "/tmp/test_policylinks.XXXXXX");
	l = (struct policylinks){ .cgroup_fd = 77, .dir = dir };
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void attached_once_and_pinned(void **state)
{
	(void)state;
	assert_int_equal(policylinks_attach(&l, &programs[0]), 0);
	assert_int_equal(policylinks_attach(&l, &programs[0]), 0);
	assert_true(policylinks_have(&l, "p0"));
	assert_true(is_pinned("p0") && !is_pinned("p0-new"));
	assert_int_equal(l.count, 1);
	programs[2].loaded = false;
	assert_int_equal(policylinks_attach(&l, &programs[2]), -EOPNOTSUPP);
	policylinks_drop(&l, "p0");
	policylinks_drop(&l, "p0");
	assert_false(policylinks_have(&l, "p0") || is_pinned("p0") || links[0].attached);
}

static bool is_p2(const char *program, void *arg)
{
	(void)arg;
	return !strcmp(program, "p2");
}

/* One of a cgroup is detached; one that could not be attached again stays, without a pin. */
static void kept_and_parked(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(policylinks_attach(&l, &programs[i]), 0);
	policylinks_keep(&l, is_p2, NULL);
	assert_false(policylinks_have(&l, "p0") || links[0].attached || is_pinned("p0"));
	assert_false(policylinks_have(&l, "p1") || is_pinned("p1"));
	assert_true(links[1].attached && links[1].there);
	assert_true(policylinks_have(&l, "p2") && is_pinned("p2"));
	assert_int_equal(policylinks_attach(&l, &programs[1]), 0); /* not attached twice */
	assert_true(policylinks_have(&l, "p1") && is_pinned("p1"));
	policylinks_keep(&l, NULL, NULL);
	assert_int_equal(l.count, 0);
	assert_false(links[1].there || is_pinned("p1") || is_pinned("p2"));
}

static void more_than_there_is_room_for(void **state)
{
	(void)state;
	for (int i = 0; i < POLICYLINKS_MAX; i++)
		assert_int_equal(policylinks_attach(&l, &programs[i]), 0);
	assert_int_equal(policylinks_attach(&l, &programs[POLICYLINKS_MAX]), -E2BIG);
	assert_false(links[POLICYLINKS_MAX].there);
	policylinks_release(&l);
	assert_int_equal(l.count, 0);
	assert_true(links[0].attached && is_pinned("p0"));
}

/* What is pinned gets our program; what we have not loaded is taken off. */
static void in_another_ones_place(void **state)
{
	(void)state;
	pin_by_hand("p0");
	pin_by_hand("p1");
	pin_by_hand("p2");
	pin_by_hand("of-before");
	programs[2].loaded = false;
	program_count = 4;
	assert_int_equal(policylinks_resume(&l, NULL), 0);
	assert_true(policylinks_have(&l, "p0") && links[0].updated && is_pinned("p0"));
	assert_true(policylinks_have(&l, "p1") && is_pinned("p1"));
	assert_false(policylinks_have(&l, "p2") || is_pinned("p2") || is_pinned("of-before"));
	assert_false(policylinks_have(&l, "p3"));
}

/* Killed before the old one went, killed before the new one came in its place. */
static void what_was_being_pinned(void **state)
{
	(void)state;
	pin_by_hand("p0");
	pin_by_hand("p0-new");
	pin_by_hand("p1-new");
	program_count = 2;
	policylinks_mend(&l);
	assert_true(is_pinned("p1"));
	assert_int_equal(policylinks_resume(&l, NULL), 0);
	assert_true(policylinks_have(&l, "p0") && is_pinned("p0"));
	assert_true(policylinks_have(&l, "p1") && is_pinned("p1"));
	assert_false(is_pinned("p0-new") || is_pinned("p1-new"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(attached_once_and_pinned),	   TEST(kept_and_parked),
		TEST(more_than_there_is_room_for), TEST(in_another_ones_place),
		TEST(what_was_being_pinned),
	};

	return cmocka_run_group_tests_name("policylinks", tests, NULL, NULL);
}
