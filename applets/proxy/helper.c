/* helper.c - this program started again beside the frontend, and kept running
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "helper.h"
#include "log.h"

enum {
	FIRST_DELAY = 1000, MOST_DELAY = 60000,	/* ms until it is started again */
	GRACE_MS = 3000,			/* from SIGTERM to SIGKILL */
	PIECE = 16 << 10			/* bytes read at a time */
};

#define HELPER(field, p) \
	((struct helper *)(void *)((char *)(p) - offsetof(struct helper, field)))

static struct helper *helpers;
static void (*when_gone)(void);

static void start_timed(struct timer *t);

/* ---- its lines ---- */

static void too_long(struct helper *h)
{
	if (!h->skipping)
		log_event(LOG_WARN, "line left out", "helper", h->name,
			  "reason", "it is too long", NULL);
	h->skipping = true;
}

/* The whole lines of what has come. */
static void give_lines(struct helper *h)
{
	char *p = h->part.p, *end = p + h->part.len, *eol;

	while (h->part.len && (eol = memchr(p, '\n', (size_t)(end - p)))) {
		*eol = '\0';
		if ((size_t)(eol - p) > h->line_max)
			too_long(h);
		if (!h->skipping && h->wanted)
			h->line(h, p, (size_t)(eol - p));
		h->skipping = false;
		p = eol + 1;
	}
	buf_drop(&h->part, (size_t)(p - h->part.p));
	if (h->part.len > h->line_max) {
		too_long(h);
		buf_reset(&h->part);
	}
}

static void close_out(struct helper *h)
{
	int fd = h->out.fd;

	if (fd < 0)
		return;
	watch_del(&h->out);
	close(fd);
	buf_free(&h->part);
	h->skipping = false;
}

/* 1: there may be more; 0: not now; -1: never. */
static int read_piece(struct helper *h)
{
	ssize_t n;

	if (buf_room(&h->part, PIECE) < 0)
		return -1;
	n = read(h->out.fd, h->part.p + h->part.len, PIECE);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0)
		return -1;
	h->part.len += (size_t)n;
	give_lines(h);
	return 1;
}

static void readable(struct watch *w, unsigned bits)
{
	(void)bits;
	if (read_piece(HELPER(out, w)) < 0)
		close_out(HELPER(out, w));
}

/* ---- its life ---- */

static void later(struct helper *h)
{
	timer_set(&h->timer, loop_now() + h->delay, start_timed);
	h->delay = h->delay * 2 < MOST_DELAY ? h->delay * 2 : MOST_DELAY;
}

static void failed(struct helper *h)
{
	log_event(LOG_ERROR, "helper not started", "helper", h->name,
		  "reason", strerror(errno), NULL);
	later(h);
}

static int start(struct helper *h)
{
	struct child_spec c = {
		.argv = h->argv, .file = "/proc/self/exe", .env = environ,
		.file_fd = -1, .out = -1, .err = -1, .ready = -1,
		.session = true, .uid = (uid_t)-1,
	};
	int fd[2] = { -1, -1 };

	if (h->line && pipe2(fd, O_CLOEXEC) < 0)
		return -1;
	c.out = fd[1];
	h->pid = child_start(&c);
	if (fd[1] >= 0)
		close(fd[1]);
	h->since = loop_now();
	h->part = (struct buf)BUF(h->line_max + PIECE);
	if (h->pid < 0)
		h->pid = 0;
	else if (fd[0] < 0)
		return 0;
	else if (fcntl(fd[0], F_SETFL, O_NONBLOCK) == 0 &&
		 watch_add_level(&h->out, fd[0], readable) == 0)
		return 0;
	if (fd[0] >= 0)
		close(fd[0]);	/* one that nobody listens to ends by SIGPIPE */
	return -1;
}

static void start_now(struct helper *h)
{
	if (start(h) < 0 && !h->pid)
		failed(h);
	else if (h->began)
		h->began(h);
}

static void start_timed(struct timer *t)
{
	start_now(HELPER(timer, t));
}

static void kill_timed(struct timer *t)
{
	struct helper *h = HELPER(timer, t);

	if (h->pid)
		kill(h->pid, SIGKILL);
}

static void look_if_gone(void)
{
	void (*then)(void) = when_gone;

	for (struct helper *h = helpers; h; h = h->next)
		if (h->pid || h->wanted)
			return;
	when_gone = NULL;
	if (then)
		then();
}

static void ended(struct helper *h, int status)
{
	h->pid = 0;
	timer_stop(&h->timer);
	while (h->out.fd >= 0 && read_piece(h) > 0)
		;
	close_out(h);
	if (!h->wanted)
		return;
	if (h->again) {
		h->again = false;
		start_now(h);
		return;
	}
	log_event(LOG_WARN, "helper ended, it is started again", "helper", h->name,
		  "reason", child_end(status), NULL);
	if (loop_now() - h->since > MOST_DELAY)
		h->delay = FIRST_DELAY;
	later(h);
}

static void on_child(int signo)
{
	int status;

	(void)signo;
	for (struct helper *h = helpers; h; h = h->next)
		if (h->pid && waitpid(h->pid, &status, WNOHANG) == h->pid)
			ended(h, status);
	look_if_gone();
}

void helper_start(struct helper *h)
{
	if (h->wanted)
		return;
	if (!helpers && loop_signal(SIGCHLD, on_child) < 0)
		log_event(LOG_ERROR, "the end of helpers will not be seen",
			  "reason", strerror(errno), NULL);
	if (!h->known) {
		h->known = true;
		h->out.fd = -1;
		h->next = helpers;
		helpers = h;
	}
	h->wanted = true;
	h->delay = FIRST_DELAY;
	/* the one before may still be ending */
	h->again = h->pid != 0;
	if (h->again)
		kill(h->pid, SIGKILL);
	else
		start_now(h);
}

void helper_stop(struct helper *h, bool at_once)
{
	h->wanted = false;
	timer_stop(&h->timer);
	if (!h->pid)
		return;
	kill(h->pid, at_once ? SIGKILL : SIGTERM);
	timer_set(&h->timer, loop_now() + GRACE_MS, kill_timed);
}

void helpers_stop(bool at_once)
{
	for (struct helper *h = helpers; h; h = h->next)
		helper_stop(h, at_once);
}

void helpers_wait(void (*then)(void))
{
	when_gone = then;
	look_if_gone();
}
