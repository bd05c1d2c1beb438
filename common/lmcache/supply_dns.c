/* supply_dns.c - a registry that is a name with many addresses
 * SPDX-License-Identifier: Apache-2.0
 *
 * "dns:NAME:PORT": A and AAAA records, as a headless Service of Kubernetes has
 * them. libc's resolver blocks, so a thread waits for it.
 */
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "die.h"
#include "net.h"
#include "supply.h"

enum { LOOK_MS = 20, LOOK_SLOWLY_MS = 200 };

enum { LOOKING, READY, LEFT };

/* Freed by who comes last: the thread when nobody waits any more. */
struct lookup {
	_Atomic int state;
	char host[ADDR_HOST];
	int  rc;
	struct addrinfo *list;
};

struct dns {
	struct addr at;
	struct lookup *job;
	int64_t since;
};

static int open_dns(struct supply *s)
{
	struct dns *d = xcalloc(1, sizeof *d);
	const char *why;

	if (addr_parse(&d->at, s->spec + 4, -1, &why) < 0 || d->at.kind != ADDR_TCP) {
		free(d);
		return WRONG(s, "not NAME:PORT");
	}
	s->state = d;
	s->due = 1;
	return 0;
}

static void *look_up(void *arg)
{
	struct addrinfo want = { .ai_socktype = SOCK_STREAM };
	struct lookup *job = arg;
	int left = LOOKING;

	job->rc = getaddrinfo(job->host, NULL, &want, &job->list);
	if (atomic_compare_exchange_strong(&job->state, &left, READY))
		return NULL;
	if (!job->rc)
		freeaddrinfo(job->list);
	free(job);
	return NULL;
}

static void start(struct supply *s, struct dns *d)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	d->job = xcalloc(1, sizeof *d->job);
	memcpy(d->job->host, d->at.host, sizeof d->job->host);
	d->since = clock_ms();
	s->due = d->since + LOOK_MS;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attr, look_up, d->job);
	pthread_attr_destroy(&attr);
	if (rc == 0)
		return;
	free(d->job);
	d->job = NULL;
	s->due = d->since + s->interval;
	supply_fail(s, "no thread to look it up: %s", strerror(rc));
}

static void take(struct supply *s, const struct dns *d, const struct lookup *job)
{
	char host[ADDR_HOST], text[ADDR_HOST + 16];

	if (job->rc) {
		supply_fail(s, "%s: %s", d->at.host, gai_strerror(job->rc));
		return;
	}
	supply_begin(s);
	for (const struct addrinfo *i = job->list; i; i = i->ai_next) {
		if (net_host(i->ai_addr, host) < 0)
			continue;
		snprintf(text, sizeof text, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host,
			 d->at.port);
		supply_address(s, NULL, text, SUPPLY_ANY, false);
	}
	freeaddrinfo(job->list);
	supply_end(s);
}

/* Its thread has to end by itself; nobody waits for it any more. */
static void leave(struct dns *d)
{
	int looking = LOOKING;

	if (!d->job)
		return;
	if (!atomic_compare_exchange_strong(&d->job->state, &looking, LEFT)) {
		if (!d->job->rc)
			freeaddrinfo(d->job->list);
		free(d->job);
	}
	d->job = NULL;
}

static void tick(struct supply *s)
{
	struct dns *d = s->state;
	struct lookup *job = d->job;
	int64_t now = clock_ms();

	if (!job) {
		start(s, d);
	} else if (atomic_load(&job->state) == READY) {
		d->job = NULL;
		s->due = now + s->interval;
		take(s, d, job);
		free(job);
	} else if (now - d->since > s->timeout) {
		leave(d);
		s->due = now + s->interval;
		supply_fail(s, "%s: no answer within %lld ms", d->at.host,
			    (long long)s->timeout);
	} else {
		s->due = now + (now - d->since < LOOK_SLOWLY_MS ? LOOK_MS
								: LOOK_SLOWLY_MS);
	}
}

static void close_dns(struct supply *s)
{
	leave(s->state);
	free(s->state);
}

const struct supply_kind supply_dns = { "dns:", open_dns, tick, close_dns };
