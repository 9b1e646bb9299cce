/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-1, RFC 3174 section 6.1: one-shot, no streaming state, for buffers far below 2^32 bytes. */
#include "text/sha1.h"
#include <string.h>

#define BLOCK 64

static uint32_t rotate(uint32_t x, unsigned int n)
{
	return x << n | x >> (32 - n);
}

static uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store_be32(uint8_t *p, uint32_t x)
{
	p[0] = x >> 24;
	p[1] = x >> 16;
	p[2] = x >> 8;
	p[3] = x;
}

/* f(t; B, C, D) + K(t) of section 5. */
static uint32_t mix(unsigned int t, uint32_t b, uint32_t c, uint32_t d)
{
	if (t < 20)
		return ((b & c) | (~b & d)) + 0x5a827999u;
	if (t < 40)
		return (b ^ c ^ d) + 0x6ed9eba1u;
	if (t < 60)
		return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcu;
	return (b ^ c ^ d) + 0xca62c1d6u;
}

static void add_block(uint32_t h[5], const uint8_t *block)
{
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	for (unsigned int t = 0; t < 16; t++)
		w[t] = load_be32(block + 4 * t);
	for (unsigned int t = 16; t < 80; t++)
		w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	for (unsigned int t = 0; t < 80; t++) {
		uint32_t next = rotate(a, 5) + mix(t, b, c, d) + e + w[t];

		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = next;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

void sha1(const void *data, size_t size, uint8_t ret_digest[SHA1_BYTES])
{
	uint32_t h[5] = { 0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u };
	const uint8_t *p = data;
	uint8_t tail[2 * BLOCK] = { 0 };
	size_t left = size, tail_size;

	for (; left >= BLOCK; left -= BLOCK, p += BLOCK)
		add_block(h, p);
	if (left)
		memcpy(tail, p, left);
	tail[left] = 0x80;
	/* the length in bits takes the last 8 bytes, so 56 bytes and more need a second block */
	tail_size = left < BLOCK - 8 ? BLOCK : 2 * BLOCK;
	store_be32(tail + tail_size - 8, (uint32_t)((uint64_t)size >> 29));
	store_be32(tail + tail_size - 4, (uint32_t)((uint64_t)size << 3));
	for (size_t at = 0; at < tail_size; at += BLOCK)
		add_block(h, tail + at);
	for (unsigned int i = 0; i < 5; i++)
		store_be32(ret_digest + 4 * i, h[i]);
}
