/* check.c - `lmc demo --once`: the demo looks at itself through the frontend
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "demo.h"
#include "die.h"
#include "http.h"
#include "node.h"
#include "url.h"

enum {
	PATIENCE_MS = 5000,	/* for one answer */
	ANSWER_MAX  = 8 << 20
};

struct answer {
	int status;		/* 0: none; then why is said */
	const char *why;
	char *body;
	size_t n;
	struct buf all;
};

static bool quiet;	/* say only what is wrong */

/* 0 when fd is ready for what, or -1. */
static int await(int fd, short what, int64_t until, int stop_fd, const char **why)
{
	struct pollfd p[2] = { { fd, what, 0 }, { stop_fd, POLLIN, 0 } };
	int64_t left = until - clock_ms();
	int n = poll(p, 2, left > 0 ? (int)left : 0);

	*why = n == 0 ? "no answer in time" : "stopped";
	return n > 0 && p[0].revents ? 0 : -1;
}

static int send_all(int fd, const char *p, size_t n, int64_t until, int stop_fd, const char **why)
{
	ssize_t put;

	while (n) {
		if (await(fd, POLLOUT, until, stop_fd, why) < 0)
			return -1;
		put = write(fd, p, n);
		if (put < 0 && errno != EAGAIN && errno != EINTR) {
			*why = strerror(errno);
			return -1;
		}
		if (put > 0) {
			p += put;
			n -= (size_t)put;
		}
	}
	return 0;
}

static int read_all(int fd, struct buf *b, int64_t until, int stop_fd, const char **why)
{
	ssize_t got;

	for (;;) {
		if (await(fd, POLLIN, until, stop_fd, why) < 0)
			return -1;
		if (buf_room(b, 64 << 10) < 0) {
			*why = "the answer is too long";
			return -1;
		}
		got = read(fd, b->p + b->len, 64 << 10);
		if (got == 0)
			return 0;
		if (got < 0 && errno != EAGAIN && errno != EINTR) {
			*why = strerror(errno);
			return -1;
		}
		b->len += got > 0 ? (size_t)got : 0;
	}
}

static void understand(struct answer *a)
{
	static struct http_head head;
	struct chunks chunks = { 0 };
	long used = http_response(&head, a->all.p ? a->all.p : "", a->all.len, M_GET);
	size_t payload;

	a->why = "no whole HTTP answer";
	if (used <= 0)
		return;
	a->body = a->all.p + used;
	a->n = a->all.len - (size_t)used;
	if (head.body == BODY_CHUNKED) {
		if (http_chunks(&chunks, a->body, a->n, &payload) < 0 || !chunks.done)
			return;
		a->n = payload;
	} else if (head.body == BODY_LENGTH) {
		if (a->n != head.length)
			return;
	}
	a->status = head.status;
}

/* One GET on a connection of its own. */
static struct answer get(const struct addr *at, const char *path, int stop_fd)
{
	struct answer a = { .all = BUF(ANSWER_MAX), .why = "unable to connect" };
	struct buf request = BUF(4096);
	int64_t until = clock_ms() + PATIENCE_MS;
	union net_addr sa;
	socklen_t len;
	int fd = net_literal(at, &sa, &len) < 0 ? -1 : net_connect(&sa, len);

	buf_printf(&request, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
	if (fd >= 0 && send_all(fd, request.p, request.len, until, stop_fd, &a.why) == 0 &&
	    read_all(fd, &a.all, until, stop_fd, &a.why) == 0)
		understand(&a);
	if (fd >= 0)
		close(fd);
	buf_free(&request);
	return a;
}

static bool tell(bool good, const char *node, const char *what, const struct answer *a)
{
	if (good && quiet)
		return true;
	if (good)
		printf("ok    %s %s\n", node, what);
	else if (a && a->status)
		printf("FAIL  %s %s: status %d\n", node, what, a->status);
	else
		printf("FAIL  %s %s: %s\n", node, what, a ? a->why : "not found");
	fflush(stdout);
	return good;
}

static bool listed(const struct nodes *ns, const char *name)
{
	int i, k;

	for (i = 0; i < ns->n; i++)
		for (k = 0; k < ns->proxies[i].n; k++)
			if (!strcmp(ns->proxies[i].nodes[k].name, name))
				return true;
	return false;
}

static bool check_list(const struct demo *d, const struct addr *at, int stop_fd)
{
	struct answer a = get(at, "/api/nodes", stop_fd);
	struct nodes ns = { 0 };
	struct node_error e;
	bool good = a.status == 200 && nodes_parse(&ns, a.body, a.n, &e) == 0;
	int i;

	good = tell(good, "frontend", "lists its nodes", &a);
	for (i = 0; good && i < d->n; i++)
		good &= tell(listed(&ns, d->node[i].name), d->node[i].name, "is listed", NULL);
	nodes_free(&ns);
	buf_free(&a.all);
	return good;
}

static bool is_version(const struct answer *a)
{
	static const char version[] = "\"" SIM_RELEASE "-" SIM_COMMIT "\"";

	return a->n == sizeof version - 1 && !memcmp(a->body, version, a->n);
}

static bool is_metrics(const struct answer *a)
{
	return a->n && a->body[a->n - 1] == '\n' && memmem(a->body, a->n, "\nlmcache", 8);
}

static bool check_one(const struct demo *d, int i, const char *what,
		      bool (*right)(const struct answer *), const struct addr *at, int stop_fd)
{
	struct buf path = BUF(4096), text = BUF(256);
	struct answer a;
	bool good;

	buf_puts(&path, "/proxy2/");
	url_encode(&path, d->node[i].name, strlen(d->node[i].name));
	buf_printf(&path, "/%s", what);
	a = get(at, path.p, stop_fd);
	buf_printf(&text, "answers /%s (%zu bytes)", what, a.n);
	good = tell(a.status == 200 && right(&a), d->node[i].name, text.p, &a);
	buf_free(&a.all);
	buf_free(&path);
	buf_free(&text);
	return good;
}

int demo_check(const struct demo *d, const struct addr *frontend, int stop_fd)
{
	bool good;
	int i;

	quiet = d->quiet;
	good = check_list(d, frontend, stop_fd);
	for (i = 0; i < d->n; i++) {
		good &= check_one(d, i, "version", is_version, frontend, stop_fd);
		good &= check_one(d, i, "metrics", is_metrics, frontend, stop_fd);
	}
	if (!good || !quiet)
		printf("%s\n", good ? "all well" : "not well");
	return good && finish(EXIT_OK) == EXIT_OK ? EXIT_OK : EXIT_NO;
}
