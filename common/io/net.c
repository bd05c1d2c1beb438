/* net.c - sockets by address, TCP and UNIX
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net.h"

enum { TYPE = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC };

static int fail(int fd)
{
	int err = errno;

	close(fd);
	errno = err;
	return -1;
}

int net_literal(const struct addr *a, union net_addr *sa, socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)sa;
	struct sockaddr_un *un = (struct sockaddr_un *)sa;
	const char *host = a->host;

	memset(sa, 0, sizeof *sa);
	if (a->kind == ADDR_UNIX) {
		size_t n = strlen(host);

		if (n >= sizeof un->sun_path)
			return -1;
		un->sun_family = AF_UNIX;
		memcpy(un->sun_path, host, n + 1);
		*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
		return 0;
	}
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)a->port);
		*len = sizeof *v4;
		return 0;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)a->port);
		*len = sizeof *v6;
		return 0;
	}
	return -1;
}

int net_resolve(const struct addr *a, union net_addr *sa, socklen_t *len,
		int max, const char **why)
{
	struct addrinfo want = { .ai_socktype = SOCK_STREAM }, *list, *at;
	char port[8];
	int n = 0, rc;

	if (net_literal(a, sa, len) == 0)
		return 1;
	if (a->kind != ADDR_TCP) {
		*why = "the socket path is too long";
		return -1;
	}
	snprintf(port, sizeof port, "%d", a->port);
	rc = getaddrinfo(a->host, port, &want, &list);
	if (rc != 0) {
		*why = gai_strerror(rc);
		return -1;
	}
	for (at = list; at && n < max; at = at->ai_next) {
		if (at->ai_addrlen > sizeof *sa)
			continue;
		memcpy(&sa[n], at->ai_addr, at->ai_addrlen);
		len[n++] = at->ai_addrlen;
	}
	freeaddrinfo(list);
	*why = "no address";
	return n ? n : -1;
}

static void no_delay(int fd, int family)
{
	int one = 1;

	if (family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* A socket file that nobody answers is in the way: removed. 0 when the path
 * is free now. */
static int clear_stale(const union net_addr *sa, socklen_t len)
{
	const char *path = ((const struct sockaddr_un *)sa)->sun_path;
	struct stat st;
	int fd, rc;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	fd = socket(AF_UNIX, TYPE, 0);
	if (fd < 0)
		return -1;
	rc = connect(fd, &sa->sa, len);
	close(fd);
	if (rc == 0 || errno == EAGAIN) {
		errno = EADDRINUSE;
		return -1;
	}
	return unlink(path);
}

int net_listen(const struct addr *a, int backlog)
{
	union net_addr sa;
	socklen_t len;
	const char *why;
	int fd, one = 1, rc;
	mode_t mask;

	if (net_resolve(a, &sa, &len, 1, &why) < 1) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	if (a->kind == ADDR_UNIX && clear_stale(&sa, len) < 0)
		return -1;
	fd = socket(sa.sa.sa_family, TYPE, 0);
	if (fd < 0)
		return -1;
	if (a->kind == ADDR_TCP)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (sa.sa.sa_family == AF_INET6 && strcmp(a->host, "::") != 0)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	/* accepted sockets inherit it: one call here instead of one each */
	no_delay(fd, sa.sa.sa_family);
	mask = umask(0177);
	rc = bind(fd, &sa.sa, len);
	umask(mask);
	if (rc < 0 || listen(fd, backlog) < 0)
		return fail(fd);
	return fd;
}

int net_host(const struct sockaddr *sa, char *out)
{
	const void *in = sa->sa_family == AF_INET6 ?
		(const void *)&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr :
		(const void *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr;

	return inet_ntop(sa->sa_family, in, out, ADDR_HOST) ? 0 : -1;
}

int net_bound(int fd, struct addr *a)
{
	union net_addr sa;
	socklen_t len = sizeof sa;

	memset(a, 0, sizeof *a);
	if (getsockname(fd, &sa.sa, &len) < 0)
		return -1;
	if (sa.sa.sa_family == AF_UNIX) {
		a->kind = ADDR_UNIX;
		memcpy(a->host, ((struct sockaddr_un *)&sa)->sun_path,
		       sizeof ((struct sockaddr_un *)&sa)->sun_path);
		return 0;
	}
	a->kind = ADDR_TCP;
	a->port = ntohs(sa.sa.sa_family == AF_INET6 ?
			((struct sockaddr_in6 *)&sa)->sin6_port :
			((struct sockaddr_in *)&sa)->sin_port);
	return net_host(&sa.sa, a->host);
}

int net_connect(const union net_addr *sa, socklen_t len)
{
	int fd = socket(sa->sa.sa_family, TYPE, 0);

	if (fd < 0)
		return -1;
	no_delay(fd, sa->sa.sa_family);
	if (connect(fd, &sa->sa, len) < 0 && errno != EINPROGRESS)
		return fail(fd);
	return fd;
}

int net_ready(int fd, const char *text)
{
	size_t n = strlen(text);
	ssize_t put;

	while (n) {
		put = write(fd, text, n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return fail(fd);
		text += put;
		n -= (size_t)put;
	}
	return close(fd);
}
