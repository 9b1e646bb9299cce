/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes address_parse() and endpoint_parse(): what was read, written out and read again is the
 * same. endpoint_format() writes no prefixes, so the spelling of those is here.
 */
#include "text/address.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX 80

static void must(int holds)
{
	if (!holds)
		abort();
}

static void check_address(const struct fl_addr *addr)
{
	char text[ADDRESS_TEXT];
	struct fl_addr again;

	must(address_parse(address_format(addr, text), &again) == 0);
	must(memcmp(addr, &again, sizeof(again)) == 0);
}

static void check_format(const struct fl_addr *addr, __u16 port)
{
	char text[ENDPOINT_TEXT];
	struct endpoint again;

	endpoint_format(addr, port, text);
	if (port == 0)
		return; /* no endpoint to be read, but it must fit */
	must(endpoint_parse(text, &again) == 0);
	must(again.has_addr && again.has_port && again.port == port && again.prefix == 128);
	must(memcmp(addr, &again.addr, sizeof(*addr)) == 0);
	must(endpoint_matches(&again, addr, port));
}

/* An address that is masked to fewer than 96 bits is no IPv4 any more: no "-1" can be written. */
static void write_endpoint(const struct endpoint *ep, char *text)
{
	char addr[ADDRESS_TEXT] = "*", prefix[8] = "", port[8] = "";
	unsigned int bits = ep->prefix;
	const char *format = "%s%s%s";

	if (ep->has_addr) {
		address_format(&ep->addr, addr);
		if (address_is_v4(&ep->addr))
			bits -= 96;
		else
			format = "[%s%s]%s";
		snprintf(prefix, sizeof(prefix), "/%u", bits);
	}
	if (ep->has_port)
		snprintf(port, sizeof(port), ":%u", ep->port);
	snprintf(text, TEXT_MAX, format, addr, prefix, port);
}

static void check_endpoint(const struct endpoint *ep)
{
	struct endpoint again;
	char text[TEXT_MAX];

	write_endpoint(ep, text);
	must(endpoint_parse(text, &again) == 0);
	must(ep->has_addr == again.has_addr && ep->has_port == again.has_port);
	must(ep->port == again.port && ep->prefix == again.prefix);
	must(memcmp(&ep->addr, &again.addr, sizeof(again.addr)) == 0);
	must(endpoint_matches(ep, &ep->addr, ep->port));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct endpoint ep;
	struct fl_addr addr;

	must(text != NULL);
	if (address_parse(text, &addr) == 0)
		check_address(&addr);
	if (endpoint_parse(text, &ep) == 0)
		check_endpoint(&ep);
	if (size >= sizeof(addr) + 2) {
		memcpy(&addr, data, sizeof(addr));
		check_address(&addr);
		check_format(&addr, (__u16)(data[16] << 8 | data[17]));
	}
	free(text);
	return 0;
}
