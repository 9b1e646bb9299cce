/* SPDX-License-Identifier: BSD-2-Clause */
/* `flowner show`: everything known of one flow. */
#include <errno.h>
#include <stdio.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/details.h"
#include "flow/flowtext.h"
#include "cli/options.h"

struct showing {
	struct record_view view;
	bool json;
};

static int on_line(const char *line, size_t len, void *arg)
{
	const struct showing *s = arg;
	json_t *record;

	if (len == 0)
		return LINE_MORE;
	if (s->json)
		return command_pass(line, len);
	record = command_json(line, len);
	if (!record)
		return LINE_FAILED;
	details_print(record, &s->view, false, stdout);
	json_decref(record);
	return LINE_MORE;
}

static int run_show(struct options *o)
{
	struct showing s = { .json = o->json };
	char path[sizeof("/v1/flows/") + FLOW_ID_TEXT];
	char text[FLOW_ID_TEXT];
	__u64 id = 0;

	if (flow_id_parse(o->args[0], &id) < 0) {
		snprintf(o->why, sizeof(o->why), "'%s' is not a flow id", o->args[0]);
		return command_usage("show", o->why);
	}
	snprintf(path, sizeof(path), "/v1/flows/%s", flow_id_format(id, text));
	record_view_init(&s.view, o->numeric, false);
	return command_ask(o, path, NULL, CLIENT_WAIT_MS, on_line, &s);
}

const struct command command_show = {
	.name = "show",
	.arguments = "FLOW_ID",
	.help = "Show everything known of one flow: ff6ea, 0xff6ea, sk:ff6ea or =1046250.",
	.min_args = 1,
	.max_args = 1,
	.run = run_show,
};
