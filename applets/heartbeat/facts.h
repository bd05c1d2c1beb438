/* facts.h - what a heartbeat announces, asked of the nodes again and again
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef FACTS_H
#define FACTS_H

#include "beat.h"

/* As options give it; NULL or 0: found out. */
struct facts_given {
	const char *api, *host, *version, *id, *startup_time;
	long pid, port;
	bool node;	/* announce the one node meant, not a frontend */
	void (*trouble)(const char *why);	/* the nodes are not to be had */
};

extern struct beat_facts facts;

/* Dies when what is given is wrong. */
void facts_init(const struct facts_given *g);
/* Are the facts fresh enough for a beat? False: the nodes are being asked, run
 * the calls and ask again; it becomes true in the end, whatever the nodes do.
 * The first time they are given the whole --timeout, later patience_ms. */
bool facts_fresh(int64_t patience_ms);

#endif
