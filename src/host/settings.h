/* SPDX-License-Identifier: BSD-2-Clause */
/* What flowner.yaml may say: the table by which config.c reads it and the manual is made. */
#ifndef FLOWNER_SETTINGS_H
#define FLOWNER_SETTINGS_H

#include <cyaml/cyaml.h>
#include <stddef.h>
#include <stdint.h>

enum kind {
	KIND_PATH,     /* absolute; max = bytes with the NUL */
	KIND_NAME,     /* of a user group; max likewise */
	KIND_ADDRESS,  /* address and port; max likewise */
	KIND_CHOICE,   /* index into choices */
	KIND_SET,      /* a list of choices: bit 1 << index for each */
	KIND_COUNT,    /* min..max */
	KIND_DURATION, /* min..max of unit_ns */
	KIND_MARK,     /* 32 bits, also as 0x and hexadecimal digits */
	KIND_RING,     /* bytes min..max, rounded up to what a ring buffer may have */
};

/* As libcyaml makes one. */
struct settings_list {
	char **words;
	unsigned int words_count;
};

struct setting {
	const char *where; /* "recent.flows" */
	enum kind kind;
	size_t raw_offset;    /* of its word, a char *, or its list, in what the schema makes */
	size_t offset, bytes; /* in struct config */
	uint64_t min, max, unit_ns;
	const char *const *choices; /* ended by NULL, in the order of their enum in config.h */
	const char *help;
};

extern const struct setting settings[]; /* ended by a NULL where */

/* Which keys there are; all values are words. */
extern const cyaml_schema_value_t settings_schema;

#endif
