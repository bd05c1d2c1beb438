/* job_launch.c - see job_launch.h
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cgroup.h"
#include "child.h"
#include "job_launch.h"
#include "kin.h"

enum { OWN_VARS = 3 };

static bool strict(void)
{
	return job_house.rules->gen != GEN_LMC;
}

static int read_note(struct job *j, int fd)
{
	char text[NOTE_BYTES], why[200];
	ssize_t n;

	if (fd < 0 || j->plugin.program)
		return note_parse(&j->note, "", 0, why, sizeof why);
	n = pread(fd, text, sizeof text, 0);
	if (note_parse(&j->note, text, n > 0 ? (size_t)n : 0, why, sizeof why) == 0)
		return 0;
	job_tell(j, "%s", why);
	return -1;
}

/* The file, decided and checked, or -1 when it does not run. *fd may be -1
 * although it does: the old generations go by path. */
static int look(struct job *j, int *fd)
{
	if (plugin_decide(&j->plugin, job_house.rules, fd) < 0) {
		job_tell(j, "out of memory");
		return -1;
	}
	if (j->plugin.decision != PLUGIN_RAN) {
		job_tell(j, "does not run: %s", j->plugin.reason ? j->plugin.reason : "");
		return -1;
	}
	if (read_note(j, *fd) == 0)
		return 0;
	if (*fd >= 0)
		close(*fd);
	return -1;
}

int job_look(struct job *j)
{
	int fd;

	if (look(j, &fd) < 0)
		return -1;
	if (fd >= 0)
		close(fd);
	return 0;
}

/* NUL-terminated arguments; the path gives way to the open file. */
static int arguments(struct job *j, char *argv[PLUGIN_ARGS + 1], const char *file)
{
	const struct plugin *p = &j->plugin;
	int i;

	for (i = 0; i < p->argc; i++) {
		argv[i] = strndup(p->argv[i].p, p->argv[i].n);
		if (!argv[i])
			return -1;
	}
	argv[p->argc] = NULL;
	if (file && p->argc > 1) {
		free(argv[p->argc - 1]);
		argv[p->argc - 1] = strdup(file);
	}
	return p->argc > 1 && !argv[p->argc - 1] ? -1 : 0;
}

static int environment(struct job *j, char ***env, char *own[OWN_VARS], int ready)
{
	int n = 0, extra = 0, i;

	while (job_house.env[n])
		n++;
	*env = malloc(((size_t)n + OWN_VARS + 1) * sizeof **env);
	if (!*env)
		return -1;
	memcpy(*env, job_house.env, (size_t)n * sizeof **env);
	if (asprintf(&own[extra], "%s=%d.%ld", KIN_MARK, (int)getpid(), j->id) < 0)
		return -1;
	extra++;
	if (asprintf(&own[extra], "LMC_PLUGIN_FILE=%s", j->plugin.path) < 0)
		return -1;
	extra++;
	if (ready >= 0 && asprintf(&own[extra], "LMC_READY_FD=%d", ready) < 0)
		return -1;
	extra += ready >= 0;
	for (i = 0; i < extra; i++)
		(*env)[n + i] = own[i];
	(*env)[n + extra] = NULL;
	return 0;
}

static void limit(struct child_spec *c, int what, uint64_t value)
{
	if (value)
		c->limits[c->limits_n++] = (struct child_limit){ what, value };
}

/* A cgroup counts what is used, by all of it; without one a limit holds for
 * address space, in each process, and for processes, of the whole user. */
static void cgroup_or_rlimit(struct job *j, struct child_spec *c)
{
	int64_t memory = j->note.memory;
	long procs = j->note.procs;
	static bool told;

	c->cgroup = cgroup_make(j->id, &memory, &procs);
	limit(c, RLIMIT_AS, (uint64_t)memory);
	limit(c, RLIMIT_NPROC, (uint64_t)procs);
	if ((memory || procs) && !told) {
		job_tell(NULL, "memory= and procs= are setrlimit's: no cgroup v2 here has "
			 "its controllers");
		told = true;
	}
}

static int apply_note(struct job *j, struct child_spec *c)
{
	const struct note *n = &j->note;
	const struct passwd *pw;

	c->nice = n->nice;
	cgroup_or_rlimit(j, c);
	limit(c, RLIMIT_CPU, (uint64_t)((n->cpu_ms + 999) / 1000));
	limit(c, RLIMIT_NOFILE, (uint64_t)n->files);
	c->uid = (uid_t)-1;
	if (!*n->user)
		return 0;
	/* cppcheck-suppress getpwnamCalled ; there is one thread */
	pw = getpwnam(n->user);
	if (!pw) {
		job_tell(j, "its lmc: line: user=%s: no such user", n->user);
		return -1;
	}
	c->uid = pw->pw_uid;
	c->gid = pw->pw_gid;
	c->user = n->user;
	return 0;
}

static void said_ready(struct watch *w, unsigned ready)
{
	struct job *j = (struct job *)((char *)w - offsetof(struct job, ready_watch));
	int fd = w->fd;
	char byte;
	ssize_t n = read(fd, &byte, 1);

	(void)ready;
	if (n < 0 && errno == EAGAIN)
		return;
	watch_del(w);
	close(fd);
	if (n != 1 || j->state != JOB_UP)
		return;
	j->ready = true;
	job_tell(j, "is ready");
}

struct pipes { int out[2], err[2], ready[2]; };

static void pipes_close(struct pipes *p)
{
	int *fds = (int *)p;
	size_t i;

	for (i = 0; i < sizeof *p / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int pipes_open(struct pipes *p, bool ready)
{
	*p = (struct pipes){ { -1, -1 }, { -1, -1 }, { -1, -1 } };
	if (pipe2(p->out, O_CLOEXEC) == 0 && pipe2(p->err, O_CLOEXEC) == 0 &&
	    (!ready || pipe2(p->ready, O_CLOEXEC) == 0))
		return 0;
	pipes_close(p);
	return -1;
}

/* The parent's ends. Failing here costs lines, not the plugin. */
static void listen_to(struct job *j, struct pipes *p)
{
	struct sink *s = job_house.sink;

	if (lines_open(&j->out, p->out[0], s, j->plugin.file, STREAM_OUT) == 0)
		p->out[0] = -1;
	if (lines_open(&j->err, p->err[0], s, j->plugin.file, STREAM_ERR) == 0)
		p->err[0] = -1;
	if (p->ready[0] < 0)
		return;
	fcntl(p->ready[0], F_SETFL, O_NONBLOCK);
	if (watch_add(&j->ready_watch, p->ready[0], said_ready) == 0)
		p->ready[0] = -1;
}

static pid_t spawn(struct job *j, int fd, struct pipes *p)
{
	struct child_spec c = {
		.file_fd = fd, .out = p->out[1], .err = p->err[1], .ready = p->ready[1],
		.own_stdin = strict(), .session = true,
	};
	char *argv[PLUGIN_ARGS + 1] = { 0 }, *own[OWN_VARS] = { 0 }, **env = NULL;
	char by_fd[32] = "", found[PATH_MAX];
	const char *file = NULL;
	pid_t pid = -1;
	int i;

	if (fd >= 0 && !job_house.by_path) {
		snprintf(by_fd, sizeof by_fd, "/proc/self/fd/%d", fd);
		file = access(by_fd, F_OK) == 0 ? by_fd : NULL;
	}
	if (arguments(j, argv, file) == 0 && environment(j, &env, own, p->ready[1]) == 0 &&
	    apply_note(j, &c) == 0) {
		c.argv = argv;
		c.env = env;
		c.file = j->plugin.program && file ? file : argv[0];
		if (!strchr(c.file, '/') && plugin_which(j->plugin.argv[0],
		    job_house.rules->path, found, sizeof found))
			c.file = found;
		pid = child_start(&c);
		if (pid < 0)
			job_tell(j, "unable to start: %s", strerror(errno));
	}
	for (i = 0; i < PLUGIN_ARGS; i++)
		free(argv[i]);
	for (i = 0; i < OWN_VARS; i++)
		free(own[i]);
	free(env);
	return pid;
}

int job_launch(struct job *j)
{
	struct pipes p;
	int fd;

	if (look(j, &fd) < 0)
		return -1;
	job_close(j);
	if (pipes_open(&p, j->note.ready_fd) < 0) {
		job_tell(j, "unable to make pipes: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	j->pid = spawn(j, fd, &p);
	if (fd >= 0)
		close(fd);
	if (j->pid > 0)
		listen_to(j, &p);
	pipes_close(&p);
	if (j->pid > 0)
		return 0;
	j->pid = 0;
	return -1;
}

void job_close(struct job *j)
{
	int fd = j->ready_watch.fd;

	lines_close(&j->out);
	lines_close(&j->err);
	if (fd >= 0) {
		watch_del(&j->ready_watch);
		close(fd);
	}
}
