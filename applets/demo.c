/* demo.c - simulated nodes, alone or with a frontend in front of them
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applet.h"
#include "demo/demo.h"
#include "die.h"

enum { NAME = 192, NODES = 1024 };

static struct {
	struct strs listen, nodes, faults;
	const char *instance, *role, *dialect, *run_script;
	long port, workers, mp, worker_id, fault_after, seed, rate, ready_fd;
	int64_t fault_delay, age;
	bool once, quiet;
} o = {
	.instance = "demo", .role = "worker", .dialect = "embedded",
	.run_script = "on", .port = 8000, .workers = 2, .mp = 1,
	.fault_delay = 2000, .seed = 1, .age = 600000, .rate = 4, .ready_fd = -1,
};

static const struct opt opts[] = {
	HEAD("Everything at once"),
	LIST('l', "listen",    "ADDR", &o.listen,         "where the frontend listens; default 127.0.0.1 and --port"),
	INT('p',  "port",      "N",    &o.port, 0, 65535, "the frontend's port; 0 takes a free one"),
	INT('w',  "workers",   "N",    &o.workers, 0, 512, "workers of the simulated engine"),
	INT(0,    "mp",        "N",    &o.mp, 0, 64,      "simulated MP servers"),
	FLAG(0,   "once",              &o.once,           "start, look at everything through the frontend, end; 0 when all is well"),
	FLAG('q', "quiet",             &o.quiet,          "print nothing but trouble"),
	HEAD("One node alone"),
	LIST('n', "node",      "ADDR", &o.nodes,          "serve a node here and start nothing else"),
	STR(0,    "role",      "scheduler|worker", &o.role, "which process of the engine it is"),
	INT(0,    "worker-id", "N",    &o.worker_id, 0, 65535, "number of the first worker; further nodes count up"),
	STR(0,    "dialect",   "embedded|mp", &o.dialect, "API inside vLLM, or of lmcache server"),
	HEAD("Both"),
	STR(0,    "instance",  "NAME", &o.instance,       "lmcache_instance_id; names and workload follow from it"),
	LIST('f', "fault",     "[NODE=]KIND", &o.faults,  "let a node misbehave: slow, hang, reset, truncate, 500 or garbage"),
	TIME(0,   "fault-delay", "TIME", &o.fault_delay, 0, 3600000, "how long slow is"),
	INT(0,    "fault-after", "N",  &o.fault_after, 0, 1000000000, "answer this many requests well before"),
	INT(0,    "seed",      "N",    &o.seed, 0, 2147483647, "another number, another workload"),
	TIME(0,   "age",       "TIME", &o.age, 0, 86400000, "how long the workload has been running at the start"),
	INT(0,    "rate",      "N",    &o.rate, 1, 100000, "simulated requests a second, on average"),
	STR(0,    "run-script", "on|off", &o.run_script,  "whether /run_script answers; off as in newer LMCache"),
	INT(0,    "ready-fd",  "N",    &o.ready_fd, 0, 1048576, "write the bound address to this descriptor and close it"),
	{ 0 }
};

/* --- the nodes ----------------------------------------------------------------- */

static void add(struct demo *d, enum dialect dialect, enum role role, int id, const char *suffix)
{
	char *name = xmalloc(NAME);

	if (d->n == NODES)
		die(EXIT_USAGE, "more than %d nodes", NODES);
	snprintf(name, NAME, "%s_%s", o.instance, suffix);
	d->node[d->n++] = (struct sim_options){
		.name = name, .instance = o.instance, .role = role, .dialect = dialect,
		.worker_id = id, .world = (int)(o.workers ? o.workers : 1),
		.seed = (uint64_t)o.seed, .age = o.age, .rate = (double)o.rate,
		.fault_delay = o.fault_delay, .fault_after = o.fault_after,
		.run_script = !strcmp(o.run_script, "on"),
	};
}

static void add_numbered(struct demo *d, enum dialect dialect, enum role role, int id)
{
	char suffix[32];

	snprintf(suffix, sizeof suffix, "%s%d", dialect == MP ? "mp" : "worker", id);
	add(d, dialect, role, id, suffix);
}

static void whole_house(struct demo *d)
{
	int i;

	add(d, EMBEDDED, SCHEDULER, 0, "scheduler");
	for (i = 0; i < o.workers; i++)
		add_numbered(d, EMBEDDED, WORKER, i);
	for (i = 0; i < o.mp; i++)
		add_numbered(d, MP, BOTH, i);
}

static void single_nodes(struct demo *d)
{
	bool scheduler = !strcmp(o.role, "scheduler");
	const char *why;
	int i;

	d->at = xcalloc((size_t)o.nodes.n, sizeof *d->at);
	for (i = 0; i < o.nodes.n; i++) {
		if (addr_parse(&d->at[i], o.nodes.v[i], -1, &why) < 0)
			die(EXIT_USAGE, "--node: %s: %s", safe(o.nodes.v[i], strlen(o.nodes.v[i])), why);
		if (!strcmp(o.dialect, "mp"))
			add_numbered(d, MP, BOTH, (int)o.worker_id + i);
		else if (scheduler)
			add(d, EMBEDDED, SCHEDULER, 0, "scheduler");
		else
			add_numbered(d, EMBEDDED, WORKER, (int)o.worker_id + i);
	}
}

/* --- faults ------------------------------------------------------------------------ */

static bool is_node(const struct sim_options *node, const char *name, size_t n)
{
	const char *suffix = node->name + strlen(node->instance) + 1;

	return (strlen(node->name) == n && !memcmp(node->name, name, n)) ||
	       (strlen(suffix) == n && !memcmp(suffix, name, n));
}

/* NODE=KIND, or KIND for all. */
static void take_fault(struct demo *d, const char *text)
{
	const char *equals = strchr(text, '=');
	int kind = sim_fault(equals ? equals + 1 : text), i, n = 0;

	if (kind < 0)
		die(EXIT_USAGE, "--fault: %s is not one of slow, hang, reset, truncate, 500, garbage",
		    safe(equals ? equals + 1 : text, strlen(equals ? equals + 1 : text)));
	for (i = 0; i < d->n; i++) {
		if (equals && !is_node(&d->node[i], text, (size_t)(equals - text)))
			continue;
		d->node[i].fault = (enum fault)kind;
		n++;
	}
	if (!n)
		die(EXIT_USAGE, "--fault: there is no node %s", safe(text, (size_t)(equals - text)));
}

/* It stands in names, labels and JSON. */
static void check_instance(void)
{
	size_t n = strspn(o.instance, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	if (!n || o.instance[n] || n > 64)
		die(EXIT_USAGE, "--instance: %s is not a name of 1 to 64 letters, digits, . _ -",
		    safe(o.instance, strlen(o.instance)));
}

static void choose_listen(struct demo *d)
{
	static char here[32];
	static const char *one[] = { here };

	snprintf(here, sizeof here, "127.0.0.1:%ld", o.port);
	d->listen = o.listen.n ? o.listen.v : one;
	d->nlisten = o.listen.n ? o.listen.n : 1;
}

static int demo_run(int argc, char **argv)
{
	static struct sim_options nodes[NODES];
	static struct demo d = { .node = nodes };
	int i;

	(void)argc;
	(void)argv;
	d.ready_fd = (int)o.ready_fd;
	d.once = o.once;
	d.quiet = o.quiet;
	check_instance();
	if (o.nodes.n)
		single_nodes(&d);
	else
		whole_house(&d);
	for (i = 0; i < o.faults.n; i++)
		take_fault(&d, o.faults.v[i]);
	if (o.nodes.n)
		return demo_serve(&d, d.ready_fd, -1);
	choose_listen(&d);
	return demo_house(&d);
}

const struct applet demo_applet = {
	.name  = "demo",
	.brief = "start simulated nodes with a frontend in front, to try lmc out",
	.about =
		"Starts simulated LMCache nodes on UNIX sockets in a private temporary "
		"directory - one scheduler, some workers, one MP server - and lmc proxy "
		"in front of them, and prints the address to open. The end of it, "
		"however it comes, takes all processes, sockets and the directory away.\n"
		"\n"
		"A simulated node answers as LMCache does. Its numbers follow from one "
		"made-up workload and agree with each other; they are the same for the "
		"same --seed. It calls itself simulated in /version, keeps what is set, "
		"runs no script, and misbehaves with --fault.\n"
		"\n"
		"With --node it serves nodes and nothing else, for tests of other "
		"programs.",
	.args  = "",
	.examples =
		"lmc demo --port 0\n"
		"  everything, on a free port\n"
		"lmc demo --workers 8 --fault worker3=hang\n"
		"  with one worker that never answers\n"
		"lmc demo --node unix:/tmp/w0.sock --role worker --worker-id 0\n"
		"  one node alone\n",
	.opts  = opts,
	.run   = demo_run,
};
