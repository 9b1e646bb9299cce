/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The link of a cgroup changes its program in one step. Others cannot: there the new one is
 * attached beside the old, whose pin then goes, and for a moment both are asked.
 */
#include "policy/policylinks.h"
#include "text/cleanup.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define FRESH "-new" /* behind a name: it becomes the one of that name */

static const char *pin_of(const struct policylinks *l, const char *name, const char *more,
			  char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s%s", l->dir, name, more);
	return path;
}

static struct policylink *find(const struct policylinks *l, const char *program)
{
	for (size_t i = 0; i < l->count; i++) {
		if (!strcmp(l->links[i].program, program))
			return (struct policylink *)&l->links[i];
	}
	return NULL;
}

bool policylinks_have(const struct policylinks *l, const char *program)
{
	const struct policylink *at = find(l, program);

	return at && !at->parked;
}

static int add(struct policylinks *l, const char *program, struct bpf_link *link)
{
	if (l->count == POLICYLINKS_MAX)
		return -E2BIG;
	l->links[l->count++] = (struct policylink){ program, link, false };
	return 0;
}

static bool is_cgroup(const struct bpf_program *p)
{
	enum bpf_prog_type type = bpf_program__type(p);

	return type != BPF_PROG_TYPE_TRACING && type != BPF_PROG_TYPE_LSM;
}

/* Under a new name first, then over what is there: one of them always holds a program, see
 * policylinks_mend(). */
static int pin(const struct policylinks *l, const char *name, struct bpf_link *link)
{
	char path[PATH_MAX], fresh[PATH_MAX];

	pin_of(l, name, FRESH, fresh);
	unlink(fresh);
	if (bpf_obj_pin(bpf_link__fd(link), fresh) < 0)
		return -errno;
	unlink(pin_of(l, name, "", path)); /* bpffs replaces nothing */
	return rename(fresh, path) < 0 ? -errno : 0;
}

static int unpark(const struct policylinks *l, struct policylink *at)
{
	int r = at->parked ? pin(l, at->program, at->link) : 0;

	if (!r)
		at->parked = false;
	return r;
}

int policylinks_attach(struct policylinks *l, struct bpf_program *p)
{
	const char *name = bpf_program__name(p);
	struct policylink *at = find(l, name);
	struct bpf_link *link;
	int r;

	if (at)
		return unpark(l, at);
	if (bpf_program__fd(p) < 0)
		return -EOPNOTSUPP;
	link = is_cgroup(p) ? bpf_program__attach_cgroup(p, l->cgroup_fd) : bpf_program__attach(p);
	if (!link)
		return -errno;
	r = pin(l, name, link);
	if (!r)
		r = add(l, name, link);
	if (r < 0)
		bpf_link__destroy(link);
	return r;
}

/* Detached first: the last reference to a pin goes a moment after the pin, and till then it judges.
 * Links that are not of a cgroup cannot be. */
static void drop(const struct policylinks *l, const char *name, struct bpf_link *link)
{
	char path[PATH_MAX];

	(void)bpf_link__detach(link);
	unlink(pin_of(l, name, "", path));
	bpf_link__destroy(link);
}

void policylinks_drop(struct policylinks *l, const char *program)
{
	struct policylink *at = find(l, program);

	if (!at)
		return;
	drop(l, at->program, at->link);
	*at = l->links[--l->count];
}

static void park(const struct policylinks *l, struct policylink *at)
{
	char path[PATH_MAX];

	unlink(pin_of(l, at->program, "", path));
	at->parked = true;
}

static bool can_come_back(const struct bpf_link *link)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_link__fd(link), &info, &len) == 0 &&
	       info.type == BPF_LINK_TYPE_CGROUP;
}

void policylinks_keep(struct policylinks *l, bool (*wanted)(const char *program, void *arg),
		      void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->count; i++) {
		struct policylink *at = &l->links[i];
		bool is_wanted = wanted && wanted(at->program, arg);

		if (wanted && !is_wanted && !can_come_back(at->link)) {
			park(l, at);
		} else if (!is_wanted) {
			drop(l, at->program, at->link);
			continue;
		}
		l->links[kept++] = *at;
	}
	l->count = kept;
}

/* --- in another's place --- */

static int replace(struct policylinks *l, struct bpf_program *p)
{
	const char *name = bpf_program__name(p);
	char path[PATH_MAX];
	struct bpf_link *link;
	int r;

	if (!is_cgroup(p))
		return policylinks_attach(l, p);
	link = bpf_link__open(pin_of(l, name, "", path));
	if (!link)
		return -errno;
	r = bpf_link__update_program(link, p);
	if (!r)
		r = add(l, name, link);
	if (r < 0)
		bpf_link__destroy(link);
	return r;
}

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

void policylinks_mend(const struct policylinks *l)
{
	_cleanup_(cleanup_dir) DIR *dir = opendir(l->dir);
	const struct dirent *e;

	while (dir && (e = readdir(dir))) {
		size_t length = strlen(e->d_name), more = strlen(FRESH);
		char name[NAME_MAX + 1];

		if (length <= more || strcmp(e->d_name + length - more, FRESH) != 0)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(length - more), e->d_name);
		if (faccessat(dirfd(dir), name, F_OK, 0) < 0 && errno == ENOENT)
			(void)renameat(dirfd(dir), e->d_name, dirfd(dir), name);
	}
}

int policylinks_resume(struct policylinks *l, struct bpf_object *object)
{
	_cleanup_(cleanup_dir) DIR *dir = opendir(l->dir);
	const struct dirent *e;
	struct bpf_program *p;

	if (!dir)
		return -errno;
	bpf_object__for_each_program(p, object)
	{
		char path[PATH_MAX];
		int r = 0;

		if (bpf_program__fd(p) >= 0 &&
		    access(pin_of(l, bpf_program__name(p), "", path), F_OK) == 0)
			r = replace(l, p);
		if (r < 0)
			return r;
	}
	while ((e = readdir(dir))) {
		if (*e->d_name != '.' && !find(l, e->d_name))
			unlinkat(dirfd(dir), e->d_name, 0);
	}
	return 0;
}

void policylinks_release(struct policylinks *l)
{
	for (size_t i = 0; i < l->count; i++)
		bpf_link__destroy(l->links[i].link);
	l->count = 0;
}
