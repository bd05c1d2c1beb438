/* discovery.c - a registry: which frontends and instances are there
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "applet.h"
#include "die.h"
#include "discovery.h"
#include "log.h"
#include "service.h"

enum { LISTENERS = 16 };

static struct {
	struct strs listen, allow;
	const char *token, *journal, *fsync, *log_level, *log;
	long ready_fd;
	struct roster_conf roster;
	struct limits limits;
} o = {
	.fsync = "interval", .log_level = "warning", .log = "text", .ready_fd = -1,
	.roster = { .ttl = 90000, .forget = 3600000, .hold = 60000,
		    .max = 20000, .per_source = 16 },
	.limits = LIMITS_DEFAULT,
};

static const struct opt opts[] = {
	HEAD("Where to listen"),
	LIST('l', "listen", "ADDR", &o.listen,
	     "listen here, HOST:PORT or unix:/PATH, not on 127.0.0.1:5000"),
	INT(0, "ready-fd", "N", &o.ready_fd, 0, 1 << 20,
	    "write the bound addresses to this descriptor, then close it"),
	LIST(0, "public-host", "NAME", &gate.public_hosts,
	     "a Host name to answer to on loopback, beside addresses and localhost"),
	HEAD("Who may report"),
	STR(0, "token-file", "FILE", &o.token,
	    "reports and changes need the token in this file; SIGHUP reads it again"),
	LIST(0, "allow", "CIDR|.DOMAIN", &o.allow,
	     "addresses that may be announced, and by anyone"),
	INT(0, "entries", "N", &o.roster.max, 1, ROSTER_MAX, "frontends and instances in all"),
	INT(0, "per-source", "N", &o.roster.per_source, 0, ROSTER_MAX,
	    "of these, reported from one address; 0 sets no limit"),
	HEAD("When one is gone"),
	TIME(0, "ttl", "TIME", &o.roster.ttl, 100, 7 * 86400000LL,
	     "without a report: it is gone, and listed no more"),
	TIME(0, "late", "TIME", &o.roster.late, 50, 7 * 86400000LL,
	     "without a report: it is late; half of --ttl if not given"),
	TIME(0, "forget", "TIME", &o.roster.forget, 100, 90 * 86400000LL,
	     "without a report: it is known no more"),
	TIME(0, "hold", "TIME", &o.roster.hold, 0, 86400000,
	     "keep one off the lists that comes back for the third time; 0: never"),
	HEAD("What is kept"),
	STR(0, "journal", "FILE", &o.journal, "keep everything here, over restarts"),
	STR(0, "fsync", "always|interval|never", &o.fsync,
	    "sync it before each answer, each second, or not at all"),
	HEAD("Limits"),
	INT(0, "connections", "N", &o.limits.connections, 1, 1000000,
	    "client connections in all"),
	INT(0, "per-address", "N", &o.limits.per_address, 0, 1000000,
	    "client connections of one address; 0 sets no limit"),
	TIME(0, "idle-timeout", "TIME", &o.limits.idle_ms, 100, 86400000,
	     "between two requests of a connection"),
	TIME(0, "grace", "TIME", &o.limits.grace_ms, 0, 3600000,
	     "for requests under way after SIGTERM"),
	HEAD("Log"),
	STR(0, "log-level", "critical|error|warning|warn|info|debug|trace",
	    &o.log_level, "what to write to stderr"),
	STR(0, "log", "text|json", &o.log, "form of the log lines"),
	{ 0 }
};

static struct server server = { .on_request = gate_serve };
static struct listener listeners[LISTENERS];
static int listeners_n;

/* ---- start ---- */

static void listen_on(const char *said)
{
	struct listener *l = &listeners[listeners_n];
	const char *why;
	struct addr a;

	if (listeners_n == LISTENERS)
		die(EXIT_USAGE, "more than %d addresses to listen on", LISTENERS);
	if (addr_parse(&a, said, -1, &why) < 0)
		die(EXIT_USAGE, "--listen: %s: %s", said, why);
	if (server_listen(&server, l, &a) < 0)
		die(EXIT_SYS, "unable to listen on %s:", said);
	listeners_n++;
	if (l->trusted || gate.auth.on)
		return;
	warn("%s can be reached from outside without a token: anyone there can "
	     "announce %s (--token-file asks for a secret)", said,
	     gate.allow.n ? "what --allow names" : "its own address");
}

static void read_token(void)
{
	char why[120];

	if (o.token && auth_load(&gate.auth, o.token, why, sizeof why) < 0)
		die(EXIT_USAGE, "--token-file: %s: %s", o.token, why);
}

static void check_options(void)
{
	const char *why;

	if (o.roster.late == 0)
		o.roster.late = o.roster.ttl / 2;
	if (o.roster.late >= o.roster.ttl)
		die(EXIT_USAGE, "--late is not shorter than --ttl: nobody would be late");
	if (o.roster.forget <= o.roster.ttl)
		die(EXIT_USAGE, "--forget is not longer than --ttl: nobody would be gone");
	for (int i = 0; i < o.allow.n; i++)
		if (allow_add(&gate.allow, o.allow.v[i], &why) < 0)
			die(EXIT_USAGE, "--allow: %s: %s", o.allow.v[i], why);
}

static void open_journal(void)
{
	enum journal_sync sync = strcmp(o.fsync, "always") == 0 ? SYNC_ALWAYS :
		strcmp(o.fsync, "never") == 0 ? SYNC_NEVER : SYNC_INTERVAL;
	struct journal_found f;

	if (keep_open(&o.roster, o.journal, sync, &f) < 0)
		die(EXIT_SYS, "unable to use the journal %s: %s", o.journal, f.why);
	if (f.cut)
		warn("%s: its last %llu bytes are no whole record: cut off", o.journal,
		     (unsigned long long)f.cut);
	if (f.damaged)
		warn("%s: %llu bytes in it are damaged: passed over", o.journal,
		     (unsigned long long)f.damaged);
	if (f.unknown)
		warn("%s: %lu records of it are not known to this version", o.journal,
		     f.unknown);
}

/* ---- end ---- */

static void drained(struct server *s)
{
	(void)s;
	loop_stop();
}

static void on_term(int signo)
{
	log_event(LOG_INFO, "ending", "signal", strsignal(signo), NULL);
	service_notify("STOPPING=1");
	for (int i = 0; i < listeners_n; i++)
		server_unlisten(&listeners[i]);
	server_drain(&server);
	events_end();
}

/* A token that cannot be read changes nothing. */
static void on_hup(int signo)
{
	char why[120];

	(void)signo;
	if (o.token && auth_load(&gate.auth, o.token, why, sizeof why) < 0)
		log_event(LOG_ERROR, "token not read, the old one stays", "file", o.token,
			  "reason", why, NULL);
	else
		log_event(LOG_INFO, "token read", NULL);
}

static int discovery_run(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	log_level_named(o.log_level);
	log_json = strcmp(o.log, "json") == 0;
	check_options();
	read_token();
	if (loop_init() < 0)
		die(EXIT_SYS, "unable to start:");
	service_nofile(o.limits.connections);
	server.limits = &o.limits;
	server.on_drained = drained;
	open_journal();
	for (int i = 0; i < o.listen.n; i++)
		listen_on(o.listen.v[i]);
	if (!o.listen.n)
		listen_on("127.0.0.1:5000");
	if (loop_signal(SIGTERM, on_term) < 0 || loop_signal(SIGINT, on_term) < 0 ||
	    loop_signal(SIGHUP, on_hup) < 0)
		die(EXIT_SYS, "unable to catch signals:");
	keep_start();
	if (service_tell(listeners, listeners_n, (int)o.ready_fd) < 0)
		die(EXIT_SYS, "unable to write to --ready-fd %ld:", o.ready_fd);
	service_notify("READY=1");
	loop_run();
	keep_close();
	return EXIT_OK;
}

const struct applet discovery_applet = {
	.name = "discovery",
	.brief = "a registry: which frontends and instances are there",
	.about =
		"Takes the heartbeats of lmcache_frontend and lmc (/heartbeat) and what "
		"LMCache's MP servers send to their coordinator (/instances), and says "
		"who is there: /lmcache_infos, /instances, /api/nodes, /sd/prometheus, "
		"/api/events.\n"
		"\n"
		"Without a token a report is taken for the address that it comes from, "
		"or for what --allow names; from this machine for any. The token comes "
		"as \"Authorization: Bearer TOKEN\", or as the password of the user "
		"\"lmc\" in the URL.",
	.args = "",
	.examples =
		"lmc discovery --journal /var/lib/lmc/registry\n"
		"  for this machine, on 127.0.0.1:5000\n"
		"lmc discovery --listen 0.0.0.0:5000 --allow 10.0.0.0/8 --journal /data/reg\n"
		"  for a cluster whose addresses are 10.x",
	.env = "NOTIFY_SOCKET\n  told when the registry serves and ends (systemd)",
	.opts = opts, .run = discovery_run,
};
