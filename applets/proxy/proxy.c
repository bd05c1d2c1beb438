/* proxy.c - the frontend: one address for all nodes
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applet.h"
#include "die.h"
#include "helper.h"
#include "label.h"
#include "log.h"
#include "proxy.h"
#include "service.h"
#include "source.h"
#include "supply.h"

enum { LISTENERS = 16, FIRST_FD = 3 };

static struct {
	const char *host, *log_level, *log, *state, *access_log, *access_file;
	int64_t probe;
	long port, ready_fd;
	struct strs listen;
	struct source source;
	struct limits limits;
	struct relay_limits relay;
	struct scrape_conf scrape;
	struct sd_conf sd;
	struct heartbeat_conf heartbeat;
	struct united_conf united;
} o = {
	.host = "127.0.0.1", .port = 8000, .log_level = "warning",
	.log = "text", .ready_fd = -1, .access_log = "off", .probe = 10000,
	.scrape = { .node_label = "node" }, .heartbeat = { .interval = 30000 },
	.united = { .interval = SUPPLY_INTERVAL },
	.limits = LIMITS_DEFAULT, .relay = RELAY_LIMITS_DEFAULT,
};

static const struct opt opts[] = {
	HEAD("Where to listen"),
	LIST('l', "listen", "ADDR", &o.listen,
	     "listen here, HOST:PORT or unix:/PATH, not on --host"),
	STR(0, "host", "HOST", &o.host, "listen on this address"),
	INT('p', "port", "PORT", &o.port, 0, 65535, "listen on this port; 0 picks a free one"),
	INT(0, "ready-fd", "N", &o.ready_fd, 0, 1 << 20,
	    "write the bound addresses to this descriptor, then close it"),
	LIST(0, "public-host", "NAME", &door.public_hosts,
	     "a Host name to answer to, beside addresses and localhost"),
	FLAG(0, "insecure-allow-all", &door.insecure,
	     "serve changes and secrets on any address, to anyone"),
	HEAD("Which nodes"),
	STR(0, "nodes", "JSON|FILE", &o.source.nodes, "the list of nodes"),
	STR('c', "config", "FILE", &o.source.config,
	    "a file with the list of nodes, flat or a tree"),
	LIST(0, "node-supplier-url", "URL", &o.united.suppliers,
	     "also the nodes of the frontends that this discovery service names"),
	LIST(0, "coordinator-url", "URL", &o.united.coordinators,
	     "also the instances of this coordinator"),
	LIST(0, "registry", "SPEC", &o.united.registries,
	     "also what this registry names, as lmc nodes --from takes it"),
	TIME(0, "registry-interval", "TIME", &o.united.interval, 10, 86400000,
	     "between two askings of those and their frontends"),
	STR(0, "state", "FILE", &o.state,
	    "keep node changes made through the API here, over restarts"),
	HEAD("Limits"),
	INT(0, "connections", "N", &o.limits.connections, 1, 1000000,
	    "client connections in all"),
	TIME(0, "head-timeout", "TIME", &o.limits.head_ms, 100, 3600000,
	     "for a whole request head"),
	TIME(0, "idle-timeout", "TIME", &o.limits.idle_ms, 100, 86400000,
	     "between two requests of a connection"),
	TIME(0, "body-timeout", "TIME", &o.limits.body_idle_ms, 100, 3600000,
	     "between two pieces of a request body"),
	TIME(0, "write-timeout", "TIME", &o.limits.write_ms, 100, 3600000,
	     "for a client that takes nothing of its answer"),
	TIME(0, "connect-timeout", "TIME", &o.relay.connect_ms, 10, 600000,
	     "for connecting to a node"),
	TIME(0, "answer-timeout", "TIME", &o.relay.first_ms, 10, 86400000,
	     "for a node's first byte"),
	TIME(0, "silence-timeout", "TIME", &o.relay.between_ms, 10, 86400000,
	     "between two pieces of a node's answer"),
	TIME(0, "probe", "TIME", &o.probe, 0, 86400000,
	     "ask a node for its version when nobody did for this long; 0: never"),
	INT(0, "per-address", "N", &o.limits.per_address, 0, 1000000,
	    "client connections of one address; 0 sets no limit"),
	INT(0, "per-node", "N", &o.relay.per_node, 0, 100000,
	    "connections to one node; 0 sets no limit"),
	INT(0, "queue", "N", &o.relay.queue, 0, 100000,
	    "requests that may wait for one of those"),
	TIME(0, "grace", "TIME", &o.limits.grace_ms, 0, 3600000,
	     "for requests under way after SIGTERM"),
	HEAD("Merged metrics"),
	STR(0, "node-label", "NAME", &o.scrape.node_label,
	    "the label that says which node a sample is of"),
	FLAG(0, "underscore", &o.scrape.underscore,
	     "write lmcache_x instead of lmcache:x"),
	STR(0, "file-sd", "FILE", &o.sd.file,
	    "keep the list of /sd/prometheus in this file, for file_sd_configs"),
	STR(0, "sd-target", "HOST:PORT", &o.sd.target,
	    "where Prometheus reaches this frontend, when not as it asked"),
	HEAD("Heartbeat"),
	LIST(0, "heartbeat-url", "URL", &o.heartbeat.urls,
	     "announce this frontend to this registry"),
	TIME(0, "heartbeat-initial-delay", "TIME", &o.heartbeat.delay, 0, 86400000,
	     "before the first time"),
	TIME(0, "heartbeat-interval", "TIME", &o.heartbeat.interval, 100, 86400000,
	     "between two times"),
	STR(0, "report-host", "HOST", &o.heartbeat.report_host,
	    "as this name or address; else the one listened on, or guessed"),
	STR(0, "registry-token", "FILE", &o.heartbeat.token, "with this token"),
	HEAD("Log"),
	STR(0, "log-level", "critical|error|warning|warn|info|debug|trace",
	    &o.log_level, "what to write to stderr"),
	STR(0, "log", "text|json", &o.log, "form of the log lines"),
	STR(0, "access-log", "off|text|json", &o.access_log, "a line per request"),
	STR(0, "access-file", "FILE", &o.access_file,
	    "append those lines here instead of stderr; SIGHUP opens it again"),
	{ 0 }
};

static struct server server = {
	.on_request = routes_serve, .on_done = routes_done
};
static struct listener listeners[LISTENERS];
static int listeners_n;

/* ---- start ---- */

static void open_table(void)
{
	struct node_error e = { 0 };
	struct nodes ns = { 0 };
	const char *from = "";

	if (source_nodes(&ns, &o.source, &from, &e) < 0)
		die(EXIT_USAGE, "%s", e.what);
	united_init(&o.united);
	if (united_open(&ns, o.state, &o.relay, &e) < 0)
		die(EXIT_SYS, "%s", e.what);
	if (table_leaves() == 0 && !united_sourced())
		warn("no nodes are known yet: name them with --nodes or --config, "
		     "or POST them to /api/nodes");
}

/* A listener is in use: say what that means. */
static void opened(struct listener *l, const char *said)
{
	listeners_n++;
	if (!l->trusted && !door.insecure)
		warn("%s can be reached from outside: it serves viewers only, no "
		     "change, no script, no environment (--insecure-allow-all "
		     "serves all to anyone)", said);
	else if (!l->trusted)
		warn("%s can be reached from outside, and serves everything to "
		     "anyone", said);
}

static struct listener *next_listener(void)
{
	if (listeners_n == LISTENERS)
		die(EXIT_USAGE, "more than %d addresses to listen on", LISTENERS);
	return &listeners[listeners_n];
}

static void listen_on(const struct addr *a, const char *said)
{
	struct listener *l = next_listener();

	if (server_listen(&server, l, a) < 0)
		die(EXIT_SYS, "unable to listen on %s:", said);
	opened(l, said);
}

/* Sockets from systemd, or from the process that we replace. */
static bool listen_inherited(void)
{
	int n = replace_inherited();

	for (int i = 0; i < n; i++) {
		struct listener *l = next_listener();
		struct buf said = BUF(ADDR_HOST + 16);

		if (server_listen_fd(&server, l, FIRST_FD + i) < 0)
			die(EXIT_SYS, "unable to use descriptor %d:", FIRST_FD + i);
		addr_print(&l->addr, &said);
		opened(l, said.p);
		buf_free(&said);
	}
	return n > 0;
}

static void listen_all(void)
{
	const char *why;
	struct addr a;

	if (listen_inherited())
		return;
	for (int i = 0; i < o.listen.n; i++) {
		if (addr_parse(&a, o.listen.v[i], -1, &why) < 0)
			die(EXIT_USAGE, "--listen: %s: %s", o.listen.v[i], why);
		listen_on(&a, o.listen.v[i]);
	}
	if (!o.listen.n) {
		char said[300];

		snprintf(said, sizeof said, strchr(o.host, ':') && o.host[0] != '['
			 ? "[%s]:%ld" : "%s:%ld", o.host, o.port);
		if (addr_parse(&a, said, -1, &why) < 0 || a.kind != ADDR_TCP)
			die(EXIT_USAGE, "--host: %s is not an address", o.host);
		listen_on(&a, said);
	}
}

static void tell_addresses(void)
{
	/* a replaced process has told its starter already */
	if (service_tell(listeners, listeners_n,
			 replace_replacing() ? -1 : (int)o.ready_fd) < 0)
		die(EXIT_SYS, "unable to write to --ready-fd %ld:", o.ready_fd);
}

/* ---- end ---- */

static void drained(struct server *s)
{
	(void)s;
	helpers_stop(false);	/* a request under way may have started one */
	helpers_wait(loop_stop);
}

static void on_term(int signo)
{
	log_event(LOG_INFO, "ending", "signal", strsignal(signo), NULL);
	replace_ending();
	helpers_stop(false);
	for (int i = 0; i < listeners_n; i++)
		server_unlisten(&listeners[i]);
	server_drain(&server);
}

/* The new process serves: its sockets stay, path and all. */
static void replaced(void)
{
	helpers_stop(true);
	for (int i = 0; i < listeners_n; i++) {
		listeners[i].addr.kind = ADDR_NONE;
		server_unlisten(&listeners[i]);
	}
	server_drain(&server);
}

static void on_usr2(int signo)
{
	int fds[LISTENERS], n = 0;

	(void)signo;
	for (int i = 0; i < listeners_n; i++)
		if (listeners[i].watch.fd >= 0)
			fds[n++] = listeners[i].watch.fd;
	if (n < listeners_n || replace_start(fds, n) < 0)
		log_event(LOG_ERROR, "not replaced", "reason", strerror(errno), NULL);
}

/* A configuration that is wrong changes nothing. */
static void on_hup(int signo)
{
	struct node_error e = { 0 };
	struct nodes ns = { 0 };
	const char *from = "";

	(void)signo;
	replace_reloading(true);
	if (access_reopen() < 0)
		log_event(LOG_ERROR, "access log not opened", "file", o.access_file,
			  "reason", strerror(errno), NULL);
	if (source_nodes(&ns, &o.source, &from, &e) < 0 || united_configure(&ns, &e) < 0)
		log_event(LOG_ERROR, "configuration not read, the old one stays",
			  "reason", e.what, NULL);
	else
		log_event(LOG_INFO, "configuration read", "from", from, NULL);
	nodes_free(&ns);
	replace_reloading(false);
}

static void open_access_log(void)
{
	enum access_form form = strcmp(o.access_log, "off") == 0 ? ACCESS_OFF :
		strcmp(o.access_log, "json") == 0 ? ACCESS_JSON : ACCESS_TEXT;

	if (access_open(form, o.access_file) < 0)
		die(EXIT_SYS, "unable to open %s:", o.access_file);
}

static void start_metrics(void)
{
	const struct addr *tcp = NULL;

	if (!label_name(o.scrape.node_label))
		die(EXIT_USAGE, "--node-label: %s is not a label name",
		    o.scrape.node_label);
	for (int i = listeners_n - 1; i >= 0; i--)
		if (listeners[i].addr.kind == ADDR_TCP)
			tcp = &listeners[i].addr;
	o.sd.node_label = o.scrape.node_label;
	scrape_init(&o.scrape);
	if (sd_init(&o.sd, tcp) == 0)
		return;
	if (errno == EDESTADDRREQ)
		die(EXIT_USAGE, "--file-sd: name this frontend's address with --sd-target");
	die(EXIT_SYS, "unable to write %s:", o.sd.file);
}

static int proxy_run(int argc, char **argv)
{
	(void)argv;
	if (argc)
		die(EXIT_USAGE, "%s: no operands are taken", argv[0]);
	log_level_named(o.log_level);
	log_json = strcmp(o.log, "json") == 0;
	if (loop_init() < 0)
		die(EXIT_SYS, "unable to start:");
	service_nofile(o.limits.connections);
	server.limits = &o.limits;
	server.on_drained = drained;
	open_table();
	listen_all();
	table_self(&listeners[0].addr);
	open_access_log();
	replace_init(replaced);
	if (loop_signal(SIGTERM, on_term) < 0 || loop_signal(SIGINT, on_term) < 0 ||
	    loop_signal(SIGHUP, on_hup) < 0 || loop_signal(SIGUSR2, on_usr2) < 0)
		die(EXIT_SYS, "unable to catch signals:");
	start_metrics();
	health_start(o.probe);
	o.heartbeat.log_level = o.log_level;
	heartbeat_init(&o.heartbeat, listeners, listeners_n);
	tell_addresses();
	replace_ready();
	heartbeat_start();
	united_start();
	loop_run();
	return EXIT_OK;
}

const struct applet proxy_applet = {
	.name = "proxy",
	.brief = "one address for all nodes: page, reverse proxy, API",
	.about =
		"Serves the nodes' page, passes requests on to nodes by name "
		"(/proxy2/NAME/PATH), and answers lmcache_frontend's API.\n"
		"\n"
		"On a loopback address or a UNIX socket everything is served. On "
		"any other address only what viewers may see is served, unless "
		"--insecure-allow-all is given.\n"
		"\n"
		"The nodes come from the first of these that names any: --nodes "
		"and --config; $LMC_NODES; the plugin environment; "
		"$XDG_CONFIG_HOME/lmc/nodes.json and /etc/lmc/nodes.json; the live "
		"sockets under /tmp/lmcache_internal_api_server/.",
	.args = "",
	.examples =
		"lmc proxy --nodes '[{\"name\":\"w0\",\"host\":\"127.0.0.1\",\"port\":7000}]'\n"
		"  one node on TCP, the page on http://127.0.0.1:8000/\n"
		"lmc proxy --config nodes.json --state /var/lib/lmc/state.json\n"
		"  nodes from a file, changes through the API kept over restarts\n"
		"lmc proxy --listen unix:/run/lmc.sock --listen 127.0.0.1:8000\n"
		"  two addresses at once",
	.env =
		"NOTIFY_SOCKET\n  told when the frontend serves, reloads and ends (systemd)\n"
		"LISTEN_FDS, LISTEN_PID\n  listening sockets handed over (systemd)",
	.opts = opts, .run = proxy_run,
};
