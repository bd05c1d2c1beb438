/* logs.c - follows log files and ships their lines
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "applet.h"
#include "die.h"
#include "file.h"
#include "follow.h"
#include "kin.h"
#include "log.h"
#include "ship.h"

static struct {
	const char *to, *state, *log;
	struct strs labels, headers;
	int64_t spool_max, grace;
	long ready_fd;
	bool from_end, until_sent;
} o = { .spool_max = (int64_t)1 << 30, .grace = 2000, .ready_fd = -1, .log = "text" };

static const struct opt opts[] = {
	STR('t', "to", "ADDR", &o.to, "receiver: tcp://HOST[:514], udp://HOST[:514], "
	    "unix:/dev/log, or http(s)://HOST:3100/loki/api/v1/push"),
	STR('s', "state", "DIR", &o.state, "keeps what is not sent yet, and how far files were read"),
	LIST('l', "label", "KEY=VALUE", &o.labels, "a label for every line, for Loki"),
	LIST(0, "header", "LINE", &o.headers, "a header for Loki, \"X-Scope-OrgID: a\", or @FILE "
	    "to keep a secret one from ps"),
	FLAG(0, "from-end", &o.from_end, "of a file never seen before, only what is new"),
	FLAG(0, "until-sent", &o.until_sent, "end when everything that is there now is sent"),
	SIZE(0, "spool-max", "BYTES", &o.spool_max, 1 << 20, INT64_MAX,
	     "read no further while this much waits to be sent"),
	TIME(0, "grace", "TIME", &o.grace, 0, 600000, "after SIGTERM, to send what is left"),
	INT(0, "ready-fd", "N", &o.ready_fd, -1, 65535, "say \"started\" there once files are read"),
	STR(0, "log", "text|json", &o.log, "form of our own messages"),
	{ 0 }
};

static struct spool spool;
static struct ship ship;
static struct follow follows[FOLLOW_FILES];
static int follows_n;
static struct watch notify, input;
static struct task reading;
static struct timer last_timer, again_timer;
static bool ending, full, orphan;

enum { ORPHAN_MS = 1000, SAME_MS = 200 };

static void read_later(struct task *t);

static void trouble(struct ship *s, const char *why)
{
	(void)s;
	log_event(LOG_WARN, "not_sent", "to", o.to, "why", why, NULL);
}

static bool all_ended(void)
{
	int i;

	for (i = 0; i < follows_n; i++)
		if (!follows[i].ended)
			return o.until_sent;
	return true;
}

static bool more(void)
{
	int i;

	for (i = 0; i < follows_n; i++)
		if (follows[i].more)
			return true;
	return false;
}

static void maybe_done(void)
{
	if (!more() && spool_empty(&spool) && ship_idle(&ship) && (ending || all_ended()))
		loop_stop();
}

static void idle(struct ship *s)
{
	(void)s;
	maybe_done();
}

static void sent(struct ship *s)
{
	(void)s;
	if (orphan) {
		loop_stop();
	} else if (full && spool.bytes < (uint64_t)o.spool_max) {
		full = false;
		task_later(&reading, read_later);
	}
}

static void try_again(struct timer *t)
{
	(void)t;
	task_later(&reading, read_later);
}

/* A full disk is waited for: the files themselves keep what comes. */
static void disk_trouble(const char *path)
{
	log_event(LOG_ERROR, "not_read", "file", path, "why", strerror(errno), NULL);
	timer_set(&again_timer, loop_now() + 1000, try_again);
}

static void read_later(struct task *t)
{
	int i;

	(void)t;
	for (i = 0; i < follows_n && !full; i++) {
		if (follow_read(&follows[i]) < 0)
			disk_trouble(follows[i].path);
		full = spool.bytes + spool.pending.len >= (uint64_t)o.spool_max;
	}
	if (spool_flush(&spool) < 0)
		disk_trouble("the spool");
	ship_go(&ship);
	if (more() && !full)
		task_later(&reading, read_later);
	maybe_done();
}

static void noticed(struct watch *w, unsigned ready)
{
	char room[4096] __attribute__((aligned(8)));

	(void)ready;
	if (read(w->fd, room, sizeof room) <= 0)
		return;
	task_later(&reading, read_later);
}

static void input_ready(struct watch *w, unsigned ready)
{
	(void)w;
	if (ready & READY_IN)
		task_later(&reading, read_later);
}

static void give_up(struct timer *t)
{
	(void)t;
	loop_stop();
}

/* A signal to the group comes twice: to us, and by way of our front. */
static void told(int signo)
{
	static int64_t first_ms;

	(void)signo;
	if (ending && loop_now() - first_ms > SAME_MS)
		loop_stop();
	if (ending)
		return;
	ending = true;
	first_ms = loop_now();
	timer_set(&last_timer, loop_now() + o.grace, give_up);
	task_later(&reading, read_later);
}

/* Our front was killed: what is under way is sent and noted, and no more. */
static void orphaned(int signo)
{
	(void)signo;
	orphan = full = true;
	timer_set(&last_timer, loop_now() + ORPHAN_MS, give_up);
	if (!ship.n || (!ship.at && !ship.asked))
		loop_stop();
}

/* The directory tells of writing and of rotation alike. */
static void watch_file(const char *path)
{
	const char *cut = strrchr(path, '/');
	char dir[PATH_MAX];

	snprintf(dir, sizeof dir, "%.*s", cut ? (int)(cut - path) + 1 : 1, cut ? path : ".");
	if (inotify_add_watch(notify.fd, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO |
			      IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE) < 0)
		die(EXIT_SYS, "unable to watch %s:", safe(dir, strlen(dir)));
}

static void open_all(int argc, char **argv)
{
	static char stdin_name[] = "-", *one[] = { stdin_name };
	char full_path[PATH_MAX], *path;
	int i;

	if (argc > FOLLOW_FILES)
		die(EXIT_USAGE, "more than %d files", FOLLOW_FILES);
	for (i = 0; i < (argc ? argc : 1); i++) {
		path = argc ? argv[i] : one[0];
		/* the state must mean the same file from every directory */
		if (strcmp(path, "-") != 0 && *path != '/') {
			char *cwd = getcwd(NULL, 0);

			if (!cwd || snprintf(full_path, sizeof full_path, "%s/%s", cwd, path) >=
			    (int)sizeof full_path)
				die(EXIT_SYS, "unable to follow %s:", safe(path, strlen(path)));
			free(cwd);
			path = full_path;
		}
		if (strcmp(path, "-") != 0)
			watch_file(path);
		if (follow_open(&follows[i], &spool, path, o.from_end) < 0)
			die(EXIT_SYS, "unable to follow %s:", safe(path, strlen(path)));
		follows_n++;
		/* a file as stdin is there at once, and epoll knows no files */
		if (follows[i].stream && watch_add(&input, 0, input_ready) < 0 && errno != EPERM)
			die(EXIT_SYS, "unable to read stdin:");
	}
}

static const char *state_dir(void)
{
	const char *home = getenv("XDG_STATE_HOME");
	static char path[PATH_MAX];

	if (o.state)
		return o.state;
	if (home && *home == '/')
		snprintf(path, sizeof path, "%s/lmc-logs", home);
	else
		snprintf(path, sizeof path, "%s", geteuid() ? "/var/tmp/lmc-logs" : "/var/lib/lmc-logs");
	return path;
}

static void say_ready(void)
{
	if (o.ready_fd < 0)
		return;
	if (write((int)o.ready_fd, "started\n", 8) != 8)
		warn("unable to write to --ready-fd %ld:", o.ready_fd);
	close((int)o.ready_fd);
}

enum { HEADERS = 16, HEADER_MAX = 16 << 10 };

static const char *const *loki_headers(void)
{
	static const char *lines[HEADERS + 2] = { "Content-Type: application/json" };
	const char *given;
	char *line;
	size_t n;
	int i;

	if (o.headers.n > HEADERS)
		die(EXIT_USAGE, "more than %d --header", HEADERS);
	for (i = 0; i < o.headers.n; i++) {
		given = o.headers.v[i];
		line = *given == '@' ? read_file(given + 1, HEADER_MAX, &n) : xstrdup(given);
		if (!line)
			die(EXIT_SYS, "unable to read %s:", given + 1);
		line[strcspn(line, "\r\n")] = 0;
		if (!strchr(line, ':'))
			die(EXIT_USAGE, "--header %s: must be NAME: VALUE", given);
		lines[i + 1] = line;
	}
	return lines;
}

static int logs_run(int argc, char **argv)
{
	const char *why, *dir = state_dir();
	int fd, i;

	if (!o.to)
		die(EXIT_USAGE, "--to ADDR says where the lines go");
	if (ship_to(&ship, o.to, &why) < 0)
		die(EXIT_USAGE, "--to %s: %s", safe(o.to, strlen(o.to)), why);
	for (i = 0; i < o.labels.n; i++)
		if (!strchr(o.labels.v[i], '='))
			die(EXIT_USAGE, "--label %s: must be KEY=VALUE", o.labels.v[i]);
	log_json = strcmp(o.log, "json") == 0;
	if (kin_front(SIGUSR1) < 0)
		die(EXIT_SYS, "unable to start a process:");
	if (spool_open(&spool, dir) < 0)
		die(EXIT_SYS, errno == EWOULDBLOCK ? "%s is used by another lmc logs" :
		    "unable to use %s:", safe(dir, strlen(dir)));
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (fd < 0 || loop_init() < 0 || watch_add_level(&notify, fd, noticed) < 0 ||
	    loop_signal(SIGTERM, told) < 0 || loop_signal(SIGINT, told) < 0 ||
	    loop_signal(SIGUSR1, orphaned) < 0)
		die(EXIT_SYS, "unable to set up the event loop:");
	signal(SIGPIPE, SIG_IGN);
	ship.spool = &spool;
	ship.labels = &o.labels;
	ship.headers = loki_headers();
	ship.on_sent = sent;
	ship.on_idle = idle;
	ship.on_trouble = trouble;
	open_all(argc, argv);
	task_later(&reading, read_later);
	say_ready();
	loop_run();
	spool_flush(&spool);
	ship_close(&ship);
	for (i = 0; i < follows_n; i++)
		follow_close(&follows[i]);
	spool_close(&spool);
	return EXIT_OK;
}

const struct applet logs_applet = {
	.name  = "logs",
	.brief = "follow log files and ship their lines to syslog or Loki",
	.about = "Reads files as they grow, through rotation, or stdin, and sends every "
		 "line to a syslog receiver (RFC 5424) or a Loki push URL. What cannot be "
		 "sent yet waits on disk, in --state, and outlives restarts.\n"
		 "\n"
		 "A line counts as sent when Loki has answered, when the kernel of a TCP or "
		 "UNIX stream's receiver has acknowledged it, or when a datagram was not "
		 "refused. Syslog has no answer of its own: what a receiver's kernel had "
		 "taken and the receiver then did not read is lost. SIGKILL loses nothing and "
		 "sends nothing twice: a second process ends what is under way.",
	.args  = "[FILE...|-]",
	.examples = "lmc logs --to tcp://loghost:514 /var/log/lmcache/*.log\n"
		    "  follow these files, syslog over TCP\n"
		    "vllm serve 2>&1 | lmc logs --to http://loki:3100/loki/api/v1/push -l host=a -\n"
		    "  a program's output to Loki\n",
	.opts = opts, .run = logs_run,
};
