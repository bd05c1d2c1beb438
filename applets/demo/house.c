/* house.c - guardian, simulator and frontend: started, watched, taken away
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who may be killed, and who then does what:
 *   guardian   its end closes the lifeline: the simulator stops and removes
 *              sockets and directory; the kernel kills the frontend
 *              (PR_SET_PDEATHSIG)
 *   simulator  the guardian kills the frontend, removes sockets and directory
 *   frontend   the guardian stops the simulator and ends with its status
 * Simulator and frontend are each in a process group of their own, so that a
 * signal to the guardian's group leaves somebody to clean up.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "demo.h"
#include "die.h"

enum {
	FRONT_MS   = 500,	/* until the frontend is killed */
	SIM_MS     = 300,	/* until the simulator is killed */
	STALE_MS   = 400,	/* until a killed frontend's socket answers no more */
	READY_MAX  = 8 << 10	/* bytes of the frontend's addresses */
};

struct child {
	pid_t pid;		/* 0: not running */
	int   status;		/* as waitpid tells */
	bool  ended;
};

static struct house {
	struct child sim, front;
	int  signals;		/* signalfd */
	int  lifeline;		/* write end, guardian only */
	bool stop;
	char dir[PATH_MAX];
} h = { .signals = -1, .lifeline = -1 };

/* --- the directory ----------------------------------------------------------- */

static void choose_directory(void)
{
	const char *base = getenv("TMPDIR");
	char real[PATH_MAX];
	uint32_t dice[2];

	if (!base || !*base)
		base = "/tmp";
	if (!realpath(base, real))
		die(EXIT_SYS, "unable to use the directory %s:", safe(base, strlen(base)));
	if (getrandom(dice, sizeof dice, 0) != sizeof dice)
		die(EXIT_SYS, "unable to get random numbers:");
	if (snprintf(h.dir, sizeof h.dir, "%s/lmc-demo-%08x%04x", strcmp(real, "/") ? real : "",
		     dice[0], dice[1] & 0xffff) >= (int)sizeof h.dir)
		die(EXIT_USAGE, "$TMPDIR is too long");
}

static void place_nodes(struct demo *d)
{
	const char *short_name;
	size_t skip;
	int i;

	d->at = xcalloc((size_t)d->n, sizeof *d->at);
	for (i = 0; i < d->n; i++) {
		skip = strlen(d->node[i].instance) + 1;
		short_name = d->node[i].name + skip;
		d->at[i].kind = ADDR_UNIX;
		if (strlen(h.dir) + strlen(short_name) + 6 >= 108)
			die(EXIT_USAGE, "%s is too long for sockets; set TMPDIR to a shorter directory",
			    h.dir);
		snprintf(d->at[i].host, sizeof d->at[i].host, "%.90s/%.60s.sock", h.dir, short_name);
	}
}

/* A socket whose owner is gone: nobody answers there. */
static bool stale(const struct addr *a)
{
	union net_addr sa;
	socklen_t len;
	struct stat st;
	int fd;

	if (lstat(a->host, &st) < 0 || !S_ISSOCK(st.st_mode) || net_literal(a, &sa, &len) < 0)
		return false;
	fd = net_connect(&sa, len);
	if (fd < 0)
		return errno == ECONNREFUSED;
	close(fd);
	return false;
}

static void nap(void)
{
	poll(NULL, 0, 10);
}

/* A frontend that was killed leaves its UNIX sockets behind. */
static void remove_frontend_sockets(const struct demo *d)
{
	int64_t until = clock_ms() + STALE_MS;
	struct addr a;
	const char *why;
	int i;

	for (i = 0; i < d->nlisten; i++) {
		if (addr_parse(&a, d->listen[i], 8000, &why) < 0 || a.kind != ADDR_UNIX)
			continue;
		while (access(a.host, F_OK) == 0 && !stale(&a) && clock_ms() < until)
			nap();
		if (stale(&a))
			unlink(a.host);
	}
}

static void remove_directory(const struct demo *d)
{
	int i;

	for (i = 0; i < d->n; i++)
		unlink(d->at[i].host);
	if (rmdir(h.dir) < 0 && errno != ENOENT)
		warn("unable to remove %s:", h.dir);
}

/* --- the simulator ------------------------------------------------------------- */

static void unblock(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void simulator(struct demo *d, int ready, int lifeline)
{
	int status;

	setsid();
	unblock();
	if (mkdir(h.dir, 0700) < 0)
		die(EXIT_SYS, "unable to make the directory %s:", h.dir);
	d->quiet = true;
	status = demo_serve(d, ready, lifeline);
	remove_directory(d);
	remove_frontend_sockets(d);
	_exit(status);
}

static int start_simulator(struct demo *d)
{
	int life[2], ready[2];

	if (pipe2(life, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0)
		die(EXIT_SYS, "unable to make a pipe:");
	h.sim.pid = fork();
	if (h.sim.pid < 0)
		die(EXIT_SYS, "unable to start a process:");
	if (!h.sim.pid) {
		close(life[1]);
		close(ready[0]);
		close(h.signals);
		if (d->ready_fd >= 0)
			close(d->ready_fd);
		simulator(d, ready[1], life[0]);
	}
	close(life[0]);
	close(ready[1]);
	h.lifeline = life[1];
	return ready[0];
}

/* --- the frontend ------------------------------------------------------------------ */

static char *nodes_json(const struct demo *d)
{
	struct buf b = BUF(4 << 20);
	int i;

	buf_putc(&b, '[');
	for (i = 0; i < d->n; i++) {
		buf_puts(&b, i ? ",{\"name\":" : "{\"name\":");
		json_puts(&b, d->node[i].name);
		buf_puts(&b, ",\"host\":\"localhost\",\"port\":");
		json_puts(&b, d->at[i].host);
		buf_putc(&b, '}');
	}
	buf_putc(&b, ']');
	if (b.bad)
		die(EXIT_SYS, "too many nodes");
	return b.p;
}

static void become_frontend(const struct demo *d, int ready, pid_t guardian)
{
	const char **argv = xcalloc((size_t)d->nlisten * 2 + 9, sizeof *argv);
	char fd[16];
	int n = 0, i, null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != guardian)
		_exit(EXIT_SYS);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	fcntl(ready, F_SETFD, 0);
	unblock();
	snprintf(fd, sizeof fd, "%d", ready);
	argv[n++] = "lmc";
	argv[n++] = "proxy";
	for (i = 0; i < d->nlisten; i++) {
		argv[n++] = "--listen";
		argv[n++] = d->listen[i];
	}
	argv[n++] = "--nodes";
	argv[n++] = nodes_json(d);
	argv[n++] = "--ready-fd";
	argv[n++] = fd;
	execv("/proc/self/exe", (char **)(uintptr_t)argv);
	warn("unable to start the frontend:");
	_exit(EXIT_SYS);
}

static int start_frontend(const struct demo *d)
{
	pid_t guardian = getpid();
	int ready[2];

	if (pipe2(ready, O_CLOEXEC) < 0) {
		warn("unable to make a pipe:");
		return -1;
	}
	h.front.pid = fork();
	if (!h.front.pid) {
		if (d->ready_fd >= 0)
			close(d->ready_fd);
		become_frontend(d, ready[1], guardian);
	}
	close(ready[1]);
	if (h.front.pid > 0)
		return ready[0];
	warn("unable to start a process:");
	h.front.pid = 0;
	close(ready[0]);
	return -1;
}

/* --- waiting ------------------------------------------------------------------------- */

static void reap(struct child *c)
{
	if (c->pid && waitpid(c->pid, &c->status, WNOHANG) == c->pid) {
		c->pid = 0;
		c->ended = true;
	}
}

static void take_signals(void)
{
	struct signalfd_siginfo s;

	while (read(h.signals, &s, sizeof s) == sizeof s)
		if (s.ssi_signo != SIGCHLD)
			h.stop = true;
	reap(&h.sim);
	reap(&h.front);
}

/* Until fd (or -1) is readable, something ended, or the time is over. True:
 * fd is readable. */
static bool wait_on(int fd, int ms)
{
	struct pollfd p[2] = { { h.signals, POLLIN, 0 }, { fd, POLLIN, 0 } };

	poll(p, fd < 0 ? 1 : 2, ms);
	take_signals();
	return fd >= 0 && p[1].revents;
}

static bool going(void)
{
	return !h.stop && !h.sim.ended && !h.front.ended;
}

/* What a child writes until it closes the pipe. 0, or -1: it did not get so
 * far. */
static int read_ready(int fd, struct buf *text)
{
	ssize_t n = -1;

	while (going() || wait_on(fd, 0)) {
		if (!wait_on(fd, -1))
			continue;
		if (buf_room(text, 1024) < 0)
			break;
		n = read(fd, text->p + text->len, 1024);
		if (n <= 0)
			break;
		text->len += (size_t)n;
		text->p[text->len] = '\0';
	}
	close(fd);
	return n == 0 && text->len ? 0 : -1;
}

static void wait_end(struct child *c, int ms)
{
	int64_t until = clock_ms() + ms;

	while (c->pid && clock_ms() < until)
		wait_on(-1, (int)(until - clock_ms()) + 1);
	if (!c->pid)
		return;
	kill(c->pid, SIGKILL);
	waitpid(c->pid, &c->status, 0);
	c->pid = 0;
	c->ended = true;
}

static void take_away(const struct demo *d)
{
	bool killed;

	if (h.front.pid)
		kill(h.front.pid, SIGTERM);
	wait_end(&h.front, FRONT_MS);
	killed = h.front.ended && WIFSIGNALED(h.front.status);
	close(h.lifeline);
	wait_end(&h.sim, SIM_MS);
	remove_directory(d);
	if (killed)
		remove_frontend_sockets(d);
}

/* --- the guardian ------------------------------------------------------------------------ */

static void take_control(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 ||
	    (h.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		die(EXIT_SYS, "unable to take the signals:");
}

static int status_of(const struct child *c)
{
	return WIFSIGNALED(c->status) ? 128 + WTERMSIG(c->status) : WEXITSTATUS(c->status);
}

/* Why it ended although nobody asked for it. */
static int tell_end(void)
{
	const struct child *c = h.front.ended ? &h.front : &h.sim;
	const char *who = h.front.ended ? "frontend" : "simulator";

	if (!c->ended)
		return EXIT_OK;
	if (WIFSIGNALED(c->status))
		warn("the %s was killed by signal %d", who, WTERMSIG(c->status));
	else
		warn("the %s ended with status %d", who, WEXITSTATUS(c->status));
	return status_of(c) ? status_of(c) : EXIT_NO;
}

static int print_address(const struct demo *d, const char *ready, const struct addr *a)
{
	const char *name = d->node[d->n > 1].name;
	char base[ADDR_HOST + 64];
	struct buf text = BUF(1024);

	addr_print(a, &text);
	if (a->kind == ADDR_UNIX)
		snprintf(base, sizeof base, "--unix-socket %s http://localhost", a->host);
	else
		snprintf(base, sizeof base, "http://%s", text.p);
	if (!d->quiet) {
		if (a->kind != ADDR_UNIX)
			printf("open  %s/\n", base);
		printf("      %d simulated nodes behind one frontend; Ctrl-C ends all of it\n"
		       "try   curl %s/api/nodes\n"
		       "      curl %s/proxy2/%s/metrics\n"
		       "      curl '%s/proxy2/%s/conf?names=chunk_size,min_retrieve_tokens'\n"
		       "      curl '%s/proxy2/%s/loglevel?logger_name=vllm&level=DEBUG'\n",
		       d->n, base, base, name, base, name, base, name);
	}
	buf_free(&text);
	if (fflush(stdout) != 0) {
		warn("unable to write to standard output:");
		return EXIT_SYS;
	}
	if (d->ready_fd >= 0 && net_ready(d->ready_fd, ready) < 0) {
		warn("unable to write to descriptor %d:", d->ready_fd);
		return EXIT_SYS;
	}
	return EXIT_OK;
}

static int run(const struct demo *d, const char *ready)
{
	struct addr front;
	const char *why;
	char *line = xstrndup(ready, strcspn(ready, "\n"));
	int r = addr_parse(&front, line, 80, &why), status;

	free(line);
	if (r < 0) {
		warn("unable to read the frontend's address: %s", why);
		return EXIT_SYS;
	}
	status = print_address(d, ready, &front);
	if (status == EXIT_OK && d->once)
		status = demo_check(d, &front, h.signals);
	while (status == EXIT_OK && !d->once && going())
		wait_on(-1, -1);
	return status;
}

static int start_and_run(struct demo *d)
{
	struct buf ready = BUF(READY_MAX), nodes = BUF(1 << 20);
	int fd = start_simulator(d), status = EXIT_OK;

	if (read_ready(fd, &nodes) == 0) {
		fd = start_frontend(d);
		if (fd < 0)
			status = EXIT_SYS;
		else if (read_ready(fd, &ready) == 0)
			status = run(d, ready.p);
	}
	take_signals();
	if (!h.stop || h.front.ended || h.sim.ended)
		status = worse(status, tell_end());
	take_away(d);
	buf_free(&ready);
	buf_free(&nodes);
	return status;
}

/* Told before anything is started, with what to do. */
static void try_ports(const struct demo *d)
{
	struct addr a;
	const char *why;
	int i, fd;

	for (i = 0; i < d->nlisten; i++) {
		if (addr_parse(&a, d->listen[i], 8000, &why) < 0)
			die(EXIT_USAGE, "--listen: %s: %s", safe(d->listen[i], strlen(d->listen[i])), why);
		if (a.kind != ADDR_TCP || !a.port)
			continue;
		fd = net_listen(&a, 1);
		if (fd < 0 && errno == EADDRINUSE)
			die(EXIT_SYS, "unable to listen on %s: it is taken; "
			    "`lmc demo --port 0` takes a free port", d->listen[i]);
		if (fd < 0)
			die(EXIT_SYS, "unable to listen on %s:", d->listen[i]);
		close(fd);
	}
}

int demo_house(struct demo *d)
{
	try_ports(d);
	choose_directory();
	place_nodes(d);
	take_control();
	return start_and_run(d);
}
