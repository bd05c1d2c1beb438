/* kin.h - every process below this one, however it tried to get away
 * SPDX-License-Identifier: Apache-2.0
 *
 * A subreaper inherits what its descendants leave behind, so whatever was
 * started stays below it: double forks and new sessions included. A process
 * is told from others of the family by a variable in its environment, or by
 * its cgroup.
 */
#ifndef KIN_H
#define KIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { KIN_MAX = 65536 };	/* processes looked at in one go */

#define KIN_MARK "LMC_PLUGIN_RUN"	/* NAME=PID.JOB in the environment */

struct kin {
	pid_t pid, parent, group;
	char  state;		/* as in /proc/PID/stat: R S D Z T ... */
	long  job;		/* from KIN_MARK with our pid, or its cgroup; -1: none of ours */
	uint64_t cpu_ticks;	/* user and system */
	uint64_t rss_pages;
	uint64_t start;		/* ticks after boot: tells a reused pid */
};

/* When that process began, in ticks after boot; 0: there is none. */
uint64_t kin_start(pid_t pid);

/* All descendants of this process, malloc'd, in order of pid; how many, or -1
 * with errno. marks: read .job too. */
int  kin_list(struct kin **out, bool marks);

/* SIGKILL for every descendant until there is none, at most ms long; children
 * from before kin_guard() and what is below them are let be. Reaps.
 * True when none is left. */
bool kin_kill_all(int64_t ms);

/* Splits this process in three, each the child of the one before and a
 * subreaper: the guardian, which the caller was, the warden, and the caller
 * as it goes on. The first two wait for the end of the one below, forward signals
 * to it, kill whatever it leaves behind, however it ended, and exit with its
 * status. *fd is readable when the warden is gone. So whichever of them is
 * killed, one that lives is an ancestor of all that is left and ends it. PID 1
 * needs none of this: *fd is -1. Signals stay blocked in the caller until its
 * loop takes them. 0, or -1 with errno. before_exit runs last. */
int  kin_guard(int *fd, void (*before_exit)(void));

/* For one that must not be killed between two steps: the caller goes on as a
 * child, which gets signo when the parent, that everybody knows and would kill,
 * is gone. The parent forwards SIGTERM and SIGINT, blocked in the child until its
 * loop takes them, and exits with its status. 0, or -1 with errno. */
int  kin_front(int signo);

#endif
