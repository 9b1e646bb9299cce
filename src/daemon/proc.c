/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of process images: a tree in which the images of one process are neighbours, however
 * often it execs, and a list by last use that bounds it. PROCESS and TEXT records come in either
 * order, or one of them not at all when the ring was full; the maps then know, and /proc for what
 * is older than us.
 */
#include "daemon/proc.h"

#include "text/cleanup.h"
#include "kernel/maps.h"
#include "host/procfs.h"
#include "host/procmem.h"

#include <errno.h>
#include <search.h>
#include <string.h>

#define TEXT_HEAD offsetof(struct fl_text, text)
#define MEMFD "memfd:"

struct image {
	struct process p;
	bool asked_procfs; /* once: what /proc refused it will not give later */
	struct image *newer, *older;
};

struct procs {
	const struct maps *maps; /* NULL: none to ask */
	bool host_pids;		 /* /proc counts pids as the kernel side does */
	size_t limit, count;
	struct image *newest, *oldest;
	void *tree; /* of tsearch() */
};

/* ---- the table ---- */

/* A way down the tree: to KEY's own image, or past it to one side, to where its neighbour is. */
struct way {
	struct fl_proc_key key;
	int if_equal;
	const struct image *before, *behind; /* the nearest seen */
};

static int compare_number(__u64 a, __u64 b)
{
	return (a > b) - (a < b);
}

/* By start first: processes that live now are near each other. */
static int compare_keys(const struct fl_proc_key *a, const struct fl_proc_key *b)
{
	int order = compare_number(a->start_ns, b->start_ns);

	if (!order)
		order = compare_number(a->pid, b->pid);
	return order ? order : compare_number(a->exec_id, b->exec_id);
}

static int compare_images(const void *a, const void *b)
{
	const struct image *x = a, *y = b;

	return compare_keys(&x->p.rec.key, &y->p.rec.key);
}

static int choose_side(const void *way, const void *image)
{
	struct way *w = (struct way *)way;
	int order = compare_keys(&w->key, &((const struct image *)image)->p.rec.key);

	if (order > 0)
		w->before = image;
	if (order < 0)
		w->behind = image;
	return order ? order : w->if_equal;
}

static bool same_process(const struct fl_proc_key *a, const struct fl_proc_key *b)
{
	return a->start_ns == b->start_ns && a->pid == b->pid;
}

static struct image *image_find(const struct procs *procs, const struct fl_proc_key *key)
{
	struct way w = { .key = *key };
	struct image *const *found = tfind(&w, &procs->tree, choose_side);

	return found ? *found : NULL;
}

static void list_remove(struct procs *procs, struct image *img)
{
	*(img->newer ? &img->newer->older : &procs->newest) = img->older;
	*(img->older ? &img->older->newer : &procs->oldest) = img->newer;
}

static void list_push(struct procs *procs, struct image *img)
{
	img->newer = NULL;
	img->older = procs->newest;
	*(procs->newest ? &procs->newest->newer : &procs->oldest) = img;
	procs->newest = img;
}

static void image_free(struct image *img)
{
	free(img->p.exe);
	free(img->p.args);
	free(img);
}

static void image_drop(struct procs *procs, struct image *img)
{
	tdelete(img, &procs->tree, compare_images);
	list_remove(procs, img);
	procs->count--;
	image_free(img);
}

/* The image of KEY, made when new, and now the one used last. NULL without memory. */
static struct image *image_get(struct procs *procs, const struct fl_proc_key *key)
{
	struct image *img = image_find(procs, key);

	if (img) {
		list_remove(procs, img);
		list_push(procs, img);
		return img;
	}
	img = calloc(1, sizeof(*img));
	if (!img)
		return NULL;
	if (procs->count == procs->limit)
		image_drop(procs, procs->oldest);
	img->p.rec.key = *key;
	img->p.rec.login_uid = FL_LOGIN_UNSET;
	if (!tsearch(img, &procs->tree, compare_images)) {
		free(img);
		return NULL;
	}
	list_push(procs, img);
	procs->count++;
	return img;
}

int procs_new(const struct maps *maps, size_t limit, struct procs **ret_procs)
{
	struct procs *procs;

	if (!limit)
		return -EINVAL;
	procs = calloc(1, sizeof(*procs));
	if (!procs)
		return -ENOMEM;
	procs->maps = maps;
	procs->limit = limit;
	procs->host_pids = procfs_has_host_pids();
	*ret_procs = procs;
	return 0;
}

void procs_free(struct procs *procs)
{
	if (!procs)
		return;
	while (procs->oldest)
		image_drop(procs, procs->oldest);
	free(procs);
}

size_t procs_count(const struct procs *procs)
{
	return procs->count;
}

/* ---- records: the ring is memory another program may write ---- */

static bool head_good(const struct fl_record *head, enum fl_record_type type, size_t least,
		      size_t size)
{
	return size >= least && head->type == type && head->size >= least && head->size <= size;
}

static void rec_store(struct image *img, const struct fl_process *rec)
{
	__u64 exited_ns = img->p.rec.exited_ns;
	__u32 deleted = img->p.known ? 0 : img->p.rec.exe_flags;

	img->p.rec = *rec;
	img->p.known = true;
	if (!rec->exited_ns)
		img->p.rec.exited_ns = exited_ns;
	img->p.rec.exe_flags |= deleted;
	img->p.rec.comm[FL_COMM_LEN - 1] = '\0';
	for (unsigned int i = 0; i < FL_ANCESTORS; i++)
		img->p.rec.ancestors[i].comm[FL_COMM_LEN - 1] = '\0';
}

int procs_add_process(struct procs *procs, const struct fl_process *rec, size_t size)
{
	struct image *img;

	if (size < sizeof(*rec) || !head_good(&rec->head, FL_RECORD_PROCESS, sizeof(*rec), size))
		return -EINVAL;
	if (rec->ancestor_count > FL_ANCESTORS)
		return -EINVAL;
	img = image_get(procs, &rec->key);
	if (!img)
		return -ENOMEM;
	rec_store(img, rec);
	return 0;
}

/* exe and args lie within what was received, and the path is one NUL-terminated string. */
static int text_check(const struct fl_text *text, size_t size)
{
	size_t room;

	if (size < TEXT_HEAD || !head_good(&text->head, FL_RECORD_TEXT, TEXT_HEAD, size))
		return -EINVAL;
	room = text->head.size - TEXT_HEAD;
	if (room > FL_TEXT_BYTES || text->exe_len > FL_EXE_MAX || text->args_len > FL_ARGS_MAX)
		return -EINVAL;
	if (!text->exe_len && !text->args_len)
		return 0;
	if ((size_t)text->exe_len + 1 + text->args_len > room)
		return -EINVAL;
	return strnlen(text->text, text->exe_len + 1) == text->exe_len ? 0 : -EINVAL;
}

/* A path from the kernel is absolute, except the name of a memory file: "memfd:x" is "/memfd:x". */
static char *exe_copy(const struct fl_text *text)
{
	bool memfd = !strncmp(text->text, MEMFD, strlen(MEMFD));
	char *exe = malloc(text->exe_len + (size_t)memfd + 1);

	if (!exe)
		return NULL;
	exe[0] = '/';
	memcpy(exe + memfd, text->text, text->exe_len);
	exe[text->exe_len + memfd] = '\0';
	return exe;
}

static char *args_copy(const char *args, size_t len)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, args, len);
	copy[len] = '\0';
	return copy;
}

/* What the kernel side could not read does not erase what is known. */
static int text_store(struct image *img, const struct fl_text *text)
{
	_free_ char *exe = NULL, *args = NULL;

	if (text->exe_len && !(exe = exe_copy(text)))
		return -ENOMEM;
	if (text->args_len && !(args = args_copy(text->text + text->exe_len + 1, text->args_len)))
		return -ENOMEM;
	if (exe) {
		free(img->p.exe);
		img->p.exe = TAKE_PTR(exe);
	}
	if (args) {
		free(img->p.args);
		img->p.args = TAKE_PTR(args);
		img->p.args_len = text->args_len;
		img->p.args_truncated = text->args_truncated != 0;
	}
	return 0;
}

int procs_add_text(struct procs *procs, const struct fl_text *text, size_t size)
{
	struct image *img;
	int r;

	r = text_check(text, size);
	if (r)
		return r;
	img = image_get(procs, &text->key);
	return img ? text_store(img, text) : -ENOMEM;
}

int procs_exited(struct procs *procs, const struct fl_exit *rec, size_t size)
{
	struct image *img;

	if (size < sizeof(*rec) || !head_good(&rec->head, FL_RECORD_EXIT, sizeof(*rec), size))
		return -EINVAL;
	img = image_find(procs, &rec->key);
	if (img && !img->p.rec.exited_ns)
		img->p.rec.exited_ns = rec->time_ns;
	return 0;
}

/* ---- completion ---- */

static void ask_maps(const struct procs *procs, struct image *img)
{
	const struct fl_proc_key *key = &img->p.rec.key;
	struct fl_process rec;
	struct fl_text text;

	if (!procs->maps)
		return;
	if (!img->p.known && !maps_get_process(procs->maps, key, &rec, NULL) &&
	    rec.ancestor_count <= FL_ANCESTORS) {
		rec.key = *key;
		rec_store(img, &rec);
	}
	/* without memory the text is simply not known */
	if (!img->p.exe && !maps_get_process(procs->maps, key, NULL, &text) && text.ready &&
	    !text_check(&text, sizeof(text)))
		(void)text_store(img, &text);
}

static const struct image *of_process(const struct image *img, const struct fl_proc_key *key)
{
	return img && same_process(&img->p.rec.key, key) ? img : NULL;
}

static bool newer_seen(const struct procs *procs, const struct fl_proc_key *key)
{
	struct way w = { .key = *key, .if_equal = 1 };

	(void)tfind(&w, &procs->tree, choose_side);
	return of_process(w.behind, key);
}

/*
 * /proc has no exec id. The file the kernel side saw running decides, where it saw one: by stat(),
 * or where that gives another device than the kernel's (btrfs subvolumes) by the mapping. Without
 * it the name does: an exec changes it, unless it was set by hand, and then we know nothing.
 */
static bool same_image(const struct fl_process *rec, const struct procfs *found)
{
	if (!rec->exe_inode && !rec->exe_dev)
		return !strncmp(rec->comm, found->comm, FL_COMM_LEN);
	if (rec->exe_inode != found->exe_inode)
		return false;
	return rec->exe_dev == found->exe_dev ||
	       procmem_maps(rec->key.pid, rec->exe_dev, rec->exe_inode);
}

static void rec_complete(struct process *p, const struct procfs *found)
{
	struct fl_process *rec = &p->rec;

	rec->exe_flags |= found->exe_flags;
	if (p->known)
		return;
	rec->exe_inode = found->exe_inode;
	rec->exe_dev = found->exe_dev;
	rec->cgroup_id = found->cgroup_id;
	rec->login_uid = found->login_uid;
	if (found->parent.pid) {
		rec->ancestors[0] = found->parent;
		rec->ancestor_count = 1;
	}
}

static void text_complete(struct process *p, struct procfs *found)
{
	if (!p->exe) {
		p->exe = TAKE_PTR(found->exe);
		p->rec.exe_flags &= ~FL_EXE_TRUNCATED;
	}
	if (!p->args) {
		p->args = TAKE_PTR(found->args);
		p->args_len = found->args_len;
		p->args_truncated = found->args_truncated;
	}
}

static void ask_procfs(const struct procs *procs, struct image *img)
{
	struct fl_process *rec = &img->p.rec;
	struct procfs found;

	if (img->asked_procfs || !procs->host_pids || rec->exited_ns ||
	    newer_seen(procs, &rec->key))
		return;
	img->asked_procfs = true;
	if (procfs_read(&rec->key, &found))
		return;
	if (same_image(rec, &found)) {
		rec_complete(&img->p, &found);
		text_complete(&img->p, &found);
	}
	procfs_release(&found);
}

static const char *previous_exe(const struct procs *procs, const struct fl_proc_key *key)
{
	struct way w = { .key = *key, .if_equal = -1 };
	const struct image *previous;

	(void)tfind(&w, &procs->tree, choose_side);
	previous = of_process(w.before, key);
	return previous ? previous->p.exe : NULL;
}

const struct process *procs_get(struct procs *procs, const struct fl_owner *owner)
{
	struct image *img;

	if (!owner->proc.pid && !owner->proc.start_ns)
		return NULL;
	img = image_get(procs, &owner->proc);
	if (!img)
		return NULL;
	if (!img->p.known || !img->p.exe)
		ask_maps(procs, img);
	if (!img->p.known) {
		img->p.rec.uid = owner->uid;
		img->p.rec.gid = owner->gid;
		memcpy(img->p.rec.comm, owner->comm, FL_COMM_LEN);
		img->p.rec.comm[FL_COMM_LEN - 1] = '\0';
	}
	if (!img->p.exe || !img->p.args)
		ask_procfs(procs, img);
	img->p.previous_exe = previous_exe(procs, &img->p.rec.key);
	return &img->p;
}
