/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes flow_id_parse() and the words of protocols and states: read, written, read again is equal.
 */
#include "flow/flowtext.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static void check_id(__u64 id)
{
	char text[FLOW_ID_TEXT];
	__u64 again = 0;

	must(flow_id_parse(flow_id_format(id, text), &again) == 0);
	must(again == id);
	must(strlen(text) == FLOW_ID_TEXT - 1);
}

static void check_words(const char *text)
{
	enum fl_state state, state_again;
	enum fl_proto proto, proto_again;

	if (state_parse(text, &state) == 0)
		must(state_parse(state_text(state), &state_again) == 0 && state == state_again);
	if (proto_parse(text, &proto) == 0)
		must(proto_parse(proto_text(proto), &proto_again) == 0 && proto == proto_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	__u64 id = 0;

	must(text != NULL);
	if (flow_id_parse(text, &id) == 0) {
		must(id != 0);
		check_id(id);
	}
	if (size >= sizeof(id)) {
		memcpy(&id, data, sizeof(id));
		if (id != 0)
			check_id(id);
	}
	check_words(text);
	free(text);
	return 0;
}
