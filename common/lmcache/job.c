/* job.c - the life of one plugin: started, watched, ended, started again
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "child.h"
#include "clock.h"
#include "job.h"
#include "job_launch.h"
#include "kin.h"

const char *const job_states[] = {
	"new", "up", "stopping", "killed", "backoff", "scheduled", "done", "stopped", "failed"
};

struct job_house job_house;

enum { SCHEDULE_LOOK_MS = 60000 };

void job_tell(const struct job *j, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof text)
		n = sizeof text - 1;
	if (n > 0)
		sink_line(job_house.sink, j ? j->plugin.file : "lmc", STREAM_LMC,
			  text, (size_t)n);
}

#define OWNER(t, field) ((struct job *)((char *)(t) - offsetof(struct job, field)))

bool job_stopping(const struct job *j)
{
	return j->state == JOB_STOPPING || j->state == JOB_KILLED;
}

bool job_at_rest(const struct job *j)
{
	return j->state == JOB_DONE || j->state == JOB_STOPPED || j->state == JOB_FAILED;
}

int job_signal(const struct job *j, int signo)
{
	struct kin *v;
	int n = kin_list(&v, true), i, sent = 0;

	/* just forked, it may have no session yet */
	if (j->pid > 0 && kill(-j->pid, signo) < 0)
		kill(j->pid, signo);
	for (i = 0; i < n; i++)
		if (v[i].job == j->id && v[i].state != 'Z' &&
		    (v[i].group != j->pid || j->pid == 0)) {
			kill(v[i].pid, signo);
			sent++;
		}
	free(v);
	return sent + (j->pid > 0);
}

static void fail(struct job *j)
{
	j->state = JOB_FAILED;
	timer_stop(&j->start);
	job_house.on_quiet(j);
}

static void start_due(struct timer *t)
{
	job_start(OWNER(t, start));
}

/* Wall clocks jump: a timer is never set further ahead than a minute. */
static void look_at_clock(struct timer *t)
{
	struct job *j = OWNER(t, start);
	int64_t left = (int64_t)j->due * 1000 - clock_wall_ms();

	if (left <= 0)
		job_start(j);
	else
		timer_set(t, loop_now() + (left < SCHEDULE_LOOK_MS ? left : SCHEDULE_LOOK_MS),
			  look_at_clock);
}

/* Runs that are due while one is still going are left out. */
static void schedule(struct job *j)
{
	const struct cron *c = &j->note.schedule;
	int64_t now = loop_now();

	j->state = JOB_SCHEDULED;
	if (c->kind == CRON_FIELDS) {
		j->due = cron_next(c, (time_t)(clock_wall_ms() / 1000));
		look_at_clock(&j->start);
		return;
	}
	if (!j->due_ms)
		j->due_ms = now;
	else
		while (j->due_ms <= now)
			j->due_ms += c->every_ms * ((now - j->due_ms) / c->every_ms + 1);
	timer_set(&j->start, j->due_ms, start_due);
}

void job_begin(struct job *j)
{
	if (job_look(j) < 0)
		fail(j);
	else if (j->note.schedule.kind != CRON_NONE)
		schedule(j);
	else
		job_start(j);
}

static void too_long(struct timer *t)
{
	struct job *j = OWNER(t, limit);

	job_tell(j, "ran longer than its timeout of %lld ms", (long long)j->note.timeout_ms);
	j->again = j->note.schedule.kind != CRON_NONE;
	job_stop(j);
}

void job_start(struct job *j)
{
	timer_stop(&j->start);
	/* what the run before left behind has had its SIGTERM */
	if (j->starts) {
		job_signal(j, SIGKILL);
		cgroup_kill(j->id);
	}
	if (job_launch(j) < 0) {
		fail(j);
		return;
	}
	j->state = JOB_UP;
	j->starts++;
	j->started_ms = loop_now();
	j->started_wall = clock_wall_ms();
	if (j->note.timeout_ms)
		timer_set(&j->limit, loop_now() + j->note.timeout_ms, too_long);
	job_tell(j, "started, pid %d", (int)j->pid);
}

static void grace_over(struct timer *t)
{
	struct job *j = OWNER(t, kill);

	if (j->state == JOB_STOPPING)
		job_tell(j, "did not end within its grace: killed");
	job_kill(j);
}

void job_kill(struct job *j)
{
	j->state = JOB_KILLED;
	cgroup_kill(j->id);
	if (job_signal(j, SIGKILL) == 0 && j->pid == 0)
		job_quiet(j);
}

void job_stop(struct job *j)
{
	int64_t grace = j->note.grace_ms >= 0 ? j->note.grace_ms : job_house.grace_ms;
	bool up = j->pid > 0;

	timer_stop(&j->start);
	timer_stop(&j->limit);
	if (j->kill.due)
		return;
	j->state = JOB_STOPPING;
	if (job_signal(j, SIGTERM) == 0 && !up) {
		job_quiet(j);
		return;
	}
	timer_set(&j->kill, loop_now() + grace, grace_over);
}

void job_quiet(struct job *j)
{
	timer_stop(&j->kill);
	timer_stop(&j->limit);
	j->state = JOB_STOPPED;
	job_close(j);
	if (j->again && !j->forget) {
		j->again = false;
		job_begin(j);
		return;
	}
	job_house.on_quiet(j);
}

static enum restart policy(const struct job *j)
{
	return j->note.restart ? j->note.restart : job_house.restart;
}

static void back_off(struct job *j)
{
	int64_t least = job_house.backoff_ms;

	j->backoff_ms = j->failures > 1 ? j->backoff_ms * 2 : least;
	if (j->backoff_ms > job_house.backoff_max_ms)
		j->backoff_ms = job_house.backoff_max_ms;
	j->state = JOB_BACKOFF;
	job_signal(j, SIGTERM);
	timer_set(&j->start, loop_now() + j->backoff_ms, start_due);
	job_tell(j, "starts again in %lld ms", (long long)j->backoff_ms);
}

static void after_end(struct job *j)
{
	bool bad = j->status != 0;
	bool again = policy(j) == RESTART_ALWAYS || (bad && policy(j) == RESTART_ON_FAILURE);

	if (j->note.schedule.kind != CRON_NONE) {
		schedule(j);
		return;
	}
	if (loop_now() - j->started_ms >= job_house.stable_ms)
		j->failures = 0;
	j->failures++;
	if (!again) {
		j->state = JOB_DONE;
		job_house.on_quiet(j);
	} else if (job_house.restart_limit && (long)j->failures > job_house.restart_limit) {
		job_tell(j, "ended %lu times in a row: given up", j->failures);
		fail(j);
	} else {
		back_off(j);
	}
}

void job_reaped(struct job *j, int status)
{
	long ooms = cgroup_ooms(j->id);

	j->pid = 0;
	j->status = status;
	j->ready = false;
	timer_stop(&j->limit);
	job_tell(j, ooms > j->ooms ? "%s: over its memory" : "%s", child_end(status));
	j->ooms = ooms;
	if (!job_stopping(j))
		after_end(j);
}

void job_free(struct job *j)
{
	timer_stop(&j->start);
	timer_stop(&j->kill);
	timer_stop(&j->limit);
	job_close(j);
	lines_free(&j->out);
	lines_free(&j->err);
	plugin_free(&j->plugin);
	free(j);
}
