/* meta.c - the engine metadata of nodes
 * SPDX-License-Identifier: Apache-2.0
 */
#include "applet.h"
#include "endpoint.h"

static const struct opt opts[] = { MORE(call_opts), { 0 } };

static const struct way ways[] = { { GEN_EMBEDDED, "GET", "/meta", WAY_ANY }, { 0 } };

static void names(struct call *c, int argc, char **argv)
{
	static struct buf list = BUF(CALL_PATH), query = BUF(CALL_PATH);
	int i;

	for (i = 0; i < argc; i++)
		buf_printf(&list, "%s%s", i ? "," : "", argv[i]);
	if (argc)
		call_param(&query, "names", list.p);
	c->query = query.p;
}

static const struct endpoint rows[] = {
	{ "", ways, 0, 0, 1000, "NAME...", NULL, names }, { 0 }
};
static const struct endpoints meta = { .rows = rows, .key = "meta" };

static int meta_run(int argc, char **argv)
{
	return endpoint_run(&meta, argc, argv);
}

const struct applet meta_applet = {
	.name  = "meta",
	.brief = "show the engine metadata of nodes: ranks, model, KV shape",
	.about = "Shows all attributes, or those named; a node leaves out names that "
		 "it does not have.",
	.args  = "[NAME]...",
	.examples = "lmc meta worker_id model_name kv_shape\n  three of them, of all nodes\n",
	.opts  = opts,
	.run   = meta_run,
};
