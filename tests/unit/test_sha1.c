/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-1 against the vectors of RFC 3174 section 7.3 and lengths around the padding's edges. */
#include "text/sha1.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void expect(const void *data, size_t size, const char *hex)
{
	uint8_t digest[SHA1_BYTES];
	char text[2 * SHA1_BYTES + 1];

	sha1(data, size, digest);
	for (unsigned int i = 0; i < SHA1_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(text, hex);
}

static void rfc_3174_vectors(void **state)
{
	char million[1000000], repeated[640];

	(void)state;
	memset(million, 'a', sizeof(million));
	for (size_t i = 0; i < sizeof(repeated); i++)
		repeated[i] = '0' + (char)(i % 8);
	expect("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
	expect("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
	       "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
	expect(million, sizeof(million), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
	expect(repeated, sizeof(repeated), "dea356a2cddd90c7a7ecedc5ebb563934f460452");
}

/* 55 bytes are the last that share a block with the length, 56 the first that do not. */
static void padding_edges(void **state)
{
	char a[64];

	(void)state;
	memset(a, 'a', sizeof(a));
	expect("", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	expect(a, 55, "c1c8bbdc22796e28c0e15163d20899b65621d65a");
	expect(a, 56, "c2db330f6083854c99d4b5bfb6e8f29f201be699");
	expect(a, 63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5");
	expect(a, 64, "0098ba824b5c16427bd7a1122a5a442a25ec644d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_3174_vectors),
		cmocka_unit_test(padding_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
