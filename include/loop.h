/* loop.h - one event loop per process: descriptors, timers, signals
 * SPDX-License-Identifier: Apache-2.0
 *
 * Descriptors are registered once, edge-triggered, for all they can do; the
 * owner remembers what is ready and works until EAGAIN. After loop_run()
 * begins nothing in here dies.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

enum {
	READY_IN  = 1,		/* readable, or ended */
	READY_OUT = 2,		/* writable */
	READY_END = 4,		/* the peer closed its side, or an error waits */
	READY_GONE = 8		/* both sides are closed, or an error waits */
};

struct watch {
	int  fd;		/* -1: not registered */
	bool out;		/* READY_OUT is asked for */
	void (*on)(struct watch *w, unsigned ready);	/* READY_ bits */
};

/* Edge-triggered for everything, or level-triggered for reading only
 * (listeners). 0, or -1 with errno. */
int  watch_add(struct watch *w, int fd, void (*on)(struct watch *, unsigned));
/* The same but silent about READY_OUT until watch_out(w, true): a UNIX socket
 * reports room after every read of its peer, which nobody waits for. */
int  watch_add_quiet(struct watch *w, int fd, void (*on)(struct watch *, unsigned));
void watch_out(struct watch *w, bool wanted);
int  watch_add_level(struct watch *w, int fd, void (*on)(struct watch *, unsigned));
/* Before close(fd). Safe inside any callback: an event already fetched for
 * this watch is not delivered. */
void watch_del(struct watch *w);

/* Set to all zeroes before first use. timer_set on a running timer moves it. */
struct timer {
	int64_t due;		/* loop_now() scale, ms; 0: not running */
	int     slot;		/* place in the heap, from 1; 0: none */
	void  (*on)(struct timer *t);
};
int  timer_set(struct timer *t, int64_t due, void (*on)(struct timer *));
void timer_stop(struct timer *t);

/* Calls on() once after this turn's events (work put off for fairness, or
 * freeing). Queued once however often it is asked for. */
struct task {
	struct task *next;
	bool queued;
	void (*on)(struct task *t);
};
void task_later(struct task *t, void (*on)(struct task *));
void task_cancel(struct task *t);

int64_t loop_now(void);		/* ms, monotonic, read once per turn */

int  loop_init(void);		/* once; 0 or -1 */
/* on(signo) runs in the loop; the signal's default action is off from here. */
int  loop_signal(int signo, void (*on)(int signo));
void loop_run(void);		/* until loop_stop() */
void loop_stop(void);
/* Called once per turn after all events, for batched output; NULL: none. */
void loop_each_turn(void (*on)(void));

#endif
