/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SipHash-2-4 (Aumasson, Bernstein 2012), a word of the message at a time: for names that somebody
 * else chooses, who must not find a second one with the same hash. Who does not know the key
 * cannot. Pure.
 */
#ifndef FLOWNER_SIPHASH_H
#define FLOWNER_SIPHASH_H

#include <flowner/rule.h>

struct fl_siphash {
	__u64 v[4];
};

FL_RULE __u64 fl_rotate(__u64 x, unsigned int bits)
{
	return x << bits | x >> (64 - bits);
}

FL_RULE void fl_siphash_round(struct fl_siphash *h)
{
	__u64 *v = h->v;

	v[0] += v[1];
	v[2] += v[3];
	v[1] = fl_rotate(v[1], 13) ^ v[0];
	v[3] = fl_rotate(v[3], 16) ^ v[2];
	v[0] = fl_rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = fl_rotate(v[1], 17) ^ v[2];
	v[3] = fl_rotate(v[3], 21) ^ v[0];
	v[2] = fl_rotate(v[2], 32);
}

FL_RULE void fl_siphash_begin(struct fl_siphash *h, const __u64 key[2])
{
	h->v[0] = key[0] ^ 0x736f6d6570736575ULL;
	h->v[1] = key[1] ^ 0x646f72616e646f6dULL;
	h->v[2] = key[0] ^ 0x6c7967656e657261ULL;
	h->v[3] = key[1] ^ 0x7465646279746573ULL;
}

FL_RULE void fl_siphash_add(struct fl_siphash *h, __u64 word)
{
	h->v[3] ^= word;
	fl_siphash_round(h);
	fl_siphash_round(h);
	h->v[0] ^= word;
}

/* More may be added to H nevertheless. */
FL_RULE __u64 fl_siphash_end(const struct fl_siphash *h)
{
	struct fl_siphash end = *h;

	end.v[2] ^= 0xff;
	fl_siphash_round(&end);
	fl_siphash_round(&end);
	fl_siphash_round(&end);
	fl_siphash_round(&end);
	return end.v[0] ^ end.v[1] ^ end.v[2] ^ end.v[3];
}

#endif /* FLOWNER_SIPHASH_H */
