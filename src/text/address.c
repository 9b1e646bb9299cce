/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text of addresses, prefixes and ports, to and from the one 16-byte form. IPv4 is ::ffff:a.b.c.d
 * from here on, so an IPv4 prefix of n bits compares 96 + n, and nobody else asks for a family.
 *
 * The parser takes what people and our own output write, and nothing that two readers could read
 * differently: no octal-looking digits, no spaces, no zone, host or service names.
 */
#include "text/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FULL_PREFIX 128
#define V4_BITS 96	  /* of the prefix ::ffff:0:0/96 that all of IPv4 shares */
#define ENDPOINT_INPUT 64 /* "[", 45 of address, "/128", "]", ":65535", NUL: rounded up */

static const __u8 v4_mapped[V4_BITS / 8] = { [10] = 0xff, [11] = 0xff };
static const struct fl_addr any_v6;

/* The pieces of an endpoint's text. NULL: not there; an empty piece is one that lacks its text. */
struct pieces {
	const char *host;
	const char *prefix;
	const char *port;
};

bool address_is_v4(const struct fl_addr *addr)
{
	return memcmp(addr->b, v4_mapped, sizeof(v4_mapped)) == 0;
}

bool address_is_any(const struct fl_addr *addr)
{
	if (address_is_v4(addr))
		return memcmp(addr->b + sizeof(v4_mapped), any_v6.b, 4) == 0;
	return memcmp(addr, &any_v6, sizeof(any_v6)) == 0;
}

const char *address_format(const struct fl_addr *addr, char *buf)
{
	if (address_is_v4(addr))
		inet_ntop(AF_INET, addr->b + sizeof(v4_mapped), buf, ADDRESS_TEXT);
	else
		inet_ntop(AF_INET6, addr->b, buf, ADDRESS_TEXT);
	return buf;
}

const char *endpoint_format(const struct fl_addr *addr, __u16 port, char *buf)
{
	char text[ADDRESS_TEXT];

	address_format(addr, text);
	if (address_is_any(addr) && port == 0)
		snprintf(buf, ENDPOINT_TEXT, "*");
	else if (address_is_v4(addr))
		snprintf(buf, ENDPOINT_TEXT, "%s:%u", text, port);
	else
		snprintf(buf, ENDPOINT_TEXT, "[%s]:%u", text, port);
	return buf;
}

int address_parse(const char *text, struct fl_addr *ret_addr)
{
	struct fl_addr addr;

	if (inet_pton(AF_INET6, text, addr.b) == 1) {
		*ret_addr = addr;
		return 0;
	}
	memcpy(addr.b, v4_mapped, sizeof(v4_mapped));
	if (inet_pton(AF_INET, text, addr.b + sizeof(v4_mapped)) != 1)
		return -EINVAL;
	*ret_addr = addr;
	return 0;
}

/* Digits only, no sign, no space, no leading zero: "010" is eight to some and ten to others. */
static int parse_number(const char *text, unsigned int max, unsigned int *ret_number)
{
	size_t len = strspn(text, "0123456789");
	unsigned int number = 0;

	if (len == 0 || text[len] != '\0' || (len > 1 && text[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		number = number * 10 + (unsigned int)(text[i] - '0');
		if (number > max)
			return -ERANGE;
	}
	*ret_number = number;
	return 0;
}

/* What follows the first SEPARATOR in TEXT, which ends there; NULL when there is none. */
static char *cut(char *text, char separator)
{
	char *at = strchr(text, separator);

	if (!at)
		return NULL;
	*at = '\0';
	return at + 1;
}

/* "[HOST]", "[HOST/LEN]", either with ":PORT": only IPv6 needs brackets, so only IPv6 gets them. */
static int split_bracketed(char *text, struct pieces *ret_pieces)
{
	struct pieces p = { .host = text + 1 };
	char *rest = cut(text, ']');

	if (!rest || !strchr(p.host, ':') || (*rest != '\0' && *rest != ':'))
		return -EINVAL;
	if (*rest == ':')
		p.port = rest + 1;
	p.prefix = cut(text + 1, '/');
	*ret_pieces = p;
	return 0;
}

/* A colon ahead of the prefix is IPv6's own unless it is the only one; behind it, it is the port's.
 */
static void split_plain(char *text, struct pieces *ret_pieces)
{
	struct pieces p = { .host = text, .prefix = cut(text, '/') };

	if (p.prefix)
		p.port = cut(text + strlen(text) + 1, ':');
	else if (strchr(text, ':') == strrchr(text, ':'))
		p.port = cut(text, ':');
	*ret_pieces = p;
}

static void mask_host_bits(struct endpoint *ep)
{
	for (unsigned int i = 0; i < sizeof(ep->addr.b); i++) {
		unsigned int kept = ep->prefix > i * 8 ? ep->prefix - i * 8 : 0;

		if (kept < 8)
			ep->addr.b[i] &= (__u8)(0xff00u >> kept);
	}
}

static int parse_prefixed(const struct pieces *p, struct endpoint *ep)
{
	unsigned int bits = strchr(p->host, ':') ? 128 : 32;
	unsigned int prefix = bits;
	int r;

	r = address_parse(p->host, &ep->addr);
	if (r < 0)
		return r;
	if (p->prefix) {
		r = parse_number(p->prefix, bits, &prefix);
		if (r < 0)
			return r;
	}
	ep->has_addr = true;
	ep->prefix = 128 - bits + prefix;
	mask_host_bits(ep);
	return 0;
}

/* "*" and nothing are any address; nothing at all says nothing. */
static int parse_host(const struct pieces *p, struct endpoint *ep)
{
	bool empty = p->host[0] == '\0';

	if (!empty && strcmp(p->host, "*") != 0)
		return parse_prefixed(p, ep);
	if (p->prefix || (empty && !p->port))
		return -EINVAL;
	return 0;
}

static int parse_port(const char *text, struct endpoint *ep)
{
	unsigned int port = 0;
	int r = parse_number(text, 65535, &port);

	if (r < 0)
		return r;
	if (port == 0)
		return -ERANGE;
	ep->has_port = true;
	ep->port = (__u16)port;
	return 0;
}

int endpoint_parse(const char *text, struct endpoint *ret_endpoint)
{
	struct endpoint ep = { 0 };
	struct pieces p = { 0 };
	char buf[ENDPOINT_INPUT];
	size_t len = strlen(text);
	int r = 0;

	if (len >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, len + 1);
	if (buf[0] == '[')
		r = split_bracketed(buf, &p);
	else
		split_plain(buf, &p);
	if (r < 0)
		return r;
	r = parse_host(&p, &ep);
	if (r < 0)
		return r;
	r = p.port ? parse_port(p.port, &ep) : 0;
	if (r < 0)
		return r;
	*ret_endpoint = ep;
	return 0;
}

int endpoint_parse_exact(const char *text, struct endpoint *ret_endpoint)
{
	struct endpoint ep;
	int r = endpoint_parse(text, &ep);

	if (r < 0)
		return r;
	if (!ep.has_addr || !ep.has_port || ep.prefix != FULL_PREFIX)
		return -EINVAL;
	*ret_endpoint = ep;
	return 0;
}

bool endpoint_matches(const struct endpoint *ep, const struct fl_addr *addr, __u16 port)
{
	unsigned int whole = ep->prefix / 8, bits = ep->prefix % 8;

	if (ep->has_port && ep->port != port)
		return false;
	if (!ep->has_addr)
		return true;
	if (memcmp(ep->addr.b, addr->b, whole) != 0)
		return false;
	return bits == 0 || ((ep->addr.b[whole] ^ addr->b[whole]) & (0xff00 >> bits) & 0xff) == 0;
}
