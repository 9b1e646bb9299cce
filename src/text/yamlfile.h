/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * YAML text into a C structure by a libcyaml schema, stricter than libcyaml alone: no tags, anchors
 * or aliases, no empty strings, no second document, no key twice. Where the schema has a list of
 * words, a word alone is a list of one. Every refusal has a place and one sentence. Never prints.
 */
#ifndef FLOWNER_YAMLFILE_H
#define FLOWNER_YAMLFILE_H

#include <cyaml/cyaml.h>
#include <stddef.h>

struct yamlfile_error {
	size_t line, column; /* from 1; 0 = the text as a whole */
	char why[256];	     /* no newline */
};

/*
 * SCHEMA's top level is a mapping by pointer. NULL in *RET_DATA when there is no document (empty,
 * or comments only). -EINVAL with ERROR filled in; -ENOMEM likewise.
 */
int yamlfile_load(const char *text, size_t size, const cyaml_schema_value_t *schema,
		  void **ret_data, struct yamlfile_error *error);

/* What yamlfile_load() gave; NULL is fine. Strings may be taken out before and set to NULL. */
void yamlfile_free(const cyaml_schema_value_t *schema, void *data);

/* Where the value of "key", "key.key" or "key.0.key" stands. -ENOENT when TEXT has no such key. */
int yamlfile_locate(const char *text, size_t size, const char *dotted, size_t *ret_line,
		    size_t *ret_column);

/* The same for many, of TEXT that yamlfile_load() took and that had a document. */
struct yamlfile_places;
int yamlfile_places_new(const char *text, size_t size, struct yamlfile_places **ret_places);
int yamlfile_place(struct yamlfile_places *places, const char *dotted, size_t *ret_line,
		   size_t *ret_column);
void yamlfile_places_free(struct yamlfile_places *places);

#endif
