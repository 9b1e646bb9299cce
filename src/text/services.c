/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * getservbyport() reads its file from the start for every question, and a list has a hundred
 * thousand: all of them at once. The first name of a port is the one it would have told.
 */
#include "text/services.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/address.h"

#define PORTS 65536

static char *tcp[PORTS], *udp[PORTS];

static void read_services(void)
{
	const struct servent *s;

	setservent(0);
	while ((s = getservent())) {
		bool is_tcp = strcmp(s->s_proto, "tcp") == 0;
		char **name = is_tcp ? tcp : udp;

		if (!is_tcp && strcmp(s->s_proto, "udp") != 0)
			continue;
		name += ntohs((__u16)s->s_port);
		if (!*name)
			*name = strdup(s->s_name);
	}
	endservent();
}

const char *service_name(enum fl_proto proto, __u16 port)
{
	static bool known;

	if (!known)
		read_services();
	known = true;
	return proto == FL_TCP ? tcp[port] : udp[port];
}

const char *service_endpoint(const struct fl_addr *addr, __u16 port, enum fl_proto proto, char *buf)
{
	const char *name = port ? service_name(proto, port) : NULL;
	char *colon;

	endpoint_format(addr, port, buf);
	colon = strrchr(buf, ':');
	if (name && colon)
		snprintf(colon + 1, SERVICE_ENDPOINT_TEXT - (size_t)(colon + 1 - buf), "%s", name);
	return buf;
}
