/* serve.c - a process full of simulated nodes
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "demo.h"
#include "die.h"
#include "log.h"

static struct server server;
static struct sim **sims;
static int nsims;

static void ended(struct server *s)
{
	(void)s;
	loop_stop();
}

static void stop(int signo)
{
	int i;

	(void)signo;
	for (i = 0; i < nsims; i++)
		sim_unlisten(sims[i]);
	server.on_drained = ended;
	server_drain(&server);
}

static void lifeline_on(struct watch *w, unsigned ready)
{
	char byte;

	(void)ready;
	if (read(w->fd, &byte, 1) == 0)
		stop(0);
}

static void start_one(const struct demo *d, int i, struct buf *bound)
{
	struct buf text = BUF(1024);

	addr_print(&d->at[i], &text);
	sims[i] = sim_new(&d->node[i]);
	if (sim_listen(sims[i], &server, &d->at[i]) < 0) {
		int err = errno;

		stop(0);	/* no socket of the others stays behind */
		errno = err;
		die(EXIT_SYS, "unable to listen on %s:", text.p);
	}
	buf_reset(&text);
	addr_print(&sims[i]->listener.addr, &text);
	buf_printf(bound, "%s\n", text.p);
	if (!d->quiet)
		log_event(LOG_INFO, "listening", "addr", text.p, "node", d->node[i].name,
			  "simulated", "yes", NULL);
	buf_free(&text);
}

/* Hundreds of nodes need more descriptors than the usual soft limit. */
static void more_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

int demo_serve(const struct demo *d, int ready_fd, int lifeline)
{
	static struct watch watch = { .fd = -1 };
	struct buf bound = BUF(1 << 20);

	more_descriptors();
	signal(SIGPIPE, SIG_IGN);
	sim_server(&server);
	if (loop_init() < 0 || loop_signal(SIGTERM, stop) < 0 ||
	    loop_signal(SIGINT, stop) < 0 || loop_signal(SIGHUP, stop) < 0)
		die(EXIT_SYS, "unable to start the event loop:");
	sims = xcalloc((size_t)d->n + 1, sizeof *sims);
	for (nsims = 0; nsims < d->n; nsims++)
		start_one(d, nsims, &bound);
	if (lifeline >= 0 && watch_add_level(&watch, lifeline, lifeline_on) < 0)
		die(EXIT_SYS, "unable to watch the guardian:");
	if (bound.bad || (ready_fd >= 0 && net_ready(ready_fd, bound.p) < 0))
		die(EXIT_SYS, "unable to write to descriptor %d:", ready_fd);
	buf_free(&bound);
	loop_run();
	return EXIT_OK;
}
