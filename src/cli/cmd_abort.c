/* SPDX-License-Identifier: BSD-2-Clause */
/* `flowner abort`: cut flows. All ids are read before the first is cut. */
#include <errno.h>
#include <stdio.h>

#include "cli/client.h"
#include "cli/command.h"
#include "flow/flowtext.h"
#include "cli/options.h"

/* Done, but the daemon has a word to say about it. */
static int on_line(const char *line, size_t len, void *arg)
{
	const char *note;
	json_t *answer;

	(void)arg;
	if (len == 0)
		return LINE_MORE;
	answer = command_json(line, len);
	if (!answer)
		return LINE_FAILED;
	note = json_string_value(json_object_get(answer, "note"));
	if (note)
		command_error("%s", note);
	json_decref(answer);
	return LINE_MORE;
}

static int abort_one(struct options *o, __u64 id)
{
	char path[sizeof("/v1/flows/") + FLOW_ID_TEXT];
	char text[FLOW_ID_TEXT];
	int code;

	snprintf(path, sizeof(path), "/v1/flows/%s", flow_id_format(id, text));
	code = command_tell(o, "DELETE", path, on_line, NULL);
	if (o->json && code != EXIT_NO_DAEMON)
		printf("{\"flow_id\":\"%s\",\"aborted\":%s}\n", text,
		       code == EXIT_FOUND ? "true" : "false");
	return code;
}

/* What most needs to be known of several: refused before not found before done. */
static int run_abort(struct options *o)
{
	int worst = EXIT_FOUND;
	__u64 id = 0;

	for (int i = 0; i < o->arg_count; i++) {
		if (flow_id_parse(o->args[i], &id) == 0)
			continue;
		snprintf(o->why, sizeof(o->why), "'%s' is not a flow id", o->args[i]);
		return command_usage("abort", o->why);
	}
	for (int i = 0; i < o->arg_count && worst != EXIT_NO_DAEMON; i++) {
		int code;

		(void)flow_id_parse(o->args[i], &id);
		code = abort_one(o, id);
		if (code > worst)
			worst = code;
	}
	return worst;
}

const struct command command_abort = {
	.name = "abort",
	.arguments = "FLOW_ID...",
	.help = "Cut flows: the process gets ECONNABORTED, the other end of TCP a reset.",
	.min_args = 1,
	.max_args = -1,
	.run = run_abort,
};
