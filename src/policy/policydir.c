/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/policydir.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

int policydir_read(const char *dir, struct policydir *ret_dir, struct fail *f)
{
	int r = policy_files(dir, &ret_dir->paths, &ret_dir->count);
	struct policy_error error;
	char sentence[512];

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return fail(f, r, "cannot read the directory '%s': %s", dir, strerror(-r));
	r = policy_texts_read((const char *const *)ret_dir->paths, ret_dir->count, &ret_dir->texts,
			      &error);
	if (r < 0)
		return fail(f, r, "%s", policy_error_format(&error, sentence, sizeof(sentence)));
	return 0;
}

void policydir_release(struct policydir *dir)
{
	policy_texts_free(dir->texts, dir->count);
	policy_files_free(dir->paths);
}

/* Without this word nothing in TEXT could be enforced, whatever else is wrong with it: it may be
 * written with escapes, and what looks like a comment may be none. */
static bool may_enforce(const struct policy_text *text)
{
	static const char word[] = "enforce";
	const size_t size = sizeof(word) - 1;
	const char *end = text->text + text->size;

	for (const char *p = text->text; p < end; p++) {
		if (*p == '\\' || ((size_t)(end - p) >= size && !strncasecmp(p, word, size)))
			return true;
	}
	return false;
}

bool policydir_may_enforce(const struct policydir *dir)
{
	for (size_t i = 0; i < dir->count; i++) {
		if (may_enforce(&dir->texts[i]))
			return true;
	}
	return false;
}
