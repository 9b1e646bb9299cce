/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses, prefixes, ports and endpoints between text and struct fl_addr. No name resolution. */
#ifndef FLOWNER_ADDRESS_H
#define FLOWNER_ADDRESS_H

#include <flowner/flow.h>
#include <stdbool.h>
#include <stddef.h>

#define ADDRESS_TEXT 46	 /* longest address text with its NUL (INET6_ADDRSTRLEN) */
#define ENDPOINT_TEXT 56 /* "[addr]:65535" with its NUL */

/* What `10.0.0.0/8:443`, `:53`, `[::1]:80`, `fe80::/10` or `10.1.2.3` says. */
struct endpoint {
	struct fl_addr addr;
	unsigned int prefix; /* bits of the 128 compared; 96 + n for IPv4/n, 0 = any address */
	bool has_addr;
	bool has_port;
	__u16 port; /* host order */
};

bool address_is_v4(const struct fl_addr *addr);
bool address_is_any(const struct fl_addr *addr); /* 0.0.0.0 or :: */

/* Text of ADDR into BUF of at least ADDRESS_TEXT bytes; IPv4 dotted; returns BUF. */
const char *address_format(const struct fl_addr *addr, char *buf);

/* "1.2.3.4:80", "[::1]:80", "*" for any and port 0; BUF has ENDPOINT_TEXT bytes; returns BUF. */
const char *endpoint_format(const struct fl_addr *addr, __u16 port, char *buf);

/* -EINVAL when TEXT is not an address; no prefix, no port. */
int address_parse(const char *text, struct fl_addr *ret_addr);

/* -EINVAL malformed, -ERANGE prefix or port out of range. */
int endpoint_parse(const char *text, struct endpoint *ret_endpoint);

/* The same of one address with one port: no prefix, nothing left out. */
int endpoint_parse_exact(const char *text, struct endpoint *ret_endpoint);

bool endpoint_matches(const struct endpoint *ep, const struct fl_addr *addr, __u16 port);

#endif
