/* job.h - one plugin under supervision
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef JOB_H
#define JOB_H

#include <sys/types.h>

#include "lines.h"
#include "note.h"
#include "plugin_env.h"

enum job_state {
	JOB_NEW,	/* not started yet */
	JOB_UP,
	JOB_STOPPING,	/* told to end: SIGTERM */
	JOB_KILLED,	/* SIGKILL sent */
	JOB_BACKOFF,	/* waits to be started again */
	JOB_SCHEDULED,	/* waits for its time */
	JOB_DONE,	/* ended, and that was that */
	JOB_STOPPED,	/* ended because it was told to */
	JOB_FAILED	/* cannot be started, or failed too often */
};
extern const char *const job_states[];

struct job {
	struct plugin plugin;
	struct note   note;
	struct job   *next;
	long   id;
	enum job_state state;
	pid_t  pid;			/* 0: its first process is not running */
	bool   again;			/* start it once it has stopped */
	bool   forget;			/* its file is gone: free it once it has stopped */
	bool   ready;
	bool   listed;			/* seen by the scan under way */
	int    status;			/* last end, as waitpid gave it; -1: none yet */
	unsigned long starts, failures;	/* failures in a row */
	long    ooms;			/* cgroup_ooms() up to its last end */
	int64_t started_ms, started_wall;
	int64_t backoff_ms;
	time_t  due;			/* JOB_SCHEDULED by fields: wall clock */
	int64_t due_ms;			/* next start of an interval */
	struct timer start, kill, limit;
	struct watch ready_watch;
	struct lines out, err;
};

/* What every job has in common; set once. */
struct job_house {
	const struct plugin_rules *rules;
	const struct plugin_conf  *conf;
	struct sink *sink;
	char **env;			/* ends with NULL */
	int64_t grace_ms, backoff_ms, backoff_max_ms, stable_ms;
	long    restart_limit;		/* failures in a row; 0: no limit */
	enum restart restart;
	bool    by_path;		/* scripts by name, not by descriptor */
	void  (*on_quiet)(struct job *j);	/* stopped or done, nothing of it left */
};
extern struct job_house job_house;

/* Starts, or says why not. A scheduled job waits for its time instead. */
void job_begin(struct job *j);
void job_start(struct job *j);
/* SIGTERM to all of it; then, when grace is over, SIGKILL. */
void job_stop(struct job *j);
void job_kill(struct job *j);
/* Its first process ended. */
void job_reaped(struct job *j, int status);
/* Nothing of a stopping job is left. */
void job_quiet(struct job *j);
bool job_stopping(const struct job *j);
bool job_at_rest(const struct job *j);	/* nothing runs and nothing will by itself */
/* Sends to every process that carries the job's mark; returns how many. */
int  job_signal(const struct job *j, int signo);
void job_free(struct job *j);

/* A line about a job, or (NULL) about us, into the sink. */
void job_tell(const struct job *j, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
