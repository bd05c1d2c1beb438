/* controller.c - what the LMCache controller knows of its workers
 * SPDX-License-Identifier: Apache-2.0
 */
#include "applet.h"
#include "endpoint.h"

static const struct opt opts[] = { MORE(call_opts), { 0 } };

static const struct way workers[] = {
	{ GEN_ALL, "GET", "/controller/workers", WAY_ANY }, { 0 }
};
static const struct way key_stats[] = {
	{ GEN_ALL, "GET", "/controller/key-stats", WAY_ANY }, { 0 }
};

static void of_instance(struct call *c, int argc, char **argv)
{
	static struct buf query = BUF(CALL_PATH);

	if (argc > 0)
		call_param(&query, "instance_id", argv[0]);
	if (argc > 1)
		call_param(&query, "worker_id", argv[1]);
	c->query = query.p;
}

static const struct endpoint rows[] = {
	{ "workers",   workers,   0, 0, 2, "[INSTANCE [WORKER]]", NULL, of_instance },
	{ "key-stats", key_stats, 0, 0, 0, NULL, NULL, NULL },
	{ 0 }
};

static const char *const heads[] = {
	"NODE", "INSTANCE", ">WORKER", "IP", ">PORT", ">KEYS", ">LAST HEARTBEAT",
	">WORKERS", NULL
};

static void row(struct table *t, struct call *c, jv w)
{
	static const char *const keys[] = {
		"instance_id", "worker_id", "ip", "port", "key_count",
		"last_heartbeat_time", "worker_count"
	};
	size_t i;

	table_puts(t, c->node->name);
	for (i = 0; i < sizeof keys / sizeof *keys; i++)
		table_json(t, &c->json, json_get(&c->json, w, keys[i]));
}

/* One worker alone is an object without a list. */
static void table(struct table *t, struct call *c)
{
	const struct json *j = &c->json;
	jv list = json_get(j, 0, "workers"), v;

	if (list < 0)
		list = json_get(j, 0, "instances");
	if (list < 0)
		row(t, c, 0);
	for (v = json_first(j, list); v >= 0; v = json_next(j, list, v))
		row(t, c, v);
}

static const struct endpoints controller = {
	.rows = rows, .key = "answer", .heads = heads, .table = table,
};

static int controller_run(int argc, char **argv)
{
	return endpoint_run(&controller, argc, argv);
}

const struct applet controller_applet = {
	.name  = "controller",
	.brief = "workers and key counts as the LMCache controller knows them",
	.about = "The word workers lists the registered workers, of one instance or one worker "
		 "if named; key-stats counts keys and workers of each instance.",
	.args  = "[workers|key-stats] [INSTANCE] [WORKER]",
	.examples = "lmc controller -n 127.0.0.1:9000\n  its workers\n",
	.opts  = opts,
	.run   = controller_run,
};
