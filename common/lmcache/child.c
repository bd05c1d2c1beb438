/* child.c - see child.h
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"

enum { FIRST_FD = 3, FDS_MAX = 65536, CLOEXEC_RANGE = 1 << 2 };

__attribute__((noreturn))
static void give_up(const char *doing, const char *what)
{
	int err = errno;

	dprintf(2, "lmc plugin-run: unable to %s %s: %s\n", doing, what, strerror(err));
	_exit(err == ENOENT || err == ENOTDIR ? 127 : 126);
}

/* Everything above stderr is closed by exec. */
static void close_others(void)
{
	struct rlimit rl;
	int fd, end = FDS_MAX;

	if (syscall(SYS_close_range, FIRST_FD, ~0U, CLOEXEC_RANGE) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < FDS_MAX)
		end = (int)rl.rlim_cur;
	for (fd = FIRST_FD; fd < end; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Ignored signals stay ignored only where the parent had it from nohup. */
static void plain_signals(void)
{
	struct sigaction sa;
	sigset_t none;
	int i;

	for (i = 1; i < 65; i++) {
		if (sigaction(i, NULL, &sa) < 0)
			continue;
		if (sa.sa_handler == SIG_IGN && i != SIGPIPE)
			continue;
		sa.sa_handler = SIG_DFL;
		sa.sa_flags = 0;
		sigaction(i, &sa, NULL);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void set_stdio(const struct child_spec *c)
{
	int null;

	if (!c->own_stdin) {
		null = open("/dev/null", O_RDONLY);
		if (null < 0 || dup2(null, 0) < 0)
			give_up("open", "/dev/null");
		if (null != 0)
			close(null);
	}
	if ((c->out >= 0 && dup2(c->out, 1) < 0) || (c->err >= 0 && dup2(c->err, 2) < 0))
		give_up("set up", "its output");
}

/* Whoever may make a group may still not be allowed to move into it from
 * where it is. The plugin runs all the same, and says so. */
static void enter_cgroup(const char *procs)
{
	int fd = open(procs, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0", 1) != 1)
		dprintf(2, "lmc plugin-run: unable to enter %s: %s\n", procs, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void set_limits(const struct child_spec *c)
{
	int i;

	if (c->nice && setpriority(PRIO_PROCESS, 0, c->nice) < 0)
		give_up("set", "its nice value");
	for (i = 0; i < c->limits_n; i++) {
		struct rlimit rl = { c->limits[i].value, c->limits[i].value };

		if (setrlimit((__typeof__(RLIMIT_AS))c->limits[i].what, &rl) < 0)
			give_up("set", "its resource limits");
	}
}

static void become(const struct child_spec *c)
{
	if (c->uid == (uid_t)-1)
		return;
	if (initgroups(c->user, c->gid) < 0 || setgid(c->gid) < 0 || setuid(c->uid) < 0)
		give_up("become", c->user);
}

/* After setuid(), which forgets the parent-death signal. */
static void tie_to(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, (long)SIGKILL);
	if (getppid() != parent)
		_exit(126);
}

__attribute__((noreturn))
static void in_child(const struct child_spec *c, pid_t parent)
{
	if (c->session)
		setsid();
	else
		setpgid(0, 0);
	set_stdio(c);
	if (c->cgroup)
		enter_cgroup(c->cgroup);
	set_limits(c);
	become(c);
	tie_to(parent);
	if (!c->keep_fds)
		close_others();
	if (c->file_fd >= 0)
		fcntl(c->file_fd, F_SETFD, 0);
	if (c->ready >= 0)
		fcntl(c->ready, F_SETFD, 0);
	plain_signals();
	execve(c->file, c->argv, c->env);
	give_up("run", c->argv[0]);
}

pid_t child_start(const struct child_spec *c)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		in_child(c, parent);
	if (pid > 0 && !c->session)
		setpgid(pid, pid);	/* whoever comes first */
	return pid;
}

const char *child_signal(int signo)
{
	static const char *const names[] = {
		[SIGHUP] = "HUP", [SIGINT] = "INT", [SIGQUIT] = "QUIT", [SIGILL] = "ILL",
		[SIGTRAP] = "TRAP", [SIGABRT] = "ABRT", [SIGBUS] = "BUS", [SIGFPE] = "FPE",
		[SIGKILL] = "KILL", [SIGUSR1] = "USR1", [SIGSEGV] = "SEGV", [SIGUSR2] = "USR2",
		[SIGPIPE] = "PIPE", [SIGALRM] = "ALRM", [SIGTERM] = "TERM", [SIGXCPU] = "XCPU",
		[SIGXFSZ] = "XFSZ", [SIGSYS] = "SYS",
	};
	static char odd[16];

	if (signo > 0 && signo < (int)(sizeof names / sizeof names[0]) && names[signo])
		return names[signo];
	snprintf(odd, sizeof odd, "%d", signo);
	return odd;
}

const char *child_end(int status)
{
	static char text[48];

	if (WIFSIGNALED(status))
		snprintf(text, sizeof text, "was killed by SIG%s",
			 child_signal(WTERMSIG(status)));
	else
		snprintf(text, sizeof text, "exited with code %d", WEXITSTATUS(status));
	return text;
}

int child_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
