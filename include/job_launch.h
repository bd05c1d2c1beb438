/* job_launch.h - the part of a job that opens, forks and reads
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef JOB_LAUNCH_H
#define JOB_LAUNCH_H

#include "job.h"

/* Decides again and reads the plugin's notes. 0, or -1 when it does not run
 * (told). */
int  job_look(struct job *j);
/* The same, and starts it from the descriptor that was looked at. */
int  job_launch(struct job *j);
/* Takes the rest of its output and lets go of its pipes. */
void job_close(struct job *j);

#endif
