/* chunk-stats.c - statistics over the chunks that nodes look up
 * SPDX-License-Identifier: Apache-2.0
 */
#include "applet.h"
#include "endpoint.h"

static struct {
	bool yes;
} o;

static const struct opt opts[] = {
	FLAG('y', "yes", &o.yes, "reset without asking"),
	MORE(call_opts), { 0 }
};

#define WAY(name, method, path) \
	static const struct way name[] = { { GEN_EMBEDDED, method, path, WAY_ANY }, { 0 } }
WAY(status, "GET", "/chunk_statistics/status");
WAY(start, "POST", "/chunk_statistics/start");
WAY(stop, "POST", "/chunk_statistics/stop");
WAY(reset, "POST", "/chunk_statistics/reset");

static const struct endpoint rows[] = {
	{ "status", status, 0, 0, 0, NULL, NULL, NULL },
	{ "start",  start,  ENDPOINT_CHANGES, 0, 0, NULL, NULL, NULL },
	{ "stop",   stop,   ENDPOINT_CHANGES, 0, 0, NULL, NULL, NULL },
	{ "reset",  reset,  ENDPOINT_DESTROYS, 0, 0, NULL, "forget the chunk statistics", NULL },
	{ 0 }
};
static const struct endpoints stats = { .rows = rows, .key = "answer", .yes = &o.yes };

static int chunk_stats_run(int argc, char **argv)
{
	return endpoint_run(&stats, argc, argv);
}

const struct applet chunk_stats_applet = {
	.name  = "chunk-stats",
	.brief = "chunk statistics of schedulers: status, start, stop, reset",
	.about = "How many chunks were looked up, how many of them were new, and how "
		 "often chunks come again. The scheduler counts; workers answer that "
		 "they have no lookup client.",
	.args  = "[status|start|stop|reset]",
	.examples = "lmc chunk-stats -n scheduler\n  the numbers\n"
		    "lmc chunk-stats start -n scheduler\n  begin to count\n",
	.opts  = opts,
	.run   = chunk_stats_run,
};
