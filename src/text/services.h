/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of services for ports, as services(5) has them here. All are read at the first use. */
#ifndef FLOWNER_SERVICES_H
#define FLOWNER_SERVICES_H

#include <flowner/flow.h>

#define SERVICE_ENDPOINT_TEXT 96

/* NULL: PORT has no name. Lives for ever. */
const char *service_name(enum fl_proto proto, __u16 port);

/* "127.0.0.1:ssh", "[::1]:https", "10.0.0.1:40000" in BUF of SERVICE_ENDPOINT_TEXT bytes. */
const char *service_endpoint(const struct fl_addr *addr, __u16 port, enum fl_proto proto,
			     char *buf);

#endif
