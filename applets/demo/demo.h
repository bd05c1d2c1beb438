/* demo.h - the demo's processes; private to the demo
 * SPDX-License-Identifier: Apache-2.0
 *
 * Three processes. The guardian is the one that was started: it waits, and
 * ends the others. The simulator serves all nodes. The frontend is this
 * program again, as `proxy`. Guardian and simulator watch each other: when
 * one of them is killed, the other takes the rest away.
 */
#ifndef DEMO_H
#define DEMO_H

#include "sim.h"

struct demo {
	struct sim_options *node;
	struct addr *at;	/* where each listens */
	int n;
	const char **listen;	/* of the frontend */
	int nlisten;
	int ready_fd;		/* -1: none */
	bool once, quiet;
};

/* Serves the nodes until a signal comes or the other end of lifeline (-1:
 * none) is closed. ready_fd gets the bound addresses. The exit status. */
int demo_serve(const struct demo *d, int ready_fd, int lifeline);

/* All of it: directory, simulator, frontend. Fills d->at. */
int demo_house(struct demo *d);

/* Asks the frontend about every node, prints each check; EXIT_OK or EXIT_NO.
 * Gives up when stop_fd becomes readable. */
int demo_check(const struct demo *d, const struct addr *frontend, int stop_fd);

#endif
