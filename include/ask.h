/* ask.h - how an applet that asks nodes runs: nodes, waiting, printing
 * SPDX-License-Identifier: Apache-2.0
 *
 * For applets only: like opt.h it may print and end the program. An applet
 * says what it asks and how one answer looks; ask() does the rest:
 *	-o table	rows in the order of the nodes
 *	-o json		one array in the order of the nodes, every element with
 *			node, status (HTTP, or null) and error (text, or null)
 *	-o jsonl	the same objects, one a line, as they come
 *	-o raw		the bytes of the answers
 * A node that fails is a line on stderr and counts in the exit status.
 */
#ifndef ASK_H
#define ASK_H

#include "call.h"
#include "out.h"

/* The nodes that the options mean; dies when there are none. */
struct call_nodes ask_nodes(bool changes);
/* Tells what the list lacks: EXIT_OK, or EXIT_REACH, which report_end() counts. */
int  ask_lacks(const struct call_nodes *ns);
/* One call for each node, made from *proto, run to the end; each() sees every
 * one as it ends (NULL: nobody). */
struct call *ask_all(const struct call_nodes *ns, const struct call *proto,
		     void (*each)(struct call *c));
void ask_end(struct call *calls, int n);
/* Waits for everything started with call_start(), telling a watching person
 * how far it is when it takes more than a second. */
void ask_wait(int total);

/* Until clock_ms() is `until`: runs what is under way and tells a watching
 * person how long it is to `end`, the last `until` of several. False: a signal
 * of ask_signals() ended it. */
bool ask_until(int64_t until, int64_t end);
/* From here on SIGINT, SIGTERM, SIGHUP and SIGQUIT are only noted, for who has
 * something to set back; what nohup has them ignore stays ignored. */
void ask_signals(void);
int  ask_signal(void);		/* the one that came, or 0 */
void ask_sleep(int64_t ms);	/* without a word, to the end, signals or not */

/* --- printing ---------------------------------------------------------------- */

struct report {
	enum out_form form;
	struct table  table;
	struct buf    json;
	int           exit;	/* the worst of all nodes */
	bool          open;
};

/* heads: the columns, NODE first. */
void report_begin(struct report *r, const char *const *heads);
/* Begins a node's object, with node, status and error; tells an error. */
void report_node(struct report *r, const struct call_node *n, int status,
		 int exit, const char *error);
void report_call(struct report *r, const struct call *c);	/* the same of a call */
void report_done(struct report *r);	/* ends the object; jsonl prints it */
int  report_end(struct report *r);	/* prints; the exit status */
void ask_put(const struct buf *b);	/* to stdout */

/* --- the common case ------------------------------------------------------------ */

struct ask {
	struct call proto;		/* ways, arg, query, body, flags, ... */
	bool        changes;
	const char *const *heads;	/* the columns, NODE first */
	/* Both are called for answers that are fine; NULL: nothing. */
	void (*rows)(struct table *t, struct call *c);
	void (*json)(struct buf *b, struct call *c);	/* members of the object */
	void (*check)(struct call *c);	/* may call_fail() an answer */
};

int ask(const struct ask *a);

/* Dies if -o raw is wanted of what is made of several answers. */
void ask_not_raw(void);

/* Before something is destroyed: --yes, or a person at a terminal who types
 * it. Dies otherwise. */
void ask_sure(bool yes, const char *what);

#endif
