/* SPDX-License-Identifier: BSD-2-Clause */
/* One long string, cut into chunks: of each text two lengths, its name, and itself. */
#include "kept.h"
#include "cleanup.h"
#include "policy.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <flowner/policy.h>
#include <string.h>

#define BYTES_MAX ((size_t)FL_TEXT_CHUNK * FL_TEXT_CHUNKS)

struct head {
	__u64 name_size;
	__u64 size;
};

static size_t whole(size_t bytes)
{
	return (bytes + FL_TEXT_CHUNK - 1) / FL_TEXT_CHUNK;
}

static size_t length(const struct policy_text *texts, size_t count)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += sizeof(struct head) + strlen(texts[i].name) + texts[i].size;
	return bytes;
}

static char *put(char *at, const void *what, size_t size)
{
	memcpy(at, what, size);
	return at + size;
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
	for (size_t i = 0; i < count; i++) {
		struct head head = { strlen(texts[i].name), texts[i].size };

		at = put(at, &head, sizeof(head));
		at = put(at, texts[i].name, head.name_size);
		at = put(at, texts[i].text, head.size);
	}
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

/* The text at *AT of what LEFT bytes are left. */
static int take(const char **at, size_t *left, struct policy_text *ret_text)
{
	struct head head;

	if (*left < sizeof(head))
		return -EINVAL;
	memcpy(&head, *at, sizeof(head));
	*at += sizeof(head);
	*left -= sizeof(head);
	if (head.name_size > *left || head.size > *left - head.name_size)
		return -EINVAL;
	ret_text->name = copy(*at, head.name_size);
	ret_text->text = copy(*at + head.name_size, head.size);
	ret_text->size = head.size;
	*at += head.name_size + head.size;
	*left -= head.name_size + head.size;
	return ret_text->name && ret_text->text ? 0 : -ENOMEM;
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
	}
	free(texts);
}
