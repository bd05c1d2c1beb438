/* supervise.c - see supervise.h
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "die.h"
#include "kin.h"
#include "supervise.h"
#include "supervise_watch.h"

enum { SWEEP_MS = 100, LAST_MS = 5000, DRAIN_MS = 1000, ORPHANED_MS = 900, SAME_MS = 200 };

struct supervise supervise;
struct job *jobs;
unsigned long long orphans_reaped;

static pid_t main_pid;
static int end_status;
static bool ending;
static long last_id;
static struct watch guard_watch, follow_watch;
static struct timer sweep_timer, last_timer, main_timer;
static struct task sweep_task;

static void look_round(struct task *t);

static void sweep_soon(void)
{
	task_later(&sweep_task, look_round);
}

static void sweep_due(struct timer *t)
{
	(void)t;
	sweep_soon();
}

static bool all_at_rest(void)
{
	struct job *j;

	for (j = jobs; j; j = j->next)
		if (!job_at_rest(j))
			return false;
	return true;
}

static void maybe_done(void)
{
	if (ending && !main_pid && all_at_rest())
		loop_stop();
	else if (supervise.until_done && !main_pid && all_at_rest())
		supervise_end(EXIT_OK);
}

static void forget(struct job *gone)
{
	struct job **at = &jobs;

	while (*at != gone)
		at = &(*at)->next;
	*at = gone->next;
	job_free(gone);
}

static void on_quiet(struct job *j)
{
	if (j->forget)
		sweep_soon();	/* freed there, not under its own feet */
	if (ending || supervise.until_done)
		sweep_soon();
}

static void mark_living(const struct kin *v, int n)
{
	struct job *j, *next;
	int i;

	for (j = jobs; j; j = next) {
		next = j->next;
		if (!job_stopping(j) || j->pid > 0)
			continue;
		for (i = 0; i < n && (v[i].job != j->id || v[i].state == 'Z'); i++)
			;
		if (i == n)
			job_quiet(j);
		else if (j->state == JOB_KILLED)
			job_signal(j, SIGKILL);
	}
}

/* One look at all processes serves every job that is being stopped. */
static void look_round(struct task *t)
{
	bool stopping = false, waiting = false;
	struct job *j, *next;
	struct kin *v = NULL;
	int n;

	(void)t;
	for (j = jobs; j; j = j->next) {
		stopping |= job_stopping(j);
		waiting |= job_stopping(j) && j->pid == 0;
	}
	if (waiting && (n = kin_list(&v, true)) >= 0)
		mark_living(v, n);
	free(v);
	for (j = jobs; j; j = next) {
		next = j->next;
		if (j->forget && job_at_rest(j))
			forget(j);
	}
	if (stopping)
		timer_set(&sweep_timer, loop_now() + SWEEP_MS, sweep_due);
	maybe_done();
}

static void main_ended(int status)
{
	main_pid = 0;
	supervise_end(child_code(status));
}

static void reap(int signo)
{
	struct job *j;
	int status;
	pid_t pid;

	(void)signo;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == main_pid) {
			main_ended(status);
			continue;
		}
		for (j = jobs; j && j->pid != pid; j = j->next)
			;
		if (j)
			job_reaped(j, status);
		else
			orphans_reaped++;
	}
	for (j = jobs; j; j = j->next)
		if (job_stopping(j))
			sweep_soon();
}

static void last_call(struct timer *t)
{
	(void)t;
	loop_stop();
}

void supervise_end(int status)
{
	int64_t longest = job_house.grace_ms;
	struct job *j, *next;

	if (ending)
		return;
	ending = true;
	end_status = status;
	for (j = jobs; j; j = next) {
		next = j->next;
		j->again = false;
		if (j->note.grace_ms > longest)
			longest = j->note.grace_ms;
		if (!job_at_rest(j))
			job_stop(j);
	}
	timer_set(&last_timer, loop_now() + longest + LAST_MS, last_call);
	sweep_soon();
}

static void kill_now(void)
{
	struct job *j, *next;

	for (j = jobs; j; j = next) {
		next = j->next;
		if (!job_at_rest(j))
			job_kill(j);
	}
	sweep_soon();
}

/* With a main process its end decides; without, we are the one that is told,
 * and told twice we hurry. Sent to all of our processes at once it comes to us by
 * way of the guards as well, and is one signal. */
static void told(int signo)
{
	static int64_t last_ms;
	static int last;

	if (signo == last && loop_now() - last_ms < SAME_MS)
		return;
	last = signo;
	last_ms = loop_now();
	if (main_pid)
		kill(main_pid, signo);
	else if (!ending)
		supervise_end(EXIT_OK);
	else
		kill_now();
}

static void hang_up(int signo)
{
	if (main_pid)
		kill(main_pid, signo);
	else
		supervise_scan();
}

static void pass_on(int signo)
{
	if (main_pid)
		kill(main_pid, signo);
}

/* Without a guard nobody may be left behind: no grace. */
static void warden_gone(struct watch *w, unsigned ready)
{
	(void)ready;
	watch_del(w);
	supervise.guard_fd = -1;	/* what it would do last is ours */
	ending = true;
	end_status = 128 + SIGKILL;
	kin_kill_all(ORPHANED_MS);
	loop_stop();
}

static void main_grace_over(struct timer *t)
{
	(void)t;
	if (main_pid)
		kill(main_pid, SIGKILL);
}

static void followed_gone(struct watch *w, unsigned ready)
{
	int fd;

	(void)ready;
	job_tell(NULL, "process %d is gone: ending", (int)supervise.follow);
	fd = w->fd;
	watch_del(w);
	close(fd);
	if (!main_pid) {
		supervise_end(EXIT_OK);
		return;
	}
	kill(main_pid, SIGTERM);
	timer_set(&main_timer, loop_now() + job_house.grace_ms, main_grace_over);
}

static int follow(const char **why)
{
	int fd;

	if (!supervise.follow)
		return 0;
	fd = (int)syscall(SYS_pidfd_open, supervise.follow, 0);
	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (fd >= 0 && watch_add_level(&follow_watch, fd, followed_gone) == 0)
		return 0;
	if (fd < 0 && errno == ESRCH) {
		supervise_end(EXIT_OK);
		return 0;
	}
	*why = "unable to follow the process given";
	return -1;
}

int supervise_init(const char **why)
{
	static const struct { int signo; void (*on)(int); } rows[] = {
		{ SIGCHLD, reap }, { SIGTERM, told }, { SIGINT, told }, { SIGHUP, hang_up },
		{ SIGQUIT, told }, { SIGUSR1, pass_on }, { SIGUSR2, pass_on },
		{ SIGWINCH, pass_on },
	};
	size_t i;

	*why = "unable to set up the event loop";
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (loop_signal(rows[i].signo, rows[i].on) < 0)
			return -1;
	signal(SIGPIPE, SIG_IGN);
	if (supervise.guard_fd >= 0 &&
	    watch_add_level(&guard_watch, supervise.guard_fd, warden_gone) < 0)
		return -1;
	job_house.on_quiet = on_quiet;
	return follow(why);
}

struct job *supervise_find(const char *name)
{
	struct job *j;

	for (j = jobs; j; j = j->next)
		if (strcmp(j->plugin.file, name) == 0 || strcmp(j->plugin.path, name) == 0)
			return j;
	return NULL;
}

/* p's texts become the job's. */
static struct job *add(struct plugin *p)
{
	struct job *j = calloc(1, sizeof *j), **at = &jobs;

	if (!j)
		return NULL;
	j->plugin = *p;
	memset(p, 0, sizeof *p);
	j->id = ++last_id;
	j->status = -1;
	j->listed = true;
	j->ready_watch.fd = -1;
	lines_init(&j->out);
	lines_init(&j->err);
	while (*at)
		at = &(*at)->next;
	*at = j;
	return j;
}

static struct job *of_path(const char *path)
{
	struct job *j;

	for (j = jobs; j; j = j->next)
		if (!j->forget && strcmp(j->plugin.path, path) == 0)
			return j;
	return NULL;
}

static bool changed(const struct stat *a, const struct stat *b)
{
	return a->st_ino != b->st_ino || a->st_dev != b->st_dev || a->st_size != b->st_size ||
		a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
		a->st_mtim.tv_nsec != b->st_mtim.tv_nsec || a->st_mode != b->st_mode ||
		a->st_uid != b->st_uid;
}

static void renew(struct job *j, const struct plugin *p)
{
	if (!changed(&j->plugin.st, &p->st))
		return;
	j->plugin.st = p->st;
	job_tell(j, "its file has changed: starting again");
	j->failures = 0;
	j->due_ms = 0;
	if (job_at_rest(j) || j->state == JOB_NEW) {
		job_begin(j);
		return;
	}
	j->again = true;
	job_stop(j);
}

static void drop(struct job *j)
{
	job_tell(j, "its file is gone or no longer runs here: ending");
	j->forget = true;
	j->again = false;
	if (job_at_rest(j) || j->state == JOB_NEW) {
		j->state = JOB_STOPPED;
		sweep_soon();
	} else {
		job_stop(j);
	}
}

static int adapt(struct plugins *ps, bool begin)
{
	struct job *j, *next;
	int i;

	for (j = jobs; j; j = j->next)
		j->listed = j->forget;
	for (i = 0; i < ps->n; i++) {
		struct plugin *p = &ps->v[i];

		if (p->decision != PLUGIN_RAN)
			continue;
		j = of_path(p->path);
		if (j) {
			j->listed = true;
			renew(j, p);
		} else {
			j = add(p);
			if (!j)
				return -1;
			if (begin)
				job_begin(j);
		}
	}
	for (j = jobs; j; j = next) {
		next = j->next;
		if (!j->listed)
			drop(j);
	}
	return 0;
}

static bool begun;

int supervise_scan(void)
{
	struct plugins ps = { 0 };
	int bad;

	if (ending)
		return 0;
	bad = supervise.find(&ps);
	if (!bad)
		bad = adapt(&ps, begun);
	plugins_free(&ps);
	return bad;
}

static void begin_all(void)
{
	struct job *j, *next;

	begun = true;
	for (j = jobs; j; j = next) {
		next = j->next;
		if (j->state == JOB_NEW && !ending)
			job_begin(j);
	}
	if (supervise.on_begun)
		supervise.on_begun();
	maybe_done();
}

static int start_main(void)
{
	struct child_spec c = {
		.argv = supervise.main_argv, .file = supervise.main_argv[0],
		.file_fd = -1, .out = -1, .err = -1, .ready = -1, .own_stdin = true,
		.keep_fds = true, .uid = (uid_t)-1, .env = environ,
	};
	struct span name = { c.file, strlen(c.file) };
	static char found[4096];

	if (plugin_which(name, job_house.rules->path, found, sizeof found))
		c.file = found;
	main_pid = child_start(&c);
	if (main_pid < 0)
		return -1;
	if (isatty(0) && tcgetpgrp(0) == supervise.group) {
		signal(SIGTTOU, SIG_IGN);
		tcsetpgrp(0, main_pid);
	}
	return 0;
}

/* What the plugins wrote last may still stand in their pipes. */
static void last_lines(void)
{
	int64_t end = clock_ms() + DRAIN_MS;
	struct job *j;

	for (j = jobs; j; j = j->next) {
		lines_drain(&j->out, end);
		lines_drain(&j->err, end);
	}
}

int supervise_run(void)
{
	if (supervise.main_argv && start_main() < 0)
		return EXIT_SYS;
	if (supervise.watch)
		watch_locations(supervise.locations);
	if (supervise.wait_for)
		wait_for_answer(supervise.wait_for, begin_all);
	else
		begin_all();
	loop_run();
	if (!kin_kill_all(LAST_MS))
		job_tell(NULL, "some processes could not be ended");
	last_lines();
	while (jobs)
		forget(jobs);
	sink_drain(job_house.sink, DRAIN_MS);
	return end_status;
}
