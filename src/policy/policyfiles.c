/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of a policy: which they are, and in what order. */
#include "policy/policy.h"

#include "text/cleanup.h"
#include "text/textfile.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

void policy_texts_free(struct policy_text *texts, size_t count)
{
	for (size_t i = 0; texts && i < count; i++)
		free((char *)texts[i].text);
	free(texts);
}

static int read_files(const char *const *paths, struct policy_text *texts, size_t count,
		      struct policy_error *error)
{
	for (size_t i = 0; i < count; i++) {
		char *text = NULL;
		int r;

		texts[i].name = paths[i];
		r = textfile_read(paths[i], POLICY_BYTES_MAX, &text, &texts[i].size);
		if (r) {
			error->place = (struct policy_place){ .file = paths[i] };
			snprintf(error->why, sizeof(error->why), "cannot be read: %s",
				 strerror(-r));
			return r;
		}
		texts[i].text = text;
	}
	return 0;
}

int policy_texts_read(const char *const *paths, size_t count, struct policy_text **ret_texts,
		      struct policy_error *error)
{
	struct policy_text *texts = calloc(count + 1, sizeof(*texts));
	int r;

	*error = (struct policy_error){ .why = "out of memory" };
	if (!texts)
		return -ENOMEM;
	r = read_files(paths, texts, count, error);
	if (r) {
		policy_texts_free(texts, count);
		return r;
	}
	*ret_texts = texts;
	return 0;
}

int policy_read(const char *const *paths, size_t count, struct policy **ret_policy,
		struct policy_error *error)
{
	struct policy_text *texts = NULL;
	int r = policy_texts_read(paths, count, &texts, error);

	if (!r)
		r = policy_parse(texts, count, ret_policy, error);
	policy_texts_free(texts, count);
	return r;
}

static int is_policy_file(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return *entry->d_name != '.' && len > 5 && !strcmp(entry->d_name + len - 5, ".yaml");
}

/* Not alphasort(): that is the order of the user's language. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void free_entries(struct dirent **entries, int count)
{
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
}

int policy_files(const char *dir, char ***ret_paths, size_t *ret_count)
{
	struct dirent **entries = NULL;
	int count = scandir(dir, &entries, is_policy_file, by_bytes);
	char **paths;

	if (count < 0)
		return -errno;
	paths = calloc((size_t)count + 1, sizeof(*paths));
	for (int i = 0; paths && i < count; i++) {
		if (asprintf(&paths[i], "%s/%s", dir, entries[i]->d_name) < 0) {
			paths[i] = NULL;
			policy_files_free(paths);
			paths = NULL;
		}
	}
	free_entries(entries, count);
	if (!paths)
		return -ENOMEM;
	*ret_paths = paths;
	*ret_count = (size_t)count;
	return 0;
}

void policy_files_free(char **paths)
{
	for (char **p = paths; p && *p; p++)
		free(*p);
	free(paths);
}
