/* version.c - which LMCache the nodes run, and whether they agree
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "applet.h"
#include "ask.h"
#include "die.h"

static struct {
	bool check;
} o;

static const struct opt opts[] = {
	FLAG('c', "check", &o.check, "exit 1 when nodes run different versions"),
	MORE(call_opts),
	{ 0 }
};

static const struct way ways[] = {
	{ GEN_ALL, "GET", "/version", WAY_ANY },
	{ GEN_ALL, "GET", "/lmc_version", WAY_ANY },
	{ 0 }
};

static const char *const heads[] = { "NODE", "VERSION", "COMMIT", "AGREES", NULL };

/* "0.3.10-g1f2e3d4c5": the commit is what follows the last dash. */
struct version {
	char *text, *commit;
};

static struct version of(const struct call *c)
{
	struct version v = { json_dup(&c->json, 0), NULL };
	char *dash = v.text ? strrchr(v.text, '-') : NULL;

	if (dash && dash != v.text && v.text[0] != '<') {
		*dash = '\0';
		v.commit = dash + 1;
	}
	return v;
}

static void check(struct call *c)
{
	if (json_type(&c->json, 0) != JSON_STRING)
		call_fail(c, EXIT_NO, "%s: its version is not a JSON string",
			  call_who(c->node));
}

/* The answer that most nodes gave; the first of several. */
static const struct call *usual(const struct call *calls, int n)
{
	const struct call *best = NULL;
	int i, k, count, most = 0;

	for (i = 0; i < n; i++) {
		for (k = count = 0; !calls[i].exit && k < n; k++)
			count += !calls[k].exit &&
				 !strcmp(calls[i].answer.p, calls[k].answer.p);
		if (count > most) {
			most = count;
			best = &calls[i];
		}
	}
	return best;
}

/* same NULL: not known yet what the others run. */
static void print(struct report *r, struct call *c, const struct call *same)
{
	struct version v = { NULL, NULL };
	bool agrees = same && !c->exit && !strcmp(c->answer.p, same->answer.p);

	report_call(r, c);
	if (!c->exit)
		v = of(c);
	if (r->form == OUT_RAW) {
		ask_put(&c->answer);
	} else if (r->form == OUT_TABLE && !c->exit) {
		table_puts(&r->table, c->node->name);
		table_puts(&r->table, v.text);
		table_puts(&r->table, v.commit);
		table_puts(&r->table, agrees ? "yes" : "no");
	} else if (!c->exit) {
		js_str(&r->json, "version", v.text);
		js_str(&r->json, "commit", v.commit);
		if (same)
			js_bool(&r->json, "agrees", agrees);
		else
			js_null(&r->json, "agrees");
	}
	report_done(r);
	free(v.text);
}

static struct report report;

static void each(struct call *c)
{
	if (!c->exit)
		check(c);
	if (report.form == OUT_JSONL)
		print(&report, c, NULL);
}

static int version_run(int argc, char **argv)
{
	struct call_nodes ns = ask_nodes(false);
	struct call proto = { .ways = ways, .flags = CALL_JSON };
	const struct call *same;
	struct call *calls;
	int i;

	(void)argc;
	(void)argv;
	report_begin(&report, heads);
	calls = ask_all(&ns, &proto, each);
	same = usual(calls, ns.n);
	for (i = 0; i < ns.n; i++) {
		if (report.form != OUT_JSONL)
			print(&report, &calls[i], same);
		if (o.check && !calls[i].exit && strcmp(calls[i].answer.p, same->answer.p))
			report.exit = worse(report.exit, EXIT_NO);
	}
	ask_end(calls, ns.n);
	return report_end(&report);
}

const struct applet version_applet = {
	.name  = "version",
	.brief = "which LMCache the nodes run, and whether they agree",
	.about = "Asks the nodes for their version and commit. AGREES says whether "
		 "a node runs what most of them do; with -o jsonl it is null, since lines "
		 "do not wait for each other.",
	.args  = "",
	.examples =
		"lmc version\n"
		"  all nodes known\n"
		"lmc version --check -q --nodes nodes.json\n"
		"  0 when all are there and run the same\n"
		"lmc version -n 127.0.0.1:6999 -o json\n"
		"  one node, for a program\n",
	.opts  = opts,
	.run   = version_run,
};
