/* loop.c - one event loop per process: descriptors, timers, signals
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"
#include "loop.h"

#define QUIET (EPOLLIN | EPOLLRDHUP | EPOLLET)

enum {
	BATCH      = 64,		/* events fetched per turn */
	TIMERS_MAX = 1 << 20
};

struct heap_row {
	int64_t       key;		/* <= timer->due: moving later costs nothing */
	struct timer *timer;
};

static int epoll_fd = -1, signal_fd = -1;
static bool running;
static int64_t now;

static struct epoll_event batch[BATCH];
static int batch_at, batch_n;

static struct heap_row *heap;		/* heap[1] is the earliest */
static int heap_n, heap_cap;

static struct task *tasks, **tasks_end = &tasks;

static sigset_t signal_set;
static void (*signal_on[65])(int);
static struct watch signal_watch;
static void (*each_turn)(void);

/* ---- descriptors ---- */

static int add(struct watch *w, int fd, unsigned events,
	       void (*on)(struct watch *, unsigned))
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	w->fd = fd;
	w->on = on;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0)
		return 0;
	w->fd = -1;
	return -1;
}

int watch_add(struct watch *w, int fd, void (*on)(struct watch *, unsigned))
{
	w->out = true;
	return add(w, fd, QUIET | EPOLLOUT, on);
}

int watch_add_quiet(struct watch *w, int fd, void (*on)(struct watch *, unsigned))
{
	w->out = false;
	return add(w, fd, QUIET, on);
}

void watch_out(struct watch *w, bool wanted)
{
	struct epoll_event ev = {
		.events = QUIET | (wanted ? EPOLLOUT : 0), .data.ptr = w
	};

	if (w->fd < 0 || w->out == wanted)
		return;
	w->out = wanted;
	epoll_ctl(epoll_fd, EPOLL_CTL_MOD, w->fd, &ev);
}

int watch_add_level(struct watch *w, int fd, void (*on)(struct watch *, unsigned))
{
	return add(w, fd, EPOLLIN, on);
}

void watch_del(struct watch *w)
{
	if (w->fd < 0)
		return;
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
	for (int i = batch_at; i < batch_n; i++)
		if (batch[i].data.ptr == w)
			batch[i].data.ptr = NULL;
}

/* ---- timers: a binary heap whose keys may be early ---- */

static void put(int slot, struct heap_row row)
{
	heap[slot] = row;
	row.timer->slot = slot;
}

static void sift_up(int slot)
{
	struct heap_row row = heap[slot];

	while (slot > 1 && heap[slot / 2].key > row.key) {
		put(slot, heap[slot / 2]);
		slot /= 2;
	}
	put(slot, row);
}

static void sift_down(int slot)
{
	struct heap_row row = heap[slot];

	for (;;) {
		int child = slot * 2;

		if (child > heap_n)
			break;
		if (child < heap_n && heap[child + 1].key < heap[child].key)
			child++;
		if (heap[child].key >= row.key)
			break;
		put(slot, heap[child]);
		slot = child;
	}
	put(slot, row);
}

static int heap_room(void)
{
	struct heap_row *more;
	int cap = heap_cap ? heap_cap * 2 : 64;

	if (heap_n + 1 < heap_cap)
		return 0;
	if (cap > TIMERS_MAX) {
		errno = ENOMEM;
		return -1;
	}
	more = realloc(heap, (size_t)cap * sizeof *heap);
	if (!more)
		return -1;
	heap = more;
	heap_cap = cap;
	return 0;
}

int timer_set(struct timer *t, int64_t due, void (*on)(struct timer *))
{
	t->on = on;
	t->due = due;
	if (t->slot) {
		if (due < heap[t->slot].key) {
			heap[t->slot].key = due;
			sift_up(t->slot);
		}
		return 0;
	}
	if (heap_room() < 0)
		return -1;
	heap[++heap_n] = (struct heap_row){ due, t };
	sift_up(heap_n);
	return 0;
}

void timer_stop(struct timer *t)
{
	int slot = t->slot;

	t->due = 0;
	if (!slot)
		return;
	t->slot = 0;
	if (slot != heap_n) {
		put(slot, heap[heap_n--]);
		sift_up(slot);
		sift_down(slot);
	} else {
		heap_n--;
	}
}

static void run_timers(void)
{
	while (heap_n && heap[1].key <= now) {
		struct timer *t = heap[1].timer;

		if (t->due > now) {
			heap[1].key = t->due;
			sift_down(1);
			continue;
		}
		timer_stop(t);
		t->on(t);
	}
}

/* ---- tasks ---- */

void task_later(struct task *t, void (*on)(struct task *))
{
	t->on = on;
	if (t->queued)
		return;
	t->queued = true;
	t->next = NULL;
	*tasks_end = t;
	tasks_end = &t->next;
}

void task_cancel(struct task *t)
{
	struct task **at = &tasks;

	if (!t->queued)
		return;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	if (tasks_end == &t->next)
		tasks_end = at;
	t->queued = false;
}

/* What a task queues waits for the next turn. */
static void run_tasks(void)
{
	static struct task mark;

	if (!tasks)
		return;
	task_later(&mark, NULL);
	while (tasks != &mark) {
		struct task *t = tasks;

		task_cancel(t);
		t->on(t);
	}
	task_cancel(&mark);
}

/* ---- signals ---- */

static void signals_ready(struct watch *w, unsigned ready)
{
	struct signalfd_siginfo info;

	(void)ready;
	while (read(w->fd, &info, sizeof info) == sizeof info)
		if (info.ssi_signo < 65 && signal_on[info.ssi_signo])
			signal_on[info.ssi_signo]((int)info.ssi_signo);
}

int loop_signal(int signo, void (*on)(int))
{
	int fd;

	signal_on[signo] = on;
	sigaddset(&signal_set, signo);
	if (sigprocmask(SIG_BLOCK, &signal_set, NULL) < 0)
		return -1;
	fd = signalfd(signal_fd, &signal_set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -1;
	if (signal_fd >= 0)
		return 0;
	signal_fd = fd;
	return watch_add_level(&signal_watch, fd, signals_ready);
}

/* ---- the turn ---- */

int64_t loop_now(void)
{
	return now;
}

int loop_init(void)
{
	now = clock_ms();
	if (epoll_fd >= 0)
		return 0;
	sigemptyset(&signal_set);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return epoll_fd < 0 ? -1 : 0;
}

static unsigned ready_bits(unsigned events)
{
	unsigned ready = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))
		ready |= READY_IN;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		ready |= READY_OUT;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		ready |= READY_END;
	if (events & (EPOLLHUP | EPOLLERR))
		ready |= READY_GONE;
	return ready;
}

static int wait_ms(void)
{
	int64_t left;

	if (tasks)
		return 0;
	if (!heap_n)
		return -1;
	left = heap[1].key - now;
	return left < 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
}

static void turn(void)
{
	batch_n = epoll_wait(epoll_fd, batch, BATCH, wait_ms());
	now = clock_ms();
	for (batch_at = 0; batch_at < batch_n; ) {
		struct epoll_event *ev = &batch[batch_at++];
		struct watch *w = ev->data.ptr;

		if (w)
			w->on(w, ready_bits(ev->events));
	}
	batch_n = 0;
	run_timers();
	run_tasks();
	if (each_turn)
		each_turn();
}

void loop_run(void)
{
	running = true;
	while (running)
		turn();
}

void loop_stop(void)
{
	running = false;
}

void loop_each_turn(void (*on)(void))
{
	each_turn = on;
}
