/* kin.c - see kin.h
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "child.h"
#include "clock.h"
#include "kin.h"

enum { ENV_MAX = 256 << 10, GUARD_KILL_MS = 10000, FDS_MAX = 4096 };

static ssize_t slurp(const char *path, char *buf, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got;

	if (fd < 0)
		return -1;
	while (n < max && (got = read(fd, buf + n, max - n)) > 0)
		n += (size_t)got;
	close(fd);
	return (ssize_t)n;
}

/* The fields after the command's name, which may hold anything. */
static bool read_stat(pid_t pid, struct kin *k)
{
	unsigned long long user, sys, rss;
	char path[40], text[1024], *p;
	ssize_t n;
	int i;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	n = slurp(path, text, sizeof text - 1);
	if (n <= 0)
		return false;
	text[n] = 0;
	p = strrchr(text, ')');
	if (!p || p[1] != ' ')
		return false;
	*k = (struct kin){ .pid = pid, .state = p[2], .job = -1 };
	k->parent = (pid_t)strtol(p + 3, &p, 10);
	k->group = (pid_t)strtol(p, &p, 10);
	for (i = 6; i < 14; i++)	/* session ... cmajflt */
		strtol(p, &p, 10);
	user = strtoull(p, &p, 10);
	sys = strtoull(p, &p, 10);
	for (i = 16; i < 22; i++)
		strtoull(p, &p, 10);
	k->start = strtoull(p, &p, 10);
	strtoull(p, &p, 10);
	rss = strtoull(p, &p, 10);
	k->cpu_ticks = user + sys;
	k->rss_pages = rss;
	return true;
}

uint64_t kin_start(pid_t pid)
{
	struct kin k;

	return read_stat(pid, &k) ? k.start : 0;
}

static const char *slurp_of(pid_t pid, const char *file, ssize_t *n)
{
	static char text[ENV_MAX];
	char path[40];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	*n = slurp(path, text, sizeof text - 1);
	text[*n < 0 ? 0 : *n] = 0;
	return text;
}

/* Who cleared its environment is still in its cgroup. */
static void read_mark(struct kin *k)
{
	char want[64];
	const char *env, *at;
	ssize_t n;
	int len;

	env = slurp_of(k->pid, "environ", &n);
	len = snprintf(want, sizeof want, "%s=%d.", KIN_MARK, (int)getpid());
	for (at = env; at < env + n; at += strlen(at) + 1)
		if (strncmp(at, want, (size_t)len) == 0)
			k->job = strtol(at + len, NULL, 10);
	if (k->job < 0 && cgroup_top())
		k->job = cgroup_job(slurp_of(k->pid, "cgroup", &n));
}

static int by_pid(const void *a, const void *b)
{
	pid_t x = ((const struct kin *)a)->pid, y = ((const struct kin *)b)->pid;

	return (x > y) - (x < y);
}

/* Every process there is, in order of pid. */
static int everybody(struct kin **out)
{
	struct kin *v = NULL, *more;
	const struct dirent *e;
	int n = 0, max = 0;
	DIR *d = opendir("/proc");

	if (!d)
		return -1;
	while ((e = readdir(d)) && n < KIN_MAX) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);

		if (pid <= 0)
			continue;
		if (n == max) {
			max = max ? max * 2 : 256;
			more = realloc(v, (size_t)max * sizeof *v);
			if (!more)
				break;
			v = more;
		}
		n += read_stat(pid, &v[n]);
	}
	closedir(d);
	if (n)
		qsort(v, (size_t)n, sizeof *v, by_pid);
	*out = v;
	return n;
}

static bool below(const struct kin *all, int n, const struct kin *k, pid_t top)
{
	int hops;

	for (hops = 0; k && hops < n; hops++) {
		struct kin up = { .pid = k->parent };

		if (k->parent == top)
			return true;
		k = bsearch(&up, all, (size_t)n, sizeof *all, by_pid);
	}
	return false;
}

int kin_list(struct kin **out, bool marks)
{
	pid_t me = getpid();
	struct kin *all, *mine;
	int n = everybody(&all), i, kept = 0;

	*out = NULL;
	if (n <= 0)
		return n;
	mine = malloc((size_t)n * sizeof *mine);
	if (!mine) {
		free(all);
		return -1;
	}
	for (i = 0; i < n; i++) {
		if (!below(all, n, &all[i], me))
			continue;
		mine[kept] = all[i];
		if (marks && all[i].state != 'Z')
			read_mark(&mine[kept]);
		kept++;
	}
	free(all);
	*out = mine;
	return kept;
}

/* Children we had before we began: exec keeps them, and a shell that runs us
 * in "lmc ... 2> >(logger)" leaves us the logger. They are nothing of ours. */
static struct kin *inherited;
static int inherited_n;

static bool is_inherited(const struct kin *k)
{
	int i;

	for (i = 0; i < inherited_n; i++)
		if (inherited[i].pid == k->pid && inherited[i].start == k->start)
			return true;
	return false;
}

/* An inherited process, or below one. */
static bool foreign(const struct kin *v, int n, const struct kin *k)
{
	int hops;

	for (hops = 0; k && hops < n; hops++) {
		struct kin up = { .pid = k->parent };

		if (is_inherited(k))
			return true;
		k = bsearch(&up, v, (size_t)n, sizeof *v, by_pid);
	}
	return false;
}

static void note_inherited(void)
{
	siginfo_t info;

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD)
		return;
	inherited_n = kin_list(&inherited, false);
	if (inherited_n < 0)
		inherited_n = 0;
}

/* How many were alive. */
static int kill_round(void)
{
	struct kin *v;
	int n = kin_list(&v, false), i, alive = 0;

	for (i = 0; i < n; i++) {
		if (v[i].state == 'Z' || (inherited_n && foreign(v, n, &v[i])))
			continue;
		kill(v[i].pid, SIGKILL);
		alive++;
	}
	free(v);
	return n < 0 ? 1 : alive;
}

bool kin_kill_all(int64_t ms)
{
	const struct timespec nap = { .tv_nsec = 2000000 };
	int64_t end = clock_ms() + ms;
	pid_t pid;

	for (;;) {
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (pid < 0 && errno == ECHILD)
			return true;
		if (kill_round() == 0 && inherited_n)
			return true;
		if (clock_ms() >= end)
			return false;
		nanosleep(&nap, NULL);
	}
}

static pid_t above;		/* the guardian of a warden; 0 */

/* A descriptor that stays open here would keep its reader from the end. */
static void close_all_from(int first)
{
	int fd;

	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
	for (fd = first; fd < FDS_MAX; fd++)
		close(fd);
}

/* Most of the program is not needed to wait: its pages, up to the first that
 * is written to, come back when they are. Half a megabyte less for each of
 * the two that do nothing else. */
static void let_go_of_text(void)
{
	extern const char __executable_start[], __init_array_start[];
	uintptr_t end = (uintptr_t)__init_array_start & ~(uintptr_t)4095;

	madvise((void *)(uintptr_t)__executable_start, end - (uintptr_t)__executable_start,
		MADV_DONTNEED);
}

/* Another name for ps, so that "killall lmc" does not take all of us. */
static void rename_self(void)
{
	static const char name[] = "plugin-warden";
	unsigned long start, end;
	const char *p;
	char *rest;
	ssize_t n;
	int i;

	prctl(PR_SET_NAME, name);
	p = strrchr(slurp_of(getpid(), "stat", &n), ')');
	for (i = 2; p && i < 48; i++)	/* to arg_start, arg_end */
		p = strchr(p + 1, ' ');
	if (!p)
		return;
	start = strtoul(p, &rest, 10);
	end = strtoul(rest, &rest, 10);
	if (!start || end < start + sizeof name)
		return;
	memset((void *)start, 0, end - start);	/* the strings of argv */
	memcpy((void *)start, name, sizeof name);
}

/* What comes in is passed on, until the ward ends, or who watches over us;
 * then nothing below is left. Its status, or SIGKILL's. */
static int watch_over(pid_t ward, const sigset_t *set)
{
	int signo, status, end = SIGKILL;
	pid_t pid = 0;

	while (pid != ward && (!above || getppid() == above)) {
		signo = sigwaitinfo(set, NULL);
		if (signo > 0 && signo != SIGCHLD)
			kill(ward, signo);
		while (pid != ward && (pid = waitpid(-1, &status, WNOHANG)) > 0)
			;
		if (pid == ward)
			end = status;
	}
	cgroup_kill(CGROUP_ALL);
	kin_kill_all(GUARD_KILL_MS);
	return end;
}

/* The parent stays behind, with one descriptor (or -1), to watch over the
 * child, in which this returns 0. */
static int part(int keep, const sigset_t *set, void (*before_exit)(void))
{
	pid_t ward = fork();
	int status;

	if (ward < 0)
		return -1;
	if (ward == 0)
		return prctl(PR_SET_CHILD_SUBREAPER, 1L);
	if (keep >= 0)
		dup2(keep, 3);
	close_all_from(keep >= 0 ? 4 : 3);
	if (above)
		rename_self();
	let_go_of_text();
	status = watch_over(ward, set);
	cgroup_close();
	if (before_exit)
		before_exit();
	_exit(child_code(status));
}

static void guarded_signals(sigset_t *set)
{
	static const int all[] = {
		SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2,
		SIGWINCH, SIGALRM, SIGCONT
	};
	size_t i;

	sigemptyset(set);
	for (i = 0; i < sizeof all / sizeof all[0]; i++)
		sigaddset(set, all[i]);
}

int kin_guard(int *fd, void (*before_exit)(void))
{
	pid_t guardian = getpid();
	int alive[2];
	sigset_t set;

	*fd = -1;
	note_inherited();
	if (prctl(PR_SET_CHILD_SUBREAPER, 1L) < 0)
		return -1;
	if (guardian == 1)
		return 0;
	guarded_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (part(-1, &set, before_exit) < 0)
		return -1;
	inherited_n = 0;	/* they are the guardian's */
	setpgid(0, 0);
	above = guardian;
	prctl(PR_SET_PDEATHSIG, (long)SIGCHLD);
	if (pipe2(alive, O_CLOEXEC) < 0 || part(alive[1], &set, before_exit) < 0)
		return -1;
	above = 0;
	setpgid(0, 0);
	close(alive[1]);
	*fd = alive[0];
	return 0;
}

int kin_front(int signo)
{
	pid_t front = getpid();
	sigset_t set;

	note_inherited();
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (part(-1, &set, NULL) < 0 || prctl(PR_SET_PDEATHSIG, (long)signo) < 0)
		return -1;
	return getppid() == front ? 0 : raise(signo);
}
