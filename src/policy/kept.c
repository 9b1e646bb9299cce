/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One long string, cut into chunks: of each text its lengths, its name, itself, and what edits have
 * made of it, if any have.
 */
#include "policy/kept.h"
#include "text/cleanup.h"
#include "policy/policy.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <flowner/policy.h>
#include <string.h>

#define BYTES_MAX ((size_t)FL_TEXT_CHUNK * (FL_TEXT_CHUNKS - FL_HITS_CHUNKS))

/* A flownerd without edits wrote none, and refuses what has one. */
struct head {
	__u64 name_size; /* and above EDIT_SHIFT the bytes of the edit */
	__u64 size;
};

#define EDIT_SHIFT 32

/* Names of rules that are gone follow. */
struct edit {
	__u64 ends_ns;
	__u64 added;
};

static size_t edit_size(const struct policy_text *text)
{
	if (!text->added && !text->gone)
		return 0;
	return sizeof(struct edit) + (text->gone ? strlen(text->gone) : 0);
}

static size_t whole(size_t bytes)
{
	return (bytes + FL_TEXT_CHUNK - 1) / FL_TEXT_CHUNK;
}

static size_t length(const struct policy_text *texts, size_t count)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += sizeof(struct head) + strlen(texts[i].name) + texts[i].size +
			 edit_size(&texts[i]);
	return bytes;
}

static char *put(char *at, const void *what, size_t size)
{
	memcpy(at, what, size);
	return at + size;
}

static char *put_text(char *at, const struct policy_text *text)
{
	struct edit edit = { text->ends_ns, text->added };
	size_t name_size = strlen(text->name), more = edit_size(text);
	struct head head = { name_size | (__u64)more << EDIT_SHIFT, text->size };

	at = put(at, &head, sizeof(head));
	at = put(at, text->name, name_size);
	at = put(at, text->text, text->size);
	if (!more)
		return at;
	at = put(at, &edit, sizeof(edit));
	return text->gone ? put(at, text->gone, strlen(text->gone)) : at;
}

int kept_write(int fd, __u32 area, const struct policy_text *texts, size_t count, __u64 *ret_bytes)
{
	size_t bytes = length(texts, count), chunks = whole(bytes);
	_free_ char *all = NULL;
	char *at;

	*ret_bytes = 0;
	if (bytes > BYTES_MAX)
		return 0;
	at = all = calloc(chunks + 1, FL_TEXT_CHUNK);
	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		at = put_text(at, &texts[i]);
	for (__u32 i = 0; i < chunks; i++) {
		__u32 key = area * FL_TEXT_CHUNKS + i;

		if (bpf_map_update_elem(fd, &key, all + (size_t)i * FL_TEXT_CHUNK, BPF_ANY) < 0)
			return -errno;
	}
	*ret_bytes = bytes;
	return 0;
}

/* --- and back --- */

static int read_chunks(int fd, __u32 area, size_t bytes, char **ret_all)
{
	_free_ char *all = calloc(whole(bytes) + 1, FL_TEXT_CHUNK);

	if (!all)
		return -ENOMEM;
	for (__u32 i = 0; i < whole(bytes); i++) {
		__u32 key = area * FL_TEXT_CHUNKS + i;

		if (bpf_map_lookup_elem(fd, &key, all + (size_t)i * FL_TEXT_CHUNK) < 0)
			return errno == ENOENT ? -EINVAL : -errno;
	}
	*ret_all = TAKE_PTR(all);
	return 0;
}

static char *copy(const char *from, size_t size)
{
	char *to = malloc(size + 1);

	if (to) {
		memcpy(to, from, size);
		to[size] = '\0';
	}
	return to;
}

/* What is at *AT, of which *LEFT bytes are left, and SIZE are taken. */
static const char *pass(const char **at, size_t *left, size_t size)
{
	const char *here = *at;

	*at += size;
	*left -= size;
	return here;
}

static int take_edit(const char *from, size_t size, struct policy_text *text)
{
	struct edit edit;

	if (size < sizeof(edit))
		return -EINVAL;
	memcpy(&edit, from, sizeof(edit));
	text->added = edit.added;
	text->ends_ns = edit.ends_ns;
	size -= sizeof(edit);
	if (!size)
		return 0;
	text->gone = copy(from + sizeof(edit), size);
	return text->gone ? 0 : -ENOMEM;
}

static int take(const char **at, size_t *left, struct policy_text *ret_text)
{
	struct head head;
	size_t name_size, more;

	if (*left < sizeof(head))
		return -EINVAL;
	memcpy(&head, pass(at, left, sizeof(head)), sizeof(head));
	name_size = head.name_size & ((1ull << EDIT_SHIFT) - 1);
	more = head.name_size >> EDIT_SHIFT;
	if (name_size > *left || head.size > *left - name_size ||
	    more > *left - name_size - head.size)
		return -EINVAL;
	ret_text->name = copy(pass(at, left, name_size), name_size);
	ret_text->text = copy(pass(at, left, head.size), head.size);
	ret_text->size = head.size;
	if (!ret_text->name || !ret_text->text)
		return -ENOMEM;
	return more ? take_edit(pass(at, left, more), more, ret_text) : 0;
}

int kept_read(int fd, __u32 area, __u64 bytes, struct policy_text **ret_texts, size_t *ret_count)
{
	_free_ char *all = NULL;
	struct policy_text *texts;
	const char *at;
	size_t left = bytes, count = 0;
	int r;

	if (!bytes || bytes > BYTES_MAX)
		return -EINVAL;
	r = read_chunks(fd, area, bytes, &all);
	if (r < 0 || !all)
		return r < 0 ? r : -ENOMEM;
	texts = calloc(bytes / sizeof(struct head) + 1, sizeof(*texts));
	if (!texts)
		return -ENOMEM;
	for (at = all; !r && left; count++)
		r = take(&at, &left, &texts[count]);
	if (r < 0) {
		kept_free(texts, count);
		return r;
	}
	*ret_texts = texts;
	*ret_count = count;
	return 0;
}

void kept_free(struct policy_text *texts, size_t count)
{
	for (size_t i = 0; texts && i < count; i++) {
		free((char *)texts[i].name);
		free((char *)texts[i].text);
		free((char *)texts[i].gone);
	}
	free(texts);
}
