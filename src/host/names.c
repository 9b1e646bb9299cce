/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two bounded caches, users and cgroup paths, and two pure readers of cgroup paths. What a runtime
 * calls its cgroups is one table; a new runtime is a new row.
 */
#include "host/names.h"

#include "host/cgroup.h"
#include "host/people.h"
#include "text/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#define WAYS 8
#define USER_SETS 128	/* x WAYS = 1024 users */
#define CGROUP_SETS 512 /* x WAYS = 4096 cgroups */
#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull
#define USER_LIFE_NS (60 * NS_PER_S)
#define WAIT_NS (100 * NS_PER_MS) /* for names of users, of each second at the most */
#define QUESTIONS 4		  /* without an answer */
#define CGROUP_GONE_NS NS_PER_S	  /* a cgroup not found is asked again after this */
#define FOREVER UINT64_MAX
#define FILEID_KERNFS 0xfe /* linux/exportfs.h: the handle is the id, since 5.5 */

/* ---- cache: id to text, WAYS places for each id, the one used longest ago is given up ---- */

struct entry {
	__u64 id;
	__u64 expires_ns; /* 0: the place is empty */
	__u64 used;
	char *text; /* NULL: there is no name */
};

struct cache {
	size_t sets;
	__u64 clock;
	struct entry *entries;
};

struct asked {
	struct question *question; /* NULL: none */
	__u32 uid;
};

struct names {
	struct cache users, cgroups;
	struct asked asked[QUESTIONS];
	size_t open; /* of them */
	__u64 second_ns, waited_ns;
	int cgroup_fd;	   /* -1: no cgroup2 here */
	char *cgroup_root; /* what readlink gives for it */
};

static int cache_init(struct cache *cache, size_t sets)
{
	cache->sets = sets;
	cache->entries = calloc(sets * WAYS, sizeof(*cache->entries));
	return cache->entries ? 0 : -ENOMEM;
}

static void cache_release(struct cache *cache)
{
	for (size_t i = 0; cache->entries && i < cache->sets * WAYS; i++)
		free(cache->entries[i].text);
	free(cache->entries);
}

/* The place of ID, or the one it may take: then with another id or expired. */
static struct entry *cache_place(struct cache *cache, __u64 id)
{
	size_t set = (size_t)((id * 0x9e3779b97f4a7c15ull) >> 48) % cache->sets;
	struct entry *first = cache->entries + set * WAYS, *place = first;

	for (struct entry *e = first; e < first + WAYS; e++) {
		if (e->expires_ns && e->id == id) {
			place = e;
			break;
		}
		if (e->used < place->used)
			place = e;
	}
	place->used = ++cache->clock;
	return place;
}

/* TEXT is the cache's from here on; NULL remembers that there is none. */
static const char *entry_set(struct entry *e, __u64 id, char *text, __u64 expires_ns)
{
	free(e->text);
	e->id = id;
	e->text = text;
	e->expires_ns = expires_ns;
	return text;
}

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * NS_PER_S + (__u64)ts.tv_nsec;
}

/* ---- users ---- */

static void take_answers(struct names *names)
{
	for (size_t i = 0; i < QUESTIONS; i++) {
		struct asked *a = &names->asked[i];

		if (!a->question || !question_answered(a->question, 0))
			continue;
		entry_set(cache_place(&names->users, a->uid), a->uid, people_name(a->question),
			  now_ns() + USER_LIFE_NS);
		question_forget(TAKE_PTR(a->question));
		names->open--;
	}
}

static bool is_asked(const struct names *names, __u32 uid)
{
	for (size_t i = 0; i < QUESTIONS; i++)
		if (names->asked[i].question && names->asked[i].uid == uid)
			return true;
	return false;
}

/* A place for a question, NULL: too many have no answer yet. */
static struct asked *free_place(struct names *names)
{
	for (size_t i = 0; i < QUESTIONS; i++)
		if (!names->asked[i].question)
			return &names->asked[i];
	return NULL;
}

/* So long we may wait now: not at all while another question has no answer. */
static unsigned int patience_ms(struct names *names, __u64 now)
{
	if (now - names->second_ns >= NS_PER_S) {
		names->second_ns = now;
		names->waited_ns = 0;
	}
	if (names->open > 1 || names->waited_ns >= WAIT_NS)
		return 0;
	return (unsigned int)((WAIT_NS - names->waited_ns) / NS_PER_MS) + 1;
}

static void ask_user(struct names *names, __u32 uid)
{
	struct asked *a = is_asked(names, uid) ? NULL : free_place(names);
	__u64 now = now_ns();
	unsigned int ms;

	if (!a || people_ask_name(uid, &a->question) < 0)
		return;
	a->uid = uid;
	names->open++;
	ms = patience_ms(names, now);
	if (!ms)
		return;
	(void)question_answered(a->question, ms);
	names->waited_ns += now_ns() - now;
	take_answers(names);
}

const char *names_user(struct names *names, __u32 uid)
{
	struct entry *e;

	take_answers(names);
	e = cache_place(&names->users, uid);
	if (!e->expires_ns || e->id != uid || e->expires_ns <= now_ns()) {
		ask_user(names, uid);
		e = cache_place(&names->users, uid);
	}
	/* what was so a minute ago is better than nothing */
	return e->expires_ns && e->id == uid ? e->text : NULL;
}

/* ---- cgroups ---- */

static char *fd_path(int fd)
{
	char link[32], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return NULL;
	path[n] = '\0';
	return strdup(path);
}

static int cgroup_open(int mount_fd, __u64 id)
{
	/* the flexible array of struct file_handle needs storage behind it */
	union {
		struct file_handle handle;
		char bytes[sizeof(struct file_handle) + sizeof(__u64)];
	} u = { .handle = { .handle_bytes = sizeof(id), .handle_type = FILEID_KERNFS } };

	memcpy(u.handle.f_handle, &id, sizeof(id));
	return open_by_handle_at(mount_fd, &u.handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool has_suffix(const char *text, const char *suffix)
{
	size_t len = strlen(text), tail = strlen(suffix);

	return len >= tail && !strcmp(text + len - tail, suffix);
}

/* One that lives may be called "x (deleted)". */
static bool leads_to(const char *path, __u64 id)
{
	_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	__u64 found;

	return fd >= 0 && cgroup_id(fd, &found) == 0 && found == id;
}

/* A handle also opens cgroups outside our mount, or one being removed: those have no path here. */
static char *cgroup_ask(const struct names *names, __u64 id)
{
	size_t root_len = strlen(names->cgroup_root);
	_free_ char *path = NULL;
	_close_ int fd = -1;

	fd = cgroup_open(names->cgroup_fd, id);
	if (fd < 0)
		return NULL;
	path = fd_path(fd);
	if (!path || (has_suffix(path, " (deleted)") && !leads_to(path, id)))
		return NULL;
	if (strncmp(path, names->cgroup_root, root_len) != 0)
		return NULL;
	if (!path[root_len])
		return strdup("/");
	return path[root_len] == '/' ? strdup(path + root_len) : NULL;
}

const char *names_cgroup(struct names *names, __u64 cgroup_id)
{
	struct entry *e;
	char *path;
	__u64 now;

	if (names->cgroup_fd < 0 || !cgroup_id)
		return NULL;
	now = now_ns();
	e = cache_place(&names->cgroups, cgroup_id);
	if (e->expires_ns > now && e->id == cgroup_id)
		return e->text;
	path = cgroup_ask(names, cgroup_id);
	/* ids are not used twice, nor can a cgroup2 directory be moved: a path once true stays true
	 */
	return entry_set(e, cgroup_id, path, path ? FOREVER : now + CGROUP_GONE_NS);
}

/* No cgroup2 is no error: there are no paths then. */
static int cgroups_init(struct names *names)
{
	_free_ char *mount = NULL;
	_close_ int fd = -1;

	if (cgroup_mount(&mount))
		return 0;
	fd = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	names->cgroup_root = fd_path(fd);
	if (!names->cgroup_root)
		return -ENOMEM;
	/* mounted on the root directory: paths have no prefix to take away */
	if (!strcmp(names->cgroup_root, "/"))
		names->cgroup_root[0] = '\0';
	names->cgroup_fd = TAKE_FD(fd);
	return 0;
}

int names_new(struct names **ret_names)
{
	struct names *names = calloc(1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	names->cgroup_fd = -1;
	if (cache_init(&names->users, USER_SETS) || cache_init(&names->cgroups, CGROUP_SETS) ||
	    cgroups_init(names)) {
		names_free(names);
		return -ENOMEM;
	}
	*ret_names = names;
	return 0;
}

void names_free(struct names *names)
{
	if (!names)
		return;
	for (size_t i = 0; i < QUESTIONS; i++)
		question_forget(names->asked[i].question);
	cache_release(&names->users);
	cache_release(&names->cgroups);
	cleanup_close(&names->cgroup_fd);
	free(names->cgroup_root);
	free(names);
}

/* ---- cgroup paths ---- */

/* One component of a path, and the one above it. */
struct part {
	const char *text, *above;
	size_t len, above_len;
};

/* The component that ends at END; false when there is none left. */
static bool part_before(const char *path, const char *end, struct part *ret_part)
{
	struct part part = {};

	while (end > path && end[-1] == '/')
		end--;
	if (end == path)
		return false;
	part.text = end;
	while (part.text > path && part.text[-1] != '/')
		part.text--;
	part.len = (size_t)(end - part.text);
	part.above = part.text;
	while (part.above > path && part.above[-1] == '/')
		part.above--;
	end = part.above;
	while (part.above > path && part.above[-1] != '/')
		part.above--;
	part.above_len = (size_t)(end - part.above);
	*ret_part = part;
	return true;
}

static bool is_unit(const char *text, size_t len)
{
	static const char *const suffixes[] = {
		".service", ".scope", ".socket", ".mount",  ".automount",
		".swap",    ".path",  ".timer",	 ".target", ".device",
	};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		size_t tail = strlen(suffixes[i]);

		if (len > tail && !memcmp(text + len - tail, suffixes[i], tail))
			return true;
	}
	return false;
}

static int part_unit(const struct part *part, char ret_unit[UNIT_MAX])
{
	/* systemd puts one '_' before names the kernel might take for a control file */
	size_t escape = part->text[0] == '_', len = part->len - escape;

	if (len >= UNIT_MAX || !is_unit(part->text + escape, len))
		return -ENOENT;
	memcpy(ret_unit, part->text + escape, len);
	ret_unit[len] = '\0';
	return 0;
}

int cgroup_path_unit(const char *path, char ret_unit[UNIT_MAX])
{
	const char *end = path + strlen(path);
	struct part part;

	for (; part_before(path, end, &part); end = part.text) {
		if (part_unit(&part, ret_unit) == 0)
			return 0;
	}
	return -ENOENT;
}

/* The component that begins at *AT or behind it, ABOVE is the one before; *AT is then its end. */
static bool part_after(const char **at, const struct part *above, struct part *ret_part)
{
	const char *text = *at + strspn(*at, "/");

	if (!*text)
		return false;
	*ret_part = (struct part){ .text = text,
				   .len = strcspn(text, "/"),
				   .above = above->text,
				   .above_len = above->len };
	*at = text + ret_part->len;
	return true;
}

static bool is_slice(const struct part *part)
{
	static const char suffix[] = ".slice";
	const size_t tail = sizeof(suffix) - 1;

	return part->len > tail && !memcmp(part->text + part->len - tail, suffix, tail);
}

int cgroup_path_system_unit(const char *path, char ret_unit[UNIT_MAX])
{
	struct part part = { .text = path };

	do {
		if (!part_after(&path, &part, &part))
			return -ENOENT;
	} while (is_slice(&part));
	return part_unit(&part, ret_unit);
}

enum id_kind {
	ID_HEX,	    /* 64 hex digits */
	ID_NAME,    /* as it stands */
	ID_ESCAPED, /* a name with \xHH */
};

/* What stands before and after the id in a component, and the component above where it must be one.
 */
static const struct runtime {
	const char *above, *before, *after;
	enum id_kind kind;
} runtimes[] = {
	{ NULL, "docker-", ".scope", ID_HEX },	       /* docker, systemd driver */
	{ NULL, "cri-containerd-", ".scope", ID_HEX }, /* containerd, systemd driver */
	{ NULL, "nerdctl-", ".scope", ID_HEX },
	{ NULL, "libpod-payload-", "", ID_HEX }, /* podman; not its libpod-conmon- */
	{ NULL, "libpod-", ".scope", ID_HEX },
	{ NULL, "libpod-", "", ID_HEX },
	{ NULL, "crio-", ".scope", ID_HEX }, /* CRI-O; not its crio-conmon- */
	{ NULL, "crio-", "", ID_HEX },
	{ NULL, "", "", ID_HEX },	       /* /docker/ID, /kubepods/.../podUID/ID */
	{ NULL, "lxc.payload.", "", ID_NAME }, /* LXC 4 and later */
	{ "lxc.payload", "", "", ID_NAME },
	{ "lxc", "", "", ID_NAME },		    /* LXC before, Proxmox */
	{ NULL, "machine-", ".scope", ID_ESCAPED }, /* systemd-nspawn, libvirt */
	{ NULL, "systemd-nspawn@", ".service", ID_ESCAPED },
};

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool id_hex(const char *text, size_t len, char id[CONTAINER_ID_MAX])
{
	if (len != CONTAINER_ID_MAX - 1)
		return false;
	for (size_t i = 0; i < len; i++)
		if (hex_value(text[i]) < 0)
			return false;
	memcpy(id, text, len);
	id[len] = '\0';
	return true;
}

static bool id_name(const char *text, size_t len, char id[CONTAINER_ID_MAX])
{
	if (!len || len >= CONTAINER_ID_MAX)
		return false;
	memcpy(id, text, len);
	id[len] = '\0';
	return true;
}

/* \xHH as systemd writes it; what is not such an escape, or hides a control character, is refused.
 */
static bool id_escaped(const char *text, size_t len, char id[CONTAINER_ID_MAX])
{
	char name[CONTAINER_ID_MAX];
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (used == CONTAINER_ID_MAX - 1)
			return false;
		if (c == '\\') {
			int high = len - i > 3 && text[i + 1] == 'x' ? hex_value(text[i + 2]) : -1;
			int low = high >= 0 ? hex_value(text[i + 3]) : -1;

			if (low < 0)
				return false;
			c = (unsigned char)(high << 4 | low);
			i += 3;
		}
		if (iscntrl(c) || c == '/')
			return false;
		name[used++] = (char)c;
	}
	return id_name(name, used, id);
}

static bool runtime_match(const struct runtime *rt, const struct part *part,
			  char id[CONTAINER_ID_MAX])
{
	size_t before = strlen(rt->before), after = strlen(rt->after), len;

	if (rt->above && (strlen(rt->above) != part->above_len ||
			  memcmp(part->above, rt->above, part->above_len) != 0))
		return false;
	if (part->len <= before + after || memcmp(part->text, rt->before, before) != 0 ||
	    memcmp(part->text + part->len - after, rt->after, after) != 0)
		return false;
	len = part->len - before - after;
	switch (rt->kind) {
	case ID_HEX:
		return id_hex(part->text + before, len, id);
	case ID_NAME:
		return id_name(part->text + before, len, id);
	case ID_ESCAPED:
		return id_escaped(part->text + before, len, id);
	}
	return false;
}

/* "SLICE:RUNTIME:ID" is what a runtime makes of a systemd path under the cgroupfs driver. */
static struct part after_colon(struct part part)
{
	const char *colon = memrchr(part.text, ':', part.len);

	if (colon) {
		part.len -= (size_t)(colon + 1 - part.text);
		part.text = colon + 1;
	}
	return part;
}

static int part_container(const struct part *part, char ret_id[CONTAINER_ID_MAX])
{
	struct part tail = after_colon(*part);

	for (size_t i = 0; i < sizeof(runtimes) / sizeof(*runtimes); i++) {
		const struct runtime *rt = &runtimes[i];

		if (runtime_match(rt, rt->kind == ID_HEX ? &tail : part, ret_id))
			return 0;
	}
	return -ENOENT;
}

int cgroup_path_container(const char *path, char ret_id[CONTAINER_ID_MAX])
{
	const char *end = path + strlen(path);
	struct part part;

	for (; part_before(path, end, &part); end = part.text) {
		if (part_container(&part, ret_id) == 0)
			return 0;
	}
	return -ENOENT;
}

int cgroup_path_outer_container(const char *path, char ret_id[CONTAINER_ID_MAX], bool *ret_users)
{
	static const char manager[] = "user@";
	struct part part = { .text = path };
	char unit[UNIT_MAX] = "";

	(void)cgroup_path_system_unit(path, unit);
	while (part_after(&path, &part, &part)) {
		if (part_container(&part, ret_id) == 0) {
			*ret_users = !strncmp(unit, manager, sizeof(manager) - 1);
			return 0;
		}
	}
	return -ENOENT;
}
