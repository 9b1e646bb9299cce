/* SPDX-License-Identifier: BSD-2-Clause */
/* `flowner metrics`: the OpenMetrics text of the daemon, for collectors that read a command. */
#include "cli/client.h"
#include "cli/command.h"
#include "cli/options.h"

static int on_line(const char *line, size_t len, void *arg)
{
	(void)arg;
	return command_pass(line, len);
}

static int run_metrics(struct options *o)
{
	if (o->json)
		return command_usage("metrics", "OpenMetrics is no JSON, 'stats' has --json");
	return command_ask(o, "/metrics", NULL, CLIENT_WAIT_MS, on_line, NULL);
}

static const char *const no_globals[] = { "json", NULL };

const struct command command_metrics = {
	.name = "metrics",
	.arguments = "",
	.help = "Print the daemon's metrics as OpenMetrics text.",
	.no_globals = no_globals,
	.run = run_metrics,
};
