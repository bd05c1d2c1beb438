/* accept.c - listening sockets: who gets a connection, and what when none is left
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"

enum {
	ACCEPTS = 64,		/* taken from a listener per turn */
	BACKLOG = 4096,
	PARK_MS = 100		/* a listener rests when descriptors run out */
};

struct peers conn_peers;
static int reserve_fd = -1;	/* given up to answer when no other is left */

static void remember_peer(struct conn *c, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)ss;

	if (ss->ss_family == AF_INET) {
		c->peer[10] = c->peer[11] = 0xff;
		memcpy(c->peer + 12, &v4->sin_addr, 4);
	} else if (ss->ss_family == AF_INET6) {
		memcpy(c->peer, &v6->sin6_addr, 16);
	}
}

/* inet_ntop goes through printf: too slow for every request. */
static const char *dotted(const unsigned char *p, char *out)
{
	char *at = out;

	for (int i = 0; i < 4; i++) {
		if (p[i] >= 100)
			*at++ = (char)('0' + p[i] / 100);
		if (p[i] >= 10)
			*at++ = (char)('0' + p[i] / 10 % 10);
		*at++ = (char)('0' + p[i] % 10);
		*at++ = '.';
	}
	at[-1] = '\0';
	return out;
}

const char *source_text(const unsigned char *p)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const unsigned char none[16];
	static char text[INET6_ADDRSTRLEN];

	if (memcmp(p, none, 16) == 0)
		return "unix";
	if (memcmp(p, mapped, 12) == 0)
		return dotted(p + 12, text);
	return inet_ntop(AF_INET6, p, text, sizeof text);
}

const char *exchange_peer(const struct exchange *x)
{
	return source_text(x->conn->peer);
}

const unsigned char *exchange_source(const struct exchange *x)
{
	return x->conn->peer;
}

static void too_many(struct server *s, int fd, bool address)
{
	static const char busy[] =
		"HTTP/1.1 503 Service Unavailable\r\n"
		"Content-Type: application/json\r\nContent-Length: 33\r\n"
		"Retry-After: 1\r\nConnection: close\r\n\r\n"
		"{\"detail\":\"too many connections\"}";
	static const char greedy[] =
		"HTTP/1.1 429 Too Many Requests\r\n"
		"Content-Type: application/json\r\nContent-Length: 47\r\n"
		"Retry-After: 1\r\nConnection: close\r\n\r\n"
		"{\"detail\":\"too many connections of one client\"}";

	char bin[4096];

	s->refused++;
	if ((address ? write(fd, greedy, sizeof greedy - 1)
		     : write(fd, busy, sizeof busy - 1)) > 0) {
		shutdown(fd, SHUT_WR);
		/* what is unread at close would reset the answer away */
		while (read(fd, bin, sizeof bin) > 0)
			;
	}
	close(fd);
}

static void open_reserve(void)
{
	if (reserve_fd < 0)
		reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void listener_on(struct watch *w, unsigned ready);

static void unpark(struct timer *t)
{
	struct listener *l = (struct listener *)((char *)t - offsetof(struct listener, timer));
	int fd = l->watch.fd < 0 ? -l->watch.fd - 2 : -1;

	open_reserve();
	if (fd >= 0 && watch_add_level(&l->watch, fd, listener_on) < 0) {
		l->watch.fd = -fd - 2;
		timer_set(t, loop_now() + PARK_MS, unpark);
	}
}

/* Out of descriptors: answer one with the reserve, then rest. */
static void shortage(struct listener *l)
{
	int fd, listening = l->watch.fd;

	if (reserve_fd >= 0) {
		close(reserve_fd);
		reserve_fd = -1;
		for (int i = 0; i < ACCEPTS; i++) {
			fd = accept4(listening, NULL, NULL,
				     SOCK_NONBLOCK | SOCK_CLOEXEC);
			if (fd < 0)
				break;
			too_many(l->server, fd, false);
		}
		open_reserve();
	}
	watch_del(&l->watch);
	l->watch.fd = -listening - 2;	/* kept for unpark() */
	timer_set(&l->timer, loop_now() + PARK_MS, unpark);
}

/* Counts the connection for its address; false: it has enough. */
static bool one_more(struct conn *c)
{
	long limit = c->listener->server->limits->per_address;

	if (!limit || c->listener->addr.kind == ADDR_UNIX)
		return true;
	c->counted = true;
	if (peers_add(&conn_peers, c->peer) <= limit)
		return true;
	peers_drop(&conn_peers, c->peer);
	return false;
}

static void welcome(struct listener *l, int fd, const struct sockaddr_storage *ss)
{
	struct server *s = l->server;
	struct conn *c = s->open < s->limits->connections ? conn_new(l) : NULL;

	if (!c) {
		too_many(s, fd, false);
		return;
	}
	remember_peer(c, ss);
	if (!one_more(c)) {
		too_many(s, fd, true);
		conn_free(&c->task);
		return;
	}
	if (conn_start(c, fd) < 0) {
		if (c->counted)
			peers_drop(&conn_peers, c->peer);
		close(fd);
		conn_free(&c->task);
	}
}

static void listener_on(struct watch *w, unsigned ready)
{
	struct listener *l = (struct listener *)w;
	struct sockaddr_storage ss;
	socklen_t len;
	int fd;

	(void)ready;
	for (int i = 0; i < ACCEPTS && w->fd >= 0; i++) {
		len = sizeof ss;
		ss.ss_family = AF_UNSPEC;
		fd = accept4(w->fd, (struct sockaddr *)&ss, &len,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			welcome(l, fd, &ss);
		else if (errno == EMFILE || errno == ENFILE ||
			 errno == ENOBUFS || errno == ENOMEM)
			shortage(l);
		else if (errno != EINTR && errno != ECONNABORTED)
			break;
	}
}

int server_listen_fd(struct server *s, struct listener *l, int fd)
{
	memset(l, 0, sizeof *l);
	l->server = s;
	net_bound(fd, &l->addr);
	l->trusted = addr_loopback(&l->addr);
	signal(SIGPIPE, SIG_IGN);
	open_reserve();
	if (conn_init() < 0 || watch_add_level(&l->watch, fd, listener_on) < 0) {
		close(fd);
		return -1;
	}
	return 0;
}

int server_listen(struct server *s, struct listener *l, const struct addr *a)
{
	int fd = net_listen(a, BACKLOG);

	if (fd < 0)
		return -1;
	return server_listen_fd(s, l, fd);
}

void server_unlisten(struct listener *l)
{
	int fd = l->watch.fd;

	timer_stop(&l->timer);
	if (fd == -1)
		return;
	if (fd < -1)
		fd = -fd - 2;
	else
		watch_del(&l->watch);
	l->watch.fd = -1;
	close(fd);
	if (l->addr.kind == ADDR_UNIX)
		unlink(l->addr.host);
}
