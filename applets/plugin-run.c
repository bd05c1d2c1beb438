/* plugin-run.c - runs LMCache plugins by the launcher's rules
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "applet.h"
#include "cgroup.h"
#include "die.h"
#include "json.h"
#include "kin.h"
#include "supervise.h"
#include "supervise_status.h"

static struct {
	const char *role, *config, *strict, *explain, *output, *restart, *wait_for;
	const char *log, *log_dir, *syslog, *status, *stop, *restart_now, *get, *role_of_new,
		*cgroup;
	struct strs pass;
	int64_t grace, backoff, backoff_max, stable, log_size;
	long worker_id, worker_count, limit, watch_pid, log_count, ready_fd;
	bool list, insecure, id_given, count_given, clean, watch, by_path, detached, until_done, ps, frontend;
} o = {
	.worker_count = 1, .output = "table", .restart = "on-failure", .log = "text",
	.grace = 10000, .backoff = 1000, .backoff_max = 60000, .stable = 10000,
	.log_size = 10 << 20, .log_count = 5, .limit = 0, .watch = true, .ready_fd = -1,
};

static const struct opt opts[] = {
	HEAD("Which plugins"),
	STR(0, "role", "scheduler|worker", &o.role, "this process's role (none: MP mode)"),
	{ OPT_INT, 0, "worker-id", "N", &o.worker_id, -1, 1000000000, "this process's worker id",
	  &o.id_given },
	{ OPT_INT, 0, "worker-count", "N", &o.worker_count, 0, 1000000000,
	  "how many workers there are", &o.count_given },
	STR(0, "config", "FILE", &o.config, "LMCache's configuration, YAML or JSON"),
	STR(0, "strict-upstream", "runtime_str|runtime_enum|plugin_enum", &o.strict,
	    "decide and run exactly as that generation of LMCache's launcher"),
	FLAG(0, "insecure", &o.insecure, "run files that others own or can write"),
	FLAG(0, "clean-env", &o.clean, "give plugins no more of the environment than they need"),
	LIST(0, "pass-env", "NAME", &o.pass, "with --clean-env: this variable too"),
	FLAG(0, "by-path", &o.by_path, "run scripts by name, not by the descriptor that was checked"),
	HEAD("Look, run nothing"),
	FLAG(0, "list", &o.list, "show every file found and what becomes of it"),
	STR(0, "explain", "FILE", &o.explain, "the same for one file, for every role"),
	STR('o', "output", "table|json", &o.output, "form of --list, --explain and --ps"),
	HEAD("Supervise"),
	INT(0, "watch-pid", "PID", &o.watch_pid, 1, 1 << 22, "end when this process ends, "
	    "instead of our own parent"),
	FLAG(0, "detached", &o.detached, "do not end with our own parent"),
	FLAG(0, "until-done", &o.until_done, "end when every plugin has ended for good"),
	STR(0, "wait-for", "ADDR", &o.wait_for, "start plugins when HTTP answers there"),
	TIME(0, "grace", "TIME", &o.grace, 0, 86400000, "from SIGTERM to SIGKILL"),
	STR(0, "restart", "never|on-failure|always", &o.restart, "what follows a plugin's end"),
	TIME(0, "backoff", "TIME", &o.backoff, 1, 86400000, "wait before the first restart; doubles"),
	TIME(0, "backoff-max", "TIME", &o.backoff_max, 1, 86400000, "longest wait before a restart"),
	TIME(0, "stable", "TIME", &o.stable, 0, 86400000, "a run this long ends a row of failures"),
	INT(0, "restart-limit", "N", &o.limit, 0, 1000000, "give up after so many restarts in a row "
	    "(0: never)"),
	FLAG(0, "watch", &o.watch, "notice plugin files that come, go or change"),
	STR(0, "cgroup", "DIR", &o.cgroup, "make the plugins' cgroups there, not below our own "
	    "(none: make none)"),
	INT(0, "ready-fd", "N", &o.ready_fd, -1, 65535, "say \"started\" there once they are"),
	HEAD("Plugins' output"),
	STR(0, "log", "text|json", &o.log, "form of the lines"),
	STR(0, "log-dir", "DIR", &o.log_dir, "a file for each plugin, instead of stderr"),
	SIZE(0, "log-size", "BYTES", &o.log_size, 1024, INT64_MAX, "with --log-dir: a file's size"),
	INT(0, "log-count", "N", &o.log_count, 0, 1000, "with --log-dir: rotated files kept"),
	STR(0, "syslog", "ADDR", &o.syslog, "to syslog: unix:/dev/log, udp://HOST, tcp://HOST"),
	HEAD("A running plugin-run"),
	STR(0, "status", "unix:PATH", &o.status, "answer there; with the following: ask there"),
	FLAG(0, "ps", &o.ps, "show its plugins"),
	STR(0, "stop", "NAME", &o.stop, "stop one of them"),
	STR(0, "restart-now", "NAME", &o.restart_now, "stop it if it runs, and start it"),
	HEAD("As a plugin of LMCache"),
	FLAG(0, "frontend", &o.frontend, "run lmc proxy with plugin.frontend.* as its options"),
	STR(0, "get", "KEY", &o.get, "print a key of the extra configuration; exit 1 without it"),
	STR(0, "new", "ROLE", &o.role_of_new, "make ROLE_NAME.sh, a plugin to start from"),
	{ 0 }
};

enum { OUT_MAX = 256 << 20 };

static struct plugin_rules rules;
static struct plugin_conf conf;

static enum plugin_gen gen_of(const char *s)
{
	return !s ? GEN_LMC : strcmp(s, "runtime_str") == 0 ? GEN_RUNTIME_STR :
		strcmp(s, "runtime_enum") == 0 ? GEN_RUNTIME_ENUM : GEN_PLUGIN_ENUM;
}

/* "KVConnectorRole.WORKER", "worker", "": as the generations write it. */
static enum plugin_role role_given(void)
{
	const char *s = getenv("LMCACHE_RUNTIME_PLUGIN_ROLE"), *dot;

	if (!s)
		s = getenv("LMCACHE_PLUGIN_ROLE");
	dot = s ? strrchr(s, '.') : NULL;
	s = dot ? dot + 1 : s;
	return !s ? ROLE_MP : strcasecmp(s, "worker") == 0 ? ROLE_WORKER :
		strcasecmp(s, "scheduler") == 0 ? ROLE_SCHEDULER : ROLE_MP;
}

static void number_given(const char *what, long *out)
{
	char name[64], *end;
	const char *s;
	long n;

	snprintf(name, sizeof name, "LMCACHE_RUNTIME_PLUGIN_%s", what);
	s = getenv(name);
	snprintf(name, sizeof name, "LMCACHE_PLUGIN_%s", what);
	s = s ? s : getenv(name);
	n = s ? strtol(s, &end, 10) : 0;
	if (s && *s && !*end && n >= -1)
		*out = n;
}

static void read_rules(void)
{
	char why[400];

	rules.gen = gen_of(o.strict);
	rules.role = !o.role ? role_given() : *o.role == 's' ? ROLE_SCHEDULER : ROLE_WORKER;
	rules.worker_id = rules.role == ROLE_SCHEDULER ? -1 : 0;
	rules.worker_count = 1;
	if (!o.role) {
		number_given("WORKER_ID", &rules.worker_id);
		number_given("WORKER_COUNT", &rules.worker_count);
	}
	if (o.id_given)
		rules.worker_id = o.worker_id;
	if (o.count_given)
		rules.worker_count = o.worker_count;
	rules.insecure = o.insecure;
	rules.path = getenv("PATH");
	if (!rules.path)
		rules.path = "/bin:/usr/bin";
	if (plugin_conf(&conf, o.config, why, sizeof why) < 0)
		die(EXIT_USAGE, "%s", safe(why, strlen(why)));
	rules.config_len = conf.len;
	if (rules.role == ROLE_MP && rules.gen > GEN_RUNTIME_STR)
		die(EXIT_USAGE, "--strict-upstream %s needs --role: "
		    "that generation knows no MP mode", o.strict);
}

static void find_all(struct plugins *ps, int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++)
		if (plugins_find(ps, &rules, argv[i]) < 0)
			die(EXIT_SYS, "unable to list %s:", safe(argv[i], strlen(argv[i])));
	/* an explicit word wins over the configuration's */
	for (i = 0; !argc && conf.locations && conf.locations[i]; i++)
		if (plugins_find(ps, &rules, conf.locations[i]) < 0)
			die(EXIT_SYS, "unable to list %s:",
			    safe(conf.locations[i], strlen(conf.locations[i])));
}

static void print_rows(const struct plugins *ps, struct buf *out, bool who)
{
	bool json = strcmp(o.output, "json") == 0;
	int i, width = 0, n;

	for (i = 0; i < ps->n; i++) {
		n = (int)strlen(safe(ps->v[i].file, strlen(ps->v[i].file)));
		width = n > width && n < 40 ? n : width;
	}
	for (i = 0; i < ps->n; i++) {
		if (json)
			buf_puts(out, out->len > 1 ? ",\n" : "");
		if (json)
			plugin_json(out, &ps->v[i], &rules, &conf, who);
		else
			plugin_text(out, &ps->v[i], width);
	}
}

static int write_out(struct buf *out)
{
	if (strcmp(o.output, "json") == 0)
		buf_puts(out, "]\n");
	if (out->bad)
		die(EXIT_SYS, "unable to hold the list:");
	fwrite(out->p, 1, out->len, stdout);
	return EXIT_OK;
}

static int list(int argc, char **argv)
{
	struct buf out = BUF(OUT_MAX);
	struct plugins ps = { 0 };

	find_all(&ps, argc, argv);
	buf_puts(&out, strcmp(o.output, "json") == 0 ? "[" : "");
	print_rows(&ps, &out, false);
	plugins_free(&ps);
	return write_out(&out);
}

static void explain_as(struct buf *out, enum plugin_role role, long id)
{
	static const char *const names[] = { "MP mode", "scheduler", "worker" };
	struct plugins ps = { 0 };

	rules.role = role;
	rules.worker_id = id;
	if (plugins_find(&ps, &rules, o.explain) < 0)
		die(EXIT_SYS, "unable to look at %s:", safe(o.explain, strlen(o.explain)));
	if (strcmp(o.output, "json") != 0) {
		if (role == ROLE_WORKER)
			buf_printf(out, "worker %-4ld ", id);
		else
			buf_printf(out, "%-11s ", names[role]);
	}
	print_rows(&ps, out, true);
	plugins_free(&ps);
}

static int explain(void)
{
	struct buf out = BUF(OUT_MAX);
	long id;

	buf_puts(&out, strcmp(o.output, "json") == 0 ? "[" : "");
	if (rules.gen <= GEN_RUNTIME_STR)
		explain_as(&out, ROLE_MP, 0);
	explain_as(&out, ROLE_SCHEDULER, -1);
	for (id = 0; id < (o.worker_count < 1024 ? o.worker_count : 1024); id++)
		explain_as(&out, ROLE_WORKER, id);
	return write_out(&out);
}

/* From the JSON that the supervisor gave, as columns. */
static void print_ps(const struct buf *text)
{
	struct buf name = BUF(4096);
	struct json_error e;
	struct json j;
	double up, cpu;
	int64_t pid, restarts, memory;
	jv list, at;
	char *state, *last;

	if (json_parse(&j, text->p, text->len, STATUS_MAX, JSON_SURROGATE, &e) < 0)
		die(EXIT_SYS, "its answer is no JSON: %s", e.what);
	printf("%-9s %8s %9s %8s %8s %9s  %-24s %s\n", "STATE", "PID", "UPTIME", "RESTARTS",
	       "CPU", "MEMORY", "LAST", "NAME");
	list = json_get(&j, 0, "plugins");
	for (at = json_first(&j, list); at >= 0; at = json_next(&j, list, at)) {
		pid = restarts = memory = 0;
		up = cpu = 0;
		state = json_dup(&j, json_get(&j, at, "state"));
		last = json_dup(&j, json_get(&j, at, "last_exit"));
		json_int(&j, json_get(&j, at, "pid"), &pid);
		json_int(&j, json_get(&j, at, "restarts"), &restarts);
		json_int(&j, json_get(&j, at, "memory_bytes"), &memory);
		json_num(&j, json_get(&j, at, "uptime"), &up);
		json_num(&j, json_get(&j, at, "cpu_seconds"), &cpu);
		buf_reset(&name);
		json_str(&j, json_get(&j, at, "name"), &name);
		printf("%-9s %8lld %8.0fs %8lld %7.2fs %8lldK  %-24s %s\n", state ? state : "-",
		       (long long)pid, up, (long long)restarts, cpu, (long long)memory / 1024,
		       last ? last : "-", safe(name.p ? name.p : "", name.len));
		free(state);
		free(last);
	}
}

static int ask(void)
{
	struct buf target = BUF(8192), out = BUF(STATUS_MAX);
	const char *name = o.stop ? o.stop : o.restart_now, *why;
	struct addr a;
	int status;

	if (!o.status)
		die(EXIT_USAGE, "--status ADDR says which plugin-run is meant");
	if (addr_parse(&a, o.status, -1, &why) < 0 || a.kind != ADDR_UNIX)
		die(EXIT_USAGE, "--status %s: must be unix:PATH", o.status);
	buf_puts(&target, o.ps ? "/plugins" : o.stop ? "/stop?name=" : "/restart?name=");
	if (!o.ps)
		url_encode(&target, name, strlen(name));
	status = status_ask(&a, o.ps ? "GET" : "POST", target.p, &out);
	if (status < 0)
		die(EXIT_REACH, "unable to ask %s:", o.status);
	if (status == 404)
		die(EXIT_NO, "no such plugin: %s", safe(name, strlen(name)));
	if (status != 200)
		die(EXIT_NO, "%s answered %d", o.status, status);
	if (o.ps && strcmp(o.output, "json") == 0)
		fwrite(out.p, 1, out.len, stdout);
	else if (o.ps)
		print_ps(&out);
	return EXIT_OK;
}

static int find_again(struct plugins *ps)
{
	int i;

	for (i = 0; supervise.locations[i]; i++)
		if (plugins_find(ps, &rules, supervise.locations[i]) < 0)
			return -1;
	return 0;
}

static char config_file[] = "/tmp/lmc-plugin-config-XXXXXX";

static void remove_config_file(void)
{
	if (conf.file)
		unlink(conf.file);
}

/* A configuration that fits into no variable. */
static void spill_config(void)
{
	int fd;

	if (rules.gen != GEN_LMC || conf.len + 64 < PLUGIN_VAR)
		return;
	fd = mkstemp(config_file);
	if (fd < 0 || write(fd, conf.json, conf.len) != (ssize_t)conf.len || close(fd) < 0)
		die(EXIT_SYS, "unable to write %s:", config_file);
	conf.file = xstrdup(config_file);
}

static void open_sink(struct sink *s)
{
	const char *why;

	sink_init(s);
	s->json = strcmp(o.log, "json") == 0;
	s->on_room = lines_go_on;
	if (o.log_dir && sink_dir(s, o.log_dir, o.log_size, (int)o.log_count) < 0)
		die(EXIT_SYS, "unable to use %s:", o.log_dir);
	if (o.syslog && sink_syslog(s, o.syslog, &why) < 0)
		die(EXIT_USAGE, "--syslog %s: %s", o.syslog, why);
	if (!o.log_dir && !o.syslog)
		sink_stderr(s);
}

static char **environment(void)
{
	static char *vars[CONF_ENV_VARS];
	int n = plugin_vars(vars, &rules, &conf);
	char **env = n < 0 ? NULL : plugin_environ(o.clean, &o.pass, vars, n, rules.gen != GEN_LMC);

	if (!env)
		die(EXIT_SYS, "unable to build the environment:");
	return env;
}

static void furnish(void)
{
	static struct sink sink;

	open_sink(&sink);
	job_house = (struct job_house){
		.rules = &rules, .conf = &conf, .sink = &sink, .env = environment(),
		.grace_ms = o.grace, .backoff_ms = o.backoff, .backoff_max_ms = o.backoff_max,
		.stable_ms = o.stable, .restart_limit = o.limit,
		.restart = restart_named(o.restart), .by_path = o.by_path,
	};
}

static pid_t whom_to_follow(void)
{
	pid_t parent = getppid();

	if (o.watch_pid)
		return (pid_t)o.watch_pid;
	return o.detached || supervise.main_argv || parent <= 1 ? 0 : parent;
}

static void three_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd < 3);
	if (fd >= 0)
		close(fd);
}

static void started(void)
{
	if (o.ready_fd < 0)
		return;
	if (write((int)o.ready_fd, "started\n", 8) != 8)
		warn("unable to write to --ready-fd %ld:", o.ready_fd);
	close((int)o.ready_fd);
	o.ready_fd = -1;
}

static int supervised(int n, char **locations)
{
	static struct addr wait_for, status_addr;
	const char *why;
	int status;

	three_descriptors();
	if (o.wait_for && addr_parse(&wait_for, o.wait_for, -1, &why) < 0)
		die(EXIT_USAGE, "--wait-for %s: %s", o.wait_for, why);
	if (o.status && (addr_parse(&status_addr, o.status, -1, &why) < 0 ||
			 status_addr.kind != ADDR_UNIX))
		die(EXIT_USAGE, "--status %s: must be unix:PATH", o.status);
	supervise.wait_for = o.wait_for ? &wait_for : NULL;
	if (o.ready_fd >= 0)
		fcntl((int)o.ready_fd, F_SETFD, FD_CLOEXEC);
	locations[n] = NULL;
	supervise.locations = n || !conf.locations ? locations : conf.locations;
	supervise.find = find_again;
	supervise.group = getpgrp();
	supervise.follow = whom_to_follow();
	supervise.until_done = o.until_done;
	supervise.watch = o.watch && rules.gen == GEN_LMC;
	supervise.on_begun = started;
	spill_config();
	if ((!o.cgroup || strcmp(o.cgroup, "none") != 0) && cgroup_open(o.cgroup) < 0 && o.cgroup)
		die(EXIT_SYS, "unable to make a cgroup in %s:", safe(o.cgroup, strlen(o.cgroup)));
	if (kin_guard(&supervise.guard_fd, remove_config_file) < 0)
		die(EXIT_SYS, "unable to start a guardian:");
	if (loop_init() < 0)
		die(EXIT_SYS, "unable to set up the event loop:");
	furnish();
	if (supervise_init(&why) < 0)
		die(EXIT_SYS, "%s:", why);
	if (o.status && status_listen(&status_addr) < 0)
		die(EXIT_SYS, "unable to listen on %s:", o.status);
	if (supervise_scan() < 0)
		die(EXIT_SYS, "unable to look at the plugins:");
	status = supervise_run();
	if (o.status)
		status_close();
	if (supervise.guard_fd < 0) {
		cgroup_close();
		remove_config_file();
	}
	return status;
}

/* A key of the extra configuration as text; false: not there. */
static bool extra_text(const char *key, struct buf *out)
{
	struct json_error e;
	struct json j;
	bool found;
	jv v;

	if (!conf.extra || json_parse(&j, conf.extra, strlen(conf.extra), CONF_MAX,
				      JSON_INF | JSON_SURROGATE, &e) < 0)
		return false;
	v = json_get(&j, 0, key);
	found = v >= 0 && json_type(&j, v) != JSON_NULL && json_str(&j, v, out) == 0;
	json_free(&j);
	return found;
}

static int get(void)
{
	struct buf out = BUF(CONF_MAX);

	if (!extra_text(o.get, &out))
		return EXIT_NO;
	printf("%s\n", out.p ? out.p : "");
	return EXIT_OK;
}

static const char new_text[] =
	"#!/bin/sh\n"
	"# %s: what it does, in a line.\n"
	"#\n"
	"# lmc: restart=on-failure\n"
	"role=${LMCACHE_RUNTIME_PLUGIN_ROLE:-$LMCACHE_PLUGIN_ROLE}\n"
	"worker=${LMCACHE_RUNTIME_PLUGIN_WORKER_ID:-$LMCACHE_PLUGIN_WORKER_ID}\n"
	"trap 'exit 0' TERM INT\n"
	"\n"
	"echo \"started: role ${role:-none}, worker $worker\"\n"
	"while kill -0 \"$PPID\" 2>/dev/null; do\n"
	"\t: look at something, and say so in one line\n"
	"\tsleep 30 &\n"
	"\twait \"$!\"\n"
	"done\n";

static int new(int argc, char **argv)
{
	char path[300];
	struct plugin_name nm;
	int fd;

	if (argc != 1 || !*argv[0] || strpbrk(argv[0], "/. \n"))
		die(EXIT_USAGE, "--new ROLE takes one NAME of letters, digits, - and _");
	snprintf(path, sizeof path, "%.100s_%.100s.sh", o.role_of_new, argv[0]);
	plugin_name(&nm, path, strlen(path));
	if (strchr(path, '/') || (strcmp(nm.role, "ALL") != 0 && strcmp(nm.role, "WORKER") != 0 &&
				  strcmp(nm.role, "SCHEDULER") != 0))
		die(EXIT_USAGE, "--new %s: must be all, scheduler, worker or worker_N",
		    o.role_of_new);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (fd < 0)
		die(EXIT_SYS, "unable to make %s:", path);
	if (dprintf(fd, new_text, path) < 0 || close(fd) < 0)
		die(EXIT_SYS, "unable to write %s:", path);
	puts(path);
	return EXIT_OK;
}

enum { FRONTEND_ARGS = 128 };
static const char frontend_prefix[] = "plugin.frontend.";

static char *option_of(const struct json *j, jv v, const char *key)
{
	struct buf text = BUF(CONF_MAX), arg = BUF(CONF_MAX);
	const char *p;

	if (json_type(j, v) == JSON_NULL || (json_type(j, v) == JSON_BOOL && !json_true(j, v)))
		return NULL;
	buf_puts(&arg, "--");
	for (p = key + sizeof frontend_prefix - 1; *p; p++)
		buf_putc(&arg, *p == '_' ? '-' : *p);
	if (json_type(j, v) != JSON_BOOL) {
		json_str(j, v, &text);
		buf_printf(&arg, "=%s", text.p ? text.p : "");
	}
	buf_free(&text);
	return arg.p;
}

/* lmcache_frontend's plugin (protocol.md 1.7): port from the configuration,
 * $LMCACHE_FRONTEND_PORT or 8000, on every address unless told otherwise. */
static char *const *frontend_argv(void)
{
	char **argv = xcalloc(FRONTEND_ARGS + 1, sizeof *argv), *key, *arg;
	const char *port = getenv("LMCACHE_FRONTEND_PORT");
	struct json_error e;
	struct json j;
	int n = 0;
	jv at;

	argv[n++] = xstrdup("/proc/self/exe");
	argv[n++] = xstrdup("proxy");
	argv[n++] = xstrdup("--host=0.0.0.0");
	if (asprintf(&argv[n++], "--port=%s", port && *port ? port : "8000") < 0)
		die(EXIT_SYS, "out of memory");
	if (!conf.extra || json_parse(&j, conf.extra, strlen(conf.extra), CONF_MAX,
				      JSON_INF | JSON_SURROGATE, &e) < 0)
		return argv;
	for (at = json_first(&j, 0); at >= 0; at = json_next(&j, 0, at)) {
		key = json_dup(&j, json_key(&j, at));
		if (key && strncmp(key, frontend_prefix, sizeof frontend_prefix - 1) == 0 &&
		    n < FRONTEND_ARGS && (arg = option_of(&j, at, key)))
			argv[n++] = arg;
		free(key);
	}
	json_free(&j);
	return argv;
}

static int print_argv(char *const *argv)
{
	for (; *argv; argv++)
		puts(safe(*argv, strlen(*argv)));
	return EXIT_OK;
}

static int plugin_run_run(int argc, char **argv)
{
	int n = opt_before_dashes < 0 ? argc : opt_before_dashes;

	if (o.ps || o.stop || o.restart_now)
		return ask();
	if (o.role_of_new)
		return new(argc, argv);
	read_rules();
	if (o.get)
		return get();
	if (o.frontend)
		supervise.main_argv = frontend_argv();
	if (o.frontend && o.list)
		return print_argv(supervise.main_argv);
	if (o.explain)
		return explain();
	if (o.list)
		return list(n, argv);
	if (n < argc)
		supervise.main_argv = xcalloc((size_t)(argc - n) + 1, sizeof *argv);
	if (n < argc)
		memcpy((void *)supervise.main_argv, argv + n, (size_t)(argc - n) * sizeof *argv);
	else if (opt_before_dashes >= 0)
		die(EXIT_USAGE, "no COMMAND after --");
	if (!n && !conf.locations && !supervise.main_argv)
		die(EXIT_USAGE, "nothing to run: name a LOCATION, or a COMMAND after --");
	return supervised(n, argv);
}

const struct applet plugin_run_applet = {
	.name  = "plugin-run",
	.brief = "run LMCache plugins by the launcher's rules, supervised",
	.about = "Runs the plugins below the LOCATIONs (files and directories; without "
		 "one, those of LMCache's configuration) that by their names belong to "
		 "this role and worker id, as LMCache's own launcher decides it, and "
		 "looks after them: output taken line by line, restarts with back-off, "
		 "schedules, limits.\n"
		 "\n"
		 "With a COMMAND that is the main process: it gets the signals, its end "
		 "ends the plugins, and its status is ours. Without one everything ends "
		 "when our parent does, or on SIGTERM. Nothing that was started outlives "
		 "us, whichever way we end: a guardian process stays behind for SIGKILL.\n"
		 "\n"
		 "A script may say more in a comment line, \"# lmc: KEY=VALUE...\", with "
		 "restart, ready=fd, memory, nice, user, timeout, grace, cpu, files, "
		 "procs and schedule. Files that others own or can write are refused.",
	.args  = "[LOCATION...] [-- COMMAND ARG...]",
	.examples = "lmc plugin-run --list --role worker --worker-id 0 /etc/lmcache/plugins\n"
		    "  what would run in worker 0, and why the rest would not\n"
		    "lmc plugin-run --wait-for 127.0.0.1:6999 /etc/lmcache/plugins -- vllm serve M\n"
		    "  the plugins beside vLLM, started when its API answers\n"
		    "lmc plugin-run --status unix:/run/lmc-plugins --ps\n"
		    "  what a plugin-run that was started with this --status is doing\n",
	.opts = opts, .run = plugin_run_run,
};
