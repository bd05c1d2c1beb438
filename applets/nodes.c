/* nodes.c - which nodes are known, and which there are on this machine
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applet.h"
#include "ask.h"
#include "die.h"
#include "file.h"
#include "muster.h"
#include "nodes/tree.h"
#include "source.h"

enum { PORTS = 1024, PROC_MAX = 16 << 20, SCAN_MS = 1000 };

static struct {
	const char *check, *output;
	bool scan, follow;
	struct tree_conf tree;
} o = { .output = "table", .tree.interval = SUPPLY_INTERVAL };

static const struct opt opts[] = {
	FLAG(0, "scan", &o.scan, "look for nodes on this machine: sockets and listening ports"),
	STR(0, "check", "FILE", &o.check, "is it a good node list? 0; JSON of another kind: 1; no JSON: 2"),
	HEAD("Registries"),
	LIST(0, "from", "SPEC", &o.tree.from, "the nodes that this registry names: http(s)://HOST "
	     "(discovery, coordinator or frontend), coordinator:URL, dns:NAME:PORT, file:PATH, "
	     "etcd://HOST[:PORT][/PREFIX], "
	     "k8s:[NAMESPACE/]service/NAME[:PORT], k8s:[NAMESPACE/]pods?selector=LABELS&port=PORT"),
	FLAG('f', "follow", &o.follow, "stay, and print all of them whenever they change"),
	TIME(0, "interval", "TIME", &o.tree.interval, 10, 86400000,
	     "between two askings of a registry or a frontend"),
	STR(0, "self", "ID", &o.tree.self, "leave out what leads back to the frontend of this id"),
	MORE(call_node_opts),
	HEAD("Output"),
	STR('o', "output", "table|name|json|jsonl", &o.output, "the form of the list"),
	FLAG('q', "quiet", &call_o.quiet, "no word, only the status"),
	FLAG(0, "no-headers", &call_o.no_headers, "no headings above tables"),
	STR(0, "color", "auto|always|never", &call_o.color, "bold headings; auto: on a terminal"),
	{ 0 }
};

static const char *const heads[] = { "NODE", "ADDRESS", "VERSION", NULL };

/* --- is it a list? ------------------------------------------------------------------ */

static void complain(const char *fmt, const char *file, int line, int column, const char *what)
{
	if (!call_o.quiet)
		warn(fmt, file, line, column, what);
}

static int check_list(const char *path)
{
	struct node_error ne;
	struct json_error je;
	struct nodes ns;
	struct json j;
	size_t n;
	char *text = read_input(path, SOURCE_FILE_MAX, &n);
	const char *name = safe(path, strlen(path));

	if (!text)
		die(EXIT_SYS, "unable to read %s:", name);
	if (json_parse(&j, text, n, SOURCE_FILE_MAX, 0, &je) < 0) {
		complain("%s:%d:%d: %s", name, je.line, je.column, je.what);
		return EXIT_USAGE;
	}
	if (nodes_parse(&ns, text, n, &ne) < 0) {
		complain("%s:%d:%d: %s", name, ne.line, ne.column, ne.what);
		return EXIT_NO;
	}
	return EXIT_OK;
}

/* --- what listens here ----------------------------------------------------------------- */

struct listener {
	char host[INET6_ADDRSTRLEN];
	long port;
};

static int compare(const void *a, const void *b)
{
	const struct listener *x = a, *y = b;

	return x->port != y->port ? (x->port > y->port) - (x->port < y->port) :
		strcmp(x->host, y->host);
}

/* Words of four bytes in this machine's order, as hexadecimal numbers; "any"
 * is reached at the loopback address, and what is mapped from IPv4 there. */
static bool host_of(const char *hex, size_t n, char *out)
{
	uint32_t w[4] = { 0 };
	char word[9] = "";
	size_t i;

	if (n != 8 && n != 32)
		return false;
	for (i = 0; i < n / 8; i++) {
		memcpy(word, hex + 8 * i, 8);
		w[i] = (uint32_t)strtoul(word, NULL, 16);
	}
	if (n == 32 && !w[0] && !w[1] && w[2] == htonl(0xffff)) {
		w[0] = w[3];
		n = 8;
	}
	if (n == 8 && !w[0])
		w[0] = htonl(INADDR_LOOPBACK);
	else if (n == 32 && !(w[0] | w[1] | w[2] | w[3]))
		w[3] = htonl(1);
	return inet_ntop(n == 8 ? AF_INET : AF_INET6, w, out, INET6_ADDRSTRLEN);
}

/* "   0: 0100007F:1F90 00000000:0000 0A ...": state 0A listens. */
static int ports_of(const char *path, struct listener *l, int n)
{
	size_t len;
	char *text = read_file(path, PROC_MAX, &len), *line, *next, *p, *colon, *end;

	for (line = text; line && *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		p = strchr(line, ':');
		colon = p ? strchr(p + 1, ':') : NULL;
		if (!colon || n == PORTS)
			continue;
		p += 1 + (p[1] == ' ');
		l[n].port = strtol(colon + 1, &end, 16);
		end = strchr(end, ':');
		if (end && strlen(end) > 8 && !memcmp(end + 5, " 0A", 3) &&
		    l[n].port > 0 && host_of(p, (size_t)(colon - p), l[n].host))
			n++;
	}
	free(text);
	return n;
}

static void add(struct call_nodes *ns, const char *name, const struct addr *a)
{
	struct buf where = BUF(ADDR_HOST + 64);
	struct call_node *n;

	if (a->kind == ADDR_UNIX)
		buf_puts(&where, a->host);
	else
		addr_print(a, &where);
	ns->node = xrealloc(ns->node, (size_t)(ns->n + 1) * sizeof *ns->node);
	n = &ns->node[ns->n];
	*n = (struct call_node){ .name = xstrdup(name ? name : where.p), .where = where.p,
		.addr = *a, .prefix = xstrdup(""), .gens = GEN_ALL, .index = ns->n };
	ns->n++;
}

/* One that listens on ::1 as well as on 127.0.0.1 is one. */
static void add_ports(struct call_nodes *ns)
{
	static struct listener l[PORTS];
	int n = ports_of("/proc/net/tcp", l, 0), i;
	bool both;
	struct addr a;
	const char *why;

	n = ports_of("/proc/net/tcp6", l, n);
	qsort(l, (size_t)n, sizeof *l, compare);
	for (i = 0; i < n; i++) {
		both = i && l[i].port == l[i - 1].port &&
			(!strcmp(l[i].host, "::1") || !strcmp(l[i].host, l[i - 1].host));
		if (!both && addr_tcp(&a, l[i].host, (int)l[i].port, &why) == 0)
			add(ns, NULL, &a);
	}
}

static int by_path(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

/* PREFIX_PORT as LMCache calls them, and *.sock. */
static bool is_likely(const char *path)
{
	const char *end = strrchr(path, '_');

	if (end && end[1] && !end[1 + strspn(end + 1, "0123456789")])
		return true;
	end = strrchr(path, '.');
	return end && !strcmp(end, ".sock");
}

/* "0000: 00000002 00000000 00010000 0001 01 746164 /tmp/x.sock": the flags
 * 00010000 listen, the type 0001 is a stream. */
static void add_sockets(struct call_nodes *ns)
{
	static char *paths[PORTS];
	size_t len;
	char *text = read_file("/proc/net/unix", PROC_MAX, &len), *line, *next, *p;
	struct addr a;
	const char *why;
	int n = 0, i;

	for (line = text; line && *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		p = strstr(line, " 00010000 0001 ");
		p = p ? strchr(p, '/') : NULL;
		if (p && n < PORTS && is_likely(p))
			paths[n++] = p;
	}
	qsort(paths, (size_t)n, sizeof *paths, by_path);
	for (i = 0; i < n; i++)
		if ((!i || strcmp(paths[i], paths[i - 1])) && addr_parse(&a, paths[i], -1, &why) == 0)
			add(ns, NULL, &a);
	free(text);
}

/* --- printing -------------------------------------------------------------------------- */

static void print(struct report *r, const struct call_node *n, const struct call *c)
{
	char *version = c ? json_dup(&c->json, 0) : NULL;

	if (!strcmp(o.output, "name")) {
		struct buf b = BUF(8192);

		out_text(&b, n->name, strlen(n->name), "");
		buf_putc(&b, '\n');
		ask_put(&b);
		buf_free(&b);
		return;
	}
	report_node(r, n, c ? c->status : 0, EXIT_OK, NULL);
	if (r->form == OUT_TABLE) {
		table_puts(&r->table, n->name);
		table_puts(&r->table, n->where);
		table_puts(&r->table, version);
	} else {
		/* What a list can say makes the output one. */
		if (!n->via && !n->addr.tls)
			muster_place(&r->json, n->name, &n->addr);
		js_str(&r->json, "address", n->where);
		js_str(&r->json, "version", version);
	}
	report_done(r);
	free(version);
}

/* Who answers with a JSON string is taken for one; older MP servers have no
 * /version, but a word to say at /. */
static const struct way version[] = {
	{ GEN_ALL, "GET", "/version", WAY_ANY },
	{ GEN_ALL, "GET", "/", WAY_ANY },
	{ 0 }
};

static bool is_node(const struct call *c)
{
	char *service = json_dup(&c->json, json_get(&c->json, 0, "service"));
	bool lmcache = service && strstr(service, "LMCache");

	free(service);
	return lmcache || json_type(&c->json, 0) == JSON_STRING;
}

static void scan(struct report *r)
{
	struct call proto = { .ways = version, .flags = CALL_JSON | CALL_WHOLE,
			      .timeout_ms = call_o.timeout == CALL_TIMEOUT ? SCAN_MS : 0 };
	struct call_nodes ns = { 0 };
	struct call *calls;
	int i;

	add_sockets(&ns);
	add_ports(&ns);
	if (call_o.parallel == CLIENT_PARALLEL)
		call_o.parallel = 2 * PORTS;
	calls = ask_all(&ns, &proto, NULL);
	for (i = 0; i < ns.n; i++)
		if (!calls[i].exit && is_node(&calls[i]))
			print(r, &ns.node[i], &calls[i]);
}

static int list(struct report *r)
{
	struct call_nodes ns;
	struct call_error e;
	int i;

	if ((call_o.nodes.n ? call_resolve(&ns, false, &e) : call_known(&ns, &e)) < 0)
		die(e.exit, "%s", e.what);
	for (i = 0; i < ns.n; i++)
		print(r, &ns.node[i], NULL);
	return ask_lacks(&ns);
}

static int nodes_run(int argc, char **argv)
{
	struct report r;
	int exit = EXIT_OK;

	(void)argc;
	(void)argv;
	if (o.check)
		return check_list(o.check);
	if (o.follow && !o.tree.from.n)
		die(EXIT_USAGE, "--follow: which registry? name it with --from");
	if (o.tree.from.n)
		return tree_run(&o.tree, o.follow, o.output);
	call_o.output = o.output;
	report_begin(&r, heads);
	if (o.scan)
		scan(&r);
	else
		exit = list(&r);
	if (!strcmp(o.output, "name"))
		return exit;
	return report_end(&r);
}

const struct applet nodes_applet = {
	.name  = "nodes",
	.brief = "which nodes are known; find them, check a list of them",
	.about =
		"Lists the nodes that the other applets would ask, without asking them. "
		"--scan looks at this machine instead: it asks every listening TCP port and "
		"every socket called PREFIX_PORT or *.sock for a version, and shows those "
		"that answer as LMCache does within a second, or --timeout. JSON of "
		"either is a list that --nodes reads.\n"
		"\n"
		"--from asks registries, and every frontend that they name for its "
		"nodes, and makes one tree of them. With -o json or jsonl it is one "
		"line, and such a list too. With --follow, SIGUSR1 asks "
		"everybody at once.",
	.args  = "",
	.examples =
		"lmc nodes --nodes http://frontend:8000\n"
		"  what a frontend knows\n"
		"lmc nodes --scan -o name\n"
		"  names for a script\n"
		"lmc nodes --from http://registry:5000/lmcache_infos --follow -o jsonl\n"
		"  a line with all nodes of the fleet at every change\n"
		"lmc nodes --check nodes.json\n"
		"  before it is used\n",
	.opts  = opts,
	.run   = nodes_run,
};
