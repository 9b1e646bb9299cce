/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a hash remembers, sealed with what it is the answer to. The kernel may give an element of an
 * LRU map to another key at any time, and since 6.1 that of a hash without preallocation as soon as
 * it was deleted or replaced, without waiting for who has found it and now reads it
 * (tests/integration/answers.sh sees it happen): its value is then the answer to something else, or
 * half of it is. Pure.
 */
#ifndef FLOWNER_SEAL_H
#define FLOWNER_SEAL_H

#include <flowner/rule.h>

#define FL_SEAL_WORDS(key) (sizeof(key) / 8)

/* KEY, of WORDS words without holes, as it stands in SEALED beside what was SAID to it. */
FL_RULE void fl_seal(__u64 *sealed, const __u64 *key, unsigned int words, __u64 said)
{
	for (unsigned int i = 0; i < words; i++)
		sealed[i] = key[i] ^ said;
}

/*
 * Not 0: what was SAID, which was read once, was said to KEY. What was said is in every word: when
 * it is of one element and a word of another, that word is no longer what it should be.
 */
FL_RULE int fl_seal_fits(const __u64 *sealed, const __u64 *key, unsigned int words, __u64 said)
{
	__u64 differs = 0;

	for (unsigned int i = 0; i < words; i++)
		differs |= sealed[i] ^ key[i] ^ said;
	return !differs;
}

#endif /* FLOWNER_SEAL_H */
