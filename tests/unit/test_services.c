/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of services, of the list that this test has instead of the host's. */
#include <arpa/inet.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text/address.h"
#include "cli/record.h"
#include "text/services.h"

static size_t next_service;

void setservent(int stay_open)
{
	(void)stay_open;
	next_service = 0;
}

void endservent(void)
{
}

struct servent *getservent(void)
{
	static const struct {
		const char *name, *proto;
		__u16 port;
	} file[] = { { "ssh", "tcp", 22 },     { "domain", "tcp", 53 }, { "domain", "udp", 53 },
		     { "discard", "sctp", 9 }, { "first", "tcp", 80 },	{ "second", "tcp", 80 },
		     { "last", "udp", 65535 } };
	static struct servent s;

	if (next_service == sizeof(file) / sizeof(file[0]))
		return NULL;
	s.s_name = (char *)file[next_service].name;
	s.s_proto = (char *)file[next_service].proto;
	s.s_port = htons(file[next_service].port);
	next_service++;
	return &s;
}

static void names_of_services(void **state)
{
	char buf[SERVICE_ENDPOINT_TEXT];
	struct fl_addr v4, v6;

	(void)state;
	assert_string_equal(service_name(FL_TCP, 22), "ssh");
	assert_null(service_name(FL_UDP, 22));
	assert_null(service_name(FL_TCP, 9));
	assert_string_equal(service_name(FL_TCP, 80), "first");
	assert_string_equal(service_name(FL_UDP, 65535), "last");
	assert_int_equal(address_parse("10.0.0.1", &v4), 0);
	assert_int_equal(address_parse("::1", &v6), 0);
	assert_string_equal(service_endpoint(&v4, 53, FL_UDP, buf), "10.0.0.1:domain");
	assert_string_equal(service_endpoint(&v6, 22, FL_TCP, buf), "[::1]:ssh");
	assert_string_equal(service_endpoint(&v6, 23, FL_TCP, buf), "[::1]:23");
	assert_string_equal(service_endpoint(&v6, 0, FL_TCP, buf), "[::1]:0");
}

static void cells_with_services(void **state)
{
	const struct record_view view = { .services = true };
	json_t *json = json_loads("{\"network\":{\"transport\":\"udp\"},\"flowner\":{"
				  "\"local\":{\"ip\":\"::1\",\"port\":40000},"
				  "\"remote\":{\"ip\":\"10.0.0.9\",\"port\":53}}}",
				  0, NULL);
	char buf[RECORD_TEXT];

	(void)state;
	assert_string_equal(record_local(json, &view, buf), "[::1]:40000");
	assert_string_equal(record_remote(json, &view, buf), "10.0.0.9:domain");
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_services),
		cmocka_unit_test(cells_with_services),
	};

	return cmocka_run_group_tests_name("services", tests, NULL, NULL);
}
