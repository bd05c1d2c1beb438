/* lookup.c - the lookup client or server of nodes
 * SPDX-License-Identifier: Apache-2.0
 */
#include "applet.h"
#include "endpoint.h"

static struct {
	bool yes, dry;
} o;

static const struct opt opts[] = {
	FLAG(0,   "dry-run", &o.dry, "with create: only say what would be made"),
	FLAG('y', "yes",     &o.yes, "close without asking"),
	MORE(call_opts), { 0 }
};

#define WAY(name, method, path) \
	static const struct way name[] = { { GEN_EMBEDDED, method, path, WAY_ANY }, { 0 } }
WAY(info, "GET", "/lookup/info");
WAY(create, "POST", "/lookup/create");
WAY(recreate, "POST", "/lookup/recreate");
WAY(close_it, "POST", "/lookup/close");

static void dry(struct call *c, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (o.dry)
		c->query = "dryrun=true";
}

static const struct endpoint rows[] = {
	{ "info",     info,     0, 0, 0, NULL, NULL, NULL },
	{ "create",   create,   ENDPOINT_CHANGES, 0, 0, NULL, NULL, dry },
	{ "recreate", recreate, ENDPOINT_CHANGES, 0, 0, NULL, NULL, NULL },
	{ "close",    close_it, ENDPOINT_DESTROYS, 0, 0, NULL,
	  "close the lookup component: no hit is found until it is created", NULL },
	{ 0 }
};
static const struct endpoints lookup = { .rows = rows, .key = "answer", .yes = &o.yes };

static int lookup_run(int argc, char **argv)
{
	return endpoint_run(&lookup, argc, argv);
}

const struct applet lookup_applet = {
	.name  = "lookup",
	.brief = "the lookup client or server of nodes: info, create, close",
	.about = "A scheduler has a lookup client, a worker a lookup server.",
	.args  = "[info|create|recreate|close]",
	.examples = "lmc lookup\n  what each node has\n"
		    "lmc lookup create --dry-run -n scheduler\n  what would be made\n",
	.opts  = opts,
	.run   = lookup_run,
};
