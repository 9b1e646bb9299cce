/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Community ID v1 (seed 0) of a TCP or UDP session: the same text for both ends and in every tool
 * that follows the specification (Zeek, Suricata, Elastic), which is all it is for.
 */
#include "text/address.h"
#include "flow/community.h"
#include "text/sha1.h"
#include <string.h>

#define V4_AT 12 /* where the IPv4 address begins in a v4-mapped one */

struct side {
	const __u8 *addr;
	__u16 port;
};

static void base64(const uint8_t bytes[SHA1_BYTES], char *buf)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits;

	for (unsigned int i = 0; i < SHA1_BYTES; i += 3) {
		/* 20 bytes: the last group has two, and one '=' */
		bits = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8;
		if (i + 2 < SHA1_BYTES)
			bits |= bytes[i + 2];
		*buf++ = digits[bits >> 18];
		*buf++ = digits[bits >> 12 & 63];
		*buf++ = digits[bits >> 6 & 63];
		*buf++ = i + 2 < SHA1_BYTES ? digits[bits & 63] : '=';
	}
	*buf = '\0';
}

static size_t append(uint8_t *bytes, size_t at, const void *data, size_t size)
{
	memcpy(bytes + at, data, size);
	return at + size;
}

static size_t append_be16(uint8_t *bytes, size_t at, __u16 value)
{
	bytes[at] = value >> 8;
	bytes[at + 1] = value & 0xff;
	return at + 2;
}

/* The lower (address, port) goes first, compared as bytes in network order. */
static bool comes_first(const struct side *a, const struct side *b, size_t size)
{
	int order = memcmp(a->addr, b->addr, size);

	return order < 0 || (order == 0 && a->port <= b->port);
}

const char *community_id(const struct fl_key *key, char *buf)
{
	bool v4 = address_is_v4(&key->local) && address_is_v4(&key->remote);
	size_t skip = v4 ? V4_AT : 0, size = sizeof(struct fl_addr) - skip, at = 0;
	struct side local = { key->local.b + skip, key->local_port };
	struct side remote = { key->remote.b + skip, key->remote_port };
	const struct side *first = &local, *second = &remote;
	uint8_t bytes[2 + 2 * sizeof(struct fl_addr) + 2 + 4], digest[SHA1_BYTES];

	if (!comes_first(first, second, size)) {
		first = &remote;
		second = &local;
	}
	at = append_be16(bytes, at, 0); /* seed */
	at = append(bytes, at, first->addr, size);
	at = append(bytes, at, second->addr, size);
	bytes[at++] = (uint8_t)key->proto;
	bytes[at++] = 0;
	at = append_be16(bytes, at, first->port);
	at = append_be16(bytes, at, second->port);
	sha1(bytes, at, digest);
	memcpy(buf, "1:", 2);
	base64(digest, buf + 2);
	return buf;
}
