/* quota.c - limits of cache salts on MP servers
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "applet.h"
#include "die.h"
#include "endpoint.h"

static struct {
	bool yes;
} o;

static const struct opt opts[] = {
	FLAG('y', "yes", &o.yes, "delete without asking"),
	MORE(call_opts), { 0 }
};

#define WAY(name, method, path) \
	static const struct way name[] = { { GEN_ALL, method, path, WAY_ANY }, { 0 } }
WAY(list, "GET", "/quota");
WAY(get, "GET", "/quota/{}");
WAY(set, "PUT", "/quota/{}");
WAY(remove_it, "DELETE", "/quota/{}");

static void salt(struct call *c, int argc, char **argv)
{
	(void)argc;
	if (!*argv[0] || strchr(argv[0], '/'))
		die(EXIT_USAGE, "%s is not a salt that can be addressed: the server "
		    "has no path for one with a slash; _default is the empty one",
		    safe(argv[0], strlen(argv[0])));
	c->arg = argv[0];
}

static void limit(struct call *c, int argc, char **argv)
{
	static struct buf body = BUF(256);
	char *end;
	double gb = strtod(argv[1], &end);

	salt(c, argc, argv);
	if (end == argv[1] || *end || !isfinite(gb) || gb < 0)
		die(EXIT_USAGE, "%s is not a number of GB", safe(argv[1], strlen(argv[1])));
	js_open(&body, NULL, '{');
	js_num(&body, "limit_gb", gb);
	js_close(&body, '}');
	c->body = body.p;
	c->body_n = body.len;
}

static const struct endpoint rows[] = {
	{ "list",   list,      0, 0, 0, NULL, NULL, NULL },
	{ "get",    get,       0, 1, 1, "SALT", NULL, salt },
	{ "set",    set,       ENDPOINT_CHANGES, 2, 2, "SALT GB", NULL, limit },
	{ "delete", remove_it, ENDPOINT_DESTROYS, 1, 1, "SALT", "delete a quota", salt },
	{ 0 }
};

static const char *const heads[] = { "NODE", "SALT", ">LIMIT GB", ">USED GB", "STATUS", NULL };

static void row(struct table *t, struct call *c, jv name, jv v)
{
	const struct json *j = &c->json;
	jv exists = json_get(j, v, "exists");

	table_puts(t, c->node->name);
	table_json(t, j, name);
	table_json(t, j, json_get(j, v, "limit_gb"));
	table_json(t, j, json_get(j, v, "current_usage_gb"));
	if (exists >= 0)
		table_puts(t, json_true(j, exists) ? "set" : "not set");
	else
		table_json(t, j, json_get(j, v, "status"));
}

static void table(struct table *t, struct call *c)
{
	const struct json *j = &c->json;
	jv users = json_get(j, 0, "users"), v;

	if (users < 0)
		row(t, c, json_get(j, 0, "cache_salt"), 0);
	for (v = json_first(j, users); v >= 0; v = json_next(j, users, v))
		row(t, c, json_key(j, v), v);
}

static const struct endpoints quota = {
	.rows = rows, .key = "answer", .yes = &o.yes, .heads = heads, .table = table,
};

static int quota_run(int argc, char **argv)
{
	return endpoint_run(&quota, argc, argv);
}

const struct applet quota_applet = {
	.name  = "quota",
	.brief = "limits of cache salts on MP servers: list, get, set, delete",
	.about = "A salt separates users of one cache; a quota limits what one of them "
		 "may keep. _default is the empty salt. Servers inside vLLM have none.",
	.args  = "[list|get|set|delete] [SALT] [GB]",
	.examples = "lmc quota -n 127.0.0.1:8080\n  all of them\n"
		    "lmc quota set alice 10 -n 127.0.0.1:8080\n  10 GB for alice\n",
	.opts  = opts,
	.run   = quota_run,
};
